"""What Zammad's answers mean, where HTTP alone does not say it. Pure.

Format: Zammad's public source, which says what becomes of its errors: what its database refuses for a moment comes as a 422,
and what may not be done to one ticket as a 403.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from yarl import URL

from tocsin.backends._http import excerpt, refusal
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.backends._http import Answer, Request

_UNSAID = re.compile(
    rb"(?i)error id \S+: please contact|deadlock|lock wait timeout|failedsqltransaction|object already exists"
)
"""Within a 422: Zammad does not say why (to agents), or its database could not right now."""
_UNKNOWN = re.compile(rb"(?i)no lookup value found for '(group|customer)'")
"""Within a 422: no ticket goes through before the options are corrected."""
_ONE = re.compile(r"/(tickets/\d+|ticket_articles|ticket_articles/by_ticket/\d+|ticket_articles/\d+)$")


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """As HTTP says; but a Zammad that is closed for maintenance is busy, and one ticket that is not ours no wrong token."""
    error = refusal(answer, request, now)
    if error is None:
        return None
    why, said = f"{request.where}: {answer.status} {excerpt(answer.body, request)!r}", answer.body.lower()
    if error.reason == Reason.UNAUTHORIZED and b"maintenance mode" in said:
        return DeliveryError(Reason.UNAVAILABLE, f"{why}; it will be tried again later", retry=True)
    if answer.status == HTTPStatus.FORBIDDEN and _ONE.search(URL(request.url).path) and _is_about_it(said):
        why = f"{why}; it may be in another group now: give tocsin's user the right to change tickets there"
        return DeliveryError(Reason.REFUSED, why, retry=False)
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and _UNKNOWN.search(answer.body):
        return DeliveryError(
            Reason.MISCONFIGURED, f"{why}; correct the option, or make it there", retry=False, stops=True
        )
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and request.method != "GET" and _UNSAID.search(answer.body):
        why = f"{why}; Zammad's production.log says more, and `tocsin backend check` what is missing"
        return DeliveryError(Reason.UNAVAILABLE, why, retry=True)
    return error


def _is_about_it(said: bytes) -> bool:
    """Whether it is the ticket that was refused, and neither the token nor its user."""
    return b"follow-up" in said or (b"not authorized" in said and b"token" not in said)

"""What Jira's answers mean, where HTTP alone does not say it. Pure.

Format: developer.atlassian.com, "Rate limiting"; confluence.atlassian.com, "Adjusting your code for rate limiting",
"Basic authentication" (CAPTCHA after failed logins).
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from tocsin.backends._http import LONGEST_AFTER, refusal
from tocsin.backends._moments import moment
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends._http import Answer, Request

_ANONYMOUS = "anonymous"
_FAILED = ("AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED")
_OF_STRANGERS = frozenset({Reason.NOT_FOUND, Reason.REFUSED})
"""What somebody unknown is told of an issue, a project or a field that is there."""


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """The answer as an error, or None for a success."""
    error = refusal(answer, request, now)
    headers = answer.headers
    if (error is None or error.reason in _OF_STRANGERS) and _is_strange(headers):
        why = f"{request.where}: {answer.status}, answered as to somebody unknown; check the token and its user"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True)
    if error is None:
        return None
    if error.reason == Reason.RATE_LIMITED:
        limit = headers.get("RateLimit-Reason", "")
        detail = f"{error.detail} ({limit})" if limit else error.detail
        after = error.after if "Retry-After" in headers else _wait(headers.get("X-RateLimit-Reset", ""), now)
        return DeliveryError(Reason.RATE_LIMITED, detail, retry=True, after=after)
    captcha = "CAPTCHA" in headers.get("X-Authentication-Denied-Reason", "")
    if captcha or headers.get("X-Seraph-LoginReason", "") == "AUTHENTICATION_DENIED":
        why = f"{request.where}: {answer.status}; Jira wants a person to log in as this user and solve a CAPTCHA"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True)
    if answer.status == HTTPStatus.CONFLICT:
        why = f"{error.detail}; somebody else changes the ticket at this moment"
        return DeliveryError(Reason.REFUSED, why, retry=True)
    return error


def _is_strange(headers: Mapping[str, str]) -> bool:
    """Whether a login did not count although it was not refused: only what strangers may see is found, or is there."""
    failed = headers.get("X-Seraph-LoginReason", "").startswith(_FAILED)
    return failed or headers.get("X-AUSERNAME", "").lower() == _ANONYMOUS


def _wait(reset: str, now: datetime) -> timedelta | None:
    """How long until the moment when a limit starts anew, which is told in whole minutes."""
    at = moment(reset)
    return None if at is None else min(max(at - now, timedelta(0)), LONGEST_AFTER)

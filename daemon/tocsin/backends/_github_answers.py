"""What GitHub's answers mean, where HTTP alone does not say it. Pure.

Format: docs.github.com, "Rate limits for the REST API", "Troubleshooting the REST API", "Get an issue" (301, 404, 410). That
a 422 may be a limit, or a server that does not know a new issue yet, is not written there: many clients report it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from yarl import URL

from tocsin.backends._http import LONGEST_AFTER, excerpt, refusal, retry_after
from tocsin.backends._moments import moment
from tocsin.backends._shape import at
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.backends._http import Answer, Request

_MINUTE = timedelta(minutes=1)
"""What GitHub asks for when it is too much and no header says until when."""
_ISSUE = re.compile(r"/issues/\d+(/|$)")
_LIMITING = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
_ABSENT = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_TOO_QUICK = b"submitted too quickly"
"""Within a 422: too much was written in a minute."""
_NOT_YET = b"could not resolve to a node"
"""Within a 422: the server that was asked does not know the issue yet."""


class NotThereError(DeliveryError):
    """GitHub says 404 to an issue: deleted or moved out of sight, or so new that not all of its servers know it."""


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """The answer as an error, or None for a success."""
    error = refusal(answer, request, now)
    if error is None:
        return None
    said = message(answer).casefold()
    shown = f"{request.where}: {answer.status} {excerpt(answer.body, request)!r}"
    after = _limit(answer, said, now) if answer.status in _LIMITING else None
    if after is not None:
        why = f"{shown}; it will be tried again later"
        return DeliveryError(Reason.RATE_LIMITED, why, retry=True, after=after)
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return _passing(answer, shown) or error
    if answer.status == HTTPStatus.FORBIDDEN and "locked" in said:
        why = f"{shown}; unlock the conversation, or let tocsin's account write to the repository"
        return DeliveryError(Reason.REFUSED, why, retry=False)
    if answer.status not in _ABSENT:
        return error
    if answer.status == HTTPStatus.GONE and "disabled" in said:
        why = f"{shown}; switch issues on in the repository's settings"
        return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True)
    if _ISSUE.search(URL(request.url).path):
        kind = NotThereError if answer.status == HTTPStatus.NOT_FOUND else DeliveryError
        return kind(Reason.NOT_FOUND, f"{shown}; it is deleted, or moved to another repository", retry=False)
    if answer.status == HTTPStatus.NOT_FOUND:
        why = f"{shown}; the repository is not there, or the token may not see it: correct `repository` or the token"
        return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True)
    return error


def _passing(answer: Answer, shown: str) -> DeliveryError | None:
    """A 422 that will pass, as an error; None for one that says that something is wrong."""
    body = answer.body.lower()
    if _TOO_QUICK in body:
        why = f"{shown}; it will be tried again later"
        return DeliveryError(Reason.RATE_LIMITED, why, retry=True, after=_MINUTE)
    if _NOT_YET in body:
        return DeliveryError(Reason.UNAVAILABLE, f"{shown}; GitHub does not know it everywhere yet", retry=True)
    return None


def message(answer: Answer) -> str:
    """What an answer says of itself. Total."""
    try:
        return at(msgspec.json.decode(answer.body), "message")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _limit(answer: Answer, said: str, now: datetime) -> timedelta | None:
    """How long a limit asks to wait; None when the answer is no limit. A 403 may be either."""
    headers = answer.headers
    asked = retry_after(headers.get("Retry-After", ""), now)
    if asked is not None:
        return asked
    reset = moment(headers.get("X-RateLimit-Reset", ""))
    if headers.get("X-RateLimit-Remaining", "").strip() == "0" and reset is not None:
        return min(max(reset - now, timedelta(0)), LONGEST_AFTER)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or "rate limit" in said or "abuse detection" in said:
        return _MINUTE
    return None

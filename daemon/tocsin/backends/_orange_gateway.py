"""Orange's API gateway: who we are to it, and what its errors mean.

Its errors are an object, or a list of one, with an integer `code`, `message` and `description`; documented at
developer.orange.com under "API errors handling", for every API behind it. Knows nothing of incidents.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.backends._document import word
from tocsin.backends._http import Answer, Request, excerpt, meaning, retry_after
from tocsin.backends._shape import at
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends._login import Login

QUERY_REFUSED = frozenset({20, 27, 28})
"""A parameter of the query is unknown, missing or wrong."""
NOTHING_THERE, _NOT_ALLOWED_THERE = 60, 61
"""No resource of that address, or none that takes the method."""
_REASONS = {
    **dict.fromkeys((1, 5, 6, 63), Reason.UNAVAILABLE),  # it may have been done
    **dict.fromkeys((*range(20, 29), 61, 62, *range(64, 70)), Reason.REFUSED),
    **dict.fromkeys((40, 41, 42, 50, 51, 52), Reason.UNAUTHORIZED),
    53: Reason.RATE_LIMITED,
    60: Reason.NOT_FOUND,
}
_FORBIDDEN = (50, 51, 52)
_HINTS = {
    Reason.UNAVAILABLE: "it will be tried again later",
    Reason.RATE_LIMITED: "it will be tried again later",
    Reason.REFUSED: "compare what was sent with the vendor's Swagger file, and correct the mapping",
    Reason.UNAUTHORIZED: "check client_id, client_secret_file and key_file",
    Reason.NOT_FOUND: "check the address, and that the incident exists",
    Reason.MISCONFIGURED: "give the address it points to; redirects are not followed",
}
_NOT_ALLOWED = "let Orange allow this application and this API key the API"
_PATIENCE = timedelta(seconds=1)
"""The gateway asks for a second at least, and has no header for it."""
_ENVELOPE = frozenset({"code", "message", "description", "infoURL", "infoUrl", "details"})
_MOST_DIGITS = 6


class GatewayError(DeliveryError):
    """An error of the gateway, with its code; 0 when it gave none."""

    code = 0


class Keyed:
    """A login with an API key beside it, in a header of its own."""

    def __init__(self, login: Login, key: str) -> None:
        """Take who we are, and the key."""
        self._login = login
        self._key = key

    @property
    def hide(self) -> tuple[str, ...]:
        """Both are secret."""
        return (*self._login.hide, self._key)

    async def headers(self) -> Mapping[str, str]:
        """Both. Raises DeliveryError, which leaves no doubt."""
        return {**await self._login.headers(), "X-Api-Key": self._key}

    def expire(self, used: Mapping[str, str]) -> bool:
        """Forget the token; the key stays."""
        return self._login.expire(used)


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """What an answer means: by the gateway's code where there is one, also inside of a success, else by its status."""
    code, said = _said(answer)
    if meaning(answer.status) is None and not code:
        return None
    reason = _REASONS.get(code) or _by_status(answer.status)
    passing = reason in (Reason.UNAVAILABLE, Reason.RATE_LIMITED)
    error = GatewayError(
        reason,
        _detail(answer, request, said, _NOT_ALLOWED if code in _FORBIDDEN else _HINTS[reason]),
        retry=passing,
        after=_patience(reason, retry_after(answer.headers.get("Retry-After", ""), now)) if passing else None,
        stops=reason in (Reason.UNAUTHORIZED, Reason.MISCONFIGURED),
    )
    error.code = code
    return error


def misplaced(error: GatewayError) -> DeliveryError:
    """An error of what makes incidents; when nothing is there that makes any, no other would fare better."""
    if error.code not in (NOTHING_THERE, _NOT_ALLOWED_THERE):
        return error
    why = f"{error.detail}; no incidents are made there: correct url, path or `operations.create` of the mapping"
    return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)


def _by_status(status: int) -> Reason:
    """Why, when there is no code that says so. A request that timed out at the gateway may have been done."""
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return Reason.UNAVAILABLE
    return meaning(status) or Reason.REFUSED


def _patience(reason: Reason, asked: timedelta | None) -> timedelta | None:
    return max(asked or _PATIENCE, _PATIENCE) if reason == Reason.RATE_LIMITED else asked


def _detail(answer: Answer, request: Request, said: bytes, hint: str) -> str:
    quoted = excerpt(said, request)
    number = excerpt(answer.headers.get("X-OAPI-Request-Id", "").encode(), request)
    told = f"{request.where}: {answer.status}{f' {quoted!r}' if quoted else ''}; {hint}"
    return f"{told} (to Orange's support: request {number})" if number else told


def _said(answer: Answer) -> tuple[int, bytes]:
    """The gateway's code, 0 for none, and what it says in words."""
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, answer.body
    said = said[0] if isinstance(said, list) and said else said
    if not isinstance(said, dict) or not _is_error(said, answer.status):
        return 0, answer.body
    code = word(said.get("code"))
    words = [f"code {code}" if code else "", at(said, "message"), at(said, "description")]
    number = int(code) if code.isascii() and code.isdecimal() and len(code) <= _MOST_DIGITS else 0
    return number, " ".join(text for text in dict.fromkeys(words) if text).encode()


def _is_error(said: Mapping[str, Any], status: int) -> bool:
    """Inside of a success only what has nothing but an error's fields is one."""
    if "code" not in said or not ("message" in said or "description" in said):
        return False
    return meaning(status) is not None or not said.keys() - _ENVELOPE

"""How a GLPI backend proves who it is: a session that GLPI ends when it likes, or a token of its OAuth server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.backends._http import Answer, Request, call, decoded, excerpt, refusal, unreadable
from tocsin.backends._login import Fixed, Login
from tocsin.backends._shape import at
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from tocsin.backends import Outside

_REFUSED = frozenset({400, 401, 403})


def error_of(body: bytes) -> tuple[str, Any]:
    """GLPI's own error and what comes with it, from `["ERROR_…", …]`; an empty text when the body is none. Total."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", None
    if isinstance(said, list) and said and isinstance(said[0], str) and said[0].startswith("ERROR"):
        return said[0], said[1] if len(said) > 1 else ""
    return "", said


def by_token(token: str) -> Fixed:
    """A user's remote access key."""
    return Fixed({"Authorization": f"user_token {token}"}, (token,))


class Session:
    """A session of the API: begun with the first call, and anew when GLPI has ended it."""

    def __init__(self, url: str, entry: Fixed, app_token: str, outside: Outside, allowed: timedelta) -> None:
        """Take the API's address, what a session is begun with, the app token (or none), and time for an answer."""
        self._app = {"App-Token": app_token} if app_token else {}
        self._entry = (*entry.hide, app_token) if app_token else entry.hide
        headers = {"Accept": "application/json", "User-Agent": "tocsin", **self._app, **entry.always}
        self._request = Request("GET", f"{url}/initSession", headers, hide=self._entry)
        self._outside, self._allowed = outside, allowed
        self._lock = asyncio.Lock()
        self._token = ""

    @property
    def hide(self) -> tuple[str, ...]:
        """The tokens, and the session's of the moment."""
        return (*self._entry, self._token) if self._token else self._entry

    async def headers(self) -> Mapping[str, str]:
        """The session and app tokens; begins a session when there is none."""
        async with self._lock:  # deliveries that begin together share one session
            if not self._token:
                await self._begin()
            return {"Session-Token": self._token, **self._app}

    def expire(self, used: Mapping[str, str]) -> bool:
        """Forget the session if it is the one that was refused: another call may have begun a new one. One may be begun."""
        if used.get("Session-Token") == self._token:
            self._token = ""
        return True

    async def _begin(self) -> None:
        request = self._request
        try:
            answer = await call(self._outside.session, request, timeout=self._allowed, pause=self._outside.pause)
            self._take(answer)
        except DeliveryError as error:
            error.harmless = True
            raise

    def _take(self, answer: Answer) -> None:
        request = self._request
        if answer.status in _REFUSED:
            said = excerpt(answer.body, request)
            why = f"{request.where}: {answer.status} {said!r}; correct the tokens, or allow our address in GLPI"
            raise DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True)
        if error := refusal(answer, request, self._outside.clock()):
            raise error
        self._token = at(decoded(answer, request, quoted=False), "session_token")
        if not self._token:
            raise unreadable(request, "no session_token in the answer")


@dataclass(frozen=True, slots=True)
class Hiding:
    """A login with further texts that no error may repeat."""

    login: Login
    more: tuple[str, ...] = field(repr=False)

    @property
    def hide(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.login.hide, *self.more)

    async def headers(self) -> Mapping[str, str]:
        """The login's."""
        return await self.login.headers()

    def expire(self, used: Mapping[str, str]) -> bool:
        """The login's."""
        return self.login.expire(used)

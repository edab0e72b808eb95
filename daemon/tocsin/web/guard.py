"""Who may ask for more than a hook: this machine only, or whoever has the token where the settings name one.

A browser is never let in: a page from elsewhere could make it ask.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Protocol, TypeVar

from aiohttp import web
from msgspec import Struct

from tocsin.errors import StoreError
from tocsin.web import auth
from tocsin.web.hooks import RETRY_AFTER, is_local

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime


class Refusal(Struct, frozen=True):
    """Why this caller may not: the answer's status and a sentence."""

    status: int
    text: str


class Guard:
    """The same question at every door: `refused`."""

    def __init__(
        self,
        scheme: auth.Scheme,
        clock: Callable[[], datetime],
        setting: str = "admin.token_file",
        whose: str = "admin",
    ) -> None:
        """`setting` names the token's file in the settings, `whose` says whose token it is."""
        self._scheme = scheme
        self._clock = clock
        self._setting = setting
        self._whose = whose

    def refused(self, request: web.Request) -> Refusal | None:
        """Why this caller may not; None when it may."""
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
            return Refusal(403, "not from a browser")
        if isinstance(self._scheme, auth.Open):
            if is_local(request):
                return None
            return Refusal(403, f"asked from elsewhere: set `{self._setting}` to allow that with a token")
        if auth.allowed(self._scheme, request.headers, b"", self._clock()):
            return None
        return Refusal(401, f"the {self._whose} token is missing or wrong")


class Guarded(Protocol):
    """Handlers behind a guard."""

    guard: Guard


_Of = TypeVar("_Of", bound=Guarded)


def guarded(
    handler: Callable[[_Of, web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[_Of, web.Request], Awaitable[web.StreamResponse]]:
    """Not for strangers and browsers; and a store that cannot write is 503."""

    @wraps(handler)
    async def asked(self: _Of, request: web.Request) -> web.StreamResponse:
        refused = self.guard.refused(request)
        if refused:
            return web.json_response({"error": refused.text}, status=refused.status)
        try:
            return await handler(self, request)
        except StoreError as error:
            return web.json_response({"error": str(error)}, status=503, headers={"Retry-After": RETRY_AFTER})

    return asked

"""Who may ask for more than a hook: this machine only, or whoever has the admin token where the settings name one.

A browser is never let in: a page from elsewhere could make it ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.web import auth
from tocsin.web.hooks import is_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aiohttp import web


class Refusal(Struct, frozen=True):
    """Why this caller may not: the answer's status and a sentence."""

    status: int
    text: str


class Guard:
    """The same question at every door: `refused`."""

    def __init__(self, scheme: auth.Scheme, clock: Callable[[], datetime]) -> None:
        self._scheme = scheme
        self._clock = clock

    def refused(self, request: web.Request) -> Refusal | None:
        """Why this caller may not; None when it may."""
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
            return Refusal(403, "not from a browser")
        if isinstance(self._scheme, auth.Open):
            if is_local(request):
                return None
            return Refusal(403, "asked from elsewhere: set `admin.token_file` to allow that with a token")
        if auth.allowed(self._scheme, request.headers, b"", self._clock()):
            return None
        return Refusal(401, "the admin token is missing or wrong")

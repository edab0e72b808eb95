"""The way in for ticket systems: `/hooks/tickets/NAME`, where a webhook of theirs names the tickets that changed.

What it says beyond that is not believed: each ticket named is read from its system. Only where a system cannot be read is
its signed message taken at its word. 202 is answered once that is kept; store trouble is 503 with `Retry-After`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from tocsin.errors import PayloadError, StoreError
from tocsin.model import Payload
from tocsin.web import auth, body, requests
from tocsin.web.hooks import RETRY_AFTER, is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tocsin.backends import Kind
    from tocsin.following import Follower
    from tocsin.model import Record

_HEADERS = 100
_LONGEST_HEADER = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketHook:
    """One backend's webhook."""

    kind: Kind
    scheme: auth.Scheme
    follower: Follower
    limits: body.Limits
    clock: Callable[[], datetime]

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Keep the names of the tickets that the message is about, and answer 202 with how many there were."""
        try:
            return await self._receive(request)
        except body.Refused as refused:
            return _error(refused.status, refused.text)
        except PayloadError as error:
            return _error(422, f"{self.follower.name} ({self.kind.name}): {error}")
        except StoreError as error:
            return web.json_response({"error": str(error)}, status=503, headers={"Retry-After": RETRY_AFTER})

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        said = requests.given(request)
        now, inside = self.clock(), auth.needs_body(self.scheme)
        if isinstance(self.scheme, auth.Open) and not is_local(request):
            return _error(403, f"the webhook of {self.follower.name} is open, so it answers this machine only")
        if not inside and not auth.allowed(self.scheme, request.headers, b"", now, said):
            return self._unauthorized()
        received = await body.read(request, self.limits)
        proving = received.inflated if isinstance(self.scheme, auth.Field) else received.raw
        if inside and not auth.allowed(self.scheme, request.headers, proving, now, said):
            return self._unauthorized()
        payload = self._payload(request, received.inflated)
        if self.kind.believed is not None:
            return await self._take(self.kind.believed(payload))
        if self.kind.heard is None:
            raise PayloadError("this kind of ticket system sends no webhooks that are understood; it is polled")
        words = self.kind.heard(payload)
        await self.follower.hear(words)
        return web.json_response({"tickets": len(words)}, status=202)

    async def _take(self, records: list[Record]) -> web.StreamResponse:
        if await self.follower.take(records):
            return web.json_response({"tickets": len(records)}, status=202)
        text = "the ticket is being told something; send it again"
        return web.json_response({"error": text}, status=503, headers={"Retry-After": RETRY_AFTER})

    def _payload(self, request: web.Request, inflated: bytes) -> Payload:
        headers = {name.lower(): value for name, value in list(request.headers.items())[:_HEADERS]}
        short = {name: value for name, value in headers.items() if len(value) <= _LONGEST_HEADER}
        return Payload(
            body=inflated,
            content_type=requests.media_type(request),
            source=self.follower.name,
            method=request.method,
            headers=short,
        )

    def _unauthorized(self) -> web.StreamResponse:
        return _error(401, f"this is not what backend {self.follower.name} is set up to prove itself with")


def routes(hooks: Iterable[TicketHook]) -> list[web.RouteDef]:
    """The address of each; anything else under `/hooks/tickets/` is 404 like any unknown source.

    Below it is where TMF621 has the listeners of events.
    """
    below = ("", "/listener/{event}")
    return [web.post(f"/hooks/tickets/{hook.follower.name}{path}", hook.receive) for hook in hooks for path in below]


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)

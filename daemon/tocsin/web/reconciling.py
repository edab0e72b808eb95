"""What operators ask about agreement with the ticket systems: `POST /-/reconcile`, answered line by line as it goes.

The answer is JSON lines: how far it is, then a report for each backend. Nothing is changed unless the body says `fix`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from msgspec import Struct

from tocsin.errors import StoreError
from tocsin.reconciling import Report
from tocsin.web import body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tocsin.reconciling import Progress, Reconciler
    from tocsin.web.guard import Guard

_LIMITS = body.Limits(received=64 * 1024, inflated=64 * 1024)
LINES = "application/x-ndjson"


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """What is compared, and whether differences are mended."""

    fix: bool = False
    backend: str = ""
    """Empty for all."""
    all_gone: bool = False
    """That many tickets are gone is true: make them again."""


_asked = msgspec.json.Decoder(Asked | None)
_encode = msgspec.json.Encoder().encode


class Reconciling:
    """The handler of `/-/reconcile`."""

    def __init__(self, reconcilers: Mapping[str, Reconciler], told: Callable[[Report], None], guard: Guard) -> None:
        """`told` hears each report."""
        self._reconcilers = reconcilers
        self._told = told
        self._guard = guard

    def routes(self) -> list[web.RouteDef]:
        """The address, with its handler."""
        return [web.post("/-/reconcile", self.reconcile)]

    async def reconcile(self, request: web.Request) -> web.StreamResponse:
        """200 with progress and reports as JSON lines; 404 for a backend that cannot be compared."""
        refused = self._guard.refused(request)
        if refused:
            return web.json_response({"error": refused.text}, status=refused.status)
        try:
            received = await body.read(request, _LIMITS)
            asked = _asked.decode(received.inflated or b"null") or Asked()
        except body.Refused as error:
            return web.json_response({"error": error.text}, status=error.status)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return web.json_response({"error": f"not readable: {error}"}, status=400)
        if asked.backend and asked.backend not in self._reconcilers:
            known = ", ".join(self._reconcilers) or "none"
            why = f"backend {asked.backend!r} is not compared; these are: {known}"
            return web.json_response({"error": why}, status=404)
        return await self._stream(request, asked)

    async def _stream(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": LINES})
        await response.prepare(request)
        try:
            async for line in self._lines(asked):
                await response.write(_encode(line) + b"\n")
        except StoreError as error:
            await response.write(_encode({"error": str(error)}) + b"\n")
        await response.write_eof()
        return response

    async def _lines(self, asked: Asked) -> AsyncIterator[Progress | Report]:
        for name, reconciler in self._reconcilers.items():
            if asked.backend in ("", name):
                async for line in reconciler.run(fix=asked.fix, all_gone=asked.all_gone):
                    if isinstance(line, Report):
                        self._told(line)
                    yield line

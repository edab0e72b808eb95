"""What operators ask about agreement with the ticket systems: `POST /-/reconcile`, answered line by line as it goes.

The answer is JSON lines: how far it is, then a report for each backend and each source that can be asked. Nothing is
changed unless the body says `fix`.
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
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from tocsin.polling import Poller
    from tocsin.polling.asking import Compared
    from tocsin.reconciling import Progress, Reconciler
    from tocsin.web.guard import Guard

_LIMITS = body.Limits(received=64 * 1024, inflated=64 * 1024)
LINES = "application/x-ndjson"


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """What is compared, and whether differences are mended."""

    fix: bool = False
    backend: str = ""
    """Only this one, and no source; empty for all."""
    source: str = ""
    """Only this one, and no backend; empty for all."""
    all_gone: bool = False
    """That many tickets are gone is true: make them again."""


_asked = msgspec.json.Decoder(Asked | None)
_encode = msgspec.json.Encoder().encode


class Reconciling:
    """The handler of `/-/reconcile`."""

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        pollers: Mapping[str, Poller],
        told: Callable[[Report], None],
        guard: Guard,
    ) -> None:
        """Take who compares backends, who asks sources, by name; `told` hears each report of a backend."""
        self._reconcilers = reconcilers
        self._pollers = pollers
        self._told = told
        self._guard = guard

    def routes(self) -> list[web.RouteDef]:
        """The address, with its handler."""
        return [web.post("/-/reconcile", self.reconcile)]

    async def reconcile(self, request: web.Request) -> web.StreamResponse:
        """200 with progress and reports as JSON lines; 404 for a backend or source that cannot be compared."""
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
        unknown = _unknown("backend", asked.backend, self._reconcilers) or _unknown(
            "source", asked.source, self._pollers
        )
        if unknown:
            return web.json_response({"error": unknown}, status=404)
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

    async def _lines(self, asked: Asked) -> AsyncIterator[Progress | Report | Compared]:
        for name, poller in self._pollers.items():
            if asked.source == name or not (asked.source or asked.backend):
                yield await poller.compare(fix=asked.fix)
        for name, reconciler in self._reconcilers.items():
            if asked.backend == name or not (asked.source or asked.backend):
                async for line in reconciler.run(fix=asked.fix, all_gone=asked.all_gone):
                    if isinstance(line, Report):
                        self._told(line)
                    yield line


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    """Why this one cannot be compared; empty when it can, or none was named."""
    if not name or name in known:
        return ""
    return f"{what} {name!r} is not compared; these are: {', '.join(known) or 'none'}"

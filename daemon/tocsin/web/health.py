"""What other programs ask about us: alive, ready, and the series for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tocsin.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.metrics import Metrics
    from tocsin.store import Store


class Health:
    """The three pages; `detail` tells what is not as it should be, though the service serves."""

    def __init__(self, store: Store, metrics: Metrics, detail: Callable[[], dict[str, str]]) -> None:
        self._store = store
        self._metrics = metrics
        self._detail = detail

    async def alive(self, _: web.Request) -> web.StreamResponse:
        """200 while the process answers."""
        return web.json_response({"status": "alive"})

    async def ready(self, _: web.Request) -> web.StreamResponse:
        """200 after a round trip through the store, else 503; refused rules are told, and do not make it unready."""
        detail = self._detail()
        try:
            await self._store.run(lambda _tx: None)
        except StoreError as error:
            return web.json_response({"status": "not ready", "store": str(error), **detail}, status=503)
        if self._store.problem:
            detail["store"] = self._store.problem
        return web.json_response({"status": "ready", **detail})

    async def metrics(self, _: web.Request) -> web.StreamResponse:
        """All series in the text format."""
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

"""Alertmanager: `GET /api/v2/alerts`, every so often.

What it no longer shows is over, what it shows and we never heard is taken in, what it mutes is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.polling.asking import first_of
from tocsin.timers import pause

if TYPE_CHECKING:
    import asyncio

    from tocsin.polling.asking import Asking, Compared
    from tocsin.polling.platform import Platform
    from tocsin.sources import Shown

PATH = "/api/v2/alerts"


class Poller:
    """Asks one Alertmanager."""

    def __init__(self, platform: Platform, asking: Asking) -> None:
        self._platform = platform
        self._asking = asking

    async def run(self, stopping: asyncio.Event) -> None:
        """Ask until `stopping`."""
        while not stopping.is_set():
            await first_of(self._asking.tried(lambda: self._asking.agree(self._ask)), stopping.wait())
            await pause(stopping, self._asking.asked.every.total_seconds())

    async def compare(self, *, fix: bool) -> Compared:
        """Ask once and name what differs; taken in only when it is to be mended. Raises StoreError."""
        return await self._asking.compare(self._ask, fix=fix)

    async def _ask(self) -> Shown:
        return await self._asking.read(await self._platform.get(PATH))

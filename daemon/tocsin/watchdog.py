"""What systemd is told: ready, stopping, and alive only while the store answers and the timers come round."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from tocsin.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tocsin.store import Store

_LATE = 30
"""Seconds after which a timer loop that has not come round counts as dead."""


class Watchdog:
    """Speaks the sd_notify protocol; silent when nobody listens."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.every = int(environ.get("WATCHDOG_USEC", "0") or 0) / 3_000_000
        """Seconds between two signs of life; 0 when none are wanted."""

    def ready(self, address: str) -> None:
        """The service serves."""
        self._tell(f"READY=1\nSTATUS=Serving {address}")

    def stopping(self) -> None:
        """The service is stopping."""
        self._tell("STOPPING=1")

    async def run(
        self, store: Store, beat: Callable[[], datetime], clock: Callable[[], datetime], stopping: asyncio.Event
    ) -> None:
        """Feed the watchdog after each store round trip, until `stopping`."""
        while self.every and not stopping.is_set():
            if await _answers(store) and (clock() - beat()).total_seconds() < _LATE:
                self._tell("WATCHDOG=1")
            try:
                await asyncio.wait_for(stopping.wait(), self.every)
            except TimeoutError:
                continue

    def _tell(self, state: str) -> None:
        """One datagram, as sd_notify(3) has it; a manager that does not listen is no reason to fail."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager, suppress(OSError):
            manager.sendto(state.encode(), self._address)


async def _answers(store: Store) -> bool:
    """A full disk is no reason to be killed: the store answered, and says what is wrong."""
    try:
        await store.run(lambda _tx: None)
    except StoreError:
        return bool(store.problem)
    return True

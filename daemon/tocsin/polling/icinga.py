"""Icinga 2: its event stream, and all its hosts and services to compare with.

What the stream says while nobody listens is lost, so everything is compared when it begins, after every interruption, and
every so often: a stream that died silently is found by that, too, and begun anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tocsin.polling.asking import first_of
from tocsin.polling.platform import PlatformError
from tocsin.timers import pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tocsin.polling.asking import Asking, Compared
    from tocsin.polling.platform import Platform
    from tocsin.sources import Shown

EVENTS = "/v1/events"
OBJECTS = ("/v1/objects/hosts", "/v1/objects/services")
TYPES = ("StateChange", "ObjectDeleted")
"""Older ones do not know the second: then what was deleted is missing in the lists, and over after a while."""

ATTRIBUTES = (
    *("__name", "display_name", "groups", "zone", "check_command", "notes", "notes_url", "action_url", "vars"),
    *("acknowledgement", "downtime_depth", "flapping", "state", "state_type", "last_hard_state"),
    *(
        "last_hard_state_change",
        "last_check",
        "last_check_result",
        "last_reachable",
        "check_attempt",
        "max_check_attempts",
    ),
)
_WAIT = 5.0
"""Seconds before a stream that ended is begun anew."""


class Poller:
    """Listens to one Icinga."""

    def __init__(self, platform: Platform, asking: Asking) -> None:
        self._platform = platform
        self._asking = asking
        self._wait = min(_WAIT, asking.asked.every.total_seconds())
        self._compared = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until `stopping`."""
        while not stopping.is_set():
            began = self._compared
            await first_of(self._asking.tried(self._listen), stopping.wait())
            # A list that never comes through is not asked for again and again.
            await pause(stopping, self._wait if self._compared > began else self._asking.asked.every.total_seconds())

    async def _listen(self) -> None:
        """Until the stream ends, or Icinga no longer answers. Raises PlatformError, PayloadError, StoreError."""
        question = {"queue": f"tocsin-{self._asking.source.name}", "types": TYPES}
        async with self._platform.stream(EVENTS, question) as lines:
            await first_of(self._hear(lines), self._compare())

    async def _hear(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            if line.strip():
                await self._asking.hear(line)
        raise PlatformError("the stream of events ended")

    async def _compare(self) -> None:
        """At once, then every so often; raises what goes wrong, so that the stream is begun anew."""
        while True:
            await self._asking.agree(self._ask)
            self._compared += 1
            await asyncio.sleep(self._asking.asked.every.total_seconds())

    async def compare(self, *, fix: bool) -> Compared:
        """Ask once and name what differs; taken in only when it is to be mended. Raises StoreError."""
        return await self._asking.compare(self._ask, fix=fix)

    async def _ask(self) -> Shown:
        parameters = [("attrs", attribute) for attribute in ATTRIBUTES]
        hosts, services = [await self._asking.read(await self._platform.get(path, parameters)) for path in OBJECTS]
        return hosts.joined(services)

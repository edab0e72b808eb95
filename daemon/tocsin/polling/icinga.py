"""Icinga 2: its event stream, and all its hosts and services to compare with.

What the stream says while nobody listens is lost, so everything is compared when it begins, after every interruption, and
every so often: a stream that died silently is found by that, too, and begun anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tocsin.polling.asking import pause
from tocsin.polling.platform import PlatformError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from tocsin.polling.asking import Asking
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

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until `stopping`."""
        while not stopping.is_set():
            await _first_of(self._asking.tried(self._listen), stopping.wait())
            await pause(stopping, self._wait)

    async def _listen(self) -> None:
        """Until the stream ends, or Icinga no longer answers. Raises PlatformError, PayloadError, StoreError."""
        question = {"queue": f"tocsin-{self._asking.source.name}", "types": TYPES}
        async with self._platform.stream(EVENTS, question) as lines:
            await _first_of(self._hear(lines), self._compare())

    async def _hear(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            if line.strip():
                await self._asking.hear(line)
        raise PlatformError("the stream of events ended")

    async def _compare(self) -> None:
        """At once, then every so often; raises what goes wrong, so that the stream is begun anew."""
        while True:
            await self._asking.agree(self._ask)
            await asyncio.sleep(self._asking.asked.every.total_seconds())

    async def _ask(self) -> Shown:
        parameters = [("attrs", attribute) for attribute in ATTRIBUTES]
        hosts, services = [self._asking.read(await self._platform.get(path, parameters)) for path in OBJECTS]
        return hosts.joined(services)


async def _first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Do all at once until one of them ends; the others are given up. Raises what that one raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""What falls due with time: holds and quiet times over, alerts their source stopped repeating, counts, pruning.

The deadlines live in the store and survive any restart; this only looks at the clock often enough.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog

from tocsin import heap, intake
from tocsin.errors import StoreError
from tocsin.model import Alert
from tocsin.saying import what
from tocsin.store import rows
from tocsin.store.apply import Cause, apply
from tocsin.store.pruning import Retention, prune

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from tocsin.store import Store, Transaction

_log = structlog.get_logger("timers")
_alert = msgspec.json.Decoder(Alert)

_TICKS = 500
"""Incidents advanced in one transaction, so that alerts need not wait for thousands of them."""
_COUNTS = 2000
_BURST = 5000
"""So many alerts leave memory behind that is worth giving back."""
_COUNT_EVERY = timedelta(seconds=60)
_PRUNE_EVERY = timedelta(minutes=10)


def tick(tx: Transaction, now: datetime) -> int:
    """Advance what has fallen due, a limited number at a time; returns how many."""
    done = 0
    for firing in tx.live.expired(now, _TICKS):
        found = tx.rows("text", (firing.text,))
        said_of = what(_alert.decode(found[0][0])) if found else firing.fingerprint
        intake.resolve(tx, firing, said_of, now)
        done += 1
    for change, decision in tx.live.ticked(now, _TICKS):
        apply(tx, change, Cause(row=decision), new=False, now=now)
        done += 1
    return done


def write_counts(tx: Transaction, limit: int = _COUNTS) -> int:
    """Write down repeats that are only in memory and in the alerts; returns how many incidents had some."""
    highest = tx.memory.rows["alerts"]
    written = 0
    for incident in tx.live.uncounted(limit):
        tx.update("update_counts", (incident.alerts, rows.micros(incident.last_seen_at), highest, incident.n))
        written += 1
    if written < limit:
        tx.update("update_counted", (highest,))
    return written


class Timers:
    """The loop that looks at the clock."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        clock: Callable[[], datetime],
        every: float = 0.5,
        also: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`also`: what else is to be done at each round, last."""
        self._store = store
        self._retention = retention
        self._clock = clock
        self._every = every
        self._also = also
        self._counted_at = self._pruned_at = clock()
        self._tidied = 0
        self.beat = clock()
        """When the loop last came round: the watchdog looks at it."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Come round until `stopping`."""
        while not stopping.is_set():
            try:
                await self.come_round()
            except StoreError as error:
                _log.warning("timers wait for the store", problem=str(error))
            except Exception:  # noqa: BLE001 - broad: what failed once must not stop what falls due next
                _log.exception("timers failed once")
            self.beat = self._clock()
            await pause(stopping, self._every)

    async def come_round(self) -> None:
        """Do all that is due now."""
        now = self._clock()
        due = self._store.live.next_due()
        while due is not None and due <= now:
            await self._store.run(lambda tx: tick(tx, now))
            due = self._store.live.next_due()
        self._tidy()
        if self._also:
            await self._also()
        if now - self._counted_at >= _COUNT_EVERY:
            self._counted_at = now
            await self._until_none(write_counts, _COUNTS)
        if now - self._pruned_at >= _PRUNE_EVERY:
            self._pruned_at = now
            await self._until_none(lambda tx: prune(tx, self._retention, now), 1)

    def _tidy(self) -> None:
        """After a burst, and not during one: give back the memory that it took."""
        if not self._store.waiting and self._store.taken - self._tidied > _BURST:
            self._tidied = self._store.taken
            heap.give_back()

    async def _until_none(self, fn: Callable[[Transaction], int], least: int) -> None:
        while await self._store.run(fn) >= least:
            pass  # each batch is a transaction of its own: alerts come in between


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stopping`."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return

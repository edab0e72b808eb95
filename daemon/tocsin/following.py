"""Following the tickets: what changed in a ticket system comes back, by asking, or because its webhook named a ticket.

What a webhook says is never believed: it names a ticket, which is then read. Trouble with a ticket system is told once
and waited out; its deliveries are the outbox's business.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct

from tocsin.backends import Backend
from tocsin.errors import DeliveryError, StoreError
from tocsin.seeing import Seen, Sight, Touch, is_known, see
from tocsin.store import rows
from tocsin.store.deliveries import numbered
from tocsin.timers import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tocsin.model import Receipt, Record
    from tocsin.store import Store, Transaction

_log = structlog.get_logger("following")

OVERLAP = timedelta(minutes=2)
"""How far behind what was heard last the next question begins: clocks and commits of ticket systems are not exact."""
FIRST = timedelta(days=1)
"""How far back the very first question goes."""
_NAMED = 100
_LONGEST = 200
"""Characters of a number or a reference; what is longer is neither."""
_UNNUMBERED = 50
_PATIENCE = 10
"""So many times as long as usual is waited after a refusal that only a person can end: accounts get locked."""


class Observer:
    """What following tells of itself; metrics listen here."""

    def followed(self, backend: str, result: str) -> None:
        """A ticket system was asked: `answered`, or the reason it was not."""

    def seen(self, backend: str, sight: str) -> None:
        """A record came back, and this came of it."""


class Followed(Struct, frozen=True, kw_only=True):
    """One ticket system to follow."""

    name: str
    backend: Backend
    every: timedelta | None
    """How often it is asked what changed; None when it cannot be, or is not to be."""
    reads: bool
    """A ticket can be read by its number."""
    touch: frozenset[Touch] = frozenset(Touch)


class Follower:
    """Follows one ticket system."""

    def __init__(
        self, followed: Followed, store: Store, clock: Callable[[], datetime], observer: Observer | None = None
    ) -> None:
        self.name = followed.name
        self._followed = followed
        self._store = store
        self._clock = clock
        self._observer = observer or Observer()
        self._named = asyncio.Event()
        self._well = True
        self._asked_at: datetime | None = None

    async def hear(self, words: Iterable[str]) -> None:
        """Tickets of these numbers or references changed. Returns once that is kept. Raises StoreError."""
        now = rows.micros(self._clock())
        kept = [(self.name, word, now) for word in dict.fromkeys(words) if 0 < len(word) <= _LONGEST]
        await self._store.run(partial(_name, kept=kept))
        self._named.set()

    async def take(self, records: Iterable[Record]) -> bool:
        """What a signed message shows of tickets that cannot be read; False when it is to be sent again later.

        Raises:
            StoreError: It cannot be taken in now.
        """
        asked_at = self._clock()
        return Sight.LATER not in [await self._see(record, asked_at) for record in records]

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until `stopping`."""
        every = self._followed.every or timedelta(minutes=1)
        while not stopping.is_set():
            stopped = await self.tried()
            await self._wait(stopping, every.total_seconds() * (_PATIENCE if stopped else 1))

    async def tried(self) -> bool:
        """Come round once; whether nothing can be had before a person corrects something."""
        try:
            await self.come_round()
        except DeliveryError as error:
            self._told(error)
            return error.stops
        except StoreError:
            return False  # the store says so itself
        if not self._well:
            _log.info("the ticket system can be asked again", backend=self.name)
        self._well = True
        self._observer.followed(self.name, "answered")
        return False

    async def come_round(self) -> None:
        """Read what was named, find numbers that came late, ask what changed. Raises DeliveryError, StoreError."""
        await self._read_named()
        await self._find_numbers()
        if self._followed.every is not None and self._is_due():
            await self._ask()

    def _is_due(self) -> bool:
        every = self._followed.every or timedelta(0)
        return self._asked_at is None or self._clock() >= self._asked_at + every

    async def _wait(self, stopping: asyncio.Event, seconds: float) -> None:
        """Until it is time again, a webhook names a ticket, or the end."""
        named = asyncio.ensure_future(self._named.wait())
        await asyncio.wait(
            {named, asyncio.ensure_future(pause(stopping, seconds))}, return_when=asyncio.FIRST_COMPLETED
        )
        named.cancel()
        self._named.clear()

    # --- by asking -----------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        asked_at = self._clock()
        cursor = await self._store.run(lambda tx: tx.rows("cursor", (self.name,)))
        heard = rows.moment(cursor[0][0]) if cursor else asked_at - FIRST
        records = await self._followed.backend.changes(heard - OVERLAP - self._followed.backend.settle)
        self._asked_at = asked_at
        late = [record.changed_at for record in records if await self._take(record, asked_at) == Sight.LATER]
        times = [record.changed_at for record in records if record.changed_at]
        newest = min([at for at in late if at], default=max(times, default=heard))
        if newest > heard or not cursor:
            at = rows.micros(max(newest, heard))
            await self._store.run(lambda tx: tx.update("put_cursor", (self.name, at)))

    async def _take(self, record: Record, asked_at: datetime) -> Sight:
        """What is not known yet is read whole, notes and all, before it is judged."""
        if await self._store.run(lambda tx: is_known(tx, record)):
            return Sight.KNOWN
        if self._followed.reads and record.number and not record.notes:
            asked_at = self._clock()
            whole = await self._followed.backend.read(record.number)
            if whole is None:
                return Sight.STRANGE
            record = whole
        return await self._see(record, asked_at)

    async def _see(self, record: Record, asked_at: datetime) -> Sight:
        seen = Seen(backend=self.name, record=record, asked_at=asked_at, touch=self._followed.touch)
        sight = await self._store.run(partial(see, seen=seen, now=self._clock()))
        self._observer.seen(self.name, sight)
        if sight == Sight.NEWS:
            _log.info("a person worked on a ticket", backend=self.name, ticket=record.number, state=record.state)
        return sight

    # --- by name ---------------------------------------------------------------------------------------------------

    async def _read_named(self) -> None:
        for (word,) in await self._store.run(lambda tx: tx.rows("named_tickets", (self.name, _NAMED))):
            if await self._read(word) != Sight.LATER:
                await self._store.run(partial(_forget, backend=self.name, word=word))

    async def _read(self, word: str) -> Sight:
        """The ticket that a webhook named, by its number or by a reference of ours; others are none of our business."""
        asked_at = self._clock()
        reference, number = await self._store.run(partial(_ours, backend=self.name, word=word))
        if not reference:
            return Sight.STRANGE
        records = await self._records(reference, number)
        sights = [await self._see(record, asked_at) for record in records if record.reference == reference]
        return Sight.LATER if Sight.LATER in sights else Sight.KNOWN

    async def _records(self, reference: str, number: str) -> list[Record]:
        backend = self._followed.backend
        if not (number and self._followed.reads):
            return await backend.search(reference)
        record = await backend.read(number)
        return [record] if record else []

    async def _find_numbers(self) -> None:
        for (reference,) in await self._store.run(lambda tx: tx.rows("unnumbered_tickets", (self.name, _UNNUMBERED))):
            found = await self._followed.backend.find(reference)
            if found and found.number:
                await self._store.run(
                    partial(_number, reference=reference, backend=self.name, told=found, now=self._clock())
                )

    def _told(self, error: DeliveryError) -> None:
        """Trouble is told once, until it is over."""
        self._observer.followed(self.name, error.reason)
        (_log.warning if self._well else _log.debug)(
            "the ticket system cannot be asked", backend=self.name, problem=str(error)
        )
        self._well = False


def _ours(tx: Transaction, *, backend: str, word: str) -> tuple[str, str]:
    """Reference and number of the ticket of this backend that a word names; empty when it names none of ours."""
    found = tx.rows("ticket_there", (backend, word))
    reference = found[0][0] if found else word
    known = tx.rows("ticket_of_reference", (reference,))
    return (reference, known[0][2]) if known and known[0][1] == backend else ("", "")


def _name(tx: Transaction, *, kept: list[tuple[str, str, int]]) -> None:
    for row in kept:
        tx.update("insert_named_ticket", row)


def _forget(tx: Transaction, *, backend: str, word: str) -> None:
    tx.update("delete_named_ticket", (backend, word))


def _number(tx: Transaction, *, reference: str, backend: str, told: Receipt, now: datetime) -> None:
    numbered(tx, reference, backend, told.number, told.url, now)

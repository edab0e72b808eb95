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
from msgspec.structs import replace

from tocsin import names
from tocsin.backends import Backend, answered
from tocsin.errors import OF_THE_SYSTEM, DeliveryError, Reason, StoreError
from tocsin.seeing import LAG, Seen, Sight, Touch, see
from tocsin.store import rows
from tocsin.store.deliveries import numbered
from tocsin.timers import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tocsin.model import Receipt, Record
    from tocsin.names import Named
    from tocsin.store import Store

_log = structlog.get_logger("following")

OVERLAP = timedelta(minutes=2)
"""How far behind what was heard last the next question begins: clocks and commits of ticket systems are not exact."""
FIRST = timedelta(days=1)
"""How far back the very first question goes."""
_AT_ONCE = 200
_LONGEST = 200
"""Characters of a number or a reference; what is longer is neither."""
_UNNUMBERED = 50
_ALL = 2**62
_IN_A_ROW = 3
"""So many tickets that cannot be read, one after the other, are the system's trouble and not theirs."""
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
        self._backend = followed.backend
        self._every = followed.every or timedelta(minutes=1)
        self._store = store
        self._clock = clock
        self._observer = observer or Observer()
        self._named = asyncio.Event()
        self._stopping = asyncio.Event()
        self._well = True
        self._answers = False
        """Whether it told what changed when it was asked last."""
        self._asked_at: datetime | None = None
        self._unnumbered = _ALL
        self._later = False
        """Something that was named is to be read as soon as what we told it ourselves is settled."""

    async def hear(self, words: Iterable[str]) -> None:
        """Tickets of these numbers or references changed. Returns once that is kept. Raises StoreError."""
        now = rows.micros(self._clock())
        kept = [(self.name, word, now) for word in dict.fromkeys(words) if 0 < len(word) <= _LONGEST]
        await self._store.run(partial(names.keep, kept=kept))
        self._named.set()

    async def take(self, records: Iterable[Record]) -> bool:
        """What a signed message shows of tickets that cannot be read; False when it is to be sent again later.

        Raises:
            StoreError: It cannot be taken in now.
        """
        asked_at = self._clock() + LAG  # the system says it now by itself: it is no older than what we told
        return Sight.LATER not in [await self._see(record, asked_at) for record in records]

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until `stopping`."""
        self._stopping = stopping
        while not stopping.is_set():
            stopped = await self.tried()
            usual = self._every * (_PATIENCE if stopped else 1)
            await self._wait(stopping, (min(LAG, usual) if self._later and self._well else usual).total_seconds())

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
        """Ask what changed, read what is to be read, find numbers that came late. Raises DeliveryError, StoreError.

        A ticket that cannot be read is put off, and holds up no other; a question that cannot be answered holds up no name.
        """
        due, trouble = self._is_due(), None
        if due and self._followed.every is not None:
            self._answers = False
            try:
                await self._ask()
                self._answers = True
            except DeliveryError as error:
                if error.stops or error.reason in OF_THE_SYSTEM:
                    raise
                trouble = error
        await self._read_named()
        if due:
            await self._find_numbers()
            if self._followed.every is None:
                self._asked_at = self._clock()
        if trouble:
            raise trouble

    def _is_due(self) -> bool:
        since = self._clock() - self._asked_at if self._asked_at else self._every
        return not timedelta(0) <= since < self._every  # a clock that was set back is no reason to wait for it

    async def _wait(self, stopping: asyncio.Event, seconds: float) -> None:
        """Until it is time again, a webhook names a ticket, or the end."""
        waits = {asyncio.ensure_future(self._named.wait()), asyncio.ensure_future(pause(stopping, seconds))}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        self._named.clear()

    # --- by asking -----------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        asked_at = self._asked_at = self._clock()
        cursor = await self._store.run(lambda tx: tx.rows("cursor", (self.name,)))
        heard = rows.moment(cursor[0][0]) if cursor else asked_at - FIRST
        since = heard - OVERLAP - self._backend.settle
        records = await answered(self._backend.changes(since), self.name)
        for start in range(0, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            sort = partial(names.to_see, backend=self.name, records=some, reads=self._followed.reads, now=asked_at)
            for record in await self._store.run(sort):
                if await self._see(record, asked_at) == Sight.LATER:
                    await self._store.run(partial(names.unread, backend=self.name, record=record, now=asked_at))
        times = [record.changed_at for record in records if record.changed_at]
        newest = min(
            max(times, default=heard), asked_at
        )  # one time from the future would hide all that comes before it
        if newest > heard or not cursor:
            at = rows.micros(max(newest, heard))
            await self._store.run(lambda tx: tx.update("put_cursor", (self.name, at)))

    async def _see(self, record: Record, asked_at: datetime, *, whole: bool = True) -> Sight:
        seen = Seen(
            backend=self.name,
            record=record,
            asked_at=asked_at,
            touch=self._followed.touch,
            passes=self._backend.passes,
            whole=whole,
        )
        sight = await self._store.run(partial(see, seen=seen, now=self._clock()))
        self._observer.seen(self.name, sight)
        if sight == Sight.NEWS:
            _log.info("a person worked on a ticket", backend=self.name, ticket=record.number, state=record.state)
        return sight

    # --- by name ---------------------------------------------------------------------------------------------------

    async def _read_named(self) -> None:
        """Read each ticket that is to be read once, those that failed before last."""
        tried = rows.micros(self._clock() - self._every / 2)
        after, failed, self._later = (-1, ""), 0, False
        while True:
            page = await self._store.run(partial(names.page, backend=self.name, after=after, tried=tried))
            for named in page.named:
                failed = 0 if await self._is_read(named, failed) else failed + 1
            if page.last is None or self._stopping.is_set():
                return
            after = page.last

    async def _is_read(self, named: Named, failed: int) -> bool:
        """Read one; False when it could not be. Raises DeliveryError when it shows that none can be, for now."""
        try:
            sight = await self._read(named)
        except DeliveryError as error:
            await self._put_off(named, error)
            if self._is_down(error, failed):
                raise
            if error.reason != Reason.NOT_FOUND:
                return False
            sight = Sight.STRANGE  # out of our sight: it is read again when it is named again
        if sight == Sight.LATER:
            self._later = True
        else:
            await self._store.run(
                lambda tx: tx.update("delete_named_ticket", (self.name, named.word, named.times))
            )  # unless it was named again meanwhile
        return True

    def _is_down(self, error: DeliveryError, failed: int) -> bool:
        """Whether the system is in trouble, and not just this ticket."""
        if error.stops:
            return not self._answers  # it told just now what changed: it is this ticket that we may not read
        return error.reason in OF_THE_SYSTEM and failed + 1 >= _IN_A_ROW

    async def _put_off(self, named: Named, error: DeliveryError) -> None:
        tried = (rows.micros(self._clock()), self.name, named.word)
        await self._store.run(lambda tx: tx.update("tried_named_ticket", tried))
        if not named.tried:
            _log.warning("a ticket cannot be read", backend=self.name, ticket=named.number, problem=str(error))

    async def _read(self, named: Named) -> Sight:
        """The ticket by the number that we know it by: it may have moved, and another one may carry our reference."""
        asked_at, reads = self._clock(), self._reads(named)
        whole = reads or not self._followed.reads
        sights = [
            await self._see(
                replace(one, number=named.number or one.number, reference=named.reference), asked_at, whole=whole
            )
            for one in await self._records(named)
            if _is_meant(one, named, reads=reads)
        ]
        return Sight.LATER if Sight.LATER in sights else Sight.KNOWN

    def _reads(self, named: Named) -> bool:
        return bool(named.number) and self._followed.reads

    async def _records(self, named: Named) -> list[Record]:
        if not self._reads(named):
            return await answered(self._backend.search(named.reference), self.name)
        record = await answered(self._backend.read(named.number), self.name)
        return [record] if record else []

    async def _find_numbers(self) -> None:
        """A few each time, the newest first, and all of them in turn."""
        page = await self._store.run(
            lambda tx: tx.rows("unnumbered_tickets", (self.name, self._unnumbered, _UNNUMBERED))
        )
        self._unnumbered = page[-1][0] if len(page) == _UNNUMBERED else _ALL
        for _, reference in page:
            found = await self._found(reference)
            if found and found.number:
                know = partial(numbered, incident=reference, backend=self.name, number=found.number, url=found.url)
                await self._store.run(partial(know, now=self._clock()))

    async def _found(self, reference: str) -> Receipt | None:
        try:
            return await answered(self._backend.find(reference), self.name)
        except DeliveryError as error:
            if error.stops or error.reason in OF_THE_SYSTEM:
                raise
            return None  # its own trouble: it is looked for again

    def _told(self, error: DeliveryError) -> None:
        """Trouble is told once, until it is over."""
        self._observer.followed(self.name, error.reason)
        (_log.warning if self._well else _log.debug)(
            "the ticket system cannot be asked", backend=self.name, problem=str(error), exc_info=error.__cause__
        )
        self._well = False


def _is_meant(record: Record, named: Named, *, reads: bool) -> bool:
    """Whether this is the ticket that was named; one that was read by its number is, though somebody took our reference."""
    if reads:
        return record.reference in (named.reference, "")
    return record.reference == named.reference and named.number in ("", record.number)

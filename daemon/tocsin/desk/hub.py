"""Who listens to what happens to desk tickets, and telling them: in order, again and again, for a day.

A listener is told what happened after it subscribed, one thing after the other; while it does not answer, only it waits.
What was told is in the store, so a restart goes on where it was; what was told just before a crash may be told twice.
Knows no HTTP: how somebody is told is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct
from msgspec.structs import replace

from tocsin.desk import events
from tocsin.errors import StoreError
from tocsin.store import rows
from tocsin.store.mint import mint
from tocsin.store.reader import reader

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.desk.events import Happened, Journal
    from tocsin.store import Store, Transaction

_log = structlog.get_logger("hub")

MOST = 100
"""So many listen at most."""
GIVEN_UP = timedelta(days=1)
"""What happened longer ago is no longer told."""
_FIRST = timedelta(seconds=1)
_LONGEST = timedelta(minutes=5)
_PAGE = 50


class Subscription(Struct, frozen=True, kw_only=True):
    """Somebody who listens."""

    id: int
    key: str
    """How it is named to others; never given twice."""
    face: str
    """In which version of the standard it is told."""
    language: str
    callback: str
    query: str
    """As it was given."""
    at: datetime
    told: int
    """The last event that it was told, or that is none of its business."""
    attempts: int = 0
    """In vain, since something went well."""
    due_at: datetime
    """When it is to be told again after it did not answer."""


class Outcome(StrEnum):
    """What came of telling somebody something."""

    TOLD = "told"
    SKIPPED = "skipped"
    """It is none of its business."""
    REFUSED = "refused"
    """It will not have this: the next one may be another matter."""
    FAILED = "failed"
    """It did not answer: later it may."""


Tell = Callable[[Subscription, "Happened"], Awaitable[Outcome]]


class Hub:
    """Who listens, in memory as in the store; `open` it before anybody subscribes."""

    def __init__(self, store: Store, journal: Journal, folder: Path) -> None:
        """`folder` is that of the store's database: what happened is read beside it."""
        self.subscriptions: dict[str, Subscription] = {}
        """By key."""
        self._store = store
        self._journal = journal
        self._folder = folder
        self._mint = mint()

    async def open(self) -> None:
        """Know who listens."""
        found, latest = await self._store.run(_known)
        self.subscriptions = {one.key: one for one in found}
        self._journal.latest = max(self._journal.latest, latest)
        self._journal.listening = bool(found)

    async def add(self, face: str, language: str, said: tuple[str, str], now: datetime) -> Subscription | None:
        """Let somebody listen from now on, at a callback with a query; None when there are too many. Raises StoreError."""
        if len(self.subscriptions) >= MOST:
            return None
        key = self._mint(now)
        self._journal.listening = True
        try:
            added = await self._store.run(lambda tx: _add(tx, (key, face, language, *said), now))
            self.subscriptions[key] = added
        finally:
            self._journal.listening = bool(self.subscriptions)
        return added

    async def remove(self, key: str) -> bool:
        """Let somebody listen no more; False when there is no such. Raises StoreError."""
        known = self.subscriptions.get(key)
        if known is None:
            return False
        await self._store.run(lambda tx: tx.update("delete_desk_subscription", (known.id,)))
        self.subscriptions.pop(key, None)
        self._journal.listening = bool(self.subscriptions)
        return True

    def due(self, now: datetime) -> list[Subscription]:
        """Who is to be told something now."""
        latest = self._journal.latest
        return [one for one in self.subscriptions.values() if one.told < latest and one.due_at <= now]

    def behind(self) -> int:
        """How many events the listener that is furthest behind was not told yet."""
        return max((self._journal.latest - one.told for one in self.subscriptions.values()), default=0)

    def after(self, told: int) -> list[Happened]:
        """What happened after this, oldest first, a page of it. Blocks; raises StoreError."""
        with reader(self._folder, one_moment=False) as there:
            found = there.rows("desk_events_after", (told, _PAGE))
        return [events.happened(row) for row in found]

    async def look_again(self) -> None:
        """Know anew what happened last: an event may have been taken back, with all else of its transaction."""
        await self._store.run(self._look_again)

    def _look_again(self, tx: Transaction) -> None:
        # In the store's thread, which is the one that writes: nothing can happen in between.
        self._journal.latest = tx.rows("last_desk_event")[0][0]

    async def keep(self, one: Subscription) -> None:
        """Keep how far somebody was told, and when it is tried again. Raises StoreError."""
        state = (one.told, one.attempts, rows.micros(one.due_at), one.id)
        await self._store.run(lambda tx: tx.update("update_desk_subscription", state))
        if one.key in self.subscriptions:
            self.subscriptions[one.key] = one

    async def forget(self, now: datetime) -> None:
        """Let go of what everybody was told, or what is no longer told. Raises StoreError."""
        told = min((one.told for one in self.subscriptions.values()), default=self._journal.latest)
        before = rows.micros(now - GIVEN_UP)
        await self._store.run(lambda tx: tx.update("delete_desk_events", (told, before)))


class Telling:
    """The loop that tells everybody."""

    def __init__(
        self,
        hub: Hub,
        tell: Tell,
        clock: Callable[[], datetime],
        every: float = 0.2,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take who listens, how one is told, and what hears how each telling ended: the words of `Outcome`, and `late`."""
        self._hub = hub
        self._tell = tell
        self._told = told
        self._clock = clock
        self._every = every
        self._forgotten_at = clock()

    async def run(self, stopping: asyncio.Event) -> None:
        """Tell until `stopping`; what is under way then is broken off, and told again after the next start."""
        under_way: dict[str, asyncio.Task[None]] = {}
        while not stopping.is_set():
            for one in self._hub.due(self._clock()):
                if one.key not in under_way:
                    under_way[one.key] = asyncio.create_task(self._tell_one(one))
            await self._forget()
            stop = asyncio.ensure_future(stopping.wait())
            await asyncio.wait({stop, *under_way.values()}, timeout=self._every, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            for key, task in list(under_way.items()):
                if task.done():
                    del under_way[key]
                    await self._look_at(key, task)
        for task in under_way.values():
            task.cancel()
        await asyncio.gather(*under_way.values(), return_exceptions=True)

    async def _tell_one(self, one: Subscription) -> None:
        """Tell one listener a page of what it has not heard yet, until it does not answer."""
        page = await asyncio.to_thread(self._hub.after, one.told)
        if not page:
            return await self._hub.look_again()
        late = [event for event in page if self._clock() - event.at > GIVEN_UP]
        if late:
            _log.warning("a listener did not answer for a day: it is not told", hub=one.key, events=len(late))
            for _ in late:
                self._told("late")
        heard = replace(one, told=late[-1].id) if late else one
        for event in page[len(late) :]:
            outcome = await self._tell(heard, event)
            self._told(outcome.value)
            if outcome == Outcome.FAILED:
                return await self._hub.keep(self._later(heard))
            if outcome == Outcome.REFUSED:
                _log.warning("a listener refused an event", hub=one.key, number=event.id, kind=event.kind)
            heard = replace(heard, told=event.id, attempts=0)
            if outcome != Outcome.SKIPPED:
                await self._hub.keep(heard)
        return await self._hub.keep(heard)

    def _later(self, one: Subscription) -> Subscription:
        """The same, to be told again after a while."""
        wait = min(_LONGEST, _FIRST * 2 ** min(one.attempts, 12))
        return replace(one, attempts=one.attempts + 1, due_at=self._clock() + wait)

    async def _look_at(self, key: str, task: asyncio.Task[None]) -> None:
        """A task that ended by an error is tried again later, like a listener that does not answer."""
        error = task.exception()
        one = self._hub.subscriptions.get(key)
        if error is None or one is None:
            return
        if not isinstance(error, StoreError):
            _log.error("telling a listener failed", hub=key, exc_info=error)
        self._hub.subscriptions[key] = self._later(one)

    async def _forget(self) -> None:
        now = self._clock()
        if now - self._forgotten_at < timedelta(minutes=1):
            return
        self._forgotten_at = now
        try:
            await self._hub.forget(now)
        except StoreError:
            return  # the store says so itself; a minute later it is tried again


def _known(tx: Transaction) -> tuple[list[Subscription], int]:
    return [_subscription(row) for row in tx.rows("desk_subscriptions")], tx.rows("last_desk_event")[0][0]


def _add(tx: Transaction, said: tuple[str, str, str, str, str], now: datetime) -> Subscription:
    at, latest = rows.micros(now), tx.rows("last_desk_event")[0][0]
    row = (tx.next("desk_subscriptions"), *said, at, latest, 0, at)
    tx.insert("insert_desk_subscription", row)
    return _subscription(row)


def _subscription(row: tuple[int, str, str, str, str, str, int, int, int, int]) -> Subscription:
    number, key, face, language, callback, query, at, told, attempts, due_at = row
    return Subscription(
        id=number,
        key=key,
        face=face,
        language=language,
        callback=callback,
        query=query,
        at=rows.moment(at),
        told=told,
        attempts=attempts,
        due_at=rows.moment(due_at),
    )

"""Telling the backends: claim → deliver → settle, with the network call between two transactions.

What is to be told is durable and ordered within its incident; a wait lives in the store as `due_at`, so no restart
forgets it. Backends are handed in; how one is spoken to is their business. Each has a loop and a breaker of its own, so
that none ever slows another.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog
from aiolimiter import AsyncLimiter
from msgspec import Struct

from tocsin import breaker as circuit
from tocsin.breaker import Breaker, Limits, State
from tocsin.errors import DeliveryError, Reason, StoreError
from tocsin.model import DeliveryAction, DeliveryState
from tocsin.seeing import Touch, settle
from tocsin.store.deliveries import Outcome, Retries, claim, count_dead, hasten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.model import Delivery, Receipt
    from tocsin.store import Store

_log = structlog.get_logger("outbox")

_ASIDE = timedelta(hours=1)
"""How long a delivery is set aside that is refused as no other is."""
_COUNT_EVERY = 60.0
"""Seconds after which dead deliveries are counted again in any case: they are pruned in the end."""


class Observer:
    """What the outbox tells of itself; metrics listen here."""

    def delivered(self, backend: str, action: str, outcome: str, seconds: float) -> None:
        """An attempt ended: `sent`, or the reason it did not."""

    def ticketed(self, seconds: float) -> None:
        """A ticket has its number, so long after the incident's first alert."""


class Deliverer(Protocol):
    """A backend, with the rule of the house about doubt in front of it."""

    async def __call__(self, delivery: Delivery) -> Receipt:
        """Hand the delivery over. Raises DeliveryError."""


class Route(Struct, kw_only=True):
    """How one backend is told: by whom, how many at once, how many a second."""

    deliver: Deliverer
    concurrency: int = 4
    limiter: AsyncLimiter | None = None
    touch: frozenset[Touch] = frozenset(Touch)
    """What counts as a person's hand on a ticket, should one be met."""


class Standing(Struct, frozen=True, kw_only=True):
    """How one backend fares."""

    backend: str
    state: State
    until: datetime | None
    """Open or stopped: nothing is sent before; then one delivery finds out."""
    since: datetime | None
    reason: str
    under_way: int
    at_once: int
    """How many may be under way now."""
    unsent: int
    """How many are still to be sent."""
    dead: int
    """How many were given up and wait for a person."""
    oldest_at: datetime | None
    """When the oldest of those still to be sent was made."""


class _Lane(Struct, kw_only=True, eq=False):
    """A backend as its loop knows it.

    The breaker is in memory only. A restart tells everything anew: whoever restarts has mostly corrected something, and
    if not, a few failures find out as fast. What must not be forgotten, the waits of the deliveries, is in the store.
    """

    backend: str
    route: Route
    breaker: Breaker = Breaker()
    under_way: set[asyncio.Task[Outcome]] = set()
    sent: int = 0
    """How many went through."""
    refused: dict[int, int] = {}
    """Delivery that stopped the backend → how many had gone through by then."""
    probed: dict[int, None] = {}
    """Deliveries that were tried in vain when it stopped and since, in the order of their last attempt."""


class Outbox:
    """The delivery loops, one for each backend."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        store: Store,
        routes: Mapping[str, Route],
        retries: Retries,
        clock: Callable[[], datetime],
        observer: Observer | None = None,
        *,
        every: float = 0.2,
        limits: Limits | None = None,
    ) -> None:
        """Take where deliveries are, who carries them, and how long to wait; `every` so many seconds it looks for more."""
        self._store = store
        self._lanes = {name: _Lane(backend=name, route=route) for name, route in routes.items()}
        self._retries = retries
        self._limits = limits or Limits(first=retries.first, longest=retries.longest)
        self._clock = clock
        self._observer = observer or Observer()
        self._every = every
        self._dead: dict[str, int] = {}
        self._recount = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until `stopping`, then let what is under way end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._count(stopping))
            for lane in self._lanes.values():
                group.create_task(self._tell(lane, stopping))

    async def resume(self, backend: str) -> bool:
        """A person says that this backend can be told again: it is tried at once. False when there is none of this name.

        Raises:
            StoreError: It cannot be written down; nothing has changed.
        """
        lane, now = self._lanes.get(backend), self._clock()
        if lane is None:
            return False
        await self._store.run(lambda tx: hasten(tx, backend, self._retries, now))
        lane.breaker = circuit.resumed(lane.breaker, now)
        return True

    def revised(self) -> None:
        """A person has sent again, dropped or edited dead deliveries: they are counted again."""
        self._recount.set()

    def standings(self) -> list[Standing]:
        """How each backend fares, in the order of the settings."""
        now = self._clock()
        unsent: dict[str, list[Delivery]] = {}
        for delivery in self._store.live.unsent.all():
            if delivery.state != DeliveryState.DEAD:
                unsent.setdefault(delivery.backend, []).append(delivery)
        return [self._standing(lane, unsent.get(lane.backend, []), now) for lane in self._lanes.values()]

    def _standing(self, lane: _Lane, unsent: list[Delivery], now: datetime) -> Standing:
        return Standing(
            backend=lane.backend,
            state=circuit.standing(lane.breaker, now),
            until=lane.breaker.until,
            since=lane.breaker.since,
            reason=lane.breaker.reason,
            under_way=len(lane.under_way),
            at_once=circuit.allowance(lane.breaker, lane.route.concurrency, now),
            unsent=len(unsent),
            dead=self._dead.get(lane.backend, 0),
            oldest_at=min((one.made_at for one in unsent if one.made_at), default=None),
        )

    # --- one backend -------------------------------------------------------------------------------------------------

    async def _tell(self, lane: _Lane, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            for delivery in await self._claim(lane):
                lane.under_way.add(asyncio.create_task(self._attempt(lane, delivery)))
            await self._wait(lane, stopping)
        if lane.under_way:
            await self._finish(lane.under_way)

    async def _claim(self, lane: _Lane) -> list[Delivery]:
        now = self._clock()
        due = self._store.live.unsent.next_due(lane.backend)
        free = _room(lane, now)
        if not free or due is None or due > now:
            return []
        probing = tuple(lane.probed) if lane.breaker.state == State.STOPPED else None
        try:
            return await self._store.run(lambda tx: claim(tx, lane.backend, free, self._retries, now, probing=probing))
        except StoreError:
            return []  # the store says so itself; the deliveries are safe in it

    async def _wait(self, lane: _Lane, stopping: asyncio.Event) -> None:
        """Until something under way has ended, or it is time to look again; learn from what has ended."""
        stop = asyncio.ensure_future(stopping.wait())
        done, _ = await asyncio.wait({stop, *lane.under_way}, timeout=self._every, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        # Only here the breaker learns, and only this loop claims: nothing is claimed by what it was a moment ago.
        for task in lane.under_way & done:
            lane.under_way.discard(task)
            if fault := task.exception():
                _log.error("what came of a delivery could not be written down", backend=lane.backend, exc_info=fault)
            else:
                self._learn(lane, task.result())

    def _learn(self, lane: _Lane, outcome: Outcome) -> None:
        if outcome.receipt is None and outcome.error is None:
            return
        before = lane.breaker
        lane.breaker = circuit.after(before, outcome.error, self._limits, self._clock())
        if lane.breaker.state != before.state:
            _tell_of(lane.backend, lane.breaker)

    async def _finish(self, under_way: set[asyncio.Task[Outcome]]) -> None:
        """Give what is under way a few seconds; what does not end is broken off and its lease released."""
        _, late = await asyncio.wait(under_way, timeout=5)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    # --- one delivery ------------------------------------------------------------------------------------------------

    async def _attempt(self, lane: _Lane, delivery: Delivery) -> Outcome:
        start = self._clock()
        outcome = Outcome()
        try:
            outcome = _judged(lane, delivery, await self._call(lane.route, delivery))
        finally:
            settled = await self._settle(lane.route, delivery, outcome, start)
            self._report(settled, outcome, (self._clock() - start).total_seconds())
        return outcome

    async def _call(self, route: Route, delivery: Delivery) -> Outcome:
        try:
            if route.limiter:
                await route.limiter.acquire()
            async with asyncio.timeout(self._retries.lease.total_seconds()):
                return Outcome(receipt=await route.deliver(delivery))
        except DeliveryError as error:
            if error.reason == Reason.BROKEN:
                _log.error("a backend failed in its own code", delivery=delivery.id, exc_info=error.__cause__)
            return Outcome(error=error)
        except TimeoutError:
            return Outcome(error=DeliveryError(Reason.NO_ANSWER, "no answer within the lease", retry=True))

    async def _settle(self, route: Route, delivery: Delivery, outcome: Outcome, asked_at: datetime) -> Delivery:
        """Write it down; while the store cannot, hold on to it: the ticket may exist and only we know."""
        write = partial(settle, delivery=delivery, outcome=outcome, touch=route.touch, asked_at=asked_at)
        while True:
            try:
                return await self._store.run(partial(write, retries=self._retries, now=self._clock()))
            except StoreError:
                await asyncio.sleep(self._every)

    def _report(self, delivery: Delivery, outcome: Outcome, seconds: float) -> None:
        result = "sent" if outcome.receipt else outcome.error.reason if outcome.error else "broken_off"
        self._observer.delivered(delivery.backend, delivery.action, result, seconds)
        if outcome.receipt and delivery.action == DeliveryAction.OPEN:
            self._observer.ticketed((self._clock() - delivery.body.opened_at).total_seconds())
        if delivery.state == DeliveryState.DEAD:
            self._recount.set()
        remark = {"remark": outcome.receipt.remark} if outcome.receipt and outcome.receipt.remark else {}
        # That a backend is stopped is said once, and not with each probe again; a person's change is told as such.
        error = outcome.error
        quiet = error.stops or error.reason == Reason.TOUCHED if error else outcome.receipt and not remark
        log = _log.info if quiet else _log.warning
        log(
            "delivery",
            delivery=delivery.id,
            incident=delivery.incident,
            backend=delivery.backend,
            action=delivery.action,
            state=delivery.state,
            attempts=delivery.attempts,
            ticket=delivery.number,
            reason=delivery.reason,
            **remark,
        )

    async def _count(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._recount.clear()
            with suppress(StoreError):
                self._dead = await self._store.run(count_dead)
            waits = {asyncio.ensure_future(event.wait()) for event in (stopping, self._recount)}
            await asyncio.wait(waits, timeout=_COUNT_EVERY, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()


def _judged(lane: _Lane, delivery: Delivery, outcome: Outcome) -> Outcome:
    """What stops the backend again although others have gone through since is this one's own trouble: it is set aside.

    A system that lets us into all tickets but one would be stopped by that one for ever.
    """
    error = outcome.error
    if error and (error.stops or lane.breaker.state == State.STOPPED):
        lane.probed.pop(delivery.id, None)
        lane.probed[delivery.id] = None
    elif lane.breaker.state != State.STOPPED:
        lane.probed.clear()
    if error is None or not error.stops:
        lane.sent += outcome.receipt is not None
        lane.refused.pop(delivery.id, None)
        return outcome
    if lane.refused.setdefault(delivery.id, lane.sent) == lane.sent:
        return outcome
    why = f"{error.detail} (others go through: only this one is refused)"
    alone = DeliveryError(error.reason, why, retry=True, after=_ASIDE, harmless=error.harmless)
    alone.partly = error.partly
    return Outcome(error=alone)


def _room(lane: _Lane, now: datetime) -> int:
    """How many more may be claimed: as many as the breaker allows, and as the rate allows at once.

    What would only wait for its turn within the rate is not claimed yet: until then something worse may come in.
    """
    free = max(0, circuit.allowance(lane.breaker, lane.route.concurrency, now) - len(lane.under_way))
    limiter = lane.route.limiter
    while limiter and free and not limiter.has_capacity(free):
        free -= 1
    return free


def _tell_of(backend: str, breaker: Breaker) -> None:
    """Say once that a backend is no longer told, or is told again."""
    if breaker.state == State.CLOSED:
        _log.info("a backend answers again", backend=backend)
    elif breaker.state == State.STOPPED:
        _log.warning(
            "a backend is stopped: correct its configuration, then resume it", backend=backend, reason=breaker.reason
        )
    else:
        _log.warning(
            "a backend is left alone for a while",
            backend=backend,
            reason=breaker.reason,
            until=f"{breaker.until:%Y-%m-%dT%H:%M:%SZ}",
        )

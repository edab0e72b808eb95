"""Telling the backends: claim → deliver → settle, with the network call between two transactions.

What is to be told is durable and ordered within its incident; a wait lives in the store as `due_at`, so no restart
forgets it. Backends are handed in; how one is spoken to is their business.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog
from aiolimiter import AsyncLimiter
from msgspec import Struct

from tocsin.errors import DeliveryError, Reason, StoreError
from tocsin.model import DeliveryAction
from tocsin.store.deliveries import Outcome, Retries, claim, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tocsin.model import Delivery, Receipt
    from tocsin.store import Store

_log = structlog.get_logger("outbox")


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


class Outbox:
    """The delivery loops, one for each backend."""

    def __init__(
        self,
        store: Store,
        routes: Mapping[str, Route],
        retries: Retries,
        clock: Callable[[], datetime],
        observer: Observer | None = None,
        every: float = 0.2,
    ) -> None:
        self._store = store
        self._routes = dict(routes)
        self._retries = retries
        self._clock = clock
        self._observer = observer or Observer()
        self._every = every

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until `stopping`, then let what is under way end."""
        async with asyncio.TaskGroup() as group:
            for backend, route in self._routes.items():
                group.create_task(self._tell(backend, route, stopping))

    async def _tell(self, backend: str, route: Route, stopping: asyncio.Event) -> None:
        under_way: set[asyncio.Task[None]] = set()
        while not stopping.is_set():
            for delivery in await self._claim(backend, route.concurrency - len(under_way)):
                under_way.add(asyncio.create_task(self._attempt(backend, route, delivery)))
            under_way = await self._settle_some(under_way, stopping)
        if under_way:
            await self._finish(under_way)

    async def _claim(self, backend: str, free: int) -> list[Delivery]:
        now = self._clock()
        due = self._store.live.unsent.next_due(backend)
        if not free or due is None or due > now:
            return []
        try:
            return await self._store.run(lambda tx: claim(tx, backend, free, self._retries, now))
        except StoreError:
            return []  # the store says so itself; the deliveries are safe in it

    async def _settle_some(
        self, under_way: set[asyncio.Task[None]], stopping: asyncio.Event
    ) -> set[asyncio.Task[None]]:
        stop = asyncio.ensure_future(stopping.wait())
        done, _ = await asyncio.wait({stop, *under_way}, timeout=self._every, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        return under_way - done

    async def _finish(self, under_way: set[asyncio.Task[None]]) -> None:
        """Give what is under way a few seconds; what does not end is broken off and its lease released."""
        _, late = await asyncio.wait(under_way, timeout=5)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _attempt(self, backend: str, route: Route, delivery: Delivery) -> None:
        start = self._clock()
        outcome = Outcome()
        try:
            outcome = await self._call(route, delivery)
        finally:
            settled = await self._settle(delivery, outcome)
            self._report(backend, settled, outcome, (self._clock() - start).total_seconds())

    async def _call(self, route: Route, delivery: Delivery) -> Outcome:
        try:
            if route.limiter:
                await route.limiter.acquire()
            async with asyncio.timeout(self._retries.lease.total_seconds()):
                return Outcome(receipt=await route.deliver(delivery))
        except DeliveryError as error:
            return Outcome(error=error)
        except TimeoutError:
            return Outcome(error=DeliveryError(Reason.NO_ANSWER, "no answer within the lease", retry=True))
        except Exception as error:  # noqa: BLE001 - broad: one backend's fault must not stop the others' deliveries
            _log.exception("a backend failed in its own code", delivery=delivery.id)
            return Outcome(error=DeliveryError(Reason.BROKEN, f"{type(error).__name__}: {error}", retry=True))

    async def _settle(self, delivery: Delivery, outcome: Outcome) -> Delivery:
        """Write it down; while the store cannot, hold on to it: the ticket may exist and only we know."""
        while True:
            now = self._clock()
            try:
                return await self._store.run(
                    partial(settle, delivery=delivery, outcome=outcome, retries=self._retries, now=now)
                )
            except StoreError:
                await asyncio.sleep(self._every)

    def _report(self, backend: str, delivery: Delivery, outcome: Outcome, seconds: float) -> None:
        result = "sent" if outcome.receipt else outcome.error.reason if outcome.error else "broken_off"
        self._observer.delivered(backend, delivery.action, result, seconds)
        if outcome.receipt and delivery.action == DeliveryAction.OPEN:
            self._observer.ticketed((self._clock() - delivery.body.opened_at).total_seconds())
        log = _log.info if outcome.receipt else _log.warning
        log(
            "delivery",
            delivery=delivery.id,
            incident=delivery.incident,
            backend=backend,
            action=delivery.action,
            state=delivery.state,
            attempts=delivery.attempts,
            ticket=outcome.receipt.number if outcome.receipt else delivery.number,
            reason=delivery.reason,
        )

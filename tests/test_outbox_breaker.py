"""The outbox while ticket systems fail: left alone, found again, never stormed, and never a burden to the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from aiolimiter import AsyncLimiter

from house import Road, Running, alert, opened, rows
from service import until
from tocsin import outbox
from tocsin.breaker import Limits, State
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Receipt, Severity
from tocsin.store.deliveries import Retries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tocsin.model import Delivery
    from tocsin.store import Store

SOON = Retries(first=timedelta(milliseconds=10), longest=timedelta(milliseconds=20), doubt=timedelta(0))
HOUR = timedelta(hours=1)
LONG = Limits(first=HOUR, longest=HOUR)
"""Open for longer than any test lasts, unless the clock is set forward."""
DOWN = DeliveryError(Reason.UNREACHABLE, "nobody listens", retry=True)
LOCKED = DeliveryError(Reason.UNAUTHORIZED, "wrong password", retry=False, stops=True)


class System:
    """A ticket system of the test's own: it answers as `answer` says, and sees how many ask at once."""

    def __init__(self) -> None:
        self.answer: DeliveryError | None = None
        self.refuses: dict[int, DeliveryError] = {}
        self.asked: list[Delivery] = []
        self.at_once = 0
        self._held: list[asyncio.Future[None]] | None = None

    def hold(self) -> None:
        """Answer nobody from now on."""
        self._held = []

    def let_one_go(self) -> None:
        assert self._held
        self._held.pop(0).set_result(None)

    def let_all_go(self) -> None:
        held, self._held = self._held or [], None
        for one in held:
            one.set_result(None)

    async def __call__(self, delivery: Delivery) -> Receipt:
        self.asked.append(delivery)
        self.at_once += 1
        try:
            if self._held is not None:
                self._held.append(asyncio.get_running_loop().create_future())
                await self._held[-1]
            error = self.refuses.get(delivery.id, self.answer)
            if error:
                raise error
            return Receipt(number=f"T{delivery.id}")
        finally:
            self.at_once -= 1


class Telling:
    """An outbox that runs, and what it is made of."""

    def __init__(self, store: Store, clock: Running, routes: dict[str, outbox.Route], limits: Limits) -> None:
        self.store = store
        self.clock = clock
        self.box = outbox.Outbox(store, routes, SOON, clock, every=0.005, limits=limits)

    def standing(self, backend: str = "remote") -> outbox.Standing:
        return next(one for one in self.box.standings() if one.backend == backend)

    async def becomes(self, state: State, backend: str = "remote") -> outbox.Standing:
        await self.until(lambda: self.standing(backend).state == state, f"{backend} to be {state}")
        return self.standing(backend)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        async def holds() -> bool:
            return condition()

        await until(holds, 10, what)

    async def rounds(self) -> None:
        """Time enough for the loops to look for more to do, many times."""
        for _ in range(30):
            await self.store.run(lambda _tx: None)
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def telling(store: Store, clock: Running, limits: Limits, **routes: outbox.Route) -> AsyncIterator[Telling]:
    told = Telling(store, clock, routes, limits)
    stopping = asyncio.Event()
    running = asyncio.create_task(told.box.run(stopping))
    try:
        yield told
    finally:
        stopping.set()
        await running


async def problems(store: Store, clock: Running, count: int, **facts: Any) -> None:
    road = Road(store, clock)
    for number in range(1, count + 1):
        await road.take(alert(fingerprint=f"f{number}", resource=f"web{number}", **facts))


async def sent(store: Store) -> int:
    return (await rows(store, "select count(*) from deliveries where state = 'sent'"))[0][0]


async def all_sent(told: Telling) -> None:
    await told.until(lambda: not told.store.live.unsent.all(), "everything to be sent")


async def test_a_system_that_is_down_is_left_alone_and_what_waits_burns_no_attempts(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = DOWN
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 9)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system, concurrency=3)) as told:
            standing = await told.becomes(State.OPEN)
            assert "nobody listens" in standing.reason
            await told.rounds()
            assert len(system.asked) == 3
            assert Counter(await rows(store, "select attempts from deliveries")) == {(1,): 3, (0,): 6}
            assert (told.standing().unsent, told.standing().at_once) == (9, 0)


async def test_one_at_a_time_finds_out_whether_it_is_back_and_then_all_is_told(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = DOWN
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 9)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system, concurrency=4)) as told:
            await told.becomes(State.OPEN)
            await told.until(lambda: told.standing().under_way == 0, "what was under way to end")
            asked = len(system.asked)
            system.hold()
            clock.passes(hours=1)
            await told.until(lambda: len(system.asked) == asked + 1, "the first to be tried")
            await told.rounds()
            assert (told.standing().state, told.standing().under_way, system.at_once) == (State.HALF_OPEN, 1, 1)
            system.answer = None
            system.let_all_go()
            await all_sent(told)
            assert await sent(store) == 9
            assert told.standing().state == State.CLOSED


async def test_a_returning_system_is_not_stormed(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = DeliveryError(Reason.UNAVAILABLE, "busy", retry=True, after=HOUR)
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 1)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system, concurrency=100)) as told:
            await told.becomes(State.OPEN)  # at once: it asked for time
            assert len(system.asked) == 1
            await problems(store, clock, 9)
            system.answer = None
            system.hold()
            clock.passes(hours=1)
            for at_once in (1, 2, 4, 6):  # the last: all that is left
                await told.until(lambda least=at_once: system.at_once >= least, f"{at_once} at once")  # type: ignore[misc]
                await told.rounds()
                assert system.at_once == at_once
                system.let_one_go()
            system.let_all_go()
            await all_sent(told)


async def test_half_open_goes_back_to_open_for_longer(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = DOWN
    limits = Limits(first=timedelta(minutes=1), longest=HOUR)
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 4)
        async with telling(store, clock, limits, remote=outbox.Route(deliver=system, concurrency=1)) as told:
            first = await told.becomes(State.OPEN)
            clock.passes(minutes=1)
            await told.until(lambda: len(system.asked) == 4, "the fourth attempt")
            again = await told.becomes(State.OPEN)
            assert first.until
            assert again.until
            assert again.until - clock.now > timedelta(seconds=59)
            assert again.since == first.since


async def test_the_failure_of_one_backend_never_slows_another(tmp_path: Path) -> None:
    clock, broken, well = Running(), System(), System()
    broken.answer = DOWN
    rules = """
rules:
  - id: itsm
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: severe
    backend: remote
  - id: other
    match: {check: ping}
    element: {lookup: '{{ resource }}'}
    impact: severe
    backend: other
fallback: {action: record}
"""
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, clock, rules)
        for number in range(1, 10):
            for check in ("disk", "ping"):
                await road.take(alert(fingerprint=f"{check}{number}", resource=f"web{number}", check=check))
        routes = {"remote": outbox.Route(deliver=broken), "other": outbox.Route(deliver=well)}
        async with telling(store, clock, LONG, **routes) as told:
            await told.becomes(State.OPEN)
            await told.until(lambda: len(well.asked) == 9, "the other backend to be told")
            await told.until(lambda: told.standing("other").unsent == 0, "the other backend to be done")
            assert told.standing("other").state == State.CLOSED
            assert told.standing().unsent == 9


async def test_wrong_credentials_stop_the_backend_and_a_person_resumes_it(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = LOCKED
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 9)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system, concurrency=1)) as told:
            standing = await told.becomes(State.STOPPED)
            assert "wrong password" in standing.reason
            await told.rounds()
            assert len(system.asked) == 1  # more would lock the account
            assert await rows(store, "select distinct state, attempts from deliveries") == [("pending", 0)]
            system.answer = None
            assert await told.box.resume("remote")
            await all_sent(told)
            assert await sent(store) == 9
        assert not await told.box.resume("none")


async def test_what_waits_for_a_backend_that_a_person_resumes_is_tried_at_once(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = DeliveryError(Reason.UNAVAILABLE, "busy", retry=True, after=HOUR, harmless=True)
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 1)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system)) as told:
            await told.becomes(State.OPEN)
            system.answer = None
            await told.box.resume("remote")
            await all_sent(told)


async def test_a_stopped_backend_is_probed_with_the_oldest_delivery_not_tried_yet(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = LOCKED
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 1, severity=Severity.MINOR)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system, concurrency=4)) as told:
            await told.becomes(State.STOPPED)
            road = Road(store, clock)
            await road.take(alert(fingerprint="f2", resource="web2", severity=Severity.CRITICAL))
            await told.rounds()
            assert len(system.asked) == 1
            clock.passes(minutes=5)
            await told.until(lambda: len(system.asked) == 2, "the probe")
            await told.rounds()
            assert [one.id for one in system.asked] == [1, 2]
            clock.passes(minutes=6)  # the next one comes after ten
            await told.rounds()
            assert len(system.asked) == 2


async def test_a_delivery_with_a_trouble_of_its_own_keeps_no_stopped_backend_stopped(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.refuses = {1: DeliveryError(Reason.UNAVAILABLE, "500 for this record", retry=True)}
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 1)
        limits = Limits(failures=99, first=timedelta(seconds=1), longest=timedelta(seconds=1))
        async with telling(store, clock, limits, remote=outbox.Route(deliver=system)) as told:
            await told.until(lambda: len(system.asked) > 0, "the first attempt")
            system.answer = LOCKED
            await Road(store, clock).take(alert(fingerprint="f2", resource="web2"))
            await told.becomes(State.STOPPED)
            system.answer = None
            for _ in range(2):  # the oldest is tried first, and then another
                clock.passes(hours=1, minutes=1)
                await told.rounds()
            assert told.standing().state == State.CLOSED


async def test_one_ticket_that_we_may_not_touch_stops_the_others_only_until_that_shows(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.refuses = {1: LOCKED}
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 9)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system, concurrency=1)) as told:
            await told.becomes(State.STOPPED)
            clock.passes(minutes=5)
            await told.until(lambda: told.standing().unsent == 1, "all the others to be told")
            await told.until(lambda: [one.id for one in system.asked].count(1) == 2, "it to be tried once more")
            await told.rounds()
            assert told.standing().state == State.CLOSED
            assert "only this one is refused" in (await rows(store, "select reason from deliveries where id = 1"))[0][0]
            system.refuses.clear()
            clock.passes(hours=1)
            await all_sent(told)


async def test_a_backend_that_stops_is_said_once(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = LOCKED
    with structlog.testing.capture_logs() as lines:
        async with opened(tmp_path, backend="remote") as store:
            await problems(store, clock, 3)
            async with telling(store, clock, LONG, remote=outbox.Route(deliver=system)) as told:
                await told.becomes(State.STOPPED)
                for minutes in (5, 10):
                    asked = len(system.asked)
                    clock.passes(minutes=minutes)
                    await told.until(lambda asked=asked: len(system.asked) > asked, "a probe")  # type: ignore[misc]
                    await told.rounds()
                system.answer = None
                await told.box.resume("remote")
                await all_sent(told)
                await told.becomes(State.CLOSED)
    said = [(line["log_level"], line["event"].partition(":")[0]) for line in lines if line["event"] != "delivery"]
    assert said == [
        ("warning", "a backend is stopped"),
        ("info", "a backend answers again"),
    ]
    assert {line["log_level"] for line in lines if line["event"] == "delivery"} == {"info"}


async def test_a_restart_tries_at_once(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = LOCKED
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 2)
        route = outbox.Route(deliver=system)
        async with telling(store, clock, LONG, remote=route) as told:
            await told.becomes(State.STOPPED)
        system.answer = None
        async with telling(store, clock, LONG, remote=route) as told:
            await all_sent(told)


async def test_what_the_rate_does_not_allow_yet_is_not_claimed(tmp_path: Path) -> None:
    """It would wait under a lease, and something worse could not overtake it."""
    clock, system = Running(), System()
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 9, severity=Severity.MINOR)
        route = outbox.Route(deliver=system, concurrency=8, limiter=AsyncLimiter(2, 3600))
        async with telling(store, clock, LONG, remote=route) as told:
            await told.until(lambda: len(system.asked) == 2, "as many as the rate allows")
            await told.rounds()
            assert Counter(await rows(store, "select state from deliveries")) == {("sent",): 2, ("pending",): 7}


async def test_dead_deliveries_are_counted(tmp_path: Path) -> None:
    clock, system = Running(), System()
    system.answer = DeliveryError(Reason.REFUSED, "no such queue", retry=False)
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 5)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system)) as told:
            await told.until(lambda: told.standing().dead == 5, "the dead to be counted")
            assert (told.standing().unsent, told.standing().state) == (0, State.CLOSED)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system)) as told:
            await told.until(lambda: told.standing().dead == 5, "the dead to be counted at a start")


async def test_the_age_of_what_waits_is_that_of_the_delivery_not_of_its_incident(tmp_path: Path) -> None:
    clock, system = Running(), System()
    async with opened(tmp_path, backend="remote") as store:
        await problems(store, clock, 1, severity=Severity.MINOR)
        async with telling(store, clock, LONG, remote=outbox.Route(deliver=system)) as told:
            await all_sent(told)
            clock.passes(days=30)
            system.hold()
            await problems(store, clock, 1, severity=Severity.CRITICAL)
            oldest = told.standing().oldest_at
            assert oldest
            assert clock.now - oldest < HOUR
            system.let_all_go()
            await all_sent(told)
            assert told.standing().oldest_at is None

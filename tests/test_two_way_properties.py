"""Two-way through any weather: failures, crashes, restarts, late answers and people, in any order; both sides agree in the end."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes.core import Does
from following import both
from house import T0, Road, alert, opened, rows
from kit import REMOTE, face, world
from tocsin import backends, following, seeing, timers
from tocsin.agreement import POLICIES
from tocsin.backends._can import Can
from tocsin.errors import DeliveryError
from tocsin.model import Delivery, Record, Severity, Status
from tocsin.reconciling import Reconciler, Report
from tocsin.seeing import Touch
from tocsin.store import deliveries
from tocsin.store.dead import By, NotPossibleError, drop, resend
from tocsin.store.deliveries import Outcome, Retries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from following import Both
    from tocsin.backends import Kind
    from tocsin.store import Store

RULES = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    close: {after: 2m}
    reopen: 30m
fallback: {action: record}
"""
RETRIES = Retries(
    first=timedelta(seconds=1), longest=timedelta(seconds=30), doubt=timedelta(seconds=20), lease=timedelta(seconds=60)
)
LAG = timedelta(seconds=25)
TABLES = ("incidents", "tickets", "deliveries", "notes", "sightings", "read_notes")
PROBLEMS = st.sampled_from(["f1", "f2", "f2b"])
"""The last two are of one incident."""
WEATHER = st.sampled_from(["ok"] * 5 + ["lost", "failed", "half", "dropped", "down", "limited", "refused"])
PERSON = st.sampled_from(["take", "close", "note", "assign", "priority", "quote"])


class TwoWay(RuleBasedStateMachine):
    """tocsin, a Redmine, and people who work in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.wrote: dict[str, list[str]] = {}
        """Ticket → what people wrote into it."""
        self.hands: set[str] = set()
        """Tickets that people touched in any way."""
        self.held: list[Callable[..., Any]] = []
        """Attempts that have ended there, and not here yet."""
        self.answers: list[tuple[Record, Any]] = []
        """Answers that are on their way, and when they were asked for."""
        self.wait(self._begin())

    def wait(self, what: Awaitable[Any]) -> Any:
        async def waiting() -> Any:
            return await what

        return self.loop.run(waiting())

    async def _begin(self) -> None:
        self.there = await self.stack.enter_async_context(world(backends.kinds()["redmine"]))
        self.there.backend.settle = self.there.server.lag = LAG  # its search lags behind
        self.clock = self.there.server.clock
        self.clock.now = T0
        await self._start()

    async def _start(self) -> None:
        self.life = AsyncExitStack()
        self.store: Store = await self.life.enter_async_context(opened(Path(self.folder.name), backend="remote"))
        self.road = Road(self.store, self.clock, RULES)
        followed = following.Followed(
            name="remote", backend=self.there.backend, every=timedelta(seconds=30), reads=True
        )
        self.follower = following.Follower(followed, self.store, self.clock)

    def weather(self, **does: str) -> None:
        self.there.server.plan.scripts.clear()
        for purpose, behaviour in does.items():
            self.there.server.script(Does(purpose), behaviour)

    @initialize()
    def two_tickets_are_seen(self) -> None:
        for problem in ("f1", "f2"):
            self.fires(problem, Severity.MINOR)
        self.wait(self._tell())
        self.polls("ok", "ok")

    # --- what happens ------------------------------------------------------------------------------------------------

    @rule(problem=PROBLEMS, severity=st.sampled_from([Severity.CRITICAL, Severity.MINOR]))
    def fires(self, problem: str, severity: Severity) -> None:
        self.wait(self.road.take(alert(fingerprint=problem, resource=f"web{problem[1]}", severity=severity)))

    @rule(problem=PROBLEMS)
    def is_over(self, problem: str) -> None:
        self.wait(self.road.take(alert(fingerprint=problem, resource=f"web{problem[1]}", status=Status.RESOLVED)))

    @rule(seconds=st.sampled_from([0.2, 1, 6, 61, 300]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.wait(self._tick())

    async def _tick(self) -> None:
        await self.store.run(lambda tx: timers.tick(tx, self.clock()))

    @rule(
        create=WEATHER, change=WEATHER, read=WEATHER, search=WEATHER, end=st.sampled_from(["", "", "", "hold", "stop"])
    )
    def tells(self, create: str, change: str, read: str, search: str, end: str) -> None:
        self.weather(create=create, change=change, read=read, search=search)
        self.wait(self._tell(end))
        self.weather()

    async def _tell(self, end: str = "") -> None:
        for one in await self.store.run(lambda tx: deliveries.claim(tx, "remote", 9, RETRIES, self.clock())):
            asked_at, stood = self.clock(), self._stands(one)
            outcome = await self._attempt(one)
            await self._require_left_alone(one, stood)
            self.clock.advance(seconds=0.05)
            ended = Outcome() if end == "stop" else outcome
            write = partial(
                seeing.settle, delivery=one, outcome=ended, touch=frozenset(Touch), retries=RETRIES, asked_at=asked_at
            )
            if end == "hold":
                self.held.append(write)
            else:
                await self.store.run(partial(write, now=self.clock()))

    async def _attempt(self, one: Delivery) -> Outcome:
        try:
            return Outcome(receipt=await backends.hand_over(self.there.backend, one, self.clock()))
        except DeliveryError as error:
            return Outcome(error=error)

    async def _require_left_alone(self, one: Delivery, stood: tuple[str, str] | None) -> None:
        """A ticket that a person is known to work on gets notes only."""
        ((touched,),) = await rows(self.store, f"select touched from incidents where id = '{one.incident}'")  # noqa: S608
        if touched and stood and stood[0] not in ("closed", "cancelled") and one.action != "reopen":
            assert self._stands(one) == stood, f"{one.action} was told over a person's head"

    def _stands(self, one: Delivery) -> tuple[str, str] | None:
        tickets = self.there.server.face.tickets()
        return next(((ticket.status, ticket.impact) for ticket in tickets if ticket.reference == one.incident), None)

    @rule()
    def what_was_told_is_written_down(self) -> None:
        held, self.held = self.held, []
        for write in held:
            self.wait(self._write_down(write))

    async def _write_down(self, write: Callable[..., Any]) -> None:
        await self.store.run(partial(write, now=self.clock()))

    @rule()
    def crashes(self) -> None:
        self.held.clear()
        self.wait(self.life.aclose())
        self.wait(self._start())

    # --- people --------------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 2), what=PERSON)
    def a_person_works(self, which: int, what: str) -> None:
        server, step = self.there.server.face, len(self.there.server.seen)
        tickets = server.tickets()
        ticket = tickets[which % len(tickets)]
        self.hands.add(ticket.number)
        match what:
            case "take" | "close":
                server.person(ticket.number, status="in_progress" if what == "take" else "closed")
            case "assign":
                server.person(ticket.number, assignee=f"Person {step}")
            case "priority":
                server.person(ticket.number, priority="Low" if step % 2 else "Immediate")
            case _:
                quoted = ticket.notes[-1].replace("\n", "\n> ") if what == "quote" and ticket.notes else ""
                text = f"note {step} {len(ticket.notes)}\n> {quoted}".strip("\n> ")
                server.person(ticket.number, note=text)
                self.wrote.setdefault(ticket.number, []).append(text)

    @rule(how=st.sampled_from(["resend", "drop"]))
    def a_person_looks_at_what_is_dead(self, how: str) -> None:
        self.wait(self._look_at_dead(how))

    async def _look_at_dead(self, how: str) -> None:
        by, now = By("night shift", "enough"), self.clock()
        for (number,) in await rows(self.store, "select id from deliveries where state = 'dead' limit 1"):
            with contextlib.suppress(NotPossibleError):
                if how == "drop":
                    await self.store.run(lambda tx: drop(tx, number, by, now))  # noqa: B023 - run at once
                else:
                    await self.store.run(lambda tx: resend(tx, number, by, ("remote",), now))  # noqa: B023

    # --- what comes back -----------------------------------------------------------------------------------------------

    @rule(listed=WEATHER, read=WEATHER)
    def polls(self, listed: str, read: str) -> None:
        self.clock.advance(seconds=31)
        self.weather(list=listed, read=read)
        self.wait(self.follower.tried())
        self.weather()

    @rule(words=st.lists(st.sampled_from(["1", "2", "3", "no ticket"]), max_size=2))
    def a_webhook_names(self, words: list[str]) -> None:
        self.wait(self.follower.hear(words))

    @rule(number=st.sampled_from(["1", "2"]))
    def an_answer_leaves(self, number: str) -> None:
        record = self.wait(self.there.backend.read(number))
        if record:
            self.answers.append((record, self.clock()))

    @rule()
    def an_answer_arrives(self) -> None:
        if self.answers:
            self.wait(self.follower._see(*self.answers.pop()))

    @rule(fix=st.booleans(), search=WEATHER, read=WEATHER)
    def is_compared(self, search: str, read: str, *, fix: bool) -> None:
        self.weather(search=search, read=read)
        before = self.wait(self._all())
        self.wait(self._report(fix=fix))
        assert fix or self.wait(self._all()) == before, "a look changed something"
        self.weather()

    async def _report(self, *, fix: bool = False) -> Report:
        reconciler = Reconciler(
            "remote", self.there.backend, self.store, POLICIES, timedelta(days=7), self.there.server.clock
        )
        last = [one async for one in reconciler.run(fix=fix)][-1]
        assert isinstance(last, Report)
        return last

    async def _all(self) -> list[Any]:
        return [await rows(self.store, f"select * from {table} order by 1, 2") for table in TABLES]  # noqa: S608 - of the tuple above

    # --- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def an_incident_has_one_ticket(self) -> None:
        references = [ticket.reference for ticket in self.there.server.face.tickets()]
        assert len(references) == len(set(references))

    @invariant()
    def nobody_is_taken_for_a_person(self) -> None:
        found = self.wait(
            rows(self.store, "select number from tickets join incidents on n = incident where touched > 0")
        )
        assert {number for (number,) in found} <= self.hands

    # --- what holds in the end -----------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.wait(self._ends())
        finally:
            self.wait(self.life.aclose())
            self.wait(self.stack.aclose())
            self.loop.close()
            self.folder.cleanup()

    async def _ends(self) -> None:
        self.weather()
        for write in self.held:
            await self._write_down(write)
        for _ in range(10):
            self.clock.advance(seconds=65)
            await self._tick()
            for _ in range(3):
                await self._tell()
                self.clock.advance(seconds=6)
            await self.follower.come_round()
        self.clock.advance(seconds=65)
        assert await rows(self.store, "select id from deliveries where state in ('pending', 'leased')") == []
        await self._require_heard()
        before = await self._all()
        await self._require_agreed(await self._report())
        await self.follower.come_round()
        assert await self._all() == before, "one more poll, or a look, changed something"

    async def _require_heard(self) -> None:
        for number, texts in self.wrote.items():
            texts_and_touched = "select json_extract(text, '$.en'), touched from notes join tickets using (incident)"
            found = await rows(
                self.store,
                f"{texts_and_touched} join incidents on n = incident where kind = 'wrote' and number = '{number}'",
            )
            known = await rows(self.store, f"select 1 from tickets where number = '{number}'")  # noqa: S608
            if known:
                assert sorted(text for text, _ in found) == sorted(texts), "what people wrote comes back, once"
                assert all(touched for _, touched in found)

    async def _require_agreed(self, report: Report) -> None:
        """Both sides agree, but for what waits for a person, or was left to one."""
        assert not report.problem
        people = await rows(
            self.store,
            "select distinct incidents.id from incidents left join deliveries on incident = n"
            " where touched > 0 or deliveries.state = 'dead' or deliveries.reason like 'dropped%'",
        )
        left = {one for (one,) in people}
        assert [one for one in report.differences if one.incident not in left] == []
        closed = {ticket.reference: ticket.status == "closed" for ticket in self.there.server.face.tickets()}
        ours = await rows(self.store, "select id, state from incidents join tickets on n = incident")
        assert {one: closed[one] == (state == "closed") for one, state in ours if one not in left} == {
            one: True for one, _ in ours if one not in left
        }


TwoWay.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestTwoWay = TwoWay.TestCase


# --- every kind ------------------------------------------------------------------------------------------------------------

READ = pytest.mark.parametrize(
    "kind", [kind for kind in REMOTE if Can.READ not in kind.lacks], ids=lambda kind: kind.name
)


async def life(side: Both, behaviours: list[str]) -> None:
    """A problem that gets worse, is over, comes back, is closed and is opened again; each time what is told goes wrong so."""

    async def then(what: Awaitable[Any]) -> None:
        await what
        side.there.server.script(Does.CHANGE, *behaviours)
        for _ in range(6):
            await side.tell()
            side.passes(seconds=40)
            if "limited" in behaviours:
                await (
                    side.follower.come_round()
                )  # half of what is to be done is done, and only we know whose doing it is
        side.there.server.plan.scripts.clear()
        for _ in range(2):
            await side.follow()
        assert (await side.incident())[1] == 0
        assert {actor for actor, _, _ in await side.notes()} == {"tocsin"}

    await side.road.take(alert(severity=Severity.MINOR))
    await side.tell()
    for step in (alert(), alert(fingerprint="f2"), alert(status=Status.RESOLVED)):
        await then(side.road.take(step))
    await then(side.road.take(alert(fingerprint="f2", status=Status.RESOLVED)))
    await then(side.road.take(alert(severity=Severity.MINOR)))
    await then(side.road.take(alert(status=Status.RESOLVED)))
    side.passes(minutes=30)
    await then(side.store.run(lambda tx: timers.tick(tx, side.there.server.clock())))
    await then(side.road.take(alert()))
    assert len(side.face.tickets()) == 1


@READ
@pytest.mark.parametrize("behaviours", [[], ["lost"], ["ok", "lost"], ["ok", "limited"]], ids=" ".join)
async def test_what_we_tell_is_no_persons_doing_to_any_kind(tmp_path: Path, kind: Kind, behaviours: list[str]) -> None:
    if any(one in face(kind).CANNOT for one in behaviours):
        pytest.skip(f"{kind.name}: cannot happen")
    async with both(tmp_path, kind.name) as side:
        await life(side, behaviours)


@READ
async def test_who_takes_a_ticket_is_seen_before_anything_is_told_over_it_by_any_kind(
    tmp_path: Path, kind: Kind
) -> None:
    async with both(tmp_path, kind.name) as side:
        await side.road.take(alert())
        await side.tell()
        side.passes(minutes=10)
        ((number, stands),) = await rows(side.store, "select number, status from tickets")
        side.face.person(number, status="in_progress")
        taken = side.face.tickets()[0].status
        if taken == stands:
            pytest.skip(f"{kind.name} has one word for new and for taken")
        side.passes(seconds=10)
        await side.road.take(alert(status=Status.RESOLVED))
        await side.tell()
        assert (await side.incident())[1] == 1
        assert side.face.tickets()[0].status == taken

"""One ticket, told to several: who declares, who is informed, and that each hears everything in its own order."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commands import printed, tocsin
from house import Clock, Road, alert, opened, rows
from interface import ALERTS as SERVED
from interface import interface
from service import until
from ticketserver import Plan, TicketServer
from tocsin import intake, timers
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Change, DeliveryAction, Receipt, Severity, Status, TicketStatus
from tocsin.store import apply, pruning
from tocsin.store.deliveries import Outcome, Retries, claim, settle
from tocsin.store.listing import listing
from tocsin.store.telling import telling
from tocsin.workbench.explaining import RuleSets, explain

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.model import Delivery, Impact
    from tocsin.store import Store, Transaction

RULES = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, major: severe, else: degraded}
    close: {after: 15m}
    reopen: 1h
    backend: itsm
    inform: [noc, partner]
fallback: {action: record}
"""
ALL = ("itsm", "noc", "partner")
OVER = alert(status=Status.RESOLVED)
RETRIES = Retries(first=timedelta(seconds=1), longest=timedelta(seconds=1), doubt=timedelta(0))


def rules(**said: str) -> str:
    """The rules, with other backends."""
    text = RULES
    for name, value in said.items():
        text = text.replace(f"{name}: {'itsm' if name == 'backend' else '[noc, partner]'}", f"{name}: {value}")
    return text


async def leased(road: Road, backend: str, limit: int = 1) -> list[Delivery]:
    return await road.store.run(lambda tx: claim(tx, backend, limit, RETRIES, road.clock.now))


async def ends(road: Road, delivery: Delivery, outcome: Outcome) -> None:
    await road.store.run(lambda tx: settle(tx, delivery, outcome, RETRIES, road.clock.now))


async def told(road: Road, *backends: str) -> list[str]:
    """Everything that these backends are told now, each taking it: `itsm open`."""
    heard = []
    for backend in backends or ALL:
        while found := await leased(road, backend):
            number = found[0].number or f"{backend.upper()}-{found[0].incident}"
            await ends(road, found[0], Outcome(receipt=Receipt(number=number, status=found[0].body.status)))
            heard.append(f"{backend} {found[0].action}")
    return heard


async def ticks(road: Road, **span: float) -> None:
    road.clock.passes(**span)
    await road.store.run(lambda tx: timers.tick(tx, road.clock.now))


async def informed(store: Store) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in await rows(store, "select backend, number, status from informed")]  # type: ignore[misc]


@pytest.fixture
async def road(tmp_path: Path) -> object:
    async with opened(tmp_path) as store:
        yield Road(store, Clock(), RULES)


async def test_there_is_one_ticket_and_a_record_with_its_own_number_for_each_informed(road: Road) -> None:
    await road.take(alert())
    assert await told(road) == ["itsm open", "noc open", "partner open"]
    (fate,) = await road.take(alert(severity=Severity.MINOR))
    assert fate.ticket == f"ITSM-{fate.incident}"
    assert await rows(road.store, "select backend, number from tickets") == [("itsm", fate.ticket)]
    numbers = [(name, f"{name.upper()}-{fate.incident}", "declared") for name in ("noc", "partner")]
    assert await informed(road.store) == numbers
    again = await leased(road, "noc")
    assert [(one.action, one.number, one.opened) for one in again] == [("update", numbers[0][1], True)]


async def test_one_that_never_answers_holds_nobody_up(road: Road) -> None:
    await road.take(alert())
    (hanging,) = await leased(road, "noc")
    assert await told(road, "itsm", "partner") == ["itsm open", "partner open"]
    await road.take(OVER)
    await ticks(road, minutes=15)
    assert await told(road, "itsm", "partner") == [
        f"{name} {what}" for name in ("itsm", "partner") for what in ("close",)
    ]
    assert await leased(road, "noc") == []
    await ends(road, hanging, Outcome(receipt=Receipt(number="N1")))
    assert await told(road) == ["noc close"]
    assert await informed(road.store) == [
        ("noc", "N1", "closed"),
        ("partner", f"PARTNER-{hanging.incident}", "closed"),
    ]


async def test_what_one_refuses_for_good_is_nobody_elses_business(road: Road) -> None:
    await road.take(alert())
    (first,) = await leased(road, "noc")
    await ends(road, first, Outcome(error=DeliveryError(Reason.REFUSED, "no", retry=False)))
    await road.take(alert(severity=Severity.MINOR))
    assert await told(road) == ["itsm open", "partner open"]
    assert [one.state for one in road.store.live.unsent.of(1, "noc")] == ["dead"]


async def test_a_withdrawn_ticket_is_closed_where_it_was_told_and_taken_back_where_it_was_not(road: Road) -> None:
    await road.take(alert())
    assert await told(road, "noc") == ["noc open"]
    await road.take(OVER)
    assert await rows(road.store, "select state from incidents") == [("closed",)]
    assert await told(road) == ["noc close"]
    found = await rows(road.store, "select backend, action, state from deliveries order by id")
    assert found == [
        ("itsm", "open", "cancelled"),
        ("noc", "open", "sent"),
        ("partner", "open", "cancelled"),
        ("noc", "close", "sent"),
    ]
    assert [row[0] for row in await informed(road.store)] == ["noc"]


async def test_an_informed_one_that_was_told_first_does_not_keep_a_ticket_from_being_withdrawn(road: Road) -> None:
    await road.take(alert())
    await told(road, "noc", "partner")
    assert road.store.live.unsent.withdrawable(1, "itsm")
    await road.take(OVER)
    assert await rows(road.store, "select kind from notes order by id") == [("opened",), ("withdrawn",)]


async def test_one_too_slow_for_the_first_time_hears_of_it_when_it_comes_back(road: Road) -> None:
    """Its `open` was taken back by the end; a reopening of what it never heard of would be nothing to it."""
    await road.take(alert())
    await told(road, "itsm", "partner")
    await road.take(OVER)
    await ticks(road, minutes=15)
    assert await told(road) == ["itsm close", "partner close"]
    await road.take(alert())
    assert await told(road) == ["itsm reopen", "noc open", "partner reopen"]


async def test_who_is_named_later_is_told_at_the_next_change_and_who_is_named_no_more_hears_the_end(
    road: Road,
) -> None:
    await road.take(alert())
    await told(road)
    road.change_rules(rules(inform="[extern]"))
    await road.take(alert())
    assert await told(road, *ALL, "extern") == []
    await road.take(alert(severity=Severity.MINOR))
    assert await told(road, *ALL, "extern") == ["itsm update", "noc update", "partner update", "extern open"]
    await road.take(OVER)
    await ticks(road, minutes=15)
    assert await told(road, *ALL, "extern") == [f"{name} close" for name in (*ALL, "extern")]


async def test_who_is_named_when_all_is_over_is_told_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        road = Road(store, Clock(), rules(backend="desk"))
        await road.take(alert())
        await told(road)
        road.change_rules(rules(backend="desk", inform="[extern]"))
        await road.take(alert())
        assert store.live.by_row[1].incident.policy.inform == ("noc", "partner", "extern")
        assert await seen(road, TicketStatus.CLOSED)
        assert await told(road, *ALL, "extern") == ["noc close", "partner close"]


async def test_a_ticket_stays_where_it_was_declared(road: Road) -> None:
    await road.take(alert())
    await told(road)
    road.change_rules(rules(backend="noc", inform="[itsm, extern]"))
    await road.take(alert(severity=Severity.MINOR))
    await road.take(OVER)
    await ticks(road, minutes=15)
    heard = await told(road, *ALL, "extern")
    assert [one for one in heard if one.startswith("itsm")] == ["itsm close"]  # with all that went before folded in
    assert await rows(road.store, "select backend, status from tickets") == [("itsm", "closed")]
    await road.take(alert())
    assert "itsm reopen" in await told(road, *ALL, "extern")


async def test_while_it_is_held_the_newest_rules_say_where_it_goes(road: Road) -> None:
    held = rules().replace("    backend:", "    hold: 2m\n    backend:")
    road.change_rules(held)
    await road.take(alert())
    road.change_rules(held.replace("backend: itsm", "backend: extern").replace("[noc, partner]", "[]"))
    await road.take(alert())
    await ticks(road, minutes=2)
    assert await told(road, *ALL, "extern") == ["extern open"]


@pytest.mark.parametrize("sent", [True, False], ids=["declared", "still to be sent"])
async def test_another_default_backend_moves_no_ticket(tmp_path: Path, *, sent: bool) -> None:
    clock, text = Clock(), rules().replace("    backend: itsm\n", "")
    async with opened(tmp_path, backend="itsm") as store:
        road = Road(store, clock, text)
        await road.take(alert())
        if sent:
            await told(road)
    async with opened(tmp_path, backend="other") as store:
        road = Road(store, clock, text)
        await road.take(alert(severity=Severity.MINOR))
        assert await told(road, "itsm", "other") == ["itsm update" if sent else "itsm open"]
        await road.take(OVER)
        await ticks(road, minutes=15)
        assert await told(road, "itsm", "other") == ["itsm close"]


async def test_another_default_backend_reopens_where_it_was_closed(tmp_path: Path) -> None:
    clock, text = Clock(), rules().replace("    backend: itsm\n", "")
    async with opened(tmp_path, backend="itsm") as store:
        road = Road(store, clock, text)
        await road.take(alert())
        await told(road)
        await road.take(OVER)
        await ticks(road, minutes=15)
        await told(road)
    async with opened(tmp_path, backend="other") as store:
        road = Road(store, clock, text)
        await road.take(alert())
        assert await told(road, "itsm", "other") == ["itsm reopen"]


async def test_a_crash_leaves_in_doubt_what_was_under_way_and_nothing_else(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Road(store, clock, RULES)
        await road.take(alert())
        await told(road, "itsm")
        await leased(road, "noc")
        await road.take(alert(severity=Severity.MINOR))
        before = {one.id: one.backend for one in store.live.unsent.all()}
    async with opened(tmp_path) as store:
        road = Road(store, clock, RULES)
        assert {one.id: one.backend for one in store.live.unsent.all()} == before
        clock.passes(seconds=60)
        (again,) = await leased(road, "noc")
        assert (again.action, again.uncertain, again.doubted_at, again.attempts) == ("open", True, clock.now, 2)
        (other,) = await leased(road, "partner")
        assert (other.action, other.uncertain) == ("open", False)
        (update,) = await leased(road, "itsm")
        assert (update.action, update.number, update.opened) == ("update", f"ITSM-{update.incident}", True)


async def test_a_number_that_comes_later_is_filled_in_and_one_that_is_known_stays(road: Road) -> None:
    await road.take(alert())
    for number in ("", "N7", "N8"):
        for backend in ("itsm", "noc"):
            (one,) = await leased(road, backend)
            await ends(road, one, Outcome(receipt=Receipt(number=number)))
        await road.take(alert(severity=Severity.MINOR if number else Severity.MAJOR))
        await road.take(alert(fingerprint=f"f{number}"))
    assert await rows(road.store, "select number from tickets") == [("N7",)]
    assert (await informed(road.store))[0] == ("noc", "N7", "declared")
    assert road.store.live.by_row[1].incident.number == "N7"


async def test_each_is_told_its_own_number_of_the_earlier_ticket(road: Road) -> None:
    (first,) = await road.take(alert())
    await told(road, "itsm", "noc")
    await road.take(OVER)
    await ticks(road, minutes=15)
    await told(road, "itsm", "noc")
    road.clock.passes(hours=2)
    await road.take(alert())
    previous = {one.backend: one.body.previous for one in road.store.live.unsent.all()}
    assert previous == {"itsm": f"ITSM-{first.incident}", "noc": f"NOC-{first.incident}", "partner": ""}


async def test_a_ticket_that_is_made_anew_leaves_the_records_of_the_informed_alone(road: Road) -> None:
    (fate,) = await road.take(alert())
    await told(road)

    def lost(tx: Transaction) -> None:
        incident = replace(tx.live.by_row[1].incident, number="")
        tx.update("delete_ticket", (1,))
        tx.live.told(1, "")
        change = Change(incident=incident, notes=(), deliveries=(DeliveryAction.OPEN,))
        apply.apply(tx, change, apply.Cause(row=tx.live.by_row[1].decision), new=False, now=road.clock.now)

    await road.store.run(lost)
    assert await told(road) == ["itsm open", "noc note", "partner note"]
    assert await rows(road.store, "select number from tickets") == [(f"ITSM-{fate.incident}",)]


async def test_where_a_person_has_dropped_the_open_nothing_more_is_told(road: Road) -> None:
    await road.take(alert())
    (first,) = await leased(road, "noc")
    await ends(road, first, Outcome(error=DeliveryError(Reason.REFUSED, "no", retry=False)))
    await road.store.run(lambda tx: apply.passed_over(tx, 1, "noc", road.clock.now))
    road.store.live.unsent.keep(1, "noc", ())
    await road.take(alert(severity=Severity.MINOR))
    await road.take(OVER)
    await ticks(road, minutes=15)
    assert await leased(road, "noc") == []


# --- the desk beside others ------------------------------------------------------------------------------------------


async def test_the_desk_can_be_informed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        road = Road(store, Clock(), rules(inform="[desk]"))
        (fate,) = await road.take(alert(severity=Severity.MINOR))
        assert fate.ticket == ""
        assert await informed(store) == [("desk", "2611N00001", "declared")]
        await road.take(alert())
        await told(road, "itsm")
        await road.take(OVER)
        await ticks(road, minutes=15)
        assert await rows(store, "select number, reference, impact, status from desk_tickets") == [
            ("2611N00001", fate.incident, "interrupted", "closed")
        ]
        assert await informed(store) == [("desk", "2611N00001", "closed")]
        road.clock.passes(days=401)
        while await store.run(lambda tx: pruning.prune(tx, pruning.Retention(), road.clock.now)):
            pass
        await told(road, "itsm")
        while await store.run(lambda tx: pruning.prune(tx, pruning.Retention(), road.clock.now)):
            pass
        for table in ("informed", "desk_tickets", "desk_notes", "tickets", "incidents", "deliveries"):
            assert await rows(store, f"select count(*) from {table}") == [(0,)]  # noqa: S608


async def test_what_people_do_where_it_is_only_told_is_not_asked(tmp_path: Path) -> None:
    """Also not when the ticket has the very number that the desk gave its record."""
    async with opened(tmp_path) as store:
        road = Road(store, Clock(), rules(inform="[desk]"))
        await road.take(alert())
        (first,) = await leased(road, "itsm")
        await ends(road, first, Outcome(receipt=Receipt(number="2611N00001")))
        assert not await seen(road, TicketStatus.CLOSED)
        assert road.store.live.by_row[1].incident.touched is False


async def seen(road: Road, status: TicketStatus) -> bool:
    receipt = Receipt(number="2611N00001", status=status)
    return await road.store.run(lambda tx: intake.seen(tx, "2611N00001", "Alice", status, receipt, road.clock.now))


async def test_when_a_person_closes_the_ticket_the_informed_hear_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        road = Road(store, Clock(), rules(backend="desk"))
        await road.take(alert())
        assert await told(road, "noc") == ["noc open"]
        assert await seen(road, TicketStatus.CLOSED)
        assert await told(road) == ["noc close"]
        ended = await rows(store, "select backend, action, state from deliveries where id > 1 order by id")
        assert ended == [("noc", "open", "sent"), ("partner", "open", "cancelled"), ("noc", "close", "sent")]


async def test_where_a_person_works_on_the_ticket_the_informed_hear_all_the_same_that_it_is_over(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        road = Road(store, Clock(), rules(backend="desk"))
        await road.take(alert())
        assert await told(road, "noc") == ["noc open"]
        assert await seen(road, TicketStatus.IN_PROGRESS)
        await road.take(alert(status=Status.RESOLVED))
        assert await told(road, "noc") == ["noc update"]
        statuses = "select json_extract(body, '$.status') from deliveries where backend = 'noc' order by id"
        assert await rows(store, statuses) == [("declared",), ("repaired",)]


async def test_a_backend_that_was_down_while_it_closed_and_came_back_again_and_again_is_told_that_it_is_back(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        road = Road(store, Clock(), RULES)
        await road.take(alert())
        await told(road)
        await road.take(OVER)
        await ticks(road, minutes=16)
        await told(road)
        assert {status for _, _, status in await informed(store)} == {"closed"}
        for what in (alert(), OVER, alert()):  # noc is down
            await road.take(what)
            await ticks(road, minutes=16)
            await told(road, "itsm", "partner")
        assert [one.action for one in await leased(road, "noc", 5)] == ["reopen"]


# --- what people see of it -------------------------------------------------------------------------------------------


async def test_listings_and_explanations_tell_who_is_informed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        road = Road(store, Clock(), RULES)
        (fate,) = await road.take(alert())
        await told(road, "itsm", "noc")
        number = f"NOC-{fate.incident}"
        expected = [("noc", number, "declared"), ("partner", "", "")]
        with listing(tmp_path) as there:
            (ticket,) = there.tickets()
            assert ticket == there.ticket(f"ITSM-{fate.incident}")
            assert [(one.backend, one.number, one.status) for one in ticket.informed] == expected
            assert {one.backend: one.ticket for one in there.deliveries()} == {
                "itsm": f"ITSM-{fate.incident}", "noc": number, "partner": ""
            }  # fmt: skip
        with telling(tmp_path) as there:
            found = explain(there, number, RuleSets())
            assert found.incident
            assert (found.incident.reference, found.incident.backend) == (fate.incident, "itsm")
            assert [(one.backend, one.number, one.status) for one in found.incident.informed] == expected


async def test_why_there_is_no_ticket_is_told_of_the_one_that_declares(road: Road, tmp_path: Path) -> None:
    (fate,) = await road.take(alert())
    (first,) = await leased(road, "itsm")
    await ends(road, first, Outcome(error=DeliveryError(Reason.UNAVAILABLE, "busy", retry=True)))
    await told(road, "noc", "partner")
    with telling(tmp_path) as there:
        assert "itsm has not taken it in 1 attempt" in explain(there, fate.incident, RuleSets()).verdict.sentence


# --- whatever happens ------------------------------------------------------------------------------------------------


class System:
    """A ticket system: by reference, what it was told, and how its record stands."""

    def __init__(self) -> None:
        self.heard: dict[str, list[int]] = {}
        self.opens: dict[str, int] = {}
        self.stands: dict[str, tuple[TicketStatus, Impact]] = {}

    def take(self, delivery: Delivery) -> Receipt:
        """Does what any backend does: a create that may have been made is looked up before it is made."""
        reference = delivery.body.reference
        number = f"N{reference}"
        if delivery.action == DeliveryAction.OPEN:
            if delivery.attempts > 1 and reference in self.opens:
                return Receipt(number=number)
            self.opens[reference] = self.opens.get(reference, 0) + 1
        assert reference in self.opens
        self.heard.setdefault(reference, []).append(delivery.id)
        status = delivery.body.status
        if delivery.action == DeliveryAction.NOTE and reference in self.stands:
            status = self.stands[reference][0]
        self.stands[reference] = (status, delivery.body.impact)
        return Receipt(number=number, status=status)


OUTCOMES = ("sent", "sent", "sent", "sent", "unreachable", "lost", "done but lost", "cut off", "done but cut off")
"""How an attempt ends; one that is cut off ends with the next restart."""
ALERTS = st.builds(
    alert,
    fingerprint=st.sampled_from("ab"),
    status=st.sampled_from([Status.FIRING, Status.FIRING, Status.RESOLVED]),
    severity=st.sampled_from([Severity.CRITICAL, Severity.MINOR]),
    resource=st.sampled_from(["web1", "web2"]),
)
STEPS = st.lists(
    st.one_of(
        ALERTS,
        ALERTS,
        st.integers(1, 40),
        st.tuples(st.sampled_from(ALL), st.sampled_from(OUTCOMES)),
        st.tuples(st.sampled_from(ALL), st.sampled_from(OUTCOMES)),
        st.sampled_from(["restart", "[noc]", "[partner]", "[noc, partner]"]),
    ),
    min_size=12,
    max_size=40,
)


class Course:
    """Alerts, time, restarts and attempts with every outcome, on real stores and pretended ticket systems."""

    def __init__(self, folder: Path, declares: str) -> None:
        self.folder = folder
        self.clock = Clock()
        self.declares = declares
        self.systems = {name: System() for name in ALL}
        self.text = rules(backend=declares)

    async def part(self, steps: list[object]) -> None:
        """What happens between two restarts."""
        async with opened(self.folder) as store:
            road = Road(store, self.clock, self.text)
            for step in steps:
                await self.step(road, step)
                await self.check(store)

    async def step(self, road: Road, step: object) -> None:
        match step:
            case int(minutes):
                await ticks(road, minutes=minutes)
            case str(inform):
                self.text = rules(backend=self.declares, inform=inform)
                road.change_rules(self.text)
            case (str(backend), str(outcome)):
                for delivery in await leased(road, backend, limit=2):
                    ended = self.outcome(delivery, outcome)
                    if ended:
                        await ends(road, delivery, ended)
            case _:
                await road.take(step)  # type: ignore[arg-type]

    def outcome(self, delivery: Delivery, outcome: str) -> Outcome | None:
        system = self.systems[delivery.backend]
        if outcome == "sent":
            return Outcome(receipt=system.take(delivery))
        if outcome == "unreachable":
            return Outcome(error=DeliveryError(Reason.UNREACHABLE, "no", retry=True))
        if outcome.startswith("done"):
            system.take(delivery)
        return None if outcome.endswith("cut off") else Outcome(error=DeliveryError(Reason.NO_ANSWER, "no", retry=True))

    async def check(self, store: Store) -> None:
        doubled = "select 1 from deliveries where action = 'open' and state <> 'cancelled' group by incident, backend"
        assert await rows(store, f"{doubled} having count(*) > 1") == []
        for chain in store.live.unsent.chains():
            ids = [one.id for one in store.live.unsent.of(*chain)]
            assert ids == sorted(ids)

    async def end(self) -> None:
        """Everybody can be reached again, until nothing is left to be told."""
        async with opened(self.folder) as store:
            road = Road(store, self.clock, self.text)
            self.clock.passes(minutes=2)
            while store.live.unsent.all():
                for backend in ALL:
                    await self.step(road, (backend, "sent"))
            desk = {row[0]: row[1:] for row in await rows(store, "select reference, status, impact from desk_tickets")}
            self.compare(desk)

    def compare(self, desk: dict[str, tuple[str, ...]]) -> None:
        for system in self.systems.values():
            assert set(system.opens.values()) <= {1}
            assert all(ids == sorted(ids) for ids in system.heard.values())
        declared = desk if self.declares == "desk" else self.systems[self.declares].stands
        for name in ALL:
            if name == self.declares:
                continue
            for reference, stands in self.systems[name].stands.items():
                if reference not in declared:  # withdrawn
                    assert stands[0] == TicketStatus.CLOSED
                else:
                    status, impact = declared[reference]
                    assert (stands[0], *stands[1:]) == (status, impact) or stands[0] == status == TicketStatus.CLOSED


@pytest.mark.parametrize("declares", ["itsm", "desk"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_whatever_happens_each_hears_all_of_it_once_in_order_and_ends_like_the_ticket(
    tmp_path_factory: pytest.TempPathFactory, declares: str, steps: list[object]
) -> None:
    course = Course(tmp_path_factory.mktemp("course"), declares)
    part: list[object] = []
    for step in [*steps, "restart"]:
        if step == "restart":
            await course.part(part)
            course.clock.passes(seconds=61)  # leases of what a crash cut off are over
            part = []
        else:
            part.append(step)
    await course.end()


# --- a whole service -------------------------------------------------------------------------------------------------


def webhook(server: TicketServer) -> dict[str, Any]:
    options = {
        "url": f"{server.url}/tickets",
        "update_url": f"{server.url}/tickets/{{number}}",
        "find_url": f"{server.url}/tickets?reference={{reference}}",
    }
    return {"kind": "webhook", "options": options}


async def _is(value: object) -> bool:
    return bool(value)


async def test_a_service_declares_in_one_ticket_system_and_informs_another_that_is_busy(tmp_path: Path) -> None:
    """By routing: through real HTTP, with one of the two busy all the time; the workbench tells the same beforehand."""
    async with TicketServer().serving() as itsm, TicketServer(Plan(["busy"] * 99)).serving() as noc:
        backends = {"itsm": webhook(itsm), "noc": webhook(noc), "desk": {"kind": "desk"}}
        routing = [
            {"contract": "nothing", "backend": "desk"},
            {"element": "DF00SHOP*", "backend": "itsm", "inform": ["noc"]},
        ]
        async with interface(tmp_path, backends=backends, routing=routing) as there:
            (tried,) = (await there.post("/rules/try", {"payload": SERVED[2]}))["alerts"]
            ticket = tried["live"]["ticket"]
            assert (ticket["backend"], ticket["inform"], ticket["policy"]["backend"]) == ("itsm", ["noc"], "itsm")
            shown = await asyncio.to_thread(
                tocsin, "try", "-", "--json", "--config", str(tmp_path / "tocsin.yaml"), stdin=json.dumps(SERVED[2])
            )
            assert printed(shown)[0]["told"] == ["itsm", "noc"]
            await there.push(SERVED[2])

            def left() -> list[tuple[str, str]]:
                return [(one.backend, one.reason.partition(":")[0]) for one in there.app.store.live.unsent.all()]

            await until(lambda: _is(left() == [("noc", "unavailable")]), 10, "all but the one that is busy")
            (waiting,) = there.app.store.live.unsent.all()
            found = await there.get(f"/incidents/{waiting.incident}/explain")
            assert found["incident"]["informed"] == [{"backend": "noc", "number": "", "url": "", "status": ""}]
            assert found["verdict"]["ticket"] == "T000001"
        assert (len(itsm.desk.tickets), len(noc.desk.tickets)) == (1, 0)
    shown = await asyncio.to_thread(tocsin, "tickets", "T000001", "--config", str(tmp_path / "tocsin.yaml"))
    assert re.search(r"^informed +noc: still to be told$", shown.stdout, re.MULTILINE)

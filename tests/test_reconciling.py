"""Store and ticket system brought into agreement: each difference by its name, mended only when that is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from fakes.core import Does
from following import Both, both
from house import alert, rows
from tocsin import timers
from tocsin.agreement import CAN, POLICIES, Kind, Ours, compare, policy_of
from tocsin.model import Record, State, Status, TicketStatus
from tocsin.reconciling import Progress, Reconciler, Report

if TYPE_CHECKING:
    from pathlib import Path

OURS = Ours(n=1, incident="K7", state=State.OPEN, touched=False, number="1", status=TicketStatus.DECLARED)
THEIRS = Record(number="1", reference="K7")
CLOSED = TicketStatus.CLOSED


@pytest.mark.parametrize(
    ("ours", "theirs", "kinds"),
    [
        (OURS, [THEIRS], []),
        (OURS, [], [Kind.GONE]),
        (replace(OURS, state=State.CLOSED, status=CLOSED), [], []),  # long over, and cleaned up there
        (replace(OURS, state=State.CLOSED, status=CLOSED), [replace(THEIRS, status=CLOSED)], []),
        (replace(OURS, state=State.CLOSED, status=CLOSED), [THEIRS], [Kind.OPEN_THERE]),
        (OURS, [replace(THEIRS, status=CLOSED)], [Kind.CLOSED_THERE]),
        (OURS, [replace(THEIRS, status=TicketStatus.WAITING)], [Kind.DIFFERS]),
        (replace(OURS, number=""), [THEIRS], [Kind.DIFFERS]),
        (OURS, [THEIRS, replace(THEIRS, number="2")], [Kind.TWICE]),
        (OURS, [THEIRS, replace(THEIRS, number="2", status=CLOSED)], [Kind.TWICE]),
        (replace(OURS, ticket=False, number=""), [], [Kind.NO_TICKET]),
        (replace(OURS, ticket=False, number=""), [THEIRS], [Kind.DIFFERS]),
        (replace(OURS, ticket=False, number="", dead=True), [], [Kind.DEAD]),
    ],
)
def test_each_difference_has_its_name(ours: Ours, theirs: list[Record], kinds: list[Kind]) -> None:
    assert [kind for kind, _ in compare(ours, theirs)] == kinds


def test_every_kind_of_difference_has_a_policy_that_it_can_have() -> None:
    assert set(POLICIES) == set(CAN) == set(Kind)
    assert all(POLICIES[kind] in CAN[kind] and "report" in CAN[kind] for kind in Kind)


def test_what_a_person_works_on_is_not_closed_over_their_head() -> None:
    assert policy_of(Kind.OPEN_THERE, OURS, {}) == "close"
    assert policy_of(Kind.OPEN_THERE, replace(OURS, touched=True), {}) == "report"


async def report(side: Both, *, fix: bool = False) -> list[tuple[str, bool]]:
    reconciler = Reconciler(
        "remote", side.there.backend, side.store, POLICIES, timedelta(days=7), side.there.server.clock
    )
    side.passes(seconds=10)
    last = [one async for one in reconciler.run(fix=fix)][-1]
    assert isinstance(last, Report)
    assert not last.problem
    return [(one.kind.value, one.mended) for one in last.differences]


async def declared(side: Both) -> None:
    await side.road.take(alert())
    await side.tell()
    await side.follow()


async def test_in_agreement_there_is_nothing_to_say(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        assert await report(side) == []


async def test_a_ticket_that_is_gone_is_told_and_made_again_when_that_is_asked_for(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.forget("1")
        assert await report(side) == [("gone", False)]
        assert await report(side, fix=True) == [("gone", True)]
        await side.tell()
        assert [ticket.number for ticket in side.face.tickets()] == ["2"]
        assert await report(side) == []
        assert await rows(side.store, "select number from tickets") == [("2",)]


async def test_an_open_ticket_whose_incident_is_over_is_closed(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await side.road.take(alert(status=Status.RESOLVED))
        await side.tell()
        side.passes(minutes=20)
        await side.store.run(lambda tx: timers.tick(tx, side.there.server.clock()))
        await side.tell()
        assert side.face.tickets()[0].status == "closed"
        side.face.issues[1].status = 3  # as if our closing had been refused, and dropped
        await side.store.run(lambda tx: tx._connection.execute("update tickets set status = 'repaired'"))
        assert await report(side) == [("open_there", False)]
        assert await report(side, fix=True) == [("open_there", True)]
        await side.tell()
        assert side.face.tickets()[0].status == "closed"
        assert await report(side) == []


async def test_a_ticket_closed_there_ends_the_incident(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.person("1", status="closed")
        assert await report(side) == [("closed_there", False)]
        assert await side.incident() == ("open", 0), "a look changes nothing"
        assert await report(side, fix=True) == [("closed_there", True)]
        assert (await side.incident())[0] == "closed"
        assert await report(side) == []


async def test_two_tickets_with_one_reference_are_said(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        issue = side.face.issues[1]
        side.face.issues[2] = type(issue)(**{**vars(issue), "id": 2})
        assert await report(side) == [("twice", False)]


async def test_an_incident_whose_ticket_was_never_asked_for_gets_one(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.store.run(_lose_the_open)
        assert await report(side) == [("no_ticket", False)]
        assert await report(side, fix=True) == [("no_ticket", True)]
        await side.tell()
        assert len(side.face.tickets()) == 1
        assert await report(side) == []


def _lose_the_open(tx: object) -> None:
    """As a fault of ours might have it."""
    for delivery in tx.live.unsent.all():
        tx.live.unsent.keep(1, delivery.backend, ())


async def test_what_is_on_its_way_is_not_judged(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        assert await report(side) == []


async def test_a_system_that_cannot_be_asked_says_so_and_what_was_found_until_then(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.there.server.script(Does.SEARCH, "down")
        reconciler = Reconciler(
            "remote", side.there.backend, side.store, POLICIES, timedelta(days=7), side.there.server.clock
        )
        (last,) = [one async for one in reconciler.run(fix=False) if not isinstance(one, Progress)]
        assert "502" in last.problem

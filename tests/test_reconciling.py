"""Store and ticket system brought into agreement: each difference by its name, mended only when that is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from fakes.core import Does
from following import SOON, Both, both, quiet_over, resolved
from house import alert, rows
from tocsin import timers
from tocsin.agreement import CAN, POLICIES, Kind, Ours, compare, policy_of, too_many
from tocsin.errors import DeliveryError, Reason
from tocsin.mending import Found, gather, mend
from tocsin.model import Record, State, Status, TicketStatus
from tocsin.reconciling import Progress, Reconciler, Report
from tocsin.store.dead import By, drop
from tocsin.store.deliveries import Outcome, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.agreement import Policy

OURS = Ours(n=1, incident="K7", state=State.OPEN, touched=False, number="1", status=TicketStatus.DECLARED)
THEIRS = Record(number="1", reference="K7")
CLOSED = TicketStatus.CLOSED


@pytest.mark.parametrize(
    ("ours", "theirs", "kinds"),
    [
        (OURS, [THEIRS], []),
        (OURS, [], [Kind.GONE]),
        (replace(OURS, state=State.CLOSED, status=CLOSED), [], []),  # long over, and cleaned up there
        (replace(OURS, state=State.CLOSED), [], []),  # what is over needs no ticket any more
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


def test_nothing_is_made_that_may_be_there_or_that_a_person_did_not_want() -> None:
    assert policy_of(Kind.GONE, OURS, {}) == "create"
    assert policy_of(Kind.GONE, replace(OURS, number=""), {}) == "report"
    assert policy_of(Kind.NO_TICKET, replace(OURS, ticket=False), {}) == "create"
    assert policy_of(Kind.NO_TICKET, replace(OURS, ticket=False, dropped=True), {}) == "report"


async def whole_report(side: Both, *, fix: bool = False, all_gone: bool = False, **policies: Policy) -> Report:
    how = POLICIES | {Kind(kind): policy for kind, policy in policies.items()}
    clock = side.there.server.clock
    reconciler = Reconciler("remote", side.there.backend, side.store, how, timedelta(days=7), clock)
    side.passes(seconds=10)
    last = [one async for one in reconciler.run(fix=fix, all_gone=all_gone)][-1]
    assert isinstance(last, Report)
    return last


async def report(side: Both, *, fix: bool = False, **policies: Policy) -> list[tuple[str, bool]]:
    last = await whole_report(side, fix=fix, **policies)
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
        await resolved(side)
        await quiet_over(side)
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


async def test_a_ticket_closed_there_is_opened_again_where_that_is_wanted(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.person("1", status="closed")
        assert await report(side, closed_there="reopen") == [("closed_there", False)]
        assert await report(side, fix=True, closed_there="reopen") == [("closed_there", True)]
        await side.tell()
        assert side.face.tickets()[0].status in ("declared", "in_progress")
        assert await side.incident() == ("open", 0)
        await side.follow()
        assert await side.incident() == ("open", 0), "that it is open again is our doing"
        assert await report(side, closed_there="reopen") == []


def test_only_what_still_fires_is_opened_again_and_only_where_that_can_be_done() -> None:
    wanted: dict[Kind, Policy] = {Kind.CLOSED_THERE: "reopen"}
    assert policy_of(Kind.CLOSED_THERE, OURS, wanted) == "reopen"
    assert policy_of(Kind.CLOSED_THERE, OURS, wanted, final=True) == "follow"
    assert policy_of(Kind.CLOSED_THERE, replace(OURS, state=State.CLEAR), wanted) == "follow"


@pytest.mark.parametrize(("gone", "of", "many"), [(3, 3, False), (4, 20, True), (10, 100, False), (11, 100, True)])
def test_when_so_many_are_gone_it_is_we_who_do_not_see_them(gone: int, of: int, *, many: bool) -> None:
    assert too_many(gone, of) is many


async def test_many_tickets_that_are_gone_are_made_again_only_when_a_person_says_that_they_are(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        for number in range(1, 6):
            await side.road.take(alert(fingerprint=f"f{number}", resource=f"web{number}"))
        await side.tell()
        await side.follow()
        for ticket in side.face.tickets():
            side.face.forget(ticket.number)
        last = await whole_report(side, fix=True)
        assert [(one.kind, one.mended) for one in last.differences] == [(Kind.GONE, False)] * 5
        assert "5 of 5 tickets are gone" in last.problem
        await side.tell()
        assert side.face.tickets() == []
        last = await whole_report(side, fix=True, all_gone=True)
        assert ([one.mended for one in last.differences], last.problem) == ([True] * 5, "")
        await side.tell()
        assert len(side.face.tickets()) == 5


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


# --- what must not be done ----------------------------------------------------------------------------------------------


async def closed(side: Both) -> None:
    """A ticket that tocsin has closed."""
    await declared(side)
    await resolved(side)
    await quiet_over(side)
    await side.tell()
    await side.follow()
    assert side.face.tickets()[0].status == "closed"


async def in_doubt_and_dropped(side: Both) -> None:
    """An opening that was done, whose answer was lost, and that a person gave up."""
    await side.road.take(alert())
    side.there.server.script(Does.CREATE, "lost")
    await side.tell()
    await side.gives_up(Does.SEARCH)
    ((dead,),) = await rows(side.store, "select id from deliveries where state = 'dead'")
    await side.store.run(lambda tx: drop(tx, dead, By("night shift", "enough"), side.there.server.clock()))


async def test_what_a_person_has_opened_again_is_not_closed_before_that_was_seen(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await closed(side)
        side.face.person("1", status="in_progress", note="still broken")
        assert await report(side, fix=True) == [("open_there", False)]
        await side.tell()
        assert side.face.tickets()[0].status == "in_progress"
        assert (await side.incident())[1] == 1


async def test_a_closing_that_was_refused_is_a_persons_and_not_tried_each_time(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await resolved(side)
        await quiet_over(side)
        side.there.server.script(Does.CHANGE, "refused")
        await side.tell()
        for _ in range(3):
            assert await report(side, fix=True) == [("open_there", False)]
        assert await rows(side.store, "select state from deliveries where action = 'close'") == [("dead",)]


async def test_a_ticket_that_a_lagging_search_does_not_find_is_not_made_again(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        side.there.backend.settle = side.there.server.lag = timedelta(minutes=2)
        await declared(side)
        side.face.forget("1")
        assert await report(side, fix=True) == [("gone", True)]
        side.there.server.script(Does.CREATE, "lost")
        for _ in range(6):
            await side.tell()
            side.passes(minutes=1)
        assert [ticket.number for ticket in side.face.tickets()] == ["2"]


async def test_a_ticket_that_we_forgot_is_found_before_another_is_made(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        side.there.backend.settle = side.there.server.lag = timedelta(minutes=2)
        await side.road.take(alert())
        await side.tell()
        await side.store.run(lambda tx: tx._connection.execute("delete from tickets"))
        assert await report(side, fix=True) == [("no_ticket", True)]
        for _ in range(4):
            await side.tell()
            side.passes(minutes=1)
        assert len(side.face.tickets()) == 1
        assert await rows(side.store, "select number from tickets") == [("1",)]


async def test_a_ticket_whose_number_is_still_to_come_is_not_made_again(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await side.store.run(lambda tx: tx._connection.execute("update tickets set number = ''"))
        side.there.server.lag = timedelta(hours=1)
        assert await report(side, fix=True) == [("gone", False)]
        await side.tell()
        assert len(side.face.tickets()) == 1


async def test_what_a_person_has_dropped_is_not_made_but_what_is_found_is_known_from_then_on(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await in_doubt_and_dropped(side)
        assert await report(side) == [("differs", False)]
        assert await report(side, fix=True) == [("differs", True)]
        assert await report(side) == []
        assert await rows(side.store, "select number from tickets") == [("1",)]
        side.face.person("1", note="I look into it")
        await side.follow()
        assert (await side.incident())[1] == 1


async def test_what_a_person_has_dropped_is_not_made(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await in_doubt_and_dropped(side)
        side.face.forget("1")
        assert await report(side, fix=True) == [("no_ticket", False)]


async def test_two_who_compare_at_the_same_time_make_one_ticket(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.forget("1")
        now = side.there.server.clock()
        (ours,) = await side.store.run(lambda tx: gather(tx, "remote", now - timedelta(days=7)))
        found = Found(kind=Kind.GONE, policy="create", told="gone", backend="remote", ours=ours, seen=None)
        for mended in (True, False):
            assert await side.store.run(lambda tx: mend(tx, found, now)) is mended
            await side.tell()
        assert [ticket.number for ticket in side.face.tickets()] == ["2"]


async def test_what_is_said_once_is_not_said_again_and_again(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        issue = side.face.issues[1]
        side.face.issues[2] = type(issue)(**{**vars(issue), "id": 2, "journals": []})
        for mended in (True, False, False):
            assert await report(side, fix=True) == [("twice", mended)]
            await side.tell()
        assert len([note for note in side.face.tickets()[0].notes if "several" in note]) == 1


async def test_a_ticket_made_anew_is_new_to_who_looks_at_it(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.person("1", assignee="Ines Martin", note="first")
        await side.follow()
        side.face.forget("1")
        await report(side, fix=True)
        await side.tell()
        await side.follow()
        side.face.person("2", note="second")
        await side.follow()
        told = [(kind, text) for _, kind, text in await side.notes()]
        assert [text for kind, text in told if kind == "wrote"] == ["first", "second"]
        assert [text for kind, text in told if kind == "seen_assignee"] == ["Assigned to Ines Martin."]


# --- what must be done --------------------------------------------------------------------------------------------------


async def test_a_ticket_that_answers_to_its_old_number_only_has_moved(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        issue = side.face.issues[7] = side.face.issues[1]
        issue.id = 7
        assert await report(side) == []
        del side.face.issues[1]
        assert await report(side) == [("differs", False)]
        assert await report(side, fix=True) == [("differs", True)]
        assert await report(side) == []
        assert await rows(side.store, "select number from tickets") == [("7",)]


@pytest.mark.parametrize("error", [DeliveryError(Reason.UNREADABLE, "too long", retry=True), KeyError("status")])
async def test_a_ticket_that_cannot_be_looked_at_hides_no_other(tmp_path: Path, error: Exception) -> None:
    async with both(tmp_path) as side:
        for number in (1, 2):
            await side.road.take(alert(fingerprint=f"f{number}", resource=f"web{number}"))
        await side.tell()
        await side.follow()
        side.face.forget("2")
        ((first,),) = await rows(side.store, "select id from incidents order by n limit 1")
        search = side.there.backend.search

        async def some(reference: str) -> list[Record]:
            if reference == first:
                raise error
            return await search(reference)

        side.there.backend.search = some
        reconciler = Reconciler(
            "remote", side.there.backend, side.store, POLICIES, timedelta(days=7), side.there.server.clock
        )
        last = [one async for one in reconciler.run(fix=False)][-1]
        assert isinstance(last, Report)
        assert [one.kind for one in last.differences] == ["gone"]
        assert last.problem


async def test_a_problem_that_is_back_after_its_opening_was_refused_gets_a_ticket(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        (opening,) = await side._claimed()
        await side.road.take(alert(status=Status.RESOLVED))
        refused = Outcome(error=DeliveryError(Reason.REFUSED, "no such queue", retry=False))
        now = side.there.server.clock()
        await side.store.run(lambda tx: settle(tx, opening, refused, SOON, now))
        side.passes(minutes=20)
        await side.store.run(lambda tx: timers.tick(tx, side.there.server.clock()))
        await side.tell()
        assert await side.incident() == ("closed", 0)
        await side.road.take(alert())
        await side.tell()
        assert len(side.face.tickets()) == 1
        assert await report(side) == []

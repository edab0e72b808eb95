"""People's hands on tickets, met at bad moments: nothing they did is told over, lost, or taken for our own doing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from fakes.core import Behaviour, Does
from following import Both, both, quiet_over, resolved
from house import RULES, alert, rows
from kit import REMOTE, face
from tocsin import backends, timers
from tocsin.agreement import POLICIES
from tocsin.agreement import Kind as Difference
from tocsin.backends._can import Can
from tocsin.errors import DeliveryError, Reason
from tocsin.model import DeliveryState, Record, Severity, Status, TicketStatus
from tocsin.reconciling import Reconciler, Report
from tocsin.seeing import Seen, see
from tocsin.store import deliveries
from tocsin.store.dead import By, drop

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.agreement import Policy
    from tocsin.backends import Kind

READ = pytest.mark.parametrize(
    "kind",
    [kind for kind in REMOTE if not {Can.READ, Can.LOOK_UP, Can.CHANGES} & kind.lacks.keys()],
    ids=lambda kind: kind.name,
)
BLIND = pytest.mark.parametrize("kind", [kind for kind in REMOTE if Can.READ in kind.lacks], ids=lambda kind: kind.name)


async def declared(side: Both, severity: Severity = Severity.CRITICAL) -> str:
    """A ticket that is known as it stands; its number."""
    await side.road.take(alert(severity=severity))
    await side.tell()
    side.passes(minutes=3)  # a search may lag, a number come late
    await side.tell()
    for _ in range(2):
        await side.follow()
    return str(side.face.tickets()[0].number)


async def fires(side: Both, severity: Severity = Severity.CRITICAL) -> None:
    await side.road.take(alert(severity=severity))
    await side.tell()


async def compared(side: Both, *, fix: bool = False, **policies: Policy) -> Report:
    clock = side.there.server.clock
    how = POLICIES | {Difference(kind): policy for kind, policy in policies.items()}
    reconciler = Reconciler("remote", side.there.backend, side.store, how, timedelta(days=7), clock)
    side.passes(seconds=10)
    last = [one async for one in reconciler.run(fix=fix)][-1]
    assert isinstance(last, Report)
    return last


async def report(side: Both, *, fix: bool = False) -> list[tuple[str, bool]]:
    return [(one.kind.value, one.mended) for one in (await compared(side, fix=fix)).differences]


async def wrote(side: Both) -> list[str]:
    return [text for _, kind, text in await side.notes() if kind == "wrote"]


def closing(how: str, after: str = "{after: 15m}") -> str:
    return RULES.replace("close: {after: 15m}", f"close: {after}\n    closed_by_person: {how}", 1)


# --- while we tell ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [{"status": "in_progress"}, {"priority": "Low"}], ids=str)
@pytest.mark.parametrize("fault", ["dropped", "down", "limited"])
@pytest.mark.parametrize("does", [Does.READ, Does.CHANGE])
async def test_after_an_attempt_that_failed_a_persons_hand_is_still_a_persons(
    tmp_path: Path, does: Does, fault: str, what: dict[str, str]
) -> None:
    async with both(tmp_path) as side:
        await declared(side, Severity.MINOR)
        side.there.server.script(does, fault)
        await fires(side)
        side.face.person("1", **what)
        side.passes(minutes=1)
        await side.tell()
        await resolved(side)
        await quiet_over(side)
        await side.tell()
        assert (await side.incident())[1] == 1
        assert side.face.tickets()[0].status != "closed"


@pytest.mark.parametrize("what", [{"assignee": "Ines Martin"}, {"note": "I am on it, do not close"}], ids=str)
async def test_nothing_is_closed_over_who_took_it_or_wrote_just_before(tmp_path: Path, what: dict[str, str]) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await resolved(side)
        for _ in range(2):
            await side.follow()
        await quiet_over(side)
        side.face.person("1", **what)
        await side.tell()
        assert side.face.tickets()[0].status != "closed"
        assert (await side.incident())[1] == 1


@pytest.mark.parametrize("how", ["lost", "killed"])
async def test_who_takes_a_ticket_whose_opening_is_in_doubt_is_seen_when_it_is_found(tmp_path: Path, how: str) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert(fingerprint="f9", resource="web9"))
        await side.tell()  # how a new ticket reads is known
        await side.road.take(alert())
        if how == "lost":
            side.there.server.script(Does.CREATE, "lost")
            await side.tell()
        else:
            (one,) = await side._claimed()
            await backends.hand_over(side.there.backend, one, side.there.server.clock())
            again = replace(one, state=DeliveryState.PENDING, uncertain=True, doubted_at=one.due_at)
            await side.store.run(lambda tx: deliveries.put(tx, 2, again, None))  # as a start finds it
        side.passes(seconds=5)
        side.face.person("2", status="in_progress", assignee="Ines Martin")
        side.passes(minutes=2)
        await side.tell()
        for _ in range(2):
            await side.follow()
        assert (await side.incident())[1] == 1
        assert await rows(side.store, "select status from tickets where incident = 2") == [("in_progress",)]


async def test_what_was_given_up_excuses_only_what_it_would_have_changed(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side, Severity.MINOR)
        side.there.server.script(Does.CHANGE, "lost", "refused")
        await fires(side)
        side.face.issues[1].priority = 2  # the lost one was not done after all
        side.face.issues[1].journals.clear()
        side.passes(minutes=1)
        await side.tell()
        assert await rows(side.store, "select state, uncertain from deliveries where action = 'update'") == [
            ("dead", 1)
        ]
        side.passes(hours=5)
        side.face.person("1", status="in_progress")
        await side.follow()
        assert (await side.incident())[1] == 1


@READ
async def test_our_own_closing_in_doubt_is_no_persons_though_a_person_wrote_meanwhile(
    tmp_path: Path, kind: Kind
) -> None:
    async with both(tmp_path, kind.name) as side:
        number = await declared(side)
        await resolved(side)
        for _ in range(2):
            await side.follow()
        await quiet_over(side)
        if Can.CLOSE in kind.lacks or Behaviour.LOST in face(kind).CANNOT:
            pytest.skip(f"{kind.name}: cannot happen")
        side.there.server.script(Does.CHANGE, "lost")
        await side.tell()
        side.there.server.plan.scripts.clear()
        await side.road.take(alert())  # it is back: that waits behind the closing
        side.face.person(number, note="thanks, all good")
        for _ in range(8):
            side.passes(seconds=20)
            await side.tell()
        assert (await side.incident())[0] == "open"
        if Can.REOPEN not in side.there.backend.lacks:
            assert side.face.tickets()[0].status not in ("closed", "cancelled")
        assert not [text for _, kind, text in await side.notes() if kind == "ended"]


async def test_where_new_tickets_are_in_progress_one_that_is_found_is_nobodys(tmp_path: Path) -> None:
    async with both(tmp_path, statuses={"declared": "Never", "in_progress": "New"}) as side:
        side.there.server.script(Does.CREATE, "lost")
        await side.road.take(alert())
        await side.tell()
        side.passes(minutes=3)
        await side.tell()
        for _ in range(3):
            await side.follow()
        assert await side.incident() == ("open", 0)


@pytest.mark.parametrize("kind", ["redmine", "zammad", "command"])
async def test_who_closes_a_record_that_they_are_only_informed_by_keeps_it_closed(tmp_path: Path, kind: str) -> None:
    async with both(tmp_path, kind) as side:
        side.road.change_rules(
            RULES.replace("close: {after: 15m}", "close: {after: 15m}\n    backend: desk\n    inform: [remote]", 1)
        )
        await fires(side, Severity.MINOR)
        number = side.face.tickets()[0].number
        side.passes(minutes=10)
        side.face.person(number, status="closed", note="not for us")
        for severity in (Severity.MAJOR, Severity.CRITICAL, Severity.MINOR):
            side.passes(minutes=5)
            await fires(side, severity)
        assert side.face.tickets()[0].status == "closed"


@READ
async def test_our_own_half_of_a_change_that_was_refused_is_no_persons(tmp_path: Path, kind: Kind) -> None:
    async with both(tmp_path, kind.name) as side:
        await declared(side)
        side.there.server.seen.clear()
        side.there.server.script(Does.CHANGE, "ok", "refused")
        await resolved(side)
        if len(side.there.server.asked(Does.CHANGE)) < 2:
            pytest.skip(f"{kind.name} changes all at once")
        for _ in range(2):
            await side.follow()
        assert (await side.incident())[1] == 0


@BLIND
async def test_what_waits_is_not_told_over_a_closing_that_a_webhook_told(tmp_path: Path, kind: Kind) -> None:
    async with both(tmp_path, kind.name) as side:
        await side.road.take(alert(severity=Severity.MINOR))
        await side.tell()
        side.passes(minutes=1)
        ((number, reference),) = await rows(
            side.store, "select tickets.number, incidents.id from tickets join incidents on n = incident"
        )
        await side.road.take(alert())
        closed = Record(number=number, reference=reference, status=TicketStatus.CLOSED, actor="Ines Martin")
        await side.follower.take([closed])
        side.passes(minutes=1)
        await side.tell()
        assert await rows(side.store, "select status from tickets") == [("closed",)]
        assert await rows(side.store, "select action from deliveries where id > 1") == [("note",)]


# --- when the clock of the ticket system is set back ------------------------------------------------------------------


async def set_back(side: Both) -> None:
    """A person closes a ticket that was seen, after the ticket system's clock was set back."""
    await declared(side)
    side.face.person("1", note="hm")
    for _ in range(2):
        await side.follow()
    side.face.person("1", status="closed")
    side.face.issues[1].updated_on = side.there.server.clock() - timedelta(minutes=5)


async def test_a_closing_of_before_the_last_look_is_seen_all_the_same(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await set_back(side)
        await side.follower.hear(["1"])
        for _ in range(12):
            await side.follow()
        assert (await side.incident())[0] == "closed"


async def test_a_delivery_that_meets_a_closing_of_before_the_last_look_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await set_back(side)
        await side.road.take(alert(fingerprint="f2"))
        for _ in range(12):
            side.passes(minutes=1)
            await side.tell()
        assert (await side.incident())[0] == "closed"
        assert await rows(side.store, "select count(*) from deliveries where state = 'pending'") == [(0,)]


# --- whoever closed it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reopen", "silent", "new"])
async def test_who_opens_again_what_they_closed_by_mistake_hears_how_it_ends(tmp_path: Path, how: str) -> None:
    async with both(tmp_path) as side:
        side.road.change_rules(closing(how))
        await declared(side)
        side.face.person("1", status="closed")
        await side.follow()
        side.passes(minutes=2)
        side.face.person("1", status="in_progress", note="closed by mistake")
        await side.follow()
        assert await side.incident() == ("open", 1)
        side.passes(minutes=20)
        await fires(side)
        assert len(side.face.tickets()) == 1, "it goes on in the same ticket"
        await resolved(side)
        assert any("resolved" in note for note in side.face.tickets()[0].notes)


@pytest.mark.parametrize("after", ["{after: 0s}", "never", "{after: 15m}"])
async def test_what_fires_on_is_opened_again_in_the_same_ticket_however_long_its_quiet_time(
    tmp_path: Path, after: str
) -> None:
    async with both(tmp_path) as side:
        side.road.change_rules(closing("reopen", after))
        await declared(side)
        side.face.person("1", status="closed")
        await side.follow()
        for _ in range(3):
            side.passes(hours=1)
            await fires(side)
        assert [(ticket.number, ticket.status != "closed") for ticket in side.face.tickets()] == [("1", True)]


async def test_who_opens_theirs_again_is_heard_though_another_ticket_of_the_problem_came_and_went(
    tmp_path: Path,
) -> None:
    async with both(tmp_path) as side:
        side.road.change_rules(closing("new").replace("close:", "key: [element, check]\n    close:", 1))
        await declared(side)
        side.face.person("1", status="closed")
        for _ in range(2):
            await side.follow()
        second = alert(fingerprint="f2")
        await side.road.take(second)
        await side.tell()
        await side.road.take(replace(second, status=Status.RESOLVED))
        await side.tell()
        for _ in range(2):
            await side.follow()
        await quiet_over(side)
        await side.tell()
        side.face.person("1", status="in_progress")
        for _ in range(3):
            await side.follow()
        assert await rows(side.store, "select state, touched from incidents where n = 1") == [("open", 1)]
        await fires(side)
        still = [ticket.number for ticket in side.face.tickets() if ticket.status != "closed"]
        assert still == ["1"], "one problem, one ticket"


# --- when both sides are compared -------------------------------------------------------------------------------------


@READ
@pytest.mark.parametrize("reference", ["", "OTHER"])
async def test_a_ticket_whose_reference_was_taken_away_is_not_made_again(
    tmp_path: Path, kind: Kind, reference: str
) -> None:
    async with both(tmp_path, kind.name) as side:
        number = await declared(side)
        side.face.disown(number, reference)
        said = await compared(side, fix=True)
        told = [(one.kind.value, one.mended) for one in said.differences]
        assert told == [("disowned", False)] or (not told and said.problem), "it is said one way or the other"
        await side.tell()
        assert len(side.face.tickets()) == 1


async def test_who_closes_a_ticket_whose_reference_was_taken_away_is_heard_when_a_webhook_names_it(
    tmp_path: Path,
) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.disown("1", "")
        side.face.person("1", status="closed")
        await side.follower.hear(["1"])
        await side.follow()
        assert (await side.incident())[0] == "closed"


async def test_a_ticket_that_is_found_closed_was_closed_by_a_person(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.store.run(lambda tx: tx._connection.execute("delete from tickets"))
        side.face.person("1", status="closed")
        assert await report(side, fix=True) == [("differs", True)]
        assert (await side.incident())[0] == "closed"
        assert await report(side, fix=True) == []


async def test_a_ticket_made_anew_is_nobodys_and_is_closed_when_all_is_well(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.person("1", status="in_progress", assignee="Ines Martin")
        await side.follow()
        side.face.forget("1")
        assert await report(side, fix=True) == [("gone", True)]
        await side.tell()
        await side.follow()
        await resolved(side)
        await quiet_over(side)
        await side.tell()
        assert [(ticket.number, ticket.status) for ticket in side.face.tickets()] == [("2", "closed")]


async def test_no_ticket_is_made_anew_for_a_problem_that_is_over(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.person("1", status="in_progress", assignee="Ines Martin")
        await side.follow()
        await resolved(side)
        await quiet_over(side)
        await side.tell()
        side.face.forget("1")
        assert await report(side, fix=True) == [("gone", True)]
        await side.tell()
        assert side.face.tickets() == []
        assert (await side.incident())[0] == "closed"
        assert await report(side) == []
        await fires(side)
        assert len(side.face.tickets()) == 1, "it is back: that is a ticket of its own"


async def test_a_ticket_that_a_replica_does_not_show_yet_is_not_gone(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        clock = side.there.server.clock
        made, read, search = clock(), side.there.backend.read, side.there.backend.search

        def lags() -> bool:
            return clock() - made < timedelta(seconds=3)

        async def lagging_read(number: str) -> Record | None:
            return None if lags() else await read(number)

        async def lagging_search(reference: str) -> list[Record]:
            return [] if lags() else await search(reference)

        side.there.backend.read, side.there.backend.search = lagging_read, lagging_search
        reconciler = Reconciler("remote", side.there.backend, side.store, POLICIES, timedelta(days=7), clock)
        side.passes(seconds=1)
        last = [one async for one in reconciler.run(fix=True)][-1]
        assert isinstance(last, Report)
        assert last.differences == ()


@READ
@pytest.mark.parametrize("status", ["in_progress", "closed"])
async def test_what_a_person_wrote_is_read_though_a_comparison_came_first(
    tmp_path: Path, kind: Kind, status: str
) -> None:
    async with both(tmp_path, kind.name) as side:
        number = await declared(side)
        side.passes(seconds=20.123456)
        side.face.person(number, status=status, note="the disk is being replaced")
        side.passes(seconds=3.3)
        await report(side, fix=True)
        for _ in range(6):
            await side.follow()
        assert [text for text in await wrote(side) if "being replaced" in text]


@READ
async def test_what_a_person_wrote_is_read_though_the_number_came_late(tmp_path: Path, kind: Kind) -> None:
    async with both(tmp_path, kind.name) as side:
        await side.road.take(alert())
        await side.tell()
        side.passes(minutes=3)
        await side.tell()
        await side.store.run(lambda tx: tx._connection.execute("update tickets set number = ''"))
        side.passes(seconds=20.123456)
        side.face.person(side.face.tickets()[0].number, status="in_progress", note="the disk is being replaced")
        for _ in range(6):
            await side.follow()
        assert [text for text in await wrote(side) if "being replaced" in text]


async def test_notes_of_a_ticket_that_has_moved_are_read_anew(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.person("1", note="one")
        for _ in range(2):
            await side.follow()
        issue = side.face.issues.pop(1)
        side.face.issues[2] = type(issue)(**{**vars(issue), "id": 2, "journals": []})
        assert await report(side, fix=True) == [("differs", True)]
        side.passes(minutes=1)
        side.face.person("2", note="two")
        for _ in range(2):
            await side.follow()
        assert await wrote(side) == ["one", "two"]


async def test_one_ticket_that_we_may_not_see_hides_no_other(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        for number in range(1, 9):
            await side.road.take(alert(fingerprint=f"f{number}", resource=f"web{number}"))
        await side.tell()
        await side.follow()
        side.face.forget("8")
        ((fifth,),) = await rows(side.store, "select id from incidents order by n limit 1 offset 4")
        search = side.there.backend.search

        async def some(reference: str) -> list[Record]:
            if reference == fifth:
                raise DeliveryError(Reason.UNAUTHORIZED, "403 for this one only", retry=False, stops=True)
            return await search(reference)

        side.there.backend.search = some
        assert await report(side) == [("gone", False)]


async def test_a_closing_that_a_person_has_dropped_is_left_to_people(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await resolved(side)
        await quiet_over(side)
        side.there.server.script(Does.CHANGE, "refused")
        await side.tell()
        ((dead,),) = await rows(side.store, "select id from deliveries where state = 'dead'")
        by = By("night shift", "leave it open, we look at it tomorrow")
        await side.store.run(lambda tx: drop(tx, dead, by, side.there.server.clock()))
        assert await report(side, fix=True) == [("open_there", False)]
        await side.tell()
        assert side.face.tickets()[0].status != "closed"


async def test_a_reopening_that_is_refused_is_asked_for_once_and_concerns_nobody_else(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        side.road.change_rules(RULES.replace("close: {after: 15m}", "close: {after: 15m}\n    inform: [noc]", 1))
        await declared(side)
        side.face.person("1", status="closed")
        mended = []
        for _ in range(3):
            said = await compared(side, fix=True, closed_there="reopen")
            mended += [one.mended for one in said.differences]
            side.there.server.script(Does.CHANGE, "refused")
            await side.tell()
            side.there.server.plan.scripts.clear()
            side.passes(hours=1)
        assert mended == [True, False, False]
        assert await rows(side.store, "select action, state from deliveries where backend = 'noc'") == [
            ("open", "pending")
        ]


async def test_mending_a_ticket_is_no_business_of_the_informed(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        side.road.change_rules(RULES.replace("close: {after: 15m}", "close: {after: 15m}\n    inform: [desk]", 1))
        await declared(side)
        await resolved(side)
        await quiet_over(side)
        await side.tell()
        told = await rows(side.store, "select count(*) from deliveries where backend = 'desk'")
        await side.store.run(lambda tx: tx._connection.execute("update tickets set status = 'repaired'"))
        await side.store.run(lambda tx: tx._connection.execute("delete from sightings"))
        side.face.issues[1].status = 3  # as if our closing had been undone, by nobody
        assert await report(side, fix=True) == [("open_there", True)]
        assert await rows(side.store, "select count(*) from deliveries where backend = 'desk'") == told


async def test_a_ticket_that_was_seen_without_its_notes_is_read_once_more(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        reference = side.face.tickets()[0].reference
        await side.store.run(lambda tx: tx._connection.execute("update tickets set number = ''"))
        side.face.person("1", note="please call me")
        side.passes(minutes=1)
        await side.follower.hear([reference])
        for _ in range(2):
            side.passes(minutes=1)
            await side.follower._read_named()  # whatever lists it, or does not
        assert await wrote(side) == ["please call me"]


async def test_where_nothing_can_be_closed_an_open_ticket_is_only_told(tmp_path: Path) -> None:
    async with both(tmp_path, "tmf621", sets_status=False) as side:
        await declared(side)
        await resolved(side)
        await quiet_over(side)
        await side.tell()
        noted = len(side.face.tickets()[0].notes)
        for _ in range(2):
            assert await report(side, fix=True) == [("open_there", False)]
            await side.tell()
        assert len(side.face.tickets()[0].notes) == noted


async def test_a_webhook_alone_asks_for_late_numbers_once_a_minute(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        side.follower._followed = replace(side.follower._followed, every=None)
        for number in range(1, 6):
            await side.road.take(alert(fingerprint=f"f{number}", resource=f"web{number}"))
        await side.tell()
        await side.store.run(lambda tx: tx._connection.execute("update tickets set number = ''"))
        side.there.server.lag = timedelta(days=1)
        for _ in range(2):
            side.passes(minutes=2)
            await side.follower.come_round()
        side.there.server.seen.clear()
        for _ in range(4):
            side.passes(seconds=1)
            await side.follower.come_round()
        assert side.there.server.asked(Does.SEARCH) == []


async def test_a_hand_between_a_closing_and_the_next_alert_of_one_commit_is_kept(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await resolved(side)
        for _ in range(2):
            await side.follow()
        side.passes(minutes=20)
        side.face.person("1", status="in_progress")
        record: Any = await side.there.backend.read("1")
        now = side.there.server.clock()
        seen = Seen(backend="remote", record=record, asked_at=now)
        await asyncio.gather(
            side.store.run(lambda tx: timers.tick(tx, now)),
            side.store.run(lambda tx: see(tx, seen, now)),
            side.store.run(side.road.taking(alert())),
        )
        assert (await side.incident())[1] == 1

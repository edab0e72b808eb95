"""Two-way: what people do in the ticket system comes back, once, and what we told it ourselves is not mistaken for theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fakes.core import Does
from following import Both, both, quiet_over, resolved
from house import alert, rows
from service import until
from tocsin import backends
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Record, RemoteNote, Severity, Status, TicketStatus
from tocsin.seeing import Touch, difference

if TYPE_CHECKING:
    from pathlib import Path


def note(text: str, number: str = "1") -> RemoteNote:
    return RemoteNote(id=number, actor="Ines Martin", text=text)


@pytest.mark.parametrize(
    ("record", "last", "read", "kinds"),
    [
        (Record(number="1"), None, (), set()),
        (Record(number="1", status=TicketStatus.IN_PROGRESS), None, (), {Touch.STATUS}),
        (
            Record(number="1", priority="High", assignee="Ines"),
            None,
            (),
            set(),
        ),  # at first sight they are what they are
        (Record(number="1", priority="High"), ("Low", ""), (), {Touch.PRIORITY}),
        (Record(number="1", assignee="Ines"), ("", ""), (), {Touch.ASSIGNEE}),
        (Record(number="1", notes=(note("I look"),)), ("", ""), (), {Touch.NOTE}),
        (Record(number="1", notes=(note("I look"),)), ("", ""), ("1",), set()),
        (
            Record(number="1", reference="K7F3Q2", notes=(note("28 processes\n(tocsin K7F3Q2/18)"),)),
            ("", ""),
            (),
            set(),
        ),
        (
            Record(number="1", reference="K7F3Q2", notes=(note("```text\nnow\n(tocsin K7F3Q2/18)\n```"),)),
            ("", ""),
            (),
            set(),
        ),
        (Record(number="1", reference="K8", notes=(note("like\n(tocsin K7/18)"),)), ("", ""), (), {Touch.NOTE}),
        (Record(number="1", notes=(note("mine\n> now\n> (tocsin K7F3Q2/18)"),)), ("", ""), (), {Touch.NOTE}),
        (
            Record(
                number="1", reference="K7", notes=(note("now\n(tocsin K7/18)"), note("mine\nnow\n(tocsin K7/18)", "2"))
            ),
            ("", ""),
            (),
            {Touch.NOTE},
        ),  # quoted
    ],
)
def test_what_is_new_is_what_people_did(
    record: Record, last: tuple[str, str] | None, read: tuple[str, ...], kinds: set[Touch]
) -> None:
    assert difference(record, TicketStatus.DECLARED, last, frozenset(read)).kinds == kinds


async def test_what_we_told_ourselves_is_no_news(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.follow()
        await side.road.take(alert(status=Status.RESOLVED))
        await side.tell()
        await side.follow()
        assert await side.incident() == ("clear", 0)
        assert {actor for actor, _, _ in await side.notes()} == {"tocsin"}


async def test_a_person_who_takes_a_ticket_is_seen_once_and_left_to_work(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.follow()
        side.face.person("1", status="in_progress", note="I look into it", assignee="Ines Martin")
        for _ in range(3):
            await side.follow()
        assert await side.incident() == ("open", 1)
        told = [line for line in await side.notes() if line[0] != "tocsin"]
        assert ("Ines Martin", "wrote", "I look into it") in told
        assert ("Ines Martin", "seen_assignee", "Assigned to Ines Martin.") in told
        assert [kind for _, kind, _ in told].count("seen_status") == 1
        await side.road.take(alert(status=Status.RESOLVED))
        await side.tell()
        assert side.face.tickets()[0].status == "in_progress", "a person works on it: notes only"


async def test_a_ticket_that_a_person_closes_ends_the_incident(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.follow()
        side.face.person("1", status="closed")
        await side.follow()
        assert (await side.incident())[0] == "closed"
        assert await rows(side.store, "select status from tickets") == [("closed",)]


async def test_our_own_closing_whose_answer_was_lost_is_not_taken_for_a_persons(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        side.there.server.script(Does.CHANGE, "lost")
        await side.road.take(alert(status=Status.RESOLVED))
        await side.tell()
        assert side.face.tickets()[0].status == "repaired"
        await side.follow()
        assert (await side.incident())[1] == 0, "nobody touched it"
        side.passes(minutes=1)
        await side.tell()
        await side.follow()
        assert await side.incident() == ("clear", 0)


async def test_an_answer_that_left_before_we_told_something_is_not_believed(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        old = await side.there.backend.read("1")
        asked_at = side.there.server.clock()
        side.passes(seconds=5)
        await side.road.take(alert(status=Status.RESOLVED))
        await side.tell()
        assert old is not None
        assert await side.follower._see(old, asked_at) == "later"
        assert await side.incident() == ("clear", 0)


async def test_an_answer_from_before_what_we_told_is_not_believed_though_it_comes_after(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        old = await side.there.backend.read("1")
        side.passes(seconds=5)
        await side.road.take(alert(status=Status.RESOLVED))
        await side.tell()
        side.passes(seconds=1)  # another node answers, which has not heard of it yet
        assert old is not None
        assert await side.follower._see(old, side.there.server.clock()) == "later"


async def test_a_signed_message_that_answers_what_we_told_is_taken_at_once(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        side.passes(seconds=1)
        record = await side.there.backend.read("1")
        assert record is not None
        assert await side.follower.take([record])


async def test_what_is_told_just_now_is_not_judged(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.road.take(alert(status=Status.RESOLVED))
        side.passes(seconds=10)
        (update,) = await side._claimed()
        await backends.hand_over(side.there.backend, update, side.there.server.clock())
        record = await side.there.backend.read("1")
        assert record is not None
        assert record.status == "repaired"
        assert await side.follower._see(record, side.there.server.clock()) == "later"


async def test_a_webhook_names_a_ticket_that_is_then_read(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.follow()
        side.face.person("1", assignee="Ines Martin")
        await side.follower.hear(["1", "77", "nonsense ?/"])
        assert len(await rows(side.store, "select * from named_tickets")) == 3
        side.passes(seconds=1)
        await side.follower.come_round()
        assert (await side.incident())[1] == 1
        assert await rows(side.store, "select * from named_tickets") == []


async def test_what_a_webhook_named_is_kept_while_the_system_cannot_be_asked(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.follower.hear(["1"])
        side.there.server.script(Does.READ, "down")
        assert not await side.follower.tried()
        assert ("1",) in await rows(side.store, "select word from named_tickets")


async def test_only_changes_that_count_are_a_persons_touch(tmp_path: Path) -> None:
    async with both(tmp_path, touch=frozenset({Touch.NOTE})) as side:
        await side.road.take(alert())
        await side.tell()
        await side.follow()
        side.face.person("1", assignee="Rotation")
        await side.follow()
        assert await side.incident() == ("open", 0)
        side.face.person("1", note="I look into it")
        await side.follow()
        assert await side.incident() == ("open", 1)


async def test_the_next_question_begins_where_the_last_answer_ended(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        await side.follow()
        await side.follow()  # once more, when no other change can bear the same minute
        side.there.server.seen.clear()
        await side.follow()
        asked, *_ = side.there.server.asked(Does.LIST)
        assert "2026-11-23T02:58:00Z" in asked.path, "two minutes before the last change"
        assert not side.there.server.asked(Does.READ), "what is known is not read again"


async def test_another_ticket_with_our_reference_changes_nothing(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert())
        await side.tell()
        record = await side.there.backend.read("1")
        assert record is not None
        second = Record(number="2", reference=record.reference, status=TicketStatus.CLOSED)
        side.passes(minutes=1)
        assert await side.follower._see(second, side.there.server.clock()) == "strange"
        assert await side.incident() == ("open", 0)


# --- nothing that a person does is lost --------------------------------------------------------------------------------


async def declared(side: Both, count: int = 1) -> None:
    """So many tickets, all of them seen once."""
    for number in range(1, count + 1):
        await side.road.take(alert(fingerprint=f"f{number}", resource=f"web{number}"))
    await side.tell()
    await side.follow()


async def written(side: Both) -> list[str]:
    """What people wrote, as far as it came back."""
    return [text for _, kind, text in await side.notes() if kind == "wrote"]


async def test_who_took_a_ticket_between_two_polls_is_not_told_over(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.passes(seconds=10)
        side.face.person("1", status="in_progress")
        side.passes(seconds=10)
        await resolved(side)
        assert (await side.incident())[1] == 1
        (ticket,) = side.face.tickets()
        assert (ticket.status, len(ticket.notes)) == ("in_progress", 1)
        await quiet_over(side)
        await side.tell()
        assert side.face.tickets()[0].status == "in_progress"


async def test_a_ticket_closed_between_two_polls_ends_the_incident_though_we_told_something(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.passes(seconds=10)
        side.face.person("1", status="closed")
        side.passes(seconds=10)
        await side.road.take(alert(fingerprint="f2"))
        await side.tell()
        assert (await side.incident())[0] == "closed"


async def test_a_priority_set_between_two_polls_is_seen_and_stays(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.passes(seconds=10)
        side.face.person("1", priority="Low")
        side.passes(seconds=10)
        await resolved(side)
        assert side.face.tickets()[0].impact == "Low"
        assert ("remote", "seen_priority", "Priority Low.") in await side.notes()


async def test_an_impact_that_we_told_is_not_a_persons_priority(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert(severity=Severity.MINOR))
        await side.tell()
        await side.follow()
        side.there.server.script(Does.CHANGE, "lost")
        await side.road.take(alert(severity=Severity.CRITICAL))
        for _ in range(3):
            await side.tell()
            await side.follow()
        assert (side.face.tickets()[0].impact, await side.incident()) == ("Urgent", ("open", 0))


async def test_what_waits_for_a_ticket_that_a_person_has_taken_becomes_a_note(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await resolved(side)
        await side.follow()
        await quiet_over(side)
        side.face.person("1", status="in_progress", note="not yet")
        await side.follow()
        await side.tell()
        assert side.face.tickets()[0].status == "in_progress"
        assert await rows(side.store, "select action, state from deliveries order by id desc limit 1") == [
            ("note", "sent")
        ]


async def test_an_impact_that_rises_is_told_as_a_note_to_who_works_on_it(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert(severity=Severity.MINOR))
        await side.tell()
        await side.follow()
        side.face.person("1", status="in_progress", priority="Low")
        await side.follow()
        await side.road.take(alert(severity=Severity.CRITICAL))
        await side.tell()
        (ticket,) = side.face.tickets()
        assert (ticket.impact, "Impact raised" in ticket.notes[-1]) == ("Low", True)


async def test_what_is_back_before_its_closing_was_told_is_opened_again_if_a_person_has_closed_it(
    tmp_path: Path,
) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await resolved(side)
        await quiet_over(side)  # the closing waits
        side.face.person("1", status="closed")
        await side.follow()
        await side.road.take(alert())
        await side.tell()
        assert (await side.incident())[0] == "open"
        assert side.face.tickets()[0].status == "in_progress"


async def test_two_changes_within_one_second_are_both_seen(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.passes(seconds=40.2)
        side.face.person("1", note="first")
        await side.follower.come_round()
        side.passes(seconds=0.5)
        side.face.person("1", note="second")
        await side.follow()
        assert await written(side) == ["first", "second"]


async def test_a_ticket_that_is_named_again_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        read = side.there.backend.read

        async def meanwhile(number: str) -> Record | None:
            record = await read(number)
            side.there.backend.read = read
            side.face.person("1", note="just now")
            await side.follower.hear(["1"])
            return record

        side.there.backend.read = meanwhile
        await side.follower.hear(["1"])
        side.passes(seconds=10)
        await side.follower.come_round()
        assert await written(side) == []
        await side.follower.come_round()
        assert await written(side) == ["just now"]


async def test_what_a_person_did_while_the_opening_was_in_doubt_comes_back(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.there.server.script(Does.CREATE, "lost")
        await side.road.take(alert(fingerprint="f2", resource="web2"))
        await side.tell()
        side.face.person("2", note="mine", status="closed")
        for _ in range(4):
            await side.follow()
            side.face.person("1", note="the cursor goes on")
        await side.tell()
        await side.follow()
        assert "mine" in await written(side)
        assert (await side.incident())[0] == "closed"


async def test_a_closing_counts_whatever_else_does(tmp_path: Path) -> None:
    async with both(tmp_path, touch=frozenset({Touch.NOTE})) as side:
        await declared(side)
        side.face.person("1", status="closed")
        await side.follow()
        assert (await side.incident())[0] == "closed"


async def test_our_own_closing_is_no_persons_though_nobody_ever_learned_of_it(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        await resolved(side)
        await quiet_over(side)
        side.there.server.script(Does.CHANGE, "lost")
        await side.tell()
        await side.gives_up(Does.READ)
        assert await rows(side.store, "select action, state from deliveries where state = 'dead'") == [
            ("close", "dead")
        ]
        await side.follow()
        assert await side.incident() == ("closed", 0)
        assert await rows(side.store, "select status from tickets") == [("closed",)]


async def test_an_older_answer_than_the_last_one_changes_nothing(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        old = await side.there.backend.read("1")
        side.passes(seconds=10)
        side.face.person("1", status="in_progress")
        await side.follow()
        assert old is not None
        side.passes(seconds=10)
        assert await side.follower._see(old, side.there.server.clock()) == "later"
        assert await rows(side.store, "select status from tickets") == [("in_progress",)]


# --- one ticket's trouble is not the others' ---------------------------------------------------------------------------


def broken(side: Both, number: str, error: Exception) -> None:
    """From now on this ticket cannot be read."""
    read = side.there.backend.read

    async def some(wanted: str) -> Any:
        if wanted == number:
            raise error
        return await read(wanted)

    side.there.backend.read = some


@pytest.mark.parametrize(
    "error",
    [
        DeliveryError(Reason.UNREADABLE, "too long", retry=True),
        DeliveryError(Reason.UNAUTHORIZED, "403", retry=False, stops=True),
        DeliveryError(Reason.NO_ANSWER, "too slow", retry=True),
        KeyError("status"),
    ],
    ids=str,
)
@pytest.mark.parametrize("named", [False, True])
async def test_a_ticket_that_cannot_be_read_holds_up_no_other(tmp_path: Path, error: Exception, *, named: bool) -> None:
    async with both(tmp_path) as side:
        await declared(side, 2)
        for number in ("1", "2"):
            side.passes(seconds=10)
            side.face.person(number, note=f"on {number}")
        broken(side, "1", error)
        if named:
            await side.follower.hear(["1", "2"])
        side.passes(minutes=1)
        assert not await side.follower.tried()
        assert await written(side) == ["on 2"]
        del side.there.backend.read
        side.passes(minutes=1)
        await side.follower.tried()
        assert await written(side) == ["on 2", "on 1"]


async def test_a_system_in_trouble_is_asked_for_a_few_tickets_only(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side, 9)
        side.there.server.seen.clear()
        side.passes(seconds=10)
        side.follower._asked_at = side.there.server.clock()
        await side.follower.hear([str(number) for number in range(1, 10)])
        side.there.server.script(Does.READ, *["down"] * 9)
        await side.follower.tried()
        assert len(side.there.server.asked(Does.READ)) == 3


@pytest.mark.parametrize("fault", [KeyError("no such field"), NotImplementedError(), DeliveryError(Reason.REFUSED, "400", retry=False)])  # fmt: skip
async def test_a_fault_of_a_kind_ends_neither_the_loop_nor_what_is_named(tmp_path: Path, fault: Exception) -> None:
    async with both(tmp_path) as side:
        await declared(side)

        async def changes(_: object) -> list[Record]:
            raise fault

        side.there.backend.changes = changes
        side.passes(minutes=1)
        side.face.person("1", note="I look into it")
        stopping = asyncio.Event()
        running = asyncio.create_task(side.follower.run(stopping))
        await side.follower.hear(["1"])
        await until(lambda: written(side), 5, "the note to be read")
        assert not running.done()
        stopping.set()
        await running


async def test_a_time_from_the_future_hides_nothing(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side, 2)
        side.face.issues[1].updated_on = side.there.server.clock() + timedelta(days=3650)
        await side.follow()
        side.passes(minutes=10)
        side.face.person("2", note="today")
        await side.follow()
        assert await written(side) == ["today"]


async def test_a_clock_that_is_set_back_stops_no_poll(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.passes(hours=-3)
        side.there.server.seen.clear()
        await side.follower.come_round()
        assert side.there.server.asked(Does.LIST)


async def test_many_names_are_all_read_at_once_and_leave_nothing_behind(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        stopping = asyncio.Event()
        running = asyncio.create_task(side.follower.run(stopping))
        before = len(asyncio.all_tasks())
        for number in range(30):
            await side.follower.hear([f"strange {number}/{each}" for each in range(10)])
            await asyncio.sleep(0.002)

        async def none_left() -> bool:
            return not await rows(side.store, "select * from named_tickets")

        await until(none_left, 5, "all names to be looked at")
        assert len(asyncio.all_tasks()) <= before + 3, "a task is left behind for each name"
        stopping.set()
        await running


async def test_a_ticket_that_has_moved_is_known_by_its_old_number(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        issue = side.face.issues[1]
        side.face.issues[7] = issue
        issue.id = 7
        side.passes(minutes=1)
        side.face.person("7", note="moved it")
        await side.follow()
        assert await written(side) == ["moved it"]
        assert await rows(side.store, "select number from tickets") == [("1",)]


async def test_a_ticket_out_of_our_sight_that_a_webhook_named_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await declared(side)
        side.face.hidden.add(1)
        side.face.issues[2] = type(side.face.issues[1])(**{**vars(side.face.issues[1]), "id": 2})  # others are seen
        await side.follower.hear(["1"])
        await side.follow()
        assert await rows(side.store, "select count(*) from named_tickets") == [(0,)]
        assert (await side.incident())[0] == "open"

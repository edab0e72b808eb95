"""Two-way: what people do in the ticket system comes back, once, and what we told it ourselves is not mistaken for theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.core import Does
from following import both
from house import alert, rows
from tocsin.model import Record, RemoteNote, Status, TicketStatus
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
        (Record(number="1", notes=(note("28 processes\n(tocsin K7F3Q2/18)"),)), ("", ""), (), set()),
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

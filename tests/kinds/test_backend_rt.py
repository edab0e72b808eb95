"""What is Request Tracker's alone: fields that are lost in silence, sentences instead of errors, merged tickets, zones."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from deliveries import REFERENCE, delivery
from fakes.core import Does
from fakes.rt import IMPACT, TOKEN, Part
from kit import NOTE, World, told, world
from tocsin.backends import Level, kinds
from tocsin.backends._can import Can
from tocsin.backends.rt import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, Receipt, TicketStatus

if TYPE_CHECKING:
    from fakes.rt import Ticket

RT = kinds()["rt"]


def held(there: World, number: str = "1") -> Ticket:
    one: Ticket = there.server.face.held[int(number)]
    return one


async def findings(there: World) -> dict[str, tuple[Level, str]]:
    return {one.what: (one.level, one.told) for one in await there.backend.check() if one.level != Level.FINE}


# --- our reference ----------------------------------------------------------------------------------------------------


async def test_a_field_that_the_queue_does_not_have_stops_everything_before_a_ticket_is_made() -> None:
    async with world(RT, reference_field="nothere") as there:
        error = await there.fail(delivery(number=""))
        assert there.server.face.tickets() == []
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
    assert "'nothere'" in str(error)
    assert "grant SeeCustomField, or correct `reference_field`" in str(error)


async def test_that_nothing_was_found_by_a_field_that_is_not_there_is_no_licence_to_create() -> None:
    async with world(RT) as there:
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        there.server.face.rights.remove("SeeCustomField")
        there.server.clock.advance(hours=2)
        with pytest.raises(DeliveryError) as caught:
            await there.backend.find(REFERENCE)
        assert (caught.value.reason, caught.value.stops) == (Reason.MISCONFIGURED, True)
        there.server.face.rights.add("SeeCustomField")
        there.server.clock.advance(minutes=2)
        await there.tell(delivery(number="", attempts=3, uncertain=True))
        assert len(there.server.face.tickets()) == 1


async def test_tickets_that_were_not_asked_for_are_no_answer() -> None:
    async with world(RT) as there:
        await there.opened(reference="OTHER")
        there.server.face.honours = False
        error = await there.fail(delivery(number="", attempts=2, uncertain=True))
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
    assert "`reference_field`" in str(error)


async def test_a_reference_that_was_not_kept_is_said() -> None:
    async with world(RT) as there:
        there.server.face.rights -= {"SetInitialCustomField", "ModifyCustomField"}
        receipt = await there.opened()
        assert "did not keep our reference" in receipt.remark
        level, said = (await findings(there))["rights"]
    assert level == Level.ERROR
    assert "grant SetInitialCustomField and ModifyCustomField" in said


async def test_a_ticket_that_cannot_be_read_back_stands_all_the_same() -> None:
    async with world(RT) as there:
        there.server.script(Does.READ, "forbidden")
        receipt = await there.opened()
        assert receipt.number == "1"
        assert "cannot be read back" in receipt.remark


async def test_a_field_may_be_named_by_its_number() -> None:
    async with world(RT, reference_field="2") as there:
        there.server.face.known = {"2": "2"}
        receipt = await there.opened()
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.reference == REFERENCE


# --- statuses and impacts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("new", "declared"),
        ("open", "in_progress"),
        ("stalled", "waiting"),
        ("resolved", "closed"),
        ("rejected", "cancelled"),
        ("deleted", "cancelled"),
        ("of our own", "in_progress"),
    ],
)
async def test_each_status_of_rt_is_read_as_ours(state: str, status: str) -> None:
    async with world(RT) as there:
        await there.opened()
        held(there).status = state
        record = await there.backend.read("1")
    assert record is not None
    assert (record.status, record.state) == (status, state)


@pytest.mark.parametrize(
    ("priority", "impact"),
    [("0", "none"), ("19", "none"), ("20", "backup"), ("60", "degraded"), ("80", "severe"), ("99", "severe"), ("250", "interrupted"), ("-1", "none"), ("high", None)],
)  # fmt: skip
async def test_a_priority_of_people_reads_as_the_next_lower_impact(priority: str, impact: str | None) -> None:
    async with world(RT) as there:
        await there.opened()
        held(there).priority = priority
        record = await there.backend.read("1")
    assert record is not None
    assert record.impact == impact
    assert record.priority == priority


async def test_an_impact_may_have_a_field_and_then_leaves_the_priority_alone() -> None:
    async with world(RT, impact_field=IMPACT) as there:
        await there.opened()
        assert (held(there).fields[IMPACT], held(there).priority) == ("interrupted", "0")
        await there.tell(told("update", "1", body={"impact": Impact.DEGRADED}))
        assert (held(there).fields[IMPACT], held(there).priority) == ("degraded", "0")
        record = await there.backend.read("1")
    assert record is not None
    assert record.priority == "degraded", "so that a person's change of it is seen"


async def test_an_impact_that_its_field_does_not_have_is_an_error_with_rts_own_sentence() -> None:
    async with world(RT, impact_field=IMPACT, impacts={"none": "nil"}) as there:
        await there.opened()
        error = await there.fail(told("update", "1", body={"impact": Impact.NONE}))
        assert (error.reason, error.retry) == (Reason.REFUSED, False)
        assert "did not become 'nil'" in str(error)
        assert "Invalid value for custom field" in str(error)


async def test_a_repaired_status_of_ones_own_is_told() -> None:
    async with world(RT) as there:
        assert Can.REPAIRED in there.backend.lacks
    async with world(RT, statuses={"repaired": "fixed"}) as there:
        assert Can.REPAIRED not in there.backend.lacks
        await there.opened()
        error = await there.fail(told("update", "1", body={"status": TicketStatus.REPAIRED}))
    assert "is 'new' instead of 'fixed'" in str(error)
    assert "Status 'fixed' isn't a valid status for this ticket." in str(error)


async def test_a_step_that_the_life_cycle_forbids_is_an_error_and_its_note_stands_once() -> None:
    async with world(RT) as there:
        await there.opened()
        there.server.face.refuses = {"resolved"}
        error = await there.fail(told("close", "1"))
        assert (error.reason, error.retry) == (Reason.REFUSED, False)
        assert "is 'new' instead of 'resolved'; it says: Ticket 1: Permission Denied; allow the step" in str(error)
        there.server.face.refuses = set()
        await there.tell(told("close", "1", attempts=2))
        (ticket,) = there.server.face.tickets()
    assert ticket.status == "closed"
    assert len([note for note in ticket.notes if NOTE["en"] in note]) == 1


# --- notes ------------------------------------------------------------------------------------------------------------


async def kinds_of_notes(there: World) -> list[str]:
    return [one.kind for one in held(there).transactions if one.kind in ("Comment", "Correspond")]


async def test_notes_are_comments_unless_told_otherwise() -> None:
    async with world(RT) as there:
        await there.opened()
        await there.tell(told("note", "1"))
        assert await kinds_of_notes(there) == ["Comment"]


async def test_correspondence_leaves_a_ticket_as_new_as_it_was() -> None:
    async with world(RT, private_notes=False) as there:
        await there.opened()
        after = await there.tell(told("note", "1"))
        assert await kinds_of_notes(there) == ["Correspond"]
        assert held(there).status == "new"
        assert after.status == TicketStatus.DECLARED


async def test_correspondence_does_not_open_what_a_person_has_closed() -> None:
    async with world(RT, private_notes=False) as there:
        await there.opened()
        there.server.face.person("1", status="closed")
        await there.tell(told("note", "1"))
        assert held(there).status == "resolved"
        assert await kinds_of_notes(there) == ["Comment"]
        await there.tell(told("reopen", "1", id=19))
        assert held(there).status == "open"
        assert await kinds_of_notes(there) == ["Comment", "Correspond"]


async def test_closing_with_correspondence_closes() -> None:
    async with world(RT, private_notes=False) as there:
        await there.opened()
        await there.tell(told("close", "1"))
        assert held(there).status == "resolved"


async def test_a_note_that_may_not_be_added_waits_names_the_right_and_stops_nothing_else() -> None:
    async with world(RT) as there:
        await there.opened()
        there.server.face.rights.remove("CommentOnTicket")
        error = await there.fail(told("note", "1"))
    assert (error.reason, error.retry, error.stops) == (Reason.UNAUTHORIZED, True, False)
    assert "grant tocsin's user CommentOnTicket" in str(error)


async def test_what_people_write_is_read_as_text_and_files_are_not() -> None:
    async with world(RT) as there:
        await there.opened()
        words = "word " * 20_000
        one = delivery(number="", reference="LONG")
        await there.tell(replace(one, body=replace(one.body, description={"en": words, "fr": words})))
        there.server.face.person("2", note="disk &amp; fan<br>changed")
        face = there.server.face
        empty = face._write(held(there, "2"), "Comment", "ines", [])
        held(there, "2").parts.append(Part(face._next("part"), empty.id, "text/plain", "of a disk", "log.txt"))
        record = await there.backend.read("2")
    assert record is not None
    assert [note.text for note in record.notes] == ["LONG.txt\n(tocsin LONG/0)", "disk & fan\nchanged", ""]
    assert [note.actor for note in record.notes] == ["tocsin", "ines", "ines"]


async def test_notes_that_are_too_many_for_one_answer_are_read_one_by_one() -> None:
    async with world(RT) as there:
        await there.opened()
        for text in ("x" * 3_000_000, "y" * 6_000_000, "short"):
            there.server.face.person("1", note=text)
        record = await there.backend.read("1")
    assert record is not None
    assert [len(note.text) for note in record.notes] == [3_000_000, len("…"), 5], "the second one is too long by itself"


# --- titles -----------------------------------------------------------------------------------------------------------


async def test_a_title_is_cut_at_rts_bytes_and_stands_whole_in_the_text() -> None:
    title = "é" * 150
    async with world(RT) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, name={"en": title, "fr": title})))
        (ticket,) = there.server.face.tickets()
    assert ticket.title == "é" * 98 + "…"
    assert ticket.text.startswith(f"{title}\n\n28 processes")


async def test_a_title_of_two_hundred_bytes_is_not_cut() -> None:
    title = "é" * 100
    async with world(RT) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, name={"en": title, "fr": title})))
        (ticket,) = there.server.face.tickets()
    assert ticket.title == title
    assert ticket.text.startswith("28 processes")


# --- merged, moved, gone ----------------------------------------------------------------------------------------------


async def test_a_ticket_that_was_merged_is_still_found_and_counts_as_cancelled() -> None:
    async with world(RT) as there:
        await there.opened(reference="OTHER")
        await there.opened()
        there.server.face.merge("2", "1")
        (found,) = await there.backend.search(REFERENCE)
        record = await there.backend.read("2")
        again = await there.tell(delivery(number="", attempts=2, uncertain=True))
    assert found.number == again.number == "2"
    assert record is not None
    assert (record.reference, record.status, record.state) == (REFERENCE, TicketStatus.CANCELLED, "merged into 1")


async def test_a_ticket_that_was_merged_gets_notes_and_its_other_half_no_status() -> None:
    async with world(RT) as there:
        await there.opened(reference="OTHER")
        await there.opened()
        there.server.face.merge("2", "1")
        there.server.face.person("1", status="closed")
        after = await there.tell(told("reopen", "2"))
        assert after.status == TicketStatus.CANCELLED
        assert held(there, "1").status == "resolved"
        assert NOTE["en"] in held(there, "1").parts[-1].content


async def test_a_ticket_that_was_moved_out_of_sight_is_gone_and_stops_nothing() -> None:
    async with world(RT) as there:
        await there.opened(reference="OTHER")
        await there.opened()
        there.server.face.hidden = {2}
        error = await there.fail(told("note", "2"))
        with pytest.raises(DeliveryError, match="was moved out of tocsin's sight; grant its user ShowTicket"):
            await there.backend.read("2")
        assert (error.reason, error.retry, error.stops, error.doubts) == (Reason.NOT_FOUND, False, False, False)


async def test_where_no_ticket_is_seen_any_more_none_of_them_is_gone() -> None:
    async with world(RT) as there:
        await there.opened()
        there.server.face.rights.remove("ShowTicket")
        error = await there.fail(told("note", "1"))
    assert (error.reason, error.retry, error.stops) == (Reason.UNAUTHORIZED, True, False)
    assert "grant ShowTicket" in str(error)


# --- what changed -----------------------------------------------------------------------------------------------------


async def test_changes_are_found_where_pages_are_not_counted() -> None:
    async with world(RT) as there:
        there.server.face.counts, there.server.page = False, 2
        for number in range(5):
            await there.opened(reference=f"REF{number}")
        since = there.server.clock.advance(hours=1)
        for number in "1245":
            there.server.face.person(number, status="in_progress")
        records = await there.backend.changes(since - timedelta(seconds=1))
    assert {record.number for record in records} == set("1245")


async def test_changes_asked_by_a_field_that_is_not_there_are_an_error() -> None:
    async with world(RT, reference_field="nothere") as there:
        with pytest.raises(Exception, match="has no custom field 'nothere'"):
            await there.backend.changes(there.server.clock())


# --- how RT is asked --------------------------------------------------------------------------------------------------


async def test_a_user_with_a_password_is_as_good_as_a_token() -> None:
    async with world(RT, token_file="", user="tocsin", password_file="rt-token") as there:
        assert isinstance(await there.opened(), Receipt)
        (created,) = there.server.asked(Does.CREATE)
        assert created.headers["Authorization"].startswith("Basic ")
        assert {one.what for one in await there.backend.check()} >= {"user", "queue"}
        assert TOKEN.decode() not in repr(vars(there.backend))


async def test_a_requestor_is_named_where_one_is_wanted() -> None:
    async with world(RT, requestor="noc@example.net") as there:
        await there.opened()
        assert held(there).requestor == "noc@example.net"


@pytest.mark.parametrize(
    ("lost", "option", "words"),
    [
        ("SeeQueue", "queue", "grant SeeQueue"),
        ("CreateTicket", "queue", "grant CreateTicket"),
        ("SeeCustomField", "reference_field", "there is no custom field of the queue 'tocsin'"),
        ("CommentOnTicket", "private_notes", "grant CommentOnTicket"),
        ("ModifyTicket", "statuses", "grant ModifyTicket"),
    ],
)
async def test_a_check_names_the_right_that_is_missing(lost: str, option: str, words: str) -> None:
    async with world(RT) as there:
        await there.opened()
        there.server.clock.advance(hours=2)
        there.server.face.rights.remove(lost)
        found = await findings(there)
    assert words in found[option][1]


async def test_a_check_finds_that_there_is_no_such_queue_or_field() -> None:
    async with world(RT, queue="Nowhere") as there:
        assert "queue 'Nowhere' is not there" in (await findings(there))["queue"][1]
    async with world(RT, reference_field="tocsim", impact_field="Inpact") as there:
        found = await findings(there)
    assert "did you mean 'tocsin'?" in found["reference_field"][1]
    assert "did you mean 'Impact'?" in found["impact_field"][1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"token_file": ""}, "give either token_file, or user and password_file"),
        ({"user": "tocsin", "password_file": "rt-token"}, "give either token_file, or user and password_file"),
        ({"user": "tocsin"}, "user and password_file are given together"),
        ({"impacts": {"none": "low"}}, "impacts are priorities, whole numbers"),
        ({"reference_field": "x} OR id > 0"}, "reference_field"),
        ({"queue": ""}, "queue"),
        ({"token": "secret"}, "did you mean 'token_file'"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with world(RT, **options):
            pass


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"number": null}', b"[" * 100_000])
def test_a_message_that_names_no_ticket_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        heard(Payload(body=body))


def test_a_message_without_a_number_names_the_reference() -> None:
    assert heard(Payload(body=b'{"reference": "K7F3Q2"}')) == ["K7F3Q2"]

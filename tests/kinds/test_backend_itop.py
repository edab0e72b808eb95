"""What is iTop's alone: codes inside of a 200, stimuli and what they need, OQL, a life cycle whose end is final."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from deliveries import REFERENCE, SNAPSHOT, delivery
from fakes.core import Behaviour, Does
from kit import NOTE, World, told, world
from tocsin.backends import Level, kinds
from tocsin.backends._can import Can
from tocsin.backends._itop_rest import quoted
from tocsin.backends._itop_steps import TARGETS, steps
from tocsin.backends.itop import heard
from tocsin.errors import PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.itop import Ticket

ITOP = kinds()["itop"]
TITLED = {"reference_field": ""}
CLOCKS_SET_BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
"""When it is three in Paris, and two again."""


def held(there: World) -> Ticket:
    (one,) = there.server.face.held.values()
    return one


# --- the life cycle -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "target", "way"),
    [
        ("new", "assigned", ["ev_assign"]),
        ("new", "resolved", ["ev_assign", "ev_resolve"]),
        ("new", "closed", ["ev_assign", "ev_resolve", "ev_close"]),
        ("new", "pending", ["ev_assign", "ev_pending"]),
        ("escalated_tto", "resolved", ["ev_assign", "ev_resolve"]),
        ("escalated_ttr", "resolved", ["ev_resolve"]),
        ("assigned", "closed", ["ev_resolve", "ev_close"]),
        ("pending", "resolved", ["ev_assign", "ev_resolve"]),
        ("pending", "assigned", ["ev_assign"]),
        ("resolved", "closed", ["ev_close"]),
        ("resolved", "assigned", ["ev_reopen"]),
        ("resolved", "pending", ["ev_reopen", "ev_pending"]),
        ("closed", "assigned", ["ev_reopen"]),
        ("assigned", "new", []),
    ],
)
def test_a_way_leads_from_one_state_to_another(state: str, target: str, way: list[str]) -> None:
    assert steps(state, target) == way


@pytest.mark.parametrize("state", [*TARGETS, "escalated_tto", "escalated_ttr", "whatever"])
def test_no_way_leads_to_where_the_ticket_stands(state: str) -> None:
    if state in TARGETS:
        assert steps(state, state) == []


@pytest.mark.parametrize("seed", range(4))
async def test_every_step_is_made_once_through_any_weather(seed: int) -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        faults = {"ok": 4.0, "lost": 0.3, "limited": 0.3, "busy": 0.3, "dropped": 0.3, "down": 0.3, "failed": 0.3}
        there.server.plan.faults = {Behaviour(one): weight for one, weight in faults.items()}
        there.server.plan._dice = random.Random(seed)
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE}), tries=200)
        await there.tell(told("close", receipt.number, id=19), tries=200)
        assert held(there).status == "closed"
        assert [entry.message.rpartition("/")[2] for entry in held(there).entries] == ["18)", "19)"]


async def test_what_resolves_a_ticket_is_its_solution_and_the_note_stands_once() -> None:
    async with world(ITOP, resolution_code="hardware repair") as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        one = held(there)
    assert one.fields["solution"] == "28 processes now.<br>(tocsin K7F3Q2/18)"
    assert one.fields["resolution_code"] == "hardware repair"
    assert (one.fields["team_id"], one.fields["agent_id"]) == ("21", "11")
    assert [(entry.log, entry.message) for entry in one.entries] == [
        ("private_log", "28 processes now.\n(tocsin K7F3Q2/18)")
    ]


async def test_where_the_solution_is_plain_text_it_is_written_as_such() -> None:
    text = {"en": "28 < 30 & more", "fr": "28 < 30 & plus"}
    async with world(ITOP, rich_solution=False) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number, body={"notes": (text,)}))
        assert held(there).fields["solution"] == "28 < 30 & more\n(tocsin K7F3Q2/18)"


@pytest.mark.parametrize("minutes", range(-70, 130, 10))
async def test_no_change_is_missed_in_the_hour_that_comes_twice(minutes: int) -> None:
    async with world(ITOP) as there:
        there.server.clock.now = CLOCKS_SET_BACK - timedelta(hours=9)
        numbers = [(await there.opened(reference=f"REF{number}")).number for number in range(3)]
        there.server.clock.now = since = CLOCKS_SET_BACK + timedelta(minutes=minutes)
        expected = set()
        for number in numbers:
            there.server.face.person(number, status="in_progress")
            there.server.clock.advance(minutes=25)
            expected.add(number)
            assert {one.number for one in await there.backend.changes(since)} >= expected


async def test_a_ticket_that_was_resolved_while_nobody_had_it_is_opened_again_and_assigned() -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="repaired")  # as the incident it belongs to was resolved
        after = await there.tell(told("update", receipt.number))
        assert held(there).status == "assigned"
        assert (held(there).fields["team_id"], held(there).fields["agent_id"]) == ("21", "11")
    assert after.status == TicketStatus.IN_PROGRESS


async def test_the_reason_for_which_a_ticket_waits_is_plain_text() -> None:
    text = {"en": "28 < 30 & more", "fr": "28 < 30 & plus"}
    async with world(ITOP) as there:
        receipt = await there.opened()
        body = {"status": TicketStatus.WAITING, "notes": (text,)}
        await there.tell(told("update", receipt.number, body=body))
        assert held(there).fields["pending_reason"] == "28 < 30 & more\n(tocsin K7F3Q2/18)"


async def test_whom_a_person_assigned_stays_assigned() -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="waiting", assignee="Ines Martin")
        await there.tell(told("close", receipt.number))
    assert held(there).fields["agent_id"] == "12"


async def test_without_an_agent_itop_says_what_is_missing() -> None:
    async with world(ITOP, agent="", team="") as there:
        receipt = await there.opened()
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "Missing mandatory attribute(s) for applying the stimulus: team_id, agent_id" in str(error)


async def test_a_step_whose_own_conditions_fail_is_not_taken_for_done() -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        there.server.face.stuck.add("ev_resolve")
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "did not follow ev_resolve" in str(error)


async def test_closed_is_final_and_says_how_it_need_not_be() -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        error = await there.fail(told("reopen", receipt.number, id=19))
        assert held(there).status == "closed"
        assert Can.REOPEN in there.backend.lacks
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "closing: resolved" in str(error)


async def test_a_life_cycle_that_opens_closed_tickets_again_is_made_use_of() -> None:
    async with world(ITOP) as there:
        there.server.face.steps["closed", "ev_reopen"] = "assigned"
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        after = await there.tell(told("reopen", receipt.number, id=19))
    assert (held(there).status, after.status) == ("assigned", TicketStatus.IN_PROGRESS)


async def test_closing_may_end_with_resolved_and_is_then_opened_again() -> None:
    async with world(ITOP, closing="resolved") as there:
        receipt = await there.opened()
        assert set(there.backend.lacks) == {Can.REPAIRED}
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert held(there).status == "new"
        after = await there.tell(told("close", receipt.number, id=19))
        assert (held(there).status, after.status) == ("resolved", TicketStatus.CLOSED)
        await there.tell(told("reopen", receipt.number, id=20))
        assert held(there).status == "assigned"


async def test_a_relapse_after_resolved_is_assigned_again() -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert held(there).status == "resolved"
        await there.tell(told("reopen", receipt.number, id=19))
    assert held(there).status == "assigned"


async def test_opening_again_what_is_open_changes_nothing() -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        await there.tell(told("reopen", receipt.number))
    assert held(there).status == "new"


# --- where the reference stands ---------------------------------------------------------------------------------------------


async def test_without_an_attribute_the_reference_stands_in_the_title() -> None:
    async with world(ITOP, **TITLED) as there:
        await there.opened(reference="OTHER")
        there.server.script(Does.CREATE, "lost")
        receipt = await there.tell(delivery(number=""))
        since = there.server.clock.advance(hours=1)
        there.server.face.person(receipt.number, status="in_progress")
        records = await there.backend.changes(since)
        await there.tell(told("note", receipt.number))
        titles = [one.fields["title"] for one in there.server.face.held.values()]
    assert titles == [
        "Processes missing on vfcanubkpm01 [tocsin OTHER]",
        "Processes missing on vfcanubkpm01 [tocsin K7F3Q2]",
    ]
    assert [record.reference for record in records] == [REFERENCE]


async def test_a_long_title_is_cut_before_the_reference() -> None:
    long = {"en": "word " * 100, "fr": "mot " * 100}
    async with world(ITOP, **TITLED) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, name=long)))
        title = held(there).fields["title"]
    assert len(title) <= 255
    assert title.endswith("word … [tocsin K7F3Q2]")


async def test_a_title_that_lost_its_reference_is_not_ours_any_more() -> None:
    async with world(ITOP, **TITLED) as there:
        receipt = await there.opened()
        held(there).fields["title"] = "Processes missing"
        error = await there.fail(told("note", receipt.number))
    assert error.reason == Reason.MISMATCH


async def test_a_title_in_which_people_speak_of_another_is_still_ours() -> None:
    named = {"en": "not [tocsin OLD]", "fr": "pas [tocsin OLD]"}
    async with world(ITOP, **TITLED) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, name=named)))
        held(there).fields["title"] += " and [tocsin OTHER]"
        await there.tell(told("close", receipt.number))
        assert await there.backend.find("OTHER") is None
        assert held(there).fields["title"] == "not (tocsin OLD) [tocsin K7F3Q2] and [tocsin OTHER]"


@pytest.mark.parametrize("behaviour", ["down", "lost", "garbage"])
async def test_what_is_asked_before_a_ticket_is_made_leaves_no_doubt(behaviour: str) -> None:
    async with world(ITOP, ci_class="FunctionalCI") as there:
        there.server.script(Does.CHECK, behaviour)
        error = await there.fail(delivery(number=""))
        assert not there.server.asked(Does.CREATE)
    assert not error.doubts


async def test_a_ticket_that_is_refused_after_a_question_leaves_no_doubt() -> None:
    async with world(ITOP, ci_class="FunctionalCI") as there:
        there.server.script(Does.CREATE, "refused")
        error = await there.fail(delivery(number=""))
        assert there.server.asked(Does.CHECK), "by POST, as everything is asked there"
    assert (error.reason, error.doubts) == (Reason.REFUSED, False)


async def test_an_impact_that_a_person_changed_within_its_priority_is_not_told_over() -> None:
    async with world(ITOP) as there:
        receipt = await there.opened()
        record = await there.backend.read(receipt.number)
        there.server.face.person(receipt.number, priority="2/1")  # a priority of 1, as 1/1 has
        seen = {"stands": TicketStatus.DECLARED, "priority": "4 (1/1)"}
        error = await there.fail(told("update", receipt.number, **seen))
        assert not there.server.asked(Does.CHANGE)
    assert record is not None
    assert record.priority == seen["priority"]
    assert error.reason == Reason.TOUCHED


@pytest.mark.parametrize(("text", "oql"), [("a", "'a'"), ("L'Haÿ", r"'L\'Haÿ'"), ("a\\b", r"'a\\b'")])
def test_a_text_cannot_leave_its_quotes(text: str, oql: str) -> None:
    assert quoted(text) == oql


# --- codes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message", "reason", "retry", "stops"),
    [
        (1, "Error: Invalid login", Reason.UNAUTHORIZED, True, True),
        (5, "Error: Missing parameter 'auth_user'", Reason.UNAUTHORIZED, True, True),
        (2, "Error: Missing parameter 'version'", Reason.REFUSED, False, False),
        (10, "Error: There is no service available for version '1.3'", Reason.REFUSED, False, False),
        (11, "Error: Unknown verb 'core/create'", Reason.REFUSED, False, False),
        (100, "Error: Failed to issue SQL query: Deadlock found", Reason.UNAVAILABLE, True, False),
        ("100", "Error: something broke", Reason.UNAVAILABLE, True, False),
        (100, "Error: org_id: No item found with criteria", Reason.REFUSED, False, False),
        (100, "Error: Unexpected value for attribute 'title': String too long", Reason.REFUSED, False, False),
    ],
)
async def test_a_code_inside_is_judged(code: Any, message: str, reason: Reason, *, retry: bool, stops: bool) -> None:
    async with world(ITOP) as there:
        there.server.face.inside = lambda: web.json_response({"code": code, "message": message})
        there.server.script(Does.CREATE, "inside")
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry, error.stops) == (reason, retry, stops)
    assert message.removeprefix("Error: ")[:20] in str(error)


@pytest.mark.parametrize("objects", [None, []])
async def test_no_objects_are_none_found(objects: Any) -> None:
    async with world(ITOP) as there:
        answer = {"code": 0, "message": "Found: 0", "objects": objects}
        there.server.face.inside = lambda: web.json_response(answer)
        there.server.script(Does.SEARCH, "inside")
        assert await there.backend.search(REFERENCE) == []


# --- the rest ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "basic"},
        {"user": "", "password_file": "", "token_file": "itop-token"},
    ],
    ids=["basic", "token"],
)
async def test_who_we_are_is_proven_in_each_way(options: dict[str, Any]) -> None:
    async with world(ITOP, **options) as there:
        await there.opened()
        assert all(b"auth_pwd" not in seen.body for seen in there.server.seen)


@pytest.mark.parametrize(
    ("impact", "levels"),
    [("none", "3/4"), ("backup", "3/3"), ("degraded", "2/3"), ("severe", "2/2"), ("interrupted", "1/1")],
)
async def test_each_impact_is_an_impact_and_an_urgency(impact: str, levels: str) -> None:
    async with world(ITOP) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, impact=Impact(impact))))
        (ticket,) = there.server.face.tickets()
        record = await there.backend.read(ticket.number)
    assert ticket.impact == levels
    assert record is not None
    assert record.impact == impact


async def test_an_impact_may_be_told_otherwise() -> None:
    async with world(ITOP, impacts={"interrupted": "2/1"}) as there:
        await there.opened()
        (ticket,) = there.server.face.tickets()
    assert ticket.impact == "2/1"


@pytest.mark.parametrize(("reference", "element"), [("DF000J1ADE", "DF000J1ADE"), ("UNKNOWN", "")])
async def test_a_ticket_is_linked_to_the_item_that_is_named_as_its_element(reference: str, element: str) -> None:
    async with world(ITOP) as there:
        one = delivery(number="")
        named = replace(SNAPSHOT.element, reference=reference)
        await there.tell(replace(one, body=replace(one.body, element=named)))
        (ticket,) = there.server.face.tickets()
    assert ticket.element == element
    assert reference in ticket.text


async def test_notes_of_both_logs_are_read_oldest_first_each_with_an_identity() -> None:
    async with world(ITOP, log="public") as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        there.server.clock.advance(minutes=1)
        there.server.face.person(receipt.number, note="<p>fan &amp; disk</p>")
        held(there).entries[0].log = "private_log"
        record = await there.backend.read(receipt.number)
        again = await there.backend.read(receipt.number)
    assert record is not None
    assert again is not None
    assert NOTE["en"] in record.notes[0].text
    assert (record.notes[1].text, record.notes[1].actor) == ("fan & disk", "Ines Martin")
    assert [note.id for note in record.notes] == [note.id for note in again.notes]
    assert len({note.id for note in record.notes}) == 2


async def test_markup_in_texts_is_text() -> None:
    text = "<b>28</b> & more"
    async with world(ITOP) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, description={"en": text, "fr": text})))
    assert held(there).fields["description"].startswith("&lt;b&gt;28&lt;/b&gt; &amp; more")


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"organization": "Twice"}, {"organization": "more than one"}),
        ({"team": "Nobody"}, {"team": "there is no"}),
        ({"reference_field": "nowhere"}, {"reference_field": "nowhere"}),
        ({"ticket_class": "UserRequest"}, {"reference_field": "UserRequest"}),
    ],
)
async def test_a_check_says_what_is_missing(options: dict[str, Any], wrong: dict[str, str]) -> None:
    async with world(ITOP, **options) as there:
        findings = await there.backend.check()
    errors = {finding.what: finding.told for finding in findings if finding.level == Level.ERROR}
    assert set(errors) == set(wrong)
    assert all(words in errors[what] for what, words in wrong.items())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"user": "", "password_file": ""}, "give either user and password_file, or token_file"),
        ({"token_file": "itop-token"}, "give either user and password_file, or token_file"),
        ({"password_file": ""}, "given together"),
        ({"statuses": {"closed": "done"}}, "codes of iTop's states"),
        ({"impacts": {"none": "low"}}, "impacts"),
        ({"reference_field": "a b"}, "reference_field"),
        ({"ticket_class": "Incident WHERE 1"}, "ticket_class"),
        ({"zone": "Mars"}, "time zone"),
        ({"organization": ""}, "organization"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with world(ITOP, **options):
            pass


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"ref": []}'])
def test_a_webhook_that_names_no_ticket_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        heard(Payload(body=body))

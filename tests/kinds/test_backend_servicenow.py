"""ServiceNow beyond the kit: its states and impacts, what it drops in silence, its import sets, its ways to say no."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from msgspec.structs import replace
from pydantic import ValidationError

from deliveries import REFERENCE, delivery
from fakes.core import Behaviour, Does
from fakes.servicenow import STATES, sys_id
from kit import NOTE, World, answering, doubted, in_doubt, told, world
from tocsin.backends import Level, build, kinds
from tocsin.backends._http import Answer, Request
from tocsin.backends._servicenow_table import displayed_notes, judge
from tocsin.backends.servicenow import Options, heard
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Impact, Payload, TicketStatus
from tocsin.store.mint import mint

if TYPE_CHECKING:
    from fakes.servicenow import ServiceNow

KIND = kinds()["servicenow"]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BASIC = {
    "user": "tocsin.integration",
    "password_file": "servicenow-password",
    "client_id": "",
    "client_secret_file": "",
}
IMPORT = {"import_set": "u_tocsin_import", "import_prefix": "u_"}
LOGIN = {"url": "https://servicenow.example.net", "user": "tocsin", "password_file": "p"}


def face(there: World) -> ServiceNow:
    found = there.server.face
    assert found.KIND == "servicenow"
    return found  # type: ignore[return-value]


def sent(there: World, does: Does = Does.CHANGE) -> dict[str, Any]:
    return json.loads(there.server.asked(does)[-1].body)


# --- states and impacts -----------------------------------------------------------------------------------------------


async def test_closing_resolves_with_code_and_notes_and_leaves_the_last_step_to_the_instance() -> None:
    async with world(KIND, close_as="resolved") as there:
        receipt = await there.opened()
        after = await there.tell(told("close", receipt.number))
        assert face(there).incidents[0]["state"] == "6"
    assert after.status == TicketStatus.CLOSED
    asked = sent(there)
    assert (asked["state"], asked["close_code"], asked["close_notes"]) == ("6", "Solution provided", NOTE["en"])


async def test_where_closing_resolves_a_repaired_service_is_told_by_a_note_only() -> None:
    async with world(KIND, close_as="resolved") as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
    assert set(sent(there)) == {"work_notes"}


@pytest.mark.parametrize("ended", ["6", "7"])
async def test_where_closing_resolves_both_of_its_ends_are_closed_for_us(ended: str) -> None:
    async with world(KIND, close_as="resolved") as there:
        receipt = await there.opened()
        face(there).person(receipt.number, status=STATES[ended][1])
        record = await there.backend.read(receipt.number)
        assert record is not None
        assert record.status == TicketStatus.CLOSED
        there.server.seen.clear()
        await there.tell(told("close", receipt.number))
        assert not there.server.asked(Does.CHANGE)


@pytest.mark.parametrize("close_as", ["resolved", "closed"])
async def test_a_ticket_that_is_opened_again_is_in_progress_and_not_new(close_as: str) -> None:
    async with world(KIND, close_as=close_as) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        after = await there.tell(told("reopen", receipt.number, id=19))
    assert sent(there)["state"] == "2"
    assert after.status == TicketStatus.IN_PROGRESS


@pytest.mark.parametrize("status", ["in_progress", "waiting"])
async def test_a_ticket_that_somebody_has_begun_is_not_put_back_to_new(status: str) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).person(receipt.number, status=status)
        await there.tell(told("update", receipt.number))
    assert "state" not in sent(there)


@pytest.mark.parametrize(
    ("status", "state"),
    [("declared", "1"), ("in_progress", "2"), ("waiting", "3"), ("repaired", "6"), ("closed", "7"), ("cancelled", "8")],
)
async def test_states_are_read_by_their_numbers_and_told_in_the_words_people_see(status: str, state: str) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).person(receipt.number, status=status)
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert (record.status, record.state) == (status, STATES[state][0])


async def test_a_state_that_nobody_knows_reads_as_in_progress() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).incidents[0]["state"] = "10"
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.status == TicketStatus.IN_PROGRESS


async def test_a_ticket_that_waits_says_why() -> None:
    async with world(KIND, hold_reason="4") as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.WAITING}))
    assert (sent(there)["state"], sent(there)["hold_reason"]) == ("3", "4")


@pytest.mark.parametrize(
    ("impact", "pair"),
    [
        (Impact.INTERRUPTED, ("1", "1")),
        (Impact.SEVERE, ("1", "2")),
        (Impact.DEGRADED, ("2", "2")),
        (Impact.BACKUP, ("2", "3")),
        (Impact.NONE, ("3", "3")),
    ],
)
async def test_an_impact_is_told_as_impact_and_urgency_and_never_as_priority(
    impact: Impact, pair: tuple[str, str]
) -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, impact=impact)))
        record = await there.backend.read(receipt.number)
    asked = sent(there, Does.CREATE)
    assert (asked["impact"], asked["urgency"]) == pair
    assert "priority" not in asked
    assert record is not None
    assert record.impact == impact


async def test_impacts_may_be_told_otherwise() -> None:
    async with world(KIND, impacts={"interrupted": "2", "severe": "2/3"}) as there:
        await there.opened()
    assert (sent(there, Does.CREATE)["impact"], sent(there, Does.CREATE)["urgency"]) == ("2", "2")


# --- what it drops in silence -----------------------------------------------------------------------------------------


async def test_what_a_new_ticket_did_not_keep_is_told() -> None:
    async with world(KIND) as there:
        face(there).denied = {"category", "assignment_group"}
        receipt = await there.opened()
    assert "category ('inquiry' stands there)" in receipt.remark
    assert "assignment_group" in receipt.remark
    assert "caller_id" not in receipt.remark


async def test_a_reference_that_was_not_kept_is_told_whatever_else_went_wrong() -> None:
    async with world(KIND) as there:
        face(there).denied = {"correlation_id", "category"}
        receipt = await there.opened()
    assert "did not keep our reference K7F3Q2" in receipt.remark


async def test_a_ticket_that_lost_our_reference_is_not_made_again() -> None:
    async with world(KIND) as there:
        face(there).denied = {"correlation_id"}
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        there.server.clock.advance(minutes=5)
        error = await there.fail(delivery(number="", uncertain=True, attempts=2, doubted_at=NOW))
        assert len(face(there).incidents) == 1
        assert (error.reason, error.stops, error.doubts) == (Reason.MISCONFIGURED, True, False)
        assert "INC0010001 of portal is ours by its text, and has lost K7F3Q2" in str(error)
        face(there).denied = set()
        face(there).incidents[0]["correlation_id"] = REFERENCE
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=3, doubted_at=NOW))
    assert receipt.number == "INC0010001"


@pytest.mark.parametrize(
    "other",
    [{"sys_created_by": "ines.martin"}, {"correlation_id": "LATER"}, {"sys_created_on": "2026-11-19 09:00:00"}],
)
async def test_a_ticket_that_only_speaks_of_ours_stops_nothing(other: dict[str, str]) -> None:
    reference = mint()(NOW)
    async with world(KIND) as there:
        await there.opened(reference=reference)
        face(there).incidents[0] |= {"correlation_id": "", **other}
        await there.tell(in_doubt(reference=reference))
        assert len(face(there).incidents) == 2


async def test_an_impact_that_a_person_changed_within_its_priority_is_not_told_over() -> None:
    async with world(KIND, impacts={"severe": "1/3"}) as there:
        receipt = await there.opened(reference=REFERENCE)
        await there.tell(told("update", receipt.number, body={"impact": Impact.SEVERE}))
        record = await there.backend.read(receipt.number)
        face(there).person(receipt.number, priority="2/2")  # the priority stays 3
        seen = {"stands": TicketStatus.DECLARED, "priority": "3 - Moderate (1/3)"}
        error = await there.fail(told("update", receipt.number, id=19, **seen))
    assert record is not None
    assert record.priority == seen["priority"]
    assert error.reason == Reason.TOUCHED


async def test_an_impact_that_was_dropped_is_an_error() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).denied = {"impact", "urgency"}
        error = await there.fail(told("update", receipt.number, body={"impact": Impact.NONE}))
    assert error.reason == Reason.REFUSED
    assert "stayed 1 instead of 3" in str(error)


async def test_a_state_that_the_flow_forbids_is_an_error_that_says_what_to_do() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        face(there).flow = False
        error = await there.fail(told("reopen", receipt.number, id=19))
    assert (error.reason, error.retry, error.stops) == (Reason.REFUSED, False, False)
    assert "stayed 7 instead of 2" in str(error)
    assert "allow it for tocsin's account" in str(error)


async def test_a_note_that_a_closed_incident_dropped_is_an_error() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        face(there).person(receipt.number, status="closed")
        error = await there.fail(told("note", receipt.number, id=19))
    assert error.reason == Reason.REFUSED
    assert "takes no notes any more" in str(error)


@pytest.mark.parametrize("behaviour", [Behaviour.REFUSED, Behaviour.FORBIDDEN, Behaviour.DOWN])
async def test_a_note_counts_as_taken_where_reading_it_back_fails(behaviour: Behaviour) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).person(receipt.number, status="closed")
        there.server.script(Does.READ, "ok", "ok", behaviour)
        await there.tell(told("note", receipt.number), tries=1)


async def test_a_resolution_code_that_the_instance_does_not_have_is_refused_and_says_so() -> None:
    async with world(KIND, close_code="Solved (Permanently)") as there:
        receipt = await there.opened()
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.stops) == (Reason.REFUSED, False)
    assert "close_code" in str(error)


async def test_what_a_person_said_when_resolving_stays() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        one = face(there).incidents[0]
        one |= {"state": "6", "close_code": "Duplicate", "close_notes": "cable replaced"}
        await there.tell(told("close", receipt.number))
    assert (one["state"], one["close_code"], one["close_notes"]) == ("7", "Duplicate", "cable replaced")


# --- who and what -----------------------------------------------------------------------------------------------------


async def test_names_become_sys_ids_and_are_asked_for_once() -> None:
    async with world(KIND, caller="ines.martin@example.net", fields={"subcategory": "os"}) as there:
        await there.opened()
        await there.opened(reference="SECOND")
        asked = [seen.path for seen in there.server.asked(Does.CHECK)]
    body = sent(there, Does.CREATE)
    assert body["caller_id"] == sys_id("ines.martin")
    assert body["assignment_group"] == sys_id("Service Desk")
    assert body["subcategory"] == "os"
    assert len([path for path in asked if "/sys_user?" in path]) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"caller": "nobody"}, "caller_id is left empty: sys_user has none called 'nobody'"),
        ({"assignment_group": "Nobody"}, "assignment_group is left empty"),
        ({"cmdb_ci": "asset_tag"}, "cmdb_ci is left empty: cmdb_ci has none called 'DF000J1ADE' or"),
    ],
)
async def test_a_name_that_is_not_there_costs_no_ticket(options: dict[str, str], words: str) -> None:
    async with world(KIND, **options) as there:
        receipt = await there.opened()
        assert len(face(there).incidents) == 1
    assert words in receipt.remark


async def test_a_name_that_two_have_is_nobodys() -> None:
    async with world(KIND) as there:
        for row in face(there).tables["cmdb_ci"]:
            row["name"] = "vfcanubkpm01"
        receipt = await there.opened()
    assert "4 rows of cmdb_ci are called 'vfcanubkpm01'" in receipt.remark
    assert "cmdb_ci" not in sent(there, Does.CREATE)


async def test_a_name_that_would_be_run_as_a_script_is_not_asked_for() -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        element = replace(one.body.element, name="JavaScript:gs.sleep(9)", aliases=())
        await there.tell(replace(one, body=replace(one.body, element=element)))
        assert not [seen.path for seen in there.server.seen if "javascript" in seen.path.lower()]


async def test_a_table_that_is_not_there_stops_the_backend_and_ends_no_delivery() -> None:
    async with world(KIND, table="incidents") as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True, True)


async def test_a_table_of_options_that_is_not_there_stops_nothing() -> None:
    async with world(KIND, cmdb_ci_table="cmdb_ci_thing") as there:
        receipt = await there.opened()
        (finding,) = [one for one in await there.backend.check() if one.what == "cmdb_ci"]
    assert "cmdb_ci_thing cannot be read" in receipt.remark
    assert finding.level == Level.ERROR


async def test_a_table_that_may_not_be_read_stops_nothing() -> None:
    async with world(KIND) as there:
        face(there).closed_tables = {"sys_user", "cmdb_ci"}
        receipt = await there.opened()
    assert "sys_user cannot be read" in receipt.remark
    assert face(there).incidents[0]["correlation_id"] == REFERENCE


async def test_basic_authentication_will_do() -> None:
    async with world(KIND, **BASIC) as there:
        await there.opened()
        assert not there.server.asked(Does.LOGIN)
        assert face(there).incidents[0]["correlation_id"] == REFERENCE


async def test_a_token_is_asked_for_with_the_scope_that_the_instance_wants() -> None:
    async with world(KIND, scope="useraccount") as there:
        await there.opened()
    assert b"scope=useraccount" in there.server.asked(Does.LOGIN)[0].body


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"user": "", "password_file": ""}, "who tocsin works as is not clear"),
        ({"client_id": "x", "client_secret_file": "y"}, "who tocsin works as is not clear"),
        ({"password_file": ""}, "give `user` and `password_file`"),
        ({"fields": {"priority": 1}}, "priority is computed by ServiceNow"),
        ({"fields": {"correlation_id": "x"}}, "correlation_id is written by tocsin"),
        ({"impacts": {"none": "low"}}, "none: must be impact and urgency as numbers, such as '1/2'"),
        ({"impacts": {"none": "1/2/3"}}, "none: must be impact and urgency"),
        ({"table": "incident?x=1"}, "String should match pattern"),
        ({"close_as": "done"}, "Input should be 'resolved' or 'closed'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({**LOGIN, **options})
    assert words in str(caught.value)


# --- import sets --------------------------------------------------------------------------------------------------------


async def test_an_import_set_makes_the_ticket_and_its_number_is_looked_up() -> None:
    async with world(KIND, **IMPORT) as there:
        receipt = await there.opened()
        (ticket,) = face(there).tickets()
    assert (receipt.number, receipt.remark) == (ticket.number, "")
    assert ticket.reference == REFERENCE
    assert all(isinstance(value, str) for value in sent(there, Does.CREATE).values())


async def test_an_import_set_that_is_told_twice_makes_one_ticket() -> None:
    async with world(KIND, **IMPORT) as there:
        there.server.script(Does.CREATE, Behaviour.LOST)
        error = await there.fail(delivery(number=""))
        await there.tell(doubted(delivery(number=""), error, there))
        await there.opened()
        assert len(face(there).incidents) == 1


async def test_what_a_transform_map_refuses_is_refused() -> None:
    async with world(KIND, import_set="u_tocsin_import") as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "short_description is empty" in str(error)


async def test_a_row_that_a_transform_map_ignores_is_no_ticket() -> None:
    async with world(KIND, **IMPORT) as there:
        face(there).ignoring = True
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "ignored by onBefore script" in str(error)


async def test_a_row_that_is_ignored_because_its_ticket_stands_already_is_that_ticket() -> None:
    async with world(KIND, **IMPORT) as there:
        first = await there.opened()
        face(there).ignoring = True
        again = await there.opened()
    assert again.number == first.number


@pytest.mark.parametrize("behaviour", [Behaviour.REFUSED, Behaviour.FORBIDDEN, Behaviour.DOWN])
async def test_a_row_that_is_taken_counts_although_its_ticket_cannot_be_read_at_once(behaviour: Behaviour) -> None:
    async with world(KIND, **IMPORT) as there:
        there.server.script(Does.READ, behaviour)
        receipt = await there.opened()
        assert receipt.number == ""
        found = await there.backend.find(REFERENCE)
        assert len(there.server.asked(Does.CREATE)) == 1
    assert found is not None


async def test_a_row_that_is_transformed_later_gives_its_number_later() -> None:
    async with world(KIND, **IMPORT) as there:
        there.server.lag = timedelta(minutes=1)
        face(there).asynchronous = True
        receipt = await there.opened()
        assert receipt.number == ""
        there.server.clock.advance(minutes=2)
        found = await there.backend.find(REFERENCE)
    assert found is not None
    assert found.number == "INC0010001"


# --- reading ------------------------------------------------------------------------------------------------------------


async def test_notes_are_read_from_the_ticket_where_the_journal_is_closed_to_us() -> None:
    async with world(KIND) as there:
        face(there).journal_open = False
        receipt = await there.opened()
        there.server.script(Does.CHANGE, Behaviour.LOST)
        await there.tell(told("note", receipt.number))
        face(there).person(receipt.number, note="I look\n\ninto it")
        record = await there.backend.read(receipt.number)
        assert len(face(there).journal) == 2
    assert record is not None
    assert [(note.actor, note.text) for note in record.notes] == [
        ("Tocsin Integration", f"{NOTE['en']}\n(tocsin {REFERENCE}/18)"),
        ("Ines Martin", "I look\n\ninto it"),
    ]


def test_a_journal_in_a_form_that_is_not_known_is_one_note() -> None:
    (note,) = displayed_notes("am Montag schrieb jemand: (tocsin K7F3Q2/18)")
    assert "tocsin K7F3Q2/18" in note.text
    assert displayed_notes("") == ()


def test_entries_of_a_journal_keep_their_identity_when_others_follow() -> None:
    first = "2026-11-22 11:00:00 - Ines Martin (Additional comments)\nfirst\n\n"
    second = "22/11/2026 11:05:00 AM - Ines Martin (Commentaires)\nsecond\n\n"
    (alone,) = displayed_notes(first)
    assert displayed_notes(second + first)[0] == alone
    assert [note.text for note in displayed_notes(second + first)] == ["first", "second"]


async def test_what_the_account_may_not_see_hides_nothing_behind_it() -> None:
    async with world(KIND) as there:
        numbers = [(await there.opened(reference=f"REF{number}", id=number)).number for number in range(9)]
        there.server.page = 3
        face(there).hidden = set(numbers[:4])
        records = await there.backend.changes(NOW)
    assert {record.number for record in records} == set(numbers[4:])


async def test_tickets_of_other_integrations_are_none_of_ours() -> None:
    async with world(KIND) as there:
        await there.opened()
        face(there).incidents[0]["correlation_display"] = "jira"
        assert await there.backend.changes(NOW) == []


async def test_a_search_that_ignores_our_field_makes_nothing() -> None:
    async with world(KIND) as there:
        for number in range(101):
            face(there)._made({"correlation_id": f"X{number}", "short_description": "x"})
        face(there).deaf = True
        error = await there.fail(delivery(number="", uncertain=True, attempts=2))
        assert len(face(there).incidents) == 101
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)


@pytest.mark.parametrize("options", [{}, IMPORT])
async def test_the_first_version_of_the_table_api_says_none_in_its_own_way(options: dict[str, str]) -> None:
    async with world(KIND, **options) as there:
        face(there).first_version = True
        face(there).asynchronous = True
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=2))
        assert await there.backend.changes(NOW + timedelta(hours=1)) == []
        assert await there.backend.read("INC0099999") is None
        (ticket,) = face(there).tickets()
    assert receipt.number == ticket.number


async def test_a_ticket_that_this_account_may_not_see_is_not_made_again() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).hidden = {receipt.number}
        error = await there.fail(delivery(number="", uncertain=True, attempts=2))
        assert len(face(there).incidents) == 1
    assert (error.reason, error.retry, error.harmless) == (Reason.MISCONFIGURED, False, True)
    assert "1 tickets for K7F3Q2 that it does not show" in str(error)


@pytest.mark.parametrize("total", [None, "100000000"])
async def test_a_list_that_has_no_end_ends(total: str | None) -> None:
    at = {"display_value": "", "value": "2026-11-22 10:00:00"}
    row = {"number": "INC1", "sys_id": "0" * 32, "correlation_id": "K", "sys_updated_on": at}
    headers = {"X-Total-Count": total} if total else {}
    asked = 0

    async def endless(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"result": [row]}, headers=headers)

    async with world(KIND) as there, answering(endless) as url:
        options = {"url": url, "user": "tocsin", "password_file": "servicenow-password"}
        backend = build("servicenow", "portal", options, there.outside)
        if total:
            with pytest.raises(DeliveryError, match="pages of tickets"):
                await backend.changes(NOW)
        else:
            assert [record.number for record in await backend.changes(NOW)] == ["INC1"]
    assert asked <= 1_000


@pytest.mark.parametrize("key", [None, "", [], {"value": None}])
async def test_a_ticket_without_a_sys_id_is_none_of_the_apis(key: object) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"result": [{"number": "INC1", "sys_id": key, "correlation_id": REFERENCE}]})

    async with world(KIND) as there, answering(answer) as url:
        options = {"url": url, "user": "tocsin", "password_file": "servicenow-password"}
        backend = build("servicenow", "portal", options, there.outside)
        with pytest.raises(DeliveryError) as caught:
            await backend.find(REFERENCE)
    assert caught.value.reason == Reason.UNREADABLE


async def test_a_ticket_may_be_read_by_its_sys_id() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        record = await there.backend.read(face(there).incidents[0]["sys_id"])
    assert record is not None
    assert record.number == receipt.number


# --- texts --------------------------------------------------------------------------------------------------------------


async def test_what_a_journal_would_show_as_html_is_told_as_text() -> None:
    awkward = {"en": "[code]<b>x</b>[/CODE]", "fr": ""}
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number, body={"notes": (awkward,)}))
    assert sent(there)["work_notes"].startswith("[ code]<b>x</b>[ /CODE]")


async def test_characters_that_it_cannot_store_cost_no_text() -> None:
    awkward = {"en": "disk \N{FIRE} full", "fr": ""}
    async with world(KIND) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, name=awkward)))
        (ticket,) = face(there).tickets()
    assert ticket.title == "disk \N{REPLACEMENT CHARACTER} full"


async def test_notes_may_be_comments() -> None:
    async with world(KIND, notes="comments") as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
    assert set(sent(there)) == {"comments"}


# --- how it says no -------------------------------------------------------------------------------------------------------


def said(status: int, message: str, detail: str = "", **headers: str) -> Any:
    body = json.dumps({"error": {"message": message, "detail": detail}, "status": "failure"}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request("POST", "https://servicenow.example.net/api/now/table/incident")
    return judge(Answer(status, named, body), request, NOW)


@pytest.mark.parametrize(
    ("status", "message", "detail", "reason", "stops"),
    [
        (
            403,
            "Operation Failed",
            "Data Policy Exception: The following fields are mandatory: Caller",
            "refused",
            False,
        ),
        (
            403,
            "Operation Failed",
            "Operation against file 'incident' was aborted by Business Rule 'x'",
            "refused",
            False,
        ),
        (403, "Operation Failed", "ACL Exception Update Failed due to security constraints", "refused", False),
        (403, "Operation Failed", "ACL Exception Insert Failed due to security constraints", "unauthorized", True),
        (403, "User Not Authorized", "Failed API level ACL Validation", "unauthorized", True),
        (403, "Access to unscoped api is not allowed", "", "unauthorized", True),
        (400, "Invalid table incidents", "", "misconfigured", True),
        (400, "Exception while reading request", "The payload is not valid JSON", "refused", False),
        (404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval", "not_found", False),
        (429, "Rate limit exceeded", "", "rate_limited", False),
        (200, "Transaction cancelled: maximum execution time exceeded", "", "unavailable", False),
        (201, "Something else", "", "refused", False),
    ],
)
def test_each_way_to_say_no_is_understood(status: int, message: str, detail: str, reason: str, stops: bool) -> None:  # noqa: FBT001
    error = said(status, message, detail)
    assert (error.reason, error.stops) == (reason, stops)


def test_the_hours_allowance_is_waited_for_where_nothing_else_is_said() -> None:
    reset = str(int((NOW + timedelta(minutes=20)).timestamp()))
    assert said(429, "Rate limit exceeded", X_RateLimit_Reset=reset).after == timedelta(minutes=20)
    assert said(429, "Rate limit exceeded", X_RateLimit_Reset="soon").after is None
    assert said(429, "Rate limit exceeded", X_RateLimit_Reset=reset, Retry_After="5").after == timedelta(seconds=5)


def test_an_answer_that_only_looks_like_an_error_is_none() -> None:
    request = Request("POST", "https://servicenow.example.net")
    for body in (b'{"result": {"state": "error"}}', b'"error"', b'{"error"', b'["error"]'):
        assert judge(Answer(201, {}, body), request, NOW) is None


# --- checks and webhooks ------------------------------------------------------------------------------------------------


async def test_a_check_says_what_is_wrong_with_each_option() -> None:
    options = {"close_code": "Done", "category": "zzz", "caller": "nobody", "assignment_group": "Nobody"}
    async with world(KIND, **options, statuses={"waiting": "33"}) as there:
        await there.opened()
        findings = {finding.what: finding for finding in await there.backend.check()}
    assert {what for what, finding in findings.items() if finding.level == Level.ERROR} == {
        *options,
        "statuses",
    }
    assert "Solution provided (Solution provided)" in findings["close_code"].told
    assert "works as 'tocsin.integration'" in findings["client_id"].told


async def test_a_check_tells_what_may_not_be_read() -> None:
    async with world(KIND) as there:
        face(there).closed_tables = {"sys_choice", "cmdb_ci", "sys_user_group", "sys_user"}
        findings = {finding.what: finding.level for finding in await there.backend.check()}
    assert findings["close_code"] == Level.WARNING
    assert findings["client_id"] == Level.WARNING
    assert findings["cmdb_ci"] == findings["assignment_group"] == Level.ERROR


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"number": "INC1", "sys_id": "0" * 32, "correlation_id": "K7F3Q2"}, ["INC1", "K7F3Q2"]),
        ({"result": {"number": "INC1"}}, ["INC1"]),
        ({"incident": {"number": {"value": "INC1", "display_value": "INC1"}}}, ["INC1"]),
        ({"records": [{"number": "INC1"}, {"number": "INC2"}]}, ["INC1", "INC2"]),
        ({"correlation_id": "K7F3Q2", "number": ""}, ["K7F3Q2"]),
    ],
)
def test_a_webhook_names_its_tickets(body: Any, words: list[str]) -> None:
    assert heard(Payload(body=json.dumps(body).encode())) == words


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"sys_id": "1"}', b'{"number": []}', b"[" * 5000])
def test_a_webhook_that_names_no_ticket_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(PayloadError, match=r"^the message"):
        heard(Payload(body=body))

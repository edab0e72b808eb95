"""Freshservice beyond the kit: its numbers, its filter that cannot be relied upon, what it wants at the end."""

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
from fakes.freshservice import FIELD, KEY
from kit import NOTE, World, answering, doubted, told, world
from tocsin.backends import Level, build, kinds
from tocsin.backends.freshservice import Options, heard
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.freshservice import Freshservice

KIND = kinds()["freshservice"]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NEEDED = {
    "url": "https://example.freshservice.com",
    "key_file": "k",
    "requester": "s@example.net",
    "reference_field": "r",
}


def face(there: World) -> Freshservice:
    found = there.server.face
    assert found.KIND == "freshservice"
    return found  # type: ignore[return-value]


def sent(there: World, method: str) -> dict[str, Any]:
    return json.loads([seen for seen in there.server.seen if seen.method == method][-1].body)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("impact", "numbers"),
    [
        (Impact.INTERRUPTED, (3, 3, 4)),
        (Impact.SEVERE, (3, 2, 3)),
        (Impact.DEGRADED, (2, 2, 2)),
        (Impact.BACKUP, (2, 1, 1)),
        (Impact.NONE, (1, 1, 1)),
    ],
)
async def test_an_impact_is_told_as_impact_urgency_and_priority(impact: Impact, numbers: tuple[int, ...]) -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, impact=impact)))
        face(there).person(receipt.number, priority="2")  # as a priority matrix would
        record = await there.backend.read(receipt.number)
    asked = sent(there, "POST")
    assert (asked["impact"], asked["urgency"], asked["priority"]) == numbers
    assert record is not None
    assert (record.impact, record.priority) == (impact, f"2 ({numbers[0]}/{numbers[1]})")


async def test_an_impact_that_a_person_changed_within_its_priority_is_not_told_over() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).all[int(receipt.number)].fields |= {"impact": 1, "urgency": 2}
        seen = {"stands": TicketStatus.DECLARED, "priority": "4 (3/3)"}
        error = await there.fail(told("update", receipt.number, **seen))
        assert not there.server.asked(Does.CHANGE)
    assert error.reason == Reason.TOUCHED


@pytest.mark.parametrize("behaviour", ["down", "lost", "garbage"])
async def test_what_is_asked_before_a_ticket_is_made_leaves_no_doubt(behaviour: str) -> None:
    async with world(KIND, group="", asset="none", statuses={"declared": "Open"}) as there:
        there.server.script(Does.CHECK, behaviour)
        error = await there.fail(delivery(number=""))
        assert not there.server.asked(Does.CREATE)
    assert not error.doubts


async def test_impacts_may_be_told_otherwise() -> None:
    async with world(KIND, impacts={"interrupted": "2/3/4"}) as there:
        receipt = await there.opened()
        record = await there.backend.read(receipt.number)
    assert (sent(there, "POST")["impact"], sent(there, "POST")["urgency"]) == (2, 3)
    assert record is not None
    assert record.impact == Impact.INTERRUPTED


@pytest.mark.parametrize(
    ("number", "status"), [(2, "declared"), (3, "waiting"), (4, "repaired"), (5, "closed"), (7, "in_progress")]
)
async def test_statuses_are_read_by_their_numbers(number: int, status: str) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).all[1].fields["status"] = number
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert (record.status, record.state) == (status, str(number))


async def test_statuses_may_be_named() -> None:
    async with world(KIND, statuses={"repaired": "Service restored", "in_progress": "6"}) as there:
        face(there).statuses |= {6: "Working", 7: "Service restored"}
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        record = await there.backend.read(receipt.number)
    assert sent(there, "PUT") == {"status": 7}
    assert record is not None
    assert (record.status, record.state) == (TicketStatus.REPAIRED, "Service restored")


async def test_a_ticket_that_was_made_counts_although_its_status_cannot_be_called_by_name() -> None:
    async with world(KIND, statuses={"repaired": "Service restored"}) as there:
        face(there).forbidden_paths = ("/api/v2/ticket_form_fields",)
        receipt = await there.opened()
        assert len(there.server.asked(Does.CREATE)) == 1
    assert (receipt.number, receipt.status) == ("1", TicketStatus.DECLARED)


async def test_a_status_that_is_not_there_stops_before_anything_is_made() -> None:
    async with world(KIND, statuses={"declared": "Brand new"}) as there:
        error = await there.fail(delivery(number=""))
        assert not face(there).all
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
    assert "has no ticket status 'Brand new'" in str(error)


async def test_where_closing_resolves_a_repaired_service_is_told_by_a_note_only() -> None:
    async with world(KIND, close_as="resolved") as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert face(there).all[1].fields["status"] == 2
        after = await there.tell(told("close", receipt.number, id=19))
        assert face(there).all[1].fields["status"] == 4
    assert after.status == TicketStatus.CLOSED


async def test_a_ticket_that_waits_is_not_put_back_to_open() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).person(receipt.number, status="waiting")
        await there.tell(told("update", receipt.number))
        assert face(there).all[1].fields["status"] == 3


# --- finding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["lag", "no texts"])
async def test_a_ticket_that_the_filter_does_not_find_is_found_among_the_requesters_latest(how: str) -> None:
    async with world(KIND) as there:
        there.server.lag = timedelta(days=1) if how == "lag" else timedelta(0)
        face(there).texts_filtered = how == "lag"
        there.server.script(Does.CREATE, Behaviour.LOST)
        error = await there.fail(delivery(number=""))
        receipt = await there.tell(doubted(delivery(number=""), error, there))
        assert list(face(there).all) == [int(receipt.number)]


async def test_where_the_filter_takes_no_texts_days_are_looked_through() -> None:
    async with world(KIND) as there:
        await there.opened()
        there.server.clock.advance(days=6)
        assert await there.backend.find(REFERENCE) is not None
        face(there).texts_filtered = False
        assert await there.backend.find(REFERENCE) is not None
        (ask,) = there.server.asked(Does.LIST)
    assert "email=supervision@example.net" in ask.path
    assert "updated_since=2026-11-20T10:00:00Z" in ask.path


async def test_a_filter_that_never_found_a_text_is_not_trusted_with_finding_none() -> None:
    async with world(KIND) as there:
        face(there).texts_found = False
        there.server.script(Does.CREATE, Behaviour.LOST)
        error = await there.fail(delivery(number=""))
        there.server.clock.advance(hours=30)
        receipt = await there.tell(doubted(delivery(number=""), error, there))
        assert list(face(there).all) == [int(receipt.number)]


async def test_a_filter_that_has_found_a_text_is_asked_for_more_than_the_last_hour() -> None:
    async with world(KIND) as there:
        await there.opened()
        there.server.clock.advance(days=2)
        assert await there.backend.find("OTHER") is None
        assert await there.backend.find(REFERENCE) is not None
        assert await there.backend.find("OTHER") is None
        days, hour = there.server.asked(Does.LIST)
    assert "updated_since=2026-11-16T10:00:00Z" in days.path
    assert "updated_since=2026-11-24T09:00:00Z" in hour.path


@pytest.mark.parametrize("made", [True, False])
async def test_a_requester_that_the_list_does_not_know_is_no_reason_to_give_up(made: bool) -> None:  # noqa: FBT001
    async with world(KIND, requester="agent@example.net") as there:
        there.server.script(Does.CREATE, Behaviour.LOST if made else Behaviour.DOWN)
        error = await there.fail(delivery(number=""))
        face(there).requesters.pop("agent@example.net", None)  # an agent is nobody's contact
        face(there).texts_filtered = False
        receipt = await there.tell(doubted(delivery(number=""), error, there))
        assert list(face(there).all) == [int(receipt.number)]


async def test_a_list_that_has_no_end_says_nothing_of_what_is_not_there() -> None:
    async def endless(request: web.Request) -> web.Response:
        if request.path.endswith("/filter"):
            return web.json_response({"tickets": [], "total": 0})
        return web.json_response({"tickets": [{"id": 1, "status": 2, "custom_fields": {}}] * 100})

    async with world(KIND) as there, answering(endless) as url:
        backend = build("freshservice", "portal", {**there.server.face.options(), "url": url}, there.outside)
        for ask in (backend.find(REFERENCE), backend.changes(NOW)):
            with pytest.raises(DeliveryError) as caught:
                await ask
            assert (caught.value.reason, caught.value.stops) == (Reason.MISCONFIGURED, True)


async def test_every_page_of_the_latest_is_looked_through() -> None:
    async with world(KIND) as there:
        for number in range(7):
            await there.opened(reference=f"REF{number}", id=number)
        there.server.page, face(there).texts_filtered = 2, False
        found = await there.backend.find("REF6")
    assert found is not None
    assert found.number == "7"


async def test_another_workspaces_tickets_are_not_ours() -> None:
    async with world(KIND) as there:
        await there.opened()
        face(there).all[1].fields["workspace_id"] = 2
        assert await there.backend.find(REFERENCE) is None
        assert await there.backend.changes(NOW) == []


async def test_a_ticket_in_the_trash_is_gone() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).forget(receipt.number)
        assert await there.backend.read(receipt.number) is None
        assert await there.backend.read("no number") is None


@pytest.mark.parametrize("number", ["x", "", None, -1, "../2"])
async def test_a_ticket_without_a_number_is_none_of_the_apis(number: object) -> None:
    async def answer(_: web.Request) -> web.Response:
        ticket = {"id": number, "status": 2, "custom_fields": {FIELD: REFERENCE}}
        return web.json_response({"tickets": [ticket]})

    async with world(KIND) as there, answering(answer) as url:
        backend = build("freshservice", "portal", {**there.server.face.options(), "url": url}, there.outside)
        with pytest.raises(DeliveryError) as caught:
            await backend.find(REFERENCE)
    assert caught.value.reason == Reason.UNREADABLE


# --- what it wants --------------------------------------------------------------------------------------------------------


async def test_what_the_account_wants_at_the_end_goes_with_closing() -> None:
    fields = {"custom_fields": {"cause": "network"}, "resolution_notes": "Restored"}
    async with world(KIND, close_fields=fields) as there:
        face(there).wanted_at_the_end = ("cause",)
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        assert face(there).all[1].custom_fields == {FIELD: REFERENCE, "cause": "network", "customers": None}
        await there.tell(told("reopen", receipt.number, id=19))
    assert sent(there, "PUT") == {"status": 2}


async def test_a_closing_that_lacks_a_field_is_refused_and_names_it() -> None:
    async with world(KIND) as there:
        face(there).wanted_at_the_end = ("cause",)
        receipt = await there.opened()
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "cause" in str(error)


async def test_a_status_that_a_rule_sets_back_is_an_error() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).stuck = True
        error = await there.fail(told("close", receipt.number))
    assert error.reason == Reason.REFUSED
    assert "stayed in status 2 instead of 5" in str(error)


async def test_further_fields_are_told_as_they_are() -> None:
    options = {
        "fields": {"department_id": 7},
        "custom_fields": {"customers": 3},
        "source": 14,
        "requester": "1000000675",
    }
    async with world(KIND, **options, item_category="Probe", notes="public") as there:
        receipt = await there.opened()
        asked = sent(there, "POST")
        await there.tell(told("note", receipt.number))
    assert asked["custom_fields"] == {"customers": 3, FIELD: REFERENCE}
    assert (asked["department_id"], asked["source"], asked["requester_id"]) == (7, 14, 1000000675)
    assert asked["item_category"] == "Probe"
    assert "email" not in asked
    assert sent(there, "POST")["private"] is False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group": "Nobody"}, "the ticket has no group: there is none called 'Nobody'"),
        ({"asset": "serial_number"}, "the ticket has no asset: none has the serial_number 'DF000J1ADE' or"),
    ],
)
async def test_a_name_that_is_not_there_costs_no_ticket(options: dict[str, str], words: str) -> None:
    async with world(KIND, **options) as there:
        receipt = await there.opened()
        assert len(face(there).all) == 1
    assert words in receipt.remark


async def test_an_asset_name_that_two_have_is_nobodys() -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        element = replace(one.body.element, name="twin", aliases=("10.0.0.0/8", "vfcan*"))
        receipt = await there.tell(replace(one, body=replace(one.body, element=element)))
    assert "2 have the name 'twin'" in receipt.remark
    assert "assets" not in sent(there, "POST")


async def test_an_asset_is_the_one_of_exactly_that_name() -> None:
    async with world(KIND, asset="asset_tag") as there:
        await there.opened()
        one = delivery(number="", reference="SECOND")
        element = replace(one.body.element, reference="ASSET-1", name="", aliases=())
        receipt = await there.tell(replace(one, body=replace(one.body, element=element)))
        assert face(there).all[1].fields["assets"] == [{"display_id": 8}]
    assert "none has the asset_tag 'ASSET-1'" in receipt.remark


async def test_what_the_agent_may_not_read_stops_nothing() -> None:
    async with world(KIND) as there:
        face(there).forbidden_paths = ("/api/v2/groups", "/api/v2/assets")
        receipt = await there.opened()
        assert len(face(there).all) == 1
    assert "they cannot be read (unauthorized)" in receipt.remark
    assert "assets cannot be read (unauthorized)" in receipt.remark


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"impacts": {"none": "low"}}, "none: must be impact, urgency and priority as numbers, such as '3/2/3'"),
        ({"fields": {"priority": 1}}, "priority is written by tocsin: leave it out"),
        ({"reference_field": "tocsin reference"}, "String should match pattern"),
        ({"requester": ""}, "at least 1 character"),
        ({"asset": "colour"}, "Input should be 'none', 'name'"),
        ({"workspace_id": -1}, "greater than or equal to 0"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({**NEEDED, **options})
    assert words in str(caught.value)


# --- texts ----------------------------------------------------------------------------------------------------------------


async def test_texts_are_told_as_html_and_never_interpreted() -> None:
    awkward = {"en": "a < b & <b>bold</b>\nnext", "fr": ""}
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number, body={"notes": (awkward,)}))
        record = await there.backend.read(receipt.number)
    assert sent(there, "POST")["body"].startswith("a &lt; b &amp; &lt;b&gt;bold&lt;/b&gt;<br>next<br>(tocsin ")
    assert record is not None
    assert record.notes[0].text == f"{awkward['en']}\n(tocsin {REFERENCE}/18)"


async def test_all_conversations_come_back_oldest_first() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        for number in range(5):
            there.server.clock.advance(seconds=1)
            face(there).person(receipt.number, note=f"note {number}")
        face(there).all[1].conversations.reverse()
        there.server.page = 2
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text for note in record.notes] == [f"note {number}" for number in range(5)]


# --- checks and webhooks ----------------------------------------------------------------------------------------------------


async def test_a_check_says_what_is_wrong_with_each_option() -> None:
    options = {"group": "Service Dsk", "reference_field": "tocsin", "requester": "nobody@example.net"}
    async with world(KIND, **options, statuses={"repaired": "Restored"}) as there:
        findings = await there.backend.check()
    wrong = {finding.what: finding.told for finding in findings if finding.level == Level.ERROR}
    assert wrong.keys() == {"group", "statuses", "reference_field"}
    assert "has no field 'tocsin'; it has " in wrong["reference_field"]
    assert "did you mean 'Service Desk'" in wrong["group"]
    assert [finding.level for finding in findings if finding.what == "requester"] == [Level.WARNING]


async def test_a_check_tells_that_the_filter_does_not_take_the_field() -> None:
    async with world(KIND) as there:
        face(there).texts_filtered = False
        findings = await there.backend.check()
    assert any("looked through instead" in finding.told for finding in findings if finding.level == Level.WARNING)


async def test_a_check_tells_what_may_not_be_read() -> None:
    async with world(KIND) as there:
        face(there).forbidden_paths = ("/api/v2/ticket_form_fields", "/api/v2/groups", "/api/v2/requesters")
        findings = {finding.what for finding in await there.backend.check() if finding.level == Level.WARNING}
    assert findings == {"reference_field", "group", "requester"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"ticket_id": "INC-266"}, ["266"]),
        ({"ticket_id": "#INC-266", "reference": "K7F3Q2"}, ["266", "K7F3Q2"]),
        ({"ticket": {"id": 266}}, ["266"]),
        ({"freshdesk_webhook": {"ticket_id": "266"}}, ["266"]),
        ({"data": {"ticket": {"id": 266, "requester": {"id": 9}}}}, ["266"]),
    ],
)
def test_a_webhook_names_its_tickets(body: Any, words: list[str]) -> None:
    assert heard(Payload(body=json.dumps(body).encode())) == words


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"ticket": 7}', b'{"id": null}', b"[" * 5000])
def test_a_webhook_that_names_no_ticket_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(PayloadError, match=r"^the message"):
        heard(Payload(body=body))


async def test_a_note_is_told_with_its_mark() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
    assert sent(there, "POST")["body"] == f"{NOTE['en']}<br>(tocsin {REFERENCE}/18)"


async def test_what_is_no_secret_is_not_struck_out_of_errors() -> None:
    async with world(KIND) as there:
        there.server.script(Does.CREATE, Behaviour.UNAUTHORIZED)
        error = await there.fail(delivery(number=""))
    assert KEY.decode() not in str(error)
    assert "(***:X)" in str(error)


async def test_a_note_is_not_written_again_when_a_later_step_was_put_off() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        there.server.script(Does.CHANGE, "ok", "limited")
        await there.tell(told("close", receipt.number))
        (ticket,) = face(there).tickets()
    assert (ticket.status, len(ticket.notes)) == ("closed", 1)

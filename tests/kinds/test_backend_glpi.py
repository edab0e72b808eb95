"""What is GLPI's alone: two APIs, sessions that end, arrays as errors, solutions, a server that lives in a zone."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from msgspec.structs import replace

from deliveries import REFERENCE, SNAPSHOT, delivery
from fakes.core import Behaviour, Does
from fakes.glpi import CLIENT_SECRET, PASSWORD
from kit import NOTE, World, told, world
from tocsin.backends import Level, kinds
from tocsin.backends._can import Can
from tocsin.backends.glpi import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.glpi import Ticket

GLPI = kinds()["glpi"]
SECOND = {
    "api": 2,
    "user_token_file": "",
    "app_token_file": "",
    "client": "tocsin-client",
    "client_secret_file": "glpi-client-secret",
    "user": "tocsin",
    "password_file": "glpi-password",
}
CLOCKS_SET_BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
"""When it is three in Paris, and two again."""
BOTH = pytest.mark.parametrize("api", [{}, SECOND], ids=["first", "second"])


def held(there: World) -> Ticket:
    (one,) = there.server.face.held.values()
    return one


# --- both APIs ----------------------------------------------------------------------------------------------------------


@BOTH
async def test_a_ticket_lives_from_its_opening_to_a_relapse(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"impact": Impact.DEGRADED}))
        assert (held(there).impact, held(there).urgency) == (3, 3)
        there.server.clock.advance(minutes=1)
        await there.tell(told("update", receipt.number, id=19, body={"status": TicketStatus.REPAIRED}))
        assert held(there).status == 5
        there.server.clock.advance(minutes=1)
        after = await there.tell(told("close", receipt.number, id=20))
        assert (held(there).status, after.status) == (6, TicketStatus.CLOSED)
        after = await there.tell(told("reopen", receipt.number, id=21))
        assert (held(there).status, after.status) == (2, TicketStatus.IN_PROGRESS)
        record = await there.backend.read(receipt.number)
    assert held(there).externalid == REFERENCE
    assert [note.kind for note in held(there).notes] == ["ITILFollowup", "ITILSolution", "ITILFollowup", "ITILFollowup"]
    assert record is not None
    assert [f"/{number})" in note.text for number, note in enumerate(record.notes, 18)] == [True] * 4


@BOTH
async def test_an_exact_reference_is_found_whatever_its_case_there(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        await there.opened(reference=REFERENCE.lower())
        await there.opened(reference=f"{REFERENCE}9")
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=2))
        assert there.server.face.held[int(receipt.number)].externalid == REFERENCE


@BOTH
@pytest.mark.parametrize("behaviour", ["lost", "half", "failed", "garbage", "wrong", "empty", "malformed", "giant"])
async def test_no_lost_answer_makes_a_second_ticket_or_note(api: dict[str, Any], behaviour: str) -> None:
    async with world(GLPI, **api) as there:
        there.server.script(Does.CREATE, behaviour)
        receipt = await there.tell(delivery(number=""))
        there.server.script(Does.CHANGE, behaviour)
        await there.tell(told("close", receipt.number))
        assert held(there).status == 6
        assert len([note for note in held(there).notes if NOTE["en"] in note.content]) == 1


@BOTH
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_note_stands_once_through_any_weather(api: dict[str, Any], seed: int) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        faults = {"ok": 4.0, "lost": 0.3, "limited": 0.3, "busy": 0.3, "dropped": 0.3, "down": 0.3}
        there.server.plan.faults = {Behaviour(one): weight for one, weight in faults.items()}
        there.server.plan._dice = random.Random(seed)
        steps = [("update", {"impact": Impact.NONE}), ("update", {"status": TicketStatus.REPAIRED}), ("close", {})]
        for number, (action, body) in enumerate(steps, 18):
            await there.tell(told(action, receipt.number, id=number, body=body), tries=200)
        marks = [f"/{number})" for number in range(18, 21)]
        assert [sum(mark in note.content for note in held(there).notes) for mark in marks] == [1, 1, 1]


@BOTH
async def test_what_changed_is_told_in_our_time(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        numbers = [(await there.opened(reference=f"REF{number:03}")).number for number in range(12)]
        there.server.page = 5
        since = there.server.clock.advance(hours=3)
        for number in numbers[2:10]:
            there.server.face.person(number, status="in_progress", assignee="ines.martin")
        there.server.face.make({"content": "not ours"}, "")
        records = await there.backend.changes(since)
    assert {record.number for record in records} == set(numbers[2:10])
    assert {record.changed_at for record in records} == {since}


@BOTH
@pytest.mark.parametrize("minutes", range(-70, 130, 10))
async def test_no_change_is_missed_in_the_hour_that_comes_twice(api: dict[str, Any], minutes: int) -> None:
    async with world(GLPI, **api) as there:
        there.server.clock.now = CLOCKS_SET_BACK - timedelta(hours=9)
        numbers = [(await there.opened(reference=f"REF{number}")).number for number in range(3)]
        there.server.clock.now = since = CLOCKS_SET_BACK + timedelta(minutes=minutes)
        expected = []
        for number in numbers:
            there.server.face.person(number, status="in_progress")
            there.server.clock.advance(minutes=25)
            expected.append(number)
            assert {one.number for one in await there.backend.changes(since)} == set(expected)


@BOTH
async def test_a_ticket_from_the_end_of_time_is_told_as_any_other(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        held(there).changed_at = datetime(9999, 12, 31, 22, 59, 59, tzinfo=UTC)
        (record,) = await there.backend.changes(there.server.clock())
    assert record.number == receipt.number


@BOTH
@pytest.mark.parametrize("number", ["9" * 5_000, "x", "\N{ARABIC-INDIC DIGIT THREE}", "-1"])
async def test_a_number_that_is_none_is_said_in_a_sentence(api: dict[str, Any], number: str) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        held(there).notes[0].id = number
        with pytest.raises(DeliveryError, match="no whole number"):
            await there.backend.read(receipt.number)


@BOTH
async def test_a_token_that_ended_is_taken_anew_and_one_that_is_never_good_stops(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        await there.opened()
        there.server.face.sessions.clear()
        there.server.face.tokens.clear()
        await there.opened(reference="SECOND")
        assert len(there.server.asked(Does.LOGIN)) == 2
        there.server.script(Does.CREATE, "unauthorized", "unauthorized")
        error = await there.fail(delivery(number="", reference="THIRD"))
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)


@BOTH
async def test_a_ticket_moved_to_another_entity_stops_nothing_but_its_own_delivery(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        there.server.face.unseen.add(held(there).id)
        error = await there.fail(told("note", receipt.number))
    reason, words = (Reason.NOT_FOUND, "no ticket") if api else (Reason.REFUSED, "not to be seen")
    assert (error.reason, error.retry, error.stops) == (reason, False, False)
    assert words in str(error)


@BOTH
@pytest.mark.parametrize("action", ["note", "close", "update"])
async def test_a_ticket_that_may_not_be_changed_stops_nothing_but_its_own_delivery(
    api: dict[str, Any], action: str
) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        there.server.face.locked.add(held(there).id)
        error = await there.fail(told(action, receipt.number, body={"impact": Impact.NONE}))
        await there.opened(reference="ANOTHER")
    assert (error.reason, error.retry, error.stops) == (Reason.REFUSED, False, False)
    assert "permission" in str(error)


@BOTH
async def test_what_an_entity_closes_at_once_is_told_as_closed(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        there.server.face.closes_at_once = True
        receipt = await there.opened()
        after = await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert held(there).status == 6
    assert after.status == TicketStatus.CLOSED


@BOTH
async def test_a_step_that_moves_the_ticket_out_of_our_sight_is_done(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        there.server.face.moves = True
        after = await there.tell(told("close", receipt.number))
        assert held(there).status == 6
    assert after.status == TicketStatus.CLOSED


@BOTH
async def test_a_step_that_the_life_cycle_forbids_is_an_error_with_what_to_do(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        there.server.face.forbidden_steps.add((5, 6))
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "'5 Solved' instead of '6 Closed'" in str(error)
    assert "life cycle" in str(error)


@BOTH
async def test_a_ticket_in_the_dustbin_is_gone(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        held(there).deleted = True
        assert await there.backend.read(receipt.number) is None
        assert await there.backend.search(REFERENCE) == []


@BOTH
async def test_closing_may_end_with_solved(api: dict[str, Any]) -> None:
    async with world(GLPI, closing="solved", **api) as there:
        receipt = await there.opened()
        assert Can.REPAIRED in there.backend.lacks
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert held(there).status == 1
        after = await there.tell(told("close", receipt.number, id=19))
        assert (held(there).status, after.status) == (5, TicketStatus.CLOSED)
        await there.tell(told("reopen", receipt.number, id=20))
        assert held(there).status == 2


@BOTH
async def test_closing_without_a_word_needs_no_solution(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number, body={"notes": ()}))
        assert (held(there).status, held(there).notes) == (6, [])


@BOTH
async def test_markup_in_texts_is_text(api: dict[str, Any]) -> None:
    text = "<b>28 & more</b>\nprocesses"
    async with world(GLPI, **api) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, description={"en": text, "fr": text})))
        assert held(there).content.startswith("&lt;b&gt;28 &amp; more&lt;/b&gt;<br>processes")
        there.server.face.person(receipt.number, note="a < b & c")
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text for note in record.notes] == ["a < b & c"]


@BOTH
async def test_notes_are_private_unless_told_otherwise(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        await there.tell(told("note", (await there.opened()).number))
        assert held(there).notes[0].private
    async with world(GLPI, private=False, **api) as there:
        await there.tell(told("note", (await there.opened()).number))
        assert not held(there).notes[0].private


# --- the first ------------------------------------------------------------------------------------------------------------


async def test_before_the_external_id_could_be_searched_for_tickets_are_found_all_the_same() -> None:
    async with world(GLPI) as there:
        del there.server.face.options_known["87"]
        await there.opened(reference="OTHER")
        there.server.script(Does.CREATE, "lost")
        receipt = await there.tell(delivery(number=""))
        since = there.server.clock.advance(hours=1)
        there.server.face.person(receipt.number, status="waiting")
        records = await there.backend.changes(since)
        assert len(there.server.face.held) == 2
    assert [(one.number, one.reference, one.status) for one in records] == [(receipt.number, REFERENCE, "waiting")]


async def test_a_search_that_leaves_the_question_out_is_not_believed() -> None:
    async with world(GLPI) as there:
        there.server.face.options_known["87"] = "entity"
        there.server.face.options_known["88"] = "externalid"
        await there.opened(reference="OTHER")
        there.server.face.options_known["87"], there.server.face.options_known["88"] = "externalid", "externalid"
        there.server.face._matches = lambda *_: True
        error = await there.fail(delivery(number="", uncertain=True, attempts=2))
    assert (error.reason, error.retry, error.harmless) == (Reason.UNREADABLE, True, True)


async def test_a_login_by_user_and_password_is_a_basic_credential() -> None:
    async with world(GLPI, user_token_file="", user="tocsin", password_file="glpi-password") as there:
        await there.opened()
        (login,) = there.server.asked(Does.LOGIN)
    assert login.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "body", "reason", "stops"),
    [
        (400, ["ERROR_APP_TOKEN_PARAMETERS_MISSING", "missing"], Reason.UNAUTHORIZED, True),
        (400, ["ERROR_WRONG_APP_TOKEN_PARAMETER", "wrong"], Reason.UNAUTHORIZED, True),
        (403, ["ERROR_NOT_ALLOWED_IP", "your address"], Reason.UNAUTHORIZED, True),
        (403, ["ERROR_RIGHT_MISSING", "no"], Reason.UNAUTHORIZED, True),
        (400, ["ERROR_GLPI_ADD", "Mandatory fields are not filled"], Reason.REFUSED, False),
        (400, ["ERROR_GLPI_ADD", [{"id": False, "message": "no"}]], Reason.REFUSED, False),
        (207, ["ERROR_GLPI_PARTIAL_ADD", [{"id": False, "message": "no"}]], Reason.REFUSED, False),
        (200, [{"id": False, "message": "no"}], Reason.REFUSED, False),
        (400, ["ERROR_GLPI_ADD", "MySQL query error: Deadlock found (1213) in SQL query"], Reason.UNAVAILABLE, False),
        (400, ["ERROR_GLPI_ADD", "MySQL query error: Data too long for column"], Reason.REFUSED, False),
        (500, ["ERROR_SQL", "Unexpected SQL Error"], Reason.UNAVAILABLE, False),
        (200, ["ERROR_SQL", "Unexpected SQL Error"], Reason.UNAVAILABLE, False),
    ],
)
async def test_arrays_are_judged_by_what_they_say(status: int, body: Any, reason: Reason, *, stops: bool) -> None:
    from aiohttp import web  # noqa: PLC0415 - one test's

    async with world(GLPI) as there:
        there.server.face.refused = lambda: web.json_response(body, status=status)
        there.server.script(Does.CREATE, "refused")
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops) == (reason, stops)


@pytest.mark.parametrize(("reference", "asset"), [("DF000J1ADE", "Computer [41]"), ("DOUBLE", ""), ("UNKNOWN", "")])
async def test_a_ticket_is_linked_to_the_one_asset_that_is_named_as_its_element(reference: str, asset: str) -> None:
    async with world(GLPI, item_type="Computer") as there:
        one = delivery(number="")
        element = replace(SNAPSHOT.element, reference=reference)
        await there.tell(replace(one, body=replace(one.body, element=element)))
        assert held(there).asset == asset
        assert reference in held(there).content


@pytest.mark.parametrize("behaviour", ["down", "lost", "garbage"])
async def test_what_is_asked_before_a_ticket_is_made_leaves_no_doubt(behaviour: str) -> None:
    async with world(GLPI, item_type="Computer") as there:
        there.server.script(Does.CHECK, behaviour)
        error = await there.fail(delivery(number=""))
        assert not there.server.asked(Does.CREATE)
    assert not error.doubts


@BOTH
async def test_an_impact_that_a_person_changed_within_its_priority_is_not_told_over(api: dict[str, Any]) -> None:
    async with world(GLPI, **api) as there:
        receipt = await there.opened()
        before = await there.backend.read(receipt.number)
        assert before is not None
        held(there).impact = 4
        seen = {"stands": TicketStatus.DECLARED, "priority": before.priority}
        error = await there.fail(told("update", receipt.number, **seen))
        assert not there.server.asked(Does.CHANGE)
    assert before.priority.endswith(" (5)")
    assert error.reason == Reason.TOUCHED


async def test_what_the_options_name_goes_into_the_one_request() -> None:
    async with world(GLPI, entity=3, category=5, requester=12, group=4, type="request") as there:
        await there.opened()
        given = held(there).given
    assert {key: given[key] for key in ("entities_id", "itilcategories_id", "type")} == {
        "entities_id": 3,
        "itilcategories_id": 5,
        "type": 2,
    }
    assert (given["_users_id_requester"], given["_groups_id_assign"]) == (12, 4)


async def test_a_ticket_that_a_group_gets_begins_assigned_also_where_it_cannot_be_read_at_once() -> None:
    async with world(GLPI, group=4) as there:
        receipt = await there.opened()
        there.server.script(Does.READ, "busy")
        unread = await there.opened(reference="UNREAD")
        assert [one.status for one in there.server.face.held.values()] == [2, 2]
    assert (receipt.status, unread.status) == (TicketStatus.IN_PROGRESS, TicketStatus.IN_PROGRESS)


async def test_a_check_says_which_numbers_are_not_there() -> None:
    async with world(GLPI, entity=99, category=6) as there:
        findings = await there.backend.check()
    assert {finding.what for finding in findings if finding.level == Level.ERROR} == {"entity", "category"}


# --- the second -----------------------------------------------------------------------------------------------------------


async def test_a_client_without_a_user_is_granted_its_own_token() -> None:
    async with world(GLPI, **{**SECOND, "user": "", "password_file": ""}) as there:
        await there.opened()
        findings = await there.backend.check()
        assert there.server.face.granted == ["client_credentials"]
    assert "without a user" in findings[0].told


async def test_an_oauth_server_that_repeats_what_it_was_sent_betrays_no_password() -> None:
    async with world(GLPI, **SECOND) as there:
        there.server.face.careless = True
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry, error.harmless) == (Reason.UNAVAILABLE, True, True)
    assert "grant_type=password" in str(error)
    for secret in (PASSWORD.decode(), quote_plus(PASSWORD.decode()), CLIENT_SECRET.decode()):
        assert secret not in str(error)


async def test_a_profile_that_may_see_no_tickets_stops_the_backend_and_loses_nothing() -> None:
    async with world(GLPI, **SECOND) as there:
        receipt = await there.opened()
        there.server.face.views = False
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)


async def test_the_second_api_says_that_it_takes_no_files() -> None:
    words = " ".join(f"word{number}" for number in range(20_000))
    async with world(GLPI, **SECOND) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, description={"en": words, "fr": words})))
        assert Can.ATTACH in there.backend.lacks
        assert f"tocsin explain {REFERENCE}" in held(there).content
    assert receipt.remark == ""


async def test_a_500_that_says_that_it_would_not_is_no_outage() -> None:
    async with world(GLPI, **SECOND) as there:
        receipt = await there.opened()
        record = await there.backend.read(receipt.number)
        assert record is not None
        held(there).status = 5
        with pytest.raises(DeliveryError) as caught:
            await there.backend._talk.solve(record.key, "again")
    assert (caught.value.reason, caught.value.retry) == (Reason.REFUSED, False)
    assert "already solved" in str(caught.value)


async def test_what_the_options_name_goes_into_the_one_request_of_the_second() -> None:
    async with world(GLPI, entity=3, category=5, **SECOND) as there:
        await there.opened()
        given = held(there).given
    assert (given["entity"], given["category"], given["type"]) == ({"id": 3}, {"id": 5}, 1)


# --- options and webhooks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"user_token_file": ""}, "api 1 needs user_token_file"),
        ({"user": "tocsin"}, "given together"),
        ({"api": 2, "user_token_file": "", "app_token_file": ""}, "api 2 needs client and client_secret_file"),
        ({**SECOND, "item_type": "Computer"}, "item_type means nothing with api: 2"),
        ({"client": "x"}, "client means nothing with api: 1"),
        ({"zone": "Europe/Lutetia"}, "must be a time zone"),
        ({"statuses": {"closed": "closed"}}, "statuses are GLPI's numbers"),
        ({"impacts": {"none": "0"}}, "impacts are GLPI's numbers"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with world(GLPI, **options):
            pass


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"event": "update", "item": {"id": "2113", "external_id": "K7F3Q2"}}, ["2113", "K7F3Q2"]),
        ({"event": "new", "item": {"id": 7, "itemtype": "Ticket", "items_id": 2113}}, ["2113"]),
        ({"event": "new", "item": {"id": 7, "tickets_id": "2113"}}, ["2113"]),
        ({"event": "new", "item": {"id": 7}, "parent_item": {"id": 2113}}, ["2113"]),
    ],
)
def test_a_webhook_names_the_ticket_of_whatever_it_is_about(body: Any, named: list[str]) -> None:
    assert heard(Payload(body=json.dumps(body).encode())) == named


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b'{"item": 1}', b'{"item": {"id": 7, "itemtype": "Change", "items_id": 3}}']
)
def test_a_webhook_that_names_no_ticket_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        heard(Payload(body=body))

"""What is Zammad's alone: ids and numbers, states that need a time, conditions that may mean nothing, its sentences."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deliveries import REFERENCE, delivery
from fakes.core import START, Does
from kit import NOTE, World, told, world
from tocsin.backends import Level, kinds
from tocsin.backends._http import Answer, Request
from tocsin.backends._zammad_answers import judge
from tocsin.backends.zammad import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.zammad import Ticket

ZAMMAD = kinds()["zammad"]


def held(there: World) -> Ticket:
    (one,) = there.server.face.held.values()
    return one


async def test_the_number_is_what_people_see_and_the_id_is_found_by_it() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        record = await there.backend.read(receipt.number)
        assert await there.backend.read("3") is None, "3 is the id of a ticket, and the number of none"
    assert receipt.number == "31003"
    assert record is not None
    assert record.key == "3"
    assert receipt.url.endswith("/#ticket/zoom/3")


@pytest.mark.parametrize(
    ("impact", "priority"),
    [("none", "1 low"), ("backup", "1 low"), ("degraded", "2 normal"), ("severe", "3 high"), ("interrupted", "3 high")],
)
async def test_each_impact_is_a_priority(impact: str, priority: str) -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"impact": Impact(impact)}))
        assert held(there).priority == priority


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("new", "declared"),
        ("open", "in_progress"),
        ("pending reminder", "waiting"),
        ("pending close", "repaired"),
        ("closed", "closed"),
        ("merged", "cancelled"),
    ],
)
async def test_each_state_is_read_as_a_status(state: str, status: str) -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        held(there).state = state
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert (record.status, record.state) == (status, state)


@pytest.mark.parametrize("status", ["waiting", "frozen", "repaired"])
async def test_a_pending_state_comes_with_a_pending_time(status: str) -> None:
    async with world(ZAMMAD, pending="2d") as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus(status)}))
        assert held(there).state.startswith("pending")
        assert held(there).pending_time == "2026-11-24T10:00:00.000Z"


async def test_a_ticket_is_opened_again_as_open_for_it_cannot_be_new_again() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        await there.tell(told("update", receipt.number, id=19))
        assert held(there).state == "open"


async def test_what_somebody_works_on_is_not_put_back_by_an_update() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="waiting")
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE}))
        assert held(there).state == "pending reminder"


async def test_a_group_that_takes_no_follow_ups_says_so_and_nothing_is_written() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        there.server.face.follow_ups = False
        error = await there.fail(told("reopen", receipt.number, id=19))
        assert (error.reason, error.retry) == (Reason.REFUSED, False)
        assert "Cannot follow-up on a closed ticket" in str(error)
        assert [article.body.count("/19)") for article in held(there).articles] == [0, 0]


async def test_a_note_alone_is_added_to_a_closed_ticket_that_takes_no_follow_ups() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        there.server.face.follow_ups = False
        await there.tell(told("note", receipt.number, id=19))
        assert "/19)" in held(there).articles[-1].body


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"customer": "nobody@example.net"}, Reason.MISCONFIGURED),
        ({"group": "Nowhere"}, Reason.MISCONFIGURED),
        ({"impacts": {"interrupted": "9 highest"}}, Reason.REFUSED),
    ],
)
async def test_a_name_that_zammad_does_not_know_is_told_with_its_sentence(
    options: dict[str, Any], reason: Reason
) -> None:
    async with world(ZAMMAD, **options) as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops) == (reason, reason == Reason.MISCONFIGURED)
    assert "No lookup value found for" in str(error)


async def test_maintenance_is_waited_out_and_stops_nothing() -> None:
    from aiohttp import web  # noqa: PLC0415 - one test's

    async with world(ZAMMAD) as there:
        there.server.face.forbidden = lambda _: web.json_response({"error": "Maintenance mode enabled!"}, status=403)
        there.server.script(Does.CREATE, "forbidden")
        error = await there.fail(delivery(number=""))
        assert (error.reason, error.retry, error.stops) == (Reason.UNAVAILABLE, True, False)
        await there.opened()


async def test_a_ticket_that_was_moved_out_of_sight_is_gone_and_stops_nothing() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        there.server.face.hidden.add(held(there).id)
        error = await there.fail(told("note", receipt.number))
        with pytest.raises(DeliveryError, match="was moved out of tocsin's sight; let its user see the other group"):
            await there.backend.read(receipt.number)
    assert (error.reason, error.retry, error.stops, error.doubts) == (Reason.NOT_FOUND, False, False, False)


@pytest.mark.parametrize("action", ["note", "close", "update"])
async def test_a_ticket_that_may_not_be_changed_stops_nothing_but_its_own_delivery(action: str) -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        there.server.face.locked.add(held(there).id)
        error = await there.fail(told(action, receipt.number, body={"impact": Impact.NONE}))
        await there.opened(reference="ANOTHER")
    assert (error.reason, error.retry, error.stops) == (Reason.REFUSED, False, False)
    assert "another group" in str(error)


def judged(method: str, path: str, status: int, said: str) -> DeliveryError:
    request = Request(method, f"https://zammad.example.net/api/v1/{path}?expand=true")
    error = judge(Answer(status, {}, json.dumps({"error": said}).encode()), request, START)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("method", "path", "said", "reason"),
    [
        ("PUT", "tickets/3", "Not authorized", Reason.REFUSED),
        ("POST", "ticket_articles", "Not authorized", Reason.REFUSED),
        ("PUT", "tickets/3", "Cannot follow-up on a closed ticket. Please create a new ticket.", Reason.REFUSED),
        ("GET", "ticket_articles/by_ticket/3", "Not authorized", Reason.REFUSED),
        ("POST", "tickets", "Not authorized", Reason.UNAUTHORIZED),
        ("GET", "tickets/search", "Not authorized", Reason.UNAUTHORIZED),
        ("PUT", "tickets/3", "Not authorized (token)!", Reason.UNAUTHORIZED),
        ("PUT", "tickets/3", "Authentication required", Reason.UNAUTHORIZED),
        ("PUT", "tickets/3", "API token access disabled!", Reason.UNAUTHORIZED),
        ("PUT", "tickets/3", "Maintenance mode enabled!", Reason.UNAVAILABLE),
    ],
)
def test_a_403_is_about_one_ticket_or_about_us(method: str, path: str, said: str, reason: Reason) -> None:
    error = judged(method, path, 403, said)
    assert (error.reason, error.stops) == (reason, reason == Reason.UNAUTHORIZED)


@pytest.mark.parametrize(
    ("method", "said", "reason"),
    [
        ("POST", "Error ID 3fXw1R-9: Please contact your administrator.", Reason.UNAVAILABLE),
        ("PUT", "PG::TRDeadlockDetected: ERROR:  deadlock detected", Reason.UNAVAILABLE),
        ("POST", "Object already exists!", Reason.UNAVAILABLE),
        ("POST", "Missing required value for field 'cause'!", Reason.REFUSED),
        ("GET", "Error ID 3fXw1R-9: Please contact your administrator.", Reason.REFUSED),
    ],
)
def test_what_zammad_does_not_say_why_it_could_not_store_is_tried_again(method: str, said: str, reason: Reason) -> None:
    error = judged(method, "tickets", 422, said)
    assert (error.reason, error.retry) == (reason, reason == Reason.UNAVAILABLE)


async def test_a_token_that_ends_while_a_ticket_is_read_does_not_make_it_gone() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        there.server.lag = timedelta(hours=1)
        there.server.face.conditions = False
        there.server.script(Does.READ, "ok", "ok", "unauthorized")
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)


async def test_what_changed_is_told_whole_where_conditions_are_refused_in_the_middle() -> None:
    async with world(ZAMMAD) as there:
        for number in range(230):
            await there.opened(reference=f"REF{number}", id=number)
        since = there.server.clock() - timedelta(hours=1)
        there.server.script(Does.LIST, "ok", "ok", "refused")
        records = await there.backend.changes(since)
    assert len(records) == 230


async def test_where_conditions_mean_nothing_the_index_is_asked_and_given_time() -> None:
    async with world(ZAMMAD) as there:
        face = there.server.face
        face.conditions = False
        await there.opened(reference="OTHER")
        there.server.clock.advance(minutes=5)
        there.server.lag = timedelta(seconds=50)
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        one = delivery(number="", attempts=2, uncertain=True, doubted_at=there.server.clock())
        error = await there.fail(one)
        assert error.reason == Reason.SETTLING
        there.server.clock.advance(seconds=61)
        receipt = await there.tell(one)
        assert [ticket.reference for ticket in face.tickets()] == ["OTHER", REFERENCE]
        assert receipt.number == face.tickets()[1].number


async def test_conditions_that_are_refused_leave_the_index() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        there.server.script(Does.SEARCH, "refused")
        found = await there.backend.search(REFERENCE)
        assert there.backend.settle > timedelta(0)
    assert [one.number for one in found] == [receipt.number]


async def test_a_ticket_of_ours_is_read_by_its_id_while_no_search_finds_it() -> None:
    async with world(ZAMMAD) as there:
        there.server.face.conditions = False
        await there.opened(reference="OTHER")
        receipt = await there.opened()
        there.server.lag = timedelta(hours=1)
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.reference == REFERENCE


async def test_names_are_looked_up_where_answers_hold_ids_only() -> None:
    async with world(ZAMMAD) as there:
        there.server.face.expands = False
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        record = await there.backend.read(receipt.number)
        found = await there.backend.search(REFERENCE)
    assert record is not None
    assert (record.status, record.priority) == (TicketStatus.CLOSED, "3 high")
    assert [one.number for one in found] == [receipt.number]


async def test_articles_that_are_too_many_for_one_answer_are_read_one_by_one() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        for _ in range(9):
            there.server.face.person(receipt.number, note="x" * 1_000_000)
        there.server.script(Does.CHANGE, "lost")
        await there.tell(told("note", receipt.number))
        assert len([one for one in held(there).articles if NOTE["en"] in one.body]) == 1


async def test_html_that_people_write_is_read_as_text() -> None:
    async with world(ZAMMAD) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, note="disk &amp; fan<br>changed")
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text for note in record.notes] == ["disk & fan\nchanged"]
    assert record.notes[0].actor == "ines.martin@example.net"


async def test_a_bearer_token_is_sent_as_one() -> None:
    async with world(ZAMMAD, scheme="bearer") as there:
        await there.opened()
        (create,) = there.server.asked(Does.CREATE)
    assert create.headers["Authorization"].startswith("Bearer ")


async def test_a_check_says_what_is_missing() -> None:
    async with world(
        ZAMMAD, group="Operations", customer="nobody@example.net", statuses={"repaired": "solved"}
    ) as there:
        face = there.server.face
        face.attributes = {"tocsin_element"}
        async with world(ZAMMAD) as other:
            await other.opened()
            face.held = other.server.face.held
        findings = await there.backend.check()
    wrong = {finding.what: finding.told for finding in findings if finding.level == Level.ERROR}
    assert set(wrong) == {"group", "customer", "reference_field", "statuses"}
    assert "did you mean" in wrong["group"]
    assert "solved" in wrong["statuses"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"reference_field": "Référence"}, "reference_field"),
        ({"group": ""}, "group"),
        ({"pending": "0s"}, "pending"),
        ({"token": "secret"}, "did you mean 'token_file'"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with world(ZAMMAD, **options):
            pass


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"ticket": 1}', b'{"ticket": {"id": 3}}', b"[" * 100_000])
def test_a_webhook_that_names_no_ticket_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        heard(Payload(body=body))

"""What is Znuny's alone: errors inside of successes, conditions that mean nothing, times without a zone, routes of one's own."""

from __future__ import annotations

import json
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web
from msgspec.structs import replace

from deliveries import REFERENCE, delivery
from fakes.core import Does
from fakes.znuny import IMPACT
from kit import NOTE, World, told, world
from tocsin.backends import Level, build, kinds
from tocsin.backends._znuny_answers import minutes, told_at
from tocsin.backends._znuny_options import ROUTES
from tocsin.backends.znuny import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.znuny import Ticket

ZNUNY = kinds()["znuny"]
SHIPPED = Path(__file__).parents[2] / "config" / "backends" / "znuny"


def held(there: World) -> Ticket:
    one: Ticket = next(reversed(there.server.face.held.values()))
    return one


async def findings(there: World) -> dict[str, tuple[Level, str]]:
    return {one.what: (one.level, one.told) for one in await there.backend.check() if one.level != Level.FINE}


# --- numbers, ids and references --------------------------------------------------------------------------------------


async def test_the_number_is_what_people_see_and_the_id_is_found_by_it() -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        async with world(ZNUNY) as fresh:
            fresh.server.face.held = there.server.face.held
            record = await fresh.backend.read(receipt.number)
            assert await fresh.backend.read("2") is None, "2 is the id of a ticket, and the number of none"
    assert receipt.number == "2026112200000002"
    assert record is not None
    assert record.key == "2"
    assert receipt.url.endswith("/znuny/index.pl?Action=AgentTicketZoom;TicketID=2")


@pytest.mark.parametrize("number", ["", "*", "%", "20*"])
async def test_a_number_that_would_find_every_ticket_is_nobodys(number: str) -> None:
    async with world(ZNUNY) as there:
        await there.opened()
        there.server.seen.clear()
        assert await there.backend.read(number) is None
        assert there.server.seen == []


async def test_a_dynamic_field_that_znuny_does_not_know_is_no_licence_to_create() -> None:
    async with world(ZNUNY, reference_field="tocsim") as there:
        async with world(ZNUNY) as other:
            await other.opened(reference="OTHER")
            there.server.face.held = other.server.face.held
        error = await there.fail(delivery(number="", attempts=2, uncertain=True))
        assert len(there.server.face.held) == 1
        with pytest.raises(DeliveryError, match="does not know the dynamic field 'tocsim'") as caught:
            await there.backend.changes(there.server.clock())
    for one in (error, caught.value):
        assert (one.reason, one.stops) == (Reason.MISCONFIGURED, True)
        assert "correct `reference_field`" in str(one)


async def test_a_dynamic_field_that_znuny_does_not_know_keeps_tickets_from_being_made() -> None:
    async with world(ZNUNY, reference_field="tocsim") as there:
        error = await there.fail(delivery(number=""))
        assert there.server.face.held == {}
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "DynamicField->Name parameter is invalid!" in str(error)


async def test_archived_tickets_are_found() -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        held(there).archived = True
        again = await there.tell(delivery(number="", attempts=2, uncertain=True))
    assert again.number == receipt.number


async def test_the_oldest_of_many_is_the_one() -> None:
    async with world(ZNUNY) as there:
        first = await there.opened()
        for _ in range(25):
            there.server.clock.advance(seconds=1)
            await there.opened()
        again = await there.tell(delivery(number="", attempts=2, uncertain=True))
    assert again.number == first.number


# --- statuses, impacts, fields ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "of", "status"),
    [
        ("new", "new", "declared"),
        ("open", "open", "in_progress"),
        ("pending reminder", "pending reminder", "waiting"),
        ("pending auto close+", "pending auto", "repaired"),
        ("pending auto close-", "pending auto", "repaired"),
        ("closed successful", "closed", "closed"),
        ("closed unsuccessful", "closed", "cancelled"),
        ("closed with workaround", "closed", "closed"),
        ("merged", "merged", "cancelled"),
        ("removed", "removed", "cancelled"),
        ("erledigt", "closed", "closed"),
        ("wartet auf Teile", "pending reminder", "waiting"),
        ("rätselhaft", "of our own", "in_progress"),
    ],
)
async def test_each_state_is_read_as_a_status_whatever_it_is_called(state: str, of: str, status: str) -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        there.server.face.types[state] = of
        held(there).state = state
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert (record.status, record.state) == (status, state)


@pytest.mark.parametrize(("status", "state"), [("waiting", "pending reminder"), ("repaired", "pending auto close+")])
async def test_a_pending_state_comes_with_a_pending_time(status: str, state: str) -> None:
    async with world(ZNUNY, pending="2d") as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus(status)}))
        assert (held(there).state, held(there).pending) == (state, 2 * 24 * 60)


@pytest.mark.parametrize(
    ("impact", "priority"),
    [("none", "1 very low"), ("backup", "2 low"), ("degraded", "3 normal"), ("severe", "4 high"), ("interrupted", "5 very high")],
)  # fmt: skip
async def test_each_impact_is_a_priority(impact: str, priority: str) -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"impact": Impact(impact)}))
        assert held(there).priority == priority


async def test_an_impact_may_have_a_field_and_then_leaves_the_priority_alone() -> None:
    async with world(ZNUNY, impact_field=IMPACT) as there:
        receipt = await there.opened()
        assert (held(there).fields[IMPACT], held(there).priority) == ("interrupted", "3 normal")
        await there.tell(told("update", receipt.number, body={"impact": Impact.DEGRADED}))
        assert (held(there).fields[IMPACT], held(there).priority) == ("degraded", "3 normal")
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.priority == "degraded", "so that a person's change of it is seen"


async def test_a_state_that_znuny_does_not_have_is_an_error_and_nothing_is_written() -> None:
    async with world(ZNUNY, statuses={"closed": "solved"}) as there:
        receipt = await there.opened()
        error = await there.fail(told("close", receipt.number))
        assert len(held(there).articles) == 1
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "Ticket->StateID or Ticket->State parameter is invalid!" in str(error)


async def test_characters_that_its_database_does_not_keep_are_replaced_before() -> None:
    async with world(ZNUNY) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, name={"en": "down \N{FIRE}", "fr": "x"})))
        (created,) = there.server.asked(Does.CREATE)
        assert "\N{FIRE}".encode() not in created.body
        assert "down �".encode() in created.body


# --- notes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("private", "visible"), [(True, 0), (False, 1)])
async def test_what_is_written_is_hidden_from_the_customer_unless_told_otherwise(private: bool, visible: int) -> None:  # noqa: FBT001
    async with world(ZNUNY, private_notes=private) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        assert [article.visible for article in held(there).articles] == [visible, visible]


async def test_what_people_write_is_told_and_what_machines_write_is_not() -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        there.server.face.person(receipt.number, note="disk &amp; fan<br>changed")
        held(there).articles[-1].content_type = "text/html; charset=utf8"
        there.server.face._write(held(there), {"Body": "Thank you for your mail", "SenderType": "system"}, "robot")
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text for note in record.notes] == [f"{NOTE['en']}\n(tocsin {REFERENCE}/18)", "disk & fan\nchanged"]
    assert [note.actor for note in record.notes] == ["tocsin Example", "ines Example"]
    assert record.notes[-1].at == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


async def test_articles_that_are_too_many_for_one_answer_are_left_to_the_latest() -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        for number in range(20):
            there.server.face.person(receipt.number, note=f"{number} " + "x" * 700_000)
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text.partition(" ")[0] for note in record.notes] == [str(number) for number in range(10, 20)]


# --- whose it is, and what may not be done ----------------------------------------------------------------------------


async def test_an_owner_that_nobody_chose_is_nobody() -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        before = await there.backend.read(receipt.number)
        there.server.face.person(receipt.number, assignee="ines")
        after = await there.backend.read(receipt.number)
    assert before is not None
    assert after is not None
    assert (before.assignee, after.assignee, after.actor) == ("", "ines", "ines")


async def test_a_ticket_that_was_moved_out_of_sight_is_gone_and_stops_nothing() -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        there.server.face.hidden = {2}
        error = await there.fail(told("note", receipt.number))
    assert (error.reason, error.stops) == (Reason.NOT_FOUND, False)


async def test_a_ticket_that_may_be_seen_and_not_changed_waits_and_stops_nothing_else() -> None:
    async with world(ZNUNY) as there:
        receipt = await there.opened()
        there.server.face.rights.remove("rw")
        error = await there.fail(told("note", receipt.number))
    assert (error.reason, error.retry, error.stops) == (Reason.UNAUTHORIZED, True, False)
    assert "grant tocsin's agent the rights in the queue's group" in str(error)


async def test_a_wrong_password_stops_everything_although_it_is_answered_200() -> None:
    async with world(ZNUNY, user="nobody") as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)
    assert "TicketCreate.AuthFail" in str(error)
    assert "correct the login or the password" in str(error)


async def test_a_route_that_the_web_service_does_not_have_stops_everything() -> None:
    async with world(ZNUNY, routes={"search": "POST /Find"}) as there:
        error = await there.fail(delivery(number="", attempts=2, uncertain=True))
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
    assert "has no such route" in str(error)


async def test_one_ticket_that_goes_while_many_are_read_hides_no_other() -> None:
    async with world(ZNUNY) as there:
        for number in range(3):
            await there.opened(reference=f"REF{number}")
        there.server.face.rights.add("ro")
        found = await there.backend._calls.get(["2", "99", "4"])
    assert [one["TicketID"] for one in found] == [2, 4]


# --- routes and secrets -----------------------------------------------------------------------------------------------


async def test_the_example_of_znuny_itself_can_be_used_and_no_secret_stands_in_an_address() -> None:
    async with world(ZNUNY, routes={"get": "GET /Ticket/:TicketID"}) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        found = await there.backend.search(REFERENCE)
        (read, *_) = [seen for seen in there.server.asked(Does.READ) if seen.method == "GET"]
        assert found[0].status == TicketStatus.CLOSED
        assert "Password" not in read.path
        assert read.headers["X-OTRS-Header-UserLogin"] == "tocsin"


def test_the_routes_that_are_usual_are_those_that_we_ship() -> None:
    shipped = yaml.safe_load((SHIPPED / "webservice.yaml").read_text("utf-8"))
    mapping = shipped["Provider"]["Transport"]["Config"]["RouteOperationMapping"]
    routes = {
        name.removeprefix("Ticket").lower(): f"{one['RequestMethod'][0]} {one['Route']}"
        for name, one in mapping.items()
    }
    assert routes == {name.value: route for name, route in ROUTES.items()}
    assert set(mapping) == set(shipped["Provider"]["Operation"])
    assert shipped["Debugger"]["DebugThreshold"] == "error", "at `debug` it would store passwords"


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
async def test_times_of_another_zone_than_was_said_are_no_answer(zone: str) -> None:
    async with world(ZNUNY, zone=zone) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="in_progress")
        with pytest.raises(DeliveryError, match="set `zone` to its OTRSTimeZone") as caught:
            await there.backend.changes(there.server.clock() - timedelta(minutes=1))
        assert (caught.value.reason, caught.value.stops) == (Reason.MISCONFIGURED, True)
        level, said = (await findings(there))["zone"]
    assert level == Level.ERROR
    assert {"UTC": "+1 hours", "America/New_York": "+6 hours", "Asia/Tokyo": "-8 hours"}[zone] in said


@pytest.mark.parametrize(
    ("text", "now", "meant"),
    [
        ("2026-11-22 11:00:00", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25 02:30:00", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"),
        ("2026-07-01 12:00:00", "2026-11-22T10:00:00Z", "2026-07-01T10:00:00Z"),
        ("no time", "2026-11-22T10:00:00Z", None),
    ],
)
def test_a_time_without_a_zone_is_meant_in_znunys_and_an_hour_that_comes_twice_by_the_clock(
    text: str, now: str, meant: str | None
) -> None:
    at = told_at(text, "Europe/Paris", datetime.fromisoformat(now))
    assert at == (datetime.fromisoformat(meant) if meant else None)


@pytest.mark.parametrize(("seconds", "asked"), [(-3600, 1), (0, 1), (1, 2), (60, 2), (61, 3), (86_400, 1441)])
def test_minutes_are_never_too_few(seconds: int, asked: int) -> None:
    now = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert minutes(now - timedelta(seconds=seconds), now) == asked


# --- check, options, webhook ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "option", "words"),
    [
        ({"queue": "Nowhere"}, "queue", "no ticket with this queue 'Nowhere'"),
        ({"queue": "Private"}, "queue", "Can not create tickets in given Queue"),
        ({"customer": "nobody"}, "customer", "no ticket with this customer 'nobody'"),
        ({"type": "Change"}, "type", "no ticket with this type 'Change'"),
        ({"reference_field": "tocsim"}, "reference_field", "no dynamic field 'tocsim'"),
        ({"element_field": "nothere"}, "element_field", "no dynamic field 'nothere'"),
        ({"statuses": {"repaired": "fixed"}}, "statuses", "no State 'fixed'"),
        ({"impacts": {"none": "0 nil"}}, "impacts", "no Priority '0 nil'"),
        ({"impact_field": IMPACT, "impacts": {"none": "nil"}}, "impacts", "no Impact 'nil'"),
        ({"impact_field": IMPACT, "priority": "9 awful"}, "priority", "no ticket with this priority '9 awful'"),
    ],
)
async def test_a_check_says_what_znuny_would_refuse_and_makes_no_ticket(
    options: dict[str, Any], option: str, words: str
) -> None:
    async with world(ZNUNY, **options) as there:
        level, said = (await findings(there))[option]
        assert there.server.face.held == {}
    assert level == Level.ERROR
    assert words in said


async def test_a_check_of_everything_that_is_right_finds_nothing_else() -> None:
    async with world(ZNUNY, impact_field=IMPACT, type="Incident") as there:
        await there.opened()
        assert await findings(there) == {}


async def test_a_password_of_any_characters_is_sent_and_never_said() -> None:
    secret = 'é"\\ and so on'
    async with world(ZNUNY) as there:
        outside = changed(there.outside, read_secret=lambda _: secret.encode())
        backend = build("znuny", "portal", there.server.face.options(), outside)
        echo = {"Error": {"ErrorCode": "TicketSearch.AuthFail", "ErrorMessage": f"not known: {secret}"}}
        there.server.face.unauthorized = lambda _: web.json_response(echo)
        there.server.script(Does.SEARCH, "unauthorized")
        with pytest.raises(DeliveryError, match="not known: ") as caught:
            await backend.search(REFERENCE)
        (asked,) = there.server.asked(Does.SEARCH)
    assert json.loads(asked.body)["Password"] == secret
    assert "and so on" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"routes": {"search": "GET /Ticket"}}, "only the route `get` may be a GET"),
        ({"routes": {"find": "POST /Ticket"}}, "routes"),
        ({"routes": {"get": "/Ticket"}}, "routes"),
        ({"reference_field": "our reference"}, "reference_field"),
        ({"webservice": "a/b"}, "webservice"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"pending": "0s"}, "pending"),
        ({"password": "secret"}, "did you mean 'password_file'"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with world(ZNUNY, **options):
            pass


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b'{"Ticket": 1}', b'{"Event": {"TicketID": 3}}', b"[" * 100_000]
)
def test_a_message_that_names_no_ticket_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        heard(Payload(body=body))

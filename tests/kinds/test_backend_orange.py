"""Orange's Incident API: the gateway's errors, labels in two languages, numbers that come later, and a wire form that is data."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from deliveries import REFERENCE, SNAPSHOT, Scripted, delivery, outside
from fakes.core import Does
from kit import NOTE, World, in_doubt, told, world
from tocsin.backends import Backend, Level, Outside, build, hand_over, kinds, open_session
from tocsin.backends import _orange_check as checking
from tocsin.backends._http import Answer, Request
from tocsin.backends._orange_gateway import judge
from tocsin.backends._orange_mapping import shipped
from tocsin.backends._orange_wire import put, time, when
from tocsin.errors import DeliveryError, Reason, SettingsError
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.orange import Orange

KIND = kinds()["orange"]
RIGHT = {"client_id": "app", "client_secret_file": "orange-secret", "key_file": "orange-key"}
FILES = {"orange-secret": b"s3cret", "orange-key": b"k3y"}
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def face(there: World) -> Orange:
    return there.server.face  # type: ignore[return-value]


def sent(there: World, does: Does) -> Any:
    return json.loads(there.server.asked(does)[-1].body)


# --- what is sent ---------------------------------------------------------------------------------------------------


async def test_every_call_proves_both_who_we_are_and_what_we_may() -> None:
    async with world(KIND) as there:
        await there.opened()
        login, create = there.server.seen
        assert face(there).scopes == ["b2b:incident"]
    assert login.headers["Authorization"].startswith("Basic ")
    assert create.headers["Authorization"] == "Bearer token-1"
    assert create.headers["X-Api-Key"] == "orange-api-k3y"
    assert create.headers["Accept"] == "application/json"


@pytest.mark.parametrize("expires_in", ["3600", 3600])
async def test_a_token_is_used_until_shortly_before_its_end_however_the_seconds_are_written(expires_in: object) -> None:
    async with world(KIND) as there:
        face(there).expires_in = expires_in
        await there.opened()
        there.server.clock.advance(seconds=3500)
        await there.opened(reference="SECOND")
        assert len(there.server.asked(Does.LOGIN)) == 1
        there.server.clock.advance(seconds=90)
        await there.opened(reference="THIRD")
        assert len(there.server.asked(Does.LOGIN)) == 2


async def test_what_the_form_asks_for_goes_along() -> None:
    options = {
        "users_affected": "1-10",
        "main_usage": "Internet",
        "contact_last_name": "Martin",
        "contact_first_name": "Ines",
        "contact_phone": "+33 1 00 00 00 00",
        "contact_email": "ines.martin@example.net",
        "contact_availability": "24x7",
        "notify": ["operations@example.net"],
    }
    async with world(KIND, **options) as there:
        await there.opened()
        body = sent(there, Does.CREATE)
    assert (body["servicePoint"], body["contract"]) == ({"id": "DF000J1ADE"}, {"id": "OCB001"})
    assert body["siteContact"] == {
        "lastName": "Martin",
        "firstName": "Ines",
        "phone": "+33 1 00 00 00 00",
        "email": "ines.martin@example.net",
        "availability": "24x7",
    }
    assert (body["usersAffected"], body["mainUsage"]) == ("1-10", "Internet")
    assert body["notification"] == {"emails": ["operations@example.net"]}


@pytest.mark.parametrize(
    ("language", "pinned", "impact"),
    [("en", "en", "Service interrupted"), ("fr", "fr", "Service interrompu"), ("both", "fr", "Service interrompu")],
)
async def test_labels_come_and_go_in_the_language_that_is_pinned(language: str, pinned: str, impact: str) -> None:
    async with world(KIND, language=language) as there:
        receipt = await there.opened()
        assert sent(there, Does.CREATE)["impact"] == impact
        await there.tell(told("close", receipt.number))
        assert {seen.headers["Accept-Language"] for seen in there.server.seen[1:]} == {pinned}
        assert there.server.face.tickets()[0].status == "closed"


async def test_a_ticket_in_another_language_keeps_the_labels_language() -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, language="fr")))
        body = sent(there, Does.CREATE)
    assert (body["title"], body["impact"]) == (SNAPSHOT.name["fr"], "Service interrupted")


@pytest.mark.parametrize("ending", ["", "/incident/b2b/v1"])
async def test_the_address_may_end_in_the_apis_path_already(ending: str) -> None:
    async with world(KIND) as there:
        options = {**there.server.face.options(), "url": there.server.url + ending}
        backend = build("orange", "portal", options, there.outside)
        assert (await hand_over(backend, delivery(number=""), NOW)).number


# --- numbers that come later ----------------------------------------------------------------------------------------


async def test_an_answer_without_a_body_means_that_the_number_comes_later() -> None:
    async with world(KIND) as there:
        face(there).bare = True
        receipt = await there.opened()
        assert (receipt.number, receipt.remark) == ("", "")
        await there.tell(told("note", ""))
        (ticket,) = there.server.face.tickets()
    assert NOTE["en"] in ticket.notes[0]


# --- the gateway's errors -------------------------------------------------------------------------------------------

ASKED = Request("POST", "https://api.orange.com/incident/b2b/v1/incidents", hide=("k3y",))


def meant(status: int, body: bytes, **headers: str) -> DeliveryError | None:
    return judge(Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body), ASKED, NOW)


@pytest.mark.parametrize("form", ["object", "list", "text"])
@pytest.mark.parametrize(
    ("status", "code", "reason", "retry", "stops"),
    [
        *[(400, code, Reason.REFUSED, False, False) for code in range(20, 29)],
        (401, 40, Reason.UNAUTHORIZED, True, True),
        (401, 41, Reason.UNAUTHORIZED, True, True),
        (401, 42, Reason.UNAUTHORIZED, True, True),
        (403, 50, Reason.UNAUTHORIZED, True, True),
        (403, 51, Reason.UNAUTHORIZED, True, True),
        (403, 52, Reason.UNAUTHORIZED, True, True),
        (403, 53, Reason.RATE_LIMITED, True, False),
        (429, 53, Reason.RATE_LIMITED, True, False),
        (404, 60, Reason.NOT_FOUND, False, False),
        (405, 61, Reason.REFUSED, False, False),
        (408, 63, Reason.UNAVAILABLE, True, False),
        (409, 69, Reason.REFUSED, False, False),
        (413, 66, Reason.REFUSED, False, False),
        (500, 1, Reason.UNAVAILABLE, True, False),
        (503, 5, Reason.UNAVAILABLE, True, False),
        (503, 6, Reason.UNAVAILABLE, True, False),
        (504, 6, Reason.UNAVAILABLE, True, False),
        (422, 900, Reason.REFUSED, False, False),
        (502, 900, Reason.UNAVAILABLE, True, False),
        (200, 24, Reason.REFUSED, False, False),
    ],
)
def test_the_gateways_codes_say_what_to_do(
    form: str,
    status: int,
    code: int,
    reason: Reason,
    retry: bool,  # noqa: FBT001
    stops: bool,  # noqa: FBT001
) -> None:
    said: Any = {"code": str(code) if form == "text" else code, "message": "No", "description": "Not so."}
    error = meant(status, json.dumps([said] if form == "list" else said).encode())
    assert error is not None
    assert (error.reason, error.retry, error.stops) == (reason, retry, stops)
    assert f"code {code} No Not so." in error.detail


def test_an_error_quotes_the_request_for_oranges_support_and_no_secret() -> None:
    error = meant(500, b'{"code": 1, "message": "Internal error", "description": "k3y"}', X_OAPI_Request_Id="0a1b-k3y")
    assert error is not None
    assert "(to Orange's support: request 0a1b-***)" in error.detail
    assert "k3y" not in str(error)


@pytest.mark.parametrize(("header", "after"), [("", 1), ("0", 1), ("30", 30)])
def test_too_many_requests_wait_a_second_at_least(header: str, after: int) -> None:
    error = meant(403, b'{"code": 53, "message": "Too many requests"}', Retry_After=header)
    assert error is not None
    assert error.after == timedelta(seconds=after)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (502, b"<html>Bad Gateway</html>", Reason.UNAVAILABLE),
        (408, b"", Reason.UNAVAILABLE),
        (403, b"{}", Reason.UNAUTHORIZED),
        (302, b"", Reason.MISCONFIGURED),
        (400, b'[{"code": "abc", "message": "No"}]', Reason.REFUSED),
        (400, b"[" * 100_000, Reason.REFUSED),
    ],
)
def test_without_a_code_the_status_counts(status: int, body: bytes, reason: Reason) -> None:
    error = meant(status, body)
    assert error is not None
    assert error.reason == reason


@pytest.mark.parametrize(
    "body", [b"[]", b'{"id": "1", "code": 3, "message": "a field of theirs"}', b'{"code": 24}', b""]
)
def test_a_success_is_one_although_it_has_a_code(body: bytes) -> None:
    assert meant(200, body) is None


# --- statuses, impacts, notes ---------------------------------------------------------------------------------------

LABELS = [
    ("En cours", TicketStatus.IN_PROGRESS),
    ("In progress", TicketStatus.IN_PROGRESS),
    ("Réparé", TicketStatus.REPAIRED),
    ("Gelé", TicketStatus.FROZEN),
    ("CLOS", TicketStatus.CLOSED),
    ("Clôturé", TicketStatus.CLOSED),
    ("Annulé", TicketStatus.CANCELLED),
    ("Réouvert", TicketStatus.IN_PROGRESS),
]


@pytest.mark.parametrize(("label", "status"), LABELS)
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_labels_of_both_languages_are_read_and_none_that_is_unknown_ends_a_ticket(
    language: str, label: str, status: TicketStatus
) -> None:
    async with world(KIND, language=language) as there:
        assert there.backend.statuses.ours(label) == status  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("label", "impact"),
    [
        ("Sans perturbation du service", Impact.NONE),
        ("Non perturbé", Impact.NONE),
        ("Service avec secours activé", Impact.BACKUP),
        ("Dégradé", Impact.DEGRADED),
        ("Service dégradé majeur", Impact.SEVERE),
        ("Très dégradé", Impact.SEVERE),
        ("Interrompu", Impact.INTERRUPTED),
        ("Irgendwie", None),
    ],
)
async def test_the_labels_of_both_forms_are_read(label: str, impact: Impact | None) -> None:
    async with world(KIND) as there:
        assert there.backend.impacts.ours(label) == impact  # type: ignore[attr-defined]


async def test_the_four_levels_of_the_other_form_are_a_matter_of_options() -> None:
    own = {"none": "Non perturbé", "backup": "Non perturbé", "severe": "Très dégradé"}
    async with world(KIND, language="fr", impacts=own) as there:
        impacts = there.backend.impacts  # type: ignore[attr-defined]
    assert [impacts.word(impact) for impact in Impact] == [
        "Non perturbé",
        "Non perturbé",
        "Service dégradé",
        "Très dégradé",
        "Service interrompu",
    ]


@pytest.mark.parametrize("stands", ["in_progress", "waiting", "frozen"])
async def test_an_update_does_not_put_back_what_people_have_taken_up(stands: str) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status=stands)
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE}))
        assert there.server.face.tickets()[0].status == stands


async def test_a_service_that_works_again_is_told_in_a_note_only() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("declared", 1)


async def test_a_status_that_is_dropped_in_silence_is_said_and_the_note_stands_once() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).keeps = {"status"}
        error = await there.fail(told("close", receipt.number))
        assert (error.reason, error.retry, error.after) == (Reason.REFUSED, True, timedelta(minutes=1))
        assert "did not take the status 'Closed' yet" in error.detail
        assert "`operations.close` `offered: false`" in error.detail
        face(there).keeps = set()
        await there.tell(told("close", receipt.number, attempts=2))
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("closed", 1)


@pytest.mark.parametrize("status", [400, 404, 405, 500])
async def test_a_change_that_cannot_be_read_back_is_not_given_up(status: int) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).unread = [status]
        error = await there.fail(told("close", receipt.number))
        assert error.retry
        assert (await there.tell(told("close", receipt.number, uncertain=True, attempts=2))).status == "closed"
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("closed", 1)


async def test_a_404_may_be_how_nothing_is_found() -> None:
    async with world(KIND, page_size=1) as there:
        face(there).misses = True
        first = await there.opened()
        assert (await there.tell(delivery(number="", uncertain=True, attempts=2))).number == first.number
        other = await there.tell(in_doubt(reference="OTHER1"))
        assert other.number != first.number
        assert len(await there.backend.changes(there.server.clock() - timedelta(hours=1))) == 2


async def test_an_address_where_no_incidents_are_made_stops_the_backend() -> None:
    async with world(KIND, path="/incident/b2b/v2") as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True)
    assert "correct url, path or `operations.create`" in error.detail


async def test_an_impact_that_is_dropped_in_silence_is_said() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).keeps = {"impact"}
        error = await there.fail(told("update", receipt.number, body={"impact": Impact.NONE}))
    assert "did not take the impact 'No service disruption' yet; correct `sends.impact`" in error.detail


async def test_a_note_goes_before_the_closing_and_after_the_opening() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        await there.tell(told("reopen", receipt.number, id=19))
        order = [seen.method for seen in there.server.asked(Does.CHANGE)]
    assert order == ["POST", "PATCH", "PATCH", "POST"]


async def test_notes_are_read_page_by_page() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        for number in range(7):
            there.server.face.person(receipt.number, note=f"note {number}")
        there.server.page = 3
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text for note in record.notes] == [f"note {number}" for number in range(7)]


# --- looking up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ignores_filters", "knows_no_reference"])
async def test_without_a_filter_every_page_is_read_whatever_the_headers_count(how: str) -> None:
    async with world(KIND, page_size=2) as there:
        numbers = [(await there.opened(reference=f"REF{number}", id=number)).number for number in range(7)]
        setattr(face(there), how, True)
        found = await there.backend.find("REF5")
        assert found is not None
        assert found.number == numbers[5]
        assert await there.backend.find("NOBODYS") is None


async def test_the_oldest_of_two_tickets_with_our_reference_is_ours() -> None:
    async with world(KIND) as there:
        first = await there.opened()
        await there.opened(id=18)
        face(there).incidents.reverse()
        found = await there.backend.find(REFERENCE)
    assert found is not None
    assert found.number == first.number


async def test_a_new_ticket_has_time_to_appear_before_a_second_one_is_made() -> None:
    async with world(KIND, settle="2m") as there:
        there.server.lag = timedelta(minutes=1)
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        one = delivery(number="", uncertain=True, attempts=2, doubted_at=there.server.clock())
        assert (await there.fail(one)).reason == Reason.SETTLING
        there.server.clock.advance(minutes=2)
        await there.tell(one)
        assert len(there.server.face.tickets()) == 1


# --- the wire form is data ------------------------------------------------------------------------------------------

TOKEN = {"body": {"access_token": "t", "expires_in": 3600}}
OWN = """
operations:
  create: {method: POST, path: /tickets, always: {region.code: EMEA, channels.0.name: api}}
  read: {method: GET, path: '/tickets/{key}'}
  update: {method: PUT, path: '/tickets/{key}'}
  close: {method: POST, path: '/tickets/{key}/closure'}
  notes: {method: GET, path: '/tickets/{key}/comments'}
  add_note: {method: POST, path: '/tickets/{key}/comments'}
  attach: {method: POST, path: '/tickets/{key}/documents'}
sends:
  title: {path: head.title}
  contract: {path: ''}
  note: {path: comment.body}
asks:
  number: {name: ticketNumber}
tells:
  list: {path: tickets}
  number: {path: ticketNumber}
  key: {path: internal.id}
  note_list: {path: comments}
  note_text: {path: body}
  changed_at: {path: changed}
statuses:
  fr: {closed: Terminé}
  en: {declared: [OPEN], closed: [DONE, GONE]}
time: {as: dd/MM/yyyy HH:mm, zone: Europe/Paris}
file: {as: base64, name: document.name, content: document.data, media_type: document.type}
number: {pattern: '[0-9]{4}N[0-9]{5}'}
""".encode()
TICKET = {
    "ticketNumber": "2611N00001",
    "internal": {"id": "a/1"},
    "customerReference": REFERENCE,
    "status": "OPEN",
    "changed": "22/11/2026 11:00",
}
LIST = {"body": {"tickets": [TICKET]}}
EMPTY = {"body": {"tickets": []}}


@asynccontextmanager
async def speaking(
    *answers: Any, mapping: bytes = OWN, token: Any = TOKEN, **options: Any
) -> AsyncIterator[tuple[Scripted, Backend]]:
    """A backend with a mapping of its own, and a server that gives these answers, to the question for a token first."""
    server = Scripted(token, *answers)
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with open_session() as session:
            there = outside(session, {**FILES, "mine.yaml": mapping})
            given = {**RIGHT, "url": url, "mapping": "mine.yaml", "language": "en", **options}
            yield server, build("orange", "portal", given, there)
    finally:
        await runner.cleanup()


async def test_a_gateway_that_wants_a_token_asked_for_less_often_is_not_stopped_for() -> None:
    busy = {"status": 403, "body": {"code": 53, "message": "Too many requests", "description": "Slow down."}}
    wrong = {"status": 401, "body": {"error": "invalid_client"}}
    for answer, stops in ((busy, False), (wrong, True)):
        async with speaking(mapping=OWN, token=answer) as (_, backend):
            with pytest.raises(DeliveryError) as caught:
                await hand_over(backend, delivery(number=""), NOW)
        assert (caught.value.reason == Reason.RATE_LIMITED, caught.value.stops) == (not stops, stops)
        assert not caught.value.doubts


async def test_a_ticket_is_written_where_the_mapping_says() -> None:
    async with speaking({"body": TICKET, "status": 201}) as (server, backend):
        receipt = await hand_over(backend, delivery(number=""), NOW)
    body = json.loads(server.asked[1]["body"])
    assert server.asked[1]["path"] == "/incident/b2b/v1/tickets"
    assert (receipt.number, receipt.status) == ("2611N00001", TicketStatus.DECLARED)
    assert body["head"] == {"title": SNAPSHOT.name["en"]}
    assert "contract" not in body
    assert (body["region"], body["channels"]) == ({"code": "EMEA"}, [{"name": "api"}])
    assert body["occurrenceDate"] == "22/11/2026 11:00"


async def test_what_is_not_shaped_like_a_number_is_none_yet() -> None:
    async with speaking({"body": {**TICKET, "ticketNumber": "provisional-7"}, "status": 201}) as (_, backend):
        receipt = await hand_over(backend, delivery(number=""), NOW)
    assert (receipt.number, receipt.remark) == ("", "")


async def test_a_ticket_is_found_by_its_number_where_addresses_need_something_else() -> None:
    note = {"body": "I look into it"}
    notes = {"body": {"comments": [note]}}
    async with speaking(LIST, LIST, {"body": TICKET}, notes, notes) as (server, backend):
        record = await backend.read("2611N00001")
    assert [asked["path"].removeprefix("/incident/b2b/v1") for asked in server.asked[1:]] == [
        "/incidents?ticketNumber=2611N00001&offset=0&limit=40",
        "/incidents?ticketNumber=2611N00001&offset=1&limit=40",
        "/tickets/a%2F1",
        "/tickets/a%2F1/comments?offset=0&limit=40",
        "/tickets/a%2F1/comments?offset=1&limit=40",
    ]
    assert record is not None
    assert (record.number, record.key, record.state) == ("2611N00001", "a/1", "OPEN")
    assert record.changed_at == NOW
    assert [one.text for one in record.notes] == ["I look into it"]


async def test_a_number_that_nothing_has_is_no_ticket() -> None:
    async with speaking(EMPTY, EMPTY, EMPTY) as (_, backend):
        assert await backend.read("2611N00009") is None


async def test_closing_goes_where_the_mapping_says_and_is_read_back() -> None:
    done = {"body": {**TICKET, "status": "DONE"}}
    answers = (LIST, LIST, {"body": TICKET}, {"body": {"comments": []}}, {"body": {}}, {"body": {}}, done)
    async with speaking(*answers) as (server, backend):
        receipt = await hand_over(backend, told("close", "2611N00001"), NOW)
    said = [
        (one["method"], one["path"].removeprefix("/incident/b2b/v1/tickets/a%2F1"), one["body"]) for one in server.asked
    ]
    assert [one for one in said if one[0] != "GET"][1:] == [
        (
            "POST",
            "/comments",
            json.dumps({"comment": {"body": f"{NOTE['en']}\n(tocsin {REFERENCE}/18)"}}).replace(": ", ":"),
        ),
        ("POST", "/closure", '{"status":"DONE"}'),
    ]
    assert receipt.status == TicketStatus.CLOSED


async def test_what_the_api_does_not_offer_is_told_in_a_note() -> None:
    own = b"operations: {close: {method: PATCH, path: '/x', offered: false}, update: {method: PATCH, path: '/x', offered: false}}"
    async with world_of(own) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE}))
        await there.tell(told("close", receipt.number, id=19))
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("declared", 2)
    assert ticket.impact == "4"


async def test_a_file_may_go_in_base64() -> None:
    own = b"file: {as: base64}"
    words = " ".join(f"word{number}" for number in range(2_000))
    async with world_of(own) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, description={"en": words, "fr": words})))
        (ticket,) = there.server.face.tickets()
        assert sent(there, Does.ATTACH)["mimeType"] == "text/plain"
    assert b"word1999" in ticket.files[f"{REFERENCE}.txt"]


@asynccontextmanager
async def world_of(mapping: bytes) -> AsyncIterator[World]:
    """A world whose backend has a mapping of its own over what is shipped."""
    async with world(KIND) as there:
        secrets = {**there.server.face.SECRETS, "mine.yaml": mapping}
        there.outside = Outside(
            session=there.outside.session,
            read_secret=secrets.__getitem__,
            clock=there.outside.clock,
            pause=there.outside.pause,
        )
        options = {**there.server.face.options(), **there.server.face.OPTIONS, "mapping": "mine.yaml"}
        there.backend = build("orange", "portal", options, there.outside)
        yield there


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"operation: {}", "mine.yaml:1:1: operation: 'operation' is not known here (did you mean \"operations\"?)"),
        (
            b"operations:\n  creat: {method: POST, path: /x}",
            "mine.yaml:2:3: operations.creat: 'creat' is not known here (did you mean \"create\"?)",
        ),
        (
            b"operations:\n  create: {metod: POST, path: /x}",
            "mine.yaml:2:12: operations.create.metod: 'metod' is not known here; and 1 more (did you mean \"method\"?)",
        ),
        (b"operations:\n  create: {method: POST}", "mine.yaml:2:11: operations.create.path: 'path' is missing"),
        (
            b"operations:\n  read: {method: GET, path: '/x/{id}'}",
            "{id} means nothing here; it may hold {number} or {key}",
        ),
        (b"sends: {title: {path: 'a b'}}", "must be names and list positions joined by dots"),
        (b"impacts: {fr: {non: a}, en: {}}", "impacts.fr.non: 'non' is not known here (did you mean \"none\"?)"),
        (b"statuses: {fr: {closed: []}, en: {}}", "statuses.fr.closed: "),
        (b"asks: {limit: {name: 'a&b'}}", "asks.limit.name: "),
        (b"time: {as: yyyy}", "must be iso, seconds, milliseconds, or a pattern with yyyy, MM and dd"),
        (b"time: {zone: Paris}", "must be a time zone's name, such as Europe/Paris"),
        (b"number: {pattern: '['}", "is no regular expression"),
        (b"- a", "must be a mapping of sections such as operations and sends"),
        (b"a: [", "mine.yaml:"),
        (b"sends: {title: {path: a}}\nsends: {}", "mine.yaml:2:1"),
    ],
)
async def test_a_mapping_that_cannot_be_meant_is_refused_with_its_place(text: bytes, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        async with speaking(mapping=text):
            pass
    assert str(caught.value).startswith("backend portal: mapping mine.yaml:")
    assert said in str(caught.value)


def test_everything_that_is_shipped_says_how_it_is_known() -> None:
    entries = dict(shipped().entries())
    assert all(entry.source for entry in entries.values())
    assert [name for name, entry in entries.items() if entry.known == "confirmed"] == ["operations.list", "tells.list"]


def test_values_are_put_where_a_path_leads() -> None:
    body: dict[str, Any] = {}
    for path, value in (("a.b", 1), ("a.c.0.d", 2), ("a.c.0.e", 3), ("f.0", 4), ("", 5)):
        put(body, path, value)
    assert body == {"a": {"b": 1, "c": [{"d": 2, "e": 3}]}, "f": [4]}


@pytest.mark.parametrize(
    ("written", "zone", "told_as"),
    [
        ("iso", "UTC", "2026-11-22T10:00:00Z"),
        ("iso", "Europe/Paris", "2026-11-22T11:00:00+01:00"),
        ("seconds", "UTC", 1795341600),
        ("milliseconds", "UTC", 1795341600000),
        ("dd/MM/yyyy HH:mm", "Europe/Paris", "22/11/2026 11:00"),
    ],
)
def test_a_moment_is_written_and_read_in_the_form_of_the_mapping(written: str, zone: str, told_as: Any) -> None:
    form = shipped().time.model_copy(update={"written": written, "zone": zone})
    assert time(form, NOW) == told_as
    assert when(form, told_as) == NOW
    assert when(form, "yesterday") is None


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client_id": ""}, "option 'client_id'"),
        ({"key_issued": "last year"}, "option 'key_issued'"),
        ({"url": "api.orange.com"}, "must be an http:// or https:// address"),
        ({"keyfile": "x"}, "did you mean 'key_file'?"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused_with_a_sentence(options: dict[str, Any], said: str) -> None:
    async with open_session() as session:
        with pytest.raises(SettingsError) as caught:
            build("orange", "portal", {**RIGHT, **options}, outside(session, FILES))
    assert said in str(caught.value)


# --- check ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issued", "level", "said"),
    [
        (None, Level.FINE, "not given"),
        (date(2026, 1, 31), Level.FINE, "good until 2028-01-31"),
        (date(2025, 1, 21), Level.WARNING, "ends on 2027-01-21, in 60 days"),
        (date(2025, 1, 22), Level.FINE, "good until 2027-01-22"),
        (date(2024, 11, 22), Level.WARNING, "in 0 days"),
        (date(2024, 11, 21), Level.ERROR, "ended on 2026-11-21"),
        (date(2024, 2, 29), Level.ERROR, "ended on 2026-03-01"),
    ],
)
def test_the_api_keys_end_is_told_two_months_before(issued: date | None, level: Level, said: str) -> None:
    (finding,) = checking.key(issued, NOW)
    assert finding.level == level
    assert said in finding.told


async def test_a_check_counts_what_is_assumed_and_misses_headers() -> None:
    async with world(KIND, key_issued="2026-01-31") as there:
        face(there).counts = False
        await there.opened()
        findings = [(finding.level, finding.what, finding.told) for finding in await there.backend.check()]
    told_of = {(level, what): said for level, what, said in findings}
    assert told_of[Level.FINE, "url"] == "the login works, and the list of incidents answers"
    assert "no X-Result-Count and no X-Total-Count" in told_of[Level.WARNING, "url"]
    assert told_of[Level.FINE, "mapping"] == "2 confirmed: operations.list, tells.list"
    assert "sends.title" in told_of[Level.WARNING, "mapping"]


async def test_a_check_says_when_the_filter_finds_nothing() -> None:
    async with world_of(b"asks: {reference: {name: id}}") as there:
        await there.opened()
        findings = [finding.told for finding in await there.backend.check()]
    assert any("finds no incident by our reference" in said for said in findings)

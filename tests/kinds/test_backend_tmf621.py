"""TMF621 as it is met: both versions, servers that ignore filters, keep the status or the notes to themselves, or answer later."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from deliveries import REFERENCE, delivery, outside
from fakes.core import Does
from kit import NOTE, World, in_doubt, told, world
from tocsin.backends import Level, build, kinds, open_session
from tocsin.backends._tmf import judge
from tocsin.backends.tmf621 import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.tmf621 import Tmf621

KIND = kinds()["tmf621"]
VERSIONS = pytest.mark.parametrize("version", ["v4", "v5"])
RIGHT = {"url": "https://tickets.example.net", "token_file": "tmf-token"}
FILES = {"tmf-token": b"token", "tmf-password": b"word", "tmf-secret": b"s"}


def face(there: World) -> Tmf621:
    return there.server.face  # type: ignore[return-value]


def sent(there: World, does: Does) -> Any:
    return json.loads(there.server.asked(does)[-1].body)


def patches(there: World) -> list[dict[str, Any]]:
    return [json.loads(seen.body) for seen in there.server.asked(Does.CHANGE)]


# --- what is sent ---------------------------------------------------------------------------------------------------


async def test_version_4_names_the_reference_external_id_and_types_nothing() -> None:
    async with world(KIND, version="v4") as there:
        await there.opened()
        body = sent(there, Does.CREATE)
    assert body["externalId"] == REFERENCE
    assert body["relatedEntity"] == [
        {
            "id": "DF000J1ADE",
            "name": "Cloud Infra Platform",
            "@referredType": "Service",
            "role": "affectedService",
        }
    ]
    assert "@type" not in body


async def test_version_5_types_every_object_and_names_the_owner_of_the_reference() -> None:
    async with world(KIND, owner="ops") as there:
        receipt = await there.opened()
        body = sent(there, Does.CREATE)
    assert body["externalIdentifier"] == [
        {"@type": "ExternalIdentifier", "owner": "ops", "externalIdentifierType": "reference", "id": REFERENCE}
    ]
    assert receipt.remark == ""


@VERSIONS
async def test_a_whole_life_goes_through_in_both_versions(version: str) -> None:
    async with world(KIND, version=version) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"impact": Impact.DEGRADED}))
        await there.tell(told("update", receipt.number, id=19, body={"status": TicketStatus.REPAIRED}))
        await there.tell(told("close", receipt.number, id=20))
        after = await there.tell(told("reopen", receipt.number, id=21))
        found = await there.backend.find(REFERENCE)
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, ticket.impact, after.status) == ("in_progress", "Critical", TicketStatus.IN_PROGRESS)
    assert found is not None
    assert found.number == receipt.number
    assert [note.rpartition("/")[2] for note in ticket.notes] == ["18)", "19)", "20)", "21)"]
    assert ticket.element == "DF000J1ADE"


@VERSIONS
async def test_a_lost_answer_makes_no_second_ticket_in_either_version(version: str) -> None:
    async with world(KIND, version=version) as there:
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        await there.tell(delivery(number="", uncertain=True, attempts=2, doubted_at=there.server.clock()))
        assert len(there.server.face.tickets()) == 1


@VERSIONS
async def test_a_file_is_attached_beside_those_that_are_there(version: str) -> None:
    words = " ".join(f"word{number}" for number in range(20_000))
    async with world(KIND, version=version) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, description={"en": words, "fr": words})))
        (ticket,) = there.server.face.tickets()
        attachment = sent(there, Does.ATTACH)["attachment"][0]
    assert b"word19999" in ticket.files[f"{REFERENCE}.txt"]
    assert {"name", "attachmentType", "mimeType", "content"} <= set(attachment)


async def test_attributes_go_into_a_new_ticket_and_related_entities_beside_the_element() -> None:
    more = {
        "channel": {"@type": "ChannelRef", "id": "8774"},
        "relatedEntity": [
            {
                "@type": "RelatedEntity",
                "role": "site",
                "entity": {"@type": "EntityRef", "id": "S1", "@referredType": "Site"},
            }
        ],
    }
    async with world(KIND, attributes=more) as there:
        await there.opened()
        body = sent(there, Does.CREATE)
    assert body["channel"]["id"] == "8774"
    assert [one["role"] for one in body["relatedEntity"]] == ["affectedService", "site"]


async def test_without_a_role_the_element_stands_in_the_text_only() -> None:
    async with world(KIND, entity_role="") as there:
        await there.opened()
        body = sent(there, Does.CREATE)
    assert "relatedEntity" not in body
    assert "DF000J1ADE" in body["description"]


async def test_a_page_for_people_is_the_tickets_address() -> None:
    async with world(KIND, page="https://tickets.example.net/see/{number}") as there:
        receipt = await there.opened()
    assert receipt.url == f"https://tickets.example.net/see/{receipt.number}"


# --- statuses and impacts -------------------------------------------------------------------------------------------

WORDS = [
    ("acknowledged", TicketStatus.DECLARED),
    ("inProgress", TicketStatus.IN_PROGRESS),
    ("pending", TicketStatus.WAITING),
    ("held", TicketStatus.FROZEN),
    ("resolved", TicketStatus.REPAIRED),
    ("closed", TicketStatus.CLOSED),
    ("cancelled", TicketStatus.CANCELLED),
    ("rejected", TicketStatus.CANCELLED),
    ("CLOSED", TicketStatus.CLOSED),
    ("anything", TicketStatus.IN_PROGRESS),
]


@pytest.mark.parametrize(("word", "status"), WORDS)
async def test_the_standards_statuses_are_read(word: str, status: TicketStatus) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).stored[receipt.number]["status"] = word
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert (record.status, record.state) == (status, word)


@pytest.mark.parametrize(
    ("impact", "severity"),
    [("none", "Minor"), ("backup", "Minor"), ("degraded", "Major"), ("severe", "Major"), ("interrupted", "Critical")],
)
async def test_the_impact_is_the_severity(impact: str, severity: str) -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, impact=Impact(impact))))
        assert sent(there, Does.CREATE)["severity"] == severity


async def test_own_words_are_written_and_the_standards_are_read_all_the_same() -> None:
    async with world(KIND, statuses={"closed": "resolved"}, impacts={"interrupted": "1-blocking"}) as there:
        receipt = await there.opened()
        assert sent(there, Does.CREATE)["severity"] == "1-blocking"
        await there.tell(told("close", receipt.number))
        assert patches(there)[-1]["status"] == "resolved"
        face(there).stored[receipt.number]["status"] = "closed"
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.status == TicketStatus.CLOSED


@pytest.mark.parametrize("stands", ["in_progress", "waiting", "frozen"])
async def test_an_update_does_not_put_back_what_people_have_taken_up(stands: str) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status=stands)
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE}))
        assert there.server.face.tickets()[0].status == stands


async def test_a_server_that_keeps_the_status_is_told_of_with_what_to_do() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).keeps_status = True
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "did not become 'closed', it stands as 'acknowledged'" in error.detail
    assert "sets_status: false" in error.detail


@pytest.mark.parametrize("answers_nothing", [False, True])
async def test_what_became_of_a_status_is_asked_when_the_answer_does_not_say(answers_nothing: bool) -> None:  # noqa: FBT001
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).answers_nothing, face(there).keeps_status = True, answers_nothing
        ended = await there.attempt(told("close", receipt.number))
    assert isinstance(ended, DeliveryError) == answers_nothing


async def test_with_sets_status_false_notes_say_it_and_the_servers_status_is_followed() -> None:
    async with world(KIND, sets_status=False) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        (patch,) = patches(there)
        there.server.face.person(receipt.number, status="closed")
        record = await there.backend.read(receipt.number)
    assert "status" not in patch
    assert NOTE["en"] in patch["note"][0]["text"]
    assert record is not None
    assert record.status == TicketStatus.CLOSED


async def test_a_strict_server_is_led_there_step_by_step() -> None:
    async with world(KIND, steps=["inProgress", "resolved"]) as there:
        receipt = await there.opened()
        face(there).strict = True
        await there.tell(told("close", receipt.number))
        changes = patches(there)
        (ticket,) = there.server.face.tickets()
    assert ticket.status == "closed"
    assert [one["status"] for one in changes] == ["inProgress", "resolved", "closed"]
    assert ["note" in one for one in changes] == [False, False, True]
    assert {one["statusChangeReason"] for one in changes} == {NOTE["en"]}


async def test_steps_begin_where_the_ticket_stands() -> None:
    async with world(KIND, steps=["inProgress", "resolved"]) as there:
        receipt = await there.opened()
        face(there).strict = True
        there.server.face.person(receipt.number, status="in_progress")
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert [one["status"] for one in patches(there)] == ["resolved"]


async def test_a_step_that_is_not_allowed_is_refused_with_the_servers_words() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).strict = True
        error = await there.fail(told("close", receipt.number))
    assert error.reason == Reason.REFUSED
    assert "409 'ERR409 Conflict acknowledged does not become closed'" in error.detail
    assert "`steps` and `reopens` say what it allows" in error.detail


async def test_where_closed_is_final_a_note_tells_that_it_fires_again() -> None:
    async with world(KIND, reopens=False) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        await there.tell(told("reopen", receipt.number, id=19))
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("closed", 2)


# --- notes ----------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("mode", ["whole", "append"])
async def test_what_people_wrote_stays_when_a_note_is_added(version: str, mode: str) -> None:
    async with world(KIND, version=version, notes=mode) as there:
        face(there).appends = mode == "append"
        receipt = await there.opened()
        there.server.face.person(receipt.number, note="I look into it")
        before = face(there).stored[receipt.number]["note"][0]
        await there.tell(told("note", receipt.number))
        await there.tell(told("note", receipt.number, id=19))
        (ticket,) = there.server.face.tickets()
        after = face(there).stored[receipt.number]["note"][0]
    assert len(ticket.notes) == 3
    assert after == before


@pytest.mark.parametrize(("mode", "appends", "remedy"), [("whole", True, "append"), ("append", False, "whole")])
async def test_a_server_that_takes_notes_the_other_way_stops_the_backend_at_once(
    mode: str,
    appends: bool,  # noqa: FBT001
    remedy: str,
) -> None:
    async with world(KIND, notes=mode) as there:
        face(there).appends = appends
        receipt = await there.opened()
        there.server.face.person(receipt.number, note="I look into it")
        error = await there.fail(told("note", receipt.number))
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
    assert f"set `notes: {remedy}`" in error.detail


async def test_a_note_that_somebody_writes_meanwhile_is_not_overwritten() -> None:
    async with world(KIND) as there:
        face(there).tags, face(there).quick = True, ["quicker"]
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert [note.partition("\n")[0] for note in ticket.notes] == ["quicker", NOTE["en"]]


async def test_somebody_who_is_always_quicker_does_not_hold_a_note_up_for_ever() -> None:
    async with world(KIND) as there:
        face(there).tags, face(there).quick = True, ["third", "second", "first"]
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert NOTE["en"] in ticket.notes[-1]


async def test_a_patch_goes_as_the_other_media_type_when_the_server_does_not_know_the_first() -> None:
    async with world(KIND) as there:
        face(there).patches = ("application/json",)
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        await there.tell(told("note", receipt.number, id=19))
        kinds_of = [seen.headers["Content-Type"] for seen in there.server.asked(Does.CHANGE)]
        (ticket,) = there.server.face.tickets()
    assert kinds_of == ["application/merge-patch+json", "application/json", "application/json"]
    assert len(ticket.notes) == 2


# --- looking up -----------------------------------------------------------------------------------------------------


async def three_of_which_the_second_is_ours(there: World) -> str:
    await there.opened(reference="OTHER1")
    ours = await there.opened()
    await there.opened(reference="OTHER2")
    return ours.number


@VERSIONS
@pytest.mark.parametrize("how", ["ignores_filters", "refuses_filters"])
async def test_a_server_without_filters_is_read_page_by_page_and_compared_here(version: str, how: str) -> None:
    async with world(KIND, version=version, page_size=1) as there:
        number = await three_of_which_the_second_is_ours(there)
        setattr(face(there), how, True)
        found = await there.backend.find(REFERENCE)
        assert found is not None
        assert found.number == number
        assert await there.backend.find("NOBODYS") is None


async def test_a_filter_that_finds_nothing_at_all_is_not_believed() -> None:
    async with world(KIND, reference_filter="nameOfAnotherServer", page_size=1) as there:
        number = await three_of_which_the_second_is_ours(there)
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=2))
        assert len(there.server.face.tickets()) == 3
    assert receipt.number == number


async def test_a_filter_that_works_is_believed_without_reading_everything() -> None:
    async with world(KIND, page_size=1) as there:
        await three_of_which_the_second_is_ours(there)
        assert await there.backend.find("NOBODYS") is None
        assert [seen.path.count("externalIdentifier.id=") for seen in there.server.seen[-3:]] == [1, 0, 1]


async def test_a_look_up_that_cannot_read_everything_is_no_licence_to_create() -> None:
    async with world(KIND, page_size=1, most=2) as there:
        await there.opened(reference="OTHER1")
        await there.opened(reference="OTHER2")
        await there.opened(reference="OTHER3")
        face(there).ignores_filters = True
        error = await there.fail(delivery(number="", uncertain=True, attempts=2))
        assert len(there.server.face.tickets()) == 3
    assert (error.reason, error.harmless) == (Reason.MISCONFIGURED, True)
    assert "`most` (2)" in error.detail


async def test_pages_go_on_without_counts_and_beyond_a_servers_own_limit() -> None:
    async with world(KIND) as there:
        numbers = [(await there.opened(reference=f"REF{number}", id=number)).number for number in range(7)]
        face(there).ignores_filters, face(there).counts, there.server.page = True, False, 2
        records = await there.backend.search("REF0")
    assert [record.number for record in records] == numbers


@pytest.mark.parametrize(
    ("option", "value", "asked"),
    [
        ("reference_filter", "externalId", "externalId=K7F3Q2&"),
        (
            "reference_filter",
            "filter=externalIdentifier[?(@.id=='{reference}')]",
            "filter=externalIdentifier%5B?(@.id%3D%3D'K7F3Q2')%5D&",
        ),
    ],
)
async def test_the_filter_is_written_as_the_option_says(option: str, value: str, asked: str) -> None:
    async with world(KIND, **{option: value}) as there:
        await there.backend.search(REFERENCE)
        assert asked in there.server.seen[1].path


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("lastUpdate.gte", "lastUpdate.gte=2026-11-22T10:00:00Z&"),
        ("lastUpdate>", "lastUpdate%3E=2026-11-22T10:00:00Z&"),
        ("", "?sort=-lastUpdate&"),
    ],
)
async def test_changes_are_asked_for_as_the_option_says(value: str, asked: str) -> None:
    async with world(KIND, since_filter=value) as there:
        await there.backend.changes(there.server.clock())
        assert asked in there.server.seen[-1].path


@VERSIONS
async def test_what_changed_is_compared_here_when_the_server_tells_everything(version: str) -> None:
    async with world(KIND, version=version) as there:
        await there.opened(reference="EARLIER")
        since = there.server.clock.advance(minutes=5) + timedelta(milliseconds=700)
        late = await there.opened()
        face(there).ignores_filters = True
        records = await there.backend.changes(since)
    assert [record.number for record in records] == [late.number]


async def test_another_systems_identifiers_are_not_ours() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        theirs = {"@type": "ExternalIdentifier", "owner": "crm", "id": "C-1"}
        ticket = face(there).stored[receipt.number]
        ticket["externalIdentifier"] = [theirs, *ticket["externalIdentifier"]]
        assert (await there.backend.read(receipt.number)).reference == REFERENCE  # type: ignore[union-attr]
        ticket["externalIdentifier"] = [theirs]
        assert (await there.backend.read(receipt.number)).reference == ""  # type: ignore[union-attr]
        ticket["externalIdentifier"] = [{"@type": "ExternalIdentifier", "id": REFERENCE}]
        assert (await there.backend.read(receipt.number)).reference == REFERENCE  # type: ignore[union-attr]


async def test_a_conflict_on_creation_is_the_ticket_that_is_there() -> None:
    async with world(KIND) as there:
        face(there).unique = True
        first = await there.opened()
        again = await there.attempt(delivery(number=""))
        assert len(there.server.face.tickets()) == 1
    assert again == first


# --- later ----------------------------------------------------------------------------------------------------------


async def test_an_accepted_patch_is_believed() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).later = True
        after = await there.tell(told("close", receipt.number))
    assert after.status == TicketStatus.CLOSED


async def test_a_lost_answer_of_a_server_that_makes_tickets_later_waits_before_a_second_one() -> None:
    async with world(KIND, settle="30s") as there:
        there.server.pending = True
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        one = delivery(number="", uncertain=True, attempts=2, doubted_at=there.server.clock())
        assert (await there.fail(one)).reason == Reason.SETTLING
        there.server.pending = False
        there.server.clock.advance(seconds=31)
        await there.tell(one)
        assert len(there.server.face.tickets()) == 1


# --- what servers answer, and do not do -----------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "media"), [("v4", "application/json"), ("v5", "application/merge-patch+json")])
async def test_a_patch_is_of_the_media_type_that_its_version_knows(version: str, media: str) -> None:
    """The Swagger file of 4.0.0 takes `application/json` alone; the OpenAPI file of 5.0.1 names merge-patch too."""
    async with world(KIND, version=version) as there:
        await there.tell(told("note", (await there.opened()).number))
        (patch,) = there.server.asked(Does.CHANGE)
    assert patch.headers["Content-Type"] == media


@pytest.mark.parametrize("action", ["note", "close"])
async def test_a_patch_that_is_answered_and_not_read_is_sent_as_the_other_media_type(action: str) -> None:
    """As servers do that read a body only when its media type is `application/json`."""
    async with world(KIND) as there:
        face(there).reads = ("application/json",)
        receipt = await there.opened()
        await there.tell(told(action, receipt.number))
        await there.tell(told("note", receipt.number, id=19))
        (ticket,) = there.server.face.tickets()
        assert len(there.server.asked(Does.CHANGE)) == 3, "it is known from then on"
    assert [note.rpartition("/")[2] for note in ticket.notes] == ["18)", "19)"]
    assert ticket.status == ("closed" if action == "close" else "declared")


async def test_a_note_that_is_not_kept_is_said() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).drops_notes = True
        error = await there.fail(told("note", receipt.number))
        assert (await there.tell(told("close", receipt.number, id=19))).status == TicketStatus.CLOSED
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "did not take the note" in error.detail


@pytest.mark.parametrize("status", [400, 404, 405, 500])
async def test_a_patch_that_cannot_be_read_back_is_not_given_up(status: int) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).answers_nothing, face(there).blind = True, status
        error = await there.fail(told("close", receipt.number))
        assert error.retry
        face(there).blind = 0
        again = told("close", receipt.number, uncertain=True, attempts=2)
        assert (await there.tell(again)).status == TicketStatus.CLOSED
        (ticket,) = there.server.face.tickets()
    assert len(ticket.notes) == 1


@VERSIONS
async def test_a_404_is_how_some_servers_find_nothing(version: str) -> None:
    async with world(KIND, version=version, page_size=1) as there:
        face(there).misses, face(there).counts = True, False
        first = await there.opened()
        assert (await there.tell(delivery(number="", uncertain=True, attempts=2))).number == first.number
        other = await there.tell(in_doubt(reference="OTHER1"))
        assert other.number != first.number
        assert len(await there.backend.changes(there.server.clock() - timedelta(hours=1))) == 2


@pytest.mark.parametrize("options", [{"path": "/tmf-api/{version}"}, {"resource": "tickets"}])
async def test_an_address_where_no_tickets_are_made_stops_the_backend(options: dict[str, str]) -> None:
    async with world(KIND, **options) as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True)
    assert "correct url, path, version or resource" in error.detail


async def test_a_filter_is_tried_on_what_was_read_before_it_is_trusted() -> None:
    """A stranger's ticket comes first, and there are more than are read: what is ours may be among the rest."""
    async with world(KIND, page_size=1, most=2, reference_filter="customerReference") as there:
        for reference in ("OTHER1", "OTHER2", "OTHER3"):
            await there.opened(reference=reference)
        there.server.face.disown("3001", "")
        error = await there.fail(in_doubt())
        assert len(there.server.face.tickets()) == 3
    assert (error.reason, error.retry) == (Reason.MISCONFIGURED, False)


# --- logging in -----------------------------------------------------------------------------------------------------

NO_CLIENT = {"token_url": "", "client_id": "", "client_secret_file": ""}


@pytest.mark.parametrize(
    "options",
    [
        {**NO_CLIENT, "token_file": "tmf-token"},
        {**NO_CLIENT, "user": "tocsin", "password_file": "tmf-password"},
        {"scope": "tickets"},
        {"client_in_body": True},
    ],
)
async def test_there_are_several_ways_to_log_in(options: dict[str, Any]) -> None:
    async with world(KIND, **options) as there:
        assert (await there.opened()).number


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token_file": ""}, "give one way to log in"),
        ({"user": "tocsin", "password_file": "tmf-password"}, "give one way to log in"),
        ({"token_file": "", "user": "tocsin"}, "user and password_file go together"),
        ({"token_file": "", "client_id": "tocsin"}, "token_url, client_id and client_secret_file go together"),
        ({"version": "v3"}, "option 'version'"),
        ({"page": "https://tickets.example.net/see"}, "must be an http(s) address that holds {number}"),
        ({"attributes": {"externalId": "1"}}, "'externalId' is written by tocsin or by the server"),
        ({"subscribe": "ftp://tocsin.example.net"}, "must be an http:// or https:// address"),
        ({"sincefilter": "lastUpdate"}, "did you mean 'since_filter'?"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused_with_a_sentence(options: dict[str, Any], said: str) -> None:
    async with open_session() as session:
        with pytest.raises(SettingsError) as caught:
            build("tmf621", "portal", {**RIGHT, **options}, outside(session, FILES))
    assert said in str(caught.value)


# --- errors ---------------------------------------------------------------------------------------------------------


async def test_an_operation_that_is_not_implemented_is_not_tried_again() -> None:
    from tocsin.backends._http import Answer, Request  # noqa: PLC0415 - one test's

    body = b'{"@type":"Error","code":"ERR501","reason":"The requested operation is not implemented"}'
    error = judge(Answer(501, {}, body), Request("PATCH", "https://tickets.example.net/1"), delivery().due_at)
    assert error is not None
    assert (error.reason, error.retry) == (Reason.REFUSED, False)


# --- events ---------------------------------------------------------------------------------------------------------


def event(kind: str = "TroubleTicketStatusChangeEvent", **ticket: Any) -> bytes:
    return json.dumps({"eventId": "1", "eventType": kind, "event": {"troubleTicket": ticket}}).encode()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (event(id="3180", status="pending"), ["3180"]),
        (event("TroubleTicketDeleteEvent", id="3180"), ["3180"]),
        (event("TroubleTicketInformationRequiredEvent", id="3180", externalId=REFERENCE), ["3180", REFERENCE]),
        (event(id="3180", externalIdentifier=[{"id": "C-1"}, {"id": REFERENCE}]), ["3180", "C-1", REFERENCE]),
        (event(id=3180), ["3180"]),
        (b"[" + event(id="1") + b"," + event(id="2") + b"]", ["1", "2"]),
        (event("TroubleTicketSpecificationCreateEvent"), []),
    ],
)
def test_an_event_names_its_ticket(body: bytes, names: list[str]) -> None:
    assert heard(Payload(body=body)) == names


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"3", "no object at 'event.troubleTicket'"),
        (b'{"eventType": "AlarmCreateEvent", "event": {"alarm": {}}}', "not a TMF621 event of type 'AlarmCreateEvent'"),
        (event(), "nothing at 'event.troubleTicket.id'"),
    ],
)
def test_what_is_no_event_is_said_in_a_sentence(body: bytes, said: str) -> None:
    with pytest.raises(PayloadError) as caught:
        heard(Payload(body=body))
    assert said in str(caught.value)


@VERSIONS
async def test_both_versions_events_are_heard(version: str) -> None:
    async with world(KIND, version=version) as there:
        receipt = await there.opened()
        headers, body = there.server.face.hook(receipt.number)
    assert heard(Payload(body=body, headers=dict(headers))) == [receipt.number, REFERENCE]


# --- the hub --------------------------------------------------------------------------------------------------------

CALLBACK = "https://tocsin.example.net/hooks/tickets/portal"


@VERSIONS
@pytest.mark.parametrize("how", ["lists_hub", "unique"])
async def test_we_are_registered_once_where_the_server_can_tell(version: str, how: str) -> None:
    async with world(KIND, version=version, subscribe=CALLBACK) as there:
        setattr(face(there), how, True)
        first = await there.backend.subscribe()  # type: ignore[attr-defined]
        second = await there.backend.subscribe()  # type: ignore[attr-defined]
        listeners = [one["callback"] for one in face(there).hub.values()]
    assert listeners == [CALLBACK]
    assert first.told == f"{CALLBACK} is registered; it is listener 1 there"
    assert second.told == f"{CALLBACK} was registered already"


async def test_without_an_address_there_is_nothing_to_register() -> None:
    async with world(KIND) as there:
        finding = await there.backend.subscribe()  # type: ignore[attr-defined]
        assert not there.server.seen
    assert finding.level == Level.ERROR


# --- check ----------------------------------------------------------------------------------------------------------


async def found(there: World) -> dict[str, tuple[Level, str]]:
    return {finding.what: (finding.level, finding.told) for finding in await there.backend.check()}


@pytest.mark.parametrize(
    ("switch", "options", "what", "level", "said"),
    [
        ("", {}, "reference_filter", Level.FINE, "looks tickets up by 'externalIdentifier.id'"),
        ("ignores_filters", {}, "reference_filter", Level.WARNING, "each look-up reads up to 5000 tickets"),
        ("ignores_filters", {}, "since_filter", Level.WARNING, "reads up to 5000 tickets each time"),
        ("", {"reference_filter": "number"}, "reference_filter", Level.WARNING, "not even what is there"),
        ("refuses_filters", {}, "reference_filter", Level.ERROR, "refuses the filter"),
        ("", {"since_filter": "changedAfter"}, "since_filter", Level.ERROR, "no change would ever be heard of"),
        ("", {"statuses": {"in_progress": "Working"}}, "statuses", Level.WARNING, "not in the standard: Working"),
        ("", {"subscribe": CALLBACK}, "subscribe", Level.WARNING, "whether we are is not known"),
        ("lists_hub", {"subscribe": CALLBACK}, "subscribe", Level.WARNING, "does not know"),
    ],
)
async def test_a_check_says_what_the_server_does_not_do(
    switch: str, options: dict[str, Any], what: str, level: Level, said: str
) -> None:
    async with world(KIND, **options) as there:
        await there.opened()
        if switch:
            setattr(face(there), switch, True)
        findings = await found(there)
    assert findings[what][0] == level
    assert said in findings[what][1]


async def test_a_check_knows_that_we_are_registered() -> None:
    async with world(KIND, subscribe=CALLBACK) as there:
        face(there).lists_hub = True
        await there.backend.subscribe()  # type: ignore[attr-defined]
        assert (await found(there))["subscribe"][0] == Level.FINE


async def test_a_severity_that_a_person_changed_is_not_told_over() -> None:
    async with world(KIND) as there:
        number = (await there.opened()).number
        before = await there.backend.read(number)
        there.server.face.stored[number]["severity"] = "Minor"
        assert before is not None
        seen = {"stands": before.status, "priority": before.priority}
        error = await there.fail(told("update", number, body={"impact": Impact.SEVERE}, **seen))
        assert not there.server.asked(Does.CHANGE)
    assert error.reason == Reason.TOUCHED

"""What is Jira's alone: two versions of the API, workflows in any language, JQL's clock, documents, service desks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from msgspec.structs import replace

from deliveries import REFERENCE, delivery
from fakes.core import Does
from fakes.jira import CLIENT, ELEMENT, IMPACT, words
from fakes.jira import REFERENCE as FIELD
from kit import World, answering, told, world
from tocsin.backends import Level, build, kinds
from tocsin.backends._http import Answer, Request
from tocsin.backends._jira_answers import judge
from tocsin.backends._jira_query import asked_since, phrase
from tocsin.backends._jira_text import document, plain, preformatted
from tocsin.backends.jira import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.jira import Issue

JIRA = kinds()["jira"]
CENTER = {"api": 2, "user": ""}
DESK = {"issue_type": "", "request_type": "Report a system problem"}
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def held(there: World) -> Issue:
    (one,) = there.server.face.issues.values()
    return one


def sent(there: World, does: Does) -> Any:
    return json.loads(there.server.asked(does)[-1].body)


# --- two versions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, CENTER, {**CENTER, "reference_field": FIELD}, DESK, {**CENTER, **DESK}])
async def test_a_ticket_lives_from_opening_to_closing_in_each_flavour(options: dict[str, Any]) -> None:
    async with world(JIRA, **options) as there:
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        there.server.clock.advance(minutes=3)
        one = delivery(number="", attempts=2, uncertain=True, doubted_at=NOW)
        receipt = await there.tell(one)
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        await there.tell(told("close", receipt.number, id=19))
        (ticket,) = there.server.face.tickets()
        changed = await there.backend.changes(there.server.clock() - timedelta(minutes=1))
    assert (ticket.reference, ticket.status, len(ticket.notes)) == (REFERENCE, "closed", 2)
    assert [record.number for record in changed] == [receipt.number]
    assert receipt.url.endswith(f"/browse/{receipt.number}")


async def test_the_older_search_that_cloud_has_taken_away_is_not_used() -> None:
    async with world(JIRA) as there:
        await there.opened()
        await there.backend.search(REFERENCE)
        (asked,) = there.server.asked(Does.SEARCH)
    assert asked.path.startswith("/rest/api/3/search/jql?")


async def test_data_center_gives_its_index_less_time_than_cloud_asks_for() -> None:
    async with world(JIRA) as cloud, world(JIRA, **CENTER) as center:
        assert (cloud.backend.settle, center.backend.settle) == (timedelta(minutes=2), timedelta(seconds=30))


async def test_a_token_without_a_user_is_a_bearer_token() -> None:
    async with world(JIRA, **CENTER) as there:
        await there.opened()
        assert {seen.headers["Authorization"].split()[0] for seen in there.server.seen} == {"Bearer"}


async def test_credentials_of_a_service_account_are_exchanged_for_tokens_and_renewed() -> None:
    async with world(JIRA) as there:
        options = {**there.server.face.options(), "user": "", "token_file": ""}
        url = f"{there.server.url}/oauth/token"
        options |= {"client_id": CLIENT, "client_secret_file": "jira-secret", "token_url": url}
        options |= {"browse_url": "https://example.atlassian.net"}
        there.backend = build("jira", "portal", options, there.outside)
        receipt = await there.opened()
        there.server.face.granted.append("revoked")  # only the newest counts
        await there.tell(told("note", receipt.number))
        assert len(there.server.asked(Does.LOGIN)) == 2
    assert receipt.url == f"https://example.atlassian.net/browse/{receipt.number}"


# --- what a ticket carries ---------------------------------------------------------------------------------------------


async def test_a_ticket_carries_what_the_options_say() -> None:
    options = {
        "element_field": ELEMENT,
        "impact_field": IMPACT,
        "impacts": {"interrupted": "Extensive / Widespread"},
        "fields": {"labels": ["network"]},
    }
    async with world(JIRA, **options) as there:
        receipt = await there.opened()
        (ticket,) = there.server.face.tickets()
        record = await there.backend.read(receipt.number)
        assert held(there).fields["labels"] == ["network", "tocsin", f"tocsin-{REFERENCE}"]
    assert (ticket.element, ticket.impact) == ("DF000J1ADE", "Extensive / Widespread")
    assert record is not None
    assert record.impact == Impact.INTERRUPTED


async def test_where_the_impact_is_not_told_nothing_is_said_of_it() -> None:
    async with world(JIRA, impact_field="") as there:
        receipt = await there.opened()
        assert "priority" not in sent(there, Does.CREATE)["fields"]
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE, "notes": ()}))
        assert not there.server.asked(Does.CHANGE)


@pytest.mark.parametrize(
    ("impact", "priority"),
    [("none", "Lowest"), ("backup", "Low"), ("degraded", "Medium"), ("severe", "High"), ("interrupted", "Highest")],
)
async def test_each_impact_is_a_priority(impact: str, priority: str) -> None:
    async with world(JIRA) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, impact=Impact(impact))))
        (ticket,) = there.server.face.tickets()
    assert ticket.impact == priority


async def test_a_request_is_made_with_its_form_and_its_notes_are_for_agents() -> None:
    async with world(JIRA, **DESK) as there:
        receipt = await there.opened()
        said = sent(there, Does.CREATE)
        await there.tell(told("note", receipt.number))
        (note,) = held(there).comments
    assert (said["serviceDeskId"], said["requestTypeId"], said["isAdfRequest"]) == ("4", "17", True)
    assert set(said["requestFieldValues"]) == {"summary", "description", "labels", "priority"}
    assert note["jsdPublic"] is False


async def test_notes_of_a_request_may_be_shown_to_the_customer() -> None:
    async with world(JIRA, **DESK, public_notes=True) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        (note,) = held(there).comments
    assert note["jsdPublic"] is True


async def test_a_request_type_that_is_not_there_stops_the_backend_before_anything_is_made() -> None:
    async with world(JIRA, issue_type="", request_type="Report a problem") as there:
        error = await there.fail(delivery(number=""))
        assert not there.server.asked(Does.CREATE)
    assert (error.reason, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True)


async def test_a_clone_of_our_ticket_is_not_taken_for_it() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.clock.advance(minutes=1)
        there.server.face._make({**held(there).fields})
        found = await there.backend.find(REFERENCE)
    assert found is not None
    assert found.number == receipt.number


async def test_a_ticket_that_two_incidents_were_put_together_in_is_found_by_either_reference() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        held(there).fields["labels"] = ["tocsin", "tocsin-AAA", f"tocsin-{REFERENCE}"]
        assert [await there.backend.find(one) for one in ("AAA", REFERENCE, "BBB")] == [receipt, receipt, None]


@pytest.mark.parametrize("options", [{}, CENTER], ids=["cloud", "center"])
async def test_a_label_that_people_add_takes_no_ticket_from_us(options: dict[str, Any]) -> None:
    async with world(JIRA, **options) as there:
        receipt = await there.opened()
        there.server.face.put(held(there), "tocsin", "tocsin-0team", f"tocsin-{REFERENCE}")
        there.server.face.put(held(there), *held(there).labels, "tocsin-1", "urgent")
        there.server.clock.advance(minutes=1)
        await there.tell(told("close", receipt.number))
        (changed,) = await there.backend.changes(there.server.clock())
        (ticket,) = there.server.face.tickets()
    assert (changed.reference, ticket.status) == (REFERENCE, "closed")


async def test_a_label_of_ours_that_was_given_later_counts_in_the_order_it_came() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.face.put(held(there), "tocsin")
        there.server.face.put(held(there), "tocsin", "tocsin-Z")
        there.server.face.put(held(there), "tocsin", "tocsin-A", "tocsin-Z")
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.reference == "Z"


async def test_a_history_that_cannot_be_asked_for_the_moment_ends_no_delivery() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.face.put(held(there), *held(there).labels, "tocsin-0team")
        there.server.script(Does.READ, "ok", "ok", "down")  # the issue, its notes, its history
        error = await there.fail(told("close", receipt.number))
        await there.tell(told("close", receipt.number, attempts=2))
        assert held(there).status == "7"
    assert (error.reason, error.retry, error.doubts) == (Reason.UNAVAILABLE, True, False)


async def test_tickets_that_the_account_may_not_see_are_not_made_again() -> None:
    async with world(JIRA) as there:
        there.server.face.lacking = {"BROWSE_PROJECTS"}
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        there.server.clock.advance(minutes=5)
        error = await there.fail(delivery(number="", uncertain=True, attempts=2, doubted_at=NOW))
        assert len(there.server.face.tickets()) == 1
        there.server.face.lacking = set()
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=3, doubted_at=NOW))
    assert (error.reason, error.stops, error.doubts) == (Reason.MISCONFIGURED, True, False)
    assert "BROWSE_PROJECTS" in str(error)
    assert receipt.number == "OPS-1"


@pytest.mark.parametrize("behaviour", ["down", "lost", "garbage", "refused"])
async def test_what_is_asked_before_a_request_is_made_leaves_no_doubt(behaviour: str) -> None:
    async with world(JIRA, **DESK) as there:
        there.server.script(Does.CHECK, behaviour)
        error = await there.fail(delivery(number=""))
        assert not there.server.asked(Does.CREATE)
    assert not error.doubts


async def test_an_impact_that_a_person_changed_is_not_told_over_wherever_it_stands() -> None:
    options = {"impact_field": IMPACT, "impacts": {"interrupted": "Extensive / Widespread"}}
    async with world(JIRA, **options) as there:
        receipt = await there.opened()
        before = await there.backend.read(receipt.number)
        assert before is not None
        seen = {"stands": TicketStatus.DECLARED, "priority": before.priority}
        held(there).fields[IMPACT] = {"value": "Moderate / Limited"}
        error = await there.fail(told("update", receipt.number, **seen))
        assert not there.server.asked(Does.CHANGE)
    assert before.priority == "Medium, Extensive / Widespread"
    assert error.reason == Reason.TOUCHED


# --- workflows ---------------------------------------------------------------------------------------------------------


def german(there: World) -> None:
    """A workflow whose names say nothing to us."""
    face = there.server.face
    face.statuses = {"1": ("Offen", "new"), "2": ("In Arbeit", "indeterminate"), "3": ("Erledigt", "done")}
    face.steps = {"11": ("Los", "2"), "21": ("Fertig", "3"), "31": ("Noch einmal", "2")}
    face.workflow = {"1": ("11",), "2": ("21",), "3": ("31",)}


async def test_statuses_are_reached_by_their_category_over_several_transitions() -> None:
    async with world(JIRA) as there:
        german(there)
        receipt = await there.opened()
        closed = await there.tell(told("close", receipt.number))
        assert held(there).status == "3"
        again = await there.tell(told("reopen", receipt.number, id=19))
        assert held(there).status == "2"
    assert closed.status == TicketStatus.CLOSED
    assert again.status == TicketStatus.IN_PROGRESS, "as it was read back: no person has done it"


async def test_a_status_that_only_our_words_name_is_left_out_where_a_workflow_has_none() -> None:
    async with world(JIRA) as there:
        german(there)
        receipt = await there.opened()
        after = await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert held(there).status == "1"
        assert len(held(there).comments) == 1
    assert after.status == TicketStatus.DECLARED


async def test_a_status_that_the_options_name_and_the_workflow_refuses_says_what_is_offered() -> None:
    async with world(JIRA, statuses={"closed": "Archiviert"}) as there:
        german(there)
        receipt = await there.opened()
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "'Erledigt'" in str(error)
    assert "'Fertig' to 'Erledigt'" in str(error)
    assert "`statuses`" in str(error)


async def test_what_a_workflow_calls_resolved_is_as_closed_as_it_gets() -> None:
    async with world(JIRA) as there:
        there.server.face.workflow = {"1": ("21",), "6": ("61",)}
        receipt = await there.opened()
        after = await there.tell(told("close", receipt.number))
        again = await there.tell(told("close", receipt.number, id=19))
        assert there.server.face.statuses[held(there).status][0] == "Resolved"
    assert after.status == again.status == TicketStatus.REPAIRED


async def test_closing_goes_through_resolved_where_there_is_no_other_way() -> None:
    async with world(JIRA) as there:
        there.server.face.workflow = {"1": ("21",), "6": ("61", "31"), "7": ("61",)}
        receipt = await there.opened()
        after = await there.tell(told("close", receipt.number))
    assert after.status == TicketStatus.CLOSED


async def test_an_update_does_not_take_a_ticket_out_of_the_hands_of_who_works_on_it() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="waiting")
        after = await there.tell(told("update", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert ticket.status == after.status == "waiting"


async def test_a_workflow_that_begins_elsewhere_is_told_as_it_is() -> None:
    async with world(JIRA) as there:
        there.server.face.first = "3"
        receipt = await there.opened()
    assert receipt.status == TicketStatus.IN_PROGRESS


async def test_a_ticket_that_was_made_counts_although_it_cannot_be_read_at_once() -> None:
    async with world(JIRA) as there:
        there.server.script(Does.READ, "down")
        receipt = await there.opened()
        assert len(there.server.asked(Does.CREATE)) == 1
    assert (receipt.number, receipt.remark) == ("OPS-1", "")


@pytest.mark.parametrize(("resolution", "number"), [("Done", "10000"), ("duplicate", "10002"), ("Unknown", "10000")])
async def test_a_resolution_is_chosen_by_name_or_else_the_first_that_is_offered(resolution: str, number: str) -> None:
    async with world(JIRA, resolution=resolution, closing_fields={"customfield_10099": "not on the screen"}) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        assert sent(there, Does.CHANGE)["fields"] == {"resolution": {"id": number}}


async def test_a_note_is_not_written_again_when_a_later_step_was_put_off() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.script(Does.CHANGE, "ok", "limited")
        await there.tell(told("close", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("closed", 1)


# --- JQL ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "quoted"), [("OPS", '"OPS"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"'), (phrase("K"), '"\\"K\\""')]
)
def test_texts_are_quoted_for_jql(text: str, quoted: str) -> None:
    assert phrase(text) == quoted


@pytest.mark.parametrize(
    ("since", "zone", "asked"),
    [
        ("2026-11-22T10:00:59+00:00", "Europe/Paris", "2026-11-22 11:00"),
        ("2026-07-01T22:30:00+00:00", "Asia/Kolkata", "2026-07-02 04:00"),
        ("2026-10-25T01:30:00+00:00", "Europe/Paris", "2026-10-25 01:30"),  # half past two came twice
        ("2026-11-22T10:00:00+00:00", "Mars/Olympus", "2026-11-21 10:00"),
        ("2026-11-22T10:00:00+00:00", "", "2026-11-21 10:00"),
    ],
)
def test_a_moment_is_asked_for_by_the_clock_of_the_account(since: str, zone: str, asked: str) -> None:
    assert asked_since(datetime.fromisoformat(since), zone) == asked


async def test_what_changed_in_the_same_minute_but_earlier_is_left_out() -> None:
    async with world(JIRA) as there:
        await there.opened()
        there.server.clock.advance(seconds=20)
        assert await there.backend.changes(there.server.clock()) == []
        (asked,) = there.server.asked(Does.LIST)
    jql = parse_qs(urlsplit(asked.path).query)["jql"][0]
    assert 'updated >= "2026-11-22 11:00"' in jql


# --- texts -------------------------------------------------------------------------------------------------------------

TEXTS = ["one line", "two\nlines", "a paragraph\n\nanother\n(tocsin K/1)", "[~admin] *bold* {noformat} h1. no", "\n\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back_out_of_a_document_and_out_of_markup(text: str) -> None:
    assert plain(document(text)) == text.strip()
    assert plain(preformatted(text)).replace("\N{ZERO WIDTH SPACE}", "") == text.strip()


def test_markup_cannot_end_the_block_that_it_stands_in() -> None:
    assert preformatted("{noformat}[~admin]{NOFORMAT}").lower().count("{noformat}") == 2


@pytest.mark.parametrize("text", ["line\n" * 6_000, '"' * 30_000, "é\n\n" * 10_000])
def test_a_document_is_never_longer_than_a_field_takes_and_keeps_its_end(text: str) -> None:
    text += "\n(tocsin K/1)"
    said = document(text)
    assert len(json.dumps(said, ensure_ascii=False, separators=(",", ":"))) <= 32_767
    assert words(said).endswith("(tocsin K/1)")


@pytest.mark.parametrize(
    "strange", [None, 1, [], {}, {"content": 3}, {"content": [None, {"type": "text"}]}, {"type": []}, {"type": {}}]
)
def test_reading_a_document_never_fails(strange: object) -> None:
    assert plain(strange) == ""


def test_mentions_and_cards_of_people_are_read_as_text() -> None:
    mention = {"type": "mention", "attrs": {"id": "1", "text": "@Ines Martin"}}
    card = {"type": "inlineCard", "attrs": {"url": "https://example.net/"}}
    inner = [mention, {"type": "text", "text": " see "}, card]
    listed = {
        "type": "bulletList",
        "content": [{"type": "listItem", "content": [{"type": "paragraph", "content": inner}]}],
    }
    assert plain({"type": "doc", "content": [listed]}) == "@Ines Martin see https://example.net/"


# --- answers -----------------------------------------------------------------------------------------------------------


def judged(status: int, **headers: str) -> DeliveryError | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(Answer(status, named, b"{}"), Request("GET", "https://jira.example.net/x"), NOW)


def test_a_limit_that_names_only_its_reset_is_waited_out_until_then() -> None:
    error = judged(429, X_RateLimit_Reset="2026-11-22T10:05Z", RateLimit_Reason="jira-quota-global-based")
    assert error is not None
    assert (error.reason, error.after) == (Reason.RATE_LIMITED, timedelta(minutes=5))
    assert "jira-quota-global-based" in str(error)


@pytest.mark.parametrize("reset", ["", "soon", "2026-11-22T09:00Z"])
def test_a_reset_that_is_past_or_means_nothing_does_no_harm(reset: str) -> None:
    error = judged(429, X_RateLimit_Reset=reset)
    assert error is not None
    assert error.after in (None, timedelta(0))


def test_a_captcha_asks_for_a_person_and_stops() -> None:
    error = judged(
        403, X_Authentication_Denied_Reason="CAPTCHA_CHALLENGE; login-url=https://jira.example.net/login.jsp"
    )
    assert error is not None
    assert error.stops
    assert "CAPTCHA" in str(error)


@pytest.mark.parametrize("header", [{"X_AUSERNAME": "anonymous"}, {"X_Seraph_LoginReason": "AUTHENTICATED_FAILED"}])
def test_a_success_for_somebody_unknown_is_none(header: dict[str, str]) -> None:
    error = judged(200, **header)
    assert error is not None
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)


@pytest.mark.parametrize("header", [{}, {"X_AUSERNAME": "tocsin"}, {"X_Seraph_LoginReason": "OK"}])
def test_a_success_for_us_is_one(header: dict[str, str]) -> None:
    assert judged(200, **header) is None


def test_a_conflict_with_somebody_elses_change_is_tried_again() -> None:
    error = judged(409)
    assert error is not None
    assert (error.reason, error.retry) == (Reason.REFUSED, True)


@pytest.mark.parametrize("options", [{}, CENTER])
async def test_finding_nothing_as_nobody_is_no_licence_to_create(options: dict[str, Any]) -> None:
    async with world(JIRA, **options) as there:
        await there.opened()
        there.server.face.anonymous = True
        error = await there.fail(delivery(number="", attempts=2, uncertain=True, doubted_at=NOW - timedelta(hours=1)))
        assert len(there.server.asked(Does.CREATE)) == 1
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)


@pytest.mark.parametrize("status", [200, 400, 404, 410])
def test_what_somebody_unknown_is_told_is_no_answer_to_us(status: int) -> None:
    error = judged(status, X_Seraph_LoginReason="AUTHENTICATED_FAILED")
    assert error is not None
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)


async def test_a_ticket_that_somebody_unknown_cannot_see_is_not_gone() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.face.anonymous = True
        error = await there.fail(told("close", receipt.number))
        with pytest.raises(DeliveryError):
            await there.backend.read(receipt.number)
    assert (error.reason, error.retry, error.stops) == (Reason.UNAUTHORIZED, True, True)


async def test_a_field_that_the_account_may_not_search_by_stops_the_backend_and_ends_no_delivery() -> None:
    async with world(JIRA, reference_field="customfield_10077") as there:
        error = await there.fail(delivery(number="", attempts=2, uncertain=True, doubted_at=NOW - timedelta(hours=1)))
        assert not there.server.asked(Does.CREATE)
    assert (error.reason, error.retry, error.stops) == (Reason.MISCONFIGURED, True, True)


async def test_somebody_who_was_quicker_with_a_transition_is_no_reason_to_give_up() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.face.quicker = lambda issue: setattr(issue, "status", "7")
        after = await there.tell(told("close", receipt.number), tries=1)
    assert after.status == TicketStatus.CLOSED


async def test_a_transition_that_the_workflow_refuses_is_refused() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        there.server.face.quicker = lambda _: there.server.face.workflow.update({"1": ()})
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)


async def test_a_ticket_that_goes_out_of_sight_by_its_last_transition_is_closed() -> None:
    async with world(JIRA) as there:
        receipt = await there.opened()
        face = there.server.face
        issue = held(there)
        face.quicker = lambda _: face.issues.__delitem__(receipt.number)
        after = await there.tell(told("close", receipt.number), tries=1)
    assert (issue.status, after.status) == ("7", TicketStatus.CLOSED)


@pytest.mark.parametrize(("options", "opted"), [(DESK, "opt-in"), ({**CENTER, **DESK}, "true")])
async def test_what_is_experimental_is_opted_into_as_each_flavour_wants_it(options: dict[str, Any], opted: str) -> None:
    async with world(JIRA, **options) as there:
        await there.opened()
        assert {seen.headers["X-ExperimentalApi"] for seen in there.server.seen} == {opted}


@pytest.mark.parametrize("said", [{"values": []}, {"issues": None}, {"issues": ["OPS-1"]}, []])
async def test_an_answer_without_issues_is_not_taken_for_none(said: object) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(said)

    async with world(JIRA) as there, answering(answer) as url:
        backend = build("jira", "portal", {**there.server.face.options(), "url": url}, there.outside)
        with pytest.raises(DeliveryError) as caught:
            await backend.search(REFERENCE)
    assert caught.value.reason == Reason.UNREADABLE


# --- checks, options, webhooks -----------------------------------------------------------------------------------------


async def wrong(**options: Any) -> list[str]:
    async with world(JIRA, **options) as there:
        return [one.told for one in await there.backend.check() if one.level == Level.ERROR]


async def test_a_check_names_what_is_not_there() -> None:
    (told_type,) = await wrong(issue_type="Incidents")
    assert "did you mean 'Incident'?" in told_type
    (told_field,) = await wrong(reference_field="customfield_1")
    assert "'customfield_1' is not on the create screen" in told_field
    (told_value,) = await wrong(impacts={"none": "Trivial"})
    assert "has no value 'Trivial'" in told_value
    (told_form,) = await wrong(issue_type="", request_type="Report a problem")
    assert "did you mean 'Report a system problem'?" in told_form
    assert "may not see it" in (await wrong(project="NONE", issue_type="Incident"))[0]


async def test_a_check_finds_rights_that_lack_and_fields_that_are_required() -> None:
    async with world(JIRA) as there:
        there.server.face.lacking = {"TRANSITION_ISSUES"}
        there.server.face.screen["customfield_10077"] = "Root cause"
        there.server.face.required = {"customfield_10077"}
        said = [one.told for one in await there.backend.check() if one.level == Level.ERROR]
    assert "lacks TRANSITION_ISSUES" in said[0]
    assert "requires 'Root cause'; give a value for 'customfield_10077' in `fields`" in said[1]


@pytest.mark.parametrize("options", [CENTER, DESK, {**CENTER, **DESK}])
async def test_a_check_is_in_order_in_each_flavour(options: dict[str, Any]) -> None:
    assert await wrong(**options) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"token_file": ""}, "give `token_file`"),
        ({"client_id": "x"}, "give `token_file`"),
        ({"issue_type": ""}, "give `issue_type`, or `request_type`"),
        ({"request_type": "17"}, "give `issue_type`, or `request_type`"),
        ({"issue_type": "", "request_type": "17", "project": 10000}, "give the key of the project"),
        ({"fields": {"summary": "x"}}, "summary is filled by tocsin"),
        ({"fields": {"labels": "x"}}, "labels must be a list"),
        ({"fields": {"labels": ["tocsin-prod"]}}, "labels that begin with 'tocsin-' are read as references"),
        ({"impact_field": "severity"}, "must be `priority`"),
        ({"reference_field": "Reference"}, "option 'reference_field'"),
        ({"label": "two words"}, "option 'label'"),
        ({"api": 1}, "option 'api'"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    async with world(JIRA) as there:
        with pytest.raises(SettingsError, match=sentence):
            build("jira", "portal", {**there.server.face.options(), **options}, there.outside)


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ({"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "key": "OPS-7", "fields": {}}}, ["OPS-7"]),
        ({"webhookEvent": "comment_created", "comment": {}, "issue": {"key": "OPS-8"}}, ["OPS-8"]),
        ({"key": "OPS-9", "fields": {}}, ["OPS-9"]),  # a rule of Jira Automation
        ({"webhookEvent": "project_created", "project": {"key": "OPS"}}, []),
    ],
)
def test_a_webhook_names_its_issue(body: object, numbers: list[str]) -> None:
    assert heard(Payload(body=json.dumps(body).encode())) == numbers


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"key": "OPS"}', b"[" * 100_000, b'{"issue": 3}'])
def test_what_is_no_webhook_of_jira_is_said_in_a_sentence(body: bytes) -> None:
    with pytest.raises(PayloadError, match="Jira"):
        heard(Payload(body=body))

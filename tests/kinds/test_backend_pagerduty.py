"""PagerDuty beyond the kit: what becomes of a key that is told again, its severities, its ways to say no."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from deliveries import REFERENCE, delivery
from fakes.core import Behaviour, Does
from kit import World, doubted, told, world
from tocsin.backends import build, kinds
from tocsin.backends._http import Answer, Request
from tocsin.backends.pagerduty import Options, believed, judge
from tocsin.errors import PayloadError, Reason
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.pagerduty import PagerDuty
    from tocsin.backends import Outside

KIND = kinds()["pagerduty"]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def face(there: World) -> PagerDuty:
    found = there.server.face
    assert found.KIND == "pagerduty"
    return found  # type: ignore[return-value]


def sent(there: World) -> dict[str, Any]:
    return json.loads(there.server.seen[-1].body)


UNKEYED = {"id": "Q2X369CTEOAGYM", "type": "incident", "incident_key": None, "status": "acknowledged"}
"""What a webhook shows of an incident that holds alerts."""


async def test_our_reference_is_the_key_and_the_number() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
    assert (receipt.number, sent(there)["dedup_key"], sent(there)["event_action"]) == (REFERENCE, REFERENCE, "trigger")


async def test_an_opening_that_is_told_again_pages_nobody_anew() -> None:
    async with world(KIND) as there:
        there.server.script(Does.CREATE, Behaviour.FAILED, Behaviour.LOST)
        error = await there.fail(delivery(number=""))
        await there.tell(doubted(delivery(number=""), error, there))
        assert len(face(there).incidents) == 1
        assert len(face(there).incidents[0].log) == 3


async def test_closing_resolves_the_key_and_says_no_more() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        after = await there.tell(told("close", receipt.number))
    asked = sent(there)
    assert asked.keys() == {"routing_key", "event_action", "dedup_key"}
    assert (asked["event_action"], after.status) == ("resolve", TicketStatus.CLOSED)


@pytest.mark.parametrize("action", ["note", "update"])
async def test_what_is_told_in_between_is_not_sent(action: str) -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).person(receipt.number, status="closed")
        there.server.seen.clear()
        body = {"impact": Impact.NONE, "status": TicketStatus.REPAIRED} if action == "update" else {}
        after = await there.tell(told(action, receipt.number, body=body))
        assert not there.server.seen
    assert after.number == receipt.number


async def test_a_service_that_fails_again_after_it_was_closed_pages_people_again() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        after = await there.tell(told("reopen", receipt.number, id=19))
        assert [one.status for one in face(there).incidents] == ["resolved", "triggered"]
    assert (after.number, after.status) == (receipt.number, TicketStatus.DECLARED)


@pytest.mark.parametrize(
    ("impact", "severity"),
    [
        (Impact.INTERRUPTED, "critical"),
        (Impact.SEVERE, "error"),
        (Impact.DEGRADED, "warning"),
        (Impact.BACKUP, "info"),
        (Impact.NONE, "info"),
    ],
)
async def test_an_impact_is_a_severity(impact: Impact, severity: str) -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, impact=impact)))
    assert sent(there)["payload"]["severity"] == severity


async def test_severities_may_be_told_otherwise() -> None:
    async with world(KIND, impacts={"interrupted": "error"}) as there:
        await there.opened()
    assert sent(there)["payload"]["severity"] == "error"


async def test_an_event_says_what_it_is_about_and_where_to_look() -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        element = replace(one.body.element, name="", offer="Cloud")
        await there.tell(replace(one, body=replace(one.body, element=element, previous="K1")))
    asked = sent(there)
    payload = asked["payload"]
    assert (payload["source"], payload["component"], payload["group"]) == ("DF000J1ADE", "DF000J1ADE", "Cloud")
    assert (payload["class"], payload["timestamp"]) == ("process-count", "2026-11-22T10:00:00Z")
    assert payload["custom_details"]["previous"] == "K1"
    assert "site" not in payload["custom_details"]
    assert asked["client_url"] == f"https://tocsin.example.net/incidents/{REFERENCE}"
    assert asked["links"] == [{"href": "https://wiki.example.net/DF000J1ADE", "text": "Runbook"}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"impacts": {"none": "low"}}, "low is no severity of PagerDuty: use critical, error, warning, info"),
        ({"links": {"Runbook": "javascript:alert(1)"}}, "every link must be an http:// or https:// address"),
        ({"client_url": "ftp://example.net"}, "String should match pattern"),
        ({"statuses": {"closed": "done"}}, "Extra inputs are not permitted"),
        ({"url": "events.pagerduty.com"}, "must be an http:// or https:// address"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"routing_key_file": "k", **options})
    assert words in str(caught.value)


def test_the_address_is_pagerdutys_unless_it_is_given() -> None:
    assert Options(routing_key_file="k").url == "https://events.pagerduty.com"


async def test_an_address_is_filled_with_names_that_are_quoted() -> None:
    async with world(KIND) as there:
        one = delivery(number="")
        element = replace(one.body.element, reference='DO 1/"x"')
        await there.tell(replace(one, body=replace(one.body, element=element)))
    assert sent(there)["links"] == [{"href": "https://wiki.example.net/DO%201%2F%22x%22", "text": "Runbook"}]


@pytest.mark.parametrize("length", [10, 1_000, 5_000])
async def test_a_summary_ends_in_our_reference_however_long_it_is(length: int) -> None:
    texts = {"en": "word " * (length // 5), "fr": ""}
    async with world(KIND) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, name=texts)))
    summary = sent(there)["payload"]["summary"]
    assert summary.endswith(f" (tocsin {REFERENCE})")
    assert len(summary) <= 1024


async def test_a_key_that_is_nobodys_stops_the_backend_and_ends_no_delivery() -> None:
    async with world(KIND) as there:
        stranger = replace_secret(there, b"f" * 32)
        there.backend = build("pagerduty", "portal", there.server.face.options(), stranger)
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry, error.stops) == (Reason.UNAUTHORIZED, True, True)
    assert "correct the integration key" in str(error)


def replace_secret(there: World, secret: bytes) -> Outside:
    return dataclasses.replace(there.outside, read_secret=lambda _: secret)


async def test_an_address_that_is_not_the_apis_stops_the_backend_and_ends_no_delivery() -> None:
    async with world(KIND) as there:
        options = {**there.server.face.options(), "url": f"{there.server.url}/v2/enqueue"}
        there.backend = build("pagerduty", "portal", options, there.outside)
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True)


def said(status: int, body: Any) -> Any:
    request = Request("POST", "https://events.pagerduty.com/v2/enqueue")
    return judge(Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode()), request, NOW)


@pytest.mark.parametrize(
    ("status", "errors", "reason", "stops"),
    [
        (400, ["Length of 'routing_key' is incorrect (should be 32 characters)"], Reason.UNAUTHORIZED, True),
        (400, ["'payload.summary' is missing or blank"], Reason.REFUSED, False),
        (202, ["'payload.severity' is invalid"], Reason.REFUSED, False),
        (403, [], Reason.UNAUTHORIZED, True),
        (413, [], Reason.REFUSED, False),
        (429, ["routing_key is busy"], Reason.RATE_LIMITED, False),
        (500, ["routing_key"], Reason.UNAVAILABLE, False),
        (400, ["'routing_key' cannot contain non-alphanumeric characters."], Reason.UNAUTHORIZED, True),
    ],
)
def test_each_way_to_say_no_is_understood(status: int, errors: list[str], reason: Reason, stops: bool) -> None:  # noqa: FBT001
    error = said(status, {"status": "invalid event", "message": "Event object is invalid", "errors": errors})
    assert (error.reason, error.stops) == (reason, stops)


def test_a_key_that_is_nobodys_is_told_as_plain_text() -> None:
    error = said(400, b"Invalid routing key")
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)
    assert said(429, b"Invalid routing key").reason == Reason.RATE_LIMITED


@pytest.mark.parametrize("body", [b'"errors"', b'{"errors"', {"errors": 7}, {"errors": []}, ["errors"]])
def test_an_answer_that_only_looks_like_an_error_is_none(body: Any) -> None:
    assert said(202, body) is None


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        ({"event_type": "incident.resolved", "data": {"status": "resolved", "incident_key": "K7"}}, [("K7", "closed")]),
        (
            {"event_type": "incident.x", "data": {"status": "acknowledged", "incident_key": "K7"}},
            [("K7", "in_progress")],
        ),
        ({"event_type": "incident.annotated", "data": {"type": "incident_note", "incident": {"id": "P1"}}}, []),
        ({"event_type": "incident.acknowledged", "data": {"incident_key": None}}, []),
        ({"event_type": "incident.new", "data": {"incident_key": "K7", "status": "another"}}, []),
        (
            {"event_type": "incident.acknowledged", "data": {**UNKEYED, "title": "Disk full (tocsin K7)"}},
            [("K7", "in_progress")],
        ),
        ({"event_type": "incident.acknowledged", "data": {**UNKEYED, "title": "(tocsin K7) and more"}}, []),
        ({"event_type": "incident.acknowledged", "data": {**UNKEYED, "title": None}}, []),
        ({"event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}, []),
    ],
)
def test_a_webhook_shows_the_incident_that_it_is_about(event: Any, seen: list[tuple[str, str]]) -> None:
    records = believed(Payload(body=json.dumps({"event": event}).encode()))
    assert [(record.reference, record.status) for record in records] == seen


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"event": 7}', b'{"messages": []}', b"[" * 5000])
def test_what_is_no_webhook_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(PayloadError, match=r"^the message"):
        believed(Payload(body=body))


async def test_an_incident_whose_service_makes_no_alerts_is_known_by_its_key() -> None:
    async with world(KIND) as there:
        receipt = await there.opened()
        face(there).without_alerts = True
        face(there).incidents[0].event["payload"]["summary"] = "somebody gave it another title"
        _, body = face(there).hook(receipt.number)
    assert [record.reference for record in believed(Payload(body=body))] == [REFERENCE]


def test_whom_pagerduty_assigns_an_incident_to_is_no_persons_doing() -> None:
    people = [{"id": "PD2F4XG", "type": "user_reference", "summary": "Ines Martin"}]
    data = {**UNKEYED, "status": "triggered", "title": "Disk full (tocsin K7)", "assignees": people}
    event = {"event_type": "incident.escalated", "agent": None, "data": data}
    (record,) = believed(Payload(body=json.dumps({"event": event}).encode()))
    assert (record.assignee, record.status) == ("", TicketStatus.DECLARED)

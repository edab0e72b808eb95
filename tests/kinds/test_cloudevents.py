from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import _requests, _states, cloudevents, kinds

HANGS = pytest.mark.timeout(60)  # what is not linear takes many minutes with these

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "type": "com.example.disk.full.raised",
    "source": "/monitoring",
    "subject": "db1",
}
DATA = {"check": "disk /var", "severity": "minor", "message": "97 %"}
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"


def parse(event: Any, **options: Any) -> list[Alert | Unreadable]:
    told = Payload(body=json.dumps(event).encode(), content_type="application/cloudevents+json", source="bus")
    return cloudevents.parse(told, cloudevents.Options(**options), NOW)


def only(event: Any, **options: Any) -> Alert:
    (alert,) = parse(event, **options)
    assert isinstance(alert, Alert)
    return alert


def binary(headers: str, body: bytes = b"") -> Alert:
    told = _requests.payload(kinds()["cloudevents"], body, headers, source="bus")
    (alert,) = cloudevents.parse(told, cloudevents.Options(), NOW)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("name", "base", "state"),
    [
        ("com.example.alert.resolved", "com.example", "over"),
        ("com.example.alert.raised", "com.example", "firing"),
        ("com.example.AlertResolved", "com.example", "over"),
        ("com.example.AlertRaisedEvent", "com.example", "firing"),
        ("com.example.disk.alarm", "com.example.disk", "firing"),
        ("com.example.disk.ok", "com.example.disk", "over"),
        ("com.example.disk.alarm.cleared.v1", "com.example.disk", "over"),
        ("dev.cdevents.incident.detected.0.1.0", "dev.cdevents", "firing"),
        ("com.example.problem/closed/v2", "com.example", "over"),
        ("com.example.alert.acknowledged", "com.example", "quiet"),
        ("com.example.temperature", "com.example.temperature", ""),
        ("alert", "alert", "firing"),
        ("resolved", "resolved", "over"),
    ],
)
def test_a_type_has_a_base_and_a_state(name: str, base: str, state: str) -> None:
    told = _states.split(name)
    assert (told.base, told.state) == (base, state)


@pytest.mark.parametrize("word", ["resolved", "recovered", "cleared", "closed", "deleted", "ok", "ended", "normal"])
def test_the_last_word_of_the_type_ends_a_problem(word: str) -> None:
    over = only(EVENT | {"type": f"com.example.disk.full.{word}"})
    assert (over.status, over.fingerprint) == (Status.RESOLVED, only(EVENT).fingerprint)


@pytest.mark.parametrize("word", ["firing", "opened", "raised", "alarm", "triggered", "created", "detected"])
def test_the_last_word_of_the_type_begins_a_problem(word: str) -> None:
    alert = only(EVENT | {"type": f"com.example.disk.full.{word}"})
    assert (alert.status, alert.fingerprint) == (Status.FIRING, only(EVENT).fingerprint)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"status": "RESOLVED"}, Status.RESOLVED),
        ({"state": "OK"}, Status.RESOLVED),
        ({"alert": {"state": "closed"}}, Status.RESOLVED),
        ({"essentials": {"monitorCondition": "Resolved"}}, Status.RESOLVED),
        ({"status": "whatever", "state": "cleared"}, Status.RESOLVED),
        ({"status": "open"}, Status.FIRING),
        ({"status": None}, Status.FIRING),
        ("resolved", Status.FIRING),
    ],
)
def test_a_status_in_the_data_is_believed_before_the_type(data: Any, status: Status) -> None:
    assert only(EVENT | {"data": data}).status == status
    if status is Status.FIRING and isinstance(data, dict) and data["status"]:
        assert only(EVENT | {"type": "com.example.disk.full.resolved", "data": data}).status == status


@pytest.mark.parametrize(
    "change",
    [{"source": "/other"}, {"subject": "db2"}, {"type": "com.example.load.raised"}, {"data": DATA | {"check": "load"}}],
)
def test_each_identifying_part_makes_another_problem(change: dict[str, Any]) -> None:
    event = EVENT | {"data": DATA}
    assert only(event | change).fingerprint != only(event).fingerprint


@pytest.mark.parametrize(
    "change",
    [{"id": "2"}, {"time": "2026-11-23T07:00:00Z"}, {"data": DATA | {"severity": "info", "message": "x", "url": "u"}}],
)
def test_nothing_else_does(change: dict[str, Any]) -> None:
    event = EVENT | {"data": DATA}
    assert only(event | change).fingerprint == only(event).fingerprint


def test_an_identity_in_the_data_is_enough() -> None:
    one = only(EVENT | {"data": {"alertId": "4711"}})
    assert (
        one.fingerprint == only(EVENT | {"subject": "x", "type": "a.resolved", "data": {"alertId": "4711"}}).fingerprint
    )
    assert one.fingerprint != only(EVENT | {"data": {"alertId": "4712"}}).fingerprint
    named = only(EVENT | {"data": {"a": {"key": 7}}}, identity_fields=("a.key",))
    assert (
        named.fingerprint
        == only(EVENT | {"subject": "y", "data": {"a": {"key": 7}}}, identity_fields=("a.key",)).fingerprint
    )


def test_types_that_are_not_wanted_are_taken_and_no_alerts() -> None:
    assert parse(EVENT, types=("com.example.load.*",)) == []
    assert parse(EVENT, types=("com.example.*",))


def test_binary_mode_has_its_attributes_in_headers_decoded_once() -> None:
    head = 'ce-type: com.example.raised\nce-source: "/a \\"b\\""\nce-subject: Euro%20%E2%82%AC%2525\nce-team: x'
    alert = binary(head + "\nContent-Type: application/vnd.example+json", b'{"severity": "minor"}')
    assert (alert.resource, alert.severity) == ("Euro €%25", "minor")
    assert (alert.labels["source"], alert.labels["team"]) == ('/a "b"', "x")


@pytest.mark.parametrize("body", [b"", b"some text", b"\xff\x00", b"<xml/>"])
def test_binary_mode_carries_anything(body: bytes) -> None:
    alert = binary("ce-type: com.example.raised\nce-source: /a\nContent-Type: application/octet-stream", body)
    assert (alert.resource, alert.check) == ("/a", "com.example")


@pytest.mark.parametrize("data", [DATA, json.dumps(DATA)])
def test_data_may_be_json_in_a_text_or_base64(data: Any) -> None:
    packed = base64.b64encode(json.dumps(DATA).encode()).decode()
    assert only(EVENT | {"data": data}) == only(EVENT | {"data_base64": packed})
    assert only(EVENT | {"data": data}) == only(EVENT | {"datacontentencoding": "base64", "data": packed})
    assert only(EVENT | {"data_base64": "&&&"}).check == "com.example.disk.full"


def asked(head: str, **options: Any) -> Any:
    told = _requests.payload(kinds()["cloudevents"], b"", f"OPTIONS /hooks/bus HTTP/1.1\n{head}", source="bus")
    return cloudevents.greet(told, cloudevents.Options(**options))


def test_a_sender_that_asks_is_told_that_it_may_send() -> None:
    told = asked("WebHook-Request-Origin: eventgrid.azure.net\nWebHook-Request-Rate: 120")
    assert told.status == 200
    assert told.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert told.headers["WebHook-Allowed-Rate"] == "*"
    limited = asked("WebHook-Request-Origin: a.example.net", allowed_origins=("*.example.net",), allowed_rate=60)
    assert limited.headers["WebHook-Allowed-Rate"] == "60"


@pytest.mark.parametrize("origin", ["evil.example.org", "a.example.net\x7f", "a example.net"])
def test_an_origin_that_is_not_allowed_gets_no_consent(origin: str) -> None:
    told = asked(f"WebHook-Request-Origin: {origin}", allowed_origins=("*.example.net", "a*net*"))
    assert told.status == 403
    assert "WebHook-Allowed-Origin" not in told.headers


def test_an_options_request_of_a_browser_gets_no_consent() -> None:
    assert "WebHook-Allowed-Origin" not in asked("Host: tocsin.example.net").headers


@pytest.mark.parametrize("name", ["eventType", "type"])
def test_the_validation_of_azure_is_answered_and_no_alert(name: str) -> None:
    event = {
        "id": "1",
        "topic": "/t",
        name: VALIDATION,
        "data": {"validationCode": "512d", "validationUrl": "https://x"},
    }
    told = Payload(body=json.dumps([event]).encode(), source="bus")
    greeted = cloudevents.greet(told, cloudevents.Options())
    assert greeted
    assert json.loads(greeted.body) == {"validationResponse": "512d"}
    assert cloudevents.parse(told, cloudevents.Options(), NOW) == []


def test_nothing_else_is_a_handshake() -> None:
    for event in (EVENT, EVENT | {"data": {"validationCode": "1"}}, EVENT | {"data": VALIDATION}):
        assert cloudevents.greet(Payload(body=json.dumps(event).encode()), cloudevents.Options()) is None
    assert cloudevents.greet(Payload(body=b"{" + VALIDATION.encode()), cloudevents.Options()) is None


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"source": "/a"}, "the attribute type is missing"),
        ({"type": "a.b"}, "the attribute source is missing"),
        ("text", "this is not a CloudEvent"),
    ],
)
def test_what_is_missing_is_named(event: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(event)
    (entry,) = parse([event])
    assert isinstance(entry, Unreadable)


@pytest.mark.parametrize(("alerts", "entries"), [([], 0), ([{"labels": {"alertname": "A"}}, 7], 2), (["a", "b"], 1)])
def test_a_group_is_a_list_of_objects(alerts: list[Any], entries: int) -> None:
    found = parse(EVENT | {"data": {"alerts": alerts}})
    assert len(found) == entries
    assert [isinstance(entry, Unreadable) for entry in found] == [False, True][:entries]


def test_the_time_of_an_event_that_fires_counts_only_beside_a_start() -> None:
    first, later = "2026-11-23T07:41:00Z", "2026-11-23T07:55:00Z"
    told = EVENT | {"time": later}
    assert only(told).said_at is None
    assert only(told | {"data": DATA | {"startsAt": later}}).said_at is None
    assert only(told | {"data": DATA | {"startsAt": first}}).said_at == datetime.fromisoformat(later)
    assert only(told | {"type": "com.example.disk.full.resolved"}).said_at == datetime.fromisoformat(later)


@HANGS
@pytest.mark.parametrize(
    "name", ["x" + ".1" * 200 + "!", "1." * 255, "1." * 500_000, "alert." * 80, "a.alert" + "." * 500]
)
def test_a_type_of_many_parts_costs_no_more_than_reading_it(name: str) -> None:
    parse(EVENT | {"type": name})


def test_a_type_too_long_to_be_a_name_stays_whole() -> None:
    name = "x" * 512 + ".resolved"
    assert _states.split(name) == (name, name, "")

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Unreadable
from tocsin.sources import graylog

HANGS = pytest.mark.timeout(60)  # what is not linear takes many minutes with these

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
EVENT = {
    "id": "01JDBWZ3M2N4P6Q8R0S2T4V6X8",
    "timestamp": "2026-11-23T07:44:00.000Z",
    "timestamp_processing": "2026-11-23T07:44:11.245Z",
    "message": "Server errors",
    "source": "graylog.example.net",
    "priority": 2,
    "key_tuple": [],
    "fields": {},
}
TOLD = {"event_definition_id": "65f0", "event_definition_title": "Server errors", "event": EVENT, "backlog": []}
CALLED = {
    "check_result": {"triggered_condition": {"id": "c1", "type": "MESSAGE_COUNT"}},
    "stream": {"id": "s1", "title": "Shop"},
}


def parse(message: Any, **options: Any) -> list[Alert | Unreadable]:
    return graylog.parse(Payload(body=json.dumps(message).encode()), graylog.Options(**options), NOW)


def only(message: dict[str, Any], **options: Any) -> Alert:
    (alert,) = parse(message, **options)
    assert isinstance(alert, Alert)
    return alert


def event(**change: Any) -> Alert:
    return only(TOLD | {"event": EVENT | change})


@pytest.mark.parametrize(
    ("priority", "severity"),
    [(1, "warning"), (2, "minor"), ("3", "major"), (4, "critical"), (None, "major"), (9, "major")],
)
def test_the_priority_is_the_severity(priority: Any, severity: str) -> None:
    assert event(priority=priority).severity == severity


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        ({"group_by_fields": {"source": "web1", "http_status": "500"}, "fields": {"host": "web2"}}, "web1"),
        ({"fields": {"host": "web2", "source": "web3"}}, "web2"),
        ({"group_by_fields": {"username": "alice"}, "key_tuple": ["alice", "ssh"]}, "alice, ssh"),
        ({"key": "web4"}, "web4"),
        ({}, "graylog.example.net"),
        ({"source": ""}, "Server errors"),
    ],
)
def test_the_resource_is_the_host_or_what_the_event_is_grouped_by(change: dict[str, Any], resource: str) -> None:
    assert event(**change).resource == resource


def test_an_option_says_which_fields_name_the_resource() -> None:
    told = TOLD | {"event": EVENT | {"fields": {"host": "web2", "router": "r1"}}}
    assert only(told, resource_fields=("router",)).resource == "r1"


KEYED = {"key_tuple": ["web1"], "group_by_fields": {"source": "web1"}}


@pytest.mark.parametrize(
    "change", [{"id": "other"}, {"priority": 4}, {"message": "x"}, {"fields": {"host": "web9"}}, {"source": "x"}]
)
def test_definition_and_key_identify_and_nothing_else(change: dict[str, Any]) -> None:
    assert event(**KEYED | change).fingerprint == event(**KEYED).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"key_tuple": ["web2"]},
        {"group_by_fields": {"source": "web2"}},
        {"group_by_fields": {"source": "web1", "a": "b"}},
    ],
)
def test_another_key_or_group_is_another_problem(change: dict[str, Any]) -> None:
    assert event(**KEYED | change).fingerprint != event(**KEYED).fingerprint
    assert only(TOLD | {"event_definition_id": "66"}).fingerprint != only(TOLD).fingerprint


def test_without_a_key_the_host_of_the_one_message_tells_events_apart() -> None:
    def of(source: str, context: str) -> Alert:
        return only(
            TOLD | {"event": EVENT | {"origin_context": context}, "backlog": [{"source": source, "message": "x"}]}
        )

    one = "urn:graylog:message:es:graylog_3:6e6f6b90"
    assert (of("web1", one).resource, of("web2", one).resource) == ("web1", "web2")
    assert of("web1", one).fingerprint != of("web2", one).fingerprint
    assert of("web1", "").fingerprint == of("web2", "").fingerprint


@pytest.mark.parametrize("definition", ["NotificationTestId", "this-is-a-test-notification"])
def test_a_test_is_no_alert(definition: str) -> None:
    assert parse(TOLD | {"event_definition_id": definition}) == []


def test_the_alarm_callback_is_known_by_stream_and_condition() -> None:
    alert = only(CALLED)
    assert (alert.resource, alert.check, alert.status) == ("Shop", "MESSAGE_COUNT", "firing")
    assert only(CALLED | {"stream": {"id": "s2", "title": "Shop"}}).fingerprint != alert.fingerprint
    assert only(CALLED | {"stream": {"id": "s1", "title": "Store"}}).fingerprint == alert.fingerprint


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "event_definition_id and event_definition_title are missing"),
        ({"event": {}}, "event_definition_id and event_definition_title are missing"),
        (
            {"event_definition_id": "<unknown>", "event": {}},
            "event_definition_id and event_definition_title are missing",
        ),
        ({"check_result": {}}, "stream.id or check_result.triggered_condition.id is missing"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_secret_fields_are_no_labels() -> None:
    labels = event(fields={"host": "web1", "api_token": "made-up"}).labels
    assert labels["host"] == "web1"
    assert "made-up" not in str(labels)


def test_the_test_of_an_alarm_callback_is_no_alert() -> None:
    condition = {"id": "00000000-0000-0000-0000-000000000000", "type": "dummy", "title": "Test Alert"}
    assert parse(CALLED | {"check_result": {"triggered_condition": condition, "triggered": True}}) == []


def test_names_that_are_too_long_are_cut() -> None:
    told = only(TOLD | {"event_definition_title": "t" * 600, "event": EVENT | {"key_tuple": ["k" * 600]}})
    assert (len(told.check), len(told.resource)) == (512, 512)


@HANGS
@pytest.mark.parametrize("written", ["a" * 200_000, "{host=web1, " + "a" * 200_000, "=" * 200_000, "a " * 100_000])
def test_a_long_text_of_fields_costs_no_more_than_reading_it(written: str) -> None:
    body = urlencode({"event_definition_id": "65f0", "event_definition_title": "t", "event_fields": written}).encode()
    graylog.parse(Payload(body=body, content_type="application/x-www-form-urlencoded"), graylog.Options(), NOW)

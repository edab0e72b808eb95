from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, pagerduty

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TOLD = {"summary": "load is 48", "source": "db1", "severity": "critical", "class": "load"}
TRIGGER = {"routing_key": "0" * 32, "event_action": "trigger", "dedup_key": "db1/load", "payload": TOLD}
FIRST = {"service_key": "0" * 32, "event_type": "trigger", "incident_key": "db1/load", "description": "load is 48"}


def payload(event: Any, path: str = pagerduty.V2) -> Payload:
    return Payload(body=json.dumps(event).encode(), source="pager", path=path)


def parse(event: Any, path: str = pagerduty.V2) -> list[Alert | Unreadable]:
    return pagerduty.parse(payload(event, path), pagerduty.Options(), NOW)


def only(event: Any, path: str = pagerduty.V2) -> Alert:
    (alert,) = parse(event, path)
    assert isinstance(alert, Alert)
    return alert


def answered(event: Any, path: str = pagerduty.V2) -> tuple[int, Any]:
    told = pagerduty.answer(payload(event, path), parse(event, path))
    return told.status, json.loads(told.body)


def without(name: str, event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != name}


def test_the_dedup_key_is_the_identity_whatever_else_is_said() -> None:
    assert only(TRIGGER).fingerprint == "db1/load"
    for change in ({"severity": "info"}, {"summary": "load is 3"}, {"source": "db2"}, {"class": "x"}):
        assert only(TRIGGER | {"payload": TOLD | change}).fingerprint == "db1/load"
    assert only({"event_action": "resolve", "dedup_key": "db1/load"}).fingerprint == "db1/load"


@pytest.mark.parametrize("change", [{"source": "db2"}, {"class": "disk"}, {"component": "/var"}, {"group": "prod"}])
def test_without_a_key_each_field_that_identifies_makes_another_problem(change: dict[str, str]) -> None:
    event = without("dedup_key", TRIGGER)
    assert only(event | {"payload": TOLD | change}).fingerprint != only(event).fingerprint


def test_without_a_key_the_summary_identifies_only_where_nothing_else_does() -> None:
    event = without("dedup_key", TRIGGER)
    assert only(event | {"payload": TOLD | {"summary": "load is 3"}}).fingerprint == only(event).fingerprint
    bare = event | {"payload": without("class", TOLD)}
    other = event | {"payload": without("class", TOLD) | {"summary": "disk is full"}}
    assert only(bare).fingerprint != only(other).fingerprint


@pytest.mark.parametrize("missing", ["", None, "{EVENT.ID}", "$ALERT_ID", "{{alert.id}}"])
def test_a_key_that_says_nothing_counts_as_missing(missing: str | None) -> None:
    assert only(TRIGGER | {"dedup_key": missing}).fingerprint == only(without("dedup_key", TRIGGER)).fingerprint


def test_a_minted_key_is_answered_and_resolves() -> None:
    status, told = answered(without("dedup_key", TRIGGER))
    assert (status, told["status"]) == (202, "success")
    over = only({"event_action": "resolve", "dedup_key": told["dedup_key"]})
    assert (over.status, over.fingerprint) == (Status.RESOLVED, only(without("dedup_key", TRIGGER)).fingerprint)


def test_each_version_is_answered_in_its_own_words() -> None:
    done = {"status": "success", "message": "Event processed"}
    assert answered(TRIGGER) == (202, {**done, "dedup_key": "db1/load"})
    assert answered(TRIGGER | {"event_action": "acknowledge"}) == (202, {**done, "dedup_key": "db1/load"})
    assert answered(FIRST, pagerduty.V1) == (200, {**done, "incident_key": "db1/load"})
    change = {"routing_key": "0" * 32, "payload": {"summary": "deployed"}}
    assert answered(change, pagerduty.CHANGE) == (202, {"status": "success", "message": "Change event processed"})


@pytest.mark.parametrize("path", [pagerduty.V1, pagerduty.V2, ""])
def test_the_fields_tell_the_version_not_the_path(path: str) -> None:
    assert only(FIRST, path) == only(FIRST, pagerduty.V1)
    assert only(TRIGGER, path) == only(TRIGGER, pagerduty.V2)


@pytest.mark.parametrize(
    ("word", "severity"),
    [("critical", "critical"), ("error", "major"), ("warning", "warning"), ("info", "info"), ("", "major")],
)
def test_severities(word: str, severity: str) -> None:
    assert only(TRIGGER | {"payload": TOLD | {"severity": word}}).severity == Severity(severity)


@pytest.mark.parametrize(
    ("custom", "labels"),
    [
        ({"ping time": "1500ms", "load avg": 0.75}, {"ping time": "1500ms", "load avg": "0.75"}),
        ({"a": {"b": [1, 2]}, "api_token": "secret"}, {"a_b": "1, 2"}),
        ("text", {}),
        ([1, {"a": 2}], {}),
        (None, {}),
        (7, {}),
    ],
)
def test_custom_details_may_be_anything_and_secrets_are_not_kept(custom: Any, labels: dict[str, str]) -> None:
    alert = only(TRIGGER | {"payload": TOLD | {"custom_details": custom}})
    own = {"source": "db1", "severity": "critical", "class": "load"}
    assert alert.labels == own | labels
    assert "0" * 32 not in str(alert)


def test_a_resolve_that_carries_only_its_key_is_about_its_key() -> None:
    over = only({"routing_key": "x", "event_action": "resolve", "dedup_key": "db1/load"})
    assert (over.status, over.resource, over.check) == (Status.RESOLVED, "db1/load", "db1/load")


@pytest.mark.parametrize(
    ("event", "path", "problem"),
    [
        ({}, pagerduty.V2, "event_action .* is missing"),
        (TRIGGER | {"event_action": "party"}, pagerduty.V2, "event_action is 'party'"),
        ({"event_action": "resolve"}, pagerduty.V2, "dedup_key is missing: without one, nothing says what to resolve"),
        ({"event_action": "acknowledge"}, pagerduty.V2, "what to acknowledge"),
        ({"event_action": "trigger", "payload": {"summary": "x"}}, pagerduty.V2, "payload.source is missing"),
        ({"event_action": "trigger", "payload": {"source": "x"}}, pagerduty.V2, "payload.summary is missing"),
        ({"payload": {}}, pagerduty.CHANGE, "payload.summary is missing: this is no change event"),
        ([TRIGGER], pagerduty.V2, "an event of PagerDuty's Events API"),
    ],
)
def test_what_is_missing_is_named(event: Any, path: str, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(event, path)


def test_json_is_read_whatever_the_header_says() -> None:
    body = json.dumps(TRIGGER).encode()
    for media in pagerduty.MEDIA_TYPES:
        told = Payload(body=body, source="pager", content_type=media)
        assert pagerduty.parse(told, pagerduty.Options(), NOW) == [only(TRIGGER)]
    with pytest.raises(NotJsonError):
        pagerduty.parse(Payload(body=b"a=b", content_type="text/plain"), pagerduty.Options(), NOW)


def test_the_time_of_a_trigger_does_not_say_that_an_end_is_newer() -> None:
    told = {"payload": TOLD | {"timestamp": "2026-11-23T07:41:00Z"}}
    trigger, over = only(TRIGGER | told), only(TRIGGER | told | {"event_action": "resolve"})
    assert (trigger.starts_at, trigger.said_at) == (datetime(2026, 11, 23, 7, 41, tzinfo=UTC), None)
    assert over.ends_at == over.said_at == trigger.starts_at


def test_no_key_that_authenticates_is_kept() -> None:
    details = {"service_key": "0" * 32, "Authorization": "Basic eDp5", "api_key": "k", "host": "db1"}
    (alert,) = (only(TRIGGER | {"payload": TOLD | {"custom_details": details}}),)
    assert not {"service_key", "Authorization", "api_key", "routing_key"} & set(alert.labels)
    assert alert.labels["host"] == "db1"

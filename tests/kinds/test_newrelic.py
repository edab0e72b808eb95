from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import newrelic

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TEMPLATE = Path(__file__).parents[2] / "config" / "sources" / "newrelic" / "payload.hbs"
ISSUE: dict[str, Any] = {
    "id": "6f2d1a0e",
    "title": "Disk usage > 90",
    "priority": "HIGH",
    "state": "ACTIVATED",
    "trigger": "STATE_CHANGE",
    "impactedEntities": ["db01.example.net", "db02.example.net"],
    "alertPolicyNames": ["Databases"],
    "alertConditionNames": ["Disk"],
    "createdAt": 1795419660000,
    "updatedAt": 1795419720000,
}
INCIDENT: dict[str, Any] = {
    "account_id": 1,
    "incident_id": 401,
    "condition_id": 25660,
    "condition_name": "Host not reporting",
    "policy_name": "Hosts",
    "current_state": "open",
    "event_type": "INCIDENT",
    "severity": "CRITICAL",
    "details": "web01 is gone",
    "targets": [{"name": "web01.example.net", "labels": {"env": "prod"}, "type": "Host"}],
    "timestamp": 1795419720000,
}


def parse(message: Any) -> list[Alert | Unreadable]:
    return newrelic.parse(Payload(body=json.dumps(message).encode(), source="newrelic"), newrelic.Options(), NOW)


def only(message: dict[str, Any]) -> Alert:
    (alert,) = parse(message)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("CREATED", Status.FIRING),
        ("ACTIVATED", Status.FIRING),
        ("active", Status.FIRING),
        ("a state of a later version", Status.FIRING),
        ("CLOSED", Status.RESOLVED),
        ("closed", Status.RESOLVED),
        ("RESOLVED", Status.RESOLVED),
    ],
)
def test_the_state_of_the_issue_decides(state: str, status: Status) -> None:
    assert only(ISSUE | {"state": state}).status is status


@pytest.mark.parametrize(
    ("priority", "severity"),
    [("CRITICAL", "critical"), ("HIGH", "major"), ("MEDIUM", "minor"), ("LOW", "warning"), ("", "major")],
)
def test_the_priority_is_the_severity(priority: str, severity: Severity) -> None:
    assert only(ISSUE | {"priority": priority}).severity == severity


@pytest.mark.parametrize(
    "trigger", ["STATE_CHANGE", "INCIDENT_ADDED", "INCIDENT_CLOSED", "PRIORITY_CHANGED", "MERGE_REQUEST"]
)
def test_what_triggered_the_notification_leaves_an_open_issue_open(trigger: str) -> None:
    assert only(ISSUE | {"trigger": trigger}).status is Status.FIRING


def test_an_acknowledgement_is_no_alert_and_a_person_who_closes_the_issue_ends_it() -> None:
    assert parse(ISSUE | {"trigger": "USER_ACTION"}) == []
    assert only(ISSUE | {"trigger": "USER_ACTION", "state": "CLOSED"}).status is Status.RESOLVED
    untold = {name: value for name, value in ISSUE.items() if name != "trigger"}
    assert parse(untold | {"acknowledgedAt": 1795419720000}) == []
    assert len(parse(untold | {"acknowledgedAt": 1795419700000})) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"priority": "LOW"},
        {"title": "x"},
        {"impactedEntities": ["web01"]},
        {"state": "CLOSED"},
        {"updatedAt": 1795500000000},
    ],
)
def test_only_the_issue_identifies(change: dict[str, Any]) -> None:
    assert only(ISSUE | change).fingerprint == "6f2d1a0e"


@pytest.mark.parametrize(
    "told",
    [
        {"issueId": "6f2d1a0e", "state": "ACTIVATED"},
        {"issue_id": "6f2d1a0e", "issue_state": "ACTIVATED"},
        {"Issue ID": "6f2d1a0e", "stateText": "active"},
        {"issuePageUrl": "https://one.eu.newrelic.com/accounts/1/issues/6f2d1a0e?notifier=WEBHOOK", "state": "CREATED"},
        {"issueId": "6f2d1a0e", "id": "{{ json issueId }}", "status": "ACTIVATED"},
    ],
)
def test_the_issue_is_known_in_every_spelling(told: dict[str, Any]) -> None:
    assert only(told).fingerprint == "6f2d1a0e"


@pytest.mark.parametrize(
    ("change", "resource", "check"),
    [
        ({}, "db01.example.net", "Disk"),
        ({"impactedEntities": "db01.example.net"}, "db01.example.net", "Disk"),
        ({"impactedEntities": []}, "Databases", "Disk"),
        ({"impactedEntities": None, "entitiesData": {"names": ["web01"]}}, "web01", "Disk"),
        ({"impactedEntities": [{"name": "web01", "id": "x"}]}, "web01", "Disk"),
        ({"alertConditionNames": ["", "Load"]}, "db01.example.net", "Load"),
        ({"alertConditionNames": None, "alertPolicyNames": None}, "db01.example.net", "Disk usage > 90"),
    ],
)
def test_entity_and_condition_are_the_first_of_each(change: dict[str, Any], resource: str, check: str) -> None:
    alert = only(ISSUE | change)
    assert (alert.resource, alert.check) == (resource, check)


@pytest.mark.parametrize(
    ("change", "starts_at", "ends_at"),
    [
        ({}, "07:41", None),
        ({"createdAt": None, "activatedAt": 1795419720000}, "07:42", None),
        ({"createdAt": "not known"}, None, None),
        ({"state": "CLOSED", "closedAt": 1795424100000}, "07:41", "08:55"),
        ({"state": "CLOSED"}, "07:41", "07:42"),
    ],
)
def test_the_issue_says_since_when_and_until_when(
    change: dict[str, Any], starts_at: str | None, ends_at: str | None
) -> None:
    alert = only(ISSUE | change)
    told = [f"{at:%H:%M}" if at else None for at in (alert.starts_at, alert.ends_at)]
    assert told == [starts_at, ends_at]


@pytest.mark.parametrize(
    ("state", "told"),
    [("open", ["firing"]), ("acknowledged", []), ("closed", ["resolved"]), ("test", []), ("CLOSED", ["resolved"])],
)
def test_the_state_of_a_channels_incident_decides(state: str, told: list[str]) -> None:
    entries = parse(INCIDENT | {"current_state": state})
    assert [entry.status for entry in entries if isinstance(entry, Alert)] == told


def test_a_channels_incident_is_told_apart_by_account_and_id() -> None:
    first = only(INCIDENT)
    assert (
        first.fingerprint
        == only(INCIDENT | {"severity": "WARNING", "condition_name": "x", "current_state": "closed"}).fingerprint
    )
    assert first.fingerprint != only(INCIDENT | {"incident_id": 402}).fingerprint
    assert first.fingerprint != only(INCIDENT | {"account_id": 2}).fingerprint
    assert (first.resource, first.labels["env"]) == ("web01.example.net", "prod")


def test_the_duration_of_an_incident_says_when_it_began() -> None:
    assert only(INCIDENT | {"duration": 60000}).starts_at == datetime(2026, 11, 23, 7, 41, tzinfo=UTC)
    assert only(INCIDENT | {"duration": "much"}).starts_at == datetime(2026, 11, 23, 7, 42, tzinfo=UTC)
    assert only(INCIDENT | {"current_state": "closed"}).starts_at is None


def test_a_channel_may_send_a_form() -> None:
    body = urlencode({name: value for name, value in INCIDENT.items() if name != "targets"}).encode()
    payload = Payload(body=body, content_type="application/x-www-form-urlencoded", source="newrelic")
    (alert,) = newrelic.parse(payload, newrelic.Options(), NOW)
    assert isinstance(alert, Alert)
    assert (alert.fingerprint, alert.resource) == (only(INCIDENT).fingerprint, "Hosts")


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "the id of the issue"),
        ({"state": "ACTIVATED"}, "the id of the issue"),
        ({"issueId": "1"}, "the state is missing"),
        ({"incident_id": 401, "condition_name": "Disk", "timestamp": 1795419720000}, "current_state is missing"),
        ({"incident_id": 401, "condition_name": "Disk", "event_type": "INCIDENT"}, "current_state is missing"),
        ({"issueId": "{{ json issueId }}", "state": "ACTIVATED"}, "the id of the issue"),
        ({"current_state": "open", "timestamp": 1795419720000}, "incident_id is missing"),
        ("issue", "a notification of New Relic"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_the_template_that_is_shipped_is_read() -> None:
    told = {
        "issueId": "6f2d1a0e",
        "state": "CLOSED",
        "entitiesData.names": ["db01.example.net"],
        "accumulations.conditionName": ["Disk"],
        "annotations.description": ["It is full."],
        "closedAt": 1795424100000,
    }
    text = re.sub(r"\{\{!--.*?--\}\}", "", TEMPLATE.read_text(encoding="utf-8"))
    body = re.sub(r"\{\{ json ([\w.\[\]]+) \}\}", lambda found: json.dumps(told.get(found[1])), text)
    alert = only(json.loads(body))
    assert (alert.fingerprint, alert.status, alert.resource, alert.check) == (
        "6f2d1a0e",
        "resolved",
        "db01.example.net",
        "Disk",
    )
    assert (alert.description, alert.ends_at) == ("It is full.", datetime(2026, 11, 23, 8, 55, tzinfo=UTC))


def test_an_issue_that_names_nothing_is_about_the_source() -> None:
    (alert,) = parse({"id": "6f2d1a0e", "state": "ACTIVATED"})
    assert isinstance(alert, Alert)
    assert (alert.resource, alert.check) == ("newrelic", "issue")


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded", ""])
def test_a_form_is_known_by_its_body(media: str) -> None:
    told = {name: value for name, value in INCIDENT.items() if isinstance(value, (str, int))}
    payload = Payload(body=urlencode(told).encode() + b"\n", content_type=media, source="newrelic")
    assert newrelic.parse(payload, newrelic.Options(), NOW) == parse({name: str(value) for name, value in told.items()})

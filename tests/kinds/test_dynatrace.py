from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import dynatrace

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TEMPLATE = Path(__file__).parents[2] / "config" / "sources" / "dynatrace" / "payload.json"
URL = "https://abc12345.live.dynatrace.com/#problems/problemdetails;pid=-42_1795419660000V2"
PROBLEM: dict[str, Any] = {
    "State": "OPEN",
    "PID": "-42_1795419660000V2",
    "ProblemID": "P-2611",
    "ProblemTitle": "Low disk space",
    "ProblemSeverity": "RESOURCE_CONTENTION",
    "ProblemURL": URL,
    "ImpactedEntities": [{"type": "HOST", "name": "db01.example.net", "entity": "HOST-1"}],
    "Tags": "team:storage, backup",
}
EVENT: dict[str, Any] = {
    "event.kind": "DAVIS_PROBLEM",
    "event.id": "-42_1795419660000V2",
    "display_id": "P-2611",
    "event.name": "Low disk space",
    "event.status": "ACTIVE",
    "event.category": "ERROR",
    "event.start": "2026-11-23T07:41:00Z",
    "root_cause_entity_name": "db01.example.net",
    "timestamp": "2026-11-23T07:43:00Z",
}


def parse(message: Any) -> list[Alert | Unreadable]:
    return dynatrace.parse(Payload(body=json.dumps(message).encode(), source="dynatrace"), dynatrace.Options(), NOW)


def only(message: dict[str, Any]) -> Alert:
    (alert,) = parse(message)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("OPEN", Status.FIRING),
        ("open", Status.FIRING),
        ("REOPENED", Status.FIRING),
        ("RESOLVED", Status.RESOLVED),
        ("CLOSED", Status.RESOLVED),
        ("MERGED", Status.RESOLVED),
    ],
)
def test_the_state_decides(state: str, status: Status) -> None:
    assert only(PROBLEM | {"State": state}).status is status
    assert only(EVENT | {"event.status": state}).status is status


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("AVAILABILITY", Severity.CRITICAL),
        ("ERROR", Severity.MAJOR),
        ("PERFORMANCE", Severity.MINOR),
        ("SLOWDOWN", Severity.MINOR),
        ("RESOURCE_CONTENTION", Severity.WARNING),
        ("INFO", Severity.INFO),
        ("CUSTOM_ALERT", Severity.MAJOR),
        ("", Severity.MAJOR),
    ],
)
def test_the_severity_level_or_the_category_is_the_severity(word: str, severity: Severity) -> None:
    assert only(PROBLEM | {"ProblemSeverity": word}).severity is severity
    assert only(EVENT | {"event.category": word}).severity is severity


@pytest.mark.parametrize(
    "change",
    [
        {"State": "RESOLVED"},
        {"ProblemSeverity": "AVAILABILITY"},
        {"ProblemTitle": "Multiple infrastructure problems"},
        {"ImpactedEntities": [{"type": "HOST", "name": "db02.example.net", "entity": "HOST-2"}]},
        {"ProblemID": "P-9"},
    ],
)
def test_only_the_internal_id_identifies(change: dict[str, Any]) -> None:
    assert only(PROBLEM | change).fingerprint == "-42_1795419660000V2"


@pytest.mark.parametrize(
    "told",
    [
        {"PID": "-42_1795419660000V2", "State": "OPEN"},
        {"pid": "-42_1795419660000V2", "state": "OPEN"},
        {"Problem ID": "P-2611", "Problem URL": URL, "State": "OPEN"},
        {"PID": "{PID}", "ProblemID": "P-2611", "ProblemDetailsJSON": {"ID": "-42_1795419660000V2"}, "State": "OPEN"},
        {"ProblemID": "P-2611", "ProblemDetailsJSONv2": {"problemId": "-42_1795419660000V2"}, "State": "OPEN"},
        {"problemId": "-42_1795419660000V2", "displayId": "P-2611", "status": "OPEN"},
        {"id": "-42_1795419660000V2", "displayName": "2611", "status": "OPEN"},
        {"specversion": "1.0", "data": {"PID": "-42_1795419660000V2", "State": "OPEN"}},
        EVENT,
        {"event": {"id": "-42_1795419660000V2", "status": "ACTIVE", "name": "Low disk space"}},
    ],
)
def test_the_internal_id_is_found_wherever_it_stands(told: dict[str, Any]) -> None:
    assert only(told).fingerprint == "-42_1795419660000V2"


def test_the_number_identifies_only_where_the_internal_id_stands_nowhere() -> None:
    assert only({"ProblemID": "P-2611", "State": "OPEN"}).fingerprint == "P-2611"


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        ({"ImpactedEntities": [{"type": "SERVICE", "name": "shop"}, {"type": "HOST", "name": "app01"}]}, "app01"),
        ({"ImpactedEntities": [{"type": "SERVICE", "name": "shop"}, {"type": "SERVICE", "name": "pay"}]}, "shop"),
        ({"ImpactedEntities": [{"type": "HOST", "name": "", "entity": "HOST-9"}]}, "HOST-9"),
        ({"ImpactedEntities": [{"Type": "HOST", "Name": "db09", "Entity": "HOST-9"}]}, "db09"),
        ({"ImpactedEntities": [], "NamesOfImpactedEntities": "shop, pay"}, "shop"),
        ({"ImpactedEntities": "{ImpactedEntities}", "ImpactedEntity": "app02"}, "app02"),
        ({"ImpactedEntities": [], "rootCauseEntity": {"name": "app03"}}, "app03"),
        ({"ImpactedEntities": []}, "abc12345.live.dynatrace.com"),
        ({"ImpactedEntities": [], "ProblemURL": ""}, "dynatrace"),
    ],
)
def test_the_resource_is_the_first_host_or_else_the_first_entity(change: dict[str, Any], resource: str) -> None:
    assert only(PROBLEM | change).resource == resource


def test_entities_of_the_api_are_read_like_those_of_a_template() -> None:
    entity = {"entityId": {"id": "HOST-1", "type": "HOST"}, "name": "db01.example.net"}
    told = {"problemId": "1", "displayId": "P-1", "status": "OPEN", "title": "t", "affectedEntities": [entity]}
    assert only(told).resource == "db01.example.net"
    assert only(told).labels["ImpactedEntityTypes"] == "HOST"


@pytest.mark.parametrize(
    "test",
    [
        {"State": "OPEN", "PID": "99999", "ProblemID": "999"},
        {"State": "RESOLVED", "PID": "999999", "ProblemID": "999"},
        {"State": "OPEN", "PID": "{PID}", "ProblemID": "TESTID"},
    ],
)
def test_a_test_notification_is_no_alert(test: dict[str, str]) -> None:
    assert parse(PROBLEM | {"ProblemURL": ""} | test) == []


def test_tags_are_labels_in_all_their_forms() -> None:
    of_api = {"context": "AWS", "key": "Name", "value": "db01", "stringRepresentation": "[AWS]Name:db01"}
    told = only(PROBLEM | {"ProblemDetailsJSONv2": {"problemId": "1", "entityTags": [of_api, {"key": "tier1"}]}}).labels
    assert (told["team"], told["backup"], told["[AWS]Name"], told["tier1"]) == ("storage", "true", "db01", "true")
    assert only(EVENT | {"entity_tags": ["team:shop"]}).labels["team"] == "shop"


def test_times_come_from_the_details_and_only_an_event_says_when_it_was_said() -> None:
    details = {"problemId": "1", "startTime": 1795419660000, "endTime": 1795424100000}
    over = only(PROBLEM | {"State": "RESOLVED", "ProblemDetailsJSONv2": details})
    assert (over.starts_at, over.ends_at, over.said_at) == (
        datetime(2026, 11, 23, 7, 41, tzinfo=UTC),
        datetime(2026, 11, 23, 8, 55, tzinfo=UTC),
        None,
    )
    assert only(PROBLEM | {"ProblemDetailsJSONv2": details | {"endTime": -1}}).ends_at is None
    assert only(EVENT).said_at == datetime(2026, 11, 23, 7, 43, tzinfo=UTC)
    assert only(PROBLEM | {"timestamp": "2026-11-23T07:43:00Z"}).said_at is None


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "PID is missing: paste the payload"),
        ({"State": "OPEN"}, "PID is missing"),
        ({"State": "OPEN", "PID": "{PID}"}, "PID is missing"),
        ({"PID": "1"}, "State is missing"),
        ({"PID": "1", "State": "{State}"}, "State is missing"),
        (7, "a problem notification of Dynatrace"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_the_payload_that_is_shipped_is_read() -> None:
    told = {"State": "OPEN", "PID": "7", "ProblemTitle": "Low disk space", "ProblemSeverity": "ERROR", "Tags": "a:b"}
    objects = {
        "ImpactedEntities": [{"type": "HOST", "name": "db01"}],
        "ProblemDetailsJSONv2": {"startTime": 1795419660000},
    }

    def fill(found: re.Match[str]) -> str:
        return json.dumps(objects[found[1]]) if found[1] in objects else told.get(found[1], "")

    alert = only(json.loads(re.sub(r"\{([A-Za-z]\w*)\}", fill, TEMPLATE.read_text(encoding="utf-8"))))
    assert (alert.fingerprint, alert.resource, alert.check, alert.severity) == ("7", "db01", "Low disk space", "major")
    assert (alert.labels["a"], alert.starts_at) == ("b", datetime(2026, 11, 23, 7, 41, tzinfo=UTC))

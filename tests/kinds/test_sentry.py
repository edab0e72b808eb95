from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import sentry

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
METADATA = {"type": "KeyError", "value": "'basket'"}
ISSUE: dict[str, Any] = {
    "id": "6011820242",
    "culprit": "shop.basket in show",
    "firstSeen": "2026-11-23T07:41:07.391000Z",
    "level": "error",
    "metadata": METADATA,
    "project": {"id": "1", "name": "Shop backend", "slug": "shop-backend"},
    "title": "KeyError: 'basket'",
    "type": "error",
}
EVENT: dict[str, Any] = {
    "issue_id": "6011820242",
    "level": "error",
    "metadata": METADATA,
    "project": 4505278293,
    "title": "KeyError: 'basket'",
    "url": "https://example.sentry.io/api/0/projects/example/shop-backend/events/e487/",
}
METRIC: dict[str, Any] = {
    "id": "4011",
    "organization_id": "5",
    "projects": ["shop-backend"],
    "alert_rule": {"id": "7", "name": "Too many errors"},
    "date_started": "2026-11-23T07:41:00Z",
}
PLUGIN: dict[str, Any] = {
    "id": "6011820242",
    "project": "shop-backend",
    "level": "error",
    "culprit": "x",
    "event": EVENT,
}


def parse(message: Any, headers: dict[str, str] | None = None) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps(message).encode(), source="sentry", headers=headers or {})
    return sentry.parse(payload, sentry.Options(), NOW)


def told(action: str, data: dict[str, Any], resource: str = "") -> list[Alert | Unreadable]:
    headers = {"sentry-hook-resource": resource} if resource else {}
    return parse({"action": action, "data": data, "installation": {"uuid": "a8e5"}}, headers)


def only(entries: list[Alert | Unreadable]) -> Alert:
    (alert,) = entries
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("action", "statuses"),
    [
        ("created", [Status.FIRING]),
        ("unresolved", [Status.FIRING]),
        ("resolved", [Status.RESOLVED]),
        ("assigned", []),
        ("ignored", []),
        ("archived", []),
        ("an action of a later version", []),
    ],
)
def test_the_action_on_an_issue_decides(action: str, statuses: list[Status]) -> None:
    for resource in ("", "issue"):
        entries = told(action, {"issue": ISSUE | {"status": "resolved"}}, resource)
        assert [entry.status for entry in entries if isinstance(entry, Alert)] == statuses


@pytest.mark.parametrize(
    ("action", "status", "severity"),
    [
        ("critical", Status.FIRING, Severity.CRITICAL),
        ("warning", Status.FIRING, Severity.WARNING),
        ("resolved", Status.RESOLVED, Severity.MAJOR),
    ],
)
def test_the_action_of_a_metric_alert_is_its_severity_too(action: str, status: Status, severity: Severity) -> None:
    alert = only(told(action, {"metric_alert": METRIC}, "metric_alert"))
    assert (alert.status, alert.severity, alert.resource, alert.check) == (
        status,
        severity,
        "shop-backend",
        "Too many errors",
    )
    assert alert.fingerprint == only(told("critical", {"metric_alert": METRIC | {"title": "x"}})).fingerprint
    assert alert.fingerprint != only(told("critical", {"metric_alert": METRIC | {"id": "4012"}})).fingerprint


def test_an_issue_its_alerts_and_the_plugin_tell_of_one_problem() -> None:
    alerts = [
        only(told("created", {"issue": ISSUE})),
        only(told("triggered", {"event": EVENT, "triggered_rule": "Important"})),
        only(parse(PLUGIN)),
        only(told("resolved", {"issue": ISSUE})),
    ]
    assert {(alert.fingerprint, alert.resource, alert.check) for alert in alerts} == {
        ("6011820242", "shop-backend", "KeyError")
    }


def test_an_issue_and_a_metric_alert_with_one_number_are_two_problems() -> None:
    issue = only(told("created", {"issue": ISSUE | {"id": "4011"}}))
    assert issue.fingerprint != only(told("critical", {"metric_alert": METRIC})).fingerprint


@pytest.mark.parametrize(
    "event",
    [
        {"issue_url": "https://sentry.io/api/0/issues/6011820242/"},
        {"issue_url": "https://sentry.io/api/0/organizations/example/issues/6011820242/"},
        {"web_url": "https://example.sentry.io/organizations/example/issues/6011820242/events/e487/"},
        {"issue_id": 6011820242},
    ],
)
def test_the_issue_of_an_event_is_known_by_its_addresses_too(event: dict[str, Any]) -> None:
    assert only(told("triggered", {"event": {"project": 1, **event}})).fingerprint == "6011820242"


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({}, "KeyError"),
        ({"metadata": {"title": "The stock is out of step"}}, "shop.basket in show"),
        ({"metadata": {}, "culprit": "", "type": "csp"}, "csp"),
        ({"metadata": None, "culprit": None, "type": "default"}, "KeyError: 'basket'"),
        ({"metadata": {}, "culprit": "", "type": "error", "title": None}, "issue"),
    ],
)
def test_the_check_is_what_stays_the_same_from_event_to_event(change: dict[str, Any], check: str) -> None:
    assert only(told("created", {"issue": ISSUE | change})).check == check


@pytest.mark.parametrize(
    ("resource", "data"),
    [
        ("comment", {"comment": "It is the gateway.", "issue_id": 100}),
        ("error", {"error": EVENT}),
        ("installation", {"installation": {"status": "pending"}}),
        ("seer", {"run_id": 1}),
        ("preprod_artifact", {"issue": ISSUE}),
        ("", {}),
    ],
)
def test_what_is_about_something_else_is_no_alert(resource: str, data: dict[str, Any]) -> None:
    assert told("created", data, resource) == []


def test_the_header_says_when_it_was_said() -> None:
    headers = {"sentry-hook-resource": "issue", "sentry-hook-timestamp": "1795424100"}
    alert = only(parse({"action": "resolved", "data": {"issue": ISSUE}}, headers))
    assert alert.said_at == alert.ends_at == datetime(2026, 11, 23, 8, 55, tzinfo=UTC)
    assert only(told("created", {"issue": ISSUE})).said_at is None


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ([["server_name", "app01"], ["level", "error"]], "app01"),
        ([{"key": "server_name", "value": "app01"}], "app01"),
        ({"server_name": "app01"}, "app01"),
        ([["server_name"], "x", None], None),
        ("none", None),
    ],
)
def test_tags_of_an_event_are_labels(tags: Any, name: str | None) -> None:
    alert = only(told("triggered", {"event": EVENT | {"tags": tags}, "triggered_rule": "Important"}))
    assert (alert.labels.get("server_name"), alert.labels["triggered_rule"]) == (name, "Important")


@pytest.mark.parametrize(
    ("message", "headers", "problem"),
    [
        ({}, {}, "action and data are missing"),
        ({"action": "created"}, {}, "action and data are missing"),
        ({"action": "created", "data": {"issue": {}}}, {}, r"data\.issue\.id is missing"),
        ({"action": "triggered", "data": {"event": {}}}, {}, r"data\.event\.issue_id is missing"),
        ({"action": "critical", "data": {"metric_alert": {}}}, {}, r"data\.metric_alert\.id is missing"),
        ({"action": "created", "data": {}}, {"sentry-hook-resource": "issue"}, r"data\.issue is missing"),
        ({"action": "triggered", "data": {}}, {"sentry-hook-resource": "event_alert"}, r"data\.event is missing"),
        ({"action": "created", "data": 5}, {}, "a webhook of Sentry"),
    ],
)
def test_what_is_missing_is_named(message: Any, headers: dict[str, str], problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message, headers)


@pytest.mark.parametrize(
    ("status", "statuses"), [("unresolved", [Status.FIRING]), ("resolved", [Status.RESOLVED]), ("ignored", [])]
)
def test_the_status_of_the_issue_decides_in_an_activity_alert(status: str, statuses: list[Status]) -> None:
    for resource in ("", "activity_alert"):
        entries = told("triggered", {"issue": ISSUE | {"status": status}}, resource)
        assert [entry.status for entry in entries if isinstance(entry, Alert)] == statuses


def test_what_names_no_project_is_about_the_source() -> None:
    assert only(told("created", {"issue": ISSUE | {"project": None}})).resource == "sentry"
    assert only(told("triggered", {"event": EVENT | {"project": None, "url": None}})).resource == "sentry"
    assert only(parse(PLUGIN | {"project": None})).resource == "sentry"


def test_secret_tags_are_no_labels() -> None:
    tags: tuple[Any, ...] = ([["api_token", "made-up"], ["team", "web"]], {"api_token": "made-up", "team": "web"})
    for told_tags in tags:
        labels = only(told("triggered", {"event": EVENT | {"tags": told_tags}})).labels
        assert labels["team"] == "web"
        assert "made-up" not in str(labels)

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import elastic

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SNIPPETS = Path(__file__).parents[2] / "config" / "sources" / "elastic"
RULE = {"id": "3f1a7c52", "name": "Disk is filling up"}
ALERT = {"id": "db01", "uuid": "0c9c2e4e-7a55-4a43-8a8b-1f3f3d2e9b10", "actionGroup": "metrics.threshold.fired"}
TOLD: dict[str, Any] = {
    "rule": RULE,
    "alert": ALERT,
    "context": {"host": {"name": "db01"}, "reason": "94 %"},
    "date": "2026-11-23T07:42:00Z",
}
WATCH: dict[str, Any] = {
    "watch_id": "health",
    "metadata": {"name": "Health", "host": "es01"},
    "payload": {"status": "red"},
}
MATCH: dict[str, Any] = {
    "rule_name": "Errors",
    "host": {"name": "web01"},
    "status": "ok",
    "num_hits": 3,
    "num_matches": 1,
}


def parse(message: Any, options: dict[str, Any] | None = None) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps(message).encode(), source="elastic")
    return elastic.parse(payload, elastic.Options.model_validate(options or {}), NOW)


def only(message: dict[str, Any], options: dict[str, Any] | None = None) -> Alert:
    (alert,) = parse(message, options)
    assert isinstance(alert, Alert)
    return alert


def document(host: str, **alert: Any) -> dict[str, Any]:
    return {"kibana": {"alert": {"instance": {"id": host}, "uuid": f"uuid of {host}", "status": "active", **alert}}}


def rendered(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """A body of config/sources/elastic/ as Kibana fills it in."""
    text = re.sub(r"\{\{!.*?\}\}", "", (SNIPPETS / name).read_text(encoding="utf-8"))
    text = re.sub(r"\{\{\{([\w.]+)\.asJSON\}\}\}", lambda found: json.dumps(told.get(found[1], [])), text)
    return dict(json.loads(re.sub(r"\{\{([\w.]+)\}\}", lambda found: str(told.get(found[1], "")), text)))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, Status.FIRING),
        ({"status": "active"}, Status.FIRING),
        ({"state": {"signals_count": 1}}, Status.FIRING),
        ({"context": {"alertState": "NO DATA"}}, Status.FIRING),
        ({"alert": ALERT | {"actionGroup": "recovered"}}, Status.RESOLVED),
        ({"alert": ALERT | {"actionGroup": "", "actionGroupName": "Recovered"}}, Status.RESOLVED),
        ({"status": "recovered"}, Status.RESOLVED),
        ({"status": "resolved"}, Status.RESOLVED),
        ({"context": {"alertState": "OK"}}, Status.RESOLVED),
        ({"event_action": "resolve"}, Status.RESOLVED),
    ],
)
def test_the_action_group_or_a_status_decides(change: dict[str, Any], status: Status) -> None:
    alert = only(TOLD | change)
    assert alert.status is status
    assert alert.fingerprint == only(TOLD).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"date": "2026-11-24T07:42:00Z"},
        {"alert": ALERT | {"uuid": "1d9c2e4e-7a55-4a43-8a8b-1f3f3d2e9b11"}},
        {"context": {"reason": "97 %"}},
        {"rule": RULE | {"name": "Another name"}},
        {"severity": "critical"},
    ],
)
def test_only_the_rule_and_the_alerts_id_identify(change: dict[str, Any]) -> None:
    assert only(TOLD | change).fingerprint == only(TOLD).fingerprint


@pytest.mark.parametrize("change", [{"rule": RULE | {"id": "other"}}, {"alert": ALERT | {"id": "db02"}}])
def test_each_of_them_makes_another_problem(change: dict[str, Any]) -> None:
    assert only(TOLD | change).fingerprint != only(TOLD).fingerprint


@pytest.mark.parametrize(
    "spelt",
    [
        {"rule.id": "3f1a7c52", "rule.name": "Disk is filling up", "alert.id": "db01"},
        {"ruleId": "3f1a7c52", "name": "Disk is filling up", "alertId": "db01"},
        {"rule_id": "3f1a7c52", "rule_name": "Disk is filling up", "alert_id": "db01"},
        {"alertId": "3f1a7c52", "alertName": "Disk is filling up", "alertInstanceId": "db01"},
        {"alert": {"id": "3f1a7c52", "name": "Disk is filling up", "instance_id": "db01"}},
        {"ruleId": "3f1a7c52", "name": "Disk is filling up", "id": "db01", "fingerprint": "db01"},
        {"webhook_body": {"rule_info": json.dumps(RULE), "alert_info": json.dumps(ALERT), "context_info": "{}"}},
        {"rule": RULE, "alerts": {"new": {"count": 1, "data": [document("db01")]}}},
        {"rule": RULE, "alerts": {"new": {"count": 1, "data": json.dumps(document("db01"))}}},
        {"alerts": [document("db01", rule={"uuid": "3f1a7c52", "name": "Disk is filling up"})]},
    ],
)
def test_one_alert_is_one_problem_however_it_is_told(spelt: dict[str, Any]) -> None:
    alert = only(spelt)
    assert (alert.fingerprint, alert.resource, alert.check) == (only(TOLD).fingerprint, "db01", "Disk is filling up")


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        ({"context": {"host": {"name": "db01.example.net"}}}, "db01.example.net"),
        ({"context": {"host": '{"name":"db02.example.net"}'}}, "db02.example.net"),
        ({"context": {"host": "", "serviceName": "shop"}}, "shop"),
        ({"context": {}}, "db01"),
        ({"context": {"group": "*"}, "alert": ALERT | {"id": "*"}}, "Disk is filling up"),
        ({"context": {}, "alert": ALERT | {"id": "query matched"}}, "Disk is filling up"),
        (
            {"context": {}, "alert": {"id": "metrics.threshold.fired", "actionGroup": "metrics.threshold.fired"}},
            RULE["name"],
        ),
        ({"context": {}, "alert": {"uuid": ALERT["uuid"]}}, "Disk is filling up"),
    ],
)
def test_the_resource_is_a_host_or_service_or_what_the_alerts_id_names(change: dict[str, Any], resource: str) -> None:
    assert only(TOLD | change).resource == resource


def test_the_options_say_which_field_names_the_resource() -> None:
    assert only(TOLD | {"labels": {"site": "par1"}}, {"resource_fields": ["labels.site"]}).resource == "par1"


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"severity": "critical"}, Severity.CRITICAL),
        ({"alert": ALERT | {"actionGroup": "metrics.threshold.warning"}}, Severity.WARNING),
        ({"alert": ALERT | {"actionGroupName": "Critical"}}, Severity.CRITICAL),
        ({"alert": ALERT | {"actionGroup": "slo.burnRate.high"}}, Severity.MAJOR),
        ({"alert": ALERT | {"actionGroup": "recovered", "actionGroupName": "Recovered"}}, Severity.MAJOR),
        ({}, Severity.MAJOR),
    ],
)
def test_the_severity_is_told_or_is_the_action_group(change: dict[str, Any], severity: Severity) -> None:
    assert only(TOLD | change).severity is severity


def test_a_summary_tells_each_alert_and_which_have_recovered() -> None:
    parts = {"new": [document("a")], "ongoing": [document("b")], "recovered": [document("c")]}
    told = {"rule": RULE, "alerts": {name: {"count": 1, "data": data} for name, data in parts.items()}}
    told["alerts"]["all"] = {"count": 3, "data": [one for data in parts.values() for one in data]}
    entries = [entry for entry in parse(told) if isinstance(entry, Alert)]
    assert [(entry.resource, entry.status) for entry in entries] == [
        ("a", "firing"),
        ("b", "firing"),
        ("c", "resolved"),
    ]


def test_a_summary_of_all_alerts_goes_by_the_status_of_each() -> None:
    told = {"rule": RULE, "alerts": {"all": {"count": 2, "data": [document("a"), document("b", status="recovered")]}}}
    assert [entry.status for entry in parse(told) if isinstance(entry, Alert)] == ["firing", "resolved"]


def test_findings_of_a_detection_rule_are_told_apart_by_their_own_ids() -> None:
    rule = {"uuid": "aa11", "name": "Suspicious PowerShell"}
    findings = [document("*", uuid=uuid, depth=1, rule=rule) for uuid in ("d1", "d2")]
    first, second = parse({"context": {"alerts": findings}})
    assert isinstance(first, Alert)
    assert isinstance(second, Alert)
    assert first.fingerprint != second.fingerprint
    assert only(document("*", uuid="d1", depth=1, rule=rule, workflow_status="closed")).status is Status.RESOLVED


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (WATCH, Status.FIRING),
        ({"ctx": WATCH}, Status.FIRING),
        ({"payload": WATCH, "status": "Alert"}, Status.FIRING),
        ({"ctx": WATCH, "status": "recovered"}, Status.RESOLVED),
    ],
)
def test_a_watch_is_one_problem_whatever_it_found(message: dict[str, Any], status: Status) -> None:
    alert = only(message)
    assert (alert.status, alert.check, alert.resource) == (status, "Health", "es01")
    assert alert.fingerprint == only({"watch_id": "health", "metadata": None}).fingerprint


def test_a_match_of_elastalert_is_over_by_its_alert_state_and_never_by_a_field_of_the_document() -> None:
    assert only(MATCH).status is Status.FIRING
    assert only(MATCH | {"alert_state": "OK"}).status is Status.RESOLVED
    assert only(MATCH).fingerprint != only(MATCH | {"host": {"name": "web02"}}).fingerprint
    assert only(MATCH).said_at is None


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, r"rule\.name is missing: use a body of config/sources/elastic/"),
        ({"alert": {"id": "db01"}}, r"rule\.name is missing"),
        ({"rule": {"id": "{{rule.id}}", "name": "{{rule.name}}"}}, r"rule\.name is missing"),
        (MATCH | {"rule_name": ""}, "rule_name is missing"),
        ({"rule": RULE, "alerts": {"new": {"count": 2}}}, r"alerts\.new\.data is missing"),
        (5, "an alert of Elastic"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_the_order_of_fields_decides_nothing() -> None:
    both = {"rule": RULE, "rule.id": "written with dots", "alert": ALERT}
    assert only(both).fingerprint == only(dict(reversed(both.items()))).fingerprint
    assert only(both).labels["rule_id"] == "written with dots"


def test_an_odd_entry_of_a_summary_loses_none_of_the_others() -> None:
    told = {"rule": RULE, "alerts": {"new": {"count": 2, "data": [document("a"), 7]}}}
    first, second = parse(told)
    assert isinstance(first, Alert)
    assert second == Unreadable(position=1, problem="this is no alert, but a number, a text or a list")


@pytest.mark.parametrize(("body", "status"), [("active.mustache", "firing"), ("recovered.mustache", "resolved")])
def test_the_bodies_that_are_shipped_tell_one_problem(body: str, status: Status) -> None:
    told = {
        "rule.id": "3f1a7c52",
        "rule.name": "Disk is filling up",
        "alert.id": "db01",
        "date": "2026-11-23T07:42:00Z",
    }
    told |= {"rule.tags": "team:storage,x", "context.reason": "94 %"}
    alert = only(rendered(body, told))
    assert (alert.status, alert.fingerprint, alert.resource) == (status, only(TOLD).fingerprint, "db01")
    assert (alert.labels["team"], alert.summary) == ("storage", "94 %")


def test_the_summary_that_is_shipped_is_read() -> None:
    told = {"rule.id": "3f1a7c52", "rule.name": "Disk is filling up", "alerts.recovered.data": [document("db01")]}
    alert = only(rendered("summary.mustache", told))
    assert (alert.status, alert.fingerprint) == (Status.RESOLVED, only(TOLD).fingerprint)

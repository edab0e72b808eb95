from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import grafana

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ENTRY = {"status": "firing", "fingerprint": "f1", "labels": {"alertname": "Down", "host": "web1", "severity": "high"}}
RULE = {"ruleId": 17, "orgId": 1, "ruleName": "Load", "state": "alerting", "tags": {"host": "web1"}}


def parse(message: Any, **options: Any) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps(message).encode(), source="grafana")
    return grafana.parse(payload, grafana.Options(**options), NOW)


def shown(**more: Any) -> Alert:
    return only({"status": "firing", "version": "1", "alerts": [ENTRY | more]})


def only(message: Any, **options: Any) -> Alert:
    (alert,) = parse(message, **options)
    assert isinstance(alert, Alert), alert
    return alert


def test_values_and_links_are_labels_beside_the_alerts_own() -> None:
    more = {"values": {"A": 2.5, "B": None}, "panelURL": "https://g/d/1", "valueString": "", "labels": ENTRY["labels"]}
    alert = shown(**more)
    assert alert.labels == {"values_A": "2.5", "panelURL": "https://g/d/1", **ENTRY["labels"]}  # type: ignore[dict-item]


def test_a_label_of_the_rule_is_not_replaced_by_what_grafana_adds() -> None:
    assert shown(panelURL="x", labels={**ENTRY["labels"], "panelURL": "mine"}).labels["panelURL"] == "mine"  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("labels", "resource"),
    [
        ({"rulename": "Memory", "alertname": "DatasourceNoData"}, "Memory"),
        ({"rulename": "Memory", "alertname": "DatasourceError", "host": "web1"}, "web1"),
        ({"alertname": "Down"}, "grafana"),
    ],
)
def test_missing_data_are_a_problem_of_their_rule(labels: dict[str, str], resource: str) -> None:
    alert = shown(labels=labels)
    assert (alert.resource, alert.check, alert.status) == (resource, labels["alertname"], Status.FIRING)


def test_the_test_of_a_contact_point_is_no_alert_and_an_alert_of_that_name_is_one() -> None:
    labels = {"alertname": "TestAlert", "instance": "Grafana"}
    assert parse({"alerts": [{"status": "firing", "labels": labels}]}) == []
    assert shown(labels={**labels, "instance": "web1"}).check == "TestAlert"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("alerting", "firing"),
        ("no_data", "firing"),
        ("OK", "resolved"),
        ("pending", ""),
        ("paused", ""),
        ("unknown", ""),
    ],
)
def test_the_states_of_a_legacy_rule(state: str, status: str) -> None:
    found = parse({**RULE, "state": state})
    assert [alert.status for alert in found if isinstance(alert, Alert)] == ([status] if status else [])


@pytest.mark.parametrize(
    "change",
    [{"ruleName": "x"}, {"title": "x"}, {"evalMatches": [{"metric": "m", "value": 1}]}, {"tags": {}}, {"panelId": 3}],
)
def test_only_organisation_and_rule_identify_a_legacy_alert(change: dict[str, Any]) -> None:
    assert only(RULE | change).fingerprint == only(RULE).fingerprint
    assert only(RULE | {"ruleId": 18}).fingerprint != only(RULE).fingerprint != only(RULE | {"orgId": 2}).fingerprint


def test_the_tags_of_a_legacy_rule_name_resource_and_severity() -> None:
    assert (only(RULE).resource, only(RULE).severity) == ("web1", Severity.MAJOR)
    alert = only(RULE | {"tags": {"instance": "db1:9100", "prio": "p1"}}, severity_label="prio")
    assert (alert.resource, alert.severity) == ("db1", Severity.CRITICAL)
    assert only(RULE | {"tags": None}).resource == "grafana"


def test_the_series_of_a_legacy_alert_do_not_name_its_resource_because_the_end_has_none() -> None:
    matches = [{"metric": "load", "value": 9, "tags": {"host": name}} for name in ("db1", "db2", "db1")]
    alert = only(RULE | {"tags": {}, "evalMatches": matches})
    assert (alert.resource, alert.labels["host"], alert.labels["metric"]) == ("grafana", "db1, db2", "load")


def test_the_word_of_one_format_in_a_text_of_the_other_misleads_nobody() -> None:
    assert shown(annotations={"description": 'the "ruleId" of "evalMatches"', "ruleId": "3"}).check == "Down"
    assert only(RULE | {"tags": {"alerts": "yes"}}).check == "Load"
    assert only({"alerts": [ENTRY], "ruleId": 3, "ruleName": "Load", "state": "ok"}).check == "Down"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"receiver": "x"}, "neither `alerts` nor"),
        ({"ruleName": "Load", "state": "alerting"}, "ruleId is missing"),
        ({"ruleId": 17, "ruleName": "Load"}, "state is missing"),
        ([RULE], "neither `alerts` nor"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)

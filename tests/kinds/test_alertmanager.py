from __future__ import annotations

import json
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import alertmanager, grafana, kinds, prometheus

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LABELS = {"alertname": "Down", "instance": "app07:9100", "severity": "critical"}


def notified(*entries: dict[str, Any], group: Any = "firing") -> list[Alert | Unreadable]:
    body = json.dumps({"version": "3", "groupKey": 7, "status": group, "alerts": entries}).encode()
    return alertmanager.parse(Payload(body=body, source="am"), alertmanager.Options(), NOW)


@pytest.mark.parametrize(
    ("entry", "group", "status"),
    [
        ({"status": "firing"}, "resolved", Status.FIRING),
        ({"status": "resolved"}, "firing", Status.RESOLVED),
        ({"status": "firing", "endsAt": "2026-11-23T07:00:00Z"}, "firing", Status.FIRING),
        ({}, "firing", Status.FIRING),
        ({}, "resolved", Status.RESOLVED),
        ({}, None, Status.FIRING),
        ({}, {"a": 1}, Status.FIRING),
        ({"endsAt": "2026-11-23T08:00:00Z"}, "firing", Status.RESOLVED),
        ({"endsAt": "2026-11-23T08:00:01Z"}, "firing", Status.FIRING),
        ({"endsAt": "0001-01-01T00:00:00Z"}, "firing", Status.FIRING),
        ({"status": None, "endsAt": "0001-01-01T00:00:00Z"}, "resolved", Status.RESOLVED),
    ],
)
def test_an_alert_without_a_status_is_over_when_its_end_is_past_or_its_group_is(
    entry: dict[str, Any], group: Any, status: Status
) -> None:
    (alert,) = notified({"labels": LABELS, **entry}, group=group)
    assert isinstance(alert, Alert)
    assert alert.status is status


def told(**change: Any) -> Alert | Unreadable:
    (found,) = notified({"status": "firing", "labels": LABELS, "fingerprint": "f1", **change})
    return found


@pytest.mark.parametrize(
    ("labels", "check"),
    [
        ({"instance": "app07:9100"}, "alert"),
        ({"instance": "app07:9100", "rulename": "Memory"}, "Memory"),
        ({"instance": "app07:9100", "alertname": "", "rule": "Disk"}, "Disk"),
        ({}, "alert"),
    ],
)
def test_an_alert_without_a_name_is_one_all_the_same(labels: dict[str, str], check: str) -> None:
    alert = told(labels=labels)
    assert isinstance(alert, Alert)
    assert (alert.check, alert.fingerprint) == (check, "f1")


@pytest.mark.parametrize("where", ["commonLabels", "groupLabels"])
@pytest.mark.parametrize("shard", ["7", 7])
def test_an_alert_is_named_as_its_group_where_it_has_no_name(where: str, shard: Any) -> None:
    entry = {"status": "firing", "labels": {"instance": "app07:9100", "shard": shard}}
    body = json.dumps({"alerts": [entry], where: {"alertname": "Down"}}).encode()
    (alert,) = alertmanager.parse(Payload(body=body, source="am"), alertmanager.Options(), NOW)
    assert isinstance(alert, Alert)
    assert alert.check == "Down"


@pytest.mark.parametrize("kind", [alertmanager, grafana])
def test_a_group_of_no_alerts_says_nothing(kind: Any) -> None:
    assert kind.parse(Payload(body=b'{"status":"resolved","alerts":null}', source="am"), kind.Options(), NOW) == []


def test_without_labels_and_fingerprint_nothing_identifies() -> None:
    found = told(labels={}, fingerprint="")
    assert isinstance(found, Unreadable)
    assert "nothing tells the alert from others" in found.problem


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Firing", Status.FIRING),
        ("alerting", Status.FIRING),
        ("RESOLVED", Status.RESOLVED),
        ("ok", Status.RESOLVED),
        ("suppressed", None),
    ],
)
def test_a_template_may_have_made_another_word_of_a_status(word: str, status: Status | None) -> None:
    assert getattr(told(status=word), "status", None) is status


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-23 08:41:07.112013015 +0100 CET m=+8560.285724134", "2026-11-23T07:41:07.112013+00:00"),
        ("2026-11-23 07:41:07 +0000 UTC", "2026-11-23T07:41:07+00:00"),
        ("0001-01-01 00:00:00 +0000 UTC", None),
        ("2026-11-23 07:41:07", None),
    ],
)
def test_a_time_may_be_written_as_go_prints_it(written: str, moment: str | None) -> None:
    alert = told(startsAt=written)
    assert isinstance(alert, Alert)
    assert alert.starts_at == (datetime.fromisoformat(moment) if moment else None)


@pytest.mark.parametrize("name", ["summary", "message", "title"])
def test_the_summary_is_the_first_annotation_that_is_one(name: str) -> None:
    alert = told(annotations={name: "No answer", "runbook_url": "https://r.example.net"})
    assert isinstance(alert, Alert)
    assert alert.summary == "No answer"
    assert alert.labels == {**LABELS, "runbook_url": "https://r.example.net"}


def test_an_unknown_field_of_an_alert_may_hold_anything() -> None:
    entry = {"status": "firing", "labels": {**LABELS, "shard": 7}, "more": {"deep": {"a": [1]}}}
    assert [type(found) for found in notified(entry)] == [Alert]


@pytest.mark.parametrize("kind", [alertmanager, grafana, prometheus])
@pytest.mark.parametrize(
    ("check", "is_heartbeat"),
    [
        ("Watchdog", True),
        ("DeadMansSwitch", True),
        ("DeadManSwitch", True),
        ("PrometheusAlertmanagerE2EDeadManSwitch", True),
        ("NodeWatchdogTimeout", False),
        ("MissingHeartbeat", False),
        ("SwitchDown", False),
    ],
)
def test_what_usual_rule_sets_let_fire_for_ever_is_a_heartbeat(kind: Any, check: str, *, is_heartbeat: bool) -> None:
    assert any(fnmatchcase(check, glob) for glob in kind.HEARTBEATS) is is_heartbeat
    assert kinds()[kind.__name__.rpartition(".")[2]].heartbeats == kind.HEARTBEATS


def test_prometheus_is_answered_as_the_first_interface_of_alertmanager_would() -> None:
    answer = prometheus.answer(Payload(body=b"[]", path="/api/v1/alerts"), [])
    assert answer
    assert (answer.status, answer.body, answer.media_type) == (200, b'{"status":"success"}', "application/json")


@pytest.mark.parametrize("path", ["/api/v2/alerts", ""])
def test_those_who_look_at_the_status_only_get_the_usual_answer(path: str) -> None:
    assert prometheus.answer(Payload(body=b"[]", path=path), []) is None
    assert kinds()["prometheus"].status == 200

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


@pytest.mark.parametrize(
    ("path", "body"), [("/api/v1/alerts", b'{"status":"success"}'), ("/api/v2/alerts", b"{}"), ("", b"{}")]
)
def test_prometheus_is_answered_as_alertmanager_would(path: str, body: bytes) -> None:
    answer = prometheus.answer(Payload(body=b"[]", path=path), [])
    assert (answer.status, answer.body, answer.media_type) == (200, body, "application/json")

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
from tocsin.sources import datadog

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TEMPLATE = Path(__file__).parents[2] / "config" / "sources" / "datadog" / "payload.json"
TOLD = {
    "alert_id": "118734621",
    "alert_transition": "Triggered",
    "alert_type": "error",
    "alert_priority": "P2",
    "alert_scope": "device:/dev/sdb1,host:db01.example.net",
    "hostname": "db01.example.net",
    "event_title": "[Triggered on {host:db01.example.net}] Disk is filling up",
    "event_type": "query_alert_monitor",
    "date": "1795419720000",
}
DEFAULT = {
    "id": "7301442809915436122",
    "event_type": "query_alert_monitor",
    "title": "[Triggered on {host:web01.example.net}] Load is high",
    "date": "1795419720000",
    "last_updated": "1795419720000",
    "org": {"id": "401523", "name": "Example"},
    "body": "%%%\nSee https://app.datadoghq.eu/monitors/555\n[[Monitor Status](https://app.datadoghq.eu/monitors/77?group=host%3Aweb01)]\n%%%",
}


def parse(message: Any, options: dict[str, Any] | None = None) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps(message).encode(), source="datadog")
    return datadog.parse(payload, datadog.Options.model_validate(options or {}), NOW)


def only(message: dict[str, Any], options: dict[str, Any] | None = None) -> Alert:
    (alert,) = parse(message, options)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("title", "body", "is_test"),
    [
        ("[Triggered] [TEST] Load", "Test notification triggered by operator@example.net.", True),
        ("[TEST] Load", "Test notification triggered by operator@example.net.", True),
        ("[P1] [Recovered on {host:a}] [TEST] Load", "x\nTest notification triggered by operator@example.net.", True),
        ("[Triggered] [TEST] Load", "The load of the test environment is high.", False),
        ("[Triggered] Load [TEST]", "Test notification triggered by operator@example.net.", False),
    ],
)
def test_a_test_notification_is_no_alert_and_a_monitor_of_a_test_environment_is(
    title: str, body: str, *, is_test: bool
) -> None:
    assert (parse(DEFAULT | {"title": title, "body": body}) == []) is is_test


def test_the_monitors_name_is_taken_from_the_title_that_datadog_prefixed() -> None:
    alert = only(TOLD | {"event_title": "Disk on host:db01", "title": "[P2] [Triggered on {host:db01}] Disk"})
    assert (alert.check, alert.summary) == ("Disk", "Disk on host:db01")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "Recovered", "title": "[Triggered] Load"}, Status.RESOLVED),
        ({"status": "Triggered", "title": "[Recovered] Load"}, Status.FIRING),
        ({"status": "load was high", "title": "[Recovered] Load"}, Status.RESOLVED),
        ({"alert_transition": "Triggered", "status": "Recovered"}, Status.FIRING),
        ({"alert_transition": "Null", "title": "[Recovered] Load"}, Status.RESOLVED),
    ],
)
def test_a_field_says_the_transition_before_the_title_does(change: dict[str, str], status: Status) -> None:
    assert only(DEFAULT | change).status is status


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded", ""])
def test_a_form_is_known_by_its_body(media: str) -> None:
    payload = Payload(body=urlencode(TOLD).encode() + b"\n", content_type=media, source="datadog")
    assert datadog.parse(payload, datadog.Options(), NOW) == [only(TOLD)]


@pytest.mark.parametrize(
    ("transition", "status", "severity"),
    [
        ("Triggered", Status.FIRING, Severity.MAJOR),
        ("Re-Triggered", Status.FIRING, Severity.MAJOR),
        ("Renotify", Status.FIRING, Severity.MAJOR),
        ("No Data", Status.FIRING, Severity.MAJOR),
        ("Re-No Data", Status.FIRING, Severity.MAJOR),
        ("Warn", Status.FIRING, Severity.WARNING),
        ("Re-Warn", Status.FIRING, Severity.WARNING),
        ("Recovered", Status.RESOLVED, Severity.MAJOR),
        ("Warn Recovered", Status.RESOLVED, Severity.MAJOR),
        ("a transition of a later version", Status.FIRING, Severity.MAJOR),
    ],
)
def test_the_transition_decides(transition: str, status: Status, severity: Severity) -> None:
    alert = only(TOLD | {"alert_transition": transition})
    assert (alert.status, alert.severity) == (status, severity)
    assert alert.fingerprint == only(TOLD).fingerprint


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"alert_priority": "P1"}, Severity.CRITICAL),
        ({"alert_priority": "3"}, Severity.MINOR),
        ({"alert_priority": "P4"}, Severity.WARNING),
        ({"alert_priority": "P5"}, Severity.INFO),
        ({"alert_priority": "", "priority": "normal"}, Severity.MAJOR),
        ({"alert_priority": "", "priority": "low", "alert_type": "error"}, Severity.MAJOR),
        ({"alert_priority": "$ALERT_PRIORITY", "severity": "critical"}, Severity.CRITICAL),
        ({"alert_priority": "", "event_title": "[P1] [Triggered] Disk"}, Severity.CRITICAL),
        ({"alert_priority": "", "alert_type": "", "event_title": ""}, Severity.MAJOR),
    ],
)
def test_the_monitors_priority_is_the_severity_and_the_events_is_none(change: dict[str, str], severity: str) -> None:
    assert only(TOLD | change).severity == severity


@pytest.mark.parametrize(
    "change",
    [
        {"alert_priority": "P5"},
        {"event_title": "[Re-Triggered] Another text"},
        {"id": "9", "date": "1795500000000", "link": "https://app.datadoghq.eu/event/event?id=9"},
        {"text_only_msg": "97 %"},
        {"alert_scope": "host:db01.example.net, device:/dev/sdb1"},
    ],
)
def test_what_does_not_identify_leaves_the_fingerprint(change: dict[str, str]) -> None:
    assert only(TOLD | change).fingerprint == only(TOLD).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"alert_id": "118734622"},
        {"alert_scope": "device:/dev/sdc1,host:db01.example.net"},
        {"alert_cycle_key": "641"},
        {"aggreg_key": "b1d0"},
    ],
)
def test_each_identifying_part_makes_another_problem(change: dict[str, str]) -> None:
    assert only(TOLD | change).fingerprint != only(TOLD).fingerprint


@pytest.mark.parametrize(("word", "status"), [("Triggered", "firing"), ("Recovered", "resolved"), ("OK", "resolved")])
def test_a_template_may_call_the_transition_a_status(word: str, status: Status) -> None:
    told = {"alert_id": "1", "title": "Disk", "hostname": "db01", "alert_type": "info"}
    assert only(told | {"status": word}).status == status
    assert only(told | {"alert_status": "disk over host:db01 was > 0.9: recovered"}).status is Status.FIRING


def test_the_cycle_comes_before_the_aggregation_key_and_that_before_the_monitor() -> None:
    both = TOLD | {"alert_cycle_key": "cycle", "aggreg_key": "key"}
    assert only(both).fingerprint == only(both | {"aggreg_key": "other", "alert_id": "1"}).fingerprint == "cycle"
    assert only(TOLD | {"aggreg_key": "key"}).fingerprint == "key"


@pytest.mark.parametrize(
    "spelt",
    [
        {"alertId": "118734621", "alertTransition": "Triggered", "alertScope": TOLD["alert_scope"], "host": "db01"},
        {
            "ALERT_ID": "118734621",
            "ALERT_TRANSITION": "Triggered",
            "ALERT_SCOPE": TOLD["alert_scope"],
            "HOSTNAME": "db01",
        },
        {"alertid": 118734621, "alerttransition": "Triggered", "scope": TOLD["alert_scope"], "hostname": "db01"},
        {"alert": {"id": "118734621", "transition": "Triggered", "scope": TOLD["alert_scope"]}, "host": "db01"},
        {
            "alert": {"alert_id": "118734621", "alert_transition": "Triggered", "alert_scope": TOLD["alert_scope"]},
            "host": "db01",
        },
        {"data": {"monitor_id": 118734621, "transition": "Triggered", "scopes": TOLD["alert_scope"], "host": "db01"}},
    ],
)
def test_fields_are_known_in_every_spelling(spelt: dict[str, Any]) -> None:
    alert = only(spelt | {"title": "[Triggered] Disk is filling up"})
    assert (alert.fingerprint, alert.resource) == (only(TOLD).fingerprint, "db01")


def test_a_form_is_read_like_json() -> None:
    body = urlencode(TOLD).encode()
    payload = Payload(body=body, content_type="application/x-www-form-urlencoded", source="datadog")
    assert datadog.parse(payload, datadog.Options(), NOW) == parse(TOLD)


def test_json_is_read_whatever_its_content_type_says() -> None:
    body = json.dumps(TOLD).encode()
    payload = Payload(body=body, content_type="application/x-www-form-urlencoded", source="datadog")
    assert datadog.parse(payload, datadog.Options(), NOW) == parse(TOLD)


@pytest.mark.parametrize(
    ("title", "status"),
    [
        ("[Triggered on {host:web01.example.net}] Load is high", Status.FIRING),
        ("[Re-Triggered on {host:web01.example.net}] Load is high", Status.FIRING),
        ("[P2] [Warn on {host:web01.example.net}] Load is high", Status.FIRING),
        ("[No data on {host:web01.example.net}] Load is high", Status.FIRING),
        ("[Recovered on {host:web01.example.net}] Load is high", Status.RESOLVED),
    ],
)
def test_the_default_payload_says_it_in_what_datadog_writes_before_the_title(title: str, status: Status) -> None:
    alert = only(DEFAULT | {"title": title})
    assert (alert.status, alert.resource, alert.check) == (status, "web01.example.net", "Load is high")
    assert alert.fingerprint == only(DEFAULT).fingerprint


def test_the_default_payload_is_told_apart_by_the_monitor_that_datadog_links_and_not_by_links_of_people() -> None:
    body = DEFAULT["body"]
    assert isinstance(body, str)
    assert only(DEFAULT | {"body": body.replace("555", "556")}).fingerprint == only(DEFAULT).fingerprint
    assert only(DEFAULT | {"body": body.replace("/77?", "/78?")}).fingerprint != only(DEFAULT).fingerprint
    assert (
        only(DEFAULT | {"body": ""}).fingerprint
        != only(DEFAULT | {"body": "", "title": "[Triggered] Other"}).fingerprint
    )


def test_the_group_of_the_link_names_the_resource_where_the_title_does_not() -> None:
    alert = only(DEFAULT | {"title": "[Triggered] Load is high"})
    assert alert.resource == "web01"


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        ({"hostname": ""}, "db01.example.net"),
        ({"hostname": "", "alert_scope": "service:shop,availability-zone:a"}, "shop"),
        ({"hostname": "", "alert_scope": "*", "tags": "env:prod,service:shop"}, "shop"),
        ({"hostname": "", "alert_scope": "queue:orders", "event_title": "x"}, "queue:orders"),
        ({"hostname": "", "alert_scope": "", "event_title": "x", "org": {"name": "Example"}}, "Example"),
        ({"hostname": "", "alert_scope": "", "event_title": "x"}, "datadog"),
        ({"hostname": "", "alert_scope": "*", "event_title": "x"}, "datadog"),
    ],
)
def test_the_resource_is_the_host_or_else_a_tag_of_the_scope(change: dict[str, Any], resource: str) -> None:
    assert only(TOLD | change).resource == resource


def test_the_options_say_which_tag_names_the_resource() -> None:
    told = TOLD | {"hostname": "", "alert_scope": "site:par1,service:shop"}
    assert only(told, {"resource_tags": ["site"]}).resource == "par1"


@pytest.mark.parametrize(
    "message",
    [
        {"event_type": "user_event", "event_title": "Version 4.2 was deployed", "alert_type": "info"},
        {"event_type": "comment", "title": "I look at it"},
    ],
)
def test_an_event_that_is_about_no_problem_is_no_alert(message: dict[str, str]) -> None:
    assert parse(message) == []


def test_an_event_that_is_no_monitors_is_told_apart_by_its_own_id() -> None:
    told = {"event_type": "user_event", "alert_type": "error", "title": "The backup failed", "id": "1"}
    assert only(told).status is Status.FIRING
    assert only(told).fingerprint != only(told | {"id": "2"}).fingerprint


@pytest.mark.parametrize("message", [{}, {"unrelated": True}, {"org": {"id": "1"}}, {"alert_id": "$ALERT_ID"}])
def test_what_is_no_notification_is_refused_with_what_to_paste(message: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match=r"paste the payload of config/sources/datadog/"):
        parse(message)


def test_secrets_of_a_template_are_no_labels() -> None:
    assert "abc" not in only(TOLD | {"secret": "abc", "api_key": "abc"}).labels.values()


def test_the_payload_that_is_shipped_is_read_field_by_field() -> None:
    filled = {
        "$ALERT_TRANSITION": "Recovered",
        "$ALERT_CYCLE_KEY": "641",
        "$HOSTNAME": "db01",
        "$DATE": "1795424100000",
    }
    filled |= {
        "$ALERT_PRIORITY": "P3",
        "$EVENT_TITLE": "[Recovered] Disk",
        "$TEXT_ONLY_MSG": "well",
        "$TAGS": "env:prod",
    }
    text = re.sub(r"\$[A-Z_]+", lambda found: filled.get(found[0], ""), TEMPLATE.read_text(encoding="utf-8"))
    alert = only(json.loads(text))
    assert (alert.status, alert.fingerprint, alert.resource, alert.check) == (Status.RESOLVED, "641", "db01", "Disk")
    assert (alert.severity, alert.description, alert.labels["env"]) == (Severity.MINOR, "well", "prod")
    assert alert.ends_at == datetime(2026, 11, 23, 8, 55, tzinfo=UTC)

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Unreadable
from tocsin.sources import librenms

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ALERT = {
    "state": 1,
    "severity": "critical",
    "hostname": "sw1.example.net",
    "device_id": 17,
    "rule_id": 5,
    "alert_id": 311,
    "id": 90211,
    "uid": 90211,
    "name": "Port status down",
    "timestamp": "2026-11-23 08:44:11",
    "title": "Alert for device sw1",
}


def parse(message: Any, **options: Any) -> list[Alert | Unreadable]:
    return librenms.parse(Payload(body=json.dumps(message).encode()), librenms.Options(**options), NOW)


def only(message: dict[str, Any], **options: Any) -> Alert:
    (alert,) = parse(message, **options)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (0, "resolved"),
        ("0", "resolved"),
        ("OK", "resolved"),
        (1, "firing"),
        ("3", "firing"),
        (4, "firing"),
        (5, "firing"),
        ("alert", "firing"),
    ],
)
def test_the_state_decides(state: Any, status: str) -> None:
    assert only(ALERT | {"state": state}).status == status


@pytest.mark.parametrize("change", [{"state": 2}, {"state": "ack"}, {"id": "000", "uid": "000", "alert_id": "000"}])
def test_acknowledgements_and_tests_are_no_alerts(change: dict[str, Any]) -> None:
    assert parse(ALERT | change) == []


@pytest.mark.parametrize(
    "change",
    [
        {"state": 0, "id": 90215, "uid": 90240},
        {"severity": "warning", "title": "x", "timestamp": "2026-11-23 09:00:00"},
        {"hostname": "192.0.2.17", "name": "renamed"},
    ],
)
def test_only_device_and_rule_identify(change: dict[str, Any]) -> None:
    assert only(ALERT | change).fingerprint == only(ALERT).fingerprint


@pytest.mark.parametrize("change", [{"device_id": 18}, {"rule_id": 6}])
def test_another_device_or_rule_is_another_problem(change: dict[str, Any]) -> None:
    assert only(ALERT | change).fingerprint != only(ALERT).fingerprint


def test_without_their_ids_the_alert_identifies_and_then_host_and_rule() -> None:
    by_alert = ALERT | {"device_id": "", "rule_id": "{{ $rule_id }}"}
    assert only(by_alert).fingerprint == only(by_alert | {"hostname": "renamed", "uid": 1}).fingerprint
    assert only(by_alert).fingerprint != only(by_alert | {"alert_id": 312}).fingerprint
    by_name = by_alert | {"alert_id": None}
    assert only(by_name).fingerprint == only(by_name | {"id": 1, "uid": 1, "state": 0}).fingerprint
    assert len({only(by_name | change).fingerprint for change in ({}, {"hostname": "b"}, {"name": "c"})}) == 3


def test_times_are_in_the_zone_of_the_source() -> None:
    at = datetime(2026, 11, 23, 7, 44, 11, tzinfo=UTC)
    paris = ZoneInfo("Europe/Paris")
    assert (only(ALERT, zone=paris).starts_at, only(ALERT, zone=paris).said_at) == (at, None)
    assert only(ALERT | {"state": 3}, zone=paris).starts_at is None
    assert (only(ALERT | {"state": 0}, zone=paris).ends_at, only(ALERT | {"state": 0}, zone=paris).starts_at) == (
        at,
        None,
    )


def test_of_the_faults_nothing_that_a_device_is_queried_with_becomes_a_label() -> None:
    fault = {
        "ifDescr": "ge-0/0/1",
        "community": "made-up",
        "authpass": "made-up",
        "snmp_disable_descr": "made-up",
        "string": "ifDescr = ge-0/0/1;",
    }
    alert = only(ALERT | {"faults": {"1": fault, "2": {"string": "second"}}, "contacts": {"made-up@example.net": "x"}})
    assert alert.labels["fault_ifDescr"] == "ge-0/0/1"
    assert alert.description == "ifDescr = ge-0/0/1;\n\nsecond"
    assert "made-up" not in str(alert)


def test_the_body_is_the_text_where_the_address_has_the_state() -> None:
    given = {name: str(value) for name, value in ALERT.items()}
    (alert,) = librenms.parse(
        Payload(body=b"Port = down & out\n", content_type="text/plain", given=given), librenms.Options(), NOW
    )
    assert isinstance(alert, Alert)
    assert (alert.description, alert.fingerprint) == ("Port = down & out", only(ALERT).fingerprint)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "state is ''"),
        (ALERT | {"state": "{{ $state }}"}, "state is ''"),
        (ALERT | {"hostname": "", "sysName": None}, "resource is missing"),
        ({"state": 1, "hostname": "a"}, "name is missing"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_what_a_template_escaped_for_html_is_plain_again() -> None:
    told = only(ALERT | {"title": "Port &quot;ge-0/0/1&quot;", "name": "Usage &gt; 80%", "msg": "in &amp; out"})
    assert (told.summary, told.check, told.description) == ('Port "ge-0/0/1"', "Usage > 80%", "in & out")
    assert told.fingerprint == only(ALERT).fingerprint


def test_an_alert_without_a_name_has_its_number() -> None:
    assert only({"state": 1, "hostname": "sw1", "rule_id": 5}).check == "rule 5"
    assert only({"state": 1, "hostname": "sw1", "alert_id": 3}).check == "alert 3"

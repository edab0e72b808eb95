from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import nagios

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SERVICE = {"NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "web01", "SERVICEDESC": "procs", "SERVICESTATE": "CRITICAL"}
HOST = {"NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "web01", "HOSTSTATE": "DOWN"}


def parse(macros: Any) -> list[Alert | Unreadable]:
    return nagios.parse(Payload(body=json.dumps(macros).encode(), source="nagios"), nagios.Options(), NOW)


def only(macros: dict[str, Any]) -> Alert:
    (alert,) = parse(macros)
    assert isinstance(alert, Alert)
    return alert


def test_names_may_be_written_in_every_way() -> None:
    environment = {f"NAGIOS_{name}": value for name, value in SERVICE.items()}
    small = {name.lower(): value for name, value in environment.items()}
    form = Payload(body=urlencode(SERVICE).encode(), content_type=nagios.FORM, source="nagios")
    assert only(SERVICE) == only(environment) == only(small)
    assert nagios.parse(form, nagios.Options(), NOW) == parse(SERVICE)


@pytest.mark.parametrize(
    ("change", "status", "severity"),
    [
        ({}, Status.FIRING, Severity.CRITICAL),
        ({"SERVICESTATE": "WARNING"}, Status.FIRING, Severity.WARNING),
        ({"SERVICESTATE": "UNKNOWN"}, Status.FIRING, Severity.WARNING),
        ({"SERVICESTATE": ""}, Status.FIRING, Severity.MAJOR),
        ({"NOTIFICATIONTYPE": "RECOVERY", "SERVICESTATE": "OK"}, Status.RESOLVED, Severity.INFO),
        (
            {"NOTIFICATIONTYPE": "RECOVERY", "SERVICESTATE": "OK", "LASTSERVICESTATE": "WARNING"},
            Status.RESOLVED,
            "warning",
        ),
        ({"NOTIFICATIONTYPE": "RECOVERY", "SERVICESTATE": ""}, Status.RESOLVED, Severity.MAJOR),
        ({"NOTIFICATIONTYPE": "CUSTOM"}, Status.FIRING, Severity.CRITICAL),
        ({"NOTIFICATIONTYPE": "CUSTOM", "SERVICESTATE": "OK"}, Status.RESOLVED, Severity.INFO),
        ({"NOTIFICATIONTYPE": ""}, Status.FIRING, Severity.CRITICAL),
        ({"NOTIFICATIONTYPE": "", "SERVICESTATE": "OK"}, Status.RESOLVED, Severity.INFO),
        ({"SERVICEOUTPUT": "PROCS OK: 1 process"}, Status.FIRING, Severity.CRITICAL),
        (
            {"SERVICEOUTPUT": "PROCS CRITICAL: 28", "NOTIFICATIONTYPE": "RECOVERY", "SERVICESTATE": "OK"},
            "resolved",
            "info",
        ),
    ],
)
def test_type_and_state_decide_and_texts_never_do(change: dict[str, str], status: Status, severity: Severity) -> None:
    alert = only(SERVICE | change)
    assert (alert.status, alert.severity) == (status, severity)


@pytest.mark.parametrize(("state", "severity"), [("DOWN", Severity.CRITICAL), ("UNREACHABLE", Severity.MAJOR)])
def test_a_host_is_its_own_problem(state: str, severity: Severity) -> None:
    alert = only(HOST | {"HOSTSTATE": state})
    assert (alert.resource, alert.check, alert.severity) == ("web01", "host check", severity)
    assert alert.fingerprint != only(SERVICE | {"SERVICEDESC": "host check"}).fingerprint
    assert alert.fingerprint == only(HOST | {"NOTIFICATIONTYPE": "RECOVERY", "HOSTSTATE": "UP"}).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"SERVICEOUTPUT": "PROCS CRITICAL: 31"},
        {"SERVICEPROBLEMID": "9"},
        {"SERVICESTATE": "WARNING"},
        {"TIMET": "1795419971"},
    ],
)
def test_only_host_and_service_identify(change: dict[str, str]) -> None:
    assert only(SERVICE | change).fingerprint == only(SERVICE).fingerprint


@pytest.mark.parametrize("kind", sorted(nagios._NO_ALERTS))
def test_what_people_or_nagios_do_about_a_problem_is_no_alert(kind: str) -> None:
    assert parse(SERVICE | {"NOTIFICATIONTYPE": kind}) == []
    assert parse({"NOTIFICATIONTYPE": kind.lower()}) == []


@pytest.mark.parametrize(
    ("macros", "problem"),
    [
        (SERVICE | {"NOTIFICATIONTYPE": "PARTY"}, "NOTIFICATIONTYPE is 'PARTY', expected one of"),
        (SERVICE | {"HOSTNAME": ""}, "HOSTNAME is missing"),
        (SERVICE | {"HOSTNAME": "$HOSTNAME$"}, "HOSTNAME is missing"),
        ({"HOSTNAME": "web01", "SERVICEDESC": "procs"}, "NOTIFICATIONTYPE and SERVICESTATE are missing"),
        ({}, "HOSTNAME is missing"),
        (SERVICE | {"SERVICEDESC": {"a": 1}}, "SERVICEDESC is nested"),
        ([SERVICE], "an object of Nagios macros"),
    ],
)
def test_what_is_missing_is_named(macros: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(macros)


@pytest.mark.parametrize(
    ("change", "when"),
    [
        ({"LASTSERVICESTATECHANGE": "1795419851", "TIMET": "1795419971"}, "2026-11-23T07:44:11+00:00"),
        ({"LASTSERVICESTATECHANGE": "0", "TIMET": "1795419971"}, "2026-11-23T07:46:11+00:00"),
        ({"LONGDATETIME": "Mon Nov 23 07:46:11 UTC 2026"}, "2026-11-23T07:46:11+00:00"),
    ],
)
def test_the_change_of_state_is_the_start_or_the_end(change: dict[str, str], when: str) -> None:
    assert only(SERVICE | change).starts_at == datetime.fromisoformat(when)
    over = only(SERVICE | change | {"NOTIFICATIONTYPE": "RECOVERY", "SERVICESTATE": "OK"})
    assert (over.starts_at, over.ends_at) == (None, datetime.fromisoformat(when))

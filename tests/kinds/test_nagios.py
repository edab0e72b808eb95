from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _macros, nagios

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


@pytest.mark.parametrize("kind", sorted(_macros.NO_ALERTS))
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
        (SERVICE | {"SERVICEDESC": {"a": 1}}, "SERVICEDESC is missing, and SERVICESTATE says"),
        ("web01", "an object of Nagios macros"),
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


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (urlencode(SERVICE), "application/json"),
        (urlencode(SERVICE), "text/plain"),
        (json.dumps(SERVICE), nagios.FORM),
        (json.dumps(SERVICE), "text/plain"),
        ("\n".join(f"NAGIOS_{name}={value}" for name, value in SERVICE.items()), "text/plain"),
        ("\n".join(f"NAGIOS_{name}={value}" for name, value in SERVICE.items()), nagios.FORM),
        ("\0".join(f"{name}={value}" for name, value in SERVICE.items()) + "\0", "application/json"),
        (f"[{json.dumps(SERVICE)}]", "application/json"),
        (f" \n{json.dumps(SERVICE)}\n", "application/json"),
    ],
)
def test_the_body_says_what_it_is_whatever_its_content_type(body: str, media: str) -> None:
    payload = Payload(body=body.encode(), content_type=media, source="nagios")
    assert nagios.parse(payload, nagios.Options(), NOW) == [only(SERVICE)]


@pytest.mark.parametrize(
    "change",
    [
        {"SERVICEDESC": None, "service_description": "procs"},
        {"SERVICEDESC": None, "service.name": "procs"},
        {"SERVICEDESC": None, "service": "procs"},
        {"HOSTNAME": None, "host_name": "web01"},
        {"SERVICESTATE": None, "state": "critical"},
        {"SERVICESTATE": "2"},
        {"SERVICESTATE": None, "current_state": "CRITICAL"},
        {"SERVICESTATE": None, "SERVICESTATEID": 2},
        {"NOTIFICATIONTYPE": "", "type": "problem"},
        {"NOTIFICATIONTYPE": "$NOTIFICATIONTYPE$", "notification_type": "Problem"},
    ],
)
def test_other_spellings_of_the_same_macros_are_read(change: dict[str, Any]) -> None:
    told, alert = only(SERVICE | change), only(SERVICE)
    parts = ("fingerprint", "resource", "check", "severity", "status")
    assert [getattr(told, part) for part in parts] == [getattr(alert, part) for part in parts]


def test_what_is_nested_is_ignored() -> None:
    assert only(SERVICE | {"labels": {"a": 1}, "NOTES": ["x"]}) == only(SERVICE)


@pytest.mark.parametrize(
    "message",
    [
        {"payload": SERVICE},
        {"data": {"host": "web01", "service": "procs", "state": "CRITICAL"}, "trigger": "x"},
        {"host": {"name": "web01"}, "service": {"description": "procs", "state": "CRITICAL"}},
        {"host": {"name": "web01"}, "service": {"name": "procs"}, "check_result": {"state": "CRITICAL", "output": "x"}},
        {"HOSTNAME": "web01", "SERVICEDESC": "procs", "SERVICESTATE": "CRITICAL", "host": {"name": "other"}},
    ],
)
def test_objects_that_scripts_put_macros_into_are_opened(message: dict[str, Any]) -> None:
    told, alert = only(message), only(SERVICE)
    parts = ("fingerprint", "resource", "check", "severity", "status")
    assert [getattr(told, part) for part in parts] == [getattr(alert, part) for part in parts]


@pytest.mark.parametrize(
    ("told", "severity"),
    [
        ({"severity": "CRITICAL", "status": "DOWN"}, Severity.CRITICAL),
        ({"severity": "P1", "status": "WARNING"}, Severity.WARNING),
        ({"severity": "P1", "status": "open"}, Severity.MAJOR),
        ({"severity": "CRITICAL", "SERVICESTATE": "WARNING"}, Severity.WARNING),
        ({"severity": "CRITICAL", "SERVICESTATEID": 1}, Severity.WARNING),
        ({"severity": "CRITICAL", "state": "UNKNOWN"}, Severity.WARNING),
    ],
)
def test_a_state_of_a_service_may_stand_where_scripts_put_it(told: dict[str, Any], severity: Severity) -> None:
    bare = {"NOTIFICATIONTYPE": "PROBLEM", "host": "web01", "service": "procs"}
    assert only(bare | told).severity is severity


@pytest.mark.parametrize("name", ["output", "message", "msg", "SERVICEOUTPUT"])
def test_the_output_may_have_a_short_name(name: str) -> None:
    alert = only({**SERVICE, name: "28 processes|n=28", "long_output": "more"})
    assert (alert.summary, alert.description, "long_output" in alert.labels) == ("28 processes", "more", False)


@pytest.mark.parametrize("name", ["CONTACTPAGER", "contact_pager", "NAGIOS_CONTACTPAGER", "api_key"])
def test_the_pager_of_a_contact_is_no_label(name: str) -> None:
    assert only({**SERVICE, name: "0f3a5c7e"}).labels == only(SERVICE).labels


def test_a_type_may_say_more_in_brackets() -> None:
    assert parse(SERVICE | {"NOTIFICATIONTYPE": "ACKNOWLEDGEMENT (sticky)"}) == []
    assert only(SERVICE | {"NOTIFICATIONTYPE": "PROBLEM (again)"}).status is Status.FIRING


def test_one_of_many_that_cannot_be_read_loses_no_other() -> None:
    told = parse([SERVICE, SERVICE | {"HOSTNAME": ""}, SERVICE | {"NOTIFICATIONTYPE": "ACKNOWLEDGEMENT"}, SERVICE])
    assert [type(entry) for entry in told] == [Alert, Unreadable, Alert]


@pytest.mark.parametrize("state", ["CRITICAL", "OK"])
def test_a_soft_state_without_a_type_is_no_alert(state: str) -> None:
    soft = {"NOTIFICATIONTYPE": "", "SERVICESTATE": state, "SERVICESTATETYPE": "SOFT"}
    assert parse(SERVICE | soft) == []
    assert only(SERVICE | soft | {"SERVICESTATETYPE": "HARD"})
    bare = {"host": "web01", "service": "procs", "state": state}
    assert parse(bare | {"state_type": "soft"}) == parse(bare | {"state_type": 0}) == []
    assert only(bare | {"state_type": 1})


@pytest.mark.parametrize(
    ("change", "second"),
    [({}, None), ({"TIMET": "1795419971"}, 1795419971), ({"LONGDATETIME": "Mon Nov 23 07:46:11 CET 2026"}, None)],
)
def test_the_epoch_of_the_message_says_when_it_was_said(change: dict[str, str], second: int | None) -> None:
    assert only(SERVICE | change).said_at == (datetime.fromtimestamp(second, UTC) if second else None)


def test_only_macros_of_an_environment_are_labels_and_no_secrets() -> None:
    told = (
        "NAGIOS_HOSTNAME=web01\nNAGIOS_HOSTSTATE=DOWN\nNAGIOS__HOSTSNMPCOMMUNITY=x\nHOME=/root\nNAGIOS__HOSTSITE=Lyon"
    )
    (alert,) = nagios.parse(Payload(body=told.encode(), content_type="text/plain"), nagios.Options(), NOW)
    assert isinstance(alert, Alert)
    assert alert.labels == {"HOSTNAME": "web01", "HOSTSTATE": "DOWN", "_HOSTSITE": "Lyon"}


def test_output_of_several_lines_is_a_summary_and_a_description() -> None:
    alert = only(SERVICE | {"SERVICEOUTPUT": "PROCS CRITICAL: 28|procs=28\nmore\nlast|x=1"})
    assert (alert.summary, alert.description) == ("PROCS CRITICAL: 28", "more\nlast")

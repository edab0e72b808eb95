from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, _icinga, _macros, icinga

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
RESULT = {
    "state": 2,
    "output": "HTTP CRITICAL: refused",
    "vars_after": {"state": 2, "state_type": 1, "reachable": True},
}
EVENT = {
    "type": "StateChange",
    "timestamp": 1795419667.5,
    "host": "web1",
    "service": "http",
    "state": 2,
    "state_type": 1,
    "check_result": RESULT,
    "downtime_depth": 0,
    "acknowledgement": False,
}
ATTRIBUTES = {
    "state": 2,
    "state_type": 1,
    "last_hard_state": 2,
    "last_check": 1795419667.5,
    "last_hard_state_change": 1795419600,
}
MACROS = {"NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "web1", "SERVICENAME": "http", "SERVICESTATE": "CRITICAL"}
INCIDENT = {"name": "web1: http", "tags": {"host": "web1", "service": "http"}, "severity": "crit", "incident": True}


def listed(name: str = "web1!http", **change: Any) -> dict[str, Any]:
    attributes = {key: value for key, value in (ATTRIBUTES | change).items() if value != "left out"}
    return {"name": name, "type": "Service" if "!" in name else "Host", "attrs": attributes}


def parse(message: Any, media: str = "application/json", **options: Any) -> list[Alert | Unreadable]:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return icinga.parse(Payload(body=body, content_type=media, source="icinga"), icinga.Options(**options), NOW)


def only(message: Any, **options: Any) -> Alert:
    (alert,) = parse(message, **options)
    assert isinstance(alert, Alert)
    return alert


ONE_PROBLEM = [
    pytest.param(EVENT, id="state change"),
    pytest.param(EVENT | {"type": "CheckResult"}, id="check result"),
    pytest.param(EVENT | {"type": "Notification", "notification_type": "PROBLEM"}, id="notification event"),
    pytest.param({"results": [listed()]}, id="list of objects"),
    pytest.param(listed(), id="object"),
    pytest.param(MACROS, id="macros"),
    pytest.param(
        {"host": {"name": "web1"}, "service": {"name": "http"}, "check_result": {"state": "CRITICAL"}}, id="objects"
    ),
    pytest.param(INCIDENT, id="Icinga Notifications"),
    pytest.param({"type": "ObjectDeleted", "object_type": "Service", "object_name": "web1!http"}, id="deleted"),
]


@pytest.mark.parametrize("message", ONE_PROBLEM)
def test_one_problem_is_the_same_in_every_form(message: Any) -> None:
    alert = only(message)
    assert (alert.resource, alert.check, alert.fingerprint) == ("web1", "http", icinga.fingerprint("web1", "http"))
    assert alert.fingerprint == "web1!http"


@pytest.mark.parametrize(
    "message",
    [
        {name: value for name, value in EVENT.items() if name != "service"} | {"state": 1},
        {"results": [listed("web1", state=1)]},
        {"NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "web1", "HOSTSTATE": "DOWN"},
        INCIDENT | {"tags": {"host": "web1"}},
        {"type": "ObjectDeleted", "object_type": "Host", "object_name": "web1"},
    ],
)
def test_a_host_is_its_own_problem_in_every_form(message: Any) -> None:
    alert = only(message)
    assert (alert.resource, alert.check, alert.fingerprint) == ("web1", "host check", icinga.fingerprint("web1"))


def test_long_names_have_a_fingerprint_that_fits() -> None:
    host, service = "h" * 300, "s" * 300
    assert only(EVENT | {"host": host, "service": service}).fingerprint == icinga.fingerprint(host, service)
    assert len(icinga.fingerprint(host, service)) == 24


@pytest.mark.parametrize(
    ("change", "same"),
    [({"state": 1}, True), ({"timestamp": 2e9}, True), ({"host": "b"}, False), ({"service": "b"}, False)],
)
def test_only_host_and_service_identify(change: dict[str, Any], *, same: bool) -> None:
    assert (only(EVENT | change).fingerprint == only(EVENT).fingerprint) is same


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"state": 1}, Severity.WARNING),
        ({"state": 2.0}, Severity.CRITICAL),
        ({"state": 3, "state_type": 1.0}, Severity.WARNING),
        ({"service": None, "state": 1}, Severity.CRITICAL),
    ],
)
def test_a_hard_state_is_a_problem(change: dict[str, Any], severity: Severity) -> None:
    alert = only(EVENT | change)
    assert (alert.status, alert.severity) == (Status.FIRING, severity)


@pytest.mark.parametrize("kind", ["StateChange", "CheckResult"])
@pytest.mark.parametrize("state", [0, 1, 2, 3])
def test_a_soft_state_is_no_alert(kind: str, state: int) -> None:
    after = RESULT | {"state": state, "vars_after": {"state": state, "state_type": 0}}
    assert parse(EVENT | {"type": kind, "state": state, "state_type": 0, "check_result": after}) == []


@pytest.mark.parametrize("service", [{"service": "http"}, {"service": ""}])
def test_ok_ends_it_and_keeps_the_severity_it_had(service: dict[str, str]) -> None:
    result = {"state": 0, "vars_after": {"state": 0, "state_type": 1}, "vars_before": {"state": 2, "state_type": 1}}
    alert = only(EVENT | service | {"state": 0, "check_result": result})
    assert (alert.status, alert.severity) == (Status.RESOLVED, Severity.CRITICAL)
    assert alert.ends_at == datetime.fromtimestamp(1795419667.5, UTC)


@pytest.mark.parametrize(("state", "status"), [(0, "resolved"), (1, "resolved"), (2, "firing"), (3, "firing")])
def test_the_check_of_a_host_is_told_as_if_it_were_a_services(state: int, status: str) -> None:
    after = {"state": state, "vars_after": {"state": state, "state_type": 1}}
    event = {name: value for name, value in EVENT.items() if name not in {"service", "state", "state_type"}}
    assert only(event | {"type": "CheckResult", "check_result": after}).status == status


@pytest.mark.parametrize("kind", sorted(_icinga.OTHERS))
def test_what_people_or_icinga_do_is_no_alert(kind: str) -> None:
    assert parse(EVENT | {"type": kind}) == []
    assert parse({"type": kind}) == []


@pytest.mark.parametrize("kind", sorted(_macros.NO_ALERTS))
def test_notifications_of_other_types_are_no_alerts(kind: str) -> None:
    assert parse(EVENT | {"type": "Notification", "notification_type": kind}) == []
    assert parse(MACROS | {"NOTIFICATIONTYPE": kind}) == []


@pytest.mark.parametrize("name", ["web1!http!comment", "web1"])
def test_only_a_host_or_service_that_is_gone_ends_a_problem(name: str) -> None:
    assert parse({"type": "ObjectDeleted", "object_type": "Comment", "object_name": name}) == []
    assert only({"type": "ObjectDeleted", "object_type": "Host", "object_name": name}).status is Status.RESOLVED


@pytest.mark.parametrize(
    "change",
    [{"downtime_depth": 1}, {"downtime_depth": 2.0}, {"check_result": RESULT | {"vars_after": {"reachable": False}}}],
)
def test_what_icinga_would_not_notify_is_taken_only_when_the_options_say_so(change: dict[str, Any]) -> None:
    assert parse(EVENT | change) == []
    assert only(EVENT | change, suppressed=True).status is Status.FIRING
    assert only(EVENT | change | {"state": 0}).status is Status.RESOLVED


def test_an_acknowledged_problem_is_a_problem() -> None:
    assert only(EVENT | {"acknowledgement": True}).labels["acknowledgement"] == "true"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "firing"),
        ({"state": 0}, "resolved"),
        ({"state": 2, "state_type": 0, "last_hard_state": 0}, "resolved"),
        ({"state": 0, "state_type": 0.0, "last_hard_state": 1.0}, "firing"),
        ({"downtime_depth": 1}, "firing"),
        ({"last_reachable": False}, "firing"),
        ({"state_type": "left out"}, "firing"),
        ({"last_check": "left out"}, "firing"),
    ],
)
def test_of_an_object_the_last_hard_state_counts(change: dict[str, Any], status: str) -> None:
    assert only(listed(**change)).status == status


@pytest.mark.parametrize("change", [{"last_check": -1}, {"last_check": 0}, {"last_check_result": None}])
def test_what_was_never_checked_is_nothing_yet(change: dict[str, Any]) -> None:
    assert parse({"results": [listed(**change)]}) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, Status.FIRING),
        ({"severity": "ok"}, Status.RESOLVED),
        ({"close": True}, Status.RESOLVED),
        ({"severity": None, "muted": True}, None),
        ({"muted": True}, None),
        ({"muted": False}, Status.FIRING),
        ({"muted": True, "severity": "ok"}, Status.RESOLVED),
        ({"type": "state"}, Status.FIRING),
        ({"type": "flapping-start"}, None),
        ({"type": "acknowledgement-set", "severity": ""}, None),
    ],
)
def test_an_event_of_icinga_notifications_tells_a_state_or_nothing(change: dict[str, Any], told: Status | None) -> None:
    alerts = parse(INCIDENT | change)
    assert [alert.status for alert in alerts if isinstance(alert, Alert)] == ([told] if told else [])


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("emerg", "critical"),
        ("alert", "critical"),
        ("crit", "critical"),
        ("err", "major"),
        ("warning", "warning"),
        ("notice", "info"),
    ],
)
def test_severities_of_icinga_notifications(severity: str, expected: str) -> None:
    assert only(INCIDENT | {"severity": severity}).severity == expected


def test_tags_of_others_identify_all_together() -> None:
    door = INCIDENT | {"tags": {"building": "north", "door": "7"}}
    assert only(door).fingerprint == only(INCIDENT | {"tags": {"door": "7", "building": "north"}}).fingerprint
    assert only(door).fingerprint != only(INCIDENT | {"tags": {"building": "north", "door": "8"}}).fingerprint
    disk = INCIDENT | {"tags": {"host": "web1", "service": "http", "disk": "a"}}
    assert only(disk).fingerprint not in {"web1!http", only(disk | {"tags": {"host": "web1", "disk": "a"}}).fingerprint}
    assert only(INCIDENT | {"tags": INCIDENT["tags"] | {"environment": "e1"}}).fingerprint == "web1!http"  # type: ignore[operator]


def test_lines_are_events_and_a_broken_one_loses_no_other() -> None:
    lines = b"\n".join([json.dumps(EVENT).encode(), b'{"type":', b"", json.dumps(EVENT | {"service": "b"}).encode()])
    for media in ("application/json", "text/plain", "application/x-ndjson"):
        alerts = parse(lines, media)
        assert [type(alert) for alert in alerts] == [Alert, Unreadable, Alert]


def test_a_field_of_the_environment_is_read_like_a_macro() -> None:
    form = b"ICINGA_NOTIFICATIONTYPE=PROBLEM&ICINGA_HOSTNAME=web1&ICINGA_SERVICENAME=http&ICINGA_SERVICESTATE=CRITICAL"
    told = b"\n".join(form.split(b"&"))
    assert [only_of(form, _macros.FORM), only_of(told, "text/plain")] == ["web1!http", "web1!http"]


def only_of(body: bytes, media: str) -> str:
    (alert,) = parse(body, media)
    assert isinstance(alert, Alert)
    return alert.fingerprint


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (EVENT | {"host": None}, "host is missing"),
        (EVENT | {"state": "x", "check_result": None}, "state is missing"),
        (EVENT | {"type": "Notification", "notification_type": "PARTY"}, "notification_type is 'PARTY'"),
        (listed(state="left out"), "state is missing"),
        (listed() | {"type": "Downtime"}, "its type is 'Downtime'"),
        (listed("!http"), "name is missing"),
        (INCIDENT | {"tags": {}}, "tags is empty"),
        (INCIDENT | {"severity": ""}, "severity is missing"),
        ({"error": 401, "status": "Unauthorized"}, "HOSTNAME is missing"),
        ("text", "an object of Icinga"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_what_is_no_json_is_told_apart() -> None:
    with pytest.raises(NotJsonError):
        parse(b'{"type": "StateChange"')


@pytest.mark.parametrize("name", ["snmp_community", "Password", "api_key"])
def test_secrets_among_custom_variables_are_no_labels(name: str) -> None:
    labels = only(listed(vars={name: "made-up", "team": "web"})).labels
    assert {key: value for key, value in labels.items() if key.startswith("vars")} == {"vars_team": "web"}

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, centreon, kinds

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SERVICE = {
    "host_id": 17,
    "service_id": 342,
    "state": 2,
    "state_type": 1,
    "host_name": "db1",
    "service_description": "Ping",
}
HOST = {"host_id": 17, "state": 1, "state_type": 1, "cache": {"host": {"name": "db1"}}}
BUSINESS = {"ba_id": 5, "state": 1, "cache": {"ba": {"ba_name": "Shop"}}}


def read(body: bytes, media: str = "application/json") -> list[Alert | Unreadable]:
    return centreon.parse(Payload(body=body, content_type=media, source="centreon"), centreon.Options(), NOW)


def parse(message: Any) -> list[Alert | Unreadable]:
    return read(json.dumps(message).encode())


def only(message: dict[str, Any]) -> Alert:
    (alert,) = parse(message)
    assert isinstance(alert, Alert), alert
    return alert


@pytest.mark.parametrize(
    "event",
    [
        {name.upper(): value for name, value in SERVICE.items()},
        {name.title().replace("_", ""): value for name, value in SERVICE.items()},
        {"component": "db1", "resource": "Ping", "state": 2, "state_type": 1, "host_id": 17, "service_id": 342},
        {"hostname": "db1", "service": "Ping", "status": "CRITICAL", "host_id": "17", "service_id": 342.0},
    ],
)
def test_names_count_by_their_letters(event: dict[str, Any]) -> None:
    told, alert = only(event), only(SERVICE)
    parts = ("fingerprint", "resource", "check", "severity", "status")
    assert [getattr(told, part) for part in parts] == [getattr(alert, part) for part in parts]


def test_of_two_names_the_same_one_counts_in_any_order() -> None:
    told = {"state": 1, "host": "alias", "host_name": "db1", "HostName": "other"}
    assert only(told).resource == only(dict(reversed(told.items()))).resource == "other"


@pytest.mark.parametrize("line", [{"index": {"_index": "x"}}, {"create": {}}, {"event": "metric", "fields": {"a": 1}}])
def test_what_stands_between_events_is_no_alert(line: dict[str, Any]) -> None:
    assert parse(line) == []
    assert len(read(f"{json.dumps(line)}\n{json.dumps(SERVICE)}\n".encode())) == 1


@pytest.mark.parametrize(
    ("event", "state", "status", "severity"),
    [
        (SERVICE, 0, Status.RESOLVED, Severity.INFO),
        (SERVICE, 1, Status.FIRING, Severity.WARNING),
        (SERVICE, "2", Status.FIRING, Severity.CRITICAL),
        (SERVICE, 2.0, Status.FIRING, Severity.CRITICAL),
        (SERVICE, 3, Status.FIRING, Severity.WARNING),
        (SERVICE, "UNKNOWN", Status.FIRING, Severity.WARNING),
        (HOST, 0, Status.RESOLVED, Severity.INFO),
        (HOST, "up", Status.RESOLVED, Severity.INFO),
        (HOST, 1, Status.FIRING, Severity.CRITICAL),
        (HOST, 2, Status.FIRING, Severity.MAJOR),
        (BUSINESS, 0, Status.RESOLVED, Severity.INFO),
        (BUSINESS, 2, Status.FIRING, Severity.CRITICAL),
    ],
)
def test_the_state_decides(event: dict[str, Any], state: Any, status: Status, severity: Severity) -> None:
    alert = only(event | {"state": state})
    assert (alert.status, alert.severity) == (status, severity)


def test_the_end_keeps_the_severity_when_it_is_told() -> None:
    assert only(SERVICE | {"state": 0, "last_hard_state": 2}).severity is Severity.CRITICAL
    assert only(SERVICE | {"state": 0, "last_hard_state": 0}).severity is Severity.INFO


@pytest.mark.parametrize(
    "event",
    [
        SERVICE | {"state_type": 0},
        SERVICE | {"state_type": "SOFT"},
        SERVICE | {"state": 4},
        HOST | {"state": "PENDING"},
        {"host_id": 17, "service_id": 342, "author": "operator", "entry_time": 1, "state": 2},
        SERVICE | {"event_type": "acknowledgement"},
        SERVICE | {"event_type": "downtime"},
        {"NOTIFICATIONTYPE": "DOWNTIMESTART", "HOSTNAME": "db1"},
    ],
)
def test_what_is_not_known_to_be_a_problem_is_no_alert(event: dict[str, Any]) -> None:
    assert parse(event) == parse([event]) == []


def test_a_soft_end_is_one() -> None:
    assert only(SERVICE | {"state": 0, "state_type": 0}).status is Status.RESOLVED


@pytest.mark.parametrize(
    "change",
    [{"output": "x"}, {"state": 1}, {"host_name": "renamed"}, {"last_update": 1795419971}, {"check_attempt": 2}],
)
def test_only_the_ids_identify(change: dict[str, Any]) -> None:
    assert only(SERVICE | change).fingerprint == only(SERVICE).fingerprint
    others = (
        SERVICE,
        SERVICE | {"service_id": 343},
        SERVICE | {"host_id": 18},
        HOST,
        BUSINESS,
        BUSINESS | {"ba_id": 6},
    )
    assert len({only(event).fingerprint for event in others}) == 6


def test_without_ids_the_names_identify() -> None:
    service = {"host": "db1", "service": "Ping", "state": "CRITICAL"}
    host, business = {"host": "db1", "state": "DOWN"}, {"ba": "Shop", "state": "CRITICAL"}
    assert len({only(event).fingerprint for event in (service, host, business, service | {"service": "Disk"})}) == 4
    macros = {"NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "db1", "SERVICEDESC": "Ping", "SERVICESTATE": "WARNING"}
    assert only(macros).fingerprint == only(service).fingerprint


@pytest.mark.parametrize(
    ("event", "resource", "check"),
    [
        (SERVICE, "db1", "Ping"),
        (HOST, "db1", "host check"),
        (BUSINESS, "Shop", "business activity"),
        ({"host_id": 17, "service_id": 342, "state": 2}, "host 17", "service 342"),
        ({"host_id": 17, "service_id": 0, "state": 2}, "host 17", "host check"),
        ({"ba_id": 5, "state": 2}, "business activity 5", "business activity"),
        (
            SERVICE | {"host_name": None, "cache": {"host": {"name": "db2"}, "service": {"description": "y"}}},
            "db2",
            "Ping",
        ),
        ({"host": "Central", "event": {"hostname": "db1", "service_description": "Ping", "state": 2}}, "db1", "Ping"),
    ],
)
def test_what_it_is_about(event: dict[str, Any], resource: str, check: str) -> None:
    alert = only(event)
    assert (alert.resource, alert.check) == (resource, check)


def test_the_first_line_of_the_output_is_the_summary() -> None:
    alert = only(SERVICE | {"output": "CRITICAL - lost\ntwo\nthree", "long_output": "more"})
    assert (alert.summary, alert.description) == ("CRITICAL - lost", "two\nthree\nmore")
    assert "output" not in alert.labels


def test_groups_poller_and_severity_of_the_cache_are_labels() -> None:
    cache = {"hostgroups": [{"group_name": "a"}, {"group_name": "b"}], "poller": "Central", "severity": {"host": 1}}
    labels = only(SERVICE | {"cache": cache}).labels
    assert labels.items() >= {"hostgroups": "a, b", "poller": "Central", "severity_host": "1"}.items()


@pytest.mark.parametrize("separator", [b"", b",", b"\n", b", \n "])
def test_events_that_follow_one_another_are_all_read(separator: bytes) -> None:
    bodies = [json.dumps(event).encode() for event in (SERVICE, HOST, {"state": 1}, BUSINESS)]
    found = read(separator.join(bodies))
    assert [type(entry) for entry in found] == [Alert, Alert, Unreadable, Alert]


@pytest.mark.parametrize(
    "body", [b'{"a":1} x', b'{"a":1}{"b":', b'{"a":1}' + b"{" * 100, b"[1,", b'{"a":1}\xff{"b":2}']
)
def test_what_only_begins_as_json_is_none(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        read(body)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"state": 1}, "host_id and the name of the host are missing"),
        (
            {"event_type": "service", "host": "db1", "state": 2},
            "service_id and the description of the service are missing",
        ),
        (SERVICE | {"state": None}, "state is missing"),
        ({"NOTIFICATIONTYPE": "PROBLEM"}, "HOSTNAME is missing"),
    ],
)
def test_what_is_missing_is_named(event: dict[str, Any], problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(event)


def test_connectors_take_only_200_as_success_and_send_anything_else_again_for_ever() -> None:
    assert (kinds()["centreon"].status, kinds()["centreon"].refusal) == (200, 200)

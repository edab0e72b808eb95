from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import gcp

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
INCIDENT = {
    "incident_id": "0.a",
    "state": "open",
    "policy_name": "web CPU",
    "condition_name": "VM Instance - CPU",
    "resource_name": "shop-prod web-1",
    "started_at": 1795310650,
    "ended_at": None,
    "summary": "CPU is above the threshold",
}


def parse(message: Any) -> list[Alert | Unreadable]:
    return gcp.parse(Payload(body=json.dumps(message).encode(), source="gcp"), gcp.Options(), NOW)


def one(message: Any) -> Alert:
    (alert,) = parse(message)
    assert isinstance(alert, Alert)
    return alert


def incident(**fields: Any) -> Alert:
    return one({"version": "1.2", "incident": INCIDENT | fields})


def pushed(data: bytes, **fields: Any) -> dict[str, Any]:
    return {"message": {"data": b64encode(data).decode(), "messageId": "1", **fields}, "subscription": "s"}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("open", Status.FIRING),
        ("OPEN", Status.FIRING),
        ("closed", Status.RESOLVED),
        ("CLOSED", Status.RESOLVED),
        (None, Status.FIRING),
    ],
)
def test_the_state_says_whether_it_is_over(state: str | None, status: Status) -> None:
    assert incident(state=state).status is status


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"severity": "Critical"}, Severity.CRITICAL),
        ({"severity": "CRITICAL"}, Severity.CRITICAL),
        ({"severity": "Error"}, Severity.MAJOR),
        ({"severity": "Warning"}, Severity.WARNING),
        ({"severity": "No severity"}, Severity.MAJOR),
        ({}, Severity.MAJOR),
        ({"policy_user_labels": {"severity": "minor"}}, Severity.MINOR),
        ({"severity": "No severity", "policy_user_labels": {"severity": "minor"}}, Severity.MINOR),
    ],
)
def test_the_severity_is_the_policys(fields: dict[str, Any], severity: Severity) -> None:
    assert incident(**fields).severity is severity


@pytest.mark.parametrize("ended_at", [None, 0, "0"])
def test_an_open_incident_has_no_end(ended_at: Any) -> None:
    told = incident(ended_at=ended_at)
    assert (told.starts_at, told.ends_at) == (datetime.fromtimestamp(1795310650, UTC), None)
    assert told.said_at == told.starts_at


def test_a_closed_incident_was_said_when_it_ended() -> None:
    told = incident(state="closed", ended_at=1795314250)
    assert told.ends_at == told.said_at == datetime.fromtimestamp(1795314250, UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "closed"},
        {"summary": "other"},
        {"policy_name": "other"},
        {"severity": "Critical"},
        {"observed_value": "9"},
        {"resource_name": "other"},
    ],
)
def test_only_the_id_identifies_an_incident(change: dict[str, Any]) -> None:
    assert incident(**change).fingerprint == "0.a"
    assert incident(**change, incident_id="0.b").fingerprint == "0.b"


@pytest.mark.parametrize(
    ("fields", "resource"),
    [
        ({"resource_display_name": "web-1"}, "web-1"),
        ({"metric": {"labels": {"instance_name": "web-2"}}}, "web-2"),
        ({"metadata": {"system_labels": {"name": "web-3"}}}, "web-3"),
        ({"resource": {"labels": {"host": "shop.example.com", "project_id": "p"}}}, "shop.example.com"),
        ({}, "shop-prod web-1"),
        ({"scoping_project_id": "shop-prod"}, "web-1"),
        ({"resource": {"labels": {"instance_id": "12", "project_id": "shop-prod"}}}, "web-1"),
        ({"resource_name": "", "resource": {"labels": {"instance_id": "12"}}}, "12"),
        ({"resource_name": "", "resource_id": "i-1"}, "i-1"),
        ({"resource_name": ""}, "web CPU"),
    ],
)
def test_the_resource_is_what_people_call_it(fields: dict[str, Any], resource: str) -> None:
    assert incident(**fields).resource == resource


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({}, "VM Instance - CPU"),
        ({"condition_name": "", "condition": {"displayName": "shown"}}, "shown"),
        ({"condition_name": "", "condition": "projects/p/conditions/1"}, "web CPU"),
    ],
)
def test_the_condition_is_the_check(fields: dict[str, Any], check: str) -> None:
    assert incident(**fields).check == check


def test_a_test_is_no_alert() -> None:
    assert parse({"version": "test", "incident": INCIDENT}) == []


def test_a_message_pushed_by_pubsub_is_the_same_incident() -> None:
    message = json.dumps({"version": "1.2", "incident": INCIDENT}).encode()
    told = one(pushed(message, publishTime="2026-11-22T01:24:12.123Z"))
    assert told.fingerprint == "0.a"
    assert told.said_at == datetime(2026, 11, 22, 1, 24, 12, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"version": "1.2"}, "incident is missing"),
        ({"incident": []}, "incident is missing"),
        ({"incident": {}}, "resource is missing"),
        ({"incident": INCIDENT | {"incident_id": ""}}, "the identity of the problem is missing"),
        ({"message": {"data": "***"}}, "message.data is not base64"),
        ({"message": {"data": 7}}, "message.data is not base64"),
        ({"message": {}}, "message.data is missing"),
        (pushed(b"hello"), "message.data holds no JSON"),
        (pushed(b"[]"), "this is not a message of Google Cloud Monitoring"),
    ],
)
def test_what_is_missing_is_named(message: Any, sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        parse(message)


def test_a_list_and_an_incident_alone_are_read_too() -> None:
    told = incident()
    assert parse([{"version": "1.2", "incident": INCIDENT}, {}]) == [
        told,
        Unreadable(position=1, problem="incident is missing, or is no object"),
    ]
    assert one(INCIDENT) == told


def test_the_data_of_a_push_may_have_line_breaks() -> None:
    message = pushed(json.dumps({"version": "1.2", "incident": INCIDENT}).encode())
    message["message"]["data"] = "\n".join(wrap(message["message"]["data"], 76)) + "\n"
    assert one(message).fingerprint == "0.a"


@pytest.mark.parametrize(
    ("documentation", "description"),
    [
        ("Restart it.", "Restart it."),
        ({"content": "Restart it.", "subject": "Restart"}, "Restart it."),
        ({"subject": "Restart"}, "Restart"),
        ({"links": []}, ""),
        (None, ""),
    ],
)
def test_the_documentation_describes(documentation: Any, description: str) -> None:
    assert incident(documentation=documentation).description == description


def test_a_name_that_is_too_long_is_cut() -> None:
    told = incident(condition_name="c" * 600, resource_name="r" * 600)
    assert (len(told.check), len(told.resource), told.fingerprint) == (512, 512, "0.a")

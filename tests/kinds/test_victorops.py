from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _requests, kinds, victorops

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PROBLEM = {"message_type": "CRITICAL", "entity_id": "db1/load", "state_message": "load is 48"}


def payload(message: Any) -> Payload:
    return Payload(body=json.dumps(message).encode(), source="on-call")


def parse(message: Any) -> list[Alert | Unreadable]:
    return victorops.parse(payload(message), victorops.Options(), NOW)


def only(message: Any) -> Alert:
    (alert,) = parse(message)
    assert isinstance(alert, Alert)
    return alert


def answered(message: Any) -> Any:
    told = victorops.answer(payload(message), parse(message))
    assert told.status == 200
    return json.loads(told.body)


@pytest.mark.parametrize(
    ("word", "status", "severity"),
    [
        ("CRITICAL", Status.FIRING, "critical"),
        ("critical", Status.FIRING, "critical"),
        ("Warning", Status.FIRING, "warning"),
        ("RECOVERY", Status.RESOLVED, "major"),
        ("recovered", Status.RESOLVED, "major"),
        ("OK", Status.RESOLVED, "major"),
    ],
)
def test_the_message_type_decides_in_any_case(word: str, status: Status, severity: str) -> None:
    alert = only(PROBLEM | {"message_type": word})
    assert (alert.status, alert.severity, alert.fingerprint) == (status, Severity(severity), "db1/load")


@pytest.mark.parametrize("word", ["INFO", "info", "ACKNOWLEDGEMENT", "Acknowledgement", "ACK"])
def test_information_and_acknowledgements_are_no_alerts(word: str) -> None:
    assert parse(PROBLEM | {"message_type": word}) == []
    assert answered(PROBLEM | {"message_type": word}) == {"result": "success", "entity_id": "db1/load"}


@pytest.mark.parametrize(
    ("fields", "resource", "check"),
    [
        ({}, "db1", "load"),
        ({"host_name": "db1.example.net", "service_description": "Load"}, "db1.example.net", "Load"),
        ({"entity_id": "low space/db01.example.net"}, "db01.example.net", "low space"),
        ({"entity_id": "https://example.net/a"}, "https://example.net/a", "https://example.net/a"),
        ({"entity_id": "Uptime Kuma/7"}, "Uptime Kuma/7", "Uptime Kuma/7"),
        ({"entity_id": "x", "entity_is_host": True, "entity_display_name": "web3"}, "web3", "x"),
        ({"entity_id": "0f" * 32, "monitoring_tool": "HC", "entity_display_name": "nightly"}, "HC", "nightly"),
    ],
)
def test_resource_and_check(fields: dict[str, Any], resource: str, check: str) -> None:
    alert = only(PROBLEM | fields)
    assert (alert.resource, alert.check) == (resource, check)


def test_an_id_is_made_where_there_is_none_and_answered() -> None:
    bare = {"message_type": "CRITICAL", "host_name": "db1", "service": "load", "state_message": "load is 48"}
    told = answered(bare)["entity_id"]
    assert told == only(bare | {"state_message": "load is 99"}).fingerprint
    assert told != only(bare | {"service": "disk"}).fingerprint
    assert told != only(bare | {"host_name": "db2"}).fingerprint
    over = only({"message_type": "RECOVERY", "entity_id": told})
    assert (over.status, over.fingerprint) == (Status.RESOLVED, told)


@pytest.mark.parametrize(
    "line",
    [
        "POST /integrations/generic/20131114/alert/SECRET/database",
        "POST /alert/SECRET/database",
        "POST /hooks/on-call/SECRET/database",
        "POST /hooks/on-call/alert/SECRET/database",
    ],
)
def test_the_team_is_a_label_and_the_key_is_not_kept(line: str) -> None:
    told = _requests.payload(kinds()["victorops"], json.dumps(PROBLEM).encode(), line, source="on-call")
    (alert,) = victorops.parse(told, victorops.Options(), NOW)
    assert isinstance(alert, Alert)
    assert alert.labels["team"] == "database"
    assert "SECRET" not in str(alert)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "message_type is missing"),
        ({"message_type": "PARTY"}, "message_type is 'PARTY', not CRITICAL"),
        ({"message_type": "CRITICAL"}, "entity_id is missing"),
        ([PROBLEM], "an alert for Splunk On-Call"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_when_a_state_began_does_not_say_when_the_message_was_made() -> None:
    began, said = datetime(2026, 11, 23, 7, 41, tzinfo=UTC), datetime(2026, 11, 23, 7, 55, tzinfo=UTC)
    state = PROBLEM | {"state_start_time": int(began.timestamp())}
    assert (only(state).starts_at, only(state).said_at) == (began, None)
    told = only(state | {"timestamp": int(said.timestamp())})
    assert (told.starts_at, told.said_at) == (began, said)


def test_many_fields_are_no_more_labels_than_any_message_may_have() -> None:
    many = {f"field_{number:05}": "x" for number in range(9_000)}
    labels = only(PROBLEM | many | {"a_token": "t"}).labels
    assert len(labels) == 256
    assert "a_token" not in labels

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _requests, kinds, opsgenie

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CREATE = {"message": "load is 48", "alias": "db1-load", "entity": "db1", "priority": "P1"}
KIND = kinds()["opsgenie"]


def asked(line: str, call: Any = None) -> Payload:
    return _requests.payload(KIND, b"" if call is None else json.dumps(call).encode(), line, source="genie")


def parse(line: str, call: Any = None) -> list[Alert | Unreadable]:
    return opsgenie.parse(asked(line, call), opsgenie.Options(), NOW)


def only(line: str, call: Any = None) -> Alert:
    (alert,) = parse(line, call)
    assert isinstance(alert, Alert)
    return alert


def created(**change: Any) -> Alert:
    return only("POST /v2/alerts", CREATE | change)


def answered(line: str, call: Any = None) -> tuple[int, Any]:
    told = opsgenie.answer(asked(line, call), parse(line, call))
    return told.status, json.loads(told.body)


@pytest.mark.parametrize(
    "line",
    [
        "POST /v2/alerts/db1-load/close?identifierType=alias",
        "POST /v2/alerts/db1-load/close",
        "POST /hooks/genie/v2/alerts/db1-load/close?identifierType=alias",
        "POST /jsm/ops/integration/v2/alerts/db1-load/close?identifierType=alias",
        "DELETE /v2/alerts/db1-load?identifierType=alias&user=x",
    ],
)
@pytest.mark.parametrize("call", [None, {}, {"source": "x", "note": "better"}])
def test_close_and_delete_resolve_what_was_created_under_the_alias(line: str, call: Any) -> None:
    over = only(line, call)
    assert (over.status, over.fingerprint) == (Status.RESOLVED, created().fingerprint)
    assert (over.resource, over.check) == ("db1-load", "db1-load")


def test_an_alias_with_any_characters_is_found_again() -> None:
    alias = "disk /var on db1: 97 %"
    line = "POST /v2/alerts/disk%20%2Fvar%20on%20db1%3A%2097%20%25/close?identifierType=alias"
    assert only(line).fingerprint == created(alias=alias).fingerprint


def test_nothing_but_the_alias_identifies() -> None:
    for change in ({"message": "load is 3"}, {"priority": "P5"}, {"entity": "db2"}, {"source": "x"}):
        assert created(**change).fingerprint == "db1-load"


def test_without_an_alias_source_entity_and_message_identify() -> None:
    told = created(alias="")
    for change in ({"message": "disk is full"}, {"entity": "db2"}, {"source": "x"}):
        assert created(**{"alias": None, **change}).fingerprint != told.fingerprint
    assert created(alias=None, priority="P5", details={"a": "b"}).fingerprint == told.fingerprint


@pytest.mark.parametrize(
    "line",
    [
        *(f"POST /v2/alerts/a/{call}" for call in ("acknowledge", "unacknowledge", "notes", "snooze", "escalate")),
        *(f"POST /v2/alerts/a/{call}" for call in ("assign", "tags", "details", "responders", "actions/Restart")),
        *(f"PUT /v2/alerts/a/{call}" for call in ("message", "description", "priority")),
        *(f"{method} /v2/heartbeats/jobs/ping" for method in ("GET", "POST", "PUT", "PATCH")),
        "POST /v1/json/alert/acknowledge",
        "POST /v1/json/heartbeat/send",
    ],
)
def test_every_other_call_is_understood_and_no_alert(line: str) -> None:
    assert parse(line) == []
    assert answered(line)[0] in {200, 202}


@pytest.mark.parametrize(
    ("priority", "severity"),
    [("P1", "critical"), ("P2", "major"), ("P3", "minor"), ("P4", "warning"), ("p5", "info"), (None, "major")],
)
def test_priorities(priority: str | None, severity: str) -> None:
    assert created(priority=priority).severity == Severity(severity)


def test_details_name_resource_and_check_where_there_is_no_entity() -> None:
    alert = created(entity="", details={"Host": "web7", "alertname": "Latency", "api_key": "secret"})
    assert (alert.resource, alert.check) == ("web7", "Latency")
    assert "secret" not in str(alert)


def test_answers_are_those_of_opsgenie_and_the_same_for_the_same_request() -> None:
    status, told = answered("POST /v2/alerts", CREATE)
    assert (status, told["result"]) == (202, "Request will be processed")
    assert len(told["requestId"]) == 36
    assert told == answered("POST /v2/alerts", CREATE)[1]
    assert told["requestId"] != answered("POST /v2/alerts", CREATE | {"message": "x"})[1]["requestId"]
    assert answered("GET /v2/heartbeats/jobs/ping")[1]["result"] == "PONG - Heartbeat received"


def test_version_1_closes_by_the_id_it_was_answered() -> None:
    call = {"apiKey": "k", "message": "the backup did not run"}
    status, told = answered("POST /v1/json/alert", call)
    assert (status, told["status"], told["code"]) == (200, "successful", 200)
    over = only("POST /v1/json/alert/close", {"apiKey": "k", "id": told["alertId"]})
    assert over.fingerprint == only("POST /v1/json/alert", call).fingerprint


@pytest.mark.parametrize(
    ("line", "call", "problem"),
    [
        ("POST /v2/alerts", {"alias": "a"}, "message is missing"),
        ("POST /v2/alerts", [CREATE], "a call of Opsgenie's Alert API"),
        ("POST /v1/json/alert/close", {"apiKey": "k"}, "the identifier of the alert is missing"),
    ],
)
def test_what_is_missing_is_named(line: str, call: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(line, call)

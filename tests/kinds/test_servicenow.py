from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import servicenow

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
EVENT = {
    "source": "SCOM",
    "node": "files01.example.net",
    "type": "Disk space",
    "resource": "D:",
    "metric_name": "free",
    "severity": "2",
    "time_of_event": "2026-11-22 01:24:10",
}


def payload(message: Any, path: str = "") -> Payload:
    return Payload(body=json.dumps(message).encode(), source="sn", path=path)


def parse(message: Any) -> list[Alert | Unreadable]:
    return servicenow.parse(payload(message), servicenow.Options(), NOW)


def event(**fields: Any) -> Alert:
    (alert,) = parse({"records": [EVENT | fields]})
    assert isinstance(alert, Alert)
    return alert


def answered(message: Any, path: str) -> tuple[int, Any, dict[str, str]]:
    asked = payload(message, path)
    told = servicenow.answer(asked, servicenow.parse(asked, servicenow.Options(), NOW))
    return told.status, json.loads(told.body), told.headers


@pytest.mark.parametrize("message", [EVENT, [EVENT], {"records": [EVENT]}, {"records": EVENT}])
def test_every_form_of_a_message_is_the_same_alert(message: Any) -> None:
    assert parse(message) == [event()]


@pytest.mark.parametrize(
    ("word", "severity", "status"),
    [
        ("1", Severity.CRITICAL, Status.FIRING),
        (2, Severity.MAJOR, Status.FIRING),
        ("3", Severity.MINOR, Status.FIRING),
        ("4", Severity.WARNING, Status.FIRING),
        ("5", Severity.INFO, Status.FIRING),
        ("0", Severity.INFO, Status.RESOLVED),
        (0, Severity.INFO, Status.RESOLVED),
        ("1 - Critical", Severity.CRITICAL, Status.FIRING),
        ("Critical", Severity.CRITICAL, Status.FIRING),
        ("Clear", Severity.INFO, Status.RESOLVED),
        ("", Severity.MAJOR, Status.FIRING),
        (None, Severity.MAJOR, Status.FIRING),
    ],
)
def test_severities_as_numbers_and_words(word: Any, severity: Severity, status: Status) -> None:
    told = event(severity=word)
    assert (told.severity, told.status) == (severity, status)


@pytest.mark.parametrize(
    ("state", "status"), [("New", Status.FIRING), ("Closing", Status.RESOLVED), ("closing", Status.RESOLVED)]
)
def test_a_closing_event_is_over_and_keeps_its_severity(state: str, status: Status) -> None:
    told = event(resolution_state=state)
    assert (told.status, told.severity) == (status, Severity.MAJOR)


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "0"},
        {"description": "other"},
        {"event_class": "other"},
        {"time_of_event": "2026-11-23 00:00:00"},
        {"additional_info": {"a": 1}},
    ],
)
def test_what_does_not_identify_leaves_the_fingerprint(change: dict[str, Any]) -> None:
    assert event(**change).fingerprint == event().fingerprint


@pytest.mark.parametrize("field", ["source", "node", "type", "resource", "metric_name", "message_key"])
def test_each_identifying_field_makes_another_problem(field: str) -> None:
    assert event(**{field: "other"}).fingerprint != event().fingerprint


@pytest.mark.parametrize("field", ["source", "node", "type", "resource", "metric_name"])
def test_with_a_message_key_nothing_else_identifies(field: str) -> None:
    assert event(message_key="k", **{field: "other"}).fingerprint == "k"


@pytest.mark.parametrize(
    ("fields", "resource"),
    [
        ({}, "files01.example.net"),
        ({"node": "", "ci_identifier": '{"name": "files02"}'}, "files02"),
        ({"node": None, "ci_identifier": {"ip_address": "192.0.2.7"}}, "192.0.2.7"),
        ({"node": None, "ci_identifier": "no object"}, "D:"),
        ({"node": None, "resource": None}, "SCOM"),
    ],
)
def test_the_node_is_the_resource(fields: dict[str, Any], resource: str) -> None:
    assert event(**fields).resource == resource


@pytest.mark.parametrize("info", [{"team": "web"}, '{"team": "web"}', ' {"team": "web"}'])
def test_additional_information_is_labels_also_as_text(info: Any) -> None:
    assert event(additional_info=info).labels["additional_info_team"] == "web"


def test_additional_information_that_is_no_object_stays_text() -> None:
    assert event(additional_info="{broken").labels["additional_info"] == "{broken"


def test_the_time_of_the_event_is_utc() -> None:
    at = datetime(2026, 11, 22, 1, 24, 10, tzinfo=UTC)
    firing, over = event(), event(severity="0")
    assert (firing.starts_at, firing.ends_at, firing.said_at) == (at, None, None)
    assert (over.starts_at, over.ends_at, over.said_at) == (None, at, at)


@pytest.mark.parametrize("path", ["", "/api/global/em/jsonv2", "/api/mid/em/jsonv2", "/api/global/em/inbound_event"])
def test_the_bulk_endpoint_counts_what_it_took(path: str) -> None:
    told = answered({"records": [EVENT, {}, EVENT]}, path)
    assert told == (200, {"result": {"Default Bulk Endpoint": "2 events were inserted"}}, {})


@pytest.mark.parametrize("version", ["", "/v1", "/v2"])
def test_the_table_api_gives_the_record_back(version: str) -> None:
    path = f"/api/now{version}/table/em_event"
    status, body, headers = answered(EVENT, path)
    assert status == 201
    assert body["result"].items() >= EVENT.items()
    assert len(body["result"]["sys_id"]) == 32
    assert headers == {"Location": f"{path}/{body['result']['sys_id']}"}


def test_insert_multiple_gives_the_records_back() -> None:
    status, body, _ = answered({"records": [EVENT, {}]}, "/em_event.do")
    assert status == 200
    assert [record["__status"] for record in body["records"]] == ["success"]


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"unrelated": True}, "message_key is missing"),
        ({"source": "SCOM", "severity": "1"}, "message_key is missing"),
        ({"records": 1}, "this is not an event of ServiceNow"),
        ("text", "this is not an event of ServiceNow"),
    ],
)
def test_what_is_missing_is_named(message: Any, sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        parse(message)


@pytest.mark.parametrize(
    "info", [{"os": "Linux", "db_password": "made-up"}, '{"os": "Linux", "db_password": "made-up"}']
)
def test_secrets_in_the_additional_information_are_no_labels(info: Any) -> None:
    labels = event(additional_info=info).labels
    assert labels["additional_info_os"] == "Linux"
    assert "made-up" not in str(labels)


def test_names_that_are_too_long_are_cut_and_still_identify() -> None:
    first, second = (event(node="n" * 600, metric_name="m" * 600 + end) for end in ("1", "2"))
    assert (len(first.resource), len(first.check)) == (512, 512)
    assert first.fingerprint != second.fingerprint

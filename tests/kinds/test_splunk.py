from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import splunk

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SID = "scheduler__admin__search__RMD5e0c1_at_1795419600_301"
SEARCH: dict[str, Any] = {
    "sid": SID,
    "search_name": "Disk is filling up",
    "app": "search",
    "owner": "admin",
    "results_link": "https://splunk.example.net:8000/app/search/@go?sid=1",
    "result": {"_time": "1795419590", "host": "db01", "mount": "/var", "severity": "high", "_raw": "94% /var"},
}
EPISODE: dict[str, Any] = {
    "itsi_group_id": "g-1",
    "itsi_group_status": "1",
    "itsi_group_severity": "6",
    "host": "app01",
}
DETECTOR: dict[str, Any] = {
    "detector": "Hosts",
    "detectorId": "FvQ9",
    "rule": "CPU is high",
    "incidentId": "GJzK",
    "severity": "Critical",
    "statusExtended": "anomalous",
    "timestamp": "2026-11-23T07:42:00Z",
    "dimensions": {"host.name": "web01", "sf_metric": "cpu.utilization"},
}


def parse(message: Any, options: dict[str, Any] | None = None) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps(message).encode(), source="splunk")
    return splunk.parse(payload, splunk.Options.model_validate(options or {}), NOW)


def only(message: dict[str, Any], options: dict[str, Any] | None = None) -> Alert:
    (alert,) = parse(message, options)
    assert isinstance(alert, Alert)
    return alert


def search(**result: Any) -> dict[str, Any]:
    return SEARCH | {"result": SEARCH["result"] | result}


@pytest.mark.parametrize(
    "message",
    [
        search(severity="critical", _raw="97% /var", _time="1795419890"),
        SEARCH
        | {"sid": "scheduler__admin__search__RMD5e0c1_at_1795419900_344", "results_link": "https://x.example.net"},
        SEARCH | {"owner": "somebody"},
        search(mount="/srv"),
    ],
)
def test_what_does_not_identify_leaves_the_fingerprint(message: dict[str, Any]) -> None:
    assert only(message).fingerprint == only(SEARCH).fingerprint


@pytest.mark.parametrize("message", [SEARCH | {"search_name": "x"}, SEARCH | {"app": "shop"}, search(host="db02")])
def test_app_search_and_host_make_a_problem(message: dict[str, Any]) -> None:
    assert only(message).fingerprint != only(SEARCH).fingerprint


def test_the_options_say_which_fields_tell_the_problems_of_a_search_apart() -> None:
    options = {"identity_fields": ["mount"]}
    assert only(search(mount="/srv"), options).fingerprint != only(SEARCH, options).fingerprint
    assert only(search(used="97"), options).fingerprint == only(SEARCH, options).fingerprint


@pytest.mark.parametrize(
    ("result", "resource"),
    [
        ({}, "db01"),
        ({"host": ["db01", "db02"]}, "db01"),
        ({"host": "", "dest": "db03"}, "db03"),
        ({"host": None, "service": "shop"}, "shop"),
        ({"host": None}, "Disk is filling up"),
    ],
)
def test_the_resource_is_a_field_of_the_result_or_else_the_search(result: dict[str, Any], resource: str) -> None:
    assert only(search(**result)).resource == resource


def test_the_options_say_which_field_names_the_resource() -> None:
    assert only(SEARCH, {"resource_fields": ["mount"]}).resource == "/var"


@pytest.mark.parametrize(
    ("sid", "check"),
    [
        ("scheduler__admin__search__RMD5e0c1_at_1795419600_301", "admin__search__RMD5e0c1"),
        ("rt_scheduler__admin__search__sudo_at_1795357185_2.2", "admin__search__sudo"),
        ("scheduler_admin_search_W2_at_14232356_132", "admin_search_W2"),
    ],
)
def test_a_search_without_a_name_is_known_by_what_its_jobs_share(sid: str, check: str) -> None:
    assert only(SEARCH | {"search_name": None, "sid": sid}).check == check


def test_a_scheduled_job_says_when_it_ran_and_a_real_time_one_only_when_it_began() -> None:
    assert only(SEARCH).said_at == datetime(2026, 11, 23, 7, 40, tzinfo=UTC)
    assert only(SEARCH | {"sid": "rt_scheduler__admin__search__sudo_at_1795357185_2.2"}).said_at is None


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({}, Status.FIRING),
        ({"status": "failed"}, Status.FIRING),
        ({"status": "200"}, Status.FIRING),
        ({"status": "OK"}, Status.RESOLVED),
        ({"severity": "resolved"}, Status.RESOLVED),
        ({"alert_status": "Closed"}, Status.RESOLVED),
        ({"state": "ok"}, Status.FIRING),
    ],
)
def test_a_row_may_say_that_it_is_over(result: dict[str, Any], status: Status) -> None:
    assert only(search(**result)).status is status


def test_the_options_say_which_field_may_say_it() -> None:
    assert only(search(status="ok"), {"status_fields": []}).status is Status.FIRING
    assert only(search(state="ok"), {"status_fields": ["state"]}).status is Status.RESOLVED


@pytest.mark.parametrize(
    ("result", "severity"),
    [
        ({"severity": "high"}, Severity.MAJOR),
        ({"severity": "5"}, Severity.CRITICAL),
        ({"severity": "3"}, Severity.WARNING),
        ({"severity": "", "urgency": "informational"}, Severity.INFO),
        ({"severity": "ok", "urgency": "low"}, Severity.WARNING),
        ({"severity": None}, Severity.MAJOR),
    ],
)
def test_the_severity_is_a_word_or_splunks_number(result: dict[str, Any], severity: Severity) -> None:
    assert only(search(**result)).severity is severity


@pytest.mark.parametrize(
    ("change", "status", "severity"),
    [
        ({}, Status.FIRING, Severity.CRITICAL),
        ({"itsi_group_severity": "4"}, Status.FIRING, Severity.MINOR),
        ({"itsi_group_status": "2"}, Status.FIRING, Severity.CRITICAL),
        ({"itsi_group_status": "4"}, Status.RESOLVED, Severity.CRITICAL),
        ({"itsi_group_status": "5", "itsi_group_severity": "2"}, Status.RESOLVED, Severity.INFO),
    ],
)
def test_an_episode_has_states_severities_and_an_id_of_its_own(
    change: dict[str, str], status: Status, severity: str
) -> None:
    alert = only(SEARCH | {"result": EPISODE | change})
    alone = only(EPISODE | change | {"itsi_group_title": "Checkout is degraded"})
    assert (alert.status, alert.severity) == (alone.status, alone.severity) == (status, severity)
    assert alert.fingerprint == alone.fingerprint == only(SEARCH | {"sid": "x", "result": EPISODE}).fingerprint
    assert alone.check == "Checkout is degraded"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("anomalous", Status.FIRING),
        ("ok", Status.RESOLVED),
        ("manually resolved", Status.RESOLVED),
        ("auto resolved", Status.RESOLVED),
        ("stopped", Status.RESOLVED),
    ],
)
def test_the_status_of_a_detectors_incident_decides(state: str, status: Status) -> None:
    alert = only(DETECTOR | {"statusExtended": state})
    assert (alert.status, alert.resource, alert.check) == (status, "web01", "CPU is high")
    assert alert.fingerprint == only(DETECTOR).fingerprint
    older = {name: value for name, value in DETECTOR.items() if name != "statusExtended"}
    assert only(older | {"status": state}).status is status


def test_an_incident_identifies_and_else_detector_rule_and_dimensions() -> None:
    assert only(DETECTOR | {"incidentId": "other"}).fingerprint != only(DETECTOR).fingerprint
    assert only(DETECTOR | {"dimensions": {}, "severity": "Minor"}).fingerprint == only(DETECTOR).fingerprint
    without = DETECTOR | {"incidentId": ""}
    assert only(without).fingerprint == only(without | {"severity": "Minor"}).fingerprint
    assert only(without).fingerprint != only(without | {"dimensions": {"host.name": "web02"}}).fingerprint


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        ({"dimensions": {"host": "web02"}}, "web02"),
        ({"dimensions": {}, "inputs": {"A": {"value": "1", "key": {"host": "web03"}}, "_S2": {"value": "2"}}}, "web03"),
        ({"dimensions": {"sf_service": "shop"}, "src": ""}, "shop"),
        ({"dimensions": {"sf_service": "shop"}, "src": "k8s-1"}, "k8s-1"),
        ({"dimensions": {}}, "Hosts"),
    ],
)
def test_the_dimensions_of_a_detector_name_the_resource(change: dict[str, Any], resource: str) -> None:
    assert only(DETECTOR | change).resource == resource


def test_what_is_not_said_again_is_over_after_a_day() -> None:
    assert timedelta(hours=24) == splunk.EXPIRE_AFTER


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "search_name is missing"),
        ({"result": {"host": "db01"}, "sid": "1795419600.12"}, "search_name is missing"),
        ({"incidentId": "x"}, "statusExtended is missing"),
        ({"statusExtended": "ok"}, "incidentId is missing"),
        ("search", "an alert of Splunk"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)

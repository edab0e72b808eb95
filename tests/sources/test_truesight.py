from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import truesight

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SLOTS = {
    "mc_host": "vfcanubkpm01",
    "mc_object_class": "PROCESS",
    "mc_object": "bpbkar",
    "mc_parameter": "PROCCountStatus",
    "severity": "CRITICAL",
    "status": "OPEN",
    "msg": "PROCES CRITICAL: 28 processes with args '/usr/openv/netbackup/bin/bpbkar'",
    "mc_ueid": "mc.cell.1",
}


def parse(message: Any) -> list[Alert | Unreadable]:
    return truesight.parse(Payload(body=json.dumps(message).encode(), source="ts"), truesight.Options(), NOW)


def event(**slots: Any) -> Alert:
    (alert,) = parse(SLOTS | slots)
    assert isinstance(alert, Alert)
    return alert


FORMS = [
    pytest.param(SLOTS, id="bare slots"),
    pytest.param([SLOTS], id="a list of slots"),
    pytest.param({"action": "create", "data": SLOTS, "subscriptionId": "x", "type": "EVENT"}, id="the stream"),
    pytest.param([{"action": "update", "data": SLOTS, "type": "EVENT"}], id="a list of the stream's"),
    pytest.param({"eventSourceHostName": "vfcanubkpm01", "attributes": {**SLOTS, "mc_host": ""}}, id="event interface"),
    pytest.param(
        {
            "source_hostname": "vfcanubkpm01",
            "object_class": "PROCESS",
            "object": "bpbkar",
            "metric_name": "PROCCountStatus",
            "_identifier": "mc.cell.1",
            **{name: SLOTS[name] for name in ("severity", "status", "msg")},
        },
        id="Helix names",
    ),
]


@pytest.mark.parametrize("message", FORMS)
def test_every_form_of_an_event_is_the_same_alert(message: Any) -> None:
    (alert,) = parse(message)
    assert isinstance(alert, Alert)
    assert alert == event()


@pytest.mark.parametrize(
    ("slots", "status", "severity"),
    [
        ({}, Status.FIRING, Severity.CRITICAL),
        ({"status": "ACK"}, Status.FIRING, Severity.CRITICAL),
        ({"status": "ASSIGNED", "severity": "MINOR"}, Status.FIRING, Severity.MINOR),
        ({"status": ""}, Status.FIRING, Severity.CRITICAL),
        ({"status": "CLOSED"}, Status.RESOLVED, Severity.CRITICAL),
        ({"status": "closed"}, Status.RESOLVED, Severity.CRITICAL),
        ({"status": "BLACKOUT"}, Status.RESOLVED, Severity.CRITICAL),
        ({"severity": "OK", "mc_original_severity": "MAJOR"}, Status.RESOLVED, Severity.MAJOR),
        ({"severity": "OK"}, Status.RESOLVED, Severity.INFO),
        ({"severity": "UNKNOWN"}, Status.FIRING, Severity.WARNING),
        ({"severity": ""}, Status.FIRING, Severity.MAJOR),
    ],
)
def test_severity_ok_or_a_closed_status_is_a_resolve(slots: dict[str, str], status: Status, severity: Severity) -> None:
    alert = event(**slots)
    assert (alert.status, alert.severity) == (status, severity)


@pytest.mark.parametrize(
    "change",
    [
        {"mc_ueid": "mc.cell.2"},
        {"msg": "PROCES CRITICAL: 31 processes"},
        {"severity": "OK"},
        {"status": "CLOSED"},
        {"CLASS": "PATROL_EV"},
        {"repeat_count": "69"},
        {"date_reception": "1616609999"},
    ],
)
def test_what_does_not_identify_leaves_the_fingerprint(change: dict[str, str]) -> None:
    assert event(**change).fingerprint == event().fingerprint


@pytest.mark.parametrize("slot", ["mc_host", "mc_object_class", "mc_object", "mc_parameter"])
def test_each_identifying_slot_makes_another_problem(slot: str) -> None:
    assert event(**{slot: "other"}).fingerprint != event().fingerprint


def test_the_event_id_identifies_where_nothing_else_does() -> None:
    bare = {"mc_object": "", "mc_parameter": "", "mc_object_class": ""}
    first, again, other = event(**bare), event(**bare, msg="x"), event(**bare, mc_ueid="mc.cell.2")
    assert first.fingerprint == again.fingerprint != other.fingerprint
    with pytest.raises(PayloadError, match="mc_ueid to tell it from others"):
        event(**bare, mc_ueid="")


@pytest.mark.parametrize(
    ("slots", "starts_at"),
    [
        ({"mc_incident_time": "1616609405", "date_reception": "1616609411"}, "2021-03-24T18:10:05+00:00"),
        ({"mc_incident_time": "0", "date_reception": "1616609411"}, "2021-03-24T18:10:11+00:00"),
        ({"mc_incident_time": 1616609405000}, "2021-03-24T18:10:05+00:00"),
        ({"date": "20161114081525.000000-300"}, "2016-11-14T13:15:25+00:00"),
    ],
)
def test_the_start_is_the_first_date_that_is_one(slots: dict[str, Any], starts_at: str) -> None:
    assert event(**slots).starts_at == datetime.fromisoformat(starts_at)


def test_only_a_resolve_has_an_end() -> None:
    assert event(mc_date_modification="1616610611").ends_at is None
    closed = event(mc_date_modification="1616610611", status="CLOSED")
    assert closed.ends_at == datetime(2021, 3, 24, 18, 30, 11, tzinfo=UTC)


def test_empty_slots_and_lists_are_no_labels() -> None:
    labels = event(
        mc_notes=["a"], mc_history="[]", mc_owner="", mc_extra={"a": 1}, itsm_company=None, mc_cause=0
    ).labels
    assert labels == SLOTS | {"mc_cause": "0"}


def test_an_event_without_a_host_says_so() -> None:
    with pytest.raises(PayloadError, match="mc_host is missing"):
        event(mc_host="")

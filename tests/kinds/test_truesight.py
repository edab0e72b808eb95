from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

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


NATIVE = {"CLASS": "EVENT", **{name: SLOTS[name] for name in SLOTS if name not in {"mc_host", "mc_ueid"}}}
CREATE, EVENTS, EVENT = truesight.CREATE, truesight.EVENTS, truesight.EVENT


def call(message: Any, path: str = "", media: str = "application/json", **given: str) -> Payload:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Payload(body=body, content_type=media, source="ts", path=path, given=given)


def read(payload: Payload) -> list[Alert | Unreadable]:
    return truesight.parse(payload, truesight.Options(), NOW)


def answered(payload: Payload) -> Any:
    answer = truesight.answer(payload, read(payload))
    assert answer is not None
    return json.loads(answer.body) | {"http": answer.status}


LINES = "\n".join(f"{name}={value}" for name, value in SLOTS.items())
VARIABLES = [
    pytest.param(LINES, "text/plain", id="lines"),
    pytest.param(
        f"PATH=/bin\nHOME=/root\nAPI_TOKEN=x\nmc_owner=\nmc_notes=N/A\n{LINES}", "text/plain", id="an environment"
    ),
    pytest.param(LINES, truesight.FORM, id="lines that curl calls a form"),
    pytest.param("\n".join(f"{name.upper()}={value}" for name, value in SLOTS.items()), "text/plain", id="upper case"),
    pytest.param(urlencode(SLOTS), truesight.FORM, id="a form"),
    pytest.param(json.dumps(SLOTS), "text/plain", id="JSON that is called text"),
]


@pytest.mark.parametrize(("body", "media"), VARIABLES)
def test_the_environment_of_a_policy_action_is_the_same_alert(body: str, media: str) -> None:
    (alert,) = read(call(body.encode(), media=media))
    assert alert == event()


def test_a_value_of_several_lines_stays_one() -> None:
    (alert,) = read(
        call(b"mc_host=h\nmsg=one\ntwo=2 of them\n  three\nmc_object=x\nmc_long_msg=a\n\nb", media="text/plain")
    )
    assert isinstance(alert, Alert)
    assert (alert.summary, alert.description) == ("one", "a\n\nb")
    assert alert.labels["two"] == "2 of them\n  three"


def test_text_that_is_no_variable_says_so() -> None:
    with pytest.raises(PayloadError, match="nor lines of NAME=value"):
        read(call(b"hello", media="text/plain"))


@pytest.mark.parametrize(
    ("slots", "said_at"),
    [
        ({"mc_date_modification": "1616610611", "date_reception": "1616609411"}, "2021-03-24T18:30:11+00:00"),
        ({"mc_date_modification": "0", "date_reception": "1616609411"}, None),
        ({"date_reception": "1616609411", "status": "CLOSED"}, "2021-03-24T18:10:11+00:00"),
        ({"_modified_time": 1616610611500}, "2021-03-24T18:30:11.500000+00:00"),
        ({"mc_incident_time": "1616609405"}, None),
        ({}, None),
    ],
)
def test_the_last_change_says_which_of_two_messages_is_the_newer(slots: dict[str, Any], said_at: str | None) -> None:
    assert event(**slots).said_at == (datetime.fromisoformat(said_at) if said_at else None)


@pytest.mark.parametrize("path", [CREATE, truesight.UPDATE])
def test_the_event_interface_is_answered_with_the_ids_of_the_events(path: str) -> None:
    events = [{"eventSourceHostName": host, "attributes": NATIVE} for host in ("h1", "h2", "")]
    told = answered(call(events, path, routingId="cell", routingIdType="CELL_NAME"))
    assert (told["http"], told["statusCode"], told["statusMsg"]) == (200, "200", "OK")
    first, second = told["response"]["resourceId"]
    assert first != second
    assert [wrong["position"] for wrong in told["response"]["failed"]] == [2]
    assert answered(call(events[0], path))["response"]["resourceId"] == first


def test_helix_is_answered_with_the_ids_of_the_events() -> None:
    events = [{"source_hostname": "h1", "object": "a", "severity": "MAJOR"}, {"severity": "MAJOR"}]
    told = answered(call(events, EVENTS))
    assert (told["http"], told["statusCode"]) == (200, "200")
    assert [len(told["successfullEventIds"]), len(told["failedEvents"])] == [1, 1]
    assert truesight.answer(call(SLOTS), read(call(SLOTS))) is None


@pytest.mark.parametrize(
    "slots",
    [
        {"source_hostname": "h1", "object_class": "DB", "object": "a", "metric_name": "m", "class": "X"},
        {"source_hostname": "h1", "object_class": "DB"},
        {"source_hostname": "h1", "_identifier": "eps.1", "class": "X"},
        {"source_hostname": "h1", "_identifier": "eps.1", "object_class": "D\u00e9"},
    ],
)
def test_an_event_is_closed_by_the_id_that_was_answered(slots: dict[str, str]) -> None:
    created = call([slots | {"severity": "MAJOR", "msg": "x"}], EVENTS)
    (began,) = read(created)
    (identifier,) = answered(created)["successfullEventIds"]
    (over,) = read(call({"status": "CLOSED"}, EVENT, event=identifier))
    (updated,) = read(call({"attributes": {"mc_ueid": identifier, "severity": "OK"}}, truesight.UPDATE))
    (worse,) = read(call({"severity": "CRITICAL"}, EVENT, event=identifier))
    told = [entry for entry in (began, over, updated, worse) if isinstance(entry, Alert)]
    assert len({(alert.fingerprint, alert.resource, alert.check) for alert in told}) == 1
    assert [alert.status for alert in told] == [Status.FIRING, Status.RESOLVED, Status.RESOLVED, Status.FIRING]
    assert answered(call({"status": "CLOSED"}, EVENT, event=identifier))["successfullEventIds"] == [identifier]


@pytest.mark.parametrize("update", [{"status": "ACK"}, {"status": "ASSIGNED"}, {"mc_owner": "x"}, {"notes": ["x"]}, {}])
def test_an_update_that_says_nothing_about_the_problem_is_no_alert(update: dict[str, Any]) -> None:
    (identifier,) = answered(call([SLOTS], EVENTS))["successfullEventIds"]
    assert read(call(update, EVENT, event=identifier)) == []


@pytest.mark.parametrize(
    "identifier", ["eps.1", "tocsin.", "tocsin.AAAA", "tocsin.\u00e9", "tocsin.WzFd", "tocsin.WyJhIl0"]
)
def test_an_id_that_is_none_of_ours_says_so(identifier: str) -> None:
    with pytest.raises(PayloadError, match="none that tocsin has answered"):
        read(call({"status": "CLOSED"}, EVENT, event=identifier))


def test_an_update_by_an_id_of_bmc_is_read_when_it_names_the_event() -> None:
    (alert,) = read(call(SLOTS | {"mc_ueid": "", "status": "CLOSED"}, EVENT, event="eps.1"))
    assert isinstance(alert, Alert)
    assert (alert.fingerprint, alert.status) == (event().fingerprint, Status.RESOLVED)
    assert alert.labels["mc_ueid"] == "eps.1"


def test_a_body_of_too_many_lines_is_refused() -> None:
    with pytest.raises(PayloadError, match="at most 100000 are taken"):
        read(call(b"A=b\n" * 100_001, media="text/plain"))

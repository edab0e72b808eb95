from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, tmf642

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BASE = "/tmf-api/{api}/{version}"
GIVEN = {"api": "alarm", "version": "v4"}
ALARM = {
    "externalAlarmId": "TS-1",
    "sourceSystemId": "truesight",
    "alarmType": "Equipment Alarm",
    "perceivedSeverity": "critical",
    "probableCause": "fanFailure",
    "alarmedObject": {"id": "core-1"},
    "state": "raised",
    "alarmRaisedTime": "2026-11-22T01:24:10Z",
}
CLEARED = {"state": "cleared", "alarmClearedTime": "2026-11-22T02:24:10Z"}


def asked(body: Any, path: str = f"{BASE}/alarm", method: str = "POST", **given: str) -> Payload:
    raw = b"" if body is None else json.dumps(body).encode()
    return Payload(body=raw, source="umbrella", method=method, path=path, given=GIVEN | given)


def parse(payload: Payload, **options: Any) -> list[Alert | Unreadable]:
    return tmf642.parse(payload, tmf642.Options(**options), NOW)


def one(payload: Payload) -> Alert:
    (alert,) = parse(payload)
    assert isinstance(alert, Alert)
    return alert


def alarm(**fields: Any) -> Alert:
    return one(asked(ALARM | fields))


def answered(payload: Payload) -> tuple[int, Any, dict[str, str]]:
    told = tmf642.answer(payload, parse(payload))
    return told.status, json.loads(told.body) if told.body else None, told.headers


def created(**fields: Any) -> str:
    """The id that a POST of the alarm is answered."""
    status, body, headers = answered(asked(ALARM | fields))
    assert status == 201
    assert headers["Location"] == body["href"]
    assert str(body["href"]).startswith("/tmf-api/alarm/v4/alarm/")
    return str(body["id"])


def patched(number: str, **fields: Any) -> list[Alert | Unreadable]:
    return parse(asked(fields, f"{BASE}/alarm/{{id}}", "PATCH", id=number))


def event(kind: str, body: dict[str, Any], path: str = "") -> Payload:
    return asked({"eventType": kind, "eventTime": "2026-11-22T03:00:00Z", "event": body}, path)


def test_an_alarm_created_may_be_changed_cleared_and_told_in_every_way_and_stays_one_problem() -> None:
    number = created()
    pattern = {"externalAlarmId": "TS-1", "sourceSystemId": "truesight"}
    clear = [{"id": number}, pattern]
    told: list[Alert | Unreadable] = [
        alarm(),
        *patched(number, **CLEARED),
        *patched(number, perceivedSeverity="minor"),
        *parse(asked(None, f"{BASE}/alarm/{{id}}", "DELETE", id=number)),
        *parse(asked({"alarmPattern": clear}, f"{BASE}/clearAlarms")),
        *parse(event("alarmCreateEvent", {"alarm": ALARM | {"id": 4711}})),
        *parse(event("AlarmStateChangeEvent", {"alarm": ALARM | CLEARED | {"id": 4711}})),
        *parse(event("clearAlarmsStateChangeEvent", {"clearAlarms": {"clearedAlarm": [pattern | {"id": "4711"}]}})),
    ]
    assert len(told) == 9
    assert len({entry.fingerprint for entry in told if isinstance(entry, Alert)}) == 1
    assert all(isinstance(entry, Alert) for entry in told)


def test_the_id_handed_out_carries_what_a_change_does_not_repeat() -> None:
    (over,) = patched(created(), **CLEARED)
    assert isinstance(over, Alert)
    assert (over.resource, over.check, over.severity) == ("core-1", "fanFailure", Severity.CRITICAL)
    assert over.status is Status.RESOLVED


def test_an_id_without_external_id_is_handed_back_as_it_is() -> None:
    assert created(externalAlarmId=None, id="a.77") == "a.77"
    (over,) = patched("a.77", **CLEARED)
    assert isinstance(over, Alert)
    assert over.fingerprint == alarm(externalAlarmId=None, id="a.77").fingerprint == "a.77"


def test_an_id_that_would_be_too_long_carries_nothing() -> None:
    number = created(alarmedObject={"id": "x" * 400})
    assert number == alarm(alarmedObject={"id": "x" * 400}).fingerprint


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"ackState": "acknowledged", "ackUserId": "u"}, 0),
        ({"comment": [{"comment": "looking"}]}, 0),
        ({}, 0),
        ({"perceivedSeverity": "minor"}, 1),
        ({"alarmDetails": "more"}, 1),
        ({"ackState": "acknowledged", "perceivedSeverity": "cleared"}, 1),
    ],
)
def test_a_change_that_only_concerns_people_is_no_alert(fields: dict[str, Any], count: int) -> None:
    assert len(patched(created(), **fields)) == count


def test_a_change_of_an_alarm_nobody_knows_is_an_alert_only_when_it_clears() -> None:
    assert patched("4711", perceivedSeverity="minor") == []
    (over,) = patched("4711", **CLEARED)
    assert isinstance(over, Alert)
    assert (over.fingerprint, over.status) == ("4711", Status.RESOLVED)


def test_a_change_that_names_no_severity_keeps_that_of_the_creation() -> None:
    (again,) = patched(created(), alarmDetails="more")
    assert isinstance(again, Alert)
    assert (again.status, again.severity) == (Status.FIRING, Severity.CRITICAL)


def test_a_list_of_operations_is_a_change() -> None:
    operations = [{"op": "replace", "path": "/state", "value": "cleared"}, {"op": "test", "path": "/x", "value": 1}, 7]
    (over,) = parse(asked(operations, f"{BASE}/alarm/{{id}}", "PATCH", id=created()))
    assert isinstance(over, Alert)
    assert over.status is Status.RESOLVED


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, Status.FIRING),
        ({"state": "updated"}, Status.FIRING),
        ({"state": "CLEARED"}, Status.RESOLVED),
        ({"state": "closed"}, Status.RESOLVED),
        ({"perceivedSeverity": "cleared"}, Status.RESOLVED),
        ({"state": None, "alarmClearedTime": "2026-11-22T02:24:10Z"}, Status.RESOLVED),
        ({"state": "raised", "alarmClearedTime": "2026-11-22T02:24:10Z"}, Status.FIRING),
        ({"state": None, "alarmClearedTime": "0001-01-01T00:00:00Z"}, Status.FIRING),
    ],
)
def test_severity_or_state_says_whether_it_is_over(fields: dict[str, Any], status: Status) -> None:
    assert alarm(**fields).status is status


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.CRITICAL),
        ("MAJOR", Severity.MAJOR),
        ("minor", Severity.MINOR),
        ("warning", Severity.WARNING),
        ("indeterminate", Severity.WARNING),
        ("", Severity.MAJOR),
    ],
)
def test_the_severities_of_x733(word: str, severity: Severity) -> None:
    assert alarm(perceivedSeverity=word).severity is severity


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"perceivedSeverity": "minor"},
        {"specificProblem": "other"},
        {"probableCause": "other"},
        {"alarmedObject": {"id": "other"}},
        {"state": "cleared"},
    ],
)
def test_with_an_external_id_nothing_else_identifies(change: dict[str, Any]) -> None:
    assert alarm(**change).fingerprint == alarm().fingerprint


@pytest.mark.parametrize("field", ["externalAlarmId", "sourceSystemId"])
def test_external_id_and_system_make_another_problem(field: str) -> None:
    assert alarm(**{field: "other"}).fingerprint != alarm().fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"sourceSystemId": "x"},
        {"alarmedObject": {"id": "x"}},
        {"alarmType": "x"},
        {"probableCause": "x"},
        {"specificProblem": "x"},
    ],
)
def test_without_any_id_what_x733_compares_identifies(change: dict[str, Any]) -> None:
    bare = {"externalAlarmId": None}
    assert alarm(**bare, **change).fingerprint != alarm(**bare).fingerprint
    assert alarm(**bare, perceivedSeverity="minor").fingerprint == alarm(**bare).fingerprint


@pytest.mark.parametrize(
    ("thing", "resource"),
    [
        ({"id": "core-1"}, "core-1"),
        ({"id": "ME=1", "name": "core-1"}, "core-1"),
        ({"href": "https://inventory.example.net/resource/core-1"}, "core-1"),
        (None, "TS-1"),
    ],
)
def test_the_alarmed_object_is_the_resource(thing: Any, resource: str) -> None:
    assert alarm(alarmedObject=thing).resource == resource


@pytest.mark.parametrize("word", ["true", "planned", "outOfService"])
def test_an_alarm_in_planned_outage_is_left_out_only_when_the_options_say_so(word: str) -> None:
    planned = asked(ALARM | {"plannedOutageIndicator": word})
    assert len(parse(planned)) == 1
    assert parse(planned, ignore_planned_outages=True) == []
    assert tmf642.answer(planned, []).status == 201
    over = asked(ALARM | {"plannedOutageIndicator": word, "state": "cleared"})
    assert len(parse(over, ignore_planned_outages=True)) == 1
    assert len(parse(asked(ALARM | {"plannedOutageIndicator": "false"}), ignore_planned_outages=True)) == 1


@pytest.mark.parametrize("task", ["ackAlarms", "unAckAlarms", "commentAlarms", "groupAlarms", "unGroupAlarms"])
def test_other_tasks_are_done_and_no_alert(task: str) -> None:
    status, body, _ = answered(asked({"alarmPattern": [{"id": "1"}]}, f"{BASE}/{task}"))
    assert (status, body["state"]) == (201, "done")
    assert str(body["href"]).startswith(f"/tmf-api/alarm/v4/{task}/")
    assert parse(asked({"alarmPattern": [{"id": "1"}]}, f"{BASE}/{task}")) == []


@pytest.mark.parametrize("what", ["Create", "StateChange"])
@pytest.mark.parametrize("task", ["ack", "unAck", "comment", "group", "unGroup"])
def test_events_of_other_tasks_are_no_alert(task: str, what: str) -> None:
    told = event(f"{task}Alarms{what}Event", {f"{task}Alarms": {"state": "done"}}, f"/listener/{task}Alarms{what}Event")
    assert parse(told) == []
    assert answered(told)[0] == 201


def test_a_clearing_task_answers_which_alarms_it_cleared() -> None:
    payload = asked({"alarmPattern": [{"id": "1"}, {"perceivedSeverity": "minor"}]}, f"{BASE}/clearAlarms")
    first, second = parse(payload)
    assert isinstance(first, Alert)
    assert isinstance(second, Unreadable)
    status, body, _ = answered(payload)
    assert (status, body["clearedAlarm"]) == (201, [{"id": "1"}])


def test_a_deleted_alarm_is_over() -> None:
    over = one(event("alarmDeleteEvent", {"alarm": ALARM}, "/listener/alarmDeleteEvent"))
    assert (over.status, over.severity) == (Status.RESOLVED, Severity.CRITICAL)
    assert over.ends_at == over.said_at == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    payload = asked(None, f"{BASE}/alarm/{{id}}", "DELETE", id="1")
    assert tmf642.answer(payload, parse(payload)).status == 204


def test_the_address_says_the_type_of_an_event_that_does_not() -> None:
    told = asked({"event": {"alarm": ALARM}}, "/listener/alarmDeleteEvent")
    assert one(told).status is Status.RESOLVED


def test_a_patch_gives_the_change_back() -> None:
    status, body, _ = answered(asked({"state": "cleared"}, f"{BASE}/alarm/{{id}}", "PATCH", id="7"))
    assert (status, body) == (200, {"state": "cleared", "id": "7", "href": "/tmf-api/alarm/v4/alarm/7"})


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (asked({"unrelated": True}), "externalAlarmId and id are missing"),
        (asked({"event": {"other": 1}}), "event.alarm is missing"),
        (asked({}, f"{BASE}/clearAlarms"), "alarmPattern is missing"),
        (asked(7, f"{BASE}/ackAlarms"), "this is no object of TMF642"),
        (asked(7, f"{BASE}/alarm/{{id}}", "PATCH", id="1"), "a change of an alarm is an object"),
        (asked(None, f"{BASE}/alarm/{{id}}", "DELETE"), "the alarm's id is missing"),
    ],
)
def test_what_is_missing_is_named(payload: Payload, sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        parse(payload)


def test_a_body_that_is_no_json_is_told_apart() -> None:
    with pytest.raises(NotJsonError):
        parse(Payload(body=b"hello", path=f"{BASE}/alarm"))


@pytest.mark.parametrize("number", ["a.", ".a", "a.!!!", "a.WyJcdTAwMDAiXQ", "a.W10", "é.é", "\0"])
def test_any_id_may_be_asked_for(number: str) -> None:
    (over,) = patched(number, **CLEARED)
    assert isinstance(over, Alert)
    assert "\0" not in over.fingerprint + over.resource


@pytest.mark.parametrize("field", ["clearUserId", "clearSystemId", "alarmClearedTime"])
def test_a_clearing_task_is_known_without_its_address(field: str) -> None:
    pattern = [{"externalAlarmId": "TS-1", "sourceSystemId": "truesight"}]
    told = one(asked({"alarmPattern": pattern, field: "2026-11-22T02:24:10Z"}, ""))
    assert (told.status, told.fingerprint) == ("resolved", alarm().fingerprint)


@pytest.mark.parametrize("task", [{"ackUserId": "noc"}, {"comment": {"comment": "seen"}}, {}])
def test_another_task_without_its_address_is_no_alert(task: dict[str, Any]) -> None:
    assert parse(asked({"alarmPattern": [{"externalAlarmId": "TS-1"}]} | task, "")) == []


def test_names_that_are_too_long_are_cut() -> None:
    told = alarm(probableCause="c" * 600, alarmedObject={"id": "o" * 600})
    assert (len(told.check), len(told.resource), told.fingerprint) == (512, 512, alarm().fingerprint)


def test_only_a_change_says_when_a_raised_alarm_was_told() -> None:
    raised = {"alarmReportingTime": "2026-11-22T01:25:00Z", "alarmClearedTime": "2026-11-22T02:24:10Z"}
    assert alarm(**raised).said_at is None
    changed = alarm(**raised, alarmChangedTime="2026-11-22T03:00:00Z")
    assert changed.said_at == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert alarm(**CLEARED).said_at == datetime(2026, 11, 22, 2, 24, 10, tzinfo=UTC)

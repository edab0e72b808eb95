"""TMF642 Alarm Management: alarms created, changed, cleared, or told by events.

Format: the Alarm of TM Forum's API (https://github.com/tmforum-apis/TMF642_AlarmManagement), version 4, and 5 where
it differs: POST, PATCH and DELETE below `/tmf-api/alarm/v4/alarm` (or another name and version), the task
`clearAlarms`, and the events that a hub sends, to `/listener/alarmCreateEvent` and so on or to the hook's own
address. Tasks and events that acknowledge, comment or group are understood, and no alert.
Authentication: bearer or basic.
Identity: `externalAlarmId` with `sourceSystemId`; without one `id`; without that object, type, cause and problem, as
X.733 has it. The id that a POST is answered names the same problem.
Resolved: `perceivedSeverity` or `state` is cleared, a clearing task names it, or the alarm is deleted. An alarm in
planned outage is an alarm with the label `plannedOutageIndicator`, unless the option `ignore_planned_outages` says
otherwise.
Delivery: the client's business; a hub usually sends once.
Limits: a pattern of `clearAlarms` must name an alarm; a change that names no severity repeats that of the creation.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.model import Alert, Unreadable
from tocsin.sources import _alarms, _answers, _dig, _read, _times
from tocsin.sources._answers import Answer
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tocsin.model import Payload

_BASE = "/tmf-api/{api}/{version}"
_ALARMS, _ALARM, _CLEAR = f"{_BASE}/alarm", f"{_BASE}/alarm/{{id}}", f"{_BASE}/clearAlarms"
_OTHER_TASKS = tuple(
    f"{_BASE}/{task}" for task in ("ackAlarms", "unAckAlarms", "commentAlarms", "groupAlarms", "unGroupAlarms")
)
_TASK_EVENTS = tuple(
    f"/listener/{task}Alarms{what}Event"
    for task in ("ack", "unAck", "clear", "comment", "group", "unGroup")
    for what in ("Create", "StateChange")
)
_ALARM_EVENTS = tuple(
    f"/listener/{alarm}{what}Event"
    for alarm in ("alarm", "Alarm")
    for what in ("Create", "AttributeValueChange", "StateChange", "Delete")
)

PATHS = (
    *(_ALARMS, f"PATCH {_ALARM}", f"DELETE {_ALARM}", _CLEAR),
    *(*_OTHER_TASKS, *_ALARM_EVENTS, *_TASK_EVENTS),
)

STATUS = 201

MEDIA_TYPES = frozenset({"application/json", "application/merge-patch+json", "application/json-patch+json"})

_CLEARS = frozenset({"clearUserId", "clearSystemId", "alarmClearedTime", "clearedAlarm"})
"""Fields that only the task has that clears alarms: where its address does not tell which task it is."""

_ANY: Decoder[Any] = Decoder()


class Options(SourceOptions):
    """How alarms are read."""

    ignore_planned_outages: bool = False
    """Whether an alarm of an object in planned outage is no alert."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of one request; in a list, and among patterns, one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no alarm, change, task or event.
    """
    if payload.method == "DELETE":
        return [_alarms.gone(payload, options, payload.given.get("id", ""))]
    found = _read.entry(_read.unread(payload.body), _ANY, "JSON")
    if payload.path == _ALARM:
        return _changed(payload, options, _alarms.merged(found))
    if payload.path == _CLEAR or payload.path in _OTHER_TASKS:
        task = _object(found)
        return _cleared(payload, options, task, "alarmPattern") if payload.path == _CLEAR else []
    if isinstance(found, dict) and "alarmPattern" in found and "event" not in found:
        return _cleared(payload, options, found, "alarmPattern") if not _CLEARS.isdisjoint(found) else []
    if not isinstance(found, list):
        return _told(payload, options, found)
    entries: list[Alert | Unreadable] = []
    for one in found:
        try:
            entries += _told(payload, options, one)
        except PayloadError as error:
            entries.append(Unreadable(position=len(entries), problem=_read.said(str(error))))
    return entries


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> Answer:
    """What the specification says for each operation: the alarm with its id, the task done, or nothing."""
    if payload.method == "DELETE":
        return Answer(status=204)
    found = _read.entry(_read.unread(payload.body), _ANY, "JSON")
    if payload.path == _ALARM:
        number = payload.given.get("id", "")
        return _answers.json({**_alarms.merged(found), **_named(payload, "alarm", number)}, status=200)
    if payload.path == _CLEAR or payload.path in _OTHER_TASKS:
        number = blake2b(payload.body, digest_size=12).hexdigest()
        cleared = {"clearedAlarm": [{"id": entry.fingerprint} for entry in entries if isinstance(entry, Alert)]}
        task = payload.path.rpartition("/")[2]
        told = {**_object(found), **_named(payload, task, number), "state": "done"}
        return _answers.json(told | (cleared if payload.path == _CLEAR else {}), status=201)
    if payload.path.startswith("/listener/") or _is_event(found):
        return _answers.json({}, status=201)
    return _created(payload, found)


def _created(payload: Payload, found: Any) -> Answer:
    """The alarms, each under the id by which it may be changed and cleared."""
    alarms = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]
    told = []
    for alarm in alarms:
        try:
            told.append({**alarm, **_named(payload, "alarm", _alarms.handle(alarm))})
        except PayloadError:
            continue
    headers = {"Location": str(told[0]["href"])} if len(told) == 1 and "href" in told[0] else {}
    body = _answers.json(told if isinstance(found, list) or not told else told[0], status=201)
    return Answer(status=201, body=body.body, headers=headers)


def _named(payload: Payload, what: str, number: str) -> dict[str, str]:
    """`id`, and `href` where the address asked says where below it is."""
    api, version = payload.given.get("api", ""), payload.given.get("version", "")
    if not (api and version):
        return {"id": number}
    where = "/".join(quote(step, safe="") for step in (api, version, what, number))
    return {"id": number, "href": f"/tmf-api/{where}"}


def _object(found: Any) -> dict[str, Any]:
    if isinstance(found, dict):
        return found
    raise PayloadError("this is no object of TMF642")


def _is_event(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("event"), dict)


def _told(payload: Payload, options: Options, found: Any) -> list[Alert | Unreadable]:
    """The alerts of an alarm, or of an event about one."""
    message = _object(found)
    if not _is_event(message):
        return _alarms.alert(payload, options, message, ignored=options.ignore_planned_outages)
    event = _dig.mapping(message, "event")
    kind = (_dig.text(message, "eventType") or payload.path.rpartition("/")[2]).lower()
    said_at = _times.moment(_dig.first(message, "eventTime", "timeOcurred", "timeOccurred"))
    if "clearAlarms" in event:
        return _cleared(payload, options, _dig.mapping(event, "clearAlarms"), "clearedAlarm")
    alarm = event.get("alarm", event if "alarmedObject" in event else None)
    if isinstance(alarm, dict):
        return _alarms.alert(
            payload,
            options,
            alarm,
            said_at=said_at,
            deleted="delete" in kind,
            ignored=options.ignore_planned_outages,
        )
    if any(str(name).lower().endswith("alarms") for name in event):
        return []
    raise PayloadError("event.alarm is missing")


def _changed(payload: Payload, options: Options, fields: Mapping[str, Any]) -> list[Alert | Unreadable]:
    """The alert that a PATCH is; none when it changes nothing that concerns a ticket."""
    number = payload.given.get("id", "")
    return _alarms.change(payload, options, number, fields, ignored=options.ignore_planned_outages)


def _cleared(payload: Payload, options: Options, task: Mapping[str, Any], which: str) -> list[Alert | Unreadable]:
    """A resolve for each alarm that a task clears, or has cleared."""
    at = _dig.text(task, "alarmClearedTime")
    entries: list[Alert | Unreadable] = []
    for pattern in _dig.items(task, which):
        try:
            entries.append(_alarms.cleared(payload, options, _object(pattern), at))
        except PayloadError as error:
            entries.append(Unreadable(position=len(entries), problem=_read.said(str(error))))
    if not entries and which == "alarmPattern":
        raise PayloadError("alarmPattern is missing or empty: nothing says which alarms are cleared")
    return entries

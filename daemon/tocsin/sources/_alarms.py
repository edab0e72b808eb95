"""Alarms as X.733 and TMF642 describe them: what identifies one, when it is over, and the id it is handed out under.

A PATCH says nothing but an id and what has changed. So the id that a POST is answered carries, behind the fingerprint,
what every alert needs: the object, the cause, the severity.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _identity, _labels, _severity, _times

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable
    from tocsin.sources._options import SourceOptions

_OVER = frozenset({"cleared", "clear", "closed", "resolved", "terminated"})
"""States of an alarm that nobody has to act on; any other leaves it raised."""

_NOT_PLANNED = frozenset({"", "false", "no", "0", "none", "inservice", "in service", "notplanned"})

_SUBSTANCE = frozenset(
    {
        *("state", "perceivedSeverity", "alarmType", "probableCause", "specificProblem", "alarmDetails"),
        *(
            "alarmedObject",
            "alarmedObjectType",
            "affectedService",
            "serviceAffecting",
            "isRootCause",
            "alarmEscalation",
        ),
        *(
            "plannedOutageIndicator",
            "crossedThresholdInformation",
            "proposedRepairedActions",
            "alarmRaisedTime",
            "place",
        ),
    }
)
"""What a change must touch to concern the problem: acknowledgements, comments and groups do not."""

_LONG = ("alarmDetails", "proposedRepairedActions", "comment", "href", "@schemaLocation", "@baseType")
_LISTS = ("affectedService", "parentAlarm", "correlatedAlarm", "place")

LONGEST_HANDLE = 400
"""An id longer than this is handed out without what it carries: some clients and proxies cut addresses."""

_TIMES = ("alarmClearedTime", "alarmChangedTime", "alarmReportingTime", "alarmRaisedTime")
"""The latest of them is when an alarm that is over was as it is told; a change and a task may name a moment long past.
Of one that is raised, its change alone is: it may open again, and then the others are older than its end."""


class Known(Struct, frozen=True, array_like=True):
    """What an id that we handed out says of its alarm."""

    resource: str = ""
    check: str = ""
    severity: str = ""


_KNOWN = msgspec.json.Decoder(Known)


def alert(
    payload: Payload,
    options: SourceOptions,
    alarm: Mapping[str, Any],
    *,
    said_at: datetime | None = None,
    deleted: bool = False,
    ignored: bool = False,
) -> list[Alert | Unreadable]:
    """The alert that a whole alarm is; none for one in planned outage, where those are `ignored`.

    Raises:
        PayloadError: nothing identifies it, or says what it is about.
    """
    over = deleted or _is_over(alarm)
    if ignored and not over and _is_planned(alarm):
        return []
    times = _TIMES if over else ("alarmChangedTime",)
    said_at = said_at or max(filter(None, (_times.moment(_dig.text(alarm, name)) for name in times)), default=None)
    return [_alert(payload, options, alarm, identity(alarm), _known_of(alarm), over=over, said_at=said_at)]


def change(
    payload: Payload, options: SourceOptions, number: str, fields: Mapping[str, Any], *, ignored: bool
) -> list[Alert | Unreadable]:
    """The alert that a change is: a resolve, or a repeat; none of an alarm unknown here, or where no problem changes.

    Raises:
        PayloadError: the id is empty.
    """
    fingerprint, known = read_handle(number)
    if known is None and _dig.text(fields, "externalAlarmId"):
        fingerprint = identity(fields)
    over = _is_over(fields)
    if not over and (_SUBSTANCE.isdisjoint(fields) or (ignored and _is_planned(fields))):
        return []
    told = _known_of(fields)
    known = known or Known()
    whole = Known(told.resource or known.resource, told.check or known.check, told.severity or known.severity)
    if not over and not whole.resource:
        return []
    said_at = _times.moment(_dig.text(fields, "alarmChangedTime"))
    return [_alert(payload, options, fields, fingerprint, whole, over=over, said_at=said_at)]


def cleared(payload: Payload, options: SourceOptions, pattern: Mapping[str, Any], at: str) -> Alert:
    """The resolve of the alarm that a pattern names; `at` is when it was cleared, as the task says.

    Raises:
        PayloadError: it names none.
    """
    known, fingerprint = _known_of(pattern), ""
    if own := _dig.text(pattern, "id"):
        fingerprint, carried = read_handle(own)
        known = carried or known
    if not own or _dig.text(pattern, "externalAlarmId"):
        fingerprint = identity(pattern)
    return _alert(payload, options, {"alarmClearedTime": at, **pattern}, fingerprint, known, over=True, said_at=None)


def gone(payload: Payload, options: SourceOptions, number: str) -> Alert:
    """The resolve of an alarm that is deleted.

    Raises:
        PayloadError: the id is empty.
    """
    fingerprint, known = read_handle(number)
    return _alert(payload, options, {}, fingerprint, known or Known(), over=True, said_at=None)


def identity(alarm: Mapping[str, Any]) -> str:
    """What makes an alarm the same again: its id in the system it comes from, or its own, or what X.733 compares.

    Raises:
        PayloadError: it has none of them.
    """
    source = _dig.text(alarm, "sourceSystemId")
    if external := _dig.text(alarm, "externalAlarmId"):
        return _identity.fingerprint(_identity.encode((source, external)))
    if own := _dig.text(alarm, "id"):
        return read_handle(own)[0]
    thing, cause = _dig.text(alarm, "alarmedObject", "id"), _dig.text(alarm, "probableCause")
    if not (thing and cause):
        raise PayloadError("externalAlarmId and id are missing, and alarmedObject.id with probableCause, too")
    parts = (source, thing, _dig.text(alarm, "alarmType"), cause, _dig.text(alarm, "specificProblem"))
    return _identity.fingerprint(_identity.encode(("X.733", *parts)))


def handle(alarm: Mapping[str, Any]) -> str:
    """The id under which an alarm is handed out: its own, or its fingerprint with what a change will not repeat.

    Raises:
        PayloadError: nothing identifies it.
    """
    fingerprint = identity(alarm)
    if not _dig.text(alarm, "externalAlarmId") and _dig.text(alarm, "id"):
        return _dig.text(alarm, "id")
    carried = urlsafe_b64encode(msgspec.json.encode(_known_of(alarm))).decode().rstrip("=")
    return f"{fingerprint}.{carried}" if len(carried) < LONGEST_HANDLE else fingerprint


def read_handle(number: str) -> tuple[str, Known | None]:
    """Fingerprint, and what an id carries; of an id that we did not hand out the id itself, and None.

    Raises:
        PayloadError: it is empty.
    """
    fingerprint, dot, carried = _identity.name(number.replace("\0", "\ufffd"), "the alarm's id").rpartition(".")
    if not dot:
        return number.replace("\0", "\ufffd"), None
    try:
        told = urlsafe_b64decode(carried + "=" * (-len(carried) % 4)).replace(b"\\u0000", b"\\ufffd")
        return _identity.name(fingerprint, "the alarm's id"), _KNOWN.decode(told)
    except (binascii.Error, ValueError, msgspec.MsgspecError, PayloadError):
        return number.replace("\0", "\ufffd"), None


def merged(found: Any) -> dict[str, Any]:
    """What a PATCH changes: a merge patch as it is, of a list of operations those that set a field.

    Raises:
        PayloadError: it is neither.
    """
    if isinstance(found, dict):
        return found
    if not isinstance(found, list):
        raise PayloadError("a change of an alarm is an object, or a list of operations")
    fields: dict[str, Any] = {}
    for operation in found:
        name = _dig.text(operation, "path").removeprefix("/")
        if name and "/" not in name and _dig.text(operation, "op") in {"add", "replace"}:
            fields[name] = _dig.at(operation, "value")
    return fields


def _alert(  # noqa: PLR0913 - what is known of an alarm comes from three places
    payload: Payload,
    options: SourceOptions,
    alarm: Mapping[str, Any],
    fingerprint: str,
    known: Known,
    *,
    over: bool,
    said_at: datetime | None,
) -> Alert:
    ended = _times.moment(_dig.text(alarm, "alarmClearedTime"))
    details = _dig.texts(_dig.at(alarm, name) for name in ("alarmDetails", "proposedRepairedActions"))
    return _build.alert(
        payload,
        options,
        identity=fingerprint,
        resolved=over,
        severity=known.severity or ("cleared" if over else ""),
        resource=_details.short(known.resource or _dig.text(alarm, "externalAlarmId") or fingerprint),
        check=_details.short(known.check or "alarm"),
        summary=_dig.first(alarm, "specificProblem", "alarmDetails"),
        description="\n\n".join(details),
        labels=_labels.flat(alarm, skip=_LONG) | _references(alarm),
        starts_at=_times.moment(_dig.text(alarm, "alarmRaisedTime")),
        ends_at=(ended or said_at) if over else None,
        said_at=said_at,
        url=_dig.text(alarm, "href"),
    )


def _known_of(alarm: Mapping[str, Any]) -> Known:
    """Object, cause and severity of a whole alarm."""
    thing = _dig.mapping(alarm, "alarmedObject")
    href = _dig.text(thing, "href").rstrip("/").rpartition("/")[2]
    severity = _dig.text(alarm, "perceivedSeverity")
    return Known(
        resource=_dig.first(thing, "name", "id") or href,
        check=_dig.first(alarm, "probableCause", "alarmType"),
        severity="" if _severity.is_clear(severity) else severity,
    )


def _is_over(alarm: Mapping[str, Any]) -> bool:
    state = _dig.text(alarm, "state").lower()
    if state in _OVER or _severity.is_clear(_dig.text(alarm, "perceivedSeverity")):
        return True
    return not state and _times.moment(_dig.text(alarm, "alarmClearedTime")) is not None


def _is_planned(alarm: Mapping[str, Any]) -> bool:
    return _dig.text(alarm, "plannedOutageIndicator").lower() not in _NOT_PLANNED


def _references(alarm: Mapping[str, Any]) -> dict[str, str]:
    """Services, places and other alarms by their ids or names."""
    found: dict[str, str] = {}
    for name in _LISTS:
        if name in alarm and (told := _dig.texts(_dig.first(one, "id", "name") for one in _dig.items(alarm, name))):
            found[name] = ", ".join(told)
    return found

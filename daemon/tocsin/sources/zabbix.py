"""Zabbix: webhook media types, ours and other people's, and connectors.

Format: one JSON object of macro values (or a list of them, or objects inside one another), as the media type in
`config/sources/zabbix/` sends it (https://www.zabbix.com/documentation/current/en/manual/appendix/macros/supported_by_location);
names in any spelling: `event_id`, `eventid`, `EVENT.ID`. Macros left unexpanded (`{EVENT.ID}`) and `*UNKNOWN*` do not count.
Problems of triggers and services, internal events, and what network discovery finds down. The same as a form. And the events
that a connector streams, one in each line
(https://www.zabbix.com/documentation/current/en/manual/appendix/protocols/real_time_export).
Authentication: a bearer token, or an HMAC of the body in a header; our media type sends either.
Identity: the event id, which a problem, its updates and its recovery share; without one, trigger and host, which may stand in
the address of the event's page. Discovery has a new event each time, so there it is address and service.
Resolved: event value 0, else a status such as RESOLVED or OK, else a recovery event. Acknowledging, commenting and suppressing
are no alerts, nor are autoregistration and the test of a media type; a changed severity is, and closing a problem ends it.
Delivery: three attempts, 10 s apart, unless the media type says otherwise (`maxattempts`, `attempt_interval`); a script that
throws has failed. An operation with the steps `1-0` says a problem again at every step.
Limits: without a host the source is the resource; who updates a problem is not sent his own update. A connector does not say
of which host and trigger a problem is over, nor what was changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _identity, _lines, _messages, _read, _zabbix
from tocsin.sources._options import ZonedOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from msgspec import Raw

    from tocsin.model import Alert, Payload, Unreadable
    from tocsin.sources._zabbix import Event

MEDIA_TYPES = frozenset({"application/json", "application/x-ndjson", _messages.FORM})
HEARTBEATS = ("tocsin heartbeat*", "Tocsin heartbeat*")
"""A trigger that is a problem for ever, and is said again at each step of its operation; see `config/sources/zabbix/`."""

_SEVERITIES = {"0": "", "1": "info", "2": "warning", "3": "minor", "4": "major", "5": "critical"}
"""Numbers, whatever an installation calls its severities; "not classified" is no severity."""

_INTERNAL = {"0": "trigger state unknown", "4": "item not supported", "5": "discovery rule not supported"}
"""Check of an internal event, by what kind of object it is about."""

_DISCOVERY, _REGISTRATION, _INTERNALS, _SERVICE = "1234"
_DISCOVERED = {"up": False, "0": False, "2": False, "down": True, "1": True, "3": True}
"""Whether something discovered is missing: by its status, or by the event's value (up, down, discovered, lost)."""


class Options(ZonedOptions):
    """How events of Zabbix are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of each event; none for one that is no alert.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is one event, and cannot be read.
    """

    def build(document: bytes | Raw) -> Alert | None:
        message = _read.entry(_lines.read(document), _read.OBJECT, "an object of Zabbix macros")
        return _alert(message, payload, options)

    message: Mapping[str, Any] | None = _messages.form(payload)
    if message is None:
        message = _read.whole(payload.body, _read.OBJECT)
    if message is not None:
        return _none_or_one(_alert(message, payload, options))
    documents = _lines.documents(payload.body)
    return _none_or_one(build(documents[0])) if len(documents) == 1 else _lines.each(documents, build)


def _none_or_one(alert: Alert | None) -> list[Alert | Unreadable]:
    return [alert] if alert else []


def _alert(message: Mapping[str, Any], payload: Payload, options: Options) -> Alert | None:
    event = _zabbix.read(message)
    source = event.source
    if event.is_test or source == _REGISTRATION:
        return None
    if source == _DISCOVERY:
        return _discovered(event, payload, options)
    if event.say("ended_id"):
        return _ended(event, payload, options)
    if _is_value(message, event):
        return None
    identity, update, over = _identifying(event, source), event.update, event.is_over
    if over is None and not update:
        raise PayloadError("event_value and status are missing: nothing says whether it is a problem or a recovery")
    resolved = bool(over) or "close" in update
    if update == {"update"} and not resolved:
        return None
    when = "recovery" if over else "event"
    return _build.alert(
        payload,
        options,
        identity=identity,
        resolved=resolved,
        severity=_severity(event, update),
        resource=_resource(event, source, payload),
        check=_check(event, source),
        summary=event.say("event_name") or event.say("trigger_name") or event.say("subject"),
        description="\n\n".join(filter(None, (event.say("description"), event.say("opdata")))),
        labels=event.labels,
        starts_at=event.moment("event", options.zone),
        ends_at=(event.moment("recovery", options.zone) or event.stamp("update")) if resolved else None,
        said_at=event.stamp("message") or event.stamp("update" if update else when),
        url=event.url,
    )


def _identifying(event: Event, source: str) -> str | Sequence[str]:
    if number := event.say("event_id"):
        return number
    if source == _SERVICE and (service := event.say("service_id")):
        return ("service", service)
    if trigger := event.say("trigger_id") or event.linked("trigger_id"):
        return ("trigger", trigger, event.say("host"))
    if number := event.linked("event_id"):
        return number
    raise PayloadError("event_id is missing, and so is trigger_id: nothing tells the problem from others")


def _resource(event: Event, source: str, payload: Payload) -> str:
    """The host, or the service; the source when a media type says neither, as most for ticket systems do."""
    return _details.short(event.say("service_name" if source == _SERVICE else "host") or payload.source or "Zabbix")


def _check(event: Event, source: str) -> str:
    if source == _SERVICE:
        return "service"
    if source == _INTERNALS:
        return _INTERNAL.get(event.say("object"), "internal event")
    named = (event.say(field) for field in ("trigger_name", "event_name", "subject", "description"))
    return _identity.name(_details.short(next(filter(None, named), "")), "trigger_name")


def _severity(event: Event, update: frozenset[str]) -> str:
    """The word for a number, or the word itself."""
    numbers = (event.say("new_severity") if "severity" in update else "", event.say("nseverity"))
    known = next((number for number in numbers if number in _SEVERITIES), event.say("severity"))
    return _SEVERITIES.get(known, known)


def _is_value(message: Mapping[str, Any], event: Event) -> bool:
    """Whether it is a value of an item, or its trend, which a connector may stream as well."""
    is_of_item = "itemid" in message and ("type" in message or "count" in message)
    return is_of_item and not (event.say("trigger_id") or event.say("trigger_name"))


def _ended(event: Event, payload: Payload, options: Options) -> Alert:
    """The end of a problem that a connector streamed: all it says is which, and when."""
    when = event.stamp("event")
    return _build.alert(
        payload,
        options,
        identity=event.say("ended_id"),
        resolved=True,
        severity=_severity(event, frozenset()),
        resource=_resource(event, "", payload),
        check=_details.short(event.say("event_name")) or "problem",
        labels=event.labels,
        ends_at=when,
        said_at=when,
    )


def _discovered(event: Event, payload: Payload, options: Options) -> Alert | None:
    """A device or service that is down, or up again; None where the message only has a text for people."""
    address = event.say("device_address")
    is_service = event.say("object") == "2" if event.say("object") else bool(event.say("device_service"))
    name, port = (event.say("device_service"), event.say("device_port")) if is_service else ("", "")
    status = event.say("device_service_status" if is_service else "device_status") or event.say("event_value")
    missing = _DISCOVERED.get(status.lower())
    if not address or missing is None:
        return None
    return _build.alert(
        payload,
        options,
        identity=("discovery", address, name, port),
        resolved=not missing,
        severity="",
        resource=event.say("device_dns") or address,
        check=f"discovered service {name} {port}".strip() if is_service else "discovered device",
        summary=event.say("subject"),
        description=event.say("description"),
        labels=event.labels,
        starts_at=event.moment("event", options.zone) if missing else None,
        ends_at=None if missing else event.moment("event", options.zone),
        said_at=event.stamp("message") or event.stamp("event"),
    )

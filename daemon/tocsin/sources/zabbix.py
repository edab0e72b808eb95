"""Zabbix: webhook media types, ours and other people's.

Format: one JSON object of macro values (or a list of them, or objects inside one another), as the media type in
`config/sources/zabbix/` sends it (https://www.zabbix.com/documentation/current/en/manual/appendix/macros/supported_by_location);
names in any spelling: `event_id`, `eventid`, `EVENT.ID`. Macros left unexpanded (`{EVENT.ID}`) and `*UNKNOWN*` do not count.
Problems of triggers and services, internal events, and what network discovery finds down.
Authentication: a bearer token, or an HMAC of the body in a header; our media type sends either.
Identity: the event id, which a problem, its updates and its recovery share; without one, trigger and host. Discovery has a
new event each time, so there it is address and service.
Resolved: event value 0, else a status such as RESOLVED or OK, else a recovery event. Acknowledging, commenting and suppressing
are no alerts, nor are autoregistration and the test of a media type; a changed severity is, and closing a problem ends it.
Delivery: three attempts, 10 s apart, unless the media type says otherwise (`maxattempts`, `attempt_interval`); a script that
throws has failed. An operation with the steps `1-0` says a problem again at every step.
Limits: one event in each message; who updates a problem is not sent his own update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.errors import PayloadError
from tocsin.sources import _build, _identity, _lines, _read, _zabbix
from tocsin.sources._options import ZonedOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from msgspec import Raw

    from tocsin.model import Alert, Payload, Unreadable
    from tocsin.sources._zabbix import Event

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

    def build(raw: Raw) -> Alert | None:
        message = _read.entry(raw, _read.OBJECT, "an object of Zabbix macros")
        return _alert(_zabbix.read(message), payload, options)

    raw = _read.unread(payload.body)
    if bytes(raw).lstrip()[:1] == b"[":
        entries = _read.entry(raw, _read.LIST, "a list")
        return _lines.each(entries, build)
    alert = build(raw)
    return [alert] if alert else []


def _alert(event: Event, payload: Payload, options: Options) -> Alert | None:
    source = event.source
    if event.is_test or source == _REGISTRATION:
        return None
    if source == _DISCOVERY:
        return _discovered(event, payload, options)
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
        resource=_identity.name(event.say("service_name" if source == _SERVICE else "host"), "host"),
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
    if trigger := event.say("trigger_id"):
        return ("trigger", trigger, event.say("host"))
    raise PayloadError("event_id is missing, and so is trigger_id: nothing tells the problem from others")


def _check(event: Event, source: str) -> str:
    if source == _SERVICE:
        return "service"
    if source == _INTERNALS:
        return _INTERNAL.get(event.say("object"), "internal event")
    return _identity.name(event.say("trigger_name") or event.say("event_name") or event.say("subject"), "trigger_name")


def _severity(event: Event, update: frozenset[str]) -> str:
    """The word for a number, or the word itself."""
    numbers = (event.say("new_severity") if "severity" in update else "", event.say("nseverity"))
    known = next((number for number in numbers if number in _SEVERITIES), event.say("severity"))
    return _SEVERITIES.get(known, known)


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

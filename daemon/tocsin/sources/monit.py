"""Monit: what it sends to an M/Monit collector, and its exec hook.

Format: the XML document of `set mmonit` (https://mmonit.com/monit/documentation/monit.html#MANAGING-MULTIPLE-MONIT-INSTANCES),
which Monit sends in each cycle, and with an `event` when something changed; or the variables `MONIT_…` that a
program started by `exec` finds in its environment, as JSON or as a form.
Authentication: basic, from the address in `set mmonit`; any header where curl sends.
Identity: Monit's own id, the service and the kind of event, as Monit's own table of errors; of the hook, host instead of id.
Resolved: event state 0 (succeeded) and 3 (not changed any more); of the hook, the words that Monit has for them. 1 is a
problem. So is 2 (changed), which Monit never takes back: it is over after `changes_last`. A document without event, start
and stop of Monit, what people do to a service, and another process number are no alerts.
Delivery: in the next cycle again, from a queue on disk where there is `set eventqueue`; without it once.
Limits: all resource tests of a service are one kind of event, and so are all its connections: give each its own service.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import TYPE_CHECKING, Any, NamedTuple

from tocsin.errors import PayloadError
from tocsin.sources import _build, _dig, _forms, _labels, _read, _times, _xml
from tocsin.sources._options import ZonedOptions

if TYPE_CHECKING:
    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _forms.MEDIA_TYPES | {"text/xml", "application/xml"}
PATHS = ("/collector",)
STATUS = 200

SUCCEEDED, FAILED, CHANGED, UNCHANGED = "0", "1", "2", "3"

_EVENTS = {
    0x1: "checksum",
    0x2: "resource",
    0x4: "timeout",
    0x8: "timestamp",
    0x10: "size",
    0x20: "connection",
    0x40: "permission",
    0x80: "uid",
    0x100: "gid",
    0x200: "existence",
    0x400: "type",
    0x800: "data access",
    0x1000: "execution",
    0x2000: "filesystem flags",
    0x4000: "ping",
    0x8000: "content",
    0x10000: "monit instance",
    0x20000: "action",
    0x40000: "pid",
    0x80000: "ppid",
    0x100000: "heartbeat",
    0x200000: "status",
    0x400000: "uptime",
    0x800000: "link",
    0x1000000: "speed",
    0x2000000: "saturation",
    0x4000000: "download bytes",
    0x8000000: "upload bytes",
    0x10000000: "download packets",
    0x20000000: "upload packets",
    0x40000000: "presence",
}
"""Monit's event types: bits, of which an event has one."""

_NO_PROBLEMS = frozenset({"monit instance", "action"})
_NO_CHANGES = frozenset({"pid", "ppid", "uptime"})
"""What changes whenever a process is started again."""

_DOWN = frozenset({"existence", "connection", "ping", "link", "timeout", "heartbeat"})
"""What does not answer at all, or was given up."""

_WORDS = {"icmp": "ping", "resource limit": "resource"}
_ENDINGS = {
    FAILED: ("failed", "matched limit", "matched", "exceeded", "error", "down"),
    SUCCEEDED: ("succeeded", "ok", "up", "recovery", "done"),
    UNCHANGED: ("not changed", "doesn't match"),
    CHANGED: ("changed", "match"),
}
_WHOLE = {
    "does not exist": ("existence", FAILED),
    "exists": ("existence", SUCCEEDED),
    "existence": ("existence", CHANGED),
    "does exist": ("presence", FAILED),
    "exist": ("presence", FAILED),
    "timeout": ("timeout", FAILED),
    "invalid type": ("type", FAILED),
}
"""What Monit writes of an event, where the kind of event is not its beginning."""

_OFFSET = re.compile(r" (?:[+-]\d{4}|GMT|UTC)$", re.ASCII)
_SERVICES = ("filesystem", "directory", "file", "process", "host", "system", "fifo", "program", "network")
_ACTIONS = ("", "alert", "restart", "stop", "exec", "unmonitor", "start", "monitor")


class Options(ZonedOptions):
    """How messages of Monit are read; the zone is the one of its exec hook's MONIT_DATE."""

    changes_last: timedelta = timedelta(hours=1)
    """How long a change, such as of a checksum, counts as a problem: Monit never says that it is over."""


class _Event(NamedTuple):
    """An event, however it was told."""

    host: str
    origin: str
    """What tells this Monit from others: its id, or its host."""
    service: str
    what: str
    state: str
    message: str
    at: datetime | None
    said_at: datetime | None
    labels: dict[str, Any]


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alert of a message; none where it has no event, or one that is no problem.

    Raises:
        NotJsonError: the body is neither XML nor a form, and not JSON.
        PayloadError: it is no message of Monit.
    """
    body = payload.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    event = _collected(_xml.read(body)) if body[:1] == b"<" else _hooked(payload, options)
    return [_alert(payload, options, event, now)] if event and _is_problem(event) else []


def _alert(payload: Payload, options: Options, event: _Event, now: datetime) -> Alert:
    resolved = event.state in {SUCCEEDED, UNCHANGED}
    changed = event.state == CHANGED
    ends_at = (event.at or now) + options.changes_last if changed else None
    return _build.alert(
        payload,
        options,
        identity=(event.origin, event.service, event.what),
        resolved=resolved,
        severity=_severity(event.what, changed=changed or event.state == UNCHANGED),
        resource=event.host or event.origin,
        check=f"{event.service} {event.what}",
        summary=f"{event.service}: {event.message}" if event.message else "",
        description=event.message,
        labels=_labels.flat(event.labels),
        starts_at=None if resolved else event.at,
        ends_at=event.at if resolved else ends_at,
        said_at=event.said_at,
    )


def _severity(what: str, *, changed: bool) -> str:
    if changed:
        return "warning"
    return "critical" if what in _DOWN else ""


def _is_problem(event: _Event) -> bool:
    """Whether the event says that there is a problem, or none any more."""
    changes = event.state in {CHANGED, UNCHANGED}
    return event.state in _ENDINGS and event.what not in _NO_PROBLEMS and not (changes and event.what in _NO_CHANGES)


def _collected(document: _xml.Node) -> _Event | None:
    """The event of a collector's document, if it has one."""
    if document.name != "monit" or not any(map(document.find, ("event", "server", "services"))):
        raise PayloadError(
            _read.said(f"the XML is {document.name!r}, expected Monit's document: monit with its server")
        )
    event = document.find("event")
    if event is None:
        return None
    host = document.say("server", "localhostname")
    service, number, state = (event.say(name) for name in ("service", "id", "state"))
    if not (service and number and state):
        raise PayloadError("event.service, event.id or event.state is missing")
    at = _times.moment(event.say("collected_sec"))
    exact = _exact(at, event.say("collected_usec"))
    return _Event(
        host=host,
        origin=document.attributes.get("id", "") or document.say("server", "id") or host,
        service=service,
        what=_what(number),
        state=state,
        message=event.say("message"),
        at=exact,
        said_at=exact,
        labels=_told(document, event, service),
    )


def _what(number: str) -> str:
    """The kind of event by its bit; one that is not known by its number."""
    known = _EVENTS.get(int(number)) if number.isdecimal() and len(number) < len("9" * 12) else None
    return known or f"event {number}"


def _exact(at: datetime | None, microseconds: str) -> datetime | None:
    if at is None or not microseconds.isdecimal() or len(microseconds) > len("999999"):
        return at
    return at + timedelta(microseconds=int(microseconds))


def _told(document: _xml.Node, event: _xml.Node, service: str) -> dict[str, Any]:
    """Labels of the event, the service and the server; not what Monit's own web pages are opened with."""
    labels: dict[str, Any] = {
        "service": service,
        "event_id": event.say("id"),
        "event_state": event.say("state"),
        "service_type": _named(_SERVICES, event.say("type")),
        "event_action": _named(_ACTIONS, event.say("action")),
        "localhostname": document.say("server", "localhostname"),
        "server_id": document.attributes.get("id", "") or document.say("server", "id"),
        "monit_version": document.attributes.get("version", "") or document.say("server", "version"),
        "platform": {name: document.say("platform", name) for name in ("name", "release", "machine")},
    }
    found = _service(document, service)
    if found is not None:
        labels |= {f"service_{name}": found.say(name) for name in ("status", "monitor", "pendingaction", "group")}
        labels["program_status"] = found.say("program", "status")
    return labels


def _service(document: _xml.Node, name: str) -> _xml.Node | None:
    """The status of the service: in `services` or, of old versions, at the top; named by attribute or element."""
    holder = document.find("services") or document
    return next((one for one in holder.all("service") if name in {one.attributes.get("name"), one.say("name")}), None)


def _named(names: tuple[str, ...], number: str) -> str:
    return names[int(number)] if number.isdecimal() and len(number) == 1 and int(number) < len(names) else ""


def _hooked(payload: Payload, options: Options) -> _Event:
    """The event that an exec hook was told of in its environment."""
    told = _forms.fields(payload, "an object of Monit's variables MONIT_EVENT, MONIT_SERVICE …")
    names = [name for name in sorted(told) if name.upper().startswith("MONIT_")] or sorted(told)
    found = {name.upper().removeprefix("MONIT_"): _dig.text(told, name) for name in names}
    said, service, host = (found.get(name, "") for name in ("EVENT", "SERVICE", "HOST"))
    missing = next((name for name, text in (("EVENT", said), ("SERVICE", service), ("HOST", host)) if not text), "")
    if missing:
        raise PayloadError(f"MONIT_{missing} is missing")
    what, state = _worded(said)
    return _Event(
        host=host,
        origin=host,
        service=service,
        what=what,
        state=state,
        message=found.get("DESCRIPTION", ""),
        at=_date(found.get("DATE", ""), options),
        said_at=None,
        labels={name.lower(): text for name, text in found.items() if name != "DESCRIPTION"},
    )


def _worded(said: str) -> tuple[str, str]:
    """Kind of event and state, out of what Monit's table has for both: `Checksum failed`, `Link up`, `Exists`."""
    text = " ".join(said.lower().split())
    if text in _WHOLE:
        return _WHOLE[text]
    for state in (UNCHANGED, SUCCEEDED, FAILED, CHANGED):
        for ending in _ENDINGS[state]:
            if text.endswith(f" {ending}"):
                what = text.removesuffix(ending).strip()
                return _WORDS.get(what, what), state
    return text, FAILED


def _date(text: str, options: Options) -> datetime | None:
    """`Wed, 25 Nov 2026 18:03:14` in the zone of the host, or with an offset after it."""
    found = parsedate_tz(text)
    if found is None:
        return None
    try:
        zone = timezone(timedelta(seconds=found[9] or 0)) if _OFFSET.search(text) else options.zone
        return _times.known(datetime(*found[:6], tzinfo=zone))
    except (ValueError, OverflowError):
        return None

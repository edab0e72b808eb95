"""What a webhook of Zabbix tells, whoever wrote it: macro values under names in any spelling; and what a connector streams.

A name counts by its letters and digits alone, in lower case: `event_id`, `eventId`, `EVENT.ID` and `{"event": {"id": …}}` are
one. Knows spellings and macros; what makes an alert of them is `zabbix`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import DecodeError
from msgspec.json import Decoder

from tocsin.sources import _dig, _labels, _read, _secret, _texts, _times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, tzinfo

_FIELDS = {
    "event_id": "eventid problemid problemeventid originaleventid originalproblemid",
    "ended_id": "peventid",
    "trigger_id": "triggerid",
    "source": "eventsource source",
    "object": "eventobject object",
    "event_value": "eventvalue",
    "status": "eventstatus problemstatus status state alertstatus",
    "recovery_value": "eventrecoveryvalue recoveryvalue",
    "recovery_id": "eventrecoveryid recoveryeventid recoveryid reventid",
    "trigger_state": "triggervalue triggerstatus",
    "value": "value",
    "nseverity": "eventnseverity nseverity triggernseverity severitynumber severityid eventseverityid",
    "severity": "eventseverity severity triggerseverity priority",
    "new_severity": "eventupdatenseverity updatenseverity",
    "host": "hosthost host hosthost1 hostname hostvisiblename visiblename hostname1 hosts1 hostdns hostconn hostip ip",
    "service_name": "servicename",
    "service_id": "serviceid",
    "trigger_name": "triggername trigger",
    "event_name": "eventname problemname problem alertname name",
    "subject": "alertsubject subject title",
    "description": "triggerdescription triggerdesc servicedescription description alertmessage message",
    "opdata": "eventopdata opdata operationaldata operationdata triggeropdata",
    "update": "eventupdatestatus updatestatus eventupdate isupdate update",
    "device_address": "discoverydeviceipaddress discoverydeviceip deviceipaddress deviceip",
    "device_dns": "discoverydevicedns devicedns",
    "device_status": "discoverydevicestatus devicestatus",
    "device_service": "discoveryservicename",
    "device_port": "discoveryserviceport",
    "device_service_status": "discoveryservicestatus",
}
_SPELLINGS = {field: tuple(spellings.split()) for field, spellings in _FIELDS.items()}
"""Field → the names, plain, that it may have; the best first."""

_STAMPS = {
    "message": ("timestamp",),
    "event": ("eventtimestamp", "eventclock", "clock"),
    "recovery": ("eventrecoverytimestamp", "recoverytimestamp", "eventrecoveryclock"),
    "update": ("eventupdatetimestamp", "updatetimestamp"),
}
"""Moment → the names, plain, of its epoch."""

_DATES = {
    "event": (("eventdate", "eventtime"), ("eventdatetime", ""), ("eventtime", ""), ("startedat", "")),
    "recovery": (
        *(("eventrecoverydate", "eventrecoverytime"), ("recoverydate", "recoverytime")),
        *(("eventrecoverydatetime", ""), ("eventrecoverytime", ""), ("recoverytime", "")),
    ),
}
"""Moment → the names, plain, of its date and its time of day."""

_ACTIONS = ("eventupdateactionjson", "updateactionjson", "eventupdateaction", "updateaction")
_TAGS = frozenset({"eventtags", "eventtagsjson", "tags", "tagsjson", "servicetags", "servicetagsjson"})
_LINKS = ("eventurl", "problemurl", "eventlink", "alerturl", "url", "link", "triggerurl")
_LINKED = {
    "trigger_id": re.compile(r"[?&]triggerid=(\d{1,20})(?!\d)", re.ASCII),
    "event_id": re.compile(r"[?&]eventid=(\d{1,20})(?!\d)", re.ASCII),
}
"""What the address of an event's page tells: `tr_events.php?triggerid=23133&eventid=2`."""

_HOSTS = "hosts"
"""A list of a streamed event: the hosts of its trigger, the first the one it is about."""

_WRAPPERS = ("data", "payload", "params")
"""Objects around a message that say nothing by their name."""
_NO_LABELS = _TAGS | frozenset(
    {
        *("triggerdescription", "triggerdesc", "alertmessage", "message", "updateactionjson", "eventupdateactionjson"),
        *("httpproxy", "sendto", "alertsendto", "to", "ns", "hosts1"),
    }
)
"""What is told elsewhere, is long, or is an address or key of the receiver."""

_MACRO = re.compile(r"\{[A-Z$#?][^{}]*\}", re.ASCII)
_OVER = frozenset({"0", "ok", "up", "resolved", "recovery", "recovered", "normal", "closed", "clear", "cleared"})
_ON = frozenset(
    {"1", "problem", "firing", "down", "active", "triggered", "trigger", "open", "not supported", "unknown"}
)
_EITHER = frozenset("01")
_SOURCES = frozenset("01234")
_PARTS = re.compile(r", | and ")

_any = Decoder()


class Event:
    """What one message tells."""

    __slots__ = ("_found", "is_test", "labels")

    def __init__(self, found: dict[str, str], labels: dict[str, str]) -> None:
        self._found = found
        """Name, plain, → value; only those that say something."""
        self.labels = labels
        self.is_test = False
        """Somebody pressed *Test* in the front end: nothing is filled in."""

    def say(self, field: str) -> str:
        """A field of `_FIELDS`; empty when it is missing."""
        found = self._found
        for name in _SPELLINGS[field]:
            if name in found:
                return found[name]
        return ""

    def linked(self, field: str) -> str:
        """The id of the event or its trigger in the address of its page; empty when none has it."""
        matches = (_LINKED[field].search(self._found[name]) for name in _LINKS if name in self._found)
        return next((match[1] for match in matches if match), "")

    @property
    def source(self) -> str:
        """Number of the event's source, as in `{EVENT.SOURCE}`."""
        if (told := self.say("source")) in _SOURCES:
            return told
        if self.say("device_address"):
            return "1"
        return "4" if self.say("service_name") and not (self.say("host") or self.say("trigger_id")) else "0"

    @property
    def is_over(self) -> bool | None:
        """Whether it is a recovery; None when nothing says so."""
        tell = [self.say(name) for name in ("event_value", "status", "recovery_value", "trigger_state")]
        tell += [value for value in (self.say("value"),) if value in _EITHER]
        for word in (value.lower() for value in tell):
            if word in _OVER or word in _ON:
                return word in _OVER
        return True if self.say("recovery_id").strip("0") else None

    @property
    def update(self) -> frozenset[str]:
        """What was done to the problem: empty when it is no update; else `update`, and of `severity` and `close` what was done."""
        told = self.say("update").lower()
        if told in {"0", "false", "no"}:
            return frozenset()
        done = set(self._done())
        return frozenset(done | {"update"}) if told in {"1", "true", "yes"} or (done and not told) else frozenset()

    @property
    def url(self) -> str:
        """Where to see it; no address in which a macro was left."""
        links = (_texts.link(self._found[name]) for name in _LINKS if name in self._found)
        return next((link for link in links if link and "{" not in link), "")

    def stamp(self, which: str) -> datetime | None:
        """The absolute moment of the `event`, of its `recovery` or `update`, or of the `message`."""
        found = self._found
        return next(filter(None, (_times.moment(found[name]) for name in _STAMPS[which] if name in found)), None)

    def moment(self, which: str, zone: tzinfo) -> datetime | None:
        """The moment of the `event` or of its `recovery`, from its epoch, or else from its local date and time."""
        if stamp := self.stamp(which):
            return stamp
        found = self._found
        told = (f"{found[date]} {found.get(time, '')}".strip() for date, time in _DATES[which] if date in found)
        return next(filter(None, (_times.local(text, zone) for text in told)), None)

    def _done(self) -> Iterator[str]:
        """The actions of an update: in words, as JSON in a text, or as an object."""
        for name, value in self._found.items():
            if name.startswith(_ACTIONS):
                prefix = next(prefix for prefix in _ACTIONS if name.startswith(prefix))
                yield "update"
                words = _words(value) if name == prefix else [name.removeprefix(prefix)]
                yield from ("severity" for word in words if word.startswith(("severity", "changed severity")))
                yield from ("close" for word in words if word in {"close", "closed"})


def read(message: Mapping[str, Any]) -> Event:
    """What a message tells."""
    for wrapper in _WRAPPERS:
        inner = message.get(wrapper)
        if isinstance(inner, dict):
            message = inner | {name: value for name, value in message.items() if name != wrapper}
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    labels: dict[str, str] = {}
    is_empty = False
    for name, value in _scalars(message):
        plain, is_label = _name(name)
        if not value or _says_nothing(plain, value):
            is_empty = is_empty or value == "{EVENT.ID}"
            continue
        if plain not in names or name < names[plain]:  # of two spellings of one name always the same one counts
            names[plain], found[plain] = name, value
        if is_label:
            labels[name] = value
    if "clock" in found and found.get("ns", "").isdecimal():
        found["clock"] += f".{found['ns'][:9]:0>9}"
    event = Event(found, {f"tags_{name}": value for name, value in _tags(message).items()} | labels)
    event.is_test = is_empty and not event.say("event_id")
    return event


def _scalars(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values, those inside objects with both names joined."""
    inside: dict[str, Any] = {}
    for name, value in message.items():
        kind = type(value)
        if kind is str:
            yield name, value.strip()
        elif kind is dict or kind is list:
            if _plain(name) not in _TAGS:
                inside[name] = value
        elif value is not None:
            yield name, _read.text(value)
    if inside:
        yield from _hosts(inside.get(_HOSTS))
        yield from _labels.flat(inside).items()


def _hosts(value: Any) -> Iterator[tuple[str, str]]:
    """The first host of a streamed event, and all of them: objects, or before version 4.4 the names people see."""
    hosts = value if isinstance(value, list) else []
    named = _dig.texts(_dig.first(host, "host", "name") if isinstance(host, dict) else host for host in hosts)
    if named:
        yield "hosts1", named[0]
        yield _HOSTS, ", ".join(named)


@lru_cache(maxsize=4096)
def _name(name: str) -> tuple[str, bool]:
    """A name, plain, and whether its value is a label."""
    plain = _plain(name)
    return plain, plain not in _NO_LABELS and not _secret.is_secret(name)


def _says_nothing(plain: str, value: str) -> bool:
    """Whether it stands for no value: a macro as it was written, or what Zabbix has for one that it cannot resolve."""
    if value[0] == "{":
        return bool(_MACRO.fullmatch(value))
    return value == "*UNKNOWN*" or (value == "UNKNOWN" and plain.startswith(("host", "ip")))


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _tags(message: Mapping[str, Any]) -> dict[str, str]:
    """Event tags: a list of objects, itself or as JSON in a text; an object; or `name:value, name:value`."""
    found: dict[str, str] = {}
    for name in sorted(message):
        value = message[name]
        if _plain(name) in _TAGS:
            found |= _pairs(_decoded(value) if isinstance(value, str) else value)
        elif isinstance(value, dict):
            found |= _tags(value)
    return found


def _pairs(tags: Any) -> dict[str, str]:
    if isinstance(tags, str):
        return {} if _MACRO.fullmatch(tags) else _labels.tags(tags.split(","))
    if isinstance(tags, dict):
        return _labels.flat(tags)
    found: dict[str, str] = {}
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str):
            found |= _labels.tags([tag])
        elif isinstance(tag, dict) and isinstance(name := tag.get("tag", tag.get("name")), str) and name:
            value = tag.get("value")
            text = _read.text(value) if not isinstance(value, (dict, list)) else ""
            told = text or "true"
            found[name] = f"{found[name]}, {told}" if name in found else told
    return found


def _words(text: str) -> list[str]:
    """The actions in a text: the keys of an object or of a list of them, as JSON; or a sentence."""
    if text[:1] not in {"[", "{"}:
        return _PARTS.split(text.lower())
    value = _decoded(text)
    objects = value if isinstance(value, list) else [value]
    return [key for one in objects if isinstance(one, dict) for key in one]


def _decoded(text: str) -> Any:
    """What a text holds as JSON, an object or a list; the text itself when it holds none."""
    if text.lstrip()[:1] in {"[", "{"} and _read.is_shallow(text.encode()):
        try:
            return _any.decode(text)
        except (DecodeError, RecursionError):
            return text
    return text

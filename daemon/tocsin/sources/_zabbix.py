"""What a webhook of Zabbix tells, whoever wrote it: macro values under names in any spelling; and what a connector streams.

A name counts by its letters and digits alone, in lower case: `event_id`, `eventId`, `EVENT.ID` and `{"event": {"id": …}}` are
one. Knows spellings and macros; what makes an alert of them is `zabbix`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import DecodeError
from msgspec.json import Decoder

from tocsin.sources import _dig, _labels, _read, _secret, _texts, _times
from tocsin.sources._remembered import remembered

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

_WRAPPERS = ("data", "payload", "params", "labels")
"""Objects around a message that say nothing by their name."""
_NO_LABELS = _TAGS | frozenset(
    {
        *("triggerdescription", "triggerdesc", "alertmessage", "message", "updateactionjson", "eventupdateactionjson"),
        *("httpproxy", "sendto", "alertsendto", "to", "ns", "hosts1"),
    }
)
"""What is told elsewhere, is long, or is an address or key of the receiver."""

_NESTED = frozenset({dict, list})
_UNKNOWN = frozenset({"UNKNOWN", "*UNKNOWN*"})
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
        for field in ("event_value", "status", "recovery_value", "trigger_state"):
            word = self.say(field).lower()
            if word in _OVER or word in _ON:
                return word in _OVER
        value = self.say("value")
        if value in _EITHER:
            return value == "0"
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
        for name in _STAMPS[which]:
            if name in found and (moment := _times.moment(found[name])):
                return moment
        return None

    def moment(self, which: str, zone: tzinfo) -> datetime | None:
        """The moment of the `event` or of its `recovery`, from its epoch, or else from its local date and time."""
        if stamp := self.stamp(which):
            return stamp
        found = self._found
        for date, time in _DATES[which]:
            if date in found and (moment := _times.local(f"{found[date]} {found.get(time, '')}", zone)):
                return moment
        return None

    def _done(self) -> Iterator[str]:
        """The actions of an update: in words, as JSON in a text, or as an object."""
        for name in filter(_is_action, self._found):
            prefix = next(prefix for prefix in _ACTIONS if name.startswith(prefix))
            yield "update"
            words = _words(self._found[name]) if name == prefix else [name.removeprefix(prefix)]
            yield from ("severity" for word in words if word.startswith(("severity", "changed severity")))
            yield from ("close" for word in words if word in {"close", "closed"})


def read(message: Mapping[str, Any]) -> Event:
    """What a message tells."""
    for wrapper in _WRAPPERS:
        inner = message.get(wrapper)
        if isinstance(inner, dict):
            message = inner | {name: value for name, value in message.items() if name != wrapper}
    flat = _flat(message)
    found: dict[str, str] = {}
    labels: dict[str, str] = {}
    is_empty = False
    for name in sorted(flat):  # of two spellings of one name always the same one counts
        value = flat[name]
        text = value.strip() if type(value) is str else _read.text(value)
        if not text:
            continue
        plain, is_label = _name(name)
        if (text[0] == "{" or text in _UNKNOWN) and _says_nothing(plain, text):
            is_empty = is_empty or text == "{EVENT.ID}"
            continue
        found.setdefault(plain, text)
        if is_label:
            labels[name] = text
    if "clock" in found and found.get("ns", "").isdecimal():
        found["clock"] += f".{found['ns'][:9]:0>9}"
    event = Event(found, _tags(message) | labels)
    event.is_test = is_empty and not event.say("event_id")
    return event


def _flat(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The scalars of a message; those inside objects have both names, joined."""
    if _NESTED.isdisjoint(map(type, message.values())):
        return message
    told = {name: value for name, value in message.items() if not isinstance(value, (dict, list))}
    inside = {name: value for name, value in message.items() if name not in told and not _is_tags(name)}
    return {**_labels.flat(inside), **_hosts(inside.get(_HOSTS)), **told}


def _hosts(value: Any) -> dict[str, str]:
    """The first host of a streamed event, and all of them: objects, or before version 4.4 the names people see."""
    hosts = value if isinstance(value, list) else []
    named = _dig.texts(_dig.first(host, "host", "name") if isinstance(host, dict) else host for host in hosts)
    return {"hosts1": named[0], _HOSTS: ", ".join(named)} if named else {}


@remembered(4_096)
def _name(name: str) -> tuple[str, bool]:
    """A name, plain, and whether its value is a label."""
    plain = _plain(name)
    return plain, plain not in _NO_LABELS and not _secret.is_secret(name)


def _says_nothing(plain: str, text: str) -> bool:
    """Whether it stands for no value: a macro as it was written, or what Zabbix has for one that it cannot resolve."""
    if text[0] == "{":
        return bool(_MACRO.fullmatch(text))
    return text == "*UNKNOWN*" or plain.startswith(("host", "ip"))


@remembered(4_096)
def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


@remembered(4_096)
def _is_tags(name: str) -> bool:
    return _plain(name) in _TAGS


@remembered(4_096)
def _is_action(plain: str) -> bool:
    return plain.startswith(_ACTIONS)


def _tags(message: Mapping[str, Any]) -> dict[str, str]:
    """Event tags as labels: a list of objects, itself or as JSON in a text; an object; or `name:value, name:value`."""
    found: dict[str, str] = {}
    if dict in map(type, message.values()):
        for name in sorted(message):
            if isinstance(message[name], dict) and not _is_tags(name):
                found |= _tags(message[name])
    for name in sorted(filter(_is_tags, message)):
        told = message[name]
        pairs = _pairs(_decoded(told) if isinstance(told, str) else told)
        found |= {f"tags_{tag}": value for tag, value in pairs.items()}
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

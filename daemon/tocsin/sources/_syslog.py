"""Reads syslog messages: RFC 5424, RFC 3164, what devices make of these, and the JSON that log daemons write.

It knows headers, priorities and structured data, and the names of fields. What a message means is the business of `syslog`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.errors import PayloadError
from tocsin.sources import _labels, _lines, _read, _times
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""The severities of RFC 5424 by their numbers, worst first."""

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp"),
    *("audit", "console", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
_WORDS = {word: number for number, word in enumerate(SEVERITIES)} | {
    **dict.fromkeys(("emergency", "panic", "fatal"), 0),
    **dict.fromkeys(("critical",), 2),
    **dict.fromkeys(("error", "eror"), 3),
    **dict.fromkeys(("warn",), 4),
    **dict.fromkeys(("informational", "information"), 6),
}


class Message(Struct, kw_only=True):
    """One message."""

    text: str
    host: str = ""
    app: str = ""
    procid: str = ""
    msgid: str = ""
    severity: int | None = None
    """0 to 7, worst first; None where nothing says it."""
    facility: str = ""
    told_at: datetime | None = None
    """When it was written, by the clock of its host."""
    said_at: datetime | None = None
    """When the log daemon got it, or it was written, where that is told with an offset."""
    data: dict[str, str] = {}
    """Structured data, each parameter as `SD-ID.name`."""
    labels: dict[str, str] = {}
    """What else came with it."""


_PRIORITY = re.compile(r"<(\d{1,3})>(?:(\d{1,2}) (?=\S))?", re.ASCII)
_HEADER = re.compile(r"(\S+) (\S+) (\S+) (\S+) (\S+) ?", re.ASCII)
_SD_NAME = r'[^\s="\]]{1,255}'
_SD_VALUE = r'"((?:[^"\\]++|\\.)*+)"'
_SD_ELEMENT = re.compile(rf"\[({_SD_NAME})((?: +{_SD_NAME}={_SD_VALUE})*+) *\]", re.DOTALL)
_SD_PARAMETER = re.compile(rf" +({_SD_NAME})={_SD_VALUE}", re.DOTALL)
_SD_ESCAPE = re.compile(r'\\(["\\\]])')
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_LOCAL = re.compile(
    rf"[*.]?({_MONTHS.replace(' ', '|')}) +(\d{{1,2}})(?: (\d{{4}}))? (\d\d):(\d\d):(\d\d)(?:\.\d{{1,9}})?(?: [A-Z]{{3,4}})?:? ",
    re.ASCII,
)
_ABSOLUTE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)) ", re.ASCII)
_HOST = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.:-]*):? ", re.ASCII)
_TAG = re.compile(r"([^\s:\[\]]{1,128})(?:\[([^\]\s]{0,64})\])?:(?: |$)", re.ASCII)
_APP = re.compile(r"([^\[\]]+)\[([^\]]*)\]:?", re.ASCII)
"""A tag as a log daemon tells it: `sshd[1234]:`."""
_SEQUENCE = re.compile(r"\d{1,20}: ", re.ASCII)
_MNEMONIC = re.compile(
    r"(?:\d{1,20}: )?(?:[*.]?[A-Z][a-z]{2} +\d{1,2} [\d: .]{8,20}(?: ?[A-Z]{3,4})?: )?"
    r"%([A-Z][A-Z0-9_]{0,40}(?:-[A-Z0-9_]{1,40}){0,3}?-[0-7]-[A-Z0-9_]{1,60})(?:: ?|$)",
    re.ASCII,
)
"""What Cisco's devices begin a text with, perhaps after a number and a time: `%LINK-3-UPDOWN: `."""
_REPEATED = re.compile(r"message repeated \d{1,9} times: \[(.*)\]", re.DOTALL | re.ASCII)
_MOST_ELEMENTS = 1_000
"""So many elements of structured data are read."""

_FRAME = re.compile(rb"(\d{1,7}) (?=<)")

_HOSTS = (
    *("hosthostname", "hostname", "host", "sysloghost", "hostip", "sourcehost", "logsource"),
    *("computer", "fromhost", "fromhostip", "sourceip"),
)
_APPS = (
    *("app", "appname", "programname", "program", "applicationname", "ident", "syslogidentifier", "processname"),
    *("sourcename", "tag", "syslogtag", "comm", "application"),
)
_PROCIDS = ("procid", "pid", "processid", "processpid", "syslogpid")
_MSGIDS = ("msgid", "messageid", "syslogmsgid", "logsyslogmsgid")
_TEXTS = ("message", "msg", "shortmessage", "log", "content", "eventoriginal", "rawmsg")
_SEVERITIES = (
    *("syslogseverity", "severitycode", "logsyslogseveritycode", "syslogseverityvalue", "severity", "severitytext"),
    *("syslogseveritytext", "severitylabel", "logsyslogseverityname", "level", "loglevel", "syslogseveritycode"),
)
_PRIORITIES = ("pri", "priority", "syslogpri", "logsyslogpriority")
_FACILITIES = (
    *("facility", "syslogfacilitytext", "facilitylabel", "logsyslogfacilityname", "syslogfacility", "facilitytext"),
    *("facilitycode", "logsyslogfacilitycode"),
)
_TOLD = ("time", "timereported", "isodate", "timestamp", "datetime", "eventtime", "date", "realtimetimestamp")
_RECEIVED = ("received", "timegenerated", "receivedat", "rdate", "risodate", "ingested", "eventingested")
_DATA = ("structureddata", "sdata", "sd")
_KNOWN = frozenset(
    (
        *_HOSTS,
        *_APPS,
        *_PROCIDS,
        *_MSGIDS,
        *_TEXTS,
        *_SEVERITIES,
        *_PRIORITIES,
        *_FACILITIES,
        *_TOLD,
        *_RECEIVED,
        *_DATA,
    )
)
_ENVELOPES = ("fields", "tags", "syslog")
"""Objects whose fields are the message's own: Telegraf's, FlowG's."""
_NO_SIGNS = str.maketrans("", "", " _-.@$!")


def from_json(document: dict[str, Any]) -> Message:
    """The message of one JSON object.

    Raises:
        PayloadError: it has no text.
    """
    fields, labels = _flattened(document)
    text = _first(fields, _TEXTS)
    if not text:
        raise PayloadError("the message has no text: `message` or `msg`")
    severity = next((found for name in _SEVERITIES if (found := severity_of(fields.get(name, ""))) is not None), None)
    if severity is None and (priority := _first(fields, _PRIORITIES)):
        severity = int(priority) % 8 if priority.isdecimal() and len(priority) < 4 else severity_of(priority)  # noqa: PLR2004
    app = _first(fields, _APPS)
    tag = _APP.fullmatch(app)
    told_at = _moment(fields, _TOLD)
    told = Message(
        text=text.strip(),
        host=_first(fields, _HOSTS),
        app=tag[1] if tag else app.removesuffix(":"),
        procid=_first(fields, _PROCIDS) or (tag[2] if tag else ""),
        msgid=_first(fields, _MSGIDS),
        severity=severity,
        facility=_facility(_first(fields, _FACILITIES)),
        told_at=told_at,
        said_at=_moment(fields, _RECEIVED) or told_at,
        data=_structured(_first(fields, _DATA))[0],
        labels=labels,
    )
    return _with_mnemonic(told)


def from_line(line: str, zone: tzinfo, now: datetime) -> Message:
    """The message of one line, with or without a priority.

    Args:
        line: the line, or the frame.
        zone: where the clock of a host is that writes no offset.
        now: tells which year a line means that has none.

    Raises:
        PayloadError: nothing in it can be a header.
    """
    priority = _PRIORITY.match(line)
    severity = facility = None
    if priority:
        number = int(priority[1])
        severity, facility = number % 8, number // 8
        line = line[priority.end() :]
    told = _rfc5424(line) if priority and priority[2] else None
    told = told or _rfc3164(line, zone, now)
    told.severity = severity
    told.facility = _facility("" if facility is None else str(facility))
    return _with_mnemonic(told)


def frames(body: bytes) -> list[bytes] | None:
    """The frames of a body with octet counting (RFC 6587); None when it has none.

    Raises:
        PayloadError: there are more than may be lines.
    """
    found: list[bytes] = []
    at = 0
    while head := _FRAME.match(body, at):
        at = head.end() + int(head[1])
        found.append(body[head.end() : at])
        if len(found) > _lines.MAX_LINES:
            raise PayloadError(f"the body has more than {_lines.MAX_LINES} frames")
        while body[at : at + 1] == b"\n":
            at += 1
    return found if found and at >= len(body) else None


def severity_of(word: str) -> int | None:
    """What a word or a number from 0 to 7 says; None for anything else."""
    told = word.strip().lower()
    if len(told) == 1 and told in "01234567":
        return int(told)
    return _WORDS.get(told)


def _rfc5424(line: str) -> Message | None:
    header = _HEADER.match(line)
    if header is None:
        return None
    data, end = _structured(line, header.end())
    when, host, app, procid, msgid = ("" if part == "-" else part for part in header.groups())
    text = line[end:].removeprefix(" ").removeprefix("\ufeff").strip()
    told_at = _times.moment(when)
    if when and told_at is None:
        return None
    return Message(
        text=text, host=host, app=app, procid=procid, msgid=msgid, told_at=told_at, said_at=told_at, data=data
    )


def _rfc3164(line: str, zone: tzinfo, now: datetime) -> Message:
    """`Oct 11 22:14:15 host tag[12]: text`; the time may be RFC 3339, may have a year, and may follow Cisco's numbers."""
    rest = line.lstrip()
    host = ""
    if number := _SEQUENCE.match(rest):
        rest = rest[number.end() :]
        if (named := _HOST.match(rest)) and not _LOCAL.match(rest) and not _ABSOLUTE.match(rest):
            host, rest = named[1].rstrip(":"), rest[named.end() :].lstrip()
            rest = rest[again.end() :] if (again := _SEQUENCE.match(rest)) else rest
    said_at = None
    if absolute := _ABSOLUTE.match(rest):
        when = said_at = _times.moment(absolute[1])
        rest = rest[absolute.end() :]
    elif local := _LOCAL.match(rest):
        when, rest = _year_guessed(local.groups(), zone, now), rest[local.end() :]
    else:
        raise PayloadError(
            "this is no line of syslog: `<27>1 2026-11-23T07:41:12Z host app - - - text`, or `<27>Nov 23 …`"
        )
    if not host and not rest.startswith("%") and (named := _HOST.match(rest)):
        host, rest = named[1].rstrip(":"), rest[named.end() :].lstrip(": ")
    app, procid = "", ""
    if not rest.startswith("%") and (tag := _TAG.match(rest)):
        app, procid, rest = tag[1], tag[2] or "", rest[tag.end() :]
    return Message(text=rest.strip(), host=host, app=app, procid=procid, told_at=when, said_at=said_at)


def _with_mnemonic(told: Message) -> Message:
    """Cisco's mnemonic is what RFC 5424 calls a MSGID; of repeats that a log daemon has counted, the text is what repeats."""
    if repeated := _REPEATED.fullmatch(told.text):
        told.text = repeated[1].strip()
    if told.msgid:
        return told
    if tag := _MNEMONIC.match(told.app):  # a log daemon took it for the tag
        told.msgid, told.app = tag[1], ""
    elif found := _MNEMONIC.match(told.text):
        told.msgid, told.text = found[1], told.text[found.end() :]
        told.app = "" if told.app.isdecimal() else told.app
    return told


def _year_guessed(groups: tuple[str | None, ...], zone: tzinfo, now: datetime) -> datetime | None:
    month, day, year, *clock = groups
    here = now.astimezone(zone)
    for candidate in (int(year),) if year else (here.year + 1, here.year, here.year - 1):
        parts = (candidate, _MONTHS.split().index(str(month)) + 1, int(str(day)), *(int(str(part)) for part in clock))
        try:
            when = _times.known(datetime(*parts, tzinfo=zone))  # type: ignore[misc,arg-type]
        except ValueError:
            continue
        if year or (when and when <= now + timedelta(days=1)):
            return when
    return None


def _structured(text: str, at: int = 0) -> tuple[dict[str, str], int]:
    """Structured data that begins at a position: each parameter as `SD-ID.name`, and where the data end."""
    data: dict[str, str] = {}
    if text[at : at + 1] == "-":
        return data, at + 1
    for _ in range(_MOST_ELEMENTS):
        if (element := _SD_ELEMENT.match(text, at)) is None:
            break
        for name, value in _SD_PARAMETER.findall(element[2]):
            data[f"{element[1]}.{name}"] = _SD_ESCAPE.sub(r"\1", value)
        at = element.end()
    return data, at


def _flattened(document: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The scalars by their names without case and signs, those at the top first; and the labels, by their own names."""
    flat = _labels.flat(document)
    fields: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in islice(sorted(flat, key=lambda name: (name not in document, name)), _read.MOST_FIELDS):
        short = _short(name)
        if short in _KNOWN:
            fields.setdefault(short, flat[name])
        elif (inner := _inner(short)) in _KNOWN:
            fields.setdefault(inner, flat[name])
        else:
            labels[name] = flat[name]
    for name, value in document.items():  # a label is cut, a text is not
        if isinstance(value, str) and (short := _short(name)) in _TEXTS:
            fields[short] = value
    return fields, labels


def _inner(short: str) -> str:
    """The name without that of the envelope it stands in."""
    return next((short.removeprefix(envelope) for envelope in _ENVELOPES if short.startswith(envelope)), "")


@remembered(4096)
def _short(name: str) -> str:
    return name.lower().translate(_NO_SIGNS)


def _first(fields: Mapping[str, str], names: Iterable[str]) -> str:
    return next((found for name in names if (found := fields.get(name, "").strip()) not in {"", "-"}), "")


def _moment(fields: Mapping[str, str], names: Iterable[str]) -> datetime | None:
    return next(filter(None, (_times.moment(fields[name]) for name in names if name in fields)), None)


def _facility(told: str) -> str:
    if told.isdecimal() and len(told) < 3 and int(told) < len(FACILITIES):  # noqa: PLR2004 - 0 to 23
        return FACILITIES[int(told)]
    return told.lower()

"""Syslog messages, as lines or as JSON.

Format: RFC 5424 lines and RFC 3164 lines, also with octet counting (https://www.rfc-editor.org/rfc/rfc5424), or a JSON object for each
message, one, a list, or one in each line: what rsyslog's templates make (`config/sources/syslog/`), and the fields of syslog-ng, Vector,
Telegraf, Fluent Bit, Logstash, GELF and journald. The mnemonic of Cisco's devices (`%LINK-3-UPDOWN`) counts as MSGID.
Authentication: whatever the sender can do; `tocsin-syslog` sends a bearer token.
Identity: host, application and MSGID; without a MSGID the text without its numbers and addresses. Of a message that the option
`pairs` knows: host, check, and what its expression captures.
Resolved: a text that the `resolved` expression of one of the `pairs` finds. Syslog itself never says that anything is over: any other
message is believed for `forget_after`, counted from the last one.
Delivery: `tocsin-syslog` confirms to rsyslog what tocsin has stored; what it has not, rsyslog keeps in its queue and sends again.
Limits: messages less severe than `least` are no alerts, unless a pair knows them; 100 000 lines in each request.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tocsin.errors import PayloadError
from tocsin.model import Severity
from tocsin.sources import _build, _lines, _read, _regex, _syslog
from tocsin.sources._options import ZonedOptions
from tocsin.units import Duration  # noqa: TC001 - pydantic evaluates it

if TYPE_CHECKING:
    from datetime import datetime

    from msgspec import Raw

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = frozenset({"*/*"})
"""Log daemons call their lines text, JSON, a form or nothing; the body tells."""

_SEVERITIES = (
    *(Severity.CRITICAL, Severity.CRITICAL, Severity.CRITICAL, Severity.MAJOR),
    *(Severity.WARNING, Severity.INFO, Severity.INFO, Severity.INFO),
)
"""What the numbers of syslog are in our words."""

_MASKED = 1_000
"""How many characters of a text identify it."""

_CHANGING = re.compile(
    r"(?<![\w/])(?:0[xX][0-9a-fA-F]++|[a-fA-F:]*+[0-9][0-9a-fA-F.:,-]*+)(?:%|[a-zA-Z]{1,2})?+(?![\w/])", re.ASCII
)
"""A number, an address or a hexadecimal word that stands alone; a digit in a name, such as `eth0` or `sda1`, stays."""

_Least = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]


class Pair(BaseModel):
    """Texts that say that a problem began, and those that say that it is over."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    check: Annotated[str, Field(min_length=1, max_length=512)]
    """Check of the alert."""
    firing: _regex.Expression
    """Regular expression (RE2) for the texts that say that it began; what it captures in `(?P<name>…)` identifies it."""
    resolved: _regex.Expression | None = None
    """The one for the texts that say that it is over; captures the same names."""
    app: str = ""
    """Application that writes them; any, unless said."""
    severity: Severity | None = None
    """Severity of the alert; that of the message unless said."""


class Options(ZonedOptions):
    """How messages are read: which are alerts, and which belong together."""

    least: _Least = "err"
    """The least severe message that is an alert. One without a severity is an alert."""

    pairs: tuple[Pair, ...] = ()
    """Texts that belong together: `{check: name, firing: 'RE2', resolved: 'RE2', app: name, severity: major}`."""

    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(hours=1)
    """How long a message that nothing ends is believed after the last one."""

    @cached_property
    def patterns(self) -> _Patterns:
        """The expressions of the pairs, compiled."""
        return _Patterns(self.pairs)


class _Known(NamedTuple):
    """What a pair says of a message."""

    pair: Pair
    resolved: bool
    captured: dict[str, str]


class _Patterns:
    """The expressions of all pairs: one pass over a text tells which of them are in it."""

    def __init__(self, pairs: tuple[Pair, ...]) -> None:
        self._sides = [(pair, over) for pair in pairs for over in (False, True) if not over or pair.resolved]
        self._regexes = [pair.resolved or "" if over else pair.firing for pair, over in self._sides]
        self._several = _regex.Several(self._regexes)

    def find(self, message: _syslog.Message) -> _Known | None:
        """The first pair that knows the message; of one that both sides know, the resolved side counts."""
        known: _Known | None = None
        for position in self._several.found(message.text):
            pair, over = self._sides[position]
            if pair.app not in {"", message.app} or (known and pair is not known.pair):
                continue
            regex = _regex.compiled(self._regexes[position])
            found = regex.search(message.text)
            if found is not None:
                known = _Known(pair, over, regex.named(found))
        return known


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alerts among the messages; a line that is none is `Unreadable`, and one that is no alert leaves nothing.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one message, and cannot be read.
    """

    def of_json(document: bytes | Raw) -> Alert | None:
        return of_fields(_read.entry(_lines.read(document), _read.OBJECT, "a message of syslog"))

    def of_fields(fields: dict[str, Any]) -> Alert | None:
        return _alert(_syslog.from_json(fields), payload, options, now)

    def of_line(line: str) -> Alert | None:
        return _alert(_syslog.from_line(line, options.zone, now), payload, options, now)

    if _lines.looks_like_json(payload.body):
        documents = _lines.documents(payload.body)
        if len(documents) > 1 or payload.body.lstrip().startswith(b"["):
            return _lines.each(documents, of_json)
        fields = _read.entry(_lines.read(documents[0]), _read.OBJECT, "a message of syslog")
        batch = fields.get("metrics")  # Telegraf's batches
        if isinstance(batch, list):
            return _lines.each(batch, lambda one: of_fields(one if isinstance(one, dict) else {}))
        return _one(of_fields(fields))
    if payload.content_type == "application/json":
        _read.unread(payload.body)
    frames = _syslog.frames(payload.body)
    lines = _lines.split(payload.body) if frames is None else [_lines.text(frame) for frame in frames]
    return _one(of_line(lines[0])) if len(lines) == 1 else _lines.each(lines, of_line)


def _one(alert: Alert | None) -> list[Alert | Unreadable]:
    return [] if alert is None else [alert]


def _alert(message: _syslog.Message, payload: Payload, options: Options, now: datetime) -> Alert | None:
    if not message.host:
        raise PayloadError("the host is missing: a message of syslog must say which host it is from")
    known = options.patterns.find(message)
    if known is None and (message.severity or 0) > _syslog.SEVERITIES.index(options.least):
        return None
    resolved = known is not None and known.resolved
    ends = known is not None and known.pair.resolved is not None
    when = message.told_at or message.said_at
    check = known.pair.check if known else "/".join(filter(None, (message.app, message.msgid))) or "syslog"
    return _build.alert(
        payload,
        options,
        identity=_identity(message, known),
        resolved=resolved,
        severity=(known and known.pair.severity) or _how_severe(message),
        resource=message.host,
        check=check,
        summary=message.text,
        description=message.text if "\n" in message.text else "",
        labels=_labels(message) | (known.captured if known else {}),
        starts_at=None if resolved else when,
        ends_at=when if resolved else None if ends else now + options.forget_after,
        said_at=message.said_at,
    )


def _identity(message: _syslog.Message, known: _Known | None) -> tuple[str, ...]:
    if known:
        captured = (part for name in sorted(known.captured) for part in (name, known.captured[name]))
        return (message.host, known.pair.check, *captured)
    if message.msgid:
        return (message.host, message.app, message.msgid)
    return (message.host, message.app, "", _CHANGING.sub("#", message.text[:_MASKED]))


def _how_severe(message: _syslog.Message) -> str:
    return "" if message.severity is None else _SEVERITIES[message.severity]


def _labels(message: _syslog.Message) -> dict[str, str]:
    severity = "" if message.severity is None else _syslog.SEVERITIES[message.severity]
    told: dict[str, Any] = {
        "app": message.app,
        "procid": message.procid,
        "msgid": message.msgid,
        "severity": severity,
        "facility": message.facility,
    }
    return {**message.labels, **message.data, **told}

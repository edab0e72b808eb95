"""SNMP traps, as JSON or as snmptrapd tells them.

Format: one trap as JSON, a list of them or one in each line: what `tocsin-trap` posts
(`config/sources/snmp/`, a `traphandle` of Net-SNMP's snmptrapd, http://www.net-snmp.org/docs/man/snmptrapd.conf.html), and
what Telegraf, Logstash, Datadog's agent, ONAP trapd and Tornado make of traps; or the text that snmptrapd gives to any
`traphandle`. Identifiers may be numbers or names from MIBs (`IF-MIB::linkDown`); versions 1, 2c and 3.
Authentication: whatever the sender can do; `tocsin-trap` sends a bearer token. SNMP's own is snmptrapd's business.
Identity: the device (its address where it is told) and the problem: of a pair its key, such as `ifIndex` of linkDown and
linkUp; of a state the row of its variable; of any other trap its identifier and those of its variables.
Resolved: the second trap of a pair (linkUp, bgpEstablished, upsTrapAlarmEntryRemoved, and those of the option `pairs`), or a
variable with one of the values that the option `states` calls resolved. No other trap is ever said to be over: it is
believed for `forget_after`, counted from the last one.
Delivery: traps are sent once; `tocsin-trap` keeps on disk what it cannot deliver, and sends it with the next trap.
Limits: without the option `names`, or MIB files at the receiver, vendors' traps are numbers.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from tocsin.model import Severity  # noqa: TC001 - pydantic evaluates it
from tocsin.sources import _build, _labels, _lines, _read, _secret, _severity, _traps
from tocsin.sources import _oids as oids
from tocsin.sources import _trap_problems as problems
from tocsin.sources._options import SourceOptions
from tocsin.units import Duration  # noqa: TC001 - pydantic evaluates it

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from msgspec import Raw

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = frozenset({"*/*"})
"""Telegraf calls its JSON text, and curl calls everything a form."""

_INTERFACE = ("ifName", "ifDescr", "ifAlias", "ifIndex")
_SHOWN = 300
"""Most characters of a value in the description."""


class Options(SourceOptions):
    """How traps are read: which belong together, what their numbers are called, how severe they are."""

    pairs: tuple[problems.Pair, ...] = ()
    """Traps that begin and end a problem: `{firing: OID, resolved: OID, key: [OID], check: name, severity: major}`."""

    states: tuple[problems.State, ...] = ()
    """Variables whose values say whether there is a problem: `{varbind: OID, resolved: [1], firing: [2, 3], check: name}`."""

    names: dict[problems.Oid, Annotated[str, Field(min_length=1, max_length=200)]] = Field(default={})
    """Names for the numbers of traps and variables; they become checks and labels."""

    severities: dict[problems.Oid, Severity] = Field(default={})
    """Severity by trap, or by the variable of a state."""

    severity_varbinds: problems.Oids = ()
    """Variables that hold a severity, best first; they count before what pairs and states say, and after `severities`."""

    severity_words: dict[str, Severity] = Field(default={})
    """What the values of those variables mean, where they are no common words: `{'1': critical}`."""

    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(hours=24)
    """How long a trap that nothing ends is believed after the last one."""

    @model_validator(mode="after")
    def _no_trap_twice(self) -> Self:
        problems.known(self.pairs)
        return self

    @cached_property
    def known(self) -> problems.Known:
        """The pairs by trap."""
        return problems.known(self.pairs)


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alerts of the traps of one message; in a list or lines, one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one trap, and cannot be read.
    """
    if not _lines.looks_like_json(payload.body):
        if payload.content_type == "application/json":
            _read.unread(payload.body)
        return [_alert(_traps.from_text(_lines.text(payload.body)), payload, options, now)]

    def build(message: dict[str, Any]) -> Alert:
        return _alert(_traps.from_json(message), payload, options, now)

    message = _whole(payload.body)
    documents = [] if message else _lines.documents(payload.body)
    if len(documents) == 1 and not payload.body.lstrip().startswith(b"["):
        message = _object(documents[0])
    if message is None:
        return _read.each(documents, lambda one: build(_object(one)))
    batch = message.get("metrics")  # Telegraf's batches
    return _read.each(batch, lambda one: build(_mapping(one))) if isinstance(batch, list) else [build(message)]


def _whole(body: bytes) -> dict[str, Any] | None:
    """The one object that most bodies are; None of any other, and of what is not to be read."""
    try:
        return _read.whole(body, _read.OBJECT) or None
    except _read.NotJsonError:
        return None


def _object(document: bytes | Raw) -> dict[str, Any]:
    return _read.entry(_lines.read(document), _read.OBJECT, "a trap")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _alert(trap: _traps.Trap, payload: Payload, options: Options, now: datetime) -> Alert:
    problem = problems.problem(trap, options.known, options.states, options.names)
    handed_on = trap.agent and trap.address and trap.agent != trap.address
    labels = _shown(trap, options.names)
    resource = trap.agent if handed_on else trap.host or trap.address or trap.agent
    name = problems.name(trap.oid, options.names, trap.name)
    about = " ".join(next((labels[label] for label in _INTERFACE if labels.get(label)), "").split())
    told = {"trap": name, "trap_oid": trap.oid, "address": trap.address, "agent": trap.agent, "uptime": trap.uptime}
    return _build.alert(
        payload,
        options,
        identity=(trap.agent or trap.address or trap.host, *problem.identity),
        resolved=problem.resolved,
        severity=_how_severe(trap, problem, options),
        resource=resource,
        check=problem.check,
        summary=f"{name}: {resource}, {about}" if about else f"{name}: {resource}",
        description="\n".join(f"{label} = {value[:_SHOWN]}" for label, value in labels.items()),
        labels={**_labels.flat(trap.labels), **labels, **told},
        starts_at=None if problem.resolved else trap.said_at,
        ends_at=trap.said_at if problem.resolved else None if problem.ends else now + options.forget_after,
        said_at=trap.said_at,
    )


def _shown(trap: _traps.Trap, names: Mapping[str, str]) -> dict[str, str]:
    """The variables by their names, with the row only where the name is taken."""
    labels: dict[str, str] = {}
    for oid, value in trap.varbinds:
        label, index = oids.named(oid, names)
        if _secret.is_secret(label):
            continue
        labels[f"{label}.{index}" if label in labels and index else label] = value
    return labels


def _how_severe(trap: _traps.Trap, problem: problems.Problem, options: Options) -> str:
    if problem.cause in options.severities:
        return options.severities[problem.cause]
    for branch in options.severity_varbinds:
        told = next((value for oid, value in trap.varbinds if oids.is_below(oid, branch)), "")
        for known in (options.severity_words, _severity.WORDS):
            if found := next((known[word] for word in problems.words(told) if word in known), None):
                return found
    return problem.severity or ""

"""Wazuh and OSSEC: alerts of the manager.

Format: the alert as the manager writes it (https://documentation.wazuh.com/current/user-manual/manager/alert-management.html):
one, a list, or JSON lines; in the envelope of the integrations `shuffle` and `slack`, of an indexer's search (`hits`), or
of a monitor of the indexer (`monitor`, `trigger`, `hits`, or the text that it sends of its own). OSSEC's own JSON (`rule.sidid`, `rule.comment`) is read, too.
Authentication: what the script in `config/sources/wazuh/` sends, a bearer token; of a built-in integration, a token in the address.
Identity: agent and rule, with the file of a syscheck or rootcheck alert, the CVE and package of a vulnerability, or the check of a policy.
An agent that is gone, a full queue and a full file database are one problem each, whatever rule tells them.
Resolved: only where Wazuh says so: agent started, connected or removed (rules 501, 503, 505) after stopped or disconnected
(504, 506), queue and file database back to normal (205, 234, 238), a vulnerability solved, a policy check passed. Any
other alert is an occurrence: it is believed for a day (`expire_after`).
Delivery: once, unless the script is told to try again. Only alerts from the integration's `level` on are sent.
Limits: no end of most problems.
"""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _identity, _labels, _lines, _read, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = frozenset({"application/json", "application/x-ndjson", "application/jsonl", "text/plain"})
EXPIRE_AFTER = timedelta(days=1)

_ANY: Decoder[Any] = Decoder()
_FEWEST_LINES = 2
_LONG_NUMBER = 5

_LEVELS = ((15, "critical"), (12, "major"), (7, "minor"), (4, "warning"), (0, "info"))
"""From which level on: severe attack; high importance; first seen, integrity, several errors; an error; routine."""

_TRIGGERS = {"1": "critical", "2": "major", "3": "minor", "4": "warning", "5": "info"}
"""Severities of the indexer's monitors."""

_OVER_STATES = frozenset({"completed", "resolved", "ok"})

AGENT_GONE, QUEUE_FULL = "agent disconnected", "agent event queue"
FILES_FULL, REGISTRY_FULL = "file monitoring database", "registry monitoring database"
_PROBLEMS = {
    **dict.fromkeys(("504", "506"), (AGENT_GONE, False)),
    **dict.fromkeys(("501", "503", "505"), (AGENT_GONE, True)),
    **dict.fromkeys(("202", "203", "204"), (QUEUE_FULL, False)),
    "205": (QUEUE_FULL, True),
    **dict.fromkeys(("231", "232", "233"), (FILES_FULL, False)),
    "234": (FILES_FULL, True),
    **dict.fromkeys(("235", "236", "237"), (REGISTRY_FULL, False)),
    "238": (REGISTRY_FULL, True),
}
"""Rule → the problem that it tells of, and whether it tells its end."""

_MANAGER = "000"
"""Id of the manager itself, as an agent."""

_NAMED = re.compile(r"Agent [a-z]{1,20}: '([^'>]{1,200}?)(?:->|-)[\w.:/]{1,50}'", re.ASCII)
"""What the manager writes of an agent that cannot speak for itself."""

_LOCATION = re.compile(r"\(([^)]{1,200})\) |([^ >]{1,200})->")
_RULE_SHOWN = re.compile(r"(\d{1,10}) _\(Level (\d{1,2})\)_", re.ASCII)
_AGENT_SHOWN = re.compile(r"\((\d{1,10})\) - (.{1,300})", re.ASCII)
"""How the `slack` integration writes rule and agent."""

_MONITOR = re.compile(r"\s*Monitor (.{1,300}) just entered alert status")
_MONITOR_FIELD = re.compile(r"^ *- (Trigger|Severity|Period start|Period end): ?(.{0,300})$", re.MULTILINE)
"""The text that a monitor of the indexer sends where nobody has written another."""

_TEXTS = ("full_log", "previous_output", "previous_log", "@timestamp", "@version", "input")


class Options(SourceOptions):
    """How alerts of Wazuh are read."""


class _Problem(NamedTuple):
    """What an alert tells of."""

    identity: tuple[str, ...]
    check: str
    resolved: bool = False


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of a message; one of several that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is neither JSON nor JSON lines.
        PayloadError: it is one alert, and cannot be read.
    """

    def build(message: Any) -> Alert:
        if isinstance(message, PayloadError):
            raise message
        return _of_monitor(payload, options, message) if _is_monitor(message) else _alert(payload, options, message)

    found, is_one = _messages(payload.body)
    messages = [message for one in found for message in _unwrapped(one)]
    return [build(messages[0])] if is_one and len(messages) == 1 else _read.each(messages, build)


def _messages(body: bytes) -> tuple[list[Any], bool]:
    """The documents of a body, and whether it is one: JSON, a list of them, or one in each line; or a monitor's text."""
    try:
        told = _read.entry(_read.unread(body), _ANY, "JSON")
    except _read.NotJsonError:
        if monitor := _MONITOR.match(text := body.decode(errors="replace").replace("\0", "\ufffd")):
            fields = {name.lower().replace(" ", "_"): value.strip() for name, value in _MONITOR_FIELD.findall(text)}
            return [{"monitor": monitor[1], "text": text, **fields}], True
        lines = [line for line in _lines.few(body).split(b"\n") if line.strip()]
        if len(lines) < _FEWEST_LINES or not any(map(_is_object, lines)):
            raise
        return [_line(line) for line in lines], False
    return (told, False) if isinstance(told, list) else ([told], True)


def _is_object(line: bytes) -> bool:
    return isinstance(_line(line), dict)


def _line(line: bytes) -> Any:
    """What a line says, or why it cannot be read."""
    try:
        return _read.entry(_read.unread(line), _ANY, "JSON")
    except PayloadError as error:
        return error


def _unwrapped(message: Any) -> list[Any]:
    """The alerts in an envelope: of an integration, of a search, of a monitor."""
    if not isinstance(message, dict) or isinstance(message.get("rule"), dict):
        return [message]
    if isinstance(shown := message.get("attachments"), list):
        return [_of_attachment(one) for one in shown]
    for name in ("all_fields", "_source", "alert", "ctx"):
        if isinstance(message.get(name), dict):
            return _unwrapped(message[name])
    for name in ("hits", "alerts", "results"):
        inner = message.get(name)
        if isinstance(inner, dict) and (isinstance(inner.get("hits"), (dict, list))):
            return _unwrapped(inner)
        if isinstance(inner, list) and any(isinstance(one, dict) for one in inner):
            return [alert for one in inner for alert in _unwrapped(one)]
    return [message]


def _of_attachment(shown: Any) -> Any:
    """The alert that the `slack` integration shows, whose `ts` is its id: second and offset. Anything else as it is."""
    fields = _labels.named(_dig.items(shown, "fields"), "title")
    rule, agent = _RULE_SHOWN.match(fields.get("Rule ID", "")), _AGENT_SHOWN.match(fields.get("Agent", ""))
    if rule is None:
        return shown
    return {
        "rule": {"id": rule[1], "level": rule[2], "description": _dig.text(shown, "title")},
        "agent": {"id": agent[1], "name": agent[2]} if agent else {},
        "hostname": fields.get("Agentless Host", ""),
        "location": fields.get("Location", ""),
        "full_log": _dig.text(shown, "text"),
        "timestamp": _dig.text(shown, "ts").partition(".")[0],
    }


def _alert(payload: Payload, options: Options, message: Any) -> Alert:
    rule = _dig.mapping(message, "rule")
    number = _dig.first(rule, "id", "sidid")
    if not number:
        raise PayloadError("rule.id is missing: this is no alert of Wazuh")
    resource = _resource(message, number)
    problem = _problem(message, number, resource)
    at = _times.moment(_dig.first(message, "timestamp", "@timestamp", "TimeStamp"))
    return _build.alert(
        payload,
        options,
        identity=problem.identity,
        resolved=problem.resolved,
        severity=_severity(_dig.text(rule, "level")) if problem.resolved or problem.check != AGENT_GONE else "major",
        resource=resource,
        check=_identity.cut(problem.check, _identity.MAX_NAME),
        summary=_dig.first(rule, "description", "comment"),
        description=_dig.text(message, "full_log"),
        labels=_details.labels(message, skip=_TEXTS),
        starts_at=None if problem.resolved else at,
        ends_at=at if problem.resolved else None,
        said_at=at,
    )


def _severity(level: str) -> str:
    number = int(level) if level.isdecimal() and len(level) < _LONG_NUMBER else -1
    return next((word for least, word in _LEVELS if number >= least), "")


def _resource(message: Any, number: str) -> str:
    """The agent; where the manager speaks for another, that one."""
    name, location = _dig.text(message, "agent", "name"), _dig.text(message, "location")
    if _dig.text(message, "agent", "id") in {"", _MANAGER}:
        named = _NAMED.search(_dig.text(message, "full_log")) if number in _PROBLEMS else None
        if named:
            return named[1]
        if _is_address(location):
            return _dig.text(message, "predecoder", "hostname") or location
    place = _LOCATION.match(location)
    older = _dig.first(message, "agent_name") or (place[1] if place else "") or _dig.first(message, "hostname")
    return name or older or (place[2] if place else "") or _dig.text(message, "manager", "name")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _problem(message: Any, number: str, resource: str) -> _Problem:
    if number in _PROBLEMS:
        what, resolved = _PROBLEMS[number]
        return _Problem((what, resource), what, resolved)
    agent = (resource, _dig.text(message, "agent", "id"))
    if cve := _dig.text(message, "data", "vulnerability", "cve"):
        package = _dig.text(message, "data", "vulnerability", "package", "name")
        solved = _dig.text(message, "data", "vulnerability", "status").lower() in {"solved", "obsolete"}
        return _Problem((*agent, "vulnerability", cve, package), f"{cve} {package}".strip(), solved)
    if check := _dig.text(message, "data", "sca", "check", "id"):
        policy = _dig.first(_dig.mapping(message, "data", "sca"), "policy_id", "policy")
        passed = _dig.text(message, "data", "sca", "check", "result").lower() in {"passed", "not applicable"}
        return _Problem((*agent, "sca", policy, check), f"sca check {check}", passed)
    path = _dig.text(message, "syscheck", "path")
    if not path and _dig.text(message, "location") == "rootcheck":
        path = _dig.first(_dig.mapping(message, "data"), "file", "title")
    return _Problem((*agent, "rule", number, path), f"rule {number} {path}".strip())


def _is_monitor(message: Any) -> bool:
    return isinstance(message, dict) and "rule" not in message and bool({"monitor", "monitor_name"} & message.keys())


def _of_monitor(payload: Payload, options: Options, message: dict[str, Any]) -> Alert:
    """What a monitor of the indexer says without the alerts that it found."""
    monitor = _named(message, "monitor")
    trigger = _named(message, "trigger")
    resolved = _dig.first(message, "state", "status").lower() in _OVER_STATES
    severity = _dig.first(message, "severity", "trigger_severity") or _dig.text(message, "trigger", "severity")
    return _build.alert(
        payload,
        options,
        identity=("monitor", monitor, trigger),
        resolved=resolved,
        severity=_TRIGGERS.get(severity, severity),
        resource=_dig.first(message, "resource", "host", "hostname", "agent_name", "agent") or monitor,
        check=trigger or monitor,
        summary=_dig.first(message, "summary", "subject"),
        description=_dig.first(message, "message", "text"),
        labels=_details.labels(message, skip=("message", "text")),
        starts_at=_times.moment(_dig.text(message, "period_start")) if not resolved else None,
        said_at=_times.moment(_dig.text(message, "period_end")),
    )


def _named(message: dict[str, Any], what: str) -> str:
    """Name of a monitor or trigger: an object, a text, or a field of its own."""
    return _dig.first(_dig.mapping(message, what), "name", "id", "_id") or _dig.first(message, what, f"{what}_name")

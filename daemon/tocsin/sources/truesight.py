"""BMC TrueSight and BMC Helix: event slots.

Format: the slots of an event as JSON, every scalar possibly a string, in any of these forms, one or a list of them:
bare slots; the publish-subscribe stream's `{action, data: {slots}, subscriptionId, type}`
(`/bppmws/api/stream/subscribe`); the event interface's `{eventSourceHostName, attributes: {slots}}`
(`/bppmws/api/Event/create`, `/bppmws/api/Event/update`); Helix names (`source_hostname`, `object`, `metric_name` …,
docs.bmc.com "EVENT base event class"), which become the TrueSight names. One event also as form fields or as `NAME=value` lines, as a
policy action finds them in its environment, in any case. Empty slots, lists and structures (`mc_notes`, `mc_history` …) are no labels.
Authentication: a header of its own, basic, or the words of BMC's interfaces: `authToken …`, `apiKey …`.
Identity: host, object class, object and parameter, because a problem that comes back has a new `mc_ueid`; `mc_ueid`
where neither object nor parameter tells events apart. The check is the parameter alone, which several objects of a host
may share: a rule that should keep them apart names `labels.mc_object` in its key.
Resolved: severity OK, even while the status is still OPEN; or status CLOSED or BLACKOUT. An update that is told by the event's id alone
(`PATCH /events-service/api/v1.0/events/ID`, `mc_ueid`) needs an id that tocsin has answered, and is an alert only when it says either.
Delivery: the sender's business.
Limits: none of its own.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _answers, _identity, _labels, _lines, _read, _secret, _severity, _texts, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from msgspec import Raw

CREATE = "/bppmws/api/Event/create"
UPDATE = "/bppmws/api/Event/update"
EVENTS = "/events-service/api/v1.0/events"
EVENT = "/events-service/api/v1.0/events/{event}"
PATHS = (f"POST {CREATE}", f"PUT {UPDATE}", f"POST {EVENTS}", f"PATCH {EVENT}")

FORM = "application/x-www-form-urlencoded"
MEDIA_TYPES = frozenset({"application/json", FORM, "text/plain"})

_OVER = frozenset({"CLOSED", "BLACKOUT"})
"""Statuses of an event that nobody has to act on; any other word leaves the event open."""

_HELIX = {
    "_identifier": "mc_ueid",
    "source_hostname": "mc_host",
    "source_address": "mc_host_address",
    "object_class": "mc_object_class",
    "object": "mc_object",
    "metric_name": "mc_parameter",
    "creation_time": "mc_incident_time",
    "class": "CLASS",
}
"""Helix name → TrueSight name of the same slot."""

_BASE_CLASS = "EVENT"
"""The class of all classes: the check of an event that names nothing narrower."""

_STARTS = ("mc_incident_time", "date_reception", "mc_arrival_time", "date")
_CHANGES = ("mc_date_modification", "_modified_time")
_SAID = (*_CHANGES, "date_reception", "mc_arrival_time")

_UPPER = frozenset({"CLASS", "CELL_NAME"})
"""Slots whose names are in upper case."""
_ENVIRONMENT = frozenset(
    {"PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "LANG", "SHLVL", "TERM", "HOSTNAME", "_"}
)
"""What else stands in the environment of a policy action."""
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)

_MINTED = "tocsin."
"""What the ids begin with that we answer: they hold what identifies the event, because an update may tell nothing else."""
_IDENTIFYING = ("mc_host", "mc_object_class", "mc_object", "mc_parameter", "mc_ueid", "CLASS")
_IDENTITY = Decoder(list[str])


class Options(SourceOptions):
    """How events of TrueSight are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of one message; in a list, an event that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one event, and cannot be read.
    """

    def build(slots: Mapping[str, Any]) -> Alert | None:
        named, by_id = _known_again(_named(slots), payload.given.get("event", ""))
        return None if by_id and _only_notes(named) else _alert(named, options, payload.source)

    def read(raw: Raw) -> Alert | None:
        return build(_unwrapped(_read.entry(raw, _read.OBJECT, "an event of TrueSight")))

    if not _lines.looks_like_json(payload.body) and payload.content_type != "application/json":
        alert = build(_variables(payload))
        return [] if alert is None else [alert]
    raw = _read.unread(payload.body)
    if bytes(raw).lstrip()[:1] == b"[":
        events = _read.entry(raw, _read.LIST, "a list")
        return _lines.each(events, read)
    return [alert] if (alert := read(raw)) else []


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> _answers.Answer | None:
    """What BMC's interfaces answer: the ids of the events, by which they may be updated. Elsewhere nothing of its own."""
    ids = [_minted(entry) for entry in entries if isinstance(entry, Alert)]
    wrong = [
        {"position": entry.position, "reason": entry.problem} for entry in entries if isinstance(entry, Unreadable)
    ]
    if payload.path in {EVENTS, EVENT}:
        told = ids if payload.path == EVENTS else [payload.given.get("event", "")]
        return _answers.json(
            {"statusCode": "200", "statusMsg": "OK", "successfullEventIds": told, "failedEvents": wrong}
        )
    if payload.path in {CREATE, UPDATE}:
        said = max((entry.said_at for entry in entries if isinstance(entry, Alert) and entry.said_at), default=None)
        return _answers.json(
            {
                "responseTimeStamp": said.strftime("%Y-%m-%dT%H:%M:%S") if said else "",
                "statusCode": "200",
                "statusMsg": "OK",
                "response": {"resourceId": ids[0] if len(ids) == 1 else ids, "failed": wrong},
            }
        )
    return None


def _variables(payload: Payload) -> dict[str, str]:
    """The slots of a form, or of `NAME=value` lines; a value may go on in the next lines."""
    if payload.content_type == FORM and b"\n" not in payload.body.strip():
        return _slots(_read.form(payload.body).items())
    found: list[tuple[str, list[str]]] = []
    for line in _lines.text(_lines.few(payload.body)).split("\n"):
        if variable := _VARIABLE.fullmatch(line):
            found.append((variable[1], [variable[2]]))
        elif found:
            found[-1][1].append(line)
    if not found:
        raise PayloadError("this is no event of TrueSight: neither JSON, nor a form, nor lines of NAME=value")
    return _slots((name, "\n".join(lines)) for name, lines in found)


def _slots(variables: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those that are slots, by the names of slots: a policy action may have them in upper case."""
    return {
        name if name in _UPPER or not name.isupper() else name.lower(): value
        for name, value in variables
        if name not in _ENVIRONMENT and value != "N/A" and not _secret.is_secret(name)
    }


def _unwrapped(message: dict[str, Any]) -> dict[str, Any]:
    """The slots, out of the stream's envelope or the event interface's."""
    if isinstance(data := message.get("data"), dict):
        return data
    if isinstance(attributes := message.get("attributes"), dict):
        host = {"mc_host": message.get("eventSourceHostName"), "mc_host_address": message.get("eventSourceIPAddress")}
        return attributes | {name: value for name, value in host.items() if not attributes.get(name)}
    return message


def _named(slots: Mapping[str, Any]) -> dict[str, str]:
    """The filled scalar slots under their TrueSight names; a slot present under both keeps the TrueSight one."""
    texts = {key: _read.text(value).strip() for key, value in slots.items() if not isinstance(value, (dict, list))}
    filled = {key: value for key, value in texts.items() if value not in {"", "[]"}}
    return {_HELIX[key]: value for key, value in filled.items() if key in _HELIX} | {
        key: value for key, value in filled.items() if key not in _HELIX
    }


def _known_again(slots: dict[str, str], event: str) -> tuple[dict[str, str], bool]:
    """The slots of an update with those that its id holds, the address's or `mc_ueid`; and whether it is one of our ids.

    Raises:
        PayloadError: nothing but the id says which event it is, and the id is none of ours.
    """
    ours = event or slots.get("mc_ueid", "")
    if ours.startswith(_MINTED):
        return _unminted(ours) | {name: value for name, value in slots.items() if name != "mc_ueid"}, True
    if event and "mc_host" not in slots:
        raise PayloadError(
            _read.said(f"event {event!r} is none that tocsin has answered, and the update does not name its host")
        )
    return (slots | {"mc_ueid": event} if event else slots), False


def _only_notes(slots: Mapping[str, str]) -> bool:
    """Whether an update says nothing about whether there is a problem: an acknowledgement, a note, an owner."""
    return not slots.get("severity") and slots.get("status", "").upper() not in _OVER


def _alert(slots: dict[str, str], options: Options, source: str) -> Alert:
    resource = _identity.name(_first(slots, "mc_host", "mc_host_address", "source_identifier"), "mc_host")
    what = _first(slots, "mc_parameter", "mc_object_class", "mc_object", "CLASS") or _BASE_CLASS
    check = _identity.name(what, "mc_parameter")
    resolved = _severity.is_clear(slots.get("severity", "")) or slots.get("status", "").upper() in _OVER
    return Alert(
        source=source,
        fingerprint=_identity.fingerprint(_identity.encode(_identifying(resource, slots))),
        status=Status.RESOLVED if resolved else Status.FIRING,
        severity=_how_severe(slots, options.severity_default),
        resource=resource,
        check=check,
        summary=_texts.summary(slots.get("msg", "")) or f"{check}: {resource}",
        description=_texts.description(_first(slots, "mc_long_msg", "details")),
        labels=_identity.tidy(_labels.public(slots)),
        starts_at=_moment(slots, _STARTS),
        ends_at=_moment(slots, _CHANGES) if resolved else None,
        said_at=_moment(slots, _SAID if resolved else _CHANGES),  # without a change the rest is the start
        url=_texts.link(slots.get("mc_object_uri", "")),
    )


def _first(slots: Mapping[str, str], *names: str) -> str:
    return next((slots[name] for name in names if name in slots), "")


def _moment(slots: Mapping[str, str], names: Iterable[str]) -> datetime | None:
    return next(filter(None, (_times.moment(slots[name]) for name in names if name in slots)), None)


def _identifying(resource: str, slots: Mapping[str, str]) -> tuple[str, ...]:
    kind, thing, parameter = (slots.get(name, "") for name in ("mc_object_class", "mc_object", "mc_parameter"))
    if not (thing or parameter) and "mc_ueid" in slots:
        return (slots["mc_ueid"],)
    if not (kind or thing or parameter):
        raise PayloadError(
            "the event has no mc_parameter, mc_object, mc_object_class or mc_ueid to tell it from others"
        )
    return (resource, kind, thing, parameter)


def _minted(alert: Alert) -> str:
    slots = {**alert.labels, "mc_host": alert.resource}
    told = _identity.encode([slots.get(name, "") for name in _IDENTIFYING])
    return _MINTED + urlsafe_b64encode(told).decode().rstrip("=")


def _unminted(event: str) -> dict[str, str]:
    """What an id of ours holds."""
    encoded = event.removeprefix(_MINTED)
    try:
        told = _IDENTITY.decode(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        found = dict(zip(_IDENTIFYING, told, strict=True))
    except ValueError as error:
        raise PayloadError(_read.said(f"event {event!r} is none that tocsin has answered")) from error
    return {name: value for name, value in found.items() if value}


def _how_severe(slots: Mapping[str, str], default: Severity) -> Severity:
    """What it is, or was before it was cleared."""
    word = slots.get("severity", "")
    if _severity.is_clear(word):
        word = slots.get("mc_original_severity", word)
    return _severity.severity(word, default)

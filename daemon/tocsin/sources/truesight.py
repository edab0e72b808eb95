"""BMC TrueSight and BMC Helix: event slots.

Format: the slots of an event as JSON, every scalar possibly a string, in any of these forms, one or a list of them:
bare slots; the publish-subscribe stream's `{action, data: {slots}, subscriptionId, type}`
(`/bppmws/api/stream/subscribe`); the event interface's `{eventSourceHostName, attributes: {slots}}`
(`/bppmws/api/Event/create`); Helix names (`source_hostname`, `object`, `metric_name` …, docs.bmc.com "EVENT base event
class"), which become the TrueSight names. Empty slots, lists and structures (`mc_notes`, `mc_history` …) are no labels.
Authentication: a header of its own, basic, or the words of BMC's interfaces: `authToken …`, `apiKey …`.
Identity: host, object class, object and parameter, because a problem that comes back has a new `mc_ueid`; `mc_ueid`
where neither object nor parameter tells events apart. The check is the parameter alone, which several objects of a host
may share: a rule that should keep them apart names `labels.mc_object` in its key.
Resolved: severity OK, even while the status is still OPEN; or status CLOSED or BLACKOUT.
Delivery: the sender's business.
Limits: none of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _identity, _read, _severity, _texts, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime

    from msgspec import Raw

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


class Options(SourceOptions):
    """How events of TrueSight are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of one message; in a list, an event that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is one event, and cannot be read.
    """

    def build(raw: Raw) -> Alert:
        message = _read.entry(raw, _read.OBJECT, "an event of TrueSight")
        return _alert(_named(_unwrapped(message)), options, payload.source)

    return _read.one_or_many(payload.body, build)


def _unwrapped(message: dict[str, Any]) -> dict[str, Any]:
    """The slots, out of the stream's envelope or the event interface's."""
    if isinstance(data := message.get("data"), dict):
        return data
    if isinstance(attributes := message.get("attributes"), dict):
        host = {"mc_host": message.get("eventSourceHostName"), "mc_host_address": message.get("eventSourceIPAddress")}
        return attributes | {name: value for name, value in host.items() if not attributes.get(name)}
    return message


def _named(slots: dict[str, Any]) -> dict[str, str]:
    """The filled scalar slots under their TrueSight names; a slot present under both keeps the TrueSight one."""
    texts = {key: _read.text(value).strip() for key, value in slots.items() if not isinstance(value, (dict, list))}
    filled = {key: value for key, value in texts.items() if value not in {"", "[]"}}
    return {_HELIX[key]: value for key, value in filled.items() if key in _HELIX} | {
        key: value for key, value in filled.items() if key not in _HELIX
    }


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
        labels=_identity.tidy(slots),
        starts_at=next(filter(None, (_times.moment(slots.get(name)) for name in _STARTS)), None),
        ends_at=_times.moment(slots.get("mc_date_modification")) if resolved else None,
        url=_texts.link(slots.get("mc_object_uri", "")),
    )


def _first(slots: dict[str, str], *names: str) -> str:
    return next((slots[name] for name in names if name in slots), "")


def _identifying(resource: str, slots: dict[str, str]) -> tuple[str, ...]:
    kind, thing, parameter = (slots.get(name, "") for name in ("mc_object_class", "mc_object", "mc_parameter"))
    if not (thing or parameter) and "mc_ueid" in slots:
        return (slots["mc_ueid"],)
    if not (kind or thing or parameter):
        raise PayloadError(
            "the event has no mc_parameter, mc_object, mc_object_class or mc_ueid to tell it from others"
        )
    return (resource, kind, thing, parameter)


def _how_severe(slots: dict[str, str], default: Severity) -> Severity:
    """What it is, or was before it was cleared."""
    word = slots.get("severity", "")
    if _severity.is_clear(word):
        word = slots.get("mc_original_severity", word)
    return _severity.severity(word, default)

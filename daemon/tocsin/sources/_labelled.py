"""Alerts of the Prometheus family: labels, annotations, RFC 3339 times.

Knows how labels become resource, check, severity and texts. It does not know how a message says that a problem is
over: that is what its kinds, `alertmanager`, `grafana` and `prometheus`, differ in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from tocsin.errors import PayloadError
from tocsin.model import Alert, Status
from tocsin.sources import _identity, _read, _secret, _severity, _texts, _times
from tocsin.sources._options import SourceOptions
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

E = TypeVar("E", bound="Entry")

HEARTBEATS = ("Watchdog", "DeadMan*Switch", "*E2EDeadManSwitch")
"""Alerts that usual rule sets let fire for ever, so that their silence tells: as globs, for `HEARTBEATS` of a kind."""

RESOURCE_LABELS = ("host", "hostname", "node", "nodename", "instance", "pod", "service", "job")
"""The labels that may name the resource, unless the settings say."""

CHECK_LABELS = ("alertname", "rulename", "alert_name", "alert", "rule", "name")
"""The labels that may name the check, the usual one first: Alertmanager itself asks for none."""

UNNAMED = "alert"
"""The check of an alert whose labels name none."""

_TEXTS = frozenset({"labels", "annotations"})
_STATES = {
    **dict.fromkeys(("firing", "alerting", "active"), "firing"),
    **dict.fromkeys(("resolved", "ok", "normal", "inactive"), "resolved"),
}
"""What a template may have made of a status, in lower case."""

_GO = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?) ([+-]\d{4}) \w{1,5}.{0,40}", re.ASCII)
"""A time as Go prints it where a template does not say how: `2026-11-22 01:24:10.5 +0000 UTC m=+8.1`."""


class LabelOptions(SourceOptions):
    """How labels are read."""

    resource_labels: tuple[str, ...] = RESOURCE_LABELS
    """The labels that may name the resource; the first one present does. `instance` loses its port."""

    severity_label: str = "severity"
    """The label that says how severe it is."""


class Entry(Struct, gc=False):
    """One alert as Prometheus and Alertmanager write it; what we do not use is not named."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: _times.Moment | None = None  # noqa: N815 - the name in the message
    endsAt: _times.Moment | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815


def read(raw: Raw, kind: type[E], times: Sequence[str]) -> E:
    """An entry that the fast decoder refused: numbers become text, null and empty fields go.

    Args:
        raw: the entry, out of `_read.unread`.
        kind: what it is to become.
        times: the times that only inform; one that cannot be read goes, too.

    Raises:
        PayloadError: it still is no such entry; the sentence names the field.
    """
    loose = _read.entry(raw, _read.OBJECT, "an alert")
    fields = {key: _as_text(key, value) for key, value in loose.items() if value is not None and value != ""}
    for key in times:
        fields[key] = _moment(fields.get(key))
    status = fields.get("status")
    if isinstance(status, str):
        fields["status"] = _STATES.get(status.lower(), status)
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise PayloadError(_read.said(str(error))) from error


def alert(
    entry: Entry, identity: str, status: Status, ends_at: datetime | None, options: LabelOptions, source: str
) -> Alert:
    """The alert that an entry is; its labels are taken over, so it is read once only.

    Args:
        entry: labels, annotations and start.
        identity: its fingerprint at the source; computed from the labels when empty.
        status: what the message says about it.
        ends_at: see `Alert.ends_at`.
        options: how labels are read.
        source: name of the source, also the resource of an alert that names none.

    Raises:
        PayloadError: nothing identifies it, or a name or the labels are beyond the limits.
    """
    labels, annotations = entry.labels, entry.annotations
    if not (labels or identity):
        raise PayloadError("labels is empty, and there is no fingerprint: nothing tells the alert from others")
    check = _identity.name(labels.get("alertname") or resource_of(labels, CHECK_LABELS) or UNNAMED, "labels.alertname")
    resource = _identity.name(resource_of(labels, options.resource_labels) or source or check, "the resource")
    severity = _severity.severity(labels.get(options.severity_label, ""), options.severity_default)
    encoded = _identity.encode(labels)
    summary = annotations.pop("summary", "") or annotations.pop("message", "") or annotations.pop("title", "")
    description = annotations.pop("description", "")
    if annotations or len(encoded) > _identity.SMALL:
        labels = _identity.tidy(annotations | labels)
    return Alert(
        source=source,
        fingerprint=_identity.name(identity, "fingerprint") if identity else _identity.fingerprint(encoded),
        status=status,
        severity=severity,
        resource=resource,
        check=check,
        summary=_texts.summary(summary) or _texts.summary(description) or f"{check}: {resource}",
        description=_texts.description(description),
        labels=labels,
        starts_at=_times.known(entry.startsAt),
        ends_at=ends_at,
        url=_texts.link(entry.generatorURL),
    )


@remembered(4_096)
def host_of(instance: str) -> str:
    """The host of an `instance` label: without port and brackets; an address of the web stays whole."""
    instance = _secret.public(instance)
    host, colon, port = instance.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        instance = host or instance
    return instance[1:-1] if instance[:1] == "[" and instance[-1:] == "]" else instance


def resource_of(labels: dict[str, str], names: Sequence[str]) -> str:
    """What the first of these labels that is there names; empty when none is."""
    for name in names:
        value = labels.get(name)
        if value:
            return host_of(value) if name == "instance" else value
    return ""


def _moment(value: object) -> datetime | None:
    go = _GO.fullmatch(value) if isinstance(value, str) else None
    return _times.moment(f"{go[1]}{go[2]}" if go else value)


def _as_text(field: str, value: Any) -> Any:
    """The scalars of labels and annotations as text; other fields as they are."""
    if field not in _TEXTS or not isinstance(value, dict):
        return value
    nested = next((name for name, inner in value.items() if isinstance(inner, (dict, list))), None)
    if nested is not None:
        raise PayloadError(_read.said(f"{field}.{nested} is nested; a label or annotation is one text"))
    return {name: _read.text(inner) for name, inner in value.items() if inner is not None}

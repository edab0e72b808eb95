"""Generic JSON, for whatever can post it.

Format: our own, one alert or a list of them, described in this folder's README.md. It is strict: an unknown field is
refused, because a misspelt `severity` that nobody notices is worse. This file is also the one to copy for a new kind.
Authentication: whatever the sender can do; bearer is the usual one.
Identity: `fingerprint` when it is given; otherwise `resource` and `check` together.
Resolved: `status` is `resolved`.
Delivery: the sender's business; 503 means send it again.
Limits: none of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, Struct
from msgspec.json import Decoder

from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _identity, _labels, _read, _secret, _texts, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime


class Options(SourceOptions):
    """How generic messages are read."""


class Message(Struct, kw_only=True, forbid_unknown_fields=True):
    """One alert as it is posted; the README of this folder has a row for each field."""

    resource: str
    check: str
    status: Status = Status.FIRING
    severity: Severity | None = None
    summary: str = ""
    description: str = ""
    labels: dict[str, str | int | float | bool | None] = {}
    starts_at: _times.Moment | None = None
    ends_at: _times.Moment | None = None
    url: str = ""
    fingerprint: str = ""


_MESSAGE = Decoder(Message)


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of one message; in a list, one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is one message, and cannot be read.
    """

    def build(raw: Raw) -> Alert:
        return _alert(_read.entry(raw, _MESSAGE, "an alert"), options, payload.source)

    return _read.one_or_many(payload.body, build)


def _alert(message: Message, options: Options, source: str) -> Alert:
    resource, check = _identity.name(message.resource, "resource"), _identity.name(message.check, "check")
    fingerprint = message.fingerprint or _identity.fingerprint(_identity.encode((resource, check)))
    return Alert(
        source=source,
        fingerprint=_identity.name(fingerprint, "fingerprint"),
        status=message.status,
        severity=message.severity or options.severity_default,
        resource=_secret.public(resource),
        check=check,
        summary=_texts.summary(message.summary) or f"{check}: {resource}",
        description=_texts.description(message.description),
        labels=_identity.tidy(
            _labels.public({key: _read.text(value) for key, value in message.labels.items() if value is not None})
        ),
        starts_at=_times.known(message.starts_at),
        ends_at=_times.known(message.ends_at),
        url=_texts.link(message.url),
    )

"""Prometheus Alertmanager, webhook receiver.

Format: version 4 of the webhook message (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
Grafana's own webhook contact point sends the same shape. Leave `max_alerts` at 0: what it cuts off never reaches us.
Authentication: bearer, basic, or any `Authorization` (`http_config` in Alertmanager).
Identity: each alert's `fingerprint`; without one, its whole label set.
Resolved: each alert's own `status`. A group whose status is `firing` may hold alerts that are resolved.
Delivery: retried on 5xx and on connection errors only; `repeat_interval` says a firing group again.
Limits: what `max_alerts` cuts off never reaches us: leave it at 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, Struct
from msgspec.json import Decoder

from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import _labelled, _read, _times

if TYPE_CHECKING:
    from datetime import datetime


class Options(_labelled.LabelOptions):
    """How the alerts of Alertmanager are read."""


class Notified(_labelled.Entry, kw_only=True, gc=False):
    """One alert of a notification."""

    status: Status
    fingerprint: str = ""


class Notification(Struct):
    """What we need of a notification: its groups, receiver and common labels say nothing the alerts do not."""

    alerts: list[Notified]


class Unread(Struct):
    """A notification whose alerts are still to be read, one by one."""

    alerts: list[Raw]


_NOTIFICATION = Decoder(Notification)
_UNREAD = Decoder(Unread)
_TIMES = ("startsAt", "endsAt")


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of one notification; one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no notification.
    """

    def build(entry: Notified) -> Alert:
        ends_at = _times.known(entry.endsAt) if entry.status is Status.RESOLVED else None
        return _labelled.alert(entry, entry.fingerprint, entry.status, ends_at, options, payload.source)

    notification = _read.fast(payload.body, _NOTIFICATION)
    if notification is not None:
        return _read.each(notification.alerts, build)
    raw = _read.unread(payload.body)
    unread = _read.entry(raw, _UNREAD, "a notification of Alertmanager's webhook receiver (version 4)")
    return _read.each(unread.alerts, lambda raw: build(_labelled.read(raw, Notified, _TIMES)))

"""Prometheus Alertmanager, webhook receiver.

Format: the webhook message (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config) in version 4, and in
version 3, which Alertmanager sent up to 0.5: its `groupKey` is a number, and its alerts have no `fingerprint`. Mimir and
Cortex send it as well.
Authentication: basic, bearer, or any other `Authorization` (`http_config` of the receiver).
Identity: each alert's `fingerprint`; without one, its whole label set.
Resolved: each alert's own `status`: a group that is `firing` may hold alerts that are resolved. An alert without one is
over when its `endsAt` is past, or when the whole group is `resolved`. The receiver must not have `send_resolved: false`.
Delivery: tried again after 5xx and connection errors only, at growing intervals until the group is due again;
`repeat_interval` says a firing group again.
Limits: a group in each message; what `max_alerts` cuts off never reaches us: leave it at 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.json import Decoder

from tocsin.model import Alert, Status
from tocsin.sources import _labelled, _read, _webhook
from tocsin.sources._shown import Shown

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Payload, Unreadable

HEARTBEATS = _labelled.HEARTBEATS


class Options(_labelled.LabelOptions):
    """How the alerts of Alertmanager are read."""

    receiver: str = ""
    """Where Alertmanager is asked, too: only alerts of this receiver count; all of them unless given."""


class Notification(_webhook.Group, kw_only=True):
    """What we need of a notification."""

    alerts: list[_webhook.Notified] | None


class Receiver(Struct, frozen=True):
    """Who is told of an alert."""

    name: str = ""


class Standing(Struct, frozen=True):
    """`active`, or `suppressed` by a silence or an inhibition, or `unprocessed` yet; `mutedBy` names intervals of time."""

    state: str = ""
    mutedBy: tuple[str, ...] | None = None  # noqa: N815 - the name in the message


class Listed(_labelled.Entry, kw_only=True, gc=False):
    """One alert of `GET /api/v2/alerts`."""

    fingerprint: str
    status: Standing = Standing()
    receivers: tuple[Receiver, ...] = ()


_NOTIFICATION = Decoder(Notification)
_LISTED = Decoder(list[Listed])
_ACTIVE = "active"


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alerts of one notification; one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no notification.
    """

    def build(entry: _webhook.Notified, group: object) -> Alert:
        return _webhook.alert(entry, group, now, options, payload.source)

    what = "a notification of Alertmanager's webhook receiver (version 4)"
    return _webhook.alerts(payload.body, _NOTIFICATION, _webhook.Notified, build, what)


def show(payload: Payload, options: Options) -> Shown:
    """What Alertmanager answers at `/api/v2/alerts`: what is active fires, what is suppressed it tells nobody about.

    Raises:
        PayloadError: it is no list of alerts.
    """
    listed = _read.entry(_read.unread(payload.body), _LISTED, "a list of alerts, as Alertmanager answers it")
    ours = [one for one in listed if not options.receiver or Receiver(options.receiver) in one.receivers]
    active = [one for one in ours if one.status.state == _ACTIVE and not one.status.mutedBy]
    found = _read.each(active, lambda one: _listed(one, options, payload.source))
    return Shown(
        fires={alert.fingerprint: alert for alert in found if isinstance(alert, Alert)},
        over={},
        left=frozenset(one.fingerprint for one in ours),
    )


def _listed(entry: Listed, options: Options, source: str) -> Alert:
    return _labelled.alert(entry, entry.fingerprint, Status.FIRING, None, options, source)

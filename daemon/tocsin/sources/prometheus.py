"""Prometheus, pushing as it does to an Alertmanager.

Format: a JSON array of alerts, `POST /api/v2/alerts`, as Alertmanager's own interface takes it
(https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml). Also sent by vmalert, Loki and Mimir rulers.
Authentication: bearer or basic (`authorization`, `basic_auth` under `alertmanagers` in Prometheus).
Identity: the whole label set, without the labels that tell replicas apart (`drop_labels`); no fingerprint is sent.
Resolved: no word says so. `endsAt` in the future means firing until then unless said again, `endsAt` past means it
ended then, and without `endsAt` it fires for `resolve_timeout`.
Delivery: not retried; everything that fires is sent again about once a minute.
Limits: none of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.json import Decoder
from pydantic import Field

from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import _labelled, _read, _times
from tocsin.units import Duration  # noqa: TC001 - pydantic evaluates it

if TYPE_CHECKING:
    from datetime import datetime

PATHS = ("/api/v2/alerts",)
STATUS = 200
"""Alertmanager answers 200."""

_BATCH = Decoder(list[_labelled.Entry])


class Options(_labelled.LabelOptions):
    """How the alerts of Prometheus are read."""

    drop_labels: tuple[str, ...] = ("replica", "prometheus_replica")
    """Labels that tell the replicas of a redundant pair apart: as if they were not sent."""

    resolve_timeout: Duration = Field(default=timedelta(minutes=5), gt=timedelta(0), le=timedelta(days=1))
    """How long an alert without `endsAt` fires when it is not said again."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alerts of one push; an entry that is none is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no list.
    """

    def build(entry: _labelled.Entry) -> Alert:
        for name in options.drop_labels:
            entry.labels.pop(name, None)
        ends_at = _times.known(entry.endsAt) or now + options.resolve_timeout
        status = Status.FIRING if ends_at > now else Status.RESOLVED
        return _labelled.alert(entry, "", status, ends_at, options, payload.source)

    batch = _read.fast(payload.body, _BATCH)
    if batch is not None:
        return _read.each(batch, build)
    raws = _read.entry(_read.unread(payload.body), _read.LIST, "a list of alerts, as Prometheus pushes it")
    return _read.each(raws, lambda raw: build(_labelled.read(raw, _labelled.Entry, ("startsAt",))))

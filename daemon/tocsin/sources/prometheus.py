"""Prometheus, pushing as it does to an Alertmanager.

Format: a JSON array of alerts, `POST /api/v2/alerts`, as Alertmanager's own interface takes it
(https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml), and the same array at `/api/v1/alerts`, where
old versions, and those with `api_version: v1`, push it. Also sent by vmalert, and by the rulers of Loki, Mimir and Thanos.
Authentication: basic, bearer, or any other `Authorization` (under `alerting.alertmanagers` in Prometheus).
Identity: the whole label set, without the labels that tell replicas apart (`drop_labels`); no fingerprint is sent.
Resolved: no word says so. `endsAt` in the future means firing until then unless said again, `endsAt` past means it
ended then, and without `endsAt` it fires for `resolve_timeout`.
Delivery: not retried; everything that fires is sent again about once a minute, what has ended for a quarter of an hour.
Limits: none of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.json import Decoder
from pydantic import Field

from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import _answers, _labelled, _read, _times
from tocsin.units import Duration  # noqa: TC001 - pydantic evaluates it

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

V1 = "/api/v1/alerts"
PATHS = ("/api/v2/alerts", V1)
STATUS = 200
"""Alertmanager answers 200."""
HEARTBEATS = _labelled.HEARTBEATS

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


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> _answers.Answer | None:  # noqa: ARG001
    """What the clients of Alertmanager's first interface read; those of the second look at the status only."""
    return _answers.json({"status": "success"}, STATUS) if payload.path == V1 else None

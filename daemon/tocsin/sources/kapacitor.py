"""InfluxData Kapacitor: alerts of the HTTP post handler.

Format: the alert data as JSON: `id`, `message`, `details`, `time`, `duration`, `level`, `data.series`, `previousLevel`
(https://docs.influxdata.com/kapacitor/v1/reference/event_handlers/post/). The `httpPost` node, which posts points and no
alerts, is not read.
Authentication: basic, or headers of its own (`headers` in `[[httppost]]`).
Identity: `id`, by which Kapacitor itself tells alerts apart: keep `{{ .Group }}` in `.id()`, as it is unless said.
Resolved: `level` is OK; INFO fires. An alert node with `.noRecoveries()` never says so. A task whose groups share an `id`
has one alert for all of them. The check is the id without the host in it.
Delivery: once; a message that is lost is not said again before the level changes, unless `.stateChangesOnly()` has a
duration, or is left out.
Limits: one alert in each message; it does not name the task.
"""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _dig, _labelled, _labels, _read, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from msgspec import Raw

    from tocsin.model import Alert, Payload, Unreadable

_TAG = re.compile(r"<[^<>]{0,500}>")
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^<>]{0,100}>", re.IGNORECASE)
_LONGEST = 3_650 * 86_400 * 1_000_000_000
"""Ten years in nanoseconds: no duration is longer."""


class Options(SourceOptions):
    """How the alerts of Kapacitor are read."""

    resource_tags: tuple[str, ...] = ("host", "hostname", "node", "nodename", "server", "instance", "url", "pod")
    """The tags of the series that may name the resource; the first one present does, else the source."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a message; of a list of them, one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no alert.
    """

    def build(raw: Raw) -> Alert:
        return _alert(_read.entry(raw, _read.OBJECT, "an alert of Kapacitor"), payload, options)

    return _read.one_or_many(payload.body, build)


def _alert(message: dict[str, Any], payload: Payload, options: Options) -> Alert:
    told = {name: _dig.text(message, name) for name in ("id", "level", "previousLevel")}
    missing = next((name for name in ("id", "level") if not told[name]), None)
    if missing:
        raise PayloadError(f"{missing} is missing or empty")
    over = told["level"].upper() == "OK"
    tags, fields = _series(message)
    host = next((name for name in options.resource_tags if tags.get(name)), "")
    when = _times.moment(_dig.text(message, "time"))
    return _build.alert(
        payload,
        options,
        identity=told["id"],
        resolved=over,
        severity=told["previousLevel"] if over else told["level"],
        resource=_labelled.host_of(tags[host]) if host else payload.source or told["id"],
        check=_check(told["id"], f"{host}={tags[host]}" if host else ""),
        summary=_dig.text(message, "message"),
        description=_plain(_dig.text(message, "details")),
        labels=fields | tags | told,
        starts_at=_start(when, message.get("duration")),
        ends_at=when if over else None,
        said_at=when,
    )


def _series(message: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The tags of the first series, and its measurement and the fields of its last point."""
    series = _dig.at(message, "data", "series", 0)
    columns, point = _dig.items(series, "columns"), _dig.items(series, "values", -1)
    fields = {name: value for name, value in zip(columns, point, strict=False) if isinstance(name, str)}
    told = _labels.flat(fields | {"name": _dig.text(series, "name")}, skip=("time",))
    return _labels.flat(_dig.mapping(series, "tags")), told


def _check(identity: str, host: str) -> str:
    """The id as it is unless said, `measurement:tag=value,…`, without the resource and without an empty group."""
    name, colon, group = identity.partition(":")
    if not (colon and name.strip()):
        return identity
    rest = ",".join(pair for pair in group.split(",") if pair not in {host, "nil", ""})
    return f"{name}:{rest}" if rest else name


def _start(when: datetime | None, duration: object) -> datetime | None:
    """The time of the message, less the nanoseconds for which the alert has not been OK."""
    if when is None or not isinstance(duration, int) or not 0 <= duration <= _LONGEST:
        return when
    return _times.known(when - timedelta(microseconds=duration // 1_000))


def _plain(details: str) -> str:
    """The details without the HTML they may be written in; nothing when they are only the alert again, as JSON."""
    if details[:1] == "{" and details[-1:] == "}":
        return ""
    if "<" in details:
        details = _TAG.sub("", _BREAK.sub("\n", details))
    text = html.unescape(details) if "&" in details else details
    return "\n".join(filter(None, map(str.strip, text.splitlines())))

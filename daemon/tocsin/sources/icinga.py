"""Icinga 2 and Icinga Notifications.

Format: events of the API's stream, one or many (JSON lines, a list), and hosts and services as the API lists them
(`{"results": […]}`) (https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/); the macros of a notification command, as the
one in `config/sources/icinga/` posts them, or in objects (`{"host": {"name": …}, "check_result": …}`); events of Icinga
Notifications, at `/process-event` (https://icinga.com/docs/icinga-notifications/latest/doc/20-HTTP-API/).
Authentication: a bearer token from the notification command, basic from Icinga DB for Icinga Notifications.
Identity: `host!service`, or the host for its own problems, the same in all these forms; tags other than these, all of them.
Resolved: a hard state OK or UP, or notification type RECOVERY; severity `ok` or `close` of Icinga Notifications; a host or
service that was deleted. Soft states are no alerts (of a listed object its last hard state counts), nor are acknowledgements,
comments, downtimes, flapping. UNKNOWN is a problem.
Delivery: a notification command once, unless curl is told to try again, as ours does; events of a stream are lost while nobody
reads it, and may come five seconds late.
Limits: problems in a downtime, and of what cannot be reached, are not taken from the stream unless `suppressed` says so; a list
of objects tells them, with the labels `downtime_depth` and `reachable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.model import Alert, Status
from tocsin.sources import _build, _dig, _icinga, _labels, _lines, _macros, _read, _secret
from tocsin.sources._icinga import fingerprint
from tocsin.sources._options import SourceOptions
from tocsin.sources._shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from msgspec import Raw

    from tocsin.model import Payload, Unreadable

__all__ = ["HEARTBEATS", "MEDIA_TYPES", "PATHS", "REFUSAL", "Options", "fingerprint", "parse", "show"]

PATHS = ("/process-event",)
REFUSAL = 400
"""Icinga DB takes 422 as the wish for more attributes, and sends again."""
MEDIA_TYPES = _macros.MEDIA_TYPES | {"application/x-ndjson"}
HEARTBEATS = ("tocsin-heartbeat",)
"""A service that is a problem for ever, and is said again and again; see `config/sources/icinga/`."""

_WORDS = {"alert": "critical"}
"""Severities of Icinga Notifications that are not in the table of all kinds."""

_OWN_TAGS = frozenset({"host", "service", "environment"})
"""Tags that Icinga DB gives: an environment is a whole Icinga, and so a source of its own."""


class Options(SourceOptions):
    """How events, objects and notifications of Icinga are read."""

    suppressed: bool = False
    """Take what Icinga itself would not notify, too: problems in a downtime, and of what cannot be reached."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of each event, object or notification; none for one that is no alert.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one message, and cannot be read.
    """

    def build(document: bytes | Raw) -> Alert | None:
        return _alert(_read.entry(_lines.read(document), _read.OBJECT, "an object of Icinga"), payload, options)

    if not _macros.is_json(payload):
        return _none_or_one(_notification(_macros.fields(payload), payload, options))
    message = _read.whole(payload.body, _read.OBJECT)
    if message is None:
        documents = _lines.documents(payload.body)
        if len(documents) != 1:
            return _lines.each(documents, build)
        message = _read.entry(_lines.read(documents[0]), _read.OBJECT, "an object of Icinga")
    if isinstance(results := message.get("results"), list):
        return _lines.each(results, lambda listed: _icinga.listed(listed, payload, options))
    return _none_or_one(_alert(message, payload, options))


def show(payload: Payload, options: Options) -> Shown:
    """What Icinga's API answers at `/v1/objects/hosts` or `/v1/objects/services`: every state there is.

    Problems in a downtime, and of what cannot be reached, are left alone unless `suppressed` says so.

    Raises:
        PayloadError: it is no list of objects.
    """
    listed = _dig.at(_read.entry(_read.unread(payload.body), _read.OBJECT, "an answer of Icinga's API"), "results")
    if not isinstance(listed, list):
        raise PayloadError("results is missing: this is no list of objects")
    found = _lines.each(listed, lambda one: _icinga.listed(one, payload, options))
    alerts = [alert for alert in found if isinstance(alert, Alert)]
    told = {alert.fingerprint: alert for alert in alerts if options.suppressed or not _is_suppressed(alert)}
    return Shown(
        fires={name: alert for name, alert in told.items() if alert.status is Status.FIRING},
        over={alert.fingerprint: alert for alert in alerts if alert.status is Status.RESOLVED},
        left=frozenset(alert.fingerprint for alert in alerts),
    )


def _is_suppressed(alert: Alert) -> bool:
    return alert.labels.get("downtime_depth", "0") != "0" or alert.labels.get("reachable") == "false"


def _none_or_one(alert: Alert | None) -> list[Alert | Unreadable]:
    return [alert] if alert else []


def _alert(told: dict[str, Any], payload: Payload, options: Options) -> Alert | None:
    """What any one message is, by its shape."""
    if isinstance(told.get("attrs"), dict):
        return _icinga.listed(told, payload, options)
    if isinstance(told.get("tags"), dict):
        return _incident(told, payload, options)
    kind = told.get("type")
    if isinstance(kind, str) and kind in _icinga.EVENTS:
        return _icinga.event(told, payload, options, suppressed=options.suppressed)
    return _notification(told, payload, options)


def _notification(told: Mapping[str, Any], payload: Payload, options: Options) -> Alert | None:
    return _macros.alert(_macros.named(_macros.opened(told)), payload, options, _icinga.identity)


def _incident(told: dict[str, Any], payload: Payload, options: Options) -> Alert | None:
    """An event of Icinga Notifications; None for one that tells no state, or only that its object is muted."""
    kind, severity = _dig.text(told, "type").lower(), _dig.text(told, "severity").lower()
    close, muted = told.get("close") is True, told.get("muted")
    if kind not in {"", "state"} or (isinstance(muted, bool) and not (severity or close)):
        return None
    if not (severity or close):
        raise PayloadError("severity is missing: nothing says whether there is a problem")
    resolved = close or severity == "ok"
    if muted is True and not (resolved or options.suppressed):
        return None
    tags = {name: text for name, value in told["tags"].items() if (text := _dig.text(value))}
    host, service = tags.get("host", ""), tags.get("service", "")
    if not tags:
        raise PayloadError("tags is empty: nothing tells the problem from others")
    name, message = _dig.text(told, "name"), _dig.text(told, "message")
    first, _, more = message.partition("\n")
    return _build.alert(
        payload,
        options,
        identity=_tagged(tags),
        resolved=resolved,
        severity=_WORDS.get(severity, severity),
        resource=host or name or ", ".join(sorted(tags.values())),
        check=service or (_macros.HOST_CHECK if host and tags.keys() <= _OWN_TAGS else name or "state"),
        summary=_dig.text(told, "summary") or first.partition("|")[0],
        description=more.partition("|")[0],
        labels=_incident_labels(told),
        url=_dig.text(told, "url"),
    )


def _tagged(tags: Mapping[str, str]) -> str | Sequence[str]:
    """The identity of what tags tell apart: Icinga's own name of it, or all tags."""
    if "host" in tags and tags.keys() <= _OWN_TAGS:
        return _icinga.identity(tags["host"], tags.get("service", ""))
    return [part for name in sorted(tags) for part in (name, tags[name])]


def _incident_labels(told: Mapping[str, Any]) -> dict[str, str]:
    """Its tags, and what it tells of related objects; an extra tag without a value is `true`."""
    extra = {name: "true" if value is None else value for name, value in _dig.mapping(told, "extra_tags").items()}
    kept = {name: told.get(name) for name in ("tags", "relations", "severity", "type", "username", "muted_reason")}
    labels = _labels.flat(kept | {"extra_tags": extra})
    return {name: value for name, value in labels.items() if not _secret.is_secret(name)}

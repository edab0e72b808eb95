"""Opsgenie alerts, from whatever speaks its Alert API.

Format: tocsin stands in for Opsgenie and for the integration events of Jira Service Management that replace it:
create, close, acknowledge and the other calls below `/v2/alerts` (https://docs.opsgenie.com/docs/alert-api), the
older `/v1/json/alert` (https://docs.opsgenie.com/docs/alert-deprecated), and pings of heartbeats, which say that the
sender is alive.
Authentication: `Authorization: GenieKey …`; in version 1 the field `apiKey` of the body.
Identity: `alias`, which close calls name in their address; a create call without one is known by its source, entity
and message, as nothing else identifies it, and no close call of version 2 can name it.
Resolved: a close or delete call, which carries no more than the identifier: it then is resource and check as well.
Acknowledgements, notes, snoozes, tags and updates are no alerts, nor are new messages and priorities of an open
alert.
Delivery: 429 and 5xx are tried again by most senders; any other 4xx is final.
Limits: one alert in each message, without any time. Alertmanager and Grafana send one for each group of alerts, not
one for each host: group by every label that tells hosts apart, or use their own webhooks.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tocsin.errors import PayloadError
from tocsin.sources import _answers, _build, _details, _dig, _grouped, _labelled, _labels, _read
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

_ALERTS = "/v2/alerts"
_ONE = "/v2/alerts/{identifier}"
_POSTED = (
    *("close", "acknowledge", "unacknowledge", "notes", "snooze", "escalate", "assign", "tags", "details"),
    *("responders", "teams", "actions/{action}"),
)
_REPLACED = ("message", "description", "priority")
_PING = "/v2/heartbeats/{name}/ping"
_OWN = (
    f"POST {_ALERTS}",
    *(f"POST {_ONE}/{call}" for call in _POSTED),
    *(f"PUT {_ONE}/{call}" for call in _REPLACED),
    *(f"PATCH {_ONE}/{call}" for call in _REPLACED),
    f"DELETE {_ONE}",
    *(f"DELETE {_ONE}/{call}" for call in ("tags", "details")),
    *(f"{method} {_PING}" for method in ("GET", "POST", "PUT", "PATCH")),
)
_MOVED = "/jsm/ops/integration"
"""Where Jira Service Management has the same calls."""

_OLD = "/v1/json/alert"
_OLD_CALL = "/v1/json/alert/{call}"
_OLD_PING = "/v1/json/heartbeat/send"
PATHS = (
    *_OWN,
    *(f"{method} {_MOVED}{path}" for method, path in (own.split() for own in _OWN)),
    *(f"POST {path}" for path in (_OLD, _OLD_CALL, _OLD_PING)),
)
HEARTBEATS = _labelled.HEARTBEATS
REFUSAL = 422
"""What Opsgenie itself answers a body that is valid JSON, but no alert."""

MEDIA_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded", "text/plain"})
"""Calls without a body often come with curl's own content type."""

_PRIORITIES = {"P1": "critical", "P2": "major", "P3": "minor", "P4": "warning", "P5": "info"}
_TOLD_ELSEWHERE = ("apiKey", "message", "description", "details", "tags", "note", "responders", "visibleTo", "actions")


class Options(SourceOptions):
    """How alerts for Opsgenie are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a create, close or delete call; none of any other.

    Raises:
        NotJsonError: the body of a call that needs one is not JSON.
        PayloadError: it is no such call.
    """
    path = _path(payload)
    if path == _OLD_CALL:
        return _old_call(payload, options)
    if path in {"", _ALERTS, _OLD}:
        return [_created(payload, options, _object(payload))]
    if path in {_ONE, f"{_ONE}/close"}:
        return [_closed(payload, options, _details.given(payload, "identifier"), _optional(payload))]
    return []


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> _answers.Answer:
    """What Opsgenie answers: that it will be done, and an id, which is the same for the same request."""
    path = _path(payload)
    if path in {_OLD, _OLD_CALL, _OLD_PING}:
        return _old_answer(path, entries)
    result = "PONG - Heartbeat received" if path == _PING else "Request will be processed"
    return _answers.json({"result": result, "took": 0.0, "requestId": _request(payload)}, 202)


def _path(payload: Payload) -> str:
    return payload.path.removeprefix(_MOVED)


def _object(payload: Payload) -> dict[str, Any]:
    return _read.entry(_read.unread(payload.body), _read.OBJECT, "a call of Opsgenie's Alert API")


def _optional(payload: Payload) -> dict[str, Any]:
    """The body of a call that needs none."""
    try:
        return _object(payload)
    except PayloadError:
        return {}


def _request(payload: Payload) -> str:
    """An id for the request: a UUID out of what it says."""
    told = [payload.method, payload.path, *map(str, sorted(payload.given.items())), payload.source]
    digest = blake2b("\n".join(told).encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(payload.body)
    return str(UUID(bytes=digest.digest()))


def _created(payload: Payload, options: Options, call: dict[str, Any]) -> Alert:
    message, alias = _details.said(call, "message"), _details.said(call, "alias")
    if not message:
        raise PayloadError("message is missing: this is no alert of Opsgenie")
    details, description = _dig.mapping(call, "details"), _dig.text(call, "description")
    group = _grouped.labels(description)
    resource, check = _about(call, details, group, alias)
    source, entity = _details.said(call, "source"), _details.said(call, "entity")
    priority = _details.said(call, "priority").upper()
    return _build.alert(
        payload,
        options,
        identity=alias or (source, entity, message),
        resolved=False,
        severity=_PRIORITIES.get(priority, priority) or _details.said(details, "severity"),
        resource=resource or _details.short(message),
        check=check or _details.named(message),
        summary=message,
        description=description or _dig.text(call, "note"),
        labels=group | _tagged(call) | _details.labels(details) | _details.labels(call, skip=_TOLD_ELSEWHERE),
        url=source if source.startswith("http") else _details.told(details, ("url", "URL", "link", "Full details")),
    )


def _about(call: dict[str, Any], details: dict[str, Any], group: dict[str, str], alias: str) -> tuple[str, str]:
    """Resource and check. The source is the monitoring tool, so it is the last to tell of either."""
    where, what = _details.about(details)
    found, named = _details.about(group)
    readable = alias if _details.is_readable(alias) else ""
    host, service = _details.in_key(alias)
    resource = _details.said(call, "entity") or where or found or host or readable or _details.said(call, "source")
    return resource or alias, what or named or service or readable


def _tagged(call: dict[str, Any]) -> dict[str, str]:
    """The tags: a list of texts, or of version 1 sometimes one text with commas."""
    tags = call.get("tags")
    return _labels.tags(tags if isinstance(tags, list) else _dig.text(call, "tags").split(","))


def _closed(payload: Payload, options: Options, identifier: str, call: dict[str, Any]) -> Alert:
    if not identifier.strip():
        raise PayloadError("the identifier of the alert is missing: its alias or id")
    note = _dig.text(call, "note")
    resource, check = _details.in_key(identifier)
    return _build.alert(
        payload,
        options,
        identity=identifier,
        resolved=True,
        severity="",
        resource=resource or _details.short(identifier),
        check=check or _details.short(identifier),
        summary=note or f"closed: {identifier}",
        labels=_details.labels(call, skip=_TOLD_ELSEWHERE) | {"alias": identifier},
    )


def _old_call(payload: Payload, options: Options) -> list[Alert | Unreadable]:
    """A call of version 1 about an alert: the body names it."""
    if payload.given.get("call") not in {"close", "delete"}:
        return []
    call = _object(payload)
    return [_closed(payload, options, _details.said(call, "alias") or _details.said(call, "id"), call)]


def _old_answer(path: str, entries: Sequence[Alert | Unreadable]) -> _answers.Answer:
    done: dict[str, Any] = {"status": "successful", "code": 200}
    if path == _OLD:
        identifier = next((str(getattr(entry, "fingerprint", "")) for entry in entries), "")
        done = {"message": "alert created", "alertId": identifier, **done}
    return _answers.json({**done, "took": 0})

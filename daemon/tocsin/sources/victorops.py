"""Splunk On-Call (VictorOps) alerts, from whatever speaks its REST endpoint.

Format: tocsin stands in for the generic REST endpoint: one alert, `POST …/alert/API_KEY/ROUTING_KEY`
(https://docs.splunk.com/observability/en/sp-oncall/spoc-integrations/rest-endpoint-integration-guide.html), with any
further fields.
Authentication: the path variable `api_key`; below the hook it may be left to another way.
Identity: `entity_id`; an alert without one is known by monitoring tool, host, service and display name, or by its
message where all of these are missing, and the id made of them is in the answer.
Resolved: `message_type` RECOVERY; CRITICAL and WARNING fire. INFO is a line in a timeline and ACKNOWLEDGEMENT is said
of a problem told before: no alerts.
Delivery: 429 and 5xx are tried again by most senders; any other 4xx is final.
Limits: one alert in each message. Alertmanager and Grafana send one for each group of alerts, not one for each host:
group by every label that tells hosts apart, or use their own webhooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _answers, _build, _details, _dig, _grouped, _labelled, _read, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

PATHS = (
    "/integrations/generic/20131114/alert/{api_key}/{routing_key}",
    "/alert/{api_key}/{routing_key}",
    "/{api_key}/{routing_key}",
)
HEARTBEATS = _labelled.HEARTBEATS
REFUSAL = 400
MEDIA_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded", "text/plain"})
"""The endpoint reads JSON whatever the header says, and some scripts leave it to curl."""

_FIRING = frozenset({"CRITICAL", "WARNING", "PROBLEM", "DOWN", "ERROR", "ALERT", "TRIGGER", "FIRING", "MAJOR", "MINOR"})
"""CRITICAL and WARNING are the documented ones."""

_OVER = frozenset({"RECOVERY", "RECOVERED", "OK", "UP", "RESOLVED", "RESOLVE", "CLEAR", "CLEARED", "NORMAL"})
_NO_ALERTS = frozenset({"INFO", "ACKNOWLEDGEMENT", "ACKNOWLEDGMENT", "ACKNOWLEDGED", "ACKNOWLEDGE", "ACK"})
_TYPES = "CRITICAL, WARNING, INFO, ACKNOWLEDGEMENT or RECOVERY"
_LINK = "vo_annotate.u."
"""Begins the name of a field that is a link."""

_TOLD_ELSEWHERE = (
    "state_message",
    "entity_display_name",
    "routing_key",
    "api_key",
    "client_url",
    "alert_url",
    "timestamp",
    "state_start_time",
)


class Options(SourceOptions):
    """How alerts for Splunk On-Call are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a message; none of information or an acknowledgement.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no alert.
    """
    message = _message(payload)
    word = _details.said(message, "message_type").upper()
    if word in _NO_ALERTS:
        return []
    if word not in _FIRING | _OVER:
        raise PayloadError(
            _read.said(f"message_type is {word!r}, not {_TYPES}" if word else f"message_type is missing: {_TYPES}")
        )
    return [_alert(payload, options, message, word)]


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> _answers.Answer:
    """What the endpoint answers: with the id, which those who leave it to the endpoint need for the recovery."""
    told = _details.said(_message(payload), "entity_id")
    identifier = told or next((str(getattr(entry, "fingerprint", "")) for entry in entries), "")
    return _answers.json({"result": "success", "entity_id": identifier})


def _message(payload: Payload) -> dict[str, Any]:
    return _read.entry(_read.unread(payload.body), _read.OBJECT, "an alert for Splunk On-Call")


def _alert(payload: Payload, options: Options, message: dict[str, Any], word: str) -> Alert:
    group = _grouped.labels(message.get("state_message"))
    identifier = _details.said(message, "entity_id")
    resource, check = _about(message, group, identifier)
    text, name = _dig.text(message, "state_message"), _details.said(message, "entity_display_name")
    resolved = word in _OVER
    changed, said = (_times.moment(_details.said(message, field)) for field in ("state_start_time", "timestamp"))
    return _build.alert(
        payload,
        options,
        identity=identifier or _minted(message, resource, check, name or text),
        resolved=resolved,
        severity=_details.said(message, "severity") or group.get("severity", "") if resolved else word,
        resource=resource or identifier or _details.short(name or text),
        check=check or _details.named(name or text) or identifier,
        summary=name or text.partition("\n")[0],
        description=text,
        labels=group | _details.labels(message, skip=_TOLD_ELSEWHERE) | _routed(payload),
        starts_at=None if resolved else changed or said,
        ends_at=changed or said if resolved else None,
        said_at=said,
        url=_url(message),
    )


def _about(message: dict[str, Any], group: dict[str, str], identifier: str) -> tuple[str, str]:
    """Resource and check: from fields of its own, from the labels of a group, or from an id such as `db1/disk`."""
    where, what = _details.about(message)
    found, named = _details.about(group)
    host, rest = _split(identifier)
    inner = _details.in_key(identifier)
    is_host = _details.said(message, "entity_is_host").lower() == "true"
    display = _details.said(message, "entity_display_name") if is_host else ""
    resource = where or found or display or inner[0] or host or _details.said(message, "monitoring_tool") or identifier
    return resource, what or named or inner[1] or rest


def _split(identifier: str) -> tuple[str, str]:
    """Host and service of an id such as `db1.example.net/disk`, in either order; any other id is the service."""
    host, _, rest = identifier.partition("/")
    if "://" in identifier or not host or not any(map(str.isalpha, rest)):
        return "", identifier if _details.is_readable(identifier) else ""
    return (rest, host) if _details.is_host(rest) and not _details.is_host(host) else (host, rest)


def _minted(message: dict[str, Any], resource: str, check: str, text: str) -> tuple[str, ...]:
    """What identifies an alert without an id."""
    if not (check or text):
        raise PayloadError("entity_id is missing, and so is anything else that tells this problem from others")
    return (_details.said(message, "monitoring_tool"), resource, check or text)


def _routed(payload: Payload) -> dict[str, str]:
    """The routing key is the team's name, no secret: rules may want it, by a name that tells it from keys that are."""
    team = _details.given(payload, "routing_key").strip()
    return {"team": team} if team else {}


def _url(message: dict[str, Any]) -> str:
    links = (name for name in sorted(message) if name.startswith(_LINK))
    return _details.told(message, ("alert_url", "client_url")) or next((_dig.text(message, name) for name in links), "")

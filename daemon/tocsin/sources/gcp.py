"""Google Cloud Monitoring: incidents, by webhook or pushed by Pub/Sub.

Format: the webhook message `{version, incident}`, versions 1.0 to 1.2
(https://docs.cloud.google.com/monitoring/support/notification-options#webhooks); the same in a Pub/Sub push message
(`{message: {data, attributes, messageId, publishTime}, subscription}`), wrapped or not.
Authentication: basic, or a token in the webhook's address (`parameter`); Pub/Sub adds parameters of the address, too.
Identity: `incident_id`, which opening, reminders and closing share.
Resolved: `state` is closed. Switch "notify on incident closure" on in the policy, or nothing is said. A message of
version `test` is understood, and no alert.
Delivery: Google tries again some times, by no rule that it tells; Pub/Sub until the message expires (7 days), after
any answer that is not 2xx: give its subscription a dead-letter topic.
Limits: one incident; a policy without severity names none; reminders come only where the policy asks for them.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.model import Severity
from tocsin.sources import _build, _details, _dig, _labels, _messages, _read, _severity, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

_SEVERITIES = {"critical": Severity.CRITICAL, "error": Severity.MAJOR, "warning": Severity.WARNING}
"""What a policy may say; the words of its console are `Critical`, `Error`, `Warning` and `No severity`."""

_NO_SEVERITY = frozenset({"no severity", "severity_unspecified"})

_NAMES = (
    *("instance_name", "host", "hostname", "node_name", "pod_name", "container_name", "service_name", "database_id"),
    *(
        "function_name",
        "job_name",
        "cluster_name",
        "bucket_name",
        "url_map_name",
        "subscription_id",
        "topic_id",
        "queue_id",
    ),
    "name",
)
"""The labels that may name the resource, the most telling first."""

_WHAT = "a message of Google Cloud Monitoring"

_LONG = (
    "documentation",
    "condition",
    "metric",
    "resource",
    "metadata",
    "summary",
    "url",
    "apigee_url",
    "policy_user_labels",
)


class Options(SourceOptions):
    """How incidents of Google Cloud Monitoring are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a message, or none when it is a test; in a list, one that cannot be read is `Unreadable`.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is one message, and none of Google Cloud Monitoring.
    """

    def build(message: dict[str, Any]) -> list[Alert]:
        return _told(payload, options, message)

    return _messages.each(payload.body, _read.OBJECT, _WHAT, build)


def _told(payload: Payload, options: Options, message: dict[str, Any]) -> list[Alert]:
    published_at = None
    if "incident" not in message and isinstance(pushed := message.get("message"), dict):
        message = _unwrapped(pushed)
        published_at = _times.moment(_dig.first(pushed, "publishTime", "publish_time"))
    incident = message if "incident_id" in message else message.get("incident")
    if not isinstance(incident, dict):
        raise PayloadError("incident is missing, or is no object")
    if _dig.text(message, "version").lower() == "test":
        return []
    return [_alert(payload, options, incident, published_at)]


def _unwrapped(pushed: Mapping[str, Any]) -> dict[str, Any]:
    """The message inside one of Pub/Sub.

    Raises:
        PayloadError: there is none.
    """
    try:
        data = b64decode("".join((pushed.get("data") or "").split()), validate=True)
    except (binascii.Error, ValueError, AttributeError) as error:
        raise PayloadError("message.data is not base64") from error
    if not data:
        raise PayloadError("message.data is missing or empty")
    try:
        return _read.entry(_read.unread(data), _read.OBJECT, _WHAT)
    except _read.NotJsonError as error:
        raise PayloadError(_read.said(f"message.data holds no JSON: {error}")) from error


def _alert(payload: Payload, options: Options, incident: Mapping[str, Any], published_at: datetime | None) -> Alert:
    resolved = _dig.text(incident, "state").lower() == "closed"
    started, ended = (_times.moment(_dig.text(incident, name)) for name in ("started_at", "ended_at"))
    condition, policy = _dig.mapping(incident, "condition"), _dig.text(incident, "policy_name")
    check = _dig.first(incident, "condition_name") or _dig.text(condition, "displayName") or policy
    labels = _named(incident)
    return _build.alert(
        payload,
        options,
        identity=_dig.text(incident, "incident_id"),
        resolved=resolved,
        severity=_how_severe(incident, labels, options.severity_default),
        resource=_details.short(_about(incident, labels) or policy),
        check=_details.short(check),
        summary=_dig.text(incident, "summary"),
        description=_documented(incident.get("documentation")),
        labels=_labels.flat(incident, skip=_LONG) | _labels.flat(_types(incident)) | labels,
        starts_at=started,
        ends_at=ended if resolved else None,
        said_at=published_at or (ended if resolved else started),
        url=_dig.text(incident, "url"),
    )


def _documented(documentation: Any) -> str:
    """What the policy tells people: a text, or an object with a content, and perhaps only its subject."""
    return _dig.first(documentation, "content", "subject") or _dig.text({"": documentation}, "")


def _named(incident: Mapping[str, Any]) -> dict[str, str]:
    """The labels of policy, metadata, metric and resource under their own names; of one in several, the resource's."""
    metadata = _dig.mapping(incident, "metadata")
    found: dict[str, str] = {}
    for part in (
        _dig.mapping(incident, "policy_user_labels"),
        _dig.mapping(metadata, "user_labels"),
        _dig.mapping(metadata, "system_labels"),
        _dig.mapping(incident, "metric", "labels"),
        _dig.mapping(incident, "resource", "labels"),
    ):
        found |= _labels.flat(part)
    return found


def _types(incident: Mapping[str, Any]) -> dict[str, Any]:
    """Which metric and which kind of resource, without their labels."""
    return {
        "resource_type": _dig.text(incident, "resource", "type"),
        "metric_type": _dig.text(incident, "metric", "type"),
        "metric_displayName": _dig.text(incident, "metric", "displayName"),
        "condition": _dig.text(incident, "condition", "name"),
    }


def _about(incident: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """What people call the resource; its full name, without the project before it, where nothing shorter is told."""
    project = _dig.first(incident, "scoping_project_id") or labels.get("project_id", "")
    return (
        _dig.first(incident, "resource_display_name")
        or _dig.first(labels, *_NAMES)
        or _dig.first(incident, "resource_name").removeprefix(f"{project} ")
        or labels.get("instance_id", "")
        or _dig.first(incident, "resource_id", "resource_type_display_name", "scoping_project_id")
    )


def _how_severe(incident: Mapping[str, Any], labels: Mapping[str, str], default: Severity) -> Severity:
    """The policy's severity, or a label `severity`."""
    word = _dig.text(incident, "severity").lower()
    if not word or word in _NO_SEVERITY:
        word = labels.get("severity", "").lower()
    return _SEVERITIES.get(word) or _severity.severity(word, default)

"""Sentry, webhooks of an internal integration and of the older plugin.

Format: the webhooks of the integration platform, told apart by the header `Sentry-Hook-Resource`, or by what they hold:
issues, issue alerts (`event_alert`), activity alerts and metric alerts
(https://docs.sentry.io/organization/integrations/integration-platform/webhooks/); and the payload of the WebHooks plugin
(`project`, `level`, `culprit`, `triggering_rules`, `event`). Errors, comments, installations and all others are understood,
and no alerts.
Authentication: `hmac` of the header `Sentry-Hook-Signature`, with the integration's client secret; the plugin has none.
Identity: the issue's id, which issues, issue alerts and the plugin share; a metric alert's own id.
Resolved: the action is `resolved`, or, of an activity alert, the issue's status. Assigning, archiving and ignoring an issue is
what people do about it, and no alert.
Delivery: an answer within a second is wanted; there is no second try that one could rely on.
Limits: issue alerts and the plugin never say that it is over: subscribe to issues as well, or set `expire_after`. Stack
traces are not kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _labels, _messages, _read, _secret, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

RESOURCE = "sentry-hook-resource"
TIMESTAMP = "sentry-hook-timestamp"
HEADERS = (RESOURCE, TIMESTAMP)

_FIRING = frozenset({"created", "unresolved", "triggered", "reopened", "escalating", "regressed"})
_ISSUE_LINK = re.compile(r"/issues/(\d{1,40})", re.ASCII)
_PROJECT_LINK = re.compile(r"/projects/[\w.-]{1,200}/([\w.-]{1,200})/events/", re.ASCII)
_TOLD = (
    *("event_id", "title", "culprit", "location", "level", "platform", "environment", "release", "transaction"),
    *("server_name", "type"),
)
_NO_CHECK = frozenset({"error", "default"})
"""Types that nearly every issue has."""


class Event(Struct):
    """What we need of an event: neither its stack trace nor what the user's browser sent."""

    event_id: Any = None
    issue_id: Any = None
    issue_url: Any = None
    web_url: Any = None
    url: Any = None
    project: Any = None
    title: Any = None
    message: Any = None
    culprit: Any = None
    location: Any = None
    level: Any = None
    platform: Any = None
    environment: Any = None
    release: Any = None
    transaction: Any = None
    server_name: Any = None
    datetime: Any = None
    received: Any = None
    tags: Any = None
    metadata: Any = None
    type: Any = None


class Data(Struct):
    """What a webhook of the integration platform is about."""

    issue: Any = None
    event: Event | None = None
    metric_alert: Any = None
    triggered_rule: Any = None
    issue_alert: Any = None
    description_text: Any = None
    description_title: Any = None
    web_url: Any = None


class Message(Struct):
    """A webhook of the integration platform, or the plugin's."""

    action: Any = None
    data: Data | None = None
    installation: Any = None
    id: Any = None
    project: Any = None
    project_name: Any = None
    project_slug: Any = None
    logger: Any = None
    level: Any = None
    culprit: Any = None
    message: Any = None
    url: Any = None
    triggering_rules: Any = None
    event: Event | None = None


_MESSAGE = Decoder(Message)


class Options(SourceOptions):
    """How webhooks of Sentry are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of a webhook; none of one that is about something else.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no webhook of Sentry.
    """

    def build(message: Message) -> list[Alert]:
        return _alerts(message, payload, options)

    return _messages.each(payload.body, _MESSAGE, "a webhook of Sentry", build)


def _alerts(message: Message, payload: Payload, options: Options) -> list[Alert]:
    action, data = _text(message.action).lower(), message.data
    resource = payload.headers.get(RESOURCE, "")
    if data is None or not action:
        if message.event is None and message.culprit is None:
            raise PayloadError("action and data are missing: this is no webhook of Sentry's integration platform")
        return [_of_plugin(message, message.event or Event(), payload, options)]
    if isinstance(data.metric_alert, dict):
        return [_of_metric(action, data, data.metric_alert, payload, options)]
    if isinstance(data.issue, dict) and resource in {"", "issue", "activity_alert"}:
        return _of_issue(action, data.issue, payload, options)
    if data.event is not None and resource in {"", "event_alert"}:
        return [_of_event(data, data.event, payload, options)]
    if resource in {"issue", "event_alert", "metric_alert"}:
        wanted = {"issue": "issue", "event_alert": "event", "metric_alert": "metric_alert"}[resource]
        raise PayloadError(f"data.{wanted} is missing")
    return []


def _of_issue(action: str, issue: dict[str, Any], payload: Payload, options: Options) -> list[Alert]:
    told = _dig.text(issue, "status") if action == "triggered" else action
    resolved = told == "resolved"
    if not resolved and told not in _FIRING:
        return []
    if not _dig.text(issue, "id"):
        raise PayloadError("data.issue.id is missing")
    said_at = _said_at(payload)
    metadata, project = _dig.mapping(issue, "metadata"), _dig.mapping(issue, "project")
    skip = ("title", "metadata", "annotations", "assignedTo", "subscriptionDetails", "stats", "activity", "permalink")
    return [
        _build.alert(
            payload,
            options,
            identity=_dig.text(issue, "id"),
            resolved=resolved,
            severity=_dig.text(issue, "level"),
            resource=_dig.first(project, "slug", "name", "id") or payload.source or "Sentry",
            check=_check(metadata, issue),
            summary=_dig.first(issue, "title"),
            description=_dig.first(metadata, "value", "message"),
            labels=_labels.flat(issue, skip=skip) | {"action": action} | _labels.flat({"metadata": metadata}),
            starts_at=_times.moment(_dig.text(issue, "firstSeen")),
            ends_at=said_at if resolved else None,
            said_at=said_at,
            url=_dig.first(issue, "web_url", "permalink"),
        )
    ]


def _of_event(data: Data, event: Event, payload: Payload, options: Options) -> Alert:
    """The alert of an issue alert."""
    rule = _text(data.triggered_rule) or _dig.text(data.issue_alert, "title")
    return _build.alert(
        payload,
        options,
        identity=_issue_of(event),
        resolved=False,
        severity=_text(event.level),
        resource=_project_of(event) or payload.source or "Sentry",
        check=_check(_dig.mapping(event.metadata), _fields(event)),
        summary=_text(event.title) or _text(event.message),
        description=_text(event.message) or _dig.first(event.metadata, "value"),
        labels=_of_tags(event) | _fields(event) | ({"triggered_rule": rule} if rule else {}),
        starts_at=_times.moment(_text(event.datetime) or _text(event.received)),
        said_at=_said_at(payload),
        url=_text(event.web_url),
    )


def _of_metric(action: str, data: Data, metric: dict[str, Any], payload: Payload, options: Options) -> Alert:
    """The alert of a metric alert; its action is its severity, too."""
    rule, projects = _dig.mapping(metric, "alert_rule"), _dig.items(metric, "projects")
    resolved = action in {"resolved", "closed"}
    named = _dig.texts(projects or _dig.items(rule, "projects"))
    closed_at = _times.moment(_dig.text(metric, "date_closed"))
    return _build.alert(
        payload,
        options,
        identity=("metric_alert", _dig.text(metric, "organization_id"), _metric_id(metric)),
        resolved=resolved,
        severity="" if resolved else action,
        resource=_details.short(next(iter(named), "") or payload.source or "Sentry"),
        check=_details.short(_dig.first(rule, "name") or _dig.first(metric, "title")),
        summary=_text(data.description_title) or _dig.first(metric, "title"),
        description=_text(data.description_text),
        labels=_labels.flat(metric, skip=("title",)) | {"action": action},
        starts_at=_times.moment(_dig.first(metric, "date_started", "date_detected", "date_created")),
        ends_at=(closed_at or _said_at(payload)) if resolved else None,
        said_at=_said_at(payload),
        url=_text(data.web_url),
    )


def _metric_id(metric: Mapping[str, Any]) -> str:
    """Its id; never nothing, because all without one would be one problem."""
    found = _dig.first(metric, "id", "identifier")
    if not found:
        raise PayloadError("data.metric_alert.id is missing")
    return found


def _of_plugin(message: Message, event: Event, payload: Payload, options: Options) -> Alert:
    link = _text(message.url)
    linked = _ISSUE_LINK.search(link)
    issue = _text(message.id) or _text(event.issue_id) or (linked[1] if linked else "")
    top = {name: getattr(message, name) for name in ("project", "project_name", "logger", "level", "culprit")}
    rules = {"triggering_rules": message.triggering_rules if isinstance(message.triggering_rules, list) else None}
    return _build.alert(
        payload,
        options,
        identity=issue,
        resolved=False,
        severity=_text(message.level) or _text(event.level),
        resource=_text(message.project_slug or message.project or message.project_name) or payload.source or "Sentry",
        check=_check(_dig.mapping(event.metadata), _fields(event) | _labels.flat({"culprit": message.culprit})),
        summary=_text(message.message) or _text(event.title),
        description=_dig.first(event.metadata, "value"),
        labels=_of_tags(event) | _fields(event) | _labels.flat(top | rules),
        starts_at=_times.moment(_text(event.received)),
        url=link,
    )


def _check(metadata: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """The exception's type, or where it happened: a title may differ from event to event."""
    kind = _dig.first(about, "type", "issueType")
    found = _dig.first(metadata, "type") or _dig.first(about, "culprit", "location")
    return _details.short(found or (kind if kind not in _NO_CHECK else "") or _dig.first(about, "title") or "issue")


def _issue_of(event: Event) -> str:
    """The id of the issue that an event belongs to; of messages of older versions out of an address."""
    linked = _ISSUE_LINK.search(f"{_text(event.issue_url)} {_text(event.web_url)}")
    issue = _text(event.issue_id) or (linked[1] if linked else "")
    if not issue:
        raise PayloadError("data.event.issue_id is missing")
    return issue


def _project_of(event: Event) -> str:
    """The project's slug out of the event's address, which issues name, too; its number where there is none."""
    linked = _PROJECT_LINK.search(_text(event.url))
    return linked[1] if linked else _text(event.project)


def _fields(event: Event) -> dict[str, str]:
    """What an event says in few words."""
    return {name: text for name in _TOLD if (text := _text(getattr(event, name)))}


def _of_tags(event: Event) -> dict[str, str]:
    """Tags as labels: pairs in a list, or an object."""
    if isinstance(event.tags, dict):
        return _details.labels(event.tags)
    pairs = event.tags if isinstance(event.tags, list) else []
    named = ((_dig.text(pair, 0), _dig.text(pair, 1)) for pair in pairs if isinstance(pair, list))
    told = {name: value for name, value in named if name and value} | _labels.named(pairs, "key")
    return {name: value for name, value in told.items() if not _secret.is_secret(name)}


def _said_at(payload: Payload) -> datetime | None:
    """When Sentry sent it: an issue does not say when it was resolved."""
    return _times.moment(payload.headers.get(TIMESTAMP, ""))


def _text(value: Any) -> str:
    """A scalar as text; of a list its first."""
    if type(value) is str:
        return value.strip()
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return next(iter(_dig.texts(value)), "")
    return _read.text(value)

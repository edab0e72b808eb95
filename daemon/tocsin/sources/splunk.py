"""Splunk: alert webhook, IT Service Intelligence, Observability Cloud.

Format: what the webhook alert action posts: `sid`, `search_name`, `app`, `owner`, `results_link` and the first row of the
results (https://docs.splunk.com/Documentation/Splunk/latest/Alert/Webhooks); the same of an ITSI episode, or its fields
alone; the webhook of a detector of Splunk Observability Cloud (SignalFx), default or custom payload
(https://docs.splunk.com/observability/en/admin/notif-services/webhook.html), told apart by its fields.
Authentication: the stock alert action can only carry a token in its address (`parameter`); Observability Cloud sends
headers, or signs with `X-SFX-Signature`.
Identity: app, search and host (option `identity_fields`: which fields of the result tell its problems apart); the episode of
ITSI; the incident of Observability Cloud.
Resolved: a search that finds nothing sends nothing, so an alert is over when it was not said again for `expire_after`; or
at once, when the result has a field `status` or `severity` (option `status_fields`) that is `ok`, `resolved`, `closed` or
`cleared`. Observability Cloud says it: `ok`, `manually resolved`, `auto resolved` or `stopped`.
Delivery: once; a post that fails is not tried again.
Limits: of a search's results only the first row is sent: let the alert trigger for each result. Set `expire_after` to
more than the alert's throttling, and to `0s` for Observability Cloud.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _labels, _messages, _read, _templated, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

EXPIRE_AFTER = timedelta(hours=24)
"""Longer than most alerts are throttled for: a ticket that is closed too early is worse than one closed too late."""

_OVER = frozenset({"ok", "resolved", "recovered", "recovery", "closed", "clear", "cleared", "normal"})
_DETECTOR_OVER = frozenset({"ok", "manually resolved", "auto resolved", "stopped", "cleared", "resolved"})
_DETECTOR = frozenset({"incidentId", "detectorId", "detectorUrl", "statusExtended"})
"""Fields of which every payload of Observability Cloud has one."""

_EPISODE = ("itsi_group_id", "itsi_episode_id", "episode_id")
_EPISODE_OVER = frozenset({"4", "5", "resolved", "closed"})
_EPISODE_SEVERITIES = {"1": "info", "2": "info", "3": "warning", "4": "minor", "5": "major", "6": "critical"}
"""ITSI: info, normal, low, medium, high, critical."""

_SEVERITIES = {"1": "info", "2": "info", "3": "warning", "4": "major", "5": "critical", "6": "critical"}
"""`alert.severity` of a search: debug, info, warn, error, severe, fatal."""

_SEVERITY = ("severity_label", "alert_severity", "severity", "urgency", "priority")
_SEARCH_OF_SID = re.compile(r"(?:rt_)?scheduler_{1,2}(.{1,400}?)_at_\d{5,11}(?:[_.].*)?", re.ASCII)
_SCHEDULED_AT = re.compile(r"scheduler_.{0,400}_at_(\d{9,11})_", re.ASCII)
"""When a search ran; a real-time search (`rt_scheduler`) runs for ever, and its id says when it began."""

_HOSTS = ("host", "host.name", "hostname", "k8s.node.name", "k8s.pod.name", "container_name", "instance", "InstanceId")
_MORE = ("aws_arn", "gcp_standard_id", "azure_resource_id", "service.name", "sf_service", "service", "k8s.cluster.name")
_NO_LABELS = frozenset({"_raw", "_si", "_kv", "_serial", "_confstr", "_bkt", "_cd", "_eventtype_color", "punct"})
"""Fields of a result that are Splunk's own bookkeeping, or the description."""

_DESCRIBED = ("messageBody", "messageTitle", "inputs", "dimensions", "description", "tip")


class Options(SourceOptions):
    """How alerts of Splunk are read."""

    resource_fields: tuple[str, ...] = (
        *("host", "hostname", "orig_host", "dest", "dest_host", "dest_nt_host", "dvc", "server", "instance", "node"),
        *("entity_title", "entity_name", "entity", "service_name", "service", "src_host", "url"),
    )
    """The fields of a result that may name the resource; the first one present does, and else the search itself."""

    identity_fields: tuple[str, ...] = ()
    """More fields of a result that tell the problems of one search apart, such as `[mount]` or `[sourcetype]`."""

    status_fields: tuple[str, ...] = ("alert_status", "alert_state", "status", "severity")
    """The fields of a result that say with `ok`, `resolved`, `closed` … that it is over; an empty list for none."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a message.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is none of the messages.
    """

    def build(message: dict[str, Any]) -> list[Alert]:
        if not _DETECTOR.isdisjoint(message):
            return [_of_detector(_templated.filled(message), payload, options)]
        return [_of_search(message, payload, options)]

    return _messages.each(payload.body, _read.OBJECT, "an alert of Splunk", build)


def _of_search(message: dict[str, Any], payload: Payload, options: Options) -> Alert:
    found = message.get("result")
    result: dict[str, Any] = found if isinstance(found, dict) else {}
    episode = _dig.first(result, *_EPISODE) or _dig.first(message, *_EPISODE)
    if episode and not result:
        result = message
    sid, search = _dig.text(message, "sid"), _dig.first(message, "search_name", "searchName", "savedsearch_name")
    check = search or _search_of(sid) or (_templated.first(result, ("title", "itsi_group_title")) if episode else "")
    if not check:
        raise PayloadError("search_name is missing, and sid does not name a search either")
    resource = _templated.first(result, options.resource_fields) or check
    resolved = _is_over(result, options, episode=bool(episode))
    happened = _times.moment(_templated.first(result, ("_time", "orig_time", "event_time")))
    told = _templated.first(result, ("message", "summary", "description", "itsi_group_description"))
    return _build.alert(
        payload,
        options,
        identity=("episode", episode) if episode else _identity(message, check, resource, options),
        resolved=resolved,
        severity=_severity(result, episode=bool(episode)),
        resource=_details.short(resource),
        check=_details.short(check),
        summary=told,
        description=_templated.first(result, ("_raw", "message", "description")),
        labels=_labelled(message, result),
        starts_at=None if resolved else happened,
        ends_at=happened if resolved else None,
        said_at=_said_at(sid),
        url=_dig.text(message, "results_link"),
    )


def _search_of(sid: str) -> str:
    """The search that a scheduled job's id names, with its owner and app: `admin__search__sudo`."""
    match = _SEARCH_OF_SID.fullmatch(sid)
    return match[1] if match else ""


def _said_at(sid: str) -> datetime | None:
    match = _SCHEDULED_AT.match(sid)
    return _times.moment(match[1]) if match else None


def _identity(message: Mapping[str, Any], check: str, resource: str, options: Options) -> tuple[str, ...]:
    result = message.get("result")
    more = (
        f"{name}={_templated.first(result, (name,))}" for name in options.identity_fields if isinstance(result, dict)
    )
    return ("search", _dig.text(message, "app"), check, resource, *more)


def _is_over(result: Mapping[str, Any], options: Options, *, episode: bool) -> bool:
    """Whether one of the fields that may say so says that it is over."""
    if episode and _templated.first(result, ("itsi_group_status", "status", "status_label")).lower() in _EPISODE_OVER:
        return True
    return any(_templated.first(result, (name,)).lower() in _OVER for name in options.status_fields)


def _severity(result: Mapping[str, Any], *, episode: bool) -> str:
    words = (_templated.first(result, (name,)) for name in (("itsi_group_severity",) if episode else ()) + _SEVERITY)
    table = _EPISODE_SEVERITIES if episode else _SEVERITIES
    word = next((word for word in words if word and word.lower() not in _OVER), "")
    return table.get(word, word)


def _labelled(message: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the result under their own names, and what the message says of the search."""
    envelope = {name: message.get(name) for name in ("search_name", "app", "owner", "sid", "results_link")}
    return _labels.flat(envelope) | _details.labels(result, skip=_NO_LABELS)


def _of_detector(said: dict[str, Any], payload: Payload, options: Options) -> Alert:
    """The alert of a detector of Splunk Observability Cloud."""
    inputs = _dig.mapping(said, "inputs")
    signals = [_dig.mapping(inputs, name, "key") for name in sorted(inputs, reverse=True)]
    dimensions = {name: value for signal in signals for name, value in signal.items()}
    dimensions |= _dig.mapping(said, "dimensions")
    detector = _dig.first(said, "detector", "detectorId")
    rule = _dig.first(said, "rule", "detectLabel") or _dig.text(inputs, "rule") or detector
    state = (_dig.text(said, "statusExtended") or _dig.text(said, "status")).lower()
    incident = _dig.text(said, "incidentId")
    if not (incident or rule) or not state:
        raise PayloadError(f"{'statusExtended' if incident or rule else 'incidentId'} is missing")
    resource = _templated.first(dimensions, _HOSTS) or _dig.text(said, "src") or _templated.first(dimensions, _MORE)
    resolved = state in _DETECTOR_OVER
    happened = _times.moment(_dig.text(said, "timestamp"))
    parts = sorted(
        f"{name}={_read.text(value)}" for name, value in dimensions.items() if not isinstance(value, (dict, list))
    )
    return _build.alert(
        payload,
        options,
        identity=("detector", incident) if incident else ("detector", detector, rule, *parts),
        resolved=resolved,
        severity=_dig.text(said, "severity"),
        resource=_details.short(resource or detector or rule or incident),
        check=_details.short(rule or _dig.text(said, "originatingMetric") or "detector"),
        summary=_dig.text(said, "messageTitle"),
        description=_dig.first(said, "messageBody", "description"),
        labels=_details.labels(dimensions) | _labels.flat(said, skip=_DESCRIBED),
        starts_at=None if resolved else happened,
        ends_at=happened if resolved else None,
        said_at=happened,
        url=_dig.first(said, "detectorUrl", "runbookUrl"),
    )

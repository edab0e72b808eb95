"""PagerDuty events, from whatever speaks its Events API.

Format: tocsin stands in for PagerDuty: an event of version 2 at `/v2/enqueue`
(https://developer.pagerduty.com/docs/send-alert-event), of version 1 at `/generic/2010-04-15/create_event.json`
(https://developer.pagerduty.com/docs/events-api-v1-overview), either of them at the hook itself. `custom_details` and
`details` may be any JSON. Change events (`/v2/change/enqueue`) are understood, and no alerts.
Authentication: the field `routing_key` (version 2) or `service_key` (version 1) of the body.
Identity: `dedup_key` (`incident_key`). A trigger without one gets one, made of source, component, group and class, or
of the summary where component and class are missing; it is in the answer.
Resolved: `event_action` (`event_type`) `resolve`; acknowledgements are no alerts. A resolve need not say more than
its key, which then is resource and check as well.
Delivery: 429 and 5xx are tried again by most senders; 400 is final.
Limits: one event in each message. Alertmanager and Grafana send one for each group of alerts, not one for each host:
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

V2 = "/v2/enqueue"
CHANGE = "/v2/change/enqueue"
V1 = "/generic/2010-04-15/create_event.json"
PATHS = (V2, CHANGE, V1)
HEARTBEATS = _labelled.HEARTBEATS
REFUSAL = 400
MEDIA_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded", "text/plain"})
"""PagerDuty reads JSON whatever the header says, and some scripts leave it to curl."""

_ACTIONS = {
    **dict.fromkeys(("trigger", "triggered"), "trigger"),
    **dict.fromkeys(("acknowledge", "acknowledged", "ack"), "acknowledge"),
    **dict.fromkeys(("resolve", "resolved"), "resolve"),
}
_NO_NAMES = frozenset({"default", "grafana", "alertmanager"})
"""What Grafana and Alertmanager fill a class, component or group with when nobody set it."""

_TEXTS = ("description", "body", "message", "output", "details", "text")
_GROUP = ("firing", "resolved")


class Options(SourceOptions):
    """How events for PagerDuty are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of an event; none of an acknowledgement or a change.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no event.
    """
    event = _event(payload)
    if payload.path == CHANGE:
        if not _details.said(event, "payload", "summary"):
            raise PayloadError("payload.summary is missing: this is no change event")
        return []
    action = _action(event)
    if action != "trigger" and not _key(event):
        raise PayloadError(f"dedup_key is missing: without one, nothing says what to {action}")
    if action == "acknowledge":
        return []
    return [_alert(payload, options, event, resolved=action == "resolve")]


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> _answers.Answer:
    """What PagerDuty answers: senders that leave the key to it resolve with the one they are told here."""
    if payload.path == CHANGE:
        return _answers.json({"status": "success", "message": "Change event processed"}, 202)
    event = _event(payload)
    key = _key(event) or next((str(getattr(entry, "fingerprint", "")) for entry in entries), "")
    done = {"status": "success", "message": "Event processed"}
    if _is_first(event):
        return _answers.json({**done, "incident_key": key})
    return _answers.json({**done, "dedup_key": key}, 202)


def refuse(payload: Payload, problem: str) -> _answers.Answer:  # noqa: ARG001
    """What PagerDuty answers to an event that it cannot take."""
    return _answers.json(
        {"status": "invalid event", "message": "Event object is invalid", "errors": [problem]}, REFUSAL
    )


def _event(payload: Payload) -> dict[str, Any]:
    return _read.entry(_read.unread(payload.body), _read.OBJECT, "an event of PagerDuty's Events API")


def _is_first(event: dict[str, Any]) -> bool:
    """Whether it is of version 1."""
    return not _details.said(event, "event_action") and bool(_details.said(event, "event_type"))


def _action(event: dict[str, Any]) -> str:
    word = _details.said(event, "event_action") or _details.said(event, "event_type")
    action = _ACTIONS.get(word.lower(), "")
    if not action:
        raise PayloadError(
            _read.said(f"event_action is {word!r}, not trigger, acknowledge or resolve")
            if word
            else "event_action (event_type in version 1) is missing: trigger, acknowledge or resolve"
        )
    return action


def _key(event: dict[str, Any]) -> str:
    return _details.said(event, "dedup_key") or _details.said(event, "incident_key")


def _alert(payload: Payload, options: Options, event: dict[str, Any], *, resolved: bool) -> Alert:
    told = _dig.mapping(event, "payload")
    details = told.get("custom_details", event.get("details"))
    labels = _labels(event, told, details)
    summary = _details.said(told, "summary") or _details.said(event, "description")
    key = _key(event)
    resource, check = _about(event, told, details, labels)
    host, service = _details.in_key(key)
    when = _times.moment(_details.said(told, "timestamp"))
    return _build.alert(
        payload,
        options,
        identity=key or _minted(told, resource, summary),
        resolved=resolved,
        severity=_details.said(told, "severity") or labels.get("severity", ""),
        resource=resource or host or key,
        check=check or service or key or _details.named(summary),
        summary=summary or (f"resolved: {key}" if resolved else ""),
        description=_description(details),
        labels=labels,
        starts_at=None if resolved else when,
        ends_at=when if resolved else None,
        said_at=when if resolved else None,  # many senders write the start, which comes again when it opens again
        url=_details.said(event, "client_url") or _link(event),
    )


def _minted(told: dict[str, Any], resource: str, summary: str) -> tuple[str, ...]:
    """What identifies the problem of a trigger without a key."""
    component, group, kind = (_details.said(told, name) for name in ("component", "group", "class"))
    if not resource:
        raise PayloadError("payload.source is missing, and there is no dedup_key")
    if component or kind:
        return (resource, component, group, kind)
    if not summary:
        raise PayloadError("payload.summary is missing, and there is no dedup_key, component or class")
    return (resource, group, summary)


def _about(event: dict[str, Any], told: dict[str, Any], details: Any, labels: dict[str, str]) -> tuple[str, str]:
    """Resource and check; each empty when the event does not say it.

    A source that only names the client again is no resource, where the details or the group's labels know better.
    """
    where, what = _details.about(details if isinstance(details, dict) else {})
    found, named = _details.about(_grouped_labels(details))
    client, source = _details.said(event, "client"), _details.said(told, "source")
    better = found or where
    unset = source in {"", client} or _details.said(told, "component").lower() in _NO_NAMES
    resource = better if better and unset else source or client
    names = (_details.said(told, name) for name in ("class", "component"))
    check = next((name for name in names if name and name.lower() not in _NO_NAMES), "")
    group = _details.said(told, "group")
    return resource, check or named or what or ("" if group.lower() in _NO_NAMES else group) or labels.get(
        "alertname", ""
    )


def _grouped_labels(details: Any) -> dict[str, str]:
    return _grouped.labels(*(details.get(name) for name in _GROUP)) if isinstance(details, dict) else {}


def _labels(event: dict[str, Any], told: dict[str, Any], details: Any) -> dict[str, str]:
    own = _details.labels(told, skip=("summary", "custom_details", "timestamp"))
    client = {"client": _details.said(event, "client")}
    return client | _grouped_labels(details) | _details.labels(details, skip=(*_GROUP, *_TEXTS)) | own


def _description(details: Any) -> str:
    if not isinstance(details, dict):
        return _details.text_of(details)
    texts = [_dig.text(details, name) for name in _GROUP] if any(map(details.get, _GROUP)) else []
    return "\n".join(filter(None, texts)) or _dig.first(details, *_TEXTS)


def _link(event: dict[str, Any]) -> str:
    """The first link, or context of version 1, that has an address."""
    links = [*_dig.items(event, "links"), *_dig.items(event, "contexts")]
    return next((address for link in links if (address := _dig.text(link, "href"))), "")

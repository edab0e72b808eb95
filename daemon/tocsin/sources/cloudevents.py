"""CloudEvents, from event buses and whatever else sends them.

Format: CloudEvents 1.0 and 0.3 over HTTP (https://github.com/cloudevents/spec): one event as JSON, a batch, or one in
binary mode with its attributes in `ce-*` headers; `data` may be any JSON, a text or base64. In `data`, a list
`alerts` as Alertmanager has it and the usual names of fields are understood; the options name others. Events in Azure
Event Grid's own schema are read, too. Both handshakes are answered: OPTIONS with `WebHook-Request-Origin`, and
Azure's validation event.
Authentication: bearer, or the query parameter `access_token`: these are the ways of the webhook specification.
Identity: source, subject, type without its word of state, and the fields of `data` that name resource and check; or
source and one of `identity_fields`, where `data` has one.
Resolved: a status in `data`, else the last word of the type (`….resolved`, `….cleared`, `….closed`); an event that
says neither is a problem. Acknowledgements, comments, tests and heartbeats are no alerts, nor is what `types` leaves
out.
Delivery: 429 and 5xx are tried again by most senders, as the webhook specification wants it.
Limits: 100 000 events in each batch; the formats XML, Avro and Protobuf are not read. A bus carries more than alerts: name
those that are in `types`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import PositiveInt  # noqa: TC002 - pydantic evaluates it

from tocsin.errors import PayloadError
from tocsin.model import Unreadable
from tocsin.sources import _answers, _build, _details, _dig, _events, _identity, _read, _states, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Alert, Payload

PATHS = ("OPTIONS /",)
REFUSAL = 400
MEDIA_TYPES = frozenset(
    {"application/cloudevents+json", "application/cloudevents-batch+json", "application/json", "*/*"}
)
"""In binary mode the body may be anything."""

HEADERS = ("ce-*", "webhook-request-origin", "webhook-request-rate", "webhook-request-callback", "aeg-event-type")

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_ORIGIN = re.compile(r"[A-Za-z0-9._:*/-]{1,253}", re.ASCII)
_ENVELOPE = frozenset(
    {
        *("specversion", "id", "time", "datacontenttype", "dataschema", "datacontentencoding", "metadataversion"),
        *("eventtypeversion", "traceparent", "tracestate"),
    }
)
_SUMMARIES = (
    *("summary", "message", "title", "ProblemTitle", "description", "text", "body", "output", "reason"),
    "subject.content.description",
)
_TEXTS = ("description", "details", "message", "body", "output", "ProblemDetails", "text")
_STARTS = ("startsAt", "starts_at", "startedAt", "started_at", "startTime", "start_time", "essentials.firedDateTime")
_ENDS = ("endsAt", "ends_at", "resolvedAt", "resolved_at", "endTime", "end_time", "essentials.resolvedDateTime")
_LINKS = ("url", "link", "generatorURL", "ProblemURL", "html_url", "dashboardURL", "href")

_NOTES = frozenset({"summary", "description"})
_TOLD = frozenset({"labels", "annotations", "summary", *_TEXTS, *_STARTS, *_ENDS, *_LINKS})
"""Fields of `data` that are no labels: what else an alert says."""


class Options(SourceOptions):
    """How events are read."""

    types: tuple[str, ...] = ("*",)
    """The types of event that are alerts, as globs: `com.example.alert.*`. Any other is taken, and is no alert."""

    identity_fields: tuple[str, ...] = (
        *("fingerprint", "alertId", "alert_id", "alertKey", "alert_key", "incidentId", "incident_id", "alarmId"),
        *("alarm_id", "problemId", "problem_id", "PID", "ProblemID", "dedup_key", "dedupKey", "essentials.alertId"),
    )
    """The fields of `data` that identify a problem, dots leading into objects; the first one found does."""

    resource_fields: tuple[str, ...] = ("ImpactedEntity",)
    """The fields of `data` that name the resource; where none does, labels and fields of the usual names, the subject,
    the source."""

    check_fields: tuple[str, ...] = ("essentials.alertRule",)
    """The fields of `data` that name the check; where none does, labels and fields of the usual names, the type."""

    status_fields: tuple[str, ...] = (
        *("status", "state", "State", "alertState", "alert_state", "currentState", "newState", "alertStatus"),
        *("essentials.monitorCondition", "alert.status", "alert.state", "alarm.state", "incident.status"),
    )
    """The fields of `data` that say whether the problem is there; the first one found that says so does."""

    severity_fields: tuple[str, ...] = (
        *("severity", "labels.severity", "priority", "level", "alert.severity", "ProblemSeverity"),
    )
    """The fields of `data` that say how severe it is; where none does, the attributes `severitytext` and `severity`."""

    allowed_origins: tuple[str, ...] = ("*",)
    """The origins that may send, as globs, where a sender asks with an OPTIONS request."""

    allowed_rate: PositiveInt | None = None
    """How many requests a minute such a sender is told it may send; without it, as many as it likes."""


def greet(payload: Payload, options: Options) -> _answers.Answer | None:
    """The answer to a sender that asks whether it may send, and to Azure's validation of a subscription."""
    if payload.method == "OPTIONS":
        return _permission(payload, options)
    if _VALIDATION.encode() not in payload.body:
        return None
    try:
        events = [_events.structured(raw) for raw in _raws(payload)]
    except PayloadError:
        return None
    codes = (_dig.text(one.data, "validationCode") for one in events if one.attributes.get("type") == _VALIDATION)
    return next((_answers.json({"validationResponse": code}) for code in codes if code), None)


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of one event or a batch; one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one event, and cannot be read.
    """
    if _events.is_binary(payload):
        return _alerts(payload, options, _events.binary(payload))
    if one := _read.whole(payload.body, _read.OBJECT):
        return _alerts(payload, options, _events.of(one))
    raws = _raws(payload)
    if not _is_batch(payload):
        return _alerts(payload, options, _events.structured(raws[0]))
    found: list[Alert | Unreadable] = []
    for raw in raws:
        try:
            found += _alerts(payload, options, _events.structured(raw))
        except PayloadError as error:
            found.append(Unreadable(position=0, problem=_read.said(str(error))))
    return [
        msgspec.structs.replace(entry, position=at) if isinstance(entry, Unreadable) else entry
        for at, entry in enumerate(found)
    ]


def _permission(payload: Payload, options: Options) -> _answers.Answer:
    """What the webhook specification wants: the origin back, or nothing of it in a refusal."""
    allow = {"Allow": "POST, OPTIONS"}
    origin = payload.headers.get("webhook-request-origin", "").strip()
    granted = any(fnmatchcase(origin.lower(), one.lower()) for one in options.allowed_origins)
    if not origin:
        return _answers.Answer(status=200, headers=allow)
    if not granted or not _ORIGIN.fullmatch(origin):
        return _answers.Answer(status=403, headers=allow)
    rate = str(options.allowed_rate) if options.allowed_rate else "*"
    return _answers.Answer(
        status=200, headers={**allow, "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate}
    )


def _is_batch(payload: Payload) -> bool:
    return payload.body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _raws(payload: Payload) -> list[msgspec.Raw]:
    raw = _read.unread(payload.body)
    return _read.entry(raw, _read.LIST, "a batch of CloudEvents") if _is_batch(payload) else [raw]


def _alerts(payload: Payload, options: Options, event: _events.Event) -> list[Alert | Unreadable]:
    """The alerts of one event: as a rule one, but a group of Alertmanager's has several."""
    told = event.attributes
    for name in ("type", "source"):
        if name not in told:
            raise PayloadError(f"the attribute {name} is missing: this is no CloudEvent")
    named = _states.split(told["type"])
    if told["type"] == _VALIDATION or not any(fnmatchcase(told["type"], one) for one in options.types):
        return []
    parts = _dig.at(event.data, "alerts")
    is_group = isinstance(parts, list) and (not parts or any(isinstance(one, dict) for one in parts))

    def build(data: Any) -> Alert:
        if not isinstance(data, dict):
            raise PayloadError("this is not an alert: Expected `object`")
        return _alert(payload, options, told, data, named._replace(state=_state(data, options) or named.state))

    if is_group:
        return _read.each(parts, build)
    state = _state(event.data, options) or named.state
    return [] if state == _states.QUIET else [_alert(payload, options, told, event.data, named._replace(state=state))]


def _state(data: Any, options: Options) -> str:
    """What the first field says that says a state."""
    if not data or not isinstance(data, dict):
        return ""
    for way in options.status_fields:
        if (way in data or "." in way) and (told := _details.told(data, (way,))) and (state := _states.of(told)):
            return state
    return ""


def _alert(payload: Payload, options: Options, told: dict[str, str], data: Any, named: _states.Named) -> Alert:
    where, what = _about(data, options)
    resolved = named.state == _states.OVER
    when = _times.moment(told.get("time", ""))  # of the occurrence, which may be the start, if `data` has no other
    started, ended = (_times.moment(_details.told(data, ways)) for ways in (_STARTS, _ENDS))
    annotations = _dig.mapping(data, "annotations")
    summary = _details.said(annotations, "summary") or _details.told(data, _SUMMARIES)
    return _build.alert(
        payload,
        options,
        identity=_identifying(told, data, named.base, (where, what), options),
        resolved=resolved,
        severity=_details.told(data, options.severity_fields) or told.get("severitytext", told.get("severity", "")),
        resource=where or _details.short(told.get("subject", told["source"])),
        check=what or _details.short(named.name),
        summary=summary or (data.partition("\n")[0] if isinstance(data, str) else ""),
        description=_details.said(annotations, "description") or _description(data),
        labels=_labels(told, data),
        starts_at=started or (None if resolved else when),
        ends_at=(ended or when) if resolved else None,
        said_at=when if resolved or started not in {None, when} else None,
        url=_details.told(data, _LINKS),
    )


def _about(data: Any, options: Options) -> tuple[str, str]:
    """Resource and check as `data` names them; each empty where it does not."""
    host, name = _details.about(_dig.mapping(data, "labels"))
    named = {name: data[name] for name in data if name.lower() != "url"} if isinstance(data, dict) else {}
    where, what = _details.about(named)
    resource = _details.told(data, options.resource_fields) or host or where
    return _details.short(resource), _details.short(_details.told(data, options.check_fields) or name or what)


def _identifying(
    told: dict[str, str], data: Any, base: str, about: tuple[str, str], options: Options
) -> tuple[str, ...]:
    if key := _details.told(data, options.identity_fields):
        return (told["source"], key)
    labels, subject = _dig.mapping(data, "labels"), told.get("subject", "")
    if "alertname" in labels and not subject:
        return (told["source"], _identity.encode(labels).decode())
    return (told["source"], subject, base, *about)


def _description(data: Any) -> str:
    if isinstance(data, dict):
        return _details.told(data, _TEXTS)
    return _details.text_of(data)


def _labels(told: dict[str, str], data: Any) -> dict[str, str]:
    """Attributes and data under their own names; of an alert of Alertmanager's, its labels and annotations as well."""
    notes = _details.labels(_dig.mapping(data, "annotations"), skip=_NOTES)
    own = _details.labels(data, skip=_TOLD)
    return own | notes | _details.labels(_dig.mapping(data, "labels")) | _details.labels(told, skip=_ENVELOPE)

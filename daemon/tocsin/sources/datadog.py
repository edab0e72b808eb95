"""Datadog, Webhooks integration.

Format: the payload of `config/sources/datadog/`, or any other template of the integration's variables
(https://docs.datadoghq.com/integrations/webhooks/): fields are known by their names in any spelling (`alert_id`,
`alertId`, `ALERT_ID`, `alert: {id}`), JSON or form. The default payload names no monitor and no state: both are then
taken from what Datadog itself writes around the operator's texts, `[Triggered on {host:web01}]` and the monitor's link.
Authentication: custom headers (such as a bearer token), or basic in the address.
Identity: the alert's cycle, or the aggregation key, or the monitor and its scope. Of a payload that has none of them, the
monitor's name and scope. Never `$ID`: each notification has another.
Resolved: `$ALERT_TRANSITION` is `Recovered`; without it, the title's `[Recovered]` or the alert type `success`. No Data is
a problem. Incidents of Datadog are over when they are resolved or completed.
Delivery: tried again after 5xx and on connection errors, five times; no answer within 15 s counts as one.
Limits: the default payload tells two monitors of one name apart by their links only; use the payload in
`config/sources/datadog/`. A test notification is known by its title and text only: a template without them tells it like a problem.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _labels, _messages, _read, _templated
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = frozenset({"application/json", _messages.FORM})

_CYCLE = ("alertcyclekey", "cyclekey", "alertcycleid", "alertcycle")
_AGGREGATION = ("aggregkey", "aggregationkey", "alertaggregkey", "eventaggregkey", "aggregatekey")
_MONITOR = ("alertid", "monitorid")
_TRANSITION = ("alerttransition", "transition", "alerttranstype", "monitorstate")
_TYPE = ("alerttype", "eventalerttype")
_EVENT_TYPE = ("eventtype", "eventeventtype")
_TITLE = ("eventtitle", "alerttitle", "title", "subject", "summary")
_NAME = ("monitorname", "alertname", "rulename")
_SCOPE = ("alertscope", "scope", "scopes", "monitorscope", "monitorgroup")
_HOST = ("hostname", "host", "alerthost", "eventhostname")
_TAGS = ("tags", "eventtags", "alerttags", "monitortags")
_TEXT = ("textonlymsg", "eventmsg", "body", "message", "eventmessage", "alertmessage", "text", "description", "msg")
_STATE_TEXT = ("alertstatus", "status")
_PRIORITY = ("alertpriority", "priority", "severity", "alertseverity", "monitorpriority")
_LINK = ("link", "url", "eventurl", "alerturl", "monitorurl", "eventlink")
_DATE = ("date", "eventdate", "alertdate", "datehappened", "timestamp", "lastupdated", "alerttime")
_ORGANISATION = ("orgname", "organization", "organisation", "orgid")
_INCIDENT = ("incidentuuid", "incidentpublicid")
_SIGNAL = ("securitysignalid", "signalid")
_TRANSITIONS = frozenset(
    {"triggered", "re-triggered", "recovered", "no data", "re-no data", "warn", "re-warn", "ok", "alert"}
)
"""What the field of the status says in templates that mean the transition by it; Datadog itself writes a sentence."""

_TEST = "[TEST]"
_TESTED = "Test notification triggered by "

_WRAPPERS = frozenset({"data", "detail", "payload", "customdetails", "labels", "annotations"})
"""Objects around the message that say nothing by their name."""

_MONITOR_EVENT = re.compile(r".+_(?:monitor|alert)|service_check", re.ASCII)
"""The event types of monitors."""

_PREFIX = re.compile(
    r"(?:\[(?P<priority>P[1-5])\]\s*)?\[(?P<transition>(?:Re-?)?(?:Triggered|Warn|No Data|Notify)|Recovered|Renotify)"
    r"(?: on \{(?P<scope>[^}]*)\})?\]\s*",
    re.IGNORECASE,
)
"""What Datadog writes before the title of a monitor's event."""

_MONITOR_LINK = re.compile(
    r"https?://[\w.-]{1,100}/monitors[#/](?P<id>\d{1,20})(?P<rest>\?[^)\s\"]{0,500}?(?:from_ts|to_ts|group)=[^)\s\"]{0,500})",
    re.ASCII,
)
"""A link of Datadog's own to a monitor and its group; one that a person wrote into the message has no such parameters."""

_GROUP = re.compile(r"[?&]group=([^&]+)")
_LOOKED_AT = 20_000
"""How many characters of a text are searched for that link."""
_DESCRIBED = frozenset(("body", "event_msg", "text_only_msg", "message", "text", "event_title", "title"))


class Options(SourceOptions):
    """How notifications of Datadog are read."""

    resource_tags: tuple[str, ...] = (
        *("host", "hostname", "device", "instance", "pod_name", "service", "functionname", "dbinstanceidentifier"),
        *("url", "container_name", "kube_deployment", "kube_cluster_name", "cluster_name", "name"),
    )
    """The tags that may name the resource where `$HOSTNAME` does not, of the scope first; the first one present does."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of a notification; none of one that is about no monitor, incident or security signal.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is no notification.
    """

    def build(message: Mapping[str, Any]) -> list[Alert]:
        return _alerts(message, payload, options)

    fields = _messages.form(payload)
    if fields is not None:
        return _messages.numbered(build(fields))
    return _messages.each(payload.body, _read.OBJECT, "a notification of Datadog's Webhooks integration", build)


class _Notice(NamedTuple):
    """What a notification says."""

    fields: dict[str, Any]
    """Under the template's own names."""
    said: dict[str, Any]
    """By plain names."""
    prefix: re.Match[str] | None
    link: re.Match[str] | None
    """To the monitor, in the text."""

    def first(self, names: Iterable[str]) -> str:
        return _templated.first(self.said, names)

    def many(self, names: Iterable[str]) -> list[str]:
        return _templated.texts(next((self.said[name] for name in names if name in self.said), ""))


def _alerts(message: Mapping[str, Any], payload: Payload, options: Options) -> list[Alert]:
    fields = _templated.filled(message)
    said = _by_name(fields)
    prefix = _prefix(said)
    link = _MONITOR_LINK.search(_templated.first(said, _TEXT)[:_LOOKED_AT])
    notice = _Notice(fields, said, prefix, link)
    if _is_test(notice):
        return []
    if transition := _transition(notice):
        return [_of_monitor(notice, transition, payload, options)]
    if notice.first(_INCIDENT):
        return [_of_incident(notice, payload, options)]
    if notice.first(_SIGNAL):
        return [_of_signal(notice, payload, options)]
    if not notice.first((*_EVENT_TYPE, *_TYPE)):
        raise PayloadError(
            "alert_transition, alert_id and event_type are missing: paste the payload of config/sources/datadog/"
        )
    return []


def _prefix(said: Mapping[str, Any]) -> re.Match[str] | None:
    """What Datadog wrote before the first title that has it; a template may have several."""
    titles = (_templated.first(said, (name,)) for name in _TITLE if name in said)
    return next(filter(None, map(_PREFIX.match, titles)), None)


def _is_test(notice: _Notice) -> bool:
    """Whether somebody pressed *Test Notifications*: the title and the text say so; a monitor's name may only begin so."""
    name = notice.prefix.string[notice.prefix.end() :] if notice.prefix else notice.first(_TITLE)
    return name.startswith(_TEST) and _TESTED in notice.first(_TEXT)[:_LOOKED_AT]


def _by_name(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by their plain names; those of an object inside with its name before theirs."""
    found: dict[str, Any] = {}
    inside: dict[str, Any] = {}
    for name, value in _templated.by_name(fields).items():
        if not isinstance(value, dict):
            found[name] = value
        elif name in _WRAPPERS:
            inside |= _by_name(value)
        else:
            for inner, one in _by_name(value).items():
                inside.setdefault(inner if inner.startswith(name) else f"{name}{inner}", one)
    return inside | found


def _transition(notice: _Notice) -> str:
    """The transition of a monitor, in lower case; empty for what is about none."""
    status = notice.first(_STATE_TEXT).lower()
    told = notice.first(_TRANSITION).lower() or (status if status in _TRANSITIONS else "")
    told = "" if told == "null" else told
    if told or notice.prefix:
        return told or (notice.prefix["transition"].lower() if notice.prefix else "")
    of_monitor = notice.first((*_MONITOR, *_CYCLE)) or _MONITOR_EVENT.fullmatch(notice.first(_EVENT_TYPE))
    kinds = {"error": "triggered", "warning": "warn", "success": "recovered"}
    return kinds.get(notice.first(_TYPE).lower(), "triggered" if of_monitor else "")


def _of_monitor(notice: _Notice, transition: str, payload: Payload, options: Options) -> Alert:
    title, text, status = notice.first(_TITLE), notice.first(_TEXT), notice.first(_STATE_TEXT)
    tags, scope = notice.many(_TAGS), _scope(notice)
    name = notice.first(_NAME) or (notice.prefix.string[notice.prefix.end() :] if notice.prefix else title).strip()
    check = name or notice.first(("alertmetric", "metric", *_EVENT_TYPE))
    resource = _resource(notice, scope, tags, options) or payload.source or check
    resolved = "recover" in transition or transition in {"resolved", "ok", "success"}
    happened = _templated.moment(notice.said, _DATE)
    return _build.alert(
        payload,
        options,
        identity=_identity(notice, check, scope or [resource]),
        resolved=resolved,
        severity=_severity(notice, transition),
        resource=_details.short(resource),
        check=_details.short(check),
        summary=title or status,
        description=text.replace("%%%", "") or status,
        labels=_labelled(notice, scope + tags),
        starts_at=happened if transition in {"triggered", "warn", "no data"} else None,
        ends_at=happened if resolved else None,
        said_at=happened,
        url=notice.first(_LINK) or (notice.link[0] if notice.link else ""),
    )


def _scope(notice: _Notice) -> list[str]:
    """The tags that say which of a monitor's groups it is about, in order."""
    tags = notice.many(_SCOPE) or _templated.texts(notice.prefix["scope"] if notice.prefix else "")
    group = _GROUP.search(notice.link["rest"]) if notice.link and not tags else None
    return sorted(tag for tag in tags or _templated.texts(unquote_plus(group[1]) if group else "") if tag != "*")


def _resource(notice: _Notice, scope: list[str], tags: list[str], options: Options) -> str:
    """The host, or the tag of the scope or else of the event that comes first in the options."""
    if host := notice.first(_HOST):
        return host
    for known in (_labels.tags(scope), _labels.tags(tags)):
        for name in options.resource_tags:
            if known.get(name, "true") != "true":
                return known[name]
    return ", ".join(scope) or notice.first(_ORGANISATION)


def _identity(notice: _Notice, check: str, group: list[str]) -> str | tuple[str, ...]:
    if key := notice.first((*_CYCLE, *_AGGREGATION)):
        return key
    monitor = notice.first(_MONITOR) or (notice.link["id"] if notice.link else "")
    if monitor or notice.prefix or notice.first(_TRANSITION) or _MONITOR_EVENT.fullmatch(notice.first(_EVENT_TYPE)):
        return ("monitor", monitor or check, *group)
    return ("event", notice.first(("id", "eventid")) or check, *group)


def _severity(notice: _Notice, transition: str) -> str:
    """A warning's own word, the monitor's priority, or the event's type; an event's priority, `normal` or `low`, is none."""
    if "warn" in transition and "recover" not in transition:
        return "warning"
    for name in _PRIORITY:
        word = notice.first((name,)).lower()
        if word and word not in {"normal", "low"}:
            return f"P{word}" if word in {*"12345"} else word
    return (notice.prefix and notice.prefix["priority"]) or notice.first(_TYPE)


def _labelled(notice: _Notice, tags: list[str]) -> dict[str, str]:
    """The tags, and the template's fields under their own names."""
    return _labels.tags(dict.fromkeys(tags)) | _labels.flat(notice.fields, skip=_DESCRIBED)


def _of_incident(notice: _Notice, payload: Payload, options: Options) -> Alert:
    service = notice.first(("incidentfieldsservices", "incidentservices", "service", *_ORGANISATION))
    resolved = notice.first(("incidentstatus", "incidentstate")).lower() in {"resolved", "completed"}
    happened = _templated.moment(notice.said, _DATE)
    return _build.alert(
        payload,
        options,
        identity=("incident", notice.first(_INCIDENT)),
        resolved=resolved,
        severity=notice.first(("incidentseverity", "severity")),
        resource=_details.short(service or payload.source or "Datadog"),
        check="incident",
        summary=notice.first(("incidenttitle", *_TITLE)),
        description=notice.first(("incidentmsg", "incidentmessage", *_TEXT)),
        labels=_labelled(notice, notice.many(_TAGS)),
        ends_at=happened if resolved else None,
        said_at=happened,
        url=notice.first(("incidenturl", *_LINK)),
    )


def _of_signal(notice: _Notice, payload: Payload, options: Options) -> Alert:
    tags = notice.many(_TAGS)
    happened = _templated.moment(notice.said, _DATE)
    rule = notice.first(("securityrulename", "securitysignaltitle", *_TITLE)) or "security signal"
    return _build.alert(
        payload,
        options,
        identity=("signal", notice.first(_SIGNAL)),
        resolved=False,
        severity=notice.first(("securitysignalseverity", "severity")),
        resource=_details.short(_resource(notice, [], tags, options) or payload.source or rule),
        check=_details.short(rule),
        summary=notice.first(("securitysignaltitle", *_TITLE)),
        description=notice.first(("securitysignalmsg", *_TEXT)),
        labels=_labelled(notice, tags),
        starts_at=happened,
        said_at=happened,
        url=notice.first(_LINK),
    )

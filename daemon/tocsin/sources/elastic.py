"""Elastic: Kibana rules, Watcher, ElastAlert.

Format: the bodies of `config/sources/elastic/` for Kibana's webhook connector, or any other template of its variables
(https://www.elastic.co/docs/explore-analyze/alerts-cases/alerts/rule-action-variables), names nested, with dots or in
another spelling (`rule.id`, `ruleId`, `rule_id`), those of Kibana 7 too (`alertId`, `alertInstanceId`); a summary of alerts
(`alerts.new`, `alerts.ongoing`, `alerts.recovered`); alert documents (`kibana.alert.…`, `signal.…`), alone or in `alerts`,
`context.alerts` or `signals`; the context of a watch (`watch_id`, `metadata` …); a match of ElastAlert, with `rule_name`.
Authentication: a header of the connector (such as a bearer token), or basic.
Identity: the rule and the alert's id; of an alert of a detection rule its UUID; the watch; ElastAlert's rule and what it is
about. Never the UUID of an alert that has an id: it is another one when the problem comes back.
Resolved: the action group, or a status in the template, is `recovered` (or `resolved`, `ok`, `closed`): the rule needs an
action for Recovered, too. No Data is a problem. An alert that is no longer tracked is over.
Delivery: Kibana tries again after 429 and 5xx, ElastAlert in its next cycle; Watcher does not.
Limits: detection rules, watches and ElastAlert do not say that it is over, unless a template does: set `expire_after` for
them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _dotted, _labels, _messages, _read, _severity, _templated
from tocsin.sources._options import SourceOptions
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

_RULE = ("rule.id", "ruleId", "rule_id", "rule.uuid", "context.rule.id")
_NAME = (
    "rule.name",
    "ruleName",
    "rule_name",
    "context.rule.name",
    "alertName",
    "alert.name",
    "alert_name",
    "name",
    "rule",
)
_INSTANCE = (
    "alertInstanceId",
    "alert.instance_id",
    "alert.instanceId",
    "alert_instance_id",
    "instance_id",
    "instanceId",
)
_ALERT = ("alert.id", "alertId", "alert_id")
"""The alert's id; in Kibana 7, where an instance has an id of its own, the rule's."""

_UUID = ("alert.uuid", "alertUuid", "alert_uuid", "uuid", "instance", "alert_uid", "fingerprint", "id")
_GROUPS = (
    *(
        "alert.actionGroup",
        "alertActionGroup",
        "actionGroup",
        "action_group",
        "alert.action_group",
        "alert_action_group",
    ),
    *(
        "alert.actionGroupName",
        "alertActionGroupName",
        "actionGroupName",
        "action_group_name",
        "alert.action_group_name",
    ),
    *("kibana.alert.action_group", "event_action"),
)
_STATES = ("status", "state", "alert.status", "alert_status", "alertStatus", "alert_state", "context.alertState")
_DATES = ("date", "timestamp", "alert_date", "lastReceived", "@timestamp", "context.timestamp")


class _Family(NamedTuple):
    """Which fields of a message say what; the first one that says something counts."""

    rule: tuple[str, ...]
    name: tuple[str, ...]
    instance: tuple[str, ...]
    state: tuple[str, ...]
    said_at: tuple[str, ...]
    started: tuple[str, ...] = ("kibana.alert.start", "kibana.alert.original_time", "signal.original_time", "start")


_TEMPLATE = _Family(_RULE, _NAME, _INSTANCE + _ALERT + _UUID, _GROUPS + _STATES, _DATES)
_DOCUMENT = _Family(
    rule=("kibana.alert.rule.uuid", "signal.rule.id", "kibana.alert.rule.rule_id", *_RULE),
    name=("kibana.alert.rule.name", "signal.rule.name", *_NAME[:4]),
    instance=("kibana.alert.instance.id", "kibana.alert.uuid", "_id", "id"),
    state=("kibana.alert.status", "kibana.alert.workflow_status", "signal.status", *_GROUPS, "alert_status"),
    said_at=("date", "@timestamp"),
)
_WATCH = _Family(
    rule=("watch_id",),
    name=("metadata.name", "watch_name", "watch_id"),
    instance=(),
    state=_STATES,
    said_at=("execution_time", "trigger.triggered_time", *_DATES),
)
_MATCH = _Family(
    rule=(),
    name=("rule_name", "rulename", "alert_name", "rule.name"),
    instance=("alert_uid",),
    state=("alert_status", "alert_state"),
    said_at=("alert_time",),
    started=("@timestamp",),
)
"""A match of ElastAlert is a document with any fields: its `status` and its time are not those of the alert."""

_IS_DOCUMENT = frozenset(
    {"kibana.alert.rule.uuid", "kibana.alert.rule.name", "kibana.alert.status", "kibana.alert.uuid"}
)
_IS_SIGNAL = frozenset({"signal.rule.id", "signal.rule.name", "kibana.alert.depth"})
"""Fields of alerts of a detection rule: each of them is one finding, which does not come back."""

_OVER = frozenset(
    {"recovered", "recovery", "resolved", "resolve", "ok", "closed", "close", "inactive", "untracked", "cleared"}
)
_SEVERITY = (
    *("kibana.alert.severity", "signal.rule.severity", "severity", "alert.severity", "rule.severity", "alert_severity"),
    *("context.severity", "context.rule.severity", "kibana.alert.rule.severity", "metadata.severity", "priority"),
)
_TITLE = (
    *("context.title", "context.reason", "kibana.alert.reason", "reason", "title", "context_title", "context_reason"),
    *("alert_subject", "subject"),
)
_TEXT = (
    *("alert_text", "context.message", "message", "context_message", "kibana.alert.reason", "context.reason", "reason"),
    *("context_reason", "description", "context.conditions", "kibana.alert.rule.description"),
    *("signal.rule.description", "metadata.description"),
)
_LINK = (
    *("context.alertDetailsUrl", "alertDetailsUrl", "kibana.alert.url", "alert.url", "context.link"),
    *(
        "context.viewInAppUrl",
        "context.results_link",
        "results_link",
        "link",
        "kibana_url",
        "url",
        "rule.url",
        "ruleUrl",
    ),
)
_TAGS = ("rule.tags", "kibana.alert.rule.tags", "tags", "ruleTags")
_PARTS = ("new", "ongoing", "recovered", "all")
"""The parts of a summary of alerts."""

_NO_NAME = re.compile(
    r"\*|default|all documents|query matched|threshold met|[0-9a-f]{32,64}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    re.ASCII,
)
"""Ids of alerts that name nothing: those of rules without groups, UUIDs and hashes."""

_DESCRIBED = frozenset({*_TEXT[:10], "kibana.alert.original_event"})
_PARAMETERS = ("rule.params.", "kibana.alert.rule.parameters.", "context.rule.", "context.matchingDocuments.")


class Options(SourceOptions):
    """How alerts of Elastic are read."""

    resource_fields: tuple[str, ...] = (
        *("resource", "context.host.name", "context.host.hostname", "context.host", "context.hostname"),
        *("host.name", "host.hostname", "hostname", "host", "context.nodeName", "labels.host", "metadata.host"),
        *("context.service.name", "context.serviceName", "service.name", "serviceName", "service_name", "service"),
        *("metadata.service", "context.monitorName", "monitor.name", "context.monitorUrl", "context.container.id"),
        *("container.name", "kubernetes.pod.name", "agent.name", "beat.hostname", "url.full", "context.group"),
    )
    """The fields, by their names with dots, that may name the resource; the first one present does. Without any, it is
    the alert's id where that is a name, and else the rule."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of a message; in a summary or a list, one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is one alert, and cannot be read.
    """

    def build(message: dict[str, Any]) -> list[Alert | Unreadable]:
        return _alerts(_unwrapped(message), payload, options)

    return _messages.each(payload.body, _read.OBJECT, "an alert of Elastic", build)


def _unwrapped(message: dict[str, Any]) -> dict[str, Any]:
    """The message without what stands around it: a template's own object, or a watch's context in `ctx` or `payload`."""
    body = message.get("webhook_body")
    if isinstance(body, dict):
        return {name.removesuffix("_info"): value for name, value in body.items()}
    context = next((one for name in ("ctx", "payload") if "watch_id" in (one := _dig.mapping(message, name))), None)
    if context is None:
        return message
    return context | {name: value for name, value in message.items() if name not in {"ctx", "payload"}}


def _alerts(message: dict[str, Any], payload: Payload, options: Options) -> list[Alert | Unreadable]:
    listed = _summarised(message)
    if listed is None:
        listed = _documents(message)
    if listed is None:
        return [_alert(_dotted.fields(message), payload, options)]
    around = _dotted.fields({name: value for name, value in message.items() if name not in {"alerts", "signals"}})

    def build(document: Any) -> Alert:
        own = _dotted.read(document)
        if not isinstance(own, dict):
            raise PayloadError("this is no alert, but a number, a text or a list")
        return _alert(around | _dotted.fields(own), payload, options)

    return _read.each(listed, build)


def _summarised(message: Mapping[str, Any]) -> list[Any] | None:
    """The documents of a summary of alerts; None when it is no summary.

    All of them are in `all` again, so that counts only where nothing is in the others.
    """
    alerts = message.get(
        "alerts", {name.removeprefix("alerts."): one for name, one in message.items() if name[:7] == "alerts."}
    )
    if not isinstance(alerts, dict) or {"new", "ongoing", "recovered", "all"}.isdisjoint(
        part.partition(".")[0] for part in alerts
    ):
        return None
    parts = {name: _dotted.entries(_dig.at(alerts, name, "data") or alerts.get(f"{name}.data")) for name in _PARTS}
    recovered = [
        {**one, "alert_status": "recovered"} if isinstance(one, dict) else one
        for one in map(_dotted.read, parts["recovered"])
    ]
    told = parts["new"] + parts["ongoing"] + recovered or parts["all"]
    if not told and any(_dig.text(alerts, name, "count").strip("0") for name in _PARTS):
        raise PayloadError("alerts.new.data is missing: the template must write {{{alerts.new.data.asJSON}}}")
    return told


def _documents(message: Mapping[str, Any]) -> list[Any] | None:
    """The alert documents that a message lists; None when it lists none."""
    context = message.get("context")
    inner = context.get("alerts") if isinstance(context, dict) else None
    for told in (message.get("alerts"), inner, message.get("context.alerts"), message.get("signals")):
        if told is None:
            continue
        documents = _dotted.entries(told)
        if any(isinstance(_dotted.read(one), dict) for one in documents):
            return documents
    return None


def _alert(found: dict[str, Any], payload: Payload, options: Options) -> Alert:
    family = _family(found)
    rule, instance = _rule_and_instance(found, family)
    name = _dotted.first(found, family.name)
    if not (rule or name):
        raise PayloadError(f"{family.name[0]} is missing: use a body of config/sources/elastic/")
    group = _dotted.first(found, _GROUPS)
    where = next(
        (_dotted.text(found[field]) for field in options.resource_fields if field in found and found[field] != "*"), ""
    )
    named = "" if _NO_NAME.fullmatch(instance) or instance.lower() == group.lower() else instance
    resolved = any(_dotted.text(found[field]).lower() in _OVER for field in family.state if field in found)
    said_at = _templated.moment(found, family.said_at)
    return _build.alert(
        payload,
        options,
        identity=(rule or name, "" if family is _WATCH else instance or where),
        resolved=resolved,
        severity=_how_severe(found),
        resource=_details.short(where or named or name or rule),
        check=_details.short(name or _dotted.first(found, _TITLE) or rule),
        summary=_dotted.first(found, _TITLE),
        description=_dotted.first(found, _TEXT),
        labels=_labelled(found),
        starts_at=_templated.moment(found, family.started),
        ends_at=(_templated.moment(found, ("kibana.alert.end", "end")) or said_at) if resolved else None,
        said_at=said_at,
        url=_dotted.first(found, _LINK),
    )


def _family(found: Mapping[str, Any]) -> _Family:
    if "num_hits" in found or "num_matches" in found:
        return _MATCH
    if not (_IS_DOCUMENT | _IS_SIGNAL).isdisjoint(found):
        return _DOCUMENT
    return _WATCH if "watch_id" in found else _TEMPLATE


def _rule_and_instance(found: Mapping[str, Any], family: _Family) -> tuple[str, str]:
    """What tells the rule from others, and its alert from others of it; either may be empty."""
    rule, instance = _dotted.first(found, family.rule), _dotted.first(found, family.instance)
    if family is _TEMPLATE and not rule and (_dotted.first(found, _INSTANCE) or "alertName" in found):
        rule = _dotted.first(found, _ALERT)
        instance = _dotted.first(found, _INSTANCE)
    if family is _DOCUMENT and not _IS_SIGNAL.isdisjoint(found):
        instance = _dotted.first(found, family.instance[1:])
    return rule, instance


def _how_severe(found: Mapping[str, Any]) -> str:
    """Its severity; or the name of its action group, where that is one: `Warning`, `slo.burnRate.high`."""
    if told := _dotted.first(found, _SEVERITY):
        return told
    words = (_dotted.text(found[name]).rpartition(".")[2].lower() for name in _GROUPS if name in found)
    return next((word for word in words if word in _severity.WORDS and word not in _severity.CLEAR), "")


def _labelled(found: Mapping[str, Any]) -> dict[str, str]:
    """Tags with a value, and the fields that are neither texts for people nor parameters of the rule."""
    tags = [tag for name in _TAGS if name in found for tag in _templated.texts(found[name])]
    kept: dict[str, str] = {}
    for name, value in found.items():
        if label := _label(name):
            kind = type(value)
            kept[label] = value if kind is str else ", ".join(value) if kind is list else _read.text(value)
    return (_labels.tags(dict.fromkeys(tag for tag in tags if ":" in tag)) | kept) if tags else kept


@remembered(4_096)
def _label(name: str) -> str:
    """The name under which a field is a label; empty for one that is none."""
    return "" if name in _DESCRIBED or name.startswith(_PARAMETERS) else name.replace(".", "_")

"""Azure Monitor: alerts of an action group's webhook.

Format: the common alert schema (https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema): metric,
log search, activity log, service health, resource health, Prometheus, smart detection, budgets. Also the schemas from
before it: metric (`AzureMonitorMetricAlert`), classic, activity log (`Microsoft.Insights/activityLogs`), log search,
budget.
Authentication: a token in the webhook's address (`parameter`); Azure can send no header of its own.
Identity: `alertId`, which firing and resolve share; of service health the tracking id; of resource health the
resource; of older schemas and rules that never resolve: rule, resource and dimensions.
Resolved: `monitorCondition` is Resolved; of older metric alerts, `status` is Resolved or Deactivated; `stage` of
service health is Resolved, Complete or Canceled; of resource health, the status is Available. Nothing else is ever
resolved, and expires after the option `stateless_expires`: activity log, budgets, smart detection, log rules of
version 1. Service health expires, too, where no update comes. Rules with `autoMitigate: false` need the option
`auto_resolve: false`.
Delivery: up to five times within about a minute, on 408, 429, 503 and 504 and where there is no answer; then not for
15 minutes.
Limits: one alert of at most 256 KB; a firing alert is not said again; what a test of the action group sends looks
like any other alert.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tocsin.sources import _azure, _azure_older, _build, _details, _dig, _identity, _labelled, _labels, _read, _times
from tocsin.sources._azure import AzureOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from msgspec import Raw

    from tocsin.model import Alert, Payload, Severity, Unreadable

_NEVER_RESOLVED = frozenset({"costalerts", "smartdetector"})
"""Monitoring services, in lower case, whose alerts Azure resolves never, or not reliably."""

_PROMETHEUS = ("host", "hostname", "node", "nodename", "instance", "pod", "deployment", "service", "job", "cluster")
"""The labels of a Prometheus rule that may name the resource: Azure itself names the workspace only."""

_PLAIN_ID = re.compile(r"[\w/.-]+", re.ASCII)
"""An id in which nothing but the slashes must be quoted: nearly every one, and much faster than asking `quote`."""

_ACTIVITY = frozenset({"activity log", "activitylog"})

_FIRST_LOGS = "SearchQuery"
"""What only the context of a log rule of version 1 has; later ones have it inside their criteria."""


class Options(AzureOptions):
    """How the alerts of Azure Monitor are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The one alert of a message; in a list, one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is one message, and cannot be read.
    """

    def build(raw: Raw) -> Alert:
        message = _read.entry(raw, _read.OBJECT, "an alert of Azure Monitor")
        data = _dig.mapping(message, "data") or message
        if isinstance(data.get("essentials"), dict):
            return _common(payload, options, data, now)
        return _azure_older.alert(payload, options, message, now)

    return _read.one_or_many(payload.body, build)


def _common(payload: Payload, options: Options, data: Mapping[str, Any], now: datetime) -> Alert:
    essentials, context = _dig.mapping(data, "essentials"), _dig.mapping(data, "alertContext")
    targets = _dig.texts(_dig.items(essentials, "alertTargetIDs") or _dig.items(essentials, "alertTargetIds"))
    target = targets[0] if targets else _dig.text(essentials, "targetResource")
    told = _azure.event(context, target) if _is_activity(essentials, context) else _azure.Event()
    resolved = told.resolved or _dig.text(essentials, "monitorCondition").lower() == "resolved"
    fired_at = _times.moment(_dig.text(essentials, "firedDateTime"))
    resolved_at = _times.moment(_dig.text(essentials, "resolvedDateTime")) or told.ends_at
    expires = now + options.stateless_expires if _expires(essentials, context, told, options) else None
    rule = _dig.text(essentials, "alertRule") or _dig.text(context, "AlertData", "BudgetName")
    return _build.alert(
        payload,
        options,
        identity=told.identity or _alert_id(essentials, context, target, options),
        resolved=resolved,
        severity=told.level or _severity(essentials, options),
        resource=_about(essentials, context, told, target),
        check=_azure.name_of(rule) or told.check or _dig.text(essentials, "monitoringService"),
        summary=_summary(context, told),
        description=_dig.text(essentials, "description") or told.description,
        labels=_said(data, essentials, context, target),
        starts_at=told.starts_at if told.check else fired_at,
        ends_at=resolved_at if resolved else expires,
        said_at=told.said_at or (resolved_at if resolved else fired_at),
        url=_link(essentials, context),
    )


def _is_activity(essentials: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    return "operationName" in context or _dig.text(essentials, "signalType").lower() in _ACTIVITY


def _expires(essentials: Mapping[str, Any], context: Mapping[str, Any], told: _azure.Event, options: Options) -> bool:
    """Whether nobody will say that the alert is over."""
    if told.check:
        return told.expires
    return _is_repeated(context, options) or _dig.text(essentials, "monitoringService").lower() in _NEVER_RESOLVED


def _is_repeated(context: Mapping[str, Any], options: Options) -> bool:
    """Whether the rule fires anew, under a new id, each time that it is evaluated."""
    return _FIRST_LOGS in context or ("condition" in context and not options.auto_resolve)


def _alert_id(
    essentials: Mapping[str, Any], context: Mapping[str, Any], target: str, options: Options
) -> str | tuple[str, ...]:
    """The id of the alert; of a rule that fires anew each time, and without an id, rule, resource and dimensions."""
    rule = _dig.text(essentials, "alertRule").lower()
    if not (_is_repeated(context, options) and rule):
        if alert_id := _dig.first(essentials, "alertId", "originAlertId"):
            return alert_id.lower()
        _identity.name(rule, "data.essentials.alertId")
    told = _azure.dimensions(context.get("condition")) | _labels.named(_dig.items(context, "Dimensions"))
    return (rule, target.lower(), *(f"{name}={value}" for name, value in sorted(told.items())))


def _severity(essentials: Mapping[str, Any], options: Options) -> Severity:
    return _azure.severity(_dig.text(essentials, "severity"), options.severity_default)


def _about(essentials: Mapping[str, Any], context: Mapping[str, Any], told: _azure.Event, target: str) -> str:
    """The configuration item, which is the computer where the target is its workspace; else the target."""
    if "AlertData" in context and (scope := _dig.text(context["AlertData"], "Scope")):
        return _azure.name_of(scope)
    if "labels" in context and (thing := _dig.first(context["labels"], *_PROMETHEUS)):
        return _labelled.host_of(thing)
    items = _dig.texts(_dig.items(essentials, "configurationItems"))
    named = told.about or (items[0] if items else "") or target or _dig.text(essentials, "targetResourceName")
    return _azure.name_of(named) or _azure.name_of(_dig.text(essentials, "alertRule"))


def _summary(context: Mapping[str, Any], told: _azure.Event) -> str:
    if words := told.summary or _azure.in_words(context.get("condition")):
        return words
    if words := _dig.first(context.get("annotations"), "summary", "description"):
        return words
    spent = _dig.text(context, "AlertData", "SpentAmount")
    if spent:
        return f"{spent} spent of {_dig.text(context, 'AlertData', 'BudgetThreshold')}"
    return _dig.first(context, "DetectionSummary")


def _said(
    data: Mapping[str, Any], essentials: Mapping[str, Any], context: Mapping[str, Any], target: str
) -> dict[str, str]:
    own = context.get("labels")
    return (
        _azure.context_labels(context)
        | (_labels.flat(own) if isinstance(own, dict) else {})
        | _labels.named(_dig.items(context, "Dimensions"))
        | _azure.criteria_labels(context.get("condition"))
        | _azure.arm_labels(target)
        | _details.labels(data.get("customProperties"))
        | _labels.flat(essentials, skip=("description", "investigationLink"))
    )


def _link(essentials: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Where to see the alert; else the results of its query."""
    if link := _dig.text(essentials, "investigationLink"):
        return link
    alert_id = _dig.text(essentials, "alertId")
    if "/microsoft.alertsmanagement/alerts/" in alert_id.lower():
        plain = _PLAIN_ID.fullmatch(alert_id) is not None
        return _azure.BLADE + (alert_id.replace("/", "%2F") if plain else quote(alert_id, safe=""))
    met = _azure.criteria(context.get("condition"))
    return _dig.text(met, 0, "linkToFilteredSearchResultsUI") or _dig.first(
        context, "LinkToFilteredSearchResultsUI", "LinkToSearchResults"
    )

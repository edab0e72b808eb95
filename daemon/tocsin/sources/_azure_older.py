"""Azure Monitor's schemas from before the common one: metric, classic, activity log, log search, budget.

They carry no id of the alert, so that what identifies the problem is put together from the rule and what it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _azure, _build, _details, _dig, _identity, _labels, _times

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload
    from tocsin.sources._azure import AzureOptions

_RESOLVED = frozenset({"resolved", "deactivated"})
_COMPUTERS = ("Computer", "_ResourceId", "ResourceId", "Resource", "cloud_RoleInstance")
"""The dimensions and columns that Azure itself takes for the resource of a log alert, in its order."""


def alert(payload: Payload, options: AzureOptions, message: Mapping[str, Any], now: datetime) -> Alert:
    """The alert of a message in one of the older schemas.

    Raises:
        PayloadError: it is in none of them.
    """
    data = _dig.mapping(message, "data") or message
    context = _dig.mapping(data, "context")
    if activity := _dig.mapping(context, "activityLog"):
        return _activity(payload, options, activity, data, now)
    if context:
        return _metric(payload, options, context, data, now)
    if "BudgetName" in data:
        return _budget(payload, options, data, now)
    if "AlertRuleName" in data or "SearchQuery" in data:
        return _log(payload, options, data, now)
    raise PayloadError(
        "data.essentials is missing, and so is every field of the older schemas (data.context, SearchQuery)"
    )


def _metric(
    payload: Payload, options: AzureOptions, context: Mapping[str, Any], data: Mapping[str, Any], now: datetime
) -> Alert:
    """Metric alerts, near-real-time and classic."""
    target, rule = _dig.text(context, "resourceId"), _dig.first(context, "id", "name")
    condition = context.get("condition")
    metrics = sorted(_dig.text(one, "metricName") for one in _azure.criteria(condition))
    dimensions = [f"{name}={value}" for name, value in sorted(_azure.dimensions(condition).items())]
    resolved = _dig.text(data, "status").lower() in _RESOLVED
    at = _times.moment(_dig.text(context, "timestamp"))
    expires = None if options.auto_resolve else now + options.stateless_expires
    return _build.alert(
        payload,
        options,
        identity=(_identity.name(rule.lower(), "context.id"), target.lower(), *metrics, *dimensions),
        resolved=resolved,
        severity=_azure.severity(_dig.text(context, "severity"), options.severity_default),
        resource=_dig.text(context, "resourceName") or _azure.name_of(target),
        check=_dig.text(context, "name") or _azure.name_of(rule),
        summary=_azure.in_words(condition),
        description=_dig.text(context, "description"),
        labels=_labels.flat(context, skip=("description", "condition", "portalLink"))
        | _azure.arm_labels(target)
        | _azure.criteria_labels(condition)
        | _details.labels(data.get("properties")),
        starts_at=None if resolved else at,
        ends_at=at if resolved else expires,
        said_at=at,
        url=_dig.text(context, "portalLink"),
    )


def _activity(
    payload: Payload, options: AzureOptions, activity: Mapping[str, Any], data: Mapping[str, Any], now: datetime
) -> Alert:
    target = _dig.text(activity, "resourceId")
    scope = target or _dig.text(activity, "authorization", "scope") or _dig.text(activity, "subscriptionId")
    told = _azure.event(activity, target or scope)
    return _build.alert(
        payload,
        options,
        identity=told.identity or _dig.first(activity, "eventDataId", "operationId", "correlationId"),
        resolved=told.resolved,
        severity=told.level or options.severity_default,
        resource=told.about or _azure.name_of(scope),
        check=told.check,
        summary=told.summary,
        description=told.description,
        labels=_azure.context_labels(activity) | _azure.arm_labels(scope) | _details.labels(data.get("properties")),
        starts_at=told.starts_at,
        ends_at=told.ends_at if told.resolved else now + options.stateless_expires if told.expires else None,
        said_at=told.said_at,
    )


def _log(payload: Payload, options: AzureOptions, data: Mapping[str, Any], now: datetime) -> Alert:
    """Log search alerts of version 1: sent again at each evaluation that finds something, and never resolved."""
    rule = _dig.first(data, "AlertRuleName", "AlertName")
    scope = _dig.first(data, "ResourceId", "WorkspaceId", "ApplicationId")
    dimensions = _labels.named(_dig.items(data, "Dimensions"))
    at = _times.moment(_dig.first(data, "SearchIntervalEndtimeUtc", "SearchIntervalEndTimeUtc"))
    about = _dig.first(dimensions, *_COMPUTERS) or _affected(data) or _azure.name_of(scope)
    told = f"{_dig.text(data, 'AlertThresholdOperator')} {_dig.text(data, 'AlertThresholdValue')}".strip()
    count = _dig.text(data, "ResultCount")
    parts = (f"{name}={value}" for name, value in sorted(dimensions.items()))
    return _build.alert(
        payload,
        options,
        identity=(_identity.name(rule, "AlertRuleName"), _dig.text(data, "SubscriptionId"), scope.lower(), *parts),
        resolved=False,
        severity=_azure.severity(_dig.text(data, "Severity"), options.severity_default),
        resource=_azure.name_of(about),
        check=rule,
        summary=f"{count} results, alert if {told}" if count and told else "",
        description=_dig.text(data, "Description"),
        labels=_azure.context_labels({**data, "Description": ""}) | _azure.arm_labels(scope) | dimensions,
        starts_at=_times.moment(_dig.text(data, "SearchIntervalStartTimeUtc")),
        ends_at=now + options.stateless_expires,
        said_at=at,
        url=_dig.first(data, "LinkToFilteredSearchResultsUI", "LinkToSearchResults"),
    )


def _affected(data: Mapping[str, Any]) -> str:
    """The first computer that the results name."""
    named = _dig.texts(_dig.items(data, "AffectedConfigurationItems"))
    if named:
        return named[0]
    table = _dig.at(data, "SearchResult", "tables", 0) or _dig.at(data, "SearchResults", "tables", 0)
    columns = [_dig.text(column, "name") for column in _dig.items(table, "columns")]
    places = (columns.index(name) for name in _COMPUTERS if name in columns)
    return next(filter(None, (_dig.text(table, "rows", 0, place) for place in places)), "")


def _budget(payload: Payload, options: AzureOptions, data: Mapping[str, Any], now: datetime) -> Alert:
    budget, threshold = _dig.text(data, "BudgetName"), _dig.text(data, "NotificationThresholdAmount")
    scope = _dig.first(data, "SubscriptionId", "SubscriptionName")
    return _build.alert(
        payload,
        options,
        identity=("budget", scope, _dig.text(data, "ResourceGroup"), budget, threshold),
        resolved=False,
        severity="",
        resource=_dig.first(data, "SubscriptionName", "SubscriptionId", "ResourceGroup"),
        check=budget,
        summary=f"{_dig.text(data, 'SpendingAmount')} spent of {_dig.text(data, 'Budget')}",
        labels=_labels.flat(data, skip=("BudgetCreator",)),
        ends_at=now + options.stateless_expires,
    )

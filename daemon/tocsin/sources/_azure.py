"""What Azure Monitor's messages have in common, whatever their schema: resource ids, severities, conditions, health.

Knows parts of messages; puts no alert together.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from pydantic import Field

from tocsin.model import Severity
from tocsin.sources import _details, _dig, _labels, _severity, _times
from tocsin.sources._options import SourceOptions
from tocsin.sources._remembered import remembered
from tocsin.units import Duration  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEVERITIES = (Severity.CRITICAL, Severity.MAJOR, Severity.WARNING, Severity.INFO, Severity.INFO)
"""Sev0 to Sev4: critical, error, warning, informational, verbose."""

_LEVELS = {"1": Severity.CRITICAL, "2": Severity.MAJOR, "3": Severity.WARNING, "4": Severity.INFO, "5": Severity.INFO}
"""Levels of the activity log, where they are numbers."""

_OVER = frozenset({"resolved", "complete", "completed", "canceled", "cancelled", "rca", "mitigated"})
"""Stages of a service health event that nobody has to act on any more."""

_PAGES = ("communication", "impactedServices", "impactedServicesTableRows", "defaultLanguageContent", "policies")
_LONG = ("linkTo", "LinkTo", "search", "Search", "Presentation")
"""How the names of links, queries and their results begin."""

_NO_LABELS = frozenset({"claims", "authorization", "httpRequest", "condition", "labels"})
"""Who asked, with parts of the token that was used; and what has labels of its own."""

BLADE = "https://portal.azure.com/#blade/Microsoft_Azure_Monitoring/AlertDetailsTemplateBlade/alertId/"


class AzureOptions(SourceOptions):
    """How the alerts of Azure Monitor are read."""

    stateless_expires: Duration = Field(default=timedelta(hours=24), gt=timedelta(0))
    """How long an alert is believed that Azure never resolves: activity log, budgets, older log rules."""

    auto_resolve: bool = True
    """Whether rules for metrics and logs resolve their alerts (`autoMitigate`); where not, those expire, too."""


class Event(Struct, frozen=True, kw_only=True):
    """What an event of the activity log says of a problem."""

    identity: tuple[str, ...] = ()
    """What the event's problem has alone; empty where each event is a problem of its own."""
    resolved: bool = False
    expires: bool = True
    """Whether no later event need say that it is over."""
    about: str = ""
    """What it is about, where that is no resource."""
    check: str = ""
    summary: str = ""
    description: str = ""
    level: Severity | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    said_at: datetime | None = None


def event(context: Mapping[str, Any], target: str) -> Event:
    """The event of the activity log in a message; `target` is the id of the resource, or of the subscription."""
    operation = _dig.text(context, "operationName")
    properties = _dig.mapping(context, "properties")
    told = Event(
        about=_dig.text(properties, "compromisedEntity"),
        check=operation or _dig.text(context, "eventSource"),
        summary=_dig.first(properties, "title", "message", "description", "recommendationName"),
        description=_dig.first(context, "Activity Log Event Description", "description"),
        level=_level(_dig.text(properties, "severity")) or _level(_dig.text(context, "level")),
        starts_at=_times.moment(_dig.text(context, "eventTimestamp")),
        said_at=_times.moment(_dig.text(context, "submissionTimestamp") or _dig.text(context, "eventTimestamp")),
    )
    kind = operation.lower()
    if "servicehealth/" in kind or "trackingId" in properties:
        return _service_health(told, context, properties, target)
    if "resourcehealth/" in kind or "currentHealthStatus" in properties:
        return _resource_health(told, properties, kind, target)
    return told


def _service_health(told: Event, context: Mapping[str, Any], properties: Mapping[str, Any], target: str) -> Event:
    tracking = _dig.text(properties, "trackingId")
    stage = _dig.text(properties, "stage") or _dig.text(context, "status")
    subscription = arm_labels(target).get("subscriptionId", "") or _dig.text(context, "subscriptionId")
    kind = _dig.text(properties, "incidentType") or "event"
    return Event(
        identity=("ServiceHealth", subscription.lower(), tracking) if tracking else (),
        resolved=stage.lower() in _OVER,
        about=_dig.text(properties, "service"),
        check=f"ServiceHealth {kind}",
        summary=told.summary,
        description=_dig.first(properties, "defaultLanguageContent", "communication"),
        level=told.level,
        starts_at=_times.moment(_dig.text(properties, "impactStartTime")) or told.starts_at,
        ends_at=_times.moment(_dig.text(properties, "impactMitigationTime")) or told.said_at,
        said_at=told.said_at,
    )


def _resource_health(told: Event, properties: Mapping[str, Any], operation: str, target: str) -> Event:
    """A resource whose health is unknown has a problem; only `Available` says that it has none."""
    health = _dig.text(properties, "currentHealthStatus").lower()
    resolved = health == "available" or (not health and "/resolved/" in operation)
    return Event(
        identity=("ResourceHealth", target.lower()) if target else (),
        resolved=resolved,
        expires=False,
        check="ResourceHealth",
        summary=told.summary,
        description=_dig.first(properties, "details"),
        level=told.level,
        starts_at=None if resolved else told.starts_at,
        ends_at=told.starts_at,
        said_at=told.said_at,
    )


def severity(word: str, default: Severity) -> Severity:
    """What `Sev0` to `Sev4`, or the number alone, means; else what the word does."""
    number = word.lower().removeprefix("sev").strip()
    if len(number) == 1 and number in "01234":
        return _SEVERITIES[int(number)]
    return _severity.severity(word, default)


def name_of(resource: str) -> str:
    """The name at the end of a resource id; a name alone is itself."""
    return resource.rstrip("/").rpartition("/")[2] if resource[:1] == "/" else resource


@remembered(4_096)
def arm_labels(resource: str) -> dict[str, str]:
    """Subscription, resource group and type out of a resource id; shared, so for reading only."""
    parts = resource.strip("/").split("/")
    lower = [part.lower() for part in parts]
    found: dict[str, str] = {}
    for key, value in zip(lower, parts[1:], strict=False):
        if key == "subscriptions":
            found["subscriptionId"] = value
        elif key == "resourcegroups":
            found["resourceGroup"] = value
    if "providers" in lower:
        found["resourceType"] = "/".join(parts[lower.index("providers") + 1 :][:2])
    return found


def criteria(condition: Any) -> list[dict[str, Any]]:
    """The criteria of a rule that were met: `allOf` of today's rules, the condition itself of classic ones."""
    if not isinstance(condition, dict):
        return []
    if met := _dig.items(condition, "allOf"):
        return [one for one in met if isinstance(one, dict)]
    return [condition] if "metricName" in condition or "threshold" in condition else []


def dimensions(condition: Any) -> dict[str, str]:
    """The dimensions of all criteria."""
    found: dict[str, str] = {}
    for one in criteria(condition):
        if named := one.get("dimensions"):
            found |= _labels.named(named if isinstance(named, list) else ())
    return found


def in_words(condition: Any) -> str:
    """`Percentage CPU GreaterThan 25 (31.1105)` for each of the criteria."""
    words = []
    for one in criteria(condition):
        what = _dig.first(one, "metricName", "metricMeasureColumn", "webTestName") or _dig.text(one, "timeAggregation")
        value = _dig.text(one, "metricValue")
        said = " ".join(filter(None, (what, _dig.text(one, "operator"), _dig.text(one, "threshold"))))
        words.append(f"{said} ({value})" if value else said)
    return ", ".join(filter(None, words))


def criteria_labels(condition: Any) -> dict[str, str]:
    """The first of the criteria under its own names, and the dimensions of all."""
    met = criteria(condition)
    if not met:
        return {}
    short = {name: value for name, value in met[0].items() if not name.startswith(_LONG)}
    return _labels.flat(short) | dimensions(condition)


def context_labels(context: Mapping[str, Any]) -> dict[str, str]:
    """What a context says in short: no secrets, pages, tables, queries, links, nor what was asked with which token."""
    short = {name: value for name, value in context.items() if name not in _NO_LABELS and not name.startswith(_LONG)}
    if isinstance(properties := short.get("properties"), dict):
        short["properties"] = {name: value for name, value in properties.items() if name not in _PAGES}
    return _details.labels(short)


def _level(word: str) -> Severity | None:
    if not word:
        return None
    return _LEVELS.get(word) or _severity.WORDS.get(word.lower())

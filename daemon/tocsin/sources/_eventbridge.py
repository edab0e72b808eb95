"""Events of Amazon EventBridge: what AWS services say about themselves, in one envelope.

Knows the events that begin and end: alarms, AWS Health, the state of EC2 instances, compliance of AWS Config, findings
of Security Hub. A finding of GuardDuty is told again; it and any other event is a problem that only time ends.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tocsin.errors import PayloadError
from tocsin.model import Severity
from tocsin.sources import _build, _cloudwatch, _details, _dig, _identity, _labels, _severity, _times

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload
    from tocsin.sources._topics import TopicOptions

_CHANGED = "CloudWatch Alarm State Change"
_ALARMS = frozenset({_CHANGED, "CloudWatch Alarm Contributor State Change"})
_CONFIGURED = "CloudWatch Alarm Configuration Change"
_HEALTH = frozenset({"AWS Health Event", "AWS Health Abuse Event"})
_INSTANCE = "EC2 Instance State-change Notification"

_CATEGORIES = {
    "issue": Severity.MAJOR,
    "investigation": Severity.MAJOR,
    "scheduledChange": Severity.WARNING,
    "accountNotification": Severity.INFO,
}
"""What the categories of AWS Health weigh; the first two are closed by an event of their own, the others seldom."""

_CLOSED_BY_AWS = frozenset({"issue", "investigation"})
_GONE = frozenset({"terminated", "shutting-down"})
"""States of an instance that never runs again."""

_FINDINGS = ((9, Severity.CRITICAL), (7, Severity.MAJOR), (4, Severity.MINOR), (0, Severity.WARNING))
"""GuardDuty: from this number on."""

_COMPLIANCE = "Config Rules Compliance Change"
_COMPLIANT = frozenset({"COMPLIANT", "NOT_APPLICABLE"})
_IMPORTED = "Security Hub Findings - Imported"

_FOUND_ON = ("resource", "instanceDetails", "instanceId")
"""Where a finding of GuardDuty names the instance."""

_LONG = ("eventDescription", "affectedEntities")


def event_of(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event that a message is; None when it is none.

    What CloudWatch calls a Lambda function with (`alarmData`) says the same in other words.
    """
    if isinstance(message.get("detail-type"), str) and isinstance(message.get("detail"), dict):
        return dict(message)
    if not isinstance(message.get("alarmData"), dict):
        return None
    told = {"source": message.get("source"), "time": message.get("time"), "region": message.get("region")}
    arn, account = message.get("alarmArn"), message.get("accountId")
    return {"detail-type": _CHANGED, "detail": message["alarmData"], "resources": [arn], "account": account, **told}


def alert(
    payload: Payload,
    options: TopicOptions,
    event: Mapping[str, Any],
    labels: dict[str, str],
    wanted: tuple[str, ...],
    now: datetime,
) -> Alert | None:
    """The alert that an event is; None for one that says nothing of a problem.

    Raises:
        PayloadError: what must identify the problem is missing.
    """
    kind = _dig.text(event, "detail-type")
    if kind in _ALARMS:
        return _cloudwatch.alert(payload, options, _cloudwatch.changed(event, labels), wanted)
    if kind == _CONFIGURED:
        return _configured(payload, options, event, labels, wanted)
    if kind in _HEALTH:
        return _health(payload, options, event, labels, now)
    if kind == _INSTANCE:
        return _instance(payload, options, event, labels, now)
    if kind == _COMPLIANCE and _dig.text(event, "detail", "resourceId"):
        return _compliance(payload, options, event, labels)
    if kind == _IMPORTED and _dig.text(event, "detail", "findings", 0, "Id"):
        return _imported(payload, options, event, labels, now)
    return _other(payload, options, event, labels, now)


def _configured(
    payload: Payload, options: TopicOptions, event: Mapping[str, Any], labels: dict[str, str], wanted: tuple[str, ...]
) -> Alert | None:
    """An alarm that is deleted is over: nobody will say so later."""
    if _dig.text(event, "detail", "operation") != "delete":
        return None
    watched, at = _cloudwatch.changed(event, labels), _times.moment(_dig.text(event, "time"))
    gone = replace(watched, state="OK", reason="the alarm was deleted", changed_at=at, said_at=at)
    return _cloudwatch.alert(payload, options, gone, wanted)


def _health(
    payload: Payload, options: TopicOptions, event: Mapping[str, Any], labels: dict[str, str], now: datetime
) -> Alert:
    detail = _dig.mapping(event, "detail")
    arn, category = _dig.text(detail, "eventArn"), _dig.text(detail, "eventTypeCategory")
    if not arn:
        raise PayloadError("detail.eventArn is missing: nothing tells this event of AWS Health from others")
    resolved = _dig.text(detail, "statusCode") == "closed"
    ended = _date(_dig.text(detail, "endTime"))
    said_at = _times.moment(_dig.text(event, "time"))
    entities = _dig.texts(_dig.at(entity, "entityValue") for entity in _dig.items(detail, "affectedEntities"))
    paged = _dig.text(detail, "totalPages") not in {"", "1"}
    alone = entities[0] if len(entities) == 1 and not paged else ""
    expires = ended if ended and ended > now else now + options.text_expires
    ends_at = (ended or said_at) if resolved else None if category in _CLOSED_BY_AWS else expires
    return _build.alert(
        payload,
        options,
        identity=(arn, _dig.first(detail, "affectedAccount") or _dig.text(event, "account")),
        resolved=resolved,
        severity=_CATEGORIES.get(category, options.severity_default),
        resource=alone or _dig.text(detail, "service") or _dig.text(event, "source"),
        check=_dig.text(detail, "eventTypeCode") or _dig.text(event, "detail-type"),
        description=_dig.text(detail, "eventDescription", 0, "latestDescription"),
        labels=labels | _labels.flat({**event, "detail": _without(detail, _LONG), "entities": entities}),
        starts_at=_date(_dig.text(detail, "startTime")),
        ends_at=ends_at,
        said_at=said_at,
    )


def _instance(
    payload: Payload, options: TopicOptions, event: Mapping[str, Any], labels: dict[str, str], now: datetime
) -> Alert | None:
    """An instance that does not run; one on its way to running is neither here nor there."""
    instance, state = _dig.text(event, "detail", "instance-id"), _dig.text(event, "detail", "state")
    if not (instance and state):
        raise PayloadError("detail.instance-id or detail.state is missing")
    if state == "pending":
        return None
    resolved = state == "running"
    at = _times.moment(_dig.text(event, "time"))
    return _build.alert(
        payload,
        options,
        identity=("aws.ec2", _dig.text(event, "account"), _dig.text(event, "region"), instance),
        resolved=resolved,
        severity=options.severity_default,
        resource=instance,
        check="EC2 instance state",
        summary=f"the instance is {state}",
        labels=labels | _labels.flat(event),
        starts_at=None if resolved else at,
        ends_at=at if resolved else now + options.text_expires if state in _GONE else None,
        said_at=at,
    )


def _compliance(payload: Payload, options: TopicOptions, event: Mapping[str, Any], labels: dict[str, str]) -> Alert:
    """A resource that does not comply with a rule of AWS Config; nobody closes it but the next evaluation."""
    detail = _dig.mapping(event, "detail")
    rule, resource = _dig.text(detail, "configRuleName"), _dig.text(detail, "resourceId")
    resolved = _dig.text(detail, "newEvaluationResult", "complianceType") in _COMPLIANT
    at = _times.moment(_dig.text(event, "time"))
    return _build.alert(
        payload,
        options,
        identity=("aws.config", _dig.text(event, "account"), _dig.text(event, "region"), rule, resource),
        resolved=resolved,
        severity=options.severity_default,
        resource=resource,
        check=rule or _COMPLIANCE,
        description=_dig.text(detail, "newEvaluationResult", "annotation"),
        labels=labels | _labels.flat(event),
        starts_at=None if resolved else at,
        ends_at=at if resolved else None,
        said_at=at,
    )


def _imported(
    payload: Payload, options: TopicOptions, event: Mapping[str, Any], labels: dict[str, str], now: datetime
) -> Alert:
    """The finding of Security Hub that an event holds: one, told again with each change of it."""
    finding = _dig.mapping(event, "detail", "findings", 0)
    compliance = _dig.text(finding, "Compliance", "Status")
    resolved = (
        _dig.text(finding, "RecordState") == "ARCHIVED"
        or _dig.text(finding, "Workflow", "Status") in {"RESOLVED", "SUPPRESSED"}
        or compliance == "PASSED"
    )
    at = _times.moment(_dig.first(finding, "UpdatedAt")) or _times.moment(_dig.text(event, "time"))
    title = _dig.text(finding, "Title")
    return _build.alert(
        payload,
        options,
        identity=_dig.text(finding, "Id"),
        resolved=resolved,
        severity=_dig.text(finding, "Severity", "Label"),
        resource=_named(_dig.text(finding, "Resources", 0, "Id")) or _dig.text(event, "source"),
        check=_identity.cut(title or _dig.text(finding, "GeneratorId") or _IMPORTED, _identity.MAX_NAME),
        summary=title,
        description=_dig.text(finding, "Description"),
        labels=labels | _labels.flat({**event, "detail": _without(finding, ("Title", "Description"))}),
        starts_at=_times.moment(_dig.first(finding, "FirstObservedAt", "CreatedAt")),
        ends_at=at if resolved else None if compliance else now + options.text_expires,
        said_at=at,
        url=_dig.text(finding, "SourceUrl"),
    )


def _other(
    payload: Payload, options: TopicOptions, event: Mapping[str, Any], labels: dict[str, str], now: datetime
) -> Alert:
    detail = _dig.mapping(event, "detail")
    source, at = _dig.text(event, "source"), _times.moment(_dig.text(event, "time"))
    finding = _dig.text(detail, "id") if source == "aws.guardduty" else ""
    severity = _found(detail) if finding else _dig.first(detail, "severity", "Severity")
    label = _dig.text(detail, "findings", 0, "Severity", "Label")
    resource = (
        _named(_dig.text(event, "resources", 0))
        or _dig.text(detail, *_FOUND_ON)
        or _named(_dig.text(detail, "resourceArn"))
        or _dig.first(detail, "resourceId")
        or source
    )
    return _build.alert(
        payload,
        options,
        identity=(source, finding) if finding else _dig.text(event, "id"),
        resolved=False,
        severity=severity or label,
        resource=resource,
        check=(_dig.text(detail, "type") if finding else "") or _dig.text(event, "detail-type"),
        summary=_dig.first(detail, "title", "Message", "message", "description", "Cause", "cause"),
        description=_dig.first(detail, "description", "stoppedReason", "reason"),
        labels=labels | _details.labels(event),
        starts_at=at,
        ends_at=now + options.text_expires,
        said_at=at,
    )


def _found(detail: Mapping[str, Any]) -> Severity | str:
    """What the number of a finding weighs."""
    number = detail.get("severity")
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        return next((severity for least, severity in _FINDINGS if number >= least), Severity.INFO)
    return _dig.text(detail, "severity") or _severity.DEFAULT


def _named(arn: str) -> str:
    """The name at the end of an ARN: `i-0123` of `arn:aws:ec2:eu-west-1:123456789012:instance/i-0123`."""
    tail = arn.rpartition("/")[2] if "/" in arn else arn.rpartition(":")[2]
    return tail or arn


def _date(text: str) -> datetime | None:
    """AWS Health writes `Fri, 27 Jan 2023 06:02:51 GMT`, or RFC 3339."""
    try:
        return _times.moment(text) or _times.known(parsedate_to_datetime(text))
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _without(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}

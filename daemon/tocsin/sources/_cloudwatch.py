"""Alarms of Amazon CloudWatch: as an alarm action publishes them to SNS, and as EventBridge hands their changes on.

Both forms of one alarm are the same problem: its ARN identifies it, and the contributor's id where an alarm watches
many time series at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from tocsin.errors import PayloadError
from tocsin.model import Severity
from tocsin.sources import _build, _dig, _labels, _read, _times
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.model import Alert, Payload
    from tocsin.sources._topics import TopicOptions

DIMENSIONS = (
    *("host", "Host", "hostname", "InstanceId", "instanceId", "DBInstanceIdentifier", "CacheClusterId", "LoadBalancer"),
    *("FunctionName", "ServiceName", "QueueName", "TableName", "BucketName", "AutoScalingGroupName", "FileSystemId"),
    *("VolumeId", "VpnId", "NatGatewayId", "DistributionId", "DBClusterIdentifier", "ClusterName", "TargetGroup"),
)
"""The dimensions that may name the resource, unless the options say otherwise."""

_STATES = {"ALARM": False, "OK": True, "INSUFFICIENT_DATA": False}
_LONG = (
    "AlarmTags",
    "alarmTags",
    "AlarmDescription",
    "NewStateReason",
    "NewStateReasonData",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "Signature",
    "SigningCertURL",
)
_LONG_IN_STATE = ("reason", "reasonData")


class Watched(Struct, frozen=True, kw_only=True):
    """An alarm in either form."""

    name: str
    arn: str = ""
    otherwise: tuple[str, ...] = ()
    """What identifies it where it has no ARN: account, region, name."""
    contributor: str = ""
    state: str
    reason: str = ""
    description: str = ""
    dimensions: dict[str, str] = {}
    tags: dict[str, str] = {}
    labels: dict[str, str] = {}
    changed_at: datetime | None = None
    said_at: datetime | None = None


def is_alarm(message: Mapping[str, Any]) -> bool:
    """Whether a message is an alarm as its action publishes it."""
    return "AlarmName" in message and "NewStateValue" in message


def published(message: Mapping[str, Any], labels: dict[str, str], said_at: datetime | None) -> Watched:
    """An alarm as its action publishes it, metric or composite."""
    name = _dig.text(message, "AlarmName")
    dimensions = dict(_dimensions(_dig.mapping(message, "Trigger")))
    dimensions |= _texts(_dig.mapping(message, "AlarmContributorAttributes"))
    children = _dig.texts(_dig.at(child, "Arn") for child in _dig.items(message, "TriggeringChildren"))
    changed_at = _times.moment(_dig.text(message, "StateChangeTime"))
    return Watched(
        name=name,
        arn=_dig.text(message, "AlarmArn"),
        otherwise=(_dig.text(message, "AWSAccountId"), _dig.text(message, "Region"), name),
        contributor=_dig.text(message, "AlarmContributorId"),
        state=_dig.text(message, "NewStateValue"),
        reason=_dig.text(message, "NewStateReason"),
        description=_dig.text(message, "AlarmDescription"),
        dimensions=dimensions,
        tags=_tags(message, "AlarmTags", "alarmTags"),
        labels=labels
        | _labels.flat(message, skip=_LONG)
        | ({"TriggeringChildren": ", ".join(children)} if children else {}),
        changed_at=changed_at,
        said_at=said_at or changed_at,
    )


def changed(event: Mapping[str, Any], labels: dict[str, str]) -> Watched:
    """An alarm whose change of state, or of configuration, EventBridge hands on."""
    detail = _dig.mapping(event, "detail")
    name = _dig.text(detail, "alarmName")
    state = _dig.mapping(detail, "state")
    configuration = _dig.mapping(detail, "configuration")
    dimensions: dict[str, str] = {}
    for metric in _dig.items(configuration, "metrics"):
        dimensions |= _texts(_dig.mapping(metric, "metricStat", "metric", "dimensions"))
    changed_at = _times.moment(_dig.text(state, "timestamp")) or _times.moment(_dig.text(event, "time"))
    short = detail | {part: _short(_dig.mapping(detail, part)) for part in ("state", "previousState", "configuration")}
    return Watched(
        name=name,
        arn=_dig.text(event, "resources", 0),
        otherwise=(_dig.text(event, "account"), _dig.text(event, "region"), name),
        contributor=_dig.text(detail, "alarmContributor", "id"),
        state=_dig.text(state, "value"),
        reason=_dig.text(state, "reason"),
        description=_dig.text(configuration, "description"),
        dimensions=dimensions | _texts(_dig.mapping(detail, "alarmContributor", "attributes")),
        tags=_tags(detail, "alarmTags"),
        labels=labels | _labels.flat({**event, "detail": short}),
        changed_at=changed_at,
        said_at=changed_at,
    )


def alert(
    payload: Payload, options: TopicOptions, watched: Watched, wanted: tuple[str, ...] = DIMENSIONS
) -> Alert | None:
    """The alert that an alarm is; None for one without data, where the options ignore those.

    Args:
        payload: what it came in.
        options: the source's.
        watched: the alarm.
        wanted: the dimensions that may name the resource, in this order.

    Raises:
        PayloadError: it has no name, or a state that CloudWatch does not have.
    """
    state = watched.state.upper()
    if state not in _STATES:
        raise PayloadError(
            _read.said(f"the state of the alarm is {watched.state!r}, expected one of {', '.join(_STATES)}")
        )
    unknown = state == "INSUFFICIENT_DATA"
    if unknown and options.insufficient_data == "ignored":
        return None
    resolved = options.insufficient_data == "resolved" if unknown else _STATES[state]
    return _build.alert(
        payload,
        options,
        identity=_identity(watched),
        resolved=resolved,
        severity=Severity.WARNING if unknown else watched.tags.get("severity", ""),
        resource=_about(watched.dimensions, wanted) or watched.name,
        check=watched.name,
        summary=watched.reason,
        description=watched.description,
        labels=watched.labels | watched.tags | watched.dimensions,
        starts_at=None if resolved else watched.changed_at,
        ends_at=watched.changed_at if resolved else None,
        said_at=watched.said_at,
        url=_console(watched.arn),
    )


def _identity(watched: Watched) -> str | tuple[str, ...]:
    if watched.arn and not watched.contributor:
        return watched.arn
    return (*((watched.arn,) if watched.arn else watched.otherwise), watched.contributor)


def _about(dimensions: Mapping[str, str], wanted: tuple[str, ...]) -> str:
    """The value of the first dimension that is wanted; else of the first there is, in alphabetical order."""
    return next((dimensions[name] for name in (*wanted, *sorted(dimensions)) if dimensions.get(name)), "")


def _dimensions(trigger: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Those of the metric, or of the metrics that an expression is computed from."""
    for metric in _dig.items(trigger, "Metrics"):
        yield from _labels.named(_dig.items(metric, "MetricStat", "Metric", "Dimensions")).items()
    yield from _labels.named(_dig.items(trigger, "Dimensions")).items()


def _tags(told: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The tags of an alarm, where it hands them on (tag propagation): an object, or a list of keys and values."""
    for name in names:
        if found := _labels.named(_dig.items(told, name), "Key", "Value") or _texts(_dig.mapping(told, name)):
            return found
    return {}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _read.text(value) for name, value in values.items() if not isinstance(value, (dict, list))}


def _short(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in {*_LONG_IN_STATE, "description"}}


@remembered(4_096)
def _console(arn: str) -> str:
    """Where to see the alarm, by its ARN; nothing for partitions whose console is elsewhere."""
    parts = arn.split(":", 6)
    if len(parts) < 7 or parts[1] != "aws":  # noqa: PLR2004 - an ARN of an alarm has seven parts
        return ""
    region, name = quote(parts[3], safe=""), quote(parts[6], safe="")
    return f"https://console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"

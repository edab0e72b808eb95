"""Alarms of Cloud Eye and of Application Operations Management (AOM), as Huawei's clouds publish them to SMN.

Knows the three forms of a Cloud Eye alarm (the document with `alarm_id`; the later one with `version` and `data`; the
text for people, out of which the same fields are read) and the one of AOM. Each becomes the same few values.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.model import Severity
from tocsin.sources import _build, _dig, _labels, _severity, _times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.model import Alert, Payload
    from tocsin.sources._topics import Published, TopicOptions

_LEVELS = {
    **dict.fromkeys(("1", "critical", "紧急"), Severity.CRITICAL),
    **dict.fromkeys(("2", "major", "重要"), Severity.MAJOR),
    **dict.fromkeys(("3", "minor", "次要"), Severity.MINOR),
    **dict.fromkeys(("4", "informational", "info", "提示"), Severity.INFO),
}
"""Levels by number, in English and in Chinese."""

_PREFIX = re.compile(
    r"\[(Critical|Major|Minor|Informational|Info) (\w+)\]"
    r"|\[(紧急|重要|次要|提示)告警(恢复)?\]"
)
"""`[Major Alarm]`, `[Major Ok]`, `[紧急告警恢复]`: level and state, where a subject or a text begins."""

_OVER = ("changed to OK", "restored to normal", "returned to normal", "has been cleared", "已恢复正常")
_STARTED = ("triggered an alarm", "已触发告警")
_QUOTED = re.compile(r"[\"“]([^\"”\n]{1,400})[\"”]")
_ID = re.compile(r"\bID: ?(?P<id>[\w.-]{1,200})")
_RULE = re.compile(r"Alarm Rule(?: Name)?: ?(?P<rule>[^,\n]{1,300})")

_LONG = ("sms_content", "default_content", "template_variable", "alarmValue")
_NODES = (
    "hostName",
    "nodeName",
    "hostname",
    "host",
    "nodeIP",
    "hostIP",
    "podName",
    "serviceName",
    "appName",
    "clusterName",
)
"""What AOM's `resource_id` may name, the most telling first."""


class Told(Struct, frozen=True, kw_only=True):
    """An alarm in any of the forms."""

    rule: str
    """The rule's id, or its name where the form has no id."""
    resource: str
    """What identifies the thing, such as `instance_id:1111`."""
    metric: str
    name: str = ""
    """What people call the thing."""
    check: str = ""
    state: str = ""
    """`alarm`, `ok`, `insufficient_data`."""
    level: str = ""
    summary: str = ""
    description: str = ""
    labels: dict[str, str] = {}
    at: datetime | None = None
    url: str = ""
    is_event: bool = False
    """Something that happened, and is never told to be over."""


def read(found: Any, published: Published) -> Told | None:
    """The alarm that a message is; None when it is none of the known forms."""
    if found is None:
        return _text(published)
    if not isinstance(found, dict):
        return None
    if "alarm_id" in found or "alarm_status" in found:
        return _document(found, published)
    data = found.get("data")
    if isinstance(data, dict) and ("AlarmRuleName" in data or "IsAlarm" in data or "AlarmId" in data):
        return _data(data, published)
    if isinstance(found.get("metadata"), dict) and "event_name" in found["metadata"]:
        return _aom(found)
    return None


def alert(payload: Payload, options: TopicOptions, told: Told, published: Published, now: datetime) -> Alert | None:
    """The alert that an alarm is; None for one without data, where the options ignore those.

    Raises:
        PayloadError: rule, thing and metric do not identify it.
    """
    unknown = told.state == "insufficient_data"
    if unknown and options.insufficient_data == "ignored":
        return None
    resolved = options.insufficient_data == "resolved" if unknown else told.state == "ok"
    level = _LEVELS.get(told.level.strip().lower())
    at = told.at or published.said_at
    expires = now + options.text_expires if told.is_event else None
    identity = (told.rule, told.resource, told.metric)
    return _build.alert(
        payload,
        options,
        identity=identity if any(identity) else "",
        resolved=resolved,
        severity=Severity.WARNING if unknown else level or _severity.severity(told.level, options.severity_default),
        resource=told.name or told.resource,
        check=told.check or told.metric or told.rule,
        summary=told.summary or published.subject,
        description=told.description,
        labels=told.labels | published.labels,
        starts_at=None if resolved else at,
        ends_at=at if resolved else expires,
        said_at=published.said_at or told.at,
        url=told.url,
    )


def is_over(published: Published) -> bool:
    """Whether a text for people tells the end of an alarm, even if it does not say of which."""
    _, state = _prefix(published.subject, published.text)
    return state == "ok" or any(word in published.text for word in _OVER)


def _document(found: Mapping[str, Any], published: Published) -> Told:
    """The document with `alarm_id`; its level and names are among the variables of its template."""
    variables = _dig.mapping(found, "template_variable")
    dimension = found.get("dimension") or found.get("dimensions")
    content = _dig.first(found, "default_content", "sms_content")
    level, state = _prefix(published.subject, content)
    resource = _dimension(dimension)
    told = _dig.text(found, "alarm_status").lower()
    return Told(
        rule=_dig.first(found, "alarm_id") or _dig.first(variables, "AlarmId"),
        resource=resource or _dig.first(variables, "ResourceId", "ResourceName"),
        metric=_dig.text(found, "metric_name") or _dig.text(variables, "MetricName"),
        name=_dig.first(variables, "ResourceName", "ResourceId")
        or resource.partition(":")[2]
        or _dig.text(found, "namespace"),
        check=_dig.first(found, "metric_name") or _dig.first(found, "alarm_name"),
        state=_state(told) if told else _flag(variables, state),
        level=_dig.first(variables, "AlarmLevel") or _dig.first(found, "alarm_level") or level,
        description=content,
        labels=_labels.flat(found, skip=_LONG) | _variables(variables) | _labels.tags(_dimensions(dimension)),
        at=_times.moment(_dig.text(found, "time")),
        url=_dig.text(variables, "Link"),
        is_event=_is_event(variables) or _dig.text(found, "message_type") == "event",
    )


def _data(data: Mapping[str, Any], published: Published) -> Told:
    """The later form: the variables alone, without the rule's id, and without what is empty or false."""
    level, state = _prefix(published.subject, "")
    return Told(
        rule=_dig.first(data, "AlarmId", "AlarmRuleName"),
        resource=_dig.first(data, "ResourceId", "ResourceName"),
        metric=_dig.first(data, "MetricName", "EventName"),
        name=_dig.first(data, "ResourceName", "ResourceId") or _dig.text(data, "Namespace"),
        check=_dig.first(data, "MetricName", "EventName", "AlarmRuleName"),
        state=_flag(data, state),
        level=_dig.text(data, "AlarmLevel") or level,
        description=_dig.first(data, "EventContent", "AlarmDesc"),
        labels=_variables(data),
        at=_times.moment(_dig.text(data, "AlarmTime").replace("/", "-").replace(" GMT", "")),
        url=_dig.text(data, "Link"),
        is_event=_is_event(data),
    )


def _text(published: Published) -> Told | None:
    """The text for people: only if it names rule, thing and metric, which are fields of it."""
    text = f"{published.subject}\n{published.text}"
    thing, rule, number = _thing(text), _RULE.search(text), _ID.search(text)
    level, prefixed = _prefix(published.subject, published.text)
    state = "ok" if any(word in text for word in _OVER) else prefixed
    if state is None and any(word in text for word in _STARTED):
        state = "alarm"
    if not (thing and rule and state):
        return None
    metric, kind, name = thing
    labels = {"MetricName": metric, "DimensionName": kind, "AlarmRuleName": rule["rule"].strip()}
    return Told(
        rule=labels["AlarmRuleName"],
        resource=number["id"] if number else name,
        metric=metric,
        name=name,
        state=state,
        level=level,
        description=published.text,
        labels=labels | ({"ResourceId": number["id"]} if number else {}),
    )


def _thing(text: str) -> tuple[str, str, str] | None:
    """Metric, kind and name out of `The CPU Usage of Elastic Cloud Server-ECSs "web-1"`."""
    quoted = _QUOTED.search(text)
    if quoted is None:
        return None
    _, the, before = text[: quoted.start()].rpartition("The ")
    metric, of, kind = before.strip().partition(" of ")
    return (metric, kind, quoted[1]) if the and of else None


def _aom(found: Mapping[str, Any]) -> Told:
    """An alarm of AOM: over when it has an end."""
    metadata, annotations = _dig.mapping(found, "metadata"), _dig.mapping(found, "annotations")
    thing = _dig.text(metadata, "resource_id")
    parts = _labels.tags(thing.split(";"))
    ended = _times.moment(_dig.text(found, "ends_at"))
    name = _dig.text(metadata, "event_name")
    kind = _dig.text(metadata, "event_type")
    return Told(
        rule=name,
        resource=thing or _dig.first(found, "id", "event_sn"),
        metric=_dig.text(metadata, "metricName"),
        name=_dig.first(parts, *_NODES) or _dig.first(metadata, *_NODES, "resource_type", "resource_provider"),
        check=name,
        state="ok" if ended else "alarm",
        level=_dig.text(metadata, "event_severity"),
        description=_dig.text(annotations, "message"),
        labels=_labels.flat(found, skip=("annotations",)) | parts,
        at=ended or _times.moment(_dig.text(found, "starts_at")),
        is_event=kind == "event",
    )


def _state(word: str) -> str:
    """`ok`, also when a person said so (`ok_manual`); any word that nobody knows is an alarm."""
    if word.startswith("ok"):
        return "ok"
    return word if word == "insufficient_data" else "alarm"


def _flag(variables: Mapping[str, Any], prefixed: str | None) -> str:
    """What `IsAlarm` says; where it is left out, because false is, the subject may know better."""
    if _dig.text(variables, "IsAlarm") == "true":
        return "alarm"
    if _is_event(variables) or (prefixed and "IsAlarm" not in variables):
        return prefixed or "alarm"
    return "ok"


def _is_event(variables: Mapping[str, Any]) -> bool:
    return bool(_dig.text(variables, "EventContent")) or _dig.text(variables, "IsAgentEvent") == "true"


def _prefix(*texts: str) -> tuple[str, str | None]:
    """Level and state of the first text that begins with them; `None` where none does."""
    for text in texts:
        found = _PREFIX.search(text[:200])
        if found and found[1]:
            word = found[2].lower()
            return found[1], "ok" if word in {"ok", "resolved", "cleared"} else _state(word)
        if found:
            return found[3], "ok" if found[4] else "alarm"
    return "", None


def _dimension(value: Any) -> str:
    """`instance_id:1111`, also out of a list of names and values."""
    return ",".join(_dimensions(value))


def _dimensions(value: Any) -> list[str]:
    if isinstance(value, list):
        pairs = sorted(_labels.named(value).items())
        return [f"{name}:{one}" for name, one in pairs] or _dig.texts(value)
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else []


def _variables(variables: Mapping[str, Any]) -> dict[str, str]:
    """Those of a template that are labels: texts for people and data points are none."""
    return _labels.flat(variables, skip=("DataPoint", "DataPointTime", "EventContent", "CurrentDatas", "AlarmDesc"))

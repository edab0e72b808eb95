"""Graylog, HTTP notification of an event.

Format: `{event_definition_id, event_definition_title, event, backlog …}` of the HTTP and the Custom HTTP notification, as JSON
or as the form that Graylog makes of it (https://go2docs.graylog.org/current/interacting_with_your_log_data/notifications.html);
a body template of one's own keeps these names, nested or as `event_…`. Also the alarm callback of Graylog 2 and 3,
`{check_result, stream}`. *Execute Test Notification* is no alert.
Authentication: basic, or a parameter or header of its own (*API Key*); any header in the Custom HTTP notification.
Identity: the event definition's id with its key and group-by fields; without those, with the host that the fields or the
message name. Of an alarm callback, stream and condition.
Resolved: never; a firing is believed for an hour (`expire_after`), so the definition should look more often than that.
Delivery: once; an answer other than 2xx ends it.
Limits: one event in each message. It tells no end of a problem.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _forms, _labels, _read, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _forms.MEDIA_TYPES
PATHS = ("PUT /",)
EXPIRE_AFTER = timedelta(hours=1)

_PRIORITIES = {"1": "warning", "2": "minor", "3": "major", "4": "critical"}
"""Low, normal, high and, since Graylog 6, critical."""

_TESTS = frozenset({"NotificationTestId", "EventDefinitionTestId", "this-is-a-test-notification"})
_DUMMY = "dummy"
"""The type of the condition that the test of an alarm callback pretends to have met."""

_UNKNOWN = "<unknown>"
"""What Graylog writes for a definition that is gone."""

_OF_DEFINITION = ("event_definition_id", "event_definition_type", "event_definition_title")
_OF_EVENT = ("id", "origin_context", "streams", "source_streams", "source", "key", "priority", "alert", "scores")
_PAIR = re.compile(r"(?<![^\s{},=])([^\s{},=]++)=([^,}]*)")
_SHOWN_MESSAGES = 20


class Options(SourceOptions):
    """How notifications of Graylog are read."""

    resource_fields: tuple[str, ...] = (
        *("host", "hostname", "host_name", "source", "server", "device", "node", "agent_name", "computer"),
        *("source_host", "src_host", "service"),
    )
    """The fields of an event that may name the resource; the first one present does. Group-by fields go first."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a notification; none for a test.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is no notification of Graylog.
    """
    told = _forms.fields(payload, "a notification of Graylog")
    if "check_result" in told:
        return _called_back(payload, options, told)
    event = _event(told)
    definition = _known(told, "event_definition_id") or _known(event, "event_definition_id")
    if definition in _TESTS:
        return []
    title = _known(told, "event_definition_title")
    if not definition and not title:
        raise PayloadError("event_definition_id and event_definition_title are missing: this is no event of Graylog")
    return [_alert(payload, options, told, event, (definition, title or definition))]


def _known(told: dict[str, Any], name: str) -> str:
    found = _dig.text(told, name)
    return "" if found == _UNKNOWN or (found.startswith("${") and found.endswith("}")) else found


def _event(told: dict[str, Any]) -> dict[str, Any]:
    """The event; of a form, and of a flat template, the fields that begin with `event_`."""
    if isinstance(event := told.get("event"), dict):
        return event
    flat = {
        name.removeprefix("event_"): value
        for name, value in told.items()
        if name.startswith("event_") and not name.startswith("event_definition_")
    }
    for name in ("fields", "group_by_fields"):
        if isinstance(written := flat.get(name), str):
            flat[name] = dict(_PAIR.findall(written))
    return flat


def _alert(
    payload: Payload,
    options: Options,
    told: dict[str, Any],
    event: dict[str, Any],
    definition: tuple[str, str],
) -> Alert:
    identifier, title = definition
    groups, fields = _scalars(event, "group_by_fields"), _scalars(event, "fields")
    keys = _keys(event)
    host = _first(options.resource_fields, groups, fields) or _of_one_message(told, event)
    told_apart = (*keys, *(f"{name}={groups[name]}" for name in sorted(groups)))
    about = ", ".join(dict.fromkeys((*(groups[name] for name in sorted(groups)), *keys)))
    return _build.alert(
        payload,
        options,
        identity=("definition", identifier or title, *(told_apart or (host,))),
        resolved=False,
        severity=_PRIORITIES.get(_dig.first(event, "priority") or _dig.first(told, "priority"), ""),
        resource=_details.short(host or about or _dig.text(event, "source") or title),
        check=_details.short(title),
        summary=_dig.text(event, "message") or _dig.text(told, "message"),
        description=_description(told),
        labels=fields | groups | _of(told, event),
        starts_at=_times.moment(_dig.text(event, "timestamp")),
        said_at=_times.moment(_dig.first(event, "timestamp_processing", "timestamp")),
        url=_dig.first(told, "event_url", "url", "link"),
    )


def _scalars(event: dict[str, Any], name: str) -> dict[str, str]:
    return _details.labels(event.get(name))


def _keys(event: dict[str, Any]) -> list[str]:
    """What the event definition calls its key: a list, as text where it came in a form, or one value."""
    keys = event.get("key_tuple")
    found = _dig.texts(keys) if isinstance(keys, list) else [_dig.text(event, "key_tuple").strip("[]")]
    return list(filter(None, found)) or list(filter(None, [_dig.text(event, "key")]))


def _first(names: Iterable[str], *where: dict[str, str]) -> str:
    return next((found[name] for found in where for name in names if found.get(name)), "")


def _of_one_message(told: dict[str, Any], event: dict[str, Any]) -> str:
    """The source of the message that the event is; of an event that counts messages, none."""
    if not _dig.text(event, "origin_context").startswith("urn:graylog:message:"):
        return ""
    return _dig.text(told, "backlog", 0, "source")


def _of(told: dict[str, Any], event: dict[str, Any]) -> dict[str, str]:
    named = {name: told.get(name) for name in (*_OF_DEFINITION, "job_definition_id")}
    return _labels.flat(named | {f"event_{name}": event.get(name) for name in _OF_EVENT})


def _description(told: dict[str, Any]) -> str:
    texts = [_known(told, "event_definition_description"), _known(told, "remediation_steps")]
    return "\n\n".join(filter(None, (*texts, _messages(_dig.items(told, "backlog")))))


def _messages(messages: list[Any]) -> str:
    """The log messages, one in each line: when, where, what."""
    lines = (
        " ".join(filter(None, (_dig.text(message, name) for name in ("timestamp", "source", "message"))))
        for message in messages[:_SHOWN_MESSAGES]
    )
    return "\n".join(filter(None, lines))


def _called_back(payload: Payload, options: Options, told: dict[str, Any]) -> list[Alert | Unreadable]:
    """The alarm callback: a stream, and the condition that it met; none of its test."""
    result, stream = _dig.mapping(told, "check_result"), _dig.mapping(told, "stream")
    condition = _dig.mapping(result, "triggered_condition")
    number, kind = _dig.text(condition, "id"), _dig.first(condition, "type", "type_string")
    if kind.lower() == _DUMMY:
        return []
    if not _dig.text(stream, "id") or not (number or kind):
        raise PayloadError(
            "stream.id or check_result.triggered_condition.id is missing: nothing tells this alert apart"
        )
    at = _times.moment(_dig.text(result, "triggered_at"))
    messages = _dig.items(result, "matching_messages")
    shown = {f"condition_{name}": value for name, value in condition.items() if name != "description"}
    stream_named = {"stream_id": stream.get("id"), "stream_title": stream.get("title")}
    return [
        _build.alert(
            payload,
            options,
            identity=("stream", _dig.text(stream, "id"), number or kind),
            resolved=_dig.at(result, "triggered") is False,
            severity="",
            resource=_details.short(_dig.first(stream, "title", "id")),
            check=_details.short(_dig.first(condition, "title", "type", "type_string") or number),
            summary=_read.said(_dig.text(result, "result_description")),
            description="\n\n".join(filter(None, (_dig.text(condition, "description"), _messages(messages)))),
            labels=_labels.flat(shown | stream_named | {"source": _dig.text(messages, 0, "source")}),
            starts_at=at,
            said_at=at,
        )
    ]

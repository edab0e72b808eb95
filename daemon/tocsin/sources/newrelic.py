"""New Relic, webhooks of workflows and of the older notification channels.

Format: the template of a workflow's webhook, the default one or any other of its variables
(https://docs.newrelic.com/docs/alerts/get-notified/custom-variables-incident-workflows/), names in any spelling (`id`,
`issueId`, `issue_id`); or the payload of a notification channel (`incident_id`, `condition_name`, `current_state` …), JSON
or form.
Authentication: custom headers of the destination (such as a bearer token), or basic.
Identity: the issue, or the incident of a notification channel: its own id.
Resolved: the state is `CLOSED`. An acknowledgement (`USER_ACTION`, `acknowledged`) and a test of a channel are no alerts.
Delivery: a few tries, when there is no answer or 5xx; then the notification is lost.
Limits: an issue may hold incidents of several entities and conditions; resource and check are the first of each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _labels, _messages, _read, _templated, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = frozenset({"application/json", _messages.FORM})

_OVER = frozenset({"closed", "deactivated", "resolved", "close", "incidentclose", "incidentresolved", "incidentclosed"})
_NO_ALERTS = frozenset({"acknowledged", "acknowledge", "incidentacknowledged", "incidentacknowledge", "test"})
"""What people do about a problem that was told before, and tests of a channel; in lower case, letters only."""

_NO_STATES = frozenset({"", "incident", "notification"})
"""Event types that say nothing of the state."""

_ISSUE_URL = re.compile(r"/issues/([0-9A-Za-z-]{8,64})", re.ASCII)
_ISSUE = ("issueid", "id")
_STATE = ("state", "issuestate", "status", "issuestatus", "statetext", "issuestatetext", "currentstate", "eventstate")
_TRIGGER = ("trigger", "triggerevent", "issuetriggerevent")
_PRIORITY = ("priority", "issuepriority", "prioritytext", "severity")
_TITLE = ("title", "issuetitle", "annotationstitle", "name", "summary")
_CONDITIONS = (
    *("alertconditionnames", "conditionnames", "accumulationsconditionname", "alertconditionname", "conditionname"),
    *("condition", "alertcondition"),
)
_POLICIES = ("alertpolicynames", "policynames", "accumulationspolicyname", "alertpolicyname", "policyname", "policy")
_ENTITIES = (
    *("impactedentities", "entitiesdatanames", "impactedentitynames", "entitynames", "impactedentity", "entityname"),
    *("entities", "entitiesdataentities", "targets", "host", "hostname"),
)
_DESCRIPTION = ("annotationsdescription", "description", "accumulationsconditiondescription", "conditiondescription")
_LINK = ("issueurl", "issuepageurl", "url", "issuelink", "violationcallbackurl", "accumulationsdeeplinkurl")
_STARTED = (
    "createdat",
    "issuecreatedat",
    "issuecreatedatutc",
    "activatedat",
    "issueactivatedat",
    "issueactivatedatutc",
)
_CLOSED = ("closedat", "issueclosedat", "issueclosedatutc")
_UPDATED = ("updatedat", "issueupdatedat", "triggeredat", "lastreceived")
_ACKNOWLEDGED = ("acknowledgedat", "issueacknowledgedat")
_MAX_DURATION = 10 * 366 * 86_400_000
"""Longest duration of an incident that is believed, in milliseconds."""


class Options(SourceOptions):
    """How notifications of New Relic are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of a notification; none of an acknowledgement or a test.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is no notification.
    """

    def build(message: Mapping[str, Any]) -> list[Alert]:
        fields = _templated.filled(message)
        said = _by_name(fields)
        family = _of_incident if _is_of_channel(said) else _of_issue
        alert = family(fields, said, payload, options)
        return [] if alert is None else [alert]

    form = _messages.form(payload)
    if form is not None:
        return _messages.numbered(build(form))
    return _messages.each(payload.body, _read.OBJECT, "a notification of New Relic", build)


def _by_name(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by their plain names; those of an object inside (`accumulations`) with its name before theirs."""
    found: dict[str, Any] = {}
    for name, value in _templated.by_name(fields).items():
        if isinstance(value, dict):
            found |= {f"{name}{inner}": one for inner, one in _by_name(value).items()}
        else:
            found[name] = value
    return found


def _is_of_channel(said: Mapping[str, Any]) -> bool:
    """Whether it is the payload of a notification channel, and not of a workflow."""
    return "currentstate" in said or ("incidentid" in said and "issueid" not in said and "state" not in said)


def _state(said: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return _details.plain(_templated.first(said, names))


def _of_issue(fields: dict[str, Any], said: dict[str, Any], payload: Payload, options: Options) -> Alert | None:
    link = _templated.first(said, _LINK)
    linked = _ISSUE_URL.search(link)
    issue = _templated.first(said, _ISSUE) or (linked[1] if linked else "")
    closed_at, updated_at = _templated.moment(said, _CLOSED), _templated.moment(said, _UPDATED)
    state = _state(said, _STATE) or ("closed" if closed_at else "")
    if not issue or not state:
        raise PayloadError(f"{'the state' if issue else 'the id of the issue (issueId)'} is missing")
    resolved = state in _OVER
    if state in _NO_ALERTS or (not resolved and _is_acknowledgement(said, updated_at)):
        return None
    title = _templated.first(said, _TITLE)
    check = _templated.first(said, (*_CONDITIONS, *_POLICIES)) or title or "issue"
    return _build.alert(
        payload,
        options,
        identity=issue,
        resolved=resolved,
        severity=_templated.first(said, _PRIORITY),
        resource=_details.short(_entity(said) or _templated.first(said, _POLICIES) or payload.source or check),
        check=_details.short(check),
        summary=title,
        description=_lines(said),
        labels=_labels.flat(fields),
        starts_at=_templated.moment(said, _STARTED),
        ends_at=(closed_at or updated_at) if resolved else None,
        said_at=updated_at or closed_at,
        url=link,
    )


def _lines(said: Mapping[str, Any]) -> str:
    """The description: that of each incident, as a list, or one text."""
    told = next((said[name] for name in _DESCRIPTION if name in said), None)
    return "\n".join(_dig.texts(told if isinstance(told, list) else [told]))


def _is_acknowledgement(said: Mapping[str, Any], updated_at: datetime | None) -> bool:
    """A person did something to an open issue; or, where nothing says why it was sent, its last change was that."""
    trigger = _state(said, _TRIGGER)
    if trigger:
        return trigger in {"useraction", "acknowledged"}
    acknowledged_at = _templated.moment(said, _ACKNOWLEDGED)
    return acknowledged_at is not None and updated_at is not None and acknowledged_at >= updated_at


def _entity(said: Mapping[str, Any]) -> str:
    """The name of the first entity, of a list of texts or of objects, or of one text."""
    for name in _ENTITIES:
        value = said.get(name)
        if isinstance(value, list):
            texts = (_dig.first(one, "name", "id") if isinstance(one, dict) else one for one in value)
            value = next(iter(_dig.texts(texts)), "")
        if (text := _templated.first({"": value}, ("",))) and not _templated.is_placeholder(text):
            return text
    return ""


def _of_incident(fields: dict[str, Any], said: dict[str, Any], payload: Payload, options: Options) -> Alert | None:
    """The alert of a notification channel's payload."""
    state = _state(said, ("currentstate",)) or _state(said, ("eventtype",))
    if state in _NO_ALERTS:
        return None
    incident = _templated.first(said, ("incidentid",))
    condition = _templated.first(said, ("conditionid",))
    check = _templated.first(said, ("conditionname", "policyname"))
    resource = _details.short(_entity(said) or _templated.first(said, _POLICIES) or check)
    if not (incident or condition):
        raise PayloadError("incident_id is missing")
    if state in _NO_STATES:
        raise PayloadError("current_state is missing: nothing says whether there is a problem")
    resolved = state in _OVER
    happened = _templated.moment(said, ("timestamp",))
    details = _templated.first(said, ("details",))
    return _build.alert(
        payload,
        options,
        identity=("incident", _templated.first(said, ("accountid",)), incident) if incident else (condition, resource),
        resolved=resolved,
        severity=_templated.first(said, ("severity", "priority")),
        resource=resource,
        check=_details.short(check),
        summary=details,
        description=_templated.first(said, ("conditiondescription", "details")),
        labels=_of_targets(fields) | _labels.flat(fields, skip=("details",)),
        starts_at=_started(said, happened, resolved=resolved),
        ends_at=happened if resolved else None,
        said_at=happened,
        url=_templated.first(said, ("incidenturl", "violationcallbackurl", "policyurl")),
    )


def _of_targets(fields: Mapping[str, Any]) -> dict[str, str]:
    """The labels of the first target, and its type and product."""
    target = _dig.mapping(fields, "targets", 0)
    named = {f"target_{name}": _dig.text(target, name) for name in ("id", "name", "type", "product")}
    return _labels.flat(_dig.mapping(target, "labels")) | {name: text for name, text in named.items() if text}


def _started(said: Mapping[str, Any], happened: datetime | None, *, resolved: bool) -> datetime | None:
    """When the incident opened: `duration` milliseconds before this was said."""
    duration = said.get("duration")
    text = _templated.first(said, ("duration",))
    if happened and duration is not None and text.isdecimal() and int(text[:15]) < _MAX_DURATION:
        return _times.known(_times.moment(int(happened.timestamp() * 1000) - int(text)))
    return None if resolved else happened

"""Dynatrace, problem notifications.

Format: the payload of `config/sources/dynatrace/`, or any other one of the webhook's placeholders, fields named like them
in any spelling (`PID`, `ProblemID`, `Problem URL`, `ImpactedEntities` …)
(https://docs.dynatrace.com/docs/analyze-explore-automate/notifications-and-alerting/problem-notifications/webhook-integration);
a problem of the Problems API, version 1 or 2, as it stands (`{ProblemDetailsJSONv2}` alone); the event of a problem as a
workflow has it (`event.id`, `event.status`, `display_id` …).
Authentication: basic, or an additional HTTP header (such as a bearer token).
Identity: the problem's internal id (`{PID}`), which is unique for ever; where there is none, its number (`{ProblemID}`).
Resolved: the state is `RESOLVED` or `CLOSED`; or `MERGED`, because all that is told after that is about the problem it
was merged into. Test notifications are no alerts.
Delivery: tried again for some minutes when there is no answer or an error.
Limits: a problem may affect many entities: the resource is the first host, or the first entity. It may get another
title while it lasts, and then another check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _labels, _messages, _read, _templated, _texts
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

_OVER = frozenset({"RESOLVED", "CLOSED", "MERGED"})
_TESTS = frozenset({"99999", "999999", "TESTID"})
"""Ids that only test notifications have: the id of a problem has about twenty digits, its number begins with `P-`."""

_SEVERITIES = {
    "AVAILABILITY": "critical",
    "MONITORING_UNAVAILABLE": "major",
    "ERROR": "major",
    "PERFORMANCE": "minor",
    "SLOWDOWN": "minor",
    "RESOURCE_CONTENTION": "warning",
    "RESOURCE": "warning",
    "INFO": "info",
}
"""Severity level or event category; `CUSTOM_ALERT` says nothing, so it is the source's default."""

_DETAILS = ("problemdetailsjsonv2", "problemdetailsjson", "problemdetails", "problem")
_PID = ("pid", "eventid", "problemid2")
_NUMBER = ("displayid", "problemid", "problemnumber", "displayname")
_STATE = ("state", "problemstate", "problemstatus", "eventstatus", "status")
_TITLE = ("problemtitle", "title", "eventname", "summary")
_SEVERITY = ("problemseverity", "severitylevel", "eventcategory", "severity")
_TEXT = ("problemdetailstext", "problemdetailsmarkdown", "problemdetails", "eventdescription", "description")
_LINK = ("problemurl", "url", "problemlink")
_ENTITY_LISTS = ("impactedEntities", "affectedEntities", "rankedImpacts", "rankedEvents")
_NAMES = (
    *("namesofimpactedentities", "impactedentitynames", "impactedentity", "affectedentitynames", "rootcauseentityname"),
    *("smartscapeaffectedentitynames", "hostname", "dtentityhostname", "rootcauseentity", "affectedentityids"),
)
_MOST_ENTITIES = 1_000
_STARTED = ("starttime", "eventstart", "problemstarttime")
_ENDED = ("endtime", "eventend", "problemendtime")
_PROBLEM_LINK = re.compile(r"[;?&/]pid=([^;&#?]{1,128})", re.ASCII)
_DESCRIBED = frozenset(
    {
        *("ProblemDetailsText", "ProblemDetailsHTML", "ProblemDetailsMarkdown", "ProblemDetails", "event.description"),
        *("ProblemDetailsJSON", "ProblemDetailsJSONv2", "evidenceDetails", "impactAnalysis", "recentComments"),
    }
)
"""What is the description, or a whole problem again."""


class Options(SourceOptions):
    """How problems of Dynatrace are read."""


class _Entity(NamedTuple):
    """What a problem affects."""

    type: str
    name: str


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of a notification; none of a test.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no notification.
    """

    def build(message: Mapping[str, Any]) -> list[Alert]:
        fields = _templated.filled(message)
        inside = fields.get("data")
        if isinstance(inside, dict) and "event.id" not in fields:
            fields = inside
        alert = _alert(fields, payload, options)
        return [] if alert is None else [alert]

    return _messages.each(payload.body, _read.OBJECT, "a problem notification of Dynatrace", build)


def _alert(fields: dict[str, Any], payload: Payload, options: Options) -> Alert | None:
    own = _by_name(fields)
    details: dict[str, Any] = next((own[name] for name in _DETAILS if isinstance(own.get(name), dict)), {})
    said = _by_name(details) | own
    state = _templated.first(said, _STATE).upper()
    problem = _identity(said, details)
    if not problem or not state:
        raise PayloadError(
            f"{'State' if problem else 'PID'} is missing: paste the payload of config/sources/dynatrace/"
        )
    if problem in _TESTS:
        return None
    title = _templated.first(said, _TITLE) or _dig.text(said, "rankedevents", 0, "eventType")
    severity = _templated.first(said, _SEVERITY)
    entities = [*_entities(said)]
    resolved = state in _OVER or _templated.first(said, ("dtdavisisduplicate",)) == "true"
    return _build.alert(
        payload,
        options,
        identity=problem,
        resolved=resolved,
        severity=_SEVERITIES.get(severity.upper(), severity),
        resource=_details.short(_resource(entities, said) or payload.source or problem),
        check=_details.short(title or severity or "problem"),
        summary=": ".join(filter(None, (_templated.first(own, _NUMBER) or _templated.first(said, _NUMBER), title))),
        description=_templated.first(said, _TEXT),
        labels=_labelled(fields, said, entities),
        starts_at=_templated.moment(said, _STARTED),
        ends_at=_templated.moment(said, _ENDED) if resolved else None,
        said_at=_templated.moment(said, ("timestamp",)) if "eventid" in said else None,
        url=_templated.first(said, _LINK),
    )


def _by_name(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by their plain names; `event: {id}` is `event.id`."""
    found = _templated.by_name(fields)
    event = found.get("event")
    return (
        {f"event{name}": value for name, value in _templated.by_name(event).items()} | found
        if isinstance(event, dict)
        else found
    )


def _identity(said: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """The internal id, wherever it stands; the number only when it stands nowhere.

    `problemId` is the internal id in the Problems API, version 2, and the number in a template.
    """
    of_details = _dig.first(details, "problemId", "id", "ID")
    of_problem = _dig.first(said, "id") if "displayname" in said else ""
    of_api = _templated.first(said, ("problemid",)) if "displayid" in said else ""
    linked = _PROBLEM_LINK.search(_templated.first(said, _LINK))
    return (
        _templated.first(said, _PID)
        or of_details
        or of_api
        or of_problem
        or (unquote(linked[1]) if linked else "")
        or _templated.first(said, _NUMBER)
    )


def _entities(said: Mapping[str, Any]) -> Iterator[_Entity]:
    """The entities of the first list that has any, in its order."""
    for name in _ENTITY_LISTS:
        value = said.get(_details.plain(name))
        listed = value[:_MOST_ENTITIES] if isinstance(value, list) else []
        found = [_entity(one) for one in listed if isinstance(one, dict)]
        if named := [entity for entity in found if entity.name]:
            yield from named
            return


def _entity(one: Mapping[str, Any]) -> _Entity:
    """As a template lists it, as version 2 of the API does, and as version 1 does in its events and impacts."""
    kind = _dig.first(one, "type", "Type") or _dig.text(one, "entityId", "type")
    identifier = _dig.first(one, "entity", "Entity") or _dig.text(one, "entityId", "id") or _dig.first(one, "entityId")
    return _Entity(kind or identifier.rpartition("-")[0], _dig.first(one, "name", "entityName", "Name") or identifier)


def _resource(entities: list[_Entity], said: Mapping[str, Any]) -> str:
    """The first host, or the first entity, or the environment that the problem's address names."""
    hosts = [entity.name for entity in entities if entity.type == "HOST"]
    named = hosts or [entity.name for entity in entities]
    if named:
        return named[0]
    for name in _NAMES:
        value = said.get(name)
        text = _dig.first(value, "name") if isinstance(value, dict) else next(iter(_templated.texts(value)), "")
        if text:
            return text
    address = _texts.link(_templated.first(said, _LINK))
    return urlsplit(address).netloc if address.isascii() and "[" not in address else ""


def _labelled(fields: Mapping[str, Any], said: Mapping[str, Any], entities: list[_Entity]) -> dict[str, str]:
    """Tags of the entities, their names and types, and the scalars of the notification."""
    listed = {
        "ImpactedEntityNames": ", ".join(dict.fromkeys(entity.name for entity in entities)),
        "ImpactedEntityTypes": ", ".join(dict.fromkeys(entity.type for entity in entities)),
        "ManagementZones": ", ".join(
            filter(None, (_dig.text(one, "name") for one in _dig.items(said, "managementzones")))
        ),
    }
    tags = [
        *_templated.texts(said.get("tags")),
        *_tags(_dig.items(said, "entitytags") or _dig.items(said, "tagsofaffectedentities")),
    ]
    named = {name: text for name, text in listed.items() if text}
    return _labels.tags(dict.fromkeys(tags)) | named | _labels.flat(fields, skip=_DESCRIBED)


def _tags(tags: list[Any]) -> Iterator[str]:
    """The tags of entities, which are objects in the API and texts in a workflow."""
    for tag in tags:
        if isinstance(tag, dict):
            key, value = _dig.text(tag, "key"), _dig.text(tag, "value")
            yield _dig.text(tag, "stringRepresentation") or (f"{key}:{value}" if value else key)
        else:
            yield _dig.text(tag)

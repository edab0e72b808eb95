"""The OpenAPI 3.1 documents, made of the types that requests are checked by and answers are made as.

What each version serves and answers is that of the standard's own descriptions (TMF621 4.0.0 and 5.0.1), with what this
server adds: the statuses of bodies and of overload, and what is not deleted.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import msgspec
from apispec import APISpec
from msgspec import Struct

from tocsin import __version__
from tocsin.web.tmf621 import asking, jsonpatch, v4, v5
from tocsin.web.tmf621.listeners import EVENTS
from tocsin.web.tmf621.parts import JsonPatch
from tocsin.web.tmf621.service import MERGE, OPERATIONS, PLAIN, Face
from tocsin.web.tmf621.terms import BASE, OURS

EXAMPLES: dict[str, Any] = json.loads(
    resources.files("tocsin.web.tmf621").joinpath("examples.json").read_text(encoding="utf-8")
)
"""Version → what is asked → what is sent."""
_REFERENCE = "#/components/schemas/{name}"
_ABOUT = (
    "The desk of tocsin as TM Forum's Trouble Ticket API (TMF621 {version}.0). Answers this machine only, or whoever has the "
    "token of `desk.tmf621.token_file`; browsers are refused. A ticket is a record: it is not deleted, and its notes and "
    "files are only added to. `Accept-Language: fr` or `en` chooses the language of texts."
)
_STATUSES = {
    400: "The request makes no sense; `message` says what and where.",
    401: "The token is missing or wrong.",
    403: "Asked from elsewhere without a token, by a browser, or about a host that may not be told.",
    404: "There is no such thing.",
    405: "The method is not possible here; `Allow` says which are.",
    406: "Something else than JSON is wanted.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is there: a duplicate, whose place is told, or a status that leads nowhere.",
    413: "The body, a file, or what is to be kept is too large.",
    415: "The body is not of a media type that is read.",
    501: "It is of the standard, and not supported here.",
    503: "Too much is asked at once, or the store cannot be read or written: ask again after `Retry-After` seconds.",
}
_ALWAYS = (401, 403, 406, 503)
_WITH_BODY = (400, 408, 413, 415)
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
_TIME = {"type": "string", "format": "date-time"}


def document(face: Face) -> dict[str, Any]:
    """The document of a version, as plain values."""
    spec = APISpec(
        title="tocsin, Trouble Ticket",
        version=__version__,
        openapi_version="3.1.0",
        info={"description": _ABOUT.format(version=face.version)},
        tags=[{"name": "troubleTicket"}, {"name": "events subscription"}],
        security=[{}, {"token": []}],
    )
    spec.components.security_scheme(
        "token", {"type": "http", "scheme": "bearer", "description": "The content of `desk.tmf621.token_file`."}
    )
    for name, schema in _schemas(face).items():
        spec.components.schema(name, schema)
    for path, operations in _paths(face).items():
        spec.path(f"{BASE}/{face.name}{path}", operations=operations)
    told: dict[str, Any] = json.loads(msgspec.json.encode(spec.to_dict()))
    return {**told, "webhooks": _webhooks(face)}


def _schemas(face: Face) -> dict[str, Any]:
    types = v5 if face.typed else v4
    hubs = (v5.HubCreate, v5.Hub) if face.typed else (v4.EventSubscriptionInput, v4.EventSubscription)
    wanted = [face.create, face.update, face.ticket, types.Error, types.Event, *hubs, JsonPatch]
    _, components = msgspec.json.schema_components(wanted, ref_template=_REFERENCE)
    return components


def _paths(face: Face) -> dict[str, Any]:
    """Path → method → operation."""
    number = _variable("The number of the ticket.") | {"example": "2611N00001"}
    fields = [_query("fields", "Attributes that are wanted, separated by commas; without it all.")]
    written = fields if face.typed else []
    create = Said(answer="TroubleTicket", body={PLAIN: _of(face.create.__name__) | _example(face, "create")})
    change = Said(answer="TroubleTicket", body=_patches(face))
    one = {
        "get": _operation(
            face, "retrieveTroubleTicket", "A ticket", (200, 400, 404), [number, *fields], Said(answer="TroubleTicket")
        ),
        "patch": _operation(
            face,
            "patchTroubleTicket",
            "Change a ticket, or write on it",
            (200, 404, 409),
            [number, *written],
            change,
        ),
    }
    all_ = {
        "get": _listing(face),
        "post": _operation(face, "createTroubleTicket", "Declare a ticket", (201, 409), written, create),
    }
    return {"/troubleTicket": all_, "/troubleTicket/{id}": one, **_hubs(face)}


def _hubs(face: Face) -> dict[str, Any]:
    key = _variable("The id of the subscription.")
    asked, told = ("HubCreate", "Hub") if face.typed else ("EventSubscriptionInput", "EventSubscription")
    subscribe = Said(answer=told, body={PLAIN: _of(asked) | _example(face, "subscribe")})
    one = {"delete": _operation(face, "unsubscribe", "Let somebody listen no more", (204, 404), [key], Said())}
    if face.typed:
        one["get"] = _operation(face, "retrieveHub", "A subscription", (200, 404), [key], Said(answer=told))
    summary = "Be told what happens to tickets"
    return {
        "/hub": {"post": _operation(face, "subscribe", summary, (201, 409), [], subscribe)},
        "/hub/{id}": one,
    }


class Said(Struct, frozen=True, kw_only=True):
    """What goes over the line in an operation: the type of the answer, and content by media type."""

    answer: str = ""
    body: dict[str, Any] = {}


def _operation(
    face: Face, name: str, summary: str, statuses: tuple[int, ...], parameters: list[dict[str, Any]], said: Said
) -> dict[str, Any]:
    """An operation; the first of its statuses is that of success, the others are failures of its own."""
    status, *own = statuses
    failing = sorted({*own, *_ALWAYS, *(_WITH_BODY if said.body else ()), *((400,) if parameters else ())})
    good: dict[str, Any] = {"description": summary}
    if said.answer:
        good["content"] = {face.media_type: _of(said.answer)}
    if status == 201:  # noqa: PLR2004 - the one that says where
        good["headers"] = {"Location": {"description": "Where it is.", "required": True, "schema": _TEXT}}
    told = {
        "operationId": name,
        "tags": ["events subscription" if "ubscri" in name or "Hub" in name else "troubleTicket"],
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): good} | {str(code): _failure(face, code) for code in failing},
    }
    return {**told, "requestBody": {"required": True, "content": said.body}} if said.body else told


def _listing(face: Face) -> dict[str, Any]:
    statuses = (200, 400, 501) if face.typed else (200, 400)
    summary = "Tickets, the oldest change first"
    told = _operation(face, "listTroubleTicket", summary, statuses, _parameters(face), Said())
    items = {"type": "array", "items": _of("TroubleTicket")["schema"]}
    told["responses"]["200"] |= {
        "content": {face.media_type: {"schema": items}},
        "headers": {
            "X-Result-Count": {"description": "Tickets in this answer.", "required": True, "schema": _COUNT},
            "X-Total-Count": {"description": "Tickets that are wanted.", "required": True, "schema": _COUNT},
        },
    }
    return told


def _parameters(face: Face) -> list[dict[str, Any]]:
    """The parameters of a list."""
    schemas: dict[str, Any] = {"offset": _COUNT, "limit": _COUNT}
    schemas["status"] = {"type": "array", "items": {"enum": list(OURS)}, "minItems": 1}
    schemas["sort"] = {"enum": [f"{sign}{name}" for name in asking.SORTS for sign in ("", "-")]}
    says = {
        "fields": "Attributes that are wanted, separated by commas; without it all.",
        "offset": "How many tickets are left out before the first.",
        "limit": f"Tickets at most; {asking.USUAL} when it is left out, never more than {asking.MOST}.",
        "sort": "By what, in which order; without it by lastUpdate, then in the order of their numbers.",
        "filter": "JSONPath, as far as it compares attributes: $[?(@.status == 'pending' && @.severity == 'Major')].",
    }
    told = []
    for name in asking.parameters(face.version):
        time = name.partition(".")[0] in ("lastUpdate", "creationDate")
        schema = _TIME if time else schemas.get(name, _TEXT)
        told.append(_query(name, says.get(name, f"Only tickets with this {name}."), schema))
    return told


def _query(name: str, says: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    told = {"name": name, "in": "query", "required": False, "description": says, "schema": schema or _TEXT}
    return {**told, "style": "form", "explode": False} if (schema or {}).get("type") == "array" else told


def _variable(says: str) -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": _TEXT, "description": says}


def _patches(face: Face) -> dict[str, Any]:
    merge = {name: _of(face.update.__name__) | _example(face, "change") for name in (PLAIN, MERGE)}
    if not face.typed:
        return merge
    schema = {"type": "array", "maxItems": jsonpatch.MOST, "items": _of("JsonPatch")["schema"]}
    return {**merge, OPERATIONS: {"schema": schema} | _example(face, "operations")}


def _failure(face: Face, status: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": _STATUSES[status],
        "content": {face.media_type: {"schema": _of("Error")["schema"]}},
    }
    if status == 503:  # noqa: PLR2004 - the one that says when
        told["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": _TEXT}}
    return told


def _example(face: Face, name: str) -> dict[str, Any]:
    return {"example": EXAMPLES[face.name][name]}


def _of(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": _REFERENCE.format(name=name)}}


def _webhooks(face: Face) -> dict[str, Any]:
    """What listeners are told, each at an address of its own below their callback."""
    status = "204" if face.typed else "201"
    told = {}
    for event in EVENTS.values():
        content = {face.media_type: _of("Event")}
        told[event[:1].lower() + event[1:]] = {
            "post": {
                "summary": event,
                "requestBody": {"required": True, "content": content},
                "responses": {status: {"description": "Heard; any other 2xx is, too."}},
            }
        }
    return told

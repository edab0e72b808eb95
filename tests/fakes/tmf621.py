"""A server of TMF621, versions 4 and 5 side by side. Sources: TM Forum's Swagger 4.0.0 and OpenAPI 5.0.1, and TMF630.

It keeps each ticket in version 5's terms and shows it in either. Switches make it one of the servers that are met.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import Behaviour, Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

CLIENT, SECRET = "tocsin-client", b"tmf-s3cret"
TOKEN, PASSWORD = b"fixed-tmf-token", b"tmf-passw0rd"
OURS = {
    "acknowledged": "declared",
    "rejected": "cancelled",
    "pending": "waiting",
    "held": "frozen",
    "inProgress": "in_progress",
    "cancelled": "cancelled",
    "closed": "closed",
    "resolved": "repaired",
}
THEIRS = {ours: word for word, ours in OURS.items() if word != "rejected"}
ALLOWED = {
    "acknowledged": {"inProgress", "pending", "rejected", "cancelled"},
    "inProgress": {"pending", "held", "resolved"},
    "pending": {"inProgress", "cancelled"},
    "held": {"inProgress", "cancelled"},
    "resolved": {"closed", "inProgress"},
}
"""Steps that a strict server allows; TM Forum publishes the states only, so this is a cautious set."""
PLACED = ("offset", "limit", "fields", "sort", "before", "after", "filter")
MERGE = ("application/merge-patch+json", "application/json")
LARGEST = 100


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


class Tmf621(Face):
    KIND = "tmf621"
    CANNOT: ClassVar = frozenset({Behaviour.INSIDE})
    RENEWS = True
    NUMBERS_LATER = True
    SECRETS: ClassVar[Mapping[str, bytes]] = {"tmf-secret": SECRET, "tmf-token": TOKEN, "tmf-password": PASSWORD}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.stored: dict[str, dict[str, Any]] = {}
        self.waiting: list[dict[str, Any]] = []  # accepted, and not made yet
        self.hub: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.last = 3000
        self.version = "v5"  # of the last request, and of events
        self.ignores_filters = False
        self.refuses_filters = False
        self.counts = True  # lists tell their totals
        self.appends = False  # notes of a patch are added instead of replacing
        self.keeps_status = False  # a client's status is dropped in silence
        self.strict = False  # only the steps of ALLOWED
        self.answers_nothing = False  # a patch is answered 200 with the ticket left out
        self.later = False  # a patch is accepted, 202
        self.patches = MERGE
        self.reads: tuple[str, ...] = MERGE  # a patch of another media type is taken for an empty one
        self.drops_notes = False  # a client's notes are dropped in silence
        self.misses = False  # 404 is how it says that it found nothing, or nothing more
        self.blind = 0  # status of a reading, once something was patched
        self.unique = False  # a second ticket of one external id is a conflict
        self.lists_hub = False
        self.tags = False  # ETags, and If-Match
        self.quick: list[str] = []  # what a person writes after each reading of notes alone

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "version": "v5",
            "token_url": f"{self.server.url}/oauth/token",
            "client_id": CLIENT,
            "client_secret_file": "tmf-secret",
        }

    def routes(self) -> list[Route]:
        base = "/tmf-api/troubleTicket/{version:v4|v5}"
        return [
            Route("POST", "/oauth/token", self._token, Does.LOGIN),
            Route("POST", f"{base}/troubleTicket", self._create, Does.CREATE),
            Route("GET", f"{base}/troubleTicket", self._list, lambda request, _: _listing(request)),
            Route("GET", f"{base}/troubleTicket/{{id}}", self._read, Does.READ),
            Route("PATCH", f"{base}/troubleTicket/{{id}}", self._change, _changing),
            Route("POST", f"{base}/hub", self._subscribe, Does.CHECK),
            Route("GET", f"{base}/hub", self._listeners, Does.CHECK),
        ]

    def tickets(self) -> list[Truth]:
        return [self._truth(one) for one in [*self.stored.values(), *self.waiting]]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        ticket = self.stored[number]
        if status:
            self._turn(ticket, THEIRS[status], "a person did it")
        if note:
            ticket["note"] = [*ticket["note"], self._numbered({"author": "Ines Martin", "text": note})]
        if assignee:
            who = {"@type": "PartyRef", "@referredType": "Individual", "id": "77", "name": assignee}
            ticket["relatedParty"] = [
                {"@type": "RelatedPartyRefOrPartyRoleRef", "role": "assignee", "partyOrPartyRole": who}
            ]
        ticket["priority"] = priority or ticket.get("priority", "Medium")
        self._touch(ticket)

    def forget(self, number: str) -> None:
        del self.stored[number]

    def disown(self, number: str, reference: str) -> None:
        ours = {"@type": "ExternalIdentifier", "owner": "tocsin", "id": reference}
        self.stored[number]["externalIdentifier"] = [ours] if reference else []

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        """The event of a change of status, as the standard's examples show it."""
        ticket = self._shown(self.stored[number], self.version)
        some = ("id", "href", "status", "statusChangeDate", "externalId", "externalIdentifier", "@type")
        now, kind = stamp(self.server.clock()), "TroubleTicketStatusChangeEvent"
        event = {
            "eventId": "41cf-ad81",
            "eventTime": now,
            "eventType": kind,
            "correlationId": "0f874cb9",
            "domain": "Assurance",
            "title": kind,
            "priority": "5",
            "timeOccurred" if self.version == "v5" else "timeOcurred": now,
            "event": {"troubleTicket": {name: ticket[name] for name in some if name in ticket}},
            **({"@type": kind, "@baseType": "Event"} if self.version == "v5" else {}),
        }
        return {"Content-Type": "application/json"}, json.dumps(event).encode()

    # --- how it says no ----------------------------------------------------------------------------------------------

    def _no(self, status: int, reason: str, message: str, **headers: str) -> web.Response:
        typed = {"@type": "Error"} if self.version == "v5" else {}
        body = {**typed, "code": f"ERR{status}", "reason": reason, "message": message, "status": str(status)}
        return web.json_response(
            body, status=status, headers={name.replace("_", "-"): it for name, it in headers.items()}
        )

    def not_found(self) -> web.StreamResponse:
        return self._no(404, "Not Found", "The requested URL was not found on the server.")

    def refused(self) -> web.StreamResponse:
        return self._no(400, "Bad Request", "a value is not accepted")

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return self._no(401, "Unauthorized", f"not known: {dict(request.headers)}")

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return self._no(403, "Forbidden", f"not for {request.headers.get('Authorization')}")

    def limited(self) -> web.StreamResponse:
        return self._no(429, "Too Many Requests", "slow down", Retry_After="7")

    # --- its API -----------------------------------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.StreamResponse:
        given = await request.post()
        basic = base64.b64encode(f"{CLIENT}:{SECRET.decode()}".encode()).decode()
        in_header = request.headers.get("Authorization") == f"Basic {basic}"
        in_body = (given.get("client_id"), given.get("client_secret")) == (CLIENT, SECRET.decode())
        if given.get("grant_type") != "client_credentials" or not (in_header or in_body):
            return web.json_response({"error": "invalid_client"}, status=401)
        token = f"token-{len(self.tokens) + 1}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if request.content_type != "application/json":
            return self._no(415, "Unsupported Media Type", request.content_type)
        given = _object(await request.read())
        problem = self._problem(given) or next(
            (f"{name} is mandatory" for name in ("description", "severity", "ticketType") if not given.get(name)), ""
        )
        if problem:
            return self._no(400, "Missing or wrong information", problem)
        ticket = self._kept(given)
        if self.unique and any(_identifiers(one) & _identifiers(ticket) for one in self.stored.values()):
            return self._no(409, "Conflict", "a ticket of this external identifier is there")
        if self.server.pending:
            self.waiting.append(ticket)
            return web.Response(status=202)
        self._made(ticket)
        href = f"{self.server.url}{self._path(ticket)}"
        return web.json_response(self._shown(ticket, self.version), status=201, headers={"Location": href})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        self._catch_up()
        query = request.query
        filters = {name: value for name, value in query.items() if name not in PLACED}
        found = [one for one in self.stored.values() if _listing(request) != Does.SEARCH or self._visible(one)]
        if filters and self.refuses_filters:
            return self._no(400, "Bad Request", f"unknown query parameter {next(iter(filters))}")
        if not self.ignores_filters:
            shown = {one["id"]: self._shown(one, self.version) for one in found}
            found = [one for one in found if all(_meets(shown[one["id"]], *each) for each in filters.items())]
        if sort := query.get("sort", ""):
            found.sort(key=lambda one: one.get(sort.lstrip("-"), ""), reverse=sort.startswith("-"))
        total, found = len(found), self.server.ordered(found)
        offset = int(query.get("offset", 0))
        limit = min(int(query.get("limit", 20)), self.server.page or LARGEST, LARGEST)
        page = found[offset : offset + limit]
        if self.misses and not page:
            return self._no(404, "Not Found", "no ticket is found")
        headers = {"X-Result-Count": str(len(page)), "X-Total-Count": str(len(found))} if self.counts else {}
        body = [self._selected(self._shown(one, self.version), query) for one in page]
        return web.json_response(body, status=206 if len(page) < total else 200, headers=headers)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        self._catch_up()
        ticket = self.stored.get(request.match_info["id"])
        if ticket is None:
            return self.not_found()
        if self.blind and ticket["_version"] > 1:
            return self._no(self.blind, "Error", "not now")
        shown = self._selected(self._shown(ticket, self.version), request.query)
        answer = web.json_response(shown, headers={"ETag": f'"{ticket["_version"]}"'} if self.tags else {})
        if self.quick and request.query.get("fields") == "id,note":
            self.person(ticket["id"], note=self.quick.pop())
        return answer

    async def _change(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        ticket = self.stored.get(request.match_info["id"])
        if ticket is None:
            return self.not_found()
        if request.content_type not in self.patches:
            return self._no(415, "Unsupported Media Type", request.content_type)
        wanted = request.headers.get("If-Match")
        if self.tags and wanted and wanted != f'"{ticket["_version"]}"':
            return self._no(412, "Precondition Failed", "somebody was quicker")
        given = _object(await request.read())
        if problem := self._problem(given):
            return self._no(400, "Bad Request", problem)
        given = given if request.content_type in self.reads else {}
        status = given.get("status", ticket["status"])
        if self.strict and status != ticket["status"] and status not in ALLOWED.get(ticket["status"], ()):
            return self._no(409, "Conflict", f"{ticket['status']} does not become {status}")
        self._merge(ticket, given)
        if self.later:
            return web.Response(status=202)
        return web.Response() if self.answers_nothing else web.json_response(self._shown(ticket, self.version))

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        given = _object(await request.read())
        if not given.get("callback") or (self.version == "v5" and given.get("@type") != "Hub"):
            return self._no(400, "Bad Request", "callback and @type are mandatory")
        if self.unique and any(one["callback"] == given["callback"] for one in self.hub.values()):
            return self._no(409, "Conflict", "that callback is registered")
        number = str(len(self.hub) + 1)
        self.hub[number] = {**given, "id": number}
        return web.json_response(self.hub[number], status=201)

    async def _listeners(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if not self.lists_hub:
            return self._no(405, "Method Not allowed", "The method is not allowed for the requested URL.")
        return web.json_response(list(self.hub.values()))

    # --- what it keeps -----------------------------------------------------------------------------------------------

    def _stranger(self, request: web.Request) -> web.StreamResponse | None:
        self.version = request.match_info["version"]
        proof = request.headers.get("Authorization", "")
        basic = base64.b64encode(f"tocsin:{PASSWORD.decode()}".encode()).decode()
        known = {f"Bearer {TOKEN.decode()}", f"Basic {basic}", *(f"Bearer {token}" for token in self.tokens)}
        return None if proof in known else self.unauthorized(request)

    def _problem(self, given: Any) -> str:
        if not isinstance(given, dict):
            return "a JSON object is wanted"
        if self.version == "v5" and (untyped := _untyped(given)):
            return f"@type is mandatory in {untyped}"
        for name in ("id", "href"):
            if name in given:
                return f"{name} is the server's"
        texts = ("name", "description", "severity", "ticketType", "status", "externalId", "statusChangeReason")
        for name in texts:
            if not isinstance(given.get(name, ""), str) or "\x00" in given.get(name, ""):
                return f"{name} is not a text"
        if given.get("status", "closed") not in OURS:
            return f"status {given['status']!r} is not of TroubleTicketStatusType"
        return self._problem_of_lists(given)

    def _problem_of_lists(self, given: dict[str, Any]) -> str:
        for name in ("note", "attachment", "relatedEntity", "relatedParty", "externalIdentifier"):
            listed = given.get(name, [])
            if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
                return f"{name} is not a list of objects"
        for one in given.get("relatedEntity", []):
            where = one if self.version == "v4" else {**one.get("entity", {}), "role": one.get("role")}
            if not all(where.get(name) for name in ("id", "role", "@referredType")):
                return "relatedEntity: id, role and @referredType are mandatory"
        for one in given.get("attachment", []):
            if not one.get("id") and self.version == "v5" and not (one.get("attachmentType") and one.get("mimeType")):
                return "attachment: attachmentType and mimeType are mandatory"
        other = "externalIdentifier" if self.version == "v4" else "externalId"
        return f"{other} is not of this version" if other in given else ""

    def _kept(self, given: dict[str, Any]) -> dict[str, Any]:
        """What was sent, in version 5's terms."""
        kept = {"@type": "TroubleTicket", "status": "acknowledged", "note": [], "attachment": [], **given}
        if self.version == "v4" and "externalId" in kept:
            ours = {"@type": "ExternalIdentifier", "owner": "tocsin", "id": kept.pop("externalId")}
            kept["externalIdentifier"] = [ours]
        if self.version == "v4":
            kept["relatedEntity"] = [_as_v5(one) for one in kept.get("relatedEntity", [])]
        kept["note"] = [self._numbered(one) for one in kept["note"]]
        return kept

    def _made(self, ticket: dict[str, Any]) -> None:
        self.last += 1
        now = stamp(self.server.clock())
        ticket |= {"id": str(self.last), "creationDate": now, "lastUpdate": now, "_version": 1}
        ticket["_made"] = self.server.clock()
        self.stored[ticket["id"]] = ticket

    def _catch_up(self) -> None:
        if not self.server.pending:
            for ticket in self.waiting:
                self._made(ticket)
            self.waiting.clear()

    def _visible(self, ticket: dict[str, Any]) -> bool:
        return self.server.visible(ticket["_made"])

    def _merge(self, ticket: dict[str, Any], given: dict[str, Any]) -> None:
        """RFC 7396: lists are replaced whole."""
        patch = {name: value for name, value in given.items() if name not in ("@type", "status")}
        if self.drops_notes:
            patch.pop("note", None)
        for name in ("note", "attachment"):
            if name in patch:
                stood = ticket[name] if self.appends else []
                patch[name] = [*stood, *(self._numbered(one) for one in patch[name])]
        ticket |= patch
        if "status" in given and not self.keeps_status:
            self._turn(ticket, given["status"], given.get("statusChangeReason", ""))
        self._touch(ticket)

    def _turn(self, ticket: dict[str, Any], status: str, reason: str) -> None:
        now = stamp(self.server.clock())
        turn = {"@type": "StatusChange", "status": status, "statusChangeDate": now, "statusChangeReason": reason}
        history = [*ticket.get("statusChangeHistory", []), turn]
        ticket |= {"status": status, "statusChangeDate": now, "statusChangeHistory": history}

    def _touch(self, ticket: dict[str, Any]) -> None:
        ticket["lastUpdate"] = stamp(self.server.clock())
        ticket["_version"] += 1

    def _numbered(self, one: dict[str, Any]) -> dict[str, Any]:
        if "id" in one:
            return one
        self.last += 1
        return {"@type": "Note", "date": stamp(self.server.clock()), **one, "id": f"part-{self.last}"}

    def _path(self, ticket: dict[str, Any]) -> str:
        return f"/tmf-api/troubleTicket/{self.version}/troubleTicket/{ticket['id']}"

    def _shown(self, ticket: dict[str, Any], version: str) -> dict[str, Any]:
        shown = {name: value for name, value in ticket.items() if not name.startswith("_")}
        shown["href"] = f"{self.server.url}/tmf-api/troubleTicket/{version}/troubleTicket/{ticket['id']}"
        if version == "v5":
            return shown
        identifiers = shown.pop("externalIdentifier", [])
        if identifiers:
            shown["externalId"] = identifiers[0]["id"]
        shown["relatedEntity"] = [{**one["entity"], "role": one["role"]} for one in shown.get("relatedEntity", [])]
        shown["relatedParty"] = [
            {**one["partyOrPartyRole"], "role": one["role"]} for one in shown.get("relatedParty", [])
        ]
        changes = shown.pop("statusChangeHistory", [])
        shown["statusChange"] = [{"status": one["status"], "changeDate": one["statusChangeDate"]} for one in changes]
        return shown

    def _selected(self, shown: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        wanted = query.get("fields", "")
        return {
            key: it for key, it in shown.items() if not wanted or key in {*wanted.split(","), "id", "href", "@type"}
        }

    def _truth(self, ticket: dict[str, Any]) -> Truth:
        entities = ticket.get("relatedEntity", [])
        return Truth(
            number=ticket.get("id", ""),
            reference=next(iter(_identifiers(ticket)), ""),
            status=OURS[ticket["status"]],
            title=ticket.get("name", ""),
            text=ticket["description"],
            impact=ticket["severity"],
            element=entities[0]["entity"]["id"] if entities else "",
            notes=[note["text"] for note in ticket["note"]],
            files={one["name"]: base64.b64decode(one["content"]) for one in ticket["attachment"]},
        )


def _object(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _identifiers(ticket: dict[str, Any]) -> set[str]:
    return {one["id"] for one in ticket.get("externalIdentifier", []) if one["id"]}


def _as_v5(one: dict[str, Any]) -> dict[str, Any]:
    entity = {"@type": "EntityRef", **{name: value for name, value in one.items() if name != "role"}}
    return {"@type": "RelatedEntity", "role": one["role"], "entity": entity}


def _untyped(value: Any, where: str = "the body") -> str:
    """Where an object lacks its @type."""
    if isinstance(value, list):
        return next((found for one in value if (found := _untyped(one, where))), "")
    if not isinstance(value, dict):
        return ""
    if "@type" not in value:
        return where
    return next((found for name, one in value.items() if (found := _untyped(one, name))), "")


def _meets(shown: dict[str, Any], name: str, value: str) -> bool:
    """TMF630: an attribute's path, perhaps with an operator; any one of a list will do."""
    for operator, holds in (("gte", str.__ge__), ("lte", str.__le__), ("gt", str.__gt__), ("lt", str.__lt__)):
        if name.endswith(f".{operator}"):
            wanted = value if "." in value else value.replace("Z", ".000Z")
            return any(holds(found, wanted) for found in _reach(shown, name.removesuffix(f".{operator}").split(".")))
    return value in _reach(shown, name.split("."))


def _reach(value: Any, path: list[str]) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _reach(one, path)]
    if path and isinstance(value, dict):
        return _reach(value.get(path[0]), path[1:])
    return [value] if isinstance(value, str) and not path else []


def _listing(request: web.Request) -> Does:
    if any(name.startswith("lastUpdate") for name in request.query):
        return Does.LIST
    return Does.SEARCH if any(name.startswith("external") for name in request.query) else Does.CHECK


def _changing(_: web.Request, body: bytes) -> Does:
    given = _object(body)
    return Does.ATTACH if isinstance(given, dict) and "attachment" in given else Does.CHANGE

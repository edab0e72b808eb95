"""GLPI's two REST APIs (10.0.19 and 11), as far as a ticket's client sees them. Sources: "apirest.md", and its public source.

This server lives in Paris and writes its times so, as a database does.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from aiohttp import web

from fakes import glpi_second
from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

USER_TOKEN = b"q56hqkniwot8wntb3z1qarka5atf365taaa2uyjrn"
APP_TOKEN = b"f7g3csp8mgatg5ebc5elnazakw20i9fyev1qopya7"
PASSWORD = "gl\xfcck & p\xe4sse".encode()
CLIENT_SECRET = b"f4ae0d5b8d1be5b7d4e8b3c24a2e6b3cd3bb9f7e"
ZONE = ZoneInfo("Europe/Paris")
OURS = {1: "declared", 2: "in_progress", 3: "in_progress", 4: "waiting", 5: "repaired", 6: "closed"}
OPTIONS = {
    "1": "name",
    "2": "id",
    "12": "status",
    "11": "impact",
    "3": "priority",
    "19": "date_mod",
    "87": "externalid",
}
"""The search options of tickets, and their fields."""
TITLE = 255
SOLVED, CLOSED = 5, 6
ASSETS = {"DF000J1ADE": 41, "DOUBLE": 42}


@dataclass
class Note:
    id: int
    kind: str  # ITILFollowup, ITILSolution
    content: str
    user: str
    at: datetime
    private: bool = False


@dataclass
class Ticket:
    id: int
    name: str
    content: str
    externalid: str
    created_at: datetime
    changed_at: datetime
    status: int = 1
    impact: int = 3
    urgency: int = 3
    assigned: str = ""
    editor: str = "tocsin"
    deleted: bool = False
    asset: str = ""
    notes: list[Note] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def priority(self) -> int:
        return (self.impact + self.urgency) // 2


def local(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<br\s*/?>", "\n", text)))


class RefusedError(Exception):
    """GLPI would not do it."""


class Glpi(Face):
    KIND = "glpi"
    RENEWS = True
    SECRETS: ClassVar = {
        "glpi-user-token": USER_TOKEN,
        "glpi-app-token": APP_TOKEN,
        "glpi-password": PASSWORD,
        "glpi-client-secret": CLIENT_SECRET,
    }

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.held: dict[int, Ticket] = {}
        self.last, self.last_note, self.begun = 2112, 100, 0
        self.sessions: set[str] = set()
        self.tokens: set[str] = set()
        self.granted: list[str] = []  # grant types of the tokens
        self.documents: dict[int, tuple[str, bytes]] = {}
        self.forbidden_steps: set[tuple[int, int]] = set()  # what the profile's life cycle does not allow
        self.unseen: set[int] = set()  # tickets of entities that the profile does not see
        self.locked: set[int] = set()  # tickets that the profile sees and may not change
        self.careless = False  # True: the OAuth server fails, and repeats what it was sent
        self.views = True  # False: the profile may not see tickets at all
        self.closes_at_once = False  # the entity closes what is solved
        self.moves = False  # a rule moves what is changed out of our sight
        self.options_known = dict(OPTIONS)
        self.escapes = True  # GLPI 10 hands texts out escaped once more

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "user_token_file": "glpi-user-token",
            "app_token_file": "glpi-app-token",
            "zone": "Europe/Paris",
        }

    def routes(self) -> list[Route]:
        api, ticket = "/apirest.php", "/apirest.php/Ticket/{id:\\d+}"
        sub = "{kind:ITILFollowup|ITILSolution|Ticket_User}"
        return [
            Route("GET", f"{api}/initSession", self._begin, Does.LOGIN),
            Route("GET", f"{api}/listSearchOptions/Ticket", self._search_options, Does.CHECK),
            Route("GET", f"{api}/search/Ticket", self._search, _searching),
            Route("POST", f"{api}/Ticket", self._create, Does.CREATE),
            Route("GET", f"{api}/Ticket", self._all, Does.SEARCH),
            Route("GET", ticket, self._read, Does.READ),
            Route("PUT", ticket, self._update, Does.CHANGE),
            Route("GET", f"{ticket}/{sub}", self._subs, Does.READ),
            Route("POST", f"{ticket}/{sub}", self._note, Does.CHANGE),
            Route("POST", f"{api}/{{kind:ITILFollowup|ITILSolution}}", self._note, Does.CHANGE),
            Route("POST", f"{api}/Document", self._document, Does.ATTACH),
            Route("POST", f"{api}/Document_Item", self._tie, Does.ATTACH),
            Route("GET", f"{api}/Computer", self._assets, Does.CHECK),
            Route("GET", f"{api}/getActiveProfile", self._profile, Does.CHECK),
            Route("GET", f"{api}/getMyEntities", self._entities, Does.CHECK),
            Route("GET", f"{api}/ITILCategory/{{id:\\d+}}", self._category, Does.CHECK),
            *glpi_second.routes(self),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=str(one.id),
                reference=one.externalid,
                status=OURS[one.status],
                title=one.name,
                text=plain(one.content),
                impact=str(one.impact),
                element=one.asset,
                notes=[plain(note.content) for note in one.notes],
                files=dict(one.files),
            )
            for one in self.held.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self.held[int(number)]
        if status:
            one.status = next(key for key, ours in OURS.items() if ours == status)
        one.impact = int(priority or one.impact)
        one.assigned = assignee or one.assigned
        if note:
            self.write(one, "ITILFollowup", f"<p>{html.escape(note)}</p>", "ines.martin")
        one.changed_at, one.editor = self.server.clock(), "ines.martin"

    def forget(self, number: str) -> None:
        del self.held[int(number)]

    def disown(self, number: str, reference: str) -> None:
        self.held[int(number)].externalid = reference

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        one = self.held[int(number)]
        headers = {
            "Content-Type": "application/json",
            "X-GLPI-signature": "0" * 64,
            "X-GLPI-timestamp": str(int(self.server.clock().timestamp())),
        }
        return headers, json.dumps({"event": "update", "item": glpi_second.shown(one)}).encode()

    # --- what both APIs do --------------------------------------------------------------------------------------------

    def make(self, given: dict[str, Any], reference: str) -> Ticket:
        self.storable(given)
        if not given.get("content"):
            raise RefusedError("Mandatory fields are not filled. Please correct: Description")
        now = self.server.clock()
        self.last += 1
        one = Ticket(self.last, given.get("name", ""), given["content"], reference, now, now, given=given)
        one.impact, one.urgency = int(given.get("impact", 3)), int(given.get("urgency", 3))
        one.status = 2 if given.get("_groups_id_assign") else 1
        self.held[one.id] = one
        return one

    def alter(self, one: Ticket, given: dict[str, Any]) -> None:
        self.storable(given)
        self._changeable(one)
        wanted = int(given.get("status", one.status))
        if wanted not in OURS:
            raise RefusedError("Invalid status")
        if (one.status, wanted) not in self.forbidden_steps:
            one.status = wanted
        one.impact, one.urgency = int(given.get("impact", one.impact)), int(given.get("urgency", one.urgency))
        one.changed_at, one.editor = self.server.clock(), "tocsin"
        if self.moves:
            self.unseen.add(one.id)

    def _changeable(self, one: Ticket) -> None:
        if one.id in self.locked:
            raise RefusedError("You don't have permission to perform this action.")

    def write(self, one: Ticket, kind: str, content: str, user: str, *, private: bool = False) -> Note:
        self._changeable(one)
        if kind == "ITILSolution":
            if one.status in (SOLVED, CLOSED):
                raise RefusedError("The item is already solved, did anyone pushed a solution before you?")
            one.status = CLOSED if self.closes_at_once else SOLVED
        self.last_note += 1
        note = Note(self.last_note, kind, content, user, self.server.clock(), private)
        one.notes.append(note)
        one.changed_at, one.editor = self.server.clock(), user
        return note

    def storable(self, given: dict[str, Any]) -> None:
        text = json.dumps(given, ensure_ascii=False)
        if len(given.get("name", "")) > TITLE or "\x00" in text or any(char > "\uffff" for char in text):
            raise RefusedError("Data too long for column, or incorrect string value")

    # --- how GLPI says no --------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return said("ERROR_ITEM_NOT_FOUND", "Item not found", 404)

    def refused(self) -> web.StreamResponse:
        return said("ERROR_GLPI_ADD", "You don't have permission to perform this action.", 400)

    def inside(self) -> web.StreamResponse:
        results = [{"id": False, "message": "You don't have permission to perform this action."}]
        return web.json_response(["ERROR_GLPI_PARTIAL_ADD", results], status=207)

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        self.sessions.discard(request.headers.get("Session-Token", ""))
        self.tokens.discard(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return said("ERROR_SESSION_TOKEN_INVALID", f"session_token seems incorrect {dict(request.headers)}", 401)

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return said("ERROR_RIGHT_MISSING", "You don't have permission to perform this action.", 403)

    # --- its first API -----------------------------------------------------------------------------------------------

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        if refused := self._application(request):
            return refused
        proof = request.headers.get("Authorization", "")
        if proof == f"user_token {USER_TOKEN.decode()}" or proof.startswith("Basic dG9jc2lu"):
            self.begun += 1
            token = f"session-{self.begun}"
            self.sessions.add(token)
            return web.json_response({"session_token": token})
        if not proof:
            return said("ERROR_LOGIN_PARAMETERS_MISSING", "parameter(s) login, password or user_token are missing", 400)
        return said("ERROR_GLPI_LOGIN_USER_TOKEN", f"parameter user_token seems invalid: {proof}", 401)

    def _application(self, request: web.Request) -> web.StreamResponse | None:
        token = request.headers.get("App-Token")
        if token is None:
            return said("ERROR_APP_TOKEN_PARAMETERS_MISSING", "missing parameter app_token", 400)
        known = token == APP_TOKEN.decode()
        return None if known else said("ERROR_WRONG_APP_TOKEN_PARAMETER", "parameter app_token seems wrong", 400)

    def _stranger(self, request: web.Request) -> web.StreamResponse | None:
        if refused := self._application(request):
            return refused
        token = request.headers.get("Session-Token")
        if not token:
            return said("ERROR_SESSION_TOKEN_MISSING", "parameter session_token is missing or empty", 400)
        return None if token in self.sessions else self.unauthorized(request)

    def _of(self, request: web.Request) -> Ticket | web.StreamResponse:
        """The ticket that an address names, or what is answered instead."""
        if refused := self._stranger(request):
            return refused
        one = self.held.get(int(request.match_info["id"]))
        if one is not None and one.id in self.unseen:
            return self.forbidden(request)
        return one or self.not_found()

    async def _search_options(self, request: web.Request) -> web.StreamResponse:
        options: dict[str, Any] = {"common": {"name": "Characteristics"}}
        for number, name in self.options_known.items():
            options[number] = {"name": name.title(), "table": "glpi_tickets", "field": name, "uid": f"Ticket.{name}"}
        options["4"] = {
            "name": "Requester",
            "table": "glpi_users",
            "field": "name",
            "uid": "Ticket.Ticket_User.User.name",
        }
        return self._stranger(request) or web.json_response(options)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        found = [one for one in self.held.values() if not one.deleted and one.id not in self.unseen]
        for criterion in _criteria(request.query):
            name = self.options_known.get(criterion["field"])
            if name is None:
                return said("ERROR", "Bad field ID in search criteria", 400)
            found = [one for one in found if self._matches(one, name, criterion["searchtype"], criterion["value"])]
        by = self.options_known[request.query.get("sort", "1")]
        found = self.server.ordered(sorted(found, key=lambda one: (_field(one, by), one.id)))
        start, end = (int(part) for part in request.query.get("range", "0-49").split("-"))
        if start > len(found):
            return said("ERROR_RANGE_EXCEED_TOTAL", f"Provided range exceed total count of data: {len(found)}", 400)
        page = found[start : start + min(end - start + 1, self.server.page or 1000)]
        shown = ["1", "80", *(value for key, value in request.query.items() if key.startswith("forcedisplay["))]
        rows = [{number: _field(one, self.options_known.get(number, "entity")) for number in shown} for one in page]
        answer: dict[str, Any] = {"totalcount": len(found), "count": len(rows), "sort": [19], "order": ["ASC"]}
        if rows:
            answer["data"] = rows
        status = 206 if start + len(rows) < len(found) else 200
        return web.json_response({**answer, "content-range": f"{start}-{end}/{len(found)}"}, status=status)

    def _matches(self, one: Ticket, name: str, how: str, value: str) -> bool:
        has = str(_field(one, name))
        if how == "morethan":
            return has > value
        assert how == "contains", how
        return self.server.visible(one.created_at) and bool(_like(value).fullmatch(has))

    async def _all(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        found = [one for one in self.held.values() if not one.deleted]
        for key, value in request.query.items():
            if match := re.fullmatch(r"searchText\[(\w+)\]", key):
                found = [one for one in found if _like(value).fullmatch(str(_field(one, match[1])))]
        return web.json_response([self._shown(one) for one in self.server.ordered(found)])

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        given = (await request.json())["input"]
        try:
            one = self.make(given, given.get("externalid", ""))
        except RefusedError as problem:
            return said("ERROR_GLPI_ADD", str(problem), 400)
        for kind, ids in (given.get("items_id") or {}).items():
            one.asset = f"{kind} {ids}"
        headers = {"Location": f"{self.server.url}/apirest.php/Ticket/{one.id}"}
        return web.json_response({"id": one.id, "message": "Item successfully added"}, status=201, headers=headers)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        one = self._of(request)
        return web.json_response(self._shown(one)) if isinstance(one, Ticket) else one

    async def _update(self, request: web.Request) -> web.StreamResponse:
        one = self._of(request)
        if not isinstance(one, Ticket):
            return one
        try:
            self.alter(one, (await request.json())["input"])
        except RefusedError as problem:
            return web.json_response(["ERROR_GLPI_UPDATE", [{str(one.id): False, "message": str(problem)}]], status=400)
        return web.json_response([{str(one.id): True, "message": ""}])

    async def _subs(self, request: web.Request) -> web.StreamResponse:
        one, kind = self._of(request), request.match_info["kind"]
        if not isinstance(one, Ticket):
            return one
        if kind == "Ticket_User":
            people = [{"id": 7, "tickets_id": one.id, "users_id": "tocsin", "type": 1}]
            people += [{"id": 8, "tickets_id": one.id, "users_id": one.assigned, "type": 2}] if one.assigned else []
            return web.json_response(people)
        found = [self._told(note, one) for note in one.notes if note.kind == kind]
        if request.query.get("order") == "DESC":
            found.reverse()
        start, end = (int(part) for part in request.query.get("range", "0-49").split("-"))
        return web.json_response(found[start : end + 1])

    async def _note(self, request: web.Request) -> web.StreamResponse:
        given = (await request.json())["input"]
        if refused := self._stranger(request):
            return refused
        one = self.held.get(int(given["items_id"]))
        if one is None or given.get("itemtype") != "Ticket":
            return said("ERROR_GLPI_ADD", "Parent item not found", 400)
        try:
            self.storable(given)
            private = bool(given.get("is_private"))
            note = self.write(one, request.match_info["kind"], given["content"], "tocsin", private=private)
        except RefusedError as problem:
            return said("ERROR_GLPI_ADD", str(problem), 400)
        if given.get("add_reopen") and one.status in (SOLVED, CLOSED):
            one.status = 2 if one.assigned else 1
        return web.json_response({"id": note.id, "message": "Item successfully added"}, status=201)

    async def _document(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if request.content_type != "multipart/form-data":
            return said("ERROR_BAD_ARRAY", "input parameter must be an array of objects", 400)
        parts = _parts(request.headers["Content-Type"], await request.read())
        (_, manifest), (name, content) = parts["uploadManifest"], parts["filename[0]"]
        if json.loads(manifest)["input"]["_filename"] != [name]:
            return said("ERROR_GLPI_ADD", "The file does not exist", 400)
        number = len(self.documents) + 1
        self.documents[number] = (name, content)
        return web.json_response({"id": number, "message": "", "upload_result": {}}, status=201)

    async def _tie(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        given = (await request.json())["input"]
        name, content = self.documents[given["documents_id"]]
        self.held[given["items_id"]].files[name] = content
        return web.json_response({"id": 1, "message": ""}, status=201)

    async def _assets(self, request: web.Request) -> web.StreamResponse:
        like = _like(request.query["searchText[name]"])
        found = [{"id": number, "name": name} for name, number in ASSETS.items() if like.fullmatch(name)]
        return self._stranger(request) or web.json_response(
            found * (2 if found and found[0]["id"] == ASSETS["DOUBLE"] else 1)
        )

    async def _profile(self, request: web.Request) -> web.StreamResponse:
        return self._stranger(request) or web.json_response({"active_profile": {"id": 6, "name": "Technician"}})

    async def _entities(self, request: web.Request) -> web.StreamResponse:
        answer = {"myentities": [{"id": 0, "name": "Root entity"}, {"id": 3, "name": "Operations"}]}
        return self._stranger(request) or web.json_response(answer)

    async def _category(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        number = int(request.match_info["id"])
        return web.json_response({"id": number, "name": "Supervision"}) if number == 5 else self.not_found()

    def _shown(self, one: Ticket) -> dict[str, Any]:
        return {
            "id": one.id,
            "entities_id": 0,
            "name": one.name,
            "date": local(one.created_at),
            "date_mod": local(one.changed_at),
            "users_id_lastupdater": one.editor,
            "status": one.status,
            "content": self._handed(one.content),
            "urgency": one.urgency,
            "impact": one.impact,
            "priority": one.priority,
            "externalid": one.externalid or None,
            "is_deleted": int(one.deleted),
            "links": [{"rel": "Entity", "href": "https://glpi.example.net/apirest.php/Entity/0"}],
        }

    def _told(self, note: Note, one: Ticket) -> dict[str, Any]:
        told = {"id": note.id, "itemtype": "Ticket", "items_id": one.id, "users_id": note.user}
        about = {"is_private": int(note.private), "date_creation": local(note.at), "date": local(note.at)}
        return {**told, **about, "content": self._handed(note.content)}

    def _handed(self, content: str) -> str:
        return content.replace("&", "&#38;").replace("<", "&#60;").replace(">", "&#62;") if self.escapes else content


def said(code: str, told: str, status: int) -> web.StreamResponse:
    return web.json_response([code, told], status=status)


def _field(one: Ticket, name: str) -> Any:
    known = {
        "id": one.id,
        "name": one.name,
        "status": one.status,
        "impact": one.impact,
        "priority": one.priority,
        "date_mod": local(one.changed_at),
        "externalid": one.externalid,
    }
    return known.get(name, "Root entity")


def _like(value: str) -> re.Pattern[str]:
    """How GLPI's text search reads a value: anywhere within, but for `^` and `$`; case does not matter."""
    begin, end = value.startswith("^"), value.endswith("$")
    inner = re.escape(value.removeprefix("^").removesuffix("$"))
    return re.compile(f"{'' if begin else '.*'}{inner}{'' if end else '.*'}", re.IGNORECASE | re.DOTALL)


def _parts(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """The parts of a multipart body by their names: file name and content."""
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found = {}
    for part in whole.get_payload():
        about = part["Content-Disposition"]
        named = dict(re.findall(r'(name|filename)="([^"]*)"', about))
        found[named["name"]] = (named.get("filename", ""), part.get_payload(decode=True))
    return found


def _criteria(query: Mapping[str, str]) -> list[dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for key, value in query.items():
        if match := re.fullmatch(r"criteria\[(\d+)\]\[(\w+)\]", key):
            found.setdefault(match[1], {})[match[2]] = value
    return list(found.values())


def _searching(request: web.Request, _: bytes) -> Does:
    return Does.LIST if "morethan" in request.query_string else Does.SEARCH

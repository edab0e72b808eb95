"""Orange Business' Incident API behind its gateway.

Sources: developer.orange.com, "Incident" (getting started, API reference 1.3 and 1.7.0: operations, resources, headers,
languages), "2-legged OAuth", "API errors handling". The bodies are not public: it speaks those that tocsin's mapping
assumes, so that this proves the behaviour and not the names.
"""

from __future__ import annotations

import base64
import json
import re
from email import message_from_bytes
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

CLIENT, SECRET, KEY = "orange-client", b"orange-s3cret", b"orange-api-k3y"
LABELS = {
    "en": {
        "declared": "Declared",
        "in_progress": "In progress",
        "waiting": "Waiting",
        "frozen": "Frozen",
        "repaired": "Repaired",
        "closed": "Closed",
        "cancelled": "Cancelled",
    },
    "fr": {
        "declared": "Déclaré",
        "in_progress": "En cours",
        "waiting": "En attente",
        "frozen": "Gelé",
        "repaired": "Réparé",
        "closed": "Clos",
        "cancelled": "Annulé",
    },
}
IMPACTS = {
    "en": (
        "No service disruption",
        "Service on active backup",
        "Service degraded",
        "Service severely degraded",
        "Service interrupted",
    ),
    "fr": (
        "Sans perturbation du service",
        "Service avec secours activé",
        "Service dégradé",
        "Service dégradé majeur",
        "Service interrompu",
    ),
}
PARAMETERS = {"offset", "limit", "customerReference", "id"}
TITLE, TEXT, PAGE = 255, 4000, 40


class Orange(Face):
    KIND = "orange"
    RENEWS = True
    NUMBERS_LATER = True
    SECRETS: ClassVar[Mapping[str, bytes]] = {"orange-secret": SECRET, "orange-key": KEY}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.incidents: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.scopes: list[str] = []
        self.lasts = 9200
        self.errors = 0
        self.expires_in: Any = "3600"  # one of Orange's pages shows a text
        self.bare = False  # a creation is answered without a body
        self.ignores_filters = False
        self.misses = False  # 404 is how it says that it found nothing, or nothing more
        self.unread: list[int] = []  # statuses of the next readings after a change
        self.knows_no_reference = False  # the filter by reference is an unknown parameter
        self.keeps: set[str] = set()  # fields of an update that are dropped in silence
        self.counts = True

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "client_id": CLIENT,
            "client_secret_file": "orange-secret",
            "key_file": "orange-key",
        }

    def routes(self) -> list[Route]:
        base = "/incident/b2b/v1/incidents"
        return [
            Route("POST", "/oauth/v3/token", self._token, Does.LOGIN),
            Route("GET", base, self._list, lambda request, _: _listing(request)),
            Route("POST", base, self._create, Does.CREATE),
            Route("GET", f"{base}/{{id}}", self._read, Does.READ),
            Route("PATCH", f"{base}/{{id}}", self._update, Does.CHANGE),
            Route("GET", f"{base}/{{id}}/notes", self._notes, Does.READ),
            Route("POST", f"{base}/{{id}}/notes", self._add_note, Does.CHANGE),
            Route("POST", f"{base}/{{id}}/attachments", self._attach, Does.ATTACH),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=one["id"] if self._numbered(one) else "",
                reference=one["customerReference"],
                status=one["status"],
                title=one["title"],
                text=one["description"],
                impact=str(one["impact"]),
                element=one["servicePoint"]["id"],
                notes=[note["text"] for note in one["_notes"]],
                files=dict(one["_files"]),
            )
            for one in self.incidents
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self._find(number)
        assert one is not None
        one["status"] = status or one["status"]
        one["priority"] = priority or one["priority"]
        if note:
            self._written(one, note, "Supervision Orange")
        self._touch(one)

    def forget(self, number: str) -> None:
        self.incidents.remove(self._find(number))  # type: ignore[arg-type]

    def disown(self, number: str, reference: str) -> None:
        self._find(number)["customerReference"] = reference  # type: ignore[index]

    # --- the gateway's errors ------------------------------------------------------------------------------------------

    def no(self, status: int, code: int, message: str, description: str) -> web.Response:
        """An object and a list of one, in turns: both are documented."""
        self.errors += 1
        error = {"code": code, "message": message, "description": description}
        headers = {"X-OAPI-Request-Id": f"req-{self.errors:04}"}
        return web.json_response([error] if self.errors % 2 == 0 else error, status=status, headers=headers)

    def not_found(self) -> web.StreamResponse:
        return self.no(404, 60, "Resource not found", "The requested URI does not map to any resource.")

    def refused(self) -> web.StreamResponse:
        return self.no(400, 24, "Invalid body field", "title: too long")

    def inside(self) -> web.StreamResponse:
        return self.no(200, 24, "Invalid body field", "title: too long")

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return self.no(401, 42, "Expired credentials", f"not good any more: {dict(request.headers)}")

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return self.no(403, 50, "Access denied", f"not for {dict(request.headers)}")

    def limited(self) -> web.StreamResponse:
        return self.no(403, 53, "Too many requests", "Slow down.")

    # --- its API -----------------------------------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.StreamResponse:
        given = await request.post()
        basic = base64.b64encode(f"{CLIENT}:{SECRET.decode()}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}" or given.get("grant_type") != "client_credentials":
            return web.json_response({"error": "invalid_client", "error_description": "unknown"}, status=401)
        self.scopes.append(str(given.get("scope", "")))
        token = f"token-{len(self.tokens) + 1}"
        self.tokens.add(token)
        return web.json_response({"token_type": "Bearer", "access_token": token, "expires_in": self.expires_in})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        query = request.query
        known = PARAMETERS - ({"customerReference"} if self.knows_no_reference else set())
        if unknown := [name for name in query if name not in known]:
            return self.no(400, 28, "Invalid query string parameter", f"{unknown[0]} is not a parameter")
        found = [one for one in self.incidents if self.server.visible(one["_made"])]
        for name in {"customerReference", "id"} & set(query) if not self.ignores_filters else ():
            found = [one for one in found if one[name].lower() == query[name].lower()]
        found = self.server.ordered(found)
        offset = int(query.get("offset", 0))
        limit = min(int(query.get("limit", PAGE)), self.server.page or PAGE)
        page = found[offset : offset + limit]
        if self.misses and not page:
            return self.no(404, 60, "Resource not found", "no incident is found")
        # As in the documentation's example, the total is the smaller of the two.
        counts = {"X-Result-Count": str(len(found)), "X-Total-Count": str(min(len(page), 1))}
        return web.json_response([self._shown(one, request) for one in page], headers=counts if self.counts else {})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        given = await self._object(request)
        if isinstance(given, web.Response):
            return given
        for name in ("title", "description", "impact", "servicePoint", "occurrenceDate"):
            if not given.get(name):
                return self.no(400, 23, "Missing body field", f"{name}: missing")
        if problem := self._problem(given, request):
            return problem
        self.lasts += 1
        now = self.server.clock()
        one = {
            "status": "declared",
            "priority": "P4",
            "customerReference": "",
            **given,
            "impact": IMPACTS[self._language(request)].index(given["impact"]),
            "id": f"{now:%y%m}N{self.lasts:05}",
            "_made": now,
            "_notes": [],
            "_files": {},
        }
        self._touch(one)
        self.incidents.append(one)
        if self.bare:
            return web.Response(status=201)
        return web.json_response(self._shown(one, request), status=201)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        one = self._find(request.match_info["id"])
        if self.unread and self.server.seen[-2].does == Does.CHANGE:
            return self.no(self.unread.pop(), 0, "Error", "not now")
        return self.not_found() if one is None else web.json_response(self._shown(one, request))

    async def _update(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        one = self._find(request.match_info["id"])
        if one is None:
            return self.not_found()
        given = await self._object(request)
        if isinstance(given, web.Response):
            return given
        if problem := self._problem(given, request):
            return problem
        if "status" in given and "status" not in self.keeps:
            labels = {label: ours for ours, label in LABELS[self._language(request)].items()}
            one["status"] = labels[given["status"]]
        if "impact" in given and "impact" not in self.keeps:
            one["impact"] = IMPACTS[self._language(request)].index(given["impact"])
        self._touch(one)
        return web.json_response(self._shown(one, request))

    async def _notes(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        one = self._find(request.match_info["id"])
        if one is None:
            return self.not_found()
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", PAGE))
        return web.json_response(one["_notes"][offset : offset + min(limit, self.server.page or PAGE)])

    async def _add_note(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        one = self._find(request.match_info["id"])
        if one is None:
            return self.not_found()
        given = await self._object(request)
        if isinstance(given, web.Response):
            return given
        if not given.get("text") or len(given["text"]) > TEXT:
            return self.no(400, 24, "Invalid body field", "text: missing or too long")
        note = self._written(one, given["text"], "tocsin")
        self._touch(one)
        return web.json_response(note, status=201)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        one = self._find(request.match_info["id"])
        if one is None:
            return self.not_found()
        if request.content_type == "application/json":
            given = await request.json()
            one["_files"][given["name"]] = base64.b64decode(given["content"])
            return web.json_response({"id": "1"}, status=201)
        if request.content_type != "multipart/form-data":
            return self.no(415, 68, "Unsupported media type", request.content_type)
        found = _part(request, await request.read(), "file")
        if found is None:
            return self.no(400, 23, "Missing body field", "file: missing")
        one["_files"][found[0]] = found[1]
        return web.json_response({"id": "1"}, status=201)

    # --- what it keeps -------------------------------------------------------------------------------------------------

    def _stranger(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization", "") not in {f"Bearer {token}" for token in self.tokens}:
            return self.no(401, 41, "Invalid credentials", f"not known: {dict(request.headers)}")
        if request.headers.get("X-Api-Key") != KEY.decode():
            return self.no(403, 50, "Access denied", "no valid API key")
        if "application/json" not in request.headers.get("Accept", ""):
            return self.no(406, 62, "Not acceptable", "application/json only")
        return None

    async def _object(self, request: web.Request) -> Any:
        if request.content_type != "application/json":
            return self.no(415, 68, "Unsupported media type", request.content_type)
        try:
            given = json.loads(await request.read())
        except ValueError:
            return self.no(400, 22, "Invalid body", "not JSON")
        return given if isinstance(given, dict) else self.no(400, 22, "Invalid body", "not an object")

    def _problem(self, given: dict[str, Any], request: web.Request) -> web.Response | None:
        language = self._language(request)
        if len(given.get("title", "")) > TITLE or len(given.get("description", "")) > TEXT:
            return self.no(400, 24, "Invalid body field", "title or description: too long")
        if "impact" in given and given["impact"] not in IMPACTS[language]:
            return self.no(400, 24, "Invalid body field", "impact: not one of the list")
        if "status" in given and given["status"] not in LABELS[language].values():
            return self.no(400, 24, "Invalid body field", "status: not one of the list")
        if "\x00" in json.dumps(given, ensure_ascii=False):
            return self.no(400, 24, "Invalid body field", "a control character")
        date = given.get("occurrenceDate", "2026-01-01T00:00:00Z")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", date):
            return self.no(400, 24, "Invalid body field", "occurrenceDate: not a date")
        return None

    def _language(self, request: web.Request) -> str:
        return "fr" if request.headers.get("Accept-Language", "").startswith("fr") else "en"

    def _numbered(self, one: dict[str, Any]) -> bool:
        return not self.server.pending or bool(one.get("_told"))

    def _find(self, number: str) -> dict[str, Any] | None:
        return next((one for one in self.incidents if one["id"] == number and self._numbered(one)), None)

    def _written(self, one: dict[str, Any], text: str, author: str) -> dict[str, Any]:
        note = {"id": str(len(one["_notes"]) + 1), "author": author, "text": text, "creationDate": self._now()}
        one["_notes"].append(note)
        return note

    def _touch(self, one: dict[str, Any]) -> None:
        one["lastUpdateDate"] = self._now()

    def _now(self) -> str:
        now: datetime = self.server.clock()
        return f"{now:%Y-%m-%dT%H:%M:%SZ}"

    def _shown(self, one: dict[str, Any], request: web.Request) -> dict[str, Any]:
        language = self._language(request)
        shown = {name: value for name, value in one.items() if not name.startswith("_")}
        shown |= {"status": LABELS[language][one["status"]], "impact": IMPACTS[language][one["impact"]]}
        if not self._numbered(one):
            del shown["id"]
        return shown


def _listing(request: web.Request) -> Does:
    if "customerReference" in request.query:
        return Does.SEARCH
    return Does.CHECK if request.query.get("limit") == "1" else Does.LIST


def _part(request: web.Request, body: bytes, name: str) -> tuple[str, bytes] | None:
    """File name and content of a part of multipart/form-data."""
    whole = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode() + body
    for part in message_from_bytes(whole).walk():
        if part.get_param("name", header="Content-Disposition") == name:
            return part.get_filename() or "", part.get_payload(decode=True)  # type: ignore[return-value]
    return None

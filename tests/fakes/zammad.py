"""Zammad's REST API (5 to 7), as far as a ticket's client sees it. Sources: docs.zammad.org, and its public source."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = b"zRvEyDfXqJ3-0f2oCe6cK1hTgA7m-lN5"
STATES = {1: "new", 2: "open", 3: "pending reminder", 4: "closed", 5: "merged", 7: "pending close"}
PRIORITIES = {1: "1 low", 2: "2 normal", 3: "3 high"}
GROUPS = {1: "Users", 2: "Operations::Supervision"}
CUSTOMERS = ("supervision@example.net",)
OURS = {
    "new": "declared",
    "open": "in_progress",
    "pending reminder": "waiting",
    "pending close": "repaired",
    "closed": "closed",
    "merged": "cancelled",
}
FIELD, ELEMENT = "tocsin_reference", "tocsin_element"
TITLE, BODY = 250, 1_500_000


@dataclass
class Article:
    id: int
    body: str
    author: str
    at: datetime
    content_type: str = "text/plain"
    internal: bool = True
    subject: str = ""


@dataclass
class Ticket:
    id: int
    number: str
    title: str
    group: str
    created_at: datetime
    updated_at: datetime
    state: str = "new"
    priority: str = "2 normal"
    owner: str = "-"
    updated_by: str = "tocsin@example.net"
    pending_time: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    articles: list[Article] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


class RefusedError(Exception):
    """A 422 with this sentence."""


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


class Zammad(Face):
    KIND = "zammad"
    SECRETS: ClassVar = {"zammad-token": TOKEN}
    OPTIONS: ClassVar = {"element_field": ELEMENT}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.held: dict[int, Ticket] = {}
        self.last, self.last_article = 2, 10
        self.attributes = {FIELD, ELEMENT}
        self.conditions = True  # False: a Zammad that asks its index, and no condition
        self.expands = True  # False: `expand` is not honoured
        self.follow_ups = True  # False: closed tickets of the group take none
        self.hidden: set[int] = set()  # tickets in groups that we may not see
        self.locked: set[int] = set()  # tickets in groups where we may read, and change nothing

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "token_file": "zammad-token",
            "group": "Operations::Supervision",
            "customer": CUSTOMERS[0],
            "reference_field": FIELD,
        }

    def routes(self) -> list[Route]:
        api = "/api/v1"
        return [
            Route("POST", f"{api}/tickets", self._create, Does.CREATE),
            Route("GET", f"{api}/tickets/search", self._search, _purpose),
            Route("GET", f"{api}/tickets", self._index, Does.CHECK),
            Route("GET", f"{api}/tickets/{{id:\\d+}}", self._show, Does.READ),
            Route("PUT", f"{api}/tickets/{{id:\\d+}}", self._update, Does.CHANGE),
            Route("POST", f"{api}/ticket_articles", self._article, _articling),
            Route("GET", f"{api}/ticket_articles/by_ticket/{{id:\\d+}}", self._by_ticket, Does.READ),
            Route("GET", f"{api}/ticket_articles/{{id:\\d+}}", self._one_article, Does.READ),
            Route("GET", f"{api}/ticket_states", lambda request: self._named(request, STATES), Does.CHECK),
            Route("GET", f"{api}/ticket_priorities", lambda request: self._named(request, PRIORITIES), Does.CHECK),
            Route("GET", f"{api}/groups", lambda request: self._named(request, GROUPS), Does.CHECK),
            Route("GET", f"{api}/users/me", self._me, Does.CHECK),
            Route("GET", f"{api}/users/search", self._users, Does.CHECK),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=one.number,
                reference=one.attributes.get(FIELD, ""),
                status=OURS[one.state],
                title=one.title,
                text=one.articles[0].body,
                impact=one.priority,
                element=one.attributes.get(ELEMENT, ""),
                notes=[article.body for article in one.articles[1:]],
                files=dict(one.files),
            )
            for one in self.held.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self._of(number)
        if status:
            one.state = next(name for name, ours in OURS.items() if ours == status)
        one.priority = priority or one.priority
        one.owner = assignee or one.owner
        if note:
            self._write(one, {"body": f"<div>{note}</div>", "content_type": "text/html"}, "ines.martin@example.net")
        one.updated_at, one.updated_by = self.server.clock(), "ines.martin@example.net"

    def forget(self, number: str) -> None:
        del self.held[self._of(number).id]

    def disown(self, number: str, reference: str) -> None:
        self._of(number).attributes[FIELD] = reference

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        one = self._of(number)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Zammad User Agent",
            "X-Zammad-Trigger": "tell tocsin",
            "X-Zammad-Delivery": "9b0b2f6a-6a0f-4b39-9a35-0b8c6a2f1a11",
            "X-Hub-Signature": "sha1=0000000000000000000000000000000000000000",
        }
        ticket = {**self._shown(one, expand=True), "group": {"id": 2, "name": one.group}}
        return headers, json.dumps({"ticket": ticket, "article": _article(one.articles[-1], one)}).encode()

    # --- how Zammad says no ------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        text = "Couldn't find Ticket"
        return web.json_response({"error": text, "error_human": text}, status=404)

    def refused(self) -> web.StreamResponse:
        return self._sentence(RefusedError("Missing required value for field 'cause'!"))

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        text = f"Invalid token: {request.headers.get('Authorization')}"
        return web.json_response({"error": text, "error_human": text}, status=401, headers={"X-Failure": "no"})

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "Not authorized", "error_human": "Not authorized"}, status=403)

    # --- its API -----------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        given = await request.json()
        try:
            _require(given)
            self._storable(given)
            now = self.server.clock()
            one = Ticket(self.last + 1, f"{31001 + self.last}", given["title"], given["group"], now, now)
            one.priority = given.get("priority", "2 normal")
            one.state = given.get("state", "new")
            one.attributes = {name: given[name] for name in self.attributes if name in given}
            self._write(one, given.get("article", {}), "tocsin@example.net")
        except RefusedError as problem:
            return self._sentence(problem)
        self.last += 1
        self.held[one.id] = one
        return web.json_response(self._shown(one, request), status=201)

    async def _update(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request) or self._unseen(request):
            return refused
        one, given = self.held[int(request.match_info["id"])], await request.json()
        if one.id in self.locked:
            return self.forbidden(request)
        try:
            _names(given, {"group": GROUPS, "state": STATES, "priority": PRIORITIES})
            self._follow(one, given)
            self._storable(given)
            if given.get("article"):
                self._write(one, given["article"], "tocsin@example.net")
        except RefusedError as problem:
            return self._sentence(problem)
        one.state = given.get("state", one.state)
        one.priority = given.get("priority", one.priority)
        one.pending_time = given.get("pending_time") if one.state.startswith("pending") else None
        one.updated_at, one.updated_by = self.server.clock(), "tocsin@example.net"
        return web.json_response(self._shown(one, request))

    def _follow(self, one: Ticket, given: dict[str, Any]) -> None:
        state = given.get("state")
        if one.state == "closed" and not self.follow_ups:
            raise RefusedError("Cannot follow-up on a closed ticket. Please create a new ticket.")
        if state == "new" and one.state != "new":
            raise RefusedError("Invalid value '1' for field 'state_id'!")
        if state and state.startswith("pending") and not given.get("pending_time"):
            raise RefusedError("Missing required value for field 'pending_time'!")

    async def _article(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        given = await request.json()
        one = self.held.get(given.get("ticket_id"))
        if one is None:
            return self.not_found()
        if one.id in self.locked:
            return self.forbidden(request)
        try:
            self._storable(given)
            self._write(one, given, "tocsin@example.net")
        except RefusedError as problem:
            return self._sentence(problem)
        one.updated_at, one.updated_by = self.server.clock(), "tocsin@example.net"
        return web.json_response(_article(one.articles[-1], one), status=201)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        query, conditions = request.query, _conditions(request.query)
        found = [one for one in self.held.values() if one.id not in self.hidden]
        if query.get("query"):
            found = [one for one in found if self.server.visible(one.created_at) and _indexed(one, query["query"])]
        elif self.conditions:
            found = [one for one in found if all(_holds(one, *condition) for condition in conditions)]
        else:
            found = [one for one in found if self.server.visible(one.created_at)]
        by = query.get("sort_by", "updated_at")
        found.sort(key=lambda one: (getattr(one, by), one.id), reverse=query.get("order_by") != "asc")
        found = self.server.ordered(found)
        size = min(int(query.get("per_page", query.get("limit", 50))), self.server.page or 200, 200)
        start = (int(query.get("page", 1)) - 1) * size
        page = found[start : start + size]
        if self.expands and query.get("expand") == "true":
            return web.json_response([self._shown(one, request) for one in page])
        assets = {"Ticket": {str(one.id): self._shown(one, request) for one in page}} if page else {}
        answer = {"tickets": [one.id for one in page], "tickets_count": len(page), "assets": assets}
        return web.json_response(answer)

    async def _index(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        shown = [self._shown(one, request) for one in self.held.values()]
        return web.json_response(shown[: int(request.query.get("per_page", 100))])

    async def _show(self, request: web.Request) -> web.StreamResponse:
        refused = self._stranger(request) or self._unseen(request)
        return refused or web.json_response(self._shown(self.held[int(request.match_info["id"])], request))

    async def _by_ticket(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request) or self._unseen(request):
            return refused
        one = self.held[int(request.match_info["id"])]
        return web.json_response([_article(article, one) for article in one.articles])

    async def _one_article(self, request: web.Request) -> web.StreamResponse:
        wanted = int(request.match_info["id"])
        for one in self.held.values():
            for article in one.articles:
                if article.id == wanted:
                    return web.json_response(_article(article, one))
        return self.not_found()

    async def _named(self, request: web.Request, names: dict[int, str]) -> web.StreamResponse:
        listed = [{"id": number, "name": name, "active": True} for number, name in names.items()]
        return self._stranger(request) or web.json_response(listed)

    async def _me(self, request: web.Request) -> web.StreamResponse:
        me = {"id": 5, "login": "tocsin@example.net", "roles": ["Agent"], "groups": {GROUPS[2]: ["full"]}}
        return self._stranger(request) or web.json_response(me)

    async def _users(self, request: web.Request) -> web.StreamResponse:
        asked = request.query["query"].lower()
        found = [{"id": 9, "login": one, "email": one} for one in CUSTOMERS if asked in one]
        return self._stranger(request) or web.json_response(found)

    def _stranger(self, request: web.Request) -> web.StreamResponse | None:
        known = request.headers.get("Authorization") in (f"Token token={TOKEN.decode()}", f"Bearer {TOKEN.decode()}")
        return None if known else self.unauthorized(request)

    def _unseen(self, request: web.Request) -> web.StreamResponse | None:
        number = int(request.match_info["id"])
        if number in self.hidden:
            return self.forbidden(request)
        return None if number in self.held else self.not_found()

    def _sentence(self, problem: RefusedError) -> web.StreamResponse:
        return web.json_response({"error": str(problem), "error_human": str(problem)}, status=422)

    def _storable(self, given: dict[str, Any]) -> None:
        if len(given.get("title", "")) > TITLE or "\x00" in json.dumps(given, ensure_ascii=False):
            raise RefusedError("Error ID Xk29aQ-1: Please contact your administrator.")

    def _write(self, one: Ticket, given: dict[str, Any], author: str) -> None:
        if "body" not in given:
            raise RefusedError('Need at least article: { body: "some text" }')
        if len(given["body"]) > BODY:
            raise RefusedError("body of article is too large, 1.5 MB")
        files = {}
        for number, file in enumerate(given.get("attachments", [])):
            for key in ("mime-type", "filename", "data"):
                if not file.get(key):
                    raise RefusedError(f"Attachment needs '{key}' param for attachment with index '{number}'")
            try:
                files[file["filename"]] = base64.b64decode(file["data"], validate=True)
            except binascii.Error:
                raise RefusedError(f"Invalid base64 for attachment with index '{number}'") from None
        one.files |= files
        self.last_article += 1
        article = Article(self.last_article, given["body"], author, self.server.clock())
        article.content_type = given.get("content_type", "text/plain")
        article.internal = given.get("internal", False)
        article.subject = given.get("subject", "")
        one.articles.append(article)

    def _of(self, number: str) -> Ticket:
        return next(one for one in self.held.values() if one.number == number)

    def _shown(self, one: Ticket, request: web.Request | None = None, *, expand: bool = False) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": one.id,
            "number": one.number,
            "title": one.title,
            "group_id": next(key for key, name in GROUPS.items() if name == one.group),
            "state_id": next(key for key, name in STATES.items() if name == one.state),
            "priority_id": next(key for key, name in PRIORITIES.items() if name == one.priority),
            "owner_id": 1 if one.owner == "-" else 6,
            "customer_id": 9,
            "pending_time": one.pending_time,
            "created_at": stamp(one.created_at),
            "updated_at": stamp(one.updated_at),
            "article_ids": [article.id for article in one.articles],
            **{name: one.attributes.get(name) for name in sorted(self.attributes)},
        }
        if expand or (self.expands and request is not None and request.query.get("expand") == "true"):
            names = {"group": one.group, "state": one.state, "priority": one.priority, "owner": one.owner}
            shown |= {**names, "customer": CUSTOMERS[0], "updated_by": one.updated_by}
        return shown


def _article(article: Article, one: Ticket) -> dict[str, Any]:
    return {
        "id": article.id,
        "ticket_id": one.id,
        "from": article.author,
        "subject": article.subject,
        "body": article.body,
        "content_type": article.content_type,
        "type": "note",
        "internal": article.internal,
        "created_by": article.author,
        "created_at": stamp(article.at),
        "updated_at": stamp(article.at),
    }


def _names(given: dict[str, Any], known: dict[str, dict[int, str]]) -> None:
    for key, names in known.items():
        if key in given and given[key] not in names.values():
            raise RefusedError(f"No lookup value found for '{key}': {given[key]!r}")


def _require(given: dict[str, Any]) -> None:
    _names(given, {"group": GROUPS, "state": STATES, "priority": PRIORITIES})
    if given.get("customer") not in CUSTOMERS:
        raise RefusedError(f"No lookup value found for 'customer': {given.get('customer')!r}")
    if not given.get("title") or not given.get("group"):
        raise RefusedError("Missing required value for field 'title'!")


def _conditions(query: Mapping[str, str]) -> list[tuple[str, str, str]]:
    found: dict[str, dict[str, str]] = {}
    for key, value in query.items():
        if match := re.fullmatch(r"condition\[ticket\.(\w+)\]\[(operator|value)\]", key):
            found.setdefault(match[1], {})[match[2]] = value
    return [(name, one["operator"], one["value"]) for name, one in found.items()]


def _holds(one: Ticket, name: str, operator: str, value: str) -> bool:
    has = one.attributes.get(name) if name in (FIELD, ELEMENT) else getattr(one, name)
    if operator == "after (absolute)":
        return has >= datetime.fromisoformat(value)
    if operator == "is not":
        return bool(has) if value == "" else has != value
    assert operator == "is", operator
    return has == value


def _indexed(one: Ticket, query: str) -> bool:
    """As a search index sees it: words, and no case."""
    if since := re.fullmatch(r'updated_at:>="(.+)"', query):
        return one.updated_at >= datetime.fromisoformat(since[1])
    asked = re.fullmatch(r'(\w+):"?([^"]+)"?', query)
    if asked is None:
        return query.lower() in f"{one.title} {one.number}".lower()
    has = one.attributes.get(asked[1]) or getattr(one, asked[1], "")
    return asked[2].lower() in re.split(r"\W+", str(has).lower())


def _purpose(request: web.Request, _: bytes) -> Does:
    asked = request.query_string
    if "updated_at%5D" in asked or "updated_at]" in asked or "query=updated_at" in asked:
        return Does.LIST
    return Does.READ if "ticket.number" in asked or "query=number" in asked else Does.SEARCH


def _articling(_: web.Request, body: bytes) -> Does:
    return Does.ATTACH if b'"attachments"' in body else Does.CHANGE

"""Znuny 6.5's generic interface, as far as a ticket's client sees it. Sources: its manual and source, and a real 6.5.15."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSWORD = b"made-up pass+word"
QUEUE, CUSTOMER = "Operations", "supervision"
FIELD, IMPACT, ELEMENT = "tocsin", "Impact", "Element"
LEVELS = ("none", "backup", "degraded", "severe", "interrupted")
ZONE = ZoneInfo("Europe/Paris")
TYPES = {
    "new": "new",
    "open": "open",
    "pending reminder": "pending reminder",
    "pending auto close+": "pending auto",
    "pending auto close-": "pending auto",
    "closed successful": "closed",
    "closed unsuccessful": "closed",
    "closed with workaround": "closed",
    "removed": "removed",
    "merged": "merged",
}
OURS = {
    "new": "declared",
    "open": "in_progress",
    "pending reminder": "waiting",
    "pending auto close+": "repaired",
    "closed successful": "closed",
    "closed unsuccessful": "cancelled",
    "closed with workaround": "closed",
    "merged": "cancelled",
}
PRIORITIES = ("1 very low", "2 low", "3 normal", "4 high", "5 very high")
AGENTS = {"tocsin": 2, "ines": 3}
TITLE = 255


@dataclass
class Article:
    id: int
    number: int
    body: str
    sender: str
    author: str
    at: datetime
    visible: int = 1
    content_type: str = "text/plain; charset=utf8"


@dataclass
class Ticket:
    id: int
    number: str
    title: str
    created: datetime
    changed: datetime
    queue: str = QUEUE
    state: str = "new"
    priority: str = "3 normal"
    customer: str = CUSTOMER
    type: str = "Unclassified"
    owner: str = "tocsin"
    changed_by: str = "tocsin"
    pending: int = 0
    archived: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    articles: list[Article] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


class RefusedError(Exception):
    """An error of this kind, with this sentence."""


class Znuny(Face):
    KIND = "znuny"
    SECRETS: ClassVar = {"znuny-password": PASSWORD}
    OPTIONS: ClassVar = {"element_field": ELEMENT, "zone": "Europe/Paris"}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.held: dict[int, Ticket] = {}
        self.last = 1
        self.known = {FIELD, IMPACT, ELEMENT}  # dynamic fields of tickets
        self.types = dict(TYPES)  # states, and what they are
        self.rights = {"ro", "create", "rw"}
        self.hidden: set[int] = set()  # tickets in queues that we may not see
        self.zone = ZONE

    def options(self) -> dict[str, Any]:
        return {
            "url": f"{self.server.url}/znuny",
            "user": "tocsin",
            "password_file": "znuny-password",
            "queue": QUEUE,
            "customer": CUSTOMER,
        }

    def routes(self) -> list[Route]:
        api = "/znuny/nph-genericinterface.pl/Webservice/tocsin"
        return [
            Route("POST", f"{api}/Ticket", self._create, _creating),
            Route("POST", f"{api}/Ticket/Search", self._search, _searching),
            Route("POST", f"{api}/Ticket/Get", self._get, Does.READ),
            Route("GET", f"{api}/Ticket/{{id}}", self._get, Does.READ),
            Route("PATCH", f"{api}/Ticket/{{id}}", self._update, _changing),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=one.number,
                reference=one.fields.get(FIELD, ""),
                status=OURS[one.state],
                title=one.title,
                text=one.articles[0].body,
                impact=one.fields.get(IMPACT, one.priority),
                element=one.fields.get(ELEMENT, ""),
                notes=[article.body for article in one.articles[1:]],
                files=dict(one.files),
            )
            for one in self.held.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self.of(number)
        if status:
            one.state = next(name for name, ours in OURS.items() if ours == status)
        one.priority = priority or one.priority
        one.owner = assignee or one.owner
        if note:
            self._write(one, {"Body": note, "SenderType": "agent"}, "ines Example")
        self._touch(one, "ines")

    def forget(self, number: str) -> None:
        del self.held[self.of(number).id]

    def disown(self, number: str, reference: str) -> None:
        self.of(number).fields[FIELD] = reference

    def of(self, number: str) -> Ticket:
        return next(one for one in self.held.values() if one.number == number)

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        one = self.of(number)
        headers = {"Content-Type": "application/json; charset=UTF-8", "Authorization": "Bearer made-up"}
        event = {"Event": "TicketStateUpdate", "TicketID": one.id, "OldTicketData": {"State": "new"}}
        return headers, json.dumps({"Event": event, "Ticket": self._shown(one)}).encode()

    # --- how Znuny says no -------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        text = "HTTP::REST Error while determine Operation for request URI '/Nothing'."
        return web.Response(status=500, text=text)

    def refused(self) -> web.StreamResponse:
        return _error("TicketCreate.InvalidParameter", "TicketCreate: Article->Charset is invalid!")

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return _error("TicketCreate.AuthFail", f"TicketCreate: User could not be authenticated! {PASSWORD.decode()}")

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return _error("TicketCreate.AccessDenied", "TicketCreate: Can not create tickets in given Queue or QueueID!")

    # --- its API -----------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        try:
            given = await self._asked(request, "User could not be authenticated!")
            self._whole(given)
        except RefusedError as problem:
            return _refusal(problem, "TicketCreate")
        self.last += 1
        ticket, now = given["Ticket"], self.server.clock()
        number = f"20261122{self.last:08}"
        one = Ticket(self.last, number, _kept(ticket["Title"])[:TITLE], now, now, ticket["Queue"], ticket["State"])
        one.priority, one.customer = ticket["Priority"], ticket["CustomerUser"]
        one.fields = {each["Name"]: _kept(each["Value"]) for each in _listed(given, "DynamicField")}
        self._write(one, given["Article"], "tocsin Example")
        self.held[one.id] = one
        made = {"ArticleID": one.articles[-1].id, "TicketID": str(one.id), "TicketNumber": one.number}
        return web.json_response(made)

    def _whole(self, given: dict[str, Any]) -> None:
        """Everything is checked before anything is written, in this order."""
        ticket = given.get("Ticket", {})
        _require(given.get("Article"), "MissingParameter", "Article parameter is missing or not valid!")
        _require(ticket, "MissingParameter", "Ticket parameter is missing or not valid!")
        _require(ticket.get("Title"), "MissingParameter", "Ticket->Title parameter is missing!")
        _require(
            ticket.get("CustomerUser") == CUSTOMER, "InvalidParameter", "Ticket->CustomerUser parameter is invalid!"
        )
        _valid("Queue", ticket.get("Queue") in (QUEUE, "Private"))
        _valid("Type", ticket.get("Type", "Unclassified") in ("Unclassified", "Incident"))
        self._names(ticket)
        may = ticket["Queue"] == QUEUE and "create" in self.rights
        _require(may, "AccessDenied", "Can not create tickets in given Queue or QueueID!")
        self._parts(given)

    def _names(self, ticket: dict[str, Any]) -> None:
        _valid("State", ticket.get("State", "new") in self.types)
        _valid("Priority", ticket.get("Priority", PRIORITIES[0]) in PRIORITIES)

    def _parts(self, given: dict[str, Any]) -> None:
        if article := given.get("Article"):
            for name in ("Subject", "Body"):
                _require(article.get(name, "").strip(), "MissingParameter", f"Article->{name} parameter is missing!")
            sender = article.get("SenderType", "agent") in ("agent", "system", "customer")
            _require(sender, "InvalidParameter", "Article->SenderTypeID or Ticket->SenderType parameter is invalid!")
            plain = re.fullmatch(r"text/(plain|html); charset=utf-?8", article.get("ContentType", ""))
            _require(plain, "MissingParameter", "Article->ContentType or Ticket->MimeType and Article->Charset")
        for one in _listed(given, "DynamicField"):
            _require(one["Name"] in self.known, "InvalidParameter", "DynamicField->Name parameter is invalid!")
            fits = one["Name"] != IMPACT or one["Value"] in LEVELS
            _require(fits, "InvalidParameter", "DynamicField->Value parameter is invalid!")
        for one in _listed(given, "Attachment"):
            for name in ("Content", "ContentType", "Filename"):
                _require(one.get(name), "MissingParameter", f"Attachment->{name}  parameter is missing!")

    async def _update(self, request: web.Request) -> web.StreamResponse:
        try:
            given = await self._asked(request, "User could not be authenticated!")
            one, ticket = self._seen(request.match_info["id"], "rw"), given.get("Ticket", {})
            self._names(ticket)
            pends = self.types.get(ticket.get("State", ""), "").startswith("pending")
            sentence = "Can't set a ticket on a pending state without pendig time!"
            _require(not pends or ticket.get("PendingTime"), "MissingParameter", sentence)
            self._parts(given)
        except RefusedError as problem:
            return _refusal(problem, "TicketUpdate")
        one.state = ticket.get("State", one.state)
        one.priority = ticket.get("Priority", one.priority)
        one.pending = int(ticket.get("PendingTime", {}).get("Diff", 0))
        one.fields |= {each["Name"]: _kept(each["Value"]) for each in _listed(given, "DynamicField")}
        told = {"TicketID": str(one.id), "TicketNumber": one.number}
        if given.get("Article"):
            told["ArticleID"] = self._write(one, given["Article"], "tocsin Example").id
        for file in _listed(given, "Attachment"):
            one.files[file["Filename"]] = base64.b64decode(file["Content"])
        self._touch(one, "tocsin")
        return web.json_response(told)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        try:
            given = await self._asked(request, "Authorization failing!")
        except RefusedError as problem:
            return _refusal(problem, "TicketSearch")
        found = [one for one in self.held.values() if one.id not in self.hidden and "ro" in self.rights]
        if given.get("SearchInArchive") != "AllTickets":
            found = [one for one in found if not one.archived]
        found = [one for one in found if all(self._holds(one, name, value) for name, value in given.items())]
        by = {"Age": lambda one: (one.created, one.id), "Changed": lambda one: (one.changed, one.id)}
        found.sort(key=by[given.get("SortBy", "Age")], reverse=given.get("OrderBy", "Down") == "Down")
        found = self.server.ordered(found)[: min(int(given.get("Limit", 500)), self.server.page or 500)]
        return web.json_response({"TicketID": [str(one.id) for one in found]} if found else {})

    def _holds(self, one: Ticket, name: str, value: Any) -> bool:
        """A condition that means nothing to Znuny is no condition."""
        if name.startswith("DynamicField_"):
            name = name.removeprefix("DynamicField_")
            if name not in self.known or not isinstance(value, dict):
                return True
            held = one.fields.get(name, "")
            if "Empty" in value:
                return bool(held) != bool(int(value["Empty"]))
            wanted = value["Equals"]
            return held.strip().lower() == wanted.strip().lower() and self.server.visible(one.created)
        match name:
            case "TicketNumber":
                return not value or one.number == value
            case "TicketLastChangeTimeNewerMinutes":
                return one.changed >= self.server.clock() - timedelta(minutes=int(value))
            case "TicketLastChangeTimeNewerDate":
                return self._local(one.changed) >= value
        return True

    async def _get(self, request: web.Request) -> web.StreamResponse:
        try:
            given = await self._asked(request, "Authorization failing!")
            ids = str(request.match_info.get("id", given.get("TicketID", ""))).split(",")
            _require(all(one.isdecimal() for one in ids), "WrongStructure", "Invalid ticket ID parameter(s) found!")
            tickets = [self._seen(one, "ro") for one in ids]
        except RefusedError as problem:
            return _refusal(problem, "TicketGet")
        return web.json_response({"Ticket": [self._told(one, given) for one in tickets]})

    # --- what these are made of --------------------------------------------------------------------------------------

    async def _asked(self, request: web.Request, sentence: str) -> dict[str, Any]:
        """What was asked, by somebody who proves who it is: in the body, or in headers."""
        given: dict[str, Any] = dict(request.query) if request.method == "GET" else await request.json()
        names = ("UserLogin", "Password")
        if request.method == "GET":
            given |= {name: request.headers.get(f"X-OTRS-Header-{name}", "") for name in names}
        if (given.get("UserLogin"), given.get("Password")) != ("tocsin", PASSWORD.decode()):
            raise RefusedError("AuthFail", sentence)
        return given

    def _seen(self, key: str, right: str) -> Ticket:
        one = self.held.get(int(key))
        if one is None or one.id in self.hidden or right not in self.rights:
            raise RefusedError("AccessDenied", "User does not have access to the ticket!")
        return one

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"

    def _touch(self, one: Ticket, by: str) -> None:
        one.changed, one.changed_by = self.server.clock(), by

    def _write(self, one: Ticket, given: dict[str, Any], author: str) -> Article:
        number = len(one.articles) + 1
        article = Article(
            one.id * 100 + number, number, _kept(given["Body"]).strip(), "agent", author, self.server.clock()
        )
        article.sender, article.visible = given.get("SenderType", "agent"), given.get("IsVisibleForCustomer", 1)
        one.articles.append(article)
        return article

    def _told(self, one: Ticket, given: dict[str, Any]) -> dict[str, Any]:
        shown = self._shown(one)
        if given.get("DynamicFields"):
            shown["DynamicField"] = [{"Name": name, "Value": one.fields.get(name)} for name in sorted(self.known)]
        if given.get("AllArticles"):
            articles = one.articles[::-1] if given.get("ArticleOrder") == "DESC" else one.articles
            shown["Article"] = [self._article(each) for each in articles[: int(given.get("ArticleLimit", 0)) or None]]
        return shown

    def _shown(self, one: Ticket) -> dict[str, Any]:
        return {
            "TicketID": one.id,
            "TicketNumber": one.number,
            "Title": one.title,
            "Queue": one.queue,
            "State": one.state,
            "StateType": self.types[one.state],
            "Priority": one.priority,
            "Lock": "unlock",
            "Owner": one.owner,
            "OwnerID": AGENTS.get(one.owner, 7),
            "CustomerUserID": one.customer,
            "Age": int((self.server.clock() - one.created).total_seconds()),
            "Created": self._local(one.created),
            "Changed": self._local(one.changed),
            "ChangeBy": AGENTS[one.changed_by],
        }

    def _article(self, one: Article) -> dict[str, Any]:
        return {
            "ArticleID": one.id,
            "ArticleNumber": one.number,
            "Body": one.body,
            "ContentType": one.content_type,
            "From": one.author,
            "SenderType": one.sender,
            "IsVisibleForCustomer": one.visible,
            "CreateTime": self._local(one.at),
            "IncomingTime": int(one.at.timestamp()),
        }


def _require(good: object, kind: str, sentence: str) -> None:
    if not good:
        raise RefusedError(kind, sentence)


def _valid(name: str, good: bool) -> None:  # noqa: FBT001 - what it is about
    _require(good, "InvalidParameter", f"Ticket->{name}ID or Ticket->{name} parameter is invalid!")


def _error(code: str, sentence: str) -> web.StreamResponse:
    return web.json_response({"Error": {"ErrorCode": code, "ErrorMessage": sentence}})


def _refusal(problem: RefusedError, operation: str) -> web.StreamResponse:
    kind, sentence = problem.args
    return _error(f"{operation}.{kind}", f"{operation}: {sentence}")


def _kept(text: str) -> str:
    """A database with three bytes for a character."""
    return re.sub(r"[\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)


def _listed(given: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    value = given.get(name, [])
    yield from value if isinstance(value, list) else [value]


def _creating(_: web.Request, body: bytes) -> Does:
    return Does.CHECK if b'"Attachment"' in body else Does.CREATE


def _searching(_: web.Request, body: bytes) -> Does:
    if b"TicketLastChangeTime" in body:
        return Does.LIST
    return Does.READ if b'"TicketNumber"' in body else Does.SEARCH


def _changing(_: web.Request, body: bytes) -> Does:
    return Does.ATTACH if b'"Attachment"' in body else Does.CHANGE

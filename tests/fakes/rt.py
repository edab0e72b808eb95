"""Request Tracker 5's REST2, as far as a ticket's client sees it. Sources: RT's manual and source, and a real 5.0.3."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOKEN = b"1-27-0123456789abcdef0123456789abcdef"
QUEUE, FIELD, IMPACT, ELEMENT = "Operations", "tocsin", "Impact", "Element"
LEVELS = ("none", "backup", "degraded", "severe", "interrupted")
ZONE = ZoneInfo("Europe/Paris")  # in which queries mean times, without saying so
ACTIVE, INACTIVE = ("new", "open", "stalled"), ("resolved", "rejected", "deleted")
OURS = {
    "new": "declared",
    "open": "in_progress",
    "stalled": "waiting",
    "resolved": "closed",
    "rejected": "cancelled",
    "deleted": "cancelled",
}
SUBJECT_BYTES, LARGEST = 200, 100
NEVER = "1970-01-01T00:00:00Z"
RIGHTS = frozenset({
    "SeeQueue", "CreateTicket", "ShowTicket", "ShowTicketComments", "ModifyTicket", "CommentOnTicket", "ReplyToTicket",
    "SeeCustomField", "ModifyCustomField", "SetInitialCustomField",
})  # fmt: skip


@dataclass
class Part:
    id: int
    transaction: int
    kind: str
    content: str
    filename: str = ""


@dataclass
class Transaction:
    id: int
    kind: str
    creator: str
    at: datetime


@dataclass
class Ticket:
    id: int
    subject: str
    created: datetime
    updated: datetime
    queue: str = QUEUE
    status: str = "new"
    priority: str = "0"
    owner: str = "Nobody"
    updated_by: str = "tocsin"
    requestor: str = ""
    merged_into: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


class RequestTracker(Face):
    KIND = "rt"
    SECRETS: ClassVar = {"rt-token": TOKEN}
    OPTIONS: ClassVar = {"element_field": ELEMENT}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.held: dict[int, Ticket] = {}
        self.last: Counter[str] = Counter()
        self.rights = set(RIGHTS)
        self.known = {FIELD: "2", IMPACT: "3", ELEMENT: "4"}  # custom fields of the queue, by number
        self.refuses: set[str] = set()  # statuses that the life cycle forbids
        self.counts = True  # False: how many pages there are is not told
        self.honours = True  # False: no condition means anything
        self.hidden: set[int] = set()  # tickets in queues that we may not see

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "token_file": "rt-token", "queue": QUEUE}

    def routes(self) -> list[Route]:
        api = "/REST/2.0"
        return [
            Route("POST", f"{api}/ticket", self._create, Does.CREATE),
            Route("GET", f"{api}/ticket/{{id:\\d+}}", self._show, Does.READ),
            Route("PUT", f"{api}/ticket/{{id:\\d+}}", self._update, Does.CHANGE),
            Route("POST", f"{api}/ticket/{{id:\\d+}}/{{how:comment|correspond}}", self._message, _messaging),
            Route("GET", f"{api}/ticket/{{id:\\d+}}/attachments", self._attachments, Does.READ),
            Route("GET", f"{api}/attachment/{{id:\\d+}}", self._attachment, Does.READ),
            Route("GET", f"{api}/transactions", self._transactions, Does.READ),
            Route("GET", f"{api}/tickets", self._search, _purpose),
            Route("GET", f"{api}/queue/{{name}}", self._queue, Does.CHECK),
            Route("GET", f"{api}/user/{{name}}", self._user, Does.CHECK),
            Route("GET", f"{api}/rt", self._version, Does.CHECK),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=str(one.id),
                reference=one.fields.get(FIELD, ""),
                status=OURS[one.status],
                title=one.subject,
                text=one.parts[0].content,
                impact=one.fields.get(IMPACT, one.priority),
                element=one.fields.get(ELEMENT, ""),
                notes=[part.content for part in one.parts[1:] if part.kind.startswith("text/") and not part.filename],
                files=dict(one.files),
            )
            for one in self.held.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self.held[int(number)]
        if status:
            self._set(one, next(name for name, ours in OURS.items() if ours == status), "ines")
        one.priority = priority or one.priority
        one.owner = assignee or one.owner
        if note:
            self._write(one, "Comment", "ines", [("multipart/alternative", ""), ("text/html", f"<p>{note}</p>")])
        one.updated, one.updated_by = self.server.clock(), "ines"

    def forget(self, number: str) -> None:
        del self.held[int(number)]

    def disown(self, number: str, reference: str) -> None:
        self.held[int(number)].fields[FIELD] = reference

    def merge(self, number: str, into: str) -> None:
        """A person merges one ticket into another."""
        self.held[int(number)].merged_into = int(into)

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        one = self.held[int(number)]
        said = {
            "number": one.id,
            "reference": one.fields.get(FIELD),
            "status": one.status,
            "type": "Status",
            "by": "ines",
        }
        headers = {
            "Content-Type": "application/json",
            "Authorization": "Bearer made-up",
            "User-Agent": "libwww-perl/6.68",
        }
        return headers, json.dumps(said).encode()

    # --- how RT says no ----------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return web.json_response({"message": "Not Found"}, status=404)

    def refused(self) -> web.StreamResponse:
        message = "Status 'bogus' isn't a valid status for tickets in this queue."
        return web.json_response({"message": message}, status=400)

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": f"Unauthorized {request.headers.get('Authorization')}"}, status=401)

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "Forbidden"}, status=403)

    # --- its API -----------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request) or _no_json(request):
            return refused
        given = await request.json()
        if not given.get("Queue"):
            return web.json_response({"message": "Could not create ticket. Queue not set"}, status=400)
        if given["Queue"] != QUEUE or "CreateTicket" not in self.rights:
            message = f"No permission to create tickets in the queue '{given['Queue']}'"
            return web.json_response({"message": message}, status=403)
        now = self.server.clock()
        number = self._next("ticket")
        one = Ticket(number, _subject(given.get("Subject", "")), now, now, priority=str(given.get("Priority", "0")))
        one.requestor = given.get("Requestor", "")
        if self.rights & {"SetInitialCustomField", "ModifyCustomField"}:
            for name, value in given.get("CustomFields", {}).items():
                if name in self.known and _is_a_value(name, value):
                    one.fields[name] = value
        self._write(one, "Create", "tocsin", [(given.get("ContentType", "text/plain"), given.get("Content", ""))])
        self.held[number] = one
        address = f"{self.server.url}/REST/2.0/ticket/{number}"
        shown = {"_url": address, "type": "ticket", "id": str(number)}
        return web.json_response(shown, status=201, headers={"Location": f"/REST/2.0/ticket/{number}"})

    async def _show(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        one = self._effective(request)
        if one is None:
            return self.not_found()
        if one.id in self.hidden or "ShowTicket" not in self.rights:
            return self.forbidden(request)
        return web.json_response(self._whole(one))

    async def _update(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request) or _no_json(request):
            return refused
        one = self._effective(request)
        if one is None:
            return web.json_response({"message": "Resource does not exist; use POST to create"}, status=404)
        if one.id in self.hidden:
            return self.forbidden(request)
        given = await request.json()
        return web.json_response([*self._fields(one, given), *self._status(one, given.get("Status", ""))])

    def _fields(self, one: Ticket, given: dict[str, Any]) -> list[str]:
        """Each on its own: the good ones are kept."""
        said = []
        if "Priority" in given and str(given["Priority"]) != one.priority:
            said.append(f"Ticket {one.id}: Priority changed from '{one.priority}' to '{given['Priority']}'")
            one.priority = str(given["Priority"])
        for name, value in given.get("CustomFields", {}).items():
            if name not in self.known:
                continue
            if "ModifyCustomField" not in self.rights:
                said.append(f"Could not add a new value to custom field '{name}': Permission Denied")
            elif not _is_a_value(name, value):
                said.append("Invalid value for custom field")
            else:
                said.append(f"{name} {one.fields.get(name)} changed to {value}")
                one.fields[name] = value
        if said:
            one.updated, one.updated_by = self.server.clock(), "tocsin"
        return said

    def _status(self, one: Ticket, status: str) -> list[str]:
        if not status or status == one.status:
            return []
        if status not in OURS:
            return [f"Ticket {one.id}: Status '{status}' isn't a valid status for this ticket."]
        if status in self.refuses or "ModifyTicket" not in self.rights:
            return [f"Ticket {one.id}: Permission Denied"]
        said = f"Ticket {one.id}: Status changed from '{one.status}' to '{status}'"
        self._set(one, status, "tocsin")
        return [said]

    async def _message(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request) or _no_json(request):
            return refused
        one, how = self._effective(request), request.match_info["how"]
        right = {"comment": "CommentOnTicket", "correspond": "ReplyToTicket"}[how]
        if one is None or one.id in self.hidden or right not in self.rights:
            return web.json_response({"message": "Permission Denied"}, status=400)
        given = await request.json()
        if not given.get("ContentType"):
            message = "ContentType is a required field for application/json"
            return web.json_response({"message": message}, status=400)
        parts = [(given["ContentType"], given["Content"])]
        files = given.get("Attachments", [])
        written = self._write(one, how.title(), "tocsin", [("multipart/mixed", ""), *parts] if files else parts)
        for file in files:
            content = base64.b64decode(file["FileContent"])
            one.files[file["FileName"]] = content
            text = content.decode("utf-8", "replace")
            one.parts.append(Part(self._next("part"), written.id, file["FileType"], text, file["FileName"]))
        said = ["Comments added" if how == "comment" else "Correspondence added"]
        if how == "correspond" and one.status in ("new", *INACTIVE):
            self._set(one, "open", "RT_System")  # the standard scrip
        said += self._status(one, given.get("Status", ""))
        headers = {"Location": f"/REST/2.0/transaction/{written.id}"}
        return web.json_response(said, status=201, headers=headers)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        query = request.query.get("query", "")
        found = [one for one in self.held.values() if one.id not in self.hidden and "ShowTicket" in self.rights]
        if self.honours:
            found = [one for one in found if all(self._holds(one, term) for term in query.split(" AND "))]
            found = [one for one in found if not one.merged_into or "EffectiveId" in query]
        found = [one for one in found if one.status != "deleted"]
        orders = request.query.getall("order", [])
        for number, by in reversed(list(enumerate(request.query.getall("orderby", ["id"])))):
            key = {
                "id": lambda one: one.id,
                "LastUpdated": lambda one: one.updated,
                "Created": lambda one: one.created,
            }[by]
            found.sort(key=key, reverse=orders[number : number + 1] == ["DESC"])
        fields = request.query.get("fields", "").split(",")
        return self._listed(request, self.server.ordered(found), lambda one: self._row(one, fields))

    def _holds(self, one: Ticket, term: str) -> bool:
        match re.fullmatch(r"(\S+?(?:\{[^}]*\})?) (IS NOT|IS|=|>) (.+)", term.strip()):
            case None:
                raise web.HTTPBadRequest(text=json.dumps({"message": f"Wrong query, expecting a VALUE in '{term}'"}))
            case found:
                what, operator, value = found.groups()
        value = re.sub(r"\\(.)", r"\1", value.strip("'"))
        if what.startswith("CF."):
            name = what[4:-1]
            held = one.fields.get(name, "") if "SeeCustomField" in self.rights and name in self.known else None
            if held is None or (operator == "=" and not self.server.visible(one.created)):
                return False
            return {"=": held.lower() == value.lower(), "IS": not held, "IS NOT": bool(held)}[operator]
        match what:
            case "EffectiveId":
                return (one.merged_into or one.id) > int(value)
            case "id":
                return one.id == int(value)
            case "Queue":
                return one.queue.lower() == value.lower()
            case "Creator":
                return value in ("__CurrentUser__", "tocsin")
            case "LastUpdated":
                return one.updated > _in_zone(value)
        raise web.HTTPBadRequest(text=json.dumps({"message": f"Unknown field: {what}"}))

    async def _transactions(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        asked = re.fullmatch(
            r"TicketId = (\d+) AND \(Type = '(\w+)' OR Type = '(\w+)'\)", request.query.get("query", "")
        )
        if asked is None:
            return web.json_response({"message": "Wrong query"}, status=400)
        one = self.held.get(int(asked[1]))
        found = [each for each in one.transactions if each.kind in asked.groups()[1:]] if one else []
        if "ShowTicketComments" not in self.rights:
            found = [each for each in found if each.kind != "Comment"]
        return self._listed(request, found[::-1], _transaction, counted=False)

    async def _attachments(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        one, fields = self._effective(request), request.query.get("fields", "").split(",")
        found = sorted(one.parts, key=lambda part: part.id, reverse=True) if one else []
        return self._listed(request, found, lambda part: _part(part, fields), counted=False)

    async def _attachment(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        number = int(request.match_info["id"])
        part = next((part for one in self.held.values() for part in one.parts if part.id == number), None)
        if part is None:
            return self.not_found()
        content = base64.encodebytes(part.content.encode()).decode()
        return web.json_response({"id": part.id, "ContentType": part.kind, "Content": content})

    def _listed(
        self, request: web.Request, found: list[Any], shown: Any, *, counted: bool = True
    ) -> web.StreamResponse:
        size = min(int(request.query.get("per_page", 20)), self.server.page or LARGEST, LARGEST)
        page = int(request.query.get("page", 1))
        items = [shown(one) for one in found[(page - 1) * size : page * size]]
        counted = counted and self.counts
        pages = float(-(-len(found) // size)) if counted else None
        total = len(found) if counted else None
        answer = {"items": items, "count": len(items), "page": page, "per_page": size, "pages": pages, "total": total}
        return web.json_response(answer)

    async def _queue(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if request.match_info["name"] not in (QUEUE, "3"):
            return self.not_found()
        if "SeeQueue" not in self.rights:
            return self.forbidden(request)
        seen = self.known if "SeeCustomField" in self.rights else {}
        links = [{"ref": "self", "id": 3}, *([{"ref": "create"}] if "CreateTicket" in self.rights else [])]
        fields = [{"id": number, "name": name, "ref": "customfield"} for name, number in seen.items()]
        shown = {"id": 3, "Name": QUEUE, "Lifecycle": "default", "Disabled": "0", "TicketCustomFields": fields}
        return web.json_response({**shown, "_hyperlinks": links})

    async def _user(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        known = request.match_info["name"] in ("27", "tocsin")
        return web.json_response({"id": 27, "Name": "tocsin"}) if known else self.forbidden(request)

    async def _version(self, request: web.Request) -> web.StreamResponse:
        return self._stranger(request) or web.json_response({"Version": "5.0.3"})

    # --- what these are made of --------------------------------------------------------------------------------------

    def _stranger(self, request: web.Request) -> web.StreamResponse | None:
        basic = "Basic " + base64.b64encode(b"tocsin:" + TOKEN).decode()
        known = request.headers.get("Authorization") in (f"token {TOKEN.decode()}", basic)
        return None if known else self.unauthorized(request)

    def _effective(self, request: web.Request) -> Ticket | None:
        """A ticket that was merged is the other one, wherever it is asked for by its number."""
        one = self.held.get(int(request.match_info["id"]))
        return self.held.get(one.merged_into) if one and one.merged_into else one

    def _next(self, what: str) -> int:
        self.last[what] += 1
        return self.last[what]

    def _set(self, one: Ticket, status: str, by: str) -> None:
        one.status = status
        self._write(one, "Status", by, [])

    def _write(self, one: Ticket, kind: str, by: str, parts: Iterable[tuple[str, str]]) -> Transaction:
        written = Transaction(self._next("transaction"), kind, by, self.server.clock())
        one.transactions.append(written)
        one.parts += [Part(self._next("part"), written.id, of, content) for of, content in parts]
        one.updated, one.updated_by = written.at, by
        return written

    def _row(self, one: Ticket, fields: list[str]) -> dict[str, Any]:
        whole = {**self._whole(one), "EffectiveId": str(one.merged_into or one.id)}
        shown = {"id": str(one.id), "type": "ticket", "_url": f"{self.server.url}/REST/2.0/ticket/{one.id}"}
        return {**shown, **{name: whole[name] for name in fields if name in whole}}

    def _whole(self, one: Ticket) -> dict[str, Any]:
        seen = self.known if "SeeCustomField" in self.rights else {}
        fields = [
            {
                "id": number,
                "name": name,
                "type": "customfield",
                "values": [one.fields[name]] if one.fields.get(name) else [],
            }
            for name, number in seen.items()
        ]
        links = [{"ref": "self", "id": one.id}]
        links += [{"ref": "comment"}] if "CommentOnTicket" in self.rights else []
        links += [{"ref": "correspond"}] if "ReplyToTicket" in self.rights else []
        steps = [status for status in OURS if status not in (one.status, *self.refuses) and status != "deleted"]
        links += [{"ref": "lifecycle", "from": one.status, "to": to} for to in steps if "ModifyTicket" in self.rights]
        return {
            "id": one.id,
            "type": "ticket",
            "Subject": one.subject,
            "Status": one.status,
            "Priority": one.priority,
            "Queue": {"id": "3", "type": "queue"},
            "Owner": {"id": one.owner, "type": "user"},
            "EffectiveId": {"id": str(one.id), "type": "ticket"},
            "Created": stamp(one.created),
            "LastUpdated": stamp(one.updated),
            "LastUpdatedBy": {"id": one.updated_by, "type": "user"},
            "Resolved": NEVER,
            "CustomFields": fields,
            "_hyperlinks": links,
        }


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _in_zone(value: str) -> datetime:
    """A time that cannot be read means nothing: every ticket is newer."""
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
    except ValueError:
        return datetime.fromisoformat(NEVER)


def _subject(text: str) -> str:
    return text.replace("\n", "").encode()[:SUBJECT_BYTES].decode("utf-8", "ignore")


def _is_a_value(name: str, value: str) -> bool:
    return name != IMPACT or value in LEVELS


def _no_json(request: web.Request) -> web.StreamResponse | None:
    if request.content_type == "application/json":
        return None
    return web.json_response({"message": "Unsupported Media Type"}, status=415)


def _transaction(one: Transaction) -> dict[str, Any]:
    shown = {"id": str(one.id), "type": "transaction", "Type": one.kind, "Created": stamp(one.at)}
    return {**shown, "Creator": {"id": one.creator, "type": "user"}}


def _part(one: Part, fields: list[str]) -> dict[str, Any]:
    whole = {"ContentType": one.kind, "Filename": one.filename, "TransactionId": str(one.transaction)}
    return {"id": str(one.id), **{name: {**whole, "Content": one.content}[name] for name in fields}}


def _purpose(request: web.Request, _: bytes) -> Does:
    query = request.query.get("query", "")
    if "LastUpdated" in query:
        return Does.LIST
    return Does.CHECK if "Creator" in query else Does.SEARCH


def _messaging(_: web.Request, body: bytes) -> Does:
    return Does.ATTACH if b'"Attachments"' in body else Does.CHANGE

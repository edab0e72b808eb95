"""Freshservice's API v2, as far as a ticket's client sees it. Source: api.freshservice.com (2025), sections Tickets,
Conversations, Ticket Properties, Error Response, Pagination, Rate limit."""

from __future__ import annotations

import email
import html
import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import RETRY_AFTER, Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = b"fr3shs3rv1ceKeyOfTocsin"
STATUSES = {2: "Open", 3: "Pending", 4: "Resolved", 5: "Closed"}
OURS = {2: "declared", 3: "waiting", 4: "repaired", 5: "closed"}
THEIRS = {"declared": 2, "in_progress": 2, "waiting": 3, "frozen": 3, "repaired": 4, "closed": 5, "cancelled": 5}
FIELD = "tocsin_reference"
CUSTOM = {FIELD: str, "cause": str, "customers": int}
KNOWN: dict[str, type | tuple[type, ...]] = {
    "subject": str,
    "description": str,
    "email": str,
    "requester_id": int,
    "phone": str,
    "name": str,
    "status": int,
    "priority": int,
    "urgency": int,
    "impact": int,
    "source": int,
    "group_id": int,
    "responder_id": int,
    "department_id": int,
    "category": str,
    "sub_category": str,
    "item_category": str,
    "type": str,
    "tags": list,
    "cc_emails": list,
    "custom_fields": dict,
    "assets": list,
    "workspace_id": int,
    "due_by": str,
    "fr_due_by": str,
    "resolution_notes": str,
}
RANGES = {"priority": range(1, 5), "urgency": range(1, 4), "impact": range(1, 4)}
GROUPS = {"Service Desk": 11, "Network": 12}
ASSETS = [
    {"id": 900, "display_id": 8, "name": "vfcanubkpm01", "asset_tag": "DF000J1ADE"},
    {"id": 901, "display_id": 9, "name": "twin", "asset_tag": "ASSET-9"},
    {"id": 902, "display_id": 10, "name": "twin", "asset_tag": "ASSET-10"},
]
REQUESTERS = {"supervision@example.net": 1000000675}
WORKSPACE = 3
TITLE = 255


@dataclass
class Ticket:
    id: int
    fields: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    custom_fields: dict[str, Any] = field(default_factory=dict)
    conversations: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    deleted: bool = False


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"(?i)<br\s*/?>|</div>|</p>", "\n", text))).strip()


def decoded(given: str) -> str:
    return b64decode(given.partition(" ")[2]).decode("utf-8", "replace")


def invalid(*problems: tuple[str, str, str]) -> web.Response:
    errors = [{"field": name, "message": message, "code": code} for name, message, code in problems]
    return web.json_response({"description": "Validation failed", "errors": errors}, status=400)


class Freshservice(Face):
    KIND = "freshservice"
    SECRETS: ClassVar = {"freshservice-key": KEY}
    OPTIONS: ClassVar = {"workspace_id": WORKSPACE, "group": "Service Desk", "asset": "name", "category": "Software"}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.all: dict[int, Ticket] = {}
        self.statuses = dict(STATUSES)
        self.last = 0
        self.notes = 0
        self.texts_filtered = (
            True  # whether the filter takes a custom field of text; the documentation names others only
        )
        self.texts_found = True  # whether it finds anything by it
        self.requesters = dict(REQUESTERS)
        self.wanted_at_the_end: tuple[str, ...] = ()  # custom fields that closing asks for
        self.stuck = False  # a rule of the account sets the status back
        self.forbidden_paths: tuple[str, ...] = ()

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "key_file": "freshservice-key",
            "requester": "supervision@example.net",
            "reference_field": FIELD,
        }

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/api/v2/tickets", self._create, Does.CREATE),
            Route("GET", "/api/v2/tickets", self._list, _listing),
            Route("GET", "/api/v2/tickets/filter", self._filter, Does.SEARCH),
            Route("GET", "/api/v2/tickets/{id}", self._read, Does.READ),
            Route("PUT", "/api/v2/tickets/{id}", self._change, _changing),
            Route("GET", "/api/v2/tickets/{id}/conversations", self._conversations, Does.READ),
            Route("POST", "/api/v2/tickets/{id}/notes", self._note, Does.CHANGE),
            Route("GET", "/api/v2/ticket_form_fields", self._form, Does.CHECK),
            Route("GET", "/api/v2/groups", self._groups, Does.CHECK),
            Route("GET", "/api/v2/assets", self._assets, Does.CHECK),
            Route("GET", "/api/v2/requesters", self._requesters, Does.CHECK),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=str(one.id),
                reference=one.custom_fields.get(FIELD) or "",
                status=OURS.get(one.fields["status"], "in_progress"),
                title=one.fields["subject"],
                text=plain(one.fields["description"]),
                impact="/".join(str(one.fields.get(name)) for name in ("impact", "urgency", "priority")),
                element=str(one.fields.get("assets", "")),
                notes=[note["body_text"] for note in one.conversations],
                files=dict(one.files),
            )
            for one in self.all.values()
            if not one.deleted
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self.all[int(number)]
        one.fields["status"] = THEIRS.get(status, one.fields["status"])
        one.fields["priority"] = int(priority) if priority else one.fields["priority"]
        one.fields["responder_id"] = 1232265829 if assignee else one.fields.get("responder_id")
        if note:
            self._say(one, f"<div>{html.escape(note)}</div>", 1232265829, private=False)
        one.updated_at = self.server.clock()

    def forget(self, number: str) -> None:
        """To the trash, where the API still shows it as deleted, as every second one; or for good."""
        one = self.all[int(number)]
        one.deleted = True

    def disown(self, number: str, reference: str) -> None:
        self.all[int(number)].custom_fields[FIELD] = reference or None

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        """What the workflow of config/backends/freshservice.yaml sends, its placeholders filled in."""
        said = {"ticket_id": f"INC-{number}", "status": self.statuses[self.all[int(number)].fields["status"]]}
        return {"Content-Type": "application/json"}, json.dumps(said).encode()

    # --- how Freshservice says no -------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return web.Response(status=404)

    def refused(self) -> web.StreamResponse:
        return invalid(("category", "It should be one of these values: 'Hardware,Software'", "invalid_value"))

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        told = f"You have to be logged in to perform this action. {given} ({decoded(given)})"
        return web.json_response({"code": "invalid_credentials", "message": told}, status=401)

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        told = "You are not authorized to perform this action."
        return web.json_response({"code": "access_denied", "message": told}, status=403)

    def limited(self) -> web.StreamResponse:
        headers = {"Retry-After": str(RETRY_AFTER), "X-Ratelimit-Total": "100", "X-Ratelimit-Remaining": "0"}
        told = {"message": "You have exceeded the limit of requests per minute"}
        return web.json_response(told, status=429, headers=headers)

    # --- its API ------------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        given = await self._given(request)
        if isinstance(given, web.Response):
            return given
        missing = [name for name in ("subject", "description", "status", "priority") if not given.get(name)]
        problems = [(name, "It should be a/an String", "missing_field") for name in missing]
        if not any(given.get(name) for name in ("email", "requester_id", "phone")):
            problems.append(("requester_id", "One of requester_id, phone, email is mandatory", "missing_field"))
        if problems := [*problems, *self._problems(given)]:
            return invalid(*problems)
        self.last += 1
        now = self.server.clock()
        custom = {**dict.fromkeys(CUSTOM), **given.pop("custom_fields", {})}
        if "requester_id" not in given:
            given["requester_id"] = self.requesters.setdefault(given.get("email", ""), 1000000999)
        one = Ticket(self.last, given, now, now, custom)
        one.fields.setdefault("workspace_id", 2)
        self.all[one.id] = one
        headers = {"Location": f"{self.server.url}/api/v2/tickets/{one.id}"}
        return web.json_response({"ticket": self._shown(one)}, status=201, headers=headers)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        query = request.query
        since = query.get("updated_since")
        from_when = datetime.fromisoformat(since) if since else self.server.clock() - timedelta(days=30)
        found = [one for one in self._visible(query) if (one.updated_at if since else one.created_at) >= from_when]
        if email := query.get("email"):
            if email not in self.requesters:
                return invalid(("email", "There is no contact matching the given email", "invalid_value"))
            found = [one for one in found if one.fields["requester_id"] == self.requesters[email]]
        if requester := query.get("requester_id"):
            found = [one for one in found if str(one.fields["requester_id"]) == requester]
        found.sort(key=lambda one: one.id, reverse=query.get("order_type") != "asc")
        return self._paged(request, "tickets", [self._shown(one) for one in self.server.ordered(found)])

    async def _filter(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        asked = request.query.get("query", "")
        match = re.fullmatch(r'"([a-z_]+):\s*\'([^\']*)\'"', asked)
        if match is None or len(asked) > 512:
            return invalid(("query", "Given query is invalid", "invalid_value"))
        if match[1] not in CUSTOM or not self.texts_filtered:
            return invalid((match[1], "Unexpected/invalid field in request", "invalid_field"))
        found = [
            one for one in self._visible(request.query) if self.texts_found and self.server.visible(one.created_at)
        ]
        found = [one for one in found if (one.custom_fields.get(match[1]) or "").lower() == match[2].lower()]
        shown = [self._shown(one) for one in self.server.ordered(found)]
        return web.json_response({"tickets": shown[:30], "total": len(shown)})

    async def _read(self, request: web.Request) -> web.StreamResponse:
        one = self._one(request)
        return one if isinstance(one, web.Response) else web.json_response({"ticket": self._shown(one)})

    async def _change(self, request: web.Request) -> web.StreamResponse:
        one = self._one(request)
        if isinstance(one, web.Response):
            return one
        if one.deleted:
            return web.Response(status=405)
        if request.content_type == "multipart/form-data":
            return self._attached(one, request.headers["Content-Type"], await request.read())
        given = await self._given(request)
        if isinstance(given, web.Response):
            return given
        if problems := self._problems(given):
            return invalid(*problems)
        return self._updated(one, given)

    def _attached(self, one: Ticket, kind: str, body: bytes) -> web.Response:
        form = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        for part in form.get_payload():
            name = part.get_param("name", header="Content-Disposition")
            if name != "attachments[]":
                return invalid((name, "Unexpected/invalid field in request", "invalid_field"))
            one.files[part.get_filename()] = part.get_payload(decode=True)
        one.updated_at = self.server.clock()
        return web.json_response({"ticket": self._shown(one)})

    def _updated(self, one: Ticket, given: dict[str, Any]) -> web.Response:
        custom = {**one.custom_fields, **given.pop("custom_fields", {})}
        if given.get("status") in (4, 5):
            missing = [name for name in self.wanted_at_the_end if not custom.get(name)]
            if missing:
                return invalid(
                    *(
                        (name, "It should not be blank as this is a mandatory field", "invalid_value")
                        for name in missing
                    )
                )
        if self.stuck:
            given.pop("status", None)
        one.fields |= given
        one.custom_fields = custom
        one.updated_at = self.server.clock()
        return web.json_response({"ticket": self._shown(one)})

    async def _conversations(self, request: web.Request) -> web.StreamResponse:
        one = self._one(request)
        return one if isinstance(one, web.Response) else self._paged(request, "conversations", one.conversations)

    async def _note(self, request: web.Request) -> web.StreamResponse:
        one = self._one(request)
        if isinstance(one, web.Response):
            return one
        given = await self._given(request)
        if isinstance(given, web.Response):
            return given
        unknown = given.keys() - {"body", "private", "notify_emails", "incoming", "user_id"}
        if unknown or not given.get("body") or not isinstance(given.get("private", False), bool):
            return invalid((next(iter(unknown), "body"), "Unexpected/invalid field in request", "invalid_field"))
        said = self._say(one, given["body"], 1000000001, private=given.get("private", False))
        one.updated_at = self.server.clock()
        return web.json_response({"conversation": said}, status=201)

    async def _form(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        choices = [{"id": number, "value": name} for number, name in self.statuses.items()]
        fields = [{"id": 1, "name": "status", "label": "Status", "field_type": "default_status", "choices": choices}]
        fields += [
            {"id": 2 + n, "name": name, "label": name, "field_type": "custom_text"} for n, name in enumerate(CUSTOM)
        ]
        return web.json_response({"ticket_fields": fields})

    async def _groups(self, request: web.Request) -> web.StreamResponse:
        groups = [{"id": number, "name": name} for name, number in GROUPS.items()]
        return self._stranger(request) or self._paged(request, "groups", groups)

    async def _assets(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        match = re.fullmatch(r'"(name|asset_tag|serial_number):\'([^\']*)\'"', request.query.get("search", ""))
        if match is None:
            return invalid(("search", "Given query is invalid", "invalid_value"))
        found = [one for one in ASSETS if match[2].lower() in str(one.get(match[1], "")).lower()]
        return self._paged(request, "assets", found)

    async def _requesters(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        match = re.fullmatch(r'"primary_email:\'([^\']*)\'"', request.query.get("query", ""))
        known = self.requesters.get(match[1]) if match else None
        found = [{"id": known, "primary_email": match[1]}] if known and match else []
        return web.json_response({"requesters": found})

    # --- within -------------------------------------------------------------------------------------------------------

    def _stranger(self, request: web.Request) -> web.Response | None:
        scheme, _, packed = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or b64decode(packed).partition(b":")[0] != KEY:
            return self.unauthorized(request)  # type: ignore[return-value]
        if request.path.startswith(self.forbidden_paths or ("/never",)):
            return self.forbidden(request)  # type: ignore[return-value]
        return None

    def _one(self, request: web.Request) -> Ticket | web.Response:
        if refused := self._stranger(request):
            return refused
        number = request.match_info["id"]
        found = self.all.get(int(number)) if number.isdecimal() else None
        return found or web.Response(status=404)

    async def _given(self, request: web.Request) -> dict[str, Any] | web.Response:
        if refused := self._stranger(request):
            return refused
        if request.content_type != "application/json":
            return web.Response(status=415)
        try:
            return dict(await request.json())
        except ValueError:
            return web.json_response(
                {"code": "invalid_json", "message": "Request body has invalid json format"}, status=400
            )

    def _problems(self, given: dict[str, Any]) -> list[tuple[str, str, str]]:
        problems = []
        for name, value in given.items():
            if name not in KNOWN:
                problems.append((name, "Unexpected/invalid field in request", "invalid_field"))
            elif not isinstance(value, KNOWN[name]) or isinstance(value, bool):
                problems.append((name, f"It should be a/an {KNOWN[name]}", "datatype_mismatch"))
            elif name in RANGES and value not in RANGES[name]:
                problems.append((name, f"It should be one of these values: {list(RANGES[name])}", "invalid_value"))
        if isinstance(given.get("status"), int) and given["status"] not in self.statuses:
            problems.append(("status", f"It should be one of these values: '{list(self.statuses)}'", "invalid_value"))
        if len(str(given.get("subject", ""))) > TITLE:
            problems.append(("subject", "Has 256 characters, it can have maximum of 255 characters", "invalid_value"))
        for name, value in (given.get("custom_fields") or {}).items():
            if name not in CUSTOM:
                problems.append((name, "Unexpected/invalid field in request", "invalid_field"))
            elif value is not None and not isinstance(value, CUSTOM[name]):
                problems.append((name, "It should be a/an String", "datatype_mismatch"))
        return problems

    def _visible(self, query: Mapping[str, str]) -> list[Ticket]:
        """Without a workspace, the primary one's only."""
        space = int(query.get("workspace_id", 2))
        return [one for one in self.all.values() if not one.deleted and one.fields["workspace_id"] == space]

    def _paged(self, request: web.Request, key: str, found: list[dict[str, Any]]) -> web.Response:
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        if not 0 < size <= 100:
            return invalid(("per_page", "It should be a Positive Integer less than or equal to 100", "invalid_value"))
        size = min(size, self.server.page or size)
        end = page * size
        headers = {}
        if end < len(found):
            following = request.rel_url.update_query({"page": str(page + 1)})
            headers["link"] = f'<{self.server.url}{following}>; rel="next"'
        return web.json_response({key: found[end - size : end]}, headers=headers)

    def _say(self, one: Ticket, body: str, who: int, *, private: bool) -> dict[str, Any]:
        self.notes += 1
        at = stamp(self.server.clock())
        said = {
            "id": self.notes,
            "user_id": who,
            "ticket_id": one.id,
            "body": f"<div>{body}</div>",
            "body_text": plain(body),
        }
        said |= {"incoming": False, "private": private, "created_at": at, "updated_at": at, "source": 2}
        one.conversations.append(said)
        return said

    def _shown(self, one: Ticket) -> dict[str, Any]:
        blank = dict.fromkeys(
            ("group_id", "responder_id", "category", "sub_category", "item_category", "urgency", "impact")
        )
        known = {name: value for name, value in one.fields.items() if name not in ("email", "assets", "description")}
        return {
            **blank,
            **known,
            "id": one.id,
            "type": "Incident",
            "description": f"<div>{one.fields['description']}</div>",
            "description_text": plain(one.fields["description"]),
            "custom_fields": one.custom_fields,
            "created_at": stamp(one.created_at),
            "updated_at": stamp(one.updated_at),
            "deleted": one.deleted,
            "spam": False,
        }


def _listing(request: web.Request, _: bytes) -> Does:
    return Does.LIST if "updated_since" in request.query else Does.CHECK


def _changing(request: web.Request, _: bytes) -> Does:
    return Does.ATTACH if request.content_type == "multipart/form-data" else Does.CHANGE

"""iTop's REST/JSON services (3.x), as far as a ticket's client sees them. Sources: iTop's wiki, and its public source.

This server lives in Paris and writes its times so. Its life cycle is the one that iTop comes with: closed is final.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

PASSWORD = b"correct-horse-battery-staple"
TOKEN = b"QkFTRTY0LXRva2VuLW9mLWFuLWFwcGxpY2F0aW9u"
ZONE = ZoneInfo("Europe/Paris")
FIELD = "tocsin_reference"
OURS = {
    "new": "declared",
    "escalated_tto": "declared",
    "assigned": "in_progress",
    "escalated_ttr": "in_progress",
    "pending": "waiting",
    "resolved": "repaired",
    "closed": "closed",
}
STEPS = {
    ("new", "ev_assign"): "assigned",
    ("escalated_tto", "ev_assign"): "assigned",
    ("pending", "ev_assign"): "assigned",
    ("assigned", "ev_pending"): "pending",
    ("escalated_ttr", "ev_pending"): "pending",
    ("assigned", "ev_resolve"): "resolved",
    ("escalated_ttr", "ev_resolve"): "resolved",
    ("resolved", "ev_close"): "closed",
    ("resolved", "ev_reopen"): "assigned",
}
MANDATORY = {
    "assigned": ("team_id", "agent_id"),
    "pending": ("pending_reason",),
    "resolved": ("service_id", "resolution_code", "solution"),
}
CODES = ("assistance", "bug fixed", "hardware repair", "other", "software patch", "system update", "training")
THINGS = {
    "Organization": {"3": {"name": "Operations"}, "4": {"name": "Twice"}, "5": {"name": "Twice"}},
    "Person": {
        "11": {"friendlyname": "Supervision Robot", "email": "supervision@example.net"},
        "12": {"friendlyname": "Ines Martin", "email": "ines.martin@example.net"},
    },
    "Team": {"21": {"name": "Helpdesk"}},
    "Service": {"31": {"name": "Cloud"}},
    "FunctionalCI": {"41": {"name": "DF000J1ADE"}},
}
LINKS = {
    "org_id": "Organization",
    "caller_id": "Person",
    "agent_id": "Person",
    "team_id": "Team",
    "service_id": "Service",
}
TITLE, TEXT = 255, 65_535


@dataclass
class Entry:
    log: str
    message: str
    user: str
    at: datetime
    format: str = "text"


@dataclass
class Ticket:
    key: str
    ref: str
    created_at: datetime
    changed_at: datetime
    status: str = "new"
    fields: dict[str, str] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


class WrongError(Exception):
    """A code and its sentence."""

    def __init__(self, told: str, code: int = 100) -> None:
        super().__init__(told)
        self.code = code


def local(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<br\s*/?>", "\n", text)))


class Itop(Face):
    KIND = "itop"
    SECRETS: ClassVar = {"itop-password": PASSWORD, "itop-token": TOKEN}
    OPTIONS: ClassVar = {"service": "Cloud", "ci_class": "FunctionalCI"}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.held: dict[str, Ticket] = {}
        self.last = 122
        self.attributes = {FIELD}
        self.steps = dict(STEPS)
        self.stuck: set[str] = set()  # stimuli whose own conditions fail

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "user": "tocsin",
            "password_file": "itop-password",
            "organization": "Operations",
            "caller": "Supervision Robot",
            "team": "Helpdesk",
            "agent": "supervision@example.net",
            "reference_field": FIELD,
            "zone": "Europe/Paris",
        }

    def routes(self) -> list[Route]:
        return [Route("POST", "/webservices/rest.php", self._serve, _purpose)]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=one.ref,
                reference=one.fields.get(FIELD, ""),
                status=OURS[one.status],
                title=one.fields["title"],
                text=plain(one.fields["description"]),
                impact=f"{one.fields['impact']}/{one.fields['urgency']}",
                element=", ".join(THINGS["FunctionalCI"][item]["name"] for item in one.items),
                notes=[entry.message for entry in one.entries],
                files=dict(one.files),
            )
            for one in self.held.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self._of(number)
        if status:
            one.status = next(name for name, ours in OURS.items() if ours == status)
        if assignee:
            one.fields |= {"agent_id": "12", "team_id": "21"}
        if priority:
            one.fields["impact"], _, one.fields["urgency"] = priority.partition("/")
        if note:
            one.entries.append(Entry("public_log", note, "Ines Martin", self.server.clock(), "html"))
        one.changed_at = self.server.clock()

    def forget(self, number: str) -> None:
        del self.held[self._of(number).key]

    def disown(self, number: str, reference: str) -> None:
        self._of(number).fields[FIELD] = reference

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        one = self._of(number)
        return {"Content-Type": "application/json"}, json.dumps({"ref": one.ref, "status": one.status}).encode()

    # --- how iTop says no ----------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")

    def refused(self) -> web.StreamResponse:
        return said(100, "Error: org_id: No item found with criteria: {'name': 'Nowhere'}")

    def inside(self) -> web.StreamResponse:
        return said(4, "Error: Parameter json_data is not a valid JSON structure")

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return said(1, f"Error: Invalid login {dict(request.headers)}")

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return said(1, "The current user does not have enough permissions for creating data of class Incident")

    # --- its services --------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        form = dict(parse_qsl((await request.read()).decode(), keep_blank_values=True))
        try:
            self._prove(request, form)
            return self._operate(_asked(request, form))
        except WrongError as problem:
            return said(problem.code, str(problem))

    def _prove(self, request: web.Request, form: dict[str, str]) -> None:
        proof = request.headers.get("Authorization", "")
        if proof.startswith("Basic "):
            user, _, password = base64.b64decode(proof.removeprefix("Basic ")).decode().partition(":")
        elif token := request.headers.get("Auth-Token"):
            if token != TOKEN.decode():
                raise WrongError("Error: Invalid login", 1)
            return
        else:
            user, password = form.get("auth_user"), form.get("auth_pwd")
            if user is None:
                raise WrongError("Error: Missing parameter 'auth_user'", 5)
        if (user, password) != ("tocsin", PASSWORD.decode()):
            raise WrongError(f"Error: Invalid login: {password}", 1)

    def _operate(self, asked: dict[str, Any]) -> web.StreamResponse:
        operation = asked.get("operation")
        if operation == "list_operations":
            operations = [{"verb": "core/get", "description": "Search for objects", "extension": "CoreServices"}]
            return web.json_response(
                {"code": 0, "message": "Operations: 7", "version": "1.3", "operations": operations}
            )
        if operation == "core/get" and asked["class"] != "Incident":
            keys = self._things(asked["class"], asked["key"])
            return answered(f"Found: {len(keys)}", asked["class"], [(key, {"id": key}) for key in keys])
        if operation == "core/create" and asked["class"] == "Attachment":
            return self._attach(asked["fields"])
        if asked["class"] not in ("Incident", "Attachment"):
            raise WrongError(f"Error: class: '{asked['class']}' is not a valid class: unknown class")
        done = {
            "core/create": self._create,
            "core/update": self._update,
            "core/apply_stimulus": self._stimulate,
            "core/get": self._get,
        }.get(str(operation))
        if done is None:
            raise WrongError(f"Error: Unknown verb '{operation}' in version '1.3'", 11)
        return done(asked)

    def _create(self, asked: dict[str, Any]) -> web.StreamResponse:
        now = self.server.clock()
        one = Ticket(str(self.last + 1), f"I-{self.last + 1:06}", now, now)
        one.fields = {"impact": "1", "urgency": "4", "agent_id": "0", "team_id": "0", "service_id": "0"}
        shown = self._shown_fields(asked)
        self._set(one, asked["fields"])
        for name in ("org_id", "title", "description"):
            if not one.fields.get(name):
                raise WrongError(f"Error: Incident: Missing mandatory attribute {name}")
        self.last += 1
        self.held[one.key] = one
        return answered("", "Incident", [(one.key, self._shown(one, shown))], told="created")

    def _update(self, asked: dict[str, Any]) -> web.StreamResponse:
        one, shown = self._by(asked["key"]), self._shown_fields(asked)
        self._set(one, asked["fields"])
        one.changed_at = self.server.clock()
        return answered("", "Incident", [(one.key, self._shown(one, shown))], told="updated")

    def _stimulate(self, asked: dict[str, Any]) -> web.StreamResponse:
        one, stimulus, shown = self._by(asked["key"]), asked["stimulus"], self._shown_fields(asked)
        target = self.steps.get((one.status, stimulus))
        if target is None:
            raise WrongError(f"Invalid stimulus: '{stimulus}' on the object {one.ref} in state '{one.status}'")
        kept = dict(one.fields)
        wanting = Ticket(one.key, one.ref, one.created_at, one.changed_at, one.status, kept, list(one.items))
        self._set(wanting, asked["fields"])
        missing = [name for name in MANDATORY.get(target, ()) if kept.get(name) in (None, "", "0")]
        if missing:
            raise WrongError(f"Missing mandatory attribute(s) for applying the stimulus: {', '.join(missing)}.")
        if stimulus in self.stuck:
            return web.json_response({"code": 0, "message": None, "objects": None})
        one.fields, one.status, one.changed_at = kept, target, self.server.clock()
        one.entries += wanting.entries
        return answered("", "Incident", [(one.key, self._shown(one, shown))], told="updated")

    def _get(self, asked: dict[str, Any]) -> web.StreamResponse:
        shown = self._shown_fields(asked)
        found = [one for one in self.held.values() if self._matches(one, str(asked["key"]))]
        found = self.server.ordered(sorted(found, key=lambda one: one.ref))
        limit, page = int(asked.get("limit", 0)), int(asked.get("page", 0))
        if limit:
            limit = min(limit, self.server.page or limit)
            found = found[limit * max(page - 1, 0) :][:limit]
        return answered(f"Found: {len(found)}", "Incident", [(one.key, self._shown(one, shown)) for one in found])

    def _matches(self, one: Ticket, oql: str) -> bool:
        where = re.fullmatch(r"SELECT Incident WHERE (.+)", oql)
        if where is None:
            return one.key == oql
        for condition in where[1].split(" AND "):
            parts = re.fullmatch(r"(\w+) (=|!=|>=|LIKE) (?:'((?:[^'\\]|\\.)*)'|(\d+))", condition)
            if parts is None:
                raise WrongError(f"Error: Unexpected token in {oql}")
            name, how, text, number = parts.groups()
            wanted = number or re.sub(r"\\(.)", r"\1", text)
            if not self._holds(one, name, how, wanted):
                return False
        return True

    def _holds(self, one: Ticket, name: str, how: str, wanted: str) -> bool:
        own = {"id": one.key, "ref": one.ref, "status": one.status, "last_update": local(one.changed_at)}
        if name not in own and name not in (*self.attributes, "title"):
            raise WrongError(f"Error: Unknown attribute {name} in Incident")
        has = own.get(name, one.fields.get(name, ""))
        if name in (FIELD, "title") and how in ("=", "LIKE") and not self.server.visible(one.created_at):
            return False
        if how == "LIKE":
            like = re.escape(wanted).replace("%", ".*")
            return bool(re.fullmatch(like, has, re.IGNORECASE | re.DOTALL))
        return {"=": has.lower() == wanted.lower(), "!=": has.lower() != wanted.lower(), ">=": has >= wanted}[how]

    def _set(self, one: Ticket, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            if name in LINKS:
                one.fields[name] = self._linked(name, value)
            elif name in ("private_log", "public_log"):
                self._log(one, name, value)
            elif name == "functionalcis_list":
                one.items = [str(link["functionalci_id"]) for link in value]
            elif name in ("title", "description", "impact", "urgency", "solution", "resolution_code", "pending_reason"):
                one.fields[name] = self._value(name, value)
            elif name in self.attributes:
                one.fields[name] = value
            else:
                raise WrongError(f"Error: {name}: invalid attribute code '{name}'")

    def _log(self, one: Ticket, name: str, value: Any) -> None:
        item = value.get("add_item") if isinstance(value, dict) else None
        if item is None:
            raise WrongError(f"Error: {name}: Missing 'items' elements")
        one.entries.append(Entry(name, item["message"], "tocsin", self.server.clock(), item.get("format", "html")))

    def _value(self, name: str, value: Any) -> str:
        limits = {"title": TITLE, "description": TEXT, "solution": TEXT, "pending_reason": TEXT}
        if len(value.encode() if name != "title" else value) > limits.get(name, TITLE) or "\x00" in value:
            raise WrongError(f"Error: Unexpected value for attribute '{name}': String too long")
        known = {"impact": "123", "urgency": "1234"}.get(name)
        if (known and str(value) not in known) or (name == "resolution_code" and value not in CODES):
            raise WrongError(f"Error: Unexpected value for attribute '{name}': Value not allowed [{value}]")
        return str(value)

    def _linked(self, name: str, value: Any) -> str:
        kind = LINKS[name]
        if str(value).isdecimal():
            return str(value)
        keys = self._things(kind, value)
        if len(keys) != 1:
            many = f"Several items found ({len(keys)})" if keys else "No item found"
            raise WrongError(f"Error: {name}: {many} with criteria: {value}")
        return keys[0]

    def _things(self, kind: str, oql: str) -> list[str]:
        parts = re.fullmatch(rf"SELECT {kind} WHERE (\w+) = '((?:[^'\\]|\\.)*)'", oql)
        if parts is None or kind not in THINGS:
            raise WrongError(f"Error: {kind} is not a valid class: {oql}")
        wanted = re.sub(r"\\(.)", r"\1", parts[2]).lower()
        return [key for key, fields in THINGS[kind].items() if fields.get(parts[1], "").lower() == wanted]

    def _attach(self, fields: dict[str, Any]) -> web.StreamResponse:
        one, contents = self.held[str(fields["item_id"])], fields["contents"]
        if fields["item_class"] != "Incident" or str(fields["item_org_id"]) != one.fields["org_id"]:
            raise WrongError("Error: Attachment: wrong organization")
        try:
            one.files[contents["filename"]] = base64.b64decode(contents["data"], validate=True)
        except binascii.Error:
            raise WrongError("Error: contents: not base64") from None
        assert contents["mimetype"] == "text/plain"
        return answered("", "Attachment", [("9", {"id": "9"})], told="created")

    def _by(self, key: Any) -> Ticket:
        one = self.held.get(str(key))
        if one is None:
            raise WrongError(f"Error: Nothing found with key {key}")
        return one

    def _of(self, number: str) -> Ticket:
        return next(one for one in self.held.values() if one.ref == number)

    def _shown_fields(self, asked: dict[str, Any]) -> list[str]:
        names = [name.strip() for name in asked.get("output_fields", "id, friendlyname").split(",")]
        own = {"id", "ref", "status", "priority", "last_update", "agent_id_friendlyname", "private_log", "public_log"}
        known = {*own, *LINKS, *self.attributes, "title", "description", "impact", "urgency", "friendlyname"}
        for name in names:
            if name not in known:
                raise WrongError(f"Error: output_fields: invalid attribute code '{name}'")
        return names

    def _shown(self, one: Ticket, names: list[str]) -> dict[str, Any]:
        agent = THINGS["Person"].get(one.fields["agent_id"], {}).get("friendlyname", "")
        own: dict[str, Any] = {
            "id": one.key,
            "ref": one.ref,
            "friendlyname": one.ref,
            "status": one.status,
            "priority": "4",
            "last_update": local(one.changed_at),
            "agent_id_friendlyname": agent,
        }
        for log in ("private_log", "public_log"):
            own[log] = {"entries": [_told(entry) for entry in one.entries if entry.log == log]}
        return {name: own.get(name, one.fields.get(name, "")) for name in names}


def _asked(request: web.Request, form: dict[str, str]) -> dict[str, Any]:
    if request.query.get("version") != "1.3":
        raise WrongError("Error: Missing parameter 'version' (e.g. '1.0')", 2)
    if "json_data" not in form:
        raise WrongError("Error: Missing parameter 'json_data", 3)
    return json.loads(form["json_data"])


def said(code: int, told: str) -> web.StreamResponse:
    return web.json_response({"code": code, "message": told})


def answered(message: str, kind: str, found: list[tuple[str, dict[str, Any]]], told: str = "") -> web.StreamResponse:
    objects = {
        f"{kind}::{key}": {"code": 0, "message": told, "class": kind, "key": key, "fields": fields}
        for key, fields in found
    }
    return web.json_response({"code": 0, "message": message, "objects": objects or None})


def _told(entry: Entry) -> dict[str, str]:
    shown = entry.message if entry.format == "html" else html.escape(entry.message).replace("\n", "<br/>")
    told = {"date": local(entry.at), "user_login": entry.user, "user_id": "5"}
    return {**told, "message": plain(shown) if entry.format == "html" else entry.message, "message_html": shown}


def _purpose(_: web.Request, body: bytes) -> Does:
    form = dict(parse_qsl(body.decode()))
    asked = json.loads(form.get("json_data", "{}"))
    operation, key = asked.get("operation"), str(asked.get("key", ""))
    if asked.get("class") == "Attachment":
        return Does.ATTACH
    if operation == "core/get" and asked.get("class") == "Incident":
        if "last_update >=" in key:
            return Does.LIST
        if "id = 0" in key:
            return Does.CHECK
        return Does.READ if " ref = " in key or " id = " in key else Does.SEARCH
    changes = {"core/create": Does.CREATE, "core/update": Does.CHANGE, "core/apply_stimulus": Does.CHANGE}
    return changes.get(str(operation), Does.CHECK)

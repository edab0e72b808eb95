"""Redmine's REST API (5, 4 and 7), as far as a ticket's client sees it. Sources: redmine.org "Rest Issues", its source, a real 5.0.4."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

KEY = b"0123456789abcdef0123456789abcdef01234567"
STATUSES = {1: "New", 2: "In Progress", 3: "Resolved", 4: "Feedback", 5: "Closed", 6: "Rejected"}
CLOSED = {5, 6}
PRIORITIES = {1: "Low", 2: "Normal", 3: "High", 4: "Urgent", 5: "Immediate"}
OURS = {1: "declared", 2: "in_progress", 3: "repaired", 4: "waiting", 5: "closed", 6: "cancelled"}
FIELD, IMPACT, ELEMENT = 3, 4, 5
FIELDS = {FIELD: "tocsin", IMPACT: "Impact", ELEMENT: "Element"}
LEVELS = ("none", "backup", "degraded", "severe", "interrupted")
TITLE, TEXT = 255, 65_535
PERMISSIONS = frozenset({"view_issues", "add_issues", "edit_issues", "add_issue_notes"})
BLANK = ["Project cannot be blank", "Tracker cannot be blank", "Status cannot be blank"]


@dataclass
class Issue:
    id: int
    subject: str
    description: str
    created_on: datetime
    updated_on: datetime
    status: int = 1
    priority: int = 2
    tracker: int = 2
    assignee: str = ""
    fields: dict[int, str] = field(default_factory=dict)
    journals: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


class Redmine(Face):
    KIND = "redmine"
    SECRETS: ClassVar = {"redmine-key": KEY}
    OPTIONS: ClassVar = {"tracker": "Incident", "element_field": ELEMENT}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.issues: dict[int, Issue] = {}
        self.uploads: dict[str, bytes] = {}
        self.last = 0
        self.statuses, self.priorities = dict(STATUSES), dict(PRIORITIES)
        self.filters = set(FIELDS)  # custom fields that may be used as filters
        self.visible = set(FIELDS)  # custom fields that our role sees
        self.trackers = {1: "Bug", 2: "Incident"}  # of the project
        self.forbids: set[int] = set()  # statuses that the workflow does not let us set
        self.permissions = set(PERMISSIONS)
        self.member = True
        self.release = 5  # 4: says less of statuses
        self.hidden: set[int] = set()  # issues in projects that we may not see

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "key_file": "redmine-key", "project": "operations", "reference_field": FIELD}

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/issues.json", self._create, Does.CREATE),
            Route("GET", "/issues.json", self._list, lambda request, _: _listing(request)),
            Route("GET", "/issues/{id}.json", self._read, Does.READ),
            Route("PUT", "/issues/{id}.json", self._change, _changing),
            Route("POST", "/uploads.json", self._upload, Does.ATTACH),
            Route("GET", "/issue_statuses.json", self._listed_statuses, Does.CHECK),
            Route("GET", "/enumerations/issue_priorities.json", self._listed_priorities, Does.CHECK),
            Route("GET", "/users/current.json", self._me, Does.CHECK),
            Route("GET", "/roles/{id}.json", self._role, Does.CHECK),
            Route("GET", "/projects/{id}.json", self._project, Does.CHECK),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=str(issue.id),
                reference=issue.fields.get(FIELD, ""),
                status=OURS[issue.status],
                title=issue.subject,
                text=issue.description,
                impact=issue.fields.get(IMPACT) or self.priorities[issue.priority],
                element=issue.fields.get(ELEMENT, ""),
                notes=[journal["notes"] for journal in issue.journals if journal["notes"]],
                files=dict(issue.files),
            )
            for issue in self.issues.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        issue = self.issues[int(number)]
        if status:
            issue.status = next(key for key, ours in OURS.items() if ours == status)
        if priority:
            issue.priority = next(key for key, name in self.priorities.items() if name == priority)
        issue.assignee = assignee or issue.assignee
        self._journal(issue, note, "Ines Martin")

    def forget(self, number: str) -> None:
        del self.issues[int(number)]

    def disown(self, number: str, reference: str) -> None:
        self.issues[int(number)].fields[FIELD] = reference

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        """That of Redmine 7; before that a plugin is needed."""
        issue = self.issues[int(number)]
        data = {"issue": self._shown(issue), "journal": issue.journals[-1] if issue.journals else None}
        said = {"type": "issue.updated", "timestamp": stamp(issue.updated_on), "data": data}
        headers = {"Content-Type": "application/json", "User-Agent": "Redmine", "X-Redmine-Signature-256": "sha256=0"}
        return headers, json.dumps(said).encode()

    # --- how Redmine says no -----------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return web.Response(status=404)

    def refused(self) -> web.StreamResponse:
        return web.json_response({"errors": ["Subject is too long (maximum is 255 characters)"]}, status=422)

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        text = f"not known: {request.headers.get('X-Redmine-API-Key')}"
        return web.Response(status=401, text=text, headers={"WWW-Authenticate": 'Basic realm="Redmine API"'})

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=403)

    # --- its API -----------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        given = (await request.json()).get("issue", {}) if request.content_type == "application/json" else {}
        if given.get("project_id") not in ("operations", "1", 1) or "add_issues" not in self.permissions:
            return web.json_response({"errors": BLANK}, status=422)
        problems = self._problems(given)
        if not given.get("subject"):
            problems.append("Subject cannot be blank")
        if problems:
            return web.json_response({"errors": problems}, status=422)
        self.last += 1
        now = self.server.clock()
        issue = Issue(self.last, given["subject"], given.get("description", ""), now, now)
        issue.priority = int(given.get("priority_id", 2))
        tracker = int(given.get("tracker_id", 0))
        issue.tracker = tracker if tracker in self.trackers else next(iter(self.trackers))
        self._fill(issue, given)
        self.issues[issue.id] = issue
        headers = {"Location": f"{self.server.url}/issues/{issue.id}"}
        return web.json_response({"issue": self._shown(issue)}, status=201, headers=headers)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        query = request.query
        if query.get("project_id", "operations") not in ("operations", "1"):
            return self.not_found()
        found = [issue for issue in self.issues.values() if query.get("status_id") == "*" or issue.status not in CLOSED]
        found = [issue for issue in found if issue.id not in self.hidden and "view_issues" in self.permissions]
        for name, wanted in query.items():
            number = int(name.removeprefix("cf_")) if name.startswith("cf_") else 0
            if number not in self.filters & self.visible:
                continue  # a filter that is not known is no filter
            if not wanted:
                return web.json_response({"errors": [f"{FIELDS[number]} cannot be blank"]}, status=422)
            found = [issue for issue in found if self._holds(issue, number, wanted)]
        if since := query.get("updated_on", "").removeprefix(">="):
            found = [issue for issue in found if stamp(issue.updated_on) >= since]
        return self._paged(query, found)

    def _holds(self, issue: Issue, number: int, wanted: str) -> bool:
        held = issue.fields.get(number, "")
        if wanted == "*":
            return bool(held)
        return held.lower() == wanted.lower() and self.server.visible(issue.created_on)

    def _paged(self, query: Mapping[str, str], found: list[Issue]) -> web.StreamResponse:
        by = {"updated_on,id": lambda one: (stamp(one.updated_on), one.id), "id:desc": lambda one: -one.id}
        found.sort(key=by.get(query.get("sort", "id"), lambda one: one.id))
        total, found = len(found), self.server.ordered(found)
        offset = int(query.get("offset", 0))
        limit = min(int(query.get("limit", 25)), self.server.page or 100, 100)
        page = [self._shown(issue) for issue in found[offset : offset + limit]]
        return web.json_response({"issues": page, "total_count": total, "offset": offset, "limit": limit})

    async def _read(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        issue = self.issues.get(int(request.match_info["id"]))
        if issue is None:
            return self.not_found()
        if issue.id in self.hidden or "view_issues" not in self.permissions:
            return self.forbidden(request)
        shown, include = self._shown(issue), request.query.get("include", "").split(",")
        if "journals" in include:
            sees = "view_private_notes" in self.permissions
            shown["journals"] = [one for one in issue.journals if sees or not one["private_notes"]]
        if "allowed_statuses" in include and self.release > 4:
            allowed = [number for number in self.statuses if number == issue.status or number not in self.forbids]
            shown["allowed_statuses"] = [self._status(number) for number in allowed]
        return web.json_response({"issue": shown})

    async def _change(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        issue = self.issues.get(int(request.match_info["id"]))
        if issue is None:
            return self.not_found()
        if issue.id in self.hidden:
            return self.forbidden(request)
        given = (await request.json()).get("issue", {})
        if problems := self._problems(given):
            return web.json_response({"errors": problems}, status=422)
        if "edit_issues" in self.permissions:
            status = int(given.get("status_id", issue.status))
            issue.status = status if status in self.statuses and status not in self.forbids else issue.status
            issue.priority = int(given.get("priority_id", issue.priority))
            self._fill(issue, given)
        for upload in given.get("uploads", []):
            issue.files[upload["filename"]] = self.uploads.pop(upload["token"])
        private = bool(given.get("private_notes")) and "set_notes_private" in self.permissions
        self._journal(issue, given.get("notes", ""), "tocsin", private=private)
        return web.Response(status=204)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if request.content_type != "application/octet-stream":
            return web.Response(status=406)
        token = f"{len(self.uploads) + 1}.upload"
        self.uploads[token] = await request.read()
        return web.json_response({"upload": {"id": len(self.uploads), "token": token}}, status=201)

    async def _listed_statuses(self, request: web.Request) -> web.StreamResponse:
        listed = [{**self._status(number), "is_closed": number in CLOSED} for number in self.statuses]
        return self._stranger(request) or web.json_response({"issue_statuses": listed})

    async def _listed_priorities(self, request: web.Request) -> web.StreamResponse:
        listed = [{"id": number, "name": name, "active": True} for number, name in self.priorities.items()]
        return self._stranger(request) or web.json_response({"issue_priorities": listed})

    async def _me(self, request: web.Request) -> web.StreamResponse:
        mine = {"id": 1, "project": {"id": 1, "name": "Operations"}, "roles": [{"id": 6, "name": "Integration"}]}
        user = {"id": 5, "login": "tocsin", "admin": False, "api_key": KEY.decode()}
        if request.query.get("include") == "memberships":
            user["memberships"] = [mine] if self.member else []
        return self._stranger(request) or web.json_response({"user": user})

    async def _role(self, request: web.Request) -> web.StreamResponse:
        role = {"id": 6, "name": "Integration", "issues_visibility": "all", "permissions": sorted(self.permissions)}
        return self._stranger(request) or web.json_response({"role": role})

    async def _project(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if request.match_info["id"] != "operations":
            return self.not_found()
        project: dict[str, Any] = {"id": 1, "identifier": "operations", "name": "Operations", "status": 1}
        if "trackers" in request.query.get("include", ""):
            project["trackers"] = [{"id": number, "name": name} for number, name in self.trackers.items()]
        return web.json_response({"project": project})

    # --- what these are made of --------------------------------------------------------------------------------------

    def _stranger(self, request: web.Request) -> web.StreamResponse | None:
        known = request.headers.get("X-Redmine-API-Key") == KEY.decode()
        return None if known else self.unauthorized(request)

    def _problems(self, given: dict[str, Any]) -> list[str]:
        problems = []
        if len(given.get("subject", "")) > TITLE:
            problems.append("Subject is too long (maximum is 255 characters)")
        if any(len(given.get(key, "")) > TEXT for key in ("description", "notes")):
            problems.append("Description is too long")
        if "\x00" in json.dumps(given, ensure_ascii=False):
            problems.append("string contains null byte")
        if int(given.get("priority_id", 1)) not in self.priorities:
            problems.append("Priority cannot be blank")
        if any(one["id"] == IMPACT and one["value"] not in LEVELS for one in given.get("custom_fields", [])):
            problems.append("Impact is not included in the list")
        return problems

    def _fill(self, issue: Issue, given: dict[str, Any]) -> None:
        """Custom fields that we do not see are dropped in silence."""
        fields = {one["id"]: one["value"] for one in given.get("custom_fields", [])}
        issue.fields |= {number: value for number, value in fields.items() if number in self.visible}

    def _journal(self, issue: Issue, note: str, author: str, *, private: bool = False) -> None:
        now = self.server.clock()
        issue.updated_on = now
        issue.journals.append(
            {
                "id": len(issue.journals) + 1,
                "user": {"id": 5 if author == "tocsin" else 6, "name": author},
                "notes": note,
                "created_on": stamp(now),
                "private_notes": private,
                "details": [],
            }
        )

    def _status(self, number: int) -> dict[str, Any]:
        shown = {"id": number, "name": self.statuses[number]}
        return {**shown, "is_closed": number in CLOSED} if self.release > 4 else shown

    def _shown(self, issue: Issue) -> dict[str, Any]:
        fields = [
            {"id": number, "name": FIELDS[number], "value": issue.fields.get(number)} for number in sorted(self.visible)
        ]
        shown: dict[str, Any] = {
            "id": issue.id,
            "project": {"id": 1, "name": "Operations"},
            "tracker": {"id": issue.tracker, "name": self.trackers.get(issue.tracker, "Bug")},
            "status": self._status(issue.status),
            "priority": {"id": issue.priority, "name": self.priorities[issue.priority]},
            "author": {"id": 5, "name": "tocsin"},
            "subject": issue.subject,
            "description": issue.description,
            "custom_fields": fields,
            "created_on": stamp(issue.created_on),
            "updated_on": stamp(issue.updated_on),
            "closed_on": None,
        }
        return {**shown, "assigned_to": {"id": 6, "name": issue.assignee}} if issue.assignee else shown


def _listing(request: web.Request) -> Does:
    if "updated_on" in request.query:
        return Does.LIST
    return Does.CHECK if request.query.get("limit") == "1" else Does.SEARCH


def _changing(_: web.Request, body: bytes) -> Does:
    return Does.ATTACH if b'"uploads"' in body else Does.CHANGE

"""Redmine 5's REST API, as far as a ticket's client sees it. Sources: redmine.org "Rest Issues", and a real 5.0.4."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from datetime import datetime

KEY = b"0123456789abcdef0123456789abcdef01234567"
STATUSES = {1: "New", 2: "In Progress", 3: "Resolved", 4: "Feedback", 5: "Closed", 6: "Rejected"}
PRIORITIES = {1: "Low", 2: "Normal", 3: "High", 4: "Urgent", 5: "Immediate"}
OURS = {
    "New": "declared",
    "In Progress": "in_progress",
    "Resolved": "repaired",
    "Feedback": "waiting",
    "Closed": "closed",
    "Rejected": "cancelled",
}
FIELD = 3
TITLE, TEXT = 255, 65_535


@dataclass
class Issue:
    id: int
    subject: str
    description: str
    reference: str
    created_on: datetime
    updated_on: datetime
    status: int = 1
    priority: int = 2
    assignee: str = ""
    journals: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


class Redmine(Face):
    KIND = "redmine"
    SECRETS: ClassVar = {"redmine-key": KEY}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.issues: dict[int, Issue] = {}
        self.uploads: dict[str, bytes] = {}
        self.last = 0

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "key_file": "redmine-key", "project": "operations", "reference_field": FIELD}

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/issues.json", self._create, Does.CREATE),
            Route("GET", "/issues.json", self._list, lambda request, _: _listing(request)),
            Route("GET", "/issues/{id}.json", self._read, Does.READ),
            Route("PUT", "/issues/{id}.json", self._change, _changing),
            Route("POST", "/uploads.json", self._upload, Does.ATTACH),
            Route("GET", "/issue_statuses.json", lambda _: self._named("issue_statuses", STATUSES), Does.CHECK),
            Route(
                "GET",
                "/enumerations/issue_priorities.json",
                lambda _: self._named("issue_priorities", PRIORITIES),
                Does.CHECK,
            ),
            Route("GET", "/trackers.json", lambda _: self._named("trackers", {1: "Bug", 2: "Incident"}), Does.CHECK),
            Route("GET", "/users/current.json", self._me, Does.CHECK),
            Route("GET", "/projects/{id}.json", self._project, Does.CHECK),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=str(issue.id),
                reference=issue.reference,
                status=OURS[STATUSES[issue.status]],
                title=issue.subject,
                text=issue.description,
                impact=PRIORITIES[issue.priority],
                notes=[journal["notes"] for journal in issue.journals if journal["notes"]],
                files=dict(issue.files),
            )
            for issue in self.issues.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        issue = self.issues[int(number)]
        if status:
            issue.status = next(key for key, name in STATUSES.items() if OURS[name] == status)
        if priority:
            issue.priority = next(key for key, name in PRIORITIES.items() if name == priority)
        issue.assignee = assignee or issue.assignee
        self._journal(issue, note, "Ines Martin")

    def forget(self, number: str) -> None:
        del self.issues[int(number)]

    def disown(self, number: str, reference: str) -> None:
        self.issues[int(number)].reference = reference

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
        given = (await request.json()).get("issue", {})
        if given.get("project_id") not in ("operations", "1", 1):
            return web.json_response({"errors": ["Project is invalid"]}, status=422)
        problems = self._problems(given)
        if not given.get("subject"):
            problems.append("Subject cannot be blank")
        if problems:
            return web.json_response({"errors": problems}, status=422)
        self.last += 1
        now = self.server.clock()
        fields = {str(one["id"]): one["value"] for one in given.get("custom_fields", [])}
        issue = Issue(
            id=self.last,
            subject=given["subject"],
            description=given.get("description", ""),
            reference=fields.get(str(FIELD), ""),
            created_on=now,
            updated_on=now,
            priority=int(given.get("priority_id", 2)),
        )
        self.issues[issue.id] = issue
        headers = {"Location": f"{self.server.url}/issues/{issue.id}"}
        return web.json_response({"issue": self._shown(issue)}, status=201, headers=headers)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        query = request.query
        found = list(self.issues.values()) if query.get("status_id") == "*" else []
        wanted = query.get(f"cf_{FIELD}")
        if wanted == "*":
            found = [issue for issue in found if issue.reference]
        elif wanted is not None:
            found = [issue for issue in found if issue.reference.lower() == wanted.lower()]
            found = [issue for issue in found if self.server.visible(issue.created_on)]
        if since := query.get("updated_on", "").removeprefix(">="):
            found = [issue for issue in found if stamp(issue.updated_on) >= since]
            found.sort(key=lambda issue: (stamp(issue.updated_on), issue.id))
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
        shown = self._shown(issue)
        if "journals" in request.query.get("include", ""):
            shown["journals"] = issue.journals
        return web.json_response({"issue": shown})

    async def _change(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        issue = self.issues.get(int(request.match_info["id"]))
        if issue is None:
            return self.not_found()
        given = (await request.json()).get("issue", {})
        if problems := self._problems(given):
            return web.json_response({"errors": problems}, status=422)
        issue.status = int(given.get("status_id", issue.status))
        issue.priority = int(given.get("priority_id", issue.priority))
        for upload in given.get("uploads", []):
            issue.files[upload["filename"]] = self.uploads.pop(upload["token"])
        self._journal(issue, given.get("notes", ""), "tocsin")
        return web.Response(status=204)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if request.content_type != "application/octet-stream":
            return web.Response(status=406)
        token = f"{len(self.uploads) + 1}.upload"
        self.uploads[token] = await request.read()
        return web.json_response({"upload": {"id": len(self.uploads), "token": token}}, status=201)

    async def _named(self, key: str, names: dict[int, str]) -> web.StreamResponse:
        return web.json_response({key: [{"id": number, "name": name} for number, name in names.items()]})

    async def _me(self, request: web.Request) -> web.StreamResponse:
        return self._stranger(request) or web.json_response({"user": {"id": 5, "login": "tocsin"}})

    async def _project(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        if request.match_info["id"] != "operations":
            return self.not_found()
        return web.json_response({"project": {"id": 1, "identifier": "operations", "name": "Operations"}})

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
        return problems

    def _journal(self, issue: Issue, note: str, author: str) -> None:
        now = self.server.clock()
        issue.updated_on = now
        issue.journals.append(
            {
                "id": len(issue.journals) + 1,
                "user": {"id": 5 if author == "tocsin" else 6, "name": author},
                "notes": note,
                "created_on": stamp(now),
                "details": [],
            }
        )

    def _shown(self, issue: Issue) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": issue.id,
            "project": {"id": 1, "name": "Operations"},
            "tracker": {"id": 2, "name": "Incident"},
            "status": {"id": issue.status, "name": STATUSES[issue.status]},
            "priority": {"id": issue.priority, "name": PRIORITIES[issue.priority]},
            "author": {"id": 5, "name": "tocsin"},
            "subject": issue.subject,
            "description": issue.description,
            "custom_fields": [{"id": FIELD, "name": "tocsin", "value": issue.reference}],
            "created_on": stamp(issue.created_on),
            "updated_on": stamp(issue.updated_on),
            "closed_on": None,
        }
        return {**shown, "assigned_to": {"id": 6, "name": issue.assignee}} if issue.assignee else shown


def _listing(request: web.Request) -> Does:
    return Does.LIST if "updated_on" in request.query else Does.SEARCH


def _changing(_: web.Request, body: bytes) -> Does:
    return Does.ATTACH if b'"uploads"' in body else Does.CHANGE

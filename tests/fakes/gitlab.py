"""GitLab's REST API for issues, as far as a ticket's client sees it.

Sources: docs.gitlab.com ("Issues API", "Notes API", "Project Markdown uploads API", "Projects API", "REST API" on
pagination and status codes, "Rate limits", "Quick actions", "Webhook events"), and GitLab's public source for what its
search of words does.
"""

from __future__ import annotations

import email
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import RETRY_AFTER, Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

TOKEN = b"glpat-0123456789abcdefghij"
HOOK_TOKEN = "gitlab-hook-token"
PROJECT = "operations/incidents"
API = "/api/v4/projects/{project}"
TITLE, TEXT = 255, 1_048_576
STATES = {
    "status::in progress": "in_progress",
    "status::waiting": "waiting",
    "status::frozen": "frozen",
    "status::repaired": "repaired",
}


@dataclass
class Issue:
    iid: int
    title: str
    description: str
    created_at: datetime
    updated_at: datetime
    labels: list[str] = field(default_factory=list)
    state: str = "opened"
    kind: str = "issue"
    confidential: bool = False
    assignee: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def words(markdown: str) -> str:
    """What a fenced block shows, and what stands around it."""
    return "\n".join(line for line in markdown.split("\n") if not line.startswith("```"))


def commands(markdown: str) -> list[str]:
    """The quick actions in a text: lines that begin with a slash, outside of fenced blocks."""
    fence, found = "", []
    for line in markdown.split("\n"):
        run = re.match(r"`{3,}", line)
        if run and not fence:
            fence = run[0]
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence and re.match(r"/[a-z]", line):
            found.append(line)
    return found


class GitLab(Face):
    KIND = "gitlab"
    SECRETS: ClassVar = {"gitlab-token": TOKEN}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.issues: dict[int, Issue] = {}
        self.uploads: dict[str, bytes] = {}
        self.level = 20  # Reporter
        self.scoped = False  # scoped labels are single by themselves
        self.there = True
        self.expires = "2027-11-01"
        self.last = 0

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "token_file": "gitlab-token", "project": PROJECT}

    def routes(self) -> list[Route]:
        issue = f"{API}/issues/{{iid:\\d+}}"
        return [
            Route(method, path, self._known(handler), does)
            for method, path, handler, does in (
                ("POST", f"{API}/issues", self._create, Does.CREATE),
                ("GET", f"{API}/issues", self._list, _listing),
                ("GET", issue, self._read, Does.READ),
                ("PUT", issue, self._edit, Does.CHANGE),
                ("GET", f"{issue}/notes", self._notes, Does.READ),
                ("POST", f"{issue}/notes", self._note, _noting),
                ("POST", f"{API}/uploads", self._upload, Does.ATTACH),
                ("GET", API, self._project, Does.CHECK),
                ("GET", "/api/v4/user", self._user, Does.CHECK),
                ("GET", "/api/v4/personal_access_tokens/self", self._token, Does.CHECK),
            )
        ]

    # --- what tests see and do ---------------------------------------------------------------------------------------

    def tickets(self) -> list[Truth]:
        found = []
        for issue in self.issues.values():
            mark = re.search(r"\(tocsin ([^)]*)\)\s*$", issue.description)
            said = [note["body"] for note in issue.notes if not note["system"]]
            links = [match[1] for body in said if (match := re.search(r"\]\((/uploads/[^)]+)\)", body))]
            found.append(
                Truth(
                    number=str(issue.iid),
                    reference=mark[1] if mark else "",
                    status="closed" if issue.state == "closed" else self._status(issue),
                    title=issue.title,
                    text=words(issue.description),
                    impact=next((label for label in issue.labels if label.startswith("impact::")), ""),
                    notes=[words(body) for body in said if "](/uploads/" not in body],
                    files={link.rpartition("/")[2]: self.uploads[link] for link in links},
                )
            )
        return found

    def _status(self, issue: Issue) -> str:
        return next((STATES[label] for label in issue.labels if label in STATES), "declared")

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        issue = self.issues[int(number)]
        if status in ("closed", "cancelled"):
            self._event(issue, "close")
        elif status:
            label = next((label for label, ours in STATES.items() if ours == status), "")
            issue.labels = [one for one in issue.labels if one not in STATES] + ([label] if label else [])
            self._event(issue, "reopen")
        issue.labels += [priority] if priority else []
        issue.assignee = assignee or issue.assignee
        issue.updated_at = self.server.clock()
        if note:
            self._said(issue, note, "Ines Martin")

    def forget(self, number: str) -> None:
        del self.issues[int(number)]

    def disown(self, number: str, reference: str) -> None:
        issue = self.issues[int(number)]
        head, _, _ = issue.description.rpartition("\n\n(tocsin ")
        issue.description = f"{head}\n\n(tocsin {reference})" if reference else head

    def hook(self, number: str) -> tuple[dict[str, str], bytes]:
        issue = self.issues[int(number)]
        said = {
            "object_kind": "issue",
            "event_type": "issue",
            "user": {"id": 6, "name": "Ines Martin", "username": "ines.martin"},
            "project": {"id": 42, "path_with_namespace": PROJECT},
            "object_attributes": {"id": 9000 + issue.iid, "iid": issue.iid, "state": issue.state, "action": "update"},
        }
        headers = {"Content-Type": "application/json", "X-Gitlab-Event": "Issue Hook", "X-Gitlab-Token": HOOK_TOKEN}
        return headers, json.dumps(said).encode()

    # --- how GitLab says no ------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return web.json_response({"message": "404 Not found"}, status=404)

    def refused(self) -> web.StreamResponse:
        return web.json_response({"message": {"title": ["is too long (maximum is 255 characters)"]}}, status=400)

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": f"401 Unauthorized {request.headers.get('PRIVATE-TOKEN')}"}, status=401)

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        said = {"error": "insufficient_scope", "error_description": request.headers.get("PRIVATE-TOKEN")}
        return web.json_response(said, status=403)

    def limited(self) -> web.StreamResponse:
        reset = str(int(self.server.clock().timestamp()) + RETRY_AFTER)
        headers = {"RateLimit-Limit": "60", "RateLimit-Remaining": "0", "RateLimit-Reset": reset}
        return web.Response(status=429, text="Retry later\n", headers=headers)

    def _known(self, handler: Callable[[web.Request], Any]) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.headers.get("PRIVATE-TOKEN") != TOKEN.decode():
                return self.unauthorized(request)
            project = request.match_info.get("project")
            if project is not None and (project not in (PROJECT, "42") or not self.there):
                return web.json_response({"message": "404 Project Not Found"}, status=404)
            if "iid" in request.match_info and int(request.match_info["iid"]) not in self.issues:
                return self.not_found()
            return await handler(request)

        return answer

    # --- issues ------------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        given = await request.json()
        if "title" not in given:
            return web.json_response({"error": "title is missing"}, status=400)
        if given.get("issue_type", "issue") not in ("issue", "incident", "test_case", "task"):
            return web.json_response({"error": "issue_type does not have a valid value"}, status=400)
        if problem := self._problem(given):
            return problem
        self.last += 1
        now = self.server.clock()
        issue = Issue(self.last, given["title"], given.get("description", ""), now, now)
        issue.kind, issue.confidential = given.get("issue_type", "issue"), given.get("confidential", False)
        self._label(issue, _split(given.get("labels", "")), [])
        self.issues[issue.iid] = issue
        self._obey(issue, issue.description)
        return web.json_response(self._shown(issue), status=201)

    def _problem(self, given: dict[str, Any]) -> web.Response | None:
        problems = {}
        if len(given.get("title", "")) > TITLE:
            problems["title"] = ["is too long (maximum is 255 characters)"]
        if len(given.get("description", "")) > TEXT:
            problems["description"] = ["is too long (maximum is 1048576 characters)"]
        if len(given.get("body", "")) > 1_000_000:
            problems["note"] = ["is too long (maximum is 1000000 characters)"]
        return web.json_response({"message": problems}, status=400) if problems else None

    def _label(self, issue: Issue, add: list[str], remove: list[str]) -> None:
        if self.level < 20:
            return  # without a word
        kept = [label for label in issue.labels if label not in remove]
        for label in add:
            scope = label.rpartition("::")[0]
            if self.scoped and scope:
                kept = [one for one in kept if one.rpartition("::")[0] != scope]
            kept += [label] if label not in kept else []
        issue.labels = sorted(kept)

    def _obey(self, issue: Issue, text: str) -> None:
        if "/close" in commands(text):
            issue.state = "closed"

    def _event(self, issue: Issue, event: str) -> None:
        if (event == "close") != (issue.state == "closed"):
            issue.state = "closed" if event == "close" else "opened"
            self._said(issue, issue.state, "tocsin", system=True)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        found = [issue for issue in self.issues.values() if self.server.visible(issue.created_at)]
        if query.get("state", "all") != "all":
            found = [one for one in found if one.state == query["state"]]
        if labels := _split(query.get("labels", "")):
            found = [one for one in found if set(labels) <= set(one.labels)]
        if since := query.get("updated_after"):
            found = [one for one in found if f"{one.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}" >= since]
        if search := query.get("search", "").lower():
            places = query.get("in", "title,description").split(",")
            texts = {one.iid: " ".join(getattr(one, place) for place in places).lower() for one in found}
            found = [
                one for one in found if any(word.startswith(search) for word in re.findall(r"\w+", texts[one.iid]))
            ]
        by = "updated_at" if query.get("order_by") == "updated_at" else "created_at"
        found.sort(key=lambda one: (getattr(one, by), one.iid), reverse=query.get("sort", "desc") == "desc")
        return self._page(request, [self._shown(one) for one in self.server.ordered(found)])

    def _page(self, request: web.Request, found: list[dict[str, Any]]) -> web.StreamResponse:
        size = min(int(request.query.get("per_page", 20)), self.server.page or 100, 100)
        number = int(request.query.get("page", 1))
        following = str(number + 1) if number * size < len(found) else ""
        headers = {"X-Page": str(number), "X-Per-Page": str(size), "X-Next-Page": following}
        return web.json_response(found[(number - 1) * size : number * size], headers=headers)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._shown(self._issue(request)))

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        issue, given = self._issue(request), await request.json()
        if not given:
            return web.json_response({"error": "title, state_event, … are missing, at least one is needed"}, status=400)
        if given.get("state_event", "close") not in ("close", "reopen"):
            return web.json_response({"error": "state_event does not have a valid value"}, status=400)
        self._label(issue, _split(given.get("add_labels", "")), _split(given.get("remove_labels", "")))
        if "state_event" in given:
            self._event(issue, given["state_event"])
        issue.updated_at = self.server.clock()
        return web.json_response(self._shown(issue))

    def _issue(self, request: web.Request) -> Issue:
        return self.issues[int(request.match_info["iid"])]

    def _shown(self, issue: Issue) -> dict[str, Any]:
        closed = issue.state == "closed"
        return {
            "id": 9000 + issue.iid,
            "iid": issue.iid,
            "project_id": 42,
            "title": issue.title,
            "description": issue.description or None,
            "state": issue.state,
            "created_at": stamp(issue.created_at),
            "updated_at": stamp(issue.updated_at),
            "closed_at": stamp(issue.updated_at) if closed else None,
            "closed_by": {"id": 6, "name": "Ines Martin"} if closed else None,
            "labels": issue.labels,
            "type": issue.kind.upper(),
            "issue_type": issue.kind,
            "confidential": issue.confidential,
            "author": {"id": 5, "username": "tocsin", "name": "tocsin"},
            "assignees": [{"id": 6, "name": issue.assignee}] if issue.assignee else [],
            "assignee": {"id": 6, "name": issue.assignee} if issue.assignee else None,
            "user_notes_count": len([note for note in issue.notes if not note["system"]]),
            "web_url": f"https://gitlab.example.net/{PROJECT}/-/issues/{issue.iid}",
        }

    # --- notes and files -----------------------------------------------------------------------------------------------

    def _said(self, issue: Issue, body: str, author: str, *, system: bool = False) -> dict[str, Any]:
        now = self.server.clock()
        issue.updated_at = now
        note = {
            "id": 300 + len(issue.notes) + 1000 * issue.iid,
            "body": body,
            "author": {"id": 5 if author == "tocsin" else 6, "name": author, "username": author.lower()},
            "created_at": stamp(now),
            "updated_at": stamp(now),
            "system": system,
            "noteable_type": "Issue",
            "noteable_iid": issue.iid,
            "internal": False,
        }
        issue.notes.append(note)
        return note

    async def _note(self, request: web.Request) -> web.StreamResponse:
        issue, given = self._issue(request), await request.json()
        if not given.get("body"):
            return web.json_response({"error": "body is missing"}, status=400)
        if problem := self._problem(given):
            return problem
        self._obey(issue, given["body"])
        note = self._said(issue, given["body"], "tocsin")
        note["internal"] = given.get("internal", False)
        return web.json_response(note, status=201)

    async def _notes(self, request: web.Request) -> web.StreamResponse:
        notes = self._issue(request).notes
        if request.query.get("activity_filter") == "only_comments":
            notes = [note for note in notes if not note["system"]]
        return self._page(request, notes if request.query.get("sort") == "asc" else notes[::-1])

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        kind = request.headers["Content-Type"].encode()
        message = email.message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + await request.read())
        (part,) = message.get_payload()
        if part.get_param("name", header="Content-Disposition") != "file":
            return web.json_response({"error": "file is missing"}, status=400)
        name = part.get_filename()
        url = f"/uploads/{len(self.uploads):032x}/{name}"
        self.uploads[url] = part.get_payload(decode=True)
        return web.json_response({"id": 5, "alt": name, "url": url, "markdown": f"[{name}]({url})"}, status=201)

    # --- who and where -------------------------------------------------------------------------------------------------

    async def _user(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"id": 5, "username": "project_42_bot", "name": "tocsin", "bot": True})

    async def _token(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"id": 1, "scopes": ["api"], "active": True, "expires_at": self.expires})

    async def _project(self, _: web.Request) -> web.StreamResponse:
        access = {"project_access": {"access_level": self.level}, "group_access": None}
        project = {"id": 42, "path_with_namespace": PROJECT, "archived": False, "issues_access_level": "enabled"}
        return web.json_response({**project, "issues_enabled": True, "permissions": access})


def _split(labels: str) -> list[str]:
    return [label.strip() for label in labels.split(",") if label.strip()]


def _listing(request: web.Request, _: bytes) -> Does:
    return Does.LIST if "updated_after" in request.query else Does.SEARCH


def _noting(_: web.Request, body: bytes) -> Does:
    return Does.ATTACH if b"](/uploads/" in body else Does.CHANGE

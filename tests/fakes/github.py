"""GitHub's REST API for issues, as far as a ticket's client sees it.

Sources: docs.github.com ("REST API endpoints for issues", "… for issue comments", "… for labels", "Rate limits for the
REST API", "Using pagination in the REST API", "Webhook events and payloads"); version 2022-11-28.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from aiohttp import web

from fakes.core import RETRY_AFTER, Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

TOKEN = b"github_pat_11ABCDEFG0tocsin"
HOOK_SECRET = b"github-hook-secret"
REPOSITORY = "example/operations"
REPO = f"/repos/{REPOSITORY}"
TITLE, BODY, LABEL = 256, 65_536, 50
STATES = {
    "status: in progress": "in_progress",
    "status: waiting": "waiting",
    "status: frozen": "frozen",
    "status: repaired": "repaired",
}


@dataclass
class Issue:
    number: int
    title: str
    body: str
    created_at: datetime
    updated_at: datetime
    labels: list[str] = field(default_factory=list)
    state: str = "open"
    reason: str | None = None
    assignee: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    pull: bool = False


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def words(markdown: str) -> str:
    """What a fenced block shows, and what stands around it."""
    return "\n".join(line for line in markdown.split("\n") if not line.startswith("```"))


class GitHub(Face):
    KIND = "github"
    SECRETS: ClassVar = {"github-token": TOKEN}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.issues: dict[int, Issue] = {}
        self.gone: set[int] = set()
        self.counted = ""  # what issues say of how many comments they have, whatever there is
        self.unknown: set[int] = set()  # new issues that not all of GitHub's servers know
        self.moved: set[int] = set()
        self.known: dict[str, str] = {"bug": "bug"}  # a repository's labels; case does not count
        self.push = True
        self.has_issues = True
        self.there = True
        self.expires = ""
        self.ghosts: list[str] = []  # labels that somebody removes right after they were told
        self.last = 0

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "token_file": "github-token", "repository": REPOSITORY}

    def routes(self) -> list[Route]:
        issue = f"{REPO}/issues/{{number:\\d+}}"
        return [
            Route(method, path, self._known(handler), does)
            for method, path, handler, does in (
                ("POST", f"{REPO}/issues", self._create, Does.CREATE),
                ("GET", f"{REPO}/issues", self._list, _listing),
                ("GET", issue, self._read, Does.READ),
                ("PATCH", issue, self._edit, Does.CHANGE),
                ("GET", f"{issue}/comments", self._comments, Does.READ),
                ("POST", f"{issue}/comments", self._comment, Does.CHANGE),
                ("GET", f"{issue}/labels", self._labels, Does.READ),
                ("POST", f"{issue}/labels", self._add_labels, Does.CHANGE),
                ("DELETE", f"{issue}/labels/{{label}}", self._remove_label, Does.CHANGE),
                ("GET", REPO, self._repository, Does.CHECK),
                ("GET", "/user", self._user, Does.CHECK),
            )
        ]

    # --- what tests see and do ---------------------------------------------------------------------------------------

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=str(issue.number),
                reference=self._reference(issue),
                status=self._status(issue),
                title=issue.title,
                text=words(issue.body),
                impact=next((label for label in issue.labels if label.startswith("impact: ")), ""),
                notes=[words(comment["body"]) for comment in issue.comments],
            )
            for issue in self.issues.values()
            if not issue.pull
        ]

    def _reference(self, issue: Issue) -> str:
        """On the first line that is nothing but a mark, outside of blocks."""
        lines = "".join(issue.body.replace("\r\n", "\n").split("```")[::2]).split("\n")
        return next((line[8:-1] for line in lines if line.startswith("(tocsin ") and line.endswith(")")), "")

    def _status(self, issue: Issue) -> str:
        if issue.state == "closed":
            return "cancelled" if issue.reason in ("not_planned", "duplicate") else "closed"
        return next((STATES[label] for label in issue.labels if label in STATES), "declared")

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        issue = self.issues[int(number)]
        if status in ("closed", "cancelled"):
            issue.state, issue.reason = "closed", "completed" if status == "closed" else "not_planned"
        elif status:
            label = next((label for label, ours in STATES.items() if ours == status), "")
            issue.labels = [one for one in issue.labels if one not in STATES] + ([label] if label else [])
            issue.state, issue.reason = "open", None
        issue.labels += [priority] if priority else []
        issue.assignee = assignee or issue.assignee
        issue.updated_at = self.server.clock()
        if note:
            self._said(issue, note, "ines-martin")

    def forget(self, number: str) -> None:
        del self.issues[int(number)]
        self.gone.add(int(number))

    def disown(self, number: str, reference: str) -> None:
        issue = self.issues[int(number)]
        head, _, _ = issue.body.rpartition("\n\n(tocsin ")
        issue.body = f"{head}\n\n(tocsin {reference})" if reference else head

    def hook(self, number: str) -> tuple[dict[str, str], bytes]:
        repository = {"id": 1, "full_name": REPOSITORY}
        issue = self._shown(self.issues[int(number)])
        body = json.dumps(
            {"action": "labeled", "issue": issue, "repository": repository, "sender": _user("ines-martin")}
        )
        signature = hmac.new(HOOK_SECRET, body.encode(), hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": "issues", "X-Hub-Signature-256": f"sha256={signature}"}
        return {"Content-Type": "application/json", **headers}, body.encode()

    # --- how GitHub says no ------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return refusal(404, "Not Found")

    def refused(self) -> web.StreamResponse:
        return invalid("title", "custom", "title is too long (maximum is 256 characters)")

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return refusal(401, f"Bad credentials: {request.headers.get('Authorization')}")

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        said = f"Resource not accessible by personal access token {request.headers.get('Authorization')}"
        return refusal(403, said)

    def limited(self) -> web.StreamResponse:
        reset = int(self.server.clock().timestamp()) + RETRY_AFTER
        headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
        return refusal(403, "API rate limit exceeded for user ID 1.", **headers)

    def _known(self, handler: Callable[[web.Request], Any]) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.StreamResponse:
            if "User-Agent" not in request.headers:
                return refusal(403, "Request forbidden by administrative rules.")
            if request.headers.get("Authorization") != f"Bearer {TOKEN.decode()}":
                return self.unauthorized(request)
            if request.headers.get("X-GitHub-Api-Version") not in (None, "2022-11-28"):
                return refusal(400, "Unsupported version")
            if not self.there and request.path != "/user":
                return self.not_found()
            if not self.has_issues and "/issues" in request.path:
                return refusal(410, "Issues has been disabled in this repository.")
            number = int(request.match_info.get("number", 0))
            if number in self.moved:
                url = f"{self.server.url}/repositories/2/issues/1"
                return refusal(301, "Moved Permanently", Location=url)
            if number in self.gone:
                return refusal(410, "This issue was deleted")
            if number and (number not in self.issues or number in self.unknown):
                return self.not_found()
            return await handler(request)

        return answer

    # --- issues ------------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        given = await request.json()
        if problem := self._problem(given):
            return problem
        if not given.get("title"):
            return invalid("title", "missing_field")
        self.last += 1
        now = self.server.clock()
        labels = self._kept(given.get("labels", [])) if self.push else []
        issue = Issue(self.last, given["title"], given.get("body") or "", now, now, labels)
        self.issues[issue.number] = issue
        headers = {"Location": f"{self.server.url}{REPO}/issues/{issue.number}"}
        return web.json_response(self._shown(issue), status=201, headers=headers)

    def _problem(self, given: dict[str, Any]) -> web.Response | None:
        if len(given.get("title", "")) > TITLE:
            return invalid("title", "custom", "title is too long (maximum is 256 characters)")
        if len(given.get("body") or "") > BODY:
            return invalid("body", "custom", "body is too long (maximum is 65536 characters)")
        if any(len(label) > LABEL or not label for label in given.get("labels", [])):
            return invalid("name", "custom", "name is too long (maximum is 50 characters)", resource="Label")
        return None

    def _kept(self, labels: list[str]) -> list[str]:
        """The labels as the repository has them: one that differs by case only is the same."""
        return list(dict.fromkeys(self.known.setdefault(label.lower(), label) for label in labels))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        wanted = [label.lower() for label in query.get("labels", "").split(",") if label]
        found = [issue for issue in self.issues.values() if self.server.visible(issue.created_at)]
        found = [one for one in found if set(wanted) <= {label.lower() for label in one.labels}]
        if query.get("state", "open") != "all":
            found = [one for one in found if one.state == query.get("state", "open")]
        if since := query.get("since"):
            found = [one for one in found if stamp(one.updated_at) >= since]
        by_update = query.get("sort") == "updated"
        found.sort(key=lambda one: (stamp(one.updated_at if by_update else one.created_at), one.number))
        found = self.server.ordered(found if query.get("direction") == "asc" else found[::-1])
        return self._page(request, [self._shown(one) for one in found])

    def _page(self, request: web.Request, found: list[dict[str, Any]]) -> web.StreamResponse:
        size = min(int(request.query.get("per_page", 30)), self.server.page or 100, 100)
        number = int(request.query.get("page", 1))
        headers = {}
        if number * size < len(found):
            following = urlencode({**request.query, "page": number + 1})
            headers["Link"] = f'<{self.server.url}{request.path}?{following}>; rel="next"'
        return web.json_response(found[(number - 1) * size : number * size], headers=headers)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._shown(self._issue(request)))

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        issue, given = self._issue(request), await request.json()
        if given.get("state", "open") not in ("open", "closed"):
            return invalid("state", "invalid")
        if given.get("state_reason") not in (None, "completed", "not_planned", "duplicate", "reopened"):
            return invalid("state_reason", "invalid")
        if "state" in given and given["state"] != issue.state:
            issue.state = given["state"]
            issue.reason = given.get("state_reason", "completed" if issue.state == "closed" else "reopened")
        issue.updated_at = self.server.clock()
        return web.json_response(self._shown(issue))

    def _issue(self, request: web.Request) -> Issue:
        return self.issues[int(request.match_info["number"])]

    def _shown(self, issue: Issue) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": 3_000_000_000 + issue.number,
            "url": f"{self.server.url}{REPO}/issues/{issue.number}",
            "html_url": f"https://github.com/{REPOSITORY}/issues/{issue.number}",
            "number": issue.number,
            "title": issue.title,
            "user": _user("tocsin-bot"),
            "labels": [{"id": 1, "name": label, "color": "ededed"} for label in issue.labels],
            "state": issue.state,
            "state_reason": issue.reason,
            "locked": False,
            "assignee": _user(issue.assignee) if issue.assignee else None,
            "assignees": [_user(issue.assignee)] if issue.assignee else [],
            "comments": self.counted or len(issue.comments),
            "created_at": stamp(issue.created_at),
            "updated_at": stamp(issue.updated_at),
            "closed_at": stamp(issue.updated_at) if issue.state == "closed" else None,
            "closed_by": _user("ines-martin") if issue.state == "closed" else None,
            "body": issue.body or None,
        }
        return {**shown, "pull_request": {"url": "x"}} if issue.pull else shown

    # --- comments and labels -------------------------------------------------------------------------------------------

    def _said(self, issue: Issue, body: str, author: str) -> dict[str, Any]:
        now = self.server.clock()
        issue.updated_at = now
        number = 4_000_000_000 + issue.number * 1000 + len(issue.comments)
        comment = {
            "id": number,
            "user": _user(author),
            "body": body,
            "created_at": stamp(now),
            "updated_at": stamp(now),
        }
        issue.comments.append(comment)
        return comment

    async def _comment(self, request: web.Request) -> web.StreamResponse:
        given = await request.json()
        if not given.get("body"):
            return invalid("body", "missing_field", resource="IssueComment")
        if problem := self._problem({"body": given["body"]}):
            return problem
        return web.json_response(self._said(self._issue(request), given["body"], "tocsin-bot"), status=201)

    async def _comments(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, self._issue(request).comments)

    async def _labels(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, [{"id": 1, "name": label} for label in [*self._issue(request).labels, *self.ghosts]])

    async def _add_labels(self, request: web.Request) -> web.StreamResponse:
        issue, given = self._issue(request), await request.json()
        if problem := self._problem(given):
            return problem
        if self.push:
            issue.labels = list(dict.fromkeys([*issue.labels, *self._kept(given.get("labels", []))]))
            issue.updated_at = self.server.clock()
        return web.json_response([{"id": 1, "name": label} for label in issue.labels])

    async def _remove_label(self, request: web.Request) -> web.StreamResponse:
        issue, label = self._issue(request), request.match_info["label"].lower()
        if label not in [one.lower() for one in issue.labels]:
            return refusal(404, "Label does not exist")
        issue.labels = [one for one in issue.labels if one.lower() != label]
        issue.updated_at = self.server.clock()
        return web.json_response([{"id": 1, "name": one} for one in issue.labels])

    # --- who and where -------------------------------------------------------------------------------------------------

    async def _user(self, _: web.Request) -> web.StreamResponse:
        headers = {"GitHub-Authentication-Token-Expiration": self.expires} if self.expires else {}
        return web.json_response(_user("tocsin-bot"), headers=headers)

    async def _repository(self, _: web.Request) -> web.StreamResponse:
        permissions = {"admin": False, "maintain": False, "push": self.push, "triage": True, "pull": True}
        return web.json_response(
            {
                "id": 1,
                "full_name": REPOSITORY,
                "has_issues": self.has_issues,
                "archived": False,
                "permissions": permissions,
            }
        )


def _user(login: str) -> dict[str, Any]:
    return {"login": login, "id": 1, "type": "User"}


def refusal(status: int, message: str, **headers: str) -> web.Response:
    said = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return web.json_response(said, status=status, headers=headers)


def invalid(name: str, code: str, message: str = "", resource: str = "Issue") -> web.Response:
    error = {"resource": resource, "code": code, "field": name, **({"message": message} if message else {})}
    said = {"message": "Validation Failed", "errors": [error], "documentation_url": "https://docs.github.com/rest"}
    return web.json_response({**said, "status": "422"}, status=422)


def _listing(request: web.Request, _: bytes) -> Does:
    return Does.LIST if request.query.get("sort") == "updated" else Does.SEARCH

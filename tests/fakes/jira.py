"""Jira's REST API as far as a ticket's client sees it: Cloud's version 3, Data Center's version 2, and Service Management.

Sources: developer.atlassian.com ("Issues", "Issue search", "Issue comments", "Issue attachments", "Myself",
"Permissions", "Rate limiting", "Atlassian Document Format", "Customer request"), docs.atlassian.com (Data Center).
"""

from __future__ import annotations

import base64
import email
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from aiohttp import web

from fakes.core import RETRY_AFTER, Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Callable

USER, TOKEN = "tocsin@example.net", b"ATATT3xFfGF0-jira-token"
CLIENT, SECRET = "0123456789abcdef", b"ATOA-jira-client-secret"
HOOK_SECRET = b"jira-hook-secret"
ZONE = ZoneInfo("Europe/Paris")
PROJECT, DESK = "OPS", "4"
ISSUE_TYPES = {"10001": "Incident", "10002": "Task"}
REQUEST_TYPES = {"17": "Report a system problem", "18": "Get help"}
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
IMPACTS = ("Extensive / Widespread", "Significant / Large", "Moderate / Limited", "Minor / Localized")
REFERENCE, ELEMENT, IMPACT = "customfield_10042", "customfield_10050", "customfield_10004"
SCREEN = {
    "project": "Project",
    "issuetype": "Issue Type",
    "summary": "Summary",
    "description": "Description",
    "priority": "Priority",
    "labels": "Labels",
    REFERENCE: "Votre référence",
    ELEMENT: "Élément",
    IMPACT: "Impact",
}
STATUSES = {
    "1": ("To Do", "new"),
    "3": ("In Progress", "indeterminate"),
    "5": ("Pending", "indeterminate"),
    "6": ("Resolved", "done"),
    "7": ("Closed", "done"),
    "8": ("Canceled", "done"),
}
STEPS = {
    "11": ("Start progress", "3"),
    "21": ("Resolve this issue", "6"),
    "31": ("Close issue", "7"),
    "41": ("Cancel", "8"),
    "51": ("Ask the customer", "5"),
    "61": ("Reopen issue", "1"),
}
WORKFLOW = {
    "1": ("11", "21", "31", "41"),
    "3": ("21", "31", "41", "51"),
    "5": ("11", "21", "31"),
    "6": ("31", "61"),
    "7": ("61",),
    "8": ("61",),
}
RESOLUTIONS = {"10000": "Done", "10001": "Won't Do", "10002": "Duplicate"}
OURS = {
    "To Do": "declared",
    "In Progress": "in_progress",
    "Pending": "waiting",
    "Resolved": "repaired",
    "Closed": "closed",
    "Canceled": "cancelled",
}
LONGEST = 32_767
NODES = {"paragraph": {"text", "hardBreak"}, "codeBlock": {"text"}}


@dataclass
class Issue:
    id: str
    key: str
    fields: dict[str, Any]
    status: str
    created: datetime
    updated: datetime
    assignee: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)  # as its history knows them last
    history: list[dict[str, Any]] = field(default_factory=list)


def stamp(at: datetime) -> str:
    local = at.astimezone(ZONE)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03}{local:%z}"


def words(rich: Any) -> str:
    """The text of an ADF document, or of markup."""
    if isinstance(rich, str):
        return rich.removeprefix("{noformat}\n").removesuffix("\n{noformat}")
    lines = [
        ["\n" if one["type"] == "hardBreak" else one["text"] for one in block["content"]] for block in rich["content"]
    ]
    return "\n\n".join("".join(line) for line in lines)


class Jira(Face):
    KIND = "jira"
    SECRETS: ClassVar = {"jira-token": TOKEN, "jira-secret": SECRET}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.issues: dict[str, Issue] = {}
        self.last = 0
        self.statuses, self.steps, self.workflow = dict(STATUSES), dict(STEPS), dict(WORKFLOW)
        self.first = "1"
        self.screen, self.form = dict(SCREEN), dict(SCREEN)
        self.required: set[str] = set()
        self.granted: list[str] = []
        self.lacking: set[str] = set()
        self.quicker: Callable[[Issue], object] = lambda _: None  # what somebody does before a transition arrives
        self.anonymous = False  # the login does not count any more, and is not refused

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "user": USER,
            "token_file": "jira-token",
            "project": PROJECT,
            "issue_type": "Incident",
        }

    def routes(self) -> list[Route]:
        routes = [
            Route("POST", "/oauth/token", self._token, Does.LOGIN),
            Route("GET", "/rest/api/3/search", self._gone, Does.SEARCH),
            Route("GET", "/rest/api/3/search/jql", self._known(self._search_by_token), _searching),
            Route("GET", "/rest/api/2/search", self._known(self._search_by_offset), _searching),
            Route("POST", "/rest/servicedeskapi/request", self._known(self._request), Does.CREATE),
            Route("GET", "/rest/servicedeskapi/servicedesk", self._known(self._desks), Does.CHECK),
            Route("GET", "/rest/servicedeskapi/servicedesk/{desk}/requesttype", self._known(self._types), Does.CHECK),
            Route(
                "GET",
                "/rest/servicedeskapi/servicedesk/{desk}/requesttype/{type}/field",
                self._known(self._form),
                Does.CHECK,
            ),
        ]
        for version in ("2", "3"):
            rest = f"/rest/api/{version}"
            for method, path, handler, does in (
                ("POST", "/issue", self._create, Does.CREATE),
                ("GET", "/issue/createmeta/{project}/issuetypes", self._issue_types, Does.CHECK),
                ("GET", "/issue/createmeta/{project}/issuetypes/{type}", self._create_fields, Does.CHECK),
                ("GET", "/issue/{key}", self._read, Does.READ),
                ("PUT", "/issue/{key}", self._edit, Does.CHANGE),
                ("GET", "/issue/{key}/changelog", self._changelog, Does.READ),
                ("GET", "/issue/{key}/comment", self._comments, Does.READ),
                ("POST", "/issue/{key}/comment", self._comment, Does.CHANGE),
                ("GET", "/issue/{key}/transitions", self._transitions, Does.READ),
                ("POST", "/issue/{key}/transitions", self._transition, Does.CHANGE),
                ("POST", "/issue/{key}/attachments", self._attach, Does.ATTACH),
                ("GET", "/myself", self._myself, Does.CHECK),
                ("GET", "/mypermissions", self._permissions, Does.CHECK),
            ):
                routes.append(Route(method, rest + path, self._known(handler), does))
        return routes

    # --- what tests see and do ---------------------------------------------------------------------------------------

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=issue.key,
                reference=self._reference(issue),
                status=OURS.get(self.statuses[issue.status][0], self.statuses[issue.status][1]),
                title=issue.fields["summary"],
                text=words(issue.fields["description"]),
                impact=issue.fields.get(IMPACT, {}).get("value", "") or issue.fields["priority"]["name"],
                element=issue.fields.get(ELEMENT, ""),
                notes=[words(comment["body"]) for comment in issue.comments],
                files=dict(issue.files),
            )
            for issue in self.issues.values()
        ]

    def _reference(self, issue: Issue) -> str:
        labels = [label for label in issue.fields["labels"] if label.startswith("tocsin-")]
        return issue.fields.get(REFERENCE) or (labels[0].removeprefix("tocsin-") if labels else "")

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        issue = self.issues[number]
        if status:
            issue.status = next(key for key, (name, _) in self.statuses.items() if OURS.get(name) == status)
        if priority:
            issue.fields["priority"] = {"name": priority}
        issue.assignee = assignee or issue.assignee
        issue.updated = self.server.clock()
        if note:
            content = [{"type": "paragraph", "content": [{"type": "text", "text": note}]}]
            self._said(issue, {"type": "doc", "version": 1, "content": content}, "Ines Martin")

    def forget(self, number: str) -> None:
        del self.issues[number]

    def disown(self, number: str, reference: str) -> None:
        fields = self.issues[number].fields
        fields["labels"] = ["tocsin", *([f"tocsin-{reference}"] if reference else [])]
        if REFERENCE in fields:
            fields[REFERENCE] = reference or None

    def hook(self, number: str) -> tuple[dict[str, str], bytes]:
        issue = self.issues[number]
        body = json.dumps(
            {
                "timestamp": int(self.server.clock().timestamp() * 1000),
                "webhookEvent": "jira:issue_updated",
                "issue_event_type_name": "issue_generic",
                "user": {"accountId": "712020:ines", "displayName": "Ines Martin"},
                "issue": self._shown(issue, None),
                "changelog": {"id": "1", "items": [{"field": "status", "fieldId": "status"}]},
            }
        ).encode()
        signature = hmac.new(HOOK_SECRET, body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Hub-Signature": f"sha256={signature}"}, body

    # --- how Jira says no --------------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return refusal(404, "Issue does not exist or you do not have permission to see it.")

    def refused(self) -> web.StreamResponse:
        return refusal(400, summary="Summary can't exceed 255 characters.")

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        text = f"Client must be authenticated to access this resource: {request.headers.get('Authorization')}"
        return web.Response(status=401, text=text, headers={"WWW-Authenticate": "OAuth realm=jira"})

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return refusal(403, f"You do not have permission ({request.headers.get('Authorization')}).")

    def limited(self) -> web.StreamResponse:
        headers = {
            "Retry-After": str(RETRY_AFTER),
            "X-RateLimit-Limit": "100",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{self.server.clock():%Y-%m-%dT%H:%MZ}",
            "RateLimit-Reason": "jira-burst-based",
        }
        return web.json_response({"message": "Rate limit exceeded."}, status=429, headers=headers)

    def _known(self, handler: Callable[[web.Request], Any]) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.StreamResponse:
            if not self._may(request):
                return self.unauthorized(request)
            response = self._to_strangers(request) or await handler(request)
            if request.path.startswith("/rest/api/2/"):
                response.headers["X-AUSERNAME"] = "anonymous" if self.anonymous else "tocsin"
            return response

        return answer

    def _to_strangers(self, request: web.Request) -> web.StreamResponse | None:
        """What Jira Cloud tells those whose login does not count any more: their token has expired."""
        if not self.anonymous or not request.path.startswith("/rest/api/3/"):
            return None
        if request.path.endswith("/search/jql"):
            response: web.StreamResponse = web.json_response({"issues": [], "isLast": True})
        else:
            response = self.not_found()
        response.headers["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
        return response

    def _may(self, request: web.Request) -> bool:
        scheme, _, proof = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            return base64.b64decode(proof) == f"{USER}:{TOKEN.decode()}".encode()
        return scheme == "Bearer" and proof in (TOKEN.decode(), *self.granted[-1:])

    async def _token(self, request: web.Request) -> web.StreamResponse:
        given = await request.post()
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET.decode()}
        if {name: given.get(name) for name in wanted} != wanted:
            return web.json_response({"error": "access_denied", "error_description": "Unauthorized"}, status=401)
        self.granted.append(f"access-{len(self.granted) + 1}")
        return web.json_response({"access_token": self.granted[-1], "expires_in": 3600, "token_type": "Bearer"})

    async def _gone(self, _: web.Request) -> web.StreamResponse:
        return refusal(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")

    # --- issues ------------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        fields = (await request.json()).get("fields", {})
        problems = {}
        if fields.get("project") not in ({"key": PROJECT}, {"id": "10000"}):
            problems["project"] = "valid project is required"
        kind = fields.get("issuetype", {})
        if kind.get("name") not in ISSUE_TYPES.values() and kind.get("id") not in ISSUE_TYPES:
            problems["issuetype"] = "Specify a valid issue type"
        problems |= self._problems(fields, self.screen, adf="/3/" in request.path)
        if not fields.get("summary"):
            problems["summary"] = "You must specify a summary of the issue."
        if problems:
            return refusal(400, **problems)
        issue = self._make(fields)
        answer = {"id": issue.id, "key": issue.key, "self": f"{self.server.url}/rest/api/3/issue/{issue.id}"}
        return web.json_response(answer, status=201)

    def _make(self, fields: dict[str, Any]) -> Issue:
        self.last += 1
        now = self.server.clock()
        kept = {"priority": {"name": "Medium"}, "labels": [], "description": "", **fields}
        kept["labels"] = sorted(set(kept["labels"]))
        issue = Issue(str(10_000 + self.last), f"{PROJECT}-{self.last}", kept, self.first, now, now)
        issue.labels = list(kept["labels"])
        self.issues[issue.key] = issue
        return issue

    def _problems(self, fields: dict[str, Any], screen: dict[str, str], *, adf: bool) -> dict[str, str]:
        problems = {
            name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            for name in fields
            if name not in screen
        }
        summary = fields.get("summary", "")
        if "\n" in summary or "\r" in summary:
            problems["summary"] = "The summary is invalid because it contains newline characters."
        elif len(summary) > 255:
            problems["summary"] = "Summary can't exceed 255 characters."
        if "description" in fields and (problem := _rich_problem(fields["description"], adf=adf)):
            problems["description"] = problem
        for label in fields.get("labels", []):
            if re.search(r"\s", label) or len(label) > 255:
                problems["labels"] = f"The label '{label}' contains spaces which is invalid."
        if "priority" in fields and fields["priority"].get("name") not in PRIORITIES:
            problems["priority"] = f"Priority name '{fields['priority'].get('name')}' is not valid"
        if IMPACT in fields and fields[IMPACT].get("value") not in IMPACTS:
            problems[IMPACT] = f"Option value '{fields[IMPACT].get('value')}' is not valid"
        return problems

    async def _read(self, request: web.Request) -> web.StreamResponse:
        issue = self.issues.get(request.match_info["key"])
        if issue is None:
            return self.not_found()
        shown = self._shown(issue, request.query.get("fields"))
        if request.query.get("expand") == "changelog":
            shown["changelog"] = {"histories": self._history(issue)}
        return web.json_response(shown)

    async def _changelog(self, request: web.Request) -> web.StreamResponse:
        """Cloud's; Data Center has no such address."""
        issue = self.issues.get(request.match_info["key"])
        if issue is None or "/2/" in request.path:
            return self.not_found()
        return self._listed(request, "values", self._history(issue))

    def _history(self, issue: Issue) -> list[dict[str, Any]]:
        """Oldest first; whoever puts labels on an issue, or takes them off, is in it."""
        self.put(issue, *issue.fields["labels"])
        return issue.history

    def put(self, issue: Issue, *labels: str) -> None:
        """Somebody changes the labels."""
        if set(labels) != set(issue.labels):
            change = {"field": "labels", "fieldtype": "jira", "from": "", "to": ""}
            change |= {"fromString": " ".join(issue.labels), "toString": " ".join(sorted(labels))}
            entry = {"id": str(len(issue.history) + 1), "created": stamp(self.server.clock()), "items": [change]}
            issue.history.append(entry)
        issue.labels = issue.fields["labels"] = sorted(labels)

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        issue = self.issues.get(request.match_info["key"])
        if issue is None:
            return self.not_found()
        if self.statuses[issue.status][0] == "Closed":
            return refusal(400, "The issue is no longer editable.")
        fields = (await request.json()).get("fields", {})
        if problems := self._problems(fields, self.screen, adf="/3/" in request.path):
            return refusal(400, **problems)
        issue.fields |= fields
        issue.updated = self.server.clock()
        return web.Response(status=204)

    def _shown(self, issue: Issue, wanted: str | None) -> dict[str, Any]:
        name, category = self.statuses[issue.status]
        fields = {
            **issue.fields,
            "status": _status(issue.status, name, category),
            "assignee": {"accountId": "712020:ines", "displayName": issue.assignee} if issue.assignee else None,
            "created": stamp(issue.created),
            "updated": stamp(issue.updated),
        }
        chosen = fields if wanted in (None, "*all") else {one: fields.get(one) for one in wanted.split(",")}
        return {"expand": "", "id": issue.id, "self": f"{self.server.url}/rest/api/3/issue/{issue.id}", "key": issue.key,
                "fields": chosen}  # fmt: skip

    # --- comments, transitions, files ----------------------------------------------------------------------------------

    def _said(self, issue: Issue, body: Any, author: str) -> dict[str, Any]:
        now = self.server.clock()
        issue.updated = now
        comment = {
            "id": str(20_000 + len(issue.comments) + 1),
            "author": {"accountId": f"712020:{author}", "displayName": author},
            "body": body,
            "created": stamp(now),
            "updated": stamp(now),
        }
        issue.comments.append(comment)
        return comment

    async def _comment(self, request: web.Request) -> web.StreamResponse:
        issue = self.issues.get(request.match_info["key"])
        if issue is None:
            return self.not_found()
        given = await request.json()
        if problem := _rich_problem(given.get("body"), adf="/3/" in request.path):
            return refusal(400, comment=problem)
        comment = self._said(issue, given["body"], "tocsin")
        internal = {"key": "sd.public.comment", "value": {"internal": True}} in given.get("properties", [])
        comment["jsdPublic"] = not internal
        return web.json_response(comment, status=201)

    async def _comments(self, request: web.Request) -> web.StreamResponse:
        issue = self.issues.get(request.match_info["key"])
        if issue is None:
            return self.not_found()
        found = issue.comments[::-1] if request.query.get("orderBy") == "-created" else issue.comments
        most = int(request.query.get("maxResults", 50))
        answer = {"startAt": 0, "maxResults": most, "total": len(found), "comments": found[:most]}
        return web.json_response(answer)

    async def _transitions(self, request: web.Request) -> web.StreamResponse:
        issue = self.issues.get(request.match_info["key"])
        if issue is None:
            return self.not_found()
        expanded = request.query.get("expand") == "transitions.fields"
        shown = []
        for number in self.workflow[issue.status]:
            name, to = self.steps[number]
            one = {"id": number, "name": name, "to": _status(to, *self.statuses[to]), "isAvailable": True}
            if expanded:
                one["fields"] = {"resolution": _resolution()} if self.statuses[to][1] == "done" else {}
            shown.append(one)
        return web.json_response({"expand": "transitions", "transitions": shown})

    async def _transition(self, request: web.Request) -> web.StreamResponse:
        issue = self.issues.get(request.match_info["key"])
        if issue is None:
            return self.not_found()
        given = await request.json()
        self.quicker(issue)
        number = given.get("transition", {}).get("id")
        if number not in self.workflow[issue.status]:
            return refusal(400, "It seems that you have tried to perform a workflow operation that is not valid.")
        to = self.steps[number][1]
        resolution = given.get("fields", {}).get("resolution", {})
        if self.statuses[to][1] == "done" and resolution.get("id") not in RESOLUTIONS:
            return refusal(400, resolution="Resolution is required.")
        issue.status, issue.updated = to, self.server.clock()
        issue.fields["resolution"] = resolution or None
        return web.Response(status=204)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-Atlassian-Token") != "no-check":
            return web.Response(status=403, text="XSRF check failed")
        issue = self.issues.get(request.match_info["key"])
        if issue is None:
            return self.not_found()
        kind = request.headers["Content-Type"].encode()
        message = email.message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + await request.read())
        (part,) = message.get_payload()
        if part.get_param("name", header="Content-Disposition") != "file":
            return refusal(400, "no file")
        issue.files[part.get_filename()] = part.get_payload(decode=True)
        return web.json_response([{"id": "1", "filename": part.get_filename()}])

    # --- searching ---------------------------------------------------------------------------------------------------

    async def _search_by_token(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request.query["jql"])
        if found is None:
            return refusal(400, "Error in the JQL Query.")
        start = int(request.query.get("nextPageToken", "t0")[1:])
        end = start + min(int(request.query.get("maxResults", 50)), self.server.page or 100)
        wanted = request.query.get("fields")
        page = [self._shown(one, wanted) if wanted else {"id": one.id} for one in found[start:end]]
        more = {"nextPageToken": f"t{end}"} if end < len(found) else {"isLast": True}
        return web.json_response({"issues": page, **more})

    async def _search_by_offset(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request.query["jql"])
        if found is None:
            return refusal(400, "Error in the JQL Query.")
        start = int(request.query.get("startAt", 0))
        most = min(int(request.query.get("maxResults", 50)), self.server.page or 1000)
        page = [self._shown(one, request.query.get("fields")) for one in found[start : start + most]]
        answer = {"startAt": start, "maxResults": most, "total": len(found), "issues": page}
        return web.json_response(answer)

    def _found(self, jql: str) -> list[Issue] | None:
        """What a query finds; None for one that this parser, or Jira, does not take."""
        query, _, order = jql.partition(" ORDER BY ")
        found = [] if self.anonymous or "BROWSE_PROJECTS" in self.lacking else list(self.issues.values())
        for clause in query.split(" AND "):
            test = self._clause(clause)
            if test is None:
                return None
            found = [one for one in found if test(one)]
        if not order.startswith("updated"):
            found = [one for one in found if self.server.visible(one.created)]
        found.sort(key=lambda one: one.updated if order.startswith("updated") else one.created)
        return self.server.ordered(found[::-1] if order.endswith(" DESC") else found)

    def _clause(self, clause: str) -> Callable[[Issue], bool] | None:
        if match := re.fullmatch(r'project = "(\w+)"', clause):
            return (lambda _: True) if match[1] in (PROJECT, "10000") else None
        if match := re.fullmatch(r'labels = "([^" ]+)"', clause):
            return lambda one: match[1].lower() in [label.lower() for label in one.fields["labels"]]
        if match := re.fullmatch(r'cf\[10042\] ~ "\\"([^"]+)\\""', clause):
            return lambda one: match[1].lower() in re.findall(r"\w+", (one.fields.get(REFERENCE) or "").lower())
        if clause == "cf[10042] IS NOT EMPTY":
            return lambda one: bool(one.fields.get(REFERENCE))
        if match := re.fullmatch(r'updated >= "(\d{4}-\d\d-\d\d \d\d:\d\d)"', clause):
            since = datetime.strptime(match[1], "%Y-%m-%d %H:%M").replace(tzinfo=ZONE).astimezone(UTC)
            return lambda one: one.updated >= since
        return None

    # --- who, what, how ------------------------------------------------------------------------------------------------

    async def _myself(self, _: web.Request) -> web.StreamResponse:
        me = {"accountId": "712020:tocsin", "displayName": "tocsin", "emailAddress": USER, "timeZone": ZONE.key}
        return web.json_response(me)

    async def _permissions(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("projectKey") != PROJECT and request.query.get("projectId") != "10000":
            return refusal(404, "No project could be found.")
        names = request.query.get("permissions", "").split(",")
        rights = {name: {"key": name, "havePermission": name not in self.lacking} for name in names}
        return web.json_response({"permissions": rights})

    async def _issue_types(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["project"] not in (PROJECT, "10000"):
            return refusal(404, "No project could be found.")
        types = [{"id": number, "name": name} for number, name in ISSUE_TYPES.items()]
        return self._listed(request, "issueTypes", types)

    async def _create_fields(self, request: web.Request) -> web.StreamResponse:
        return self._listed(request, "fields", self._metas(self.screen))

    def _listed(self, request: web.Request, key: str, values: list[dict[str, Any]]) -> web.StreamResponse:
        start, most = int(request.query.get("startAt", 0)), min(int(request.query.get("maxResults", 50)), 50)
        key = key if "/3/" in request.path else "values"
        page = values[start : start + most]
        return web.json_response({"startAt": start, "maxResults": most, "total": len(values), key: page})

    def _metas(self, screen: dict[str, str]) -> list[dict[str, Any]]:
        metas = []
        for name, label in screen.items():
            meta = {"fieldId": name, "key": name, "name": label, "hasDefaultValue": name == "priority"}
            meta["required"] = name in {"project", "issuetype", "summary", *self.required}
            if name in ("priority", IMPACT):
                key, offered = ("name", PRIORITIES) if name == "priority" else ("value", IMPACTS)
                meta["allowedValues"] = [{"id": str(id_), key: one} for id_, one in enumerate(offered, 1)]
            metas.append(meta)
        return metas

    # --- Jira Service Management ---------------------------------------------------------------------------------------

    async def _desks(self, _: web.Request) -> web.StreamResponse:
        desks = [{"id": DESK, "projectId": "10000", "projectKey": PROJECT, "projectName": "Operations"}]
        return web.json_response({"size": 1, "start": 0, "limit": 50, "isLastPage": True, "values": desks})

    async def _types(self, _: web.Request) -> web.StreamResponse:
        types = [{"id": number, "name": name, "serviceDeskId": DESK} for number, name in REQUEST_TYPES.items()]
        return web.json_response({"size": 2, "start": 0, "limit": 50, "isLastPage": True, "values": types})

    async def _form(self, _: web.Request) -> web.StreamResponse:
        fields = [
            {"fieldId": one["fieldId"], "name": one["name"], "required": one["required"], "validValues": []}
            for one in self._metas(self.form)
            if one["fieldId"] not in ("project", "issuetype")
        ]
        return web.json_response({"requestTypeFields": fields, "canRaiseOnBehalfOf": True})

    async def _request(self, request: web.Request) -> web.StreamResponse:
        given = await request.json()
        fields = given.get("requestFieldValues", {})
        problems = self._problems(fields, self.form, adf=given.get("isAdfRequest") is True)
        if given.get("serviceDeskId") != DESK or given.get("requestTypeId") not in REQUEST_TYPES or problems:
            said = "; ".join(problems.values()) or "Your request could not be created."
            return web.json_response({"errorMessage": said, "i18nErrorMessage": {"i18nKey": "sd.error"}}, status=400)
        issue = self._make(fields)
        status = {"status": self.statuses[issue.status][0], "statusDate": {"iso8601": stamp(issue.created)}}
        answer = {"issueId": issue.id, "issueKey": issue.key, "requestTypeId": "17", "currentStatus": status}
        return web.json_response(answer, status=201)


def refusal(status: int, *messages: str, **fields: str) -> web.Response:
    return web.json_response({"errorMessages": list(messages), "errors": fields}, status=status)


def _status(number: str, name: str, category: str) -> dict[str, Any]:
    return {"id": number, "name": name, "statusCategory": {"key": category, "name": category.title()}}


def _resolution() -> dict[str, Any]:
    allowed = [{"id": number, "name": name} for number, name in RESOLUTIONS.items()]
    return {"required": True, "hasDefaultValue": False, "operations": ["set"], "allowedValues": allowed}


def _rich_problem(rich: Any, *, adf: bool) -> str:
    """What is wrong with a text, as this version of the API takes it."""
    if not adf:
        if not isinstance(rich, str):
            return "Operation value must be a string"
        return "CONTENT_LIMIT_EXCEEDED" if len(rich) > LONGEST else ""
    if not isinstance(rich, dict) or (rich.get("type"), rich.get("version")) != ("doc", 1):
        return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    if len(json.dumps(rich, ensure_ascii=False, separators=(",", ":"))) > LONGEST:
        return "CONTENT_LIMIT_EXCEEDED"
    for block in rich["content"]:
        inner = NODES.get(block["type"])
        if inner is None or any(node["type"] not in inner or node.get("text") == "" for node in block["content"]):
            return "INVALID_INPUT"
    return ""


def _searching(request: web.Request, _: bytes) -> Does:
    return Does.LIST if "updated >=" in request.query.get("jql", "") else Does.SEARCH

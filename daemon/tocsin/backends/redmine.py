"""Redmine issues over its REST API.

STATUS: proven against a real Redmine 5 (Debian) and a fake that misbehaves.

Our reference stands in a custom field of the issues (a text that is used as a filter), which is searched exactly and
at once. The impact is the issue's priority. What a workflow forbids is dropped without a word (204), so a status is
read back after it was set. Format: redmine.org, "Rest Issues", "Rest api", "Rest Attachments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from pydantic import Field

from tocsin.backends import Finding, Level, _login, _texts
from tocsin.backends._api import Api, Body, File, as_json
from tocsin.backends._can import Can
from tocsin.backends._choices import Choices
from tocsin.backends._moments import moment
from tocsin.backends._options import Remote
from tocsin.backends._scale import Scale
from tocsin.backends._shape import an_object, at, each, objects, required
from tocsin.backends._system import TicketSystem, Wanted
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Impact, Record, RemoteNote, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Outside

_PAGE = 100
"""The most issues that Redmine gives at once."""
_STATUSES = {
    TicketStatus.DECLARED: "New",
    TicketStatus.IN_PROGRESS: "In Progress",
    TicketStatus.WAITING: "Feedback",
    TicketStatus.REPAIRED: "Resolved",
    TicketStatus.CLOSED: "Closed",
    TicketStatus.CANCELLED: "Rejected",
}
_IMPACTS = {
    Impact.NONE: "Low",
    Impact.BACKUP: "Low",
    Impact.DEGRADED: "Normal",
    Impact.SEVERE: "High",
    Impact.INTERRUPTED: "Urgent",
}


class Options(Remote):
    """What a Redmine backend can be told; README.md in this folder says what each option means."""

    key_file: str
    """File with the API key of the user that tocsin works as."""
    project: str = Field(min_length=1)
    """Identifier of the project, as in its address, or its number."""
    tracker: str = ""
    """Name or number of the tracker; the project's first one unless given."""
    reference_field: int = Field(ge=1)
    """Number of the custom field that holds our reference."""


class Backend(TicketSystem):
    """A Redmine as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {Can.HOOK: "Redmine has no webhooks of its own: it is polled"}
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=60_000, note=60_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = Scale(_STATUSES, otherwise=TicketStatus.IN_PROGRESS).over(options.statuses)
        self.impacts = Scale(_IMPACTS, {"Immediate": Impact.INTERRUPTED}).over(options.impacts)
        self._options = options
        login = _login.token(_login.secret(name, "key_file", options.key_file, outside), "", "X-Redmine-API-Key")
        self._api = Api(options.url, outside, timeout=options.timeout, login=login)
        self._trackers = self._choices("tracker", "trackers.json", "trackers")
        self._states = self._choices("status", "issue_statuses.json", "issue_statuses")
        self._priorities = self._choices("priority", "enumerations/issue_priorities.json", "issue_priorities")

    def _choices(self, what: str, path: str, key: str) -> Choices:
        async def ask() -> dict[str, str]:
            said = await self._api.ask("GET", path)
            return {at(one, "name"): at(one, "id") for one in objects(said, key, self.name)}

        return Choices(what, ask, self._outside.clock)

    async def create(self, body: Snapshot) -> Record:
        """POST /issues.json."""
        written = self.written(body)
        issue: dict[str, Any] = {
            "project_id": self._options.project,
            "subject": written.title,
            "description": written.text,
            "custom_fields": [{"id": self._options.reference_field, "value": body.reference}],
            **await self._id("tracker_id", self._trackers, self._options.tracker),
            **await self._id("priority_id", self._priorities, self.impacts.word(body.impact)),
        }
        said = await self._api.ask("POST", "issues.json", as_json({"issue": issue}))
        return self._record(an_object(said, "issue", self.name))

    async def search(self, reference: str) -> list[Record]:
        """GET /issues.json with the custom field as an exact filter, closed ones included."""
        query = {f"cf_{self._options.reference_field}": reference, "status_id": "*", "sort": "id", "limit": str(_PAGE)}
        said = await self._api.ask("GET", "issues.json", query=query)
        return [self._record(one) for one in objects(said, "issues", self.name)]

    async def read(self, number: str) -> Record | None:
        """GET /issues/ID.json with its journals."""
        if not number.isdecimal():
            return None  # somebody's word, not a number of Redmine's
        said = await self._api.find(f"issues/{number}.json", query={"include": "journals"})
        return None if said is None else self._record(an_object(said, "issue", self.name))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """PUT /issues/ID.json; a status is read back, for a forbidden one is dropped in silence."""
        issue: dict[str, Any] = {"notes": wanted.note} if wanted.note else {}
        if wanted.impact:
            issue |= await self._id("priority_id", self._priorities, self.impacts.word(wanted.impact))
        if wanted.status:
            issue |= await self._id("status_id", self._states, self.statuses.word(wanted.status))
        await self._put(record, issue)
        if "status_id" in issue:
            await self._require_status(record, wanted, issue["status_id"])

    async def attach(self, record: Record, file: File) -> None:
        """Upload, then tie the upload to the issue."""
        content = Body("application/octet-stream", file.content)
        said = await self._api.ask("POST", "uploads.json", content, query={"filename": file.name})
        token = required(said, "upload.token", self.name)
        upload = {"token": token, "filename": file.name, "content_type": file.media_type}
        await self._put(record, {"uploads": [upload]})

    async def changes(self, since: datetime) -> list[Record]:
        """Page through what was updated since, until a page brings nothing new; pages may shift meanwhile."""
        found: dict[str, Record] = {}
        query = {
            "project_id": self._options.project,
            "status_id": "*",
            "updated_on": f">={since:%Y-%m-%dT%H:%M:%SZ}",
            f"cf_{self._options.reference_field}": "*",
            "sort": "updated_on,id",
            "limit": str(_PAGE),
        }
        offset = 0
        while True:
            said = await self._api.ask("GET", "issues.json", query={**query, "offset": str(offset)})
            page = [self._record(one) for one in objects(said, "issues", self.name)]
            found.update({record.number: record for record in page})
            offset += len(page)
            if not page or offset >= int(required(said, "total_count", self.name)):
                return list(found.values())

    async def check(self) -> list[Finding]:
        """Who we are, and whether project, tracker, statuses, priorities and the custom field exist."""
        said = await self._api.ask("GET", "users/current.json")
        user = required(said, "user.login", self.name)
        findings = [Finding(level=Level.FINE, what="key_file", told=f"works as {user!r}")]
        project = await self._api.find(f"projects/{quote(self._options.project, safe='')}.json")
        level, there = (Level.FINE, "is there") if project else (Level.ERROR, "is not there, or not to be seen")
        findings.append(Finding(level=level, what="project", told=f"project {self._options.project!r} {there}"))
        if self._options.tracker:
            findings += await self._trackers.findings([self._options.tracker], "tracker")
        findings += await self._states.findings(self.statuses.words, "statuses")
        findings += await self._priorities.findings(self.impacts.words, "impacts")
        return findings

    async def _id(self, field: str, choices: Choices, name: str | None) -> dict[str, str]:
        """The field with the number that goes with the name; nothing when Redmine has no such name."""
        number = await choices.id(name) if name else None
        return {field: number} if number else {}

    async def _put(self, record: Record, issue: dict[str, Any]) -> None:
        path = f"issues/{quote(record.number, safe='')}.json"
        await self._api.answer("PUT", path, as_json({"issue": issue}))

    async def _require_status(self, record: Record, wanted: Wanted, number: str) -> None:
        said = await self._api.find(f"issues/{quote(record.number, safe='')}.json")
        if required(said, "issue.status.id", self.name) != number:
            why = f"issue {record.number} of {self.name} did not become {wanted.status}: its workflow forbids it to us"
            raise DeliveryError(Reason.REFUSED, f"{why}; allow the step for tocsin's role", retry=False)

    def _record(self, issue: Mapping[str, Any]) -> Record:
        number, state, priority = required(issue, "id", self.name), at(issue, "status.name"), at(issue, "priority.name")
        fields = {at(one, "id"): at(one, "value") for one in each(issue, "custom_fields")}
        return Record(
            number=number,
            reference=fields.get(str(self._options.reference_field), ""),
            url=f"{self._options.url}/issues/{number}",
            status=self.statuses.ours(state) or TicketStatus.IN_PROGRESS,
            state=state,
            impact=self.impacts.ours(priority),
            priority=priority,
            assignee=at(issue, "assigned_to.name"),
            changed_at=moment(issue.get("updated_on")),
            notes=tuple(
                RemoteNote(
                    id=at(one, "id"),
                    actor=at(one, "user.name"),
                    text=at(one, "notes"),
                    at=moment(one.get("created_on")),
                )
                for one in each(issue, "journals")
                if at(one, "notes")
            ),
        )

"""GitLab issues and incidents over GitLab's REST API.

STATUS: proven against a fake that misbehaves, modelled on the public documentation; not on GitLab itself.

Our reference stands at the end of the issue's description, as `(tocsin REFERENCE)`; GitLab finds words of descriptions
in its database at once, and what it finds is compared exactly here; as it may work on a create for a minute, one that
is in doubt and not found is not made again before. All our issues have one label, by which they are followed. The
impact is a label, and so are the statuses between open and closed; where GitLab knows scoped labels, it keeps each of
them single by itself. Closing closes; GitLab keeps no reason for it, so nothing there is cancelled. What the texts say
is never read as Markdown, nor as quick actions such as `/close`. GitLab drops labels without a word where the account's
role may not set them.

The account (a project access token does best) needs the role Reporter and the scope `api`. Documentation:
docs.gitlab.com, "Issues API", "Notes API", "Project Markdown uploads API", "Webhook events".
"""

from __future__ import annotations

from datetime import UTC, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, field_validator

from tocsin.backends import Finding, Level, _login, _texts
from tocsin.backends._api import Api, File, as_json, as_multipart
from tocsin.backends._forge import (
    fenced,
    graded,
    impact_of,
    labelled,
    marked,
    names,
    open_status,
    reference_in,
    status_words,
    unreferring,
)
from tocsin.backends._heard import message
from tocsin.backends._http import LONGEST_AFTER, decoded, excerpt, refusal
from tocsin.backends._moments import moment
from tocsin.backends._options import Address, Remote
from tocsin.backends._scale import Scale
from tocsin.backends._shape import an_object, at, objects, required
from tocsin.backends._system import TicketSystem, Wanted
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Impact, Record, RemoteNote, Snapshot, TicketStatus
from tocsin.standing import ENDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._http import Answer, Request
    from tocsin.model import Payload

_PAGE = 20
"""Issues or notes in one answer: so few, for each may hold a million characters."""
_MOST_PAGES = 10_000
_SOON = timedelta(days=30)
"""A token that ends within this time is worth a warning."""
_REPORTER = 20
"""The lowest access level that may set labels."""
_DIGITS = 9
"""Of a level that is believed."""
_STATUSES = Scale(
    {
        TicketStatus.DECLARED: "opened",
        TicketStatus.IN_PROGRESS: "status::in progress",
        TicketStatus.WAITING: "status::waiting",
        TicketStatus.FROZEN: "status::frozen",
        TicketStatus.REPAIRED: "status::repaired",
        TicketStatus.CLOSED: "closed",
        TicketStatus.CANCELLED: "closed",
    }
)
_IMPACTS = Scale({impact: f"impact::{impact}" for impact in Impact})


class Options(Remote):
    """What a GitLab backend can be told; README.md in this folder says what each option means."""

    url: Address = "https://gitlab.com"
    """Address of the GitLab, without `/api/v4`."""
    token_file: str
    """File with a project, group or personal access token with the scope `api`."""
    project: str = Field(min_length=1, coerce_numbers_to_str=True)
    """Number of the project, or its path with the groups it is in, such as `operations/incidents`."""
    issue_type: Literal["issue", "incident"] = "incident"
    """What new tickets are: `incident`, which GitLab lists under Monitor too, or `issue`."""
    confidential: bool = False
    """Whether new tickets are confidential: to be seen from the role Planner on (Reporter before GitLab 17.7)."""
    internal_notes: bool = False
    """Whether notes are internal: to be seen by the same people only."""
    label: str = Field(default="tocsin", pattern=r"^[^,]{1,255}$")
    """Label that all tickets of tocsin have, and are followed by."""
    labels: list[str] = Field(default=[])
    """Further labels of a new ticket."""
    impacts: dict[Impact, str] = Field(default={})
    """Label of each impact: `impact::none`, `impact::backup` … where not given."""
    statuses: dict[TicketStatus, str] = Field(default={})
    """Label of each status between open and closed: `in_progress`, `waiting`, `frozen` and `repaired`, which are
    `status::in progress`, `status::waiting`, `status::frozen` and `status::repaired` where not given."""

    _statuses = field_validator("statuses")(status_words)

    @field_validator("labels", "impacts", "statuses")
    @classmethod
    def _no_commas(cls, labels: Any) -> Any:
        for label in labels.values() if isinstance(labels, dict) else labels:
            if not label or "," in label:
                raise ValueError(f"{label!r} is no label: one has no comma")
        return labels


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """What an answer of GitLab means. Pure. Format: docs.gitlab.com, "REST API", "Rate limits", "Maintenance mode"."""
    error = refusal(answer, request, now)
    if error is None:
        return None
    said = answer.body.decode("utf-8", "replace").casefold()
    shown = f"{request.where}: {answer.status} {excerpt(answer.body, request)!r}"
    if error.reason == Reason.RATE_LIMITED and error.after is None:
        reset = moment(answer.headers.get("RateLimit-Reset", ""))
        error.after = None if reset is None else min(max(reset - now, timedelta(0)), LONGEST_AFTER)
    if answer.status == HTTPStatus.NOT_FOUND and "project not found" in said:
        why = f"{shown}; the project is not there, or the token may not see it: correct `project` or the token"
        return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True)
    if answer.status == HTTPStatus.CONFLICT and "resource lock" in said:
        why = f"{shown}; somebody else changes it right now: it will be tried again"
        return DeliveryError(Reason.UNAVAILABLE, why, retry=True)
    if answer.status == HTTPStatus.FORBIDDEN and "read-only" in said:
        return DeliveryError(Reason.UNAVAILABLE, f"{shown}; it is in maintenance: it will be tried again", retry=True)
    return error


class Backend(TicketSystem):
    """A GitLab project as configured."""

    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=15_000, note=15_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = _STATUSES.over(options.statuses)
        self.impacts = _IMPACTS.over(options.impacts)
        self._options = options
        token = _login.secret(name, "token_file", options.token_file, outside)
        login = _login.token(token, "", "PRIVATE-TOKEN")
        self._api = Api(f"{options.url}/api/v4", outside, timeout=options.timeout, login=login, judge=judge)
        self._project = f"projects/{quote(options.project, safe='')}"

    # --- creating, finding, reading ----------------------------------------------------------------------------------

    async def create(self, body: Snapshot) -> Record:
        """POST issues."""
        written = self.written(body)
        impact = self.impacts.word(body.impact)
        labels = [self._options.label, *self._options.labels, *([impact] if impact else [])]
        issue = {
            "title": unreferring(written.title, self.LIMITS.title),
            "description": marked(written.text, body.reference),
            "labels": ",".join(labels),
            "issue_type": self._options.issue_type,
            **({"confidential": True} if self._options.confidential else {}),
        }
        said = await self._api.ask("POST", f"{self._project}/issues", as_json(issue))
        return self._record(an_object(said, "", self.name))

    async def search(self, reference: str) -> list[Record]:
        """GET issues whose description has the reference as a word; also those that only speak of it."""
        query = {"search": reference, "in": "description", "order_by": "created_at", "sort": "asc"}
        return [one async for page in self._pages(query) for one in page]

    async def changes(self, since: datetime) -> list[Record]:
        """GET issues by our label, newest change first: what changes meanwhile pushes the others to the next page."""
        asked = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        query = {"labels": self._options.label, "updated_after": asked, "order_by": "updated_at", "sort": "desc"}
        found: dict[str, Record] = {}
        async for page in self._pages(query):
            found = {**{one.number: one for one in page}, **found}
        return [one for one in found.values() if one.reference and (one.changed_at is None or one.changed_at >= since)]

    async def read(self, number: str) -> Record | None:
        """GET the issue, then its newest notes."""
        path = self._path(number)
        try:
            issue = an_object(await self._api.ask("GET", path), "", self.name)
        except DeliveryError as error:
            if error.reason != Reason.NOT_FOUND:
                raise
            return None
        return self._record(issue, await self._notes(path))

    async def _pages(self, query: Mapping[str, str]) -> AsyncIterator[list[Record]]:
        query = {"state": "all", "scope": "all", **query, "per_page": str(_PAGE)}
        for number in range(1, _MOST_PAGES):
            asked = {**query, "page": str(number)}
            answer, request = await self._api.answer("GET", f"{self._project}/issues", query=asked)
            issues = objects(decoded(answer, request), "", self.name)
            yield [self._record(one) for one in issues]
            headers = answer.headers
            if not headers.get("X-Next-Page", "").strip() and 'rel="next"' not in headers.get("Link", ""):
                break

    async def _notes(self, path: str) -> tuple[RemoteNote, ...]:
        query = {"sort": "desc", "order_by": "created_at", "per_page": str(_PAGE)}
        query["activity_filter"] = "only_comments"
        notes = [
            RemoteNote(
                id=at(one, "id"),
                actor=at(one, "author.name") or at(one, "author.username"),
                text=at(one, "body"),
                at=moment(one.get("created_at")),
            )
            for one in objects(await self._api.ask("GET", f"{path}/notes", query=query), "", self.name)
            if one.get("system") is not True  # older versions do not know the filter
        ]
        return tuple(reversed(notes))

    def _record(self, issue: Mapping[str, Any], notes: tuple[RemoteNote, ...] = ()) -> Record:
        closed = required(issue, "state", self.name) == "closed"
        labels = names(issue)
        status = TicketStatus.CLOSED if closed else open_status(labels, self.statuses)
        return Record(
            number=required(issue, "iid", self.name),
            reference=reference_in(at(issue, "description")),
            url=at(issue, "web_url"),
            status=status,
            state="closed" if closed else labelled(status, self.statuses) or "opened",
            impact=impact_of(labels, self.impacts),
            priority=graded(labels, self.impacts),
            assignee=at(issue, "assignees.0.name") or at(issue, "assignee.name"),
            changed_at=moment(issue.get("updated_at")),
            actor=at(issue, "closed_by.name") if closed else "",
            notes=notes,
            key=at(issue, "id"),
        )

    def _path(self, number: str) -> str:
        return f"{self._project}/issues/{quote(number, safe='')}"

    # --- changing ----------------------------------------------------------------------------------------------------

    async def change(self, record: Record, wanted: Wanted) -> None:
        """POST the note, then PUT labels and state in one; both are read in the answer, for labels may be dropped."""
        path = self._path(record.number)
        if wanted.note:
            await self._say(path, fenced(wanted.note))
        add, remove = list[str](), list[str]()
        if wanted.impact:
            add += [self.impacts.word(wanted.impact) or ""]
            remove += self.impacts.words
        if wanted.status:
            add += [labelled(wanted.status, self.statuses)]
            remove += [labelled(status, self.statuses) for status in TicketStatus]
        add = [label for label in add if label]
        remove = [label for label in dict.fromkeys(remove) if label and label not in add]
        asked = {"add_labels": ",".join(add), "remove_labels": ",".join(remove), "state_event": _event(record, wanted)}
        asked = {name: value for name, value in asked.items() if value}
        if asked:
            said = await self._api.ask("PUT", path, as_json(asked))
            self._require(an_object(said, "", self.name), add, asked.get("state_event", ""))

    def _require(self, issue: Mapping[str, Any], labels: list[str], event: str) -> None:
        stands = {label.casefold() for label in names(issue)}
        lacking = [label for label in labels if label.casefold() not in stands]
        state = {"close": "closed", "reopen": "opened"}.get(event)
        wrong = [f"did not take the label {lacking[0]!r}"] if lacking else []
        wrong += [f"did not become {state}"] if state not in (None, at(issue, "state")) else []
        if wrong:
            why = f"issue {at(issue, 'iid')} of {self.name} {wrong[0]}; give tocsin's account the role Reporter"
            raise DeliveryError(Reason.REFUSED, why, retry=False)

    async def _say(self, path: str, text: str) -> None:
        note = {"body": text, **({"internal": True} if self._options.internal_notes else {})}
        said = await self._api.ask("POST", f"{path}/notes", as_json(note))
        required(said, "id", self.name)

    async def attach(self, record: Record, file: File) -> None:
        """POST uploads, then a note with the link to it."""
        said = await self._api.ask("POST", f"{self._project}/uploads", as_multipart({}, [("file", file)]))
        link = required(said, "markdown", self.name)
        await self._say(self._path(record.number), f"{link}\n\n(tocsin {record.reference})")

    async def check(self) -> list[Finding]:
        """Who we are, until when, and whether the project takes issues and labels from us."""
        user = required(await self._api.ask("GET", "user"), "username", self.name)
        findings = [await self._token(user)]
        try:
            project = an_object(await self._api.ask("GET", self._project), "", self.name)
        except DeliveryError as error:
            if error.reason not in (Reason.MISCONFIGURED, Reason.NOT_FOUND):
                raise
            told = f"project {self._options.project!r} is not there, or the token may not see it"
            return [*findings, Finding(level=Level.ERROR, what="project", told=told)]
        return [*findings, *_project_findings(self._options.project, project)]

    async def _token(self, user: str) -> Finding:
        try:
            said = await self._api.find("personal_access_tokens/self")
        except DeliveryError:
            said = None  # other tokens than access tokens have no such page
        ends = moment(at(said, "expires_at"))
        if ends is not None and ends - self._outside.clock() < _SOON:
            told = f"works as {user!r} with a token that ends on {ends:%Y-%m-%d}; put a new one into the file in time"
            return Finding(level=Level.WARNING, what="token_file", told=told)
        return Finding(level=Level.FINE, what="token_file", told=f"works as {user!r}")


def _event(record: Record, wanted: Wanted) -> str:
    """What happens to the state; empty when it stands as it shall."""
    if wanted.status is None or (wanted.status in ENDED) == (record.status in ENDED):
        return ""
    return "close" if wanted.status in ENDED else "reopen"


def _project_findings(name: str, project: Mapping[str, Any]) -> list[Finding]:
    wrong = []
    if project.get("issues_access_level") == "disabled" or project.get("issues_enabled") is False:
        wrong.append("has issues switched off; switch them on in its settings")
    if project.get("archived") is True:
        wrong.append("is archived and takes nothing any more")
    levels = [at(project, f"permissions.{one}_access.access_level") for one in ("project", "group")]
    known = [int(level) for level in levels if level.isdecimal() and len(level) <= _DIGITS]
    if known and max(known) < _REPORTER:
        wrong.append("lets the account set no labels; give it the role Reporter")
    if wrong:
        return [Finding(level=Level.ERROR, what="project", told=f"project {name!r} {one}") for one in wrong]
    return [Finding(level=Level.FINE, what="project", told=f"project {name!r} takes issues and labels")]


def heard(payload: Payload) -> list[str]:
    """The number of the issue that a webhook is about; none when it is about something else."""
    said = message(payload, "GitLab")
    kind = at(said, "object_kind") or at(said, "event_type")
    if not kind:
        raise PayloadError("no `object_kind`: this is no webhook of GitLab; let it send issue events and comments")
    about = (
        "object_attributes.iid"
        if kind.removeprefix("confidential_") in ("issue", "work_item", "incident")
        else "issue.iid"
    )
    number = at(said, about)
    return [number] if number else []

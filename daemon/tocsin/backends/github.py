"""GitHub issues over GitHub's REST API, on github.com or GitHub Enterprise.

STATUS: proven against a fake that misbehaves, modelled on the public documentation; not on GitHub itself.

Our reference stands at the end of the issue's description, as `(tocsin REFERENCE)`. All our issues have one label; after
a lost answer those that changed since the incident began are listed by it, newest first, which is exact (a label for
each reference would fill the repository's list of labels, and GitHub's search lags); as not all of GitHub's servers know
a new issue at once, one that is in doubt and not found is asked for once more after a minute. The impact is a label, and
so are the statuses between open and closed. Closing means closed as completed; an issue that people close as not planned
or as a duplicate is cancelled. What the texts say is never read as Markdown. GitHub makes labels that it does not know,
and drops labels without a word where the account may not write to the repository: then a ticket is not found again, and
nothing that is in doubt is made until it may.

The account (a user of its own, with a fine-grained token for the one repository) needs: issues, read and write; metadata,
read. Documentation: docs.github.com, "REST API endpoints for issues", "REST API endpoints for labels".
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from pydantic import Field, field_validator
from yarl import URL

from tocsin.backends import Finding, Level, _login, _texts
from tocsin.backends._api import Api, as_json
from tocsin.backends._can import Can
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
    swap,
)
from tocsin.backends._github_answers import NotThereError, judge
from tocsin.backends._github_rights import findings, require_labels
from tocsin.backends._heard import message
from tocsin.backends._http import decoded
from tocsin.backends._minted import not_before
from tocsin.backends._moments import EPOCH, moment
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
    from tocsin.backends._http import Answer
    from tocsin.model import Payload

_PAGE = 20
"""Issues or comments in one answer: so few, for each may hold 65,536 characters."""
_MOST_PAGES = 10_000
_LONGEST = 9
"""Digits of a count that is believed."""
_REMEMBERED = 1000
"""So many numbers of new issues are kept at most."""
_SOON = timedelta(days=30)
"""A token that ends within this time is worth a warning."""
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_STATUSES = Scale(
    {
        TicketStatus.DECLARED: "open",
        TicketStatus.IN_PROGRESS: "status: in progress",
        TicketStatus.WAITING: "status: waiting",
        TicketStatus.FROZEN: "status: frozen",
        TicketStatus.REPAIRED: "status: repaired",
        TicketStatus.CLOSED: "completed",
        TicketStatus.CANCELLED: "not_planned",
    },
    {"duplicate": TicketStatus.CANCELLED},
)
_IMPACTS = Scale({impact: f"impact: {impact}" for impact in Impact})


class Options(Remote):
    """What a GitHub backend can be told; README.md in this folder says what each option means."""

    url: Address = "https://api.github.com"
    """Address of the API: `https://HOST/api/v3` for GitHub Enterprise Server."""
    token_file: str
    """File with the token of the account that tocsin works as: fine-grained or classic."""
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    """Owner and name of the repository, with a slash between."""
    label: str = Field(default="tocsin", pattern=r"^[^,]{1,50}$")
    """Label that all tickets of tocsin have, and are found again among."""
    labels: list[str] = Field(default=[])
    """Further labels of a new ticket."""
    impacts: dict[Impact, str] = Field(default={})
    """Label of each impact: `impact: none`, `impact: backup` … where not given."""
    statuses: dict[TicketStatus, str] = Field(default={})
    """Label of each status between open and closed: `in_progress`, `waiting`, `frozen` and `repaired`, which are
    `status: in progress`, `status: waiting`, `status: frozen` and `status: repaired` where not given."""

    _statuses = field_validator("statuses")(status_words)

    @field_validator("url")
    @classmethod
    def _api(cls, url: str) -> str:
        if URL(url).host in ("github.com", "www.github.com"):
            raise ValueError("give the address of the API: https://api.github.com, or leave it out")
        return url


class Backend(TicketSystem):
    """A GitHub repository as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {
        Can.ATTACH: "GitHub's API takes no files for issues: a text is cut, and tocsin has the whole"
    }
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=256, text=15_000, note=15_000)
    PASSES: ClassVar[frozenset[TicketStatus]] = frozenset({TicketStatus.DECLARED})

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = _STATUSES.over(options.statuses)
        self.impacts = _IMPACTS.over(options.impacts)
        self._options = options
        token = _login.token(_login.secret(name, "token_file", options.token_file, outside))
        self._api = Api(options.url, outside, timeout=options.timeout, login=token, judge=judge, headers=_HEADERS)
        self._repository = f"repos/{options.repository}"
        self._made: dict[str, datetime] = {}

    # --- creating, finding, reading ----------------------------------------------------------------------------------

    async def create(self, body: Snapshot) -> Record:
        """POST issues; the reference counts as kept only with the label that the issue is found again by."""
        written = self.written(body)
        impact = self.impacts.word(body.impact)
        issue = {
            "title": written.title,
            "body": marked(written.text, body.reference),
            "labels": [self._options.label, *self._options.labels, *([impact] if impact else [])],
        }
        said = await self._api.ask("POST", f"{self._repository}/issues", as_json(issue))
        made = self._record(an_object(said, "", self.name))
        if len(self._made) >= _REMEMBERED:
            self._made.clear()
        self._made[made.number] = self._outside.clock()
        return made if self._is_labelled(said) else Record(number=made.number, url=made.url, status=made.status)

    def _is_labelled(self, issue: Any) -> bool:
        return self._options.label.casefold() in (name.casefold() for name in names(issue))

    async def search(self, reference: str) -> list[Record]:
        """GET issues by our label, newest first, back to when this reference was made; one page more than is needed.

        None counts only where labels are kept.
        """
        since = not_before(reference)
        query = {"sort": "created", "direction": "desc", **({"since": _stamp(since)} if since else {})}
        found: dict[str, Record] = {}
        async for page in self._pages(query):
            enough = bool(found)
            found |= {one.number: one for one in page if one.reference == reference}
            if enough:
                break
        if not found:
            repository = await self._api.ask("GET", self._repository)
            require_labels(self._options.repository, an_object(repository, "", self.name))
        return sorted(found.values(), key=lambda one: (len(one.number), one.number))

    async def changes(self, since: datetime) -> list[Record]:
        """GET issues by our label, newest change first: what changes meanwhile pushes the others to the next page."""
        query = {"sort": "updated", "direction": "desc", "since": _stamp(since - timedelta(seconds=1))}
        found: dict[str, Record] = {}
        async for page in self._pages(query):
            found = {**{one.number: one for one in page}, **found}
        return [one for one in found.values() if one.reference and (one.changed_at is None or one.changed_at >= since)]

    async def read(self, number: str) -> Record | None:
        """GET the issue, then its newest comments; one that is not there is gone while its repository is, and it is not new."""
        path = self._path(number)
        try:
            issue = an_object(await self._api.ask("GET", path), "", self.name)
            return self._record(issue, await self._notes(path, at(issue, "comments")))
        except DeliveryError as error:
            if error.reason != Reason.NOT_FOUND:
                raise
            lagging = isinstance(error, NotThereError)
        await self._api.ask("GET", self._repository)
        left = self._made.get(number, EPOCH) + self.settle - self._outside.clock()
        if lagging and left > timedelta(0):
            why = f"{self.name} does not show the new issue {number} everywhere yet: it is asked once more"
            raise DeliveryError(Reason.SETTLING, why, retry=True, after=left, harmless=True)
        return None

    async def _pages(self, query: Mapping[str, str]) -> AsyncIterator[list[Record]]:
        query = {"labels": self._options.label, "state": "all", **query, "per_page": str(_PAGE)}
        for number in range(1, _MOST_PAGES):
            path = f"{self._repository}/issues"
            answer, request = await self._api.answer("GET", path, query={**query, "page": str(number)})
            issues = objects(decoded(answer, request), "", self.name)
            yield [self._record(one) for one in issues if "pull_request" not in one]
            if not _goes_on(answer):
                break

    async def _notes(self, path: str, count: str) -> tuple[RemoteNote, ...]:
        """The newest comments: the last pages as far as the issue's count tells, and on from there."""
        first = int(count) // _PAGE - 1 if count.isdecimal() and len(count) <= _LONGEST else 1
        notes: list[RemoteNote] = []
        for number in range(max(1, first), _MOST_PAGES):
            query = {"per_page": str(_PAGE), "page": str(number)}
            answer, request = await self._api.answer("GET", f"{path}/comments", query=query)
            notes += [
                RemoteNote(
                    id=at(one, "id"),
                    actor=at(one, "user.login"),
                    text=at(one, "body"),
                    at=moment(one.get("created_at")),
                )
                for one in objects(decoded(answer, request), "", self.name)
            ]
            if not _goes_on(answer):
                break
        return tuple(notes)

    def _record(self, issue: Mapping[str, Any], notes: tuple[RemoteNote, ...] = ()) -> Record:
        number, labels = required(issue, "number", self.name), names(issue)
        closed, reason = required(issue, "state", self.name) == "closed", at(issue, "state_reason")
        status = open_status(labels, self.statuses)
        if closed:
            ended = _STATUSES.ours(reason)
            status = ended if ended in ENDED else TicketStatus.CLOSED
        return Record(
            number=number,
            reference=reference_in(at(issue, "body")),
            url=at(issue, "html_url"),
            status=status,
            state=f"closed {reason}".strip() if closed else labelled(status, self.statuses) or "open",
            impact=impact_of(labels, self.impacts),
            priority=graded(labels, self.impacts),
            assignee=at(issue, "assignee.login") or at(issue, "assignees.0.login"),
            changed_at=moment(issue.get("updated_at")),
            actor=at(issue, "closed_by.login") if closed else "",
            notes=notes,
            key=at(issue, "id"),
        )

    def _path(self, number: str) -> str:
        return f"{self._repository}/issues/{quote(number, safe='')}"

    # --- changing ----------------------------------------------------------------------------------------------------

    async def change(self, record: Record, wanted: Wanted) -> None:
        """POST the comment, then POST and DELETE labels one by one, last PATCH the state."""
        path = self._path(record.number)
        if wanted.note:
            said = await self._api.ask("POST", f"{path}/comments", as_json({"body": fenced(wanted.note)}))
            required(said, "id", self.name)
        if wanted.status or wanted.impact:
            await self._label(path, wanted)
        if wanted.status and (wanted.status in ENDED or record.status in ENDED):
            await self._set(path, wanted.status)

    async def _label(self, path: str, wanted: Wanted) -> None:
        """Labels are added and removed by name, so that those that people set meanwhile stay."""
        present = [at(one, "name") for one in await self._labels("GET", path)]
        add, remove = list[str](), list[str]()
        if wanted.impact:
            more, others = swap(self.impacts.word(wanted.impact) or "", self.impacts.words, present)
            add, remove = [*add, *more], [*remove, *others]
        if wanted.status:
            words = [word for word in (labelled(status, self.statuses) for status in TicketStatus) if word]
            more, others = swap(labelled(wanted.status, self.statuses), words, present)
            add, remove = [*add, *more], [*remove, *others]
        if add:
            stand = {at(one, "name").casefold() for one in await self._labels("POST", path, add)}
            if not {one.casefold() for one in add} <= stand:
                why = f"{self.name} did not take the label {add[0]!r}; let tocsin's account write to the repository"
                raise DeliveryError(Reason.REFUSED, why, retry=False)
        for name in remove:
            try:
                await self._api.answer("DELETE", f"{path}/labels/{quote(name, safe='')}")
            except DeliveryError as error:
                if error.reason != Reason.NOT_FOUND:  # somebody was quicker
                    raise

    async def _labels(self, method: str, path: str, add: list[str] | None = None) -> list[dict[str, Any]]:
        body = as_json({"labels": add}) if add else None
        query = None if add else {"per_page": "100"}
        return objects(await self._api.ask(method, f"{path}/labels", body, query=query), "", self.name)

    async def _set(self, path: str, status: TicketStatus) -> None:
        ended = status in ENDED
        body = {"state": "closed", "state_reason": _STATUSES.word(status)} if ended else {"state": "open"}
        said = await self._api.ask("PATCH", path, as_json(body))
        if required(said, "state", self.name) != body["state"]:
            why = f"issue {at(said, 'number')} of {self.name} did not become {body['state']}"
            raise DeliveryError(Reason.REFUSED, f"{why}; check the rights of tocsin's account", retry=False)

    async def check(self) -> list[Finding]:
        """Who we are, whether the repository takes issues, and whether labels are kept."""
        name = self._options.repository
        found = await self._api.find(self._repository)
        if found is None:
            told = f"{name} is not there, or the token may not see it"
            return [Finding(level=Level.ERROR, what="repository", told=told)]
        return [
            await self._who(),
            *findings(name, an_object(found, "", self.name)),
            Finding(level=Level.FINE, what="label", told=f"label {self._options.label!r} can be used"),
        ]

    async def _who(self) -> Finding:
        try:
            answer, request = await self._api.answer("GET", "user")
        except DeliveryError as error:
            if error.reason != Reason.UNAUTHORIZED:
                raise
            return Finding(level=Level.FINE, what="token_file", told="works as an app, which is no user")
        who = at(decoded(answer, request), "login")
        ends = answer.headers.get("GitHub-Authentication-Token-Expiration", "").replace(" UTC", "+00:00")
        at_most = moment(ends)
        if at_most is not None and at_most - self._outside.clock() < _SOON:
            told = f"works as {who!r} with a token that ends on {at_most:%Y-%m-%d}; put a new one into the file in time"
            return Finding(level=Level.WARNING, what="token_file", told=told)
        return Finding(level=Level.FINE, what="token_file", told=f"works as {who!r}")


def heard(payload: Payload) -> list[str]:
    """The number of the issue that a webhook is about; none for the ping and for events about something else."""
    said = message(payload, "GitHub")
    number = at(said, "issue.number")
    if number:
        return [number]
    if at(said, "zen") or any(isinstance(said.get(name), dict) for name in ("repository", "organization")):
        return []
    raise PayloadError("no `issue.number`, and no message of GitHub: let it send `issues` and `issue_comment`")


def _goes_on(answer: Answer) -> bool:
    return 'rel="next"' in answer.headers.get("Link", "")


def _stamp(since: datetime) -> str:
    return f"{since:%Y-%m-%dT%H:%M:%SZ}"

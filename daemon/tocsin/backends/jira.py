"""Jira issues and Jira Service Management requests over Jira's REST API.

STATUS: proven against a fake that misbehaves, modelled on the public documentation; not on Atlassian's own systems.

Our reference is a label (`tocsin-REFERENCE`, beside the label `tocsin` of all our tickets), which JQL compares as a
whole; of several such labels the one counts that the issue's history tells to be the first. An option puts it into a
custom field instead. The search of Jira Cloud lags behind by seconds, at times minutes: after a lost answer nothing is
created again before two minutes have passed. The impact is the priority, or the value of a select list. A status is
reached by the transitions that the workflow offers the account, chosen by the name of the status they lead to or by its
category, over several if need be; closing means category Done. A status that the workflow does not offer is an error
that says what it does offer. What a ticket's texts say is never read as markup.

The account needs the project permissions to browse, create, edit and transition issues, to add comments and to create
attachments; for requests it must be an agent. Documentation: developer.atlassian.com, "Jira Cloud platform REST API",
"Jira Data Center REST API", "Jira Service Management REST API".
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from tocsin.backends import _jira_check, _login, _texts
from tocsin.backends._api import Api, File, as_json, as_multipart
from tocsin.backends._choices import Choices
from tocsin.backends._heard import message
from tocsin.backends._jira_answers import judge
from tocsin.backends._jira_labels import Labels
from tocsin.backends._jira_options import IMPACTS, Options
from tocsin.backends._jira_query import Found, asked_since, phrase
from tocsin.backends._jira_text import document, plain, preformatted
from tocsin.backends._jira_workflow import Place, Step, Workflow, place, screen, steps
from tocsin.backends._moments import moment
from tocsin.backends._question import question
from tocsin.backends._shape import an_object, at, objects, required
from tocsin.backends._system import TicketSystem
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import DeliveryAction, Impact, Record, RemoteNote, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.backends._system import Wanted
    from tocsin.model import Payload

__all__ = ["Backend", "Options", "heard"]

_NOTES = 20
"""The newest notes that are read; a note of ours whose answer was lost is among them."""
_TRANSITIONS = 5
"""The most that are taken to get to one status."""
_SETTLES = {2: timedelta(seconds=30), 3: timedelta(minutes=2)}
"""Data Center's nodes copy their index to each other; Cloud's search says that it is consistent eventually."""


class Backend(TicketSystem):
    """A Jira as configured."""

    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=30_000, note=30_000)
    SETTLE: ClassVar[timedelta] = _SETTLES[3]
    PASSES: ClassVar[frozenset[TicketStatus]] = frozenset({TicketStatus.IN_PROGRESS, TicketStatus.REPAIRED})

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        if options.settle is None:
            self.settle = _SETTLES[options.api]
        self._options = options
        self._workflow = Workflow(options.statuses)
        self.statuses = self._workflow.statuses
        self.impacts = IMPACTS.over(options.impacts)
        self._stands: dict[str, TicketStatus] = {}
        login, headers = self._login(), options.headers
        self._api = Api(options.url, outside, timeout=options.timeout, login=login, judge=judge, headers=headers)
        self._rest = f"rest/api/{options.api}"
        self._found = Found(name, self._api, options.api, options.judged_by)
        self._labels = Labels(self._api, self._found, options.api, options.label)
        self._desks = Choices("service desk of the project", self._all_desks, outside.clock)
        self._types = Choices("request type", self._all_types, outside.clock)

    def _login(self) -> _login.Login:
        options, name, outside = self._options, self.name, self._outside
        if options.client_id:
            given = _login.secret(name, "client_secret_file", options.client_secret_file, outside)
            return _login.ClientCredentials(
                options.token_url, options.client_id, given, outside, allowed=options.timeout, in_body=True
            )
        if options.user:
            return _login.basic(options.user, _login.password(name, "token_file", options.token_file, outside))
        return _login.token(_login.secret(name, "token_file", options.token_file, outside))

    # --- creating ----------------------------------------------------------------------------------------------------

    async def create(self, body: Snapshot) -> Record:
        """POST issue, or POST request; then the ticket is read, for only that tells the status a workflow begins with."""
        written = self.written(body)
        fields = {"summary": written.title, "description": self._rich(written.text), **self._ours(body)}
        if self._options.request_type:
            said = await self._api.ask("POST", "rest/servicedeskapi/request", as_json(await self._request(fields)))
            number = required(said, "issueKey", self.name)
        else:
            fields |= {
                "project": _named("key", self._options.project),
                "issuetype": _named("name", self._options.issue_type),
            }
            said = await self._api.ask("POST", f"{self._rest}/issue", as_json({"fields": fields}))
            number = required(said, "key", self.name)
        record = None
        with contextlib.suppress(DeliveryError):  # it is there, and its number known: that counts
            record = await self._issue(number)
        return record or Record(number=number, reference=body.reference, url=self._browse(number))

    def _ours(self, body: Snapshot) -> dict[str, Any]:
        """What the options say a new ticket carries, and what it is found again by."""
        options, fields = self._options, dict(self._options.fields)
        labels = [*fields.pop("labels", []), options.label]
        if options.reference_field:
            fields[options.reference_field] = body.reference
        else:
            fields["labels"] = [*labels, f"{options.label}-{body.reference}"]
        if options.element_field:
            fields[options.element_field] = body.element.reference
        return fields | self._impact(body.impact)

    def _impact(self, impact: Impact) -> dict[str, Any]:
        name, word = self._options.impact_field, self.impacts.word(impact)
        return {name: {"name" if name == "priority" else "value": word}} if name and word else {}

    async def _request(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        desk, kind = self._options.project, self._options.request_type
        with question():
            ids = await self._desks.id(desk), await self._types.id(kind)
        if ids[0] is None or ids[1] is None:
            why = f"{self.name} has no service desk of project {desk!r} with a request type {kind!r} that we may see"
            raise DeliveryError(
                Reason.MISCONFIGURED, f"{why}; correct the options", retry=True, stops=True, harmless=True
            )
        adf = {"isAdfRequest": True} if self._options.api == 3 else {}  # noqa: PLR2004 - the version of the API
        return {"serviceDeskId": ids[0], "requestTypeId": ids[1], "requestFieldValues": fields, **adf}

    async def _all_desks(self) -> dict[str, str]:
        values = await self._found.values("rest/servicedeskapi/servicedesk")
        return {at(one, "projectKey"): at(one, "id") for one in values}

    async def _all_types(self) -> dict[str, str]:
        desk = await self._desks.id(self._options.project)
        values = await self._found.values(f"rest/servicedeskapi/servicedesk/{desk}/requesttype") if desk else []
        return {at(one, "name"): at(one, "id") for one in values}

    # --- finding and reading -----------------------------------------------------------------------------------------

    async def search(self, reference: str) -> list[Record]:
        """Search by JQL in all projects, for a ticket may have been moved; none counts only where we may see tickets."""
        field = self._options.reference_field
        if field:
            ours = f"cf[{field.removeprefix('customfield_')}] ~ {phrase(phrase(reference))}"
        else:
            ours = f"labels = {phrase(f'{self._options.label}-{reference}')}"
        found = await self._found.issues(f"{ours} ORDER BY created ASC")
        if not found:
            await _jira_check.require_sight(self._api, self.name, self._options)
        return [await self._record(one, reference) for one in found]

    async def read(self, number: str) -> Record | None:
        """GET issue, then its newest comments."""
        return await self._issue(number, notes=True)

    async def changes(self, since: datetime) -> list[Record]:
        """Search by JQL, whose times are whole minutes of the account's own time zone; the rest is compared here."""
        zone = at(await self._api.ask("GET", f"{self._rest}/myself"), "timeZone")
        field, label = self._options.reference_field, self._options.label
        ours = f"cf[{field.removeprefix('customfield_')}] IS NOT EMPTY" if field else f"labels = {phrase(label)}"
        asked = (
            f"project = {phrase(self._options.project)} AND {ours} AND updated >= {phrase(asked_since(since, zone))}"
        )
        # Newest first: what changes meanwhile pushes the others to the next page, and is asked for the next time.
        records = [await self._record(one) for one in await self._found.issues(f"{asked} ORDER BY updated DESC")]
        found = {one.number: one for one in reversed(records)}
        return [one for one in found.values() if one.reference and (one.changed_at is None or one.changed_at >= since)]

    async def _issue(self, number: str, *, notes: bool = False) -> Record | None:
        path = self._path(number)
        try:
            said = await self._api.ask("GET", path, query={"fields": ",".join(self._options.judged_by)})
        except DeliveryError as error:
            if error.reason != Reason.NOT_FOUND:
                raise
            return None
        return await self._record(said, notes=await self._notes(path) if notes else ())

    async def _notes(self, path: str) -> tuple[RemoteNote, ...]:
        query = {"orderBy": "-created", "maxResults": str(_NOTES)}
        said = await self._api.ask("GET", f"{path}/comment", query=query)
        notes = [
            RemoteNote(
                id=at(one, "id"),
                actor=at(one, "author.displayName"),
                text=plain(one.get("body")),
                at=moment(one.get("created")),
            )
            for one in objects(said, "comments", self.name)
        ]
        return tuple(sorted(notes, key=lambda one: (one.at.timestamp() if one.at else 0, one.id)))

    async def _record(
        self, issue: Mapping[str, Any], wanted: str = "", *, notes: tuple[RemoteNote, ...] = ()
    ) -> Record:
        number, fields = required(issue, "key", self.name), an_object(issue, "fields", self.name)
        there = place(an_object(fields, "status", self.name))
        field, impact = self._options.reference_field, _word(fields.get(self._options.impact_field))
        graded = dict.fromkeys(filter(None, (at(fields, "priority.name"), impact)))
        return Record(
            number=number,
            reference=at(fields, field) if field else await self._labels.reference(self._path(number), fields, wanted),
            url=self._browse(number),
            status=self._workflow.reads(there),
            state=there.name,
            impact=self.impacts.ours(impact),
            priority=", ".join(graded),
            assignee=at(fields, "assignee.displayName"),
            changed_at=moment(fields.get("updated")),
            notes=notes,
            key=at(issue, "id"),
        )

    def _path(self, number: str) -> str:
        return f"{self._rest}/issue/{quote(number, safe='')}"

    def _browse(self, number: str) -> str:
        return f"{self._options.browse_url or self._options.url}/browse/{quote(number, safe='')}"

    # --- changing ----------------------------------------------------------------------------------------------------

    def _after(self, record: Record, wanted: Wanted) -> TicketStatus:
        """The status that was read back, for a workflow may lead to another of the same category."""
        known = self._stands.pop(record.number, record.status)
        return known if wanted.status else record.status

    async def change(self, record: Record, wanted: Wanted) -> None:
        """POST comment, PUT the impact, POST transitions; a ticket is opened again first, for a closed one may be locked."""
        reopening = wanted.status is not None and wanted.action == DeliveryAction.REOPEN
        if wanted.status and reopening:
            await self._move(record, wanted.status)
        if wanted.note:
            await self._say(record.number, wanted.note)
        if wanted.impact and self._options.impact_field:
            body = as_json({"fields": self._impact(wanted.impact)})
            await self._api.answer("PUT", self._path(record.number), body)
        if wanted.status and not reopening:
            await self._move(record, wanted.status)

    async def attach(self, record: Record, file: File) -> None:
        """POST attachments."""
        path, body = f"{self._path(record.number)}/attachments", as_multipart({}, [("file", file)])
        await self._api.answer("POST", path, body, headers={"X-Atlassian-Token": "no-check"})

    async def _say(self, number: str, note: str) -> None:
        said: dict[str, Any] = {"body": self._rich(note)}
        if self._options.request_type:
            said["properties"] = [{"key": "sd.public.comment", "value": {"internal": self._options.internal}}]
        said = await self._api.ask("POST", f"{self._path(number)}/comment", as_json(said))
        required(said, "id", self.name)

    def _rich(self, text: str) -> Any:
        return preformatted(text) if self._options.api == 2 else document(text)  # noqa: PLR2004 - the version of the API

    async def _move(self, record: Record, wanted: TicketStatus) -> None:
        """Take transitions until the ticket stands where it shall. Raises DeliveryError when none leads there."""
        path = self._path(record.number)
        here, been, offered = await self._place(path), frozenset[str](), list[Step]()
        for _ in range(_TRANSITIONS):
            if self._workflow.is_exactly(here, wanted):
                break
            said = await self._api.ask("GET", f"{path}/transitions", query={"expand": "transitions.fields"})
            offered = steps(objects(said, "transitions", self.name))
            been |= {here.id}
            step = self._workflow.next(offered, here, wanted, been)
            if step is None:
                break
            here = await self._stepped(path, step, here)
        if not self._workflow.is_at(here, wanted) and self._workflow.must(wanted):
            offers = ", ".join(f"{one.name!r} to {one.to.name!r}" for one in offered) or "no transition at all"
            why = f"ticket {record.number} of {self.name} stands in {here.name!r} and cannot become {wanted}"
            more = f"its workflow offers tocsin {offers}; allow one that leads there, or name its status in `statuses`"
            raise DeliveryError(Reason.REFUSED, f"{why}: {more}", retry=False)
        self._stands[record.number] = self._workflow.reads(here)

    async def _stepped(self, path: str, step: Step, here: Place) -> Place:
        """Take a transition: where the ticket stands then; somebody who was quicker is no reason to give up."""
        fields = screen(step, self._options.closing_fields, self._options.resolution)
        body = {"transition": {"id": step.id}, **({"fields": fields} if fields else {})}
        try:
            await self._api.answer("POST", f"{path}/transitions", as_json(body))
        except DeliveryError as error:
            there = await self._place(path) if error.reason == Reason.REFUSED and not error.retry else here
            if there.id == here.id:
                raise
            return there
        try:
            return await self._place(path)
        except DeliveryError as error:
            if error.retry:
                raise
            return step.to  # it is done, and only not to be seen from there

    async def _place(self, path: str) -> Place:
        said = await self._api.ask("GET", path, query={"fields": "status"})
        return place(an_object(said, "fields.status", self.name))

    async def check(self) -> list[Finding]:
        """Who we are, what we may do in the project, and whether a new ticket can carry what it shall."""
        words = self.impacts.words if self._options.impact_field else ()
        if self._options.request_type:
            desk = await self._desks.findings([self._options.project], "project")
            desk += await self._types.findings([self._options.request_type], "request_type")
            ids = await self._desks.id(self._options.project), await self._types.id(self._options.request_type)
            return [
                *await _jira_check.account(self._api, self.name, self._options),
                *desk,
                *await _jira_check.form(self._api, self.name, self._options, ids, words),
            ]
        return [
            *await _jira_check.account(self._api, self.name, self._options),
            *await _jira_check.creating(self._found, self._options, words),
        ]


def _named(kind: str, word: str) -> dict[str, str]:
    """A project or an issue type, by its number or by what it is called."""
    return {"id": word} if word.isdecimal() else {kind: word}


def _word(chosen: Any) -> str:
    """What a priority, or a value of a select list, is called."""
    return at(chosen, "name") or at(chosen, "value")


def heard(payload: Payload) -> list[str]:
    """The key of the issue that a webhook or a rule of Jira Automation is about; none when it is about something else."""
    said = message(payload, "Jira")
    number = at(said, "issue.key") or (at(said, "key") if "fields" in said else "")
    if number:
        return [number]
    if at(said, "webhookEvent"):
        return []
    raise PayloadError("neither `issue.key` nor `webhookEvent`: this is no webhook of Jira; let it send issue events")

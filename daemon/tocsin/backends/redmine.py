"""Redmine issues over its REST API.

STATUS: proven against a real Redmine 5 (Debian) and a fake that misbehaves.

Our reference stands in a custom field of the issues (Administration, Custom fields: Issues, Text, "Used as a filter",
for the tracker and every project that issues are moved to), which is searched at once. Redmine ignores a filter that
it does not know, and answers with every issue: so every look-up is compared with what it was for.

The impact is the issue's priority, for Redmine computes none, or with `impact_field` a value of a custom field, as
tocsin calls them (`none` to `interrupted`) or as `impacts` says. Statuses and priorities are known by the names that
Redmine is installed with in English, French or German; name others in `statuses` and `impacts`. A status of any other
name is read as closed where Redmine calls it so. Closing sets Closed, opening again In Progress, what works again is
Resolved. What a workflow forbids is dropped without a word (204), so the allowed steps are asked for, and a status
and a priority are read back.

Notes are public unless `private_notes` is true: Redmine makes a private note public without a word where the right is
missing, so the rights are then asked for, and nothing is written without them. The role of tocsin's user needs: view
issues, add issues, edit issues, add notes. Redmine 7 calls back by a webhook of its own, others by the plugin
"redmine_webhook"; without one it is polled. Format: redmine.org, "Rest Issues", "Rest api", "Rest Attachments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from msgspec.structs import replace

from tocsin.backends import Finding, Level, _login, _redmine_check, _redmine_words, _texts
from tocsin.backends._api import Api, Body, File, as_json
from tocsin.backends._carried import carried, ignored
from tocsin.backends._document import reach
from tocsin.backends._http import decoded, is_forbidden
from tocsin.backends._moments import moment
from tocsin.backends._named import heard_object
from tocsin.backends._question import question
from tocsin.backends._redmine_check import ANY_STATUS
from tocsin.backends._redmine_named import Named
from tocsin.backends._redmine_options import Options
from tocsin.backends._redmine_rights import NEEDED, PRIVATE, Rights
from tocsin.backends._scale import Scale
from tocsin.backends._shape import an_object, at, each, objects, required
from tocsin.backends._sight import out_of_sight
from tocsin.backends._sweep import sweep
from tocsin.backends._system import TicketSystem
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Impact, Record, RemoteNote, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._system import Wanted
    from tocsin.model import Payload

__all__ = ["Backend", "Options", "heard"]

_PAGE = 100
"""The most issues that Redmine gives at once."""


class Backend(TicketSystem):
    """A Redmine as configured."""

    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=60_000, note=60_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        words = _redmine_words
        self.statuses = Scale(words.STATUSES, words.further_statuses()).over(options.statuses)
        priorities = Scale(words.PRIORITIES, words.further_priorities())
        self.impacts = (Scale(words.IMPACTS) if options.impact_field else priorities).over(options.impacts)
        self._options = options
        login = _login.token(_login.secret(name, "key_file", options.key_file, outside), "", "X-Redmine-API-Key")
        self._api = Api(options.url, outside, timeout=options.timeout, login=login)
        self._named = Named(self._api, self._required_project, name, outside.clock)
        self._rights = Rights(self._api, self._project, name, outside.clock)
        self._filter = f"cf_{options.reference_field}"

    async def create(self, body: Snapshot) -> Record:
        """POST /issues.json; the answer tells what was kept."""
        written, options = self.written(body), self._options
        with question():
            tracker = await self._named.number("tracker", options.tracker) if options.tracker else ""
            impact = await self._impact(body.impact)
        fields = [_value(options.reference_field, body.reference)]
        if options.element_field:
            fields.append(_value(options.element_field, body.element.reference))
        issue: dict[str, Any] = {
            "project_id": options.project,
            "subject": written.title,
            "description": written.text,
            **impact,
            "custom_fields": [*fields, *impact.get("custom_fields", [])],
            **({"tracker_id": tracker} if tracker else {}),
        }
        try:
            said = await self._api.ask("POST", "issues.json", as_json({"issue": issue}))
        except DeliveryError as error:
            raise await self._meant(error) from None
        made = an_object(said, "issue", self.name)
        record, has = await self._record(made), at(made, "tracker.id")
        if tracker and has != tracker:
            remark = (
                f"its tracker is {at(made, 'tracker.name')!r}: {options.tracker!r} is none of the project's any more"
            )
            record = replace(record, remark=remark)
        return record

    async def search(self, reference: str) -> list[Record]:
        """GET /issues.json with the custom field as a filter, closed ones included, in whatever project they are."""
        query = {self._filter: reference, **ANY_STATUS, "sort": "id", "limit": str(_PAGE)}
        said = await self._api.ask("GET", "issues.json", query=query)
        found = [await self._record(one) for one in objects(said, "issues", self.name)]
        return carried(found, reference, self._ignored())

    async def read(self, number: str) -> Record | None:
        """GET /issues/ID.json with its journals."""
        if not (number.isascii() and number.isdecimal()):
            return None  # somebody's word, not a number of Redmine's
        try:
            return await self._record(await self._issue(number, "journals"))
        except DeliveryError as error:
            if is_forbidden(error):
                raise await self._unseen(number, error) from None
            if error.reason != Reason.NOT_FOUND:
                raise
        return None

    async def change(self, record: Record, wanted: Wanted) -> None:
        """PUT /issues/ID.json, all or nothing but for what Redmine drops in silence: that is asked before and after."""
        issue: dict[str, Any] = {"notes": wanted.note} if wanted.note else {}
        if wanted.note and self._options.private_notes:
            await self._require_private()
            issue["private_notes"] = True
        if wanted.impact:
            issue |= await self._impact(wanted.impact)
        if wanted.status:
            word = self.statuses.word(wanted.status) or ""
            issue["status_id"] = await self._named.number("statuses", word)
            await self._require_step(record, word, issue["status_id"])
        await self._put(record, issue)
        if wanted.status or wanted.impact:
            await self._require(record, wanted, issue)

    async def attach(self, record: Record, file: File) -> None:
        """Upload, then tie the upload to the issue."""
        content = Body("application/octet-stream", file.content)
        said = await self._api.ask("POST", "uploads.json", content, query={"filename": file.name})
        token = required(said, "upload.token", self.name)
        upload = {"token": token, "filename": file.name, "content_type": file.media_type}
        await self._put(record, {"uploads": [upload]})

    async def changes(self, since: datetime) -> list[Record]:
        """GET /issues.json by the time of change, oldest first; one page is all there is, more of them may shift."""
        since = since.replace(microsecond=0)
        records, total = await self._page(since, 0)
        if total != str(len(records)):
            return await sweep(self._changed, since, _PAGE)
        return [one for one in records if one.changed_at is None or one.changed_at >= since]

    async def check(self) -> list[Finding]:
        """Who we are, what we may do, and whether project, tracker, fields, statuses and priorities exist."""
        options, name = self._options, self._options.project
        user = required(await self._api.ask("GET", "users/current.json"), "user.login", self.name)
        findings = [Finding(level=Level.FINE, what="key_file", told=f"works as {user!r}")]
        project = await self._project()
        findings.append(_redmine_check.project(project, name))
        if project is not None:
            needed = {**NEEDED, **(PRIVATE if options.private_notes else {})}
            findings.append(_redmine_check.rights(await self._rights.lacking(needed), name))
            findings += await self._named.findings("tracker", [options.tracker] if options.tracker else [])
            closed = await self._named.found("statuses", self.statuses.word(TicketStatus.CLOSED) or "")
            findings += await _redmine_check.fields(self._api, options, closed)
        findings += await self._named.findings("statuses", self.statuses.words)
        if not options.impact_field:
            findings += await self._named.findings("impacts", self.impacts.words)
        return findings

    # --- what these are made of -------------------------------------------------------------------------------------

    async def _impact(self, impact: Impact) -> dict[str, Any]:
        """The priority or the custom field, as the impact is told."""
        word, field = self.impacts.word(impact) or "", self._options.impact_field
        if field:
            return {"custom_fields": [_value(field, word)]}
        return {"priority_id": await self._named.number("impacts", word)}

    async def _meant(self, error: DeliveryError) -> DeliveryError:
        """Redmine says of a project that we may not use that everything is blank: what is wrong is asked."""
        if error.reason != Reason.REFUSED:
            return error
        try:
            project = await self._project()
            lacking = await self._rights.lacking(NEEDED) if project is not None else None
        except DeliveryError:
            return error
        finding = _redmine_check.project(project, self._options.project)
        if finding.level == Level.FINE and lacking:
            finding = _redmine_check.rights(lacking, self._options.project)
        if finding.level == Level.FINE:
            return error
        return DeliveryError(Reason.MISCONFIGURED, f"{self.name}: {finding.told}", retry=False, stops=True)

    async def _project(self) -> Any | None:
        """The project and its trackers; None when it is not there, or not to be seen."""
        path = f"projects/{quote(self._options.project, safe='')}.json"
        try:
            return await self._api.find(path, query={"include": "trackers"})
        except DeliveryError as error:
            if error.reason != Reason.UNAUTHORIZED:
                raise
        await self._api.ask("GET", "users/current.json")  # raises when it is the key that is not accepted
        return None

    async def _required_project(self) -> Any:
        project = await self._project()
        if project is None:
            raise ignored(f"{self.name}: {_redmine_check.project(None, self._options.project).told}")
        return project

    async def _issue(self, number: str, include: str) -> dict[str, Any]:
        """An issue; without its journals, where they are more than an answer may hold.

        That is not believed the first time: whoever does not see a note of ours writes it again.
        """
        path = f"issues/{quote(number, safe='')}.json"
        for query in ({"include": include}, {"include": include}, {}):
            answer, request = await self._api.answer("GET", path, query=query)
            if not answer.cut:
                break
        return an_object(decoded(answer, request), "issue", self.name)

    async def _put(self, record: Record, issue: dict[str, Any]) -> None:
        path = f"issues/{quote(record.number, safe='')}.json"
        await self._api.answer("PUT", path, as_json({"issue": issue}))

    async def _changed(self, since: datetime, _: int, told: int) -> list[Record]:
        records, _total = await self._page(since, told)
        return records

    async def _page(self, since: datetime, told: int) -> tuple[list[Record], str]:
        """The issues that changed at a moment or later, but for so many, and how many there are."""
        query = {
            **ANY_STATUS,
            "updated_on": f">={since:%Y-%m-%dT%H:%M:%SZ}",
            self._filter: "*",
            "sort": "updated_on,id",
            "limit": str(_PAGE),
            "offset": str(told),
        }
        said = await self._api.ask("GET", "issues.json", query=query)
        found = [await self._record(one) for one in objects(said, "issues", self.name)]
        if any(not one.reference for one in found):
            raise ignored(self._ignored())
        return found, at(said, "total_count")

    def _ignored(self) -> str:
        field = self._options.reference_field
        return f"{self.name} ignores the custom field {field} as a filter; {_redmine_check.correct(field)}"

    async def _unseen(self, number: str, error: DeliveryError) -> DeliveryError:
        """An issue that is forbidden was moved away where others of ours are seen still; else the right is gone."""
        query = {**ANY_STATUS, self._filter: "*", "limit": "1"}
        if each(await self._api.ask("GET", "issues.json", query=query), "issues"):
            return out_of_sight(self.name, number, "grant its role View issues in the other project")
        why = f"{error.detail}; tocsin sees no issue of {self.name} any more, {number} neither: grant View issues"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=True, harmless=True)

    async def _require_private(self) -> None:
        lacking = await self._rights.lacking(PRIVATE)
        if lacking == []:
            return
        missing = f"lacks {' and '.join(lacking)}" if lacking else "is not known"
        why = f"the role of tocsin's user in {self._options.project!r} {missing}: {self.name} would make notes public"
        raise ignored(f"{why}; grant both rights, or set `private_notes: false`")

    async def _require_step(self, record: Record, word: str, number: str) -> None:
        """Ask for the allowed steps before anything is written; releases before 5 do not tell them."""
        issue = await self._issue(record.number, "allowed_statuses")
        allowed = {at(one, "id"): at(one, "name") for one in each(issue, "allowed_statuses")}
        if allowed and number not in allowed:
            stands = f"the workflow does not let tocsin make issue {record.number} of {self.name} {word!r}"
            todo = f"allow the step for its role; from {record.state!r} it may become: {', '.join(allowed.values())}"
            raise DeliveryError(Reason.REFUSED, f"{stands}; {todo}", retry=False)

    async def _require(self, record: Record, wanted: Wanted, issue: Mapping[str, Any]) -> None:
        """What Redmine drops, it drops with 204."""
        after = await self._issue(record.number, "allowed_statuses")
        status = required(after, "status.id", self.name)
        if wanted.status and status != issue["status_id"]:
            why = f"issue {record.number} of {self.name} did not become {wanted.status}: its workflow forbids it to us"
            raise DeliveryError(Reason.REFUSED, f"{why}; allow the step for tocsin's role", retry=False)
        if wanted.impact and (await self._record(after)).impact != self.impacts.settled(wanted.impact):
            why = f"issue {record.number} of {self.name} did not take the impact {wanted.impact}"
            raise DeliveryError(Reason.REFUSED, f"{why}; grant tocsin's role Edit issues, for this field", retry=False)

    async def _record(self, issue: Mapping[str, Any]) -> Record:
        number, state = required(issue, "id", self.name), at(issue, "status.name")
        fields = {at(one, "id"): at(one, "value") for one in each(issue, "custom_fields")}
        options = self._options
        impact = fields.get(str(options.impact_field), "") if options.impact_field else at(issue, "priority.name")
        return Record(
            number=number,
            reference=fields.get(str(options.reference_field), ""),
            url=f"{options.url}/issues/{number}",
            status=self.statuses.ours(state) or await self._status(issue),
            state=state,
            impact=self.impacts.ours(impact),
            priority=impact,
            assignee=at(issue, "assigned_to.name"),
            changed_at=moment(issue.get("updated_on")),
            notes=tuple(_note(one) for one in each(issue, "journals") if at(one, "notes")),
        )

    async def _status(self, issue: Mapping[str, Any]) -> TicketStatus:
        """Of a status that has a name of its own; releases before 5 say with the list of statuses which of them end."""
        closed = reach(issue, "status.is_closed")
        if not isinstance(closed, bool):
            closed = await self._named.is_closed(at(issue, "status.id"))
        return TicketStatus.CLOSED if closed else TicketStatus.IN_PROGRESS


def heard(payload: Payload) -> list[str]:
    """The number of the issue that a webhook is about: of Redmine 7 itself, or of a plugin. Raises PayloadError."""
    said = heard_object(payload)
    number = at(said, "data.issue.id") or at(said, "payload.issue.id")
    if not number:
        raise PayloadError("the webhook names no issue; let Redmine tell of issues only")
    return [number]


def _note(journal: Mapping[str, Any]) -> RemoteNote:
    return RemoteNote(
        id=at(journal, "id"),
        actor=at(journal, "user.name"),
        text=at(journal, "notes"),
        at=moment(journal.get("created_on")),
    )


def _value(field: int, value: str) -> dict[str, Any]:
    return {"id": field, "value": value}

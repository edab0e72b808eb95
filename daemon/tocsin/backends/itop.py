"""iTop tickets over its REST/JSON services.

STATUS: proven against a fake that misbehaves, modelled on the public documentation and source; not on the vendor's system.

Our reference stands in an attribute that is added to the class (a string, named by `reference_field`), and is looked up
exactly. Where there is none it stands as `[tocsin K7F3Q2]` at the end of the title: whoever takes it out of there takes
the ticket from tocsin; another such mark after it does no harm. The ticket's number is its `ref`, such as I-000123.

iTop computes the priority: the impact is its impact and urgency, as `1/1` (a department, critical) for an interrupted
service, `2/2`, `2/3`, `3/3` and `3/4` (a person, low) for none. Notes are log entries; what iTop keeps as HTML is escaped: the
description, and since iTop 3.2 the solution (`rich_solution: false` before).

What works again is resolved, with what happened as the solution; iTop assigns a ticket before it resolves it, to `team`
and `agent` where nobody has it yet. Closing goes on to closed. iTop's own life cycle opens no closed ticket again: with
`closing: resolved` closing ends there, and the ticket can be opened again. A stimulus that iTop does not allow is an
error with its sentence. iTop says `200` to everything; its code 100 is tried again, unless the sentence with it says why not.

The user needs the profile REST Services User, and one that may create and change tickets, also in bulk (Support Agent);
and it must see the organization. Webhooks are actions of iTop 3 whose payload holds `{"ref": "$this->ref$"}`. Format:
iTop's wiki, "REST/JSON services", and the data model of its classes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from tocsin.backends import Finding, Level, _texts
from tocsin.backends._can import Can
from tocsin.backends._grades import graded
from tocsin.backends._itop_options import Options
from tocsin.backends._itop_rest import Rest, named, person, proof, quoted
from tocsin.backends._itop_steps import ASSIGN, PENDING, REOPEN, RESOLVE, steps
from tocsin.backends._moments import moment
from tocsin.backends._named import heard_object
from tocsin.backends._named import named as named_in
from tocsin.backends._question import question
from tocsin.backends._scale import Scale
from tocsin.backends._shape import at, each, required
from tocsin.backends._system import TicketSystem
from tocsin.backends._whole import whole
from tocsin.backends._zones import earliest, local
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import DeliveryAction, Impact, Record, RemoteNote, Snapshot, TicketStatus
from tocsin.standing import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._api import File
    from tocsin.backends._system import Wanted
    from tocsin.model import Payload

__all__ = ["Backend", "Options", "heard"]

_PAGE = 100
_COMMENT = "tocsin"
"""What iTop's history says of each change."""
_FIELDS = ("ref", "title", "status", "impact", "urgency", "priority", "last_update", "agent_id_friendlyname")
_LOGS = ("private_log", "public_log")
_MARKED = re.compile(r"\[tocsin ([^\[\]\s]+)\]")
_RESOLVED = "resolved"
_STATUSES = {
    TicketStatus.DECLARED: "new",
    TicketStatus.IN_PROGRESS: "assigned",
    TicketStatus.WAITING: "pending",
    TicketStatus.FROZEN: "pending",
    TicketStatus.REPAIRED: _RESOLVED,
    TicketStatus.CLOSED: "closed",
}
_ENDING_RESOLVED = {**_STATUSES, TicketStatus.CLOSED: _RESOLVED}
del _ENDING_RESOLVED[TicketStatus.REPAIRED]
_FURTHER = {
    "closed": TicketStatus.CLOSED,
    "approved": TicketStatus.DECLARED,
    "escalated_tto": TicketStatus.DECLARED,
    "escalated_ttr": TicketStatus.IN_PROGRESS,
    "dispatched": TicketStatus.IN_PROGRESS,
    "waiting_for_approval": TicketStatus.WAITING,
    "rejected": TicketStatus.CANCELLED,
}
_IMPACTS = {
    Impact.NONE: "3/4",
    Impact.BACKUP: "3/3",
    Impact.DEGRADED: "2/3",
    Impact.SEVERE: "2/2",
    Impact.INTERRUPTED: "1/1",
}
_FINAL = {Can.REOPEN: "closed is final in iTop's own life cycle; with `closing: resolved` tickets are opened again"}
_NO_REPAIRED = {Can.REPAIRED: "resolved is how tickets end (`closing: resolved`)"}


class Backend(TicketSystem):
    """An iTop as configured."""

    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LACKS: ClassVar[Mapping[Can, str]] = _FINAL
    ASSIGNS: ClassVar[bool] = True
    PASSES: ClassVar[frozenset[TicketStatus]] = frozenset({TicketStatus.IN_PROGRESS, TicketStatus.REPAIRED})
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=12_000, note=12_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        resolved = options.closing == "resolved"
        self.lacks = _NO_REPAIRED if resolved else _FINAL
        statuses = Scale(_ENDING_RESOLVED if resolved else _STATUSES, _FURTHER, otherwise=TicketStatus.IN_PROGRESS)
        self.statuses = statuses.over(options.statuses)
        self.impacts = Scale(_IMPACTS).over(options.impacts)
        self._options = options
        login, given = proof(name, options, outside)
        self._rest = Rest(name, options.url, outside, allowed=options.timeout, login=login, proof=given)

    async def create(self, body: Snapshot) -> Record:
        """core/create with everything in it."""
        options, written = self._options, self.written(body)
        fields: dict[str, Any] = {
            "org_id": named("Organization", options.organization),
            "title": written.title,
            "description": _texts.as_html(written.text),
            **self._level(body.impact),
        }
        if options.caller:
            fields["caller_id"] = person(options.caller)
        if options.service:
            fields["service_id"] = named("Service", options.service)
        if options.reference_field:
            fields[options.reference_field] = body.reference
        else:
            marker = f"[tocsin {body.reference}]"
            title = _MARKED.sub(r"(tocsin \1)", written.title)  # the first mark is ours, whatever people add
            fields["title"] = f"{_texts.cut(title, self.LIMITS.title - len(marker) - 1, '…')} {marker}"
        if options.ci_class:
            with question():
                item = await self._item(body)
            fields |= {"functionalcis_list": [{"functionalci_id": item}]} if item else {}
        return self._record(await self._one("core/create", fields=fields))

    async def search(self, reference: str) -> list[Record]:
        """core/get by the attribute, or by the mark in the title."""
        field = self._options.reference_field
        where = f"{field} = {quoted(reference)}" if field else f"title LIKE {quoted(f'%[tocsin {reference}]%')}"
        records = [self._record(one) for one in await self._get(where)]
        return sorted(records, key=lambda one: (len(one.key), one.key))

    async def read(self, number: str) -> Record | None:
        """core/get by the ref, with the logs."""
        found = await self._get(f"ref = {quoted(number)}", *_LOGS)
        exact = [one for one in found if at(one, "ref") == number]
        return self._record(exact[0]) if exact else None

    async def change(self, record: Record, wanted: Wanted) -> None:
        """The note with the first step, the impact before; each step is a call, and none is made twice."""
        target = self.statuses.word(wanted.status) if wanted.status else None
        way = steps(record.state, target) if target else []
        log = (
            {f"{self._options.log}_log": {"add_item": {"message": wanted.note, "format": "text"}}}
            if wanted.note
            else {}
        )
        if wanted.impact:
            await self._one("core/update", key=record.key, fields={**self._level(wanted.impact), **log})
        elif wanted.note and not way:
            await self._one("core/update", key=record.key, fields=log)
        if way and not wanted.impact:
            await self._step(record, way.pop(0), {**log}, wanted)
        for stimulus in way:
            await self._step(record, stimulus, {}, wanted)

    async def attach(self, record: Record, file: File) -> None:
        """core/create of an Attachment, in the ticket's organization."""
        (ticket,) = await self._get(f"id = {record.key}", "org_id")
        contents = {
            "data": base64.b64encode(file.content).decode(),
            "filename": file.name,
            "mimetype": file.media_type,
        }
        fields = {
            "item_class": self._options.ticket_class,
            "item_id": whole(record.key, self.name),
            "item_org_id": whole(required(ticket, "org_id", self.name), self.name),
            "creation_date": local(self._outside.clock(), self._options.zone),
            "contents": contents,
        }
        await self._rest.ask(
            "core/create", comment=_COMMENT, output_fields="id", fields=fields, **{"class": "Attachment"}
        )

    async def changes(self, since: datetime) -> list[Record]:
        """core/get by the last update, page by page until one brings nothing new; tickets only ever come in meanwhile."""
        since = since.replace(microsecond=0)
        field = self._options.reference_field
        ours = f"{field} != ''" if field else "title LIKE '%[tocsin %'"
        where = f"last_update >= {quoted(earliest(since, self._options.zone))} AND {ours}"
        found: dict[str, Record] = {}
        page = 0
        while True:
            page += 1
            records = [self._record(one) for one in await self._get(where, limit=_PAGE, page=page)]
            fresh = [one for one in records if found.get(one.number) != one]
            if not fresh:
                return [one for one in found.values() if one.reference]
            found.update({one.number: one for one in fresh})

    async def check(self) -> list[Finding]:
        """Whether we may ask, and whether class, attribute and each named object exist."""
        options = self._options
        await self._rest.answer("list_operations")
        user = options.user or "the token's user"
        findings = [Finding(level=Level.FINE, what="user", told=f"works as {user!r}"), await self._attributes()]
        looked_for = {
            "organization": ("Organization", named("Organization", options.organization)),
            "caller": ("Person", person(options.caller)),
            "service": ("Service", named("Service", options.service)),
            "team": ("Team", named("Team", options.team)),
            "agent": ("Person", person(options.agent)),
        }
        for option, (kind, oql) in looked_for.items():
            if getattr(options, option):
                findings.append(await self._exists(option, kind, oql))
        if not (options.team and options.agent):
            why = "without team and agent only tickets that somebody was assigned to can be resolved and closed"
            findings.append(Finding(level=Level.WARNING, what="team", told=why))
        return findings

    def _wanted_status(self, action: DeliveryAction, status: TicketStatus, record: Record) -> TicketStatus | None:
        """As for all; opening again is asked for even where it is likely refused, so that a person hears of it."""
        if action == DeliveryAction.REOPEN:
            done = record.status in ENDED or record.status == TicketStatus.REPAIRED
            return TicketStatus.IN_PROGRESS if done else None
        return super()._wanted_status(action, status, record)

    async def _step(self, record: Record, stimulus: str, more: dict[str, Any], wanted: Wanted) -> None:
        """core/apply_stimulus; a transition whose own conditions fail is answered with no object, and no word."""
        fields = {**self._needed(record, stimulus, wanted), **more}
        try:
            found = await self._ask("core/apply_stimulus", key=record.key, stimulus=stimulus, fields=fields)
        except DeliveryError as error:
            if error.reason == Reason.REFUSED and record.state == "closed":
                why = f"{error.detail}; closed is final in iTop's own life cycle: set `closing: resolved`"
                raise DeliveryError(Reason.REFUSED, why, retry=False) from None
            raise
        if not found:
            why = f"ticket {record.number} of {self.name} did not follow {stimulus}: a condition of the step fails"
            raise DeliveryError(Reason.REFUSED, why, retry=False)

    def _needed(self, record: Record, stimulus: str, wanted: Wanted) -> dict[str, Any]:
        """What a stimulus needs; who is assigned stays so."""
        options = self._options
        if stimulus in (ASSIGN, REOPEN) and not record.assignee:
            team = {"team_id": named("Team", options.team)} if options.team else {}
            return {**team, **({"agent_id": person(options.agent)} if options.agent else {})}
        what = wanted.note or self.written(wanted.body).title
        if stimulus == RESOLVE:
            solution = _texts.as_html(what) if options.rich_solution else what
            return {"solution": solution, "resolution_code": options.resolution_code}
        return {"pending_reason": what} if stimulus == PENDING else {}

    async def _get(self, where: str, *more: str, **how: Any) -> list[dict[str, Any]]:
        oql = f"SELECT {self._options.ticket_class} WHERE {where}"
        return await self._ask("core/get", more, key=oql, **how)

    async def _one(self, operation: str, **what: Any) -> dict[str, Any]:
        """The object that an operation made or changed. Raises DeliveryError UNREADABLE when there is none."""
        found = await self._ask(operation, **what)
        required(found, "0.key", self.name)
        return found[0]

    async def _ask(self, operation: str, more: tuple[str, ...] = (), **what: Any) -> list[dict[str, Any]]:
        field = (self._options.reference_field,) if self._options.reference_field else ()
        shown = {"class": self._options.ticket_class, "output_fields": ", ".join((*_FIELDS, *field, *more))}
        return await self._rest.ask(operation, comment=_COMMENT, **shown, **what)

    async def _item(self, body: Snapshot) -> str:
        """The configuration item that is named as the element; empty when there is not exactly one."""
        kind = self._options.ci_class
        oql = named(kind, body.element.reference)
        found = await self._rest.ask("core/get", key=oql, output_fields="id", **{"class": kind})
        return found[0]["key"] if len(found) == 1 else ""

    def _level(self, impact: Impact) -> dict[str, str]:
        level, _, urgency = (self.impacts.word(impact) or "").partition("/")
        return {"impact": level, "urgency": urgency}

    def _record(self, one: Mapping[str, Any]) -> Record:
        key, state, title = required(one, "key", self.name), required(one, "status", self.name), at(one, "title")
        mark = _MARKED.findall(title)
        field, agent = self._options.reference_field, at(one, "agent_id_friendlyname")
        return Record(
            number=required(one, "ref", self.name),
            key=key,
            reference=at(one, field) if field else (mark[0] if mark else ""),
            url=f"{self._options.url}/pages/UI.php?operation=details&class={self._options.ticket_class}&id={key}",
            status=self.statuses.ours(state) or TicketStatus.IN_PROGRESS,
            state=state,
            impact=self.impacts.ours(f"{at(one, 'impact')}/{at(one, 'urgency')}"),
            priority=graded(at(one, "priority"), at(one, "impact"), at(one, "urgency")),
            assignee=agent,
            changed_at=moment(one.get("last_update"), ZoneInfo(self._options.zone)),
            notes=tuple(sorted(self._notes(one), key=lambda note: f"{note.at}")),
        )

    def _notes(self, one: Mapping[str, Any]) -> Iterator[RemoteNote]:
        """The entries of both logs; they have no ids, and are known by what they are."""
        for log in _LOGS:
            for entry in each(one, f"{log}.entries"):
                text = at(entry, "message") or _texts.from_html(at(entry, "message_html"))
                what = "\0".join((log, at(entry, "date"), at(entry, "user_login"), text))
                when = moment(entry.get("date"), ZoneInfo(self._options.zone))
                known_by = hashlib.sha256(what.encode()).hexdigest()[:16]
                yield RemoteNote(id=known_by, actor=at(entry, "user_login"), text=text, at=when)

    async def _attributes(self) -> Finding:
        """Whether the class has the attributes that are asked for, by asking for no ticket."""
        kind, field = self._options.ticket_class, self._options.reference_field
        try:
            await self._get("id = 0")
        except DeliveryError as error:
            if error.reason not in (Reason.REFUSED, Reason.UNAVAILABLE):
                raise
            why = f"class {kind} cannot be asked for its attributes and {field!r}: {error.detail}"
            return Finding(level=Level.ERROR, what="reference_field", told=why)
        told = (
            f"class {kind} has the attribute {field!r}"
            if field
            else f"class {kind} is there; titles carry our reference"
        )
        return Finding(level=Level.FINE, what="reference_field", told=told)

    async def _exists(self, option: str, kind: str, oql: str) -> Finding:
        found = await self._rest.ask("core/get", key=oql, output_fields="id", **{"class": kind})
        name = getattr(self._options, option)
        if len(found) == 1:
            return Finding(level=Level.FINE, what=option, told=f"{kind} {name!r} is there")
        what = "there is no" if not found else "there is more than one"
        return Finding(level=Level.ERROR, what=option, told=f"{what} {kind} {name!r} to be seen; correct it")


def heard(payload: Payload) -> list[str]:
    """The number of the ticket that an action's webhook is about. Raises PayloadError."""
    found = list(dict.fromkeys(named_in(heard_object(payload), ("ref", "number", "reference"), ("ticket", "fields"))))
    if not found:
        raise PayloadError('the webhook names no ref; write {"ref": "$this->ref$"} into the action\'s payload')
    return found

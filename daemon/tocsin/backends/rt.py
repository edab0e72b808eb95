"""Request Tracker tickets over its REST API, version 2.

STATUS: proven against a real Request Tracker 5 (Debian) and a fake that misbehaves.

Our reference stands in a custom field of the tickets (Admin, Custom Fields: applies to Tickets, "Enter one value",
no validation), applied to the queue; it is looked up exactly and at once. RT makes a ticket without a custom field
that it does not know, or that tocsin may not set, and says nothing: so the queue's fields are asked for first, and a
new ticket is read back. Tickets that people merge into others count as cancelled.

The impact is the ticket's priority, for RT computes none: 0, 20, 50, 80 and 100, or with `impact_field` a value of a
custom field, as tocsin calls them (`none` to `interrupted`) or as `impacts` says. A priority that people set reads as
the next lower of these; one that RT raises by itself counts as a person's, unless the backend's `touch` leaves
priorities out. RT's usual life of a ticket knows no repaired one: name its status in `statuses` where yours does.
Closing resolves a ticket; opening again opens it. What the queue's life cycle forbids is an error, for the status is
read back. Notes are comments; with `private_notes: false` they are correspondence, except in closed tickets, which
correspondence would open. Titles are cut at the 200 bytes that RT keeps, and stand whole in the text then.

The user that tocsin works as needs, in the queue: SeeQueue, CreateTicket, ShowTicket, ShowTicketComments, ModifyTicket,
CommentOnTicket (ReplyToTicket as well for correspondence), SeeCustomField, ModifyCustomField, SetInitialCustomField.
RT calls back by a scrip: config/backends/rt/scrip.pl. Format: RT's manual, "REST2"; query builder, "TicketSQL".
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from tocsin.backends import _login, _rt_check, _rt_notes, _rt_query, _texts
from tocsin.backends._api import Api, File, as_json
from tocsin.backends._can import Can
from tocsin.backends._carried import carried, ignored
from tocsin.backends._choices import Choices
from tocsin.backends._http import is_forbidden
from tocsin.backends._moments import moment
from tocsin.backends._named import heard_object
from tocsin.backends._question import question
from tocsin.backends._rt_options import Options
from tocsin.backends._scale import Scale
from tocsin.backends._shape import an_object, at, each, objects, required, strange
from tocsin.backends._sight import out_of_sight
from tocsin.backends._system import TicketSystem
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import DeliveryAction, Impact, Record, RemoteNote, Snapshot, TicketStatus
from tocsin.standing import ENDED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.backends._system import Wanted
    from tocsin.model import Payload

__all__ = ["Backend", "Options", "heard"]

_STATUSES = {
    TicketStatus.DECLARED: "new",
    TicketStatus.IN_PROGRESS: "open",
    TicketStatus.WAITING: "stalled",
    TicketStatus.FROZEN: "stalled",
    TicketStatus.CLOSED: "resolved",
    TicketStatus.CANCELLED: "rejected",
}
_FURTHER = {"deleted": TicketStatus.CANCELLED}
_PRIORITIES = {
    Impact.NONE: "0",
    Impact.BACKUP: "20",
    Impact.DEGRADED: "50",
    Impact.SEVERE: "80",
    Impact.INTERRUPTED: "100",
}
_IMPACTS = {impact: impact.value for impact in Impact}
_TITLE_BYTES = 200
_PLAIN = "text/plain"


class Backend(TicketSystem):
    """A Request Tracker as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {
        Can.REPAIRED: "its usual life of a ticket has no such status; `statuses` may name one of yours"
    }
    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=_TITLE_BYTES, text=60_000, note=30_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = Scale(_STATUSES, _FURTHER, otherwise=TicketStatus.IN_PROGRESS).over(options.statuses)
        self.impacts = Scale(_IMPACTS if options.impact_field else _PRIORITIES).over(options.impacts)
        if TicketStatus.REPAIRED in options.statuses:
            self.lacks = {can: why for can, why in self.LACKS.items() if can != Can.REPAIRED}
        self._options = options
        login, self._user = _entry(name, options, outside)
        self._api = Api(f"{options.url}/REST/2.0", outside, timeout=options.timeout, login=login)
        self._fields = Choices("custom field of the queue", self._ask_fields, outside.clock)

    async def create(self, body: Snapshot) -> Record:
        """POST /ticket, then read what the ticket carries; it stands, whether or not it can be read at once."""
        with question():
            await self._require_field()
        written, options = self.written(body), self._options
        fields = {options.reference_field: body.reference}
        if options.element_field:
            fields[options.element_field] = body.element.reference
        ticket: dict[str, Any] = {
            "Queue": options.queue,
            "Subject": written.title,
            "Content": written.text,
            "ContentType": _PLAIN,
            **({"Requestor": options.requestor} if options.requestor else {}),
            **self._impact(body.impact, fields),
        }
        number = required(await self._api.ask("POST", "ticket", as_json(ticket)), "id", self.name)
        try:
            return self._record(await self._ticket(number))
        except DeliveryError as error:
            remark = f"it cannot be read back, so that nobody knows whether it carries its reference: {error}"
            return Record(number=number, reference=body.reference, url=self._url(number), remark=remark)

    async def search(self, reference: str) -> list[Record]:
        """GET /tickets by the custom field; closed and merged ones are among them."""
        query = {"query": _rt_query.carries(self._options.reference_field, reference), "orderby": "id"}
        said = await self._api.ask("GET", "tickets", query={**query, **_rt_query.paged(_rt_query.FIELDS)})
        found = [self._record(one) for one in objects(said, "items", self.name)]
        if not found:
            await self._require_field()
        problem = f"{self.name} answers other tickets when it is asked for {reference}; correct `reference_field`"
        return carried(found, reference, problem)

    async def read(self, number: str) -> Record | None:
        """GET /ticket/ID, and what was written in it; of one that was merged, what is left of itself."""
        if not (number.isascii() and number.isdecimal()):
            return None
        try:
            ticket = await self._api.find(f"ticket/{number}")
        except DeliveryError as error:
            if is_forbidden(error):
                raise await self._unseen(number, error) from None
            raise
        if ticket is None:
            return None
        if required(ticket, "id", self.name) != number:
            return await self._merged(number)
        return self._record(ticket, await _rt_notes.notes(self._api, number, self.name))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """What happened first, then PUT /ticket/ID: RT answers 200 whatever came of it, so it is read back."""
        if wanted.note:
            await self._say(record, wanted)
        fields = self._impact(wanted.impact, {}) if wanted.impact else {}
        if wanted.status:
            fields["Status"] = self.statuses.word(wanted.status)
        if not fields:
            return
        said = await self._api.ask("PUT", f"ticket/{record.number}", as_json(fields))
        if not isinstance(said, list):
            raise strange(self.name, "not a list of sentences")
        await self._require(record, wanted, [one for one in said if isinstance(one, str)])

    async def attach(self, record: Record, file: File) -> None:
        """POST /ticket/ID/comment with the file in it."""
        content = base64.b64encode(file.content).decode()
        attachment = {"FileName": file.name, "FileType": file.media_type, "FileContent": content}
        text = f"{file.name}\n(tocsin {record.reference}/0)"  # no delivery has this number, and no person this mark
        body = {"Content": text, "ContentType": _PLAIN, "Attachments": [attachment]}
        await self._post(record, "comment", body)

    async def changes(self, since: datetime) -> list[Record]:
        """The newest changes first, until they are older: what changes meanwhile moves to the beginning."""
        since = since.replace(microsecond=0)
        query = {"query": _rt_query.changed(self._options.reference_field, since), **_rt_query.paged(_rt_query.FIELDS)}
        found: dict[str, Record] = {}
        page, ended = 0, False
        while not ended:
            page += 1
            path = f"tickets?{_rt_query.newest_first('LastUpdated')}"
            said = await self._api.ask("GET", path, query={**query, "page": str(page)})
            records = [self._record(one) for one in objects(said, "items", self.name)]
            for record in records:
                if record.reference and (record.changed_at is None or record.changed_at >= since):
                    found.setdefault(record.number, record)
            older = any(one.changed_at and one.changed_at < since for one in records)
            ended = older or _rt_query.is_last(said, page)
        if page == 1 and not found:
            await self._require_field()
        return list(found.values())

    async def check(self) -> list[Finding]:
        """Who we are, and whether queue, fields and rights are as they must be, as far as RT tells."""
        options = self._options
        version = required(await self._api.ask("GET", "rt"), "Version", self.name)
        findings = [_rt_check.version(version), await self._who()]
        try:
            queue = await self._api.find(f"queue/{quote(options.queue, safe='')}")
        except DeliveryError as error:
            if error.reason != Reason.UNAUTHORIZED:
                raise
            queue = None
        findings += _rt_check.queue(queue, options)
        if queue is None:
            return findings
        for option in ("reference_field", "impact_field", "element_field"):
            findings += await self._fields.findings([one for one in [getattr(options, option)] if one], option)
        newest = await self._newest()
        return [*findings, *_rt_check.newest(newest, options, self.statuses.word(TicketStatus.CLOSED) or "")]

    # --- what these are made of -------------------------------------------------------------------------------------

    def written(self, body: Snapshot) -> _texts.Written:
        """As for all; a title of more bytes than RT keeps stands whole at the head of the text."""
        whole = _texts.compose(body, self._language, _texts.Limits(title=self.LIMITS.text // 4)).title
        return _rt_query.titled(super().written(body), whole, _TITLE_BYTES)

    async def _ask_fields(self) -> dict[str, str]:
        queue = await self._api.find(f"queue/{quote(self._options.queue, safe='')}")
        if queue is None:
            raise ignored(f"{self.name} has no queue {self._options.queue!r}; correct `queue`")
        fields = objects(queue, "TicketCustomFields", self.name)
        return {at(one, "name"): at(one, "id") for one in fields}

    async def _require_field(self) -> None:
        """A custom field that RT does not know finds nothing and keeps nothing, without a word."""
        field, queue = self._options.reference_field, self._options.queue
        if await self._fields.id(field) is None:
            why = f"queue {queue!r} of {self.name} has no custom field {field!r} that tocsin may see"
            todo = "apply it to the queue and grant SeeCustomField, or correct `reference_field`"
            raise ignored(f"{why}; {todo}")

    def _impact(self, impact: Impact, fields: dict[str, str]) -> dict[str, Any]:
        """The custom fields and the priority, as the impact is told."""
        level, field = self.impacts.word(impact), self._options.impact_field
        if field and level:
            fields = {**fields, field: level}
        told: dict[str, Any] = {"CustomFields": fields} if fields else {}
        return told if field or not level else {**told, "Priority": int(level)}

    async def _say(self, record: Record, wanted: Wanted) -> None:
        """Correspondence opens a ticket by itself: it says as well which status the ticket shall have after it."""
        body = {"Content": wanted.note, "ContentType": _PLAIN}
        ended = record.status in ENDED and wanted.action != DeliveryAction.REOPEN
        if self._options.private_notes or ended:
            await self._post(record, "comment", body)
            return
        state = self.statuses.word(wanted.status) if wanted.status else record.state
        await self._post(record, "correspond", {**body, "Status": state or record.state})

    async def _post(self, record: Record, how: str, body: Mapping[str, Any]) -> None:
        try:
            said = await self._api.ask("POST", f"ticket/{record.number}/{how}", as_json(body))
        except DeliveryError as error:
            if error.reason != Reason.REFUSED:
                raise
            right = {"comment": "CommentOnTicket", "correspond": "ReplyToTicket"}[how]
            why = f"{error.detail}; grant tocsin's user {right} in the ticket's queue"  # RT says 400 of it
            raise DeliveryError(Reason.UNAUTHORIZED, why, retry=True) from None
        if not isinstance(said, list):
            raise strange(self.name, "not a list of sentences")

    async def _require(self, record: Record, wanted: Wanted, sentences: list[str]) -> None:
        after = self._record(await self._ticket(record.number))
        why = f"; it says: {' '.join(sentences)}" if sentences else ""
        if wanted.status and after.state.casefold() != (self.statuses.word(wanted.status) or "").casefold():
            asked = self.statuses.word(wanted.status)
            todo = "allow the step in the queue's life cycle, or name another status in `statuses`"
            stands = f"ticket {record.number} of {self.name} is {after.state!r} instead of {asked!r}"
            raise DeliveryError(Reason.REFUSED, f"{stands}{why}; {todo}", retry=False)
        if wanted.impact and after.impact != self.impacts.settled(wanted.impact):
            word, field = self.impacts.word(wanted.impact), self._options.impact_field or "Priority"
            todo = "grant ModifyCustomField and ModifyTicket, or correct `impacts`"
            stands = f"{field} of ticket {record.number} of {self.name} did not become {word!r}"
            raise DeliveryError(Reason.REFUSED, f"{stands}{why}; {todo}", retry=False)

    async def _ticket(self, number: str) -> dict[str, Any]:
        ticket = an_object(await self._api.ask("GET", f"ticket/{number}"), "", self.name)
        required(ticket, "Status", self.name)
        return ticket

    async def _merged(self, number: str) -> Record | None:
        query = {"query": f"{_rt_query.MERGED_TOO} AND id = {number}", **_rt_query.paged(_rt_query.FIELDS)}
        found = objects(await self._api.ask("GET", "tickets", query=query), "items", self.name)
        return next((self._record(one) for one in found if at(one, "id") == number), None)

    async def _unseen(self, number: str, error: DeliveryError) -> DeliveryError:
        """A ticket that is forbidden was moved away where others of ours are seen still; else the right is gone."""
        query = {"query": _rt_query.carries_any(self._options.reference_field), **_rt_query.paged("Status")}
        if each(await self._api.ask("GET", "tickets", query=query), "items"):
            return out_of_sight(self.name, number, "grant its user ShowTicket in the other queue")
        why = f"{error.detail}; tocsin sees no ticket of {self.name} any more, {number} neither: grant ShowTicket"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=True, harmless=True)

    async def _newest(self) -> dict[str, Any] | None:
        """The last ticket that we made, whole."""
        query = f"Creator = '__CurrentUser__' AND Queue = {_rt_query.quoted(self._options.queue)}"
        path = f"tickets?{_rt_query.newest_first('Created')}"
        said = await self._api.ask("GET", path, query={"query": query, "per_page": "1"})
        found = objects(said, "items", self.name)
        return await self._ticket(required(found[0], "id", self.name)) if found else None

    async def _who(self) -> Finding:
        said = await self._api.find(f"user/{quote(self._user, safe='')}") if self._user else None
        return _rt_check.who(at(said, "Name"), "user" if self._options.user else "token_file")

    def _wanted_status(self, action: DeliveryAction, status: TicketStatus, record: Record) -> TicketStatus | None:
        """As for all; a status asked for of a ticket that was merged would become that of the other one."""
        return None if record.key != record.number else super()._wanted_status(action, status, record)

    def _record(self, ticket: Mapping[str, Any], notes: tuple[RemoteNote, ...] = ()) -> Record:
        number = required(ticket, "id", self.name)
        into = at(ticket, "EffectiveId.id") or at(ticket, "EffectiveId") or number
        merged, state, owner = into != number, at(ticket, "Status"), at(ticket, "Owner.id")
        field, words = self._options.impact_field, self.impacts.words
        level = _rt_query.custom(ticket, field) if field else _rt_query.level(_rt_query.priority(ticket), words)
        return Record(
            number=number,
            key=into,
            reference=_rt_query.custom(ticket, self._options.reference_field),
            url=self._url(number),
            status=TicketStatus.CANCELLED if merged else self.statuses.ours(state) or TicketStatus.IN_PROGRESS,
            state=f"merged into {into}" if merged else state,
            impact=self.impacts.ours(level),
            priority=level if field else at(ticket, "Priority"),
            assignee="" if owner == "Nobody" else owner,
            changed_at=moment(ticket.get("LastUpdated")),
            actor=at(ticket, "LastUpdatedBy.id"),
            notes=notes,
        )

    def _url(self, number: str) -> str:
        return f"{self._options.url}/Ticket/Display.html?id={number}"


def heard(payload: Payload) -> list[str]:
    """The number of the ticket that our scrip tells of, else its reference. Raises PayloadError."""
    said = heard_object(payload)
    named = [name for name in (at(said, "number"), at(said, "reference")) if name][:1]
    if not named:
        raise PayloadError("the message names no number; use the scrip of config/backends/rt/scrip.pl")
    return named


def _entry(name: str, options: Options, outside: Outside) -> tuple[_login.Login, str]:
    """How we prove who we are, and as whom: a token begins with the number of its user."""
    if options.user:
        password = _login.password(name, "password_file", options.password_file, outside)
        return _login.basic(options.user, password), options.user
    token = _login.secret(name, "token_file", options.token_file, outside)
    of = token.split("-")[1:2]
    return _login.token(token, "token"), of[0] if of and of[0].isdecimal() else ""

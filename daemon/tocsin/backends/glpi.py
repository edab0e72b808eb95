"""GLPI tickets over either of its REST APIs.

STATUS: proven against a fake that misbehaves, modelled on the public documentation and source; not on the vendor's system.

Our reference stands in the ticket's external id, which is looked up exactly. The impact is GLPI's impact, from 1 (very
low) to 5 (very high), and the urgency follows it, so that GLPI computes the priority from its own matrix. The ticket's
number is its id. Texts are HTML there: what tocsin writes is escaped.

What works again is solved (5), with what happened as the solution. Closing solves a ticket in the same way where that
was not done, then closes it (6); with `closing: solved` it ends there. Opening again makes the ticket assigned (2), by a
followup that asks for it and by its status. What the profile's life cycle forbids is an error, for the status is read
back. Followups are private unless `private` is false.

API 1 (`api: 1`) speaks to /apirest.php of GLPI 9.5 and later, with a user's remote access key and, where GLPI asks for
one, the API client's application token; a session that GLPI ends is begun anew. Before release 10.0.19 the external id
cannot be searched for among changes: each changed ticket is then read by itself. API 2 (`api: 2`) speaks to
/api.php/v2 of GLPI 11 with an OAuth client, as a user (`user`, `password_file`) or as the client itself; it attaches no files.

The profile of tocsin's user needs, for tickets: create, update, see all; followups and solutions: add to all, see private;
documents: create; and in the life cycle of tickets every step above. Webhooks come with GLPI 11 (Setup, Webhooks; item type
Ticket, and Followup for notes). Format: GLPI's "apirest.md", and what GLPI serves at /api.php/doc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from tocsin.backends import _glpi_login, _login, _texts
from tocsin.backends._can import Can
from tocsin.backends._glpi import PAGE
from tocsin.backends._glpi_options import Options
from tocsin.backends._glpi_v1 import First
from tocsin.backends._glpi_v2 import Second
from tocsin.backends._grades import graded
from tocsin.backends._named import heard_object
from tocsin.backends._scale import Scale
from tocsin.backends._shape import at
from tocsin.backends._sweep import sweep
from tocsin.backends._system import TicketSystem
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Impact, Record, Snapshot, TicketStatus
from tocsin.standing import ENDED

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.backends._api import File
    from tocsin.backends._glpi import Item, Talk
    from tocsin.backends._system import Wanted
    from tocsin.model import Payload, RemoteNote

__all__ = ["Backend", "Options", "heard"]

_SOLVED, _CLOSED = "5", "6"
_DONE = frozenset({_SOLVED, _CLOSED})
_STATUSES = {
    TicketStatus.DECLARED: "1",
    TicketStatus.IN_PROGRESS: "2",
    TicketStatus.WAITING: "4",
    TicketStatus.FROZEN: "4",
    TicketStatus.REPAIRED: _SOLVED,
    TicketStatus.CLOSED: _CLOSED,
}
_ENDING_SOLVED = {**{ours: word for ours, word in _STATUSES.items() if word not in _DONE}, TicketStatus.CLOSED: _SOLVED}
_FURTHER = {"3": TicketStatus.IN_PROGRESS, "10": TicketStatus.WAITING, _CLOSED: TicketStatus.CLOSED}
_NAMES = {
    "1": "1 New",
    "2": "2 Processing (assigned)",
    "3": "3 Processing (planned)",
    "4": "4 Pending",
    "5": "5 Solved",
    "6": "6 Closed",
    "10": "10 Approval",
}
_IMPACTS = {impact: str(number) for number, impact in enumerate(Impact, 1)}
_NO_FILES = {Can.ATTACH: "API 2 of GLPI 11 takes no files"}
_NO_REPAIRED = {Can.REPAIRED: "solved is how tickets end (`closing: solved`)"}


class Backend(TicketSystem):
    """A GLPI as configured."""

    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=250, text=50_000, note=50_000, plane=True)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        solved = options.closing == "solved"
        statuses = Scale(_ENDING_SOLVED if solved else _STATUSES, _FURTHER, otherwise=TicketStatus.IN_PROGRESS)
        self.statuses = statuses.over(options.statuses)
        self.impacts = Scale(_IMPACTS).over(options.impacts)
        self.lacks = {**(_NO_FILES if options.api != 1 else {}), **(_NO_REPAIRED if solved else {})}
        self._options = options
        self._talk = _talk(name, options, outside)
        self._stands: dict[str, str] = {}
        """What became of a ticket that a delivery changes right now."""

    async def create(self, body: Snapshot) -> Record:
        """Make the ticket, and read what it carries; it stands, whether or not it can be read at once."""
        written, level = self.written(body), int(self.impacts.word(body.impact) or 0)
        fields = {
            "name": written.title,
            "content": _texts.as_html(written.text),
            "impact": level,
            "urgency": level,
        }
        number = await self._talk.create(fields, body.reference, body.element)
        try:
            item = await self._talk.read(number)
        except DeliveryError:
            item = None
        if item is not None:
            return self._record(item)
        status = (
            TicketStatus.IN_PROGRESS if self._options.group else TicketStatus.DECLARED
        )  # GLPI's, once it is assigned
        return Record(number=number, key=number, reference=body.reference, url=self._url(number), status=status)

    async def search(self, reference: str) -> list[Record]:
        """The tickets with this external id, as far as they are not in the dustbin."""
        items = [item for item in await self._talk.search(reference) if not item.deleted]
        return [self._record(item) for item in sorted(items, key=lambda item: (len(item.id), item.id))]

    async def read(self, number: str) -> Record | None:
        """The ticket and its notes; one in the dustbin is gone."""
        try:
            item = await self._talk.read(number) if number.isascii() and number.isdecimal() else None
        except DeliveryError as error:
            if self._is_hidden(error):
                # One ticket that was moved to another entity is no reason to stop declaring the others.
                why = f"ticket {number} of {self.name} is not to be seen by tocsin's profile any more"
                raise DeliveryError(Reason.REFUSED, f"{why}; give it the right, or move it back", retry=False) from None
            raise
        if item is None or item.deleted:
            return None
        item = replace(item, assignee=await self._talk.assignee(item))
        return self._record(item, tuple(await self._talk.notes(number)))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """What happened first, as a solution where the ticket is solved by it; then status and impact."""
        target = self.statuses.word(wanted.status) if wanted.status else None
        done = record.status in ENDED or record.status == TicketStatus.REPAIRED
        solves = target in _DONE and not done and bool(wanted.note)
        reopens = done and target is not None and target not in _DONE
        text = _texts.as_html(wanted.note)
        if solves:
            await self._talk.solve(record.key, text)
        elif wanted.note:
            await self._talk.follow_up(record.key, text, private=self._options.private, reopen=reopens)
        fields = {} if target is None or (solves and target == _SOLVED) else {"status": int(target)}
        if wanted.impact:
            level = int(self.impacts.word(wanted.impact) or 0)
            fields |= {"impact": level, "urgency": level}
        if fields:
            await self._talk.update(record.key, fields)
        if target is not None:
            self._stands[record.number] = await self._reached(record, target)

    async def attach(self, record: Record, file: File) -> None:
        """Add a document to the ticket."""
        await self._talk.attach(record.key, file)

    async def changes(self, since: datetime) -> list[Record]:
        """Page by page by the time of change."""

        async def page(after: datetime, _: int, skip: int) -> list[Record]:
            return [self._record(item) for item in await self._talk.changed(after, skip)]

        return await sweep(page, since, PAGE)

    async def check(self) -> list[Finding]:
        """Who we are, and what there is of what the options name."""
        return await self._talk.check()

    def _after(self, record: Record, wanted: Wanted) -> TicketStatus:
        """As GLPI says that it stands: an entity may close at once what is solved."""
        stands = self._stands.pop(record.number, "")
        return (self.statuses.ours(stands) if stands else None) or super()._after(record, wanted)

    async def _reached(self, record: Record, target: str) -> str:
        """The status that it has now; GLPI leaves out what it does not allow, and may close at once what is solved."""
        item = await self._seen(record)
        if item is None:  # a rule moved it out of our sight: nothing says that it was not done
            return target
        stands = item.status
        if stands != target and not (target == _SOLVED and stands == _CLOSED):
            why = (
                f"ticket {record.number} of {self.name} is {_NAMES.get(stands, stands)!r} instead of {_NAMES[target]!r}"
            )
            why = f"{why}: the life cycle of the profile of tocsin's user forbids the step; allow it"
            raise DeliveryError(Reason.REFUSED, why, retry=False)
        return stands

    async def _seen(self, record: Record) -> Item | None:
        try:
            return await self._talk.read(record.key)
        except DeliveryError as error:
            if self._is_hidden(error):
                return None
            raise

    def _is_hidden(self, error: DeliveryError) -> bool:
        """Whether it is this one ticket that may not be seen; API 2 says 404 then, and this only of all tickets."""
        hidden = error.reason == Reason.UNAUTHORIZED and "RIGHT_MISSING" in error.detail
        return hidden and self._options.api == 1

    def _record(self, item: Item, notes: tuple[RemoteNote, ...] = ()) -> Record:
        return Record(
            number=item.id,
            key=item.id,
            reference=item.reference,
            url=self._url(item.id),
            status=self.statuses.ours(item.status) or TicketStatus.IN_PROGRESS,
            state=_NAMES.get(item.status, item.status),
            impact=self.impacts.ours(item.impact),
            priority=graded(item.priority, item.impact),
            assignee=item.assignee,
            changed_at=item.changed_at,
            actor=item.actor,
            notes=notes,
        )

    def _url(self, number: str) -> str:
        return f"{self._options.url}/front/ticket.form.php?id={number}"


def heard(payload: Payload) -> list[str]:
    """The number and the reference of the ticket that a webhook of GLPI 11 is about. Raises PayloadError.

    A followup or a solution names its ticket by `items_id`, a task by `tickets_id`, and a ticket itself by `id`.
    """
    said = heard_object(payload)
    if at(said, "item.itemtype") not in ("", "Ticket"):
        raise PayloadError("the webhook is about no ticket; let GLPI tell of tickets and their followups only")
    number = at(said, "item.items_id") or at(said, "item.tickets_id") or at(said, "parent_item.id")
    named = [number] if number else [at(said, "item.id"), at(said, "item.external_id")]
    named = [name for name in named if name]
    if not named:
        raise PayloadError("the webhook names no item.id; leave GLPI's own payload as it is, or put it in")
    return named


def _talk(name: str, options: Options, outside: Outside) -> Talk:
    """The API that the options ask for, and how we prove who we are there. Raises SettingsError."""
    password = _login.password(name, "password_file", options.password_file, outside) if options.user else ""
    if options.api == 1:
        entry = _login.basic(options.user, password)
        if options.user_token_file:
            entry = _glpi_login.by_token(_login.secret(name, "user_token_file", options.user_token_file, outside))
        file = options.app_token_file
        return First(
            name, options, outside, entry, _login.secret(name, "app_token_file", file, outside) if file else ""
        )
    grant = {"grant_type": "password", "username": options.user, "password": password} if options.user else {}
    client = _login.ClientCredentials(
        f"{options.url}/api.php/token",
        options.client,
        _login.secret(name, "client_secret_file", options.client_secret_file, outside),
        outside,
        scope="api",
        allowed=options.timeout,
        in_body=True,
        more=grant,
    )
    return Second(name, options, outside, _glpi_login.Hiding(client, (password,)) if password else client)

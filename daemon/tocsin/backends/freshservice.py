"""Freshservice tickets over its API, version 2.

STATUS: proven against a fake that misbehaves, modelled on the public documentation; not on the vendor's system.

Our reference stands in a custom field of the tickets. Freshservice's filter may lag behind, and its documentation does
not promise that it finds texts; where it finds nothing, the requester's tickets are looked through as well, those of the
last days until the filter has found one once: let tocsin have a requester of its own. The impact is told as impact, urgency and priority, of which a priority matrix
computes the last. Closing sets the status 5, unless `close_as` says otherwise; a closed ticket that is opened again
gets the status 2. The element can be linked as an asset.

The API key is an agent's, whose role may view, create and edit tickets and add notes in the workspace. Format:
Freshservice's "Service Desk API", version 2.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace

from tocsin.backends import _login, _texts
from tocsin.backends._api import Api, File, as_json, as_multipart
from tocsin.backends._choices import Choices
from tocsin.backends._freshservice_check import Check, choices_of
from tocsin.backends._freshservice_options import Options, impacts, statuses
from tocsin.backends._grades import graded, grades
from tocsin.backends._http import decoded
from tocsin.backends._moments import moment
from tocsin.backends._named import heard_object, named, references
from tocsin.backends._question import question
from tocsin.backends._shape import an_object, at, each, objects, required
from tocsin.backends._system import TicketSystem, Wanted
from tocsin.backends._whole import whole
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Payload, Record, RemoteNote, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tocsin.backends import Finding, Outside
    from tocsin.model import Element

__all__ = ["Backend", "Options", "heard"]

_PAGE = 100
_MOST_PAGES = 100
_TRIED = 5
"""So many names of an element are looked for among the assets."""
_LATEST = timedelta(hours=1)
"""So far back a requester's tickets are looked through beside a filter that finds texts, and may lag."""
_LONGEST = timedelta(days=8)
"""So far back where the filter does not take the field, or never found a text yet: longer than a delivery is tried."""
_CLOSING = frozenset({TicketStatus.REPAIRED, TicketStatus.CLOSED, TicketStatus.CANCELLED})
_NEVER = datetime.min.replace(tzinfo=UTC)
_NUMBERED = re.compile(r"#?(?:[A-Z]{1,5}-)?(\d{1,18})")
"""A ticket's number as placeholders write it: `INC-266`, `#INC-266`, `266`."""


class Backend(TicketSystem):
    """A Freshservice account as configured."""

    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=30_000, note=30_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses, self.impacts = statuses(options), impacts(options)
        self._options = options
        login = _login_of(_login.secret(name, "key_file", options.key_file, outside))
        self._api = Api(options.url, outside, timeout=options.timeout, login=login)
        self._space = {"workspace_id": str(options.workspace_id)} if options.workspace_id else {}
        self._states = Choices("status", self._state_names, outside.clock)
        self._groups = Choices("group", self._group_names, outside.clock)
        self._finds_texts = False

    async def create(self, body: Snapshot) -> Record:
        """POST the ticket, with whatever could be found of what the options name."""
        options, written = self._options, self.written(body)
        impact, urgency, priority = map(int, grades(self.impacts.word(body.impact) or "", 3))
        with question():
            found, missed = await self._named(body.element)
            declared = await self._state(TicketStatus.DECLARED)
        ticket = {
            **options.fields,
            "subject": written.title,
            "description": _texts.as_html(written.text),
            **_requester(options.requester),
            "status": declared,
            "priority": priority,
            "urgency": urgency,
            "impact": impact,
            "custom_fields": {**options.custom_fields, options.reference_field: body.reference},
            **{name: value for name in _CATEGORIES if (value := getattr(options, name))},
            **({"workspace_id": options.workspace_id} if options.workspace_id else {}),
            **({"source": options.source} if options.source else {}),
            **found,
        }
        said = await self._api.ask("POST", "api/v2/tickets", as_json(ticket))
        made = an_object(said, "ticket", self.name)
        try:
            record = await self._record(made)
        except DeliveryError:  # it is there, and only what its status is called cannot be asked
            record = self._recorded(made, "")
        return replace(record, remark="; ".join(missed))

    def _filter(self, reference: str) -> dict[str, str]:
        return {"query": f"\"{self._options.reference_field}:'{reference}'\"", **self._space}

    async def search(self, reference: str) -> list[Record]:
        """GET by the custom field, and the requester's latest tickets where that finds nothing."""
        found = await self._filtered(reference)
        if all(record.reference != reference for record in found):
            since = self._outside.clock() - (_LATEST if self._finds_texts else _LONGEST)
            found += [record for record in await self._of_requester(since) if record.reference == reference]
        return sorted(found, key=lambda record: int(record.number))

    async def _filtered(self, reference: str) -> list[Record]:
        """What the filter finds, which may be nothing because it does not take, or does not know, fields of text."""
        try:
            said = await self._api.ask("GET", "api/v2/tickets/filter", query=self._filter(reference))
        except DeliveryError as error:
            if error.reason != Reason.REFUSED:
                raise
            self._finds_texts = False
            return []
        found = [await self._record(one) for one in objects(said, "tickets", self.name)]
        self._finds_texts |= any(record.reference == reference for record in found)
        return found

    async def _of_requester(self, since: datetime) -> list[Record]:
        """The requester's tickets, everybody's where the list does not know the requester, as it may not know agents."""
        whose = {"email" if "@" in self._options.requester else "requester_id": self._options.requester}
        try:
            return [record async for record in self._listed(since, whose)]
        except DeliveryError as error:
            if error.reason != Reason.REFUSED:
                raise
        return [record async for record in self._listed(since, {})]

    async def read(self, number: str) -> Record | None:
        """GET the ticket, then its conversations."""
        if not (number.isascii() and number.isdecimal()):
            return None  # somebody's word, not a number of Freshservice's
        said = await self._api.find(f"api/v2/tickets/{number}")
        ticket = None if said is None else an_object(said, "ticket", self.name)
        if ticket is None or ticket.get("deleted") is True:
            return None
        notes = [note async for note in self._conversations(number)]
        return await self._record(ticket, tuple(sorted(notes, key=lambda note: (note.at or _NEVER, note.id))))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """POST the note, then PUT the rest."""
        if wanted.note:
            note = {"body": _texts.as_html(wanted.note), "private": self._options.notes == "private"}
            said = await self._api.ask("POST", f"api/v2/tickets/{record.number}/notes", as_json(note))
            an_object(said, "conversation", self.name)
        fields: dict[str, Any] = {}
        if wanted.impact:
            numbers = map(int, grades(self.impacts.word(wanted.impact) or "", 3))
            fields |= dict(zip(("impact", "urgency", "priority"), numbers, strict=True))
        if wanted.status:
            fields |= dict(self._options.close_fields) if wanted.status in _CLOSING else {}
            fields |= {"status": await self._state(wanted.status)}
        if not fields:
            return
        said = await self._api.ask("PUT", f"api/v2/tickets/{record.number}", as_json(fields))
        stands = required(an_object(said, "ticket", self.name), "status", self.name)
        if wanted.status and stands != str(fields["status"]):
            told = f"ticket {record.number} of {self.name} stayed in status {stands} instead of {fields['status']}"
            hint = "a rule of the account forbids it; allow the step for tocsin's agent"
            raise DeliveryError(Reason.REFUSED, f"{told}: {hint}", retry=False)

    async def attach(self, record: Record, file: File) -> None:
        """PUT the file, as a form."""
        body = as_multipart({}, [("attachments[]", file)])
        await self._api.answer("PUT", f"api/v2/tickets/{record.number}", body)

    async def changes(self, since: datetime) -> list[Record]:
        """Page through what was updated since."""
        found = {record.number: record async for record in self._listed(since, {}) if record.reference}
        return list(found.values())

    async def check(self) -> list[Finding]:
        """Whether the key is good, and whether fields, statuses, group and requester are there."""
        return await Check(self._api, self._options, self.name).findings(
            self._states, self._groups, self.statuses.words, self._filter("tocsin")
        )

    # --- within -----------------------------------------------------------------------------------------------------

    async def _listed(self, since: datetime, whose: dict[str, str]) -> AsyncIterator[Record]:
        """The tickets that were updated since, oldest first; a page may tell one again. Raises when they are too many."""
        query = {
            "updated_since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "order_type": "asc",
            "per_page": str(_PAGE),
            **whose,
            **self._space,
        }
        count = 0
        async for ticket in self._paged("api/v2/tickets", "tickets", query):
            count += 1
            yield await self._record(ticket)
        if count >= _PAGE * _MOST_PAGES:
            why = f"{self.name} lists more than {_PAGE * _MOST_PAGES} tickets that changed since {since:%Y-%m-%d %H:%M} UTC"
            hint = "give tocsin a workspace, or a requester of its own by its number"
            raise DeliveryError(Reason.MISCONFIGURED, f"{why}; {hint}", retry=False, stops=True, harmless=True)

    async def _paged(self, path: str, key: str, query: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        """All of a list: the next page is there when the header `link` says so."""
        for page in range(1, _MOST_PAGES + 1):
            answer, request = await self._api.answer("GET", path, query={**query, "page": str(page)})
            said = decoded(answer, request)
            found = objects(said, "" if isinstance(said, list) else key, self.name)
            for one in found:
                yield one
            more = 'rel="next"' in answer.headers.get("link", "").replace("'", '"') or len(found) >= _PAGE
            if not found or not more:
                return

    async def _conversations(self, number: str) -> AsyncIterator[RemoteNote]:
        path = f"api/v2/tickets/{number}/conversations"
        async for one in self._paged(path, "conversations", {"per_page": str(_PAGE)}):
            text = at(one, "body_text") or _texts.from_html(at(one, "body"))
            yield RemoteNote(id=at(one, "id"), actor=at(one, "user_id"), text=text, at=moment(one.get("created_at")))

    async def _named(self, element: Element) -> tuple[dict[str, Any], list[str]]:
        """Group and asset by their numbers, and what could not be found, in words."""
        found: dict[str, Any] = {}
        missed = []
        if group := self._options.group:
            number = await self._asked(self._groups, group)
            found |= {"group_id": int(number)} if number.isdecimal() else {}
            missed += [] if number.isdecimal() else [f"the ticket has no group: {number}"]
        if self._options.asset != "none":
            asset = await self._asset(element)
            found |= {"assets": [{"display_id": int(asset)}]} if asset.isdecimal() else {}
            missed += [] if asset.isdecimal() else [f"the ticket has no asset: {asset}"]
        return found, missed

    async def _asked(self, choices: Choices, name: str) -> str:
        """The number of what is called so, or why there is none. Raises DeliveryError when it cannot be known now."""
        if name.isdecimal():
            return name
        try:
            return await choices.id(name) or f"there is none called {name!r}"
        except DeliveryError as error:
            error.harmless = True
            if error.reason not in (Reason.UNAUTHORIZED, Reason.REFUSED, Reason.NOT_FOUND):
                raise
            return f"they cannot be read ({error.reason})"

    async def _asset(self, element: Element) -> str:
        """The display id of the one asset of the first name that has one, or why there is none."""
        field = self._options.asset
        words = [word for word in references(element) if not re.search(r"['\"]", word)][:_TRIED]
        for word in words:
            try:
                query = {"search": f"\"{field}:'{word}'\"", **self._space}
                said = await self._api.ask("GET", "api/v2/assets", query=query)
            except DeliveryError as error:
                error.harmless = True
                if error.reason not in (Reason.UNAUTHORIZED, Reason.REFUSED, Reason.NOT_FOUND):
                    raise
                return f"assets cannot be read ({error.reason})"
            hits = {
                at(one, "display_id") for one in each(said, "assets") if at(one, field).casefold() == word.casefold()
            }
            if len(hits) == 1:
                return hits.pop()
            if hits:
                return f"{len(hits)} have the {field} {word!r}"
        return f"none has the {field} {' or '.join(map(repr, words))}"

    async def _state(self, status: TicketStatus) -> int:
        """The number of a status; a name is looked up. Raises DeliveryError."""
        told = self.statuses.word(status) or ""
        number = told if told.isdecimal() else await self._states.id(told)
        if number is None:
            why = (
                f"{self.name} has no ticket status {told!r}; `tocsin backend check {self.name}` tells those that it has"
            )
            raise DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)
        return whole(number, self.name)

    async def _state_names(self) -> dict[str, str]:
        said = await self._api.ask("GET", "api/v2/ticket_form_fields", query=self._space)
        return choices_of(said, "status", self.name)

    async def _group_names(self) -> dict[str, str]:
        query = {"per_page": str(_PAGE), **self._space}
        return {at(one, "name"): at(one, "id") async for one in self._paged("api/v2/groups", "groups", query)}

    async def _record(self, ticket: dict[str, Any], notes: tuple[RemoteNote, ...] = ()) -> Record:
        state = at(ticket, "status")
        named = not all(one.isdecimal() for one in self.statuses.words)
        return self._recorded(ticket, await self._states.name(state) if named else "", notes)

    def _recorded(self, ticket: dict[str, Any], word: str, notes: tuple[RemoteNote, ...] = ()) -> Record:
        """The ticket, whose status is called `word` where that is known."""
        number, state = str(whole(required(ticket, "id", self.name), self.name)), at(ticket, "status")
        numbers, known = f"{at(ticket, 'impact')}/{at(ticket, 'urgency')}", word or state
        return Record(
            number=number,
            reference=at(ticket, f"custom_fields.{self._options.reference_field}"),
            url=f"{self._options.url}/a/tickets/{number}",
            status=self.statuses.ours(state if state in self.statuses.words else known) or TicketStatus.IN_PROGRESS,
            state=known,
            impact=self.impacts.ours(numbers),
            priority=graded(at(ticket, "priority"), at(ticket, "impact"), at(ticket, "urgency")),
            assignee=at(ticket, "responder_id"),
            changed_at=moment(ticket.get("updated_at")),
            notes=notes,
        )


_CATEGORIES = ("category", "sub_category", "item_category")


def _login_of(key: str) -> _login.Login:
    """The key as the user of a password that everybody knows: it is the user that no error may repeat."""
    entry = _login.basic(key, "X")
    return _login.Fixed(entry.always, (key, *(text for text in entry.hide if text != "X")))


def _requester(told: str) -> dict[str, Any]:
    return {"requester_id": int(told)} if told.isdecimal() else {"email": told}


def heard(payload: Payload) -> list[str]:
    """The numbers and references that a message of the workflow automator names, in whatever it wraps them.

    Raises:
        PayloadError: it is no JSON object, or names no ticket.
    """
    within = ("ticket", "freshdesk_webhook", "data", "payload", "tickets", "custom_fields")
    keys = ("id", "ticket_id", "ticket_id_numeric", "display_id", "number", "reference")
    told = named(heard_object(payload), keys, within)
    found = [match[1] if (match := _NUMBERED.fullmatch(word)) else word for word in told]
    if not found:
        raise PayloadError("the message has neither id nor reference; config/backends/freshservice.yaml shows how")
    return list(dict.fromkeys(found))

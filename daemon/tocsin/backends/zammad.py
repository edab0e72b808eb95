"""Zammad tickets over its REST API.

STATUS: proven against a fake that misbehaves, modelled on the public documentation and source; not on the vendor's system.

Our reference stands in an attribute of the tickets that an administrator adds (Admin, Objects, Ticket: a text that
agents see when they create and when they edit), named by `reference_field`. It is looked up by a condition, which
Zammad asks its database for: exactly and at once. Should conditions not be honoured, its search index is asked the
documented way; that one lags behind, so a ticket that is in doubt and not found is then asked for again after a minute.
The number that people see (31001) is the ticket's number here; its inner id is looked up by it.

The impact is the ticket's priority (`1 low`, `2 normal`, `3 high`), for Zammad computes none. What works again is
`pending close`: Zammad closes it by itself after `pending`, should nobody say anything before. Closing sets `closed`;
opening again sets `open`, which older releases refuse in a group whose follow-ups of closed tickets become new tickets.
No ticket becomes `new` again: Zammad does not allow it. Notes are articles of type `note`, hidden from the customer
unless `internal` is false. To agents Zammad does not say why it could not store something: that is tried again.

The token's user needs the role Agent and the right `full` (or read, create and change) in the group, the token the
permission `ticket.agent`. Webhooks come from a trigger. Format: docs.zammad.org, "REST API", "Ticket",
"Ticket Articles", "Webhook".
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, StringConstraints

from tocsin.backends import Finding, Level, _login, _texts, _zammad_findings
from tocsin.backends._api import Api, File, as_json
from tocsin.backends._choices import Choices
from tocsin.backends._document import reach
from tocsin.backends._http import decoded
from tocsin.backends._moments import moment
from tocsin.backends._named import heard_object
from tocsin.backends._options import Remote
from tocsin.backends._scale import Scale
from tocsin.backends._shape import at, objects, required, strange
from tocsin.backends._sight import out_of_sight
from tocsin.backends._sweep import sweep
from tocsin.backends._system import TicketSystem
from tocsin.backends._whole import whole
from tocsin.backends._zammad_answers import judge
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Impact, Record, RemoteNote, Snapshot, TicketStatus
from tocsin.units import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._system import Wanted
    from tocsin.model import Payload

_PAGE = 100
_EXPAND = {"expand": "true"}
"""Names beside the ids."""
_LAG = timedelta(minutes=1)
"""How long the search index may lag behind."""
_REMEMBERED = 1000
"""So many inner ids are kept at most."""
_LATEST = 20
"""So many articles are read one by one when all of them are more than an answer may hold."""
_NOBODY = frozenset({"", "-"})
_STATUSES = {
    TicketStatus.DECLARED: "new",
    TicketStatus.IN_PROGRESS: "open",
    TicketStatus.WAITING: "pending reminder",
    TicketStatus.FROZEN: "pending reminder",
    TicketStatus.REPAIRED: "pending close",
    TicketStatus.CLOSED: "closed",
}
_FURTHER = {"merged": TicketStatus.CANCELLED, "removed": TicketStatus.CANCELLED}
_IMPACTS = {
    Impact.NONE: "1 low",
    Impact.BACKUP: "1 low",
    Impact.DEGRADED: "2 normal",
    Impact.SEVERE: "3 high",
    Impact.INTERRUPTED: "3 high",
}
_PENDING = frozenset({TicketStatus.WAITING, TicketStatus.FROZEN, TicketStatus.REPAIRED})
Attribute = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Options(Remote):
    """What a Zammad backend can be told; README.md in this folder says what each option means."""

    token_file: str
    """File with the access token of the user that tocsin works as."""
    scheme: Literal["token", "bearer"] = "token"
    """How the token is sent: `token` for an access token (`Token token=…`), `bearer` for one of OAuth 2."""
    group: str = Field(min_length=1)
    """Name of the group that tickets are put into; subgroups as `Parent::Child`."""
    customer: str = Field(min_length=1)
    """Login or e-mail address of the Zammad user that tickets are declared for; the user must exist."""
    reference_field: Attribute = "tocsin_reference"
    """Name of the ticket attribute that holds our reference."""
    element_field: Attribute | Literal[""] = ""
    """Name of a ticket attribute that takes the element's reference; empty writes it into the text only."""
    internal: bool = True
    """Whether what tocsin writes is hidden from the customer."""
    pending: Duration = Field(default=timedelta(days=7), gt=timedelta(0))
    """How far ahead the pending time is set with a pending state; Zammad closes a `pending close` ticket then."""


class Backend(TicketSystem):
    """A Zammad as configured."""

    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=250, text=50_000, note=50_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = Scale(_STATUSES, _FURTHER, otherwise=TicketStatus.IN_PROGRESS).over(options.statuses)
        self.impacts = Scale(_IMPACTS).over(options.impacts)
        self._options = options
        given = _login.secret(name, "token_file", options.token_file, outside)
        words = {"token": f"Token token={given}", "bearer": f"Bearer {given}"}
        login = _login.Fixed({"Authorization": words[options.scheme]}, (given,))
        self._api = Api(f"{options.url}/api/v1", outside, timeout=options.timeout, login=login, judge=judge)
        self._states = self._choices("state", "ticket_states")
        self._priorities = self._choices("priority", "ticket_priorities")
        self._groups = self._choices("group", "groups")
        self._keys: dict[str, str] = {}

    def _choices(self, what: str, path: str) -> Choices:
        async def ask() -> dict[str, str]:
            return {at(one, "name"): at(one, "id") for one in objects(await self._api.ask("GET", path), "", self.name)}

        return Choices(what, ask, self._outside.clock)

    async def create(self, body: Snapshot) -> Record:
        """POST /tickets with its first article; Zammad gives it the state `new`."""
        written, options = self.written(body), self._options
        ticket: dict[str, Any] = {
            "title": written.title,
            "group": options.group,
            "customer": options.customer,
            "priority": self.impacts.word(body.impact),
            options.reference_field: body.reference,
            "article": {"subject": written.title, **self._article(written.text)},
        }
        if options.element_field:
            ticket[options.element_field] = body.element.reference
        return await self._record(await self._api.ask("POST", "tickets", as_json(ticket), query=_EXPAND))

    async def search(self, reference: str) -> list[Record]:
        """GET /tickets/search by the attribute, exactly; closed tickets are among them."""
        field = self._options.reference_field
        tickets = await self._asked(field, reference, lambda one: at(one, field).casefold() == reference.casefold())
        return sorted([await self._record(one) for one in tickets], key=lambda one: (len(one.key), one.key))

    async def read(self, number: str) -> Record | None:
        """GET /tickets/search by the number, then its articles: the number is not the id that Zammad reads by."""
        ticket = await self._numbered(number)
        if ticket is None:
            return None
        key = required(ticket, "id", self.name)
        return await self._record(ticket, await self._articles(key, ticket))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """PUT /tickets/ID with the note as an article, all or nothing; a note alone may be told to any ticket."""
        ticket: dict[str, Any] = {}
        if wanted.status:
            ticket["state"] = self.statuses.word(wanted.status)
        if wanted.status in _PENDING:
            ticket["pending_time"] = _stamp(self._outside.clock() + self._options.pending)
        if wanted.impact:
            ticket["priority"] = self.impacts.word(wanted.impact)
        article = self._article(wanted.note) if wanted.note else {}
        if not ticket:
            await self._add({"ticket_id": whole(record.key, self.name), **article})
            return
        told = {**ticket, **({"article": article} if article else {})}
        path = f"tickets/{quote(record.key, safe='')}"
        after = await self._record(await self._api.ask("PUT", path, as_json(told), query=_EXPAND))
        if wanted.status and after.state.casefold() != str(ticket["state"]).casefold():
            why = f"ticket {record.number} of {self.name} is {after.state!r} instead of {ticket['state']!r} after all"
            raise DeliveryError(Reason.REFUSED, f"{why}; look for a core workflow that forbids it", retry=False)

    async def attach(self, record: Record, file: File) -> None:
        """POST /ticket_articles with the file in it, marked as ours like any note."""
        data = base64.b64encode(file.content).decode()
        attachment = {"filename": file.name, "data": data, "mime-type": file.media_type}
        await self._add(
            {
                "ticket_id": whole(record.key, self.name),
                **self._article(f"{file.name}\n(tocsin {record.reference}/0)"),
                "attachments": [attachment],
            }
        )

    async def changes(self, since: datetime) -> list[Record]:
        """GET /tickets/search by the time of change, oldest first."""
        return await sweep(self._changed, since, _PAGE)

    async def check(self) -> list[Finding]:
        """Who we are, and whether group, customer, attribute, states and priorities exist."""
        options = self._options
        user = await self._api.ask("GET", "users/me", query=_EXPAND)
        login = required(user, "login", self.name)
        users = await self._api.ask("GET", "users/search", query={"query": options.customer, "limit": "20"})
        tickets = await self._api.ask("GET", "tickets", query={"per_page": "1", **_EXPAND})
        return [
            Finding(level=Level.FINE, what="token_file", told=f"works as {login!r}"),
            *await self._groups.findings([options.group], "group"),
            *_zammad_findings.rights(user, options.group),
            _zammad_findings.customer(objects(users, "", self.name), options.customer),
            _zammad_findings.attribute(objects(tickets, "", self.name), options.reference_field),
            *await self._states.findings(self.statuses.words, "statuses"),
            *await self._priorities.findings(self.impacts.words, "impacts"),
        ]

    def _article(self, text: str) -> dict[str, Any]:
        return {"body": text, "content_type": "text/plain", "type": "note", "internal": self._options.internal}

    async def _add(self, article: dict[str, Any]) -> None:
        required(await self._api.ask("POST", "ticket_articles", as_json(article)), "id", self.name)

    async def _asked(self, field: str, value: str, wanted: Callable[[Any], bool]) -> list[dict[str, Any]]:
        """The tickets whose field has this value: the database's, else those that the search index knows.

        Conditions are in Zammad's source and not in its documentation: that nothing was found by one is not believed.
        """
        condition = {f"condition[ticket.{field}][operator]": "is", f"condition[ticket.{field}][value]": value}
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        term = value if value.isdecimal() else f'"{escaped}"'
        answered = await self._conditioned({**condition, "per_page": str(_PAGE)}) or []
        tickets = [one for one in answered if wanted(one)]
        if tickets:
            return tickets
        if answered:  # tickets that were not asked for: conditions mean nothing here, and only the index is left
            self.settle = max(self.settle, _LAG)
        answered = await self._searched({"query": f"{field}:{term}", "per_page": str(_PAGE)})
        return [one for one in answered if wanted(one)]

    async def _conditioned(self, query: Mapping[str, str]) -> list[dict[str, Any]] | None:
        """What is found by a condition; None where Zammad, or what stands before it, refuses conditions."""
        try:
            return await self._searched(query)
        except DeliveryError as error:
            if error.reason != Reason.REFUSED:
                raise
        self.settle = max(self.settle, _LAG)
        return None

    async def _searched(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """A list of whole tickets, or, from a Zammad that does not expand, a list of ids and the tickets beside it."""
        said = await self._api.ask("GET", "tickets/search", query={**query, **_EXPAND})
        if not isinstance(said, dict):
            return objects(said, "", self.name)
        if not isinstance(said.get("tickets", said.get("record_ids")), list):
            raise strange(self.name, "no list of tickets")
        tickets = reach(said, "assets.Ticket")
        return list(tickets.values()) if isinstance(tickets, dict) else []

    async def _changed(self, since: datetime, pages: int, _: int) -> list[Record]:
        field = self._options.reference_field
        paging = {"sort_by": "updated_at", "order_by": "asc", "per_page": str(_PAGE), "page": str(pages + 1)}
        condition = {
            "condition[ticket.updated_at][operator]": "after (absolute)",
            "condition[ticket.updated_at][value]": _stamp(since),
            f"condition[ticket.{field}][operator]": "is not",
            f"condition[ticket.{field}][value]": "",
        }
        tickets = await self._conditioned({**condition, **paging})
        if tickets is None or not (tickets or pages):
            tickets = await self._searched({"query": f'updated_at:>="{_stamp(since)}"', **paging})
        return [await self._record(one) for one in tickets]

    async def _numbered(self, number: str) -> dict[str, Any] | None:
        found = await self._asked("number", number, lambda one: at(one, "number") == number)
        if found or number not in self._keys:
            return found[0] if found else None
        try:
            said = await self._api.find(f"tickets/{quote(self._keys[number], safe='')}", query=_EXPAND)
        except DeliveryError as error:
            if error.reason == Reason.REFUSED:  # we may search, so this one ticket is not ours to see any more
                raise out_of_sight(self.name, number, "let its user see the other group") from None
            raise
        return said if at(said, "number") == number else None

    async def _articles(self, key: str, ticket: Any) -> tuple[RemoteNote, ...]:
        """What was written after the ticket's first article; the latest ones, when all are too many."""
        path = f"ticket_articles/by_ticket/{quote(key, safe='')}"
        answer, request = await self._api.answer("GET", path, query=_EXPAND)
        if not answer.cut:
            articles = objects(decoded(answer, request), "", self.name)
            return tuple(_note(one) for one in sorted(articles, key=_id)[1:] if at(one, "body"))
        ids = sorted(one for one in reach(ticket, "article_ids") or () if isinstance(one, int))[1:][-_LATEST:]
        one_by_one = [await self._api.ask("GET", f"ticket_articles/{one}", query=_EXPAND) for one in ids]
        return tuple(_note(one) for one in one_by_one if at(one, "body"))

    async def _record(self, ticket: Any, notes: tuple[RemoteNote, ...] = ()) -> Record:
        number, key = required(ticket, "number", self.name), required(ticket, "id", self.name)
        if len(self._keys) >= _REMEMBERED:
            self._keys.clear()
        self._keys[number] = key
        state = at(ticket, "state") or await self._states.name(required(ticket, "state_id", self.name))
        priority = at(ticket, "priority") or await self._priorities.name(at(ticket, "priority_id"))
        owner = at(ticket, "owner")
        return Record(
            number=number,
            key=key,
            reference=at(ticket, self._options.reference_field),
            url=f"{self._options.url}/#ticket/zoom/{key}",
            status=self.statuses.ours(state) or TicketStatus.IN_PROGRESS,
            state=state,
            impact=self.impacts.ours(priority),
            priority=priority,
            assignee="" if owner in _NOBODY else owner,
            changed_at=moment(reach(ticket, "updated_at")),
            actor=at(ticket, "updated_by"),
            notes=notes,
        )


def heard(payload: Payload) -> list[str]:
    """The number of the ticket that a trigger's webhook is about. Raises PayloadError."""
    number = at(heard_object(payload), "ticket.number")
    if not number:
        raise PayloadError("the webhook names no ticket.number; leave Zammad's own payload as it is, or put it in")
    return [number]


def _note(article: Any) -> RemoteNote:
    text = at(article, "body")
    plain = _texts.from_html(text) if at(article, "content_type") == "text/html" else text
    actor = at(article, "created_by") or at(article, "from")
    return RemoteNote(id=at(article, "id"), actor=actor, text=plain, at=moment(reach(article, "created_at")))


def _id(article: Any) -> int:
    known = reach(article, "id")
    return known if isinstance(known, int) else 0


def _stamp(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}Z"

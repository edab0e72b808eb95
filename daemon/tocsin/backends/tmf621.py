"""Any ticket system with TM Forum's Trouble Ticket API (TMF621), version 4 or 5.

STATUS: proven against tocsin's own desk in both versions, and a fake that misbehaves; not on a vendor's server.

Our reference stands in the ticket's `externalId` (version 4), or among its `externalIdentifier`s under the owner
`tocsin` (version 5). It is looked up with a filter and compared once more here: a server that ignores filters is read
page by page, up to `most` tickets. The impact is the ticket's `severity`: `Minor` for none and backup, `Major` for
degraded and severe, `Critical` for interrupted; the priority is the server's to set. The element goes along as a
`relatedEntity`, and in the text.

Statuses are the standard's: `acknowledged`, `inProgress`, `pending` (waiting), `held` (frozen), `resolved` (repaired),
`closed`, `cancelled`. Closing sets `closed`; a ticket that is opened again is `inProgress`. A server may keep the status to itself: an answer that keeps the old one is an error
that says what to do, and with `sets_status: false` tocsin writes notes and follows. A server that answers 202 to a new
ticket makes its number later; the ticket is then found by our reference.

The account needs the rights to list, read, create and patch tickets, and to register at the hub for `subscribe`.
Documentation: TM Forum, "TMF621 Trouble Ticket" 4.0.0 and 5.0.1, "TMF630 REST API Design Guidelines".
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import Field, field_validator, model_validator

from tocsin.backends import _login, _tmf, _tmf_check, _tmf_hub
from tocsin.backends._api import Api, File, as_json
from tocsin.backends._can import Can
from tocsin.backends._http import AnswerError, decoded
from tocsin.backends._moments import moment
from tocsin.backends._options import Address, Remote
from tocsin.backends._scale import Scale
from tocsin.backends._shape import an_object, at, each, required
from tocsin.backends._system import TicketSystem
from tocsin.backends._tmf_patch import Patches
from tocsin.backends._tmf_query import Query
from tocsin.model import Impact, Record, RemoteNote, TicketStatus
from tocsin.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.backends._system import Wanted
    from tocsin.errors import DeliveryError
    from tocsin.model import Snapshot

_IMPACTS = {
    Impact.NONE: "Minor",
    Impact.BACKUP: "Minor",
    Impact.DEGRADED: "Major",
    Impact.SEVERE: "Major",
    Impact.INTERRUPTED: "Critical",
}
_FILTERS = {"v4": "externalId", "v5": "externalIdentifier.id"}
_FINAL = "`reopens` says that closed is final there; a note tells it"
_KEPT = "`sets_status` says that the server keeps the status to itself; a note tells it"

heard = _tmf.heard


class Options(Remote):
    """What a TMF621 backend can be told."""

    version: Literal["v4", "v5"] = "v4"
    """Version of the standard that the server speaks: `v4` or `v5`."""
    path: str = "/tmf-api/troubleTicket/{version}"
    """Path of the API below `url`; `{version}` stands for the version. Above it are `troubleTicket` and `hub`."""
    resource: str = Field(default="troubleTicket", pattern=r"[A-Za-z0-9_-]+")
    """Last part of the tickets' address, for a server that spells it otherwise."""
    token_file: str = ""
    """File with a token, sent as `Authorization: Bearer …`. One way to log in is needed: this, or `user`, or `token_url`."""
    user: str = ""
    """User of a basic login; goes with `password_file`."""
    password_file: str = ""
    """File with the user's password."""
    token_url: Address | Literal[""] = ""
    """Address of the OAuth 2.0 token endpoint (client credentials); goes with `client_id` and `client_secret_file`."""
    client_id: str = ""
    """The client's id at the token endpoint."""
    client_secret_file: str = ""
    """File with the client's secret."""
    client_in_body: bool = False
    """Send the client's id and secret in the form instead of as a basic login, for a token endpoint that wants it so."""
    scope: str = ""
    """Scope to ask the token for; none unless given."""
    ticket_type: str = Field(default="incident", min_length=1)
    """The `ticketType` of new tickets: a word that the server knows."""
    owner: str = Field(default="tocsin", min_length=1)
    """Owner of our reference among a ticket's external identifiers (version 5 only)."""
    entity_role: str = "affectedService"
    """Role of the element among a ticket's related entities; empty leaves the element to the text."""
    entity_type: str = "Service"
    """What the element is to the server, its `@referredType`: `Service`, `Product`, `Resource` …"""
    attributes: dict[str, Any] = Field(default={})
    """Further attributes of each new ticket as the server wants them, such as `relatedParty` or `channel`."""
    sets_status: bool = True
    """Whether tocsin may set a ticket's status; `false` for a server that keeps it to itself: notes then say it all."""
    steps: list[str] = Field(default=[])
    """Statuses that a ticket passes on its way to being repaired or closed, in order, such as `[inProgress, resolved]`,
    for a server that allows no short cut; none unless given."""
    reopens: bool = True
    """Whether a closed ticket may be set back to `inProgress`; `false` for a server on which closed is final."""
    notes: Literal["whole", "append"] = "whole"
    """How a server takes `note` and `attachment` in a patch: `whole` replaces all of them, as the standard's merge-patch
    does, so the old ones are sent along; `append` adds what is sent."""
    patch: Literal["", "merge-patch", "json"] = ""
    """Media type of a patch: `application/merge-patch+json` or `application/json`; the other one is tried when the server
    does not take it. `json` for version 4, which knows no other, and `merge-patch` for version 5 unless given."""
    reference_filter: str = ""
    """Query that finds our reference: a parameter's name, or a whole `name=value` in which `{reference}` stands for it;
    `externalId` or `externalIdentifier.id` unless given."""
    since_filter: str = "lastUpdate.gte"
    """Query that asks for what changed since: a parameter's name, or `name=value` with `{since}`; empty asks for all."""
    page_size: int = Field(default=50, ge=1, le=1000)
    """Tickets that are asked for at once; fewer when they are so long that an answer exceeds 1 MB."""
    most: int = Field(default=5000, ge=1)
    """Tickets that are read at most when the server ignores a filter; beyond that a look-up fails, and nothing is made."""
    settle: Duration = Field(default=timedelta(minutes=1), ge=timedelta(0))
    """How long a new ticket may exist before a look-up finds it; a lost answer leads to no second one any sooner."""
    page: str = ""
    """Address of a ticket's page for people, `{number}` in its place; the ticket's `href` unless given."""
    subscribe: Address | Literal[""] = ""
    """Our address that the server's hub shall call, `https://…/hooks/tickets/NAME`; none unless given."""

    @field_validator("page")
    @classmethod
    def _leads_to_a_ticket(cls, value: str) -> str:
        if value and ("{number}" not in value or not value.startswith(("http://", "https://"))):
            raise ValueError("must be an http(s) address that holds {number}")
        return value

    @field_validator("attributes")
    @classmethod
    def _leaves_ours_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in sorted(value.keys() & _tmf.RESERVED):
            raise ValueError(f"{name!r} is written by tocsin or by the server; leave it out")
        return value

    @model_validator(mode="after")
    def _logs_in_one_way(self) -> Self:
        ways = {
            "token_file": (self.token_file,),
            "user and password_file": (self.user, self.password_file),
            "token_url, client_id and client_secret_file": (self.token_url, self.client_id, self.client_secret_file),
        }
        if [any(given) for given in ways.values()].count(True) != 1:
            raise ValueError(f"give one way to log in: {'; or '.join(ways)}")
        for names, given in ways.items():
            if any(given) and not all(given):
                raise ValueError(f"{names} go together: one of them is missing")
        return self


def _login_for(name: str, options: Options, outside: Outside) -> _login.Login:
    """The one way to log in that the options name. Raises SettingsError."""
    if options.token_file:
        return _login.token(_login.secret(name, "token_file", options.token_file, outside))
    if options.user:
        given = _login.password(name, "password_file", options.password_file, outside)
        return _login.basic(options.user, given)
    return _login.ClientCredentials(
        options.token_url,
        options.client_id,
        _login.secret(name, "client_secret_file", options.client_secret_file, outside),
        outside,
        scope=options.scope,
        allowed=options.timeout,
        in_body=options.client_in_body,
    )


class Backend(TicketSystem):
    """A server of TMF621 as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {}
    PASSES: ClassVar[frozenset[TicketStatus]] = frozenset({TicketStatus.IN_PROGRESS, TicketStatus.REPAIRED})
    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.settle = options.settle
        self.statuses = _scale(options)
        if not options.sets_status:
            self.lacks = dict.fromkeys((Can.REPAIRED, Can.CLOSE, Can.REOPEN), _KEPT)
        elif not options.reopens:
            self.lacks = {Can.REOPEN: _FINAL}
        self.impacts = Scale(_IMPACTS).over(options.impacts)
        self._options = options
        self._form = _tmf.Form(options.version, options.owner, options.entity_role, options.entity_type)
        base = options.url + "/" + options.path.replace("{version}", options.version).strip("/")
        login = _login_for(name, options, outside)
        self._api = Api(base, outside, timeout=options.timeout, login=login, judge=_tmf.judge)
        whole = options.notes == "whole"
        media = options.patch or ("json" if options.version == "v4" else "merge-patch")
        self._patches = Patches(name, self._api, self._form, media=media, whole=whole)
        self._query = Query(
            resource=options.resource,
            fields=self._form.fields(),
            reference=options.reference_filter or _FILTERS[options.version],
            since=options.since_filter,
            size=options.page_size,
            most=options.most,
        )
        self._tickets = self._query.listing(name, self._api)

    async def create(self, body: Snapshot) -> Record:
        """POST; a conflict may say that the ticket is there already."""
        try:
            answer, request = await self._api.answer("POST", self._options.resource, as_json(self._ticket(body)))
        except AnswerError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise _tmf.misplaced(error, "url, path, version or resource") from None
            return await self._there(body.reference, error)
        later = answer.status == HTTPStatus.ACCEPTED
        said = None if later and not answer.body.strip() else decoded(answer, request)
        if later and not at(said, "id"):
            return Record(number="", reference=body.reference)
        return self._record(an_object(said, "", self.name))

    async def search(self, reference: str) -> list[Record]:
        """GET with a filter; page by page, for the server may ignore it."""
        found = await self._tickets.look_up(self._query.for_reference, reference, self._form.reference)
        return [self._record(one) for one in sorted(found, key=lambda one: at(one, "creationDate"))]

    async def read(self, number: str) -> Record | None:
        """GET by id, with the notes."""
        said = await self._api.find(self._at(number), query={"fields": self._form.fields("note")})
        return None if said is None else self._record(an_object(said, "", self.name))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """PATCH, all in one unless `steps` lie between; what became of the status is read from the answer."""
        path = self._at(record.number)
        *passed, last = self._steps(record, wanted.status)
        for word in passed:
            await self._patches.patch(path, record, self._turn(word, wanted))
        severity = {"severity": self.impacts.word(wanted.impact)} if wanted.impact else {}
        changes = {**self._turn(last, wanted), **severity}
        if wanted.note:
            note = self._form.note(wanted.note, self._outside.clock())
            await self._patches.tell(path, record, changes, note)
        else:
            await self._patches.patch(path, record, changes)

    async def attach(self, record: Record, file: File) -> None:
        """PATCH with the file by value, beside those that are there."""
        await self._patches.attach(self._at(record.number), self._form.attachment(file))

    async def changes(self, since: datetime) -> list[Record]:
        """GET what was updated since, and compare here too: the server may ignore it, or keep whole seconds only."""
        since = since.replace(microsecond=0)
        filters = self._query.for_since(since)
        if self._options.version == "v5":
            filters["sort"] = "-lastUpdate"  # what changes meanwhile comes once more, and pushes nothing out of sight
        found = await self._tickets.all(filters, f"what changed ({self._query.since or 'all'})")
        records = [self._record(one) for one in found]
        return [one for one in records if one.reference and (one.changed_at is None or one.changed_at >= since)]

    async def check(self) -> list[Finding]:
        """Whether the list answers, the filters work, the words are the standard's, and the hub knows us."""
        return [
            *await _tmf_check.lists(self.name, self._api, self._query, self._form.reference, self._outside.clock()),
            *_tmf_check.words(self._options.statuses.values()),
            *await _tmf_hub.registered(self._api, self._options.subscribe),
        ]

    async def subscribe(self) -> Finding:
        """Register the option `subscribe` at the hub, unless it is there; what became of it. Raises DeliveryError.

        The standard has no question for who is registered. Where the server answers one all the same, nothing is
        registered twice; elsewhere each call may add a listener more, and we are told of each change twice.
        """
        return await _tmf_hub.register(self._api, self._form, self._options.subscribe)

    def _at(self, number: str) -> str:
        return f"{self._options.resource}/{quote(number, safe='')}"

    def _ticket(self, body: Snapshot) -> dict[str, Any]:
        written = self.written(body)
        related = [*self._form.related(body.element), *each(self._options.attributes, "relatedEntity")]
        ticket = {
            **self._options.attributes,
            **self._form.identity(body.reference),
            "name": written.title,
            "description": written.text,
            "severity": self.impacts.word(body.impact),
            "ticketType": self._options.ticket_type,
            **({"relatedEntity": related} if related else {}),
        }
        return self._form.typed("TroubleTicket", **ticket)

    async def _there(self, reference: str, conflict: DeliveryError) -> Record:
        """The ticket that is there already, if that is the conflict."""
        for record in await self.search(reference):
            if record.reference == reference:
                return record
        raise conflict

    def _steps(self, record: Record, status: TicketStatus | None) -> list[str]:
        """The statuses to set one after the other; one empty word when none is."""
        word = self.statuses.word(status) if status else None
        if not word:
            return [""]
        way = self._options.steps if status in (TicketStatus.REPAIRED, TicketStatus.CLOSED) else []
        way = [*way[: way.index(word)], word] if word in way else [*way, word]
        return way[way.index(record.state) + 1 :] or [word] if record.state in way else way

    def _turn(self, word: str, wanted: Wanted) -> dict[str, Any]:
        return {"status": word, "statusChangeReason": _tmf.reason(wanted.note, wanted.body.reference)} if word else {}

    def _record(self, ticket: Mapping[str, Any]) -> Record:
        number, state = required(ticket, "id", self.name), at(ticket, "status")
        href = at(ticket, "href")
        page = self._options.page.replace("{number}", quote(number, safe=""))
        return Record(
            number=number,
            reference=self._form.reference(ticket),
            url=page or (href if href.startswith(("http://", "https://")) else ""),
            status=(self.statuses.ours(state) if state else None) or TicketStatus.DECLARED,
            state=state,
            impact=self.impacts.ours(at(ticket, "severity")),
            priority=" / ".join(word for word in (at(ticket, "priority"), at(ticket, "severity")) if word),
            assignee=_tmf.assignee(ticket),
            changed_at=moment(ticket.get("lastUpdate")),
            notes=tuple(_note(one) for one in each(ticket, "note")),
        )


def _scale(options: Options) -> Scale[TicketStatus]:
    """The statuses: the standard's words are read whatever is written, and none is when the server keeps them to itself."""
    words = {**options.statuses, **{ours: word for ours, word in _tmf.STATUSES.items() if ours not in options.statuses}}
    also = {**{word: ours for ours, word in _tmf.STATUSES.items()}, _tmf.REJECTED: TicketStatus.CANCELLED}
    if options.sets_status:
        return Scale(words, also, TicketStatus.IN_PROGRESS)
    return Scale({}, {**also, **{word: ours for ours, word in words.items()}}, TicketStatus.IN_PROGRESS)


def _note(note: Mapping[str, Any]) -> RemoteNote:
    return RemoteNote(id=at(note, "id"), actor=at(note, "author"), text=at(note, "text"), at=moment(note.get("date")))

"""Orange Business' Incident API: the customer space's incident tool.

STATUS: proven against a fake that misbehaves, modelled on the public documentation; not on the vendor's system.

The API's bodies are not public, so what goes over the wire is data: a mapping that is shipped, in which each entry is
marked `confirmed` or `assumed`, and a file of your own over it (`mapping`). `tocsin backend import swagger.json > FILE`
writes that file from the vendor's Swagger file; `tocsin backend check NAME` counts what is still assumed.

Our reference stands in the field *votre référence*. The impact is the form's *nature*, in its five labels (French) or
their translation; the priority is Orange's to set.
A ticket is declared on an element by its reference, with its contract. The number comes some moments later; until then
the ticket is known by our reference. Closing sets the status: where the API does not let a customer close, its answer
keeps the old one, which is an error that says what to do. That a service works again is told in a note.

Orange's representative hands out the API key (valid for two years) and allows the application the Incident API, scope
`b2b:incident`. There is no webhook: the list is asked. Labels come in the language of `Accept-Language`, which is pinned.
Documentation: developer.orange.com, "Incident" (getting started, API reference), "2-legged OAuth", "API errors handling".
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from msgspec.structs import replace
from pydantic import Field

from tocsin.backends import _login, _orange_check, _orange_wire, _texts
from tocsin.backends._api import Api, as_json, as_multipart
from tocsin.backends._can import Can
from tocsin.backends._http import decoded
from tocsin.backends._options import Address, Remote
from tocsin.backends._orange_calls import Calls
from tocsin.backends._orange_gateway import GatewayError, Keyed, judge, misplaced
from tocsin.backends._orange_mapping import Mapping, parse, shipped
from tocsin.backends._shape import an_object, objects, strange
from tocsin.backends._system import TicketSystem
from tocsin.errors import DeliveryError, Reason, RuleError, SettingsError
from tocsin.model import Record, TicketStatus
from tocsin.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping as Some
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.backends._api import File
    from tocsin.backends._orange_mapping import Operation, Sent
    from tocsin.backends._system import Wanted
    from tocsin.model import DeliveryAction, Snapshot

_OVER = frozenset({TicketStatus.REPAIRED, TicketStatus.CLOSED, TicketStatus.CANCELLED})
_MADE = frozenset({HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
_LATER = timedelta(minutes=1)
_ALWAYS: tuple[Sent, ...] = (
    "users_affected",
    "main_usage",
    "contact_last_name",
    "contact_first_name",
    "contact_phone",
    "contact_email",
    "contact_availability",
    "notify",
)
"""Options that go into each new ticket under their own names."""


class Options(Remote):
    """What an Orange backend can be told."""

    url: Address = "https://api.orange.com"
    """Address of Orange's gateway."""
    path: str = "/incident/b2b/v1"
    """Path of the Incident API below `url`."""
    token_url: Address | None = None
    """Address of the token endpoint; `/oauth/v3/token` below `url` unless given."""
    client_id: str = Field(min_length=1)
    """The application's client id, as developer.orange.com shows it."""
    client_secret_file: str = Field(min_length=1)
    """File with the application's client secret."""
    key_file: str = Field(min_length=1)
    """File with the API key that Orange's representative hands out, sent as `X-Api-Key`."""
    key_issued: date | None = None
    """The day the API key was issued, such as `2026-01-31`: `check` warns 60 days before its two years end."""
    scope: str = "b2b:incident"
    """Scope that the token is asked for; empty asks for none."""
    mapping: str = ""
    """File with a mapping of your own: the entries that differ from the one that is shipped (`_orange_mapping.yaml` in this
    folder shows the form); none unless given."""
    users_affected: str = ""
    """*Utilisateurs impactés* of each new ticket, as the API writes it; not sent unless given."""
    main_usage: str = ""
    """*Usage principal impacté* of each new ticket, as the API writes it; not sent unless given."""
    contact_last_name: str = ""
    """Last name of the site contact of each new ticket; not sent unless given, and so are the four below."""
    contact_first_name: str = ""
    """First name of the site contact."""
    contact_phone: str = ""
    """Telephone number of the site contact, such as `+33 1 00 00 00 00`."""
    contact_email: str = ""
    """E-mail address of the site contact."""
    contact_availability: str = ""
    """When the site contact can be reached."""
    notify: list[str] = Field(default=[])
    """E-mail addresses that Orange tells of each new ticket; none unless given."""
    page_size: int = Field(default=40, ge=1, le=1000)
    """Tickets that are asked for at once."""
    most: int = Field(default=5000, ge=1)
    """Tickets that are read at most when the API does not look up or filter; beyond that the attempt fails."""
    settle: Duration = Field(default=timedelta(minutes=2), ge=timedelta(0))
    """How long a new ticket may exist before a look-up finds it; a lost answer leads to no second one any sooner."""
    page: str = ""
    """Address of a ticket's page for people, `{number}` in its place; none unless given."""


class Backend(TicketSystem):
    """Orange's Incident API as configured."""

    LACKS: ClassVar[Some[Can, str]] = {
        Can.HOOK: "the API has no subscriptions: it is polled",
        Can.REPAIRED: "Orange alone says that it has repaired something; a note tells that the service works again",
    }
    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=4_000, note=4_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.settle = options.settle
        self._options = options
        self._wire = _mapping(name, options.mapping, outside)
        self.lacks = {**self.LACKS, **_not_offered(self._wire)}
        labels = "en" if options.language == "en" else "fr"
        self.statuses = _orange_wire.statuses(self._wire, labels, options.statuses)
        self.impacts = _orange_wire.impacts(self._wire, labels, options.impacts)
        gateway = options.url.removesuffix(options.path.rstrip("/"))
        self._api = Api(
            f"{gateway}/{options.path.strip('/')}",
            outside,
            timeout=options.timeout,
            login=_login_for(name, options, options.token_url or f"{gateway}/oauth/v3/token", outside),
            judge=judge,
            headers={"Accept-Language": labels},
        )
        self._calls = Calls(name, self._api, self._wire, size=options.page_size, most=options.most)

    async def create(self, body: Snapshot) -> Record:
        """The operation `create`; its answer may not know the number yet."""
        written = self.written(body)
        always = {name: getattr(self._options, name) for name in _ALWAYS}
        values: dict[Sent, Any] = {
            "title": written.title,
            "text": written.text,
            "reference": body.reference,
            "impact": self.impacts.word(body.impact),
            "element": body.element.reference,
            "contract": body.element.contract,
            "occurred_at": _orange_wire.time(self._wire.time, body.opened_at),
            **always,
        }
        try:
            answer, request = await self._calls.send("create", values)
        except GatewayError as error:
            raise misplaced(error) from None
        if answer.status in _MADE and not answer.body.strip():
            return Record(number="", reference=body.reference)
        record = self._record(an_object(decoded(answer, request), "", self.name))
        # An answer need not repeat it: then only the list can tell.
        return record if record.reference else replace(record, reference=body.reference)

    async def search(self, reference: str) -> list[Record]:
        """The operation `list` with the reference as a filter, compared here; everything where there is no filter."""
        found = await self._calls.incidents.look_up(
            lambda asked: self._calls.filter("reference", asked),
            reference,
            lambda one: self._calls.told(one, "reference"),
        )
        return sorted((self._record(one) for one in found), key=lambda record: (not record.number, record.number))

    async def read(self, number: str) -> Record | None:
        """The operations `read` and `notes`."""
        key = await self._calls.key(number, "read", "notes")
        said = None if key is None else await self._api.find(self._calls.address("read", number, key))
        if said is None or key is None:
            return None
        record = self._record(an_object(said, "", self.name))
        return replace(record, number=number, key=key, notes=await self._calls.notes(number, key))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """The operations `add_note` and `update`, `close` or `reopen`: a note goes first, but not into what is over."""
        if wanted.note and record.status not in _OVER:
            await self._note(record, wanted.note)
        if wanted.status or wanted.impact:
            await self._update(record, wanted)
        if wanted.note and record.status in _OVER:
            await self._note(record, wanted.note)

    async def attach(self, record: Record, file: File) -> None:
        """The operation `attach`."""
        form = self._wire.file
        key = record.key or await self._calls.key(record.number, "attach") or ""
        path = self._calls.address("attach", record.number, key)
        if form.written == "multipart":
            body = as_multipart({}, [(form.part, file)])
        else:
            body = as_json(_orange_wire.packed(form, file))
        await self._api.answer(self._wire.operations["attach"].method, path, body)

    async def changes(self, since: datetime) -> list[Record]:
        """The operation `list`, with a filter where there is one, and compared here."""
        since = since.replace(microsecond=0)
        filters = self._calls.filter("since", _orange_wire.time(self._wire.time, since))
        records = [self._record(one) for one in await self._calls.incidents.all(filters, "what changed")]
        mine = [one for one in records if one.reference and one.number]
        return [one for one in mine if one.changed_at is None or one.changed_at >= since]

    async def check(self) -> list[Finding]:
        """Whether the login works and the list answers, what of the mapping is assumed, and how long the key is good."""
        now = self._outside.clock()
        call = self._wire.operations["list"]
        answer, request = await self._api.answer(call.method, call.path, query=self._calls.filter("limit", 1))
        objects(decoded(answer, request), self._wire.tells["list"].path, self.name)
        works = await self._calls.incidents.finds(
            lambda asked: self._calls.filter("reference", asked), lambda one: self._calls.told(one, "reference")
        )
        return [
            *_orange_check.lists(answer.headers, works=works, most=self._options.most),
            *_orange_check.key(self._options.key_issued, now),
            *_orange_check.mapping(self._wire),
        ]

    def _wanted_status(self, action: DeliveryAction, status: TicketStatus, record: Record) -> TicketStatus | None:
        """As for all, as far as the API offers the operation that leads there."""
        wanted = super()._wanted_status(action, status, record)
        return wanted if self._wire.operations[_operation(wanted, record)].offered else None

    async def _note(self, record: Record, text: str) -> None:
        key = record.key or await self._calls.key(record.number, "add_note") or ""
        await self._calls.send("add_note", {"note": text}, record.number, key)

    async def _update(self, record: Record, wanted: Wanted) -> None:
        """Set status and impact; what became of them is read back, for what the API drops in silence is not known."""
        operation = _operation(wanted.status, record)
        values: dict[Sent, Any] = {
            "status": self.statuses.word(wanted.status) if wanted.status else "",
            "impact": self.impacts.word(wanted.impact) if wanted.impact else "",
        }
        key = record.key or await self._calls.key(record.number, operation) or ""
        await self._calls.send(operation, values, record.number, key)
        stands = await self._stands(record.number, key)
        for name, asked, found in (
            ("status", self.statuses.settled(wanted.status) if wanted.status else None, stands.status),
            ("impact", self.impacts.settled(wanted.impact) if wanted.impact else None, stands.impact),
        ):
            if asked and asked != found:
                why = f"incident {record.number} of {self.name} did not take the {name} {values[name]!r}"  # type: ignore[index]
                remedy = f"correct `sends.{name}` in the mapping, or give `operations.{operation}` `offered: false`"
                # It may only be slow: the API does things later.
                raise DeliveryError(Reason.REFUSED, f"{why} yet; {remedy}", retry=True, after=_LATER)

    async def _stands(self, number: str, key: str) -> Record:
        """The incident as it is read back. What fails here ends nothing: the next attempt reads it first."""
        try:
            said = await self._api.find(self._calls.address("read", number, key))
            return self._record(an_object(said, "", self.name))
        except DeliveryError as error:
            error.retry = True
            raise

    def _record(self, one: Some[str, Any]) -> Record:
        told = self._calls.told
        number, reference, state = told(one, "number"), told(one, "reference"), told(one, "status")
        if not (number or reference or state):
            raise strange(self.name, "an incident without number, reference and status: compare `tells` of the mapping")
        number = number if re.fullmatch(self._wire.number.pattern or ".*", number) else ""
        self._calls.remember(number, told(one, "key"))
        page = self._options.page.replace("{number}", quote(number, safe="")) if number else ""
        return Record(
            number=number,
            reference=reference,
            url=page or told(one, "page"),
            status=(self.statuses.ours(state) if state else None) or TicketStatus.DECLARED,
            state=state,
            impact=self.impacts.ours(told(one, "impact")),
            priority=told(one, "priority"),
            assignee=told(one, "assignee"),
            changed_at=self._calls.moment(one, "changed_at"),
            key=told(one, "key"),
        )


def _operation(status: TicketStatus | None, record: Record) -> Operation:
    """The operation that leads to a status."""
    if status in (TicketStatus.CLOSED, TicketStatus.CANCELLED):
        return "close"
    return "reopen" if status and record.status in _OVER else "update"


def _not_offered(wire: Mapping) -> dict[Can, str]:
    """What the mapping says that the API cannot do."""
    asked: tuple[tuple[Can, Operation], ...] = ((Can.IMPACT, "update"), (Can.CLOSE, "close"), (Can.REOPEN, "reopen"))
    told = "the mapping says that the API does not offer it; a note tells it"
    return {can: told for can, operation in asked if not wire.operations[operation].offered}


def _mapping(name: str, file: str, outside: Outside) -> Mapping:
    """What is shipped, under what a file says differently. Raises SettingsError with file, line and column."""
    if not file:
        return shipped()
    try:
        return shipped().over(parse(outside.read_secret(file), file))
    except RuleError as error:
        raise SettingsError(f"backend {name}: mapping {error}") from None


def _login_for(name: str, options: Options, token_url: str, outside: Outside) -> Keyed:
    client = _login.ClientCredentials(
        token_url,
        options.client_id,
        _login.secret(name, "client_secret_file", options.client_secret_file, outside),
        outside,
        scope=options.scope,
        allowed=options.timeout,
        judge=judge,
    )
    return Keyed(client, _login.secret(name, "key_file", options.key_file, outside))

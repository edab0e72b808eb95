"""Znuny tickets over the REST transport of its generic interface.

STATUS: proven against a real Znuny 6.5 and a fake that misbehaves.

Our reference stands in a dynamic field of the tickets (Admin, Dynamic Fields: Ticket, Text), which is looked up at
once. Znuny ignores a condition on a field that it does not know, and answers with every ticket: so every look-up is
compared with what it was for. The web service is config/backends/znuny/webservice.yaml, imported into Znuny; one of
your own is described by `routes`. The number that people see is the ticket's number here; its inner id is looked up.

The impact is the ticket's priority (`1 very low` to `5 very high`), for Znuny computes none, or with `impact_field` a
value of a dynamic field, as tocsin calls them (`none` to `interrupted`) or as `impacts` says. What works again is
`pending auto close+`: Znuny closes it by itself after `pending`. Closing sets `closed successful`, opening again sets
`open`. States that Znuny calls otherwise are read by their type. Notes are internal articles of the sender type
`system`, and so is the description: hidden from the customer unless `private_notes` is false. Characters beyond the
first plane of Unicode are replaced, for MySQL does not keep them there.

The agent that tocsin works as needs, in the queue's group: ro, create, note, rw, and priority where the impact is the
priority. Znuny calls back by config/backends/znuny/webhook.yaml. Format: Znuny's manual, "Generic Interface".
"""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tocsin.backends import _texts, _znuny_answers, _znuny_check
from tocsin.backends._carried import carried, ignored
from tocsin.backends._named import heard_object
from tocsin.backends._scale import Scale
from tocsin.backends._shape import at, required
from tocsin.backends._system import TicketSystem
from tocsin.backends._znuny_calls import Calls, is_denied
from tocsin.backends._znuny_options import Options
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Impact, Record, RemoteNote, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.backends._api import File
    from tocsin.backends._system import Wanted
    from tocsin.model import Payload

__all__ = ["Backend", "Options", "heard"]

_STATUSES = {
    TicketStatus.DECLARED: "new",
    TicketStatus.IN_PROGRESS: "open",
    TicketStatus.WAITING: "pending reminder",
    TicketStatus.FROZEN: "pending reminder",
    TicketStatus.REPAIRED: "pending auto close+",
    TicketStatus.CLOSED: "closed successful",
    TicketStatus.CANCELLED: "closed unsuccessful",
}
_PENDING = frozenset({TicketStatus.WAITING, TicketStatus.FROZEN, TicketStatus.REPAIRED})
_PRIORITIES = dict(zip(Impact, ("1 very low", "2 low", "3 normal", "4 high", "5 very high"), strict=True))
_IMPACTS = {impact: impact.value for impact in Impact}
_ADMIN = "1"
"""Whose tickets are nobody's: the id of the first agent, root@localhost."""
_REMEMBERED = 1000
"""So many inner ids are kept at most."""
_FEW, _MOST, _ARTICLES = 20, 1000, 100
"""So many tickets of one reference, of one question what changed, and articles of one ticket."""
_NUMBER = re.compile(r"[\w-]+", re.ASCII)


class Backend(TicketSystem):
    """A Znuny as configured."""

    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=255, text=60_000, note=30_000, plane=True)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = Scale(_STATUSES).over(options.statuses)
        self.impacts = Scale(_IMPACTS if options.impact_field else _PRIORITIES).over(options.impacts)
        self._options = options
        self._calls = Calls(name, options, outside)
        self._keys: dict[str, str] = {}

    async def create(self, body: Snapshot) -> Record:
        """TicketCreate: all or nothing; a dynamic field that is not there is refused."""
        options = self._options
        fields = [_value(options.reference_field, body.reference), *self._impact_field(body.impact)]
        if options.element_field:
            fields.append(_value(options.element_field, body.element.reference))
        written = self.written(body)
        ticket = self._ticket(written.title, written.text, self.impacts.word(body.impact) or "")
        said = await self._calls.create({**ticket, "DynamicField": fields})
        key = required(said, "TicketID", self.name)
        number = self._known(key, required(said, "TicketNumber", self.name))
        status = self.statuses.settled(TicketStatus.DECLARED) or TicketStatus.DECLARED
        return Record(number=number, key=key, reference=body.reference, url=self._url(key), status=status)

    async def search(self, reference: str) -> list[Record]:
        """TicketSearch by the dynamic field, then TicketGet: closed and archived ones are among them."""
        field = self._options.reference_field
        conditions = {f"DynamicField_{field}": {"Equals": reference}, "SortBy": "Age", "OrderBy": "Up"}
        found = [self._record(one) for one in await self._calls.get(await self._calls.search(conditions, _FEW))]
        return carried(found, reference, self._ignored())

    async def read(self, number: str) -> Record | None:
        """TicketGet with the latest articles, by the id that the number stands for."""
        known = self._keys.get(number)
        record = await self._seen(known) if known else None
        if record is None or record.number != number:
            key = await self._key(number)
            record = await self._seen(key) if key else None
        return record

    async def change(self, record: Record, wanted: Wanted) -> None:
        """TicketUpdate, all or nothing."""
        ticket: dict[str, Any] = {}
        if wanted.status:
            ticket["State"] = self.statuses.word(wanted.status)
        if wanted.status in _PENDING:
            ticket["PendingTime"] = {"Diff": int(self._options.pending / timedelta(minutes=1)) or 1}
        if wanted.impact and not self._options.impact_field:
            ticket["Priority"] = self.impacts.word(wanted.impact)
        fields = self._impact_field(wanted.impact) if wanted.impact else []
        subject = f"tocsin {record.reference}"
        article = {"Article": self._article(subject, wanted.note)} if wanted.note else {}
        told = {**({"Ticket": ticket} if ticket else {}), **({"DynamicField": fields} if fields else {}), **article}
        await self._update(record, told)

    async def attach(self, record: Record, file: File) -> None:
        """TicketUpdate with an article that has the file."""
        content = base64.b64encode(file.content).decode()
        attachment = {"Filename": file.name, "ContentType": file.media_type, "Content": content}
        subject = f"tocsin {record.reference}"
        article = self._article(subject, f"{file.name}\n({subject}/0)")  # no delivery has this number
        await self._update(record, {"Article": article, "Attachment": [attachment]})

    async def changes(self, since: datetime) -> list[Record]:
        """TicketSearch by the minutes since then, oldest change first; then on from the last one's own words for its time."""
        now, since = self._outside.clock(), since.replace(microsecond=0)
        back = _znuny_answers.minutes(since, now)
        asked: dict[str, Any] = {"TicketLastChangeTimeNewerMinutes": back}
        has = {f"DynamicField_{self._options.reference_field}": {"Empty": 0}, "SortBy": "Changed", "OrderBy": "Up"}
        found: dict[str, Record] = {}
        seen: set[str] = set()
        while fresh := [one for one in await self._calls.search({**asked, **has}, _MOST) if one not in seen]:
            seen.update(fresh)
            tickets = await self._calls.get(fresh)
            found.update({record.key: record for record in map(self._record, tickets)})
            asked = {"TicketLastChangeTimeNewerDate": max((at(one, "Changed") for one in tickets), default="")}
            if not asked["TicketLastChangeTimeNewerDate"]:
                break
        self._require_meant(found.values(), now - timedelta(minutes=back), now)
        return [one for one in found.values() if one.changed_at is None or one.changed_at >= since]

    async def check(self) -> list[Finding]:
        """What Znuny would refuse, asked with a ticket that it cannot make."""
        options = self._options
        impacts = {options.impact_field or "Priority": self.impacts.words}
        words = {"State": self.statuses.words, **impacts}
        ticket = self._ticket("check", "check", self.impacts.words[0])
        return await _znuny_check.findings(self._calls, options, ticket, words, self._outside.clock())

    def _ticket(self, title: str, text: str, impact: str) -> dict[str, Any]:
        """A new ticket without its dynamic fields."""
        options = self._options
        ticket = {
            "Title": title,
            "Queue": options.queue,
            "State": self.statuses.word(TicketStatus.DECLARED),
            "Priority": options.priority if options.impact_field else impact,
            "CustomerUser": options.customer,
            **({"Type": options.type} if options.type else {}),
        }
        return {"Ticket": ticket, "Article": self._article(title, text)}

    def _article(self, subject: str, text: str) -> dict[str, Any]:
        """Accounted time is asked for in some installations, and none is accounted in others."""
        return {
            "Subject": subject,
            "Body": text,
            "ContentType": "text/plain; charset=utf8",
            "CommunicationChannel": "Internal",
            "SenderType": "system",
            "IsVisibleForCustomer": 0 if self._options.private_notes else 1,
            "TimeUnit": 0,
        }

    def _impact_field(self, impact: Impact) -> list[dict[str, str]]:
        field, level = self._options.impact_field, self.impacts.word(impact)
        return [_value(field, level)] if field and level else []

    async def _update(self, record: Record, told: Mapping[str, Any]) -> None:
        """One ticket that may not be changed (any more), such as one that was moved, is no reason to stop the others."""
        try:
            await self._calls.update(record.key, told)
        except DeliveryError as error:
            if not is_denied(error):
                raise
            why = f"ticket {record.number}: {error.detail}"
            raise DeliveryError(Reason.UNAUTHORIZED, why, retry=True) from None

    async def _seen(self, key: str) -> Record | None:
        """Gone, or not to be seen any more: Znuny says the same of both."""
        try:
            ticket = await self._calls.whole(key, _ARTICLES)
        except DeliveryError as error:
            if not is_denied(error):
                raise
            return None
        return None if ticket is None else self._record(ticket, _znuny_answers.notes(ticket))

    async def _key(self, number: str) -> str | None:
        if not _NUMBER.fullmatch(number):
            return None  # a wildcard, or nothing: every ticket would be found
        tickets = await self._calls.get(await self._calls.search({"TicketNumber": number}, _FEW))
        return next((self._record(one).key for one in tickets if at(one, "TicketNumber") == number), None)

    def _require_meant(self, records: Iterable[Record], since: datetime, now: datetime) -> None:
        """Only tickets of ours were asked for, and times say nothing when they are not those of our zone."""
        for record in records:
            if not record.reference:
                raise ignored(self._ignored())
            away = _znuny_answers.astray(record.changed_at, since, now)
            if away is not None:
                hours = f"about {away.total_seconds() / 3600:+.1f} hours away from those of {self._options.zone}"
                todo = "set `zone` to its OTRSTimeZone, or set the clocks right"
                raise ignored(f"the times of {self.name} are {hours}; {todo}")

    def _ignored(self) -> str:
        field = self._options.reference_field
        why = f"{self.name} answers tickets that were not asked for: it does not know the dynamic field {field!r}"
        return f"{why}; correct `reference_field`, or add the field for tickets"

    def _record(self, ticket: Mapping[str, Any], notes: tuple[RemoteNote, ...] = ()) -> Record:
        key, number = required(ticket, "TicketID", self.name), required(ticket, "TicketNumber", self.name)
        state, kind = at(ticket, "State"), at(ticket, "StateType").casefold()
        field = self._options.impact_field
        level = _znuny_answers.field(ticket, field) if field else at(ticket, "Priority")
        owner, owned = at(ticket, "Owner"), at(ticket, "OwnerID")
        nobody = owned == _ADMIN or owner.casefold() == self._options.user.casefold()
        return Record(
            number=self._known(key, number),
            key=key,
            reference=_znuny_answers.field(ticket, self._options.reference_field),
            url=self._url(key),
            status=self.statuses.ours(state) or _znuny_answers.TYPES.get(kind, TicketStatus.IN_PROGRESS),
            state=state,
            impact=self.impacts.ours(level),
            priority=level,
            assignee="" if nobody else owner,
            changed_at=_znuny_answers.told_at(at(ticket, "Changed"), self._options.zone, self._outside.clock()),
            actor=owner if at(ticket, "ChangeBy") == owned else "",
            notes=notes,
        )

    def _known(self, key: str, number: str) -> str:
        if len(self._keys) >= _REMEMBERED:
            self._keys.clear()
        self._keys[number] = key
        return number

    def _url(self, key: str) -> str:
        return f"{self._options.url}/index.pl?Action=AgentTicketZoom;TicketID={key}"


def heard(payload: Payload) -> list[str]:
    """The number of the ticket that an invoker of our web service tells of. Raises PayloadError."""
    number = at(heard_object(payload), "Ticket.TicketNumber")
    if not number:
        raise PayloadError("the message names no Ticket.TicketNumber; use config/backends/znuny/webhook.yaml")
    return [number]


def _value(name: str, value: str) -> dict[str, str]:
    return {"Name": name, "Value": value}

"""What every kind shares: how a delivery becomes calls to a ticket system, whatever the system.

A kind writes the calls (`create`, `search`, `read`, `change` …); the order of things is here, once: nothing is changed
in a ticket that does not carry our reference, nothing that stands already is asked for again, a note whose answer was
lost is looked for before it is written again, and what a person has closed stays closed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from tocsin.backends import _texts
from tocsin.backends._api import File
from tocsin.backends._can import Can
from tocsin.backends._options import Common, Remote
from tocsin.backends._progress import counting
from tocsin.errors import DeliveryError, Reason, TouchedError
from tocsin.marks import of_people
from tocsin.model import Delivery, DeliveryAction, Impact, Receipt, Record, Snapshot, TicketStatus
from tocsin.standing import ENDED, GOING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.backends._scale import Scale


class Wanted(Struct, frozen=True, kw_only=True):
    """What shall be different about a ticket; what is None or empty stays as it is."""

    status: TicketStatus | None = None
    impact: Impact | None = None
    note: str = ""
    """What happened, ending in the mark it is known by."""
    mark: str = ""
    action: DeliveryAction = DeliveryAction.UPDATE
    body: Snapshot

    @property
    def nothing(self) -> bool:
        """Whether all stands as it shall."""
        return self.status is None and self.impact is None and not self.note


def has_note(record: Record, mark: str) -> bool:
    """Whether a note with this mark stands in a ticket as it was read; pure."""
    return any(mark in note.text for note in record.notes)


class TicketSystem(ABC):
    """A ticket system as configured. It reaches the network in its methods only.

    It keeps nothing but tokens, choices, and how a new ticket reads.
    """

    LACKS: ClassVar[Mapping[Can, str]] = {}
    """What a system of this kind cannot do, and why; `lacks` says it of the one that is configured."""
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits()
    AGAIN: ClassVar[TicketStatus] = TicketStatus.DECLARED
    """What becomes of a ticket that fires again; `in_progress` where a ticket is new only once."""
    SETTLE: ClassVar[timedelta] = timedelta(minutes=1)
    """How long a ticket may be in the making, or exist, before a search finds it, unless `settle` of the options says.

    Servers that say how long they work on a create that nobody waits for any more say 30 to 60 s.
    """
    ASSIGNS: ClassVar[bool] = False
    """Whether a step of ours may assign a ticket to somebody."""
    PASSES: ClassVar[frozenset[TicketStatus]] = frozenset()
    """What a ticket may be left in when several steps lead to the status that is asked for, and one of them fails."""

    statuses: Scale[TicketStatus]
    impacts: Scale[Impact]

    def __init__(self, name: str, options: Common, outside: Outside) -> None:
        """Take the backend's name in the settings, the options of its kind, and the world."""
        self.name = name
        self.settle = self._settles(options)
        self.lacks: Mapping[Can, str] = self.LACKS
        self.passes = self.PASSES
        self.fresh: TicketStatus | None = None
        """How a ticket reads that was just made; learned from the last one, None before there was one."""
        self._language = options.language
        self._timeout = options.timeout
        self._outside = outside

    def _settles(self, options: Common) -> timedelta:
        if Can.LOOK_UP in self.LACKS:
            return timedelta(0)  # it would be waited for in vain
        given = options.settle if isinstance(options, Remote) else None
        return self.SETTLE if given is None else given

    # --- what a kind writes ----------------------------------------------------------------------------------------

    @abstractmethod
    async def create(self, body: Snapshot) -> Record:
        """Make the ticket, with our reference in the field made for it; the number may be empty if it comes later."""

    @abstractmethod
    async def search(self, reference: str) -> list[Record]:
        """The tickets that may carry this reference, oldest first; others among them do no harm."""

    @abstractmethod
    async def read(self, number: str) -> Record | None:
        """The ticket of this number as it stands, its notes with it where they can be read; None when it is gone."""

    @abstractmethod
    async def change(self, record: Record, wanted: Wanted) -> None:
        """Make what is wanted true, in the order that the system needs; `wanted` asks for something."""

    async def attach(self, record: Record, file: File) -> None:
        """Attach a file to the ticket."""
        raise NotImplementedError(f"{self.name} takes no files")

    async def changes(self, since: datetime) -> list[Record]:
        """The tickets of ours that changed at `since` or later, each once; notes may be missing (`read` has them)."""
        raise NotImplementedError(f"{self.name} cannot be asked what changed")

    async def check(self) -> list[Finding]:
        """Whether what the options name exists, asked of the system without changing anything."""
        return []

    # --- what is the same for all -----------------------------------------------------------------------------------

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Tell the system; guarantees that the receipt is what its answers say. Raises DeliveryError, nothing else."""
        if delivery.action == DeliveryAction.OPEN:
            return await self._open(delivery.body)
        record = await self._own(delivery)
        self._require_untouched(delivery, record)
        wanted = self._wanted(delivery, record)
        if has_note(record, wanted.mark):  # an earlier attempt came half-way, whatever it ended with
            wanted = replace(wanted, note="")
        if not wanted.nothing:
            await self._change(record, wanted)
        status = self._after(record, wanted)
        tried = delivery.uncertain
        return Receipt(
            number=record.number,
            url=record.url,
            status=status,
            graded=tried or wanted.impact is not None,
            assigned=self.ASSIGNS and (tried or wanted.status is not None),
        )

    async def _change(self, record: Record, wanted: Wanted) -> None:
        """Make it true; an error says whether a part was done, and whether that may have assigned the ticket."""
        try:
            with counting():
                await self.change(record, wanted)
        except DeliveryError as error:
            error.assigned = self.ASSIGNS and wanted.status is not None
            raise

    async def find(self, reference: str) -> Receipt | None:
        """The ticket that carries our reference: the oldest, should there be several. Raises DeliveryError.

        The receipt's status is the one that it was made with: what became of it since is yet to be seen.
        """
        if Can.LOOK_UP in self.lacks:
            return None
        for record in await self.search(reference):
            if record.reference == reference:
                return Receipt(number=record.number, url=record.url, status=self.fresh or _new(record.status))
        return None

    async def _open(self, body: Snapshot) -> Receipt:
        with counting():
            record = await self.create(body)
        self.fresh = record.status
        remarks = [record.remark, await self._attached(record, body)]
        if record.reference != body.reference:
            lost = f"{self.name} did not keep our reference {body.reference}: the ticket cannot be found again by it"
            remarks.append(f"{lost}; `tocsin backend check {self.name}` says more")
        remark = "; ".join(one for one in remarks if one)
        return Receipt(number=record.number, url=record.url, status=record.status, remark=remark)

    async def _attached(self, record: Record, body: Snapshot) -> str:
        """Attach the whole text where the ticket has only its beginning; what went wrong, in words: the ticket stands."""
        written = self.written(body)
        if not written.whole or Can.ATTACH in self.lacks:
            return ""
        if not record.number:
            return "the whole text could not be attached: the ticket has no number yet"
        try:
            await self.attach(record, File(f"{body.reference}.txt", written.whole.encode()))
        except DeliveryError as error:
            return f"the whole text could not be attached: {error}"
        return ""

    async def _own(self, delivery: Delivery) -> Record:
        """The delivery's ticket, which is surely ours; as it should stand, where it cannot be read."""
        if Can.READ in self.lacks:
            ended = delivery.action == DeliveryAction.REOPEN
            status = TicketStatus.CLOSED if ended else TicketStatus.DECLARED
            return Record(number=delivery.number, reference=delivery.body.reference, status=status)
        try:
            record = await self.read(delivery.number)
        except DeliveryError as error:
            error.harmless = True
            raise
        if record is None:
            why = f"{self.name} has no ticket {delivery.number} any more; drop the delivery, or `tocsin reconcile`"
            raise DeliveryError(Reason.NOT_FOUND, why, retry=False, harmless=True)
        if record.reference != delivery.body.reference:
            carried = f"the reference {record.reference!r}" if record.reference else "no reference"
            why = f"ticket {delivery.number} of {self.name} carries {carried}, not {delivery.body.reference}: not ours"
            raise DeliveryError(Reason.MISMATCH, f"{why}; it is left alone", retry=False, harmless=True)
        return record

    def _require_untouched(self, delivery: Delivery, record: Record) -> None:
        """What a person did since the ticket was seen last would be told over, and never come back."""
        if Can.READ in self.lacks or delivery.stands is None:
            return
        theirs = self._without_ours(delivery, record, delivery.stands)
        hand = _hand(delivery, theirs)
        if hand:
            why = f"ticket {delivery.number} of {self.name} was changed by a person ({hand})"
            raise TouchedError(why, theirs, frozenset(self.PASSES))

    def _without_ours(self, delivery: Delivery, record: Record, stands: TicketStatus) -> Record:
        """The ticket as it would be read, had an earlier attempt that is in doubt done nothing."""
        if not delivery.uncertain:
            return record
        if record.status in self._left_in(delivery, record, stands):
            record = replace(record, status=stands)
        if delivery.priority and record.impact == self.impacts.settled(delivery.body.impact):
            record = replace(record, priority=delivery.priority)
        if delivery.assignee is not None and self.ASSIGNS:
            record = replace(record, assignee=delivery.assignee)
        return record

    def _left_in(self, delivery: Delivery, record: Record, stands: TicketStatus) -> set[TicketStatus | None]:
        """How an attempt that failed may have left a ticket that stood so; as it stood, when nothing was to change."""
        if delivery.body.tried:
            return {self.statuses.settled(delivery.body.tried), self.AGAIN, *self.PASSES}
        told = delivery.body.status
        wanted = self._wanted_status(delivery.action, told, replace(record, status=stands))
        return {wanted, self.statuses.settled(told), *self.PASSES} if wanted else {stands}

    def _wanted(self, delivery: Delivery, record: Record) -> Wanted:
        action, body = delivery.action, delivery.body
        note = _texts.notes(delivery, self._language, self.LIMITS) if Can.NOTE not in self.lacks else ""
        if record.status in ENDED and action == DeliveryAction.CLOSE:
            note = ""  # somebody was quicker
        status = self._wanted_status(action, body.status, record)
        impact = body.impact if self._impact_differs(action, body.impact, record) else None
        return Wanted(status=status, impact=impact, note=note, mark=_texts.mark(delivery), action=action, body=body)

    def _wanted_status(self, action: DeliveryAction, status: TicketStatus, record: Record) -> TicketStatus | None:
        """The status to ask for; None when it stands so already, cannot be told, or a person has ended the ticket."""
        if action == DeliveryAction.NOTE or (record.status in ENDED and action != DeliveryAction.REOPEN):
            return None
        if _LACKED.get(status, Can.REPAIRED if status == TicketStatus.REPAIRED else None) in self.lacks:
            return None
        if action == DeliveryAction.REOPEN and Can.REOPEN in self.lacks:
            return None
        if status == TicketStatus.DECLARED:
            if record.status in GOING:
                return None  # it is as it shall be: whoever works on it goes on
            status = self.AGAIN
        settled = self.statuses.settled(status)
        return None if settled is None or settled == record.status else status

    def _impact_differs(self, action: DeliveryAction, impact: Impact, record: Record) -> bool:
        if action == DeliveryAction.NOTE or Can.IMPACT in self.lacks or record.status in ENDED:
            return False
        settled = self.impacts.settled(impact)
        if settled is None or action == DeliveryAction.CLOSE:
            return False
        return record.impact is None or record.impact != settled

    def _after(self, record: Record, wanted: Wanted) -> TicketStatus:
        if wanted.status is None:
            return record.status
        return self.statuses.settled(wanted.status) or record.status

    def written(self, body: Snapshot) -> _texts.Written:
        """The title and text of a new ticket, within what the system takes."""
        return _texts.compose(body, self._language, self.LIMITS, attach=Can.ATTACH not in self.lacks)


_LACKED = {TicketStatus.CLOSED: Can.CLOSE, TicketStatus.CANCELLED: Can.CLOSE}


def _hand(delivery: Delivery, theirs: Record) -> str:
    """What a person did to a ticket since it was seen last, in words, empty for nothing; what may be ours is left out."""
    if theirs.status != delivery.stands:
        return theirs.state or theirs.status
    if delivery.priority and theirs.priority != delivery.priority:
        return theirs.priority or "no priority"
    if delivery.assignee is not None and theirs.assignee != delivery.assignee:
        return theirs.assignee or "nobody's"
    return "a note" if any(note.id not in delivery.read for note in of_people(theirs)) else ""


def _new(status: TicketStatus) -> TicketStatus:
    """How a ticket that stands so may have read when it was made: where new ones are in progress, that is nobody's hand."""
    return status if status in (TicketStatus.DECLARED, TicketStatus.IN_PROGRESS) else TicketStatus.DECLARED

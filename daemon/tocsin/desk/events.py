"""What happens to desk tickets, written down for whoever listens, in the transaction that it happens in.

Nothing is written while nobody listens. Knows tickets and rows; who listens and how they are told is `hub`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.model import TicketStatus
from tocsin.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.store import Transaction

REJECTED = "rejected"
"""What a cancelled ticket is called that was refused when it was declared."""


class Kind(StrEnum):
    """What happened to a ticket."""

    CREATED = "created"
    CHANGED = "changed"
    """Something else than its status."""
    STATUS = "status"
    RESOLVED = "resolved"
    INFORMATION_REQUIRED = "information_required"


class Happened(Struct, frozen=True, kw_only=True):
    """One thing that happened to one ticket."""

    id: int
    """Its place in the order of all that happened; never given twice."""
    at: datetime
    ticket: int
    kind: Kind
    status: str
    """The ticket's status then, in our words, or `rejected`."""
    fields: tuple[str, ...] = ()
    """What was changed, in the words of the standard: `note`, `severity`."""


class Journal:
    """Where it is written down. Shared by the store's thread, which writes, and by those who read what was committed."""

    def __init__(self) -> None:
        self.listening = False
        """Whether anybody wants to know."""
        self.latest = 0
        """The last event that was written, or one that was taken back: look up whether it is there."""

    def write(
        self, tx: Transaction, ticket: int, kinds: Iterator[Kind], status: str, fields: tuple[str, ...], now: datetime
    ) -> None:
        """Write down what happened to a ticket; does nothing while nobody listens."""
        if not self.listening:
            return
        for kind in kinds:
            row = tx.next("desk_events")
            said = ",".join(fields) if kind == Kind.CHANGED else ""
            tx.insert("insert_desk_event", (row, rows.micros(now), ticket, kind.value, status, said))
            self.latest = row


def kinds(before: str, after: str, fields: tuple[str, ...]) -> Iterator[Kind]:
    """What a change amounts to: of the status, in our words, and of other fields; several at once are told one by one."""
    if fields:
        yield Kind.CHANGED
    if after == before:
        return
    yield Kind.STATUS
    if after == TicketStatus.REPAIRED:
        yield Kind.RESOLVED
    if after == TicketStatus.WAITING:
        yield Kind.INFORMATION_REQUIRED


def word(status: TicketStatus, *, rejected: bool) -> str:
    """A status in one word: `rejected` for a ticket that was cancelled so."""
    return REJECTED if rejected and status == TicketStatus.CANCELLED else status.value


def happened(row: tuple[int, int, int, str, str, str]) -> Happened:
    """An event from its row."""
    number, at, ticket, kind, status, fields = row
    told = tuple(fields.split(",")) if fields else ()
    return Happened(id=number, at=rows.moment(at), ticket=ticket, kind=Kind(kind), status=status, fields=told)

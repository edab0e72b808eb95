"""The tickets that are to be read, by the number or reference that named them: plain functions that the store runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.seeing import glance, is_quiet
from tocsin.store import rows

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Record
    from tocsin.store import Transaction

_NAMED = 100
"""So many are taken at a time."""


class Named(Struct, frozen=True):
    """A ticket that is to be read."""

    word: str
    times: int
    tried: int
    reference: str
    number: str


class Page(Struct, frozen=True):
    """Some of those that are to be read now, and where the next page begins; None after the last."""

    named: list[Named]
    last: tuple[int, str] | None


def page(tx: Transaction, *, backend: str, after: tuple[int, str], tried: int) -> Page:
    """What names no ticket of ours is forgotten; what is being told something is read when that is over."""
    found = tx.rows("named_tickets", (backend, *after, tried, _NAMED))
    named = []
    for word, times, failed in found:
        n, reference, number = ours(tx, backend, word)
        if not n:
            tx.update("delete_named_ticket", (backend, word, times))
        elif is_quiet(tx, n, backend):
            named.append(Named(word, times, failed, reference, number))
    return Page(named, (found[-1][2], found[-1][0]) if len(found) == _NAMED else None)


def ours(tx: Transaction, backend: str, word: str) -> tuple[int, str, str]:
    """Row, reference and number of the ticket of this backend that a word names; nothing when it names none of ours."""
    found = tx.rows("ticket_there", (backend, word))
    reference = found[0][0] if found else word
    known = tx.rows("ticket_of_reference", (reference,))
    return (known[0][0], reference, known[0][2]) if known and known[0][1] == backend else (0, "", "")


def keep(tx: Transaction, *, kept: list[tuple[str, str, int]]) -> None:
    """Keep what was named: backend, number or reference, when in microseconds."""
    for row in kept:
        tx.update("insert_named_ticket", row)


def to_see(tx: Transaction, *, backend: str, records: list[Record], reads: bool, now: datetime) -> list[Record]:
    """Keep the names of those that are to be read; returns those that are whole already."""
    unknown = [record for record in records if glance(tx, backend, record) is None]
    for record in unknown:
        if reads and not record.notes:
            unread(tx, backend=backend, record=record, now=now)
    return [record for record in unknown if not reads or record.notes]


def unread(tx: Transaction, *, backend: str, record: Record, now: datetime) -> None:
    """Have a ticket read."""
    tx.update("insert_unread_ticket", (backend, record.reference, rows.micros(now)))

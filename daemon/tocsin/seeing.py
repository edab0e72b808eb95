"""What a ticket system says of a ticket, taken in: the road of an alert is entered where people's changes enter it.

Plain and synchronous; the store runs it. A record is compared with what is known, so that hearing the same twice
changes nothing the second time, and never judged while the ticket system may not yet have what we told it ourselves.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin import wording
from tocsin.lifecycle import TicketSeen
from tocsin.model import DeliveryState, Record, RemoteNote, TicketStatus
from tocsin.store import rows
from tocsin.store.apply import Cause, apply
from tocsin.store.deliveries import add_note, numbered

if TYPE_CHECKING:

    from tocsin.store import Transaction

MARK = "(tocsin "
"""What a note of ours holds, in every ticket system; those of people are what is left."""


class Sight(StrEnum):
    """What came of a record."""

    NEWS = "news"
    """A person changed the ticket."""
    KNOWN = "known"
    STRANGE = "strange"
    """No ticket of ours: another backend's, or a second one with our reference."""
    LATER = "later"
    """We are telling it something: what it says now may be older than that, or be our own doing."""


class Touch(StrEnum):
    """The changes that count as a person's hand on the ticket: tocsin then adds notes only."""

    STATUS = "status"
    ASSIGNEE = "assignee"
    PRIORITY = "priority"
    NOTE = "note"


class Seen(Struct, frozen=True, kw_only=True):
    """A record, and what was known when it was asked for."""

    backend: str
    record: Record
    asked_at: datetime
    """When the question left: what was told since cannot be in the answer."""
    touch: frozenset[Touch] = frozenset(Touch)


class _Last(Struct, frozen=True):
    """What was said of the ticket before."""

    status: str
    state: str
    priority: str
    assignee: str
    changed_at: int | None
    at: int
    """When that was."""


class Difference(Struct, frozen=True, kw_only=True):
    """What people did to a ticket since it was seen last."""

    kinds: frozenset[Touch]
    actor: str
    notes: tuple[RemoteNote, ...] = ()


def difference(record: Record, status: TicketStatus, last: tuple[str, str] | None, read: frozenset[str]) -> Difference:
    """What is new in a record; pure.

    Args:
        record: the ticket as its system has it.
        status: what we know the ticket's status to be.
        last: its priority and assignee when it was seen last; None at first sight, where they are what they are. Where
            something was told since, the priority is what it is now: an impact that we told may have changed it.
        read: the ids of the notes that were read before.
    """
    notes = tuple(note for note in record.notes if MARK not in note.text and note.id not in read)
    kinds = {Touch.NOTE} if notes else set()
    if record.status != status:
        kinds.add(Touch.STATUS)
    if last is not None and record.priority != last[0]:
        kinds.add(Touch.PRIORITY)
    if last is not None and record.assignee != last[1]:
        kinds.add(Touch.ASSIGNEE)
    actor = record.actor or (notes[-1].actor if notes else "") or record.assignee
    return Difference(kinds=frozenset(kinds), actor=actor, notes=notes)


def see(tx: Transaction, seen: Seen, now: datetime) -> Sight:
    """Take in what a ticket system says of one ticket; nothing that was known already leaves a trace."""
    record = seen.record
    found = tx.rows("ticket_of_reference", (record.reference,))
    if not found or found[0][1] != seen.backend:
        return Sight.STRANGE
    n, _, number, status, at = found[0]
    if not number and record.number:
        numbered(tx, record.reference, seen.backend, record.number, record.url, now)
    elif number != record.number:
        return Sight.STRANGE
    if at >= rows.micros(seen.asked_at) or _under_way(tx, n, seen.backend):
        return Sight.LATER
    last = _last(tx, n)
    before = (last.priority if last.at >= at else record.priority, last.assignee) if last else None
    read = frozenset(row[0] for row in tx.rows("read_notes_of", (n,)))
    found_new = difference(record, TicketStatus(status), before, read)
    _keep(tx, n, record, last, now)
    if not found_new.kinds:
        return Sight.KNOWN
    _write(tx, n, seen, found_new, now)
    return Sight.NEWS


def is_known(tx: Transaction, record: Record) -> bool:
    """Whether the ticket was seen since it changed last, by its system's own clock: then it need not be read again."""
    found = tx.rows("ticket_of_reference", (record.reference,))
    last = _last(tx, found[0][0]) if found else None
    return last is not None and record.changed_at is not None and last.changed_at == rows.micros(record.changed_at)


def _under_way(tx: Transaction, n: int, backend: str) -> bool:
    """Whether something may be on its way to the ticket, or have arrived without our knowing."""
    return any(one.state == DeliveryState.LEASED or one.uncertain for one in tx.live.unsent.of(n, backend))


def _last(tx: Transaction, n: int) -> _Last | None:
    found = tx.rows("sighting", (n,))
    return _Last(*found[0]) if found else None


def _keep(tx: Transaction, n: int, record: Record, last: _Last | None, now: datetime) -> None:
    row = (record.status.value, record.state, record.priority, record.assignee, rows.micros_or_none(record.changed_at))
    if last is None or row != (last.status, last.state, last.priority, last.assignee, last.changed_at):
        tx.update("put_sighting", (n, *row, rows.micros(now)))


def _write(tx: Transaction, n: int, seen: Seen, news: Difference, now: datetime) -> None:
    """The history first, then what it means for the incident."""
    record = seen.record
    actor = news.actor or seen.backend
    for note in news.notes:
        add_note(tx, n, "wrote", note.actor or actor, {"en": note.text, "fr": note.text}, note.at or now)
        tx.update("insert_read_note", (n, note.id))
    said = {
        Touch.STATUS: ("seen_status", record.state or record.status.value),
        Touch.ASSIGNEE: ("seen_assignee", record.assignee or "-"),
        Touch.PRIORITY: ("seen_priority", record.priority or "-"),
    }
    for kind, (sentence, value) in said.items():
        if kind in news.kinds:
            add_note(tx, n, sentence, actor, wording.text(sentence, value=value), now)
    if Touch.STATUS in news.kinds:
        tx.update("status_of_ticket", (record.status.value, rows.micros(now), n))
    if news.kinds & seen.touch:
        _touch(tx, n, TicketSeen(actor=actor, status=record.status if Touch.STATUS in news.kinds else None), now)


def _touch(tx: Transaction, n: int, event: TicketSeen, now: datetime) -> None:
    entry = tx.live.by_row.get(n)
    if entry is None:
        tx.update("touch_incident", (n,))  # it is over for us; whoever looks at it again shall know
        return
    change = tx.live.see(n, event, now)
    if change:
        apply(tx, change, Cause(row=entry.decision), new=False, now=now)

"""What a ticket system says of a ticket, taken in: the road of an alert is entered where people's changes enter it.

Plain and synchronous; the store runs it. A record is compared with what is known, so that hearing the same twice
changes nothing the second time, and never judged while the ticket system may not yet have what we told it ourselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin import wording
from tocsin.errors import TouchedError
from tocsin.events import TicketSeen
from tocsin.marks import of_people
from tocsin.model import Delivery, DeliveryState, Record, RemoteNote, TicketStatus
from tocsin.standing import ENDED, GOING
from tocsin.store import deliveries, rows
from tocsin.store.apply import Cause, apply
from tocsin.store.deliveries import add_note, numbered

if TYPE_CHECKING:
    from tocsin.store import Transaction
    from tocsin.store.deliveries import Outcome, Retries

LAG = timedelta(seconds=5)
"""So long after we told something an answer may still be older than that: not every ticket system reads what it wrote."""
_STALE = timedelta(minutes=10)
"""An answer from before the last one is no older than this; a larger step is a clock that was set."""


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
    passes: frozenset[TicketStatus] = frozenset()
    """What a ticket may be left in when one of several steps of ours failed."""
    whole: bool = True
    """Its notes were read, as far as the system tells them."""
    telling: bool = False
    """A delivery met it so, and told nothing: that one is no reason to wait."""


class _Last(Struct, frozen=True):
    """What was said of the ticket before."""

    status: str
    state: str
    priority: str
    assignee: str
    changed_at: int | None
    at: int
    """When that was."""
    sure: int
    """It was read when no change that bears the same time could follow any more."""
    graded: int
    """Something was told since, and its priority may be our doing; at 2 its assignee, too."""


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
            an impact was told since, the priority is what it is now: we may have changed it.
        read: the ids of the notes that were read before.
    """
    notes = tuple(note for note in of_people(record) if note.id not in read)
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
    recently = rows.moment(at) + LAG >= seen.asked_at
    if recently or not (seen.telling or is_quiet(tx, n, seen.backend)):
        return Sight.LATER
    known = TicketStatus(status)
    if record.status != known and record.status in _given_up(tx, n, seen, known, at):
        tx.update("status_of_ticket", (record.status.value, rows.micros(now), n))
        known = record.status
    return _taken_in(tx, n, seen, known, now)


def _given_up(tx: Transaction, n: int, seen: Seen, known: TicketStatus, at: int) -> set[TicketStatus]:
    """What deliveries that were given up in doubt since then may have made of a ticket that was known to be so."""
    told = {TicketStatus(row[0]) for row in tx.rows("given_up_in_doubt", (n, seen.backend, at))} - {known}
    if known in GOING:
        told.discard(TicketStatus.DECLARED)  # what goes on is not told to begin
    again = {TicketStatus.IN_PROGRESS} if TicketStatus.DECLARED in told else set()
    return told | again | (seen.passes if told else set())


def _taken_in(tx: Transaction, n: int, seen: Seen, status: TicketStatus, now: datetime) -> Sight:
    record, last = seen.record, _last(tx, n)
    if last and _is_older(seen, last):
        return Sight.LATER
    before = _before(record, last) if last else None
    read = frozenset(row[0] for row in tx.rows("read_notes_of", (n,)))
    news = difference(record, status, before, read)
    _keep(tx, n, seen, last, now)
    if not news.kinds:
        return Sight.KNOWN
    _write(tx, n, seen, news, now)
    return Sight.NEWS


def glance(tx: Transaction, backend: str, record: Record) -> Sight | None:
    """What a list tells of a ticket without its being read; None when it is to be read."""
    found = tx.rows("ticket_of_reference", (record.reference,))
    if not found or found[0][1] != backend:
        return Sight.STRANGE
    last = _last(tx, found[0][0])
    same = last and record.changed_at and last.changed_at == rows.micros(record.changed_at)
    return Sight.KNOWN if last and same and last.sure else None


def settle(  # noqa: PLR0913 - what ended, how, and whose change counts
    tx: Transaction,
    delivery: Delivery,
    outcome: Outcome,
    *,
    touch: frozenset[Touch],
    retries: Retries,
    asked_at: datetime,
    now: datetime,
) -> Delivery:
    """Write down how a leased delivery ended, and take in what it met; returns it as it now stands."""
    settled = deliveries.settle(tx, delivery, outcome, retries, now)
    touched = outcome.error
    if not isinstance(touched, TouchedError) or not isinstance(met := touched.record, Record):
        return settled
    seen = Seen(
        backend=delivery.backend,
        record=replace(met, number=delivery.number),
        asked_at=asked_at,
        touch=touch,
        passes=frozenset(TicketStatus(word) for word in touched.passes),
        telling=True,
    )
    n = tx.rows("incident_by_id", (delivery.incident,))[0][0]
    if see(tx, seen, now) != Sight.NEWS:  # it may be an answer from before: what is right shows in a moment
        settled = replace(settled, due_at=now + LAG)
        deliveries.put(tx, n, settled, None)
    return settled


def is_quiet(tx: Transaction, n: int, backend: str) -> bool:
    """Whether nothing is on its way to the ticket, or may have arrived without our knowing, wholly or in part."""
    return not any(one.state == DeliveryState.LEASED or one.uncertain for one in tx.live.unsent.of(n, backend))


def _is_older(seen: Seen, last: _Last) -> bool:
    """Whether it is an answer from before the last one, by the ticket system's own clock; that may have been set back."""
    if seen.record.changed_at is None or last.changed_at is None:
        return False
    if seen.asked_at >= rows.moment(last.at) + _STALE:
        return False
    return timedelta(0) < rows.moment(last.changed_at) - seen.record.changed_at <= _STALE


def _before(record: Record, last: _Last) -> tuple[str, str]:
    """Priority and assignee as they were; what we may have changed ourselves is what it is now."""
    priority = record.priority if last.graded else last.priority
    return priority, record.assignee if last.graded > 1 else last.assignee


def _last(tx: Transaction, n: int) -> _Last | None:
    found = tx.rows("sighting", (n,))
    return _Last(*found[0]) if found else None


def _keep(tx: Transaction, n: int, seen: Seen, last: _Last | None, now: datetime) -> None:
    record = seen.record
    row = (record.status.value, record.state, record.priority, record.assignee, rows.micros_or_none(record.changed_at))
    grain = _grain(record.changed_at)
    if last is None or last.graded or row != (last.status, last.state, last.priority, last.assignee, last.changed_at):
        tx.update("put_sighting", (n, *row, rows.micros(now), int(not grain and seen.whole)))
        if not seen.whole:
            tx.update("insert_named_ticket", (seen.backend, record.reference, rows.micros(now)))
    elif not last.sure and seen.whole and seen.asked_at >= rows.moment(last.at) + grain:
        tx.update("sure_sighting", (n,))


def _grain(at: datetime | None) -> timedelta:
    """How long changes may bear the same time, in a system that writes times so."""
    if at is None or at.microsecond:
        return timedelta(0)
    return timedelta(seconds=1) if at.second else timedelta(minutes=1)


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
    ended = Touch.STATUS in news.kinds and record.status in ENDED
    if news.kinds & seen.touch or ended:
        _touch(tx, n, TicketSeen(actor=actor, status=record.status if Touch.STATUS in news.kinds else None), now)


def _touch(tx: Transaction, n: int, event: TicketSeen, now: datetime) -> None:
    entry = tx.live.by_row.get(n)
    if entry is None:
        tx.update("touch_incident", (n,))  # it is over for us; whoever looks at it again shall know
        tx.live.amend_ended(n, touched=True)
        return
    change = tx.live.see(n, event, now)
    if change:
        apply(tx, change, Cause(row=entry.decision), new=False, now=now)

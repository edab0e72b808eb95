"""Deliveries in the store: claimed under a lease, settled with what came of them.

The waits are a pure function and live in the rows. Who carries a delivery to its backend is not known here; what a person
does with a dead one is `dead`.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin import wording
from tocsin.errors import DeliveryError, Reason
from tocsin.folding import next_of
from tocsin.model import Delivery, DeliveryAction, DeliveryState, Receipt, State, TicketStatus
from tocsin.standing import ENDED
from tocsin.store import keep, rows
from tocsin.store.apply import declared_in, is_informed, record_of, ticket_of, ticketed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tocsin.model import Texts
    from tocsin.store.transaction import Transaction


_CHANGING = frozenset({DeliveryAction.UPDATE, DeliveryAction.CLOSE, DeliveryAction.REOPEN})


_TRIES = 10
"""So often something was tried before it is given up: its age alone says only that others did not go through."""


class Retries(Struct, frozen=True, kw_only=True):
    """How long to wait between attempts, and when to give up and leave it to a person."""

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(minutes=15)
    give_up_after: timedelta = timedelta(days=7)
    lease: timedelta = timedelta(seconds=60)
    doubt: timedelta = timedelta(seconds=30)
    """After an answer that never came: how long the server may still be at it, before it is asked what it did."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How one attempt ended: a receipt, or the error that stopped it; neither when it was broken off."""

    receipt: Receipt | None = None
    error: DeliveryError | None = None


def wait(attempts: int, error: DeliveryError, retries: Retries, chance: float) -> timedelta:
    """How long to wait after this many attempts: doubling, at most `longest`, never before the server asked.

    `chance` in [0, 1) spreads the waits over the upper half, so that a returning server is not stormed.
    """
    full = min(retries.longest, retries.first * 2 ** min(attempts - 1, 20))
    spread: timedelta = full / 2 + full / 2 * chance
    least = retries.doubt if error.may_be_under_way else timedelta(0)
    return max(spread, error.after or least, least)


def claim(
    tx: Transaction,
    backend: str,
    limit: int,
    retries: Retries,
    now: datetime,
    *,
    probing: Sequence[int] | None = None,
) -> list[Delivery]:
    """Take a lease on deliveries of this backend that are due, the highest impact first, one for each incident.

    `probing` takes the oldest one only, whatever its impact: it finds out whether the backend can be told at all. It
    names those that were tried in vain, in that order: they come last, for it may be their own trouble.
    """
    leased = []
    for n, delivery in (
        _probe(tx, backend, probing, now) if probing is not None else tx.live.unsent.due(backend, limit, now)
    ):
        declared = declared_in(tx, n, backend)
        known = declared or record_of(tx, n, backend)
        lease = replace(
            delivery,
            state=DeliveryState.LEASED,
            attempts=delivery.attempts + 1,
            due_at=now + retries.lease,
            stands=None,
            number=delivery.number or (known[0] if known else ""),
            opened=bool(delivery.number or known),
        )
        if declared:
            lease = _as_it_stands(tx, n, lease, TicketStatus(declared[2]))
        if known:
            lease = _left_to_people(tx, n, lease, TicketStatus(known[2]))
        put(tx, n, lease, None)
        leased.append(lease)
    return leased


def _probe(tx: Transaction, backend: str, last: Sequence[int], now: datetime) -> Iterable[tuple[int, Delivery]]:
    found = tx.live.unsent.oldest_due(backend, last, now)
    return [found] if found else []


def known_number(tx: Transaction, n: int, backend: str) -> tuple[str, bool]:
    """The number of the ticket of incident `n`, empty while it is not known, and whether the backend has such a ticket."""
    ticket = ticket_of(tx, n, backend)
    return (ticket[0], True) if ticket else ("", False)


def _as_it_stands(tx: Transaction, n: int, lease: Delivery, stands: TicketStatus) -> Delivery:
    """The delivery with what is known of its ticket, which this backend declares."""
    read = frozenset(row[0] for row in tx.rows("read_notes_of", (n,)))
    lease = replace(lease, stands=stands, priority="", assignee=None, read=read)
    for _, _, priority, assignee, _, _, _, graded in tx.rows("sighting", (n,)):
        lease = replace(lease, priority="" if graded else priority, assignee=None if graded > 1 else assignee)
    return lease


def _left_to_people(tx: Transaction, n: int, lease: Delivery, stands: TicketStatus) -> Delivery:
    """The delivery as it may be told, now that people have worked on its ticket.

    One that a person works on gets a note. One that has ended may be told anything; that it is to be open again, because a
    close that was not told yet is true no more, must then be asked for.
    """
    if lease.action not in _CHANGING:
        return lease
    incident = keep.current_incident(tx, n)
    if stands in ENDED:
        return _of_an_ended(lease, stands, over=incident.state == State.CLOSED)
    left = lease.stands is not None and incident.touched and incident.policy.unless_touched
    return _as_note(lease, stands) if left else lease


def _of_an_ended(lease: Delivery, stands: TicketStatus, *, over: bool) -> Delivery:
    if lease.action != DeliveryAction.UPDATE:
        return lease
    if over:
        return _as_note(lease, stands)
    body = replace(lease.body, action=DeliveryAction.REOPEN)
    return replace(lease, action=DeliveryAction.REOPEN, body=body)


def _as_note(lease: Delivery, stands: TicketStatus) -> Delivery:
    """The same as a note, which tells the status that the ticket has, and remembers what may have been done before."""
    tried = lease.body.status if lease.uncertain else None
    body = replace(lease.body, action=DeliveryAction.NOTE, status=stands, tried=tried)
    return replace(lease, action=DeliveryAction.NOTE, body=body)


def settle(tx: Transaction, delivery: Delivery, outcome: Outcome, retries: Retries, now: datetime) -> Delivery:
    """Write down how a leased delivery ended; returns it as it now stands."""
    n = _row_of(tx, delivery)
    if outcome.receipt:
        return _sent(tx, n, delivery, outcome.receipt, now)
    if outcome.error is None:
        return _release(tx, n, delivery, retries, now)
    settled = _failed(delivery, outcome.error, retries, now)
    if settled.state == DeliveryState.DEAD and settled.uncertain and settled.action in _CHANGING:
        tx.update("graded_sighting", (2 if outcome.error.assigned else 1, n))  # what it left there is no person's doing
    if settled.state == DeliveryState.DEAD and settled.action != DeliveryAction.OPEN:
        take_out(tx, n, settled, now)
    else:
        put(tx, n, settled, now if settled.state == DeliveryState.DEAD else None)
    return settled


def _sent(tx: Transaction, n: int, delivery: Delivery, receipt: Receipt, now: datetime) -> Delivery:
    ticket = ticket_of(tx, n, delivery.backend)
    known, opened = ticket[0] if ticket else "", ticket is not None
    if known and receipt.number != known:
        receipt = _as_known(tx, n, delivery, receipt, known, now)
    informed = is_informed(tx, n, delivery.backend)
    note = delivery.action == DeliveryAction.NOTE and not delivery.body.tried
    if ticket and (note or (informed and _ended_by_people(delivery, receipt))):
        receipt = replace(receipt, status=TicketStatus(ticket[2]))  # whatever it is now, this did not make it so
    if delivery.action == DeliveryAction.OPEN and receipt.status in ENDED:
        receipt = replace(
            receipt, status=TicketStatus.DECLARED
        )  # it was found so: a person's doing, which is yet to be seen
    sent = replace(
        delivery, state=DeliveryState.SENT, reason="", uncertain=False, doubted_at=None, number=receipt.number
    )
    take_out(tx, n, sent, now)
    # What was told to a ticket that nobody saw opened shows that there is one.
    ticketed(tx, n, delivery if opened else replace(delivery, action=DeliveryAction.OPEN), receipt, now)
    _renumber(tx, n, delivery.backend, receipt.number)
    if not informed:
        _to_be_seen(tx, n, delivery, receipt, now)
    if receipt.remark:
        text = wording.text("remark", backend=delivery.backend, remark=receipt.remark)
        add_note(tx, n, "remark", wording.ACTOR, text, now)
    return sent


def _ended_by_people(delivery: Delivery, receipt: Receipt) -> bool:
    """Whether a record was ended by those who have it: that is theirs, and no close of ours that a relapse would undo."""
    return receipt.status in ENDED and delivery.action not in (DeliveryAction.CLOSE, DeliveryAction.OPEN)


def _to_be_seen(tx: Transaction, n: int, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
    """What this means for who looks at the ticket next: what of it is our doing, and that it was there unknown to us."""
    if delivery.action in _CHANGING and (receipt.graded or receipt.assigned):
        tx.update("graded_sighting", (2 if receipt.assigned else 1, n))
    late = delivery.uncertain or delivery.attempts > 1 or now >= delivery.due_at
    if delivery.action == DeliveryAction.OPEN and late:
        tx.update("insert_unread_ticket", (delivery.backend, delivery.incident, rows.micros(now)))


def _as_known(tx: Transaction, n: int, delivery: Delivery, receipt: Receipt, known: str, now: datetime) -> Receipt:
    """A ticket keeps the number that people know it by."""
    if receipt.number:
        _say_renumbered(tx, n, delivery.backend, known, receipt.number, now)
    return replace(receipt, number=known, url="" if receipt.number else receipt.url)


def numbered(tx: Transaction, incident: str, backend: str, number: str, url: str, now: datetime) -> bool:
    """A backend tells the number of a ticket that it has declared; returns whether it was not known before.

    A number that is known stays: another one is told in a note of the incident.
    """
    found = tx.rows("incident_by_id", (incident,))
    n = found[0][0] if found else 0
    known, opened = known_number(tx, n, backend)
    if not opened or not number or number == known:
        return False
    if known:
        _say_renumbered(tx, n, backend, known, number, now)
        return False
    tx.update("number_ticket", (number, url, n, backend))
    tx.update("number_informed", (number, url, n, backend))
    if not is_informed(tx, n, backend):
        tx.live.told(n, number)
    _renumber(tx, n, backend, number)
    return True


def _say_renumbered(tx: Transaction, n: int, backend: str, known: str, new: str, now: datetime) -> None:
    text = wording.text("renumbered", backend=backend, new=new, known=known)
    if not tx.rows("noted", (n, "renumbered", rows.encode_text(text))):
        add_note(tx, n, "renumbered", wording.ACTOR, text, now)


def _release(tx: Transaction, n: int, delivery: Delivery, retries: Retries, now: datetime) -> Delivery:
    """An attempt that was broken off: the server may still be at it, so the next one waits, and asks first."""
    doubt = {"uncertain": True, "doubted_at": now, "due_at": now + retries.doubt}
    released = replace(delivery, state=DeliveryState.PENDING, reason="broken off", **doubt)
    put(tx, n, released, None)
    return released


def _failed(delivery: Delivery, error: DeliveryError, retries: Retries, now: datetime) -> Delivery:
    """The delivery after this error. Doubt stays until a receipt ends it, and only what may have been done renews it."""
    failed = replace(delivery, reason=str(error))
    if error.doubts:
        failed = replace(failed, uncertain=True, doubted_at=now)
    if error.stops:
        # No attempt of its own: whatever is told now is refused, and nobody is to run out of attempts by it.
        return replace(failed, state=DeliveryState.PENDING, attempts=max(0, delivery.attempts - 1), due_at=now)
    if error.reason == Reason.TOUCHED:
        return replace(failed, state=DeliveryState.PENDING, attempts=max(0, delivery.attempts - 1), due_at=now)
    since = delivery.resent_at or delivery.made_at
    old = since is not None and now - since >= retries.give_up_after
    tired = old and delivery.attempts >= _TRIES
    if not error.retry or tired:
        reason = f"{error} (given up after {delivery.attempts} attempts)" if tired else str(error)
        return replace(failed, state=DeliveryState.DEAD, reason=reason)
    chance = random.Random(f"{delivery.id}/{delivery.attempts}").random()  # noqa: S311 - spreading, not secrecy
    return replace(failed, state=DeliveryState.PENDING, due_at=now + wait(delivery.attempts, error, retries, chance))


def hasten(tx: Transaction, backend: str, retries: Retries, now: datetime) -> int:
    """A person says that the backend can be told again: what waits after a failure is due now; returns how much.

    What may still be under way there is waited for all the same.
    """
    hastened = 0
    for n, name in tx.live.unsent.chains():
        first = next_of(tx.live.unsent.of(n, name)) if name == backend else None
        if first and first.due_at > now and not (first.doubted_at and now < first.doubted_at + retries.doubt):
            put(tx, n, replace(first, due_at=now), None)
            hastened += 1
    return hastened


def count_dead(tx: Transaction) -> dict[str, int]:
    """How many deliveries of each backend wait for a person."""
    return dict(tx.rows("count_dead"))


def put(tx: Transaction, n: int, delivery: Delivery, settled_at: datetime | None) -> None:
    """Write down a delivery that stays in its chain."""
    chain = tx.live.unsent.of(n, delivery.backend)
    changed = tuple(delivery if other.id == delivery.id else other for other in chain)
    tx.live.unsent.keep(n, delivery.backend, changed)
    tx.update("update_delivery", rows.delivery_changes(delivery, settled_at))


def take_out(tx: Transaction, n: int, delivery: Delivery, now: datetime) -> None:
    """Write down a delivery that is done with, and let the next of its chain have its turn."""
    chain = tx.live.unsent.of(n, delivery.backend)
    tx.live.unsent.keep(n, delivery.backend, tuple(other for other in chain if other.id != delivery.id))
    tx.update("update_delivery", rows.delivery_changes(delivery, now))


def add_note(tx: Transaction, n: int, kind: str, actor: str, text: Texts, now: datetime) -> None:
    """Write a line into the history of incident `n`."""
    tx.insert("insert_note", (tx.next("notes"), n, rows.micros(now), actor, kind, rows.encode_text(text)))


def _renumber(tx: Transaction, n: int, backend: str, number: str) -> None:
    chain = tx.live.unsent.of(n, backend)
    if number and chain:
        tx.live.unsent.keep(n, backend, tuple(replace(other, number=number, opened=True) for other in chain))


def _row_of(tx: Transaction, delivery: Delivery) -> int:
    return int(tx.rows("delivery", (delivery.id,))[0][1])

"""Deliveries in the store: claimed under a lease, settled with what came of them, sent again by a person.

The waits are a pure function and live in the rows. Who carries a delivery to its backend is not known here.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin.errors import DOUBTFUL, DeliveryError
from tocsin.model import Delivery, DeliveryAction, DeliveryState, Receipt
from tocsin.store import rows
from tocsin.store.apply import ticketed

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store.transaction import Transaction


class Retries(Struct, frozen=True, kw_only=True):
    """How long to wait between attempts, and when to give up and leave it to a person."""

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(minutes=15)
    give_up_after: timedelta = timedelta(days=7)
    lease: timedelta = timedelta(seconds=60)
    doubt: timedelta = timedelta(seconds=30)
    """After an answer that never came: how long the server may still be at it, before it is asked what it did."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How one attempt ended: a receipt, or the error that stopped it."""

    receipt: Receipt | None = None
    error: DeliveryError | None = None


def wait(attempts: int, error: DeliveryError, retries: Retries, chance: float) -> timedelta:
    """How long to wait after this many attempts: doubling, at most `longest`, never before the server asked.

    `chance` in [0, 1) spreads the waits over the upper half, so that a returning server is not stormed.
    """
    full = min(retries.longest, retries.first * 2 ** min(attempts - 1, 20))
    spread: timedelta = full / 2 + full / 2 * chance
    least = retries.doubt if error.reason in DOUBTFUL else timedelta(0)
    return max(spread, error.after or least, least)


def claim(tx: Transaction, backend: str, limit: int, retries: Retries, now: datetime) -> list[Delivery]:
    """Take a lease on deliveries of this backend that are due, oldest first, one for each incident."""
    leased = []
    for n, delivery in tx.live.unsent.due(backend, limit, now):
        lease = replace(
            delivery,
            state=DeliveryState.LEASED,
            attempts=delivery.attempts + 1,
            due_at=now + retries.lease,
            number=delivery.number or _number(tx, n),
        )
        _put(tx, n, lease, None)
        leased.append(lease)
    return leased


def settle(tx: Transaction, delivery: Delivery, outcome: Outcome, retries: Retries, now: datetime) -> Delivery:
    """Write down how a leased delivery ended; returns it as it now stands."""
    n = _row_of(tx, delivery)
    if outcome.receipt:
        settled = replace(delivery, state=DeliveryState.SENT, reason="", uncertain=False)
        _drop(tx, n, settled, now)
        ticketed(tx, n, delivery, outcome.receipt, now)
        _renumber(tx, n, outcome.receipt.number)
        return settled
    if outcome.error is None:
        return _release(tx, n, delivery, now)
    settled = _failed(delivery, outcome.error, retries, _made_at(tx, delivery), now)
    if settled.state == DeliveryState.DEAD and settled.action != DeliveryAction.OPEN:
        _drop(tx, n, settled, now)
    else:
        _put(tx, n, settled, now if settled.state == DeliveryState.DEAD else None)
    return settled


def _release(tx: Transaction, n: int, delivery: Delivery, now: datetime) -> Delivery:
    """An attempt that was broken off: it may have been done, so the next one asks first."""
    released = replace(delivery, state=DeliveryState.PENDING, uncertain=True, due_at=now, reason="broken off")
    _put(tx, n, released, None)
    return released


def _failed(delivery: Delivery, error: DeliveryError, retries: Retries, made_at: datetime, now: datetime) -> Delivery:
    uncertain = delivery.uncertain or error.reason in DOUBTFUL
    tired = now - made_at >= retries.give_up_after
    if not error.retry or tired:
        reason = f"{error} (given up after {delivery.attempts} attempts)" if tired else str(error)
        return replace(delivery, state=DeliveryState.DEAD, uncertain=uncertain, reason=reason)
    chance = random.Random(f"{delivery.id}/{delivery.attempts}").random()  # noqa: S311 - spreading, not secrecy
    due_at = now + wait(delivery.attempts, error, retries, chance)
    return replace(delivery, state=DeliveryState.PENDING, uncertain=uncertain, due_at=due_at, reason=str(error))


def resend(tx: Transaction, delivery: int, now: datetime) -> bool:
    """A person wants a dead delivery tried again; False when there is no dead one of this number."""
    found = tx.rows("delivery", (delivery,))
    if not found or found[0][5] != DeliveryState.DEAD:
        return False
    n = found[0][1]
    incident = tx.rows("incident", (n,))[0][1]
    again = replace(rows.read_delivery(found[0], incident, _number(tx, n)), state=DeliveryState.PENDING, due_at=now)
    others = [other for other in tx.live.unsent.of(n) if other.id != again.id]
    tx.live.unsent.keep(n, tuple(sorted([*others, again], key=lambda one: one.id)))
    tx.update("update_delivery", rows.delivery_changes(again, None))
    return True


def _put(tx: Transaction, n: int, delivery: Delivery, settled_at: datetime | None) -> None:
    unsent = tx.live.unsent.of(n)
    tx.live.unsent.keep(n, tuple(delivery if other.id == delivery.id else other for other in unsent))
    tx.update("update_delivery", rows.delivery_changes(delivery, settled_at))


def _drop(tx: Transaction, n: int, delivery: Delivery, now: datetime) -> None:
    unsent = tx.live.unsent.of(n)
    tx.live.unsent.keep(n, tuple(other for other in unsent if other.id != delivery.id))
    tx.update("update_delivery", rows.delivery_changes(delivery, now))


def _renumber(tx: Transaction, n: int, number: str) -> None:
    unsent = tx.live.unsent.of(n)
    if unsent:
        tx.live.unsent.keep(n, tuple(replace(other, number=number) for other in unsent))


def _row_of(tx: Transaction, delivery: Delivery) -> int:
    return int(tx.rows("delivery", (delivery.id,))[0][1])


def _made_at(tx: Transaction, delivery: Delivery) -> datetime:
    return rows.moment(tx.rows("delivery_made_at", (delivery.id,))[0][0])


def _number(tx: Transaction, n: int) -> str:
    found = tx.rows("ticket", (n,))
    return found[0][2] if found else ""

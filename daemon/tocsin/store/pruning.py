"""Letting go of what is older than is to be kept, in small batches, so that alerts never wait long behind it.

What is live is kept whatever its age. Row numbers grow with time, so where to stop is found by bisection; nothing is
scanned.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.store import rows
from tocsin.store.reader import first_since

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store.transaction import Transaction

BATCH = 2000
"""Rows of one table that go in one transaction."""
_INCIDENTS = 200


class Retention(Struct, frozen=True, kw_only=True):
    """For how long what happened is kept."""

    alerts: timedelta = timedelta(days=90)
    incidents: timedelta = timedelta(days=400)
    rejected: timedelta = timedelta(days=30)


def prune(tx: Transaction, retention: Retention, now: datetime) -> int:
    """Delete one small batch; returns how many rows of what people see went, 0 when nothing is left to delete."""
    alerts, incidents = rows.micros(now - retention.alerts), rows.micros(now - retention.incidents)
    gone = tx.change("prune_alerts", (first_since(tx.rows, "last_alert", "alert_from", alerts), BATCH))
    gone += tx.change("prune_bodies", (first_since(tx.rows, "last_body", "body_from", alerts), BATCH))
    gone += tx.change("prune_texts", (alerts, BATCH))
    gone += tx.change("prune_differences", (first_since(tx.rows, "last_difference", "difference_from", alerts), BATCH))
    rejected = first_since(tx.rows, "last_rejected", "rejected_from", rows.micros(now - retention.rejected))
    gone += tx.change("prune_rejected", (rejected, BATCH))
    gone += tx.change("prune_decisions", (first_since(tx.rows, "last_decision", "decision_from", incidents), BATCH))
    return gone + _prune_incidents(tx, incidents) + _forget(tx, now - retention.alerts, now)


def _prune_incidents(tx: Transaction, before: int) -> int:
    old = tx.rows("old_incidents", (before, _INCIDENTS))
    for n, number in old:
        if tx.live.unsent.of(n):
            continue  # somebody still has to be told, or to look at it
        tx.update("delete_desk_notes", (number, n))
        tx.update("delete_desk_ticket", (number, n))
        for name in ("delete_notes", "delete_deliveries", "delete_ticket", "delete_incident"):
            tx.update(name, (n,))
    return sum(not tx.live.unsent.of(n) for n, _ in old)


def _forget(tx: Transaction, before: datetime, now: datetime) -> int:
    """What fires without an incident and was never resolved: should it be said again, it is decided again."""
    forgettable = tx.live.forgettable(before, BATCH)
    for firing in forgettable:
        tx.live.forget(firing)
        tx.update("delete_firing", (firing.row,))
        tx.update("end_text", (rows.micros(now), firing.text))
    return len(forgettable)

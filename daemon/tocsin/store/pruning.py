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
_OF_A_TICKET = (
    "delete_desk_notes",
    "delete_desk_statuses",
    "delete_desk_identifiers",
    "delete_desk_attachments",
    "delete_desk_details",
    "delete_desk_ticket",
)


_OF_AN_INCIDENT = (
    "delete_notes",
    "delete_deliveries",
    "delete_ticket",
    "delete_all_informed",
    "delete_sighting",
    "delete_read_notes",
    "delete_incident",
)


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
    gone += _prune_incidents(tx, incidents) + _prune_tickets(tx, incidents)
    return gone + _forget(tx, now - retention.alerts, now)


def _prune_incidents(tx: Transaction, before: int) -> int:
    old = tx.rows("old_incidents", (before, _INCIDENTS))
    for n, number in old:
        if tx.live.unsent.waits(n):
            continue  # somebody still has to be told, or to look at it
        for each in (number, *(row[1] for row in tx.peek("informed_of", (n,)))):
            for (ticket,) in tx.peek("desk_ticket_of", (each, n)):
                _drop_ticket(tx, ticket)
        for name in _OF_AN_INCIDENT:
            tx.update(name, (n,))
    return sum(not tx.live.unsent.waits(n) for n, _ in old)


def _prune_tickets(tx: Transaction, before: int) -> int:
    """Desk tickets that are over and of no incident: programs declared them."""
    old = tx.rows("old_desk_tickets", (before, _INCIDENTS))
    for (ticket,) in old:
        _drop_ticket(tx, ticket)
    return len(old)


def _drop_ticket(tx: Transaction, ticket: int) -> None:
    for name in _OF_A_TICKET:
        tx.update(name, (ticket,))


def _forget(tx: Transaction, before: datetime, now: datetime) -> int:
    """What fires without an incident and was never resolved: should it be said again, it is decided again."""
    forgettable = tx.live.forgettable(before, BATCH)
    for firing in forgettable:
        tx.live.forget(firing)
        tx.update("delete_firing", (firing.row,))
        tx.update("end_text", (rows.micros(now), firing.text))
    return len(forgettable)

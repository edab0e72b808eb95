"""Tickets of the desk: what a delivery or a person does to one, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.model import (
    Criticality,
    Delivery,
    DeliveryAction,
    Impact,
    Priority,
    Receipt,
    Snapshot,
    Texts,
    TicketStatus,
)
from tocsin.store import rows

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store import Transaction

PriorityTable = Mapping[Impact, Mapping[Criticality, Priority]]
"""Impact → criticality of the element → priority; complete in both."""

_ENDED = (TicketStatus.CLOSED, TicketStatus.CANCELLED)


class DeskTicket(Struct, frozen=True, kw_only=True):
    """The part of a ticket that deliveries and people change."""

    id: int
    number: str
    reference: str
    status: TicketStatus
    impact: Impact
    priority: Priority
    criticality: Criticality
    assignee: str


class Desk:
    """The desk as a backend that takes part in the transaction; implements `store.Embedded`."""

    def __init__(self, priorities: PriorityTable) -> None:
        self._priorities = priorities

    def deliver(self, tx: Transaction, delivery: Delivery, now: datetime) -> Receipt:
        """Do what the delivery says. Nothing is ever in doubt here, so an `open` opens."""
        ticket = self.by_number(tx, delivery.number) if delivery.number else None
        if ticket is None:
            return self._open(tx, delivery.body, now)
        _write_notes(tx, ticket.id, delivery.body.notes, now)
        return self._change(tx, ticket, delivery, now)

    def by_number(self, tx: Transaction, number: str) -> DeskTicket | None:
        """The ticket of this number."""
        return _ticket(tx.rows("desk_ticket_by_number", (number,)))

    def work(
        self,
        tx: Transaction,
        ticket: DeskTicket,
        *,
        actor: str,
        status: TicketStatus | None,
        note: str,
        now: datetime,
    ) -> Receipt:
        """A person takes, changes or closes a ticket, or writes on it."""
        status = status or ticket.status
        _write(tx, ticket, (status, ticket.impact, ticket.priority, actor), now)
        if note:
            _write_note(tx, ticket.id, actor, {"en": note, "fr": note}, now)
        return Receipt(number=ticket.number, status=status)

    def priority(self, impact: Impact, criticality: Criticality) -> Priority:
        """The priority of a ticket: a table, so that operations can change it without us."""
        return self._priorities[impact][criticality]

    def _open(self, tx: Transaction, body: Snapshot, now: datetime) -> Receipt:
        number = next_number(tx.memory.desk, now)
        row = tx.next("desk_tickets")
        element, at = body.element, rows.micros(now)
        priority = self.priority(body.impact, element.criticality)
        tx.insert(
            "insert_desk_ticket",
            (
                row,
                number,
                body.reference,
                rows.encode_text(body.name),
                rows.encode_text(body.description),
                element.reference,
                element.name,
                element.offer,
                element.contract,
                element.site,
                element.criticality.value,
                body.impact.value,
                priority.value,
                body.status.value,
                body.declarant,
                "",
                body.previous,
                at,
                at,
                None,
            ),
        )
        _write_notes(tx, row, body.notes, now)
        return Receipt(number=number, status=body.status)

    def _change(self, tx: Transaction, ticket: DeskTicket, delivery: Delivery, now: datetime) -> Receipt:
        body = delivery.body
        status = ticket.status if delivery.action == DeliveryAction.NOTE else body.status
        impact, priority = ticket.impact, ticket.priority
        if body.impact != impact:
            impact, priority = body.impact, self.priority(body.impact, ticket.criticality)
        _write(tx, ticket, (status, impact, priority, ticket.assignee), now)
        return Receipt(number=ticket.number, status=status)


def next_number(last: dict[str, int], now: datetime) -> str:
    """The next ticket number of the month, such as `2611N00001`; counts `last` up.

    Five digits, more when a month needs more; the month is that of `now`, in UTC.
    """
    month = f"{now.year % 100:02}{now.month:02}"
    last[month] = last.get(month, 0) + 1
    return f"{month}N{last[month]:05}"


def _ticket(found: list[tuple[Any, ...]]) -> DeskTicket | None:
    if not found:
        return None
    row = found[0]
    return DeskTicket(
        id=row[0],
        number=row[1],
        reference=row[2],
        status=TicketStatus(row[3]),
        impact=Impact(row[4]),
        priority=Priority(row[5]),
        criticality=Criticality(row[6]),
        assignee=row[7],
    )


def _write(
    tx: Transaction, ticket: DeskTicket, changed: tuple[TicketStatus, Impact, Priority, str], now: datetime
) -> None:
    at = rows.micros(now)
    closed_at = at if changed[0] in _ENDED else None
    status, impact, priority, assignee = changed
    tx.update("update_desk_ticket", (status.value, impact.value, priority.value, assignee, at, closed_at, ticket.id))


def _write_notes(tx: Transaction, ticket: int, notes: tuple[Texts, ...], now: datetime) -> None:
    for text in notes:
        _write_note(tx, ticket, "tocsin", text, now)


def _write_note(tx: Transaction, ticket: int, actor: str, text: Texts, now: datetime) -> None:
    tx.insert("insert_desk_note", (tx.next("desk_notes"), ticket, rows.micros(now), actor, rows.encode_text(text)))

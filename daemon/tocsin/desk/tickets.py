"""Tickets of the desk: what a delivery or a person does to one, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from tocsin.desk import events
from tocsin.desk.events import Journal, Kind
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
from tocsin.standing import ENDED
from tocsin.store import rows

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store import Transaction

PriorityTable = Mapping[Impact, Mapping[Criticality, Priority]]
"""Impact → criticality of the element → priority; complete in both."""

_ACTOR = "tocsin"


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
    rejected: bool = False
    """Cancelled, because it was refused when it was declared."""


class Standing(Struct, frozen=True, kw_only=True):
    """How a ticket is to stand after a change."""

    status: TicketStatus
    impact: Impact
    priority: Priority
    assignee: str
    rejected: bool = False


class Why(Struct, frozen=True, kw_only=True):
    """Who changes a ticket, why its status is another, and what else was changed, in the words of TMF621."""

    actor: str
    reason: Texts = {}
    fields: tuple[str, ...] = ()


class Desk:
    """The desk as a backend that takes part in the transaction; implements `store.Embedded`."""

    def __init__(self, priorities: PriorityTable, journal: Journal | None = None) -> None:
        """`journal`: where what happens to tickets is written down; without it nobody is told."""
        self._priorities = priorities
        self.journal = journal or Journal()

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
        standing = Standing(
            status=status or ticket.status, impact=ticket.impact, priority=ticket.priority, assignee=actor
        )
        reason = {"en": note, "fr": note} if note else {}
        if note:
            write_note(tx, ticket.id, (actor, reason), now)
        fields = ("note",) if note else ()
        self.change(tx, ticket, standing, Why(actor=actor, reason=reason, fields=fields), now)
        return Receipt(number=ticket.number, status=standing.status)

    def change(self, tx: Transaction, ticket: DeskTicket, standing: Standing, why: Why, now: datetime) -> None:
        """Let a ticket stand otherwise: its row, its history, and what is told of it."""
        ended = rows.micros(now) if standing.status in ENDED else None
        before = events.word(ticket.status, rejected=ticket.rejected)
        after = events.word(standing.status, rejected=standing.rejected)
        tx.update(
            "update_desk_ticket",
            (
                standing.status.value,
                int(after == events.REJECTED),
                standing.impact.value,
                standing.priority.value,
                standing.assignee,
                rows.micros(now),
                ended,
                ticket.id,
            ),
        )
        if after != before:
            write_status(tx, ticket.id, after, why, now)
        fields = why.fields
        if standing.impact != ticket.impact and "severity" not in fields:
            fields = (*fields, "severity")
        self.journal.write(tx, ticket.id, events.kinds(before, after, fields), after, fields, now)

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
                0,
            ),
        )
        _write_notes(tx, row, body.notes, now)
        if body.status != TicketStatus.DECLARED:
            write_status(tx, row, body.status.value, Why(actor=_ACTOR), now)
        self.journal.write(tx, row, iter((Kind.CREATED,)), body.status.value, (), now)
        return Receipt(number=number, status=body.status)

    def _change(self, tx: Transaction, ticket: DeskTicket, delivery: Delivery, now: datetime) -> Receipt:
        body = delivery.body
        status = ticket.status if delivery.action == DeliveryAction.NOTE else body.status
        impact, priority = ticket.impact, ticket.priority
        if body.impact != impact:
            impact, priority = body.impact, self.priority(body.impact, ticket.criticality)
        standing = Standing(status=status, impact=impact, priority=priority, assignee=ticket.assignee)
        if status == ticket.status:
            standing = replace(standing, rejected=ticket.rejected)
        reason = body.notes[-1] if body.notes else {}
        fields = ("note",) if body.notes else ()
        self.change(tx, ticket, standing, Why(actor=_ACTOR, reason=reason, fields=fields), now)
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
        rejected=bool(row[8]),
    )


def _write_notes(tx: Transaction, ticket: int, notes: tuple[Texts, ...], now: datetime) -> None:
    for text in notes:
        write_note(tx, ticket, (_ACTOR, text), now)


def write_note(tx: Transaction, ticket: int, said: tuple[str, Texts], now: datetime, key: str = "") -> None:
    """Write a note, actor and text, on a ticket; `key` is its id where it was written, if it has one there."""
    actor, text = said
    row = (tx.next("desk_notes"), ticket, rows.micros(now), actor, rows.encode_text(text), key)
    tx.insert("insert_desk_note", row)


def write_status(tx: Transaction, ticket: int, status: str, why: Why, now: datetime) -> None:
    """Write into a ticket's history that its status is another one now; `status` as `events.word` has it."""
    reason = rows.encode_text(why.reason)
    tx.insert("insert_desk_status", (tx.next("desk_statuses"), ticket, rows.micros(now), status, why.actor, reason))

"""What people want listed: incidents, tickets, deliveries, as plain values for the command line and the pages.

Reads through a connection of its own that cannot write; safe beside a running service.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin.model import Texts
from tocsin.store.reader import Reader, reader
from tocsin.store.rows import moment, moment_or_none, read_details

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_texts = msgspec.json.Decoder(Texts)


class IncidentLine(Struct, frozen=True, kw_only=True):
    """One incident in a listing."""

    id: str
    state: str
    rule: str
    element: str
    impact: str
    alerts: int
    firing: int
    ticket: str
    opened_at: datetime
    last_seen_at: datetime
    due_at: datetime | None
    flapping: bool
    touched: bool
    dedup_key: str


class TicketLine(Struct, frozen=True, kw_only=True):
    """One ticket in a listing."""

    number: str
    status: str
    name: Texts
    element: str
    impact: str
    priority: str
    """Empty for a ticket system that keeps its priority to itself."""
    declarant: str
    reference: str
    """Id of its incident."""
    backend: str
    url: str
    at: datetime
    """When its status was last told."""
    alerts: int


class NoteLine(Struct, frozen=True, kw_only=True):
    """One note of a desk ticket."""

    at: datetime
    actor: str
    text: Texts


class DeliveryLine(Struct, frozen=True, kw_only=True):
    """One delivery in a listing."""

    id: int
    incident: str
    backend: str
    action: str
    state: str
    attempts: int
    reason: str
    ticket: str
    due_at: datetime
    made_at: datetime
    settled_at: datetime | None


class Listing:
    """A reader of one database. Raises StoreError when there is none yet or it cannot be read."""

    def __init__(self, there: Reader) -> None:
        self._there = there

    def incidents(self, state: str = "", limit: int = 50) -> list[IncidentLine]:
        """Incidents, newest first; `state` empty for all."""
        return [_incident(row) for row in self._there.rows("list_incidents", (state, state, limit))]

    def tickets(self, status: str = "", limit: int = 50, desk: str = "desk") -> list[TicketLine]:
        """Tickets, newest first; `status` empty for all, `desk` the name of the backend that is the desk."""
        return [_ticket(row) for row in self._there.rows("list_tickets", (desk, status, status, limit))]

    def ticket(self, number: str, desk: str = "desk") -> TicketLine | None:
        """The ticket of this number."""
        found = self._there.rows("list_ticket", (desk, number))
        return _ticket(found[0]) if found else None

    def notes(self, number: str) -> list[NoteLine]:
        """The notes of a desk ticket, oldest first."""
        return [
            NoteLine(at=moment(at), actor=actor, text=_texts.decode(text))
            for at, actor, text in self._there.rows("desk_notes", (number,))
        ]

    def deliveries(self, state: str = "", limit: int = 50) -> list[DeliveryLine]:
        """Deliveries, newest first; `state` empty for all."""
        return [delivery_line(row) for row in self._there.rows("list_deliveries", (state, state, limit))]


@contextlib.contextmanager
def listing(folder: Path) -> Iterator[Listing]:
    """A reader of the database in this folder. Raises StoreError when there is none yet."""
    with reader(folder, one_moment=False) as there:
        yield Listing(there)


def _incident(row: tuple[Any, ...]) -> IncidentLine:
    return IncidentLine(
        id=row[1],
        dedup_key=row[2],
        state=row[4],
        rule=row[5],
        element=row[6],
        impact=row[7],
        opened_at=moment(row[10]),
        last_seen_at=moment(row[11]),
        due_at=moment_or_none(row[14]),
        firing=row[15],
        alerts=row[16],
        flapping=bool(row[18]),
        touched=bool(row[19]),
        ticket=row[24],
    )


def _ticket(row: tuple[Any, ...]) -> TicketLine:
    return TicketLine(
        number=row[0],
        status=row[1],
        backend=row[2],
        url=row[3],
        at=moment(row[4]),
        reference=row[5],
        element=row[6],
        impact=row[7],
        declarant=row[8],
        name=_texts.decode(row[11]) if row[11] else read_details(row[9]).name,
        priority=row[10],
        alerts=row[13],
    )


def delivery_line(row: tuple[Any, ...]) -> DeliveryLine:
    """A delivery as `list_deliveries` and `deliveries_of` select it."""
    return DeliveryLine(
        id=row[0],
        incident=row[1],
        backend=row[2],
        action=row[3],
        state=row[4],
        attempts=row[5],
        reason=row[6],
        due_at=moment(row[7]),
        made_at=moment(row[8]),
        settled_at=moment_or_none(row[9]),
        ticket=row[10],
    )

"""What people want listed: incidents, tickets, deliveries, as plain values for the command line and the pages.

Reads through a connection of its own that cannot write; safe beside a running service.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin.model import Snapshot, Texts
from tocsin.store.reader import Reader, reader
from tocsin.store.rows import moment, moment_or_none, read_details

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_texts = msgspec.json.Decoder(Texts)
_snapshot = msgspec.json.Decoder(Snapshot)
_UNSENT = ("pending", "leased")
_DECLARED = 14
"""The column of a ticket's row that says when its incident began, or when a program declared it."""


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
    number_pending: bool
    """There is a ticket, and its backend has not told its number yet."""
    opened_at: datetime
    last_seen_at: datetime
    due_at: datetime | None
    flapping: bool
    touched: bool
    dedup_key: str


class InformedLine(Struct, frozen=True, kw_only=True):
    """One backend that is informed of an incident."""

    backend: str
    number: str
    """Empty while it has told none."""
    url: str
    status: str
    """What it was told last; empty while it has not taken the first delivery."""


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
    """Id of its incident; what a program calls it that declared it."""
    backend: str
    url: str
    at: datetime
    """When its status was last told."""
    alerts: int
    informed: tuple[InformedLine, ...] = ()
    """The other backends that are told of its incident."""


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


class OutgoingLine(DeliveryLine, frozen=True, kw_only=True):
    """One delivery in a listing, with whether its ticket still has no number."""

    number_pending: bool
    """The backend has taken the ticket, and has not told its number yet."""


class DeliveryWhole(OutgoingLine, frozen=True, kw_only=True):
    """One delivery with everything that it tells."""

    uncertain: bool
    """It may have been done already."""
    doubted_at: datetime | None
    waits_for: int | None
    """The delivery of the same ticket that goes before it; None when it is its turn, or it is over."""
    waits_for_state: str
    body: Snapshot | None
    """None when an embedded backend did it: what it told stands in that backend's own records."""


class Listing:
    """A reader of one database. Raises StoreError when there is none yet or it cannot be read."""

    def __init__(self, there: Reader) -> None:
        self._there = there

    def incidents(self, state: str = "", limit: int = 50) -> list[IncidentLine]:
        """Incidents, newest first; `state` empty for all."""
        return [_incident(row) for row in self._there.rows("list_incidents", (state, state, limit))]

    def tickets(self, status: str = "", limit: int = 50, desk: str = "desk") -> list[TicketLine]:
        """Tickets, newest first, those of programs among them; `status` empty for all, `desk` the backend that is the desk."""
        asked = (desk, status, status, limit)
        found = [*self._there.rows("list_tickets", asked), *self._there.rows("list_client_tickets", asked)]
        found.sort(key=lambda row: row[_DECLARED], reverse=True)
        return [self._ticket(row) for row in found[:limit]]

    def ticket(self, number: str, desk: str = "desk") -> TicketLine | None:
        """The ticket of this number."""
        asked = (desk, number)
        found = self._there.rows("list_ticket", asked) or self._there.rows("list_client_ticket", asked)
        return self._ticket(found[0]) if found else None

    def _ticket(self, row: tuple[Any, ...]) -> TicketLine:
        return _ticket(row, informed_lines(self._there.rows("informed_by_id", (row[5],))))

    def notes(self, number: str) -> list[NoteLine]:
        """The notes of a desk ticket, oldest first."""
        return [
            NoteLine(at=moment(at), actor=actor, text=_texts.decode(text))
            for at, actor, text in self._there.rows("desk_notes", (number,))
        ]

    def deliveries(self, state: str = "", backend: str = "", limit: int = 50) -> list[OutgoingLine]:
        """Deliveries, newest first; `state` and `backend` empty for all."""
        found = self._there.rows("list_deliveries", (state, state, backend, backend, limit))
        return [OutgoingLine(**_facts(delivery_line(row)), number_pending=_is_pending(row)) for row in found]

    def delivery(self, number: int) -> DeliveryWhole | None:
        """The delivery of this id."""
        found = self._there.rows("list_delivery", (number,))
        if not found:
            return None
        row = found[0]
        first = self._there.rows("list_first_of_chain", (number,)) if row[4] in _UNSENT else []
        before, state = first[0] if first and first[0][0] != number else (None, "")
        return DeliveryWhole(
            **_facts(delivery_line(row)),
            number_pending=_is_pending(row),
            uncertain=bool(row[12]),
            doubted_at=moment_or_none(row[13]),
            waits_for=before,
            waits_for_state=state,
            body=_snapshot.decode(row[14]) if row[14] else None,
        )

    def dead(self, backend: str) -> list[int]:
        """The ids of all dead deliveries of this backend, oldest first."""
        return [row[0] for row in self._there.rows("dead_of", (backend,))]


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
        number_pending=bool(row[25]),
    )


def informed_lines(rows: Iterable[tuple[Any, ...]]) -> tuple[InformedLine, ...]:
    """Informed backends as `informed_of` and `informed_by_id` select them."""
    return tuple(InformedLine(backend=row[0], number=row[1], url=row[2], status=row[3]) for row in rows)


def _ticket(row: tuple[Any, ...], informed: tuple[InformedLine, ...]) -> TicketLine:
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
        informed=informed,
    )


def _facts(line: DeliveryLine) -> dict[str, Any]:
    return {field: getattr(line, field) for field in line.__struct_fields__}


def _is_pending(row: tuple[Any, ...]) -> bool:
    """The ticket has a status, and no number."""
    return bool(row[11]) and not row[10]


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

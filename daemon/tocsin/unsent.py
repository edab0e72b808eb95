"""The deliveries that are not sent yet, by incident, and whose turn it is: in memory, so that looking costs nothing."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from tocsin import folding
from tocsin.model import Delivery, DeliveryAction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tocsin.undo import Undo


def first_of(heap: list[Any]) -> datetime | None:
    """When the first item of a heap of (time, …) is due; asked from another thread, which may empty it meanwhile."""
    try:
        at: datetime = heap[0][0]
    except IndexError:
        return None
    return at


class Unsent:
    """Row of an incident → its unsent deliveries, oldest first."""

    def __init__(self, undo: Undo) -> None:
        self._undo = undo
        self._by_row: dict[int, tuple[Delivery, ...]] = {}
        self._turns: dict[str, list[tuple[datetime, int, int]]] = {}

    def of(self, n: int) -> tuple[Delivery, ...]:
        """Those of incident `n`."""
        return self._by_row.get(n, ())

    def rows(self) -> list[int]:
        """The incidents that have some; a copy."""
        return list(self._by_row)

    def all(self) -> list[Delivery]:
        """All of them; a copy."""
        return [delivery for deliveries in list(self._by_row.values()) for delivery in deliveries]

    def keep(self, n: int, deliveries: tuple[Delivery, ...]) -> None:
        """These are incident `n`'s from now on."""
        self._undo.put(self._by_row, n, deliveries or None)
        first = folding.next_of(deliveries)
        if first:
            heapq.heappush(self._turns.setdefault(first.backend, []), (first.due_at, first.id, n))

    def withdrawable(self, n: int) -> bool:
        """Whether incident `n` has an `open` that no backend can have seen."""
        return any(one.action == DeliveryAction.OPEN and folding.can_change(one) for one in self.of(n))

    def next_due(self, backend: str) -> datetime | None:
        """When a delivery of this backend may be due next; early, never late."""
        return first_of(self._turns.get(backend, []))

    def due(self, backend: str, limit: int, now: datetime) -> Iterator[tuple[int, Delivery]]:
        """At most `limit` deliveries whose turn it is, oldest first, each with its incident's row.

        The caller leases each one before it asks for the next.
        """
        turns = self._turns.get(backend, [])
        while limit and turns and turns[0][0] <= now:
            due_at, number, n = self._undo.pop(turns)
            first = folding.next_of(self.of(n))
            if first and (first.due_at, first.id, first.backend) == (due_at, number, backend):
                limit -= 1
                yield n, first

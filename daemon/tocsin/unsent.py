"""The deliveries that are not sent yet, and whose turn it is: in memory, so that looking costs nothing.

A chain is what one backend is still to be told of one incident, oldest first; no chain ever waits for another. Of what is
due, the highest impact goes first.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from tocsin import folding
from tocsin.model import Delivery, DeliveryAction, Impact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tocsin.undo import Undo

_FEW = 50
"""So many that fell due are moved one by one; more are moved at once, which is cheaper."""
_RANKS = {impact: -impact.rank for impact in Impact}
"""Lowest first, as heaps want it."""


def _rank(chain: tuple[Delivery, ...]) -> int:
    """That of the highest impact that waits in a chain: what is worse by now waits for its head."""
    if len(chain) == 1:
        return _RANKS[chain[0].body.impact]
    return min(_RANKS[one.body.impact] for one in chain)


def first_of(heap: list[Any]) -> datetime | None:
    """When the first item of a heap of (time, …) is due; asked from another thread, which may empty it meanwhile."""
    try:
        at: datetime = heap[0][0]
    except IndexError:
        return None
    return at


class Unsent:
    """Row of an incident and name of a backend → that chain."""

    def __init__(self, undo: Undo) -> None:
        self._undo = undo
        self._chains: dict[int, dict[str, tuple[Delivery, ...]]] = {}
        self._turns: dict[str, _Turns] = {}

    def of(self, n: int, backend: str) -> tuple[Delivery, ...]:
        """What this backend is still to be told of incident `n`, oldest first."""
        chains = self._chains.get(n)
        return chains.get(backend, ()) if chains else ()

    def waits(self, n: int) -> bool:
        """Whether any backend is still to be told something of incident `n`."""
        return n in self._chains

    def rows(self) -> list[int]:
        """The incidents of which any backend is still to be told something; a copy."""
        return list(self._chains)

    def chains(self) -> list[tuple[int, str]]:
        """The chains there are; a copy."""
        return [(n, backend) for n, chains in list(self._chains.items()) for backend in list(chains)]

    def all(self) -> list[Delivery]:
        """All deliveries; a copy."""
        chains = [chain for by_backend in list(self._chains.values()) for chain in list(by_backend.values())]
        return [delivery for chain in chains for delivery in chain]

    def keep(self, n: int, backend: str, deliveries: tuple[Delivery, ...]) -> None:
        """Have these as the chain of incident `n` and this backend from now on."""
        chains = self._chains.get(n)
        if chains is None:
            self._undo.put(self._chains, n, {backend: deliveries} if deliveries else None)
        else:
            self._undo.put(chains, backend, deliveries or None)
            if not chains:
                self._undo.put(self._chains, n, None)
        first = folding.next_of(deliveries)
        if first:
            (self._turns.get(backend) or self._of(backend)).wait(first, n, _rank(deliveries))

    def withdrawable(self, n: int, backend: str) -> bool:
        """Whether this backend cannot have seen the `open` of incident `n`, and is to be sent it."""
        return any(one.action == DeliveryAction.OPEN and folding.can_change(one) for one in self.of(n, backend))

    def next_due(self, backend: str) -> datetime | None:
        """When a delivery of this backend may be due next; early, never late."""
        turns = self._turns.get(backend)
        return turns.next() if turns else None

    def due(self, backend: str, limit: int, now: datetime) -> Iterator[tuple[int, Delivery]]:
        """At most `limit` deliveries whose turn it is: the highest impact first, then the oldest, with the incident's row.

        The caller leases each one before it asks for the next.
        """
        turns = self._of(backend)
        turns.ripen(now)
        while limit and turns.ready:
            rank, number, n, _ = self._undo.pop(turns.ready)
            chain = self.of(n, backend)
            first = folding.next_of(chain)
            if first is None or first.id != number:
                continue
            if first.due_at > now:
                turns.wait(first, n, _rank(chain))  # the clock was set back
            elif _rank(chain) == rank:
                limit -= 1
                yield n, first

    def oldest_due(self, backend: str, last: Sequence[int], now: datetime) -> tuple[int, Delivery] | None:
        """The oldest delivery of this backend whose turn it is, with its incident's row; those of `last` come last, in order.

        Looks at all: not to be asked often.
        """
        places = {number: place for place, number in enumerate(last)}
        heads = ((n, folding.next_of(chains.get(backend, ()))) for n, chains in self._chains.items())
        due = [(n, first) for n, first in heads if first and first.due_at <= now]
        return min(due, key=lambda one: (places.get(one[1].id, -1), one[1].id), default=None)

    def _of(self, backend: str) -> _Turns:
        turns = self._turns.get(backend)
        if turns is None:
            turns = self._turns[backend] = _Turns()
        return turns


class _Turns:
    """The heads of one backend's chains: those that wait for their time, and those whose time has come.

    Both heaps may hold what is no longer true, and what is true twice: it is checked before it is believed.
    """

    __slots__ = ("ready", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[datetime, int, int, int]] = []
        """When it is due, its id, its incident's row, and its impact's rank, negative."""
        self.ready: list[tuple[int, int, int, datetime]] = []
        """The same the other way round: highest impact first, then oldest."""

    def wait(self, first: Delivery, n: int, rank: int) -> None:
        """Know the head of a chain, and the rank of the chain."""
        heapq.heappush(self.waiting, (first.due_at, first.id, n, rank))

    def next(self) -> datetime | None:
        """When one of them may be due; asked from another thread."""
        waits = first_of(self.waiting)
        try:
            return self.ready[0][3]
        except IndexError:
            return waits

    def ripen(self, now: datetime) -> None:
        """Move what has fallen due. It has done so whatever becomes of the transaction: nothing to take back."""
        waiting, ready = self.waiting, self.ready
        for _ in range(_FEW):
            if not waiting or waiting[0][0] > now:
                return
            due_at, number, n, rank = waiting[0]
            # Before it leaves the other, so that `next` finds it in one of them.
            heapq.heappush(ready, (rank, number, n, due_at))
            heapq.heappop(waiting)
        ready += [(rank, number, n, due_at) for due_at, number, n, rank in waiting if due_at <= now]
        heapq.heapify(ready)
        rest = [one for one in waiting if one[0] > now]
        heapq.heapify(rest)
        waiting[:] = rest

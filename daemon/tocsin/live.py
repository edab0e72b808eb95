"""What is live, in memory: incidents not closed, alerts that fire, deliveries not sent, and when each falls due.

Runs `lifecycle.advance` and keeps its results; writes nothing. The store owns one and writes its changes through; the
rule tests own one with nothing behind it. Every change can be taken back until `settle`, so that memory never says
what a failed transaction did not keep.
"""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from tocsin import folding, lifecycle
from tocsin.lifecycle import Fired, Resolved, Tick, TicketSeen
from tocsin.model import Alert, Change, Delivery, DeliveryAction, Incident, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Entry(Struct, kw_only=True, gc=False):
    """One live incident and what need not be written at each repeat."""

    incident: Incident
    decision: int
    """Row of the decision its texts come from."""
    repeats: int = 0
    """Alerts folded in since `incident` was last written."""
    last_seen_at: datetime | None = None

    def current(self) -> Incident:
        """The incident with its repeats counted in."""
        if not self.repeats or self.last_seen_at is None:
            return self.incident
        return replace(self.incident, alerts=self.incident.alerts + self.repeats, last_seen_at=self.last_seen_at)


class Firing(Struct, kw_only=True, gc=False):
    """One fingerprint that fires now, and what was decided about it."""

    source: str
    fingerprint: str
    said: int
    """Hash of what it said last: the same again needs no new decision."""
    era: int
    """The rules and fleet that decided it; 0 when that was before a restart."""
    row: int
    text: int
    decision: int
    n: int
    """Its incident's row; 0 when the rules wanted no ticket."""
    outcome: str
    seen_at: datetime
    expires_at: datetime | None = None


def said(alert: Alert) -> int:
    """A hash of what an alert says, its end apart: equal for a repeat, in this process only."""
    return hash(
        (
            alert.status,
            alert.severity,
            alert.resource,
            alert.check,
            alert.summary,
            alert.description,
            alert.url,
            alert.starts_at,
            tuple(alert.labels.items()),
        )
    )


class Live:
    """The live state. One thread at a time; between two calls of `settle` everything can be taken back."""

    def __init__(self) -> None:
        self.by_key: dict[str, Entry] = {}
        self.by_row: dict[int, Entry] = {}
        self.firing: dict[str, dict[str, Firing]] = {}
        self.unsent: dict[int, tuple[Delivery, ...]] = {}
        self.ended: dict[str, Incident] = {}
        """Key → incident closed since the last `settle`: a reader of the database may not see it there yet."""
        self._uncounted: set[int] = set()
        self._sendable: dict[str, list[tuple[datetime, int, int]]] = {}
        self._due: list[tuple[datetime, int]] = []
        self._expiries: list[tuple[datetime, str, str]] = []
        self._undo: list[tuple[Callable[..., object], Any, Any, Any]] = []

    # --- taking back ---------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """What was done stands: nothing before this can be taken back any more."""
        self._undo.clear()
        self.ended.clear()

    def take_back(self) -> None:
        """Undo everything since the last `settle`, newest first."""
        while self._undo:
            undo, target, key, value = self._undo.pop()
            undo(target, key, value)
        self.ended.clear()

    def _put(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((_restore, target, key, target.get(key)))
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value

    def _set(self, target: object, field: str, value: object) -> None:
        self._undo.append((setattr, target, field, getattr(target, field)))
        setattr(target, field, value)

    # --- alerts --------------------------------------------------------------------------------------------------

    def find(self, source: str, fingerprint: str) -> Firing | None:
        """The fingerprint as it fires now, if it does."""
        fires = self.firing.get(source)
        return fires.get(fingerprint) if fires else None

    def repeat(self, firing: Firing, expires_at: datetime | None, now: datetime) -> Entry | None:
        """Count a repeat that changes nothing; returns its live incident, if it has one."""
        self._set(firing, "seen_at", now)
        if expires_at != firing.expires_at:
            self._expires(firing, expires_at)
        entry = self.by_row.get(firing.n) if firing.n else None
        if entry:
            self._count(entry, now)
        return entry

    def _count(self, entry: Entry, now: datetime) -> None:
        self._set(entry, "repeats", entry.repeats + 1)
        self._set(entry, "last_seen_at", now)
        self._uncounted.add(entry.incident.n)

    def uncounted(self, limit: int) -> Iterator[Incident]:
        """At most `limit` live incidents with repeats not written yet; the caller writes them."""
        for n in [self._uncounted.pop() for _ in range(min(limit, len(self._uncounted)))]:
            self._undo.append((_add, self._uncounted, n, None))
            entry = self.by_row.get(n)
            if entry and entry.repeats:
                self._set(entry, "incident", entry.current())
                self._set(entry, "repeats", 0)
                yield entry.incident

    def keep(self, firing: Firing) -> None:
        """Remember that this fingerprint fires."""
        fires = self.firing.setdefault(firing.source, {})
        self._put(fires, firing.fingerprint, firing)
        if firing.expires_at:
            heapq.heappush(self._expiries, (firing.expires_at, firing.source, firing.fingerprint))

    def forget(self, firing: Firing) -> None:
        """This fingerprint fires no more."""
        self._put(self.firing.setdefault(firing.source, {}), firing.fingerprint, None)

    def _expires(self, firing: Firing, expires_at: datetime | None) -> None:
        # The heap holds one entry per firing; an entry found too early is put back by `expired`.
        if expires_at and not firing.expires_at:
            heapq.heappush(self._expiries, (expires_at, firing.source, firing.fingerprint))
        self._set(firing, "expires_at", expires_at)

    # --- incidents -----------------------------------------------------------------------------------------------

    def enter(self, entry: Entry) -> None:
        """Know an incident that was live before."""
        incident = entry.incident
        self._put(self.by_row, incident.n, entry)
        held = self.by_key.get(incident.dedup_key)
        if held is None or held.incident.state == State.CLOSED:
            self._put(self.by_key, incident.dedup_key, entry)
        if incident.due_at:
            heapq.heappush(self._due, (incident.due_at, incident.n))

    def fire(self, event: Fired, decision: int, closed: Incident | None, now: datetime) -> Change | None:
        """A fingerprint fires in the incident of `event.dedup_key`, or begins one.

        `closed` is the latest closed incident of that key, for when none is live; `decision` is the row whose texts
        the incident has from now on.
        """
        entry = self.by_key.get(event.dedup_key)
        incident = entry.current() if entry else closed
        change = lifecycle.advance(incident, event, now)
        if change is None and entry:
            self._count(entry, now)
        return self._kept(change, decision)

    def resolve(self, firing: Firing, what: str, now: datetime) -> Change | None:
        """A fingerprint no longer fires in its incident."""
        entry = self.by_row.get(firing.n)
        if entry is None:
            return None
        event = Resolved(what=what, unsent=self.withdrawable(firing.n))
        return self._kept(lifecycle.advance(entry.current(), event, now), entry.decision)

    def see(self, n: int, event: TicketSeen, now: datetime) -> Change | None:
        """A person changed the ticket of incident `n`; None when it is not live or knew already."""
        entry = self.by_row.get(n)
        if entry is None:
            return None
        return self._kept(lifecycle.advance(entry.current(), event, now), entry.decision)

    def told(self, n: int, number: str) -> Incident | None:
        """The backend told the ticket's number; returns the incident if it is live."""
        entry = self.by_row.get(n)
        if entry is None:
            return None
        self._set(entry, "incident", replace(entry.incident, number=number))
        return entry.incident

    def _kept(self, change: Change | None, decision: int) -> Change | None:
        if change:
            self._keep_incident(change.incident, decision)
        return change

    def _keep_incident(self, incident: Incident, decision: int) -> None:
        key = incident.dedup_key
        held = self.by_key.get(key)
        over = incident.state == State.CLOSED
        entry = None if over and not incident.firing else Entry(incident=incident, decision=decision)
        self._put(self.by_row, incident.n, entry)
        if over and held and held.incident.n != incident.n:
            return  # its key has a newer incident
        self._put(self.by_key, key, entry)
        if over:
            self.ended[key] = incident
        elif incident.due_at:
            heapq.heappush(self._due, (incident.due_at, incident.n))

    # --- time ----------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        """When something may fall due next; early, never late."""
        first = [heap[0][0] for heap in (self._due, self._expiries) if heap]
        return min(first) if first else None

    def ticked(self, now: datetime, limit: int = 1000) -> Iterator[tuple[Change, int]]:
        """Advance what has fallen due, at most `limit` incidents; each change with the row of its decision."""
        for _ in range(limit):
            if not self._due or self._due[0][0] > now:
                return
            item = heapq.heappop(self._due)
            self._undo.append((_push, self._due, item, None))
            entry = self.by_row.get(item[1])
            if entry is None or entry.incident.due_at != item[0]:
                continue
            change = self._kept(lifecycle.advance(entry.current(), Tick(), now), entry.decision)
            if change:
                yield change, entry.decision

    def expired(self, now: datetime, limit: int = 1000) -> Iterator[Firing]:
        """The fingerprints whose source stopped saying that they fire; the caller resolves them."""
        for _ in range(limit):
            if not self._expiries or self._expiries[0][0] > now:
                return
            item = heapq.heappop(self._expiries)
            self._undo.append((_push, self._expiries, item, None))
            firing = self.find(item[1], item[2])
            if firing is None or firing.expires_at is None:
                continue
            if firing.expires_at > now:
                heapq.heappush(self._expiries, (firing.expires_at, firing.source, firing.fingerprint))
                continue
            yield firing

    # --- deliveries ----------------------------------------------------------------------------------------------

    def withdrawable(self, n: int) -> bool:
        """Whether incident `n` has an `open` that no backend can have seen."""
        return any(
            delivery.action == DeliveryAction.OPEN and folding.can_change(delivery)
            for delivery in self.unsent.get(n, ())
        )

    def keep_unsent(self, n: int, deliveries: tuple[Delivery, ...]) -> None:
        """Incident `n`'s deliveries that are not sent yet, oldest first."""
        self._put(self.unsent, n, deliveries or None)
        first = folding.next_of(deliveries)
        if first:
            heapq.heappush(self._sendable.setdefault(first.backend, []), (first.due_at, first.id, n))

    def next_sendable(self, backend: str) -> datetime | None:
        """When a delivery of this backend may be due next; early, never late."""
        heap = self._sendable.get(backend)
        return heap[0][0] if heap else None

    def sendable(self, backend: str, limit: int, now: datetime) -> Iterator[tuple[int, Delivery]]:
        """At most `limit` deliveries whose turn it is, oldest first, each with its incident's row; the caller leases them."""
        heap = self._sendable.get(backend, [])
        while limit and heap and heap[0][0] <= now:
            item = heapq.heappop(heap)
            self._undo.append((_push, heap, item, None))
            first = folding.next_of(self.unsent.get(item[2], ()))
            if first and (first.due_at, first.id) == item[:2] and first.backend == backend:
                limit -= 1
                yield item[2], first


def _restore(target: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value


def _add(numbers: set[int], n: int, _: None) -> None:
    numbers.add(n)


def _push(heap: list[Any], item: Any, _: Any) -> None:
    heapq.heappush(heap, item)

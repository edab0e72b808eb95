"""What is live, in memory: incidents not closed, alerts that fire, deliveries not sent, and when each falls due.

Runs `lifecycle.advance` and keeps its results; writes nothing. The store owns one and writes its changes through; the
rule tests own one with nothing behind it. Every change can be taken back until `settle`, so that memory never says
what a failed transaction did not keep.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin import lifecycle
from tocsin.events import Gone, Resolved, Tick, TicketSeen, fired
from tocsin.informing import placed, whom
from tocsin.model import Alert, Change, Decision, Incident, State
from tocsin.overtaken import Ends, Said
from tocsin.saying import what
from tocsin.undo import Undo
from tocsin.unsent import Unsent, first_of

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    told: Said = Said(None, None)
    """When its source said so, by its own clock."""


class Met(Struct, frozen=True, kw_only=True):
    """What an alert that wants a ticket met, and did."""

    before: Incident | None
    """The incident of its key as it was: live, or closed, or none."""
    incident: Incident
    change: Change | None
    """None for a plain repeat."""
    new: bool
    left: Change | None = None
    """What its going did to the incident it fired in until now."""
    left_decision: int = 0


class Surroundings(Struct, frozen=True, kw_only=True):
    """What meeting an incident needs from outside."""

    closed: Callable[[str], Incident | None]
    """Key → its latest closed incident."""
    mint: Callable[[], tuple[str, int]]
    """Id and row for an incident that begins."""
    declarant: str


class Live:
    """The live state. One thread at a time; between two calls of `settle` everything can be taken back."""

    def __init__(self, default: str = "") -> None:
        """Start empty; `default` is the backend of incidents whose rule names none."""
        self.by_key: dict[str, Entry] = {}
        self.by_row: dict[int, Entry] = {}
        self.firing: dict[str, dict[str, Firing]] = {}
        self.ended: dict[str, Incident] = {}
        """Key → incident closed since the last `settle`: a reader of the database may not see it there yet."""
        self.final: frozenset[str] = frozenset()
        """Backends in which a ticket that is closed cannot be opened again: what fires again is a new ticket there."""
        self._default = default
        self._undo = Undo()
        self.unsent = Unsent(self._undo)
        self.ends = Ends(self._undo)
        self._uncounted: set[int] = set()
        self._due: list[tuple[datetime, int]] = []
        self._next_expiry: datetime | None = None
        """No fingerprint expires before; looked up anew when it is reached. A heap would cost more than all looking."""
        self._newest_expiry: datetime | None = None

    def settle(self) -> None:
        """What was done stands: nothing before this can be taken back any more."""
        self._undo.settle()
        self.ended.clear()

    def take_back(self) -> None:
        """Undo everything since the last `settle`, newest first."""
        self._undo.take_back()
        self.ended.clear()

    # --- what fires --------------------------------------------------------------------------------------------------

    def find(self, source: str, fingerprint: str) -> Firing | None:
        """The fingerprint as it fires now, if it does."""
        fires = self.firing.get(source)
        return fires.get(fingerprint) if fires else None

    def keep(self, firing: Firing) -> None:
        """Remember that this fingerprint fires."""
        self._undo.put(self.firing.setdefault(firing.source, {}), firing.fingerprint, firing)
        firing.expires_at = self._expiry(firing.expires_at)

    def forget(self, firing: Firing) -> None:
        """This fingerprint fires no more."""
        self._undo.put(self.firing.setdefault(firing.source, {}), firing.fingerprint, None)

    def settled(self, firing: Firing, entry: Entry | None) -> bool:
        """Whether the same again changes nothing: no ticket wanted, or its incident (`entry`) is held or open."""
        return entry.incident.state is not State.CLOSED if entry else not firing.n

    def forgettable(self, before: datetime, limit: int) -> list[Firing]:
        """At most `limit` fingerprints that fire since before then, and have no incident: nobody will miss them."""
        found = (one for fires in self.firing.values() for one in fires.values() if not one.n and one.seen_at < before)
        return list(islice(found, limit))

    def repeat(self, firing: Firing, entry: Entry | None, alert: Alert, now: datetime) -> None:
        """Count a repeat that changes nothing, into its live incident if it has one."""
        # Both are true even if this transaction fails: its source said so.
        if alert.ends_at != firing.expires_at:
            firing.expires_at = self._expiry(alert.ends_at)
        if alert.said_at is not firing.told.last:
            firing.told = Said(firing.told.first, alert.said_at)
        if entry:
            self._count(entry, now)

    def expired(self, now: datetime, limit: int = 1000) -> Iterator[Firing]:
        """The fingerprints whose source stopped saying that they fire; the caller resolves each at once."""
        if self._next_expiry is None or now < self._next_expiry:
            return
        expiring = [one for fires in self.firing.values() for one in fires.values() if one.expires_at]
        over = [one for one in expiring if one.expires_at and one.expires_at <= now]
        yield from over[:limit]
        later = [one.expires_at for one in expiring if one.expires_at and one.expires_at > now]
        self._undo.assign(self, "_next_expiry", now if len(over) > limit else min(later, default=None))

    def _expiry(self, at: datetime | None) -> datetime | None:
        """Look no later than `at`; the alerts of a batch expire together, so one value serves them all."""
        if at is None:
            return None
        if self._newest_expiry == at:
            at = self._newest_expiry
        self._newest_expiry = at
        if self._next_expiry is None or at < self._next_expiry:
            self._next_expiry = at  # too early after a rollback, never too late
        return at

    # --- incidents -----------------------------------------------------------------------------------------------

    def enter(self, entry: Entry) -> None:
        """Know an incident that was live before."""
        incident = entry.incident
        self._undo.put(self.by_row, incident.n, entry)
        held = self.by_key.get(incident.dedup_key)
        if held is None or held.incident.state == State.CLOSED:
            self._undo.put(self.by_key, incident.dedup_key, entry)
        if incident.due_at:
            heapq.heappush(self._due, (incident.due_at, incident.n))

    def meet(
        self, alert: Alert, firing: Firing | None, decision: Decision, row: int, around: Surroundings, now: datetime
    ) -> Met:
        """An alert wants a ticket: it begins an incident, joins one, or repeats; and leaves the one it fired in before.

        `row` is where the decision is kept: the incident has its texts from there from now on.
        """
        here = self.by_key.get(decision.dedup_key)
        before = here.incident if here else around.closed(decision.dedup_key)
        fresh = before is None or before.state == State.CLOSED
        event = fired(
            decision,
            what=what(alert),
            declarant=around.declarant,
            known=firing is not None and here is not None and firing.n == here.incident.n,
            mint=around.mint() if fresh else ("", 0),
        )
        if fresh and before and self.final and whom(before.policy, self._default)[0] in self.final:
            event = replace(event, final=True)
        change = lifecycle.advance(here.current() if here else before, event, now)
        if change:
            self._keep_incident(change.incident, row)
        elif here:
            self._count(here, now)
        incident = change.incident if change else before
        if incident is None:
            raise ValueError(f"rule {decision.rule} wants a ticket for {alert.fingerprint!r}, and none came of it")
        met = Met(before=before, incident=incident, change=change, new=fresh and incident.n == event.n)
        return self._leave(met, firing, what(alert), now)

    def _leave(self, met: Met, firing: Firing | None, words: str, now: datetime) -> Met:
        if firing is None or firing.n in (0, met.incident.n):
            return met
        entry = self.by_row.get(firing.n)
        left = self.resolve(firing, words, now)
        return replace(met, left=left, left_decision=entry.decision if entry else 0)

    def resolve(self, firing: Firing, words: str, now: datetime) -> Change | None:
        """A fingerprint no longer fires in its incident; `words` are the alert's, for the notes."""
        entry = self.by_row.get(firing.n)
        if entry is None:
            return None
        backend, _ = whom(entry.incident.policy, self._default)
        event = Resolved(what=words, unsent=self.unsent.withdrawable(firing.n, backend))
        return self._kept(lifecycle.advance(entry.current(), event, now), entry.decision)

    def see(self, n: int, event: TicketSeen | Gone, now: datetime) -> Change | None:
        """A person changed the ticket of incident `n`, or it is gone; None when it is not live or knew already."""
        entry = self.by_row.get(n)
        newest = self.by_key.get(entry.incident.dedup_key) if entry else None
        if entry is None or (newest and newest is not entry and newest.incident.state != State.CLOSED):
            return None  # over; if it fires still, its key has a newer incident
        return self._kept(lifecycle.advance(entry.current(), event, now), entry.decision)

    def told(self, n: int, number: str) -> None:
        """The backend told the number of incident `n`'s ticket."""
        entry = self.by_row.get(n)
        if entry:
            self._undo.assign(entry, "incident", replace(entry.incident, number=number))

    def bind(self, n: int, backend: str) -> None:
        """The ticket of incident `n` is this backend's from now on, whatever its rule says."""
        entry = self.by_row.get(n)
        if entry:
            policy = placed(entry.incident.policy, backend, self._default)
            self._undo.assign(entry, "incident", replace(entry.incident, policy=policy))

    def undeclare(self, n: int) -> None:
        """Incident `n` has no ticket, and none is asked for any more."""
        entry = self.by_row.get(n)
        if entry:
            self._undo.assign(entry, "incident", replace(entry.incident, declared=False))
        self.amend_ended(n, declared=False)

    def amend_ended(self, n: int, **changes: bool) -> None:
        """Incident `n`, if it was closed since the last `settle`, is so; `ended` goes with what is taken back."""
        for ended in [one for one in self.ended.values() if one.n == n]:
            self.ended[ended.dedup_key] = replace(ended, **changes)

    def ticked(self, now: datetime, limit: int = 1000) -> Iterator[tuple[Change, int]]:
        """Advance what has fallen due, at most `limit` incidents; each change with the row of its decision."""
        for _ in range(limit):
            if not self._due or self._due[0][0] > now:
                return
            due_at, n = self._undo.pop(self._due)
            entry = self.by_row.get(n)
            if entry is None or entry.incident.due_at != due_at:
                continue
            change = self._kept(lifecycle.advance(entry.current(), Tick(), now), entry.decision)
            if change:
                yield change, entry.decision

    def next_due(self) -> datetime | None:
        """When something may fall due next; early, never late."""
        return min((at for at in (self.next_tick(), self._next_expiry) if at), default=None)

    def next_tick(self) -> datetime | None:
        """When an incident may fall due next; early, never late."""
        return first_of(self._due)

    def uncounted(self, limit: int) -> Iterator[Incident]:
        """At most `limit` live incidents with repeats not written yet; the caller writes them."""
        for _ in range(min(limit, len(self._uncounted))):
            entry = self.by_row.get(self._undo.pop_any(self._uncounted))
            if entry and entry.repeats:
                self._undo.assign(entry, "incident", entry.current())
                self._undo.assign(entry, "repeats", 0)
                yield entry.incident

    def recount(self, n: int, repeats: int, last_seen_at: datetime) -> None:
        """Count repeats that were stored, but not written down with incident `n` before the last stop."""
        entry = self.by_row.get(n)
        if entry:
            entry.repeats += repeats
            entry.last_seen_at = max(last_seen_at, entry.incident.last_seen_at)
            self._uncounted.add(n)

    def _count(self, entry: Entry, now: datetime) -> None:
        self._undo.assign(entry, "repeats", entry.repeats + 1)
        entry.last_seen_at = now
        self._uncounted.add(entry.incident.n)

    def _kept(self, change: Change | None, decision: int) -> Change | None:
        if change:
            self._keep_incident(change.incident, decision)
        return change

    def _keep_incident(self, incident: Incident, decision: int) -> None:
        key = incident.dedup_key
        held = self.by_key.get(key)
        over = incident.state == State.CLOSED
        entry = None if over and not incident.firing else Entry(incident=incident, decision=decision)
        self._undo.put(self.by_row, incident.n, entry)
        if over and held and held.incident.n != incident.n:
            return  # its key has a newer incident
        self._undo.put(self.by_key, key, entry)
        if over:
            self.ended[key] = incident
        elif incident.due_at:
            heapq.heappush(self._due, (incident.due_at, incident.n))

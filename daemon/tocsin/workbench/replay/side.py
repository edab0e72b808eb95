"""One side of a replay: a history played through one rule set, and a record of each incident that came of it.

Pure: the history comes as values, time with it. Records come out as soon as nothing can change them any more, so that a
long history needs no more memory than a short one.
"""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tocsin.model import Change, Decision, DeliveryAction, Impact, Incident, State, Texts
from tocsin.store.history import Arrival, Event, Touched
from tocsin.workbench.ticketing import USUAL
from tocsin.workbench.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.fleet import Fleet
    from tocsin.rules import RuleSet
    from tocsin.workbench.ticketing import Ticketing

EVERY = 2000
"""So many events make one batch."""
_FORGET_EVERY = timedelta(hours=1)
_SOMEONE = "a person"
_encode = msgspec.json.Encoder(order="sorted").encode


class Record(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """What became of one incident."""

    row: int
    """The alert it began with."""
    source: str
    fingerprint: str
    resource: str
    check: str
    rule: str
    element: str
    impact: Impact
    """The highest it had."""
    declared_impact: Impact | None
    """The one it was declared with."""
    key: str
    name: Texts
    """What the ticket was declared with."""
    texts: int
    """Digest of name and description as declared: equal texts, equal digest."""
    opened_at: datetime
    declared_at: datetime | None
    """When its ticket was asked for; None when it never was."""
    closed_at: datetime | None
    cleared_after: float | None
    """Seconds from its first alert to the first moment when nothing of it fired."""
    reopened: int = 0
    backends: tuple[str, ...] = ()
    """Whom it was told to: the ticket system it was declared in first, then those that were informed."""


class Batch(Struct, frozen=True, kw_only=True, array_like=True):
    """What one side has to say after some more events."""

    now: datetime
    """How far it has come."""
    events: int
    """Events since the batch before."""
    records: list[Record]
    decided: dict[str, dict[str, int]]
    """Rule → action → new decisions since the batch before."""


class _Track(Struct, gc=False):
    """One incident while it can still change."""

    arrival: Arrival
    incident: Incident
    declared_at: datetime | None = None
    declared_impact: Impact | None = None
    impact: Impact = Impact.NONE
    name: Texts = {}
    texts: int = 0
    cleared_after: float | None = None
    reopened: int = 0
    backends: tuple[str, ...] = ()


class Side:
    """One rule set at work on a history."""

    def __init__(self, rule_set: RuleSet, fleet: Fleet, ticketing: Ticketing = USUAL) -> None:
        self._world = World(rule_set, fleet, self._hear, ticketing=ticketing)
        self._ticketing = ticketing
        self._tracks: dict[int, _Track] = {}
        self._founded: dict[tuple[str, str], int] = {}
        """Source and fingerprint → the incident it began last."""
        self._over: list[tuple[datetime, int]] = []
        """When closed incidents can no longer be reopened."""
        self._arrival: Arrival | None = None
        self._records: list[Record] = []
        self._decided: Counter[tuple[str, str]] = Counter()
        self._forget_at: datetime | None = None

    def play(self, events: Iterable[Event], until: datetime, every: int = EVERY) -> Iterator[Batch]:
        """Play the events, then let time pass until `until`; yields a batch now and then, and one at the end."""
        count = 0
        for event in events:
            self._turn(event)
            count += 1
            if count == every:
                yield self._batch(event.at, count)
                count = 0
        self._world.pass_time(until)
        self._records += [_record(track) for track in self._tracks.values()]
        self._tracks.clear()
        yield self._batch(until, count)

    def _turn(self, event: Event) -> None:
        self._world.pass_time(event.at)
        if isinstance(event, Touched):
            self._touch(event)
            return
        self._arrival = event
        before = self._world.decision
        self._world.take(event.alert, event.at)
        decision = self._world.decision
        if decision is not None and decision is not before:
            self._decided[decision.rule, decision.action] += 1
        self._tidy(event.at)

    def _touch(self, event: Touched) -> None:
        """A person works on the ticket that this rule set made of the same alert, if there is one."""
        firing = self._world.live.find(event.source, event.fingerprint)
        n = (firing.n if firing else 0) or self._founded.get((event.source, event.fingerprint), 0)
        track = self._tracks.get(n)
        if track and track.declared_at:
            self._world.touch(n, _SOMEONE, event.status, event.at)

    def _tidy(self, now: datetime) -> None:
        while self._over and self._over[0][0] <= now:
            _, n = heapq.heappop(self._over)
            track = self._tracks.get(n)
            if track and track.incident.state == State.CLOSED and self._beyond(track.incident, now):
                self._end(n, track)
        if self._forget_at is None or now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            self._world.forget_closed(now)

    @staticmethod
    def _beyond(incident: Incident, now: datetime) -> bool:
        return incident.closed_at is not None and incident.closed_at + incident.policy.reopen <= now

    def _hear(self, change: Change, decision: Decision, now: datetime) -> None:
        incident = change.incident
        track = self._tracks.get(incident.n)
        if track is None:
            if self._arrival is None:
                raise ValueError("an incident began with no alert")
            alert = self._arrival.alert
            self._founded[alert.source, alert.fingerprint] = incident.n
            track = self._tracks[incident.n] = _Track(self._arrival, incident)
        track.incident = incident
        if incident.impact.rank > track.impact.rank:
            track.impact = incident.impact
        if not incident.firing and track.cleared_after is None:
            track.cleared_after = (now - incident.opened_at).total_seconds()
        for action in change.deliveries:
            self._tell(track, action, decision, now)
        if incident.state == State.CLOSED:
            self._close(incident, track, now)

    def _tell(self, track: _Track, action: DeliveryAction, decision: Decision, now: datetime) -> None:
        if action == DeliveryAction.OPEN:
            declaring, informed = self._ticketing.whom(track.incident.policy)
            track.backends = (declaring, *informed)
            track.declared_at = now
            track.declared_impact = track.incident.impact
            track.name = decision.name
            track.texts = zlib.crc32(_encode((decision.name, decision.description)))
        elif action == DeliveryAction.REOPEN:
            track.reopened += 1

    def _close(self, incident: Incident, track: _Track, now: datetime) -> None:
        if not incident.declared:
            self._end(incident.n, track)
        else:
            heapq.heappush(self._over, (now + incident.policy.reopen, incident.n))

    def _end(self, n: int, track: _Track) -> None:
        del self._tracks[n]
        alert = track.arrival.alert
        if self._founded.get((alert.source, alert.fingerprint)) == n:
            del self._founded[alert.source, alert.fingerprint]
        self._records.append(_record(track))

    def _batch(self, now: datetime, events: int) -> Batch:
        decided: dict[str, dict[str, int]] = {}
        for (rule, action), count in self._decided.items():
            decided.setdefault(rule, {})[action] = count
        batch = Batch(now=now, events=events, records=self._records, decided=decided)
        self._records = []
        self._decided.clear()
        return batch


def _record(track: _Track) -> Record:
    alert, incident = track.arrival.alert, track.incident
    return Record(
        row=track.arrival.row,
        source=alert.source,
        fingerprint=alert.fingerprint,
        resource=alert.resource,
        check=alert.check,
        rule=incident.rule,
        element=incident.element,
        impact=track.impact,
        declared_impact=track.declared_impact,
        key=incident.dedup_key,
        name=track.name,
        texts=track.texts,
        opened_at=incident.opened_at,
        declared_at=track.declared_at if incident.declared else None,
        closed_at=incident.closed_at,
        cleared_after=track.cleared_after,
        reopened=track.reopened,
        backends=track.backends,
    )

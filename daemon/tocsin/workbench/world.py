"""The road of an alert with nothing behind it: alerts in, incidents and tickets out, on a clock that is set.

Takes the same turns as `intake` and `timers` do in the store, through the same `engine.decide` and `live.Live`;
tests/test_workbench_world.py holds the two against each other. Pure: no clock, no files.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from tocsin.events import TicketSeen
from tocsin.live import Firing, Live, Surroundings
from tocsin.model import Action, Alert, Change, Decision, Incident, State, Status, TicketStatus
from tocsin.rules import engine
from tocsin.saying import said, what
from tocsin.workbench.ticketing import USUAL

if TYPE_CHECKING:
    from tocsin.fleet import Fleet
    from tocsin.rules import RuleSet
    from tocsin.workbench.ticketing import Ticketing

Hear = Callable[[Change, Decision, datetime], None]
"""Told of each change of an incident: the change, the decision its ticket's texts come from, and when."""


def _nothing(_change: Change, _decision: Decision, _now: datetime) -> None:
    """Nobody listens."""


class World:
    """What one rule set and one fleet make of alerts. Time only goes forward: `pass_time` before everything else."""

    def __init__(
        self,
        rule_set: RuleSet,
        fleet: Fleet,
        hear: Hear = _nothing,
        *,
        declarant: str = "Supervision",
        ticketing: Ticketing = USUAL,
    ) -> None:
        """Start empty.

        Args:
            rule_set: the rules that decide.
            fleet: the elements there are.
            hear: told of each change of an incident; may keep what was not sent in `live.unsent`.
            declarant: who the tickets are declared by.
            ticketing: where tickets go when their rules do not say.
        """
        self.live = Live(ticketing.default_backend)
        self.decision: Decision | None = None
        """The latest decision; a plain repeat makes none."""
        self._rule_set = rule_set
        self._fleet = fleet
        self._hear = hear
        self._ticketing = ticketing
        self._closed: dict[str, Incident] = {}
        self._texts: dict[int, Decision] = {}
        """Row of a live incident → the decision its ticket's texts come from."""
        self._words: dict[tuple[str, str], str] = {}
        """Source and fingerprint that fires → the alert in a few words."""
        self._expiring: list[tuple[datetime, str, str]] = []
        """At least one entry for each fingerprint that expires, at its time or earlier: looked at again when it is due."""
        self._rows = 0
        self._around = Surroundings(closed=self._closed.get, mint=self._mint, declarant=declarant)

    def take(self, alert: Alert, now: datetime) -> Incident | None:
        """Take one alert in; returns the incident it is in afterwards, None when it wants no ticket."""
        firing = self.live.find(alert.source, alert.fingerprint)
        if alert.status == Status.RESOLVED:
            return self._resolve(firing, what(alert), now) if firing else None
        hashed = said(alert)
        if firing and firing.said == hashed:
            entry = self.live.by_row.get(firing.n)
            if self.live.settled(firing, entry):
                self.live.repeat(firing, entry, alert, now)
                self.live.settle()
                self._expires(firing)
                return entry.incident if entry else None
        return self._decide(alert, firing, hashed, now)

    def touch(self, n: int, actor: str, status: TicketStatus | None, now: datetime) -> None:
        """A person changes the ticket of incident `n`; one that is not live any more knows nothing of it."""
        self._tell(self.live.see(n, TicketSeen(actor=actor, status=status), now), now)

    def pass_time(self, now: datetime) -> None:
        """All that falls due up to `now`, each at its own moment."""
        while (due := self._next_due()) is not None and due <= now:
            self._expire(due)
            for change, _ in self.live.ticked(due):
                self._tell(change, due)
            self.live.settle()

    def wake(self, now: datetime) -> None:
        """All that fell due while nobody looked at the clock: at once, and now."""
        self._expire(now)
        while (due := self.live.next_tick()) is not None and due <= now:
            for change, _ in self.live.ticked(now):
                self._tell(change, now)
            self.live.settle()

    def forget_closed(self, now: datetime) -> None:
        """Forget closed incidents that nothing can reopen any more: a long history then needs no more memory than a short one."""
        over = [key for key, one in self._closed.items() if one.closed_at and one.closed_at + one.policy.reopen < now]
        for key in over:
            del self._closed[key]

    def _decide(self, alert: Alert, firing: Firing | None, hashed: int, now: datetime) -> Incident | None:
        self.decision = decision = engine.decide(alert, self._rule_set, self._fleet, now)
        if decision.action != Action.TICKET:
            if firing:
                self._tell(self.live.resolve(firing, what(alert), now), now)
            self._keep(alert, hashed, 0, now)
            return None
        self.decision = decision = self._ticketing.routed(decision, alert.source)
        met = self.live.meet(alert, firing, decision, 0, self._around, now)
        if met.change:
            self._texts[met.incident.n] = decision
            self._tell(met.change, now)
        self._tell(met.left, now)
        self._keep(alert, hashed, met.incident.n, now)
        return met.incident

    def _resolve(self, firing: Firing, words: str, now: datetime) -> Incident | None:
        change = self.live.resolve(firing, words, now)
        self.live.forget(firing)
        self._words.pop((firing.source, firing.fingerprint), None)
        self._tell(change, now)
        self.live.settle()
        return change.incident if change else None

    def _keep(self, alert: Alert, hashed: int, n: int, now: datetime) -> None:
        firing = Firing(
            source=alert.source,
            fingerprint=alert.fingerprint,
            said=hashed,
            era=1,
            row=0,
            text=0,
            decision=0,
            n=n,
            outcome="",
            seen_at=now,
            expires_at=alert.ends_at,
        )
        self.live.keep(firing)
        self.live.settle()
        self._words[alert.source, alert.fingerprint] = what(alert)
        self._expires(firing)

    def _expires(self, firing: Firing) -> None:
        if firing.expires_at:
            heapq.heappush(self._expiring, (firing.expires_at, firing.source, firing.fingerprint))

    def _expire(self, now: datetime) -> None:
        """What its source stopped saying is over."""
        while self._expiring and self._expiring[0][0] <= now:
            _, source, fingerprint = heapq.heappop(self._expiring)
            firing = self.live.find(source, fingerprint)
            if firing and firing.expires_at and firing.expires_at <= now:
                self._resolve(firing, self._words[source, fingerprint], now)

    def _next_due(self) -> datetime | None:
        tick = self.live.next_tick()
        if not self._expiring:
            return tick
        expiry = self._expiring[0][0]
        return expiry if tick is None or expiry < tick else tick

    def _tell(self, change: Change | None, now: datetime) -> None:
        if change is None:
            return
        incident = change.incident
        self._hear(change, self._texts[incident.n], now)
        if incident.state == State.CLOSED:
            self._closed[incident.dedup_key] = incident
        if incident.n not in self.live.by_row:
            del self._texts[incident.n]

    def _mint(self) -> tuple[str, int]:
        self._rows += 1
        return f"{self._rows:04}", self._rows

"""One test as it is played: its alerts, people, outages and clock, in a world of its own.

Knows the world and what is sent out of it; what is expected of them is the business of `comparing`. Pure.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.model import Alert, Decision, Status
from tocsin.workbench.sending import Sending
from tocsin.workbench.world import World

if TYPE_CHECKING:
    from datetime import timedelta

    from tocsin.fleet import Fleet
    from tocsin.model import Change, Incident, Note, Priority
    from tocsin.rules import RuleSet
    from tocsin.rules.examples import Touch
    from tocsin.rules.timeline import Asleep, RuleTest
    from tocsin.workbench.ticketing import Ticketing


class Decided(Struct, frozen=True, kw_only=True):
    """An alert, and what the rules said about it at that moment."""

    alert: Alert
    decision: Decision
    now: datetime


class Play:
    """What has come of a test so far."""

    def __init__(self, test: RuleTest, rule_set: RuleSet, fleet: Fleet, ticketing: Ticketing) -> None:
        self._world = World(rule_set, fleet, self._hear, ticketing=ticketing)
        self._ticketing = ticketing
        self._begins = test.begins
        self.sending = Sending(self._world.live.unsent, test.down, test.begins, ticketing.default_backend)
        self._ends = self.sending.ends()
        self._asleep = list(test.asleep)
        self._texts: dict[int, Decision] = {}
        self.decided: list[Decided] = []
        """All that was decided, in order; a plain repeat is not decided again."""
        self.incident: Incident | None = None
        """The latest one that an alert, a person or time has changed."""
        self.notes: list[Note] = []
        """Of all incidents, in order."""
        self.asides: list[str] = []
        """Why something that happened came to nothing, where neither a decision nor a note says it."""

    @property
    def decision(self) -> Decision | None:
        """The latest decision."""
        return self.decided[-1].decision if self.decided else None

    @property
    def ticket(self) -> Decision | None:
        """The decision whose texts the ticket of the latest incident has."""
        return self._texts.get(self.incident.n) if self.incident else None

    @property
    def priority(self) -> Priority | None:
        """What the desk computes for the ticket of the latest incident."""
        ticket, incident = self.ticket, self.incident
        if ticket is None or ticket.element is None or incident is None:
            return None
        return self._ticketing.priorities[incident.impact][ticket.element.criticality]

    @property
    def told(self) -> tuple[str, tuple[str, ...]] | None:
        """The ticket system that the latest incident is declared in, and those that are informed."""
        return self._ticketing.whom(self.incident.policy) if self.incident else None

    @property
    def reasons(self) -> list[str]:
        """All that was said about why there is a ticket or none: notes first, the latest decision last."""
        decision = self.decision
        said = [note.text["en"] for note in self.notes] + self.asides
        return [*said, decision.reason] if decision and decision.reason else said

    def take(self, alert: Alert, at: timedelta) -> None:
        """An alert arrives."""
        now, before = self._begins + at, self._world.decision
        if alert.status == Status.RESOLVED and not self._world.live.find(alert.source, alert.fingerprint):
            self.asides.append(f"nothing fires under the fingerprint {alert.fingerprint}")
        self.incident = self._world.take(alert, now) or self.incident
        decision = self._world.decision
        if decision is not None and decision is not before:
            self.decided.append(Decided(alert=alert, decision=decision, now=now))

    def touch(self, touch: Touch, at: timedelta) -> None:
        """A person works on the ticket of the latest incident, if there is one."""
        if self.incident is None or not self.sending.knows(self.incident.n):
            self.asides.append(f"there is no ticket that {touch.actor} could work on")
            return
        self._world.touch(self.incident.n, touch.actor, touch.status, self._begins + at)

    def pass_time(self, at: timedelta) -> None:
        """All that falls due up to then; what falls due while nothing runs does so at the end of that."""
        while self._asleep and self._asleep[0].to <= at:
            asleep = self._asleep.pop(0)
            self._run_until(asleep.since)
            self._ends = [end for end in self._ends if end > asleep.to]
            self._world.wake(self._begins + asleep.to)
            self._come_round(asleep.to)
        self._run_until(min(at, self._asleep[0].since) if self._asleep else at)

    def _run_until(self, at: timedelta) -> None:
        while self._ends and self._ends[0] <= at:
            end = self._ends.pop(0)
            self._world.pass_time(self._begins + end)
            self._come_round(end)
        self._world.pass_time(self._begins + at)

    def _come_round(self, at: timedelta) -> None:
        self.sending.come_round(self._begins + at)
        self._world.live.settle()

    def _hear(self, change: Change, decision: Decision, now: datetime) -> None:
        self.incident = change.incident
        self._texts[change.incident.n] = decision
        self.notes.extend(change.notes)
        self.sending.tell(change, decision, now)


class Turn(IntEnum):
    """What happens first of what happens at one moment."""

    ALERT = 0
    PERSON = 1
    EXPECTATION = 2


def score(test: RuleTest) -> list[tuple[timedelta, Turn, int]]:
    """Return everything in order of time: when it takes effect, what it is, and its number among its like."""
    events = [(_noticed(step.at, test.asleep), Turn.ALERT, number) for number, step in enumerate(test.steps)]
    events += [(_noticed(touch.at, test.asleep), Turn.PERSON, number) for number, touch in enumerate(test.people)]
    events += [(expectation.at, Turn.EXPECTATION, number) for number, expectation in enumerate(test.expect)]
    return sorted(events)


def _noticed(at: timedelta, asleep: tuple[Asleep, ...]) -> timedelta:
    """When something that happens at `at` arrives: what is sent to a stopped service is sent again."""
    return next((one.to for one in asleep if one.stopped and one.since <= at < one.to), at)

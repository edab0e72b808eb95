"""What a replay found: totals, differences, totals by rule, tickets over time, what other holds would have done."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from tocsin.model import Impact, Texts


class Kind(StrEnum):
    """How a ticket of the candidate differs from the live one."""

    APPEARS = "appears"
    """Only the candidate declares it."""
    VANISHES = "vanishes"
    """Only the live rules declare it."""
    ELEMENT = "element"
    IMPACT = "impact"
    KEY = "key"
    TEXT = "text"
    EARLIER = "earlier"
    """It is declared earlier."""
    LATER = "later"
    BACKEND = "backend"
    """Other ticket systems are told of it."""
    CLOSES = "closes"
    """It is closed at another time, or by somebody else."""
    REOPENS = "reopens"
    """It is reopened more often or less often."""


class Ticket(Struct, frozen=True, kw_only=True):
    """A ticket as one side would have declared it."""

    rule: str
    element: str
    impact: Impact
    """The highest it had."""
    key: str
    name: Texts
    declared_at: datetime | None
    """None for an incident that never got a ticket."""
    closed_at: datetime | None
    reopened: int
    backends: tuple[str, ...] = ()
    """Whom it would be told to: the ticket system it is declared in first, then those that are informed."""


class Difference(Struct, frozen=True, kw_only=True):
    """One problem whose tickets differ."""

    kinds: tuple[Kind, ...]
    alert: int
    """Number of the alert it began with."""
    source: str
    resource: str
    check: str
    at: datetime
    live: Ticket | None
    candidate: Ticket | None
    """None where that side made nothing of it; a ticket without `declared_at` was resolved during its hold."""


class Totals(Struct, kw_only=True):
    """What one side made of all of it."""

    tickets: int = 0
    avoided: int = 0
    """Incidents that were over before a ticket was declared."""
    reopened: int = 0
    held_minutes: float = 0
    """How long all tickets together waited for their declaration."""


class OfRule(Struct, kw_only=True):
    """What one rule made of it on either side."""

    rule: str
    live: int = 0
    """Tickets."""
    candidate: int = 0
    live_alerts: int = 0
    """Decisions about alerts that said something new."""
    candidate_alerts: int = 0
    differences: int = 0


class Hold(Struct, frozen=True, kw_only=True):
    """What a hold of this length would have done to the candidate's tickets of one rule."""

    rule: str
    seconds: int
    avoided: int
    """Tickets whose alerts were over by then."""
    delayed: int
    """Tickets that would have come so much later."""


class Point(Struct, frozen=True, kw_only=True):
    """Tickets declared within one hour."""

    at: datetime
    live: int
    candidate: int


class Result(Struct, frozen=True, kw_only=True):
    """All that a replay found."""

    since: datetime
    until: datetime
    live_rules: str
    """Content hash."""
    candidate_rules: str
    alerts: int
    live: Totals
    candidate: Totals
    kinds: dict[Kind, int]
    """How many differences are of each kind; a difference may be of several."""
    differences: list[Difference]
    """The first ones, in order of time."""
    differing: int
    """How many there are in all."""
    rules: list[OfRule]
    """The rules that made tickets or differ, the most different first."""
    holds: list[Hold]
    points: list[Point]
    seconds: float = 0
    """How long the replay took."""

    @property
    def same(self) -> bool:
        """Whether both rule sets make the same tickets."""
        return not self.differing

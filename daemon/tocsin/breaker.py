"""Whether a backend is told anything now, and how much at once: its circuit breaker, as pure functions.

Knows the errors only. What waits keeps waiting while a ticket system is down, so that neither side wears itself out; one
delivery at a time finds out whether it is back, and then it is told more and more at once.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin.errors import OF_THE_SYSTEM, Reason

if TYPE_CHECKING:
    from tocsin.errors import DeliveryError

_OF_THE_SYSTEM = OF_THE_SYSTEM | {Reason.UNREADABLE}
"""These say that the ticket system itself is not well: the next delivery would hardly fare better."""
_ANSWERS = frozenset({Reason.REFUSED, Reason.NOT_FOUND, Reason.MISMATCH, Reason.TOUCHED})
"""These are answers of a ticket system that works, though not the ones that were hoped for."""
_LOOKED = frozenset({Reason.SETTLING, Reason.NUMBER_PENDING})
"""A look-up was answered, and nothing more was asked: whether it takes anything, the next delivery finds out."""
_ASKING = frozenset({Reason.RATE_LIMITED, Reason.UNAVAILABLE})
"""With these, `after` is how long the system itself asks to be left alone."""
_WIDE = 100
"""So many at once are no slow start any more: no backend is told more at once."""


class State(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    """All is well: as many at once as the settings say, fewer for a while after a failure."""
    OPEN = "open"
    """Nothing is sent before `until`."""
    HALF_OPEN = "half_open"
    """One delivery at a time finds out whether it is back."""
    STOPPED = "stopped"
    """The configuration must be corrected; one delivery tries at `until`, or when a person resumes it."""


class Limits(Struct, frozen=True, kw_only=True):
    """When a breaker opens, and for how long."""

    failures: int = 3
    """So many in a row open it."""
    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(minutes=15)
    """It stays open for `first`, doubling to `longest`."""
    probe: timedelta = timedelta(minutes=5)
    longest_probe: timedelta = timedelta(hours=1)
    """A stopped backend is tried after `probe`, doubling to `longest_probe`: too many tries may lock an account."""


class Breaker(Struct, frozen=True, kw_only=True):
    """What is remembered of how a backend fared."""

    state: State = State.CLOSED
    """CLOSED, OPEN or STOPPED; `standing` says when an open one is half open."""
    failures: int = 0
    """Of the system, in a row."""
    until: datetime | None = None
    wait: timedelta = timedelta(0)
    """The last wait, before it was spread: the next one is twice as long."""
    room: int = 0
    """So many at once during a slow start; 0 when there is none."""
    reason: str = ""
    since: datetime | None = None
    """Why it is not closed, and since when."""


def standing(breaker: Breaker, now: datetime) -> State:
    """Where the breaker stands at this moment."""
    return State.HALF_OPEN if breaker.state == State.OPEN and _is_due(breaker, now) else breaker.state


def allowance(breaker: Breaker, concurrency: int, now: datetime) -> int:
    """How many deliveries may be under way at once, of at most `concurrency`; those that already are count."""
    if breaker.state == State.CLOSED:
        return min(breaker.room, concurrency) if breaker.room else concurrency
    return 1 if _is_due(breaker, now) else 0


def after(breaker: Breaker, outcome: DeliveryError | None, limits: Limits, now: datetime) -> Breaker:
    """The breaker after an attempt ended with a receipt (None) or this error.

    While it waits, what was under way before changes nothing, except that the system may ask for more time.
    """
    if outcome is None or (outcome.reason in _ANSWERS and not outcome.stops):
        return _after_answer(breaker, now)
    if outcome.stops or (breaker.state == State.STOPPED and outcome.reason not in _LOOKED):
        return _stopped(breaker, outcome, limits, now)
    if outcome.reason in _OF_THE_SYSTEM:
        return _after_failure(breaker, outcome, limits, now)
    return breaker


def resumed(breaker: Breaker, now: datetime) -> Breaker:
    """A person says that it works again: one delivery may try at once, whatever it waited for."""
    if breaker.state == State.CLOSED:
        return breaker
    return replace(breaker, state=State.OPEN, until=now, wait=timedelta(0))


def _after_answer(breaker: Breaker, now: datetime) -> Breaker:
    if breaker.state == State.CLOSED:
        room = breaker.room * 2
        return replace(breaker, failures=0, room=room if room < _WIDE else 0)
    return Breaker(room=2) if _is_due(breaker, now) else breaker


def _after_failure(breaker: Breaker, error: DeliveryError, limits: Limits, now: datetime) -> Breaker:
    asked = error.after if error.reason in _ASKING else None
    failures = breaker.failures + 1
    if breaker.state == State.CLOSED and failures < limits.failures and not asked:
        return replace(breaker, failures=failures)
    if breaker.until and not _is_due(breaker, now):
        return replace(breaker, until=max(breaker.until, now + asked)) if asked else breaker
    wait = min(limits.longest, max(limits.first, breaker.wait * 2))
    return Breaker(
        state=State.OPEN,
        failures=failures,
        until=now + max(_spread(wait, now), asked or timedelta(0)),
        wait=wait,
        reason=str(error),
        since=breaker.since or now,
    )


def _stopped(breaker: Breaker, error: DeliveryError, limits: Limits, now: datetime) -> Breaker:
    again = breaker.state == State.STOPPED
    if again and not _is_due(breaker, now):
        return breaker
    wait = min(limits.longest_probe, breaker.wait * 2) if again else limits.probe
    return Breaker(
        state=State.STOPPED,
        until=now + max(wait, error.after or wait),
        wait=wait,
        reason=str(error) if error.stops else breaker.reason,
        since=breaker.since if again else now,
    )


def _is_due(breaker: Breaker, now: datetime) -> bool:
    return breaker.until is None or breaker.until <= now


def _spread(wait: timedelta, now: datetime) -> timedelta:
    """Between half of it and all of it: what failed together shall not come back together."""
    chance = random.Random(now.isoformat()).random()  # noqa: S311 - spreading, not secrecy
    return wait / 2 + wait / 2 * chance

"""The breaker: when a backend is told, and how much at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.breaker import Breaker, Limits, State, after, allowance, resumed, standing
from tocsin.errors import DeliveryError, Reason

T0 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LIMITS = Limits()
SECOND = timedelta(seconds=1)
DONE = None
SYSTEM = (Reason.UNREACHABLE, Reason.NO_ANSWER, Reason.UNAVAILABLE, Reason.RATE_LIMITED, Reason.UNREADABLE)
ANSWERS = (Reason.REFUSED, Reason.NOT_FOUND, Reason.MISMATCH, Reason.TOUCHED)
NEITHER = tuple(reason for reason in Reason if reason not in SYSTEM + ANSWERS)


def failure(reason: Reason = Reason.UNREACHABLE, *, after: float = 0, stops: bool = False) -> DeliveryError:
    asked = timedelta(seconds=after) if after else None
    return DeliveryError(reason, "no", retry=True, after=asked, stops=stops)


STOP = failure(Reason.UNAUTHORIZED, stops=True)


def told(*outcomes: DeliveryError | None, breaker: Breaker | None = None, now: datetime = T0) -> Breaker:
    breaker = breaker or Breaker()
    for outcome in outcomes:
        breaker = after(breaker, outcome, LIMITS, now)
    return breaker


def opened(times: int = 1) -> Breaker:
    """A breaker that opened, and whose probes then failed: `times` waits in all."""
    breaker = told(*[failure()] * 3)
    for _ in range(times - 1):
        assert breaker.until
        breaker = told(failure(), breaker=breaker, now=breaker.until)
    return breaker


def due(breaker: Breaker) -> datetime:
    assert breaker.until
    return breaker.until


@pytest.mark.parametrize("reason", SYSTEM)
def test_three_failures_of_the_system_in_a_row_open_it(reason: Reason) -> None:
    twice = told(failure(reason), failure(reason))
    assert allowance(twice, 4, T0) == 4
    thrice = told(failure(reason), breaker=twice)
    assert (standing(thrice, T0), allowance(thrice, 4, T0)) == (State.OPEN, 0)
    assert (thrice.since, reason.value in thrice.reason) == (T0, True)


@pytest.mark.parametrize("outcome", [DONE, *map(failure, ANSWERS)], ids=str)
def test_an_answer_begins_the_count_anew(outcome: DeliveryError | None) -> None:
    assert told(failure(), failure(), outcome, failure(), failure()).state == State.CLOSED


@pytest.mark.parametrize("reason", NEITHER)
def test_what_says_nothing_of_the_system_neither_counts_nor_closes(reason: Reason) -> None:
    twice = told(failure(), failure())
    assert told(failure(reason), breaker=twice) == twice
    half_open = opened()
    assert told(failure(reason), breaker=half_open, now=due(half_open)) == half_open


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.UNAVAILABLE])
def test_a_system_that_asks_for_time_gets_it_at_once(reason: Reason) -> None:
    breaker = told(failure(reason, after=90))
    assert (breaker.state, breaker.until) == (State.OPEN, T0 + timedelta(seconds=90))
    assert allowance(breaker, 4, T0 + 89 * SECOND) == 0
    assert allowance(breaker, 4, T0 + 90 * SECOND) == 1


def test_a_lost_answer_that_is_to_be_waited_for_is_no_such_request() -> None:
    assert told(failure(Reason.NO_ANSWER, after=90)).state == State.CLOSED


def test_what_was_under_way_may_still_ask_for_more_time_and_changes_nothing_else() -> None:
    breaker = opened()
    assert told(DONE, failure(), failure(), breaker=breaker) == breaker
    assert told(failure(Reason.RATE_LIMITED, after=600), breaker=breaker).until == T0 + timedelta(minutes=10)
    assert told(failure(Reason.RATE_LIMITED, after=1), breaker=breaker) == breaker


@pytest.mark.parametrize(("times", "seconds"), [(1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (40, 900)])
def test_it_stays_open_longer_each_time_up_to_the_longest(times: int, seconds: float) -> None:
    breaker = opened(times)
    before = due(opened(times - 1)) if times > 1 else T0
    assert seconds / 2 <= (due(breaker) - before).total_seconds() <= seconds
    assert breaker.since == T0


def test_half_open_lets_one_through_and_its_success_begins_a_slow_start() -> None:
    breaker = opened()
    now = due(breaker)
    assert (standing(breaker, now), allowance(breaker, 8, now)) == (State.HALF_OPEN, 1)
    rooms = []
    for _ in range(8):
        breaker = told(DONE, breaker=breaker, now=now)
        rooms.append(allowance(breaker, 100, now))
    assert rooms == [2, 4, 8, 16, 32, 64, 100, 100]
    assert breaker == Breaker()


def test_a_slow_start_never_tells_more_at_once_than_the_settings_say() -> None:
    breaker = opened()
    assert allowance(told(DONE, breaker=breaker, now=due(breaker)), 1, due(breaker)) == 1


@pytest.mark.parametrize("reason", ANSWERS)
def test_even_a_refusal_shows_that_it_is_back(reason: Reason) -> None:
    breaker = opened(3)
    assert told(failure(reason), breaker=breaker, now=due(breaker)).state == State.CLOSED


def test_a_closed_one_opens_for_the_first_wait_again() -> None:
    breaker = opened(5)
    now = due(breaker)
    breaker = told(DONE, failure(), failure(), failure(), breaker=breaker, now=now)
    assert due(breaker) - now <= LIMITS.first


def test_wrong_credentials_stop_it_until_a_careful_probe() -> None:
    breaker = told(STOP, STOP, STOP)  # those that were under way when it stopped
    assert (standing(breaker, T0), breaker.until) == (State.STOPPED, T0 + timedelta(minutes=5))
    assert allowance(breaker, 8, T0 + timedelta(seconds=299)) == 0
    assert allowance(breaker, 8, due(breaker)) == 1
    assert told(DONE, breaker=breaker) == breaker


@pytest.mark.parametrize("outcome", [STOP, failure(), failure(Reason.BROKEN)], ids=str)
def test_probes_of_a_stopped_backend_come_seldom(outcome: DeliveryError) -> None:
    breaker, waits = told(STOP), []
    for _ in range(6):
        now = due(breaker)
        breaker = told(outcome, breaker=breaker, now=now)
        waits.append((due(breaker) - now) / timedelta(minutes=1))
    assert waits == [10, 20, 40, 60, 60, 60]
    assert (breaker.state, breaker.since, breaker.reason) == (State.STOPPED, T0, "unauthorized: no")


@pytest.mark.parametrize("reason", [Reason.SETTLING, Reason.NUMBER_PENDING])
def test_a_probe_that_only_looked_leaves_the_next_one_its_turn(reason: Reason) -> None:
    breaker = told(STOP)
    after = told(failure(reason), breaker=breaker, now=due(breaker))
    assert (after.state, allowance(after, 8, due(breaker))) == (State.STOPPED, 1)


def test_a_stop_counts_for_more_than_an_open_breaker() -> None:
    assert told(STOP, breaker=opened()).state == State.STOPPED


@pytest.mark.parametrize("outcome", [DONE, failure(Reason.REFUSED)], ids=str)
def test_a_probe_that_is_answered_closes_a_stopped_one(outcome: DeliveryError | None) -> None:
    breaker = told(STOP)
    closed = told(outcome, breaker=breaker, now=due(breaker))
    assert (closed.state, allowance(closed, 8, T0)) == (State.CLOSED, 2)


@pytest.mark.parametrize("breaker", [told(STOP), opened(6), told(failure(Reason.UNAVAILABLE, after=3600))])
def test_a_person_lets_it_try_at_once_one_delivery_at_a_time(breaker: Breaker) -> None:
    again = resumed(breaker, T0)
    assert (standing(again, T0), allowance(again, 8, T0)) == (State.HALF_OPEN, 1)
    assert told(STOP, breaker=again).until == T0 + LIMITS.probe
    assert due(told(failure(), breaker=again)) - T0 <= LIMITS.first
    assert told(DONE, breaker=again).state == State.CLOSED


def test_resuming_what_works_changes_nothing() -> None:
    assert resumed(Breaker(), T0) == Breaker()


ERRORS = st.builds(
    DeliveryError,
    st.sampled_from(Reason),
    st.just("no"),
    retry=st.booleans(),
    after=st.none() | st.timedeltas(timedelta(0), timedelta(hours=2)),
    stops=st.booleans(),
)


class Telling(RuleBasedStateMachine):
    """A backend with its breaker, told as the outbox tells it: what is under way ends in any order, in any way."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.breaker = Breaker()
        self.under_way: list[datetime] = []
        """When each began."""
        self.concurrency = 8

    def free(self) -> int:
        return allowance(self.breaker, self.concurrency, self.now) - len(self.under_way)

    @rule(seconds=st.floats(0, 1200))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.free() > 0)
    @rule()
    def claim(self) -> None:
        at = standing(self.breaker, self.now)
        assert at != State.OPEN
        assert self.breaker.until is None or self.breaker.until <= self.now
        self.under_way += [self.now] * self.free()
        assert at == State.CLOSED or len(self.under_way) == 1

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 7), outcome=st.none() | ERRORS)
    def one_ends(self, which: int, outcome: DeliveryError | None) -> None:
        self.under_way.pop(which % len(self.under_way))
        before, self.breaker = self.breaker, after(self.breaker, outcome, LIMITS, self.now)
        if before.until and self.now < before.until:
            assert self.breaker.state == before.state or (outcome is not None and outcome.stops)
            assert self.breaker.until
            assert self.breaker.until >= before.until or self.breaker.state != before.state

    @rule()
    def a_person_resumes_it(self) -> None:
        self.breaker = resumed(self.breaker, self.now)

    @invariant()
    def a_stopped_one_is_only_probed(self) -> None:
        if self.breaker.state == State.STOPPED:
            assert allowance(self.breaker, self.concurrency, self.now) <= 1

    @invariant()
    def it_always_recovers(self) -> None:
        """Once the system is well, one answer of it is enough, and a few more bring everything back."""
        breaker = self.breaker
        now = max(self.now, breaker.until or self.now)
        assert now - self.now <= timedelta(hours=2)  # the longest that anything here asks for
        assert allowance(breaker, self.concurrency, now) >= 1
        for _ in range(7):
            breaker = after(breaker, None, LIMITS, now)
        assert breaker == Breaker()
        assert allowance(breaker, self.concurrency, now) == self.concurrency


TestTelling = Telling.TestCase

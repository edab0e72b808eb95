"""Whose turn it is among what is not sent yet: in order for each incident and backend, the highest impact first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from test_folding import DEAD, LEASED, OPEN, T0, UPDATE, delivery
from tocsin.model import Delivery, Impact
from tocsin.undo import Undo
from tocsin.unsent import Unsent

HERE, THERE = "here", "there"


def ready(number: int, impact: Impact = Impact.DEGRADED, *, seconds: int = 0, backend: str = HERE) -> Delivery:
    made = delivery(number, OPEN)
    return replace(
        made, backend=backend, body=replace(made.body, impact=impact), due_at=T0 + timedelta(seconds=seconds)
    )


def claimed(unsent: Unsent, limit: int = 100, seconds: int = 0, backend: str = HERE) -> list[int]:
    """The ids of what is due then, each leased as its claimer does."""
    found = []
    for n, one in unsent.due(backend, limit, T0 + timedelta(seconds=seconds)):
        found.append(one.id)
        rest = unsent.of(n, backend)[1:]
        unsent.keep(n, backend, (replace(one, state=LEASED), *rest))
    return found


def kept(*deliveries: Delivery, undo: Undo | None = None) -> Unsent:
    """Each the whole chain of an incident of its own, whose row is its id."""
    unsent = Unsent(undo or Undo())
    for one in deliveries:
        unsent.keep(one.id, one.backend, (one,))
    return unsent


def test_the_highest_impact_goes_first_then_the_oldest() -> None:
    impacts = [Impact.DEGRADED, Impact.INTERRUPTED, Impact.NONE, Impact.INTERRUPTED, Impact.DEGRADED]
    unsent = kept(*(ready(number, impact) for number, impact in enumerate(impacts, 1)))
    assert claimed(unsent, limit=3) == [2, 4, 1]
    assert claimed(unsent) == [5, 3]


def test_what_is_not_due_yet_waits_whatever_its_impact() -> None:
    unsent = kept(ready(1, Impact.NONE), ready(2, Impact.INTERRUPTED, seconds=5))
    assert claimed(unsent) == [1]
    assert claimed(unsent, seconds=4) == []
    assert claimed(unsent, seconds=5) == [2]


def test_a_raised_impact_counts_at_once() -> None:
    unsent = kept(ready(1), ready(2))
    unsent.keep(2, HERE, (ready(2, Impact.INTERRUPTED),))
    assert claimed(unsent) == [2, 1]


def test_what_became_worse_pulls_what_it_waits_for_forward() -> None:
    unsent = kept(ready(1), ready(2, Impact.SEVERE))
    worse = replace(ready(3, Impact.INTERRUPTED), action=UPDATE)
    unsent.keep(1, HERE, (ready(1), worse))
    assert claimed(unsent, limit=2) == [1, 2]


def test_a_lowered_impact_counts_at_once() -> None:
    unsent = kept(ready(1), ready(2, Impact.INTERRUPTED))
    unsent.keep(2, HERE, (ready(2, Impact.NONE),))
    assert claimed(unsent) == [1, 2]


def test_many_that_fall_due_at_once_come_in_the_same_order() -> None:
    impacts = list(Impact)
    unsent = kept(*(ready(number, impacts[number % 5], seconds=number % 7) for number in range(1, 300)))
    expected = sorted((one for one in unsent.all() if one.due_at <= T0 + timedelta(seconds=4)), key=_turn)
    assert claimed(unsent, 300, seconds=4) == [one.id for one in expected]
    assert len(claimed(unsent, 300, seconds=7)) == 299 - len(expected)


def _turn(one: Delivery) -> tuple[int, int]:
    return -one.body.impact.rank, one.id


def test_one_backend_holds_no_other_up() -> None:
    unsent = Unsent(Undo())
    unsent.keep(1, HERE, (replace(ready(1), state=LEASED), delivery(3, UPDATE)))
    unsent.keep(1, THERE, (ready(2, backend=THERE), replace(delivery(4, UPDATE), backend=THERE)))
    assert claimed(unsent, backend=HERE) == []
    assert claimed(unsent, backend=THERE) == [2]
    assert (unsent.withdrawable(1, HERE), unsent.rows(), unsent.waits(1)) == (False, [1], True)


def test_a_dead_open_is_in_nobodys_way() -> None:
    unsent = kept(replace(ready(1, Impact.INTERRUPTED), state=DEAD), ready(2))
    assert claimed(unsent) == [2]
    assert unsent.withdrawable(1, HERE)


def test_a_clock_set_back_loses_nothing() -> None:
    unsent = kept(ready(1, seconds=60))
    assert list(unsent.due(HERE, 0, T0 + timedelta(seconds=60))) == []  # it is known to be due
    assert claimed(unsent, seconds=30) == []
    assert unsent.next_due(HERE) == T0 + timedelta(seconds=60)
    assert claimed(unsent, seconds=60) == [1]


def test_the_oldest_that_is_due_can_be_asked_for() -> None:
    unsent = kept(ready(3), ready(2, seconds=9), ready(4, Impact.INTERRUPTED), ready(1, backend=THERE))
    found = unsent.oldest_due(HERE, (), T0)
    assert (found and found[0], unsent.oldest_due(HERE, (), T0 - timedelta(seconds=1))) == (3, None)
    assert [one and one[0] for one in (unsent.oldest_due(HERE, last, T0) for last in ({3}, {3, 4}))] == [4, 3]
    assert claimed(unsent) == [4, 3]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.integers(1, 3), st.integers(0, 4), st.integers(0, 5), st.sampled_from("ab")),
        st.tuples(st.just("fold"), st.integers(1, 3), st.integers(0, 4), st.sampled_from("ab")),
        st.tuples(st.just("drop"), st.integers(1, 3), st.sampled_from("ab")),
        st.tuples(st.just("claim"), st.integers(1, 3), st.sampled_from("ab")),
        st.tuples(st.just("pass"), st.integers(1, 3)),
        st.tuples(st.just("commit")),
        st.tuples(st.just("fail")),
    ),
    min_size=15,
    max_size=40,
)


@given(STEPS)
def test_whatever_fails_in_between_each_is_found_when_it_is_due(steps: list[tuple[object, ...]]) -> None:
    """Against a plain model: what is claimed is the best of what is due, whatever was taken back before."""
    undo = Undo()
    unsent = Unsent(undo)
    truth: dict[tuple[int, str], Delivery] = {}
    stands, now, number = dict(truth), 0, 0
    for step in steps:
        match step:
            case ("keep", int(n), int(rank), int(later), str(backend)):
                number += 1
                made = ready(number, list(Impact)[rank], seconds=now + later, backend=backend)
                truth[n, backend] = made
                unsent.keep(n, backend, (made,))
            case ("fold", int(n), int(rank), str(backend)):
                before = truth.get((n, backend))
                if before and before.state != LEASED:
                    made = replace(before, body=replace(before.body, impact=list(Impact)[rank]))
                    truth[n, backend] = made
                    unsent.keep(n, backend, (made,))
            case ("drop", int(n), str(backend)):
                truth.pop((n, backend), None)
                unsent.keep(n, backend, ())
            case ("claim", int(limit), str(backend)):
                at = T0 + timedelta(seconds=now)
                due = [(n, one) for (n, name), one in truth.items() if name == backend and one.due_at <= at]
                due = [(n, one) for n, one in due if one.state != LEASED]
                best = sorted(due, key=lambda pair: _turn(pair[1]))[:limit]
                soonest = unsent.next_due(backend)
                assert not best or (soonest is not None and soonest <= at)
                assert claimed(unsent, limit, now, backend) == [one.id for _, one in best]
                for n, one in best:
                    truth[n, backend] = replace(one, state=LEASED)
            case ("pass", int(seconds)):
                now += seconds
            case ("commit",):
                undo.settle()
                stands = dict(truth)
            case _:
                undo.take_back()
                truth = dict(stands)
        assert sorted(one.id for one in unsent.all()) == sorted(one.id for one in truth.values())
        assert sorted(unsent.chains()) == sorted(truth)
        assert {n for n in range(1, 4) if unsent.waits(n)} == set(unsent.rows()) == {n for n, _ in truth}


@pytest.mark.parametrize("failures", [1, 50])
def test_failures_leave_nothing_behind_that_grows(failures: int) -> None:
    undo = Undo()
    unsent = kept(*(ready(number) for number in range(1, 200)), undo=undo)
    undo.settle()
    for _ in range(failures):
        assert len(claimed(unsent, 10)) == 10
        undo.take_back()
    turns = unsent._turns[HERE]
    assert len(turns.ready) + len(turns.waiting) <= 199

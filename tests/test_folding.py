from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.folding import fold, next_of
from tocsin.model import (
    Delivery,
    DeliveryAction,
    DeliveryState,
    Element,
    Impact,
    Snapshot,
    TicketStatus,
)

T0 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
OPEN, UPDATE, NOTE, CLOSE, REOPEN = (
    DeliveryAction.OPEN,
    DeliveryAction.UPDATE,
    DeliveryAction.NOTE,
    DeliveryAction.CLOSE,
    DeliveryAction.REOPEN,
)
PENDING, LEASED, DEAD = DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.DEAD


def delivery(
    number: int, action: DeliveryAction, state: DeliveryState = PENDING, *, uncertain: bool = False
) -> Delivery:
    body = Snapshot(
        reference="A1",
        action=action,
        name={"en": f"name {number}", "fr": f"nom {number}"},
        description={},
        element=Element(reference="DF1", name="web1"),
        impact=Impact.DEGRADED,
        status=TicketStatus.DECLARED,
        declarant="Supervision",
        source="test",
        rule="disk",
        rule_set="h",
        opened_at=T0,
        notes=({"en": f"note {number}", "fr": ""},),
    )
    return Delivery(
        id=number, incident="A1", backend="b", action=action, body=body, due_at=T0, state=state, uncertain=uncertain
    )


def test_the_first_delivery_goes_out_by_itself() -> None:
    new = delivery(1, OPEN)
    assert fold((), new).add == new


def test_an_update_before_the_open_was_sent_is_told_by_the_open() -> None:
    folded = fold((delivery(1, OPEN),), delivery(2, UPDATE))
    assert folded.add is None
    assert folded.put is not None
    assert (folded.put.id, folded.put.action, folded.put.body.action) == (1, OPEN, OPEN)
    assert folded.put.body.name["en"] == "name 2"
    assert [note["en"] for note in folded.put.body.notes] == ["note 1", "note 2"]


def test_a_close_takes_an_unsent_open_back_and_nothing_is_sent() -> None:
    folded = fold((delivery(1, OPEN),), delivery(2, CLOSE))
    assert (folded.add, folded.put, [one.id for one in folded.cancel]) == (None, None, [1])


@pytest.mark.parametrize(
    "first",
    [delivery(1, OPEN, LEASED), delivery(1, OPEN, uncertain=True), delivery(1, OPEN, DEAD, uncertain=True)],
    ids=["under way", "in doubt", "dead in doubt"],
)
@pytest.mark.parametrize("action", [UPDATE, NOTE, CLOSE, REOPEN])
def test_what_the_backend_may_have_seen_is_never_touched(first: Delivery, action: DeliveryAction) -> None:
    folded = fold((first,), delivery(2, action))
    assert (folded.put, folded.cancel) == (None, ())
    assert folded.add is not None


def test_a_dead_open_that_was_certainly_refused_is_taken_back_by_a_close() -> None:
    assert [one.id for one in fold((delivery(1, OPEN, DEAD),), delivery(2, CLOSE)).cancel] == [1]


def test_two_updates_become_one_with_the_newest_facts_and_all_notes() -> None:
    folded = fold((delivery(1, OPEN, LEASED), delivery(2, UPDATE)), delivery(3, UPDATE))
    assert folded.put is not None
    assert (folded.put.id, folded.put.body.name["en"], len(folded.put.body.notes)) == (2, "name 3", 2)


def test_a_close_carries_the_notes_of_the_updates_it_takes_back() -> None:
    folded = fold((delivery(2, UPDATE),), delivery(3, CLOSE))
    assert [one.id for one in folded.cancel] == [2]
    assert folded.add is not None
    assert [note["en"] for note in folded.add.body.notes] == ["note 2", "note 3"]


def test_a_reopen_before_the_close_was_sent_becomes_an_update() -> None:
    folded = fold((delivery(2, CLOSE),), delivery(3, REOPEN))
    assert folded.put is not None
    assert (folded.put.id, folded.put.action, folded.put.body.action) == (2, UPDATE, UPDATE)


def test_a_note_folded_into_an_update_leaves_it_an_update() -> None:
    folded = fold((delivery(2, UPDATE),), delivery(3, NOTE))
    assert folded.put is not None
    assert folded.put.action == UPDATE


def test_an_update_folded_into_a_note_makes_it_an_update() -> None:
    folded = fold((delivery(2, NOTE),), delivery(3, UPDATE))
    assert folded.put is not None
    assert (folded.put.action, folded.put.body.action) == (UPDATE, UPDATE)


STATES = st.sampled_from([(PENDING, False), (LEASED, False), (PENDING, True), (DEAD, False)])


@given(
    steps=st.lists(st.tuples(st.sampled_from([UPDATE, NOTE, CLOSE, REOPEN]), STATES), max_size=5), sent=st.booleans()
)
def test_order_holds_and_nothing_seen_is_lost(
    steps: list[tuple[DeliveryAction, tuple[DeliveryState, bool]]], *, sent: bool
) -> None:
    """However deliveries come, what is left is in the order it was made, and what may have been seen is still there."""
    unsent: tuple[Delivery, ...] = () if sent else (delivery(1, OPEN),)
    for number, (action, (state, uncertain)) in enumerate(steps, start=2):
        if unsent and state != DEAD:
            last = replace(unsent[-1], state=state, uncertain=uncertain)
            unsent = (*unsent[:-1], last)
        seen = [one.id for one in unsent if one.state == LEASED or one.uncertain]
        folded = fold(unsent, delivery(number, action))
        gone = {one.id for one in folded.cancel}
        unsent = tuple(one for one in unsent if one.id not in gone)
        if folded.put:
            unsent = tuple(folded.put if one.id == folded.put.id else one for one in unsent)
        if folded.add:
            unsent = (*unsent, folded.add)
        ids = [one.id for one in unsent]
        assert ids == sorted(ids)
        assert set(seen) <= set(ids)
        assert sum(one.action == OPEN for one in unsent) <= (0 if sent else 1)


@pytest.mark.parametrize(
    ("unsent", "turn"),
    [
        ((), None),
        ((delivery(1, OPEN), delivery(2, UPDATE)), 1),
        ((delivery(1, OPEN, LEASED), delivery(2, UPDATE)), None),
        ((delivery(1, OPEN, DEAD), delivery(2, UPDATE)), None),
        ((delivery(1, UPDATE, DEAD), delivery(2, UPDATE)), 2),
    ],
    ids=["nothing", "oldest first", "one under way", "its open is dead", "a dead update does not block"],
)
def test_whose_turn_it_is(unsent: tuple[Delivery, ...], turn: int | None) -> None:
    first = next_of(unsent)
    assert (first.id if first else None) == turn

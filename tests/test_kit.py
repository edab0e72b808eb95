"""The conformance kit: the same promises for every kind of ticket system, on a fake that behaves and misbehaves like it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace

from deliveries import REFERENCE, SNAPSHOT, delivery
from fakes.core import DONE, DOUBTFUL, Behaviour, Does
from kit import NOTE, REMOTE, Gate, World, all_kinds, doubted, face, in_doubt, told, world
from service import until
from tocsin.backends import Kind, Level
from tocsin.backends._can import Can
from tocsin.errors import DeliveryError, Reason
from tocsin.model import DeliveryAction, Impact, Payload, Receipt, TicketStatus

KINDS = pytest.mark.parametrize("kind", REMOTE, ids=lambda kind: kind.name)
QUICK = [behaviour for behaviour in DOUBTFUL if behaviour != Behaviour.SLOW]

MEANINGS = {
    Behaviour.FAILED: Reason.UNAVAILABLE,
    Behaviour.LOST: Reason.NO_ANSWER,
    Behaviour.HALF: Reason.NO_ANSWER,
    Behaviour.GARBAGE: Reason.UNREADABLE,
    Behaviour.WRONG: Reason.UNREADABLE,
    Behaviour.EMPTY: Reason.UNREADABLE,
    Behaviour.MALFORMED: Reason.UNREADABLE,
    Behaviour.GIANT: Reason.UNREADABLE,
    Behaviour.BUSY: Reason.UNAVAILABLE,
    Behaviour.DATED: Reason.UNAVAILABLE,
    Behaviour.DOWN: Reason.UNAVAILABLE,
    Behaviour.LIMITED: Reason.RATE_LIMITED,
    Behaviour.DROPPED: Reason.NO_ANSWER,
    Behaviour.REDIRECT: Reason.MISCONFIGURED,
    Behaviour.REFUSED: Reason.REFUSED,
    Behaviour.INSIDE: Reason.REFUSED,
    Behaviour.UNAUTHORIZED: Reason.UNAUTHORIZED,
    Behaviour.FORBIDDEN: Reason.UNAUTHORIZED,
}
STOPPING = {Reason.MISCONFIGURED, Reason.UNAUTHORIZED}
DEAD = {Reason.REFUSED}


def skip_what_cannot_happen(kind: Kind, behaviour: Behaviour) -> None:
    if behaviour in face(kind).CANNOT:
        pytest.skip(f"{kind.name}: {behaviour} cannot happen")


# --- one ticket ---------------------------------------------------------------------------------------------------


@KINDS
async def test_an_opening_makes_one_ticket_that_carries_our_reference_and_says_what_is_wrong(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        (ticket,) = there.server.face.tickets()
    assert ticket.number == receipt.number
    assert ticket.reference == REFERENCE
    assert SNAPSHOT.name["en"] in ticket.title
    assert SNAPSHOT.description["en"] in ticket.text
    assert SNAPSHOT.element.reference in f"{ticket.element} {ticket.text}"
    assert receipt.status == ticket.status
    assert receipt.remark == ""


@KINDS
async def test_a_ticket_is_written_in_the_language_of_its_contract(kind: Kind) -> None:
    async with world(kind) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, language="fr")))
        (ticket,) = there.server.face.tickets()
    assert SNAPSHOT.name["fr"] in ticket.title
    assert SNAPSHOT.description["fr"] in ticket.text


@KINDS
@pytest.mark.parametrize("behaviour", QUICK)
async def test_an_opening_whose_answer_is_no_answer_makes_no_second_ticket(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        there.server.script(Does.CREATE, behaviour)
        error = await there.fail(delivery(number=""))
        assert error.reason == getattr(face(kind), "MEANINGS", {}).get(behaviour, MEANINGS[behaviour])
        assert error.retry
        assert not error.harmless
        receipt = await there.tell(doubted(delivery(number=""), error, there))
        (ticket,) = there.server.face.tickets()
    assert receipt.number == ticket.number


@KINDS
async def test_a_ticket_that_is_made_after_we_gave_up_waiting_is_found(kind: Kind) -> None:
    skip_what_cannot_happen(kind, Behaviour.SLOW)
    gate = Gate()
    async with world(kind, wait=gate, timeout="250ms") as there:
        there.server.script(Does.CREATE, Behaviour.SLOW)
        error = await there.fail(delivery(number=""))
        assert error.reason == Reason.NO_ANSWER
        gate.open()
        await until(lambda: _has(there, 1), 5, "the server to be done")
        receipt = await there.tell(doubted(delivery(number=""), error, there))
        (ticket,) = there.server.face.tickets()
    assert receipt.number == ticket.number


@all_kinds(Can.LOOK_UP)
async def test_a_create_that_the_system_still_works_on_makes_no_second_ticket(kind: Kind) -> None:
    skip_what_cannot_happen(kind, Behaviour.SLOW)
    gate = Gate()
    async with world(kind, wait=gate, timeout="300ms") as there:
        there.server.script(Does.CREATE, Behaviour.SLOW)
        one = delivery(number="", made_at=there.server.clock())
        error = await there.fail(one)
        later = await there.fail(doubted(one, error, there))
        gate.open()
        await there.tell(doubted(one, later, there))
        assert len(there.server.asked(Does.CREATE)) == 1
    assert (error.reason, later.reason) == (Reason.NO_ANSWER, Reason.SETTLING)


async def _has(there: World, count: int) -> bool:
    return len(there.server.face.tickets()) == count


@KINDS
@pytest.mark.parametrize("behaviour", [one for one in MEANINGS if one not in DONE])
async def test_an_opening_that_was_not_done_says_why_and_what_to_do(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        there.server.script(Does.CREATE, behaviour, behaviour)
        error = await there.fail(delivery(number=""))
        assert not there.server.face.tickets()
    reason = getattr(face(kind), "MEANINGS", {}).get(behaviour, MEANINGS[behaviour])
    assert error.reason == reason
    assert error.stops == (reason in STOPPING)
    assert error.retry == (reason not in DEAD)
    assert "portal" in str(error) or "127.0.0.1" in str(error), "it says where"


@KINDS
@pytest.mark.parametrize("behaviour", [Behaviour.BUSY, Behaviour.DATED])
async def test_a_wait_is_as_long_as_the_system_asks_for(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        there.server.script(Does.CREATE, behaviour)
        error = await there.fail(delivery(number=""))
    assert error.after == timedelta(seconds=7)


@all_kinds(Can.LOOK_UP)
@pytest.mark.parametrize("behaviour", [one for one in MEANINGS if one not in (Behaviour.REFUSED, Behaviour.INSIDE)])
async def test_a_look_up_that_fails_is_no_licence_to_create(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        await there.opened()
        there.server.script(Does.SEARCH, behaviour, behaviour)
        error = await there.fail(in_doubt())
        assert error.harmless
        assert len(there.server.face.tickets()) == 1
        assert len(there.server.asked(Does.CREATE)) == 1


@all_kinds(Can.LOOK_UP)
async def test_only_the_ticket_with_exactly_our_reference_is_ours(kind: Kind) -> None:
    async with world(kind) as there:
        await there.opened(reference=REFERENCE.lower())
        await there.opened(reference=f"{REFERENCE}9")
        receipt = await there.tell(in_doubt())
        tickets = there.server.face.tickets()
    assert [ticket.number for ticket in tickets if ticket.reference == REFERENCE] == [receipt.number]


@all_kinds(Can.LOOK_UP)
async def test_a_search_that_lags_gets_time_before_a_second_create(kind: Kind) -> None:
    async with world(kind) as there:
        lag = there.backend.settle
        there.server.lag = lag
        there.server.script(Does.CREATE, Behaviour.LOST)
        error = await there.fail(delivery(number=""))
        one = replace(delivery(number=""), attempts=2, uncertain=True, doubted_at=there.server.clock())
        assert not error.harmless
        for _ in range(3):
            await there.attempt(one)
        assert len(there.server.face.tickets()) == 1
        there.server.clock.advance(seconds=lag.total_seconds() + 1)
        await there.tell(one)
        assert len(there.server.face.tickets()) == 1


@all_kinds(Can.LOOK_UP, Can.REOPEN)
async def test_what_is_to_be_opened_again_and_is_not_found_is_made_only_when_the_search_had_time(kind: Kind) -> None:
    async with world(kind) as there:
        there.backend.settle = timedelta(minutes=2)
        one = delivery("reopen", number="", made_at=there.server.clock())
        assert (await there.fail(one)).reason == Reason.SETTLING
        assert there.server.face.tickets() == []
        there.server.clock.advance(minutes=2)
        await there.tell(one)
        assert len(there.server.face.tickets()) == 1


@all_kinds(Can.LOOK_UP)
async def test_a_search_that_tells_everything_twice_finds_one(kind: Kind) -> None:
    async with world(kind) as there:
        first = await there.opened()
        there.server.double = there.server.shuffled = True
        again = await there.tell(in_doubt())
    assert again.number == first.number


@all_kinds(numbers_later=True)
async def test_a_number_that_comes_later_is_waited_for(kind: Kind) -> None:
    async with world(kind) as there:
        there.server.pending = True
        receipt = await there.tell(delivery(number=""))
        assert receipt.number == ""
        error = await there.fail(told("note", ""))
        assert (error.reason, error.retry, error.harmless) == (Reason.NUMBER_PENDING, True, True)
        there.server.pending = False
        receipt = await there.tell(told("note", ""))
        (ticket,) = there.server.face.tickets()
    assert receipt.number == ticket.number != ""


# --- what comes after -----------------------------------------------------------------------------------------------


@all_kinds(Can.NOTE)
async def test_a_note_is_added_once_and_changes_nothing_else(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        before = there.server.face.tickets()[0].status
        after = await there.tell(told("note", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert [NOTE["en"] in note for note in ticket.notes] == [True]
    assert ticket.status == before == after.status


@all_kinds(Can.NOTE, Can.NOTES_BACK)
@pytest.mark.parametrize("behaviour", [Behaviour.LOST, Behaviour.FAILED, Behaviour.HALF])
async def test_a_note_whose_answer_was_lost_is_not_written_twice(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.script(Does.CHANGE, behaviour)
        await there.tell(told("note", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert len([note for note in ticket.notes if NOTE["en"] in note]) == 1


@all_kinds(Can.NOTE, Can.NOTES_BACK)
@pytest.mark.parametrize("behaviour", [*QUICK, Behaviour.DROPPED, Behaviour.DOWN, Behaviour.LIMITED, Behaviour.BUSY])
async def test_a_note_that_may_stand_is_looked_for_whatever_the_question_meets(
    kind: Kind, behaviour: Behaviour
) -> None:
    skip_what_cannot_happen(kind, behaviour)
    for good in range(4):
        async with world(kind) as there:
            receipt = await there.opened()
            there.server.script(Does.CHANGE, Behaviour.FAILED)
            one = told("note", receipt.number)
            one = doubted(one, await there.fail(one), there)
            there.server.plan.after(good, behaviour)
            await there.tell(one)
            (ticket,) = there.server.face.tickets()
        assert len([note for note in ticket.notes if NOTE["en"] in note]) == 1, f"after {good} requests"


@all_kinds(Can.IMPACT)
async def test_a_change_of_impact_arrives(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        before = there.server.face.tickets()[0].impact
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE}))
        (ticket,) = there.server.face.tickets()
    assert ticket.impact != before


@all_kinds(Can.CLOSE)
async def test_a_closing_closes_and_says_why(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        after = await there.tell(told("close", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert ticket.status == "closed"
    assert after.status == TicketStatus.CLOSED
    if Can.NOTE not in kind.lacks:
        assert any(NOTE["en"] in note for note in ticket.notes)


@all_kinds(Can.CLOSE, Can.REOPEN)
async def test_a_closed_ticket_is_opened_again(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        await there.tell(told("close", receipt.number))
        after = await there.tell(told("reopen", receipt.number, id=19))
        tickets = there.server.face.tickets()
    assert len(tickets) == 1
    assert tickets[0].status not in ("closed", "cancelled", "repaired")
    assert after.status == tickets[0].status


@all_kinds(Can.REPAIRED)
async def test_a_service_that_works_again_is_told_and_so_is_a_relapse(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        assert there.server.face.tickets()[0].status == "repaired"
        await there.tell(told("update", receipt.number, id=19))
        assert there.server.face.tickets()[0].status in ("declared", "in_progress")


@all_kinds(Can.CLOSE)
@pytest.mark.parametrize("behaviour", QUICK)
async def test_a_closing_may_be_told_again_after_any_answer(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.script(Does.CHANGE, behaviour)
        await there.tell(told("close", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert ticket.status == "closed"


@all_kinds(Can.READ, Can.CLOSE)
@pytest.mark.parametrize("behaviour", [*QUICK, Behaviour.DROPPED, Behaviour.DOWN, Behaviour.LIMITED, Behaviour.BUSY])
@pytest.mark.parametrize("reading", range(3), ids=["first", "second", "third"])
@pytest.mark.parametrize("does", [Does.READ, Does.CHECK, Does.SEARCH])
async def test_a_question_that_is_answered_badly_while_closing_ends_nothing(
    kind: Kind, behaviour: Behaviour, reading: int, does: Does
) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.script(does, *["ok"] * reading, behaviour)
        await there.tell(told("close", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert ticket.status == "closed"
    if Can.NOTES_BACK not in kind.lacks:
        assert len([note for note in ticket.notes if NOTE["en"] in note]) == 1, "told once, however often it was tried"


NOT_DONE = pytest.mark.parametrize("behaviour", [Behaviour.LIMITED, Behaviour.FORBIDDEN])
"""Answers that leave no doubt about the request that they answer."""
MOST = 12
"""So many requests no delivery takes."""


@KINDS
@NOT_DONE
async def test_an_opening_that_leaves_no_doubt_has_made_nothing(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    for good in range(MOST):
        async with world(kind) as there:
            there.server.plan.after(good, behaviour)
            ended = await there.attempt(delivery(number=""))
            if isinstance(ended, Receipt):
                return
            assert ended.doubts or there.server.face.tickets() == [], f"after {good} requests: {ended}"
            assert good or not ended.partly, "the first request was not done"
    raise AssertionError("it never came to its end")


@KINDS
@pytest.mark.parametrize("behaviour", [Behaviour.DOWN, Behaviour.DROPPED, Behaviour.WRONG])
async def test_a_question_before_the_first_writing_leaves_no_doubt(kind: Kind, behaviour: Behaviour) -> None:
    skip_what_cannot_happen(kind, behaviour)
    for good in range(MOST):
        async with world(kind) as there:
            there.server.plan.after(good, behaviour)
            ended = await there.attempt(delivery(number=""))
            if there.server.asked(Does.CREATE):
                return
            assert isinstance(ended, DeliveryError)
            assert not ended.doubts, f"after {good} requests: {ended}"
    raise AssertionError("it never came to its writing")


@KINDS
@NOT_DONE
@pytest.mark.parametrize("action", ["close", "update", "reopen"])
async def test_an_attempt_that_leaves_no_doubt_has_changed_nothing(
    kind: Kind, action: str, behaviour: Behaviour
) -> None:
    skip_what_cannot_happen(kind, behaviour)
    for good in range(MOST):
        async with world(kind) as there:
            receipt = await there.opened()
            if action == "reopen" and not {Can.CLOSE, Can.REOPEN} & kind.lacks.keys():
                await there.tell(told("close", receipt.number))
            before = repr(there.server.face.tickets())
            there.server.plan.after(good, behaviour)
            ended = await there.attempt(told(action, receipt.number, id=19, body={"impact": Impact.NONE}))
            if isinstance(ended, Receipt):
                return
            after = repr(there.server.face.tickets())
            assert ended.doubts or after == before, f"after {good} requests: {ended}"
            assert good or not ended.partly, "the first request was not done"
    raise AssertionError("it never came to its end")


@all_kinds(Can.READ)
@pytest.mark.parametrize("action", ["update", "note", "close", "reopen"])
@pytest.mark.parametrize("reference", ["OTHER", ""])
async def test_a_ticket_that_does_not_carry_our_reference_is_never_changed(
    kind: Kind, action: str, reference: str
) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.face.disown(receipt.number, reference)
        before = there.server.face.tickets()
        error = await there.fail(told(action, receipt.number))
        after = there.server.face.tickets()
    assert (error.reason, error.retry) == (Reason.MISMATCH, False)
    assert after == before
    assert not there.server.asked(Does.CHANGE)


@all_kinds(Can.READ)
@pytest.mark.parametrize(
    "behaviour",
    [Behaviour.UNAUTHORIZED, Behaviour.REDIRECT, Behaviour.BUSY, Behaviour.DOWN, Behaviour.WRONG, Behaviour.EMPTY],
)
@pytest.mark.parametrize("good", range(3))
async def test_a_question_that_is_not_answered_makes_no_ticket_gone(
    kind: Kind, behaviour: Behaviour, good: int
) -> None:
    skip_what_cannot_happen(kind, behaviour)
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.plan.after(good, behaviour)
        try:
            record = await there.backend.read(receipt.number)
        except DeliveryError:
            return
        assert record, f"after {good} requests"
        assert record.number == receipt.number


@all_kinds(Can.READ)
async def test_a_ticket_that_is_gone_is_said_to_be_gone(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.face.forget(receipt.number)
        error = await there.fail(told("close", receipt.number))
        assert await there.backend.read(receipt.number) is None
    assert (error.reason, error.retry) == (Reason.NOT_FOUND, False)


@all_kinds(Can.READ, Can.CLOSE)
async def test_what_a_person_has_closed_is_not_opened_by_an_update(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="closed")
        await there.attempt(told("update", receipt.number, body={"impact": Impact.NONE}))
        (ticket,) = there.server.face.tickets()
    assert ticket.status == "closed"


@all_kinds(Can.READ, Can.CLOSE)
async def test_closing_what_a_person_has_closed_is_done_already(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="closed")
        there.server.seen.clear()
        after = await there.tell(told("close", receipt.number))
    assert after.status == TicketStatus.CLOSED
    assert not there.server.asked(Does.CHANGE)


# --- texts ----------------------------------------------------------------------------------------------------------

AWKWARD = {
    "long": "é" * 300 + " " + "word " * 60_000,
    "line": "x" * 200_000,
    "controls": "bell \x07 null \x00 escape \x1b[31m torn \ud800 end",
    "beyond": "\N{FIRE} \N{COLLISION SYMBOL}",
    "markup": "<script>alert(1)</script> & {noformat} ]]> {{ 1 + 1 }} '; drop table tickets; --",
    "empty": "",
    "lines": "first\r\nsecond\rthird\n\nfourth",
}


@KINDS
@pytest.mark.parametrize("text", AWKWARD)
async def test_no_text_is_refused_for_its_form(kind: Kind, text: str) -> None:
    texts = {"en": AWKWARD[text], "fr": AWKWARD[text]}
    async with world(kind) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, name=texts, description=texts, notes=(texts,))))
        if Can.NOTE not in kind.lacks:
            await there.tell(told("note", receipt.number, body={"notes": (texts,)}))
        (ticket,) = there.server.face.tickets()
    assert ticket.title
    assert REFERENCE in f"{ticket.text} {ticket.reference}"


@KINDS
async def test_a_long_text_is_cut_at_a_word_and_says_where_the_rest_is(kind: Kind) -> None:
    words = " ".join(f"word{number}" for number in range(200_000))
    async with world(kind) as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, description={"en": words, "fr": words})))
        (ticket,) = there.server.face.tickets()
    if "word199999" in ticket.text:
        return  # this system takes it whole
    kept, _, pointer = ticket.text.rpartition("… (")
    assert kept.split()[-1] in words.split()
    if Can.ATTACH in kind.lacks:
        assert f"tocsin explain {REFERENCE}" in pointer
    else:
        assert "attached" in pointer
        (content,) = ticket.files.values()
        assert b"word199999" in content


@all_kinds(Can.READ, Can.NOTES_BACK, Can.ATTACH)
async def test_a_file_of_ours_is_no_note_of_a_person(kind: Kind) -> None:
    words = " ".join(f"word{number}" for number in range(200_000))
    async with world(kind) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, description={"en": words, "fr": words})))
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text for note in record.notes if "(tocsin " not in note.text] == []


# --- reading back -----------------------------------------------------------------------------------------------------


@all_kinds(Can.READ)
async def test_what_stands_there_is_read_back(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.clock.advance(minutes=1)
        there.server.face.person(receipt.number, status="in_progress", note="I look into it", assignee="Ines Martin")
        record = await there.backend.read(receipt.number)
        (ticket,) = there.server.face.tickets()
    assert record is not None
    assert (record.number, record.reference, record.status) == (receipt.number, REFERENCE, ticket.status)
    if Can.NOTES_BACK not in kind.lacks:
        assert any("I look into it" in note.text for note in record.notes)


@all_kinds(Can.CHANGES)
@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
async def test_what_changed_since_is_told_whole_however_it_is_paged(kind: Kind, shuffled: bool) -> None:  # noqa: FBT001
    async with world(kind) as there:
        numbers = [(await there.opened(reference=f"REF{number:03}", id=number)).number for number in range(1, 24)]
        since = there.server.clock.advance(minutes=10)
        there.server.page, there.server.shuffled = 5, shuffled
        changed = numbers[3:18]
        for number in changed:
            there.server.clock.advance(seconds=2)
            there.server.face.person(number, status="in_progress")
        records = await there.backend.changes(since)
    found = [record.number for record in records]
    assert len(found) == len(set(found)), "each once"
    if not shuffled:
        assert set(changed) <= set(found) <= set(numbers)
    assert {record.reference for record in records} <= {f"REF{number:03}" for number in range(1, 24)}


@all_kinds(Can.CHANGES)
async def test_times_are_compared_in_the_zone_they_are_meant_in(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        moment = there.server.clock.advance(minutes=10)
        there.server.face.person(receipt.number, status="in_progress")
        there.server.clock.advance(hours=3)
        before = await there.backend.changes(moment - timedelta(minutes=1))
        after = await there.backend.changes(moment + timedelta(minutes=2))
    assert [record.number for record in before] == [receipt.number]
    assert before[0].changed_at is not None
    assert abs(before[0].changed_at - moment) <= timedelta(minutes=1)
    assert after == []


@all_kinds(Can.HOOK)
async def test_its_webhook_names_the_ticket_that_changed(kind: Kind) -> None:
    async with world(kind) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="in_progress")
        headers, body = there.server.face.hook(receipt.number)
    payload = Payload(body=body, headers={name.lower(): value for name, value in headers.items()})
    if kind.believed is not None:
        assert [(one.reference, one.status) for one in kind.believed(payload)] == [(REFERENCE, "in_progress")]
    else:
        assert kind.heard is not None, f"kind {kind.name} says that it can HOOK and has no `heard`"
        assert {receipt.number, REFERENCE} & set(kind.heard(payload))


@all_kinds(Can.CHECK)
async def test_a_check_finds_everything_in_order_and_changes_nothing(kind: Kind) -> None:
    async with world(kind) as there:
        findings = await there.backend.check()
        assert not there.server.face.tickets()
        assert {seen.method for seen in there.server.seen} <= {"GET", "HEAD", "OPTIONS", "POST"}
    assert findings
    assert [finding for finding in findings if finding.level == Level.ERROR] == []


# --- all of it at once --------------------------------------------------------------------------------------------------

WEATHER = {
    "ok": 7,
    "failed": 0.3,
    "lost": 0.4,
    "half": 0.3,
    "garbage": 0.3,
    "wrong": 0.3,
    "malformed": 0.3,
    "busy": 0.3,
    "limited": 0.2,
    "dropped": 0.3,
    "down": 0.3,
}
"""Three requests in ten go wrong."""


@KINDS
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_through_any_weather_there_is_one_ticket_for_each_and_all_end_as_told(kind: Kind, seed: int) -> None:
    dice = random.Random(seed)
    async with world(kind) as there:
        there.server.plan.faults = {
            Behaviour(name): weight for name, weight in WEATHER.items() if Behaviour(name) not in face(kind).CANNOT
        }
        there.server.plan._dice = random.Random(seed)
        references = [f"R{seed}{number:04}" for number in range(12)]
        ends: dict[str, str] = {}
        for number, reference in enumerate(references):
            receipt = await there.tell(delivery(number="", reference=reference, id=number * 10), tries=60)
            steps = dice.sample(["update", "note", "close"], dice.randint(1, 3))
            steps = [step for step in ("update", "note", "close") if step in steps]
            for offset, step in enumerate(steps, 1):
                if Can(step) in kind.lacks if step != "update" else Can.IMPACT in kind.lacks:
                    continue
                one = told(step, receipt.number, reference=reference, id=number * 10 + offset)
                await there.tell(one, tries=60)
                ends[reference] = step
        tickets = there.server.face.tickets()
    assert sorted(ticket.reference for ticket in tickets) == references
    for ticket in tickets:
        assert (ticket.status == "closed") == (ends.get(ticket.reference) == "close")
        if Can.NOTES_BACK not in kind.lacks and Can.NOTE not in kind.lacks:
            marks = [note.rpartition("(tocsin ")[2] for note in ticket.notes if "(tocsin " in note]
            assert len(marks) == len(set(marks)), "a note stands twice"
            assert marks == sorted(marks), "the order of deliveries is kept"


# --- secrets ---------------------------------------------------------------------------------------------------------------


@KINDS
async def test_no_secret_is_in_anything_that_is_said(kind: Kind) -> None:
    secrets = [secret.decode().strip() for secret in face(kind).SECRETS.values()]
    async with world(kind) as there:
        receipt = await there.opened()
        for behaviour in Behaviour:
            if behaviour in face(kind).CANNOT or behaviour in (Behaviour.SLOW, Behaviour.LATE):
                continue
            for does in Does:
                there.server.plan.scripts.pop(does, None)
                there.server.script(does, behaviour, behaviour)
                await there.attempt(in_doubt(reference="LATER"))
                await there.attempt(told("close", receipt.number))
                there.server.plan.scripts.pop(does, None)
        said = "\n".join([*there.said, repr(there.backend), repr(there.outside), str(vars(there.backend).keys())])
    assert secrets or kind.name in ("command", "email"), "a kind without any secret proves nothing"
    for secret in secrets:
        assert secret not in said


@KINDS
async def test_a_token_that_is_refused_is_renewed_once_within_the_attempt(kind: Kind) -> None:
    if not getattr(face(kind), "RENEWS", False):
        pytest.skip("its credentials do not change")
    async with world(kind) as there:
        await there.opened()
        there.server.script(Does.CREATE, Behaviour.UNAUTHORIZED)
        receipt = await there.attempt(delivery(number="", reference="SECOND"))
        assert isinstance(receipt, Receipt)
        there.server.script(Does.CREATE, Behaviour.UNAUTHORIZED, Behaviour.UNAUTHORIZED)
        error = await there.attempt(delivery(number="", reference="THIRD"))
        assert isinstance(error, DeliveryError)
        assert error.stops
        assert len(there.server.face.tickets()) == 2


def test_what_a_system_cannot_do_is_explained() -> None:
    for kind in REMOTE:
        assert all(kind.lacks.values()), f"{kind.name}: say why"
        assert kind.status, f"{kind.name}: its docstring needs a STATUS line"
        assert (kind.heard is None and kind.believed is None) == (Can.HOOK in kind.lacks)
        assert kind.believed is None or Can.READ in kind.lacks, f"{kind.name}: what can be read is read, not believed"
        if Can.REOPEN not in kind.lacks:
            assert Can.CLOSE not in kind.lacks


def test_every_action_is_in_the_kit() -> None:
    assert {action.value for action in DeliveryAction} == {"open", "update", "note", "close", "reopen"}

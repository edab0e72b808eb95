"""Dead deliveries: sent again, dropped, edited, each with a note; and never a second ticket."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from house import Clock, Road, alert, opened, rows
from tocsin import timers
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Receipt, Severity, Status
from tocsin.store import dead, deliveries
from tocsin.store.dead import By, NoSuchDeliveryError, NotPossibleError
from tocsin.store.deliveries import Outcome, Retries
from tocsin.store.editing import FIELDS, EditError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tocsin.model import Delivery
    from tocsin.store import Store

BY = By("Night shift", "the queue is there now")
BACKENDS = ("remote", "other", "desk")
REFUSED = DeliveryError(Reason.REFUSED, "no such queue", retry=False)
LOST = DeliveryError(Reason.NO_ANSWER, "no answer", retry=False)
SEVERITIES = (Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)
RULES = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, major: severe, else: degraded}
    close: {after: 15m}
    reopen: 24h
    ticket:
      name: {en: 'Disk of {{ element.name }}', fr: 'Disque de {{ element.name }}'}
fallback: {action: record}
"""


class Desk:
    """A store whose deliveries are claimed and settled by hand."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.road = Road(store, Clock(), RULES)

    async def fires(self, severity: Severity = Severity.MINOR) -> None:
        await self.road.take(alert(severity=severity))

    async def resolves(self) -> None:
        await self.road.take(alert(status=Status.RESOLVED))

    async def claim(self, backend: str = "remote") -> list[Delivery]:
        return await self.store.run(lambda tx: deliveries.claim(tx, backend, 9, Retries(), self.road.clock.now))

    async def settle(self, delivery: Delivery, outcome: Outcome) -> Delivery:
        return await self.store.run(lambda tx: deliveries.settle(tx, delivery, outcome, Retries(), self.road.clock.now))

    async def sends(self, number: str = "T1", backend: str = "remote") -> Delivery:
        (delivery,) = await self.claim(backend)
        return await self.settle(delivery, Outcome(receipt=Receipt(number=number)))

    async def fails(self, error: DeliveryError = REFUSED) -> Delivery:
        (delivery,) = await self.claim()
        return await self.settle(delivery, Outcome(error=error))

    async def resend(self, number: int = 1) -> tuple[Delivery, bool]:
        return await self.store.run(lambda tx: dead.resend(tx, number, BY, BACKENDS, self.road.clock.now))

    async def drop(self, number: int = 1) -> tuple[int, ...]:
        return await self.store.run(lambda tx: dead.drop(tx, number, BY, self.road.clock.now))

    async def edit(self, number: int = 1, **changes: Any) -> Delivery:
        named = {name.replace("__", "."): value for name, value in changes.items()}
        return await self.store.run(lambda tx: dead.edit(tx, number, named, BY, BACKENDS, self.road.clock.now))

    async def states(self) -> list[tuple[Any, ...]]:
        return list(await rows(self.store, "select id, action, state from deliveries order by id"))

    async def note(self, kind: str) -> dict[str, str]:
        found = await rows(self.store, "select kind, actor, text from notes")
        ((_, actor, text),) = [note for note in found if note[0] == kind]
        assert actor == BY.actor
        said: dict[str, str] = json.loads(text)
        assert all(BY.reason in sentence for sentence in said.values())
        assert set(said) == {"en", "fr"}
        return said


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    async with opened(folder, backend="remote") as store:
        yield Desk(store)


async def refused_open(told: Desk) -> None:
    """A ticket system that refused to open, and an update that waits for it."""
    await told.fires()
    opening = await told.claim()
    await told.fires(Severity.CRITICAL)
    await told.settle(opening[0], Outcome(error=REFUSED))
    assert await told.states() == [(1, "open", "dead"), (2, "update", "pending")]


async def refused_update(told: Desk) -> None:
    await told.fires()
    await told.sends()
    await told.fires(Severity.MAJOR)
    await told.fails()
    assert await told.states() == [(1, "open", "sent"), (2, "update", "dead")]


async def test_an_open_that_is_dead_when_the_problem_is_over_leaves_no_ticket_behind(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        await told.resolves()
        told.road.clock.passes(minutes=15)
        await told.store.run(lambda tx: timers.tick(tx, told.road.clock.now))
        assert {state for _, _, state in await told.states()} == {"cancelled"}
        assert await rows(told.store, "select state, declared from incidents") == [("closed", 0)]


async def test_what_is_sent_again_after_long_is_tried_for_long_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        busy = DeliveryError(Reason.UNAVAILABLE, "busy", retry=True)
        (delivery,) = await told.claim()
        told.road.clock.passes(days=8)
        assert (await told.settle(replace(delivery, attempts=10), Outcome(error=busy))).state == "dead"
        await told.resend()
        assert (await told.fails(busy)).state == "pending"
    async with desk(tmp_path) as told:  # also after a start
        told.road.clock.passes(days=9)
        (delivery,) = await told.claim()
        told.road.clock.passes(days=6)
        assert (await told.settle(delivery, Outcome(error=busy))).state == "dead"


# --- a backend that is gone ------------------------------------------------------------------------------------------


async def test_what_waits_for_a_backend_that_is_gone_is_a_persons_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        (opening,) = await told.claim()
        await told.resolves()

        async def strand(*known: str) -> dict[str, int]:
            return await told.store.run(lambda tx: dead.strand(tx, known, told.road.clock.now))

        assert await strand("remote", "other") == {}
        assert await strand("other") == {"remote": 1}
        assert await strand("other") == {}, "once"
        doubts = "select id, action, state, uncertain from deliveries order by id"
        assert await rows(told.store, doubts) == [(opening.id, "open", "dead", 1), (2, "update", "pending", 0)]
        await told.resend()
        assert [one.action for one in await told.claim()] == ["open"]


async def test_of_a_ticket_that_stands_everything_is_a_persons_when_its_backend_is_gone(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        await told.sends()
        await told.fires(Severity.CRITICAL)
        assert await told.store.run(lambda tx: dead.strand(tx, ("other",), told.road.clock.now)) == {"remote": 1}
        assert await told.states() == [(1, "open", "sent"), (2, "update", "dead")]
        assert not told.store.live.unsent.waits(1), "pruning need not wait for it"
        await told.resolves()  # what comes later is a person's, too
        assert await told.store.run(lambda tx: dead.strand(tx, ("other",), told.road.clock.now)) == {"remote": 1}


# --- sending again ---------------------------------------------------------------------------------------------------


async def test_a_resent_open_is_told_and_then_what_waited_for_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        assert await told.claim() == []
        again, as_note = await told.resend()
        assert (again.state, as_note) == ("pending", False)
        assert (await told.sends()).action == "open"
        assert (await told.sends()).action == "update"
        assert (
            "Delivery 1 (open, remote) is sent again by Night shift: the queue is there now."
            in (await told.note("resent"))["en"]
        )


async def test_a_resent_open_is_no_first_attempt_so_it_is_looked_up(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        await told.fails(LOST)
        await told.resend()
        (again,) = await told.claim()
        assert (again.attempts, again.uncertain) == (2, True)


async def test_a_resent_update_goes_out_before_newer_ones_that_wait(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        await told.fires(Severity.CRITICAL)
        await told.resend(2)
        assert [(await told.sends()).id, (await told.sends()).id] == [2, 3]


async def test_facts_that_newer_ones_have_overtaken_are_not_told_again_only_their_notes(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        await told.fires(Severity.CRITICAL)
        await told.sends()
        again, as_note = await told.resend(2)
        assert (as_note, again.action, again.body.action, again.body.impact) == (True, "note", "note", "interrupted")
        assert "severely degraded" in again.body.notes[0]["en"]
        assert "as a note" in (await told.note("resent"))["en"]


async def test_facts_that_newer_ones_may_have_overtaken_are_not_told_again_either(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        await told.fires(Severity.CRITICAL)
        await told.fails(DeliveryError(Reason.NO_ANSWER, "no answer", retry=True))
        assert (await told.resend(2))[1]


async def test_what_is_being_told_newer_is_waited_for(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        await told.fires(Severity.CRITICAL)
        await told.claim()
        with pytest.raises(NotPossibleError, match="try again in a moment"):
            await told.resend(2)


async def test_what_was_resent_waits_after_a_restart_too(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        await told.resend()
    async with desk(tmp_path) as told:
        assert [one.action for one in await told.claim()] == ["open"]


# --- dropping --------------------------------------------------------------------------------------------------------


async def test_with_a_dropped_open_goes_everything_that_waits_for_it_and_nothing_comes_later(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        assert await told.drop() == (1, 2)
        assert await told.states() == [(1, "open", "cancelled"), (2, "update", "cancelled")]
        text = await told.note("dropped")
        assert "No ticket is made there; 1 more dropped with it." in text["en"]
        assert "Aucun ticket" in text["fr"]
        await told.fires(Severity.MAJOR)
        await told.resolves()
        told.road.clock.passes(minutes=15)
        await told.store.run(lambda tx: timers.tick(tx, told.road.clock.now))
        assert len(await told.states()) == 2
        assert await rows(told.store, "select state, declared from incidents") == [("closed", 0)]


async def test_nothing_comes_later_after_a_restart_either(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        await told.drop()
    async with desk(tmp_path) as told:
        await told.fires(Severity.MAJOR)
        assert len(await told.states()) == 2


async def test_the_same_problem_later_is_a_ticket_of_its_own_after_a_drop(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        await told.drop()
        await told.resolves()
        told.road.clock.passes(minutes=15)
        await told.store.run(lambda tx: timers.tick(tx, told.road.clock.now))
        await told.fires()
        (opening,) = await told.claim()
        assert (opening.action, opening.attempts, opening.uncertain) == ("open", 1, False)


async def test_a_dropped_open_that_may_have_been_done_is_looked_for_by_whatever_comes_later(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        await told.fails(LOST)
        reference = (await rows(told.store, "select id from incidents"))[0][0]
        await told.drop()
        assert await rows(told.store, "select state, uncertain from deliveries") == [("cancelled", 1)]
        assert f"look there for {reference}" in (await told.note("dropped"))["en"]
        await told.fires(Severity.CRITICAL)
        (update,) = await told.claim()
        assert (update.action, update.number, update.opened) == ("update", "", False)
        await told.settle(update, Outcome(receipt=Receipt(number="T1", url="https://x/T1")))
        assert await rows(told.store, "select number, url from tickets") == [("T1", "https://x/T1")]
        assert not [one for one in await told.states() if one[1] == "open" and one[2] != "cancelled"]


async def test_a_dropped_update_takes_nothing_with_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        await told.fires(Severity.CRITICAL)
        assert await told.drop(2) == (2,)
        assert (await told.sends()).id == 3


# --- editing ---------------------------------------------------------------------------------------------------------


async def test_an_edited_delivery_says_something_else_when_it_is_resent(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        changed = await told.edit(name__en="Short", name__fr="Court", impact="degraded", element__site="Lyon")
        assert changed.state == "dead"
        assert await told.claim() == []
        await told.resend()
        (opening,) = await told.claim()
        body = opening.body
        assert (body.name, body.impact, body.element.site) == ({"en": "Short", "fr": "Court"}, "degraded", "Lyon")
        assert body.element.reference == "DF1"
        assert "is edited by Night shift, element.site, impact, name.en, name.fr:" in (await told.note("edited"))["en"]


async def test_an_edit_outlives_a_restart(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        await told.edit(impact="severe")
    async with desk(tmp_path) as told:
        await told.resend()
        assert (await told.claim())[0].body.impact == "severe"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "say what to change: backend, name.en"),
        ({"nam.en": "x"}, "nam.en: 'nam.en' is none of .* did you mean 'name.en'"),
        ({"name.de": "x"}, "name.de: .* did you mean 'name.en'"),
        ({"impact": "degradd"}, "impact: 'degradd' is none of none, backup, .* did you mean 'degraded'"),
        ({"impact": ["degraded"]}, "impact: "),
        ({"status": "done"}, "status: 'done' is none of declared"),
        ({"element.criticality": "hi"}, "element.criticality: 'hi' is none of vital"),
        ({"name.en": 7}, "name.*: expected `str`, got `int`"),
        ({"notes": "x"}, "notes: expected `array`, got `str`"),
        ({"opened_at": "soon"}, "opened_at: invalid RFC3339"),
        ({"backend": "itsm"}, "backend: 'itsm' is none of remote, other, desk"),
        ({"backend": 7}, "backend: "),
        ({"reference": "X"}, "reference: the reference of a delivery cannot be edited"),
        ({"action": "note"}, "action: the action of a delivery cannot be edited"),
        ({"incident": "X"}, "incident: the incident of a delivery cannot be edited"),
    ],
)
async def test_an_edit_that_makes_no_sense_changes_nothing(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        before = await rows(told.store, "select * from deliveries")
        with pytest.raises(EditError, match=sentence):
            await told.store.run(lambda tx: dead.edit(tx, 1, changes, BY, BACKENDS, told.road.clock.now))
        assert await rows(told.store, "select * from deliveries") == before
        assert await rows(told.store, "select count(*) from notes where kind = 'edited'") == [(0,)]


def test_every_field_that_can_be_edited_is_named_once() -> None:
    assert len(set(FIELDS)) == len(FIELDS)
    assert {"name.en", "description.fr", "impact", "element.name", "notes", "backend"} <= set(FIELDS)
    assert not {"reference", "action", "incident", "name", "element"} & set(FIELDS)


async def test_a_refused_open_goes_to_another_backend_with_all_that_waits_for_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        assert (await told.edit(backend="other")).backend == "other"
        assert await told.claim() == []
        await told.resend()
        assert await told.claim() == []
        assert (await told.sends("O1", "other")).action == "open"
        await told.fires(Severity.MAJOR)
        assert (await told.sends("O1", "other")).action == "update"
        assert await rows(told.store, "select backend, number from tickets") == [("other", "O1")]
        assert {row[0] for row in await rows(told.store, "select backend from deliveries")} == {"other"}


async def test_where_it_went_is_known_after_a_restart(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        await told.edit(backend="other")
    async with desk(tmp_path) as told:
        await told.fires(Severity.MAJOR)
        await told.resend()
        assert (await told.sends("O1", "other")).action == "open"
        await told.sends("O1", "other")
        await told.fires(Severity.CRITICAL)
        await told.resolves()
        assert await told.claim() == []
        assert (await told.sends("O1", "other")).number == "O1"


async def test_the_desk_takes_a_refused_open_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        assert (await told.edit(backend="desk")).state == "sent"
        assert await told.states() == [(1, "open", "sent"), (2, "update", "sent")]
        ((number, impact),) = await rows(told.store, "select number, impact from desk_tickets")
        assert impact == "interrupted"
        assert await rows(told.store, "select backend, number from tickets") == [("desk", number)]
        await told.fires(Severity.CRITICAL)
        await told.resolves()
        assert await rows(told.store, "select status from desk_tickets") == [("repaired",)]
        assert (await told.road.take(alert()))[0].ticket == number


async def test_what_may_have_been_done_goes_nowhere_else(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        await told.fails(LOST)
        with pytest.raises(NotPossibleError, match="remote may have made a ticket: look there for"):
            await told.edit(backend="other")


async def test_what_tells_of_a_ticket_goes_nowhere_else(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        with pytest.raises(NotPossibleError, match="other has no ticket of"):
            await told.edit(2, backend="other")


# --- what is not dead ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["resend", "drop", "edit"])
async def test_only_what_is_dead_is_moved_by_people(tmp_path: Path, verb: str) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        more = {"impact": "severe"} if verb == "edit" else {}
        for state, move in (("pending", told.claim), ("leased", None)):
            with pytest.raises(NotPossibleError, match=f"delivery 1 is {state}, not dead"):
                await getattr(told, verb)(1, **more)
            if move:
                (delivery,) = await move()
        await told.settle(delivery, Outcome(receipt=Receipt(number="T1")))
        with pytest.raises(NotPossibleError, match="delivery 1 is sent, not dead: it is over"):
            await getattr(told, verb)(1, **more)
        with pytest.raises(NoSuchDeliveryError, match="there is no delivery 99"):
            await getattr(told, verb)(99, **more)


async def test_what_is_for_a_backend_that_is_gone_is_not_resent(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_open(told)
        with pytest.raises(NotPossibleError, match="remote is not in the settings any more"):
            await told.store.run(lambda tx: dead.resend(tx, 1, BY, ("desk",), told.road.clock.now))


# --- what is only informed -------------------------------------------------------------------------------------------

INFORMING = RULES.replace("    close: {after: 15m}\n", "    close: {after: 15m}\n    inform: [other]\n")


@asynccontextmanager
async def informing(folder: Path) -> AsyncIterator[Desk]:
    """A ticket that is declared in `remote`, and an `open` that `other`, which is only informed, has refused."""
    async with desk(folder) as told:
        told.road.change_rules(INFORMING)
        await told.fires()
        await told.sends()
        (opening,) = await told.claim("other")
        await told.settle(opening, Outcome(error=REFUSED))
        yield told


async def test_an_informed_backend_whose_open_was_dropped_is_told_nothing_more(tmp_path: Path) -> None:
    async with informing(tmp_path) as told:
        assert await told.drop(2) == (2,)
        await told.fires(Severity.CRITICAL)
        assert await told.claim("other") == []
        assert (await told.sends()).action == "update"  # whoever has the ticket is told as before
        assert await rows(told.store, "select declared from incidents") == [(1,)]


async def test_what_an_informed_backend_refused_is_resent_and_gets_its_own_number(tmp_path: Path) -> None:
    async with informing(tmp_path) as told:
        await told.resend(2)
        assert (await told.sends("O1", "other")).action == "open"
        await told.fires(Severity.CRITICAL)
        assert ((await told.claim("other"))[0].number, (await told.claim())[0].number) == ("O1", "T1")


@pytest.mark.parametrize("backend", ["remote", "desk"])
async def test_what_an_informed_backend_refused_goes_nowhere_else(tmp_path: Path, backend: str) -> None:
    async with informing(tmp_path) as told:
        with pytest.raises(NotPossibleError, match="other is only informed of"):
            await told.edit(2, backend=backend)


async def test_a_refused_open_does_not_go_where_its_incident_is_told_already(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        told.road.change_rules(INFORMING)
        await told.fires()
        await told.fails()
        with pytest.raises(NotPossibleError, match="other is told of"):
            await told.edit(backend="other")


async def test_an_informed_backend_may_tell_its_number_later(tmp_path: Path) -> None:
    async with informing(tmp_path) as told:
        await told.resend(2)
        await told.sends("", "other")
        reference = (await rows(told.store, "select id from incidents"))[0][0]
        now = told.road.clock.now
        assert await told.store.run(lambda tx: deliveries.numbered(tx, reference, "other", "O1", "", now))
        assert await rows(told.store, "select number from informed") == [("O1",)]
        assert (await told.road.take(alert(severity=Severity.MINOR)))[0].ticket == "T1"


async def test_an_update_that_only_a_note_followed_is_sent_again_with_all_its_facts(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        await told.road.take(alert(fingerprint="f2", severity=Severity.MAJOR))
        assert (await told.sends()).action == "note"
        again, as_note = await told.resend(2)
        assert (again.action, as_note) == ("update", False)


async def test_what_was_being_told_at_a_kill_counts_as_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await refused_update(told)
        await told.fires(Severity.CRITICAL)
        assert [one.action for one in await told.claim()] == ["update"]
    async with desk(tmp_path) as told:
        again, as_note = await told.resend(2)
        assert (again.action, as_note) == ("note", True)


@pytest.mark.parametrize("resent", [False, True], ids=["edited", "edited and sent again"])
async def test_what_a_person_edited_outlives_what_happens_next(tmp_path: Path, *, resent: bool) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        await told.fails()
        await told.edit(name__en="Short enough", element__name="known there")
        if resent:
            await told.resend()
        await told.road.take(alert(fingerprint="f2", severity=Severity.CRITICAL))
        if not resent:
            await told.resend()
        (one,) = await told.claim()
        assert (one.body.name["en"], one.body.element.name) == ("Short enough", "known there")
        assert [state for _, _, state in await told.states()] == ["leased", "pending"], "what is new comes after it"
    async with desk(tmp_path) as told:  # a start forgets nothing of it
        await told.road.take(alert(fingerprint="f3", severity=Severity.CRITICAL))
        assert [len(told.store.live.unsent.of(1, "remote"))] == [2]


async def test_what_a_person_edited_is_taken_back_all_the_same_when_it_is_over(tmp_path: Path) -> None:
    async with desk(tmp_path) as told:
        await told.fires()
        await told.fails()
        await told.edit(name__en="Short enough")
        await told.resend()
        await told.resolves()
        assert [state for _, _, state in await told.states()] == ["cancelled"]

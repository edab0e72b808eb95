from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from tocsin import wording
from tocsin.events import Fired, Resolved, Tick, TicketSeen
from tocsin.lifecycle import advance, ticket_status
from tocsin.live import Firing, Live, Surroundings
from tocsin.model import (
    Action,
    Alert,
    Change,
    ClosedByPerson,
    Decision,
    DeliveryAction,
    Element,
    Flap,
    Impact,
    Incident,
    Policy,
    Severity,
    State,
    Status,
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
PLAIN = Policy()
HELD = Policy(hold=timedelta(minutes=2))


def at(**span: float) -> datetime:
    return T0 + timedelta(**span)


def fired(**facts: object) -> Fired:
    usual = {
        "dedup_key": "DF1/disk",
        "rule": "disk",
        "element": "DF1",
        "impact": Impact.DEGRADED,
        "policy": PLAIN,
        "declarant": "Supervision",
        "what": "disk (web1)",
        "id": "A1",
        "n": 1,
    }
    return Fired(**{**usual, **facts})  # type: ignore[arg-type]


def done(change: Change | None) -> Change:
    assert change is not None
    return change


def opened(**facts: object) -> Incident:
    return done(advance(None, fired(**facts), T0)).incident


def cleared(**facts: object) -> Incident:
    return done(advance(opened(**facts), Resolved(what="disk"), at(minutes=10))).incident


def closed(**facts: object) -> Incident:
    return done(advance(cleared(**facts), Tick(), at(minutes=25))).incident


def kinds(change: Change) -> list[str]:
    return [note.kind for note in change.notes]


def test_an_alert_without_hold_opens_a_ticket_at_once() -> None:
    change = done(advance(None, fired(), T0))
    assert (change.incident.state, change.deliveries, kinds(change)) == (State.OPEN, (OPEN,), ["opened"])


def test_an_alert_with_hold_waits_and_says_so() -> None:
    change = done(advance(None, fired(policy=HELD), T0))
    assert (change.incident.state, change.deliveries) == (State.HELD, ())
    assert change.incident.due_at == at(minutes=2)
    assert "2 min" in change.notes[0].text["en"]


def test_a_resolve_inside_the_hold_ends_with_no_ticket_and_says_so() -> None:
    held = opened(policy=HELD)
    change = done(advance(held, Resolved(what="disk"), at(minutes=1)))
    assert (change.incident.state, change.deliveries, kinds(change)) == (State.CLOSED, (), ["blip"])
    assert not change.incident.declared


def test_a_hold_that_is_over_declares() -> None:
    held = opened(policy=HELD)
    assert advance(held, Tick(), at(seconds=119)) is None
    change = done(advance(held, Tick(), at(minutes=2)))
    assert (change.incident.state, change.deliveries, kinds(change)) == (State.OPEN, (OPEN,), ["declared"])


def test_a_rise_in_impact_halves_what_is_left_of_the_hold() -> None:
    held = opened(policy=HELD)
    change = done(advance(held, fired(policy=HELD, impact=Impact.INTERRUPTED, known=True), at(minutes=1)))
    assert change.incident.due_at == at(minutes=1, seconds=30)  # one minute left, halved
    assert change.deliveries == ()


def test_a_rise_in_impact_takes_the_shorter_hold_of_the_new_impact() -> None:
    held = opened(policy=HELD)
    at_once = replace(HELD, hold=timedelta(0))
    change = done(advance(held, fired(policy=at_once, impact=Impact.INTERRUPTED, known=True), at(minutes=1)))
    assert change.incident.due_at == at(minutes=1)


def test_a_repeat_tells_nobody_anything() -> None:
    assert advance(opened(), fired(known=True), at(minutes=1)) is None


@pytest.mark.parametrize(
    ("impact", "note"), [(Impact.INTERRUPTED, "raised"), (Impact.NONE, "lowered")], ids=["rise", "fall"]
)
def test_another_impact_updates_the_ticket(impact: Impact, note: str) -> None:
    change = done(advance(opened(), fired(impact=impact, known=True), at(minutes=1)))
    assert (change.incident.impact, change.deliveries, kinds(change)) == (impact, (UPDATE,), [note])


def test_while_several_fire_a_lower_one_does_not_lower_the_impact() -> None:
    two = done(advance(opened(), fired(), at(minutes=1))).incident
    assert two.firing == 2
    assert advance(two, fired(impact=Impact.NONE, known=True), at(minutes=2)) is None


def test_another_fingerprint_joins_and_the_ticket_hears_of_it() -> None:
    change = done(advance(opened(), fired(what="disk (web2)"), at(minutes=1)))
    assert (change.incident.firing, change.deliveries, kinds(change)) == (2, (NOTE,), ["joined"])


def test_the_twenty_first_to_join_is_only_counted() -> None:
    crowd = replace(opened(), firing=20)
    change = done(advance(crowd, fired(), at(minutes=1)))
    assert (change.incident.firing, change.deliveries) == (21, ())


def test_it_clears_when_the_last_fingerprint_resolves() -> None:
    two = done(advance(opened(), fired(), at(minutes=1))).incident
    one = done(advance(two, Resolved(what="disk"), at(minutes=2)))
    assert (one.incident.state, one.deliveries) == (State.OPEN, ())
    none = done(advance(one.incident, Resolved(what="disk"), at(minutes=3)))
    assert (none.incident.state, none.deliveries, kinds(none)) == (State.CLEAR, (UPDATE,), ["cleared"])
    assert ticket_status(none.incident) == TicketStatus.REPAIRED


def test_it_closes_only_after_its_quiet_time() -> None:
    clear = cleared()
    assert advance(clear, Tick(), at(minutes=24, seconds=59)) is None
    change = done(advance(clear, Tick(), at(minutes=25)))
    assert (change.incident.state, change.deliveries, kinds(change)) == (State.CLOSED, (CLOSE,), ["closed"])


def test_firing_again_while_clear_takes_the_same_ticket() -> None:
    change = done(advance(cleared(), fired(), at(minutes=20)))
    assert (change.incident.state, change.deliveries, change.incident.due_at) == (State.OPEN, (UPDATE,), None)
    assert change.incident.id == "A1"


def test_a_ticket_that_a_person_touched_gets_a_note_instead_of_being_closed() -> None:
    touched = done(advance(opened(), TicketSeen(actor="Alice"), at(minutes=1))).incident
    clear = done(advance(touched, Resolved(what="disk"), at(minutes=10))).incident
    change = done(advance(clear, Tick(), at(minutes=25)))
    assert (change.incident.state, change.deliveries, kinds(change)) == (State.CLEAR, (NOTE,), ["left"])
    assert advance(change.incident, Tick(), at(days=9)) is None
    over = done(advance(change.incident, TicketSeen(actor="Alice", status=TicketStatus.CLOSED), at(days=10)))
    assert (over.incident.state, over.deliveries) == (State.CLOSED, ())


def test_a_rule_may_close_a_touched_ticket_all_the_same() -> None:
    policy = Policy(unless_touched=False)
    touched = done(advance(opened(policy=policy), TicketSeen(actor="Alice"), at(minutes=1))).incident
    clear = done(advance(touched, Resolved(what="disk"), at(minutes=10))).incident
    assert done(advance(clear, Tick(), at(minutes=25))).deliveries == (CLOSE,)


def test_a_rule_that_never_closes_leaves_the_ticket_repaired() -> None:
    assert cleared(policy=Policy(close_after=None)).due_at is None


def test_within_the_reopen_window_the_same_ticket_is_reopened() -> None:
    change = done(advance(closed(), fired(id="B2", n=2), at(hours=24)))
    assert (change.incident.id, change.incident.state, change.deliveries) == ("A1", State.OPEN, (REOPEN,))


def test_beyond_the_reopen_window_a_new_ticket_links_the_old_one() -> None:
    change = done(advance(closed(), fired(id="B2", n=2), at(hours=24, minutes=25)))
    assert (change.incident.id, change.incident.previous, change.deliveries) == ("B2", "A1", (OPEN,))


def test_after_a_blip_the_next_alert_begins_anew() -> None:
    blip = done(advance(opened(policy=HELD), Resolved(what="disk"), at(minutes=1))).incident
    change = done(advance(blip, fired(policy=HELD, id="B2", n=2), at(minutes=3)))
    assert (change.incident.id, change.incident.previous, change.incident.state) == ("B2", "", State.HELD)


def test_a_resolve_before_the_open_was_sent_takes_it_back() -> None:
    change = done(advance(opened(), Resolved(what="disk", unsent=True), at(minutes=1)))
    assert (change.incident.state, change.deliveries, kinds(change)) == (State.CLOSED, (CLOSE,), ["withdrawn"])
    assert not change.incident.declared


def test_a_person_who_closes_what_still_fires_gets_the_quiet_time_before_it_is_reopened() -> None:
    ended = done(advance(opened(), TicketSeen(actor="Alice", status=TicketStatus.CLOSED), at(minutes=5))).incident
    assert (ended.state, ended.firing) == (State.CLOSED, 1)
    assert advance(ended, fired(known=True), at(minutes=19)) is None
    assert done(advance(ended, fired(known=True), at(minutes=20))).deliveries == (REOPEN,)


SILENT, NEW = Policy(closed_by_person=ClosedByPerson.SILENT), Policy(closed_by_person=ClosedByPerson.NEW)


def closed_by_alice(policy: Policy = PLAIN) -> Incident:
    event = TicketSeen(actor="Alice", status=TicketStatus.CLOSED)
    return done(advance(opened(policy=policy), event, at(minutes=5))).incident


def test_where_the_rule_says_so_nothing_is_said_until_it_has_cleared() -> None:
    ended = closed_by_alice(SILENT)
    assert advance(ended, fired(policy=SILENT, known=True), at(hours=10)) is None
    joined = done(advance(ended, fired(policy=SILENT), at(hours=11)))
    assert (joined.deliveries, joined.notes, joined.incident.firing) == ((), (), 2)
    half = done(advance(joined.incident, Resolved(what="disk"), at(hours=12))).incident
    assert advance(half, fired(policy=SILENT, known=True), at(hours=13)) is None
    over = done(advance(half, Resolved(what="disk"), at(hours=14))).incident
    assert done(advance(over, fired(policy=SILENT), at(hours=15))).deliveries == (REOPEN,), "it is back: that is news"


def test_where_the_rule_says_so_what_fires_on_is_a_new_ticket_that_follows() -> None:
    ended = closed_by_alice(NEW)
    assert advance(ended, fired(policy=NEW, known=True), at(minutes=19)) is None
    change = done(advance(ended, fired(policy=NEW, known=True, id="B2", n=2), at(minutes=20)))
    assert (change.deliveries, change.incident.id, change.incident.previous) == ((OPEN,), "B2", "A1")


def test_where_no_ticket_can_be_opened_again_what_fires_again_is_a_new_one() -> None:
    change = done(advance(closed(), fired(final=True, id="B2", n=2), at(minutes=30)))
    assert (change.deliveries, change.incident.id, change.incident.previous) == ((OPEN,), "B2", "A1")


def test_a_ticket_closed_by_a_person_when_all_was_well_is_reopened_as_any_other() -> None:
    over = done(advance(cleared(policy=SILENT), TicketSeen(actor="Alice", status=TicketStatus.CLOSED), at(minutes=11)))
    assert not over.incident.ended
    assert done(advance(over.incident, fired(policy=SILENT), at(minutes=20))).deliveries == (REOPEN,)


def flap_after(count: int, policy: Policy) -> list[Change]:
    incident, told = opened(policy=policy), []
    for turn in range(count):
        event = Resolved(what="disk") if turn % 2 == 0 else fired(policy=policy)
        change = done(advance(incident, event, at(minutes=turn + 1)))
        incident = change.incident
        told.append(change)
    return told


def test_flapping_is_told_once_and_then_no_more() -> None:
    policy = Policy(flap=Flap(changes=4, within=timedelta(hours=1), quiet=timedelta(minutes=30)))
    told = flap_after(8, policy)
    assert [bool(change.deliveries) for change in told] == [True, True, True, True, False, False, False, False]
    assert told[3].incident.flapping
    assert "4 changes" in told[3].notes[0].text["en"]
    assert all(len(change.notes) == 1 for change in told)


def test_where_a_person_works_flapping_is_a_note_and_those_who_are_informed_get_the_update() -> None:
    policy = Policy(flap=Flap(changes=2, within=timedelta(hours=1), quiet=timedelta(minutes=30)))
    touched = done(advance(opened(policy=policy), TicketSeen(actor="Alice"), at(minutes=1))).incident
    clear = done(advance(touched, Resolved(what="disk"), at(minutes=2)))
    again = done(advance(clear.incident, fired(policy=policy), at(minutes=3)))
    assert again.incident.flapping
    assert [(change.deliveries, change.informs) for change in (clear, again)] == [((NOTE,), (UPDATE,))] * 2


def test_a_flapping_incident_closes_only_after_its_flap_quiet_time() -> None:
    policy = Policy(flap=Flap(changes=3, within=timedelta(hours=1), quiet=timedelta(minutes=30)))
    last = flap_after(3, policy)[-1].incident
    assert (last.state, last.due_at) == (State.CLEAR, at(minutes=33))


def test_flapping_is_over_after_its_quiet_time() -> None:
    policy = Policy(flap=Flap(changes=3, within=timedelta(hours=1), quiet=timedelta(minutes=30)))
    last = flap_after(4, policy)[-1].incident
    assert (last.state, last.flapping) == (State.OPEN, True)
    change = done(advance(last, Resolved(what="disk"), at(minutes=34)))
    assert (change.incident.flapping, change.deliveries) == (False, (UPDATE,))


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=90), "1 min 30 s"),
        (timedelta(hours=26, minutes=3), "1 d 2 h"),
    ],
)
def test_a_span_reads_as_people_write_it(span: timedelta, words: str) -> None:
    assert wording.span(span) == words


POLICIES = st.sampled_from(
    [
        Policy(),
        Policy(hold=timedelta(minutes=2)),
        Policy(close_after=None),
        Policy(reopen=timedelta(0)),
        Policy(flap=Flap(changes=3, within=timedelta(minutes=20), quiet=timedelta(minutes=10))),
        Policy(hold=timedelta(minutes=5), unless_touched=False, close_after=timedelta(minutes=1)),
    ]
)


def decided(key: str, policy: Policy, impact: Impact) -> Decision:
    return Decision(
        action=Action.TICKET,
        rule="r",
        rule_set="h",
        element=Element(reference="DF1", name="web1"),
        impact=impact,
        dedup_key=key,
        policy=policy,
    )


def alert_of(fingerprint: str) -> Alert:
    return Alert(
        source="s",
        fingerprint=fingerprint,
        status=Status.FIRING,
        severity=Severity.MAJOR,
        resource=fingerprint,
        check="disk",
        summary="",
    )


class House(RuleBasedStateMachine):
    """Alerts, resolves, time and people in any order; a ticket system that does what it is told."""

    @initialize(policies=st.fixed_dictionaries({"k1": POLICIES, "k2": POLICIES}))
    def begin(self, policies: dict[str, Policy]) -> None:
        self.live = Live()
        self.now = T0
        self.policies = policies
        self.firing: dict[str, Firing] = {}
        self.closed: dict[str, Incident] = {}
        self.told: dict[str, list[DeliveryAction]] = {}
        self.states: dict[str, State] = {}
        self.last_n = 0
        self.around = Surroundings(closed=self.closed.get, mint=self.mint, declarant="Supervision")

    def mint(self) -> tuple[str, int]:
        self.last_n += 1
        return f"I{self.last_n}", self.last_n

    def heard(self, change: Change | None) -> None:
        if change is None:
            return
        incident = change.incident
        before = self.states.get(incident.id)
        self.states[incident.id] = incident.state
        notes = [note for note in change.notes if note.kind in wording.STATE_NOTES]
        assert len(notes) == (0 if before == incident.state else 1), (before, incident.state, change.notes)
        assert all(set(note.text) == {"en", "fr"} and all(note.text.values()) for note in change.notes)
        self.told.setdefault(incident.id, []).extend(change.deliveries)
        if incident.state == State.CLOSED:
            self.closed[incident.dedup_key] = incident
        self.live.settle()

    @rule(key=st.sampled_from(["k1", "k2"]), name=st.sampled_from("abc"), impact=st.sampled_from(Impact))
    def alert(self, key: str, name: str, impact: Impact) -> None:
        fingerprint = f"{key}{name}"
        firing = self.firing.get(fingerprint)
        here = self.live.by_key.get(key)
        known = firing is not None and here is not None and firing.n == here.incident.n
        opens = sum(told.count(OPEN) for told in self.told.values())
        met = self.live.meet(
            alert_of(fingerprint), firing, decided(key, self.policies[key], impact), 1, self.around, self.now
        )
        self.heard(met.change)
        if known and met.before and met.before.state in (State.HELD, State.OPEN):
            assert sum(told.count(OPEN) for told in self.told.values()) == opens, "a repeat opened a ticket"
        self.heard(met.left)
        self.firing[fingerprint] = Firing(
            source="s",
            fingerprint=fingerprint,
            said=1,
            era=1,
            row=1,
            text=1,
            decision=1,
            n=met.incident.n,
            outcome="folded",
            seen_at=self.now,
        )

    @rule(key=st.sampled_from(["k1", "k2"]), name=st.sampled_from("abc"))
    def resolve(self, key: str, name: str) -> None:
        firing = self.firing.pop(f"{key}{name}", None)
        if firing:
            self.heard(self.live.resolve(firing, firing.fingerprint, self.now))

    @rule(minutes=st.sampled_from([0.5, 1, 3, 10, 16, 60, 60 * 25]))
    def time_passes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)
        for change, _ in self.live.ticked(self.now):
            self.heard(change)

    @rule(
        key=st.sampled_from(["k1", "k2"]), status=st.sampled_from([None, TicketStatus.IN_PROGRESS, TicketStatus.CLOSED])
    )
    def person(self, key: str, status: TicketStatus | None) -> None:
        entry = self.live.by_key.get(key)
        if entry and entry.incident.declared:
            self.heard(self.live.see(entry.incident.n, TicketSeen(actor="Alice", status=status), self.now))

    @rule(key=st.sampled_from(["k1", "k2"]), name=st.sampled_from("abc"))
    def failed_transaction(self, key: str, name: str) -> None:
        """What a transaction that failed did is as if it had never been."""
        before = (dict(self.live.by_key), dict(self.live.by_row), self.live.next_due())
        firing = self.firing.get(f"{key}{name}")
        if firing:
            self.live.resolve(firing, firing.fingerprint, self.now)
        list(self.live.ticked(self.now + timedelta(days=2)))
        self.live.take_back()
        assert (dict(self.live.by_key), dict(self.live.by_row)) == before[:2]
        due = self.live.next_due()
        assert before[2] is None or (due is not None and due <= before[2]), "early, never late"

    @invariant()
    def at_most_one_ticket_for_each_incident(self) -> None:
        for told in getattr(self, "told", {}).values():
            assert told.count(OPEN) <= 1
            assert not told or told[0] == OPEN, f"{told[0]} before the ticket was opened"
            ends = [action for action in told if action in (CLOSE, REOPEN)]
            assert all(a != b or a == REOPEN for a, b in pairwise(ends)), ends

    @invariant()
    def what_fires_is_counted_where_it_fires(self) -> None:
        for entry in self.live.by_row.values() if hasattr(self, "live") else ():
            incident = entry.incident
            assert incident.firing == sum(firing.n == incident.n for firing in self.firing.values())
            assert incident.state != State.CLEAR or incident.firing == 0
            assert incident.state not in (State.HELD, State.OPEN) or incident.firing > 0

    @invariant()
    def at_most_one_live_incident_for_each_key(self) -> None:
        living = (
            [e.incident.dedup_key for e in self.live.by_row.values() if e.incident.state != State.CLOSED]
            if hasattr(self, "live")
            else []
        )
        assert len(living) == len(set(living))

    @invariant()
    def what_waits_has_a_deadline(self) -> None:
        for entry in self.live.by_row.values() if hasattr(self, "live") else ():
            if entry.incident.state == State.HELD:
                assert entry.incident.due_at is not None


TestHouse = House.TestCase
TestHouse.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

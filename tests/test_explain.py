"""Why an alert became a ticket or did not: every reason told in one sentence, from what the store keeps of it."""

from __future__ import annotations

import json
import re
import zlib
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from house import ELEMENTS, RULES, T0, Clock, Road, alert, opened, rows
from tocsin import fleet, intake, rules, timers
from tocsin.cli import app
from tocsin.cli.explaining import Outcome
from tocsin.errors import DeliveryError, Reason
from tocsin.fate import HEARTBEAT
from tocsin.model import Element, Payload, Receipt, Severity, Status, TicketStatus
from tocsin.rules import engine
from tocsin.store import changes, keep
from tocsin.store.deliveries import Outcome as Ended
from tocsin.store.deliveries import Retries, claim, settle
from tocsin.store.pruning import Retention, prune
from tocsin.store.received import MOST, Wanted, receipts
from tocsin.store.rows import micros
from tocsin.store.telling import telling
from tocsin.workbench.explained import Because, Explanation, What
from tocsin.workbench.explaining import NothingError, RuleSets, SeveralError, explain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

    from tocsin.model import Alert
    from tocsin.store import Store, Transaction

BOOK = r"""
rules:
  - id: never
    title: Disks of another team
    match: {check: disk, labels.team: {glob: 'oth*'}}
    element: DF9
    impact: none
  - id: disk
    title: A disk is full
    match: {check: disk, summary: {regex: '(?P<percent>\d+) %'}}
    where: percent|int > 10
    element: {lookup: '{{ resource }}', missing: quarantine, ambiguous: record}
    impact: {by: severity, critical: interrupted, else: degraded}
    flap: {changes: 4, within: 1h, quiet: 30m}
    ticket: {name: {en: 'Disk of {{ element.name }}', fr: 'Disque de {{ element.name }}'}}
  - id: ping
    match: {check: ping}
    element: {lookup: '{{ resource }}', missing: {use: DF9}}
    impact: {table: tables/hosts.csv, by: resource, else: none}
    hold: 2m
  - id: table
    match: {check: table}
    element: {table: tables/hosts.csv, by: resource, missing: record}
    impact: {table: tables/impacts.csv, by: resource}
  - id: team
    match: {check: team}
    element: {lookup: '{{ labels.host }}'}
    impact: degraded
  - id: text
    match: {check: text}
    element: DF1
    impact: degraded
    ticket: {name: '{{ labels.shelf }}'}
  - {id: noise, match: {check: noise}, action: ignore}
fallback: {action: record, reason: nobody asked for it}
"""
TABLES = {
    "tables/hosts.csv": "host;element;impact\nweb1;DF1;severe\n*;DF2;degraded\n",
    "tables/impacts.csv": "host;impact\nweb1;backup\n",
}
DATABASE = Element(reference="DF30", name="Database", aliases=("db*.example.com", "db1.example.com"))
FLEET = fleet.build(
    [*ELEMENTS, DATABASE, *(Element(reference=f"DF2{n}", name="twin", aliases=("twin", "10.0.0.0/8")) for n in (1, 2))]
)


class Street(Road):
    """The road with these rules, and what is explained of it."""

    def __init__(self, store: Store, clock: Clock, folder: Path) -> None:
        super().__init__(store, clock)
        self.folder = folder
        self.rules(BOOK)

    def rules(self, text: str) -> None:
        self.book = intake.Rulebook(rules.build({"10-test.yaml": text, **TABLES}), FLEET, self.book.era + 1)

    async def said(self, **facts: Any) -> intake.Fate:
        (fate,) = await self.take(alert(**{"summary": "95 % full", **facts}))
        return fate

    async def tick(self) -> None:
        await self.store.run(lambda tx: timers.tick(tx, self.clock.now))

    async def deliver(self, outcome: Ended, retries: Retries | None = None) -> None:
        retries, now = retries or Retries(), self.clock.now
        (delivery,) = await self.store.run(lambda tx: claim(tx, "remote", 1, retries, now))
        await self.store.run(lambda tx: settle(tx, delivery, outcome, retries, now))

    def why(self, asked: str | int = 1, **more: Any) -> Explanation:
        with telling(self.folder) as there:
            return explain(there, str(asked), RuleSets(), **more)


@asynccontextmanager
async def street(folder: Path, backend: str = "desk") -> AsyncIterator[Street]:
    async with opened(folder, backend=backend) as store:
        yield Street(store, Clock(), folder)


# --- why there is no ticket ------------------------------------------------------------------------------------------

BY_THE_RULES = [
    ({"check": "other"}, Because.FALLBACK, "no rule matches, and the fallback says record (nobody asked for it)"),
    ({"check": "noise"}, Because.RULE, "rule noise says ignore"),
    (
        {"resource": "web77"},
        Because.MISSING,
        "rule disk matches, but no element of the fleet is called 'web77'; it is in quarantine, and a person must look",
    ),
    (
        {"resource": "twin"},
        Because.AMBIGUOUS,
        "rule disk matches, but 'twin' could be DF21 or DF22; it is only recorded",
    ),
    ({"check": "team"}, Because.TEMPLATE, "rule team matches, but "),
    ({"check": "text"}, Because.TEMPLATE, "rule text matches, but "),
    (
        {"check": "table", "resource": "web2"},
        Because.IMPACT,
        "rule table matches, but tables/impacts.csv has no impact for the resource 'web2'; it is in quarantine",
    ),
    ({"status": Status.RESOLVED}, Because.UNKNOWN, "it says that a problem is over, and nothing fired"),
]


@pytest.mark.parametrize(("facts", "because", "sentence"), BY_THE_RULES, ids=lambda value: str(value)[:40])
async def test_what_the_rules_want_no_ticket_for_is_told_in_one_sentence(
    facts: dict[str, Any], because: Because, sentence: str, tmp_path: Path
) -> None:
    async with street(tmp_path) as road:
        await road.said(**facts)
        found = road.why()
        assert found.verdict.because == because
        assert found.verdict.sentence.startswith(f"No ticket: {sentence}")
        assert found.verdict.ticket == ""
        assert found.doubts == ()


async def test_a_held_alert_is_told_until_when(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(check="ping")
        verdict = road.why().verdict
        assert verdict.because == Because.HELD
        assert verdict.sentence.startswith("No ticket yet: held until 2026-11-23 03:02:00Z, the rule waits 2 min")


async def test_a_blip_is_told_with_how_long_it_was(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        fate = await road.said(check="ping")
        road.clock.passes(seconds=40)
        await road.said(check="ping", status=Status.RESOLVED)
        for asked in (1, 2, fate.incident):
            verdict = road.why(asked).verdict
            assert verdict.because == Because.BLIP
            assert "No ticket: resolved during the hold, after 40 s of 2 min" in verdict.sentence
        assert road.why(fate.incident).incident.life["hold"] == "2 min; it was over before"  # type: ignore[union-attr]


async def test_a_ticket_withdrawn_before_it_was_sent_is_told(tmp_path: Path) -> None:
    async with street(tmp_path, "remote") as road:
        await road.said()
        await road.said(status=Status.RESOLVED)
        verdict = road.why().verdict
        assert verdict.because == Because.WITHDRAWN
        assert verdict.sentence.startswith("No ticket: resolved before the ticket was sent")


async def test_a_ticket_that_was_never_taken_and_is_over_is_told_as_withdrawn(tmp_path: Path) -> None:
    async with street(tmp_path, "remote") as road:
        await road.said()
        retries = Retries()
        (leased,) = await road.store.run(lambda tx: claim(tx, "remote", 1, retries, T0))
        await road.said(status=Status.RESOLVED)
        down = Ended(error=DeliveryError(Reason.UNREACHABLE, "connection refused", retry=True))
        await road.store.run(lambda tx: settle(tx, leased, down, retries, T0))
        road.clock.passes(minutes=15)
        await road.tick()
        assert road.why().verdict.because == Because.WITHDRAWN


async def test_a_ticket_system_that_does_not_answer_is_told_with_its_reason(tmp_path: Path) -> None:
    async with street(tmp_path, "remote") as road:
        await road.said()
        assert "No ticket yet: remote is still to be told" in road.why().verdict.sentence
        down = DeliveryError(Reason.UNREACHABLE, "connection refused", retry=True)
        await road.deliver(Ended(error=down))
        verdict = road.why().verdict
        assert verdict.because == Because.UNSENT
        assert "remote has not taken it in 1 attempt, unreachable: connection refused; tried again" in verdict.sentence


async def test_a_dead_delivery_is_told_with_the_command_that_tries_it_again(tmp_path: Path) -> None:
    async with street(tmp_path, "remote") as road:
        await road.said()
        await road.deliver(Ended(error=DeliveryError(Reason.REFUSED, "no such element", retry=False)))
        verdict = road.why().verdict
        assert verdict.because == Because.DEAD
        assert "remote did not take it, refused: no such element" in verdict.sentence
        assert "`tocsin deliveries resend 1`" in verdict.sentence


async def test_a_rejected_message_is_told_with_its_reason(tmp_path: Path) -> None:
    def reject(tx: Transaction) -> None:
        keep.reject(tx, Payload(body=b"{" * 5000, source="test"), "the body is not JSON", T0)

    async with street(tmp_path) as road:
        await road.store.run(reject)
        found = road.why(1, what=What.REJECTED)
        assert found.verdict.sentence == "No ticket: the message cannot be read: the body is not JSON."
        assert found.rejected is not None
        assert (found.rejected.size, len(found.rejected.begins)) == (5000, 500)


# --- what has a ticket -----------------------------------------------------------------------------------------------


async def test_the_alert_that_began_an_incident_has_the_ticket_and_those_folded_in_point_at_it(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        number = (await road.said()).ticket
        await road.said(fingerprint="f2", summary="97 % full")
        first, second = road.why(1), road.why(2)
        assert (first.verdict.because, first.verdict.ticket) == (Because.TICKET, number)
        assert (second.verdict.because, second.verdict.ticket) == (Because.FOLDED, number)
        assert second.verdict.sentence.startswith("No ticket of its own: folded into incident ")


async def test_a_repeat_points_at_the_decision_that_it_repeats(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        for _ in range(4):
            await road.said()
            road.clock.passes(minutes=1)
        first, last = road.why(1), road.why(4)
        assert first.alert
        assert last.alert
        assert first.decision
        assert last.decision
        assert (first.alert.repeats, first.alert.repeat_of) == (3, 0)
        assert first.alert.last_repeat_at == T0 + timedelta(minutes=3)
        assert last.alert.repeat_of == 1
        assert first.incident
        assert (first.incident.alerts, first.incident.last_seen_at) == (4, T0 + timedelta(minutes=3))
        assert last.verdict.because == Because.FOLDED
        assert last.decision == first.decision


async def test_a_resolve_is_told_by_the_decision_about_what_it_ends(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(labels={"team": "shop"})
        await road.said(status=Status.RESOLVED, summary="fine")
        found = road.why(2)
        assert found.alert
        assert found.decision
        assert found.alert.repeat_of == 1
        assert found.verdict.because == Because.ENDED
        assert [(miss.rule.id, miss.actual) for miss in found.decision.close] == [("never", "shop")]


async def test_a_resolve_of_what_had_no_ticket_gives_the_reason_of_that(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(check="noise")
        await road.said(check="noise", status=Status.RESOLVED)
        sentence = road.why(2).verdict.sentence
        assert sentence == "No ticket: it ends an alert that had none: rule noise says ignore."


async def test_the_decision_is_told_with_its_rule_its_place_and_what_it_chose(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(resource="WEB1.example.com:9100")
        decision = road.why().decision
        assert decision
        assert decision.element
        assert decision.impact
        assert decision.rule_set
        place = decision.rule
        assert (place.id, place.title, place.file) == ("disk", "A disk is full", "10-test.yaml")
        assert BOOK.splitlines()[place.line - 1].strip() == "- id: disk"
        assert decision.captures == {"percent": "95"}
        assert decision.element.reference == "DF1"
        assert decision.element.how == "looked up 'WEB1.example.com:9100' ('{{ resource }}'): its alias web1"
        assert decision.impact.how == "severity 'critical': the case critical"
        assert decision.key == "element=DF1|check=disk"
        assert decision.name == {"en": "Disk of web1", "fr": "Disque de web1"}
        assert decision.rule_set.hash == road.book.rule_set.hash
        (near,) = decision.close
        assert (near.rule.id, near.condition, near.field, near.actual) == (
            "never",
            "labels.team: {glob: 'oth*'}",
            "labels.team",
            "",
        )


@pytest.mark.parametrize(
    ("facts", "element", "impact"),
    [
        ({"severity": Severity.MINOR}, "its alias web1", "severity 'minor': the case else"),
        ({"resource": "db1.example.com"}, "its alias db1.example.com", "severity 'critical': the case critical"),
        ({"resource": "DF1"}, "its reference", "severity 'critical': the case critical"),
        (
            {"check": "ping", "resource": "web77"},
            "which means no one element: the rule uses this one then",
            "resource 'web77': the row * (tables/hosts.csv:3)",
        ),
        (
            {"check": "table"},
            "resource 'web1': the row web1 (tables/hosts.csv:2)",
            "resource 'web1': the row web1 (tables/impacts.csv:2)",
        ),
    ],
)
async def test_element_and_impact_are_told_with_the_name_the_row_or_the_case(
    facts: dict[str, Any], element: str, impact: str, tmp_path: Path
) -> None:
    async with street(tmp_path) as road:
        await road.said(**facts)
        decision = road.why().decision
        assert decision
        assert decision.element
        assert decision.impact
        assert decision.element.how.endswith(element)
        assert decision.impact.how == impact


async def test_candidates_and_a_missing_name_are_told(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(resource="10.1.2.3")
        await road.said(fingerprint="f2", resource="web77")
        both, none = road.why(1).decision, road.why(2).decision
        assert both
        assert both.element
        assert none
        assert none.element
        assert both.element.candidates == ("DF21", "DF22")
        assert none.element.how == "looked up 'web77' ('{{ resource }}')"


async def test_a_condition_that_failed_is_told_with_its_value_and_all_rules_when_asked(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(summary="7 % full", labels={"team": "shop"})
        decision = road.why().decision
        assert decision
        assert [(near.rule.id, near.condition, near.actual) for near in decision.close][:2] == [
            ("never", "labels.team: {glob: 'oth*'}", "shop"),
            ("disk", "where: percent|int > 10", "percent=7"),
        ]
        every = road.why(every=True).decision
        assert every
        assert [near.rule.id for near in every.tried] == ["never", "disk", "ping", "table", "team", "text", "noise"]


# --- the rules of that time ------------------------------------------------------------------------------------------


async def test_an_alert_is_explained_by_the_rules_that_decided_it(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        old = road.book.rule_set
        told = changes.Told(how=changes.How.PROMOTE, who="night shift")
        live = changes.GoesLive(rules=old, count=7, fleet="", elements=9)
        await road.store.run(lambda tx: changes.go_live(tx, live, told, T0 - timedelta(days=1)))
        await road.said()
        road.rules(RULES)
        new = changes.GoesLive(rules=road.book.rule_set, count=3, fleet="", elements=9)
        later = changes.Told(how=changes.How.FILE)
        await road.store.run(lambda tx: changes.go_live(tx, new, later, T0 + timedelta(days=1)))
        decision = road.why().decision
        assert decision
        assert decision.rule_set
        assert decision.rule.title == "A disk is full"
        rule_set = decision.rule_set
        assert (rule_set.hash, rule_set.live, rule_set.problem) == (old.hash, False, "")
        assert (rule_set.live_from, rule_set.who, rule_set.how) == (T0 - timedelta(days=1), "night shift", "promote")


async def test_rules_that_cannot_be_read_any_more_are_said_and_what_was_kept_is_shown(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said()
        await _replace_rules(road, "rules: [{id: disk, matches: {}}]")
        found = road.why()
        assert found.decision
        assert found.decision.rule_set
        assert "matches" in found.decision.rule_set.problem
        assert [(near.rule.id, near.field, near.known) for near in found.decision.close] == [
            ("never", "labels.team", False)
        ]
        assert any("can no longer read" in doubt for doubt in found.doubts)


async def test_a_trace_that_the_engine_does_not_come_to_again_is_said(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said()
        await _replace_rules(road, BOOK.replace("labels.team: {glob: 'oth*'}", "source: elsewhere"))
        found = road.why()
        assert found.decision
        assert [(near.field, near.known) for near in found.decision.close] == [("labels.team", False)]
        assert any("does not come to the stored trace again for never" in doubt for doubt in found.doubts)


async def _replace_rules(road: Street, text: str) -> None:
    files = zlib.compress(msgspec.json.encode({"10-test.yaml": text, **TABLES}))
    await road.store.run(lambda tx: tx._connection.execute("update rule_sets set files = ?", (files,)).rowcount)


# --- incidents -------------------------------------------------------------------------------------------------------


async def test_the_history_of_an_incident_is_in_order_and_says_everything_once(tmp_path: Path) -> None:
    async with street(tmp_path, "remote") as road:
        reference = (await road.said(check="ping")).incident
        road.clock.passes(minutes=1)
        await road.said(check="ping")
        road.clock.passes(minutes=1)
        await road.tick()
        road.clock.passes(seconds=5)
        await road.deliver(Ended(receipt=Receipt(number="T1")))
        road.clock.passes(minutes=1)
        await road.said(check="ping", status=Status.RESOLVED)
        road.clock.passes(minutes=15)
        await road.tick()
        incident = road.why(reference).incident
        assert incident
        assert [(one.what, one.kind) for one in incident.history] == [
            ("alert", "held"),
            ("note", "held"),
            ("note", "declared"),
            ("delivery", "open"),
            ("delivery", "open"),
            ("alert", "resolved"),
            ("note", "cleared"),
            ("delivery", "update"),
            ("note", "closed"),
            ("delivery", "update"),
            ("delivery", "close"),
        ]
        assert incident.life == {
            "hold": "2 min; it was still there afterwards, and declared",
            "flapping": "not looked for",
            "close": "closed at 2026-11-23 03:18:05Z",
            "reopen": "the same problem before 2026-11-24 03:18:05Z reopens it",
        }
        assert road.why("T1").what == What.TICKET
        assert road.why("T1").verdict.sentence == "Ticket T1: declared in remote."


async def test_flapping_touching_and_reopening_are_told(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        fate = await road.said()
        for _ in range(4):
            road.clock.passes(minutes=1)
            await road.said(status=Status.RESOLVED)
            await road.said()
        life = road.why(fate.incident).incident.life  # type: ignore[union-attr]
        assert life["flapping"].startswith("it flaps (5 recent changes; 4 changes within 1 h")
        await road.store.run(lambda tx: _seen(tx, fate.ticket, None))
        life = road.why(fate.incident).incident.life  # type: ignore[union-attr]
        assert life["close"] == "left to people: somebody has worked on the ticket"
        await road.said(status=Status.RESOLVED)
        await road.store.run(lambda tx: _seen(tx, fate.ticket, TicketStatus.CLOSED))
        road.clock.passes(hours=1)
        assert (await road.said()).outcome == "reopened"
        found = road.why(fate.incident)
        assert found.incident
        assert found.incident.life["reopen"].startswith("reopened once so far; ")
        last = road.why("f1")
        assert (last.what, last.verdict.because) == (What.FINGERPRINT, Because.TICKET)
        assert last.verdict.sentence == f"Ticket {fate.ticket}: this alert reopened it."


def _seen(tx: Transaction, number: str, status: TicketStatus | None) -> bool:
    return intake.seen(tx, number, "night shift", status, Receipt(number=number), T0 + timedelta(minutes=5))


async def test_a_long_history_is_told_from_both_ends(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.take(*(alert(fingerprint=f"f{n}", summary="95 % full") for n in range(150)))
        road.clock.passes(minutes=1)
        reference = (await road.said(fingerprint="f200")).incident
        incident = road.why(reference).incident
        assert incident
        assert len(incident.history) == 200
        assert incident.left_out > 0
        assert (incident.history[0].number, incident.history[0].kind) == (1, "opened")
        assert incident.history[-1].at == road.clock.now


# --- what is asked about ---------------------------------------------------------------------------------------------


async def test_a_word_that_means_several_things_is_refused_with_the_ways_to_be_exact(tmp_path: Path) -> None:
    async with street(tmp_path, "remote") as road:
        await road.said()
        await road.deliver(Ended(receipt=Receipt(number="1")))
        with pytest.raises(
            SeveralError, match="1 is the number of an alert and the number of a ticket: add --as alert or"
        ):
            road.why("1")
        assert road.why("1", what=What.ALERT).what == What.ALERT
        assert road.why("1", what=What.TICKET).verdict.ticket == "1"


@pytest.mark.parametrize("asked", ["99", "nothing", "", "\uff19", "9" * 40, "%", "\x1b[2J"])
async def test_a_word_that_means_nothing_is_told_what_was_tried(asked: str, tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said()
        with pytest.raises(
            NothingError, match="is not the number of an alert, the reference of an incident, the number"
        ):
            road.why(asked)
        with pytest.raises(NothingError, match="is not the number of a rejected message"):
            road.why(asked, what=What.REJECTED)


async def test_a_fingerprint_that_fires_no_more_means_its_latest_alert(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(fingerprint="gone", ends_at=T0 + timedelta(minutes=5))
        await road.said(fingerprint="resolved")
        await road.said(fingerprint="resolved", status=Status.RESOLVED)
        road.clock.passes(minutes=10)
        await road.tick()
        await road.said(fingerprint="other")
        assert road.why("gone").alert.number == 1  # type: ignore[union-attr]
        assert road.why("resolved").alert.number == 3  # type: ignore[union-attr]


async def test_an_incident_is_found_however_its_reference_is_written(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        reference = (await road.said()).incident
        assert road.why(f" {reference.lower()} ").incident.reference == reference  # type: ignore[union-attr]


# --- what is no longer kept ------------------------------------------------------------------------------------------


async def test_what_was_pruned_is_said_and_the_rest_is_told(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        reference = (await road.said()).incident
        await road.said(status=Status.RESOLVED)
        road.clock.passes(days=100)
        await road.tick()
        await road.store.run(timers.write_counts)
        await road.store.run(lambda tx: prune(tx, Retention(), road.clock.now))
        found = road.why(reference)
        assert found.verdict.because == Because.TICKET
        assert found.incident
        assert found.decision
        assert {one.what for one in found.incident.history} == {"note", "delivery"}
        assert [near.known for near in found.decision.close] == [False]
        assert "the alerts that came in are no longer kept, so its history lacks them" in found.doubts
        with pytest.raises(NothingError, match="no alert is kept yet"):
            road.why(1)


async def test_a_resolve_of_an_alert_that_was_pruned_does_not_pretend_to_know_its_values(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(labels={"team": "shop"})
        road.clock.passes(days=95)
        await road.said(status=Status.RESOLVED, labels={"team": "another"})
        await road.store.run(timers.write_counts)
        await road.store.run(lambda tx: prune(tx, Retention(), road.clock.now))
        found = road.why(2)
        assert found.decision
        assert [(near.actual, near.known) for near in found.decision.close] == [("", False)]
        assert any("what the alert said when it was decided is no longer kept" in doubt for doubt in found.doubts)


async def test_an_alert_whose_decision_and_incident_are_gone_is_still_told(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said()
        await road.said(status=Status.RESOLVED)
        await road.said(fingerprint="f2", check="noise")
        await road.said(fingerprint="f2", check="noise", status=Status.RESOLVED)
        road.clock.passes(days=3)
        await road.tick()
        brief = Retention(alerts=timedelta(days=90), incidents=timedelta(days=1))
        await road.store.run(lambda tx: prune(tx, brief, road.clock.now))
        await road.store.run(lambda tx: prune(tx, brief, road.clock.now + timedelta(days=2)))
        first, ignored = road.why(1), road.why(3)
        assert first.verdict.because == ignored.verdict.because == Because.FORGOTTEN
        assert ignored.verdict.sentence == "It was ignored; why is no longer kept."
        assert first.alert
        assert first.alert.alert
        assert set(first.doubts) >= {"its incident is no longer kept", "what was decided about it is no longer kept"}


# --- properties, sizes -----------------------------------------------------------------------------------------------

FACTS = st.fixed_dictionaries(
    {
        "check": st.sampled_from(["disk", "ping", "table", "team", "text", "noise", "else"]),
        "resource": st.sampled_from(["web1", "web2", "twin", "nobody", ""]),
        "severity": st.sampled_from(list(Severity)),
        "summary": st.sampled_from(["95 % full", "7 % full", "", "no number"]),
        "labels": st.dictionaries(st.sampled_from(["team", "host", "shelf"]), st.sampled_from(["other", "web1", ""])),
    }
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FACTS, min_size=1, max_size=30))
async def test_the_stored_trace_is_what_the_engine_says_again_and_every_alert_has_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, many: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("street")
    async with street(folder) as road:
        said: list[Alert] = [alert(fingerprint=str(n), **facts) for n, facts in enumerate(many)]
        await road.take(*said)
        rule_sets = RuleSets()
        with telling(folder) as there:
            for number, one in enumerate(said, start=1):
                found = explain(there, str(number), rule_sets)
                again = engine.decide(one, road.book.rule_set, FLEET, T0)
                assert found.decision
                assert [(near.rule.id, near.field, near.condition, near.actual) for near in found.decision.close] == [
                    (tried.rule, tried.field, tried.condition, tried.actual) for tried in again.trace
                ]
                assert found.doubts == ()
                assert found.verdict.sentence.startswith(("Ticket ", "No ticket"))
                assert msgspec.json.decode(msgspec.json.encode(found), type=Explanation) == found


async def test_what_repeats_is_kept_once(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(labels={"team": "shop"})
        before = await _sizes(road)
        for _ in range(10):
            await road.take(*[alert(summary="95 % full", labels={"team": "shop"})] * 200)
        repeats = await _sizes(road)
        assert {table for table in before if repeats[table] != before[table]} <= {"alerts", "pages"}
        assert (repeats["alerts"], repeats["pages"] - before["pages"] < 2000 * 60) == (2001, True)
        await road.take(*(alert(fingerprint=f"d{n}", summary="95 % full", labels={"team": "x"}) for n in range(500)))
        distinct = await _sizes(road)
        assert (distinct["traces"], distinct["rule_sets"], distinct["policies"]) == (1, 1, 1)


async def _sizes(road: Street) -> dict[str, int]:
    """Rows of each table, without the pages; and all that is said, in bytes, as `pages`."""
    names = ("alerts", "texts", "bodies", "decisions", "traces", "rule_sets", "policies", "incidents", "notes")
    sizes = {name: (await rows(road.store, f"select count(*) from {name}"))[0][0] for name in names}  # noqa: S608
    used = "select page_size * (page_count - freelist_count) from pragma_page_count, pragma_page_size, pragma_freelist_count"
    return sizes | {"pages": (await rows(road.store, used))[0][0]}


# --- the command line ------------------------------------------------------------------------------------------------


class Desk:
    """Settings beside a store, and the command line pointed at them."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "tocsin.yaml"
        self._config.write_text(json.dumps({"state": str(folder)}), encoding="utf-8")

    def told(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["--config", str(self._config), *arguments])

    def data(self, *arguments: str) -> Any:
        result = self.told(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)


async def test_the_listing_is_newest_first_and_says_what_became_of_each(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        fate = await road.said()
        await road.said()
        await road.said(fingerprint="f2", check="other", source="noisy", resource="Db1.example.com")
    desk = Desk(tmp_path)
    lines = desk.data("alerts")
    assert [(line["number"], line["outcome"], line["repeat"]) for line in lines] == [
        (3, "recorded", False),
        (2, "folded", False),
        (1, "opened", False),
    ]
    assert (lines[2]["ticket"], lines[2]["incident"], lines[2]["rule"]) == (fate.ticket, fate.incident, "disk")
    assert [line["number"] for line in desk.data("alerts", "--source", "noisy")] == [3]
    assert [line["number"] for line in desk.data("alerts", "--resource", "dB1.")] == [3]
    assert [line["number"] for line in desk.data("alerts", "--outcome", "opened")] == [1]
    assert [line["number"] for line in desk.data("alerts", "--before", "3", "--limit", "1")] == [2]
    assert desk.data("alerts", "--before", "1") == []
    assert desk.data("alerts", "--outcome", "rejected") == []
    assert "Db1.example.com" in desk.told("alerts").stdout


async def test_a_listing_that_was_cut_short_says_where_to_go_on(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        await road.said(fingerprint="f2", check="other")
        fill = """with recursive n(i) as (select 2 union all select i + 1 from n where i < ?)
            insert into alerts select i, ? + i, 0, 1, 1, 0, 'recorded', null from n"""
        await road.store.run(lambda tx: tx._connection.execute(fill, (MOST + 11, micros(T0))).rowcount)
        with receipts(tmp_path) as there:
            page = there.alerts(Wanted(source="nobody"))
            assert (page.lines, page.before) == ([], 12)
            assert there.alerts(Wanted(source="nobody", before=page.before)).before == 0
            whole = there.alerts(Wanted(before=3))
            assert ([line.number for line in whole.lines], whole.before) == ([2, 1], 0)


@pytest.mark.parametrize("verb", ["alerts", "explain"])
def test_the_verbs_have_help_with_an_example(verb: str) -> None:
    help_ = CliRunner().invoke(app, [verb, "--help"]).stdout
    assert re.search(rf"Examples?: tocsin {verb}", help_)


def test_every_outcome_can_be_asked_for() -> None:
    kept = [one for one in intake.OUTCOMES if one != HEARTBEAT]  # a heartbeat is no alert, and is not kept
    assert [*Outcome] == kept


async def test_explain_tells_people_everything_and_programs_the_same(tmp_path: Path) -> None:
    async with street(tmp_path) as road:
        fate = await road.said(labels={"team": "shop"})
    desk = Desk(tmp_path)
    told = desk.told("explain", "1", "--all").stdout
    for words in (
        f"Ticket {fate.ticket}: this alert began its incident",
        "disk (10-test.yaml:",
        "A disk is full",
        "never (10-test.yaml:",
        "labels.team = shop",
        "its alias web1",
        "the case critical",
        "percent = 95",
        "none: declared at once",
        "note",
    ):
        assert words in told
    assert "Déclaré" in desk.told("explain", fate.ticket, "--lang", "fr").stdout
    data = desk.data("explain", "1")
    assert msgspec.convert(data, Explanation).verdict.ticket == fate.ticket
    wrong = desk.told("explain", "nothing")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert len(wrong.stderr.splitlines()) == 1


async def test_what_strangers_write_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e 95 % full"
    async with street(tmp_path) as road:
        await road.said(summary=evil, resource=evil, labels={"team": evil}, fingerprint=evil)
        await road.store.run(lambda tx: keep.reject(tx, Payload(body=evil.encode(), source=evil), evil, T0))
    desk = Desk(tmp_path)
    asked = (["alerts"], ["explain", "1", "--all"], ["explain", evil], ["explain", "--as", "rejected", "1"])
    for arguments in (*asked, ["alerts", "--outcome", "rejected"], ["explain", "\x1b[2J"]):
        result = desk.told(*arguments)
        assert not set(result.stdout + result.stderr) & {"\x1b", "\x07", "\u202e"}, arguments

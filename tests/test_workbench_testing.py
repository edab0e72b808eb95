"""The tests that rule files carry: what a time line may hold, what may be expected of it, and what is said when it is not."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from house import T0, Clock, Road, alert, opened, rows, rulebook
from tocsin import fleet, rules, timers
from tocsin.model import Criticality, Impact, Priority, Receipt, Severity, Status
from tocsin.priorities import default_priorities
from tocsin.rules.examples import Down
from tocsin.store.deliveries import Outcome as Attempt
from tocsin.store.deliveries import Retries, claim, settle
from tocsin.workbench import nearest, play, testing
from tocsin.workbench.sending import Sending
from tocsin.workbench.world import World

if TYPE_CHECKING:
    from tocsin.model import Change, Decision
    from tocsin.rules import RuleSet
    from tocsin.store import Store
    from tocsin.workbench.testing import Failure

EXAMPLES = Path(__file__).parents[1]

RULES = """\
rules:
  - id: disk
    match: {check: Disk, severity: [critical, major]}
    where: labels.percent|int > 90
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    close: {after: 15m}
    ticket:
      name: {en: 'Disk of {{ resource }}', fr: 'Disque de {{ resource }}'}
      description: {en: 'At {{ labels.percent }} %', fr: 'À {{ labels.percent }} %'}
  - id: ping
    match: {check: Ping}
    element: {lookup: '{{ resource }}'}
    impact: interrupted
    hold: 10m
    backend: other
  - id: web
    match: {check: Web}
    element: {lookup: '{{ resource }}'}
    impact: degraded
    inform: [noc, partner]
fallback: {action: record, reason: nobody asked}
samples:
  full: {source: nagios, severity: critical, resource: web1, check: Disk, summary: full, labels: {percent: '97'}}
  lost: {source: nagios, severity: critical, resource: web1, check: Ping, summary: lost}
  slow: {source: nagios, severity: critical, resource: web1, check: Web, summary: slow}
"""
FLEET = """\
reference,name,criticality,aliases
DF1,Web server 1,vital,web1
DF2,Web server 2,low,web2
"""
KEY = "element=DF1|check=Disk"


@pytest.fixture(scope="module")
def elements(tmp_path_factory: pytest.TempPathFactory) -> fleet.Fleet:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "elements.csv").write_text(FLEET, encoding="utf-8")
    return fleet.load(folder)


def rule_set(test: str, **files: str) -> RuleSet:
    body = indent(dedent(test).strip(), "    ")
    return rules.build({"a.yaml": f"{RULES}tests:\n  - name: x\n{body}\n"} | files)


def failures(elements: fleet.Fleet, test: str, **files: str) -> tuple[Failure, ...]:
    """What fails in one test, given by its keys without the name."""
    made = rule_set(test, **files)
    return testing.run(made.tests[0], made, elements).failures


def said(elements: fleet.Fleet, alerts: str, expect: str, *more: str) -> list[str]:
    lines = "\n".join([f"alerts: {alerts}", f"expect: {expect}", *more])
    return [f"{one.what}: expected {one.expected}, came {one.came}" for one in failures(elements, lines)]


# --- each kind of expectation, met and not met -----------------------------------------------------------------------

FULL = "{at: 0s, use: full}"
OVER = "{at: 5m, use: full, status: resolved}"


@pytest.mark.parametrize(
    ("met", "unmet", "what"),
    [
        ("tickets: 1", "tickets: 2", "tickets: expected 2, came 1"),
        ("deliveries: [open]", "deliveries: [open, close]", "deliveries: expected [open, close], came [open]"),
        ("waiting: 0", "waiting: 1", "waiting: expected 1, came 0"),
        ("state: open", "state: closed", "state: expected closed, came open"),
        ("action: ticket", "action: record", "action: expected record, came ticket"),
        ("rule: disk", "rule: ping", "rule: expected ping, came disk"),
        ("element: DF1", "element: DF2", "element: expected DF2, came DF1"),
        ("impact: interrupted", "impact: none", "impact: expected none, came interrupted"),
        ("priority: P1", "priority: P4", "priority: expected P4, came P1"),
        ("backend: desk", "backend: other", "backend: expected other, came desk"),
        ("inform: []", "inform: [noc]", "inform: expected [noc], came []"),
        ("informed: {}", "informed: {noc: [open]}", "informed: expected {noc: [open]}, came {}"),
        (f"key: {KEY}", "key: element=DF1", f"key: expected element=DF1, came {KEY}"),
        ("name: Disk of web1", "name: Disk", "name in en: expected 'Disk', came 'Disk of web1'"),
        ("name: {fr: Disque de web1}", "name: {fr: x}", "name in fr: expected 'x', came 'Disque de web1'"),
        ("description: 97", "description: '12'", "description in en: expected to hold '12', came 'At 97 %'"),
        ("notes: 1", "notes: 2", "notes: expected 2, came 1: Disk (web1). Declared."),
        (
            "notes: declared",
            "notes: closed",
            "notes: expected one that holds 'closed', came Disk (web1). Declared.",
        ),
        (
            "notes: [Disk]",
            "notes: [Disk, Disk]",
            "notes: expected one that holds 'Disk' after 'Disk', came Disk (web1). Declared.",
        ),
        ("notes: Déclaré", "notes: Clos", "notes: expected one that holds 'Clos', came Disk (web1). Declared."),
        ("because: declared", "because: held", "because: expected 'held', came Disk (web1). Declared."),
    ],
)
def test_each_expectation_is_met_or_says_what_came(elements: fleet.Fleet, met: str, unmet: str, what: str) -> None:
    met = met.replace("description: 97", "description: '97'")
    assert said(elements, f"[{FULL}]", f"{{at: 1m, {met}}}") == []
    assert said(elements, f"[{FULL}]", f"{{at: 1m, {unmet}}}") == [what]


@pytest.mark.parametrize(
    ("alerts", "because"),
    [
        ("[{at: 0s, use: full, severity: minor}]", "nobody asked"),
        ("[{at: 0s, use: full, resource: web9}]", "no element of the fleet is called 'web9'"),
        ("[{at: 0s, use: lost}, {at: 1m, use: lost, status: resolved}]", "resolved during the hold"),
        ("[{at: 0s, use: full, status: resolved}]", "nothing fires under the fingerprint nagios:web1:Disk"),
    ],
)
def test_what_makes_no_ticket_says_why(elements: fleet.Fleet, alerts: str, because: str) -> None:
    assert said(elements, alerts, f"{{at: 1h, tickets: 0, because: {because!r}}}") == []
    (red,) = said(elements, alerts, "{at: 1h, because: some other reason}")
    assert because in red


def test_a_fact_that_is_not_there_came_as_nothing_with_the_reason(elements: fleet.Fleet) -> None:
    alerts = "[{at: 0s, use: full, resource: web9}]"
    reason = "nothing (no element of the fleet is called 'web9')"
    assert said(elements, alerts, "{at: 1m, element: DF1, priority: P1, key: x}") == [
        f"element: expected DF1, came {reason}",
        f"priority: expected P1, came {reason}",
        f"key: expected x, came {reason}",
    ]


def test_priorities_and_the_default_backend_are_those_of_the_settings(elements: fleet.Fleet) -> None:
    test = "alerts: [{at: 0s, use: full}]\ndown: [{backend: mine, from: 0s, to: 1h}]\nexpect: {at: 2h, priority: P4, tickets: 1}"
    made = rule_set(test + "\n")
    table = {impact: dict.fromkeys(Criticality, Priority.P4) for impact in Impact}
    ticketing = testing.Ticketing(default_backend="mine", priorities=table)
    assert testing.run(made.tests[0], made, elements, ticketing).failures == ()
    assert default_priorities()[Impact.INTERRUPTED][Criticality.VITAL] == Priority.P1
    assert [one.what for one in testing.run(made.tests[0], made, elements).failures] == ["priority"]


# --- ticket systems that are down ------------------------------------------------------------------------------------

ALL_DOWN = "down: [{from: 0s, to: 1h}]"
AGAIN = "{at: 6m, use: full}"
WORSE = "{at: 10m, use: full, severity: major}"


@pytest.mark.parametrize(
    ("alerts", "expect"),
    [
        (f"[{FULL}]", "[{at: 30m, tickets: 0, waiting: 1, deliveries: []}, {at: 1h, tickets: 1, waiting: 0}]"),
        (f"[{FULL}, {OVER}]", "{at: 2h, tickets: 0, deliveries: [], because: before the ticket was sent}"),
        (f"[{FULL}, {OVER}, {AGAIN}]", "{at: 2h, tickets: 1, deliveries: [open]}"),
        (f"[{FULL}, {WORSE}]", "[{at: 30m, waiting: 1}, {at: 1h, deliveries: [open], impact: degraded}]"),
        (
            f"[{FULL}, {{at: 5m, use: full, resource: web2}}]",
            "[{at: 30m, waiting: 2}, {at: 1h, deliveries: [open, open]}]",
        ),
        (
            "[{at: 0s, use: full}, {at: 61m, use: full, status: resolved}]",
            "[{at: 61m, deliveries: [open, update]}, {at: 2h, deliveries: [open, update, close], state: closed}]",
        ),
    ],
)
def test_what_waits_for_a_ticket_system_folds_or_is_withdrawn(elements: fleet.Fleet, alerts: str, expect: str) -> None:
    assert said(elements, alerts, expect, ALL_DOWN) == []


@pytest.mark.parametrize(("backend", "opened_by"), [("other", 1), ("desk", 1), ("third", 2)])
def test_only_the_ticket_system_that_is_named_is_down(elements: fleet.Fleet, backend: str, opened_by: int) -> None:
    alerts = "[{at: 0s, use: full}, {at: 0s, use: lost}]"
    down = f"down: [{{backend: {backend}, from: 0s, to: 1h}}]"
    assert said(elements, alerts, f"[{{at: 30m, tickets: {opened_by}}}, {{at: 1h, tickets: 2}}]", down) == []


SLOW, FINE = "{at: 0s, use: slow}", "{at: 5m, use: slow, status: resolved}"


def test_the_informed_are_told_the_same_and_count_as_no_ticket(elements: fleet.Fleet) -> None:
    told = "informed: {noc: [open, update, close], partner: [open, update, close]}"
    expect = f"{{at: 1h, tickets: 1, deliveries: [open, update, close], inform: [partner, noc], {told}}}"
    assert said(elements, f"[{SLOW}, {FINE}]", expect) == []


def test_the_informed_hear_the_end_once_where_a_person_works_on_the_ticket(elements: fleet.Fleet) -> None:
    told = "informed: {noc: [open, update], partner: [open, update]}"
    expect = f"{{at: 6m, deliveries: [open, note], {told}}}"
    assert said(elements, f"[{SLOW}, {FINE}]", expect, "people: [{at: 2m}]") == []


def test_an_informed_one_that_is_down_holds_nobody_up(elements: fleet.Fleet) -> None:
    down = "down: [{backend: noc, from: 1m, to: 2h}]"
    told = "informed: {{noc: {0}, partner: [open, update, close]}}"
    before = f"{{at: 1h, waiting: 1, deliveries: [open, update, close], {told.format('[open]')}}}"
    after = f"{{at: 2h, waiting: 0, {told.format('[open, close]')}}}"
    assert said(elements, f"[{SLOW}, {FINE}]", f"[{before}, {after}]", down) == []


def test_an_informed_one_that_never_heard_of_it_hears_of_it_when_it_is_back(elements: fleet.Fleet) -> None:
    down = "down: [{backend: noc, from: 0s, to: 30m}]"
    told = "informed: {noc: [open], partner: [open, update, close, reopen]}"
    expect = f"[{{at: 29m, informed: {{partner: [open, update, close]}}}}, {{at: 1h, {told}}}]"
    assert said(elements, f"[{SLOW}, {FINE}, {{at: 40m, use: slow}}]", expect, down) == []


def test_what_waited_goes_out_with_the_highest_impact_first() -> None:
    book = rulebook(SERVED)
    down = Down.model_validate({"from": "0s", "to": "1h", "backend": OUTER})
    sending: Told

    def hear(change: Change, decision: Decision, now: datetime) -> None:
        sending.tell(change, decision, now)

    world = World(book.rule_set, book.fleet, hear)
    sending = Told(world.live.unsent, [down], T0, OUTER)
    world.take(alert(fingerprint="a", severity=Severity.MINOR), T0)
    world.take(alert(fingerprint="b", resource="web2"), T0)
    sending.come_round(T0 + timedelta(hours=1))
    assert [(n, backend) for n, backend, _ in sending.told if backend == OUTER] == [(2, OUTER), (1, OUTER)]


def test_a_close_takes_back_what_was_not_sent_before_it(elements: fleet.Fleet) -> None:
    alerts = f"[{FULL}, {OVER}]"
    down = "down: [{from: 1m, to: 1h}]"
    assert said(elements, alerts, "[{at: 59m, waiting: 1}, {at: 1h, deliveries: [open, close]}]", down) == []


def test_a_person_can_only_work_on_a_ticket_that_is_there(elements: fleet.Fleet) -> None:
    people = "people: [{at: 10m, actor: someone}]"
    expect = "{at: 30m, tickets: 0, because: there is no ticket that someone could work on}"
    assert said(elements, f"[{FULL}]", expect, ALL_DOWN, people) == []
    assert said(elements, f"[{FULL}]", "{at: 30m, notes: Taken up by someone}", people) == []


def test_a_ticket_that_a_person_closed_is_told_nothing_more(elements: fleet.Fleet) -> None:
    people = "people: [{at: 1m, status: closed}]"
    assert said(elements, f"[{FULL}, {OVER}]", "{at: 1d, deliveries: [open], state: closed}", people) == []


# --- clocks that jump and services that are stopped ------------------------------------------------------------------


def test_what_falls_due_while_the_clock_jumps_falls_due_where_it_lands(elements: fleet.Fleet) -> None:
    alerts = "[{at: 0s, use: lost}]"
    expect = "[{at: 5m, state: held}, {at: 3h, tickets: 1, notes: [Waiting 10 min, Declared]}]"
    assert said(elements, alerts, expect, "clock: [{at: 5m, jumps: 175m}]") == []


def test_a_close_comes_as_late_as_the_clock_jumps(elements: fleet.Fleet) -> None:
    alerts = f"[{FULL}, {OVER}]"
    jump = "clock: [{at: 10m, jumps: 50m}]"
    assert said(elements, alerts, "[{at: 10m, state: clear}, {at: 1h, notes: Quiet for 55 min}]", jump) == []
    assert said(elements, alerts, "{at: 1h, notes: Quiet for 15 min}") == []


def test_what_is_sent_to_a_stopped_service_arrives_when_it_is_back(elements: fleet.Fleet) -> None:
    alerts = "[{at: 0s, use: lost}, {at: 20m, use: full}]"
    expect = (
        "[{at: 30m, tickets: 0, state: held, rule: ping}, {at: 1h, tickets: 2, rule: disk, deliveries: [open, open]}]"
    )
    assert said(elements, alerts, expect, "stopped: [{from: 5m, to: 1h}]") == []


def test_a_resolve_that_a_stopped_service_missed_comes_after_the_hold_is_over(elements: fleet.Fleet) -> None:
    alerts = "[{at: 0s, use: lost}, {at: 8m, use: lost, status: resolved}]"
    assert said(elements, alerts, "{at: 1h, tickets: 0}") == []
    assert said(elements, alerts, "{at: 1h, tickets: 1}", "stopped: [{from: 5m, to: 30m}]") == []


def test_a_ticket_system_that_is_back_while_nothing_runs_is_told_afterwards(elements: fleet.Fleet) -> None:
    more = ("down: [{from: 0s, to: 20m}]", "clock: [{at: 10m, jumps: 50m}]")
    assert said(elements, f"[{FULL}]", "[{at: 10m, tickets: 0}, {at: 1h, tickets: 1}]", *more) == []


# --- payloads --------------------------------------------------------------------------------------------------------

EVENT = '{"mc_host": "web1", "mc_parameter": "Disk", "severity": "CRITICAL", "percent": "95"}'


@pytest.mark.parametrize(
    "payload",
    [
        "{kind: truesight, file: payloads/event.json}",
        f"{{kind: truesight, body: {EVENT!r}}}",
        "{kind: truesight, body: {mc_host: web1, mc_parameter: Disk, severity: CRITICAL, percent: '95'}}",
    ],
)
def test_a_payload_is_read_by_the_parser_of_its_source(elements: fleet.Fleet, payload: str) -> None:
    made = rule_set(
        f"alerts: [{{at: 0s, payload: {payload}}}]\nexpect: {{at: 1m, tickets: 1, description: At 95 %}}",
        **{"payloads/event.json": EVENT},
    )
    assert testing.run(made.tests[0], made, elements).failures == ()
    (step,) = made.tests[0].steps
    assert (step.alert.source, step.alert.labels["mc_host"]) == ("truesight", "web1")


def test_all_alerts_of_a_payload_arrive(elements: fleet.Fleet) -> None:
    two = "[{resource: web1, check: Disk, severity: major, labels: {percent: 99}}, {resource: web2, check: x, status: resolved}]"
    alerts = f"[{{at: 0s, payload: {{kind: generic, source: mine, body: {two}}}}}]"
    assert said(elements, alerts, "{at: 1m, tickets: 1, because: nothing fires under}") == []


def test_a_payload_that_says_until_when_it_fires_expires(elements: fleet.Fleet) -> None:
    body = "{resource: web1, check: Disk, severity: critical, labels: {percent: 99}, ends_at: '2026-11-23T08:10:00Z'}"
    lines = f"begins: 2026-11-23T08:00:00Z\nalerts: [{{at: 0s, payload: {{kind: generic, body: {body}}}}}]\n"
    assert failures(elements, lines + "expect: [{at: 9m, state: open}, {at: 11m, state: clear}]") == ()


# --- what is said of a failure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alert", "expect", "trace"),
    [
        ("use: full", "tickets: 0", "disk (a.yaml:2) matched Disk (web1); last note: Disk (web1). Declared."),
        ("use: full, severity: minor", "tickets: 1", "no rule matched; the nearest is disk (a.yaml:2): severity: [critical, major] met 'minor'"),
        ("use: full, labels: {percent: '3'}", "tickets: 1", "no rule matched; the nearest is disk (a.yaml:2): where: labels.percent|int > 90 met false"),
        ("use: lost", "rule: disk", "disk (a.yaml:2) did not match: check: Disk met 'Ping'; ping decided"),
        ("use: full, resource: web9", "tickets: 1", "disk (a.yaml:2) matched Disk (web9); no element of the fleet is called 'web9'"),
        ("use: full, status: resolved", "tickets: 1", "nothing fires under the fingerprint nagios:web1:Disk"),
    ],
)  # fmt: skip
def test_a_failure_says_which_rule_decided_or_came_nearest(
    elements: fleet.Fleet, alert: str, expect: str, trace: str
) -> None:
    (red,) = failures(elements, f"alerts: [{{at: 0s, {alert}}}]\nexpect: {{at: 90s, {expect}}}")
    assert red.trace == trace
    assert (red.moment, red.file) == ("1m30s", "a.yaml")


def test_check_raises_every_failure_with_the_place_of_its_expectation(elements: fleet.Fleet) -> None:
    test = "alerts: [{at: 0s, use: full}]\nexpect:\n  - {at: 1m, tickets: 1}\n  - {at: 2m, tickets: 2, state: held}"
    with pytest.raises(rules.RulesError) as caught:
        testing.check(rule_set(test), elements)
    first, second = map(str, caught.value.problems)
    last = "(disk (a.yaml:2) matched Disk (web1); last note: Disk (web1). Declared.)"
    assert first == f'a.yaml:32: test "x" at 2m: tickets: expected 2, came 1 {last}'
    assert second == f'a.yaml:32: test "x" at 2m: state: expected held, came open {last}'


def test_tests_of_a_rule_set_cannot_disturb_one_another(elements: fleet.Fleet) -> None:
    made = rule_set("alerts: [{at: 0s, use: full}]\nexpect: {at: 1m, tickets: 1, notes: 1}")
    first, second = (testing.run(made.tests[0], made, elements) for _ in range(2))
    assert first == second


def test_a_test_is_decided_once_for_each_alert_that_says_something_new() -> None:
    """500 tests run in about half a second: what they cost is what they decide, and repeats are not decided again."""
    made = rules.load(EXAMPLES / "rules")
    elements = fleet.load(EXAMPLES / "config" / "fleet")
    steps = sum(len(test.steps) for test in made.tests)
    decided = sum(len(testing.run(test, made, elements).decided) for test in made.tests)
    assert steps / 2 < decided < steps


# --- the same as in the service --------------------------------------------------------------------------------------

SERVED = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    close: {after: 15m}
    reopen: 1h
    flap: {changes: 3, within: 1h, quiet: 20m}
    inform: [second]
  - id: ping
    match: {check: ping}
    element: {lookup: '{{ resource }}'}
    impact: interrupted
    hold: 2m
fallback: {action: record}
"""
OUTER, SECOND = "outer", "second"
ALERTS = st.builds(
    alert,
    fingerprint=st.sampled_from(["a", "b"]),
    status=st.sampled_from([Status.FIRING, Status.FIRING, Status.RESOLVED]),
    severity=st.sampled_from([Severity.CRITICAL, Severity.MINOR]),
    resource=st.sampled_from(["web1", "web2"]),
    check=st.sampled_from(["disk", "ping"]),
)
LINES = st.lists(st.tuples(st.sampled_from([1, 45, 130, 1000]), ALERTS), min_size=1, max_size=15)
OUTAGES = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(1, 2500), st.sampled_from([None, OUTER, SECOND])).map(
        lambda drawn: Down.model_validate(
            {"from": f"{drawn[0]}s", "to": f"{drawn[0] + drawn[1]}s"} | ({"backend": drawn[2]} if drawn[2] else {})
        )
    ),
    max_size=3,
)
Sent = tuple[int, str, str]
"""An incident, a backend, and what that was told of it."""


def moments(line: list[tuple[int, Any]], down: list[Down]) -> list[tuple[datetime, Any]]:
    """Each alert at its time, and None where a ticket system is up again."""
    at, events = T0, []
    for wait, one in line:
        at += timedelta(seconds=wait)
        events.append((at, one))
    ends: list[tuple[datetime, Any]] = [(T0 + each.to, None) for each in down]
    return sorted([*ends, *events, (at + timedelta(days=1), None)], key=lambda event: (event[0], event[1] is not None))


async def serve(line: list[tuple[int, Any]], down: list[Down]) -> list[Sent]:
    """What the outbox of the real store sends, incident by incident, to backends that are not reached meanwhile."""
    clock = Clock()
    sent: list[Sent] = []
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder), backend=OUTER) as store:
            road = Road(store, clock, SERVED)
            for at, one in moments(line, down):
                while (due := store.live.next_due()) is not None and due <= at:
                    clock.now = max(clock.now, due)
                    await store.run(lambda tx, due=due: timers.tick(tx, due))
                    await deliver(store, down, clock.now, sent)
                clock.now = at
                if one:
                    await road.take(one)
                await deliver(store, down, at, sent)
            numbers = {found[0]: found[1] for found in await rows(store, "select id, incident from deliveries")}
    return sorted(((numbers[number], *told) for number, *told in sent), key=lambda one: one[:2])


async def deliver(store: Store, down: list[Down], now: datetime, sent: list[Sent]) -> None:
    for backend in (OUTER, SECOND):
        if not any(each.since <= now - T0 < each.to and each.backend in (None, backend) for each in down):
            await deliver_to(store, backend, now, sent)


async def deliver_to(store: Store, backend: str, now: datetime, sent: list[Sent]) -> None:
    retries = Retries()
    while leased := await store.run(lambda tx: claim(tx, backend, 9, retries, now)):
        for one in leased:
            sent.append((one.id, backend, one.action.value))
            answer = Attempt(receipt=Receipt(number=f"T{one.incident}"))
            await store.run(lambda tx, one=one, answer=answer: settle(tx, one, answer, retries, now))


def pretend(line: list[tuple[int, Any]], down: list[Down]) -> list[Sent]:
    """The same in a world of the workbench."""
    book = rulebook(SERVED)
    sending: Told

    def hear(change: Change, decision: Decision, now: datetime) -> None:
        sending.tell(change, decision, now)

    world = World(book.rule_set, book.fleet, hear, ticketing=testing.Ticketing(default_backend=OUTER))
    sending = Told(world.live.unsent, down, T0, OUTER)
    for at, one in moments(line, down):
        world.pass_time(at)
        if one:
            world.take(one, at)
        else:
            sending.come_round(at)
    return sorted(sending.told, key=lambda one: one[:2])


class Told(Sending):
    """What was sent, with the incident it was about."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.told: list[Sent] = []

    def _send(self, n: int, backend: str, action: Any) -> None:
        super()._send(n, backend, action)
        self.told.append((n, backend, action.value))


@settings(max_examples=30)
@given(LINES, OUTAGES)
def test_deliveries_wait_and_fold_as_in_the_service(line: list[tuple[int, Any]], down: list[Down]) -> None:
    assert pretend(line, down) == asyncio.run(serve(line, down))


def test_everything_at_one_moment_has_its_turn() -> None:
    made = rule_set("alerts: [{at: 1m, use: full}]\npeople: [{at: 1m}]\nexpect: {at: 1m, tickets: 1}")
    assert [turn for _, turn, _ in play.score(made.tests[0])] == [0, 1, 2]


def test_notes_are_those_of_the_latest_incident(elements: fleet.Fleet) -> None:
    alerts = "[{at: 0s, use: full}, {at: 1m, use: full, resource: web2}]"
    assert said(elements, alerts, "{at: 2m, notes: 1}") == []
    assert len(said(elements, alerts, "{at: 2m, notes: 2}")) == 1


def test_of_rules_that_are_as_near_the_last_one_is_told() -> None:
    one = "  - {{id: {0}, match: {{severity: {1}}}, action: ignore}}\n"
    made = rules.build(
        {"a.yaml": "rules:\n" + one.format("a", "info") + one.format("b", "minor") + "fallback: {action: record}"}
    )
    tried = nearest.nearest(alert(), made, T0)
    assert tried is not None
    assert tried.rule == "b"

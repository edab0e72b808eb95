from __future__ import annotations

import asyncio
import hashlib
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import histories
from house import T0, Clock, Road, alert, opened, rulebook
from tocsin import fleet, intake, rules
from tocsin.errors import SettingsError, StoreError
from tocsin.model import Receipt, Severity, Status, TicketStatus
from tocsin.store.history import Arrival, Span, Touched, history
from tocsin.workbench.replay import Cancelled, Job, Run, budget, report
from tocsin.workbench.replay.comparison import CANDIDATE, LADDER, LIVE, Comparison
from tocsin.workbench.replay.result import Kind, Point
from tocsin.workbench.replay.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tocsin.model import Alert
    from tocsin.store.history import Event
    from tocsin.workbench.replay import Result

FLEET = rulebook().fleet
RULES = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    close: {after: 15m}
    ticket: {name: {en: 'Disk of {{ element.name }}', fr: 'Disque de {{ element.name }}'}}
fallback: {action: record}
"""
HOUR = timedelta(hours=1)


def at(minutes: float, **facts: Any) -> tuple[float, Alert]:
    return minutes, alert(**facts)


def arrivals(*timed: tuple[float, Alert]) -> list[Event]:
    return [
        Arrival(row=row, at=T0 + timedelta(minutes=minutes), text=row, alert=one)
        for row, (minutes, one) in enumerate(timed, 1)
    ]


def replayed(events: Sequence[Event], live: str, candidate: str, until: timedelta = timedelta(days=3)) -> Result:
    comparison = Comparison()
    hashes = []
    for number, text in ((LIVE, live), (CANDIDATE, candidate)):
        rule_set = rules.build({"10.yaml": text})
        hashes.append(rule_set.hash)
        for batch in Side(rule_set, FLEET).play(events, T0 + until, every=3):
            comparison.add(number, batch)
    return comparison.result(T0, T0 + until, (hashes[0], hashes[1]), len(events))


BLIP = arrivals(at(0), at(4, status=Status.RESOLVED))
LASTING = arrivals(at(0), at(30), at(60, status=Status.RESOLVED))

CHANGES = {
    "a rule that no longer matches": (RULES.replace("check: disk", "check: disc"), BLIP, {Kind.VANISHES: 1}),
    "a hold that a blip does not outlast": (f"defaults: {{hold: 5m}}{RULES}", BLIP, {Kind.VANISHES: 1}),
    "a hold that the problem outlasts": (f"defaults: {{hold: 5m}}{RULES}", LASTING, {Kind.LATER: 1}),
    "another element": (
        RULES.replace("{lookup: '{{ resource }}'}", "DF2"),
        LASTING,
        {Kind.ELEMENT: 1, Kind.KEY: 1, Kind.TEXT: 1},
    ),
    "another impact": (RULES.replace("interrupted", "severe"), LASTING, {Kind.IMPACT: 1}),
    "another key": (RULES.replace("    close:", "    key: [check]\n    close:"), LASTING, {Kind.KEY: 1}),
    "another name in one language": (RULES.replace("Disque de", "Le disque de"), LASTING, {Kind.TEXT: 1}),
    "a longer quiet time": (RULES.replace("15m", "45m"), LASTING, {Kind.CLOSES: 1}),
    "a comment": (f"# nothing{RULES}", LASTING, {}),
}


@pytest.mark.parametrize(("candidate", "events", "kinds"), CHANGES.values(), ids=CHANGES)
def test_a_change_shows_as_what_it_does_to_tickets(candidate: str, events: list[Event], kinds: dict[Kind, int]) -> None:
    assert replayed(events, RULES, candidate).kinds == kinds


@pytest.mark.parametrize(("candidate", "events", "kinds"), CHANGES.values(), ids=CHANGES)
def test_the_other_way_round_a_vanishing_ticket_appears_and_a_later_one_comes_earlier(
    candidate: str, events: list[Event], kinds: dict[Kind, int]
) -> None:
    turned = {Kind.VANISHES: Kind.APPEARS, Kind.LATER: Kind.EARLIER}
    assert replayed(events, candidate, RULES).kinds == {turned.get(kind, kind): count for kind, count in kinds.items()}


def test_a_ticket_that_a_hold_avoided_says_so() -> None:
    (one,) = replayed(BLIP, RULES, f"defaults: {{hold: 5m}}{RULES}").differences
    assert one.live is not None
    assert one.live.declared_at == T0
    assert one.candidate is not None
    assert one.candidate.declared_at is None


def test_a_ticket_that_a_later_alert_declares_is_the_same_one_later() -> None:
    """A blip that the candidate holds back, and then the real thing while the live ticket still stands."""
    events = arrivals(
        at(0, starts_at=T0), at(3, status=Status.RESOLVED), at(10, starts_at=T0), at(60, status=Status.RESOLVED)
    )
    (one,) = replayed(events, RULES, f"defaults: {{hold: 5m}}{RULES}").differences
    assert one.kinds == (Kind.LATER,)
    assert one.candidate is not None
    assert one.candidate.declared_at == T0 + timedelta(minutes=15)


def test_one_ticket_for_two_hosts_where_there_were_two() -> None:
    events = arrivals(at(0), at(1, fingerprint="f2", resource="web2"))
    result = replayed(events, RULES, RULES.replace("{lookup: '{{ resource }}'}", "DF1"))
    assert (result.live.tickets, result.candidate.tickets) == (2, 1)
    assert result.kinds == {Kind.VANISHES: 1}


def test_a_ticket_that_a_person_closed_is_closed_on_both_sides() -> None:
    events = arrivals(at(0), at(30, severity=Severity.MAJOR))
    events.insert(
        1,
        Touched(at=T0 + timedelta(minutes=5), source="test", fingerprint="f1", status=TicketStatus.CLOSED),
    )
    result = replayed(events, RULES, RULES.replace("close: {after: 15m}", "close: {after: 15m}\n    reopen: 1m"))
    assert (result.live.tickets, result.live.reopened) == (1, 1)
    assert (result.candidate.tickets, result.candidate.reopened) == (2, 0)


def test_totals_are_told_by_rule_and_by_hour() -> None:
    events = arrivals(at(0), at(130, fingerprint="f2", resource="web2"), at(131, check="other", fingerprint="f3"))
    result = replayed(
        events,
        RULES,
        RULES.replace("check: disk", "{check: disk, resource: web1}")
        .replace("{{check", "{check")
        .replace("}}", "}", 1),
    )
    assert [(one.rule, one.live, one.candidate, one.differences) for one in result.rules] == [
        ("disk", 2, 1, 1),
        ("fallback", 0, 0, 0),
    ]
    assert [(one.live_alerts, one.candidate_alerts) for one in result.rules] == [(2, 1), (1, 2)]
    assert result.points == [Point(at=T0, live=1, candidate=1), Point(at=T0 + 2 * HOUR, live=1, candidate=0)]


def test_holds_that_would_have_avoided_tickets_are_told() -> None:
    events = arrivals(
        at(0),
        at(4, status=Status.RESOLVED),
        at(50, fingerprint="f2", resource="web2"),
        at(62, fingerprint="f2", resource="web2", status=Status.RESOLVED),
    )
    held = {one.seconds: (one.avoided, one.delayed) for one in replayed(events, RULES, RULES).holds}
    assert held == {60: (0, 2), 120: (0, 2), 300: (1, 1), 600: (1, 1), 900: (2, 0), 1800: (2, 0), 3600: (2, 0)}
    assert tuple(held) == LADDER


@given(st.integers(0, 10_000))
def test_a_rule_set_against_itself_differs_in_nothing(seed: int) -> None:
    events = arrivals(
        *(
            ((when - histories.START) / timedelta(minutes=1), replace(one, resource="web1"))
            for when, one in histories.events(60, seed, 4, HOUR * 12)
        )
    )
    assert replayed(events, histories.RULES, histories.RULES).same


# --- over a real database, in processes ------------------------------------------------------------------------------


def made(folder: Path, count: int) -> Path:
    """A folder with a month of history, rules and a fleet."""

    async def begin() -> None:
        async with opened(folder):
            pass

    asyncio.run(begin())
    histories.fill(folder, count)
    (folder / "fleet").mkdir()
    (folder / "fleet" / "elements.yaml").write_text(histories.FLEET, encoding="utf-8")
    return folder


def job(folder: Path, candidate: str = histories.RULES, live: str = histories.RULES) -> Job:
    return Job(
        history=folder,
        since=histories.START,
        until=histories.START + histories.MONTH * 2,
        live={"10.yaml": live},
        candidate={"10.yaml": candidate},
        live_fleet=folder / "fleet",
        candidate_fleet=folder / "fleet",
    )


def test_a_month_of_200_000_alerts_against_itself_differs_in_nothing(tmp_path: Path) -> None:
    result = Run(job(made(tmp_path, 200_000))).run()
    assert result.alerts == 200_000
    assert result.differences == []
    assert result.kinds == {}
    assert result.live == result.candidate
    assert min(result.live.tickets, result.live.avoided, result.live.reopened) > 20


def contents(folder: Path) -> str:
    return hashlib.sha256((folder / "tocsin.db").read_bytes()).hexdigest()


def test_a_replay_in_processes_finds_what_one_in_here_finds_and_changes_nothing(tmp_path: Path) -> None:
    folder = made(tmp_path, 3000)
    candidate = histories.RULES.replace("hold: 10m", "hold: 2h")
    before = contents(folder)
    run = Run(job(folder, candidate))
    seen: list[float] = []
    run.heard = lambda: seen.append(run.progress or 0)
    result = run.run()
    assert contents(folder) == before
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    comparison = Comparison()
    elements = fleet.build(histories.ELEMENTS)
    with history(folder) as past:
        span = past.span(run._job.since, run._job.until)
        for number, text in ((LIVE, histories.RULES), (CANDIDATE, candidate)):
            for batch in Side(rules.build({"10.yaml": text}), elements).play(past.events(span), run._job.until):
                comparison.add(number, batch)
    here = comparison.result(run._job.since, run._job.until, (result.live_rules, result.candidate_rules), 3000)
    assert result.differing > 10
    assert replace(result, seconds=0) == here


def test_a_run_that_is_cancelled_ends_its_processes(tmp_path: Path) -> None:
    run = Run(job(made(tmp_path, 100_000)))
    run.heard = run.cancel
    with pytest.raises(Cancelled):
        run.run()


def test_a_run_that_is_cancelled_from_elsewhere_ends_soon(tmp_path: Path) -> None:
    run = Run(job(made(tmp_path, 100_000)))
    caught: list[Exception] = []

    def work() -> None:
        try:
            run.run()
        except Cancelled as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    run.cancel()
    thread.join(60)
    assert len(caught) == 1


def test_a_wrong_candidate_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"10\.yaml:1:"):
        Run(job(made(tmp_path, 10), "rules: [{id: x}]")).run()


def test_a_folder_without_a_database_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database yet"):
        Run(job(tmp_path)).run()


def test_what_is_wrong_in_a_process_is_told_here(tmp_path: Path) -> None:
    folder = made(tmp_path, 10)
    (folder / "fleet" / "elements.yaml").write_text("elements: [{reference: 1}]", encoding="utf-8")
    with pytest.raises(StoreError, match=r"elements\.yaml"):
        Run(job(folder)).run()


async def test_the_history_is_what_came_in_with_what_people_did(tmp_path: Path) -> None:
    clock = Clock()
    ends = T0 + timedelta(hours=2)
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        (fate,) = await road.take(alert(ends_at=ends - timedelta(hours=1)))
        clock.passes(minutes=1)
        await road.take(alert(ends_at=ends))
        clock.passes(minutes=1)
        receipt = Receipt(number=fate.ticket, status=TicketStatus.CLOSED)
        await store.run(lambda tx: intake.seen(tx, fate.ticket, "someone", TicketStatus.CLOSED, receipt, clock.now))
        await road.take(alert(status=Status.RESOLVED))
        with history(tmp_path) as past:
            events = list(past.events(past.span(T0, clock.now + HOUR)))
    firing, again, resolved, touched = events
    assert isinstance(firing, Arrival)
    assert isinstance(again, Arrival)
    assert isinstance(resolved, Arrival)
    assert (firing.alert, firing.text, firing.outcome) == (alert(ends_at=ends - timedelta(hours=1)), 1, "opened")
    assert (again.alert, again.text, again.outcome) == (alert(ends_at=ends), 1, "folded")
    assert resolved.alert.status == Status.RESOLVED
    assert touched == Touched(at=clock.now, source="test", fingerprint="f1", status=TicketStatus.CLOSED)


@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [(0, 60, [0, 1, 2, 3]), (1, 3, [1, 2]), (1.5, 60, [2, 3]), (4, 60, []), (-9, 0, []), (2, 2, [])],
)
async def test_a_span_has_what_came_in_from_its_beginning_up_to_its_end(
    since: float, until: float, minutes: list[int], tmp_path: Path
) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        for number in range(4):
            await road.take(alert(fingerprint=f"f{number}"))
            clock.passes(minutes=1)
        with history(tmp_path) as past:
            span = past.span(T0 + timedelta(minutes=since), T0 + timedelta(minutes=until))
            assert [(one.at - T0) / timedelta(minutes=1) for one in past.arrivals(span)] == minutes
            assert span.rows == len(minutes)


def test_an_empty_span_has_no_rows() -> None:
    assert Span(since=T0, until=T0, first=5, last=4, notes=(1, 0)).rows == 0


# --- budgets and the report ------------------------------------------------------------------------------------------


def found(live: int, candidate: int, **kinds: int) -> Result:
    same = replayed([], RULES, RULES)
    return replace(
        same,
        live=replace(same.live, tickets=live),
        candidate=replace(same.candidate, tickets=candidate),
        kinds={Kind(kind): count for kind, count in kinds.items()},
        differing=sum(kinds.values()),
    )


@pytest.mark.parametrize(
    ("text", "result", "over"),
    [
        ("tickets > +5%", found(100, 105), False),
        ("tickets > +5%", found(100, 106), True),
        ("tickets>=+5%", found(100, 105), True),
        ("tickets > +5%", found(100, 50), False),
        ("tickets < -10%", found(100, 89), True),
        ("tickets > +20", found(100, 121), True),
        ("tickets > 120", found(100, 121), True),
        ("tickets > +5%", found(0, 1), True),
        ("tickets > +5%", found(0, 0), False),
        ("vanishes > 0", found(9, 8, vanishes=1), True),
        ("vanishes > 0", found(9, 9), False),
        ("appears > 2%", found(100, 102, appears=2), False),
        ("differences > 2", found(9, 9, text=3), True),
        ("reopened <= 0", found(9, 9), True),
    ],
)
def test_a_budget_says_when_a_difference_is_too_much(text: str, result: Result, over: bool) -> None:  # noqa: FBT001
    assert budget.exceeded(budget.read(text), result) is over


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tickets", "write one such as tickets > +5%"),
        ("tickets == 5", "write one such as"),
        ("tickts > 5", 'did you mean "tickets"'),
        ("vanishes > +5", "has no sign"),
        ("tickets > 5%", "such as tickets > +5%"),
    ],
)
def test_a_text_that_is_no_budget_is_refused_with_one_that_is(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        budget.read(text)
    assert sentence in str(caught.value)


def test_the_report_is_one_page_that_needs_nothing_else_and_believes_no_text() -> None:
    evil = "<script>alert(1)</script>"
    page = report.page(
        replayed(
            arrivals(at(0, resource="web1", check="disk"), at(1, fingerprint="f", summary=evil)),
            RULES.replace("Disk of", f"{evil} of"),
            RULES,
        )
    )
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("&#x2f;", "/")
    assert "<polyline" in page


def test_the_report_of_the_same_rules_says_so() -> None:
    assert "Both rule sets make the same 1 tickets" in report.page(replayed(LASTING, RULES, RULES))


def test_the_plot_goes_by_the_hour_and_over_a_fortnight_by_the_day() -> None:
    points = [Point(at=datetime(2026, 11, 1, 3, tzinfo=UTC), live=3, candidate=1)]
    since = datetime(2026, 11, 1, tzinfo=UTC)
    short, long = (report.plot(points, since, since + timedelta(days=days)) for days in (1, 20))
    assert (short.unit, long.unit) == ("hour", "day")
    assert [mark.text for mark in short.up] == ["0", "2.5", "5"]
    assert len(short.live.split()) == 48
    assert len(long.candidate.split()) == 40


def heights(line: str) -> Iterator[float]:
    return (float(point.split(",")[1]) for point in line.split())


def test_the_plot_is_as_high_as_there_are_tickets() -> None:
    since = datetime(2026, 11, 1, tzinfo=UTC)
    plot = report.plot([Point(at=since, live=5, candidate=0)], since, since + HOUR)
    assert set(heights(plot.live)) == {0.0}
    assert set(heights(plot.candidate)) == {float(report.HEIGHT - report.BOTTOM)}

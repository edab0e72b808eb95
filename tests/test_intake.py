"""The road inside the store: what becomes of alerts, and what is written down about it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from house import RULES, T0, Clock, Road, alert, opened, rows
from tocsin import events, timers
from tocsin.model import Action, Payload, Receipt, Severity, Status, TicketStatus, Unreadable
from tocsin.store import pruning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tocsin.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as store:
        yield store


@pytest.fixture
def road(store: Store) -> Road:
    return Road(store, Clock())


async def ticks(road: Road) -> None:
    await road.store.run(lambda tx: timers.tick(tx, road.clock.now))


async def tickets(store: Store) -> list[tuple[str, str]]:
    return [tuple(row) for row in await rows(store, "select number, status from desk_tickets order by id")]  # type: ignore[misc]


async def test_an_alert_becomes_a_ticket_in_the_desk(road: Road) -> None:
    (fate,) = await road.take(alert())
    assert (fate.outcome, fate.ticket, fate.rule) == ("opened", "2611N00001", "disk")
    found = await rows(
        road.store, "select number, reference, name, element, impact, priority, status, declarant from desk_tickets"
    )
    number, reference, name, *rest = found[0]
    assert (number, reference) == (fate.ticket, fate.incident)
    assert msgspec.json.decode(name) == {"en": "Disk of web1", "fr": "Disque de web1"}
    assert rest == ["DF1", "interrupted", "P1", "declared", "Supervision"]


async def test_the_same_again_folds_in_and_is_only_appended(road: Road) -> None:
    await road.take(alert())
    before = await rows(road.store, "select count(*) from decisions")
    (fate,) = await road.take(alert())
    assert (fate.outcome, fate.ticket) == ("folded", "2611N00001")
    assert await rows(road.store, "select count(*) from decisions") == before
    assert await rows(road.store, "select outcome from alerts order by id") == [("opened",), ("folded",)]
    assert len(await tickets(road.store)) == 1


async def test_resolved_it_clears_and_closes_after_its_quiet_time(road: Road) -> None:
    await road.take(alert())
    road.clock.passes(minutes=5)
    (fate,) = await road.take(alert(status=Status.RESOLVED))
    assert fate.outcome == "resolved"
    assert await tickets(road.store) == [("2611N00001", "repaired")]
    road.clock.passes(minutes=14, seconds=59)
    await ticks(road)
    assert await tickets(road.store) == [("2611N00001", "repaired")]
    road.clock.passes(seconds=1)
    await ticks(road)
    assert await tickets(road.store) == [("2611N00001", "closed")]
    assert not road.store.live.by_row


async def test_a_resolve_of_nothing_is_kept_and_said(road: Road) -> None:
    (fate,) = await road.take(alert(status=Status.RESOLVED))
    assert fate.outcome == "unknown"
    assert await rows(road.store, "select outcome from alerts") == [("unknown",)]


async def test_a_held_alert_has_no_ticket_until_its_hold_is_over(road: Road) -> None:
    (fate,) = await road.take(alert(check="ping"))
    assert (fate.outcome, fate.ticket) == ("held", "")
    assert await tickets(road.store) == []
    road.clock.passes(minutes=2)
    await ticks(road)
    assert await tickets(road.store) == [("2611N00001", "declared")]
    (again,) = await road.take(alert(check="ping"))
    assert again.ticket == "2611N00001"


async def test_a_blip_makes_no_ticket_and_says_why(road: Road) -> None:
    await road.take(alert(check="ping"))
    road.clock.passes(seconds=30)
    await road.take(alert(check="ping", status=Status.RESOLVED))
    road.clock.passes(minutes=10)
    await ticks(road)
    assert await tickets(road.store) == []
    assert await rows(road.store, "select kind from notes order by id") == [("held",), ("blip",)]


async def test_deadlines_survive_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        await Road(store, clock).take(alert(check="ping"))
    clock.passes(minutes=3)
    async with opened(tmp_path) as store:
        await store.run(lambda tx: timers.tick(tx, clock.now))
        assert await tickets(store) == [("2611N00001", "declared")]


async def test_after_a_restart_a_repeat_still_folds_in(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        (first,) = await Road(store, Clock()).take(alert())
    async with opened(tmp_path) as store:
        (second,) = await Road(store, Clock()).take(alert())
        assert (second.outcome, second.incident, second.ticket) == ("folded", first.incident, first.ticket)
        assert await rows(store, "select count(*) from texts") == [(1,)]
        await Road(store, Clock()).take(alert(fingerprint="f2", resource="web2"))
        assert [number for number, _ in await tickets(store)] == ["2611N00001", "2611N00002"]


async def test_counts_are_whole_after_a_crash(tmp_path: Path) -> None:
    """Repeats are only appended; whatever was written down of them before, the sum is right."""
    async with opened(tmp_path) as store:
        road = Road(store, Clock())
        await road.take(alert(), alert(), alert())
        await store.run(timers.write_counts)
        await road.take(alert(), alert())
        await road.take(alert(severity=Severity.MINOR))
        await road.take(alert(severity=Severity.MINOR), alert(severity=Severity.MINOR))
    async with opened(tmp_path) as store:
        (entry,) = store.live.by_row.values()
        assert entry.current().alerts == 8
        await store.run(timers.write_counts)
    async with opened(tmp_path) as store:
        (entry,) = store.live.by_row.values()
        assert entry.current().alerts == 8


async def test_a_worse_severity_raises_the_impact_of_the_same_ticket(road: Road) -> None:
    await road.take(alert(severity=Severity.MINOR))
    (fate,) = await road.take(alert(severity=Severity.CRITICAL))
    assert fate.outcome == "folded"
    assert await rows(road.store, "select impact, priority from desk_tickets") == [("interrupted", "P1")]


async def test_two_names_of_one_element_share_its_ticket(road: Road) -> None:
    await road.take(alert(fingerprint="f1"), alert(fingerprint="f2", resource="DF1"))
    assert len(await tickets(road.store)) == 1
    await road.take(alert(fingerprint="f1", status=Status.RESOLVED))
    assert (await tickets(road.store))[0][1] == "declared"
    await road.take(alert(fingerprint="f2", status=Status.RESOLVED))
    assert (await tickets(road.store))[0][1] == "repaired"


@pytest.mark.parametrize(
    ("facts", "outcome", "reason"),
    [
        ({"check": "noise"}, "ignored", "ignore"),
        ({"check": "unheard of"}, "recorded", "no rule matches"),
        ({"resource": "web77"}, "quarantined", "web77"),
    ],
    ids=["ignored by a rule", "no rule", "no element"],
)
async def test_no_ticket_says_why(road: Road, facts: dict[str, str], outcome: str, reason: str) -> None:
    (fate,) = await road.take(alert(**facts))
    assert fate.outcome == outcome
    assert reason in fate.reason
    (again,) = await road.take(alert(**facts))
    assert again.outcome == outcome
    assert await tickets(road.store) == []
    kept = await rows(road.store, "select action, details from decisions")
    assert len(kept) == 1
    assert reason in kept[0][1]


async def test_a_change_of_rules_decides_again_what_still_fires(road: Road) -> None:
    await road.take(alert(resource="web77"))
    road.change_rules(RULES.replace("{lookup: '{{ resource }}'}", "DF3"))
    (fate,) = await road.take(alert(resource="web77"))
    assert (fate.outcome, fate.ticket) == ("opened", "2611N00001")


async def test_an_alert_that_the_rules_no_longer_want_leaves_its_ticket(road: Road) -> None:
    await road.take(alert())
    road.change_rules(
        RULES.replace("match: {check: noise}", "match: {check: [noise]}").replace("check: disk", "check: other")
    )
    (fate,) = await road.take(alert())
    assert fate.outcome == "recorded"
    assert await tickets(road.store) == [("2611N00001", "repaired")]


async def test_an_alert_that_moves_to_another_element_takes_its_firing_along(road: Road) -> None:
    await road.take(alert(resource="web1"))
    await road.take(alert(resource="web2"))
    assert [status for _, status in await tickets(road.store)] == ["repaired", "declared"]
    await road.take(alert(resource="web2", status=Status.RESOLVED))
    assert [status for _, status in await tickets(road.store)] == ["repaired", "repaired"]


async def test_it_reopens_the_same_ticket_within_the_window_and_links_the_old_one_beyond(road: Road) -> None:
    for hours in (1, 23, 25):
        await road.take(alert())
        await road.take(alert(status=Status.RESOLVED))
        road.clock.passes(minutes=15)
        await ticks(road)
        road.clock.passes(hours=hours)
    (fate,) = await road.take(alert())
    assert (fate.outcome, fate.ticket) == ("opened", "2611N00002")
    found = await rows(road.store, "select number, previous from desk_tickets order by id")
    assert found == [("2611N00001", ""), ("2611N00002", "2611N00001")]


async def test_what_its_source_stops_repeating_is_over(road: Road) -> None:
    for minutes in (0, 3, 3):
        road.clock.passes(minutes=minutes)
        await road.take(alert(ends_at=road.clock.now + timedelta(minutes=4)))
    road.clock.passes(minutes=3, seconds=59)
    await ticks(road)
    assert (await tickets(road.store))[0][1] == "declared"
    road.clock.passes(seconds=2)
    await ticks(road)
    assert (await tickets(road.store))[0][1] == "repaired"


async def test_nothing_expires_because_we_were_down(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await Road(store, Clock()).take(alert(ends_at=T0 - timedelta(days=1) + timedelta(minutes=4, days=1)))
    async with opened(tmp_path) as store:
        await store.run(lambda tx: timers.tick(tx, T0 + timedelta(minutes=3)))
        assert (await tickets(store))[0][1] == "declared"


async def test_a_batch_with_one_bad_entry_loses_none_of_the_others(road: Road) -> None:
    payload = Payload(body=b'["the body"]', source="test")
    from tocsin import intake  # noqa: PLC0415

    taking = intake.Intake(rulebook=road.book, mint=lambda _now: "A1")
    entries = [Unreadable(position=0, problem="no check"), alert()]
    fates = await road.store.run(lambda tx: intake.take(tx, payload, entries, taking, T0))
    assert [fate.outcome for fate in fates] == ["rejected", "opened"]
    assert await rows(road.store, "select reason from rejected") == [("entry 0: no check",)]


async def test_a_person_who_works_on_a_ticket_is_left_to_close_it(road: Road) -> None:
    from tocsin import intake  # noqa: PLC0415

    await road.take(alert())
    receipt = Receipt(number="2611N00001", status=TicketStatus.IN_PROGRESS)
    seen = await road.store.run(
        lambda tx: intake.seen(tx, "2611N00001", "Alice", TicketStatus.IN_PROGRESS, receipt, road.clock.now)
    )
    assert seen
    await road.take(alert(status=Status.RESOLVED))
    road.clock.passes(hours=1)
    await ticks(road)
    assert (await tickets(road.store))[0][1] == "declared"  # the desk's own status is Alice's business
    kinds = [kind for (kind,) in await rows(road.store, "select kind from notes order by id")]
    assert kinds == ["opened", "touched", "cleared", "left"]


async def test_everything_that_happened_is_kept(road: Road) -> None:
    await road.take(alert())
    await road.take(alert(status=Status.RESOLVED))
    road.clock.passes(hours=1)
    await ticks(road)
    counts = {
        table: (await rows(road.store, f"select count(*) from {table}"))[0][0]  # noqa: S608
        for table in (
            "bodies",
            "texts",
            "alerts",
            "decisions",
            "incidents",
            "notes",
            "deliveries",
            "tickets",
            "rule_sets",
        )
    }
    assert counts == {
        "bodies": 2, "texts": 2, "alerts": 2, "decisions": 1, "incidents": 1, "notes": 3, "deliveries": 3, "tickets": 1,
        "rule_sets": 1,
    }  # fmt: skip


async def test_retention_prunes_in_small_batches_and_keeps_what_is_live(road: Road) -> None:
    for number in range(30):
        await road.take(alert(fingerprint=f"f{number}", check="noise"))
        await road.take(alert(fingerprint=f"f{number}", check="noise", status=Status.RESOLVED))
    await road.take(alert())
    await road.store.run(timers.write_counts)
    road.clock.passes(days=91)
    keep = pruning.Retention()
    gone = 1
    while gone:
        gone = await road.store.run(lambda tx: pruning.prune(tx, keep, road.clock.now))
        assert gone <= 7 * pruning.BATCH
    assert await rows(road.store, "select count(*) from alerts") == [(0,)]
    assert await rows(road.store, "select fingerprint from texts") == [("f1",)]
    assert (await road.take(alert()))[0].outcome == "folded"
    assert len(await tickets(road.store)) == 1


async def test_what_is_over_goes_with_everything_that_belongs_to_it(road: Road) -> None:
    await road.take(alert(), alert(fingerprint="f2", resource="web2"), alert(fingerprint="f3", check="else"))
    await road.take(alert(status=Status.RESOLVED))
    road.clock.passes(hours=1)
    await ticks(road)
    await road.store.run(timers.write_counts)
    road.clock.passes(days=401)
    gone = 1
    while gone:
        gone = await road.store.run(lambda tx: pruning.prune(tx, pruning.Retention(), road.clock.now))
    left = {
        table: (await rows(road.store, f"select count(*) from {table}"))[0][0]  # noqa: S608
        for table in (
            "incidents",
            "tickets",
            "desk_tickets",
            "desk_notes",
            "notes",
            "deliveries",
            "firing",
            "texts",
            "alerts",
        )
    }
    # What is left is the incident that still fires, and for a while the words of what was only recorded.
    expected = dict.fromkeys(left, 1) | {"alerts": 0, "texts": 2}
    assert left == expected
    assert len(await rows(road.store, "select 1 from decisions")) == 1


ALERTS = st.builds(
    alert,
    fingerprint=st.sampled_from("abc"),
    status=st.sampled_from(Status),
    severity=st.sampled_from(Severity),
    resource=st.sampled_from(["web1", "web2", "nowhere"]),
    check=st.sampled_from(["disk", "ping", "noise", "else"]),
)
STEPS = st.lists(st.one_of(st.lists(ALERTS, min_size=1, max_size=4), st.integers(1, 40), st.none()), max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_memory_and_database_always_agree(tmp_path_factory: pytest.TempPathFactory, steps: list[object]) -> None:
    """However alerts, time and restarts come: what is read back after a restart is what was in memory."""
    folder, clock = tmp_path_factory.mktemp("agree"), Clock()
    for part in _split(steps):
        async with opened(folder) as store:
            road = Road(store, clock)
            for step in part:
                if isinstance(step, int):
                    clock.passes(minutes=step)
                    await ticks(road)
                else:
                    await road.take(*step)  # type: ignore[misc]
            before = _seen(store)
            doubled = await rows(store, "select dedup_key from incidents where slot = 0 group by 1 having count(*) > 1")
            assert not doubled
            assert await rows(store, "select count(*) from tickets") == await rows(
                store, "select count(*) from desk_tickets"
            )
        async with opened(folder) as store:
            assert _seen(store) == before


def _split(steps: list[object]) -> list[list[object]]:
    parts: list[list[object]] = [[]]
    for step in steps:
        if step is None:
            parts.append([])
        else:
            parts[-1].append(step)
    return parts


def _seen(store: Store) -> tuple[object, object]:
    incidents = {n: entry.current() for n, entry in store.live.by_row.items()}
    firing = {name: (one.n, one.outcome) for fires in store.live.firing.values() for name, one in fires.items()}
    return incidents, firing


def test_a_decision_for_a_ticket_needs_all_its_parts() -> None:
    from tocsin.model import Decision  # noqa: PLC0415

    with pytest.raises(ValueError, match="needs an element"):
        events.fired(
            Decision(action=Action.TICKET, rule="r", rule_set="h"), what="", declarant="", known=False, mint=("", 0)
        )

"""Messages that overtake each other, and sources whose clock is wrong: what becomes of each."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from house import T0, Clock, Road, alert, opened, rows
from tocsin.model import Alert, Payload, Status
from tocsin.overtaken import WINDOW
from tocsin.sources import kinds

if TYPE_CHECKING:
    from pathlib import Path

DAY = 24 * 3600.0


def fires(seconds: float, **facts: Any) -> Alert:
    return alert(said_at=T0 + timedelta(seconds=seconds), **facts)


def ends(seconds: float, **facts: Any) -> Alert:
    return fires(seconds, status=Status.RESOLVED, **facts)


COURSES = [
    pytest.param([fires(0), ends(60)], ["opened", "resolved"], id="in order"),
    pytest.param(
        [fires(0), fires(0), ends(60), ends(60)], ["opened", "folded", "resolved", "unknown"], id="each twice"
    ),
    pytest.param([ends(60), fires(0)], ["unknown", "overtaken"], id="a resolve before its firing"),
    pytest.param(
        [fires(0), ends(60), fires(0)], ["opened", "resolved", "overtaken"], id="an old firing after the resolve"
    ),
    pytest.param(
        [fires(0), fires(120), ends(60)], ["opened", "folded", "overtaken"], id="an old resolve after a new firing"
    ),
    pytest.param(
        [fires(0), ends(60), fires(120), ends(60)], ["opened", "resolved", "folded", "overtaken"], id="twice over"
    ),
    pytest.param([fires(0), fires(60), ends(0)], ["opened", "folded", "resolved"], id="an end that says when it began"),
    pytest.param(
        [fires(0), fires(60), ends(-5)], ["opened", "folded", "resolved"], id="an end older than all that fired"
    ),
    pytest.param(
        [fires(0), ends(60), fires(120), ends(60), ends(180)],
        ["opened", "resolved", "folded", "overtaken", "resolved"],
        id="an end heard before, and the right one",
    ),
    pytest.param([fires(60), fires(0, summary="before")], ["opened", "overtaken"], id="an older word of what fires"),
    pytest.param([fires(0), ends(60), fires(60)], ["opened", "resolved", "folded"], id="again in the same moment"),
    pytest.param(
        [fires(0), ends(60), fires(0, fingerprint="f2")], ["opened", "resolved", "folded"], id="another problem"
    ),
    pytest.param([fires(DAY), ends(60)], ["opened", "resolved"], id="a clock set back by a day, while it fires"),
    pytest.param([fires(DAY), ends(DAY), fires(0)], ["opened", "resolved", "folded"], id="a clock set back by a day"),
    pytest.param(
        [fires(-DAY), ends(0), fires(1), ends(-DAY)],
        ["opened", "resolved", "folded", "resolved"],
        id="a clock set forward by a day, then back",
    ),
    pytest.param(
        [fires(0), alert(status=Status.RESOLVED)], ["opened", "resolved"], id="a resolve that does not say when"
    ),
    pytest.param([fires(0), ends(60), alert()], ["opened", "resolved", "folded"], id="a firing that does not say when"),
]


@pytest.mark.parametrize(("course", "outcomes"), COURSES)
async def test_the_newer_message_counts_whatever_the_order(
    course: list[Alert], outcomes: list[str], tmp_path: Path
) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        told = []
        for one in course:
            clock.passes(seconds=1)
            told += [fate.outcome for fate in await road.take(one)]
        assert told == outcomes
        assert [outcome for (outcome,) in await rows(store, "select outcome from alerts order by id")] == outcomes


async def test_a_message_that_was_overtaken_changes_no_incident_and_leaves_nothing_open(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        await road.take(fires(0))
        await road.take(ends(60))
        before = await rows(store, "select state, alerts, firing from incidents")
        await road.take(fires(0))
        assert await rows(store, "select state, alerts, firing from incidents") == before
        assert await rows(store, "select count(*) from texts where ended_at is null") == [(0,)]


async def test_what_was_said_to_be_over_is_known_again_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        await Road(store, clock).take(fires(0), ends(60))
    async with opened(tmp_path) as store:
        (fate,) = await Road(store, clock).take(fires(0))
    assert fate.outcome == "overtaken"


async def test_when_a_firing_was_said_is_known_again_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        await Road(store, clock).take(fires(0), ends(60), fires(120))
    async with opened(tmp_path) as store:
        fates = await Road(store, clock).take(ends(60), fires(30), ends(180))
    assert [fate.outcome for fate in fates] == ["overtaken", "overtaken", "resolved"]


async def test_an_end_is_remembered_for_an_hour(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        await road.take(fires(0), ends(60))
        clock.now = T0 + WINDOW + timedelta(seconds=1)
        (fate,) = await road.take(fires(0))
    assert fate.outcome in {"opened", "folded", "reopened"}


async def test_what_a_failed_transaction_heard_was_not_heard(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        taking = road.taking(ends(60))

        def failing(tx: Any) -> None:
            taking(tx)
            raise KeyError("a fault")

        with pytest.raises(KeyError):
            await store.run(failing)
        (fate,) = await road.take(fires(0))
    assert fate.outcome == "opened"


async def test_overtaken_alerts_are_no_part_of_a_replay(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        await Road(store, clock).take(ends(60), fires(0))
        arrivals = await store.run(lambda tx: tx.rows("arrivals", (0, 99, 99)))
    assert [row[5] for row in arrivals] == ["unknown"]


async def test_two_problems_under_one_fingerprint_are_told_apart_and_the_later_one_counts(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        fates = await road.take(alert(resource="web1"), alert(resource="web2"))
        assert [fate.outcome for fate in fates] == ["opened", "opened"]
        assert await rows(store, "select element, state, firing from incidents order by n") == [
            ("DF1", "clear", 0),
            ("DF2", "open", 1),
        ]
        (fate,) = await road.take(alert(resource="web1", status=Status.RESOLVED))
        assert (fate.outcome, fate.incident) == ("resolved", fates[1].incident)


@pytest.mark.parametrize(
    ("skew", "firing", "over"),
    [
        (timedelta(), ["recorded"], ["resolved"]),
        (-timedelta(days=1), ["unknown"], ["unknown"]),
        (timedelta(days=1), ["recorded"], ["recorded"]),
    ],
    ids=["right", "a day behind", "a day ahead"],
)
async def test_where_an_end_is_a_moment_the_clock_of_the_platform_counts(
    skew: timedelta, firing: list[str], over: list[str], tmp_path: Path
) -> None:
    """Prometheus has no word for the end of a problem, only `endsAt`."""
    clock, kind = Clock(), kinds()["prometheus"]
    theirs = clock.now + skew
    labels = {"alertname": "Full", "instance": "web9"}
    told = [
        {"labels": labels, "startsAt": (theirs - timedelta(hours=1)).isoformat(), "endsAt": (theirs + ends).isoformat()}
        for ends in (timedelta(minutes=4), timedelta(seconds=-1))
    ]
    async with opened(tmp_path) as store:
        road = Road(store, clock)
        outcomes = []
        for one in told:
            payload = Payload(body=json.dumps([one]).encode(), source="test")
            alerts = [entry for entry in kind.parse(payload, kind.options(), clock.now) if isinstance(entry, Alert)]
            outcomes.append([fate.outcome for fate in await road.take(*alerts)])
    assert outcomes == [firing, over]

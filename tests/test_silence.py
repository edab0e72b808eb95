"""Silence is also a signal: sources that fall silent, heartbeats that stop, and what a restart must not forget."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from door import source
from house import T0, Clock, alert, opened, rows, rulebook
from tocsin.hearing import FORGOTTEN_AFTER, Heard, Hearing
from tocsin.metrics import Metrics
from tocsin.model import Payload, Status
from tocsin.silence import Silence
from tocsin.store.mint import mint
from tocsin.taking import Taking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tocsin.model import Alert
    from tocsin.store import Store

TEN = timedelta(minutes=10)
RULES = """
rules:
  - id: silent
    match: {check: silence}
    element: {lookup: web1}
    impact: degraded
    close: {after: 1m}
    ticket: {name: {en: 'No alerts from {{ source }}', fr: 'Silence de {{ source }}'}}
fallback: {action: record}
"""
WATCHDOG = alert(source="prom", fingerprint="w1", check="Watchdog", resource="cluster-a", labels={"cluster": "a"})


def silent(hearing: Hearing, clock: Clock) -> list[str]:
    return [one.fingerprint.removeprefix("tocsin:") for one in hearing.silences("prom", clock.now) if one.alert]


@pytest.mark.parametrize(
    ("minutes", "heard", "silences"),
    [
        (10, None, []),
        (11, None, ["silence"]),
        (11, 5, []),
        (15, 5, []),
        (16, 5, ["silence"]),
    ],
)
def test_silence_is_measured_from_the_last_word_or_from_the_start(
    minutes: int, heard: int | None, silences: list[str]
) -> None:
    clock = Clock()
    hearing = Hearing({"prom": TEN}, clock.now)
    if heard is not None:
        hearing.spoke("prom", T0 + timedelta(minutes=heard))
    clock.passes(minutes=minutes)
    assert silent(hearing, clock) == silences


def test_nothing_is_expected_of_a_source_unless_the_settings_say() -> None:
    clock = Clock()
    hearing = Hearing({}, clock.now)
    clock.passes(days=9)
    assert list(hearing.silences("prom", clock.now)) == []


def test_each_heartbeat_is_waited_for_on_its_own() -> None:
    clock = Clock()
    hearing = Hearing({"prom": TEN}, clock.now)
    hearing.beat("prom", [WATCHDOG], clock.now)
    clock.passes(minutes=11)
    hearing.spoke("prom", clock.now)
    assert silent(hearing, clock) == ["silence:w1"]
    of_source, of_heartbeat = hearing.silences("prom", clock.now)
    assert of_source.alert is None
    told = of_heartbeat.alert
    assert told is not None
    assert (told.resource, told.check, told.labels["heartbeat"], told.labels["cluster"]) == (
        *("cluster-a", "silence", "Watchdog", "a"),
    )
    assert "has been silent for more than 10 min" in told.summary


def test_a_heartbeat_that_its_platform_says_is_over_is_silent_at_once() -> None:
    clock = Clock()
    hearing = Hearing({"prom": TEN}, clock.now)
    hearing.spoke("prom", clock.now)
    hearing.beat("prom", [alert(source="prom", fingerprint="w1", check="Watchdog", status=Status.RESOLVED)], clock.now)
    assert silent(hearing, clock) == ["silence:w1"]
    hearing.beat("prom", [WATCHDOG], clock.now)
    assert silent(hearing, clock) == []


def test_the_time_nobody_listened_does_not_count() -> None:
    clock = Clock()
    clock.passes(hours=5)
    hearing = Hearing({"prom": TEN}, clock.now)
    hearing.enter([Heard(source="prom", at=T0), Heard(source="prom", fingerprint="w1", at=T0, beat=WATCHDOG)])
    assert silent(hearing, clock) == []
    clock.passes(minutes=11)
    assert silent(hearing, clock) == ["silence", "silence:w1"]


def test_a_heartbeat_taken_down_on_purpose_is_forgotten() -> None:
    clock = Clock()
    hearing = Hearing({"prom": TEN}, clock.now)
    hearing.beat("prom", [WATCHDOG], clock.now)
    clock.now += FORGOTTEN_AFTER + timedelta(seconds=1)
    assert [one.fingerprint for one in hearing.forgotten(clock.now)] == ["w1"]
    assert silent(hearing, clock) == ["silence"]


def test_only_what_is_new_is_written_down() -> None:
    clock = Clock()
    hearing = Hearing({}, clock.now)
    hearing.spoke("prom", clock.now)
    hearing.beat("prom", [WATCHDOG], clock.now)
    assert {one.fingerprint for one in hearing.news()} == {"", "w1"}
    assert hearing.news() == []
    assert hearing.last() == {"prom": T0}


class Ears:
    """Silence around a store, with a clock set by hand."""

    def __init__(self, store: Store, clock: Clock, **facts: Any) -> None:
        self.store = store
        self.clock = clock
        self.source = source("prometheus", "prom", **facts)
        expected = {"prom": facts["expect_every"]} if "expect_every" in facts else {}
        self.hearing = Hearing(expected, clock.now)
        book = rulebook(RULES)
        self.taking = Taking(store, lambda: book, mint(), self.hearing, Metrics("0", "3"))
        self.silence = Silence([self.source], self.hearing, self.taking, store, clock)

    async def hear(self, *alerts: Alert) -> list[str]:
        self.hearing.spoke("prom", self.clock.now)
        payload = Payload(body=b"[]", source="prom")
        return [fate.outcome for fate in await self.taking.take(self.source, payload, alerts, self.clock.now)]

    async def after(self, **span: float) -> list[tuple[Any, ...]]:
        """What the alerts of silence were so far, after so long."""
        self.clock.passes(**span)
        await self.silence.come_round()
        await self.silence.come_round()
        return list(
            await rows(
                self.store,
                "select substr(json_extract(texts.alert, '$.fingerprint'), 8), outcome "
                "from alerts join texts on texts.id = text",
            )
        )


@asynccontextmanager
async def ears(folder: Path, clock: Clock, **facts: Any) -> AsyncIterator[Ears]:
    async with opened(folder) as store:
        listening = Ears(store, clock, **facts)
        await listening.silence.start()
        yield listening
        await listening.silence.write()


async def test_silence_opens_one_ticket_and_a_word_closes_it(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), expect_every=TEN) as it:
        await it.hear()
        assert await it.after(minutes=9) == []
        assert await it.after(minutes=2) == [("silence", "opened")]
        assert await it.after(minutes=30) == [("silence", "opened")]
        await it.hear()
        assert await it.after(seconds=1) == [("silence", "opened"), ("silence", "resolved")]
        assert await rows(it.store, "select count(*), max(name like '%No alerts from prom%') from desk_tickets") == [
            (1, 1)
        ]


async def test_a_silence_does_not_expire_by_itself(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), expect_every=TEN, expire_after=timedelta(minutes=1)) as it:
        await it.after(minutes=11)
        assert next(iter(it.store.live.firing["prom"].values())).expires_at is None


async def test_heartbeats_are_no_alerts(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), expect_every=TEN) as it:
        other = alert(source="prom", fingerprint="f9", check="Noise")
        assert await it.hear(WATCHDOG, other, WATCHDOG) == ["heartbeat", "recorded", "heartbeat"]
        assert await rows(it.store, "select count(*) from alerts") == [(1,)]


async def test_what_counts_as_a_heartbeat_is_the_settings_business(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), heartbeats=("Alive*",)) as it:
        assert await it.hear(WATCHDOG) == ["recorded"]
        assert await it.hear(alert(source="prom", check="AliveAndWell")) == ["heartbeat"]


async def test_a_heartbeat_that_stops_is_an_alert_although_its_source_speaks(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), expect_every=TEN) as it:
        await it.hear(WATCHDOG)
        it.clock.passes(minutes=8)
        await it.hear()
        assert await it.after(minutes=3) == [("silence:w1", "opened")]
        await it.hear(WATCHDOG)
        assert (await it.after(seconds=1))[-1] == ("silence:w1", "resolved")


async def test_a_restart_neither_forgets_a_silence_nor_ends_it_nor_says_it_twice(tmp_path: Path) -> None:
    clock = Clock()
    async with ears(tmp_path, clock, expect_every=TEN) as it:
        await it.hear(WATCHDOG)
        assert [outcome for _, outcome in await it.after(minutes=11)] == ["opened", "folded"]
    async with ears(tmp_path, clock, expect_every=TEN) as it:
        assert [outcome for _, outcome in await it.after(seconds=1)] == ["opened", "folded"]
        assert [outcome for _, outcome in await it.after(minutes=11)] == ["opened", "folded"]
        await it.hear()
        told = await it.after(seconds=1)
        assert told[2:] == [("silence", "resolved")]
        await it.hear(WATCHDOG)
        told = await it.after(seconds=1)
        assert told[3:] == [("silence:w1", "resolved")]


async def test_a_source_of_which_nothing_is_expected_any_more_is_not_silent(tmp_path: Path) -> None:
    clock = Clock()
    async with ears(tmp_path, clock, expect_every=TEN) as it:
        await it.after(minutes=11)
    async with ears(tmp_path, clock) as it:
        assert await it.after(seconds=1) == [("silence", "opened"), ("silence", "resolved")]


async def test_a_source_taken_out_of_the_settings_is_not_silent(tmp_path: Path) -> None:
    clock = Clock()
    async with ears(tmp_path, clock, expect_every=TEN) as it:
        await it.after(minutes=11)
    async with opened(tmp_path) as store:
        book, hearing = rulebook(RULES), Hearing({}, clock.now)
        taking = Taking(store, lambda: book, mint(), hearing, Metrics("0", "3"))
        await Silence([], hearing, taking, store, clock).start()
        assert await rows(store, "select outcome from alerts") == [("opened",), ("resolved",)]


async def test_a_heartbeat_forgotten_ends_its_silence(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), expect_every=TEN) as it:
        await it.hear(WATCHDOG)
        await it.after(minutes=11)
        await it.hear()
        told = await it.after(days=7)
        assert ("silence:w1", "resolved") in told


def test_the_time_nobody_listened_forgets_no_heartbeat() -> None:
    clock = Clock()
    clock.passes(days=8)
    hearing = Hearing({"prom": TEN}, clock.now)
    hearing.enter([Heard(source="prom", fingerprint="w1", at=T0, beat=WATCHDOG)])
    assert hearing.forgotten(clock.now) == []


async def test_what_becomes_a_heartbeat_while_it_fires_is_a_problem_no_more(tmp_path: Path) -> None:
    clock = Clock()
    async with ears(tmp_path, clock, heartbeats=()) as it:
        assert await it.hear(WATCHDOG) == ["recorded"]
    async with ears(tmp_path, clock) as it:
        assert await it.hear(WATCHDOG) == ["heartbeat"]
        assert not it.store.live.firing["prom"]


async def test_no_platform_can_say_that_a_silence_began_or_ended(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), expect_every=TEN) as it:
        await it.after(minutes=11)
        forged = alert(source="prom", fingerprint="tocsin:silence", check="disk", status=Status.RESOLVED)
        assert await it.hear(forged) == ["unknown"]
        assert await it.hear(alert(source="prom", fingerprint="tocsin:silence:x", check="other")) == ["recorded"]
        assert [one for one in it.store.live.firing["prom"] if one.startswith("its ")] == ["its tocsin:silence:x"]


async def test_what_never_says_that_it_is_over_expires(tmp_path: Path) -> None:
    async with ears(tmp_path, Clock(), expire_after=timedelta(hours=4)) as it:
        own = T0 + timedelta(minutes=5)
        await it.hear(alert(source="prom", fingerprint="a"), alert(source="prom", fingerprint="b", ends_at=own))
        fires = it.store.live.firing["prom"]
        assert (fires["a"].expires_at, fires["b"].expires_at) == (T0 + timedelta(hours=4), own)

"""Deciding again what fires without an incident, after a change of rules or fleet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from house import RULES, T0, Clock, Road, alert, opened, rows
from test_web import post, serving
from tocsin import fleet, intake
from tocsin.model import Element, Status
from tocsin.store.mint import mint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tocsin.store import Store

FAN = "  - {id: fan, match: {check: fan}, element: {lookup: '{{ resource }}'}, impact: degraded}\n"
WITH_FAN = RULES.replace("fallback:", f"{FAN}fallback:")
NEW = Element(reference="DF99", name="mars", aliases=("mars",))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as store:
        yield store


@pytest.fixture
def road(store: Store) -> Road:
    return Road(store, Clock())


def intake_of(road: Road, **facts: str) -> intake.Intake:
    return intake.Intake(rulebook=road.book, mint=mint(), **facts)  # type: ignore[arg-type]


async def redecide(road: Road, **facts: str) -> intake.Redecided:
    taking = intake_of(road, **facts)
    return await road.store.run(lambda tx: intake.redecide(tx, lambda _: taking, 0, road.clock.now))


def outcomes(done: intake.Redecided) -> list[str]:
    return [fate.outcome for fate in done.fates]


async def tickets(road: Road) -> Sequence[tuple[str, ...]]:
    return await rows(road.store, "select element, status, declarant from desk_tickets order by id")


async def test_an_alert_that_a_new_rule_knows_becomes_a_ticket_though_it_is_never_sent_again(road: Road) -> None:
    await road.take(alert(check="fan"))
    road.change_rules(WITH_FAN)
    assert outcomes(await redecide(road, declarant="Night watch")) == ["opened"]
    assert await tickets(road) == [("DF1", "declared", "Night watch")]


async def test_an_alert_whose_element_is_known_now_becomes_a_ticket(road: Road) -> None:
    (before,) = await road.take(alert(resource="mars"))
    assert before.outcome == "quarantined"
    book = road.book
    road.book = intake.Rulebook(book.rule_set, fleet.build([*book.fleet, NEW]), book.era + 1)
    assert outcomes(await redecide(road)) == ["opened"]
    assert await tickets(road) == [("DF99", "declared", "Supervision")]


async def test_doing_it_twice_declares_one_ticket_and_writes_nothing_more(road: Road) -> None:
    await road.take(alert(check="fan"), alert(check="other", fingerprint="f2"))
    road.change_rules(WITH_FAN)
    await redecide(road)
    kept = await rows(road.store, "select (select count(*) from alerts), (select count(*) from decisions)")
    again = await redecide(road)
    assert (again.fates, again.unchanged) == ((), 1)
    assert await rows(road.store, "select (select count(*) from alerts), (select count(*) from decisions)") == kept
    assert len(await tickets(road)) == 1


async def test_what_stays_as_it_was_is_counted_and_not_written(road: Road) -> None:
    await road.take(alert(check="other"))
    road.change_rules(WITH_FAN)
    done = await redecide(road)
    assert (done.fates, done.unchanged, done.last) == ((), 1, 0)
    assert await rows(road.store, "select count(*) from alerts") == [(1,)]


async def test_what_was_decided_again_and_stays_as_it_was_is_a_plain_repeat_when_it_comes_again(road: Road) -> None:
    await road.take(alert(check="other"))
    road.change_rules(WITH_FAN)
    await redecide(road)
    await road.take(alert(check="other"))
    assert await rows(road.store, "select count(*) from decisions") == [(1,)]


async def test_a_live_incident_is_left_alone_even_if_the_rules_would_decide_otherwise_now(road: Road) -> None:
    await road.take(alert())
    road.change_rules(RULES.replace("match: {check: disk}", "match: {check: disc}"))
    done = await redecide(road)
    assert (done.fates, done.unchanged) == ((), 0)
    assert await tickets(road) == [("DF1", "declared", "Supervision")]


async def test_what_no_longer_fires_is_not_decided_again(road: Road) -> None:
    await road.take(alert(check="fan"))
    await road.take(alert(check="fan", status=Status.RESOLVED))
    road.change_rules(WITH_FAN)
    assert (await redecide(road)).fates == ()


async def test_two_alerts_of_one_problem_share_one_ticket(road: Road) -> None:
    await road.take(alert(check="fan"), alert(check="fan", fingerprint="f2"))
    road.change_rules(WITH_FAN)
    assert outcomes(await redecide(road)) == ["opened", "folded"]
    assert len(await tickets(road)) == 1


async def test_a_rule_with_a_hold_waits_as_ever(road: Road) -> None:
    await road.take(alert(check="fan"))
    road.change_rules(WITH_FAN.replace("impact: degraded}", "impact: degraded, hold: 5m}"))
    assert outcomes(await redecide(road)) == ["held"]
    assert await tickets(road) == []


async def test_a_rule_that_wants_no_ticket_says_its_own_reason_now(road: Road) -> None:
    await road.take(alert(check="fan"))
    road.change_rules(RULES.replace("fallback:", "  - {id: fan, match: {check: fan}, action: ignore}\nfallback:"))
    assert outcomes(await redecide(road)) == ["ignored"]
    assert await rows(road.store, "select outcome from firing") == [("ignored",)]


async def test_the_history_has_a_line_without_a_body(road: Road) -> None:
    await road.take(alert(check="fan"))
    road.change_rules(WITH_FAN)
    road.clock.passes(hours=1)
    await redecide(road)
    lines = await rows(road.store, "select body > 0, incident, outcome from alerts order by id")
    assert lines == [(1, 0, "recorded"), (0, 1, "opened")]
    assert await rows(road.store, "select count(distinct text) from alerts") == [(1,)]


async def test_its_resolve_ends_the_ticket(road: Road) -> None:
    await road.take(alert(check="fan"))
    road.change_rules(WITH_FAN)
    await redecide(road)
    (fate,) = await road.take(alert(check="fan", status=Status.RESOLVED))
    assert fate.outcome == "resolved"
    assert (await tickets(road))[0][1] == "repaired"


async def test_it_expires_when_its_source_said_it_would(road: Road) -> None:
    ends_at = T0 + timedelta(minutes=5)
    await road.take(alert(check="fan", ends_at=ends_at))
    road.change_rules(WITH_FAN)
    road.clock.passes(minutes=4)
    await redecide(road)
    assert road.store.live.find("test", "f1").expires_at == ends_at  # type: ignore[union-attr]
    assert await rows(road.store, "select (expires_at - seen_at) / 60000000 from firing") == [(5,)]


async def test_after_a_restart_it_works_as_before(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        await Road(store, clock).take(alert(check="fan"), alert(check="other", fingerprint="f2"))
    async with opened(tmp_path) as store:
        done = await redecide(Road(store, clock, WITH_FAN))
        assert (outcomes(done), done.unchanged) == (["opened"], 1)


async def test_many_are_decided_in_batches_and_each_once(road: Road) -> None:
    count = 2 * intake.AGAIN + 1
    await road.take(*(alert(check="fan", fingerprint=f"f{n}", resource=f"web{n % 9 + 1}") for n in range(count)))
    road.change_rules(WITH_FAN)
    taking = intake_of(road)
    sizes, after = [], 0
    while not sizes or after:
        start = after
        done = await road.store.run(lambda tx, at=start: intake.redecide(tx, lambda _: taking, at, road.clock.now))
        sizes.append(len(done.fates))
        after = done.last
    assert sizes == [intake.AGAIN, intake.AGAIN, 1]
    assert len(await tickets(road)) == 9


async def test_over_http_it_answers_with_counts_and_uses_the_sources_own_declarant(tmp_path: Path) -> None:
    sources = {"open": {"kind": "generic", "open": True, "declarant": "Night watch"}}
    async with serving(tmp_path, sources=sources) as (app, http):
        body = {"status": "firing", "severity": "major", "resource": "web1", "check": "fan", "summary": "stopped"}
        await post(app, http, "/hooks/open", body)
        assert await post(app, http, "/-/redecide", b"") == (200, {"changed": 0, "unchanged": 1, "outcomes": {}})
        file = tmp_path / "rules" / "10.yaml"
        file.write_text(file.read_text().replace("fallback:", f"{FAN}fallback:"))
        await post(app, http, "/-/reload", b"")
        done = {"changed": 1, "unchanged": 0, "outcomes": {"opened": 1}}
        assert await post(app, http, "/-/redecide", b"") == (200, done)
        assert await rows(app.store, "select element, declarant from desk_tickets") == [("DF1", "Night watch")]
        async with http.get(app.address + "/metrics") as answer:
            assert 'tocsin_decisions_total{outcome="opened",rule="fan"} 1.0' in await answer.text()


async def test_strangers_and_browsers_may_not_ask_for_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        status, _ = await post(app, http, "/-/redecide", b"", headers={"Origin": "https://elsewhere.example.com"})
        assert status == 403

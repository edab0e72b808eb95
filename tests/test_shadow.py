"""A second rule set decides beside the live one: what it says otherwise is kept, and nothing else comes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from house import RULES, T0, Clock, Road, alert, opened, rows, rulebook
from service import until
from test_web import RULES as SERVED
from test_web import post, serving
from tocsin import rules
from tocsin.model import Action, Decision, Element, Flap, Impact, Policy, Severity, Status
from tocsin.store import pruning, shadows
from tocsin.store.reader import reader
from tocsin.workbench import shadow
from tocsin.workbench.shadow import Kind

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from tocsin.app import App
    from tocsin.store import Store

OTHERWISE = (
    RULES.replace("else: degraded", "else: none")
    .replace("Disk of", "The disk of")
    .replace(
        "match: {check: noise}\n    action: ignore",
        "match: {check: noise}\n    element: {lookup: '{{ resource }}'}\n    impact: degraded",
    )
)
"""The rules of `house` with other words, another impact for lesser alerts, and tickets for noise."""

WEB = Element(reference="DF1", name="web1")
LIVE = Decision(
    action=Action.TICKET,
    rule="disk",
    rule_set="1",
    element=WEB,
    impact=Impact.SEVERE,
    dedup_key="k",
    policy=Policy(),
    name={"en": "n", "fr": "n"},
    description={"en": "d", "fr": "d"},
)
NOTHING = Decision(action=Action.RECORD, rule="fallback", rule_set="1", reason="no rule knows it")


def policy(**changes: Any) -> Decision:
    return replace(LIVE, policy=replace(Policy(), **changes))


@pytest.mark.parametrize(
    ("live", "other", "kinds", "groups"),
    [
        (LIVE, LIVE, (), ("same",)),
        (LIVE, replace(LIVE, rule="renamed", rule_set="2", captures={"a": "b"}), (), ("same",)),
        (NOTHING, replace(NOTHING, reason="in other words"), (), ("same",)),
        (NOTHING, LIVE, (Kind.APPEARS,), ("appears",)),
        (LIVE, NOTHING, (Kind.VANISHES,), ("vanishes",)),
        (NOTHING, replace(NOTHING, action=Action.QUARANTINE), (Kind.ACTION,), ("action",)),
        (LIVE, replace(LIVE, element=replace(WEB, reference="DF2")), (Kind.ELEMENT,), ("element",)),
        (LIVE, replace(LIVE, element=replace(WEB, site="Lyon")), (), ("same",)),
        (LIVE, replace(LIVE, impact=Impact.NONE), (Kind.IMPACT,), ("impact",)),
        (LIVE, replace(LIVE, dedup_key="other"), (Kind.KEY,), ("key",)),
        (LIVE, replace(LIVE, name={}, description={}), (Kind.NAME, Kind.DESCRIPTION), ("text",)),
        (LIVE, policy(hold=timedelta(1)), (Kind.HOLD,), ("policy",)),
        (LIVE, policy(flap=Flap(changes=2, within=timedelta(1), quiet=timedelta(1))), (Kind.FLAP,), ("policy",)),
        (LIVE, policy(close_after=None), (Kind.CLOSE,), ("policy",)),
        (LIVE, policy(unless_touched=False), (Kind.CLOSE,), ("policy",)),
        (LIVE, policy(reopen=timedelta(9), backend="b"), (Kind.REOPEN, Kind.BACKEND), ("policy",)),
    ],
)
def test_two_decisions_are_compared_in_what_comes_of_them(
    live: Decision, other: Decision, kinds: tuple[Kind, ...], groups: tuple[str, ...]
) -> None:
    assert shadow.differences(live, other) == kinds
    assert shadow.groups(shadow.compare(live, other)) == groups
    assert set(groups) <= set(shadow.GROUPS)


class Beside(Road):
    """The road, with a shadow rule set beside the live one."""

    def __init__(self, store: Store, clock: Clock, text: str) -> None:
        super().__init__(store, clock)
        self.book = replace(rulebook(), shadow=rules.build({"10-test.yaml": text}))

    async def begins(self) -> None:
        await self.store.run(lambda tx: shadows.follow(tx, self.book.shadow, T0))


def found(folder: Path, limit: int = 50) -> shadows.ShadowState:
    with reader(folder) as there:
        state = shadows.state(there, limit)
    assert state is not None
    return state


async def some_alerts(road: Road, clock: Clock) -> None:
    """Tickets, holds, repeats, blips, resolves, noise, and what nobody knows."""
    minor = alert(fingerprint="f2", resource="web2", severity=Severity.MINOR)
    for one in (
        alert(),
        alert(),
        minor,
        minor,
        alert(fingerprint="f3", check="noise"),
        alert(fingerprint="f4", check="?"),
    ):
        clock.passes(seconds=10)
        await road.take(one)
    await road.take(alert(fingerprint="f5", check="ping"))
    await road.take(alert(fingerprint="f5", check="ping", status=Status.RESOLVED), alert(status=Status.RESOLVED))
    await road.take(alert(fingerprint="f6", resource="nowhere"))


async def test_what_the_shadow_says_otherwise_is_listed_and_counted(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Beside(store, clock, OTHERWISE)
        await road.begins()
        await some_alerts(road, clock)
        state = found(tmp_path)
        assert (state.hash, state.since, state.until) == (road.book.shadow.hash, T0, None)
        assert (state.compared, state.differing) == (6, 3)
        assert state.kinds == {"name": 2, "impact": 1, "appears": 1}
        assert [(of.live, of.shadow, of.decisions, of.kinds) for of in state.rules] == [
            ("disk", "disk", 2, {"name": 2, "impact": 1}),
            ("noise", "noise", 1, {"appears": 1}),
        ]
        noise, minor, _ = state.differences
        assert (noise.kinds, noise.resource, noise.check) == (("appears",), "web1", "noise")
        assert (noise.live.action, noise.shadow.action, noise.shadow.impact) == ("ignore", "ticket", "degraded")
        assert noise.live.reason == "the rule says ignore"
        assert (minor.live.impact, minor.shadow.impact) == ("degraded", "none")
        assert (minor.live.name["en"], minor.shadow.name["en"]) == ("Disk of web2", "The disk of web2")
        assert len(found(tmp_path, limit=1).differences) == 1


KEPT = (
    "select * from incidents order by n",
    "select incident, at, actor, kind, text from notes order by id",
    "select * from deliveries order by id",
    "select * from tickets order by incident",
    "select * from desk_tickets order by id",
    "select * from firing order by id",
    "select id, at, rule, action, element, impact, dedup_key, details from decisions order by id",
    "select * from alerts order by id",
)


@pytest.mark.parametrize("backend", ["desk", "elsewhere"])
async def test_nothing_comes_of_what_the_shadow_decides(tmp_path: Path, backend: str) -> None:
    left: list[Any] = []
    for name, text in (("with", OTHERWISE), ("without", "")):
        clock = Clock()
        async with opened(tmp_path / name, backend) as store:
            road = Beside(store, clock, text) if text else Road(store, clock)
            road._mint = iter_mint()  # type: ignore[assignment]  # the same references both times
            await some_alerts(road, clock)
            left.append([await rows(store, sql) for sql in KEPT])
            assert bool(await rows(store, "select * from shadow_differences")) == bool(text)
    assert left[0] == left[1]
    assert left[0][2]


def iter_mint() -> Any:
    numbers = iter(range(100))
    return lambda _now: f"R{next(numbers)}"


async def test_repeats_make_no_difference_twice(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Beside(store, clock, OTHERWISE)
        await road.begins()
        for _ in range(5):
            await road.take(alert())
        assert found(tmp_path).differing == 1


async def test_differences_go_when_their_alerts_go(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Beside(store, clock, OTHERWISE)
        await road.begins()
        await road.take(alert())
        clock.passes(days=89)
        await road.take(alert(fingerprint="f2"))
        clock.passes(days=2)
        while await store.run(lambda tx: pruning.prune(tx, pruning.Retention(), clock.now)):
            pass
        assert await rows(store, "select count(*) from shadow_differences") == [(1,)]


async def test_a_shadow_that_is_taken_away_says_until_when_it_decided(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path) as store:
        road = Beside(store, clock, OTHERWISE)
        await road.begins()
        await road.take(alert(), alert(fingerprint="f2", check="ping"))
        end = clock.passes(hours=1)
        await store.run(lambda tx: shadows.follow(tx, None, end))
        road.book = rulebook()
        await road.take(alert(fingerprint="f3", check="?"))
        state = found(tmp_path)
        assert (state.until, state.compared, state.differing) == (end, 2, 1)


# --- in the service ------------------------------------------------------------------------------------------------------

QUIET = SERVED.replace("impact: degraded", "impact: none")


async def metrics(app: App, http: aiohttp.ClientSession) -> str:
    async with http.get(f"{app.address}/metrics") as answer:
        return await answer.text()


async def detail(app: App, http: aiohttp.ClientSession) -> dict[str, str]:
    async with http.get(f"{app.address}/readyz") as answer:
        assert answer.status == 200
        said: dict[str, str] = await answer.json()
        return said


def beside(folder: Path, text: str = QUIET) -> dict[str, Any]:
    (folder / "next").mkdir()
    (folder / "next" / "10.yaml").write_text(text)
    return {"rules": {"path": "rules", "shadow": "next"}}


async def test_the_service_counts_what_its_shadow_says(tmp_path: Path) -> None:
    async with serving(tmp_path, **beside(tmp_path)) as (app, http):
        for _ in range(2):
            (fate,) = (await post(app, http, "/hooks/open"))[1]["alerts"]
        assert fate["outcome"] == "folded"
        await post(app, http, "/hooks/open", {"resource": "x", "check": "y", "summary": "z", "severity": "minor"})
        text = await metrics(app, http)
        assert 'tocsin_shadow_decisions_total{difference="impact"} 1.0' in text
        assert 'tocsin_shadow_decisions_total{difference="same"} 1.0' in text
        hashed = rules.build({"10.yaml": QUIET}).hash
        assert f'tocsin_shadow_info{{hash="{hashed}"}} 1.0' in text
        assert "tocsin_shadow_rules 1.0" in text
        assert "shadow" not in await detail(app, http)
        assert found(tmp_path / "var").differing == 1


async def test_a_broken_shadow_harms_nothing_and_the_last_good_one_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, **beside(tmp_path)) as (app, http):
        (tmp_path / "next" / "10.yaml").write_text(QUIET.replace("match:", "mach:"))
        assert (await post(app, http, "/-/reload", b""))[0] == 200
        assert (await post(app, http, "/hooks/open"))[1]["alerts"][0]["outcome"] == "opened"
        told = (await detail(app, http))["shadow"]
        assert told.startswith("the last good ones go on: ")
        assert "next/10.yaml:4" in told
        text = await metrics(app, http)
        assert "tocsin_shadow_successful 0.0" in text
        assert "tocsin_shadow_rules 1.0" in text
        assert 'tocsin_shadow_decisions_total{difference="impact"} 1.0' in text
        (tmp_path / "next" / "10.yaml").write_text(QUIET)
        await post(app, http, "/-/reload", b"")
        assert "shadow" not in await detail(app, http)


@pytest.mark.parametrize(
    "text",
    ["rules: [", QUIET + "tests: [{name: wrong, alerts: [], expect: {at: 1s, tickets: 1}}]\n", None],
    ids=["broken", "its own test fails", "no such folder"],
)
async def test_a_service_starts_without_a_shadow_that_was_never_good(tmp_path: Path, text: str | None) -> None:
    settings = beside(tmp_path, text or "")
    if text is None:
        (tmp_path / "next" / "10.yaml").unlink()
        (tmp_path / "next").rmdir()
    async with serving(tmp_path, **settings) as (app, http):
        assert (await post(app, http, "/hooks/open"))[1]["alerts"][0]["outcome"] == "opened"
        assert (await detail(app, http))["shadow"].startswith("none decide beside the live ones: ")
        assert "tocsin_shadow_rules 0.0" in await metrics(app, http)


async def test_a_shadow_lives_on_while_the_live_rules_on_disk_are_broken(tmp_path: Path) -> None:
    async with serving(tmp_path, **beside(tmp_path)) as (app, http):
        (tmp_path / "rules" / "10.yaml").write_text("rules: [")
        (tmp_path / "next" / "10.yaml").write_text(QUIET.replace("none", "backup"))
        assert (await post(app, http, "/-/reload", b""))[0] == 409
        await post(app, http, "/hooks/open")
        (line,) = found(tmp_path / "var").differences
        assert (line.live.impact, line.shadow.impact) == ("degraded", "backup")


async def test_a_saved_shadow_file_is_taken_up_by_itself(tmp_path: Path) -> None:
    async with serving(tmp_path, **beside(tmp_path)) as (app, http):
        other = QUIET.replace("none", "backup")
        hashed = rules.build({"10.yaml": other}).hash

        async def taken_up() -> bool:
            (tmp_path / "next" / "10.yaml").write_text(other)
            return hashed in await metrics(app, http)

        await until(taken_up, 10, "the shadow to be taken up")


async def test_a_shadow_that_changes_has_nothing_decided_again(tmp_path: Path) -> None:
    async with serving(tmp_path, **beside(tmp_path)) as (app, http):
        await post(app, http, "/hooks/open")
        (tmp_path / "next" / "10.yaml").write_text(QUIET.replace("none", "backup"))
        await post(app, http, "/-/reload", b"")
        await post(app, http, "/hooks/open")
        assert await rows(app.store, "select count(*) from decisions") == [(1,)]


async def test_a_shadow_like_the_live_rules_is_none(tmp_path: Path) -> None:
    async with serving(tmp_path, **beside(tmp_path, SERVED)) as (app, http):
        await post(app, http, "/hooks/open")
        assert app.rulebooks.current().shadow is None
        assert "tocsin_shadow_rules 0.0" in await metrics(app, http)

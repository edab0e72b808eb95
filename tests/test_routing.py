"""Where a ticket goes: the rule says it, or the first route its element meets, or its source, or nobody."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from house import ELEMENTS, RULES, T0, Clock, Road, alert, opened, rows, rulebook
from tocsin import fleet, intake, rules, settings
from tocsin.errors import SettingsError
from tocsin.model import Action, Decision, Element, Policy, Status
from tocsin.rules.routing import Route, Routes, compiled, routed
from tocsin.store.history import Arrival
from tocsin.ticketing import ticketing, unreached
from tocsin.workbench import testing
from tocsin.workbench.replay.comparison import CANDIDATE, LIVE, Comparison
from tocsin.workbench.replay.result import Kind
from tocsin.workbench.replay.side import Side
from tocsin.workbench.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.workbench.ticketing import Ticketing

HOST = Element(reference="DO42", name="web", contract="OCB0012", site="Lyon 3")


def decision(element: Element | None = HOST, **policy: Any) -> Decision:
    return Decision(
        action=Action.TICKET, rule="r", rule_set="h", element=element, dedup_key="k", policy=Policy(**policy)
    )


def went(routes: list[Route], source: str = "", element: Element = HOST, **policy: Any) -> tuple[object, ...]:
    """Backend, whom to inform and language, as they come out."""
    found = routed(decision(element, **policy), Routes(routes), source).policy
    assert found
    return found.backend, found.inform, found.language


ITSM = Route(contract="OCB00*", backend="itsm", inform=("noc",), language="fr")


@pytest.mark.parametrize(
    ("routes", "source", "policy", "came"),
    [
        ([], "", {}, ("", None, "")),
        ([], "mine", {}, ("mine", None, "")),
        ([], "mine", {"backend": "rules"}, ("rules", None, "")),
        ([ITSM], "mine", {}, ("itsm", ("noc",), "fr")),
        ([ITSM], "mine", {"backend": "rules"}, ("rules", ("noc",), "fr")),
        ([ITSM], "", {"inform": ("other",)}, ("itsm", ("other",), "fr")),
        ([ITSM], "", {"inform": ()}, ("itsm", (), "fr")),
        ([Route(contract="OCB00*", language="fr")], "mine", {}, ("mine", None, "fr")),
        ([Route(contract="OCB01*", backend="itsm")], "mine", {}, ("mine", None, "")),
        ([Route(backend="all"), ITSM], "", {}, ("all", None, "")),
    ],
    ids=[
        "nothing said",
        "source",
        "rule before source",
        "route before source",
        "rule before route",
        "the rule says whom to inform",
        "the rule says nobody",
        "a route that leaves the backend to the source",
        "a route of another contract",
        "the first one counts",
    ],
)
def test_the_rule_comes_first_then_the_route_then_the_source(
    routes: list[Route], source: str, policy: dict[str, Any], came: tuple[object, ...]
) -> None:
    assert went(routes, source, **policy) == came


@pytest.mark.parametrize(
    ("asks", "meets"),
    [
        ({"contract": "OCB00*"}, True),
        ({"contract": "OCB0012"}, True),
        ({"contract": "OCB001"}, False),
        ({"contract": "CB00*"}, False),
        ({"contract": "ocb00*"}, False),
        ({"contract": "OCB00.."}, False),
        ({"contract": "OCB00??"}, True),
        ({"element": "DO*"}, True),
        ({"site": "Lyon ?"}, True),
        ({"site": "Lyon"}, False),
        ({"contract": "OCB00*", "element": "DO*", "site": "Lyon*"}, True),
        ({"contract": "OCB00*", "element": "DF*", "site": "Lyon*"}, False),
    ],
)
def test_all_that_a_route_asks_for_must_fit_the_whole_value(asks: dict[str, str], *, meets: bool) -> None:
    assert went([Route(**asks, backend="itsm")])[0] == ("itsm" if meets else "")


def test_an_element_that_has_no_contract_meets_no_route_that_asks_for_one() -> None:
    assert went([ITSM, Route(contract="?*", backend="any")], element=replace(HOST, contract=""))[0] == ""


def test_what_nothing_changes_stays_the_same_object() -> None:
    said = decision(backend="itsm")
    assert routed(said, Routes(), "mine") is said
    assert routed(said, Routes([Route(contract="x", backend="y")]), "mine") is said
    nothing = Decision(action=Action.RECORD, rule="r", rule_set="h")
    assert routed(nothing, Routes([ITSM]), "mine") is nothing


def test_the_same_routes_are_compiled_once() -> None:
    assert compiled((ITSM,)) is compiled((replace(ITSM),))


def test_a_large_fleet_is_not_remembered_for_ever() -> None:
    routes = Routes([ITSM])
    for number in range(10_001):
        routes.of(replace(HOST, reference=f"DO{number}"))
    assert len(routes._met) <= 10_000
    assert routes.of(HOST) is routes.of(replace(HOST, name="another"))


GLOBS = st.text("ab?*", min_size=1, max_size=3)
VALUES = st.text("ab", max_size=3)
ROUTES = st.builds(
    Route,
    contract=st.one_of(st.just(""), GLOBS),
    element=st.one_of(st.just(""), GLOBS),
    site=st.one_of(st.just(""), GLOBS),
    backend=st.sampled_from(["one", "two", "three"]),
)


@given(st.lists(ROUTES, max_size=4), st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=4))
def test_the_first_route_whose_globs_all_fit_is_taken(routes: list[Route], values: list[tuple[str, str, str]]) -> None:
    there = Routes(routes)
    for contract, reference, site in values:
        element = Element(reference=reference, name="x", contract=contract, site=site)
        fit = (
            route
            for route in routes
            if fnmatchcase(contract, route.contract or "*")
            and fnmatchcase(reference, route.element or "*")
            and fnmatchcase(site, route.site or "*")
        )
        found = routed(decision(element), there, "").policy
        assert found
        assert found.backend == next((route.backend for route in fit), "")


# --- on the road -----------------------------------------------------------------------------------------------------

OURS = tuple(replace(one, contract=f"OCB{one.reference[2:]}") for one in ELEMENTS)
TWO = (Route(contract="OCB1", backend="itsm", inform=("noc",), language="fr"), Route(inform=("partner",)))


async def test_the_routes_say_where_it_is_declared_who_is_informed_and_in_what_language(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="other") as store:
        road = Road(store, Clock())
        road.book = intake.Rulebook(road.book.rule_set, fleet.build(OURS), 1)
        road.routes = Routes(TWO)
        await road.take(alert(), alert(fingerprint="f2", resource="web2"))
        told = [(one.backend, one.action, one.body.language) for one in store.live.unsent.all()]
        assert told == [
            ("itsm", "open", "fr"),
            ("noc", "open", "fr"),
            ("other", "open", ""),
            ("partner", "open", ""),
        ]


def both(one: Ticketing) -> list[tuple[str, tuple[str, ...]]]:
    """Whom the workbench would tell of the disks of web1 and web2."""
    told: list[tuple[str, tuple[str, ...]]] = []
    world = World(
        rulebook().rule_set,
        fleet.build(OURS),
        lambda change, _decision, _now: told.append(one.whom(change.incident.policy)),
        ticketing=one,
    )
    for host in ("web1", "web2"):
        world.take(alert(fingerprint=host, resource=host), T0)
    return told


def test_the_workbench_routes_as_the_service_does() -> None:
    there = testing.Ticketing(default_backend="other", sources={"test": "mine"}, routes=TWO)
    assert both(there) == [("itsm", ("noc",)), ("mine", ("partner",))]
    assert both(replace(there, sources={})) == [("itsm", ("noc",)), ("other", ("partner",))]


async def test_what_differs_from_the_shadow_is_what_would_be_told_otherwise(tmp_path: Path) -> None:
    """A shadow that names the backend that the route gives anyway differs in nothing; one that informs others does."""
    async with opened(tmp_path, backend="other") as store:
        road = Road(store, Clock())
        road.routes = Routes([Route(backend="itsm")])
        for shadow, kinds in (("backend: itsm", []), ("inform: [noc]", [("inform",)]), ("backend: x", [("backend",)])):
            other = rules.build({"10-test.yaml": f"defaults: {{{shadow}}}{RULES}"})
            road.book = intake.Rulebook(road.book.rule_set, road.book.fleet, road.book.era + 1, other)
            await road.take(alert(fingerprint=shadow))
            found = await rows(store, "select kinds from shadow_differences order by id")
            assert found[-1:] == kinds


def test_a_replay_tells_when_others_would_be_told() -> None:
    there = testing.Ticketing(default_backend="other", routes=TWO)
    events = [
        Arrival(row=1, at=T0, text=1, alert=alert()),
        Arrival(row=2, at=T0 + timedelta(hours=1), text=2, alert=alert(status=Status.RESOLVED)),
    ]
    comparison = Comparison()
    for side, text in ((LIVE, RULES), (CANDIDATE, f"defaults: {{inform: [partner]}}{RULES}")):
        for batch in Side(rules.build({"10.yaml": text}), fleet.build(OURS), there).play(
            events, T0 + timedelta(days=1)
        ):
            comparison.add(side, batch)
    result = comparison.result(T0, T0, ("a", "b"), 2)
    assert result.kinds == {Kind.BACKEND: 1}
    (one,) = result.differences
    assert one.live
    assert one.candidate
    assert (one.live.backends, one.candidate.backends) == (("itsm", "noc"), ("itsm", "partner"))


# --- in the settings -------------------------------------------------------------------------------------------------


def given_settings(tmp_path: Path, text: str) -> settings.Settings:
    file = tmp_path / "tocsin.yaml"
    backends = "backends: {desk: {kind: desk}, itsm: {kind: webhook}, noc: {kind: webhook}}\n"
    file.write_text(f"{backends}{text}", encoding="utf-8")
    return settings.load(file, {})


def test_the_settings_become_routes_and_the_sources_backends(tmp_path: Path) -> None:
    text = """
sources: {a: {kind: generic, open: true, backend: noc}, b: {kind: generic, open: true}}
default_backend: itsm
routing:
  - {contract: 'OCB00*', element: 'DO*', site: Lyon, backend: itsm, inform: [noc, desk], language: fr}
  - {inform: [noc]}
"""
    found = ticketing(given_settings(tmp_path, text))
    assert (found.default_backend, found.sources) == ("itsm", {"a": "noc"})
    assert found.routes == (
        Route(contract="OCB00*", element="DO*", site="Lyon", backend="itsm", inform=("noc", "desk"), language="fr"),
        Route(inform=("noc",)),
    )


def test_a_route_behind_one_that_takes_all_is_never_reached(tmp_path: Path) -> None:
    given = given_settings(
        tmp_path, "routing: [{site: x, backend: noc}, {backend: noc}, {language: fr}, {site: y, language: en}]"
    )
    assert list(unreached(given)) == [(2, 1), (3, 1)]
    assert list(unreached(given_settings(tmp_path, "routing: [{backend: noc}]"))) == []


def test_a_route_to_a_backend_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'routing\.0\.inform\.1 names the backend "itms".*did you mean "itsm"'):
        given_settings(tmp_path, "routing: [{inform: [noc, itms]}]")

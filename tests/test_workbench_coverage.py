"""What the tests of a rule set reach, branch by branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from house import ELEMENTS
from tocsin import fleet, rules
from tocsin.model import Element
from tocsin.workbench import testing
from tocsin.workbench.coverage import Branch, Coverage, branches, coverage

EXAMPLES = Path(__file__).parents[1]
BOTH = Element(reference="DF0", name="both", aliases=("web1", "both"))
FLEET = fleet.build((*ELEMENTS, BOTH))
HEAD = (
    "fallback: {action: record}\nsamples:\n  s: {source: a, severity: critical, resource: web2, check: c, summary: t}\n"
)
HOSTS = "host;element;impact\nh1;DF2;severe\nh2;DF3;\nh9;DF99;none\n"
EVERY = HOSTS + "*;DF4;degraded\n"


def covered(rule: str, *alerts: str, hosts: str = HOSTS, files: set[str] | None = None) -> Coverage:
    """How much of one rule the tests reach; each alert, by what differs from a critical one on web2, is a test."""
    text = HEAD + f"rules:\n  - {{id: r, match: {{source: a}}, {rule}}}\n"
    if alerts:
        text += "tests:\n" + "".join(
            f"  - {{name: t, alerts: [{{at: 0s, use: s, {one}}}], expect: {{at: 0s, action: ticket}}}}\n"
            for one in alerts
        )
    made = rules.build({"a.yaml": text, "tables/hosts.csv": hosts}, folder="rules")
    decided = [each for test in made.tests for each in testing.run(test, made, FLEET).decided]
    return coverage(made, FLEET, decided, files)


def left(*given: str, **more: str) -> list[str]:
    """What is not reached, beside the fallback."""
    found = [one.branch for one in covered(*given, **more).unreached if one.branch.rule != "fallback"]
    return [f"{branch.part}: {branch.value}" for branch in found]


NAMED = "element: {lookup: '{{ resource }}'}, impact: none"
SAID = "element: {lookup: '{{ resource }}', ambiguous: record}, impact: none"
TABLE = "element: {table: tables/hosts.csv, by: resource}, impact: none"
IMPACTS = "element: DF2, impact: {table: tables/hosts.csv, by: resource, else: none}"
CASES = "element: DF2, impact: {by: severity, critical: interrupted, minor: none, else: degraded}"
ALL = "element: DF2, impact: {by: severity, critical: severe, major: severe, minor: none, warning: none, info: none, else: none}"
HOLDS = CASES + ", hold: {interrupted: 0s, none: 1h, else: 5m, backup: 2m}"


@pytest.mark.parametrize(
    ("rule", "alerts", "unreached"),
    [
        ("action: ignore", [], ["match: matched"]),
        ("action: ignore", ["check: x"], []),
        ("action: ignore", ["source: b"], ["match: matched"]),
        ("action: ignore, where: check == 'c'", ["check: c"], ["where: false"]),
        ("action: ignore, where: check == 'c'", ["check: c", "check: d"], []),
        ("element: DF2, impact: none", ["check: c"], []),
        (NAMED, ["check: c"], ["element: missing"]),
        (NAMED, ["resource: nobody"], ["element: found"]),
        (NAMED, ["check: c", "resource: nobody"], []),
        (SAID, ["check: c", "resource: nobody"], ["element: ambiguous"]),
        (SAID, ["resource: both", "resource: nobody"], ["element: ambiguous"]),
        (CASES, ["severity: critical"], ["impact: minor", "impact: else"]),
        (CASES, ["severity: info", "severity: minor", "severity: critical"], []),
        (ALL, ["severity: critical"], ["impact: major", "impact: minor", "impact: warning", "impact: info"]),
        (HOLDS, ["severity: critical"], ["impact: minor", "impact: else", "hold: 1h", "hold: 5m"]),
    ],
)
def test_a_branch_is_reached_by_an_alert_that_takes_it(rule: str, alerts: list[str], unreached: list[str]) -> None:
    assert left(rule, *alerts) == unreached


def test_a_name_that_two_elements_share_reaches_ambiguous() -> None:
    assert left(SAID, "check: c", "resource: nobody", "resource: web1") == []


@pytest.mark.parametrize(
    ("rule", "hosts", "alerts", "unreached"),
    [
        (TABLE, HOSTS, ["resource: h1"], ["element: missing", "tables/hosts.csv element: h2", "tables/hosts.csv element: h9"]),
        (TABLE, HOSTS, ["resource: h1", "resource: h2", "resource: h9", "resource: x"], []),
        (TABLE, EVERY, ["resource: h1", "resource: h2", "resource: h9"], ["tables/hosts.csv element: *"]),
        (TABLE, EVERY, ["resource: h1", "resource: h2", "resource: h9", "resource: x"], []),
        (IMPACTS, HOSTS, ["resource: h1"], ["impact: else", "tables/hosts.csv impact: h9"]),
        (IMPACTS, HOSTS, ["resource: h1", "resource: h9", "resource: h2"], []),
        (IMPACTS, EVERY, ["resource: h1", "resource: h9"], ["tables/hosts.csv impact: *"]),
    ],
)  # fmt: skip
def test_a_row_of_a_table_is_reached_by_its_value(
    rule: str, hosts: str, alerts: list[str], unreached: list[str]
) -> None:
    assert left(rule, *alerts, hosts=hosts) == unreached


def test_what_is_not_reached_has_its_place() -> None:
    found = covered(TABLE, "resource: h1")
    assert [(one.file, one.line, one.branch.part) for one in found.unreached] == [
        ("rules/a.yaml", 1, "match"),
        ("rules/a.yaml", 5, "element"),
        ("rules/tables/hosts.csv", 3, "tables/hosts.csv element"),
        ("rules/tables/hosts.csv", 4, "tables/hosts.csv element"),
    ]
    assert (found.branches, found.reached, found.percent) == (7, 3, pytest.approx(42.857, abs=0.001))


def test_only_the_files_that_are_meant_count() -> None:
    assert covered(TABLE, "resource: h1", files={"rules/tables/hosts.csv"}).branches == 3
    assert covered(TABLE, files=set()).percent == 100


def test_a_row_counts_once_however_many_rules_look_it_up() -> None:
    two = "rules:\n" + "".join(f"  - {{id: r{n}, match: {{source: s{n}}}, {TABLE}}}\n" for n in "ab")
    made = rules.build(
        {"a.yaml": HEAD.replace("samples", "x-samples").partition("x-")[0] + two, "tables/hosts.csv": HOSTS}
    )
    assert sum(branch.rule == "" for branch in branches(made)) == 3
    assert len(list(branches(made))) == len(set(branches(made)))


def test_a_template_that_fails_reaches_the_rule_and_no_element() -> None:
    rule = "element: {lookup: '{{ labels.host }}'}, impact: none"
    assert left(rule, "check: c") == ["element: found", "element: missing"]


def test_the_fallback_is_a_branch() -> None:
    fallback = Branch("fallback", "match", "matched")
    assert fallback in [one.branch for one in covered("action: ignore", "check: c").unreached]
    assert fallback not in [one.branch for one in covered("action: ignore", "source: b").unreached]


def test_the_example_rules_are_covered_by_their_own_tests() -> None:
    made = rules.load(EXAMPLES / "rules")
    elements = fleet.load(EXAMPLES / "config" / "fleet")
    outcomes = [testing.run(test, made, elements) for test in made.tests]
    assert [outcome.failures for outcome in outcomes if outcome.failures] == []
    found = coverage(made, elements, [each for outcome in outcomes for each in outcome.decided])
    assert found.unreached == ()
    assert found.branches > 90


def test_an_alert_without_an_element_never_comes_to_an_impact() -> None:
    rule = "element: {lookup: '{{ resource }}'}, impact: {by: severity, critical: severe, else: none}"
    assert left(rule, "resource: nobody") == ["element: found", "impact: critical", "impact: else"]

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulemaking import NOW, alert
from tocsin import rules
from tocsin.rules import index
from tocsin.rules.facts import Facts
from tocsin.rules.patterns import Filter, Regex, from_globs

if TYPE_CHECKING:
    from tocsin.model import Alert
    from tocsin.rules import RuleSet


def recording(matches: list[str]) -> RuleSet:
    """Rules with these conditions, which only record."""
    lines = "".join(f"  - {{id: r{number}, match: {match}, action: record}}\n" for number, match in enumerate(matches))
    return rules.build({"a.yaml": f"rules:\n{lines}fallback: {{action: record}}\n"})


def candidates(matches: list[str], met: Alert) -> list[int]:
    return recording(matches).index.candidates(met)


@pytest.mark.parametrize(
    ("matches", "found"),
    [
        (["{source: a}", "{source: prometheus}", "{source: b}"], [1]),
        (["{source: [a, prometheus]}", "{source: [a, b]}"], [0]),
        (["{labels.team: shop}", "{labels.team: bank}", "{labels.nope: shop}"], [0]),
        (["{summary: {regex: 'DISK'}}", "{summary: {regex: 'LOAD'}}"], [0]),
        (["{resource: {glob: 'web*'}}", "{resource: {glob: 'data*'}}"], [0]),
        (["{labels.team: {regex: 'shop'}}", "{labels.team: {regex: 'bank'}}", "{labels.nope: {regex: 'shop'}}"], [0]),
        (["{url: {exists: true}}", "{source: {not: x}}", "{labels.percent: {gt: 5}}", "{}"], [0, 1, 2, 3]),
        (["{source: prometheus, check: a}", "{source: prometheus, check: DiskFull}", "{source: prometheus}"], [1, 2]),
        (
            ["{severity: critical, summary: {regex: 'LOAD'}}"] * 20
            + ["{severity: critical, summary: {regex: 'DISK'}}"],
            [20],
        ),
    ],
)
def test_the_index_rules_out_what_cannot_match(matches: list[str], found: list[int]) -> None:
    assert candidates(matches, alert()) == found


def test_rules_that_share_a_value_are_told_apart_by_what_else_they_ask() -> None:
    matches = [f"{{check: c{number % 20}, resource: r{number // 20}}}" for number in range(400)]
    assert candidates(matches, alert(check="c7", resource="r3")) == [67]
    assert candidates(matches, alert(check="c7", resource="elsewhere")) == []


def test_of_rules_that_share_a_value_those_that_ask_nothing_else_stay_candidates() -> None:
    plain, narrower = ["{check: c}"] * 6, ["{check: c, labels.x: r}"] * 6
    matches = plain + narrower + [f"{{labels.x: r, resource: h{number}}}" for number in range(30)]
    assert candidates(matches, alert(check="c", labels={})) == list(range(6))
    assert candidates(matches, alert(check="c", labels={"x": "r"})) == list(range(12))


def test_a_pattern_that_needs_no_certain_text_does_not_keep_an_equality_from_ruling_out() -> None:
    matches = [f"{{check: c{number % 2}, summary: {{regex: '\\d+%'}}}}" for number in range(40)]
    assert candidates(matches, alert(check="other")) == []


ASKED = st.tuples(*[st.none() | st.integers(0, most) for most in (2, 3, 2)])
FORMS = (
    ("source: s{}", "check: c{}", "labels.l: l{}"),
    ("source: s{}", "check: {{glob: '*c{}'}}", "labels.l: {{regex: 'l{}$'}}"),
)


@given(st.lists(ASKED, min_size=30, max_size=80), st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 2)))
def test_no_rule_that_matches_is_ever_ruled_out(
    asked: list[tuple[int | None, ...]], said: tuple[int, int, int]
) -> None:
    matches = [
        ", ".join(form.format(value) for form, value in zip(FORMS[number % 2], one, strict=True) if value is not None)
        for number, one in enumerate(asked)
    ]
    found = recording([f"{{{match}}}" for match in matches])
    met = alert(source=f"s{said[0]}", check=f"c{said[1]}", labels={"l": f"l{said[2]}"})
    matching = {number for number, rule in enumerate(found.rules) if isinstance(rule.attempt(met, NOW), Facts)}
    wanted = {
        number
        for number, one in enumerate(asked)
        if all(value in (None, is_) for value, is_ in zip(one, said, strict=True))
    }
    assert matching == wanted
    assert matching <= set(found.index.candidates(met))
    assert found.index.candidates(met) == sorted(set(found.index.candidates(met)))


def test_an_index_of_nothing_finds_nothing() -> None:
    assert index.build([]).candidates(alert()) == []


def words(count: int, length: int) -> list[str]:
    chosen = random.Random(1)
    return ["".join(chosen.choices(string.ascii_lowercase, k=length)) for _ in range(count)]


def test_a_filter_holds_more_literals_than_one_of_re2_can() -> None:
    many = words(4_000, 60)
    found = Filter(many)
    assert len(found._parts) > 1
    for number in (0, 1_999, 2_000, 3_999):
        assert number in found.possible(f"before {many[number]} after")
    assert found.possible("nothing of them") == []


def test_a_pattern_too_large_for_a_filter_is_always_possible() -> None:
    huge = "|".join(words(3_000, 60))
    assert Filter(["before", huge, "after"]).possible("after") == [1, 2]


def test_ten_thousand_patterns_find_theirs() -> None:
    found = Filter([rf"^Job q{number} on .*: (?P<value>[0-9.]+)" for number in range(10_000)])
    assert 4_711 in found.possible("Job q4711 on host7: 3.5")
    assert len(found.possible("Job q4711 on host7: 3.5")) < 10


@pytest.mark.parametrize("regex", [r"\d+%", "x?", ".*", "^$", "[a-z]{2}"])
def test_a_pattern_that_needs_no_certain_text_is_always_possible(regex: str) -> None:
    assert Filter([regex, "certain"]).possible("") == [0]


REGEXES = [
    "(?i)kelvin",
    "(?i)straße",
    "STRASSE",
    "a|bcd",
    "é+t",
    r"\bweb\d",
    "x.*y",
    "(?:ab){2}",
    "",
    "[^a]bc",
    "(?i)ß",
]


@given(
    st.lists(st.sampled_from(REGEXES), max_size=12),
    st.text(max_size=12) | st.sampled_from(["KELVIN", "\u017ftraSSe", "ẞ"]),
)
def test_what_a_filter_rules_out_is_not_in_the_text(regexes: list[str], text: str) -> None:
    possible = Filter(regexes).possible(text)
    assert {number for number, regex in enumerate(regexes) if Regex(regex).search(text)} <= set(possible)
    assert len(possible) == len(set(possible))


@pytest.mark.parametrize(
    ("globs", "text", "fits"),
    [
        (["a*"], "abc", True),
        (["*"], "a\nb", True),
        (["a?c"], "aéc", True),
        (["a?c"], "ac", False),
        (["a.c"], "abc", False),
        (["a", "b"], "b", True),
        (["a", "b"], "ab", False),
        (["*\\*"], "x\\y", True),
        (["(a|b)"], "a", False),
        (["a"], "a\n", False),
    ],
)
def test_a_glob_fits_the_whole_text(globs: list[str], text: str, *, fits: bool) -> None:
    assert bool(Regex(from_globs(globs)).search(text)) is fits


def test_captures_are_texts_and_those_without_a_part_are_empty() -> None:
    regex = Regex(r"(?P<a>é+)(?P<b>x)?(\d)(?P<c>.)")
    assert regex.captures(regex.search("aééé7à")) == {"a": "ééé", "b": "", "c": "à"}

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
import re2
from greenery import parse
from hypothesis import assume, given
from hypothesis import strategies as st

from rulemaking import FALLBACK
from tocsin import rules
from tocsin.workbench.reach import expressions, unreachable
from tocsin.workbench.reach.automata import LARGEST, MOST_MET, Comparison, Machine
from tocsin.workbench.reach.expressions import UndecidableError
from tocsin.workbench.reach.implication import MOST_STEPS, Prover

if TYPE_CHECKING:
    from tocsin.workbench.reach import Verdict


def verdicts(*matches: str, patience: int = MOST_STEPS) -> list[Verdict]:
    """What is said of rules with these conditions, which only record; they are called r0, r1 and so on."""
    lines = "".join(f"  - {{id: r{number}, match: {match}, action: record}}\n" for number, match in enumerate(matches))
    return list(unreachable(rules.build({"a.yaml": f"rules:\n{lines}{FALLBACK}"}).rules, patience))


COVERED = [
    ("{}", "{source: a}"),
    ("{severity: [critical, major]}", "{severity: major, check: x}"),
    ("{severity: [critical, major, minor, warning, info]}", "{source: a}"),
    ("{severity: {not: info}}", "{severity: [critical, minor]}"),
    ("{severity: {not: info}, resource: {exists: true}}", "{severity: critical, resource: [a, b]}"),
    ("{resource: {glob: 'web*'}, source: a}", "{resource: [web1, web2], source: a}"),
    ("{resource: {glob: 'web*'}}", "{resource: web1}"),
    ("{resource: {glob: 'web*'}}", "{resource: {glob: 'web1?'}}"),
    ("{resource: {glob: 'web*'}}", "{resource: {regex: '^web\\d+$'}}"),
    ("{resource: {glob: [a*, '*b']}}", "{resource: {glob: ['a?b', 'b*b']}}"),
    ("{resource: {regex: '^web'}}", "{resource: {glob: 'web*'}}"),
    ("{resource: [a, b]}", "{resource: {regex: '^[ab]$'}}"),
    ("{resource: {exists: true}}", "{resource: {glob: '*'}}"),
    ("{resource: {exists: false}}", "{resource: {exists: false}}"),
    ("{resource: {not: a}}", "{resource: {exists: false}}"),
    ("{summary: {regex: a}}", "{summary: {regex: a}, source: b}"),
    ("{summary: {regex: a}}", "{summary: {regex: ab}}"),
    ("{summary: {regex: 'disk .* full'}}", "{summary: {regex: '^disk (?P<mount>/\\w+) is full$'}}"),
    ("{summary: {regex: '(?i)\\bweb'}}", "{summary: {glob: 'WEB*'}}"),
    ("{summary: {regex: '(?i)dégradé'}}", "{summary: {regex: 'DÉGRADÉ'}}"),
    ("{summary: {regex: '(?m)^b$'}}", "{summary: {regex: 'a\\nb\\nc'}}"),
    ("{summary: {regex: 'x|y'}}", "{summary: {regex: '[xy]{3,}'}}"),
    ("{summary: {regex: '[^\\d]'}}", "{summary: {regex: '\\pL'}}"),
    ("{summary: {regex: ab}}", "{summary: {regex: a, glob: '*b', not: {glob: '*a?*b'}}, resource: x}"),
    ("{labels.n: {gt: 5}}", "{labels.n: {gte: 6}}"),
    ("{labels.n: {gte: 5}}", "{labels.n: {gt: 5, lt: 10}}"),
    ("{labels.n: {gt: 5}}", "{labels.n: ['6', '7']}"),
    ("{labels.n: {not: {gt: 5}}}", "{labels.n: {lte: 5}}"),
    ("{labels.n: {not: {gt: 5}}}", "{labels.n: {not: {gt: 4}}}"),
    ("{resource: {cidr: 10.0.0.0/8}}", "{resource: {cidr: [10.1.0.0/16, 10.2.0.0/16]}}"),
    ("{resource: {cidr: [10.0.0.0/9, 10.128.0.0/9]}}", "{resource: {cidr: 10.0.0.0/8}}"),
    ("{resource: {not: {cidr: 10.1.0.0/16}}}", "{resource: {cidr: 10.2.0.0/16}}"),
    ("{resource: {not: {glob: 'test*'}}}", "{resource: {glob: 'web*'}}"),
    ("{resource: {not: {glob: 'test*'}}}", "{resource: {not: {regex: '^te'}}}"),
    ("{resource: {not: [a, b]}}", "{resource: {not: [a, b, c]}}"),
    ("{resource: {not: {not: a}}}", "{resource: a}"),
]
NOT_COVERED = [
    ("{severity: [critical, major]}", "{severity: [major, minor]}"),
    ("{source: a, check: x}", "{source: a}"),
    ("{severity: [critical, major, minor, warning]}", "{source: a}"),
    ("{resource: {glob: 'web*'}, source: a}", "{resource: [web1, db1], source: a}"),
    ("{resource: {glob: 'web?'}}", "{resource: {glob: 'web*'}}"),
    ("{resource: {glob: '*'}}", "{source: a}"),
    ("{resource: {exists: true}}", "{resource: {not: a}}"),
    ("{resource: {not: a}}", "{source: a}"),
    ("{summary: {regex: ab}}", "{summary: {regex: a}}"),
    ("{summary: {regex: '^ab'}}", "{summary: {regex: ab}}"),
    ("{summary: {regex: 'ab$'}}", "{summary: {regex: '(?m)ab$'}}"),
    ("{summary: {regex: '.'}}", "{summary: {regex: '(?s).'}}"),
    ("{summary: {regex: '\\bweb'}}", "{summary: {regex: 'web\\d'}}"),
    ("{summary: {regex: '[kK]'}}", "{summary: {regex: '(?i)k'}}"),
    ("{summary: {regex: '(a|b)*a(a|b){20}c'}}", "{summary: {regex: 'a'}}"),
    ("{labels.n: {gte: 6}}", "{labels.n: {gt: 5}}"),
    ("{labels.n: {not: {gt: 4}}}", "{labels.n: {not: {gt: 5}}}"),
    ("{resource: {cidr: 10.1.0.0/16}}", "{resource: {cidr: 10.0.0.0/8}}"),
    ("{resource: {regex: '^10\\.'}}", "{resource: {cidr: '::/0'}}"),
    ("{resource: {not: {glob: 'web1*'}}}", "{resource: {glob: 'web*'}}"),
    ("{resource: {not: {regex: '^te'}}}", "{resource: {not: {glob: 'test*'}}}"),
    ("{labels.a: x}", "{labels.b: x}"),
    ("{resource: {regex: '^[^q]'}}", "{resource: {regex: '^[a-z]x', not: {regex: '^q', glob: '????*'}}}"),
]


@pytest.mark.parametrize(("earlier", "later"), COVERED)
def test_a_rule_is_never_reached_when_an_earlier_one_takes_all_it_would_match(earlier: str, later: str) -> None:
    [verdict] = verdicts("{check: elsewhere}", earlier, later)
    assert verdict.certain
    assert verdict.by
    assert verdict.sentence == 'the rule "r2" is never reached: "r1" takes all that it would match'


@pytest.mark.parametrize(("earlier", "later"), NOT_COVERED)
def test_nothing_is_said_of_a_rule_that_is_reached(earlier: str, later: str) -> None:
    assert verdicts(earlier, later) == []


@pytest.mark.parametrize(
    ("earlier", "later", "why"),
    [
        ("{summary: {regex: '\\C'}}", "{summary: {regex: é}}", r"\C takes a character apart"),
        ("{summary: {regex: 'x.{0,900}y'}}", "{summary: {regex: 'x.{0,800}y'}}", "too large to compare"),
        (
            "{summary: {regex: '(.*a.*b.*c.*d.*|.*e.*f.*g){2}'}}",
            "{summary: {regex: '(.*a.*b.*c.*d.*|.*e.*f.*g){3}'}}",
            "too intricate to compare",
        ),
        ("{labels.n: {gt: 5}}", "{labels.n: {regex: '^[6-9]$'}}", "texts, numbers and addresses are not compared"),
        ("{resource: {regex: '10'}}", "{resource: {cidr: 10.2.0.0/16}}", "texts, numbers and addresses"),
    ],
)
def test_what_cannot_be_told_is_said_with_the_reason(earlier: str, later: str, why: str) -> None:
    [verdict] = verdicts(earlier, later)
    assert not verdict.certain
    assert why in verdict.sentence
    assert verdict.sentence.startswith('it cannot be told whether the rule "r1" is ever reached: "r0" is tried before')


def test_an_earlier_rule_that_surely_takes_all_counts_more_than_one_of_which_that_cannot_be_told() -> None:
    *_, verdict = verdicts("{summary: {regex: '\\C'}}", "{summary: {regex: a}}", "{summary: {regex: ab}}")
    assert verdict.certain
    assert verdict.by
    assert verdict.by.id == "r1"


def test_a_where_covers_nothing_and_does_not_help_what_is_covered() -> None:
    where = "rules:\n - {id: a, match: {}, where: url, action: record}\n - {id: b, match: {}, action: ignore}\n"
    assert list(unreachable(rules.build({"a.yaml": where + FALLBACK}).rules)) == []
    after = "rules:\n - {id: a, match: {}, action: record}\n - {id: b, match: {}, where: url, action: ignore}\n"
    assert [verdict.rule.id for verdict in unreachable(rules.build({"a.yaml": after + FALLBACK}).rules)] == ["b"]


@pytest.mark.parametrize(
    ("matches", "takers"),
    [
        (["{severity: critical}", "{severity: major}", "{severity: [critical, major], source: s}"], ["r0", "r1"]),
        (["{severity: critical}", "{severity: minor}", "{severity: [critical, major], source: s}"], None),
        (["{check: [a, b]}", "{check: {glob: 'c*'}}", "{check: [a, cc], resource: x}"], ["r0", "r1"]),
        (["{status: firing}", "{status: resolved}", "{}"], ["r0", "r1"]),
        (["{severity: critical}", "{severity: {not: critical}, source: s}", "{source: s}"], ["r0", "r1"]),
        (["{severity: critical, check: a}", "{severity: major}", "{severity: [critical, major]}"], None),
    ],
)
def test_several_rules_may_together_take_all_that_a_later_one_would_match(
    matches: list[str], takers: list[str] | None
) -> None:
    found = verdicts(*matches)
    assert [[rule.id for rule in (verdict.by, *verdict.also) if rule] for verdict in found] == (
        [takers] if takers else []
    )


@pytest.mark.parametrize(
    ("match", "field"),
    [
        ("{resource: {regex: '^web', not: {glob: 'web*'}}}", "resource"),
        ("{resource: {glob: 'a*', regex: '^b'}}", "resource"),
        ("{labels.n: {gt: 5, lt: 5}}", "labels.n"),
        ("{severity: {regex: x}}", "severity"),
    ],
)
def test_a_rule_that_asks_for_the_impossible_is_never_reached(match: str, field: str) -> None:
    [verdict] = verdicts(match)
    assert (verdict.certain, verdict.by) == (True, None)
    assert verdict.sentence == f'the rule "r0" is never reached: no alert can fulfil what it asks of {field}'


def test_of_many_rules_those_that_are_covered_are_found() -> None:
    several = [f"{{check: c{number % 20}, resource: r{number}}}" for number in range(600)]
    several += [f"{{summary: {{regex: '^Job q{number} on .*: (?P<value>[0-9.]+)'}}}}" for number in range(600)]
    several += ["{resource: r17, check: c17, source: x}", "{summary: {regex: '^Job q17 on host\\d: (?P<v>\\d+)'}}"]
    assert [(verdict.rule.id, verdict.by and verdict.by.id) for verdict in verdicts(*several)] == [
        ("r1200", "r17"),
        ("r1201", "r617"),
    ]


# The pieces of expressions, and the automata made of them

SOME_CODES = [
    *range(0x250),
    0x7FF,
    0x800,
    0x801,
    0xF8FF,
    0xF900,
    0xF9FF,
    0xFA00,
    0x1F5FF,
    0x1F600,
    0x1F64F,
    0x1F650,
    0x212A,
    0x2160,
    0xD7FF,
    *range(0xE000, 0x110000, 4099),
    0x10FFFF,
]
ITEMS = [r"\d", r"\w", r"\s", r"\S", "[a-c]", "[^a-c]", r"[\]a]", "[]a]", "[[:alpha:]-]", r"\pL", r"[^\pL]", r"\x41"]
ITEMS += [r"\x{e9}", r"\101", "é", ".", "[k-s]", "[^k]", r"\W", r"\.", "[ß-ü]", r"[\d.]", r"\t", r"[\w\s]"]
ITEMS += ["[\u0800-\u0900]", r"[\x{F900}-\x{F9FF}]", r"[\x{1F600}-\x{1F64F}]"]


@pytest.mark.parametrize("flags", ["", "(?i)", "(?s)"])
@pytest.mark.parametrize("item", ITEMS)
def test_an_item_finds_the_characters_that_re2_finds_with_it(item: str, flags: str) -> None:
    node = expressions.read(flags + item)
    assert isinstance(node, expressions.One)
    search = re2.compile(flags + item).search
    wrong = [
        chr(code)
        for code in SOME_CODES
        if bool(search(chr(code))) != any(first <= code <= last for first, last in node.ranges)
    ]
    assert wrong == []


PIECES = ["a", "b", "c", "[ab]", "[^a]", ".", r"\d", r"\w", r"\b", r"\B", "^", "$", r"\A", r"\z", " ", "\n", "1"]
PIECES += ["(?i)", "(?s)", "(?m)", "(?-i)", "(?i:b)", "A", r"\Qa.b\E", "-", r"\.", "é"]


def _expressions(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeats = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{1,}", "*?", "??", "{0}"])
    groups = children.map("({})".format) | children.map("(?:{})".format)
    return (
        st.lists(children, min_size=1, max_size=3).map("".join)
        | st.lists(children, min_size=2, max_size=3).map("|".join).map("(?:{})".format)
        | st.builds("{}{}".format, groups, repeats)
    )


CHOSEN = [
    r"\ba",
    r"a\b",
    r"\Ba",
    r"\b",
    r"\B",
    r"1\b\n",
    "^a",
    "a$",
    "^$",
    "(?m)^a",
    "(?m)a$",
    "(?m)^$",
    r"(?m)\Aa",
    "$a",
    "a^",
]
CHOSEN += [
    "(?:(?i)A)A",
    "((?i)a|1)A",
    "(?i)a(?-i)A",
    "(?i:A)a",
    "(?m:^)a$",
    ".a",
    "(?s).a",
    "(?s:.)a.",
    "(^|1)a",
    "(a|$)\n?$",
]
CHOSEN += [
    "a*?1",
    "(a1)*",
    "(a|1){2}",
    "a{0}1",
    "(?P<x>a)+",
    "(?:^a|1$)",
    r"(\b1|\Ba)\s",
    r"\Qa1\E+",
    "a|",
    "()",
    "[^a]$",
    r"^*a",
]


@pytest.mark.parametrize("expression", CHOSEN)
def test_an_automaton_finds_in_all_short_texts_what_re2_finds(expression: str) -> None:
    search = re2.compile(expression).search
    texts = ["".join(signs) for length in (1, 2, 3) for signs in product("aA1\n ", repeat=length)]
    machine = Machine(expression)
    exactly = [Machine(rf"\A{re2.escape(text)}\z") for text in texts]
    found = [text for text, one in zip(texts, exactly, strict=True) if Comparison([machine, one], []).witness()]
    assert found == [text for text in texts if search(text)]


EXPRESSIONS = st.recursive(st.sampled_from(PIECES), _expressions, max_leaves=8)
TEXTS = st.text(st.sampled_from("abcAB1 \n.-éx"), min_size=1, max_size=6)


def compiled(expression: str) -> re2._Regexp:
    try:
        return re2.compile(expression, _quiet())
    except re2.error:
        assume(False)  # noqa: FBT003 - the way hypothesis wants it
        raise


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


@given(EXPRESSIONS, TEXTS)
def test_an_automaton_finds_what_re2_finds(expression: str, text: str) -> None:
    exactly = Machine(rf"\A{re2.escape(text)}\z")
    found = Comparison([Machine(expression), exactly], []).witness() if compiled(expression) else None
    assert found == (text if compiled(expression).search(text) else None)


@given(EXPRESSIONS, EXPRESSIONS, st.lists(TEXTS, min_size=20, max_size=60))
def test_what_one_expression_finds_and_another_does_not_is_shown_or_does_not_exist(
    one: str, other: str, texts: list[str]
) -> None:
    finds, refuses = compiled(one).search, compiled(other).search
    try:
        witness = Prover().witness([one], [other])
    except UndecidableError:
        return
    if witness is None:
        assert [text for text in texts if finds(text) and not refuses(text)] == []
    else:
        assert witness
        assert finds(witness)
        assert not refuses(witness)


@pytest.mark.parametrize("one", ["a|bc", "a[ab]*", "(ab)+", "[^a]b", "b?c"])
@pytest.mark.parametrize("other", ["a", "[a-c]+", "(ab)*a?", "b|c"])
def test_greenery_alone_comes_to_the_same_verdict(one: str, other: str) -> None:
    whole = (parse(f"({one})").to_fsm(), parse(f"({other})").to_fsm())
    ours = Prover().witness([rf"\A(?:{one})\z"], [rf"(?s)\A(?:{other})\z"])
    assert (ours is None) == (whole[0] - whole[1]).empty()
    assert ours is None or (ours in whole[0] and ours not in whole[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(a|b)*a(a|b){20}c", "(a|b)*a(a|b){19}c"),
        ("x(a|b)*a(a|b){200}c", "(a|b)*a(a|b){199}c"),
        ("(.*a.*b.*c.*d|.*e.*f.*g){5}", "(.*b.*c|.*f){3}"),
        ("((a{0,10}){0,10}){0,10}$", "x"),
        ("(a?){500}a{500}", "a{999}"),
        ("(?:" * 60 + "a" + ")" * 60, "a{3}"),
        ("(x+x+)+y", "(x+x+)+x{30}y"),
        ("|".join(f"{number}(a|b)*a(a|b){{10}}" for number in range(40)), "(a|b)*a(a|b){12}c"),
    ],
)
def test_no_expression_can_hold_a_comparison_up(one: str, other: str) -> None:
    # What greenery's own automata would need seconds, hours or all memory for, ends after a known number of steps.
    try:
        comparison = Comparison([Machine(one)], [Machine(other)])
    except UndecidableError as error:
        assert "too large" in str(error) or "parentheses" in str(error)  # noqa: PT017 - or it is none
        return
    try:
        comparison.witness()
    except UndecidableError as error:
        assert "intricate" in str(error)  # noqa: PT017 - or it is none
    assert len(comparison._met) <= MOST_MET + 1
    assert comparison.steps < 110_000


def test_an_automaton_never_has_more_states_than_it_may() -> None:
    with pytest.raises(UndecidableError, match="too large"):
        Machine(f"a{{{LARGEST // 2}}}b{{{LARGEST // 2}}}")


def test_patience_is_limited_for_all_comparisons_together() -> None:
    prover = Prover(patience=2_000)
    assert prover.witness(["a"], ["b"]) == "a"
    assert prover.witness(["aa"], ["b"]) == "aa"
    assert prover.tired
    assert prover.witness(["a"], ["b"]) == "a"
    with pytest.raises(UndecidableError, match="too many expressions"):
        prover.witness(["ab"], ["b"])


def test_that_there_is_too_much_to_compare_is_said_once() -> None:
    several = [f"{{summary: {{regex: '^[a-{last}]+$'}}}}" for last in "yxwvut"]
    assert [verdict.certain for verdict in verdicts(*several)] == [True] * 5
    assert [verdict.certain for verdict in verdicts(*several, patience=2_000)] == [True, True, False]
    assert [verdict.certain for verdict in verdicts(*several, patience=0)] == [False]

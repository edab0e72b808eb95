"""What must be true of any rules and any alerts: the index, the trace and the naive way agree, and order decides."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rulemaking import FLEET, NOW, alert
from tocsin import rules
from tocsin.model import Severity, Status
from tocsin.rules import engine
from tocsin.rules.facts import Facts
from tocsin.workbench.reach import unreachable

if TYPE_CHECKING:
    from tocsin.model import Alert, Decision
    from tocsin.rules import RuleSet

# A small vocabulary: what rules ask for and what alerts say meet often.

WORDS = ["a", "b", "ab", "web1", "web2", "web10", "db1"]
NUMBERS = ["3", "5", "5.5", "10", "1e3"]
ADDRESSES = ["10.0.0.1", "10.1.2.3", "10.1.2.3:80", "192.0.2.7", "::1"]
SENTENCES = ["DISK web1 is 5 % full", "DISK db1 is 93 % full", "web1: a\nb", "Web2 down", "down"]
SAID = {
    "source": ["a", "b"],
    "check": WORDS,
    "severity": [str(severity) for severity in Severity],
    "resource": ["", *WORDS, *ADDRESSES],
    "summary": ["", *SENTENCES, *WORDS],
    "labels.team": ["", "a", "b"],
    "labels.n": ["", *NUMBERS, "a"],
}
GLOBS = ["*", "web*", "web?", "*1*", "a*", "*b", "?", "DISK*full"]
REGEXES = ["web", "^web", r"web\d$", r"(?i)\bWEB", "^.$", r"(?P<percent>\d+) %", "^DISK (?P<disk>.*) is", "a|b", "a.b"]
REGEXES += ["(?s)a.b", r"^[a-z]+\d*$", "^(web|db)1"]
NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "::/0"]
WHERES = ["check == 'web1'", "labels.team == 'a'", "labels.n|int > 4", "severity != 'info'"]


def _conditions(field: str) -> st.SearchStrategy[Any]:
    values = st.sampled_from([value for value in SAID[field] if value])
    one_or_several = values | st.lists(values, min_size=1, max_size=3)
    bound = st.sampled_from([3, 5, 5.5, 10])
    operators = {
        "glob": st.sampled_from(GLOBS) | st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2),
        "regex": st.sampled_from(REGEXES),
        "exists": st.booleans(),
        "not": one_or_several
        | st.fixed_dictionaries({"glob": st.sampled_from(GLOBS)})
        | st.fixed_dictionaries({"regex": st.sampled_from([regex for regex in REGEXES if "?P" not in regex])}),
    }
    operators |= dict.fromkeys(("gt", "gte", "lt", "lte"), bound) if field == "labels.n" else {}
    operators |= {"cidr": st.sampled_from(NETWORKS)} if field == "resource" else {}
    chosen = st.sampled_from(sorted(operators))
    several = st.lists(chosen, min_size=1, max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: operators[name] for name in names})
    )
    return one_or_several | several


MATCHES = st.lists(st.sampled_from(sorted(SAID)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: _conditions(name) for name in names})
)


def _captures_once(rule: dict[str, Any]) -> bool:
    """Whether no two conditions capture the same name."""
    said = json.dumps(rule)
    return all(said.count(f"?P<{name}>") < 2 for name in ("percent", "disk"))


RULES = st.fixed_dictionaries(
    {"match": MATCHES}, optional={"where": st.sampled_from(WHERES), "action": st.just("ignore")}
).filter(_captures_once)
ALERTS = st.fixed_dictionaries({field: st.sampled_from(values) for field, values in SAID.items()})


def made(written: list[dict[str, Any]]) -> RuleSet:
    """Rules from what their match and where say; their ids are their numbers."""
    ruled = [{"id": f"r{number}", "action": "record"} | rule for number, rule in enumerate(written)]
    return rules.build({"a.yaml": json.dumps({"rules": ruled, "fallback": {"action": "quarantine"}})})


def said(values: dict[str, str]) -> Alert:
    """An alert that says this, field by field; an empty label is none."""
    plain = {field: value for field, value in values.items() if "." not in field}
    labels = {field.partition(".")[2]: value for field, value in values.items() if "." in field and value}
    return alert(**plain | {"severity": Severity(plain["severity"]), "labels": labels, "status": Status.FIRING})


def decided(rule_set: RuleSet, met: Alert) -> Decision:
    return engine.decide(met, rule_set, FLEET, NOW)


def naive(rule_set: RuleSet, met: Alert) -> Decision:
    return engine.decide_naive(met, rule_set, FLEET, NOW)


@given(st.lists(RULES, min_size=1, max_size=25), st.lists(ALERTS, min_size=1, max_size=10))
def test_the_index_the_trace_and_the_naive_way_agree(
    written: list[dict[str, Any]], alerts: list[dict[str, str]]
) -> None:
    rule_set = made(written)
    for values in alerts:
        met = said(values)
        with_index, without = decided(rule_set, met), naive(rule_set, met)
        assert replace(with_index, trace=()) == replace(without, trace=())
        assert engine.explain(met, rule_set, NOW) == list(without.trace)
        before = [rule.id for rule in rule_set.rules][: len(without.trace)]
        assert [tried.rule for tried in without.trace] == before
        candidates = {rule_set.rules[number].id for number in rule_set.index.candidates(met)}
        assert list(with_index.trace) == [tried for tried in without.trace if tried.rule in candidates]


@given(st.lists(RULES, min_size=1, max_size=12), RULES, st.lists(ALERTS, min_size=1, max_size=8), st.data())
def test_a_rule_added_after_the_one_that_matches_changes_nothing(
    written: list[dict[str, Any]], added: dict[str, Any], alerts: list[dict[str, str]], data: st.DataObject
) -> None:
    rule_set = made([{"id": f"old-{number}"} | rule for number, rule in enumerate(written)])
    ids = [rule.id for rule in rule_set.rules]
    for values in alerts:
        met = said(values)
        before = naive(rule_set, met)
        if before.rule not in ids:
            continue
        at = data.draw(st.integers(ids.index(before.rule) + 1, len(ids)))
        longer = [{"id": f"old-{number}"} | rule for number, rule in enumerate(written)]
        changed = made([*longer[:at], added | {"id": "new"}, *longer[at:]])
        assert changed.hash != rule_set.hash
        assert replace(naive(changed, met), rule_set="") == replace(before, rule_set="")
        assert replace(decided(changed, met), rule_set="", trace=()) == replace(before, rule_set="", trace=())


# Rules never reached, and very many alerts

PIECES: list[tuple[str, list[str]]] = [
    ("web", ["web"]),
    (r"\d", ["1", "7"]),
    (r"\d+", ["1", "42", "100"]),
    (".*", ["", "x", " - "]),
    ("[a-c]+", ["a", "cab"]),
    ("[^a]", ["x", " ", "1"]),
    ("(?:disk|load)", ["disk", "load"]),
    (r"\w+", ["w1", "disk", "web"]),
    ("x?", ["", "x"]),
    (r"\b", [""]),
    ("(?i:UP)", ["up", "Up"]),
    (" ", [" "]),
]
AROUND = ["", "", "a", " ", "web", "\n", "42 "]


def _expression(dice: random.Random) -> tuple[str, list[str]]:
    """An expression of few pieces, and texts that it may find."""
    pieces = dice.choices(PIECES, k=dice.randint(1, 3))
    whole = dice.random()
    expression = "".join(regex for regex, _ in pieces)
    text = ["".join(dice.choice(examples) for _, examples in pieces) for _ in range(3)]
    if whole < 0.3:
        return f"^{expression}$", text
    return (f"^{expression}" if whole < 0.5 else expression), [
        f"{dice.choice(AROUND)}{one}{dice.choice(AROUND)}" for one in text
    ]


def _condition(dice: random.Random, field: str, pool: list[str]) -> Any:
    kind = dice.choice(["text", "list", "list", "glob", "regex", "regex", "regex", "not", "exists"])
    if field == "severity":
        return dice.sample(SAID["severity"], k=dice.randint(1, 4))
    if field == "labels.n":
        bound = {dice.choice(["gt", "gte", "lt", "lte"]): dice.choice([3, 5, 5.5, 10])}
        return {"not": bound} if dice.random() < 0.3 else bound
    if field == "resource" and dice.random() < 0.2:
        inside = {"cidr": dice.choice(NETWORKS)}
        return {"not": inside} if dice.random() < 0.3 else inside
    if kind == "regex":
        expression, texts = _expression(dice)
        pool += texts
        return {"regex": expression}
    if kind == "glob":
        pool += ["web1", "web42", "disk"]
        return {"glob": dice.choice(["web*", "web?", "*", "*1", "d*k", "*web*"])}
    if kind == "exists":
        return {"exists": dice.random() < 0.7}
    chosen = dice.choices(WORDS, k=dice.randint(1, 3))
    pool += chosen
    return {"not": chosen} if kind == "not" else chosen


def _random_rules(dice: random.Random, count: int) -> tuple[RuleSet, dict[str, list[str]]]:
    """Rules, and what alerts may say so that they match often."""
    pools: dict[str, list[str]] = {
        "check": [""],
        "resource": ["", *ADDRESSES],
        "summary": [""],
        "labels.n": SAID["labels.n"],
    }
    written = []
    for _ in range(count):
        asked = dice.sample(["check", "resource", "summary", "severity", "labels.n"], k=dice.choice([1, 2, 2, 3]))
        match = {field: _condition(dice, field, pools.get(field, [])) for field in asked}
        # A rule for two severities out of five leaves something for those behind it.
        match.setdefault("severity", dice.sample(SAID["severity"], k=dice.randint(2, 4)))
        written.append({"match": match} | ({"where": "check == 'web1'"} if dice.random() < 0.1 else {}))
    return made(written), pools


def _random_alert(dice: random.Random, pools: dict[str, list[str]]) -> Alert:
    values = {field: dice.choice(pool) for field, pool in pools.items()}
    return said(values | {"source": "a", "severity": dice.choice(SAID["severity"])})


@pytest.mark.parametrize("seed", range(10))
def test_a_rule_reported_as_never_reached_decides_none_of_100_000_alerts(seed: int) -> None:
    dice = random.Random(seed)
    rule_set, pools = _random_rules(dice, 50)
    never = {verdict.rule.id for verdict in unreachable(rule_set.rules) if verdict.certain}
    dead = [rule for rule in rule_set.rules if rule.id in never]
    assert 3 < len(dead) < 45
    deciding: set[str] = set()
    matched: set[str] = set()
    for number in range(10_000):
        met = _random_alert(dice, pools)
        deciding.add(decided(rule_set, met).rule)
        if number < 500:
            matched |= {rule.id for rule in dead if isinstance(rule.attempt(met, NOW), Facts)}
            assert decided(rule_set, met).rule == naive(rule_set, met).rule
    assert deciding & never == set()
    # The alerts are such that the rules would match, were they not hidden.
    assert len(matched) > len(dead) // 3

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rulemaking import DECLARING, FALLBACK, FLEET, NOW, alert, decide, rule_set, rule_set_of
from tocsin import rules
from tocsin.model import Action, Alert, Flap, Impact, Policy, Severity, Status
from tocsin.rules import engine

LONG_LOOP = "{% for n in range(labels.percent|int) %}{% for m in range(labels.percent|int) %}x{% endfor %}{% endfor %}"
"""How long it takes depends on a label, so no one can tell when it is loaded."""

HOSTS = {"tables/hosts.csv": "host;element;impact\nweb1;DF00WEB001;severe\ngone;DF00GONE01;none\n*;DF00DB0001;backup\n"}


def ordered(*matches: str) -> rules.RuleSet:
    """Rules with these conditions, numbered, in one file."""
    lines = "".join(f"  - {{id: r{number}, match: {match}, action: record}}\n" for number, match in enumerate(matches))
    return rules.build({"a.yaml": f"rules:\n{lines}{FALLBACK}"})


def test_the_first_rule_that_matches_decides() -> None:
    found = ordered("{source: nagios}", "{check: DiskFull}", "{severity: critical}", "{}")
    assert engine.decide(alert(), found, FLEET, NOW).rule == "r1"
    assert engine.decide(alert(check="x"), found, FLEET, NOW).rule == "r2"
    assert engine.decide(alert(check="x", severity=Severity.INFO), found, FLEET, NOW).rule == "r3"


def test_an_alert_that_no_rule_knows_gets_the_fallback() -> None:
    found = rules.build({"a.yaml": "fallback: {action: quarantine, reason: look at it}"})
    decision = engine.decide(alert(), found, FLEET, NOW)
    assert (decision.action, decision.rule, decision.reason) == (Action.QUARANTINE, "fallback", "look at it")
    assert decision.rule_set == found.hash


def test_a_ticket_has_all_that_a_ticket_needs() -> None:
    found = rule_set(
        """
        match: {summary: {regex: '(?P<count>\\d+) files on (?P<mount>\\S+)(?P<rest> more)?'}}
        element: {lookup: '{{ resource }}'}
        impact: {by: severity, critical: interrupted, else: degraded}
        key: [element, check, mount]
        hold: 2m
        flap: {changes: 6, within: 1h, quiet: 30m}
        close: {after: 5m, unless: nothing}
        reopen: 7d
        backend: other
        ticket:
          name: {en: '{{ element.name }}: {{ count }} files', fr: '{{ element.name }} : {{ count }} fichiers'}
          description: '{{ impact }} since {{ starts_at }}'
        """
    )
    decision = decide(found)
    assert decision.action == Action.TICKET
    assert (decision.rule, decision.rule_set, decision.reason, decision.trace) == ("one", found.hash, "", ())
    assert decision.element == FLEET.get("DF00WEB001")
    assert decision.impact == Impact.INTERRUPTED
    assert decision.dedup_key == "element=DF00WEB001|check=DiskFull|mount=/var"
    assert decision.captures == {"count": "28", "mount": "/var", "rest": ""}
    assert decision.name == {"en": "Web server web1: 28 files", "fr": "Web server web1 : 28 fichiers"}
    assert decision.description == dict.fromkeys(("en", "fr"), "interrupted since 2026-11-22 14:03:05 UTC")
    assert decision.policy == Policy(
        backend="other",
        hold=timedelta(minutes=2),
        flap=Flap(changes=6, within=timedelta(hours=1), quiet=timedelta(minutes=30)),
        close_after=timedelta(minutes=5),
        unless_touched=False,
        reopen=timedelta(days=7),
    )


def test_a_rule_that_says_little_gets_the_usual_policy_key_and_texts() -> None:
    decision = decide(rule_set_of("{}"))
    assert decision.policy == Policy()
    assert decision.dedup_key == "element=DF00WEB001|check=DiskFull"
    assert decision.name == {"en": "web1: DiskFull (critical)", "fr": "web1 : DiskFull (critique)"}
    assert decision.description["fr"] == (
        "DISK CRITICAL: 28 files on /var\nat length\n\nSource : prometheus\nRessource : web1\nContrôle : DiskFull\n"
        "Gravité : critique\nDepuis : 2026-11-22 14:03:05 UTC\nhttps://monitoring.example.com/1"
    )


@pytest.mark.parametrize(
    ("ticket", "en", "fr"),
    [
        ("name: both", "both", "both"),
        ("name: {en: english}", "english", "english"),
        ("name: {fr: français}", "français", "français"),
        ("name: {fr: français, en: english}", "english", "français"),
    ],
)
def test_a_language_left_out_gets_the_others_text(ticket: str, en: str, fr: str) -> None:
    assert decide(rule_set_of("{}", f"{DECLARING}\nticket: {{{ticket}}}")).name == {"en": en, "fr": fr}


@pytest.mark.parametrize(
    ("said", "close_after", "unless_touched"),
    [
        ("close: never", None, True),
        ("close: 1h", timedelta(hours=1), True),
        ("close: {after: 1h, unless: touched}", timedelta(hours=1), True),
        ("close: {after: 0s, unless: nothing}", timedelta(0), False),
    ],
)
def test_when_a_ticket_closes_by_itself(said: str, close_after: timedelta | None, *, unless_touched: bool) -> None:
    policy = decide(rule_set_of("{}", f"{DECLARING}\n{said}")).policy
    assert policy is not None
    assert (policy.close_after, policy.unless_touched) == (close_after, unless_touched)


@pytest.mark.parametrize(("severity", "minutes"), [("critical", 0), ("major", 5), ("info", 7)])
def test_the_hold_goes_by_the_impact(severity: str, minutes: int) -> None:
    found = rule_set(
        """
        match: {}
        element: DF00WEB001
        impact: {by: severity, critical: interrupted, major: degraded, else: none}
        hold: {interrupted: 0s, degraded: 5m, else: 7m}
        """
    )
    policy = decide(found, severity=Severity(severity)).policy
    assert policy is not None
    assert policy.hold == timedelta(minutes=minutes)


def test_a_policy_is_one_object_for_all_incidents_of_a_rule() -> None:
    found = rule_set_of("{}", f"{DECLARING}\nhold: {{severe: 1m, else: 5m}}")
    assert decide(found).policy is decide(found, check="other").policy


def test_the_defaults_of_a_file_hold_where_a_rule_says_nothing() -> None:
    text = f"""\
defaults: {{hold: 1m, close: never, key: [resource]}}
rules:
  - {{id: a, match: {{check: a}}, element: DF00WEB001, impact: none}}
  - {{id: b, match: {{}}, element: DF00WEB001, impact: none, hold: 9m, key: [check]}}
{FALLBACK}"""
    found = rules.build({"a.yaml": text, "b.yaml": "rules: []"})
    first, second = decide(found, check="a"), decide(found, check="b")
    assert first.policy == Policy(hold=timedelta(minutes=1), close_after=None)
    assert second.policy == Policy(hold=timedelta(minutes=9), close_after=None)
    assert (first.dedup_key, second.dedup_key) == ("resource=web1", "check=b")


@pytest.mark.parametrize(
    ("element", "resource", "action", "outcome", "candidates"),
    [
        ("{lookup: '{{ resource }}'}", "web1", "ticket", "DF00WEB001", ()),
        ("{lookup: ' {{ resource }} '}", "db1", "ticket", "DF00DB0001", ()),
        ("{lookup: '{{ resource }}'}", "web9", "quarantine", "no element of the fleet is called 'web9'", ()),
        (
            "{lookup: '{{ resource }}', missing: record}",
            "web9",
            "record",
            "no element of the fleet is called 'web9'",
            (),
        ),
        (
            "{lookup: '{{ resource }}', missing: ignore}",
            "web9",
            "ignore",
            "no element of the fleet is called 'web9'",
            (),
        ),
        ("{lookup: '{{ resource }}', missing: {use: DF00DB0001}}", "web9", "ticket", "DF00DB0001", ()),
        (
            "{lookup: '{{ resource }}', missing: {use: DF9}}",
            "web9",
            "quarantine",
            "no element of the fleet is called 'web9', and no element of the fleet has the reference 'DF9'",
            (),
        ),
        ("{lookup: '{{ url }}'}", "web1", "quarantine", "'{{ url }}' gives no name", ()),
        (
            "{lookup: '{{ resource }}'}",
            "web",
            "quarantine",
            "'web' could be DF00WEB001 or DF00WEB002",
            ("DF00WEB001", "DF00WEB002"),
        ),
        (
            "{lookup: '{{ resource }}', ambiguous: record}",
            "web",
            "record",
            "'web' could be DF00WEB001 or DF00WEB002",
            ("DF00WEB001", "DF00WEB002"),
        ),
        ("{lookup: '{{ resource }}', ambiguous: {use: DF00WEB002}}", "web", "ticket", "DF00WEB002", ()),
        ("DF00DB0001", "web9", "ticket", "DF00DB0001", ()),
        ("DF9", "web1", "quarantine", "no element of the fleet has the reference 'DF9'", ()),
        ("{table: tables/hosts.csv, by: resource}", "web1", "ticket", "DF00WEB001", ()),
        ("{table: tables/hosts.csv, by: resource}", "any", "ticket", "DF00DB0001", ()),
        (
            "{table: tables/hosts.csv, by: resource}",
            "gone",
            "quarantine",
            "no element of the fleet has the reference 'DF00GONE01' (tables/hosts.csv)",
            (),
        ),
        (
            "{table: tables/few.csv, by: labels.team, column: it, missing: record}",
            "web1",
            "record",
            "tables/few.csv has no row for the labels.team 'shop'",
            (),
        ),
    ],
)
def test_each_way_to_an_element_has_each_outcome(
    element: str, resource: str, action: str, outcome: str, candidates: tuple[str, ...]
) -> None:
    tables = HOSTS | {"tables/few.csv": "team,it\nbank,DF00WEB002\nshop,\n"}
    decision = decide(rule_set_of("{}", f"element: {element}\nimpact: none", **tables), resource=resource, url="")
    assert decision.action == action
    assert (decision.element.reference if decision.element else decision.reason) == outcome
    assert decision.candidates == candidates


@pytest.mark.parametrize(
    ("impact", "outcome"),
    [
        ("severe", "severe"),
        ("{by: severity, critical: interrupted, else: none}", "interrupted"),
        ("{by: severity, major: interrupted, else: none}", "none"),
        ("{by: status, firing: severe, resolved: none}", "severe"),
        ("{by: labels.team, shop: severe, else: none}", "severe"),
        ("{by: labels.nope, shop: severe, else: none}", "none"),
        ("{by: word, CRITICAL: backup, else: none}", "backup"),
        ("{table: tables/hosts.csv, by: resource}", "severe"),
        ("{table: tables/hosts.csv, by: check}", "backup"),
        ("{table: tables/few.csv, by: resource, else: severe}", "severe"),
        ("{table: tables/few.csv, by: resource}", "tables/few.csv has no impact for the resource 'web1'"),
    ],
)
def test_each_way_to_an_impact_has_each_outcome(impact: str, outcome: str) -> None:
    tables = HOSTS | {"tables/few.csv": "host,impact\nweb2,none\n"}
    found = rule_set_of("{summary: {regex: '(?P<word>CRITICAL)'}}", f"element: DF00WEB001\nimpact: {impact}", **tables)
    decision = decide(found)
    assert (decision.impact or decision.reason) == outcome
    assert decision.action == (Action.TICKET if decision.impact else Action.QUARANTINE)


@pytest.mark.parametrize(
    ("rest", "reason", "known"),
    [
        ("element: {lookup: '{{ labels.host }}'}\nimpact: none", "element.lookup: the alert has no labels.host", False),
        (f"{DECLARING}\nticket: {{name: '{{{{ labels.x }}}}'}}", "ticket.name.en: the alert has no labels.x", True),
        (
            f"{DECLARING}\nticket: {{description: {{fr: '{{{{ summary|int }}}}'}}}}",
            "ticket.description.fr: invalid float literal at int",
            True,
        ),
        (
            f"{DECLARING}\nticket: {{name: '{LONG_LOOP}'}}",
            "ticket.name.en: it takes more than 20000 steps",
            True,
        ),
    ],
)
def test_a_template_that_fails_puts_the_alert_into_quarantine(rest: str, reason: str, *, known: bool) -> None:
    decision = decide(rule_set_of("{}", rest))
    assert (decision.action, decision.rule, decision.reason) == (Action.QUARANTINE, "one", reason)
    assert (decision.element is not None, decision.impact is not None) == (known, known)


def test_a_rule_that_records_says_so() -> None:
    decision = decide(rule_set_of("{}", "action: record"))
    assert (decision.action, decision.reason, decision.name) == (Action.RECORD, "the rule says record", {})


# What decide does with the index, it does without.

WORDS = ("a", "b", "ab", "web1", "x-1", "é", "28 %")
PATTERNS = ("a", "^b", "web\\\\d", "(?P<n>\\\\d+)", "x|y", ".*", "(?i)B$", "é+", "[ab]{2}")
FIELDS = ("source", "check", "resource", "summary", "labels.a", "labels.b", "severity")


def conditions() -> st.SearchStrategy[Any]:
    word = st.sampled_from(WORDS)
    glob = st.sampled_from(("*", "a*", "?b", "web?", "*1"))
    plain = st.one_of(
        word,
        st.lists(word, min_size=1, max_size=3, unique=True),
        st.fixed_dictionaries({"regex": st.sampled_from(PATTERNS).map(lambda text: text.replace("\\\\", "\\"))}),
        st.fixed_dictionaries({"glob": st.one_of(glob, st.lists(glob, min_size=1, max_size=2))}),
        st.fixed_dictionaries({"exists": st.booleans()}),
        st.fixed_dictionaries({"gt": st.integers(0, 40)}),
        st.fixed_dictionaries({"regex": st.sampled_from(("a", "b")), "glob": glob}),
    )
    return st.one_of(plain, plain.map(lambda value: {"not": value}))


def rule_files() -> st.SearchStrategy[str]:
    match = st.dictionaries(st.sampled_from(FIELDS), conditions(), max_size=3)
    rule = st.fixed_dictionaries({"match": match}, optional={"where": st.sampled_from(("labels.a", "check == 'a'"))})
    return st.lists(rule, max_size=24).map(_file)


def _file(written: list[dict[str, Any]]) -> str:
    listed = []
    for number, rule in enumerate(written):
        names = 0
        for value in rule["match"].values():
            if isinstance(value, dict) and "(?P<n>" in str(value.get("regex", "")):
                value["regex"] = f"(?P<n{names}>\\d+)"
                names += 1
        listed.append(rule | {"id": f"r{number}", "action": "record"})
    return json.dumps({"rules": listed, "fallback": {"action": "ignore"}})


def alerts() -> st.SearchStrategy[Alert]:
    text = st.one_of(st.sampled_from(WORDS), st.sampled_from(("", "a b", "web12", "91", "B", "éé")))
    labels = st.dictionaries(st.sampled_from(("a", "b", "c")), text, max_size=3)
    return st.builds(alert, source=text, check=text, resource=text, summary=text, labels=labels)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(rule_files(), st.lists(alerts(), min_size=1, max_size=8))
def test_the_index_changes_no_decision(text: str, met: list[Alert]) -> None:
    found = rules.build({"a.yaml": text})
    for one in met:
        quick, naive = engine.decide(one, found, FLEET, NOW), engine.decide_naive(one, found, FLEET, NOW)
        assert replace(quick, trace=()) == replace(naive, trace=())
        assert list(naive.trace) == engine.explain(one, found, NOW)
        rest = iter(naive.trace)
        assert all(tried in rest for tried in quick.trace), "the trace is not in the order of the rules"


EVERYTHING = """
rules:
  - id: a
    match: {summary: {regex: '(?P<n>\\w+)'}, labels.x: {not: {cidr: 10.0.0.0/8}}, resource: {not: {gt: 5}}}
    where: n|int > 3 or labels.y == n
    element: {lookup: '{{ labels.host }}'}
    impact: {by: labels.z, x: severe, else: none}
    key: [element, n, labels.w, summary]
  - id: b
    match: {check: {glob: '*'}}
    element: {lookup: '{{ labels.host|default(resource) }}', missing: {use: DF00WEB001}}
    impact: {by: severity, critical: severe, else: none}
    key: [source, labels.w, summary]
    ticket: {name: '{{ description|title }} {{ labels }}', description: '{{ summary|int }}'}
  - {id: c, match: {}, element: DF00WEB001, impact: none, ticket: {name: '{{ summary }}'}}
fallback: {action: record}
"""
TEXTS = st.text(st.characters(), max_size=30)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.builds(
        Alert,
        source=TEXTS,
        fingerprint=TEXTS,
        status=st.sampled_from(Status),
        severity=st.sampled_from(Severity),
        resource=TEXTS,
        check=TEXTS,
        summary=TEXTS,
        description=TEXTS,
        labels=st.dictionaries(st.sampled_from(("x", "y", "z", "w", "host", "")), TEXTS),
        url=TEXTS,
        starts_at=st.none() | st.datetimes(timezones=st.timezones()),
    )
)
def test_every_alert_gets_a_decision_and_always_the_same(met: Alert) -> None:
    found = rules.build({"a.yaml": EVERYTHING})
    decision = engine.decide(met, found, FLEET, NOW)
    assert decision == engine.decide(met, found, FLEET, NOW)
    assert (decision.action == Action.TICKET) != bool(decision.reason)
    if decision.action == Action.TICKET:
        assert all(len(text) <= 200 and "\n" not in text for text in decision.name.values())
        assert all(len(text) <= 4000 for text in decision.description.values())
        assert 0 < len(decision.dedup_key) <= 200
        assert set(decision.name) == set(decision.description) == {"en", "fr"}

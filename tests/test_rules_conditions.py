from __future__ import annotations

from typing import Any

import pytest

from rulemaking import NOW, alert, rule_set_of
from tocsin.model import Severity, Status
from tocsin.rules import engine
from tocsin.rules.facts import Facts

OPERATORS: list[tuple[str, dict[str, Any], bool]] = [
    # text and list
    ("{source: prometheus}", {}, True),
    ("{source: prometheus}", {"source": "nagios"}, False),
    ("{source: prometheus}", {"source": "Prometheus"}, False),
    ("{severity: critical}", {"severity": Severity.CRITICAL}, True),
    ("{severity: [critical, major]}", {"severity": Severity.MAJOR}, True),
    ("{severity: [critical, major]}", {"severity": Severity.INFO}, False),
    ("{status: resolved}", {"status": Status.RESOLVED}, True),
    ("{labels.team: shop}", {"labels": {"team": "shop"}}, True),
    ("{labels.team: shop}", {"labels": {}}, False),
    ("{labels.a.b: x}", {"labels": {"a.b": "x"}}, True),
    ("{source: prometheus, check: DiskFull}", {}, True),
    ("{source: prometheus, check: DiskFull}", {"check": "other"}, False),
    # regex
    ("{summary: {regex: 'CRIT'}}", {}, True),
    ("{summary: {regex: '^CRIT'}}", {}, False),
    ("{summary: {regex: '(?i)disk critical'}}", {}, True),
    ("{summary: {regex: 'é.$'}}", {"summary": "très été"}, False),
    ("{summary: {regex: 'été$'}}", {"summary": "très été"}, True),
    ("{description: {regex: '.*'}}", {"description": ""}, False),
    ("{labels.team: {regex: '^s'}}", {"labels": {"team": "shop"}}, True),
    ("{labels.team: {regex: '^s'}}", {"labels": {}}, False),
    # glob
    ("{resource: {glob: 'web*'}}", {}, True),
    ("{resource: {glob: 'we?1'}}", {}, True),
    ("{resource: {glob: 'eb1'}}", {}, False),
    ("{resource: {glob: 'web'}}", {}, False),
    ("{resource: {glob: ['db*', 'web?']}}", {}, True),
    ("{resource: {glob: 'a.b'}}", {"resource": "axb"}, False),
    ("{resource: {glob: '[a]*'}}", {"resource": "[a]1"}, True),
    ("{summary: {glob: 'a*b'}}", {"summary": "a\nb"}, True),
    ("{summary: {glob: '*'}}", {"summary": ""}, False),
    # not
    ("{source: {not: nagios}}", {}, True),
    ("{source: {not: prometheus}}", {}, False),
    ("{source: {not: [nagios, prometheus]}}", {}, False),
    ("{summary: {not: {regex: 'OK'}}}", {}, True),
    ("{summary: {not: {regex: 'DISK', glob: '*var'}}}", {}, False),
    ("{summary: {not: {regex: 'DISK', glob: '*tmp'}}}", {}, True),
    ("{source: {not: {not: prometheus}}}", {}, True),
    ("{labels.team: {not: shop}}", {"labels": {}}, True),
    # exists
    ("{labels.team: {exists: true}}", {}, True),
    ("{labels.team: {exists: true}}", {"labels": {}}, False),
    ("{labels.team: {exists: true}}", {"labels": {"team": ""}}, False),
    ("{labels.team: {exists: false}}", {"labels": {}}, True),
    ("{url: {exists: false}}", {}, False),
    # numbers
    ("{labels.percent: {gt: 90}}", {}, True),
    ("{labels.percent: {gt: 91}}", {}, False),
    ("{labels.percent: {gte: 91}}", {}, True),
    ("{labels.percent: {lt: 91.5}}", {}, True),
    ("{labels.percent: {lte: 90.9}}", {}, False),
    ("{labels.percent: {gt: -5, lt: 5}}", {"labels": {"percent": "-4.5e0"}}, True),
    ("{labels.percent: {gt: 0}}", {"labels": {"percent": "many"}}, False),
    ("{labels.percent: {gt: 0}}", {"labels": {}}, False),
    ("{labels.percent: {gt: 0}}", {"labels": {"percent": "nan"}}, False),
    # cidr
    ("{resource: {cidr: 192.0.2.0/24}}", {"resource": "192.0.2.7"}, True),
    ("{resource: {cidr: 192.0.2.0/24}}", {"resource": "192.0.2.7:9100"}, True),
    ("{resource: {cidr: 192.0.2.0/24}}", {"resource": "192.0.3.7"}, False),
    ("{resource: {cidr: 192.0.2.0/24}}", {"resource": "web1"}, False),
    ("{resource: {cidr: 192.0.2.0/24}}", {"resource": ""}, False),
    ("{resource: {cidr: [10.0.0.0/8, '2001:db8::/32']}}", {"resource": "2001:db8::1"}, True),
    ("{resource: {cidr: '2001:db8::/32'}}", {"resource": "[2001:db8::1]:9100"}, True),
    ("{resource: {cidr: '::/0'}}", {"resource": "192.0.2.7"}, False),
    # several
    ("{resource: {glob: 'web*', not: web2}}", {"resource": "web1"}, True),
    ("{resource: {glob: 'web*', not: web2}}", {"resource": "web2"}, False),
    ("{}", {}, True),
]


@pytest.mark.parametrize(("match", "changes", "holds"), OPERATORS, ids=[f"{row[0]} {row[1]}" for row in OPERATORS])
def test_each_operator_says_when_it_holds(match: str, changes: dict[str, Any], *, holds: bool) -> None:
    assert (engine.explain(alert(**changes), rule_set_of(match), NOW) == []) is holds


@pytest.mark.parametrize(
    ("match", "condition", "field", "actual"),
    [
        ("{source: nagios}", "source: nagios", "source", "prometheus"),
        ("{severity: [major, minor]}", "severity: [major, minor]", "severity", "critical"),
        ("{labels.role: db}", "labels.role: db", "labels.role", ""),
        ("{summary: {regex: 'it''s'}}", "summary: {regex: 'it''s'}", "summary", "DISK CRITICAL: 28 files on /var"),
        ("{resource: {glob: 'db*'}}", "resource: {glob: 'db*'}", "resource", "web1"),
        ("{labels.team: {not: [shop, bank]}}", "labels.team: {not: [shop, bank]}", "labels.team", "shop"),
        ("{labels.percent: {gte: 95.5}}", "labels.percent: {gte: 95.5}", "labels.percent", "91"),
        ("{url: {exists: false}}", "url: {exists: false}", "url", "https://monitoring.example.com/1"),
        ("{check: {not: {glob: 'Disk*'}}}", "check: {not: {glob: 'Disk*'}}", "check", "DiskFull"),
        ("{resource: {cidr: 192.0.2.0/24}}", "resource: {cidr: 192.0.2.0/24}", "resource", "web1"),
        ("{resource: {glob: 'web*', regex: 'x'}}", "resource: {regex: x}", "resource", "web1"),
        ("{labels.code: '500'}", "labels.code: '500'", "labels.code", ""),
        ("{source: prometheus, check: x, url: y}", "check: x", "check", "DiskFull"),
    ],
)
def test_the_trace_has_the_first_condition_that_failed_with_the_value_it_met(
    match: str, condition: str, field: str, actual: str
) -> None:
    (tried,) = engine.explain(alert(), rule_set_of(match), NOW)
    assert (tried.rule, tried.condition, tried.field, tried.actual) == ("one", condition, field, actual)


def test_a_long_value_is_cut_in_the_trace() -> None:
    (tried,) = engine.explain(alert(summary="x" * 100_000), rule_set_of("{summary: short}"), NOW)
    assert tried.actual == "x" * 500


def test_where_decides_after_match_and_says_which_captures_it_saw() -> None:
    rules = rule_set_of("{summary: {regex: '(?P<count>\\d+) files'}}", "where: count|int > 30\naction: record")
    (tried,) = engine.explain(alert(), rules, NOW)
    assert (tried.condition, tried.field, tried.actual) == ("where: count|int > 30", "where", "count=28")
    assert engine.explain(alert(summary="31 files"), rules, NOW) == []


def test_a_where_without_captures_says_that_it_is_false() -> None:
    (tried,) = engine.explain(alert(), rule_set_of("{}", "where: labels.team == 'bank'\naction: record"), NOW)
    assert tried.actual == "false"


def test_a_where_that_fails_does_not_match_and_says_why() -> None:
    (tried,) = engine.explain(alert(), rule_set_of("{}", "where: labels.nope == 'x'\naction: record"), NOW)
    assert tried.actual == "where: the alert has no labels.nope"


def test_captures_come_from_every_field_that_has_some() -> None:
    match = "{summary: {regex: '(?P<count>\\d+) files'}, resource: {regex: '^(?P<kind>[a-z]+)(?P<number>\\d+)'}}"
    facts = rule_set_of(match).rules[0].attempt(alert(), NOW)
    assert isinstance(facts, Facts)
    assert facts.captures == {"count": "28", "kind": "web", "number": "1"}

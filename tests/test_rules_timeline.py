from __future__ import annotations

from datetime import timedelta
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from rulemaking import FALLBACK
from tocsin import rules
from tocsin.model import Alert, Impact, Severity, State, Status, TicketStatus
from tocsin.rules import RulesError

if TYPE_CHECKING:
    from tocsin.rules.timeline import RuleTest

SAMPLES = """\
samples:
  full: {source: nagios, severity: major, resource: web1, check: Disk, summary: full, labels: {a: '1', b: '2'}}
"""


def parsed(text: str) -> tuple[RuleTest, ...]:
    return rules.build({"a.yaml": SAMPLES + dedent(text) + FALLBACK}, folder="rules").tests


def refused(text: str) -> str:
    with pytest.raises(RulesError) as caught:
        parsed(text)
    return str(caught.value)


def test_a_test_is_parsed_with_its_place_and_everything_in_order_of_time() -> None:
    (test,) = parsed(
        """\
        tests:
          - name: as it should be
            alerts:
              - {at: 5m, use: full, status: resolved}
              - {at: 0s, use: full}
            people:
              - {at: 3m, actor: someone, status: in_progress}
              - {at: 2m}
            expect:
              - {at: 1h, state: closed, because: quiet}
              - {at: 1m, tickets: 1, impact: severe, name: {fr: plein}}
        """
    )
    assert (test.name, test.file, test.line) == ("as it should be", "rules/a.yaml", 4)
    assert [(step.at, step.alert.status) for step in test.steps] == [
        (timedelta(0), Status.FIRING),
        (timedelta(minutes=5), Status.RESOLVED),
    ]
    assert [(touch.actor, touch.status) for touch in test.people] == [
        ("technician", None),
        ("someone", TicketStatus.IN_PROGRESS),
    ]
    first, last = test.expect
    assert (first.tickets, first.impact, first.state, first.because) == (1, Impact.SEVERE, None, None)
    assert (last.at, last.state, last.because) == (timedelta(hours=1), State.CLOSED, "quiet")


def test_an_alert_is_its_sample_with_what_the_test_says_instead() -> None:
    (test,) = parsed(
        """\
        tests:
          - name: x
            alerts:
              - {at: 0s, use: full}
              - {at: 0s, use: full, severity: critical, labels: {b: '3', c: '4'}, fingerprint: f, url: u, description: d}
              - {at: 0s, source: s, severity: info, resource: r, check: c, summary: m}
            expect: {at: 1m, tickets: 0}
        """
    )
    plain = Alert(
        source="nagios",
        fingerprint="nagios:web1:Disk",
        status=Status.FIRING,
        severity=Severity.MAJOR,
        resource="web1",
        check="Disk",
        summary="full",
        labels={"a": "1", "b": "2"},
    )
    first, second, third = (step.alert for step in test.steps)
    assert first == plain
    assert (second.severity, second.fingerprint, second.url, second.description) == ("critical", "f", "u", "d")
    assert second.labels == {"a": "1", "b": "3", "c": "4"}
    assert (third.fingerprint, third.labels, third.starts_at) == ("s:r:c", {}, None)


@pytest.mark.parametrize(
    ("alerts", "expect", "problem"),
    [
        (
            "[{at: 0s, use: ful}]",
            "{at: 1m, tickets: 0}",
            'a.yaml:5:28: no sample is called "ful" (did you mean "full"?)',
        ),
        (
            "[{at: 0s, source: x, check: y, summary: z}]",
            "{at: 1m, tickets: 0}",
            "a.yaml:5:14: the alert has no severity and no resource: say it in a sample or here",
        ),
        ("[{use: full}]", "{at: 1m, tickets: 0}", 'a.yaml:5:14: the key "at" is missing'),
        ("[]", "{at: 1m, tickets: 0}", "a.yaml:5:13: an empty list where at least one is wanted"),
        ("[{at: 0s, use: full}]", "{at: 1m}", "a.yaml:6:13: nothing is expected: say what, such as tickets: 1"),
        ("[{at: 0s, use: full}]", "{at: 1m, tickets: one}", 'a.yaml:6:31: "one" where a whole number is wanted'),
        ("[{at: 0s, use: full}]", "{at: 1m, sate: open}", 'a.yaml:6:22: unknown key "sate" (did you mean "state"?)'),
        ("[{at: 0s, use: full}]", "1", "a.yaml:6:13: 1 where a mapping or a list is wanted"),
    ],
)
def test_what_is_wrong_with_a_test_is_said_where_it_stands(alerts: str, expect: str, problem: str) -> None:
    assert f"rules/{problem}" == refused(f"tests:\n  - name: x\n    alerts: {alerts}\n    expect: {expect}\n")


def test_a_sample_that_is_used_is_no_warning() -> None:
    text = "tests: [{name: x, alerts: [{at: 0s, use: full}], expect: {at: 0s, tickets: 0}}]\n"
    assert rules.build({"a.yaml": SAMPLES + text + FALLBACK}).warnings == ()
    assert len(rules.build({"a.yaml": SAMPLES + FALLBACK}).warnings) == 1

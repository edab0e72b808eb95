from __future__ import annotations

from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from rulemaking import FALLBACK
from tocsin import rules
from tocsin.model import Alert, Impact, Severity, State, Status, TicketStatus
from tocsin.rules import RulesError

if TYPE_CHECKING:
    from pathlib import Path

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


def test_everything_else_on_the_time_line_is_parsed_with_it() -> None:
    (test,) = parsed(
        """\
        tests:
          - name: x
            begins: 2026-11-23T08:00:00+01:00
            alerts: [{at: 0s, use: full}]
            down: [{backend: desk, from: 5m, to: 20m}, {from: 1h, to: 2h}]
            clock: [{at: 3h, jumps: 2h}]
            stopped: [{from: 1m, to: 2m}]
            expect:
              - {at: 5m, waiting: 1, priority: P1, key: k, notes: 2}
              - {at: 1m, deliveries: [open, update], notes: [a, b]}
        """
    )
    assert test.begins == datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    assert [(down.backend, down.since, down.to) for down in test.down] == [
        ("desk", timedelta(minutes=5), timedelta(minutes=20)),
        (None, timedelta(hours=1), timedelta(hours=2)),
    ]
    assert [(one.since, one.to, one.stopped) for one in test.asleep] == [
        (timedelta(minutes=1), timedelta(minutes=2), True),
        (timedelta(hours=3), timedelta(hours=5), False),
    ]
    first, second = test.expect
    assert (first.deliveries, first.notes) == (("open", "update"), ("a", "b"))
    assert (second.waiting, second.priority, second.key, second.notes) == (1, "P1", "k", 2)
    assert test.lines == (12, 11)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("begins: yesterday", '7:13: "yesterday" is no moment: write one such as 2026-11-23T08:00:00Z'),
        ("begins: 2026-11-23T08:00:00", '7:13: "2026-11-23T08:00:00" is no moment'),
        ("down: [{from: 5m, to: 5m}]", "7:12: it ends before it begins: `to` comes after `from`"),
        ("down: [{from: 5m}]", '7:12: the key "to" is missing'),
        ("clock: [{at: 30s, jumps: 1h}]", "6:18: the clock jumps over this moment: nothing can happen then"),
        (
            "clock: [{at: 2m, jumps: 1h}, {at: 3m, jumps: 1h}]",
            "7:34: the clock jumps, or the service is stopped, at this moment already",
        ),
        ("stopped: [{from: 2m, to: 1m}]", "7:15: it ends before it begins"),
        ("clock: [{at: 2m, jump: 1h}]", 'unknown key "jump" (did you mean "jumps"?)'),
    ],
)
def test_a_time_line_that_cannot_be_is_refused_where_it_stands(line: str, problem: str) -> None:
    said = refused(
        f"tests:\n  - name: x\n    alerts: [{{at: 0s, use: full}}]\n    expect: {{at: 1m, tickets: 0}}\n    {line}\n"
    )
    assert problem in said


# --- payloads --------------------------------------------------------------------------------------------------------

EVENT = '{"mc_host": "web1", "mc_parameter": "Disk", "severity": "CRITICAL"}'


def with_payload(payload: str, *more: str, **files: str) -> rules.RuleSet:
    lines = ["tests:", "  - name: x", f"    alerts: [{{at: 0s, {', '.join([f'payload: {payload}', *more])}}}]"]
    text = "\n".join([*lines, "    expect: {at: 1m, tickets: 0}"])
    return rules.build({"a.yaml": text + FALLBACK} | files, folder="rules")


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ("{kind: truesigt, body: x}", '3:39: "truesigt" is no kind of source (did you mean "truesight"?)'),
        ("{kind: truesight}", "3:32: a payload is a file or a body: give one of the two"),
        ("{kind: truesight, body: x, file: y}", "3:32: a payload is a file or a body: give one of the two"),
        (
            "{kind: truesight, file: payloads/evnt.json}",
            '3:56: there is no file "payloads/evnt.json" below the rules\' folder (did you mean "payloads/event.json"?)',
        ),
        ("{kind: truesight, file: a.yaml}", '3:56: there is no file "a.yaml" below the rules\' folder'),
        ("{kind: truesight, body: '{'}", "3:56: truesight cannot read this payload: "),
        ("{kind: truesight, body: {severity: CRITICAL}}", "3:56: truesight cannot read this payload: "),
        ("{kind: generic, body: [{resource: a, check: b}, {resource: a}]}", "cannot read entry 1 of this payload: "),
        ("{kind: alertmanager, body: {alerts: []}}", "alertmanager"),
        ("{kind: truesight, body: {}, options: {severty: x}}", "option of truesight: "),
        (
            "{kind: generic, body: {}, content_type: text/plain}",
            "generic reads application/json, and this is text/plain",
        ),
    ],
)
def test_what_is_wrong_with_a_payload_is_said_where_it_stands(payload: str, problem: str) -> None:
    with pytest.raises(RulesError) as caught:
        with_payload(payload, **{"payloads/event.json": EVENT})
    assert str(caught.value).startswith("rules/a.yaml:3:")
    assert problem in str(caught.value)


def test_a_payload_says_everything_itself() -> None:
    with pytest.raises(RulesError, match="a payload says all of its alerts itself: remove severity and use"):
        with_payload("{kind: generic, body: {}}", "use: x", "severity: info")


def test_a_form_is_read_as_one() -> None:
    form = "NOTIFICATIONTYPE=PROBLEM&HOSTNAME=web1&SERVICEDESC=Disk&SERVICESTATE=CRITICAL"
    made = with_payload("{kind: nagios, file: payloads/disk.form}", **{"payloads/disk.form": form})
    (step,) = made.tests[0].steps
    assert (step.alert.source, step.alert.resource, step.alert.severity) == ("nagios", "web1", Severity.CRITICAL)


def test_the_options_of_a_payload_are_those_of_its_kind() -> None:
    made = with_payload(
        "{kind: generic, source: mine, body: {resource: a, check: b}, options: {severity_default: info}}"
    )
    (step,) = made.tests[0].steps
    assert (step.alert.source, step.alert.severity) == ("mine", Severity.INFO)


def test_payloads_are_part_of_a_rule_set_and_of_its_hash(tmp_path: Path) -> None:
    (tmp_path / "payloads").mkdir()
    (tmp_path / "a.yaml").write_text(FALLBACK)
    before = rules.load(tmp_path)
    for name in ("rules.yaml", "table.csv", ".hidden"):
        (tmp_path / "payloads" / name).write_text("- neither rules nor a table\nx,y,z\n")
    read = rules.load(tmp_path)
    assert sorted(read.files) == ["a.yaml", "payloads/rules.yaml", "payloads/table.csv"]
    assert read.hash != before.hash
    assert rules.build(read.files).hash == read.hash
    assert [str(warning) for warning in read.warnings] == [
        f"{tmp_path}/payloads/{name}: no test uses this payload" for name in ("rules.yaml", "table.csv")
    ]
    used = with_payload("{kind: truesight, file: payloads/event.json}", **{"payloads/event.json": EVENT})
    assert used.warnings == ()


def test_a_payload_that_is_too_large_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "payloads").mkdir()
    (tmp_path / "a.yaml").write_text(FALLBACK)
    (tmp_path / "payloads" / "large.json").write_bytes(b" " * (1024 * 1024 + 1))
    (tmp_path / "payloads" / "latin.json").write_bytes(b"\xe9")
    with pytest.raises(RulesError) as caught:
        rules.load(tmp_path)
    large, latin = map(str, caught.value.problems)
    assert large.endswith("large.json: a payload has at most 1 MiB: cut it down to what is tested")
    assert "latin.json" in latin
    assert "UTF-8" in latin

"""A history that was exported replays as it did, and tells nothing that it must not."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import histories
from house import alert, opened
from rulemaking import FLEET, rule_set_of
from tocsin import rules
from tocsin.cli import app
from tocsin.errors import RuleError, StoreError
from tocsin.model import Alert, TicketStatus
from tocsin.rules import engine
from tocsin.store.history import Arrival, Touched, history
from tocsin.workbench import redaction
from tocsin.workbench.exporting import KEPT, Head, read_head, read_history, write_history
from tocsin.workbench.redaction import Redaction, Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tocsin.store.history import Event

T = histories.START
PERIOD = Head(since=T, until=T + histories.MONTH)
OPEN = Redaction(builtin=False)
KEY = b"of the tests"


def export(path: Path, events: Sequence[Event], redact: Redaction = OPEN) -> list[Event]:
    """What is read back."""
    write_history(path, PERIOD, lambda: events, Redactor(redact, KEY))
    return list(read_history(path))


def arrivals(*alerts: Alert) -> list[Event]:
    return [Arrival(row=row, at=T + timedelta(minutes=row), text=row, alert=one) for row, one in enumerate(alerts, 1)]


def said(events: Iterable[Event]) -> list[Any]:
    """What a replay goes by: everything but row numbers, and what was decided at the time."""
    return [(one.at, one.text, one.alert) if isinstance(one, Arrival) else one for one in events]


# --- the file --------------------------------------------------------------------------------------------------------


async def test_a_month_from_the_database_is_read_back_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    histories.fill(tmp_path, 3000)
    with history(tmp_path) as past:
        span = past.span(T, T + 2 * histories.MONTH)
        written = write_history(tmp_path / "h.jsonl.gz", PERIOD, lambda: past.events(span), Redactor(OPEN, KEY))
        assert said(read_history(tmp_path / "h.jsonl.gz")) == said(past.events(span))
    assert written.alerts == 3000
    assert written.texts < 3000
    assert written.bytes == (tmp_path / "h.jsonl.gz").stat().st_size < 3000 * 60


def test_people_are_exported_without_their_names(tmp_path: Path) -> None:
    touched = Touched(at=T, source="test", fingerprint="f1", status=TicketStatus.CLOSED)
    assert export(tmp_path / "h.jsonl", [*arrivals(alert()), touched])[-1] == touched


def test_a_repeat_costs_one_short_line_and_its_own_end(tmp_path: Path) -> None:
    first = alert(ends_at=T + timedelta(hours=1))
    events = [
        Arrival(row=number, at=T, text=7, alert=alert(ends_at=end))
        for number, end in enumerate((first.ends_at, T + timedelta(hours=2), None), 2)
    ]
    assert said(export(tmp_path / "h.jsonl", events)) == said(events)
    lines = (tmp_path / "h.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 1 + 3
    assert max(map(len, lines[2:])) < 80


def test_a_text_that_both_sides_have_forgotten_is_told_again(tmp_path: Path) -> None:
    numbers = [1, *range(2, KEPT + 2), 1, KEPT + 1]
    events: list[Event] = [
        Arrival(row=row, at=T, text=number, alert=alert(fingerprint=str(number)))
        for row, number in enumerate(numbers, 2)
    ]
    assert said(export(tmp_path / "h.jsonl", events)) == said(events)


def test_only_a_name_in_gz_is_compressed(tmp_path: Path) -> None:
    export(tmp_path / "h.jsonl.gz", arrivals(alert()))
    export(tmp_path / "h.jsonl", arrivals(alert()))
    assert gzip.decompress((tmp_path / "h.jsonl.gz").read_bytes()) == (tmp_path / "h.jsonl").read_bytes()
    (tmp_path / "h.renamed").write_bytes((tmp_path / "h.jsonl.gz").read_bytes())
    assert list(read_history(tmp_path / "h.renamed")) == list(read_history(tmp_path / "h.jsonl"))


def test_the_head_says_which_period_it_is(tmp_path: Path) -> None:
    export(tmp_path / "h.jsonl", [])
    head = read_head(tmp_path / "h.jsonl")
    assert (head.since, head.until, head.version) == (PERIOD.since, PERIOD.until, 1)
    assert list(read_history(tmp_path / "h.jsonl")) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "this is no history that `tocsin export` wrote"),
        (b"{}\n", "this is no history that `tocsin export` wrote"),
        (b"\xff\xfe\n", "this is no history that `tocsin export` wrote"),
        (b"\x1f\x8b\x00", "the history cannot be read: "),
        (
            b'{"format":"tocsin-history","version":9,"from":"2026-01-01T00:00:00Z","until":"2026-01-01T00:00:00Z"}\n',
            "version 9",
        ),
    ],
)
def test_a_file_that_is_no_history_is_refused_in_one_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "h").write_bytes(content)
    with pytest.raises(StoreError) as told:
        list(read_history(tmp_path / "h"))
    assert why in str(told.value)
    assert str(tmp_path / "h") in str(told.value)


@pytest.mark.parametrize(
    "line", ['{"text":9,"at":"2026-01-01T00:00:00Z"}', '{"text":1}', "[]", '{"alert":{"source":1}}', "x"]
)
def test_a_line_that_is_wrong_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    export(tmp_path / "h", arrivals(alert()))
    with (tmp_path / "h").open("a") as out:
        out.write(f"{line}\n")
    with pytest.raises(StoreError, match=r"h:4: this is no line of a history"):
        list(read_history(tmp_path / "h"))


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    export(tmp_path / "h.gz", arrivals(*(alert(summary=f"{number}") for number in range(500))))
    content = (tmp_path / "h.gz").read_bytes()
    (tmp_path / "h.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match=r"cut off|cannot be read"):
        list(read_history(tmp_path / "h.gz"))


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing() -> Iterable[Event]:
        yield from arrivals(alert())
        raise StoreError("gone")

    with pytest.raises(StoreError):
        write_history(tmp_path / "h.jsonl", PERIOD, failing, Redactor(OPEN, KEY))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="cannot be written"):
        write_history(tmp_path / "no" / "h.jsonl", PERIOD, list, Redactor(OPEN, KEY))


# --- redaction -------------------------------------------------------------------------------------------------------


def redacted(rules_: str, *alerts: Alert) -> list[Alert]:
    redactor = Redactor(redaction.read(rules_), KEY)
    for one in alerts:
        redactor.see(one)
    return [redactor.redact(one) for one in alerts]


def test_a_value_becomes_the_same_pseudonym_wherever_it_stands() -> None:
    first, second = redacted(
        "redact: [{field: labels.user}]",
        alert(labels={"user": "alice"}, summary="alice: log-in failed", fingerprint="login/alice"),
        alert(labels={"by": "alice"}, summary="malice of alice-pc"),
    )
    name = first.labels["user"]
    assert name.startswith("anon")
    assert first.summary == f"{name}: log-in failed"
    assert first.fingerprint == f"login/{name}"
    assert second.labels["by"] == name
    assert second.summary == f"malice of {name}-pc"


def test_pseudonyms_of_two_exports_have_nothing_in_common() -> None:
    rule = Redaction.model_validate({"redact": [{"field": "resource"}]})
    names = {Redactor(rule, key).redact(alert()).resource for key in (b"one", b"two")}
    assert len(names) == 2


def test_a_regular_expression_says_which_part_is_taken_out() -> None:
    (one,) = redacted(
        "redact: [{field: summary, regex: 'customer (\\w+) in (\\w+)', text: '[it]', everywhere: false}]",
        alert(summary="customer ACME in Lyon is down, ACME"),
    )
    assert one.summary == "customer [it] in [it] is down, ACME"


def test_every_label_or_every_text_can_be_meant() -> None:
    (labels,) = redacted("redact: [{field: labels.*, everywhere: false}]", alert(labels={"a": "one", "b": ""}))
    assert labels.labels["a"].startswith("anon")
    assert labels.labels["b"] == ""
    (texts,) = redacted(
        "redact: [{field: '*', regex: '\\d{6}', text: N}]", alert(resource="r123456", summary="n 654321")
    )
    assert (texts.resource, texts.summary) == ("rN", "n N")


def test_names_of_hosts_stay_unless_told_otherwise() -> None:
    assert redacted("resources: keep", alert(resource="web1"))[0].resource == "web1"
    (one,) = redacted("resources: pseudonyms", alert(resource="web1", summary="web1 is down"))
    assert one.resource.startswith("anon")
    assert one.summary == f"{one.resource} is down"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mail to bob.dupont@example.com now", None),
        ("Authorization: Bearer abc.def-ghi123", "Authorization: Bearer [secret]"),
        ("password=hunter2, user=bob", "password=[secret], user=bob"),
        ('{"api_key": "k-123 456"}', '{"api_key": [secret]}'),
        ("https://bob:hunter2@example.com/x", "https://[secret]@example.com/x"),
        ("GET /?token=abc&x=1", "GET /?token=[secret]&x=1"),
        ("cookie eyJhbGciOi.eyJzdWIiOi.sig-x", "cookie [secret]"),
        ("28 processes with args 'x'", "28 processes with args 'x'"),
        ("certificate expired; the tokens of the ring", "certificate expired; the tokens of the ring"),
    ],
)
def test_secrets_and_addresses_are_taken_out_without_being_asked(before: str, after: str | None) -> None:
    (one,) = redacted("", alert(summary=before))
    if after is None:
        assert "example" not in one.summary
        assert one.summary.startswith("mail to anon")
    else:
        assert one.summary == after
    assert redacted("builtin: false", alert(summary=before))[0].summary == before


def test_a_label_that_is_called_a_secret_is_one() -> None:
    (one,) = redacted("", alert(labels={"db_password": "x", "team": "x"}))
    assert one.labels == {"db_password": "[secret]", "team": "x"}


def test_who_touched_a_ticket_is_found_again_after_redaction(tmp_path: Path) -> None:
    rule = redaction.read("redact: [{field: fingerprint}, {field: source, everywhere: false}]")
    touched = Touched(at=T, source="test", fingerprint="f1")
    arrival, person = export(tmp_path / "h", [*arrivals(alert()), touched], rule)
    assert isinstance(arrival, Arrival)
    assert isinstance(person, Touched)
    assert (person.source, person.fingerprint) == (arrival.alert.source, arrival.alert.fingerprint)
    assert person.fingerprint != "f1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("redact: [{field: sumary}]", 'r.yaml:1:18: no text of an alert is called "sumary" (did you mean "summary"?)'),
        ("redact: [{field: labels.}]", 'r.yaml:1:18: no text of an alert is called "labels."'),
        ("redact: [{regex: x}]", 'r.yaml:1:10: the key "field" is missing'),
        ("redcat: []", 'r.yaml:1:1: unknown key "redcat" (did you mean "redact"?)'),
        ("redact: [{field: url, regexp: x}]", 'r.yaml:1:23: unknown key "regexp" (did you mean "regex"?)'),
        ("redact: [{field: url, regex: '(?=x)'}]", "r.yaml:1:31: not a regular expression of RE2"),
        ("resources: gone", 'r.yaml:1:12: "gone" is not one of keep, pseudonyms'),
        ("- field: url", "r.yaml:1:1: a redaction file is a mapping: begin it with `redact:`"),
        ("redact: [", "r.yaml:2:1: this is not valid YAML"),
    ],
)
def test_a_wrong_redaction_file_is_told_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(RuleError) as told:
        redaction.read(text, "r.yaml")
    assert str(told.value).startswith(problem)


VALUE = st.text(st.sampled_from('abzé019 -._/@:"\\'), min_size=1, max_size=10).map(lambda text: f"q{text}z")
AROUND = st.text(st.sampled_from("xy 7,;:-/'\"\\."), max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUE, min_size=1, max_size=3), st.data())
def test_nothing_of_what_is_hidden_is_in_the_file(values: list[str], data: st.DataObject) -> None:
    def text() -> str:
        return "".join(
            data.draw(st.lists(st.one_of(AROUND, st.sampled_from(values).map(lambda one: f" {one} ")), max_size=4))
        )

    alerts = [
        alert(labels={"user": value, "x": text()}, summary=text(), resource=text(), url=text()) for value in values
    ]
    assume(not any(one in other for one in values for other in values if one != other))
    before = arrivals(*alerts, *(alert(summary=text(), description=value) for value in values))
    redactor = Redactor(redaction.read("redact: [{field: labels.user}]"), KEY)
    for event in before:
        assert isinstance(event, Arrival)
        redactor.see(event.alert)
    after = [redactor.redact(event.alert) for event in before if isinstance(event, Arrival)]
    told = json.dumps(
        [[one.summary, one.resource, one.url, one.description, one.labels] for one in after], ensure_ascii=False
    )
    for value in values:
        assert json.dumps(value, ensure_ascii=False)[1:-1] not in told


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(VALUE, st.sampled_from(["web1", "db1", "mars"]), st.sampled_from(["disk", "ping"])),
        min_size=2,
        max_size=5,
    )
)
def test_what_was_equal_stays_equal_and_rules_that_look_elsewhere_decide_the_same(
    facts: list[tuple[str, str, str]],
) -> None:
    said_ = "{source: prometheus, check: disk, summary: {regex: 'of (?P<n>\\d+)'}}"
    rule = rule_set_of(
        said_, "element: {lookup: '{{ resource }}', missing: record}\nimpact: severe\nkey: [element, n, labels.user]"
    )
    before = [
        alert(
            source="prometheus",
            labels={"user": user},
            resource=resource,
            check=check,
            summary=f"{user}: of {len(user)}",
        )
        for user, resource, check in facts
    ]
    after = redacted("redact: [{field: labels.user}]", *before)
    assert [one == other for one in before for other in before] == [one == other for one in after for other in after]
    was, now = ([engine.decide(one, rule, FLEET, T) for one in alerts] for alerts in (before, after))
    assert [(one.rule, one.action, one.element, one.impact) for one in was] == [
        (one.rule, one.action, one.element, one.impact) for one in now
    ]
    assert [one.dedup_key == other.dedup_key for one in was for other in was] == [
        one.dedup_key == other.dedup_key for one in now for other in now
    ]


# --- the verb --------------------------------------------------------------------------------------------------------


async def test_the_verb_exports_what_replay_reads(tmp_path: Path) -> None:
    async with opened(tmp_path / "var"):
        pass
    histories.fill(tmp_path / "var", 400)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "10.yaml").write_text(histories.RULES)
    (tmp_path / "tocsin.yaml").write_text("state: var\nrules: {path: rules}\n")
    (tmp_path / "redaction.yaml").write_text("redact: [{field: summary, text: '[gone]', everywhere: false}]\n")
    file = tmp_path / "h.jsonl.gz"
    words = ["--config", str(tmp_path / "tocsin.yaml"), "export", "--since", "2026-10-01", str(file)]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith(f"{file}: 400 alerts with ")
    texts = {one.alert.summary for one in read_history(file) if isinstance(one, Arrival)}
    assert texts == {"[gone]"}
    assert rules.load(tmp_path / "rules").rules
    asked = json.loads(CliRunner().invoke(app, [*words, "--json", "--until", "2026-10-01"]).stdout)
    assert asked["written"]["alerts"] == 0
    assert asked["redaction"] == str(tmp_path / "redaction.yaml")


def test_a_redaction_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text("state: var\n")
    words = [
        "--config",
        str(tmp_path / "tocsin.yaml"),
        "export",
        "--redact",
        str(tmp_path / "no.yaml"),
        str(tmp_path / "h"),
    ]
    told = CliRunner().invoke(app, words)
    assert (told.exit_code, told.stderr) == (
        2,
        f"{tmp_path / 'no.yaml'}: the redaction cannot be read: No such file or directory\n",
    )

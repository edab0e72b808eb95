from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin import yaml12
from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, _mapping, _paths, mapped

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SNIPPETS = Path(__file__).parents[2] / "config" / "sources" / "mapped"
SECTIONS = (SNIPPETS / "README.md").read_text(encoding="utf-8").split("\n## ")[1:]
FORM = "application/x-www-form-urlencoded"
MEDIA = {"form": FORM, "xml": "application/xml", "text": "text/plain"}
NAMED = {"resource": "web1", "check": "disk"}


def payload(body: Any, media: str = "application/json") -> Payload:
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    return Payload(body=body if isinstance(body, bytes) else body.encode(), content_type=media, source="any")


def parse(body: Any, media: str = "application/json", **options: Any) -> list[Alert | Unreadable]:
    return mapped.parse(payload(body, media), mapped.Options.model_validate(options), NOW)


def one(body: Any, media: str = "application/json", **options: Any) -> Alert:
    (alert,) = parse(body, media, **options)
    assert isinstance(alert, Alert)
    return alert


def trace(body: Any, media: str = "application/json", **options: Any) -> list[mapped.Traced]:
    return mapped.trace(payload(body, media), mapped.Options.model_validate(options), NOW)


def steps(body: Any, **options: Any) -> dict[str, mapped.Step]:
    (traced,) = trace(body, **options)
    return {step.field: step for step in traced.steps}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_the_examples_of_the_readme_do_what_they_say(section: str) -> None:
    settings, message, expected = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    (source,) = yaml12.read(settings.encode(), "README.md")[0]["sources"].values()
    language = re.findall(r"```(\w+)\n", section)[1]
    assert source["kind"] == "mapped"
    alert = parse(message.strip(), MEDIA.get(language, "application/json"), **source["options"])[0]
    told = msgspec.to_builtins(alert)
    wanted = json.loads(expected)
    assert {name: told[name] for name in wanted} == wanted


def test_the_readme_names_every_word_that_says_that_a_problem_is_over() -> None:
    said = (SNIPPETS / "README.md").read_text(encoding="utf-8").partition("one of ")[2].partition(";")[0]
    assert set(said.replace("\n", " ").split(", ")) == mapped.OVER


def test_the_shipped_settings_are_right() -> None:
    source = yaml.safe_load((SNIPPETS / "tocsin.yaml").read_text(encoding="utf-8"))["sources"]["anything"]
    alert = {"id": 7, "device": "web1", "alert_name": "disk", "state": "ok", "priority": "2", "tags": {"a": 1}}
    found = one({"alerts": [alert, {"type": "Test"}]}, **source["options"])
    assert (found.resource, found.status, found.severity) == ("web1", Status.RESOLVED, Severity.MAJOR)


def test_without_options_the_fields_are_those_of_an_alert() -> None:
    found = one(
        {**NAMED, "status": "resolved", "severity": "minor", "labels": {"a": 1}, "url": "https://a.example.net/"}
    )
    assert (found.resource, found.check, found.status, found.severity) == (
        "web1",
        "disk",
        Status.RESOLVED,
        Severity.MINOR,
    )
    assert (found.labels, found.url) == ({"a": "1"}, "https://a.example.net/")


DOCUMENT = {
    "a": {"b": [{"c": "first"}, {"c": "last"}], "d-e": 1, "@id": "x", "#text": "t", "f": None, "g": False, "h": 0},
    "tags": [{"name": "team", "value": "web"}, {"name": "site", "value": "lyon"}],
    "list": ["x", 1, None, {"y": 1}],
}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("a.b[0].c", "first"),
        ("a.b[-1].c", "last"),
        ("a.b[9].c", ""),
        ("a.d-e", "1"),
        ("a.@id", "x"),
        ("a.#text", "t"),
        ("a.f", ""),
        ("a.g", "false"),
        ("a.h", "0"),
        ("a", ""),
        ("a.b.c", ""),
        ("list", "x, 1"),
        ("nowhere.at.all", ""),
        ("tags[?name=='team'].value | [0]", "web"),
        ("join('/', tags[].value)", "web/lyon"),
        ('a."d-e"', "1"),
        ("length(tags)", "2"),
        ("a.nothing || a.b[0].c", "first"),
    ],
)
def test_an_expression_points_into_the_message(expression: str, text: str) -> None:
    step = steps(DOCUMENT | NAMED, summary=expression)["summary"]
    assert (step.value, step.expression) == (text, expression)
    assert step.how == ("found" if text else "missing")


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("a b", "not a JMESPath expression.*column"),
        ("a.", "not a JMESPath expression"),
        ("a[?", "not a JMESPath expression"),
        ("", None),
        ("foo(a)", r"no function foo\(\)"),
        ("join(a)", r"join\(\) takes 2 arguments, not 1"),
        ("not_null()", r"takes at least 1"),
        ("a[::0]", "step of a slice"),
        ("`a`", "single quotes"),
        ("a" * 2_000, "shorten it"),
        ("(" * 300 + "a" + ")" * 300, None),
        ("!" * 300 + "a", "deep"),
        ("[" * 300 + "a" + "]" * 300, "deep"),
        ("a" + ".b[*]" * 150, "deep"),
        ("a" + "||a" * 200, "deep"),
    ],
)
def test_a_wrong_expression_is_told_with_its_field_when_it_is_loaded(expression: str, sentence: str | None) -> None:
    for options in ({"summary": expression}, {"summary": {"paths": ["a", expression]}}):
        if sentence is None:
            mapped.Options.model_validate(options)
            continue
        with pytest.raises(ValidationError, match=rf"(?s)summary\.path.*{sentence}"):
            mapped.Options.model_validate(options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"check": {"path": "a", "regex": "("}}, r"check\.regex.*not a regular expression of RE2"),
        ({"check": {"path": "a", "paths": ["b"]}}, r"check.*exactly one of path, paths, constant"),
        ({"check": {}}, r"check.*exactly one of"),
        ({"check": {"constant": "a", "else": "b"}}, r"check.*a constant needs no"),
        ({"check": {"path": "a", "tabel": {}}}, r"check\.tabel.*Extra inputs"),
        ({"severity": {"path": "a", "table": {1: "bad"}}}, r"severity.*'bad' is none of critical"),
        ({"severity": {"constant": "CRITICAL"}}, r"severity.*'CRITICAL' is none of"),
        ({"status": {"path": "a", "else": "ok"}}, r"status.*'ok' is none of firing, resolved"),
        ({"labels": {"team": "a b"}}, r"labels\.team\.path.*not a JMESPath"),
        ({"identity": ["a", "b c"]}, r"identity\.1\.path.*not a JMESPath"),
        ({"ignore": {"a b": 1}}, r"ignore.*not a JMESPath"),
        ({"entries": "a["}, r"entries.*not a JMESPath"),
        ({"pattern": "("}, r"pattern.*RE2"),
        ({"pattern": "a", "format": "json"}, "says nothing of json"),
        ({"format": "csv"}, "format"),
        ({"zone": "Mars"}, "no time zone"),
    ],
)
def test_every_other_wrong_option_is_told_with_its_field(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=rf"(?s){sentence}"):
        mapped.Options.model_validate(options)


@pytest.mark.parametrize(
    ("spec", "message", "value", "how"),
    [
        ({"paths": ["x", "y"]}, {"y": "b"}, "b", "found"),
        ({"paths": ["x", "y"]}, {"x": "", "y": "b"}, "b", "found"),
        ({"paths": ["x", "y"]}, {}, "", "missing"),
        ({"path": "x", "else": "none"}, {}, "none", "else"),
        ({"path": "x", "regex": r"on (\S+)"}, {"x": "disk on web1 is full"}, "web1", "captured"),
        ({"path": "x", "regex": r"\d+"}, {"x": "at 97 %"}, "97", "captured"),
        ({"path": "x", "regex": r"on (\S+)"}, {"x": "nothing"}, "", "missing"),
        ({"path": "x", "regex": r"on (\S+)", "else": "here"}, {"x": "nothing"}, "here", "else"),
        ({"path": "x", "table": {"A": "one", 2: "two", True: "yes"}}, {"x": "a"}, "one", "translated"),
        ({"path": "x", "table": {"A": "one", 2: "two", True: "yes"}}, {"x": 2}, "two", "translated"),
        ({"path": "x", "table": {"A": "one", 2: "two", True: "yes"}}, {"x": True}, "yes", "translated"),
        ({"path": "x", "table": {"A": "one"}}, {"x": "other"}, "other", "found"),
        ({"path": "x", "table": {"A": "one"}, "else": "rest"}, {"x": "other"}, "rest", "else"),
        ({"path": "x", "regex": r"(\d)", "table": {1: "one"}}, {"x": "is 1"}, "one", "translated"),
        ({"constant": "always"}, {"x": 1}, "always", "constant"),
        ("x", {"x": "{EVENT.NAME}"}, "", "missing"),
        ("x", {"x": "{{ alert.name }}"}, "", "missing"),
        ("x", {"x": "$ALERT_ID"}, "", "missing"),
        ("x", {"x": "$HOSTNAME$"}, "", "missing"),
        ("x", {"x": "$5 is much, {so} it is"}, "$5 is much, {so} it is", "found"),
    ],
)
def test_a_field_is_found_captured_translated_or_said(spec: Any, message: Any, value: str, how: str) -> None:
    step = steps(NAMED | message, description=spec)["description"]
    assert (step.value, step.how) == (value, how)
    assert one(NAMED | message, description=spec).description == value


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *((word, Status.RESOLVED) for word in ("OK", "resolved", "Closed", "CLEARED", "recovered", "inactive", "up")),
        *(
            (word, Status.FIRING)
            for word in ("firing", "problem", "open", "acknowledged", "", "whatever", None, 1, True)
        ),
    ],
)
def test_a_status_is_over_by_its_word(word: Any, status: Status) -> None:
    assert one(NAMED | {"status": word}).status == status


def test_a_table_says_what_a_status_is() -> None:
    status = {"path": "value", "table": {1: "firing", 0: "resolved"}}
    assert [one(NAMED | {"value": value}, status=status).status for value in (1, "0", None)] == [
        Status.FIRING,
        Status.RESOLVED,
        Status.FIRING,
    ]


@pytest.mark.parametrize(
    ("identity", "same"),
    [((), True), (["id"], False), (["id", "check"], False), ("check", True), (["none", "check"], True)],
)
def test_identity_is_resource_and_check_unless_said(identity: Any, *, same: bool) -> None:
    first, second = (one(NAMED | {"id": number, "summary": str(number)}, identity=identity) for number in (1, 2))
    assert (first.fingerprint == second.fingerprint) is same


def test_an_identity_that_finds_nothing_is_refused_and_one_alone_is_taken_as_it_is() -> None:
    assert one(NAMED | {"id": 4711}, identity="id").fingerprint == "4711"
    with pytest.raises(PayloadError, match="identity is missing"):
        parse(NAMED, identity=["id", "$.other"])


@pytest.mark.parametrize(
    ("labels", "told", "found"),
    [
        ("t", {"t": {"a": {"b": 1}, "c": [1, 2]}}, {"a_b": "1", "c": "1, 2"}),
        (
            "t",
            {"t": [{"name": "a", "value": 1}, {"key": "b", "value": "x"}, {"tag": "c", "text": ""}]},
            {"a": "1", "b": "x"},
        ),
        ("t", {"t": ["a:1", "b", 7]}, {"a": "1", "b": "true"}),
        ("t", {"t": ["a=1:2", "b"]}, {"a": "1:2", "b": "true"}),
        ("t", {"t": "text"}, {}),
        ({"x": "t.a", "y": {"constant": "z"}, "w": "no"}, {"t": {"a": 1}}, {"x": "1", "y": "z"}),
        ({"*": "t", "a": {"constant": "mine"}}, {"t": {"a": 1, "b": 2}}, {"a": "mine", "b": "2"}),
        ({"*": {"paths": ["no", "t"]}}, {"t": {"b": 2}}, {"b": "2"}),
        ({"*": {"constant": "x"}}, {}, {}),
    ],
)
def test_labels_are_all_of_an_object_or_found_one_by_one(labels: Any, told: Any, found: dict[str, str]) -> None:
    assert one(NAMED | told, labels=labels).labels == found


def test_entries_and_the_message_around_them() -> None:
    message = {"site": "lyon", "alerts": [{"n": "a"}, {"n": "b"}, "c"]}
    found = parse(message, entries="alerts", resource="$.site", check="n")
    assert [type(entry) for entry in found] == [Alert, Alert, Unreadable]
    assert {entry.resource for entry in found if isinstance(entry, Alert)} == {"lyon"}
    assert one({"alerts": {"n": "a"}, "site": "x"}, entries="alerts", resource="$.site", check="n").check == "a"
    assert one(["a"], resource="@", check="@").resource == "a"
    assert parse({"alerts": []}, entries="alerts") == []


@pytest.mark.parametrize("message", [{}, {"alerts": None}, {"alerts": "text"}, [], 7])
def test_a_message_without_entries_is_refused(message: Any) -> None:
    with pytest.raises(PayloadError, match="entries: `alerts` finds no list"):
        parse(message, entries="alerts")


def test_a_list_and_json_lines_are_many_messages() -> None:
    told = json.dumps(NAMED)
    assert len(parse(f"[{told}, {told}]")) == 2
    found = parse(f"{told}\n{{broken\n{told}\n")
    assert [type(entry) for entry in found] == [Alert, Unreadable, Alert]
    nested = [{"in": [NAMED, NAMED]}, {"in": [NAMED]}]
    assert len(parse(nested, entries="[].in[]")) == 3


@pytest.mark.parametrize(
    ("ignore", "ignored"),
    [
        ({"kind": "ack"}, True),
        ({"kind": ["comment", "ACK"]}, True),
        ({"kind": "problem"}, False),
        ({"flag": [True]}, True),
        ({"none": ""}, True),
        ({"kind": "problem", "flag": True}, True),
        ({"flag && kind == 'Ack'": True}, True),
    ],
)
def test_what_fits_a_condition_is_no_alert(ignore: Any, *, ignored: bool) -> None:
    message = NAMED | {"kind": "Ack", "flag": True}
    assert (parse(message, ignore=ignore) == []) is ignored
    (traced,) = trace(message, ignore=ignore)
    assert bool(traced.ignored) is ignored
    assert (traced.outcome is None) is ignored


@pytest.mark.parametrize(
    ("field", "value", "moment"),
    [
        ("starts_at", "2026-11-23 08:41:12", "2026-11-23T07:41:12Z"),
        ("starts_at", 1795419672, "2026-11-23T07:41:12Z"),
        ("ends_at", "2026-11-23T07:41:12Z", "2026-11-23T07:41:12Z"),
        ("said_at", "2026-11-23T07:41:12Z", "2026-11-23T07:41:12Z"),
        ("said_at", "2026-11-23 08:41:12", None),
        ("starts_at", "soon", None),
    ],
)
def test_times_are_read_in_the_zone_but_what_says_which_is_newer(field: str, value: Any, moment: str | None) -> None:
    found = getattr(one(NAMED | {field: value}, zone="Europe/Paris"), field)
    assert found == (datetime.fromisoformat(moment) if moment else None)


@pytest.mark.parametrize(
    ("body", "media", "options"),
    [
        ("resource=web1&check=disk", FORM, {}),
        ("resource=web1&check=disk", "text/plain", {"format": "form"}),
        ("<a><resource>web1</resource><check>disk</check></a>", "text/plain", {"entries": "a"}),
        (
            '<a resource="web1"><check x="1">disk</check></a>',
            "application/xml",
            {"entries": "a", "resource": "@resource", "check": "check.#text"},
        ),
        ("disk on web1", "text/plain", {"pattern": r"(?P<check>\w+) on (?P<resource>\w+)"}),
        ("disk on web1\n", "text/plain", {"format": "lines", "pattern": r"(?P<check>\w+) on (?P<resource>\w+)"}),
        ("web1", "text/plain", {"format": "text", "resource": "text", "check": {"constant": "disk"}}),
        ('payload={"resource":"web1","check":"disk"}', FORM, {"unpack": ["payload"], "entries": "payload"}),
        (
            {"Message": '{"resource":"web1","check":"disk"}', "Other": 1},
            "text/plain",
            {"unpack": ["Message"], "entries": "Message"},
        ),
        (b'\xef\xbb\xbf{"resource":"web1","check":"disk"}', "text/plain", {}),
    ],
)
def test_a_body_of_any_form_is_read(body: Any, media: str, options: dict[str, Any]) -> None:
    found = parse(body, media, **options)
    assert [(entry.resource, entry.check) for entry in found if isinstance(entry, Alert)] == [("web1", "disk")]
    assert len(found) == 1


def test_elements_that_come_more_than_once_are_a_list() -> None:
    options = {"entries": "a.b", "resource": "c[1]", "check": "d.@e"}
    body = "<a><b><c>x</c><c>web1</c><c/><d e='disk'/></b><b><c>y</c><c>web2</c><d e='cpu'><f/>t</d></b></a>"
    found = parse(body, "application/xml", **options)
    assert [(entry.resource, entry.check) for entry in found if isinstance(entry, Alert)] == [
        ("web1", "disk"),
        ("web2", "cpu"),
    ]


@pytest.mark.parametrize(
    ("body", "media", "options", "error", "sentence"),
    [
        ("{broken", "text/plain", {}, NotJsonError, "not JSON"),
        ("hello", "text/plain", {}, NotJsonError, "not JSON"),
        ("<a>", "text/plain", {}, PayloadError, "not XML"),
        ("<!DOCTYPE a><a/>", "text/xml", {}, PayloadError, "document type"),
        ("hello", "text/plain", {"pattern": "x(?P<a>y)"}, PayloadError, "`pattern` finds nothing in 'hello'"),
        (b"a=%ff", FORM, {}, PayloadError, "not UTF-8"),
        ({}, "application/json", {}, PayloadError, "resource is missing"),
        ({"resource": "a"}, "application/json", {}, PayloadError, "check is missing"),
        ({"resource": {"a": 1}, "check": "b"}, "application/json", {}, PayloadError, "resource is missing"),
        ({"resource": "a" * 600, "check": "b"}, "application/json", {}, PayloadError, "600 characters"),
    ],
)
def test_what_cannot_be_read_says_why(
    body: Any, media: str, options: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        parse(body, media, **options)


BROKEN = [
    "contains(x, `1`)",
    "abs(x)",
    "max_by(y, &@)",
    "ceil(to_number('nan'))",
    "floor(to_number('1e999'))",
    "y[?@ > `1`]",
]


@pytest.mark.parametrize("expression", BROKEN)
def test_an_expression_that_cannot_be_applied_refuses_what_identifies_and_loses_no_alert_for_the_rest(
    expression: str,
) -> None:
    message = NAMED | {"x": "text", "y": [1, "a"]}
    for field in ("resource", "check", "status"):
        with pytest.raises(PayloadError, match=f"{field}: .* cannot be applied"):
            parse(message, **{field: expression})
    for options in ({"entries": expression}, {"ignore": {expression: 1}}, {"identity": expression}):
        with pytest.raises(PayloadError, match="cannot be applied"):
            parse(message, **options)
    for field in ("severity", "summary", "description", "starts_at", "said_at", "url", "labels"):
        assert one(message, **{field: expression}).resource == "web1"
        step = steps(message, **{field: expression})[field]
        assert step.how == "failed"
        assert "cannot be applied" in step.found
    assert one(message, labels={"a": expression, "b": {"constant": "c"}}).labels == {"b": "c"}


def test_a_trace_tells_each_field_in_its_order() -> None:
    options = {
        "resource": {"paths": ["fqdn", "name"]},
        "check": {"path": "text", "regex": r"^(\w+)"},
        "identity": ["id"],
        "severity": {"path": "level", "table": {5: "critical"}},
        "labels": {"team": "tags.team"},
    }
    message = {"name": "web1", "text": "disk is full", "id": 7, "level": 5, "tags": {"team": "a"}, "starts_at": "soon"}
    (traced,) = trace(message, **options)
    told = {step.field: (step.expression, step.found, step.how, step.value) for step in traced.steps}
    assert list(told) == [
        *("resource", "check", "identity[0]", "status", "severity", "summary", "description", "labels.team"),
        *("starts_at", "ends_at", "said_at", "url"),
    ]
    assert told["resource"] == ("name", '"web1"', "found", "web1")
    assert told["check"] == ("text", '"disk is full"', "captured", "disk")
    assert told["identity[0]"] == ("id", "7", "found", "7")
    assert told["status"] == ("status", "", "default", "firing")
    assert told["severity"] == ("level", "5", "translated", "critical")
    assert told["labels.team"] == ("tags.team", '"a"', "found", "a")
    assert told["starts_at"] == ("starts_at", '"soon"', "missing", "")
    assert traced.outcome == one(message, **options)
    assert json.loads(traced.entry) == message


def test_a_trace_tells_how_far_a_wrong_entry_came() -> None:
    first, second = trace([{"resource": "web1"}, NAMED], check="sort(resource)")
    assert [step.field for step in first.steps] == ["resource"]
    assert isinstance(first.outcome, Unreadable)
    assert second.position == 1
    assert trace("not a line\n", "text/plain", format="lines", pattern="^x")[0].steps == ()


def test_of_a_severity_word_that_nobody_knows_the_default_counts() -> None:
    assert one(NAMED | {"severity": "odd"}, severity_default="minor").severity == Severity.MINOR
    assert steps(NAMED | {"severity": "odd"})["severity"].how == "default"


def test_an_expression_is_compiled_once() -> None:
    assert _paths.path("join('/', a)") is _paths.path("join('/', a)")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c", "name", "value"]), inner)
    ),
    max_leaves=12,
)
EXPRESSIONS = [
    *(
        "a",
        "a.b[0].c",
        "@",
        "*",
        "a[*].b",
        "a[?b > `1`].c",
        "sort_by(a, &b)",
        "join(',', a)",
        "to_string(@)",
        "length(a)",
    ),
    *(
        "a[::-1]",
        "sum(a)",
        "max_by(a, &b)",
        "contains(a, b)",
        "merge(a, b)",
        "keys(a)",
        "$",
        "$.a",
        "to_number(a)",
        "map(&b, a)",
    ),
]


@given(
    message=anything,
    expression=st.sampled_from(EXPRESSIONS),
    field=st.sampled_from(sorted(mapped.Options.model_fields)),
)
def test_any_message_gives_a_list_or_a_payload_error(message: Any, expression: str, field: str) -> None:
    options: dict[str, Any] = {"resource": "a", "check": "b"}
    if field not in {"format", "pattern", "unpack", "zone", "severity_default", "ignore"}:
        options[field] = expression
    try:
        parse(message, **options)
    except PayloadError as error:
        assert 0 < len(str(error)) < 500  # noqa: PT017 - both outcomes are right
    else:
        assert all(traced.position >= 0 for traced in trace(message, **options))


def test_deep_messages_do_not_break_an_expression() -> None:
    deep: Any = "x"
    for _ in range(30):
        deep = {"a": [deep]}
    step = steps({"a": [deep], **NAMED}, summary="a" + ".a[0]" * 10, description="to_string(@)")
    assert step["summary"].how == "missing"
    assert "x" in step["description"].value


def test_many_entries_are_refused() -> None:
    with pytest.raises(PayloadError, match="at most 100000"):
        parse([{}] * 100_001)


def test_names_and_values_come_out_of_many_shapes() -> None:
    assert _mapping.named([{"@name": "a", "#text": "1"}, {"name": "b"}, None]) == {"a": "1"}
    assert _mapping.named(7) == {}

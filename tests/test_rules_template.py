from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from minijinja import Environment

from rulemaking import FLEET, NOW, alert
from tocsin.model import Impact, Severity, Status
from tocsin.rules import grammar, template
from tocsin.rules.facts import ELEMENT_FIELDS, OF_ALERT, OF_TICKET, Facts, Labels
from tocsin.rules.template import RenderError, Templates

CAPTURES = {"count": "28", "args": "/usr/é"}


def facts(**changes: Any) -> Facts:
    return Facts(alert(**changes), CAPTURES, NOW, FLEET.get("DF00WEB001"), Impact.SEVERE)


def rendered(source: str, **changes: Any) -> str:
    made = Templates().template("name", source, OF_TICKET, frozenset(CAPTURES))
    return made.render(facts(**changes))


def refused(source: str) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        Templates().template("name", source, OF_TICKET, frozenset(CAPTURES))
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("100 % of {{ check }}", "100 % of DiskFull"),
        ("{{check}}{{ severity }}/{{ status }}", "DiskFullcritical/firing"),
        ("{{ count }} with {{ args }}", "28 with /usr/é"),
        ("{{ labels.team }}", "shop"),
        ("{{ labels['team'] }}", "shop"),
        ("{{ element.name }} ({{ element.reference }}, {{ element.kind }})", "Web server web1 (DF00WEB001, service)"),
        ("{{ impact }} {{ impact|fr }}", "severe service dégradé majeur"),
        ("{{ severity|fr }} {{severity | fr}} {{ status|fr }} {{ check|fr }}", "critique critique en cours DiskFull"),
        ("{{ count|int + 2 }}", "30"),
        ("{% if url %}{{ url }}{% else %}none{% endif %}", "https://monitoring.example.com/1"),
        ("{% if 'x' in labels %}1{% else %}0{% endif %}", "0"),
        ("{{ labels.nope|default('nobody') }}", "nobody"),
        ("{% for name in labels %}{{ name }}={{ labels[name] }};{% endfor %}", "team=shop;percent=91;"),
        ("{{ labels }}", "percent=91, team=shop"),
        ("{{ labels|length }}", "2"),
        ("{% set n = count|int %}{% if n > 3 %}many{% endif %}", "many"),
        ("{% for n in range(3) %}{{ loop.index }}{% if loop.index < 3 %},{% endif %}{% endfor %}", "1,2,3"),
        ("{{ check|upper }} {{ '{{' }}", "DISKFULL {{"),
        ("{# a comment #}x", "x"),
        ("{{ starts_at }}", "2026-11-22 14:03:05 UTC"),
        ("<b>&{{ summary }}", "<b>&DISK CRITICAL: 28 files on /var"),
        ("line\n", "line"),
        ("{{ labels.items|default('-') }}", "-"),
    ],
)
def test_a_template_says(source: str, text: str) -> None:
    assert rendered(source) == text


def test_when_it_began_is_told_in_utc() -> None:
    began = datetime.fromisoformat("2026-11-22T10:00:00+02:00")
    assert rendered("{{ starts_at }}", starts_at=began) == "2026-11-22 08:00:00 UTC"


VARIABLES = [*sorted(OF_TICKET - {"labels", "element"}), "count", "args", "labels.team", "labels.x"]
PIECES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}#"), max_size=8),
    st.sampled_from(["%", "%s", "%%", "\n", "\\", "é", "{", "}", "{ {", "\r\n"]),
    st.sampled_from([form % name for name in VARIABLES for form in ("{{ %s }}", "{{%s}}", "{{ %s|fr }}")]),
    st.sampled_from([f"{{{{ element.{name} }}}}" for name in ELEMENT_FIELDS]),
)


@given(st.lists(PIECES, max_size=6).map("".join), st.text(max_size=5))
@example("{{ check }}\n\n", "x")
@example("{{ labels.x }}", "")
@example("\r", "")
@example("{{{ check }}", "")
def test_a_plain_template_gives_what_minijinja_would(source: str, label: str) -> None:
    known = facts(labels={"team": label, "x": "{{ y }}"})
    try:
        made = Templates().template("name", source, OF_TICKET, frozenset(CAPTURES))
    except ValueError:
        return
    env = Environment(
        undefined_behavior="strict", auto_escape_callback=lambda _: False, filters={"fr": template.french}
    )
    said = {name: getattr(known.alert, name, None) for name in OF_ALERT} | CAPTURES
    said |= {"labels": Labels(known.alert.labels), "starts_at": "2026-11-22 14:03:05 UTC"}
    assert made.render(known) == env.render_str(source, **said, element=known.element, impact=known.impact)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ labels.nope }}", "name: the alert has no labels.nope"),
        ("{{ labels.nope|upper }}", "name: the alert has no labels.nope"),
        ("{{ labels['no such'] }}", "name: labels['no such'] is not there"),
        ("{% if labels.nope > '' %}{% endif %}", "name: the alert has no labels.nope"),
        ("{{ summary|int }}", "name: invalid float literal at int"),
        ("{{ 1 / 0 }}", "name: unable to calculate 1 / 0 at 1 / 0"),
        (
            "{% for n in range(labels.percent|int) %}{% for m in range(labels.percent|int) %}x{% endfor %}{% endfor %}",
            "name: it takes more than 20000 steps",
        ),
        ("{% for n in range(99) %}{{ description }}{% endfor %}", "name: it gives more than 65536 characters"),
        ("{{ labels() }}", "name: 'Labels' object is not callable"),
        ("{{ element.name }} {{ nope is defined }} {{ labels.x.y }}", ""),
    ],
)
def test_a_template_that_fails_says_which_and_why(source: str, problem: str) -> None:
    if not problem:
        assert refused(source)
        return
    with pytest.raises(RenderError) as caught:
        rendered(source, description="d" * 1000)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ nope }}", 'unknown variable "nope"'),
        ("{{ chek|upper }}", 'unknown variable "chek" (did you mean "check"?)'),
        ("{{ check|uper }}", 'unknown filter "uper" (did you mean "upper"?)'),
        ("{{ check | indent(10000000000) }}", 'unknown filter "indent"'),
        ("{{ [1]|tojson(indent=1000000000) }}", 'unknown filter "tojson"'),
        ("{{ '%99999999999d'|format(1) }}", 'unknown filter "format"'),
        ("{{ [1]|first.foo }}", 'unknown filter "first.foo"'),
        ("{% if check is zork %}{% endif %}", 'unknown test "zork"'),
        ("{% if check is not defind %}{% endif %}", 'unknown test "defind" (did you mean "defined"?)'),
        ("{% include 'x' %}", 'unknown block "include"'),
        ("{%- import 'x' as y %}", 'unknown block "import"'),
        ("{% macro m() %}{% endmacro %}", 'unknown block "macro"'),
        ("{{ debug() }}", 'unknown variable "debug"'),
        ("{{ namespace() }}", 'unknown variable "namespace"'),
        ("{{ check.upper() }}", 'methods such as ".upper()" are not available'),
        ("{{ 'x'.join(range(9)) }}", 'methods such as ".join()" are not available'),
        ("{{ check.name }}", '"check" is a text and has no "name"'),
        ("{{ element }}", 'unknown field of an element ""'),
        ("{{ element.nme }}", 'unknown field of an element "nme" (did you mean "name"?)'),
        ("{{ element.parent }}", 'unknown field of an element "parent"'),
        ("{{ labels.a.b }}", "\"labels.a.b\" is no label (write labels['a.b'])"),
        ("{{ 'x' * 1000000000 }}", "a text cannot be multiplied"),
        ("{{ 1000000000 * 'x' }}", "a text cannot be multiplied"),
        ("{% if count > 3 %}{% endif %}", '"count" is a text, not a number (write count|int or count|float)'),
        ("{% if 3 < labels.team %}{% endif %}", '"labels.team" is a text, not a number'),
        ("{% if count == 3 %}{% endif %}", '"count" is a text, not a number'),
        ("{{ check", "this cannot be read: unexpected end of input"),
        ("a\nb\n{% if %}", "this cannot be read: unexpected end of block in its line 3"),
        ("}}", '"}}" has no counterpart'),
        ("{{ {'a': {'b': 1}}|indent(9) }}", '"}}" has no counterpart'),
        ("{{ '{#' }}{{ check|indent(9) }}{{ '#}' }}", 'unknown filter "indent"'),
        ("{# {{ #}{{ check|indent(9) }}", 'unknown filter "indent"'),
        ("{{ '}}'|indent(9) }}", 'unknown filter "indent"'),
        ('{{ "it\'s"|indent(9) }}', 'unknown filter "indent"'),
        ("x" * 8001, "a template of more than 8000 characters"),
        ("{{ " + "1+" * 4001 + "1 }}", "a template of more than 8000 characters"),
    ],
)
def test_what_is_not_offered_is_refused_when_loaded(source: str, problem: str) -> None:
    assert problem in refused(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ count|int > 20 }}",
        "{{ count | int > 20 }}",
        "{{ 20 < count|int }}",
        "{{ 20 < count | int }}",
        "{{ (count|float * 100)|round(1) >= 3 }}",
        "{{ labels|length > 3 }}",
        "{{ 2 ** 3 * 4 }}",
        "{{ check == '3' }}",
        "{{ 'count > 3' }}",
        "{{ 'a|indent' }}",
        "count > 3 | indent",
    ],
)
def test_what_only_looks_wrong_is_not_refused(source: str) -> None:
    assert rendered(source)


@pytest.mark.parametrize("name", sorted(grammar.FILTERS - {"fr"}))
def test_every_filter_offered_is_one(name: str) -> None:
    refusals = []
    for value in ("1", [1], {"a": 1}):
        try:
            Environment().eval_expr(f"value|{name}", value=value)
        except Exception as error:  # noqa: BLE001 - only which kind of error matters
            refusals.append(getattr(error, "kind", ""))
    assert "UnknownFilter" not in refusals


@pytest.mark.parametrize("name", sorted(grammar.TESTS))
def test_every_test_offered_is_one(name: str) -> None:
    kind = ""
    try:
        Environment().eval_expr(f"value is {name}", value="1")
    except Exception as error:  # noqa: BLE001 - only which kind of error matters
        kind = getattr(error, "kind", "")
    assert kind != "UnknownTest"


@pytest.mark.parametrize("word", [*Severity, *Status, *Impact])
def test_every_word_has_its_french(word: str) -> None:
    assert template.french(word) != word or word == "information"


@pytest.mark.parametrize("name", ["keys", "values", "items", "get", "__class__", "_labels"])
def test_labels_show_nothing_but_labels(name: str) -> None:
    with pytest.raises(RenderError):
        rendered(f"{{{{ labels['{name}'] }}}}|{{{{ check|upper }}}}")


def test_the_same_source_is_compiled_once() -> None:
    templates = Templates()
    first = templates.template("name", "{{ check|upper }}", OF_ALERT, frozenset())
    assert templates.template("name", "{{ check|upper }}", OF_ALERT, frozenset()) is first


@given(st.text(max_size=40), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_no_alert_makes_a_template_raise_anything_else(text: str, labels: dict[str, str]) -> None:
    for source in (
        "{{ summary|int }}",
        "{{ labels['a']|upper }}",
        "{{ labels }} {{ summary|title|fr }}",
        "{{ labels.a }}",
    ):
        try:
            rendered(source, summary=text, labels=labels, starts_at=datetime.now(UTC))
        except RenderError:
            continue


def test_a_loop_that_no_alert_can_end_is_refused_when_loaded() -> None:
    assert refused("{% for n in range(90000) %}x{% endfor %}") == (
        "it takes more than 20000 steps (loop over fewer values, and not inside another loop)"
    )
    assert "more than 65536 characters" in refused("{% for n in range(900) %}{{ '" + "x" * 99 + "' }}{% endfor %}")

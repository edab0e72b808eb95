"""A delivery as JSON, and JSON read by path: templates cannot be broken by what alerts say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from deliveries import SNAPSHOT, delivery
from tocsin.backends._clean import clean
from tocsin.backends._document import IMPACT_LABELS, check_template, document, holds, reach, render, word
from tocsin.model import LANGUAGES, Delivery, Impact, Snapshot

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def named(name: str) -> Delivery:
    return replace(delivery(), body=replace(SNAPSHOT, name={"en": name, "fr": name}))


def test_the_document_holds_all_of_the_snapshot_and_the_number_and_the_impact_in_words() -> None:
    made = document(delivery("close", number="2103N09201"))
    ours = {"tried"}  # what we may have done is nothing to tell
    assert set(made) == {*Snapshot.__struct_fields__, "number", "impact_label"} - ours
    assert (made["action"], made["number"]) == ("close", "2103N09201")
    assert made["impact_label"] == {"en": "Service interrupted", "fr": "Service interrompu"}


def test_every_impact_has_its_words_in_each_language() -> None:
    assert list(IMPACT_LABELS) == list(Impact)
    assert all(set(texts) == set(LANGUAGES) and all(texts.values()) for texts in IMPACT_LABELS.values())


@given(st.text())
def test_no_text_breaks_a_body_or_is_changed_by_it(name: str) -> None:
    made = json.loads(render('{"title": {{ name.fr }}, "again": {{ name.fr | tojson }}}', named(name)))
    assert made == {"title": clean(name), "again": clean(name)}


def test_without_a_template_the_body_is_the_document() -> None:
    assert json.loads(render("", delivery())) == json.loads(json.dumps(document(delivery())))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ('{"title": "{{ name.fr }}"}', "without quotes around it"),
        ('{"title": {{ name.fr }}', "makes no JSON"),
        ('{"title": {{ nam }}}', "line 1 of the template: `nam` is undefined"),
        ('{"title":\n{{ name.de }}}', "line 2 of the template: `name.de` is undefined"),
        ("{{", "line 1 of the template: unexpected end of input"),
        ("[{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}]", "ran out of fuel"),
        ('{{ "x" * 2000000 }}', "more than 1000000 characters"),
        ("[" * 100_000, "makes no JSON"),
    ],
    ids=["quoted", "torn", "unknown", "unknown-part", "syntax", "endless", "long", "deep"],
)
def test_a_template_that_cannot_work_is_refused_beforehand(template: str, words: str) -> None:
    with pytest.raises(ValueError, match="template") as caught:
        check_template(template)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("condition", "answer", "true"),
    [
        ("answer.code == 0", {"code": 0}, True),
        ("answer.code == 0", {"code": 3}, False),
        ("answer | length > 0", [], False),
        ("answer", None, False),
    ],
)
def test_a_condition_is_true_or_false_of_an_answer(condition: str, answer: object, true: bool) -> None:  # noqa: FBT001
    assert holds(condition, answer) is true


def test_a_condition_over_what_is_missing_is_neither() -> None:
    with pytest.raises(ValueError, match="cannot be evaluated"):
        holds("answer.error.code == 0", {})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", {"a": [{"b": 1}, 2], "": 3}),
        ("a.0.b", 1),
        ("a.1", 2),
        ("a.2", None),
        ("a.-1", None),
        ("a.²", None),
        ("a.b", None),
        ("a.1.b", None),
        ("x", None),
    ],
)
def test_a_path_leads_through_names_and_positions(path: str, found: object) -> None:
    assert reach({"a": [{"b": 1}, 2], "": 3}, path) == found


@given(JSON, st.text(alphabet="abc.0123-", max_size=12))
def test_a_path_through_anything_leads_to_a_value_or_none(value: object, path: str) -> None:
    assert isinstance(word(reach(value, path)), str)


@pytest.mark.parametrize(
    ("value", "text"), [(" T1 ", "T1"), (17, "17"), (True, ""), (1.5, ""), (None, ""), ({}, ""), ("", "")]
)
def test_a_word_is_a_text_or_a_whole_number(value: object, text: str) -> None:
    assert word(value) == text

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import RuleError
from tocsin.yaml12 import nearest, read

TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]))  # beyond, JSON's escapes are not YAML's
# A key of more than 1024 characters must be written with `?` in YAML (7.4.2); JSON writes each of ours in up to six.
KEYS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=100).filter(
    lambda key: key != "<<"
)
TEXT_KEYED = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("12:30:45", "12:30:45"),
        ("2026-11-22", "2026-11-22"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.INF", -math.inf),
        ("True", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, meant: object) -> None:
    assert read(f"value: {written}")[0] == {"value": meant}


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        pytest.param("a: 1\nb: 2\na: 3", ":3:1", "twice", id="duplicate key"),
        pytest.param("a:\n  1: x", ":2:3", 'write "1" in quotes', id="number as key"),
        pytest.param("? [x]\n: 1", ":1:3", "must be text", id="list as key"),
        pytest.param("a: !!python/object:x y", ":1:4", "tag", id="python tag"),
        pytest.param("a: !!int x", ":1:4", "does not fit", id="wrong tag"),
        pytest.param("a: !!set {b}", ":1:4", "tag", id="set"),
        pytest.param("<<: {a: 1}", ":1:1", "merge keys", id="merge key"),
        pytest.param("a: [1,\n  2\nb: 3", ":3:2", "not valid YAML", id="syntax"),
        pytest.param("a: *x", ":1:4", "an alias (*)", id="undefined alias"),
        pytest.param("- 1\n---\n- 2", ":2:1", "more than one document", id="two documents"),
        pytest.param("a: &a [*a]", ":1:4", "contains itself", id="endless"),
        pytest.param("[" * 200_000, ":1:60", "deep", id="deep"),
        pytest.param("a: " + "9" * 5000, ":1:4", "digits", id="long number"),
        pytest.param("a: \x00", ":1:4", "U+0000", id="control character"),
        pytest.param('a: "\ud800"', ":1:5", "UTF-8", id="half a pair"),
        pytest.param(b"a: 1\nb: \xe9", ":2:4", "UTF-8", id="latin-1"),
        pytest.param("a: &x [1]\nb: [" + "*x," * 6000 + "]", ":1:4", "aliases", id="many aliases"),
    ],
)
def test_what_is_not_strict_yaml_is_refused_with_its_place(text: str | bytes, where: str, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read(text, "file.yaml")
    assert str(caught.value).startswith(f"file.yaml{where}: ")
    assert words in str(caught.value)


def test_aliases_cannot_multiply_a_small_file_into_a_large_one() -> None:
    text = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))
    with pytest.raises(RuleError, match="aliases"):
        read(text)


def test_a_text_over_the_size_is_refused() -> None:
    with pytest.raises(RuleError, match="larger than 5 bytes"):
        read("abcdef", size=5)


def test_an_empty_text_is_no_data() -> None:
    data, positions = read("# nothing\n", "file.yaml")
    assert data is None
    assert positions.of(("a",)) == (1, 1)


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read(b"\xef\xbb\xbfa: 1")[0] == {"a": 1}
    assert read("\ufeffa: 1")[0] == {"a": 1}


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ((), False, (2, 1)),
        (("a",), False, (2, 4)),
        (("a",), True, (2, 1)),
        (("list", 1, "x"), False, (5, 9)),
        (("list", 1, "x"), True, (5, 5)),
        (("list", 1, "missing"), True, (5, 5)),
        (("list", 7), False, (4, 3)),
        (("nowhere",), True, (2, 1)),
    ],
)
def test_positions_lead_to_the_value_its_key_or_what_should_hold_it(
    path: tuple[str | int, ...], *, key: bool, place: tuple[int, int]
) -> None:
    _, positions = read("# heading\na: 1\nlist:\n  - x: 1\n  - x:  2\n")
    assert positions.of(path, key=key) == place


@given(TEXT_KEYED)
def test_every_json_document_is_read_as_json_reads_it(data: object) -> None:
    assert read(json.dumps(data))[0] == data


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused_and_nothing_else(text: str | bytes) -> None:
    with contextlib.suppress(RuleError):
        read(text)


def test_the_nearest_word_is_proposed_only_when_it_is_near() -> None:
    assert nearest("ofer", ["offer", "site"]) == 'did you mean "offer"?'
    assert nearest("xyz", ["offer", "site"]) == ""

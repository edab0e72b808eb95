from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulemaking import NOW, alert
from tocsin.rules import span, texts
from tocsin.rules.facts import Facts, value
from tocsin.rules.texts import Key
from tocsin.rules.wrong import Wrong


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" plain ", "plain"),
        ("two\nlines\r\nand\tmore", "two lines and more"),
        ("é 28 % « x »", "é 28 % « x »"),
        ("bell\x07 and\x1b[31m escape\x00", "bell and[31m escape"),
        ("turned\u202eround", "turnedround"),
        ("half\ud800", "half"),
        ("u\u2028v", "u v"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("y" * 198 + " z " * 9, "y" * 198 + "…"),
        ("", ""),
    ],
)
def test_a_name_is_one_clean_line(text: str, name: str) -> None:
    assert texts.name(text) == name


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("two\n\nlines\n", "two\n\nlines"),
        ("dos\r\nlines\rhere", "dos\nlines\nhere"),
        ("a\tb", "a\tb"),
        ("bell\x07", "bell"),
        ("x" * 4001, "x" * 3999 + "…"),
    ],
)
def test_a_description_keeps_its_lines(text: str, description: str) -> None:
    assert texts.description(text) == description


@given(st.text(st.characters()))
def test_no_text_leaves_with_a_control_character_or_too_long(text: str) -> None:
    name, description = texts.name(text), texts.description(text)
    assert len(name) <= 200
    assert len(description) <= 4000
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for sign in name)
    assert not any(ord(sign) < 32 for sign in description if sign not in "\n\t")
    name.encode()
    assert texts.name(name) == name


def key_of(names: tuple[str, ...], labels: dict[str, str]) -> str:
    key = Key.of([(name, value(f"labels.{name}", frozenset())) for name in names])
    return key.text(Facts(alert(labels=labels), {}, NOW))


PARTS = st.dictionaries(
    st.sampled_from(["a", "b", "a=b", "a|b", "\\"]), st.text("ab|=\\", max_size=4), min_size=1, max_size=3
)


@given(PARTS, PARTS)
def test_different_values_never_share_a_key(one: dict[str, str], other: dict[str, str]) -> None:
    assert (key_of(tuple(one), one) == key_of(tuple(other), other)) == (list(one.items()) == list(other.items()))


def test_a_key_can_be_read() -> None:
    assert key_of(("a", "b"), {"a": "x", "b": "y|z"}) == r"a=x|b=y\|z"


def test_a_long_key_is_cut_and_still_its_own() -> None:
    long, other = (key_of(("a",), {"a": "x" * 300 + last}) for last in "yz")
    assert len(long) == len(other) == 200
    assert long != other
    assert long == key_of(("a",), {"a": "x" * 300 + "y"})
    assert key_of(("a",), {"a": "x" * 198}) == "a=" + "x" * 198


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("2m", 120), ("1h30m", 5400), ("7d", 604_800), ("1d2h3m4s", 93_784), ("0s", 0)],
)
def test_a_duration_reads_as_it_is_written(text: str, seconds: int) -> None:
    assert span.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "1m1h", "-1m", "1.5h", " 1m", "1m ", "1w", "999999d", "1m\n", 5, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(Wrong, match="is no duration") as caught:
        span.parse(text)
    assert caught.value.hint == "write one such as 30s, 2m, 1h30m or 7d"

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import PayloadError
from tocsin.sources import NotJsonError, _lines, _read

leaves = st.none() | st.integers() | st.text(alphabet='[]{}"\\a', max_size=6)
nests = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]"\\'), inner))


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(nest=nests, around=st.integers(0, 70), beside=st.integers(0, 70))
def test_depth_is_judged_as_by_walking_the_document(nest: Any, around: int, beside: int) -> None:
    for level in range(around):
        nest = [nest] if level % 3 else {'"]': nest}
    document = [nest, "}" * beside, '[{\\"' * beside, [{}] * beside]
    assert _read.is_shallow(json.dumps(document).encode()) is (depth(document) <= 64)


@pytest.mark.parametrize(
    ("body", "shallow"),
    [
        pytest.param(b'["' + b"[" * 100 + b'"]', True, id="brackets in a string are no depth"),
        pytest.param(b'["\\"' + b"[" * 100 + b'"]', True, id="an escaped quote does not end a string"),
        pytest.param(b'["\\\\",' + b"[" * 64 + b"]" * 64 + b"]", False, id="an escaped backslash does not escape"),
        pytest.param(b'["]",' * 100 + b"1" + b"]" * 100, False, id="brackets in strings do not hide depth"),
        pytest.param(b"[" + b"[]," * 1_000 + b"1]", True, id="width is no depth"),
        pytest.param(b"[" * 64 + b"]" * 64, True, id="64"),
        pytest.param(b"[" * 65 + b"]" * 65, False, id="65"),
    ],
)
def test_only_depth_counts(body: bytes, *, shallow: bool) -> None:
    assert _read.is_shallow(body) is shallow


@pytest.mark.parametrize("unit", [b"[", b'"[', b'["]",', b'{"', b"[]", b'\\"', b"\\"])
def test_megabytes_of_brackets_are_judged_without_recursing(unit: bytes) -> None:
    """Were the time quadratic, or the stack used, this would not end well."""
    assert _read.is_shallow(unit * 1_000_000) is (unit in {b"[]", b'\\"', b"\\"})


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'["a\u0000b"]', "a\ufffdb"),
        (rb'["a\\u0000b"]', "a\\u0000b"),
        (rb'["a\\\u0000b"]', "a\\\ufffdb"),
        (b'\xef\xbb\xbf["b"]', "b"),
        (b'["\xc3\xa9"]', "é"),
    ],
)
def test_a_text_is_read_as_meant_but_without_nul(sent: bytes, read: str) -> None:
    assert _read.fast(sent, msgspec.json.Decoder(list[str])) == [read]
    assert msgspec.json.decode(_read.unread(sent)) == [read]


def test_the_fast_door_never_says_why() -> None:
    decoder = msgspec.json.Decoder(list[str])
    assert _read.fast(b"[1]", decoder) is None
    assert _read.fast(b"[", decoder) is None
    assert _read.fast(b'[{"a":' * 50_000, msgspec.json.Decoder(list[dict[str, object]])) is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"A=1&B=a+b%20c&A=2", {"A": "2", "B": "a b c"}),
        ("é=ü".encode(), {"é": "ü"}),
        (b"%C3%A9=%00", {"é": "\ufffd"}),
        (b"A&B=", {"A": "", "B": ""}),
    ],
)
def test_a_form_is_read(body: bytes, fields: dict[str, str]) -> None:
    assert _read.form(body) == fields


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%FF", b"a=1&" * 1_001])
def test_a_form_beyond_the_limits_is_no_message(body: bytes) -> None:
    with pytest.raises(PayloadError, match="UTF-8 with at most 1000 fields"):
        _read.form(body)


@given(body=st.binary())
def test_no_bytes_do_more_to_a_form_than_a_payload_error(body: bytes) -> None:
    try:
        fields = _read.form(body)
    except PayloadError:
        return
    assert not any("\0" in text for pair in fields.items() for text in pair)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (None, ""), (True, "true"), (False, "false"), (7, "7"), (97.2, "97.2"), (-0.5, "-0.5")],
)
def test_a_scalar_becomes_text_as_json_writes_it(value: _read.Scalar, text: str) -> None:
    assert _read.text(value) == text


def test_a_long_problem_is_cut() -> None:
    with pytest.raises(PayloadError) as caught:
        _read.entry(msgspec.Raw(b'"' + b"x" * 10_000 + b'"'), msgspec.json.Decoder(dict), "y" * 10_000)
    assert len(str(caught.value)) == 300


def test_not_json_is_a_payload_error_of_its_own() -> None:
    assert issubclass(NotJsonError, PayloadError)


def test_a_list_has_no_more_entries_than_may_be_told_of() -> None:
    def build(_: object) -> NoReturn:
        raise PayloadError("none")

    most = _read.MAX_ENTRIES
    assert len(_read.one_or_many(b"[" + b",".join([b"1"] * most) + b"]", build)) == most
    with pytest.raises(PayloadError, match="length <= 100000"):
        _read.one_or_many(b"[" + b",".join([b"1"] * (most + 1)) + b"]", build)
    with pytest.raises(PayloadError, match="more than 100000 entries"):
        _read.each(range(most + 1), build)
    with pytest.raises(PayloadError, match="more than 100000 entries"):
        _lines.each(range(most + 1), build)
    for end in (b"\n", b"\r"):
        assert _lines.few(end * most) == end * most
        with pytest.raises(PayloadError, match="100001 lines, at most 100000"):
            _lines.few(end * (most + 1))


def test_an_object_has_no_more_fields_than_are_looked_at() -> None:
    many = {f"field{number}": number for number in range(_read.MOST_FIELDS)}
    assert _read.entry(_read.unread(json.dumps(many).encode()), _read.OBJECT, "an alert") == many
    with pytest.raises(PayloadError, match="not an alert: Expected `object` of length <= 10000"):
        _read.entry(_read.unread(json.dumps(many | {"more": 1}).encode()), _read.OBJECT, "an alert")

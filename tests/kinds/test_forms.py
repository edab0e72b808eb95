from __future__ import annotations

import json

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Payload
from tocsin.sources import NotJsonError, _forms

MULTIPART = (
    b'--x1\r\nContent-Disposition: form-data; name="data"\r\n\r\n{"a": "1\\n2"}\r\n'
    b'--x1\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\none\r\ntwo\r\n'
    b"--x1--\r\n"
)


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b'{"a": 1}', _forms.FORM, {"a": 1}),
        (b'\xef\xbb\xbf {"a": 1}', "text/plain", {"a": 1}),
        (b'\n[{"a": 1}]\n', "application/json", {"a": 1}),
        (b"a=1&b=%C3%A9", _forms.FORM, {"a": "1", "b": "é"}),
        (b"a=1&b=2\r\n", "application/json", {"a": "1", "b": "2"}),
        (MULTIPART, _forms.MULTIPART, {"data": '{"a": "1\\n2"}', "file": "one\ntwo"}),
        (MULTIPART.replace(b"\r\n", b"\n"), "application/json", {"data": '{"a": "1\\n2"}', "file": "one\ntwo"}),
    ],
)
def test_the_first_byte_tells_what_a_body_is(body: bytes, content_type: str, found: dict[str, object]) -> None:
    assert _forms.fields(Payload(body=body, content_type=content_type), "a message") == found


def test_the_address_counts_where_the_body_does_not_say_it() -> None:
    given = {"a": "address", "b": "address"}
    assert _forms.fields(Payload(body=b"", method="GET", given=given), "a message") == given
    assert _forms.fields(Payload(body=b'{"a": "body"}', given=given), "a message") == {"a": "body", "b": "address"}
    assert _forms.fields(Payload(body=b"", method="GET"), "a message") == {}


def test_line_breaks_that_a_template_wrote_into_a_text_are_read() -> None:
    raw = _forms.unread(b'{"msg": "one\ntwo\tthree", "n": 1}')
    assert json.loads(bytes(raw)) == {"msg": "one\ntwo\tthree", "n": 1}


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": NaN}', b'{"a": "x"y"}', b"[" * 100, b'{"a": "\\ud800\n"}', b"\xff{}"]
)
def test_what_even_that_does_not_mend_is_no_json(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        _forms.unread(body)


def test_too_many_parts_and_other_characters_are_refused() -> None:
    many = b"--x\n" + b'Content-Disposition: form-data; name="a"\n\n1\n--x\n' * 1_002
    with pytest.raises(PayloadError, match="more than 1000 parts"):
        _forms.multipart(many)
    with pytest.raises(PayloadError, match="not UTF-8"):
        _forms.multipart(b'--x\nContent-Disposition: form-data; name="a"\n\n\xff\n--x--')


@pytest.mark.parametrize(("text", "found"), [("", {}), ("null", {}), (' {"a": 1}', {"a": 1})])
def test_json_in_a_field_is_read(text: str, found: dict[str, object]) -> None:
    assert _forms.inner(text, "the field") == found


@pytest.mark.parametrize("text", ["[1]", "hello", "{"])
def test_a_field_that_holds_something_else_is_a_message_that_cannot_be_read(text: str) -> None:
    with pytest.raises(PayloadError, match="the field") as caught:
        _forms.inner(text, "the field")
    assert not isinstance(caught.value, NotJsonError)


@pytest.mark.parametrize("body", [b"[]", b'[{"a": 1}, {"a": 2}]', b"[1]"])
def test_a_list_of_none_or_of_many_is_not_one_message(body: bytes) -> None:
    with pytest.raises(PayloadError, match="this is not a message"):
        _forms.fields(Payload(body=body), "a message")

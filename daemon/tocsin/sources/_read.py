"""Reads request bodies: JSON within our limits, and forms.

It knows bytes and their syntax, and turns what msgspec says into sentences for the people who configured the source.
It knows no platform and builds no alert: the kinds hand it what to do with each entry.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from msgspec import DecodeError, Meta, Raw
from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tocsin.model import Alert

T = TypeVar("T")

Scalar = str | int | float | bool | None
"""What a label may be in JSON; anything deeper is no label."""

MAX_DEPTH = 64
"""How many arrays and objects may stand inside one another, the outermost counted."""

MAX_FIELDS = 1_000
"""How many fields a form may have."""

MAX_PROBLEM = 300
"""Longest sentence about what cannot be read: it may quote what was sent."""

MAX_ENTRIES = 100_000
"""How many entries a message may have."""

LIST: Decoder[list[Raw]] = Decoder(Annotated[list[Raw], Meta(max_length=MAX_ENTRIES)])
"""Reads an array whose entries stay unread."""

MOST_FIELDS = 10_000
"""How many fields an object may have that is read whole."""

OBJECT: Decoder[dict[str, Any]] = Decoder(Annotated[dict[str, Any], Meta(max_length=MOST_FIELDS)])
"""Reads an object whose fields nobody can name beforehand."""

_ANY_JSON = Decoder(Raw)
_BOM = b"\xef\xbb\xbf"
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")
_TO_STEPS = bytes.maketrans(b"[]", b"\x01\xff")  # one deeper, one less deep: -1 as a signed byte
_PEELED = 8
"""Most JSON is no deeper, and its brackets are gone after so many passes; what is left is counted, one by one."""

_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')


class NotJsonError(PayloadError):
    """The body is not JSON at all, not UTF-8, or nested too deep: answer 400."""


def fast(body: bytes, decoder: Decoder[T]) -> T | None:
    """What the body says, as the decoder's type; None when it says something else or is no JSON: `unread` tells which.

    What the type does not name is skipped and never kept, so its depth is left to msgspec, which gives up at the
    interpreter's recursion limit.

    Raises:
        NotJsonError: the body is not UTF-8.
    """
    try:
        return decoder.decode(_clean(body))
    except (DecodeError, RecursionError):
        return None


def whole(body: bytes, decoder: Decoder[T]) -> T | None:
    """What a body of at most MAX_DEPTH levels says, as the decoder's type; None for any other: `unread` tells which.

    Fit for what has no type: it saves reading the body twice.

    Raises:
        NotJsonError: the body is not UTF-8.
    """
    clean = _clean(body)
    try:
        return decoder.decode(clean) if is_shallow(clean) else None
    except DecodeError:
        return None


def unread(body: bytes) -> Raw:
    """The whole body, known to be JSON of at most MAX_DEPTH levels: the door of all that is read without a type.

    Raises:
        NotJsonError: it is not.
    """
    clean = _clean(body)
    if not is_shallow(clean):
        raise NotJsonError(f"the body is not JSON of at most {MAX_DEPTH} levels: too deep, or a bracket is missing")
    try:
        return _ANY_JSON.decode(clean)
    except DecodeError as error:
        raise NotJsonError(f"the body is not JSON: {error}") from error


def entry(raw: Raw, decoder: Decoder[T], what: str) -> T:
    """A part of a body that `unread` has let through, as the decoder's type.

    Raises:
        PayloadError: it is of another shape; the sentence says that `what` was expected, and names the field.
    """
    try:
        return decoder.decode(raw)
    except DecodeError as error:
        raise PayloadError(said(f"this is not {what}: {error}")) from error


def each(items: Iterable[T], build: Callable[[T], Alert]) -> list[Alert | Unreadable]:
    """An alert for each item; an `Unreadable` in the place of each that `build` refuses with a PayloadError.

    Raises:
        PayloadError: there are more than MAX_ENTRIES.
    """
    found: list[Alert | Unreadable] = []
    for position, item in enumerate(items):
        if position >= MAX_ENTRIES:
            raise PayloadError(f"the message has more than {MAX_ENTRIES} entries: send smaller batches")
        try:
            found.append(build(item))
        except PayloadError as error:
            found.append(Unreadable(position=position, problem=said(str(error))))
    return found


def one_or_many(body: bytes, build: Callable[[Raw], Alert]) -> list[Alert | Unreadable]:
    """The alerts of a body that is one message or an array of them.

    Raises:
        NotJsonError: see `unread`.
        PayloadError: it is one message, and `build` refused it.
    """
    raw = unread(body)
    if bytes(raw).lstrip()[:1] == b"[":
        items = entry(raw, LIST, "a list")
        return each(items, build)
    return [build(raw)]


def form(body: bytes) -> dict[str, str]:
    """The fields of an `application/x-www-form-urlencoded` body; of a field given twice the last one.

    Raises:
        PayloadError: it is not UTF-8, or has more than MAX_FIELDS fields.
    """
    try:
        pairs = parse_qsl(
            body.removeprefix(_BOM).strip().decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise PayloadError(said(f"the form is not UTF-8 with at most {MAX_FIELDS} fields: {error}")) from error
    return {name.replace("\0", "\ufffd"): value.replace("\0", "\ufffd") for name, value in pairs}


def text(value: Scalar) -> str:
    """A scalar as JSON writes it, without quotes; nothing for null."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def said(sentence: str) -> str:
    """The sentence, cut to MAX_PROBLEM characters."""
    return sentence if len(sentence) <= MAX_PROBLEM else sentence[: MAX_PROBLEM - 1] + "…"


def is_shallow(body: bytes) -> bool:
    """Whether no more than MAX_DEPTH arrays and objects stand inside one another: linear, and never recursing.

    Of JSON the answer is exact; brackets that do not match give False or are left to the decoder.
    """
    if b"[" not in body and body.rfind(b"{") < MAX_DEPTH:
        return True  # an object of scalars, told fast
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return True
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = body.translate(_TO_BRACKETS, _NO_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets:
        brackets = b"".join(brackets.split(b'"')[::2])
    for _ in range(_PEELED):
        if not brackets:
            return True
        brackets = brackets.replace(b"[]", b"")
    steps = memoryview(brackets.translate(_TO_STEPS)).cast("b")
    return sum(steps) == 0 and max(accumulate(steps), default=0) <= MAX_DEPTH - _PEELED


def _clean(body: bytes) -> bytes:
    """The body without byte order mark, known to be UTF-8, and with no NUL character to come.

    PostgreSQL refuses NUL in a text, so its escape becomes U+FFFD.
    """
    body = body.removeprefix(_BOM)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise NotJsonError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    return _NUL.sub(rb"\1\\ufffd", body) if b"\\" in body and b"\\u0000" in body else body

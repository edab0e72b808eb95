"""Messages of platforms that send the same fields as JSON, as a form of either kind, or in the address.

The first byte of the body tells which, not the content type: what people configure by hand often names the wrong one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.errors import PayloadError
from tocsin.sources import _read

if TYPE_CHECKING:
    from msgspec import Raw

    from tocsin.model import Payload

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
TEXT = "text/plain"
MEDIA_TYPES = frozenset({"application/json", FORM, MULTIPART, TEXT})

_NAME = re.compile(r'(?i)content-disposition:[^\r\n]*?;\s*name="([^"\r\n]*)"')
_FORM = re.compile(rb"[^\s={}\[\]\"<>]+=")


def fields(payload: Payload, what: str) -> dict[str, Any]:
    """The fields of one message, wherever they stand; a field of the body goes before one of the address.

    Args:
        payload: the message.
        what: what was expected, for the sentence about something else.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is JSON of another shape, or a form beyond the limits.
    """
    body = payload.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    given: dict[str, Any] = {_no_nul(name): _no_nul(value) for name, value in payload.given.items()}
    if not body and (given or payload.method == "GET"):
        return given
    if body[:2] == b"--":
        return given | multipart(body)
    if body[:1] not in b'{["' and (payload.content_type == FORM or _FORM.match(body)):
        return given | _read.form(body.rstrip())
    return given | _read.entry(_alone(unread(payload.body)), _read.OBJECT, what)


def _alone(raw: Raw) -> Raw:
    """The message of a list that holds no other; anything else as it is."""
    if bytes(raw).lstrip()[:1] != b"[":
        return raw
    listed = _read.entry(raw, _read.LIST, "a list")
    return listed[0] if len(listed) == 1 else raw


def multipart(body: bytes) -> dict[str, str]:
    """The fields of a `multipart/form-data` body by name; of one given twice the last. Its first line is its boundary.

    Raises:
        PayloadError: it is not UTF-8, or has more than MAX_FIELDS parts.
    """
    boundary, _, _ = body.partition(b"\n")
    parts = body.split(boundary.rstrip(b"\r"), _read.MAX_FIELDS + 2)[1:]
    if len(parts) > _read.MAX_FIELDS:
        raise PayloadError(f"the form has more than {_read.MAX_FIELDS} parts")
    found: dict[str, str] = {}
    for part in parts:
        head, _, value = part.replace(b"\r\n", b"\n").partition(b"\n\n")
        try:
            name = _NAME.search(head.decode())
            text = value.removesuffix(b"\n").decode()
        except UnicodeDecodeError as error:
            raise PayloadError(_read.said(f"the form is not UTF-8: {error.reason}")) from error
        if name:
            found[_no_nul(name[1])] = _no_nul(text)
    return found


def unread(body: bytes) -> Raw:
    """As `_read.unread`, and takes JSON whose texts have line breaks that nobody has escaped: a template wrote them.

    Raises:
        NotJsonError: it is not even that.
    """
    try:
        return _read.unread(body)
    except _read.NotJsonError:
        if not _read.is_shallow(body):
            raise
        mended = _mended(body)
        if mended is None:
            raise
        return _read.unread(mended)


def inner(text: str, what: str) -> dict[str, Any]:
    """The object that a field holds as JSON in a text; an empty one for an empty text or `null`.

    Raises:
        PayloadError: it holds something else; the sentence calls it `what`.
    """
    if not text.strip() or text.strip() == "null":
        return {}
    try:
        raw = unread(text.encode())
    except (_read.NotJsonError, UnicodeEncodeError) as error:
        raise PayloadError(_read.said(f"{what} is no JSON: {error}")) from error
    return _read.entry(raw, _read.OBJECT, what)


def _no_nul(text: str) -> str:
    """PostgreSQL refuses NUL in a text."""
    return text.replace("\0", "\ufffd")


def _mended(body: bytes) -> bytes | None:
    try:
        return msgspec.json.encode(json.loads(body.decode("utf-8-sig"), strict=False, parse_constant=_refuse))
    except (ValueError, OverflowError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")

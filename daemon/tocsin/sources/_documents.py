"""Bodies of any form as documents of mappings, lists and texts: JSON, forms, XML and plain text.

XML becomes mappings: an attribute is `@name`, a text beside attributes or elements is `#text`, an element that comes more than once
is a list. Of a text, the named captures of a regular expression are the fields. Knows forms of bodies; no platform.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.sources import _lines, _read, _xml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec import Raw

    from tocsin.model import Payload
    from tocsin.sources._regex import Regex

Form = Literal["json", "form", "xml", "text", "lines"]

FORM = "application/x-www-form-urlencoded"

_ANY = Decoder(Any)
_MARKUP = re.compile(rb"\s*<[A-Za-z_?!]")


def documents(payload: Payload, form: Form | None, pattern: Regex | None, unpack: Iterable[str]) -> list[Any]:
    """The documents of a body: one, or one for each line; a PayloadError in the place of a line that cannot be read.

    Args:
        payload: the message.
        form: what it is; None to look at the body and its content type.
        pattern: whose captures are the fields of a text; None where the text is the only one, `text`.
        unpack: fields at the top that hold JSON as a text, read where they stand.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it should be something else and is not.
    """
    found = _read_as(form or _guessed(payload, pattern), payload, pattern)
    names = tuple(unpack)
    return [_unpacked(document, names) for document in found] if names else found


def _guessed(payload: Payload, pattern: Regex | None) -> Form:
    if _lines.looks_like_json(payload.body) or payload.content_type == "application/json":
        return "json"
    if _MARKUP.match(payload.body):
        return "xml"
    if payload.content_type == FORM:
        return "form"
    return "text" if pattern else "json"


def _read_as(form: Form, payload: Payload, pattern: Regex | None) -> list[Any]:
    body = payload.body
    if form == "json" and (document := _whole(body)) is not None:
        return [document]
    if form == "json" and body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        return [_json(_read.unread(body))]
    if form == "json":
        return [_json(document) for document in _lines.documents(body)]
    if form == "form":
        return [_read.form(body)]
    if form == "xml":
        root = _xml.read(body)
        return [{root.name: _mapping(root)}]
    if form == "lines":
        return [_captured(line, pattern) for line in _lines.split(body)]
    return [_captured(_lines.text(body).strip(), pattern)]


def _whole(body: bytes) -> Any:
    """The one JSON document that most bodies are; None of any other, and of what is not to be read."""
    try:
        return _read.whole(body, _ANY)
    except _read.NotJsonError:
        return None


def _json(document: bytes | Raw) -> Any:
    try:
        return _read.entry(_lines.read(document), _ANY, "JSON")
    except PayloadError as error:
        return error


def _mapping(node: _xml.Node) -> Any:
    """An element that only holds a text is this text."""
    if not node.attributes and not node.children:
        return node.text
    found: dict[str, Any] = {f"@{name}": value for name, value in node.attributes.items()}
    for child in node.children:
        told = _mapping(child)
        if child.name not in found:
            found[child.name] = told
        elif isinstance(found[child.name], _Several):
            found[child.name].append(told)
        else:
            found[child.name] = _Several([found[child.name], told])
    return found | {"#text": node.text} if node.text else found


class _Several(list[Any]):
    """Elements of one name; no element is such a list by itself."""


def _captured(text: str, pattern: Regex | None) -> Any:
    if pattern is None:
        return {"text": text}
    found = pattern.search(text)
    if found is None:
        return PayloadError(_read.said(f"`pattern` finds nothing in {text!r}"))
    return {"text": text, **pattern.named(found)}


def _unpacked(document: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(document, dict):
        return document
    texts = {name: document[name] for name in names if isinstance(document.get(name), str)}
    return document | {name: _inner(text) for name, text in texts.items()}


def _inner(text: str) -> Any:
    """What the JSON in a text says; the text where it is none."""
    try:
        return _read.entry(_read.unread(text.encode("utf-8", "replace")), _ANY, "JSON")
    except PayloadError:
        return text

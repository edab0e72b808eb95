"""Reads a body that is one message, a list of them, or a form, where not every message is an alert.

`_read.one_or_many` is for platforms whose every message is one alert; here a message may hold none, or several.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from tocsin.errors import PayloadError
from tocsin.model import Alert, Unreadable
from tocsin.sources import _lines, _read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from msgspec.json import Decoder

    from tocsin.model import Payload

T = TypeVar("T")

FORM = "application/x-www-form-urlencoded"

_FIELD = re.compile(rb"(?:\xef\xbb\xbf)?\s*[A-Za-z_][\w.-]*=", re.ASCII)


def form(payload: Payload) -> dict[str, str] | None:
    """The fields of a form; None for a body that is none. The body tells, whatever its content type says.

    Raises:
        PayloadError: see `_read.form`.
    """
    body = payload.body
    if _lines.looks_like_json(body) or not (payload.content_type == FORM or _FIELD.match(body)):
        return None
    return _read.form(body)


def each(
    body: bytes, decoder: Decoder[T], what: str, build: Callable[[T], Iterable[Alert | Unreadable]]
) -> list[Alert | Unreadable]:
    """The alerts of a JSON body that is one message or an array of them.

    A message of an array that cannot be read is `Unreadable` in its place; positions count what is returned.

    Args:
        body: the body.
        decoder: what a message is decoded with.
        what: what it should be, for the sentence when it is not.
        build: the alerts of one message; none for one that is understood, and no alert.

    Raises:
        NotJsonError: see `_read.unread`.
        PayloadError: it is one message, and cannot be read.
    """
    message = _read.whole(body, decoder)
    if message is not None:
        return numbered(build(message))
    raw = _read.unread(body)
    if bytes(raw).lstrip()[:1] != b"[":
        return numbered(build(_read.entry(raw, decoder, what)))
    found: list[Alert | Unreadable] = []
    for item in _read.entry(raw, _read.LIST, "a list"):
        try:
            found += build(_read.entry(item, decoder, what))
        except PayloadError as error:
            found.append(Unreadable(position=0, problem=_read.said(str(error))))
    return numbered(found)


def numbered(entries: Iterable[Alert | Unreadable]) -> list[Alert | Unreadable]:
    """The entries, each unreadable one with its place among them."""
    return [
        replace(entry, position=position) if isinstance(entry, Unreadable) else entry
        for position, entry in enumerate(entries)
    ]

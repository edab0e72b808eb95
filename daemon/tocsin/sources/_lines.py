"""Bodies of lines, each a message: JSON lines, and text.

Knows bytes and lines, no platform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Raw

from tocsin.errors import PayloadError
from tocsin.model import Unreadable
from tocsin.sources import _read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tocsin.model import Alert

T = TypeVar("T")

MAX_LINES = 100_000
"""How many lines a body may have."""

_BOM = b"\xef\xbb\xbf"


def looks_like_json(body: bytes) -> bool:
    """Whether the first byte that says something opens an object or a list."""
    return body.removeprefix(_BOM).lstrip()[:1] in {b"{", b"["}


def text(body: bytes) -> str:
    """The body as text: what is no UTF-8 becomes U+FFFD, and so does NUL; every end of line becomes a line feed."""
    told = body.decode("utf-8-sig", "replace").replace("\0", "\ufffd")
    return told.replace("\r\n", "\n").replace("\r", "\n")


def few(body: bytes) -> bytes:
    """The body, where it has no more line ends than it may have lines: to be asked before it is taken apart.

    Raises:
        PayloadError: there are more than MAX_LINES.
    """
    count = max(body.count(b"\n"), body.count(b"\r"))
    if count > MAX_LINES:
        raise PayloadError(f"the body has {count} lines, at most {MAX_LINES} are taken")
    return body


def split(body: bytes) -> list[str]:
    """The lines of a text that are not blank.

    Raises:
        PayloadError: there are more than MAX_LINES.
    """
    return _counted([line for line in text(few(body)).split("\n") if line and not line.isspace()])


def documents(body: bytes) -> list[bytes | Raw]:
    """The JSON documents of a body: one, the elements of an array, or one in each line.

    Of lines each is still to be looked at, with `read`: a broken one must not lose the others.

    Raises:
        NotJsonError: it is none of these.
        PayloadError: there are more than MAX_LINES.
    """
    try:
        raw = _read.unread(body)
    except _read.NotJsonError:
        lines = [line for line in few(body).removeprefix(_BOM).split(b"\n") if line and not line.isspace()]
        if len(lines) == 1 or not lines or not _is_json(lines[0]):
            raise
        return list(_counted(lines))
    if bytes(raw).lstrip()[:1] == b"[":
        return [*_read.entry(raw, _read.LIST, "a list")]
    return [raw]


def read(document: bytes | Raw) -> Raw:
    """One of `documents`, known to be JSON.

    Raises:
        NotJsonError: it is a line, and no JSON.
    """
    return document if isinstance(document, Raw) else _read.unread(document)


def each(items: Iterable[T], build: Callable[[T], Alert | None]) -> list[Alert | Unreadable]:
    """As `_read.each`, of items that need not be alerts: what `build` makes nothing of leaves no entry.

    Raises:
        PayloadError: there are more than `_read.MAX_ENTRIES`.
    """
    found: list[Alert | Unreadable] = []
    for position, item in enumerate(items):
        if position >= _read.MAX_ENTRIES:
            raise PayloadError(f"the message has more than {_read.MAX_ENTRIES} entries: send smaller batches")
        try:
            alert = build(item)
        except PayloadError as error:
            found.append(Unreadable(position=len(found), problem=_read.said(str(error))))
        else:
            if alert is not None:
                found.append(alert)
    return found


def _counted(lines: list[T]) -> list[T]:
    if len(lines) > MAX_LINES:
        raise PayloadError(f"the body has {len(lines)} lines, at most {MAX_LINES} are taken")
    return lines


def _is_json(line: bytes) -> bool:
    try:
        _read.unread(line)
    except _read.NotJsonError:
        return False
    return True

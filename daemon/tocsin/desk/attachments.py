"""Files of desk tickets: within limits, added and never taken away.

What was said of a file is kept as it was said; its size is ours. Knows rows; how files travel is the caller's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tocsin.desk.dossiers import Attachment
    from tocsin.store import Transaction

LARGEST = 5 * 1024 * 1024
"""Bytes of one file."""
MOST = 20
"""Files of one ticket."""
ALTOGETHER = 20 * 1024 * 1024
"""Bytes of all files of one ticket."""


class NewAttachment(Struct, frozen=True, kw_only=True):
    """A file to be added, or where one is."""

    about: dict[str, Any]
    """All that is said of it, without its content."""
    key: str = ""
    """Its id where it comes from, if it has one there."""
    content: bytes | None = None
    """None for a file that is elsewhere."""


def news(given: Iterable[NewAttachment], there: Sequence[Attachment]) -> list[NewAttachment]:
    """Those of the files given that the ticket does not have: known by our id, or by theirs."""
    known = {one.shown for one in there}
    fresh: list[NewAttachment] = []
    for one in given:
        if not one.key or one.key not in known:
            fresh.append(one)
            known.add(one.key)
    return fresh


def too_much(fresh: Sequence[NewAttachment], there: Sequence[Attachment]) -> str:
    """Why these files are too many or too large for the ticket; empty when they are not."""
    if any(len(one.content or b"") > LARGEST for one in fresh):
        return f"a file has more than {LARGEST} bytes: send a smaller one, or the address where it is"
    if len(fresh) + len(there) > MOST:
        return f"the ticket would have more than {MOST} files"
    if sum(len(one.content or b"") for one in fresh) + sum(one.size for one in there) > ALTOGETHER:
        return f"the files of the ticket would have more than {ALTOGETHER} bytes"
    return ""


def write(tx: Transaction, ticket: int, fresh: Iterable[NewAttachment], now: datetime) -> None:
    """Add files to a ticket."""
    for one in fresh:
        about, size = rows.encode_text(one.about), len(one.content or b"")
        row = tx.next("desk_attachments")
        tx.insert("insert_desk_attachment", (row, ticket, rows.micros(now), one.key, about, size, one.content))

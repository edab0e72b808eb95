"""What is asked of Request Tracker, and what its answers hold. Pure."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tocsin.backends import _texts
from tocsin.backends._document import reach, word
from tocsin.backends._moments import moment
from tocsin.backends._shape import at, each
from tocsin.model import RemoteNote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

MERGED_TOO = "EffectiveId > 0"
"""A condition on the effective id lets a search find tickets that were merged into others, which it leaves out else."""
FIELDS = "Status,Priority,Owner,LastUpdated,LastUpdatedBy,EffectiveId,CustomFields"
PAGE = 100
"""The most that RT gives at once."""
_ANY_ZONE = timedelta(hours=26)
"""RT reads the times of a query in the zone of whoever asks, which cannot be asked; no two are further apart."""
_TEXTS = ("text/plain", "text/html")
"""Parts of a note that can be read, the better one first."""


def quoted(value: str) -> str:
    """A value as it stands in a query."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def newest_first(field: str) -> str:
    """The order of a list, as it stands in an address."""
    return f"orderby={field}&order=DESC&orderby=id&order=DESC"


def paged(fields: str) -> dict[str, str]:
    """Which fields a list has, and how many rows."""
    return {"fields": fields, "per_page": str(PAGE)}


def carries(field: str, reference: str) -> str:
    """The query for tickets whose custom field has this value."""
    return f"{MERGED_TOO} AND CF.{{{field}}} = {quoted(reference)}"


def carries_any(field: str) -> str:
    """The query for tickets whose custom field has any value."""
    return f"{MERGED_TOO} AND CF.{{{field}}} IS NOT NULL"


def changed(field: str, since: datetime) -> str:
    """The query for tickets that carry a reference, and may have changed since a moment."""
    return f"{carries_any(field)} AND LastUpdated > '{since - _ANY_ZONE:%Y-%m-%d %H:%M:%S}'"


def notes_of(number: str) -> str:
    """The query for what was written in a ticket."""
    return f"TicketId = {number} AND (Type = 'Comment' OR Type = 'Correspond')"


def custom(ticket: Any, field: str) -> str:
    """The first value of a custom field, by its name or number; empty when there is none. Total.

    RT 5 gives a list of fields, the extension of RT 4.4 an object of names.
    """
    held = reach(ticket, "CustomFields")
    if isinstance(held, dict):
        values = next((value for name, value in held.items() if _is(field, name)), None)
        return word(values[0] if isinstance(values, list) and values else values)
    for one in each(ticket, "CustomFields"):
        if _is(field, at(one, "name")) or at(one, "id") == field:
            return at(one, "values.0")
    return ""


def _is(field: str, name: str) -> bool:
    return field.casefold() == name.strip().casefold()


def is_last(said: Any, page: int) -> bool:
    """Whether there is no page after this one; RT does not always count, and leaves out what we may not see."""
    pages = reach(said, "pages")
    if isinstance(pages, (int, float)):
        return page >= pages
    return not each(said, "items")


def priority(ticket: Any) -> int | None:
    """The priority as a number. Total."""
    text = at(ticket, "Priority")
    try:
        return int(text)
    except ValueError:
        return None


def level(number: int | None, words: Iterable[str]) -> str:
    """The word for a priority: of these numbers, the highest that is not above it, as RT itself names priorities."""
    known = sorted({int(one) for one in words})
    if number is None or not known:
        return ""
    return str(max((one for one in known if one <= number), default=known[0]))


def parts(attachments: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each transaction, the part that holds what was written, files left out; they come and go newest first."""
    found: dict[str, dict[str, Any]] = {}
    for one in attachments:
        key = at(one, "TransactionId.id") or at(one, "TransactionId")
        kind = at(one, "ContentType")
        if kind not in _TEXTS or at(one, "Filename"):
            continue
        known = found.get(key)
        if known is None or _rank(one) <= _rank(known):
            found[key] = one
    return found


def _rank(part: Mapping[str, Any]) -> int:
    return _TEXTS.index(at(part, "ContentType"))


def note(transaction: Mapping[str, Any], part: Any) -> RemoteNote:
    """What somebody wrote."""
    text = at(part, "Content")
    plain = _texts.from_html(text) if at(part, "ContentType") == "text/html" else text
    return RemoteNote(
        id=at(transaction, "id"),
        actor=at(transaction, "Creator.id"),
        text=plain,
        at=moment(transaction.get("Created")),
    )


def unpacked(attachment: Any) -> str:
    """The text of one attachment that was asked for by itself: base64 there. Total."""
    try:
        return base64.b64decode(at(attachment, "Content")).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def titled(written: _texts.Written, title: str, limit: int) -> _texts.Written:
    """What goes into a new ticket, under a title of at most so many bytes; where it must be cut, the text begins with it."""
    short = in_bytes(title, limit, "…")
    if short == title:
        return replace(written, title=title)
    head = f"{title}\n\n"
    if written.whole:
        return replace(written, title=short, whole=head + written.whole)
    return replace(written, title=short, text=head + written.text)


def in_bytes(text: str, limit: int, pointer: str) -> str:
    """At most so many bytes of UTF-8: the text itself, or its beginning and the pointer."""
    if len(text.encode()) <= limit:
        return text
    room = limit - len(pointer.encode())
    return text.encode()[:room].decode("utf-8", "ignore").rstrip() + pointer

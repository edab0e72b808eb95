"""What came in and found no rule or no element, as it was said; and what else came in, to compare with.

Reads beside a running service. What the rules of today make of it is the workbench's business: here is what the rules
of then made of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.model import Alert
from tocsin.store.reader import reader
from tocsin.store.rows import micros, moment

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.store.reader import Reader

HEARD = 50_000
"""So many different things that were said are looked at, the newest."""
OTHERS = 5_000
"""So many of the newest other alerts are compared with."""

_alert = msgspec.json.Decoder(Alert)


class Heard(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that was said and not mapped then, with its repeats."""

    text: int
    """The row of what was said; they grow with time."""
    alert: Alert
    count: int
    """How many alerts said it in the period, repeats included."""
    first_at: datetime
    last_at: datetime
    firing: bool
    """It fires still."""


class Period(Struct, frozen=True, kw_only=True):
    """What came in since a time."""

    since: datetime
    heard: tuple[Heard, ...]
    """What was not mapped, oldest first; at most HEARD."""
    others: tuple[Alert, ...]
    """Other alerts, oldest first; a sample of at most OTHERS."""


def since(folder: Path, since: datetime) -> Period:
    """What came in since a time, from the database in this folder. Raises StoreError when it cannot be read."""
    with reader(folder) as there:
        first = there.first_from("last_alert", "alert_from", micros(since))
        heard = _heard(there, first)
        rows = there.rows("other_texts", (first, OTHERS))
    others = tuple(_alert.decode(alert) for text, alert in rows if text not in heard)
    return Period(since=since, heard=tuple(heard[text] for text in sorted(heard)), others=others)


def _heard(there: Reader, first: int) -> dict[int, Heard]:
    """By row of text; what was decided twice is one."""
    found: dict[int, Heard] = {}
    for text, alert, count, first_at, last_at, firing in there.rows("unmapped_texts", (first, HEARD)):
        one = found.get(text)
        heard = Heard(
            text=text,
            alert=one.alert if one else _alert.decode(alert),
            count=count,
            first_at=moment(first_at),
            last_at=moment(last_at),
            firing=bool(firing),
        )
        found[text] = _together(one, heard) if one else heard
    return found


def _together(one: Heard, other: Heard) -> Heard:
    first_at, last_at = min(one.first_at, other.first_at), max(one.last_at, other.last_at)
    return replace(one, count=one.count + other.count, first_at=first_at, last_at=last_at)

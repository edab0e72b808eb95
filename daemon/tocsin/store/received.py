"""The listing of what came in: alerts and rejected bodies, the newest first, cheap in a table of millions.

Walks back by row number, a slice at a time, and stops after so many rows: where nothing was found it says where to go on.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tocsin.model import Alert
from tocsin.store.reader import Reader, reader
from tocsin.store.rows import moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.store.reader import Row

SLICE = 20_000
MOST = 400_000
"""So many rows are looked through for one page."""
NEWEST = 1 << 62
"""A number that no row has yet."""

_alert = msgspec.json.Decoder(Alert)


class AlertLine(Struct, frozen=True, kw_only=True):
    """One alert in a listing."""

    number: int
    """What `tocsin explain` calls it by."""
    at: datetime
    source: str
    resource: str
    check: str
    severity: str
    status: str
    outcome: str
    repeat: bool
    """It said the same again, and nothing came of that."""
    rule: str
    """The rule that decided; empty for a resolve of nothing that fires."""
    incident: str
    ticket: str


class RejectedLine(Struct, frozen=True, kw_only=True):
    """One body that could not be read, in a listing."""

    number: int
    at: datetime
    source: str
    content_type: str
    reason: str


class Wanted(Struct, frozen=True, kw_only=True):
    """Which alerts are asked for; empty texts ask for all."""

    source: str = ""
    outcome: str = ""
    resource: str = ""
    """A part of the resource's name, in any case."""
    before: int = 0
    """Only alerts with a smaller number; 0 for all."""


class Page(Struct, frozen=True, kw_only=True):
    """The newest alerts that were asked for."""

    lines: list[AlertLine]
    before: int
    """Where the next page begins, as `Wanted.before`; 0 when there is nothing older."""


class Receipts:
    """A reader of what came in. Every method raises StoreError when the database cannot be read."""

    def __init__(self, rows: Reader) -> None:
        self._reader = rows

    def alerts(self, wanted: Wanted, limit: int = 50) -> Page:
        """Alerts, the newest first, at most `limit` of them."""
        rows, before = walk_back(self._reader, "list_alerts", _asked(wanted), wanted.before or NEWEST, limit)
        return Page(lines=[_line(row) for row in rows], before=before)

    def rejected(self, wanted: Wanted, limit: int = 50) -> list[RejectedLine]:
        """Rejected bodies, the newest first; source and `before` are looked at."""
        before = wanted.before or NEWEST
        return [
            RejectedLine(number=row[0], at=moment(row[1]), source=row[2], content_type=row[3], reason=row[4])
            for row in self._reader.rows("list_rejected", (before, wanted.source, wanted.source, limit))
        ]


def walk_back(there: Reader, select: str, asked: Row, before: int, limit: int) -> tuple[list[Row], int]:
    """Rows of a named select about alerts with smaller numbers than `before`, at most `limit` of them, newest first.

    The select takes the first and the last number of a slice, what is asked for, and a limit; its rows begin with the alert's
    number. Returns the rows, and where the next page begins; 0 when there is nothing older.
    """
    last = there.rows("last_alert")[0][0]
    oldest = there.row("oldest_alert")
    first = oldest[0] if oldest else last + 1
    before = min(before, last + 1)
    lowest = max(first, before - MOST)
    found: list[Row] = []
    while before > lowest and len(found) < limit:
        begin = max(lowest, before - SLICE)
        found += there.rows(select, (begin, before, *asked, limit - len(found)))
        before = begin
    if len(found) == limit:
        before = found[-1][0]
    return found, before if before > first else 0


@contextlib.contextmanager
def receipts(folder: Path) -> Iterator[Receipts]:
    """A reader of what came in, in this folder's database. Raises StoreError when there is none yet."""
    with reader(folder) as rows:
        yield Receipts(rows)


def _asked(wanted: Wanted) -> Row:
    return (wanted.outcome, wanted.outcome, wanted.source, wanted.source, wanted.resource, wanted.resource)


def _line(row: Row) -> AlertLine:
    number, at, outcome, repeat, text, rule, incident, ticket = row
    alert = _alert.decode(text) if text else None
    return AlertLine(
        number=number,
        at=moment(at),
        source=alert.source if alert else "",
        resource=alert.resource if alert else "",
        check=alert.check if alert else "",
        severity=alert.severity if alert else "",
        status=alert.status if alert else "",
        outcome=outcome,
        repeat=bool(repeat),
        rule=rule,
        incident=incident,
        ticket=ticket,
    )

"""What came in, in order of time: alerts and what people did to tickets, for deciding all of it again.

Reads through a connection of its own that cannot write, a batch at a time, so that a running service is never held up.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict, deque
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.model import Alert, Status, TicketStatus
from tocsin.store.reader import Reader, reader
from tocsin.store.rows import micros, moment, moment_or_none, read_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BATCH = 5000
TEXTS = 20_000
"""So many texts are kept at hand: what fires at one time says the same again and again."""

_alert = msgspec.json.Decoder(Alert)


class Arrival(Struct, frozen=True, kw_only=True, gc=False):
    """One alert as it came in."""

    row: int
    """Its number; they grow with time."""
    at: datetime
    text: int
    """The row of what it says; the same for repeats."""
    alert: Alert
    """With the end that this very message had."""
    incident: int = 0
    """Row of the incident it went to; 0 for none."""
    decision: int = 0
    outcome: str = ""


class Touched(Struct, frozen=True, kw_only=True, gc=False):
    """A person changed a ticket, for the first time, or ended it."""

    at: datetime
    source: str
    fingerprint: str
    """Of the first alert of the ticket's incident: a ticket is found again by it, whatever rules make of the alert."""
    status: TicketStatus | None = None
    """`closed` when the person ended it."""


Event = Arrival | Touched


class Span(Struct, frozen=True, kw_only=True):
    """A part of the history, by row numbers, so that whoever reads it twice reads the same."""

    since: datetime
    until: datetime
    first: int
    last: int
    """Rows of alerts, both included; none when `last` is smaller than `first`."""
    notes: tuple[int, int]
    """Rows of notes, both included."""

    @property
    def rows(self) -> int:
        """How many alerts there are at most."""
        return max(0, self.last - self.first + 1)


class History:
    """A reader of what came in."""

    def __init__(self, there: Reader) -> None:
        self._there = there
        self._texts: OrderedDict[int, Alert] = OrderedDict()

    def span(self, since: datetime, until: datetime) -> Span:
        """What came in from `since` up to but not including `until`. Raises StoreError when it cannot be read."""
        first, after = (self._there.first_from("last_alert", "alert_from", micros(at)) for at in (since, until))
        from_note, after_note = (self._there.first_from("last_note", "note_from", micros(at)) for at in (since, until))
        return Span(since=since, until=until, first=first, last=after - 1, notes=(from_note, after_note - 1))

    def live_rules(self) -> dict[str, str] | None:
        """The files of the rule set that went live last; None when there never was one. Raises StoreError."""
        found = self._there.rows("latest_rule_set", ())
        return read_files(found[0][1]) if found else None

    def events(self, span: Span) -> Iterator[Event]:
        """Everything of a span in order of time, people after the alerts of the same moment. Raises StoreError."""
        touches = deque(self.touches(span))
        for arrival in self.arrivals(span):
            while touches and touches[0].at < arrival.at:
                yield touches.popleft()
            yield arrival
        yield from touches

    def arrivals(self, span: Span) -> Iterator[Arrival]:
        """The alerts of a span in order; one whose text is no longer kept is left out. Raises StoreError."""
        first = span.first
        while rows := self._there.rows("arrivals", (first, span.last, BATCH)):
            for row, at, text, decision, incident, outcome, ends_at, new in rows:
                said = self._known(text, new)
                if said is not None:
                    ends = moment_or_none(ends_at)
                    alert = replace(said, ends_at=ends) if ends != said.ends_at and said.status is _FIRING else said
                    yield Arrival(
                        row=row,
                        at=moment(at),
                        text=text,
                        alert=alert,
                        incident=incident,
                        decision=decision,
                        outcome=outcome,
                    )
            first = rows[-1][0] + 1

    def touches(self, span: Span) -> Iterator[Touched]:
        """What people did to tickets in a span, in order. Raises StoreError."""
        for _, at, kind, incident, opened_at in self._there.rows("touches", span.notes):
            first = self._there.first_from("last_alert", "alert_from", opened_at)
            found = self._there.rows("first_text_of", (first, incident))
            said = self._known(found[0][0], None) if found else None
            if said is not None:
                ended = TicketStatus.CLOSED if kind == "ended" else None
                yield Touched(at=moment(at), source=said.source, fingerprint=said.fingerprint, status=ended)

    def _known(self, row: int, new: str | None) -> Alert | None:
        """What an alert says, decoded once for as long as it is said again and again; `new` is the text if it came along."""
        kept = self._texts.get(row)
        if kept is not None:
            self._texts.move_to_end(row)
            return kept
        if new is None:
            return self._text(row)
        if len(self._texts) >= TEXTS:
            self._texts.popitem(last=False)
        alert = self._texts[row] = _alert.decode(new)
        return alert

    def _text(self, row: int) -> Alert | None:
        found = self._there.rows("text", (row,))
        return self._known(row, found[0][0]) if found else None


_FIRING = Status.FIRING


@contextlib.contextmanager
def history(folder: Path) -> Iterator[History]:
    """A reader of the history in this folder's database. Raises StoreError when there is none yet."""
    with reader(folder, one_moment=False) as there:
        yield History(there)

"""What the store knows about one alert or one incident, read back for telling why: rows as values, nothing in words.

Reads only. What was pruned reads as None; what comes of that is the caller's business.
"""

from __future__ import annotations

import contextlib
import zlib
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.model import Alert, Incident, Status, Texts, Ticket, TicketStatus
from tocsin.store.listing import DeliveryLine, InformedLine, delivery_line, informed_lines
from tocsin.store.reader import Reader, reader
from tocsin.store.rows import (
    Details,
    micros,
    moment,
    moment_or_none,
    read_details,
    read_files,
    read_incident,
    read_policy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tocsin.store.reader import Row

FAR = 1_000_000
"""So many rows of alerts are looked through at one end of a span: well under a second."""

_alert = msgspec.json.Decoder(Alert)
_texts = msgspec.json.Decoder(Texts)
_trace = msgspec.json.Decoder(tuple[tuple[str, str], ...])


class Received(Struct, frozen=True, kw_only=True):
    """One alert as it was received."""

    row: int
    at: datetime
    text: int
    decision: int
    """Row of the decision that holds for it: its own, or the one it repeats or ends; 0 when nothing was decided."""
    incident: int
    outcome: str
    alert: Alert | None
    """None when what it said is no longer kept."""


class KeptDecision(Struct, frozen=True, kw_only=True):
    """One decision as it was kept."""

    row: int
    at: datetime
    rule: str
    action: str
    element: str
    impact: str
    dedup_key: str
    trace: tuple[tuple[str, str], ...] | None
    """Rule and field of each condition that failed; None when it is no longer kept."""
    details: Details
    rule_set: int


class KeptRules(Struct, frozen=True, kw_only=True):
    """One rule set as it was kept."""

    hash: str
    live_from: datetime | None
    """When it went live, the last time before it decided."""
    who: str
    """Who let it go live; empty when nobody said."""
    how: str
    """In one of the words of `store.changes.How`; empty when that was not kept."""
    live: bool
    """It is the one that went live last."""
    packed: bytes

    @property
    def files(self) -> Mapping[str, str]:
        """File name → text."""
        return read_files(self.packed)


class Noted(Struct, frozen=True, kw_only=True):
    """One line of an incident's history."""

    at: datetime
    actor: str
    kind: str
    text: Texts


class Changed(Struct, frozen=True, kw_only=True):
    """One alert of an incident that was no plain repeat."""

    row: int
    at: datetime
    outcome: str
    alert: Alert | None


class Record(Struct, frozen=True, kw_only=True):
    """One incident and what hangs on it."""

    incident: Incident
    decision: int
    """Row of the decision its texts come from."""
    ticket: Ticket | None
    notes: tuple[Noted, ...]
    deliveries: tuple[DeliveryLine, ...]
    informed: tuple[InformedLine, ...] = ()


class Refused(Struct, frozen=True, kw_only=True):
    """One body that could not be read."""

    row: int
    at: datetime
    source: str
    content_type: str
    reason: str
    body: bytes


class Telling:
    """A reader for telling why. Every method raises StoreError when the database cannot be read."""

    def __init__(self, rows: Reader) -> None:
        self._reader = rows
        self._last_row: int = rows.rows("last_alert")[0][0]

    def received(self, number: int) -> Received | None:
        """The alert of this number."""
        return self._received(self._reader.row("told_alert", (number,)))

    def oldest(self) -> datetime | None:
        """When the oldest alert came in that is still kept."""
        found = self._reader.row("oldest_alert")
        return moment(found[1]) if found else None

    def latest_of(self, fingerprint: str) -> Received | None:
        """The latest alert with this fingerprint. One that does not fire is looked for among all texts there are."""
        firing = self._reader.row("firing_text", (fingerprint,))
        if firing:
            return self._saying(firing[0], self._from(firing[1]), self._last_row)
        ended = self._reader.row("latest_text", (fingerprint,))
        if ended is None:
            return None
        last = self._last_row if ended[1] is None else self._from(ended[1] + 1) - 1
        return self._saying(ended[0], 1, last)

    def deciding(self, decided: KeptDecision) -> Received | None:
        """The alert that a decision was made for."""
        at = micros(decided.at)
        span = (self._from(at), self._from(at + 1) - 1)
        return self._received(self._reader.row("deciding_alert", (*span, decided.row)))

    def repeats(self, first: Received) -> tuple[int, datetime | None, bool]:
        """How often the same was said again, when last, and whether that is only what FAR rows tell."""
        ended = self._reader.row("text_ended", (first.text,))
        last = self._last_row if ended is None or ended[0] is None else self._from(ended[0] + 1) - 1
        near = min(last, first.row + FAR)
        count, at = self._reader.rows("repeats_of", (first.row + 1, near, first.decision))[0]
        return count, moment_or_none(at), near < last

    def decided(self, row: int) -> KeptDecision | None:
        """The decision of this row."""
        found = self._reader.row("told_decision", (row,))
        if found is None:
            return None
        trace = _trace.decode(found[8]) if found[8] else None
        return KeptDecision(
            row=found[0],
            at=moment(found[1]),
            rule=found[2],
            action=found[3],
            element=found[4] or "",
            impact=found[5] or "",
            dedup_key=found[6],
            trace=trace if found[7] else (),
            details=read_details(found[9]),
            rule_set=found[10],
        )

    def rules(self, row: int, at: datetime) -> KeptRules | None:
        """The rule set of this row, as it was live at a time."""
        found = self._reader.row("told_rule_set", (row,))
        if found is None:
            return None
        hashed, live_from, packed = found
        live = self._reader.row("latest_rule_set")
        change = self._reader.row("change_before", (row, micros(at)))
        since, who, how = change or (live_from or None, "", "")
        return KeptRules(
            hash=hashed,
            live_from=moment_or_none(since),
            who=who,
            how=how,
            live=live is not None and live[0] == hashed,
            packed=packed,
        )

    def record(self, n: int) -> Record | None:
        """The incident of this row, with its ticket, notes and deliveries."""
        return self._record(self._reader.row("incident", (n,)))

    def record_by_id(self, reference: str) -> Record | None:
        """The incident with this reference."""
        return self._record(self._reader.row("incident_by_id", (reference,)))

    def record_by_ticket(self, number: str) -> Record | None:
        """The newest incident whose ticket has this number, in whatever backend."""
        found = self._reader.row("newest_ticket_by_number", (number,))
        found = found or self._reader.row("newest_informed_by_number", (number,))
        return self.record(found[0]) if found else None

    def changes(self, of: Incident, limit: int) -> list[Changed]:
        """The alerts that were no plain repeats, oldest first: at most `limit` from the beginning and from the end."""
        first = self._from(micros(of.opened_at))
        over = None if of.firing or of.closed_at is None else max(of.closed_at, of.last_seen_at)
        last = self._last_row if over is None else self._from(micros(over) + 1) - 1
        begin = self._reader.rows("first_changes_of", (first, min(last, first + FAR), of.n, limit))
        end = self._reader.rows("last_changes_of", (max(first, last - FAR), last, of.n, limit))
        found = sorted({row[0]: row for row in (*begin, *end)}.items())
        return [
            Changed(row=row, at=moment(at), outcome=outcome, alert=_alert.decode(text) if text else None)
            for _, (row, at, outcome, text) in found
        ]

    def refused(self, number: int) -> Refused | None:
        """The rejected body of this number."""
        found = self._reader.row("told_rejected", (number,))
        return as_refused(found) if found else None

    def _saying(self, text: int, first: int, last: int) -> Received | None:
        return self._received(self._reader.row("latest_alert_saying", (first, last, text)))

    def _from(self, at: int) -> int:
        return self._reader.first_from("last_alert", "alert_from", at)

    def _received(self, row: Row | None) -> Received | None:
        if row is None:
            return None
        number, at, text, decision, incident, outcome, ends_at = row
        said = self._reader.row("text", (text,))
        alert = _alert.decode(said[0]) if said else None
        if alert and alert.status == Status.FIRING:
            alert = replace(alert, ends_at=moment_or_none(ends_at))
        return Received(
            row=number,
            at=moment(at),
            text=text,
            decision=decision,
            incident=incident,
            outcome=outcome,
            alert=alert,
        )

    def _record(self, row: Row | None) -> Record | None:
        if row is None:
            return None
        n, policy = row[0], self._reader.rows("told_policy", (row[8],))[0][0]
        ticket = self._reader.row("ticket", (n,))
        incident, decision = read_incident(row, {row[8]: read_policy(policy)}, ticket[2] if ticket else "")
        repeats, last = self._reader.rows("uncounted_of", (row[23], n))[0]
        if repeats:
            incident = replace(incident, alerts=incident.alerts + repeats, last_seen_at=moment(last))
        return Record(
            incident=incident,
            decision=decision,
            ticket=_ticket(incident.id, ticket) if ticket else None,
            notes=tuple(_noted(row) for row in self._reader.rows("notes_of", (n,))),
            deliveries=tuple(delivery_line(row) for row in self._reader.rows("deliveries_of", (n,))),
            informed=informed_lines(self._reader.rows("informed_of", (n,))),
        )


@contextlib.contextmanager
def telling(folder: Path) -> Iterator[Telling]:
    """A reader of the database in this folder, as it is now; not for long. Raises StoreError when there is none yet."""
    with reader(folder) as rows:
        yield Telling(rows)


def as_refused(row: Row) -> Refused:
    """A row of `rejected`."""
    number, at, source, content_type, reason, packed, body = row
    return Refused(
        row=number,
        at=moment(at),
        source=source,
        content_type=content_type,
        reason=reason,
        body=zlib.decompress(body) if packed else body,
    )


def _ticket(incident: str, row: Row) -> Ticket:
    return Ticket(incident=incident, backend=row[1], number=row[2], url=row[3], status=TicketStatus(row[4]))


def _noted(row: Row) -> Noted:
    return Noted(at=moment(row[0]), actor=row[1], kind=row[2], text=_texts.decode(row[3]))

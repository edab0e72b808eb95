"""The listing of decisions, newest first: each with the alert it was made about and what became of that.

Walks back over the alerts by row number, a slice at a time, and stops after so many rows: it says where to go on.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tocsin.model import Alert
from tocsin.store.received import walk_back
from tocsin.store.rows import moment, read_details

if TYPE_CHECKING:
    from tocsin.store.reader import Reader, Row

_alert = msgspec.json.Decoder(Alert)


class DecisionLine(Struct, frozen=True, kw_only=True):
    """One decision in a listing."""

    number: int
    alert: int
    """Number of the alert it was made about."""
    at: datetime
    source: str
    resource: str
    check: str
    severity: str
    action: str
    rule: str
    element: str
    impact: str
    key: str
    reason: str
    """In words, why there is no ticket; empty when there is one."""
    outcome: str
    incident: str
    ticket: str


class Wanted(Struct, frozen=True, kw_only=True):
    """Which decisions are asked for; empty texts ask for all."""

    source: str = ""
    rule: str = ""
    action: str = ""
    outcome: str = ""


def decisions_before(there: Reader, wanted: Wanted, before: int, limit: int) -> tuple[list[DecisionLine], int]:
    """Decisions about alerts with smaller numbers than `before`, at most `limit` of them, newest first.

    Returns the decisions, and where the next page begins; 0 when there is nothing older. Raises StoreError when the
    database cannot be read.
    """
    rows, older = walk_back(there, "list_decisions", _asked(wanted), before, limit)
    return [_line(row) for row in rows], older


def _asked(wanted: Wanted) -> Row:
    texts = (wanted.outcome, wanted.rule, wanted.action, wanted.source)
    return tuple(text for text in texts for _ in range(2))


def _line(row: Row) -> DecisionLine:
    alert, outcome, text, number, at, rule, action, element, impact, key, details, incident, ticket = row
    said = _alert.decode(text) if text else None
    return DecisionLine(
        number=number,
        alert=alert,
        at=moment(at),
        source=said.source if said else "",
        resource=said.resource if said else "",
        check=said.check if said else "",
        severity=said.severity if said else "",
        action=action,
        rule=rule,
        element=element or "",
        impact=impact or "",
        key=key,
        reason=read_details(details).reason,
        outcome=outcome,
        incident=incident,
        ticket=ticket,
    )

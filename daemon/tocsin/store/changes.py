"""Which rule set was live when, through whom; and every rule set that was ever kept, to go back to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from tocsin.store import keep, rows

if TYPE_CHECKING:
    from tocsin.store.transaction import Transaction


ALL = 1_000_000
"""A limit that is none."""


class How(StrEnum):
    """How a rule set went live."""

    START = "start"
    """It was there when the service started."""
    FILE = "file"
    """Somebody saved a file."""
    RELOAD = "reload"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


class Told(Struct, frozen=True, kw_only=True):
    """Who lets a rule set go live, and how."""

    how: How
    who: str = ""
    """Empty when nobody has said."""


class GoesLive(Struct, frozen=True, kw_only=True):
    """What goes live."""

    rules: keep.Rules
    count: int
    """How many rules."""
    fleet: str
    """Content hash."""
    elements: int


class ChangeLine(Struct, frozen=True, kw_only=True):
    """One time that a rule set went live."""

    at: datetime
    hash: str
    how: str
    who: str
    rules: int
    """How many there were; 0 when that was not kept."""
    fleet: str
    """Content hash of the fleet."""
    elements: int
    previous: str
    """Hash of the rule set before; empty for the first one."""


class Rows(Protocol):
    """A reader beside the store, or a transaction."""

    def rows(self, name: str, parameters: tuple[Any, ...] = ...) -> list[tuple[Any, ...]]:
        """All rows of the named select."""


def go_live(tx: Transaction, what: GoesLive, told: Told, now: datetime) -> None:
    """Keep what goes live; a line of the history when that is another rule set, or somebody says who it is."""
    row = keep.rule_set_row(tx, what.rules, rows.micros(now))
    last = tx.rows("rule_changes", (1,))
    previous = last[0][8] if last else 0
    again = bool(last) and (told.who, told.how.value) == last[0][5:7]
    if row != previous:
        keep.keep_rule_set(tx, what.rules, now)
    elif not told.who or again:
        return
    counts = (what.count, what.fleet, what.elements)
    line = (tx.next("rule_changes"), rows.micros(now), row, *counts, told.who, told.how.value, previous)
    tx.insert("insert_rule_change", line)


def history(there: Rows, limit: int = ALL) -> list[ChangeLine]:
    """What was live when, newest first."""
    return [
        ChangeLine(
            at=rows.moment(at),
            hash=hashed,
            how=how,
            who=who,
            rules=count,
            fleet=fleet,
            elements=elements,
            previous=previous,
        )
        for at, hashed, count, fleet, elements, who, how, previous, _ in there.rows("rule_changes", (limit,))
    ]


def kept(there: Rows) -> frozenset[str]:
    """The content hashes of all rule sets whose files are kept."""
    return frozenset(hashed for (hashed,) in there.rows("kept_rule_sets"))


def files(there: Rows, hashed: str) -> dict[str, str]:
    """The files of the rule set with this hash, which is one of `kept`: name → text."""
    found = there.rows("rule_set_files", (hashed,))
    return rows.read_files(found[0][0])

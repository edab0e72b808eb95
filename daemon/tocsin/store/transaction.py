"""One transaction as the functions in it see it: named reads and writes, row numbers, the live state.

Writes are gathered and sent to SQLite many at a time, inserts first, which is what makes a group cheap; a read sends
them before it looks. Whatever order they are sent in, the result is the same as one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from tocsin.store.queries import CHUNKS, QUERIES, TABLES, insert_many

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.live import Live
    from tocsin.model import Delivery, Policy, Receipt

Row = tuple[Any, ...]

CLOSED_KEYS = 200_000
"""So many keys of closed incidents are kept in memory."""


class Cursor(Protocol):
    """The call needed of a database connection (DB-API 2)."""

    def execute(self, sql: str, parameters: Row = ..., /) -> Any:
        """Run one statement."""


class Embedded(Protocol):
    """A backend that lives in the same database and takes part in the transaction: the desk."""

    def deliver(self, tx: Transaction, delivery: Delivery, now: datetime) -> Receipt:
        """Do what the delivery says, within the transaction."""


class Backends(Struct, frozen=True, kw_only=True):
    """Which backend is meant when a rule names none, and those that take part in the transaction."""

    default: str = "desk"
    embedded: Mapping[str, Embedded] = {}


class Transaction:
    """What a function run by the store gets. Not kept beyond that function."""

    def __init__(self, connection: Cursor, live: Live, memory: Memory, backends: Backends) -> None:
        self.live = live
        self.memory = memory
        self.backends = backends
        self._connection = connection
        self._inserts: dict[str, list[Row]] = {}
        self._updates: list[tuple[str, Row]] = []
        self._updated: set[str] = set()

    def insert(self, name: str, row: Row) -> None:
        """Add a row by the named insert."""
        if self._updated and TABLES[name] in self._updated:
            self.flush()  # an update may free the unique key this row takes
        rows = self._inserts.get(name)
        if rows is None:
            self._inserts[name] = [row]
        else:
            rows.append(row)

    def update(self, name: str, row: Row) -> None:
        """Change or delete rows by the named statement."""
        self._updates.append((name, row))
        self._updated.add(TABLES[name])

    def rows(self, name: str, parameters: Row = ()) -> list[Row]:
        """All rows of the named select, with everything written before it."""
        self.flush()
        found: list[Row] = self._connection.execute(QUERIES[name], parameters).fetchall()
        return found

    def peek(self, name: str, parameters: Row = ()) -> list[Row]:
        """The same without sending anything first: for what this transaction cannot have written."""
        found: list[Row] = self._connection.execute(QUERIES[name], parameters).fetchall()
        return found

    def change(self, name: str, parameters: Row) -> int:
        """Change or delete rows at once, after everything written before; returns how many."""
        self.flush()
        return int(self._connection.execute(QUERIES[name], parameters).rowcount)

    def next(self, table: str) -> int:
        """The number of the next row of a table: one more than any it ever had in this life of the store."""
        self.memory.rows[table] += 1
        return self.memory.rows[table]

    def flush(self) -> None:
        """Send what was gathered: inserts, then updates in order."""
        for name, rows in self._inserts.items():
            self._send(name, rows)
        for name, row in self._updates:
            self._connection.execute(QUERIES[name], row)
        self._inserts.clear()
        self._updates.clear()
        self._updated.clear()

    def _send(self, name: str, rows: list[Row]) -> None:
        # Many rows in one statement: the driver lets go of the interpreter at every step, and with a busy event loop
        # beside it each of them is a wait.
        start = 0
        for chunk in CHUNKS:
            sql = insert_many(name, chunk)
            while len(rows) - start >= chunk:
                self._connection.execute(sql, tuple(chain.from_iterable(rows[start : start + chunk])))
                start += chunk


class Memory:
    """What the store's thread keeps between transactions beside the live state. All of it can be read again."""

    def __init__(self, rows: dict[str, int]) -> None:
        self.rows = rows
        """Table → the highest row number given out."""
        self.policies: dict[int, Policy] = {}
        self.policy_rows: dict[Policy, int] = {}
        self.traces: dict[str, int] = {}
        """Trace → its row; forgotten when it grows too large, then read again."""
        self.rule_sets: dict[str, int] = {}
        self.closed_keys: set[int] | None = set()
        """Hashes of the keys of closed incidents: a key that is not among them need not be looked for. None when
        there are too many to keep in memory."""
        self.desk: dict[str, int] = {}
        """Month such as `2611` → the last ticket number given out in it."""

    def keep_policy(self, row: int, policy: Policy) -> None:
        """Know a policy by its row and a row by its policy."""
        self.policies[row] = policy
        self.policy_rows[policy] = row

    def keep_closed(self, dedup_key: str) -> None:
        """Know that a closed incident has this key."""
        if self.closed_keys is not None:
            self.closed_keys.add(hash(dedup_key))
            if len(self.closed_keys) > CLOSED_KEYS:
                self.closed_keys = None

    def mark(self) -> tuple[dict[str, int], dict[str, int]]:
        """The counters as they are, for `take_back`."""
        return dict(self.rows), dict(self.desk)

    def take_back(self, mark: tuple[dict[str, int], dict[str, int]]) -> None:
        """Be as at the mark: counters restored, and nothing cached that the database did not keep."""
        rows, desk = mark
        self.rows, self.desk = dict(rows), dict(desk)
        self.traces.clear()
        self.rule_sets.clear()
        for row in [row for row in self.policies if row > self.rows["policies"]]:
            self.policy_rows.pop(self.policies.pop(row), None)

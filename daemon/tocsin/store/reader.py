"""Reading the database beside a running service: a connection that cannot write, and everything as of one moment.

Row numbers grow with time, so where a time begins is found by bisection; nothing is scanned for it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from tocsin.errors import StoreError
from tocsin.store.queries import QUERIES
from tocsin.store.sqlite import DatabaseError, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Row = tuple[Any, ...]


def first_since(rows: Callable[[str, Row], list[Row]], last: str, first_from: str, at: int) -> int:
    """The number of the first row that is not older than `at`; one more than the last when all are older.

    `rows` runs a named select; `last` and `first_from` are those that bisect the table, such as `last_alert`, `alert_from`.
    """
    low, high = 1, rows(last, ())[0][0] + 1
    while low < high:
        middle = (low + high) // 2
        number, then = rows(first_from, (middle,))[0]
        if then < at:
            low = number + 1
        else:
            high = middle
    return low


class Reader:
    """Named reads on a connection that cannot write. Every method raises StoreError when the database cannot be read."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, name: str, parameters: Row = ()) -> list[Row]:
        """All rows of the named select."""
        try:
            found: list[Row] = self._connection.execute(QUERIES[name], parameters).fetchall()
        except DatabaseError as error:
            raise StoreError(f"the database cannot be read: {error}") from error
        return found

    def row(self, name: str, parameters: Row = ()) -> Row | None:
        """The first row of the named select, if there is one."""
        found = self.rows(name, parameters)
        return found[0] if found else None

    def first_from(self, last: str, first_from: str, at: int) -> int:
        """The number of the first row that is not older than `at`; one more than the last when all are older.

        `last` and `first_from` are the named selects that bisect the table, such as `last_alert` and `alert_from`.
        """
        return first_since(self.rows, last, first_from, at)


@contextlib.contextmanager
def reader(folder: Path, *, one_moment: bool = True) -> Iterator[Reader]:
    """A reader of the database in this folder. Raises StoreError when there is none yet.

    With `one_moment` everything is as it is now, which must not last long: it keeps the database from being tidied up.
    """
    path = folder / "tocsin.db"
    if not path.exists():
        raise StoreError(f"{path}: there is no database yet; start the service once with `tocsin serve`")
    try:
        connection = connect(path, read_only=True)
    except DatabaseError as error:
        raise StoreError(f"{path}: {error}") from error
    try:
        if one_moment:
            connection.execute("begin")
        yield Reader(connection)
    finally:
        connection.close()

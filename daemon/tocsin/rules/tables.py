"""Tables: CSV files that teams keep in a spreadsheet, looked up by what their first column holds.

The first line names the columns; `,` or `;` stands between cells. A row that begins with `*` is for every value that
has no row of its own. Knows texts and lines; what a cell means is the rule's business.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeVar

from tocsin.errors import RuleError
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

ANY = "*"
"""The value that stands for every other one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table, and the line it is in."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV file, read."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Each row with the line it starts in."""

    def pairs(self, column: str) -> dict[str, Cell]:
        """Return what a column says for each value of the first one; empty cells say nothing.

        Raises:
            RuleError: a value has two rows.
            ValueError: there is no such column; the sentence names the nearest.
        """
        if column not in self.columns:
            hint = nearest(column, self.columns) or f"it has {', '.join(self.columns)}"
            raise ValueError(f'{self.file} has no column "{column}" ({hint})')
        position = self.columns.index(column)
        pairs: dict[str, Cell] = {}
        for line, cells in self.rows:
            if cells[0] in pairs:
                sentence = f'"{cells[0]}" was in line {pairs[cells[0]].line} already: keep one row'
                raise RuleError(sentence, file=self.file, line=line)
            pairs[cells[0]] = Cell(cells[position], line)
        return {value: cell for value, cell in pairs.items() if value and cell.text}


class Columns:
    """The columns of all tables, each read once, however many rules use it."""

    def __init__(self, tables: Mapping[str, Table | None], errors: list[RuleError]) -> None:
        """Take the tables by name, None for one that cannot be read, and where to note what is wrong with a cell."""
        self._tables = tables
        self._errors = errors
        self._read: dict[tuple[str, str, Callable[[str], Any]], Any] = {}

    def column(self, table: str, column: str, meaning: Callable[[str], T]) -> Mapping[str, T]:
        """Return what a column means for each value of the table's first one.

        Args:
            table: name of the table.
            column: name of the column.
            meaning: makes a value of a cell's text, or raises ValueError.

        Raises:
            ValueError: there is no such table or column.
        """
        if table not in self._tables:
            hint = nearest(table, self._tables) or f"there are: {', '.join(sorted(self._tables)) or 'none'}"
            raise ValueError(f'there is no table "{table}" ({hint})')
        which = (table, column, meaning)
        if which not in self._read:
            found = self._tables[table]
            self._read[which] = found and self._meant(found, column, meaning)
        said: Mapping[str, T] = self._read[which] or {}
        return said

    def _meant(self, table: Table, column: str, meaning: Callable[[str], T]) -> dict[str, T]:
        meant: dict[str, T] = {}
        try:
            for value, cell in table.pairs(column).items():
                try:
                    meant[value] = meaning(cell.text)
                except ValueError as error:
                    self._errors.append(RuleError(str(error), file=table.file, line=cell.line))
        except RuleError as error:
            self._errors.append(error)
        return meant


def read(text: str, file: str) -> Table:
    """Read a table.

    Raises:
        RuleError: it is no CSV, or a row has too many or too few cells; with file and line.
    """
    lines = list(StringIO(text.removeprefix("\ufeff"), newline=""))
    rows = _rows(lines, file)
    _, columns = next(rows, (1, ()))
    if not all(columns) or len(set(columns)) < len(columns) or not columns:
        raise RuleError("the first line names each column once: give every column a name", file=file, line=1)
    kept = []
    for line, cells in rows:
        if len(cells) != len(columns):
            sentence = f"{len(cells)} cells under {len(columns)} column names: add or remove some"
            raise RuleError(sentence, file=file, line=line)
        kept.append((line, cells))
    return Table(file, columns, tuple(kept))


def _rows(lines: list[str], file: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows that are not empty, each with the line it starts in."""
    head = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=";" if ";" in head and "," not in head else ",", strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cells):
                yield line, tuple(cell.strip() for cell in cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise RuleError(f"this is no CSV: {error}", file=file, line=line) from None

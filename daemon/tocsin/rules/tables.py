"""Tables: CSV files that teams keep in a spreadsheet, looked up by what their first column holds.

The first line names the columns; `,` or `;` stands between cells. A row that begins with `*` is for every value that
has no row of its own. Knows texts and lines; what a cell means is the rule's business.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeVar

from tocsin.errors import Code, RuleError
from tocsin.rules.wrong import Wrong
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

ANY = "*"
"""The value that stands for every other one."""


_CELL = {sign: re.compile(rf'[ \t]*(?:"(?:[^"]|"")*"|[^{sign}"\r\n]*)') for sign in ",;"}
"""One cell as it is written, before the sign between cells."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table, and the line it is in."""

    text: str
    line: int
    position: int
    """How many cells are before it."""


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV file, read."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Each row with the line it starts in."""
    lines: tuple[str, ...] = ()
    """The file as it is written."""

    def problem(
        self, sentence: str, line: int, position: int, hint: str = "", code: Code = Code.WRONG_TABLE
    ) -> RuleError:
        """Return the error that says something is wrong with a cell: its line and how many cells are before it."""
        error = _problem(self.lines, self.file, sentence, line, position, hint)
        error.code = code
        return error

    def pairs(self, column: str) -> dict[str, Cell]:
        """Return what a column says for each value of the first one; empty cells say nothing.

        Raises:
            RuleError: a value has two rows.
            Wrong: there is no such column; the hint names the nearest.
        """
        if column not in self.columns:
            hint = nearest(column, self.columns) or f"it has {', '.join(self.columns)}"
            raise Wrong(f'{self.file} has no column "{column}"', hint=hint, code=Code.UNKNOWN_NAME)
        position = self.columns.index(column)
        pairs: dict[str, Cell] = {}
        for line, cells in self.rows:
            if cells[0] in pairs:
                sentence = f'"{cells[0]}" was in line {pairs[cells[0]].line} already: keep one row'
                raise self.problem(sentence, line, 0)
            pairs[cells[0]] = Cell(cells[position], line, position)
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
            meaning: makes a value of a cell's text, or raises Wrong.

        Raises:
            Wrong: there is no such table or column.
        """
        if table not in self._tables:
            hint = nearest(table, self._tables) or f"there are: {', '.join(sorted(self._tables)) or 'none'}"
            raise Wrong(f'there is no table "{table}"', hint=hint, code=Code.UNKNOWN_NAME)
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
                except Wrong as wrong:
                    self._errors.append(table.problem(wrong.problem, cell.line, cell.position, wrong.hint))
        except RuleError as error:
            if str(error) not in map(str, self._errors):  # another column of the table has met it before
                self._errors.append(error)
        return meant


def read(text: str, file: str) -> Table:
    """Read a table.

    Raises:
        RuleError: it is no CSV, or a row has too many or too few cells; with file and line.
    """
    lines = list(StringIO(text.removeprefix("\ufeff"), newline=""))
    rows = _rows(lines, file)
    first, columns = next(rows, (1, ()))
    if (bad := _misnamed(columns)) is not None:
        hint = f"they are {_listed(columns)}" if any(columns) else "such as `host,element,impact`"
        sentence = "the first line names each column once: give every column a name"
        raise _problem(lines, file, sentence, first, bad, hint)
    kept = []
    for line, cells in rows:
        if len(cells) != len(columns):
            sentence = f"{len(cells)} cells under {len(columns)} column names: add or remove some"
            hint = f"the columns are {_listed(columns)}; a cell that holds the sign between cells is put in quotes"
            raise _problem(lines, file, sentence, line, min(len(cells) - 1, len(columns)), hint)
        kept.append((line, cells))
    return Table(file, columns, tuple(kept), tuple(lines))


def _misnamed(columns: tuple[str, ...]) -> int | None:
    """The position of the first column without a name of its own; None when all have one."""
    wrong = (at for at, name in enumerate(columns) if not name or name in columns[:at])
    return next(wrong, None) if columns else 0


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(name or "(nothing)" for name in columns)


def _problem(lines: Sequence[str], file: str, sentence: str, line: int, position: int, hint: str = "") -> RuleError:
    """The error about one cell, with its column where the row stands in one line."""
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    start = end = 0
    for _ in range(position + 1):
        start = end
        end = _CELL[_delimiter(lines)].match(written, start).end() + 1  # type: ignore[union-attr]  # it matches nothing, too
    text = written[start : end - 1]
    column = start + len(text) - len(text.lstrip()) + 1
    if column > len(written) + 1:  # it is in a later line, of a row that has several
        return RuleError(sentence, code=Code.WRONG_TABLE, file=file, line=line, hint=hint)
    length = len(text.strip())
    return RuleError(sentence, code=Code.WRONG_TABLE, file=file, line=line, column=column, length=length, hint=hint)


def _delimiter(lines: Sequence[str]) -> str:
    """What the first line has between its cells: spreadsheets in French save with `;`."""
    head = lines[0] if lines else ""
    return ";" if ";" in head and "," not in head else ","


def _rows(lines: list[str], file: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows that are not empty, each with the line it starts in."""
    reader = csv.reader(lines, delimiter=_delimiter(lines), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cells):
                yield line, tuple(cell.strip() for cell in cells)
            line = reader.line_num + 1
    except csv.Error as error:
        hint = 'a cell that holds a quote is written "in ""quotes"""'
        raise RuleError(f"this is no CSV: {error}", code=Code.SYNTAX, file=file, line=line, hint=hint) from None

"""Tables: CSV files that teams keep in a spreadsheet, looked up by what their first column holds.

The first line names the columns; `,` or `;` stands between cells. A row that begins with `*` is for every value that
has no row of its own. Knows texts and lines; what a cell means is the rule's business.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from tocsin.errors import RuleError
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

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

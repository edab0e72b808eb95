"""Reads the fleet's folder: YAML files and tables (CSV), in order of name.

Knows the two forms and where each element was written; what a field may hold is `records`, how elements fit together
is `index`.
"""

from __future__ import annotations

import csv
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from tocsin import yaml12
from tocsin.errors import Code, RuleError
from tocsin.fleet.index import Fleet, Place, build
from tocsin.fleet.records import Records, check_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tocsin.model import Element

_NEEDED = ("reference", "name")


class _Origin(Protocol):
    """Where the elements of one file stand in it."""

    def place(self, index: int, field: str, position: int) -> Place: ...


def load(path: Path) -> Fleet:
    """Read and index a fleet.

    Args:
        path: a folder, of which every `.yaml` and `.csv` file is read (hidden files and folders are not), or one file.

    Raises:
        RuleError: a file cannot be read or is wrong, with file, line and, in YAML, column.
    """
    records = Records()
    elements: list[Element] = []
    starts: list[int] = []
    origins: list[_Origin] = []
    for file in _files(path):
        starts.append(len(elements))
        origins.append(_FORMS[file.suffix](file, records, elements.append))

    def where(index: int, field: str, position: int) -> Place:
        of = bisect_right(starts, index) - 1
        return origins[of].place(index - starts[of], field, position)

    return build(elements, where)


def _files(path: Path) -> list[Path]:
    if path.is_file() and path.suffix in _FORMS:
        return [path]
    try:
        # What is no file and no folder is a link to nowhere: its elements must not be missing without a word.
        found = (file for file in path.iterdir() if not file.name.startswith("."))
        listed = sorted(file for file in found if file.is_file() or (file.is_symlink() and not file.exists()))
    except OSError as error:
        sentence = f"the fleet's folder cannot be read: {error.strerror}"
        raise RuleError(sentence, code=Code.FILE_UNREADABLE, file=str(path)) from None
    for file in listed:
        if file.suffix == ".yml":
            sentence = "a fleet file's name ends in .yaml: rename it"
            raise RuleError(sentence, code=Code.FILE_UNREADABLE, file=str(file))
    return [file for file in listed if file.suffix in _FORMS]


class _Yaml:
    """The elements of one YAML file."""

    def __init__(self, file: Path, records: Records, add: Callable[[Element], None]) -> None:
        data, self._positions = yaml12.read(_content(file), str(file))
        for index, record in enumerate(self._elements(data)):
            if not isinstance(record, dict):
                sentence, hint = "an element is a mapping of its fields", "such as `- {reference: …, name: …}`"
                raise self._positions.problem(sentence, ("elements", index), hint=hint)
            add(records.element(record, lambda *said, at=index: self._refuse(at, *said)))

    def _elements(self, data: Any) -> list[Any]:
        if not isinstance(data, dict) or "elements" not in data:
            sentence = "the file has no list of elements: start it with `elements:`"
            raise self._positions.problem(sentence, (), code=Code.SYNTAX)
        for key in data:
            if key != "elements":
                hint = yaml12.nearest(key, ["elements"])
                raise self._positions.problem(
                    f'a fleet file has no "{key}", only `elements:`', (key,), key=True, hint=hint, code=Code.UNKNOWN_KEY
                )
        if not isinstance(data["elements"], list):
            raise self._positions.problem("`elements:` is not a list: start each element with `- `", ("elements",))
        return data["elements"]

    def _refuse(self, index: int, field: str, sentence: str, hint: str) -> NoReturn:
        path = ("elements", index, field)
        raise self._positions.problem(sentence, path, key=True, hint=hint, code=Code.WRONG_ELEMENT)

    def place(self, index: int, field: str, position: int) -> Place:
        return self._positions.file, *self._positions.of(("elements", index, field, position))


class _Table:
    """The elements of one table: a heading per field, `,` or `;` between cells, blanks or `;` between aliases."""

    def __init__(self, file: Path, records: Records, add: Callable[[Element], None]) -> None:
        self._file = str(file)
        self._lines = array("L")
        self._line = 1
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                self._read(lines, records, add)
        except OSError as error:
            raise _unreadable(error, file) from None
        except UnicodeDecodeError:
            raise _not_utf8(file) from None
        except csv.Error as error:
            hint = 'a cell that holds a quote is written "in ""quotes"""'
            sentence = f"this is not valid CSV: {error}"
            raise RuleError(sentence, code=Code.SYNTAX, file=self._file, line=self._line, hint=hint) from None

    def _read(self, lines: Any, records: Records, add: Callable[[Element], None]) -> None:
        first = lines.readline()
        headings = [
            heading.strip() for heading in next(csv.reader([first], delimiter=_delimiter(first), strict=True), [])
        ]
        self._check(headings)
        for cells in self._rows(lines, _delimiter(first)):
            if len(cells) != len(headings):
                hint = f"the headings are {', '.join(headings)}; a cell that holds the delimiter is put in quotes"
                sentence = f"{len(cells)} cells under {len(headings)} headings: add or remove delimiters"
                raise self._problem(sentence, hint)
            record: dict[str, Any] = dict(zip(headings, cells, strict=True))
            record["aliases"] = record.get("aliases", "").replace(";", " ").split()
            add(records.element(record, self._refuse))
            self._lines.append(self._line)

    def _rows(self, lines: Any, delimiter: str) -> Iterator[list[str]]:
        """The rows that are not empty; `_line` is where each starts."""
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self._line = 2
        for cells in reader:
            if any(cells):
                yield cells
            self._line = reader.line_num + 2

    def _check(self, headings: list[str]) -> None:
        check_fields(headings, self._refuse)
        for needed in _NEEDED:
            if needed not in headings:
                raise self._problem(f'the table has no column "{needed}": name it in the first line')
        if len(set(headings)) < len(headings):
            raise self._problem("two columns have the same heading: keep one")

    def _refuse(self, _field: str, sentence: str, hint: str) -> NoReturn:
        raise self._problem(sentence, hint)

    def _problem(self, sentence: str, hint: str = "") -> RuleError:
        return RuleError(sentence, code=Code.WRONG_TABLE, file=self._file, line=self._line, hint=hint)

    def place(self, index: int, _field: str, _position: int) -> Place:
        return self._file, self._lines[index], 0


_FORMS: dict[str, Callable[[Path, Records, Callable[[Element], None]], _Origin]] = {".yaml": _Yaml, ".csv": _Table}


def _delimiter(heading: str) -> str:
    """What the first line has between its cells: spreadsheets in French save with `;`."""
    return ";" if ";" in heading and "," not in heading else ","


def _not_utf8(file: Path) -> RuleError:
    """What is said of a file that was found not to be UTF-8 by reading it; where, if it still is not."""
    content = _content(file)
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return yaml12.not_utf8(content, error, str(file))
    sentence = "the file was changed while it was read: check again"
    return RuleError(sentence, code=Code.FILE_UNREADABLE, file=str(file))


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(yaml12.SIZE + 1)
    except OSError as error:
        raise _unreadable(error, file) from None


def _unreadable(error: OSError, file: Path) -> RuleError:
    sentence = f"the file cannot be read: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        sentence = "the file is listed and not there: it was taken away meanwhile, or is a link to nowhere"
    return RuleError(sentence, code=Code.FILE_UNREADABLE, file=str(file))

"""How things are printed: JSON for programs, tables and facts for people.

Texts come from strangers: what could steer a terminal is printed as a picture of itself. Colours are rich's business:
none when the output is no terminal or NO_COLOR is set.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType

_ROOM = 1000
"""Columns of an output that is no terminal: lines are not wrapped there."""

_GAP = 2
"""Blanks between two columns."""

Styled = str | Text
"""A text, or one that has its style."""


def data(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def console(*, err: bool = False) -> Console:
    """What prints to standard output, or to standard error."""
    found = Console(stderr=err, markup=False, highlight=False, emoji=False)
    return found if found.is_terminal else Console(stderr=err, markup=False, highlight=False, emoji=False, width=_ROOM)


def table(headings: Sequence[str], rows: Iterable[Sequence[Styled]], nothing: str, indent: int = 0) -> None:
    """Print rows in columns under their headings, or a sentence when there are none.

    Lines break between words only; where the terminal is too narrow for that, each row is printed as facts.
    """
    cells = [list(map(_plain, row)) for row in rows]
    if not cells:
        line(nothing)
        return
    columns = list(zip(map(_plain, headings), *cells, strict=True))
    widths = fit(
        [max(map(_longest_word, column)) for column in columns],
        [max(map(_longest_line, column)) for column in columns],
        console().width - indent - _GAP * (len(columns) - 1),
    )
    if widths is None:
        _records(headings, cells, indent)
        return
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for heading, width in zip(headings, widths, strict=True):
        shown.add_column(heading, width=width, overflow="fold")
    for row in cells:
        shown.add_row(*row)
    _print(_indented(shown, indent))


def fit(least: Sequence[int], wanted: Sequence[int], room: int) -> list[int] | None:
    """Widths of columns, each between the least it needs and what it wants; None when there is not even room for that.

    What is left of the room is shared out evenly, and what one column does not want goes to the others.
    """
    spare = room - sum(least)
    if spare < 0:
        return None
    widths = list(least)
    by_want = sorted(range(len(least)), key=lambda column: wanted[column] - least[column])
    for served, column in enumerate(by_want):
        more = min(wanted[column] - least[column], spare // (len(least) - served))
        widths[column] += more
        spare -= more
    return widths


def _longest_word(cell: Text) -> int:
    return max(map(cell_len, cell.plain.split()), default=0)


def _longest_line(cell: Text) -> int:
    return max(map(cell_len, cell.plain.splitlines()), default=0)


def _records(headings: Sequence[str], rows: Iterable[Sequence[Text]], indent: int) -> None:
    for number, row in enumerate(rows):
        if number:
            line()
        facts(zip(headings, row, strict=True), indent)


def facts(pairs: Iterable[tuple[str, Styled]], indent: int = 0) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(_plain(name), _plain(value))
    if grid.rows:
        _print(_indented(grid, indent))


def line(*parts: Styled, err: bool = False) -> None:
    """Print one line."""
    _print(Text.assemble(*map(_plain, parts)), err=err)


def lines(rows: Iterable[Sequence[Styled]], *, err: bool = False) -> None:
    """Print many lines, each of its parts, at once."""
    if assembled := [Text.assemble(*map(_plain, parts)) for parts in rows]:
        _print(Text("\n").join(assembled), err=err)


def verbatim(text: str) -> None:
    """Print lines as they are, never wrapped: what is copied into a file."""
    typer.echo(visible(text.rstrip("\n")))


@contextmanager
def waiting() -> Iterator[Callable[[str], None]]:
    """Yield what tells, on standard error, why the command waits: one line that changes, on a terminal only."""
    with console(err=True).status("") as status:
        yield lambda text: status.update(_plain(text))


def styled(text: str, style: str) -> Text:
    """A text with its style, such as `bold red`."""
    return Text(text, style)


def _plain(value: Styled) -> Text:
    """A text that cannot steer the terminal; its own style is kept."""
    return Text(visible(value.plain), value.style) if isinstance(value, Text) else Text(visible(value))


def _indented(what: RenderableType, indent: int) -> RenderableType:
    return Padding(what, (0, 0, 0, indent)) if indent else what


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second; empty for none."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z" if at else ""


def visible(text: str) -> str:
    """Return a text in which what could steer the terminal is a picture of itself."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def _print(what: RenderableType, *, err: bool = False) -> None:
    """Print without the blanks that fill a table's last column."""
    to = console(err=err)
    with to.capture() as captured:
        to.print(what)
    typer.echo("\n".join(each.rstrip() for each in captured.get().splitlines()), err=err, color=to.is_terminal)

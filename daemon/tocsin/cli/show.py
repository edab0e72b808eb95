"""How things are printed: JSON for programs, tables and facts for people.

Texts come from strangers: what could steer a terminal is printed as a picture of itself. Colours are rich's business:
none when the output is no terminal or NO_COLOR is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import typer
from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rich.console import RenderableType

_ROOM = 1000
"""Columns of an output that is no terminal: lines are not wrapped there."""

Styled = str | Text
"""A text, or one that has its style."""


def data(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def console(*, err: bool = False) -> Console:
    """What prints to standard output, or to standard error."""
    found = Console(stderr=err, markup=False, highlight=False, emoji=False)
    return found if found.is_terminal else Console(stderr=err, markup=False, highlight=False, emoji=False, width=_ROOM)


def table(headings: Sequence[str], rows: Iterable[Sequence[Styled]], nothing: str) -> None:
    """Print rows in columns under their headings, or a sentence when there are none."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        shown.add_row(*map(plain, row))
    _print(shown if shown.rows else Text(nothing))


def facts(pairs: Iterable[tuple[str, Styled]], indent: int = 0) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(Text(name), plain(value))
    _print(Padding(grid, (0, 0, 0, indent)))


def line(*parts: tuple[str, str] | str, err: bool = False) -> None:
    """Print one line of texts, each plain or with its style."""
    _print(Text.assemble(*(part if isinstance(part, str) else (_visible(part[0]), part[1]) for part in parts)), err=err)


def plain(value: Styled) -> Text:
    """A text that cannot steer the terminal; its own style is kept."""
    return Text(_visible(value.plain), value.style) if isinstance(value, Text) else Text(_visible(value))


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second; empty for none."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z" if at else ""


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def _print(what: RenderableType, *, err: bool = False) -> None:
    """Print without the blanks that fill a table's last column."""
    to = console(err=err)
    with to.capture() as captured:
        to.print(what)
    typer.echo("\n".join(each.rstrip() for each in captured.get().splitlines()), err=err, color=to.is_terminal)

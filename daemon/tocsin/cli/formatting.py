"""The verb `rules fmt`: rule files laid out the same way, whoever wrote them.

Knows which files are meant and how changes are shown; the layout itself is the business of the workbench.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli import show
from tocsin.cli.given import Json, SettingsFile, given
from tocsin.errors import RuleError
from tocsin.workbench.formatting import files, formatted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.workbench.formatting.files import Laid

_WRONG = 1
_INPUT = Path("-")

_Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH]…",
        help="Files and folders; those of the settings' rules unless given. - is standard input, to standard output.",
        show_default=False,
    ),
]
_Check = Annotated[
    bool, typer.Option("--check", metavar="", help="Change nothing; exit with 1 when a file is not laid out.")
]
_Diff = Annotated[bool, typer.Option("--diff", metavar="", help="Change nothing; show what would change.")]


def fmt(
    ctx: typer.Context,
    paths: _Paths = None,
    config: SettingsFile = None,
    *,
    check: _Check = False,
    diff: _Diff = False,
    json: Json = False,
) -> None:
    """Lay rule files out: indents, order of keys, quotes.

    Keeps every comment, and what the rules say: a file for which that cannot be is left alone, with the reason.
    """
    if paths == [_INPUT]:
        typer.echo(formatted(sys.stdin.buffer.read(), "standard input"), nl=False)
        return
    laid, problems = _laid(paths or [given(ctx, config).settings.rules.path])
    changed = [one for one in laid if one.changed]
    if not (check or diff):
        problems += list(_written(changed))
    if json:
        _tell_json(laid, changed, problems)
    else:
        _tell(laid, changed, problems, check=check, diff=diff)
    if problems or (changed and check):
        raise typer.Exit(_WRONG)


def _laid(paths: list[Path]) -> tuple[list[Laid], list[RuleError]]:
    laid, problems = [], []
    for file in files.listed(paths):
        try:
            laid.append(files.laid_out(file))
        except RuleError as error:
            problems.append(error)
    return laid, problems


def _written(changed: list[Laid]) -> Iterator[RuleError]:
    for one in changed:
        try:
            files.write(one)
        except RuleError as error:
            yield error


def _tell_json(laid: list[Laid], changed: list[Laid], problems: list[RuleError]) -> None:
    said = [
        {"problem": one.problem, "file": one.file, "line": one.line, "column": one.column, "hint": one.hint}
        for one in problems
    ]
    show.data({"files": len(laid), "changed": [str(one.file) for one in changed], "problems": said})


def _tell(laid: list[Laid], changed: list[Laid], problems: list[RuleError], *, check: bool, diff: bool) -> None:
    for one in changed:
        if diff:
            _tell_difference(one)
        else:
            show.line(f"{one.file}: {'is not laid out: run `tocsin rules fmt`' if check else 'laid out'}")
    if not (changed or diff):
        show.line(
            f"{len(laid)} {'file is laid out as it' if len(laid) == 1 else 'files are laid out as they'} should be"
        )
    for problem in problems:
        show.line(str(problem), err=True)


def _tell_difference(one: Laid) -> None:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    before, after = (text.splitlines() for text in (one.before, one.after))
    for line in difflib.unified_diff(before, after, str(one.file), f"{one.file} (laid out)", lineterm=""):
        show.line(show.styled(line, styles.get(line[:1], "")))

"""How findings are told: with the line they are about for people, as JSON, as GitHub's workflow commands, as SARIF.

Knows what a finding is made of; reads the files that findings are about, to show the lines. Files below the current
directory are named from there.
"""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import typer
from msgspec.structs import replace
from rich.cells import cell_len

from tocsin import __version__
from tocsin.cli import show
from tocsin.errors import Code
from tocsin.workbench.lint import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tocsin.workbench.lint import Finding


class Format(StrEnum):
    """The forms that findings are told in."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_SHOWN = 160
"""Widest line of a file that is shown, in columns of the terminal; of a wider one the part that is meant."""
_INDENT = 4
_LARGEST = 32 * 1024 * 1024
"""Of larger files no line is shown."""


def told(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings as they are told: in order of place, files named from here."""
    here = f"{Path.cwd()}{os.sep}"
    short = (
        replace(one, file=_from_here(one.file), problem=one.problem.replace(here, ""), hint=one.hint.replace(here, ""))
        for one in findings
    )
    return sorted(short, key=lambda one: one.place)


def text(findings: Sequence[Finding]) -> None:
    """Print findings for people, on standard error: the place, the line there with the part that is meant, the help."""
    read = cache(_lines)
    room = min(show.console(err=True).width, _SHOWN) - _INDENT
    show.lines((parts for one in findings for parts in _paragraph(one, read, room)), err=True)
    show.line(count(findings), err=bool(findings))


def _paragraph(one: Finding, read: Callable[[str], list[str]], room: int) -> Iterator[tuple[show.Styled, ...]]:
    """The lines about one finding, each in parts."""
    place = ":".join(str(part) for part in one.place if part)
    yield (
        show.styled(f"{place}: " if place else "", "bold"),
        show.styled(f"{one.severity}: ", _STYLES[one.severity]),
        one.problem,
        show.styled(f" [{one.code}]", "dim"),
    )
    lines = read(one.file) if one.file and one.line else []
    if 0 < one.line <= len(lines):
        shown, marks = excerpt(lines[one.line - 1], one.column, one.length, room)
        if shown.strip():
            yield " " * _INDENT, shown
            if marks:
                yield " " * _INDENT, show.styled(marks, _STYLES[one.severity])
    if one.hint:
        yield show.styled("help: ", "bold"), one.hint


def count(findings: Iterable[Finding]) -> str:
    """Return how many there are of each severity: `2 errors, 1 warning`."""
    there = Counter(one.severity for one in findings)
    said = [f"{there[severity]} {severity}{'s' * (there[severity] > 1)}" for severity in Severity if there[severity]]
    return ", ".join(said) or "no errors, no warnings"


def github(findings: Iterable[Finding]) -> None:
    """Print findings as commands of a GitHub workflow, which shows each at its line."""
    for one in findings:
        end = one.column + one.length if one.column and one.length else 0
        named = {"file": one.file, "line": one.line, "col": one.column, "endColumn": end, "title": f"tocsin {one.code}"}
        properties = ",".join(f"{name}={_property(str(value))}" for name, value in named.items() if value)
        typer.echo(f"::{_LEVELS[one.severity]} {properties}::{_data(_message(one))}")


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def _message(one: Finding) -> str:
    return f"{one.problem} ({one.hint})" if one.hint else one.problem


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as a log of SARIF 2.1.0, which code scanning and editors read."""
    rules = [{"id": code.value, "shortDescription": {"text": code.told}} for code in Code]
    driver = {"name": "tocsin", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one) for one in findings],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _result(one: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": one.code.value,
        "ruleIndex": list(Code).index(one.code),
        "level": one.severity.value,
        "message": {"text": _message(one)},
    }
    if one.file:
        found["locations"] = [{"physicalLocation": _location(one)}]
    return found


def _location(one: Finding) -> dict[str, Any]:
    path = Path(one.file)
    place: dict[str, Any] = {
        "artifactLocation": {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}
    }
    if one.line:
        region = {"startLine": one.line, "startColumn": one.column}
        if one.column and one.length:
            region["endColumn"] = one.column + one.length
        place["region"] = {name: value for name, value in region.items() if value}
    return place


def _from_here(file: str) -> str:
    """The name of a file from the current directory when it is below that, else whole."""
    if not file:
        return file
    path = Path(os.path.abspath(file))  # noqa: PTH100 - links stay what they are called
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def excerpt(line: str, column: int, length: int, room: int) -> tuple[str, str]:
    """Return a line as it can be shown in so many columns of the terminal, and the marks that go under it.

    Args:
        line: the line, whatever it holds.
        column: where the part that is meant begins, from 1; 0 when there is none.
        length: how many characters it has; 0 when that is not known.
        room: columns that line and marks may take.

    Returns:
        The line, cut to the part that is meant when it is too wide, and the marks: `^~~~`, empty without a column.
    """
    start = min(max(column - 1, 0), len(line))
    near = max(0, start - room)
    signs = ["    " if sign == "\t" else show.visible(sign) for sign in line[near : start + room]]
    signs, start = _window(signs, start - near, room, cut=(near > 0, start + room < len(line)))
    if not column:
        return "".join(signs), ""
    before = cell_len("".join(signs[:start]))
    meant = cell_len("".join(signs[start : start + length]))
    return "".join(signs), " " * before + "^" + "~" * (min(meant, room - before) - 1)


def _window(signs: list[str], start: int, room: int, cut: tuple[bool, bool]) -> tuple[list[str], int]:
    """The part of a line around a position that fits, and where the position is in it.

    `…` stands for what is left out; `cut` says whether something was left out before and behind already.
    """
    first, last = 0, len(signs)
    while cell_len("".join(signs[first:last])) > room - (cut[0] or first > 0) - (cut[1] or last < len(signs)):
        # What is far behind goes first; then what is before.
        if last - start > start - first:
            last -= 1
        else:
            first += 1
    before, behind = cut[0] or first > 0, cut[1] or last < len(signs)
    return ["…"] * before + signs[first:last] + ["…"] * behind, start - first + before


def _lines(file: str) -> list[str]:
    """The lines of a file as far as they are text; none when it cannot be read, or is very large."""
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError:
        return []
    return content.decode("utf-8-sig", "replace").splitlines() if len(content) <= _LARGEST else []


TELLERS: dict[Format, Callable[[Sequence[Finding]], None]] = {
    Format.TEXT: text,
    Format.GITHUB: github,
    Format.SARIF: lambda findings: show.data(sarif(findings)),
}
"""Each form but JSON, which has more to say than findings, and what prints it."""

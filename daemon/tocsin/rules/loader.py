"""Reads a folder of rules, or the texts of one, and makes a rule set of it: all or nothing.

Knows files and their names; how they are put together is `assembly`.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tocsin.errors import RuleError
from tocsin.rules.assembly import Assembly
from tocsin.rules.problems import RulesError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tocsin.rules.rule import RuleSet

SUFFIXES = (".yaml", ".yml")
TABLES = "tables"
"""The folder of tables, in that of the rules."""


def load(path: Path, *, known_backends: frozenset[str] = frozenset()) -> RuleSet:
    """Read the rule files of a folder (`*.yaml`, `*.yml`) and its tables (`tables/*.csv`), in order of name.

    Args:
        path: the folder; hidden files and other folders are not read.
        known_backends: the backends there are; when empty, any name will do.

    Raises:
        RulesError: a file cannot be read or is wrong.
    """
    errors: list[RuleError] = []
    files: dict[str, str] = {}
    for name, file in _listed(path, errors):
        try:
            files[name] = file.read_bytes().decode("utf-8-sig")
        except OSError as error:
            errors.append(RuleError(f"the file cannot be read: {error.strerror}", file=str(file)))
        except UnicodeDecodeError:
            errors.append(RuleError("this is not UTF-8 text: save the file as UTF-8", file=str(file)))
    if errors:
        raise RulesError(errors)
    return build(files, known_backends=known_backends, folder=str(path))


def build(files: Mapping[str, str], *, known_backends: frozenset[str] = frozenset(), folder: str = "") -> RuleSet:
    """Make a rule set of the texts of rule files and tables.

    Args:
        files: name → text, such as `20-disk.yaml` and `tables/hosts.csv`; rules are tried in order of file name.
        known_backends: the backends there are; when empty, any name will do.
        folder: the folder that errors and rules name before a file.

    Raises:
        RulesError: a text is wrong.
    """
    assembly = Assembly(files, f"{folder}/" if folder else "", known_backends)
    with _uncollected():
        for name in sorted(files):
            if name.endswith(SUFFIXES):
                assembly.add(name)
        return assembly.rule_set()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: nearly all that is made here stays, and looking for what does not takes half the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _listed(path: Path, errors: list[RuleError]) -> list[tuple[str, Path]]:
    try:
        listed = [(file.name, file) for file in path.iterdir() if file.suffix in SUFFIXES]
        folder = path / TABLES
        found = folder.iterdir() if folder.is_dir() else ()
        listed += [(f"{TABLES}/{file.name}", file) for file in found if file.suffix == ".csv"]
    except OSError as error:
        errors.append(RuleError(f"the rules' folder cannot be read: {error.strerror}", file=str(path)))
        return []
    return sorted(pair for pair in listed if not pair[1].name.startswith("."))

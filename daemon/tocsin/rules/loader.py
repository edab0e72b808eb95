"""Reads a folder of rules, or the texts of one, and makes a rule set of it: all or nothing.

Knows files and their names; how they are put together is `assembly`.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tocsin import yaml12
from tocsin.errors import Code, RuleError
from tocsin.rules import folder as folders
from tocsin.rules.assembly import Assembly
from tocsin.rules.problems import RulesError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tocsin.rules.rule import RuleSet

SUFFIXES = (".yaml", ".yml")
LARGEST = 32 * 1024 * 1024
"""Largest file, in bytes; YAML has a limit of its own."""
TABLES = "tables"
"""The folder of tables, in that of the rules."""
PAYLOADS = "payloads"
"""The folder of messages for tests, in that of the rules."""
PAYLOAD = 1024 * 1024
"""Largest payload, in bytes."""


def load(path: Path, *, known_backends: frozenset[str] = frozenset()) -> RuleSet:
    """Read the rule files of a folder (`*.yaml`, `*.yml`) and its tables (`tables/*.csv`) and payloads (`payloads/*`).

    Args:
        path: the folder; hidden files and other folders are not read.
        known_backends: the backends there are; when empty, any name will do.

    Raises:
        RulesError: a file cannot be read or is wrong.
        RuleError: somebody replaces the files at this moment, or was cut off doing it (see `folder`).
    """
    errors: list[RuleError] = []
    files: dict[str, str] = {}
    with folders.reading(path):
        for name, file in _listed(path, errors):
            try:
                files[name] = _text(file) if not name.startswith(f"{PAYLOADS}/") else _payload(file)
            except RuleError as error:
                errors.append(error)
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
            if name.endswith(SUFFIXES) and not name.startswith(f"{PAYLOADS}/"):
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


def names(path: Path) -> dict[str, Path]:
    """The rule files, tables and payloads that `load` would read: name → path. Raises RulesError when the folder cannot be read."""
    errors: list[RuleError] = []
    listed = dict(_listed(path, errors))
    if errors:
        raise RulesError(errors)
    return listed


def _payload(file: Path) -> str:
    """The text of a payload. Raises RuleError as `_text` does, and when it is too large."""
    if file.is_file() and file.stat().st_size > PAYLOAD:
        sentence = f"a payload has at most {PAYLOAD >> 20} MiB: cut it down to what is tested"
        raise RuleError(sentence, code=Code.TOO_LARGE, file=str(file))
    return _text(file)


def _text(file: Path) -> str:
    """The text of a file. Raises RuleError when it cannot be read, is too large or no UTF-8."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except FileNotFoundError:
        sentence = "the file is listed and not there: it was taken away meanwhile, or is a link to nowhere"
        raise RuleError(sentence, code=Code.FILE_UNREADABLE, file=str(file)) from None
    except OSError as error:
        sentence = f"the file cannot be read: {error.strerror}"
        raise RuleError(sentence, code=Code.FILE_UNREADABLE, file=str(file)) from None
    if len(content) > LARGEST:
        raise yaml12.too_large(LARGEST, str(file))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise yaml12.not_utf8(content, error, str(file)) from None


def _listed(path: Path, errors: list[RuleError]) -> list[tuple[str, Path]]:
    try:
        listed = [(file.name, file) for file in path.iterdir() if file.suffix in SUFFIXES]
        folder = path / TABLES
        found = folder.iterdir() if folder.is_dir() else ()
        listed += [(f"{TABLES}/{file.name}", file) for file in found if file.suffix == ".csv"]
        folder = path / PAYLOADS
        found = folder.iterdir() if folder.is_dir() else ()
        listed += [(f"{PAYLOADS}/{file.name}", file) for file in found if file.is_file() or file.is_symlink()]
    except OSError as error:
        sentence = f"the rules' folder cannot be read: {error.strerror}"
        errors.append(RuleError(sentence, code=Code.FILE_UNREADABLE, file=str(path)))
        return []
    return sorted(pair for pair in listed if not pair[1].name.startswith("."))

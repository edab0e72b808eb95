"""Lays files out in place: each is replaced whole or not at all, and keeps its mode. Knows folders and names."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.errors import RuleError
from tocsin.rules.loader import SUFFIXES
from tocsin.workbench.formatting import formatted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Laid(Struct, frozen=True, kw_only=True):
    """What the layout makes of one file."""

    file: Path
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether the file is not laid out yet."""
        return self.before != self.after


def listed(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are meant: those named, and of each folder its `.yaml` and `.yml` files, by name.

    Raises:
        RuleError: there is no such file or folder.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        try:
            inside = sorted(path.iterdir())
        except OSError as error:
            raise RuleError(f"the folder cannot be read: {error.strerror}", file=str(path)) from None
        yield from (file for file in inside if file.suffix in SUFFIXES and not file.name.startswith("."))


def laid_out(file: Path) -> Laid:
    """Return what the layout makes of a file, which stays as it is.

    Raises:
        RuleError: it cannot be read, is no YAML, or cannot be laid out; with its place.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RuleError(f"the file cannot be read: {error.strerror}", file=str(file)) from None
    after = formatted(content, str(file))
    return Laid(file=file, before=content.decode("utf-8"), after=after)


def write(laid: Laid) -> None:
    """Put the layout in the place of the file: all of it or nothing. Raises RuleError when it cannot be written."""
    target = laid.file.resolve()  # what a link points at, not the link
    beside = None
    try:
        number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        beside = Path(name)
        with os.fdopen(number, "w", encoding="utf-8", newline="") as out:
            out.write(laid.after)
            out.flush()
            os.fsync(out.fileno())
        shutil.copymode(target, beside)
        beside.replace(target)
    except OSError as error:
        if beside:
            with contextlib.suppress(OSError):
                beside.unlink()
        raise RuleError(f"the file cannot be written: {error.strerror}", file=str(laid.file)) from None

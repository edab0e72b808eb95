"""The folder of rule files as one thing: read whole and replaced whole, whatever happens in between.

A replacement is written beside the files first, then put down in a journal, and only then takes their places; one that
was cut off after the journal is finished by whoever reads the folder next, one that was cut off before it never was.
Knows files, names and locks; nothing of what rules say.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from tocsin.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOURNAL = ".tocsin-promote.json"
"""There while a replacement is under way: what it puts and drops, by whom."""
NOTE = ".tocsin-promoted.json"
"""The journal of a replacement that is done, until a service has recorded who it was."""
ASIDE = ".tocsin-replaced"
"""The folder of files that were replaced and are kept nowhere else."""
_NEW = ".tocsin-new"
"""How the name of a file ends that waits for its place."""
_FOLDERS = ("tables", "payloads")
"""The folders, beside the rules' own, that files of a rule set are in."""

PATIENCE = 10.0
"""Seconds to wait for whoever replaces or reads the files."""
_LOOK_AGAIN = 0.02


Change = Literal["promote", "rollback"]
"""What makes somebody replace the files."""


class Replacement(Struct, frozen=True, kw_only=True):
    """Files that take the place of those of a folder, and who wants that."""

    files: Mapping[str, str]
    """Name → text of all files there will be."""
    hash: str
    """Content hash of them."""
    who: str
    how: Change
    at: datetime


class Journal(Struct, frozen=True, kw_only=True):
    """A replacement as it is written down: the files by name only."""

    put: tuple[str, ...]
    drop: tuple[str, ...]
    hash: str
    who: str
    how: Change
    at: datetime


_journal = msgspec.json.Decoder(Journal)


@contextmanager
def reading(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Nobody replaces the files of the folder meanwhile; a replacement that was cut off is finished first.

    Raises:
        RuleError: somebody replaces them for longer than is waited, or what was cut off cannot be finished.
    """
    with ExitStack() as held:
        held.enter_context(_locked(path, fcntl.LOCK_SH, patience))
        if (path / JOURNAL).exists():
            held.pop_all().close()
            _finish(path)
            held.enter_context(_locked(path, fcntl.LOCK_SH, patience))
        yield


def replace(
    path: Path, by: Replacement, present: Callable[[], Mapping[str, Path]], kept: Callable[[], bool]
) -> Path | None:
    """Put files in the place of those there are: all of them, or none; returns where the former ones are set aside.

    Args:
        path: the folder.
        by: the files.
        present: which files of rules there are now: name → path.
        kept: whether those are kept elsewhere; when not, they are copied into `ASIDE`.

    Raises:
        RuleError: the folder cannot be written, or somebody else is at it; it is as it was.
    """
    try:
        for _ in steps(path, by, present, kept):
            pass
    except OSError as error:
        with suppress(OSError):
            if not (path / JOURNAL).exists():
                _sweep(path)
        where = f"{error.filename or path}: {error.strerror}"
        raise RuleError(
            f"the rule files cannot be replaced here ({where}): do it as a user who may write there"
        ) from None
    aside = _aside(path, by.at)
    return aside if aside.exists() else None


def steps(
    path: Path, by: Replacement, present: Callable[[], Mapping[str, Path]], kept: Callable[[], bool]
) -> Iterator[str]:
    """What `replace` does, one step at a time; yields what was done. To be cut off anywhere, the machine too."""
    _check_names(by.files)
    with _locked(path, fcntl.LOCK_EX):
        if (path / JOURNAL).exists():
            yield from _rest(path)
        _sweep(path)
        there = present()
        if not kept():
            _set_aside(_aside(path, by.at), there)
            yield "set aside"
        put = tuple(name for name, text in by.files.items() if not _holds(path / name, text))
        for name in put:
            _stage(path / name, by.files[name])
            yield f"written {name}"
        drop = tuple(sorted(there.keys() - by.files.keys()))
        journal = Journal(put=put, drop=drop, hash=by.hash, who=by.who, how=by.how, at=by.at)
        _write_journal(path, journal)
        yield "put down"
        yield from _rest(path)


def note(path: Path) -> Journal | None:
    """Who replaced the files last, unless a service has recorded it since; None when nobody is known to have."""
    with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        return _journal.decode((path / NOTE).read_bytes())
    return None


def forget(path: Path) -> None:
    """The note is recorded; where the folder cannot be written it stays, and is known by its time."""
    with suppress(OSError):
        (path / NOTE).unlink()


def _finish(path: Path) -> None:
    try:
        with _locked(path, fcntl.LOCK_EX):
            for _ in _rest(path):
                pass
    except OSError as error:
        sentence = f"a change of these files was cut off, and cannot be finished here: {error.strerror}"
        hint = "run `tocsin check` as a user who may write there"
        raise RuleError(sentence, file=str(path), hint=hint) from None


def _rest(path: Path) -> Iterator[str]:
    """Everything after the journal; done twice, it does no harm."""
    try:
        journal = _journal.decode((path / JOURNAL).read_bytes())
    except FileNotFoundError:
        return  # somebody else has finished it
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        sentence = (
            f"the journal of a change that was cut off cannot be read ({error}): look at the files, then delete it"
        )
        raise RuleError(sentence, file=str(path / JOURNAL)) from None
    _check_names((*journal.put, *journal.drop))
    for name in journal.put:
        with suppress(FileNotFoundError):  # it has its place already
            _new(path / name).rename(path / name)
        yield f"in place {name}"
    for name in journal.drop:
        (path / name).unlink(missing_ok=True)
        yield f"gone {name}"
    for folder in _folders(path):
        _sync(folder)
    (path / JOURNAL).rename(path / NOTE)
    _sync(path)
    yield "done"


def _holds(target: Path, text: str) -> bool:
    return target.is_file() and target.read_bytes() == text.encode()


def _stage(target: Path, text: str) -> None:
    """Write a file beside its place, with the rights of the one that is there, or as its folder has them."""
    target.parent.mkdir(exist_ok=True)
    like = (target if target.exists() else target.parent).stat()
    with _new(target).open("xb") as file:
        file.write(text.encode())
        file.flush()
        os.fchmod(file.fileno(), like.st_mode & 0o666)
        with suppress(PermissionError):
            os.fchown(file.fileno(), like.st_uid, like.st_gid)
        os.fsync(file.fileno())


def _write_journal(path: Path, journal: Journal) -> None:
    for folder in _folders(path):
        _sync(folder)
    new = _new(path / JOURNAL)
    with new.open("xb") as file:
        file.write(msgspec.json.encode(journal))
        file.flush()
        os.fchmod(file.fileno(), path.stat().st_mode & 0o666)
        os.fsync(file.fileno())
    new.rename(path / JOURNAL)
    _sync(path)


def _aside(path: Path, at: datetime) -> Path:
    return path / ASIDE / f"{at:%Y%m%dT%H%M%S.%fZ}"


def _set_aside(aside: Path, there: Mapping[str, Path]) -> None:
    """Copy the files, byte by byte, into a folder that readers of rules do not look into."""
    for name, file in there.items():
        copy = aside / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
        with copy.open("rb") as written:
            os.fsync(written.fileno())


def _sweep(path: Path) -> None:
    """Delete what a replacement that never got its journal has left."""
    for folder in _folders(path):
        for left in folder.glob(f".*{_NEW}"):
            left.unlink(missing_ok=True)


def _folders(path: Path) -> list[Path]:
    return [path, *(path / name for name in _FOLDERS if (path / name).is_dir())]


def _new(target: Path) -> Path:
    return target.with_name(f".{target.name}{_NEW}")


def _check_names(names: Mapping[str, str] | tuple[str, ...]) -> None:
    """No name leads out of the folder, or to a file that is none of the rules'."""
    for name in names:
        *folders, last = PurePosixPath(name).parts
        inside = not folders or (len(folders) == 1 and folders[0] in _FOLDERS)
        if not inside or last.startswith(".") or "\0" in name or str(PurePosixPath(name)) != name:
            raise RuleError(f"{name!r} is no name of a rule file, a table or a payload")


def _sync(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


@contextmanager
def _locked(path: Path, how: int, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the folder's lock; goes on without it where there is no folder, or its file system has no locks."""
    try:
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield  # whoever reads the folder says what is wrong with it
        return
    try:
        _wait_for(held, how, path, patience)
        yield
    finally:
        os.close(held)


def _wait_for(held: int, how: int, path: Path, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(held, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                sentence = f"another program has held the rules' folder for {patience:g} s: try again"
                raise RuleError(sentence, file=str(path)) from None
            time.sleep(_LOOK_AGAIN)
        except OSError:
            return
        else:
            return

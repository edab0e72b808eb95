"""Backups taken while the service runs, and putting one back.

A backup is one whole SQLite file of one moment. Restoring never overwrites: what was there is moved aside.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tocsin.errors import StoreError
from tocsin.store.sqlite import DatabaseError, connect

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with the pages left and the pages in all."""


def backup(folder: Path, target: Path, progress: Progress) -> int:
    """Copy the database of `folder` as it is at one moment into `target`; returns its size in bytes.

    The file appears under its name only when it is whole and has been checked.

    Raises:
        StoreError: There is no database, the target exists, or either cannot be read or written.
    """
    source = folder / "tocsin.db"
    if not source.exists():
        raise StoreError(f"{source}: there is no database to back up; `state` in the settings names its folder")
    if target.exists():
        raise StoreError(f"{target}: exists already; backups are never overwritten, give another name")
    part = target.with_name(target.name + ".part")
    try:
        _copy(source, part, progress)
        _check(part)
        part.replace(target)
    except (DatabaseError, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{target}: the backup failed: {error}") from error
    return target.stat().st_size


def _copy(source: Path, part: Path, progress: Progress) -> None:
    part.unlink(missing_ok=True)
    with contextlib.closing(connect(source, read_only=True)) as reading, contextlib.closing(connect(part)) as writing:
        # All pages within one read transaction: writers go on meanwhile, and the copy is of one moment.
        reading.execute("begin")
        reading.execute("select count(*) from counted").fetchone()
        reading.backup(writing, pages=-1, progress=lambda _, left, total: progress(left, total))
        reading.execute("commit")
        writing.execute("pragma journal_mode = delete")
    os.chmod(part, 0o600)  # noqa: PTH101 - same on a path


def _check(path: Path) -> None:
    with contextlib.closing(connect(path, read_only=True)) as connection:
        (verdict,) = connection.execute("pragma integrity_check(1)").fetchone()
    if verdict != "ok":
        raise StoreError(f"{path}: the file is damaged: {verdict}")


def restore(source: Path, folder: Path, now: datetime) -> Path | None:
    """Put a backup in the place of the database; returns where the former one was moved, if there was one.

    Raises:
        StoreError: A service runs on the folder, or the backup is missing, damaged or no database of ours.
    """
    if not source.exists():
        raise StoreError(f"{source}: there is no such backup")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            _take(lock.fileno(), folder)
            _check_ours(source)
            return _swap(source, folder, now)
    except (DatabaseError, OSError) as error:
        raise StoreError(f"{source}: cannot be restored: {error}") from error


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StoreError(f"{folder}: a tocsin is running on it; stop it before restoring") from error


def _check_ours(source: Path) -> None:
    _check(source)
    with contextlib.closing(connect(source, read_only=True)) as connection:
        connection.execute("select count(*) from counted").fetchone()


def _swap(source: Path, folder: Path, now: datetime) -> Path | None:
    path = folder / "tocsin.db"
    part = path.with_name("tocsin.db.part")
    _copy(source, part, lambda _left, _total: None)
    aside = None
    if path.exists():
        with contextlib.closing(connect(path)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
        aside = path.with_name(f"tocsin.db.before-{now:%Y%m%dT%H%M%SZ}")
        path.replace(aside)
        for tail in ("-wal", "-shm"):
            path.with_name(path.name + tail).unlink(missing_ok=True)
    part.replace(path)
    return aside

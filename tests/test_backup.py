"""A backup of one moment, taken while the service writes; and putting it back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from house import T0, Clock, Road, alert, opened, rows
from tocsin.errors import StoreError
from tocsin.model import Status
from tocsin.store.backup import backup, restore

if TYPE_CHECKING:
    from pathlib import Path


def silent(_left: int, _total: int) -> None:
    """No progress is shown."""


async def test_a_backup_taken_under_load_is_whole_and_goes_on_where_it_was(tmp_path: Path) -> None:
    folder, target = tmp_path / "var", tmp_path / "backup.db"
    async with opened(folder) as store:
        road = Road(store, Clock())
        await road.take(alert())
        writing = asyncio.create_task(_many(road))
        size = await asyncio.to_thread(backup, folder, target, silent)
        await writing
        assert size == target.stat().st_size
        assert target.stat().st_mode & 0o077 == 0
    assert restore(target, tmp_path / "new", T0) is None
    async with opened(tmp_path / "new") as store:
        (number,) = (await rows(store, "select count(*) from tickets"))[0]
        assert 1 <= number <= 9
        (again,) = await Road(store, Clock()).take(alert())
        assert (again.outcome, again.ticket) == ("folded", "2611N00001")


async def _many(road: Road) -> None:
    for number in range(2, 10):
        await road.take(alert(fingerprint=f"f{number}", resource=f"web{number}"))


async def test_restoring_moves_the_former_database_aside(tmp_path: Path) -> None:
    folder, target = tmp_path / "var", tmp_path / "backup.db"
    async with opened(folder) as store:
        await Road(store, Clock()).take(alert())
        backup(folder, target, silent)
        await Road(store, Clock()).take(alert(status=Status.RESOLVED))
    aside = restore(target, folder, T0)
    assert aside is not None
    assert aside.name == "tocsin.db.before-20261123T030000Z"
    async with opened(folder) as store:
        assert await rows(store, "select status from desk_tickets") == [("declared",)]


async def test_nothing_is_restored_over_a_running_service(tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    async with opened(tmp_path / "var"):
        backup(tmp_path / "var", target, silent)
        with pytest.raises(StoreError, match="stop it before restoring"):
            restore(target, tmp_path / "var", T0)


async def test_a_backup_is_never_overwritten(tmp_path: Path) -> None:
    async with opened(tmp_path / "var"):
        (tmp_path / "taken").write_text("")
        with pytest.raises(StoreError, match="never overwritten"):
            backup(tmp_path / "var", tmp_path / "taken", silent)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500], ids=["empty", "garbage"])
def test_what_is_no_backup_is_refused_and_nothing_changes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.db").write_bytes(content)
    with pytest.raises(StoreError):
        restore(tmp_path / "bad.db", tmp_path / "var", T0)
    assert not (tmp_path / "var" / "tocsin.db").exists()


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database to back up"):
        backup(tmp_path, tmp_path / "b", silent)

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from house import T0, opened, rows
from tocsin.errors import StoreError
from tocsin.model import Payload
from tocsin.store import keep
from tocsin.store.mint import mint
from tocsin.store.queries import QUERIES, TABLES
from tocsin.store.rows import micros, moment
from tocsin.store.schema import STEPS
from tocsin.store.sqlite import Observer, connect

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tocsin.store import Transaction


def rejecting(reason: str) -> object:
    return lambda tx: keep.reject(tx, Payload(body=b"x", source="s"), reason, T0)


async def test_what_was_answered_is_there_for_another_reader_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.run(rejecting("one"))  # type: ignore[arg-type]
        other = connect(tmp_path / "tocsin.db", read_only=True)
        assert other.execute("select reason from rejected").fetchall() == [("one",)]
        other.close()


class Counting(Observer):
    """Hears the weight of every commit."""

    def __init__(self) -> None:
        self.commits: list[int] = []

    def committed(self, weight: int, seconds: float) -> None:
        assert seconds >= 0
        self.commits.append(weight)


async def test_everything_that_waits_is_committed_at_once(tmp_path: Path) -> None:
    heard = Counting()
    async with opened(tmp_path, observer=heard) as store:
        gate = threading.Event()
        first = store.run(lambda _tx: gate.wait(10))
        others = [store.run(rejecting(str(number))) for number in range(50)]  # type: ignore[arg-type]
        gate.set()
        await asyncio.gather(first, *others)
        assert sum(heard.commits) == 51
        assert len(heard.commits) <= 2


async def test_a_function_that_raises_takes_only_its_own_work_back(tmp_path: Path) -> None:
    def fails(tx: Transaction) -> None:
        keep.reject(tx, Payload(body=b"x", source="s"), "bad", T0)
        raise ValueError("no")

    async with opened(tmp_path) as store:
        gate = threading.Event()
        work = [store.run(lambda _tx: gate.wait(10))]
        work += [store.run(fn) for fn in (rejecting("before"), fails, rejecting("after"))]  # type: ignore[arg-type]
        gate.set()
        results = await asyncio.gather(*work, return_exceptions=True)
        assert [type(result).__name__ for result in results[1:]] == ["NoneType", "ValueError", "NoneType"]
        assert await rows(store, "select id, reason from rejected order by id") == [(1, "before"), (2, "after")]


async def test_a_row_number_given_in_a_failed_transaction_is_given_again(tmp_path: Path) -> None:
    def fails(tx: Transaction) -> None:
        tx.next("incidents")
        raise ValueError("no")

    async with opened(tmp_path) as store:
        with pytest.raises(ValueError, match="no"):
            await store.run(fails)
        assert await store.run(lambda tx: tx.next("incidents")) == 1


async def test_one_folder_serves_one_tocsin(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(StoreError, match="another tocsin is running"):
            async with opened(tmp_path):
                pass
    async with opened(tmp_path):
        pass


async def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="`state` in the settings"):
        async with opened(tmp_path / "file" / "var"):
            pass


async def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "tocsin.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match="not a database"):
        async with opened(tmp_path):
            pass


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        pass
    with pytest.raises(StoreError, match="not open"):
        store.run(lambda _tx: None)


async def test_closing_commits_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        waiting = [store.run(rejecting(str(number))) for number in range(100)]  # type: ignore[arg-type]
    await asyncio.gather(*waiting)
    async with opened(tmp_path) as store:
        assert await rows(store, "select count(*) from rejected") == [(100,)]


async def test_a_locked_database_is_a_store_error_and_heals(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        other = connect(tmp_path / "tocsin.db")
        await store.run(lambda tx: tx._connection.execute("pragma busy_timeout = 10") and None)
        other.execute("begin immediate")
        with pytest.raises(StoreError, match="locked"):
            await store.run(rejecting("one"))  # type: ignore[arg-type]
        assert store.problem
        other.execute("rollback")
        other.close()
        await store.run(rejecting("two"))  # type: ignore[arg-type]
        assert not store.problem
        assert await rows(store, "select reason from rejected") == [("two",)]


async def test_the_schema_steps_run_once(tmp_path: Path) -> None:
    for _ in range(2):
        async with opened(tmp_path) as store:
            applied = await rows(store, "select name from _sqlite_migrations order by id")
    assert [name for (name,) in applied] == [
        "0001_start",
        "0002_desk",
        "0003_rule_changes",
        "0004_sources",
        "0005_deliveries",
        "0006_tmf621",
        "0007_sightings",
        "0008_following",
        "0009_resent",
    ]


def test_an_upgrade_takes_no_priority_that_is_spelled_otherwise_for_a_persons(tmp_path: Path) -> None:
    connection = connect(tmp_path / "tocsin.db")
    database = Database(connection, execute_plugins=False)
    STEPS.apply(database, stop_before="0009_resent")
    connection.execute("insert into sightings values (1, 'declared', '1', '4', '', null, 0, 1, 0)")
    STEPS.apply(database)
    assert connection.execute("select graded from sightings").fetchall() == [(1,)]
    connection.close()


def test_what_was_in_doubt_before_doubt_was_dated_is_dated(tmp_path: Path) -> None:
    connection = connect(tmp_path / "tocsin.db")
    database = Database(connection, execute_plugins=False)
    STEPS.apply(database, stop_before="0005_deliveries")
    for row, uncertain in ((1, 1), (2, 0)):
        values = (row, 1, "remote", "open", "{}", "pending", 1, uncertain, "", 77, 1, None)
        connection.execute("insert into deliveries values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    STEPS.apply(database)
    assert connection.execute("select doubted_at from deliveries order by id").fetchall() == [(77,), (None,)]
    connection.close()


async def test_it_is_as_durable_as_promised(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await rows(store, "pragma journal_mode") == [("wal",)]
        assert await rows(store, "pragma synchronous") == [(2,)]


async def test_every_named_statement_is_valid_and_used(tmp_path: Path) -> None:
    package = "".join(path.read_text() for path in _modules())
    async with opened(tmp_path) as store:
        for name, sql in QUERIES.items():
            await rows(store, "explain " + re.sub(r"\?", "1", sql))
            assert f'"{name}"' in package, f"{name} is used nowhere"


def _modules() -> list[Path]:
    import tocsin.store  # noqa: PLC0415

    return list((__import__("pathlib").Path(tocsin.store.__file__).parent.parent).rglob("*.py"))


def test_every_write_names_its_table() -> None:
    for name, sql in QUERIES.items():
        assert bool(TABLES[name]) == (not sql.lower().startswith("select")), name


@given(st.datetimes(timezones=st.just(T0.tzinfo)))  # type: ignore[arg-type]
def test_a_time_comes_back_as_it_was(at: datetime) -> None:
    assert moment(micros(at)) == at


def test_ids_grow_and_are_never_the_same_twice() -> None:
    make = mint(random=lambda _bits: 0)
    ids = [make(T0) for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert {len(one) for one in ids} == {13}


def test_two_makers_after_a_restore_do_not_meet() -> None:
    first, second = mint(random=lambda _bits: 5), mint(random=lambda _bits: 6)
    assert first(T0) != second(T0)

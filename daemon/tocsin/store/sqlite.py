"""The SQLite driver: one thread that commits everything waiting at once, and answers nobody before.

Durability is WAL with `synchronous=FULL`: what `run` has answered survives the power cut. Knows nothing of alerts.
"""

from __future__ import annotations

import asyncio
import fcntl
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from tocsin.errors import StoreError
from tocsin.live import Live
from tocsin.store import loading
from tocsin.store.schema import STEPS
from tocsin.store.transaction import Backends, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from typing import TextIO

    from tocsin.store.transaction import Memory

T = TypeVar("T")

DatabaseError = sqlite3.Error
"""What a connection raises."""

SQLITE_VERSION: str = sqlite3.sqlite_version
SAFE_SQLITE = (3, 51, 3)
"""Older ones can corrupt a WAL database that several connections write and checkpoint."""

_GROUP = 4000
"""The weight of work taken into one transaction, so that nobody waits for an endless one."""
_STOP = object()


class Observer:
    """What the store tells of itself; metrics listen here. Called in the store's thread."""

    def committed(self, weight: int, seconds: float) -> None:
        """A group of this weight was committed in so many seconds."""

    def failed(self, problem: str) -> None:
        """A group could not be committed."""


class _Job:
    __slots__ = ("done", "error", "fn", "future", "weight")

    def __init__(self, fn: Callable[[Transaction], Any], weight: int, future: asyncio.Future[Any]) -> None:
        self.fn = fn
        self.weight = weight
        self.future = future
        self.done: Any = None
        self.error: BaseException | None = None


class Store:
    """One database file. `open` first, `close` last; `run` from the event loop that opened it."""

    def __init__(
        self,
        folder: Path,
        *,
        backends: Backends | None = None,
        limit: int = 20_000,
        observer: Observer | None = None,
        clock: Callable[[], float],
    ) -> None:
        self.path = folder / "tocsin.db"
        self.limit = limit
        self.waiting = 0
        """The weight of the work not yet committed."""
        self.taken = 0
        """The weight of all work ever given."""
        self.problem = ""
        """Why the last group failed; empty while all is well."""
        self._folder = folder
        self._backends = backends or Backends()
        self.live = Live(self._backends.default)
        self._observer = observer or Observer()
        self._clock = clock
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock: TextIO | None = None
        self._connection: Any = None
        self._memory: Memory | None = None

    # --- life ------------------------------------------------------------------------------------------------------

    async def open(self, now: datetime) -> None:
        """Take the folder, bring the schema up to date, load what is live, start the thread.

        Raises:
            StoreError: Another tocsin has this folder, or the database cannot be opened.
        """
        self._loop = asyncio.get_running_loop()
        self._take_folder()
        try:
            await asyncio.to_thread(self._load, now)
        except (sqlite3.Error, OSError) as error:
            self._release_folder()
            raise StoreError(
                f"{self.path}: {error}; see that the folder can be written and the file is whole"
            ) from error
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Commit what waits, write the counts down, release the folder."""
        if self._thread is None:
            return
        self._jobs.put(_STOP)
        await asyncio.to_thread(self._thread.join)
        self._thread = None
        self._connection.close()
        self._release_folder()

    def _take_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("w")
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror}; `state` in the settings names this folder") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StoreError(f"{self._folder}: another tocsin is running on it; stop that one first") from error
        self._lock = lock

    def _release_folder(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def _load(self, now: datetime) -> None:
        self._connection = connect(self.path)
        STEPS.apply(Database(self._connection, execute_plugins=False))
        self._memory = loading.load(self._connection, self.live, now)

    # --- work ------------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether no more work should be taken in now."""
        return self.waiting >= self.limit

    def run(self, fn: Callable[[Transaction], T], weight: int = 1) -> asyncio.Future[T]:
        """Run `fn` in a transaction; the future is done after the commit, or failed with nothing of it kept.

        `fn` may run twice: it must do nothing but through its transaction.

        Raises:
            StoreError: By the future; the store cannot write now. By the call; it is not open.
        """
        if self._thread is None or self._loop is None:
            raise StoreError("the store is not open")
        future: asyncio.Future[T] = self._loop.create_future()
        self.waiting += weight
        self.taken += weight
        self._jobs.put(_Job(fn, weight, future))
        return future

    def _work(self) -> None:
        going = True
        while going:
            group, going = self._take()
            if group:
                self._commit(group)
                self._answer(group)

    def _take(self) -> tuple[list[_Job], bool]:
        """Wait for work, then take all that is there."""
        group: list[_Job] = []
        weight = 0
        job = self._jobs.get()
        while True:
            if job is _STOP:
                return group, False
            group.append(job)
            weight += job.weight
            if weight >= _GROUP:
                return group, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, True

    def _commit(self, group: list[_Job]) -> None:
        start = self._clock()
        try:
            self._transact(group)
        except Exception as error:  # noqa: BLE001 - not swallowed: told to the one whose function it is
            if isinstance(error, sqlite3.Error) and (len(group) == 1 or _nobody_can_write(error)):
                self._fail(group, error)
            else:
                self._one_by_one(group, error)
        else:
            self.problem = ""
            self._observer.committed(sum(job.weight for job in group), self._clock() - start)

    def _transact(self, group: list[_Job]) -> None:
        if self._memory is None:
            raise StoreError("the store is not open")
        mark = self._memory.mark()
        tx = Transaction(self._connection, self.live, self._memory, self._backends)
        try:
            if self._connection.in_transaction:  # an earlier one could not even be rolled back
                self._connection.execute("rollback")
            self._connection.execute("begin immediate")
            for job in group:
                job.done = job.fn(tx)
            tx.flush()
            self._connection.execute("commit")
        except BaseException:
            self.live.take_back()
            self._memory.take_back(mark)
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
            raise
        self.live.settle()

    def _one_by_one(self, group: list[_Job], error: Exception) -> None:
        """A function of the group raised: the others must not lose by it, so each gets its own transaction."""
        if len(group) == 1:
            group[0].error = error
            return
        for job in group:
            self._commit([job])

    def _fail(self, group: list[_Job], error: sqlite3.Error) -> None:
        """SQLite could not write (full disk, I/O error): nothing was kept, everybody is told to come again."""
        self.problem = str(error)
        self._observer.failed(self.problem)
        for job in group:
            job.error = StoreError(f"the store cannot write now: {error}")

    def _answer(self, group: list[_Job]) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._resolve, group)

    def _resolve(self, group: list[_Job]) -> None:
        for job in group:
            self.waiting -= job.weight
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.done)


_FOR_ALL = ("FULL", "IOERR", "BUSY", "LOCKED", "READONLY", "CANTOPEN", "CORRUPT", "NOTADB", "NOMEM", "PROTOCOL")


def _nobody_can_write(error: Exception) -> bool:
    """Whether it is the file or the disk, and no fault of one function of the group."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.removeprefix("SQLITE_").startswith(_FOR_ALL)


def connect(path: Path, *, read_only: bool = False) -> Any:
    """A connection as the store wants it: WAL, full durability, no implicit transactions."""
    target = f"file:{path}?mode=ro" if read_only else str(path)
    connection = sqlite3.connect(
        target, isolation_level=None, check_same_thread=False, timeout=10, uri=read_only, cached_statements=512
    )
    if not read_only:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma wal_autocheckpoint = 4000")
        connection.execute("pragma journal_size_limit = 67108864")
    connection.execute("pragma temp_store = memory")
    connection.execute("pragma cache_size = -2048")
    return connection

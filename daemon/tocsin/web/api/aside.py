"""Work on candidates, away from the service: in processes of their own that may take so long and no longer.

A large candidate takes seconds of Python to build, and a pathological one might take for ever: in a thread of the service
it would hold up the intake. A process is kept while it is of use, since starting one takes half a second.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.web.api import tasks
from tocsin.web.api.problem import Refused

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from tocsin.fleet import Fleet

AT_ONCE = 2
"""So many processes."""
_WAITING = 8
_SLOW = 1.0
"""After a task of so many seconds a process may have grown: it is not kept."""
_IDLE = 300.0
"""Seconds that one is kept without work."""


class _Worker:
    """One process, and the fleet it knows."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.fleet = ""
        self.ending: asyncio.TimerHandle | None = None

    def kill(self) -> None:
        """End it, whatever it does."""
        with suppress(ProcessLookupError):
            self.process.kill()


class Aside:
    """The processes. `done` from the event loop; `close` at the end."""

    def __init__(self, seconds: float = 120.0) -> None:
        """`seconds` is how long one task may take."""
        self._seconds = seconds
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._idle: list[_Worker] = []

    async def done(self, task: tasks.Task, fleet: Fleet, kind: Any) -> Any:
        """Do a task; returns a value of this type.

        Raises:
            Refused: the candidate cannot be used; 422 it takes too long or too much memory; 503 too many are waiting.
        """
        if self._waiting >= _WAITING:
            raise Refused(503, "too many candidates are looked at already", retry_after="5")
        self._waiting += 1
        try:
            async with self._turns:
                outcome = await self._outcome(task, fleet)
        finally:
            self._waiting -= 1
        if outcome.status:
            raise Refused(outcome.status, outcome.problem, outcome.at)
        return msgspec.msgpack.decode(outcome.value, type=kind)

    async def close(self) -> None:
        """End what is left."""
        while self._idle:
            worker = self._idle.pop()
            self._forget(worker)
            await worker.process.wait()

    async def _outcome(self, task: tasks.Task, fleet: Fleet) -> tasks.Outcome:
        worker = await self._take()
        try:
            async with asyncio.timeout(self._seconds):
                outcome = await _asked(worker, task, fleet)
        except TimeoutError:
            text = f"to look at this candidate takes more than {self._seconds:g} seconds: make it smaller"
            raise Refused(422, text, "$.files") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            text = "whoever looked at this candidate broke off: it takes too much memory, or the log says what else"
            raise Refused(422, text, "$.files") from None
        else:
            if outcome.seconds < _SLOW:
                self._keep(worker)
            return outcome
        finally:
            if worker not in self._idle:
                worker.kill()
                await worker.process.wait()

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.ending:
                worker.ending.cancel()
            if worker.process.returncode is None:
                return worker
        pipe = asyncio.subprocess.PIPE
        return _Worker(
            await asyncio.create_subprocess_exec(sys.executable, "-m", tasks.__name__, stdin=pipe, stdout=pipe)
        )

    def _keep(self, worker: _Worker) -> None:
        self._idle.append(worker)
        worker.ending = asyncio.get_running_loop().call_later(_IDLE, self._forget, worker)

    def _forget(self, worker: _Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        if worker.ending:
            worker.ending.cancel()
        worker.kill()


async def _asked(worker: _Worker, task: tasks.Task, fleet: Fleet) -> tasks.Outcome:
    """Hand a task over and wait. Raises IncompleteReadError and ConnectionError when the process ends meanwhile."""
    said, told = worker.process.stdin, worker.process.stdout
    if said is None or told is None:
        raise ConnectionError("a process without pipes")
    elements = None if worker.fleet == fleet.hash else list(fleet)
    said.write(tasks.framed(await asyncio.to_thread(tasks.encode, tasks.Order(task, elements))))
    await said.drain()
    head = await told.readexactly(tasks.HEAD)
    worker.fleet = fleet.hash
    return tasks.outcome.decode(await told.readexactly(tasks.length(head)))

"""Replays that run in the background: a few at once, the latest ones kept with what came out. Nothing survives a stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from tocsin.errors import TocsinError
from tocsin.web.api.problem import Refused
from tocsin.workbench.replay import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tocsin.workbench.replay import Result

AT_ONCE = 2
"""So many run."""
KEPT = 20
"""So many are kept, those that run included."""


class Replay(Protocol):
    """One replay: `workbench.replay.Run`."""

    @property
    def progress(self) -> float | None:
        """How much is done, from 0 to 1."""

    def cancel(self) -> None:
        """Let `run` raise Cancelled soon."""

    def run(self) -> Result:
        """What came out."""


class State(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Kept:
    """One run."""

    id: int
    since: datetime
    until: datetime
    candidate: str
    """Where the candidate comes from: `files` or `shadow`."""
    started_at: datetime
    replay: Replay
    state: State = State.RUNNING
    ended_at: datetime | None = None
    result: Result | None = None
    problem: str = ""
    """Why it failed."""

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        return 1.0 if self.state == State.DONE else self.replay.progress or 0.0


class Runs:
    """The runs there are. Used from the event loop."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: dict[int, Kept] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._last = 0

    def check(self) -> None:
        """Raise Refused (503) when so many run that no other one may start."""
        if len(self._tasks) >= AT_ONCE:
            raise Refused(503, f"{AT_ONCE} replays run already: cancel one or wait", retry_after="10")

    def start(self, replay: Replay, since: datetime, until: datetime, candidate: str) -> Kept:
        """Let a replay run. Raises Refused as `check` does."""
        self.check()
        self._last += 1
        run = Kept(
            id=self._last, since=since, until=until, candidate=candidate, started_at=self._clock(), replay=replay
        )
        self._kept[run.id] = run
        self._tasks[run.id] = asyncio.create_task(self._run(run))
        self._forget()
        return run

    def all(self) -> list[Kept]:
        """Every run that is kept, newest first."""
        return list(reversed(self._kept.values()))

    def get(self, number: int) -> Kept | None:
        """One run, if it is kept."""
        return self._kept.get(number)

    async def cancel(self, run: Kept) -> None:
        """End a run, if it runs; returns when it has ended."""
        task = self._tasks.get(run.id)
        if task:
            run.replay.cancel()
            await asyncio.wait({task})

    async def close(self) -> None:
        """End what runs."""
        for run in self.all():
            await self.cancel(run)

    async def _run(self, run: Kept) -> None:
        try:
            run.result = await asyncio.to_thread(run.replay.run)
            run.state = State.DONE
        except Cancelled:
            run.state = State.CANCELLED
        except TocsinError as error:
            run.state, run.problem = State.FAILED, str(error).replace("\n", "; ")
        finally:
            if run.state == State.RUNNING:
                run.state, run.problem = State.FAILED, "a fault in tocsin: the log says which"
            run.ended_at = self._clock()
            del self._tasks[run.id]

    def _forget(self) -> None:
        """The oldest ones that do not run."""
        over = [number for number in self._kept if number not in self._tasks]
        for number in over[: max(0, len(self._kept) - KEPT)]:
            del self._kept[number]

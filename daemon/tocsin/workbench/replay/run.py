"""A replay at work: each side plays the history in a process of its own, and here their tickets are compared.

The processes only read, yield to everything else on the machine, and are ended when the run is cancelled or fails.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin import fleet as fleets
from tocsin import rules
from tocsin.errors import StoreError, TocsinError
from tocsin.rules.assembly import content_hash
from tocsin.store.history import Span, history
from tocsin.workbench import exporting
from tocsin.workbench.replay.comparison import CANDIDATE, LIVE, Comparison
from tocsin.workbench.replay.side import Batch, Side
from tocsin.workbench.ticketing import USUAL, Ticketing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from tocsin.store.history import Event
    from tocsin.workbench.replay.result import Result

_encode = msgspec.msgpack.Encoder().encode
_PATIENCE = 0.2
"""Seconds between two looks at whether the run was cancelled."""
_KIND = slice(0, 1)
_BATCH, _PROBLEM = b"b", b"p"


class Cancelled(TocsinError):  # noqa: N818 - nothing went wrong
    """The run was cancelled: there is no result."""


class Job(Struct, frozen=True, kw_only=True):
    """What is to be replayed."""

    history: Path
    """Folder of the database, or a file that `tocsin export` wrote."""
    since: datetime
    until: datetime
    live: Mapping[str, str]
    """The files of the live rule set: name → text."""
    candidate: Mapping[str, str]
    live_fleet: Path
    """Folder of the fleet's files."""
    candidate_fleet: Path
    ticketing: Ticketing = USUAL


class _Part(Struct, frozen=True, kw_only=True):
    """What one process needs to know; goes there as values."""

    history: Path
    since: datetime
    until: datetime
    span: Span | None
    files: Mapping[str, str]
    fleet: Path
    ticketing: Ticketing


@dataclass(slots=True)
class _Reader:
    """One process, and how far it has come."""

    process: Any
    answers: Connection
    events: int = 0
    over: bool = False
    decoder: Any = field(default_factory=lambda: msgspec.msgpack.Decoder(Batch))


class Run:
    """One replay. `run` once, in a thread of its own where others wait; the rest may be asked from any thread."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._cancelled = False
        self._total = 0
        self._events = 0
        self.heard: Callable[[], object] = lambda: None
        """Called in the thread of `run` now and then, for whoever shows the progress."""

    @property
    def progress(self) -> float | None:
        """How much is done, from 0 to 1; None while that is unknown."""
        return min(1.0, self._events / self._total) if self._total else None

    @property
    def events(self) -> int:
        """How many alerts are behind."""
        return self._events

    def cancel(self) -> None:
        """End the run soon: `run` then raises Cancelled."""
        self._cancelled = True

    def run(self) -> Result:
        """Replay; returns what came out.

        Raises:
            Cancelled: `cancel` was called.
            StoreError: the history cannot be read, or a rule set or the fleet is wrong.
        """
        begun = time.monotonic()
        hashes = self._hashes()
        span = self._span()
        self._total = span.rows if span else 0
        comparison = Comparison()
        with contextlib.ExitStack() as ending:
            sides = tuple(self._start(side, span, ending) for side in (LIVE, CANDIDATE))
            while not all(side.over for side in sides):
                behind = min((side for side in sides if not side.over), key=lambda side: side.events)
                self._hear(behind, sides.index(behind), comparison)
                self._events = min(side.events for side in sides)
                self.heard()
        result = comparison.result(self._job.since, self._job.until, hashes, sides[LIVE].events)
        return msgspec.structs.replace(result, seconds=round(time.monotonic() - begun, 3))

    def _hashes(self) -> tuple[str, str]:
        """Both content hashes; the rule sets themselves are made in the processes only, away from a service's own work."""
        return content_hash(self._job.live), content_hash(self._job.candidate)

    def _span(self) -> Span | None:
        if not self._job.history.exists():
            raise StoreError(f"{self._job.history}: there is no such history")
        if self._job.history.is_file():
            return None
        with history(self._job.history) as past:
            return past.span(self._job.since, self._job.until)

    def _start(self, side: int, span: Span | None, ending: contextlib.ExitStack) -> _Reader:
        job = self._job
        part = _Part(
            history=job.history,
            since=job.since,
            until=job.until,
            span=span,
            files=dict(job.live if side == LIVE else job.candidate),
            fleet=job.live_fleet if side == LIVE else job.candidate_fleet,
            ticketing=job.ticketing,
        )
        processes = multiprocessing.get_context("spawn")
        answers, told = processes.Pipe(duplex=False)
        process = processes.Process(target=_play, args=(part, told), daemon=True, name=f"replay-{side}")
        process.start()
        told.close()
        ending.callback(_finish, process, answers)
        return _Reader(process, answers)

    def _hear(self, side: _Reader, number: int, comparison: Comparison) -> None:
        """Wait for one batch of a side."""
        while not self._cancelled and not side.answers.poll(_PATIENCE):
            pass
        if self._cancelled:
            raise Cancelled("the replay was cancelled")
        try:
            said = side.answers.recv_bytes()
        except EOFError:
            side.process.join()
            if side.process.exitcode:
                raise StoreError(f"a side of the replay ended with status {side.process.exitcode}") from None
            side.over = True
            return
        if said[_KIND] == _PROBLEM:
            raise StoreError(said[1:].decode())
        batch: Batch = side.decoder.decode(memoryview(said)[1:])
        side.events += batch.events
        comparison.add(number, batch)


def _finish(process: Any, answers: Connection) -> None:
    """End a process, however far it is."""
    answers.close()
    process.terminate()
    process.join()
    process.close()


def _play(part: _Part, told: Connection) -> None:
    """The process of one side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends us
    os.nice(10)
    gc.set_threshold(100_000, 50, 50)  # nearly nothing here is circular
    try:
        side = Side(rules.build(part.files), fleets.load(part.fleet), part.ticketing)
        for batch in side.play(_events(part), part.until):
            told.send_bytes(_BATCH + _encode(batch))
    except TocsinError as error:
        told.send_bytes(_PROBLEM + str(error).encode())
    except BrokenPipeError:
        return  # the run has ended


def _events(part: _Part) -> Iterator[Event]:
    if part.span is None:
        yield from exporting.read_history(part.history)
        return
    with history(part.history) as past:
        yield from past.events(part.span)

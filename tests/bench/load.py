"""The load generator: bytes out, status lines in, as fast as one core can.

Knows kept-alive HTTP/1.1 connections with at most one request under way on each, in a closed loop (the next request
follows the answer) or paced (requests fall due whether or not earlier ones were answered). Knows nothing of alerts.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

PATIENCE = 30.0
"""Seconds to wait for the last answers before the measure is given up."""
TICK = 0.001
"""Seconds between two looks at what has fallen due: how late the generator itself may be."""


class LoadError(Exception):
    """The measure cannot be taken: the server stopped answering or answers in a way that is not understood."""


@dataclass
class Run:
    """What came of one measure."""

    requests: int = 0
    """Answered with 2xx."""
    errors: int = 0
    first_error: str = ""
    seconds: float = 0.0
    """From the first request to the last answer."""
    busy: float = 0.0
    """Share of that time in which the generator itself was working: near 1, it is what was measured."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from the moment a request was due to its answer."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Gives the latency, in seconds, that `share` of the requests did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def closed(port: int, requests: Iterable[bytes], *, connections: int, seconds: float) -> Run:
    """Keeps one request under way on each connection until the requests or the seconds are over."""
    return _measured(_closed(port, iter(requests), connections, seconds))


def paced(port: int, requests: Iterable[bytes], *, connections: int, seconds: float, rate: float) -> Run:
    """Lets `rate` requests fall due each second; one that finds every connection taken waits, and that counts."""
    return _measured(_paced(port, iter(requests), connections, seconds, rate))


def _measured(measure: Coroutine[None, None, Run]) -> Run:
    """Runs a measure without pauses of this process's own garbage collector."""
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(measure)
    finally:
        gc.enable()


async def _closed(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Run:
    run = Run()
    over = asyncio.get_running_loop().create_future()
    lines = await _connect(port, connections)
    idle = 0

    def forward(line: _Line) -> None:
        nonlocal idle
        request = next(requests, None) if time.perf_counter() < until and not line.lost else None
        if request is not None:
            line.send(request, time.perf_counter())
            return
        idle += 1
        if idle == connections and not over.done():
            over.set_result(None)

    worked, started = time.process_time(), time.perf_counter()
    until = started + seconds
    for line in lines:
        line.tell(run, forward)
        forward(line)
    return await _finished(run, over, lines, started=started, worked=worked, patience=seconds + PATIENCE)


async def _paced(port: int, requests: Iterator[bytes], connections: int, seconds: float, rate: float) -> Run:
    run = Run()
    over = asyncio.get_running_loop().create_future()
    lines = await _connect(port, connections)
    idle, waiting = list(lines), deque[float]()
    total, offered = int(seconds * rate), 0

    def forward(line: _Line) -> None:
        if not line.lost:
            idle.append(line)
        pump()
        finished = run.requests + run.errors >= total or all(line.lost for line in lines)
        if offered == total and finished and not over.done():
            over.set_result(None)

    def pump() -> None:
        while waiting and idle:
            line = idle.pop()
            if not line.lost:
                line.send(next(requests), waiting.popleft())

    for line in lines:
        line.tell(run, forward)
    worked, started = time.process_time(), time.perf_counter()
    while offered < total and not all(line.lost for line in lines):
        due = min(total, int((time.perf_counter() - started) * rate) + 1)
        waiting.extend(started + number / rate for number in range(offered, due))
        offered = due
        pump()
        await asyncio.sleep(TICK)
    if all(line.lost for line in lines) and not over.done():
        over.set_result(None)
    return await _finished(run, over, lines, started=started, worked=worked, patience=PATIENCE)


async def _finished(
    run: Run, over: asyncio.Future[None], lines: list[_Line], *, started: float, worked: float, patience: float
) -> Run:
    """Waits for the last answer, then closes the books and the connections."""
    try:
        await asyncio.wait_for(over, patience)
    except TimeoutError as silence:
        said = f"; the first error was: {run.first_error}" if run.errors else ""
        raise LoadError(f"{run.requests} requests were answered, then nothing for {patience:.0f} s{said}") from silence
    run.seconds = time.perf_counter() - started
    run.busy = (time.process_time() - worked) / run.seconds
    for line in lines:
        line.hang_up()
    return run


async def _connect(port: int, connections: int) -> list[_Line]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(_Line, "127.0.0.1", port))[1] for _ in range(connections)]


class _Line(asyncio.Protocol):
    """One kept-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self.lost = False
        self._due = 0.0
        self._under_way = False
        self._answer = b""

    def tell(self, run: Run, forward: Callable[[_Line], None]) -> None:
        """Enters answers in `run`, then asks `forward` for what comes next on this line."""
        self._run = run
        self._forward = forward

    def send(self, request: bytes, due: float) -> None:
        """Sends a request that was due at `due`."""
        self._due = due
        self._under_way = True
        self._transport.write(request)

    def hang_up(self) -> None:
        """Closes the connection; what happens to it from now on is no error."""
        self._under_way = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._answer = self._answer + data if self._answer else data
        try:
            size = answer_size(self._answer)
        except LoadError as problem:
            self._transport.abort()
            self._lose(str(problem))
            return
        if not size or len(self._answer) < size:
            return
        answer, self._answer = self._answer, b""
        self._under_way = False
        self._enter(answer)
        self._forward(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"connection lost before the answer: {exc or 'closed by the server'}")

    def _lose(self, why: str) -> None:
        """Takes this line out; what was under way on it has failed."""
        self.lost = True
        if self._under_way:
            self._under_way = False
            self._fail(why)
            self._forward(self)

    def _enter(self, answer: bytes) -> None:
        if answer[9:10] != b"2":
            self._fail(answer[:300].decode("latin-1"))
            return
        self._run.requests += 1
        self._run.latencies.append(time.perf_counter() - self._due)

    def _fail(self, why: str) -> None:
        self._run.errors += 1
        self._run.first_error = self._run.first_error or why


def answer_size(data: bytes) -> int:
    """Gives the size in bytes of the answer that begins `data`, or 0 while its head is not complete.

    Raises:
        LoadError: the answer has no `Content-Length`; the generator reads no other framing.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        return end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])
    if head[9:12] == b"204":
        return end + 4
    raise LoadError(f"an answer without Content-Length cannot be read here: {head[:200].decode('latin-1')!r}")

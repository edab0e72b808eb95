"""Running a local program once: JSON in, JSON out, within limits of time and size, and nothing left behind.

No shell is involved. The program gets a session of its own, so that all it started ends with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

OUTPUT_LIMIT = 1_000_000
"""Bytes of standard output that are read."""
ERRORS_LIMIT = 4_000
"""Bytes of standard error that are kept, for the sentence of a failure."""
_LIMITS = {1: OUTPUT_LIMIT, 2: ERRORS_LIMIT}
_GRACE = 1.0
"""Seconds that are given to what was written and is not read yet."""


class Ran(Struct, frozen=True, kw_only=True):
    """How a program ended."""

    status: int
    """Exit status; negative for the signal that ended it."""
    output: bytes
    errors: str
    late: bool = False
    """It was ended because its time was up."""
    cut: bool = False
    """It wrote more than is read."""


class _Talk(asyncio.SubprocessProtocol):
    """What a program says, and how far it has come; it reads away what is too long, so that nobody hangs on it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()
        """Both of its outputs are closed, by it and by all that it started."""
        self.kept = {1: bytearray(), 2: bytearray()}
        self.cut = False
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the beginning."""
        kept = self.kept[fd]
        room = _LIMITS[fd] - len(kept)
        kept += data[:room]
        self.cut = self.cut or (fd == 1 and len(data) > room)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """One of its pipes is closed. It may end without having read everything."""
        self._open.discard(fd)
        if not self._open and not self.silent.done():
            self.silent.set_result(None)

    def process_exited(self) -> None:
        """It has ended; what it started may go on."""
        if not self.exited.done():
            self.exited.set_result(None)


async def run(argv: Sequence[str], said: bytes, allowed: timedelta, environ: Mapping[str, str]) -> Ran:
    """Start the program, hand it `said` on standard input, and read what it answers. Raises OSError when it cannot start."""
    transport, talk = await asyncio.get_running_loop().subprocess_exec(
        _Talk,
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environ),
        cwd="/",
        start_new_session=True,
    )
    late = False
    try:
        _hand(transport, said)
        async with asyncio.timeout(allowed.total_seconds()):
            await asyncio.shield(talk.exited)
    except TimeoutError:
        late = True
    finally:
        _end(transport.get_pid())
        # Ended, it is silent. Only what has gone into a session of its own may hold on to its outputs: not waited for.
        await asyncio.wait({talk.exited, talk.silent}, timeout=_GRACE)
        transport.close()
    ended = transport.get_returncode()
    return Ran(
        status=-signal.SIGKILL if ended is None else ended,
        output=bytes(talk.kept[1]),
        errors=talk.kept[2].decode("utf-8", "replace"),
        late=late,
        cut=talk.cut,
    )


def _hand(transport: asyncio.SubprocessTransport, said: bytes) -> None:
    pipe = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))  # uvloop's is none of asyncio's classes
    pipe.write(said)
    pipe.write_eof()


def _end(pid: int) -> None:
    """End the program and whatever it started; quietly when nothing is left of it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)

"""Running a local program once: JSON in, JSON out, within limits of time and size, and nothing left behind.

No shell is involved. The program gets a session of its own, so that all it started ends with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

OUTPUT_LIMIT = 1_000_000
"""Bytes of standard output that are read."""
ERRORS_LIMIT = 4_000
"""Bytes of standard error that are kept, for the sentence of a failure."""
_CHUNK = 65_536


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


async def run(argv: Sequence[str], said: bytes, allowed: timedelta, environ: Mapping[str, str]) -> Ran:
    """Start the program, hand it `said` on standard input, and read what it answers. Raises OSError when it cannot start."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environ),
        cwd="/",
        start_new_session=True,
    )
    late = False
    streams = asyncio.gather(
        _hand(process, said), _read(process.stdout, OUTPUT_LIMIT), _read(process.stderr, ERRORS_LIMIT)
    )
    try:
        async with asyncio.timeout(allowed.total_seconds()):
            _, (output, cut), (errors, _) = await asyncio.shield(streams)
            await process.wait()
    except TimeoutError:
        late = True
        _end(process)
        _, (output, cut), (errors, _) = await streams
        await process.wait()
    finally:
        _end(process)
    status = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Ran(status=status, output=output, errors=errors.decode("utf-8", "replace"), late=late, cut=cut)


async def _hand(process: asyncio.subprocess.Process, said: bytes) -> None:
    """A program may end without having read everything."""
    if process.stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(said)
        await process.stdin.drain()
    process.stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await process.stdin.wait_closed()


async def _read(stream: asyncio.StreamReader | None, limit: int) -> tuple[bytes, bool]:
    """Its beginning, and whether there was more; the rest is read away, so that the program does not hang on it."""
    kept, size = bytearray(), 0
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        size += len(chunk)
        kept += chunk[: max(0, limit - len(kept))]
    return bytes(kept), size > limit


def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and whatever it started; quietly when nothing is left of it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)

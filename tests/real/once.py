"""Programs that do their work and end: what sets a real ticket system up before it is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import started

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where Debian's own interpreters are: a Perl or Ruby of the developer's would not know Debian's modules."""
START = 60.0
"""Seconds within which a server must be ready; it takes three on a machine that does nothing else."""


async def once(*argv: str | Path, log: Path, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Run it to its end; fails with the end of its log when it failed."""
    async with started(*argv, log=log, env=env, cwd=cwd) as process:
        status = await process.wait()
    assert status == 0, f"{argv[0]} ended with {status}:\n{_last_words(log)}"


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-3_000:]

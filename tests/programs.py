"""Real programs on loopback, for tests that let supervision platforms push to the real service.

A program gets its own log file, and is ended by the process that was started for it, with what that one has started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import pytest

from service import free_port, session, until

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from service import Service

RULES = """
rules:
  - id: problem
    match: {}
    element: {lookup: '{{ resource }}', missing: quarantine}
    impact: {by: severity, critical: interrupted, else: degraded}
    close: {after: 1s}
    ticket: {name: {en: '{{ check }} on {{ element.name }}', fr: '{{ check }} sur {{ element.name }}'}}
fallback: {action: record}
"""
"""Every problem of a host that the fleet knows becomes a ticket, which is closed one second after its end."""

ELEMENTS = "reference,name,aliases\nDF1,Web one,web1 web1.example.net\nDF2,Database one,db1 db1.example.net\n"
"""The fleet of these tests."""

GOODBYE = 10.0
"""Seconds that a program may take to end when it is asked to."""

PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
"""Servers are installed where only root looks."""


class Ticket(NamedTuple):
    """One ticket of the service's own desk."""

    number: str
    status: str
    impact: str
    declarant: str
    name: str
    """In both languages."""


def require(name: str, package: str) -> str:
    """Where the program is; a test is skipped without it, and fails where CI must prove it (`REAL_PROGRAMS`)."""
    found = shutil.which(name, path=PATH)
    if found is None:
        if os.environ.get("REAL_PROGRAMS"):
            pytest.fail(f"{name} is not installed, and CI must prove this: see .ci/run")
        pytest.skip(f"{name} is not installed: apt install {package}")
    return found


@contextlib.asynccontextmanager
async def started(
    *argv: str | Path, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Process]:
    """The program, running in the foreground; ended afterwards, whatever happens.

    What it says goes to the end of `log`; `env` is added to the environment.
    """
    with log.open("ab") as told:
        process = await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    """SIGTERM, and SIGKILL for it and what it started when it does not go."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), GOODBYE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its session is its own: nobody else's process is in it
    await process.wait()


async def ready(
    process: Process, log: Path, condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 30
) -> None:
    """Wait until the program is ready; fails at once, with the end of its log, when it has ended instead."""

    async def is_ready() -> bool:
        if process.returncode is not None:
            raise AssertionError(f"{what}: it ended with {process.returncode}:\n{_last_words(log)}")
        return await condition()

    await until(is_ready, seconds, what)


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-3_000:]


async def answers(http: aiohttp.ClientSession, url: str, status: int = 200) -> bool:
    """Whether the address answers, with this status."""
    try:
        async with http.get(url) as answer:
            return answer.status == status
    except (OSError, aiohttp.ClientError):
        return False


@contextlib.asynccontextmanager
async def alertmanager(folder: Path, hook: str) -> AsyncIterator[str]:
    """Debian's own Alertmanager, in haste, which notifies the hook; yields its address."""
    program, at = require("prometheus-alertmanager", "prometheus-alertmanager"), f"127.0.0.1:{free_port()}"
    config, log = folder / "alertmanager.yml", folder / "alertmanager.log"
    config.write_text(
        "route: {receiver: tocsin, group_by: [alertname], group_wait: 50ms, group_interval: 100ms, repeat_interval: 1s}\n"
        f"receivers: [{{name: tocsin, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]\n"
    )
    options = (f"--config.file={config}", f"--storage.path={folder / 'am'}", f"--web.listen-address={at}")
    async with started(program, *options, "--cluster.listen-address=", log=log) as process, session() as http:
        await ready(process, log, lambda: answers(http, f"http://{at}/-/ready"), "Alertmanager to be ready")
        yield f"http://{at}"


def tickets(service: Service) -> list[Ticket]:
    """The tickets of the service's desk, oldest first; read beside the service, which runs on."""
    connection = sqlite3.connect(f"file:{service.state / 'tocsin.db'}?mode=ro", uri=True)
    try:
        rows = connection.execute("select number, status, impact, declarant, name from desk_tickets order by number")
        return [Ticket(*row) for row in rows]
    finally:
        connection.close()


async def has(service: Service, *wanted: tuple[str, str]) -> bool:
    """Whether the desk has these tickets and no other: status and impact of each, oldest first."""
    return [(ticket.status, ticket.impact) for ticket in tickets(service)] == list(wanted)

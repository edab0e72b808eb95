"""The real service in a process of its own, for tests that push to it, kill it, and look at what is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

ROOT = Path(__file__).resolve().parent.parent
LAUNCH = (sys.executable, *os.environ.get("SERVICE_LAUNCH", "-m tocsin serve --config").split())
RULES = """
rules:
  - id: any
    match: {source: test}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    key: [element, check]
    close: {after: 1s}
fallback: {action: record}
"""
"""Whatever fires is a ticket, closed soon after it is over: for tests that kill the service."""
START = 30.0
"""Seconds within which a service must be ready."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """One configuration, started and killed as often as a test wants."""

    def __init__(self, folder: Path, settings: dict[str, Any], rules: str, elements: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.state = folder / "var"
        self.rules = folder / "rules"
        self.log = folder / "log.jsonl"
        self.process: asyncio.subprocess.Process | None = None
        (folder / "fleet").mkdir(parents=True)
        self.rules.mkdir()
        (self.rules / "10-test.yaml").write_text(rules)
        (folder / "fleet" / "elements.csv").write_text(elements)
        usual = {
            "listen": {"port": self.port},
            "state": str(self.state),
            "rules": {"path": str(self.rules)},
            "fleet": {"path": str(folder / "fleet")},
            "log": {"level": "warning", "format": "json"},
        }
        self.config = folder / "tocsin.yaml"
        self.config.write_text(json.dumps({**usual, **settings}))  # JSON is YAML

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *LAUNCH,
                str(self.config),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "PYTHONWARNINGS": "default"},
            )
        async with session() as http:
            await until(lambda: self._ready(http), START, "the service to be ready")

    async def _ready(self, http: aiohttp.ClientSession) -> bool:
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"the service ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        try:
            async with http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """SIGKILL: no goodbye."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> tuple[int, float]:
        """SIGTERM; returns exit status and how many seconds it took."""
        assert self.process is not None
        if self.process.returncode is None:
            start = time.monotonic()
            self.process.send_signal(signal.SIGTERM)
            status = await asyncio.wait_for(self.process.wait(), 20)
            return status, time.monotonic() - start
        return self.process.returncode, 0.0


def stored(service: Service, sql: str) -> list[tuple[Any, ...]]:
    """What the service's database answers, read beside it."""
    connection = sqlite3.connect(f"file:{service.state / 'tocsin.db'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@contextlib.asynccontextmanager
async def running(folder: Path, settings: dict[str, Any], rules: str, elements: str) -> AsyncIterator[Service]:
    """A service that is up, and surely ended afterwards."""
    service = Service(folder, settings, rules, elements)
    try:
        await service.start()
        yield service
    finally:
        if service.process and service.process.returncode is None:
            await service.kill()


def session(timeout: float = 10) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    """Wait for a condition, looking often; fails when it does not come about in time."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, f"waited {seconds:g} s in vain for {what}"
        await asyncio.sleep(0.02)

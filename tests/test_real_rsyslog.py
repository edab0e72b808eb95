"""Debian's own rsyslog hands messages to the shipped `tocsin-syslog`: one ticket, closed by the paired message; none lost."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from programs import ELEMENTS, RULES, has, ready, require, started, tickets
from service import Service, free_port, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SNIPPETS = Path(__file__).parents[1] / "config" / "sources" / "syslog"
PAIR = {
    "check": "interface",
    "firing": r"Interface (?P<interface>\S+), changed state to down",
    "resolved": r"Interface (?P<interface>\S+), changed state to up",
}


class Daemon:
    """A running rsyslogd that listens for lines."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.seen = folder / "seen"
        """What it got, in its own words."""

    async def log(self, *lines: str) -> None:
        """A host of the network logs."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("".join(f"{line}\n" for line in lines).encode())
        writer.close()
        await writer.wait_closed()

    async def has_seen(self, text: str) -> bool:
        return self.seen.exists() and text in self.seen.read_text(encoding="utf-8")


def state(word: str, severity: int, port: int = 3) -> str:
    return f"<{23 * 8 + severity}>Nov 23 07:41:12 web1 kernel: Interface Gi0/{port}, changed state to {word}"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    token = tmp_path / "syslog.token"
    token.write_text("s3cret\n")
    source = {"kind": "syslog", "auth": {"bearer": {"token_file": str(token)}}, "options": {"pairs": [PAIR]}}
    async with running(tmp_path / "tocsin", {"sources": {"syslog": source}}, RULES, ELEMENTS) as service:
        yield service


@pytest.fixture
async def daemon(tmp_path: Path, service: Service) -> AsyncIterator[Daemon]:
    daemon = Daemon(tmp_path)
    told = (SNIPPETS / "rsyslog.conf").read_text(encoding="utf-8")
    for shipped, here in {
        "/usr/local/bin/tocsin-syslog": f"{sys.executable} {SNIPPETS / 'tocsin-syslog'}",
        "{{url}}": f"{service.url}/hooks/syslog",
        "/etc/tocsin-syslog.token": str(tmp_path / "syslog.token"),
    }.items():
        assert shipped in told
        told = told.replace(shipped, here)
    config, log = tmp_path / "rsyslog.conf", tmp_path / "rsyslog.log"
    config.write_text(
        f'global(workDirectory="{tmp_path}")\nmodule(load="imtcp")\n'
        f'input(type="imtcp" port="{daemon.port}" address="127.0.0.1")\n{told}\naction(type="omfile" file="{daemon.seen}")\n'
    )
    argv = (require("rsyslogd", "rsyslog"), "-n", "-f", config, "-i", tmp_path / "rsyslog.pid")
    async with started(*argv, log=log) as process:

        async def listens() -> bool:
            try:
                await daemon.log("<14>Nov 23 07:41:12 web1 test: hello")
            except OSError:
                return False
            return await daemon.has_seen("hello")

        await ready(process, log, listens, "rsyslogd to listen")
        yield daemon


async def test_an_interface_goes_down_and_up_again_with_one_ticket(service: Service, daemon: Daemon) -> None:
    await daemon.log(state("down", 3), '<30>Nov 23 07:41:12 web1 app: all is "well"', state("down", 2))
    await until(lambda: has(service, ("declared", "interrupted")), 15, "the ticket")
    assert "interface on Web one" in tickets(service)[0].name
    await daemon.log(state("up", 5))
    await until(lambda: has(service, ("closed", "interrupted")), 15, "the ticket to be closed")


async def test_what_comes_while_we_are_down_is_told_afterwards(service: Service, daemon: Daemon) -> None:
    await service.kill()
    await daemon.log(*(state("down", 3, port) for port in range(200)))
    await until(lambda: daemon.has_seen("Gi0/199"), 10, "rsyslogd to have them")
    await service.start()
    await until(lambda: has(service, ("declared", "degraded")), 20, "the ticket")
    await daemon.log(*(state("up", 5, port) for port in range(200)))
    await until(lambda: has(service, ("closed", "degraded")), 20, "the ticket to be closed")

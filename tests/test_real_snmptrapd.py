"""Net-SNMP's own snmptrapd hands traps to the shipped `tocsin-trap`: one ticket, closed by linkUp; none lost while we are down."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from programs import RULES, has, ready, require, started, tickets
from service import Service, free_port, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SNIPPETS = Path(__file__).parents[1] / "config" / "sources" / "snmp"
ELEMENTS = "reference,name,aliases\nDF3,Switch one,localhost 127.0.0.1\n"
LINK_DOWN, LINK_UP = ".1.3.6.1.6.3.1.1.5.3", ".1.3.6.1.6.3.1.1.5.4"
INTERFACE = ".1.3.6.1.2.1.2.2.1"


class Receiver:
    """A running snmptrapd."""

    def __init__(self, folder: Path) -> None:
        self.at = f"127.0.0.1:{free_port()}"
        self.spool = folder / "spool"
        self.env = {"SNMP_PERSISTENT_DIR": str(folder), "SNMPCONFPATH": str(folder), "MIBS": ""}

    async def trap(self, oid: str, row: int) -> None:
        """A device sends a trap about one of its interfaces."""
        varbinds = (f"{INTERFACE}.1.{row}", "i", str(row), f"{INTERFACE}.2.{row}", "s", f'eth "{row}"\nsecond line')
        process = await asyncio.create_subprocess_exec(
            require("snmptrap", "snmp"), "-v2c", "-cpublic", self.at, "", oid, *varbinds, env=self.env
        )
        assert await process.wait() == 0


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    token = tmp_path / "snmp.token"
    token.write_text("s3cret\n")
    settings = {"sources": {"snmp": {"kind": "snmp", "auth": {"bearer": {"token_file": str(token)}}}}}
    async with running(tmp_path / "tocsin", settings, RULES, ELEMENTS) as service:
        yield service


@pytest.fixture
async def receiver(tmp_path: Path, service: Service) -> AsyncIterator[Receiver]:
    receiver = Receiver(tmp_path)
    told = (SNIPPETS / "snmptrapd.conf").read_text(encoding="utf-8")
    for shipped, here in {
        "/usr/local/bin/tocsin-trap": f"{sys.executable} {SNIPPETS / 'tocsin-trap'}",
        "{{url}}": f"{service.url}/hooks/snmp",
        "/etc/tocsin-trap.token": str(tmp_path / "snmp.token"),
        "/var/spool/tocsin-trap": str(receiver.spool),
    }.items():
        assert shipped in told
        told = told.replace(shipped, here)
    config, log = tmp_path / "snmptrapd.conf", tmp_path / "snmptrapd.log"
    config.write_text(f"{told}\ndisableAuthorization yes\n")
    argv = (require("snmptrapd", "snmptrapd"), "-f", "-Lo", "-X", "-C", "-c", config, "-On", f"udp:{receiver.at}")
    async with started(*argv, log=log, env=receiver.env) as process:

        async def listens() -> bool:
            return "NET-SNMP version" in log.read_text(errors="replace")

        await ready(process, log, listens, "snmptrapd to listen")
        yield receiver


async def test_a_link_goes_down_and_up_again_with_one_ticket(service: Service, receiver: Receiver) -> None:
    await receiver.trap(LINK_DOWN, 3)
    await receiver.trap(LINK_DOWN, 3)
    await until(lambda: has(service, ("declared", "degraded")), 15, "the ticket")
    assert "linkDown on Switch one" in tickets(service)[0].name
    await receiver.trap(LINK_UP, 3)
    await until(lambda: has(service, ("closed", "degraded")), 15, "the ticket to be closed")
    assert list(receiver.spool.glob("*.json")) == []


async def test_what_comes_while_we_are_down_is_told_afterwards(service: Service, receiver: Receiver) -> None:
    async def waits() -> bool:
        return len(list(receiver.spool.glob("*.json"))) == 2

    await service.kill()
    await receiver.trap(LINK_DOWN, 3)
    await receiver.trap(LINK_DOWN, 4)
    await until(waits, 10, "two traps in the spool")
    await service.start()
    await until(lambda: has(service, ("declared", "degraded")), 20, "the ticket")
    await receiver.trap(LINK_UP, 3)
    await receiver.trap(LINK_UP, 4)
    await until(lambda: has(service, ("closed", "degraded")), 20, "the ticket to be closed")

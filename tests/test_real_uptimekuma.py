"""Uptime Kuma from its npm package watches a port, and tells the real service: one ticket, opened and closed.

`tests/install-uptime-kuma` installs it once, outside the repository.
"""

from __future__ import annotations

import asyncio
import json
import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from programs import RULES, answers, has, ready, require, started, tickets
from service import Service, free_port, running, session, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

INSTALLED = Path(os.environ.get("UPTIME_KUMA") or Path.home() / ".cache" / "tocsin" / "uptime-kuma")
TOKEN = "made-up"
ELEMENTS = "reference,name,aliases\nDF1,Web one,127.0.0.1\n"
LOGIN = {"username": "admin", "password": "made-up-for-1-test", "token": ""}
MONITOR = {
    "type": "port",
    "name": "Shop",
    "hostname": "127.0.0.1",
    "interval": 20,
    "retryInterval": 20,
    "maxretries": 0,
    "accepted_statuscodes": ["200-299"],
    "kafkaProducerBrokers": [],
    "kafkaProducerSaslOptions": {"mechanism": "None"},
}


class Kuma:
    """What its page does, over the same socket: Socket.IO's events, each with an acknowledgement."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)

    async def open(self) -> None:
        assert (await self._socket.receive_str(timeout=10)).startswith("0")
        await self._socket.send_str("40")
        assert (await self._socket.receive_str(timeout=10)).startswith("40")

    async def ask(self, event: str, *arguments: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_str(f"42{number}{json.dumps([event, *arguments])}")
        while True:
            said = await self._socket.receive_str(timeout=20)
            if said == "2":
                await self._socket.send_str("3")
            elif said.startswith(f"43{number}["):
                (answer,) = json.loads(said.removeprefix(f"43{number}"))
                assert answer["ok"], answer
                return dict(answer)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    (tmp_path / "token").write_text(TOKEN)
    auth = {"bearer": {"token_file": str(tmp_path / "token")}}
    settings = {"sources": {"uptimekuma": {"kind": "uptimekuma", "auth": auth}}}
    async with running(tmp_path / "tocsin", settings, RULES, ELEMENTS) as service:
        yield service


@pytest.fixture
async def kuma(tmp_path: Path) -> AsyncIterator[Kuma]:
    package = INSTALLED / "node_modules" / "uptime-kuma"
    if not (package / "server" / "server.js").exists():
        if os.environ.get("REAL_PROGRAMS"):
            pytest.fail("Uptime Kuma is not installed, and CI must prove this: see .ci/run")
        pytest.skip("Uptime Kuma is not installed: run tests/install-uptime-kuma")
    node, port, log = require("node", "nodejs"), free_port(), tmp_path / "kuma.log"
    env = {"UPTIME_KUMA_DB_TYPE": "sqlite", "DATA_DIR": f"{tmp_path / 'kuma'}/", "TZ": "UTC"}
    options = ("server/server.js", "--host=127.0.0.1", f"--port={port}")
    async with started(node, *options, log=log, env=env, cwd=package) as process, session(60) as http:
        address = f"127.0.0.1:{port}"
        await ready(process, log, lambda: answers(http, f"http://{address}/api/entry-page"), "Uptime Kuma to be ready")
        async with http.ws_connect(f"ws://{address}/socket.io/?EIO=4&transport=websocket") as socket:
            kuma = Kuma(socket)
            await kuma.open()
            await kuma.ask("setup", LOGIN["username"], LOGIN["password"])
            await kuma.ask("login", LOGIN)
            yield kuma


def notification(service: Service) -> dict[str, Any]:
    return {
        "name": "tocsin",
        "type": "webhook",
        "isDefault": False,
        "webhookURL": f"{service.url}/hooks/uptimekuma",
        "webhookContentType": "json",
        "webhookAdditionalHeaders": json.dumps({"Authorization": f"Bearer {TOKEN}"}),
    }


async def test_a_real_uptime_kuma_is_down_and_up_into_one_ticket(service: Service, kuma: Kuma) -> None:
    port = free_port()
    await kuma.ask("testNotification", notification(service))
    told = await kuma.ask("addNotification", notification(service), None)
    monitor = await kuma.ask("add", MONITOR | {"port": port, "notificationIDList": {str(told["id"]): True}})
    await until(lambda: has(service, ("declared", "interrupted")), 15, "the ticket")
    (ticket,) = tickets(service)
    assert ticket.declarant == "Supervision"
    assert "Shop on Web one" in ticket.name
    shop = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with shop:
        for event in ("pauseMonitor", "resumeMonitor"):  # it looks again at once, not only after its interval
            await kuma.ask(event, monitor["monitorID"])
        await until(lambda: has(service, ("closed", "interrupted")), 25, "the ticket to be closed")

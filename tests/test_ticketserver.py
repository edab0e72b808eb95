"""The fake is what crash tests believe: it must keep what it was told, and misbehave the same for one seed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import ticketserver
from ticketserver import Behaviour, Desk, Plan, TicketServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def program(*arguments: object) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The fake as its own process, and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, ticketserver.__file__, *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())["url"], process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def ask(url: str, body: Any = None) -> Any:
    async with aiohttp.ClientSession() as session, session.request("POST" if body else "GET", url, json=body) as answer:
        return await answer.json()


async def test_a_killed_server_knows_its_tickets_again(tmp_path: Path) -> None:
    state = tmp_path / "tickets.jsonl"
    async with program("--state", state) as (url, process):
        for reference in ("A", "B", "B"):
            await ask(f"{url}/tickets", {"reference": reference, "status": "declared"})
        await ask(f"{url}/tickets/T000001", {"action": "close", "status": "closed"})
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with program("--state", state, "--port", "0") as (url, _):
        (ticket,) = await ask(f"{url}/tickets?reference=A")
        stats = await ask(f"{url}/stats")
    assert (ticket["number"], ticket["status"], ticket["changes"]) == ("T000001", "closed", ["close"])
    assert stats["creates"] == {"A": 1, "B": 2}
    assert stats["duplicates"] == {"B": 2}


def test_a_torn_last_line_is_forgotten_and_the_next_one_is_whole(tmp_path: Path) -> None:
    state = tmp_path / "tickets.jsonl"
    Desk(state).create({"reference": "A"})
    with state.open("ab") as file:
        file.write(b'{"number": "T0')
    Desk(state).create({"reference": "B"})
    assert Desk(state).creates() == {"A": 1, "B": 1}


def test_the_same_seed_falls_the_same() -> None:
    faults = {"ok": 1, "lost": 1, "late": 1, "not_found": 1}

    def drawn(seed: int) -> list[Behaviour]:
        plan = Plan(["busy"], faults, seed)
        return [plan.next(lookup=False) for _ in range(50)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1)[0] == Behaviour.BUSY


def test_dice_never_deny_a_look_up_the_tickets_there_are() -> None:
    plan = Plan(faults={"not_found": 1})
    assert {plan.next(lookup=True) for _ in range(20)} == {Behaviour.OK}


async def test_the_plan_can_be_changed_while_it_serves() -> None:
    async with TicketServer().serving() as server:
        await ask(f"{server.url}/plan", {"script": ["refused"]})
        assert "error" in await ask(f"{server.url}/tickets", {"reference": "A"})
        assert (await ask(f"{server.url}/tickets", {"reference": "A"}))["number"] == "T000001"


@pytest.mark.parametrize(("behaviour", "before"), [("late", 1), ("slow", 0)])
async def test_late_is_done_before_the_wait_and_slow_after_it(behaviour: str, before: int) -> None:
    made: list[int] = []

    async def wait(seconds: float) -> None:
        assert seconds == 0.5
        made.append(len(server.desk.tickets))

    server = TicketServer(Plan([behaviour]), wait=wait)
    async with server.serving():
        await ask(f"{server.url}/tickets", {"reference": "A"})
    assert made == [before]
    assert len(server.desk.tickets) == 1

"""Thousands of incidents, a ticket system that fails three times in ten, and kills: in the end both sides agree."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.core import Behaviour, Now, Server
from fakes.redmine import KEY, Redmine
from service import RULES, Service, session, stored, until

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 25
CHECKS = 10
WEATHER = {
    "ok": 7.0,
    "late": 0.15,
    "slow": 0.15,
    "failed": 0.3,
    "lost": 0.4,
    "half": 0.25,
    "garbage": 0.25,
    "wrong": 0.25,
    "empty": 0.1,
    "malformed": 0.25,
    "giant": 0.02,
    "busy": 0.02,
    "dated": 0.01,
    "limited": 0.02,
    "dropped": 0.5,
    "down": 0.35,
}
"""Three requests in ten go wrong, in every way that a person need not correct; those that ask for a pause are rare, for the
whole backend pauses then."""


def settings(url: str, folder: Path) -> dict[str, Any]:
    key = folder / "redmine-key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    options = {"url": url, "key_file": str(key), "project": "operations", "reference_field": 3}
    options |= {"timeout": "1s", "settle": "2s"}
    return {
        "sources": {"test": {"kind": "generic", "open": True}},
        "default_backend": "redmine",
        "backends": {"redmine": {"kind": "redmine", "concurrency": 32, "poll": "1s", "options": options}},
        "delivery": {
            "first_retry": "50ms",
            "longest_retry": "500ms",
            "lease": "8s",
            "doubt": "3s",
            "breaker": {"failures": 50},
        },
    }


@dataclass
class Story:
    """What happens to each problem: it fires, some are over once their tickets are there, some of those are back."""

    count: int
    dice: random.Random
    firing: dict[int, bool] = field(default_factory=dict)

    def acts(self) -> list[list[tuple[int, bool]]]:
        """Three acts of (problem, fires); the last that is said of each is how it ends."""
        order = list(range(self.count))
        self.dice.shuffle(order)
        over = self.dice.sample(order, self.count // 2)
        back = self.dice.sample(over, len(over) // 3)
        acts = [[(problem, True) for problem in order], [(problem, False) for problem in over]]
        acts.append([(problem, True) for problem in back])
        self.firing = {problem: fires for act in acts for problem, fires in act}
        return acts


class Soak:
    """One run."""

    def __init__(self, service: Service, story: Story, server: Server, kills: int) -> None:
        self.service = service
        self.story = story
        self.server = server
        self.kills = kills

    async def run(self) -> None:
        """Play the acts; the next begins when most of what the last one wants was told. Kills come all the while."""
        killing = asyncio.create_task(self._kill())
        async with session(10) as http:
            for act in self.story.acts():
                for start in range(0, len(act), BATCH):
                    await self._until_answered(http, act[start : start + BATCH])
                await until(self._mostly_told, 60 + self.story.count, "most of an act to be told")
        await until(self.settled, 60 + self.story.count, "every delivery to be settled in the same weather")
        killing.cancel()
        assert self.kills == 0, f"{self.kills} kills never came"

    async def _kill(self) -> None:
        """Kill whenever so many more requests were seen: about evenly over the whole run."""
        every = self.story.count * 4 // (self.kills + 1)
        after = every
        while self.kills:
            await asyncio.sleep(0.02)  # how far it is, is what is looked at
            if len(self.server.seen) >= after:
                await self.service.kill()
                await self.service.start()
                self.kills -= 1
                after = len(self.server.seen) + every

    async def _mostly_told(self) -> bool:
        waiting = stored(self.service, "select count(*) from deliveries where state in ('pending', 'leased')")
        return waiting[0][0] <= self.story.count // 20

    async def _until_answered(self, http: aiohttp.ClientSession, act: list[tuple[int, bool]]) -> None:
        alerts = [_alert(problem, fires=fires) for problem, fires in act]
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(f"{self.service.url}/hooks/test", json=alerts) as answer:
                    if answer.status == 202:
                        return
                    assert answer.status == 503, await answer.text()
            await asyncio.sleep(0.02)

    async def settled(self) -> bool:
        waiting = "select count(*) from deliveries where state in ('pending', 'leased')"
        quiet = "select count(*) from incidents where state = 'clear'"
        return stored(self.service, waiting) == [(0,)] and stored(self.service, quiet) == [(0,)]

    async def differences(self) -> list[dict[str, Any]]:
        async with (
            session(600) as http,
            http.post(f"{self.service.url}/-/reconcile", json={"fix": False}) as answer,
        ):
            assert answer.status == 200, await answer.text()
            lines = [json.loads(line) async for line in answer.content]
        reports = [line for line in lines if "differences" in line]
        assert [report["problem"] for report in reports] == [""]
        return [one for report in reports for one in report["differences"]]


def _alert(problem: int, *, fires: bool) -> dict[str, Any]:
    return {
        "fingerprint": f"p{problem}",
        "status": "firing" if fires else "resolved",
        "severity": "critical" if problem % 3 else "minor",
        "resource": f"host{problem // CHECKS}",
        "check": f"check{problem % CHECKS}",
        "summary": f"problem {problem}",
    }


@pytest.mark.crash
@pytest.mark.timeout(3600)
async def test_through_failures_and_kills_both_sides_agree_in_the_end(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    count, kills = pytestconfig.getoption("--soak-incidents"), pytestconfig.getoption("--soak-kills")
    seed, began = pytestconfig.getoption("--crash-seed"), datetime.now(UTC)
    elements = "reference,name\n" + "".join(f"host{number},Host {number}\n" for number in range(count // CHECKS + 1))
    server = Server(Redmine, clock=Now(), delay=1.2)
    async with server.serving():
        server.retry_after = 1
        server.plan.faults = {Behaviour(name): weight for name, weight in WEATHER.items()}
        service = Service(tmp_path, settings(server.url, tmp_path), RULES, elements)
        soak = Soak(service, Story(count, random.Random(seed)), server, kills)
        try:
            await service.start()
            await soak.run()
            bad = 1 - server.met[Behaviour.OK] / sum(server.met.values())
            server.plan.faults = {Behaviour.OK: 1}
            differences = await soak.differences()
            await service.stop()
        finally:
            if service.process and service.process.returncode is None:
                await service.kill()
        seconds = (datetime.now(UTC) - began).total_seconds()
        told = stored(service, "select count(*) from deliveries where state = 'sent'")[0][0]
        print(  # noqa: T201 - what was measured; `make crash` shows it
            f"{len(server.face.tickets())} tickets for {count} problems, {told} deliveries, {sum(server.met.values())} "
            f"requests of which {bad:.0%} went wrong, {kills} kills, {len(differences)} differences, {seconds:.0f} s"
        )
        assert differences == []
        _one_ticket_for_each(soak, server)
        _in_order_and_once(server)
        _nobody_was_taken_for_a_person(service)
        assert bad > 0.25, "too little went wrong to prove anything"
        assert len(server.face.tickets()) > count * 0.9, "too few tickets to prove anything"


def _one_ticket_for_each(soak: Soak, server: Server) -> None:
    tickets = server.face.tickets()
    made = Counter(ticket.reference for ticket in tickets)
    assert not {reference: count for reference, count in made.items() if count > 1}, "tickets made twice"
    ours = stored(soak.service, "select id, firing from incidents where declared = 1")
    assert {reference for reference, _ in ours} == set(made)
    firing = {reference for reference, fires in ours if fires}
    assert {ticket.status for ticket in tickets} <= {"declared", "in_progress", "closed"}
    assert len(firing) == sum(soak.story.firing.values())
    for ticket in tickets:
        ended = ticket.status == "closed"
        assert ended == (ticket.reference not in firing), f"{ticket.reference} is {ticket.status}"


def _in_order_and_once(server: Server) -> None:
    for ticket in server.face.tickets():
        marks = [note.rpartition("/")[2].rstrip(")") for note in ticket.notes if "(tocsin " in note]
        numbers = [int(mark) for mark in marks]
        assert numbers == sorted(set(numbers)), f"{ticket.reference}: {numbers}"


def _nobody_was_taken_for_a_person(service: Service) -> None:
    assert stored(service, "select count(*) from incidents where touched > 0") == [(0,)]
    assert stored(service, "select distinct actor from notes") == [("tocsin",)]

"""The real service is killed again and again while alerts pour in: what was answered is there, no ticket twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from service import RULES, Service, session, stored, until
from ticketserver import Plan, TicketServer

if TYPE_CHECKING:
    from pathlib import Path

PROBLEMS = 240
SENDERS = 6
FAULTS = {
    "ok": 6,
    "late": 1,
    "slow": 0.5,
    "lost": 1.5,
    "failed": 1,
    "busy": 1,
    "dropped": 1,
    "garbage": 0.5,
    "malformed": 0.5,
}


def elements() -> str:
    return "reference,name\n" + "".join(f"host{number},Host {number}\n" for number in range(PROBLEMS // 4))


def settings(url: str) -> dict[str, Any]:
    return {
        "sources": {"test": {"kind": "generic", "open": True}},
        "default_backend": "remote",
        "backends": {
            "remote": {
                "kind": "webhook",
                "concurrency": 8,
                "options": {
                    "url": f"{url}/tickets",
                    "update_url": f"{url}/tickets/{{number}}",
                    "find_url": f"{url}/tickets?reference={{reference}}",
                    "timeout": "1s",
                    "settle": "2s",
                },
            }
        },
        "delivery": {"first_retry": "500ms", "longest_retry": "1s", "lease": "2s", "doubt": "1500ms"},
    }


class Sender:
    """Sends alerts about its own problems, each until it is answered; remembers what was promised."""

    def __init__(self, service: Service, number: int, seed: int) -> None:
        self.service = service
        self.dice = random.Random(f"{seed}/{number}")
        self.problems = range(number, PROBLEMS, SENDERS)
        self.promised: list[str] = []
        self.firing: dict[int, bool] = {}
        self._sequence = 0
        self._number = number

    def _alert(self, problem: int, *, firing: bool) -> dict[str, Any]:
        self._sequence += 1
        return {
            "fingerprint": f"p{problem}",
            "status": "firing" if firing else "resolved",
            "severity": self.dice.choice(["critical", "minor"]),
            "resource": f"host{problem // 4}",
            "check": f"check{problem % 4}",
            "summary": f"sequence {self._number}-{self._sequence}.",
        }

    async def run(self, stop: asyncio.Event) -> None:
        async with session(5) as http:
            while not stop.is_set():
                chosen = self.dice.sample(self.problems, self.dice.randint(1, 4))
                batch = {problem: self.dice.random() < 0.8 for problem in chosen}
                await self._until_answered(http, batch)

    async def settle(self) -> None:
        """At the end, every problem fires once more or is over, for good."""
        async with session(5) as http:
            for problem in self.problems:
                await self._until_answered(http, {problem: problem % 3 != 0})

    async def _until_answered(self, http: aiohttp.ClientSession, batch: dict[int, bool]) -> None:
        alerts = [self._alert(problem, firing=firing) for problem, firing in batch.items()]
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(f"{self.service.url}/hooks/test", json=alerts) as answer:
                    if answer.status == 202:
                        await answer.read()
                        break
                    assert answer.status == 503, await answer.text()
            await asyncio.sleep(0.02)
        self.promised += [alert["summary"] for alert in alerts]
        self.firing.update(batch)


async def settled(service: Service) -> bool:
    waiting = "select count(*) from deliveries where state in ('pending', 'leased')"
    quiet = "select count(*) from incidents where state = 'clear'"
    return stored(service, waiting) == [(0,)] and stored(service, quiet) == [(0,)]


@pytest.mark.crash
@pytest.mark.timeout(3600)
async def test_killed_at_any_moment_nothing_answered_is_lost_and_no_ticket_is_made_twice(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    rounds = pytestconfig.getoption("--crash-rounds")
    seed = pytestconfig.getoption("--crash-seed")
    dice = random.Random(seed)
    async with TicketServer(Plan(faults=FAULTS, seed=seed), delay=1.2).serving() as tickets:
        service = Service(tmp_path, settings(tickets.url), RULES, elements())
        senders = [Sender(service, number, seed) for number in range(SENDERS)]
        stop = asyncio.Event()
        try:
            await service.start()
            sending = [asyncio.create_task(sender.run(stop)) for sender in senders]
            for _ in range(rounds):
                await asyncio.sleep(dice.uniform(0.05, 0.8))  # a random moment is what is tested
                await service.kill()
                await service.start()
            stop.set()
            await asyncio.gather(*sending)
            tickets.plan = Plan()
            await asyncio.gather(*(sender.settle() for sender in senders))
            await until(lambda: settled(service), 90, "every delivery to be settled")
            await service.stop()
        finally:
            stop.set()
            if service.process and service.process.returncode is None:
                await service.kill()
        _everything_answered_is_there(service, senders)
        _every_firing_problem_has_exactly_one_ticket(service, senders, tickets)
        assert sum(len(sender.promised) for sender in senders) > rounds * 5, "too little load to prove anything"
        assert tickets.met["lost"] + tickets.met["failed"] > rounds / 5, "too few lost answers to prove anything"


def _everything_answered_is_there(service: Service, senders: list[Sender]) -> None:
    kept = {text for (text,) in stored(service, "select json_extract(alert, '$.summary') from texts")}
    lost = [summary for sender in senders for summary in sender.promised if summary not in kept]
    assert not lost, f"{len(lost)} answered alerts are gone: {lost[:5]}"


def _every_firing_problem_has_exactly_one_ticket(
    service: Service, senders: list[Sender], tickets: TicketServer
) -> None:
    twice = {reference: count for reference, count in tickets.desk.creates().items() if count > 1}
    assert not twice, f"tickets made twice: {twice}"
    numbers = dict(
        stored(
            service,
            "select incidents.dedup_key, tickets.number from incidents join tickets on tickets.incident = incidents.n where slot = 0",
        )
    )
    firing = [problem for sender in senders for problem, fires in sender.firing.items() if fires]
    live = stored(service, "select count(*), count(distinct dedup_key) from incidents where slot = 0")[0]
    assert live == (len(firing), len(firing))
    assert len(numbers) == len(firing), "a firing problem has no ticket"
    for number in numbers.values():
        ticket = tickets.desk.tickets[number]
        assert ticket["status"] == "declared", f"{number} is {ticket['status']} although its problem fires"
    open_tickets = [one for one in tickets.desk.tickets.values() if one["status"] not in ("closed", "cancelled")]
    assert len(open_tickets) == len(firing)

"""What is measured, and how each figure is taken from a running server.

Knows the order of a round and what makes a figure invalid. Knows neither medians nor tables, and judges nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import load
import machine
import peers
from alerts import BATCH, REPEATED, Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BATCH_CONNECTIONS = 8
SINGLE_CONNECTIONS = 64
STALL_SECONDS = 5.0
"""How long the number of tickets may stand still before the rest count as missing."""
REST_SECONDS = 2.0
"""How long a server rests before its memory is read."""
SERVED = frozenset({"a", "b", "b2", "c", "d"})
"""The measures that a round takes from a running server."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: float
    """Length of one measure of throughput, and of the paced one."""
    singles: int
    """All-new single alerts in a round."""
    batched: int
    """All-new alerts in batches in a round."""
    incidents: int
    """Live incidents when memory is read."""
    rules: int = 1_000
    elements: int = 100_000


FULL = Size(rounds=5, seconds=2.5, singles=12_000, batched=30_000, incidents=100_000)
QUICK = Size(rounds=2, seconds=1.0, singles=2_000, batched=5_000, incidents=20_000)


@dataclass(frozen=True)
class Sample:
    """One figure of one round."""

    measure: str
    peer: str
    value: float
    """Alerts per second, milliseconds or megabytes: the measure says which."""
    facts: dict[str, float] = field(default_factory=dict)
    round: int = 0
    """Which round it is of, from 0; the peers' figures of one round were taken one right after the other."""
    trouble: str = ""
    """Why the figure does not count; empty when it does."""


@dataclass
class Stand:
    """Where measuring happens: the two cores, the folder for states, whom to tell of progress."""

    server_core: int
    folder: Path
    say: Callable[[str], None]


def one_round(stand: Stand, peer: peers.Peer, size: Size, wanted: set[str]) -> Iterator[Sample]:
    """Takes the wanted figures from a fresh server: repeats first, then the alerts that make its state grow."""
    with peers.serving(peer, stand.server_core, stand.folder) as server:
        visit = _Visit(stand, server)
        visit.warm_up()
        if "a" in wanted:
            yield visit.repeats("a", BATCH, BATCH_CONNECTIONS, size.seconds)
        if wanted & {"b", "d"}:
            singles = visit.repeats("b", 1, SINGLE_CONNECTIONS, size.seconds)
            yield singles
            if "d" in wanted:
                yield visit.latency(singles.value / 2, size.seconds)
        if "b2" in wanted:
            yield visit.new("b2", size.singles, 1, SINGLE_CONNECTIONS)
        if "c" in wanted:
            yield visit.new("c", size.batched, BATCH, BATCH_CONNECTIONS)


def held_memory(stand: Stand, peer: peers.Peer, size: Size) -> Sample:
    """Measures the memory of a server once every one of so many alerts is live, and has its ticket."""
    with peers.serving(peer, stand.server_core, stand.folder) as server:
        time.sleep(REST_SECONDS)
        before = machine.memory(server.pid)
        visit = _Visit(stand, server)
        loaded = visit.new("f", size.incidents, BATCH, BATCH_CONNECTIONS, seconds=90.0)
        time.sleep(REST_SECONDS)
        after = machine.memory(server.pid)
        facts = {"incidents": loaded.facts["alerts"], "at_start": before["resident"], **after}
        return Sample("f", peer.name, after["resident"], facts, trouble=loaded.trouble)


def ceiling(stand: Stand, seconds: float) -> Iterator[Sample]:
    """Measures what the generator could do at best: against a server that only answers."""
    with peers.serving(peers.RESPONDER, stand.server_core, stand.folder) as server:
        visit = _Visit(stand, server)
        yield visit.repeats("a", BATCH, BATCH_CONNECTIONS, seconds)
        yield visit.repeats("b", 1, SINGLE_CONNECTIONS, seconds)


class _Visit:
    """One server's time: what it has been told, and what it cost."""

    def __init__(self, stand: Stand, server: peers.Server) -> None:
        self._stand = stand
        self._server = server
        self._sender = Sender(server.port, datetime.now(UTC))
        self._accepted = 0
        """Different alerts that were answered 2xx: as many tickets are due."""

    def warm_up(self) -> None:
        """Makes the fixed set known to the server, and its code paths warm."""
        run = load.closed(self._server.port, self._sender.once(), connections=2, seconds=30.0)
        if run.errors:
            raise peers.PeerError(f"{self._server.peer.name} refuses the bench's alerts: {run.first_error}")
        self._accepted = REPEATED
        load.closed(self._server.port, self._sender.repeats(BATCH), connections=BATCH_CONNECTIONS, seconds=0.3)

    def repeats(self, measure: str, batch: int, connections: int, seconds: float) -> Sample:
        """Sends the fixed set again and again, as fast as it is answered."""
        requests = self._sender.repeats(batch)
        run, facts = self._watched(
            lambda: load.closed(self._server.port, requests, connections=connections, seconds=seconds)
        )
        return self._sample(measure, run.rate * batch, run, facts | {"alerts": run.requests * batch})

    def latency(self, rate: float, seconds: float) -> Sample:
        """Lets single repeats fall due at a fixed rate, and measures from then to the answer."""
        requests = self._sender.repeats(1)
        run, facts = self._watched(
            lambda: load.paced(
                self._server.port, requests, connections=SINGLE_CONNECTIONS, seconds=seconds, rate=max(rate, 1.0)
            )
        )
        return self._sample("d", facts["p99_ms"], run, facts | {"asked_rate": rate, "alerts": run.requests})

    def new(self, measure: str, count: int, batch: int, connections: int, seconds: float = 15.0) -> Sample:
        """Sends alerts never seen before; where tickets are made, the clock stops when the last one is there."""
        requests = self._sender.new(count, batch)
        self._await_tickets()
        run, facts = self._watched(
            lambda: load.closed(self._server.port, requests, connections=connections, seconds=seconds)
        )
        alerts = run.requests * batch
        self._accepted += alerts
        answered = time.perf_counter()
        missing = self._await_tickets()
        lag = time.perf_counter() - answered if self._server.peer.tickets else 0.0
        facts |= {"alerts": alerts, "answered_rate": run.rate * batch, "ticket_lag": lag}
        trouble = f"{missing} of {self._accepted} tickets differ from the alerts accepted" if missing else ""
        return self._sample(measure, alerts / (run.seconds + lag), run, facts, trouble)

    def _await_tickets(self) -> int:
        """Waits until each alert accepted has its ticket; gives by how many the count is wrong in the end."""
        if not self._server.peer.tickets:
            return 0
        tickets, moved_at = -1, time.monotonic()
        while time.monotonic() < moved_at + STALL_SECONDS:
            counted = self._server.tickets()
            if counted >= self._accepted:
                return counted - self._accepted
            if counted != tickets:
                tickets, moved_at = counted, time.monotonic()
            time.sleep(0.01)
        return self._accepted - tickets

    def _watched(self, measure: Callable[[], load.Run]) -> tuple[load.Run, dict[str, float]]:
        """Runs a measure and says how busy the server was, and the others on its core."""
        core, pid = self._stand.server_core, self._server.pid
        server, everyone = machine.cpu_seconds(pid), machine.core_seconds(core)
        run = measure()
        worked = machine.cpu_seconds(pid) - server
        others = machine.core_seconds(core) - everyone - worked
        return run, {
            "seconds": run.seconds,
            "server_busy": worked / run.seconds,
            "others_busy": max(0.0, others / run.seconds),
            "generator_busy": run.busy,
            "p50_ms": run.percentile(0.5) * 1e3,
            "p99_ms": run.percentile(0.99) * 1e3,
            "max_ms": run.percentile(1.0) * 1e3,
        }

    def _sample(self, measure: str, value: float, run: load.Run, facts: dict[str, float], trouble: str = "") -> Sample:
        if run.errors:
            trouble = f"{run.errors} of {run.errors + run.requests} requests failed; the first: {run.first_error}"
        name = self._server.peer.name
        facts["cpu_us"] = facts["server_busy"] * run.seconds / max(facts["alerts"], 1.0) * 1e6
        busy = f"server {facts['server_busy']:.0%} busy, generator {facts['generator_busy']:.0%}"
        self._stand.say(f"{name:12} {measure:2} {value:12,.1f}  {busy}  {trouble}")
        return Sample(measure, name, value, facts, trouble=trouble)

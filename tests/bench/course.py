"""The course of the whole bench: which figures are taken when, and what happens to one that cannot be.

Knows rounds, peers and the time there is. Knows neither how a figure is taken nor how it is shown.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import deciding
import measures
import peers
from load import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS = ("alertmanager", "tocsin")
LETTERS = ("a", "b", "b2", "c", "d", "e", "f")
ROUNDS_SECONDS = 180.0
"""No round begins later than this: the whole stays below eight minutes on a slow day."""


@dataclass
class Course:
    """One run of the bench: what is to be measured, and what was found so far."""

    stand: measures.Stand
    size: measures.Size
    wanted: set[str]
    servers: dict[str, peers.Peer]
    """Those still measured; one that cannot be is taken out."""
    decides: bool
    """Whether tocsin is among those asked for: `decide` is measured without its server."""
    samples: list[measures.Sample] = field(default_factory=list)
    ceiling: list[measures.Sample] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Takes every wanted figure; a server that cannot be measured costs its own figures only."""
        served = self.wanted & measures.SERVED
        if served:
            self.stand.say("the generator's best, against a bare responder")
            self.ceiling.extend(measures.ceiling(self.stand, 1.0))
            self._rounds(served)
        if "f" in self.wanted:
            for peer in tuple(self.servers.values()):
                with self._noting(peer):
                    self.samples.append(measures.held_memory(self.stand, peer, self.size))
        if "e" in self.wanted and self.decides:
            self.samples.extend(deciding.compare(self.stand))

    def _rounds(self, served: set[str]) -> None:
        """Takes the figures of every round; who begins changes, so that drift of the machine hits both."""
        started = time.monotonic()
        for number in range(self.size.rounds):
            if time.monotonic() - started > ROUNDS_SECONDS:
                self.troubles.append(f"only {number} of {self.size.rounds} rounds fitted in {ROUNDS_SECONDS:.0f} s")
                return
            for peer in tuple(self.servers.values())[:: -1 if number % 2 else 1]:
                self.stand.say(f"round {number + 1} of {self.size.rounds}: {peer.name}")
                with self._noting(peer):
                    taken = measures.one_round(self.stand, peer, self.size, served)
                    self.samples.extend(replace(sample, round=number) for sample in taken)

    @contextlib.contextmanager
    def _noting(self, peer: peers.Peer) -> Iterator[None]:
        """Notes why a server cannot be measured, and leaves it out from then on."""
        try:
            yield
        except (peers.PeerError, LoadError) as trouble:
            self.troubles.append(f"{peer.name}: {trouble}")
            self.stand.say(self.troubles[-1])
            del self.servers[peer.name]


def competitors(names: tuple[str, ...], size: measures.Size) -> dict[str, peers.Peer]:
    """Gives the servers to measure, by name."""
    known = (peers.ALERTMANAGER, peers.tocsin(rules=size.rules, elements=size.elements))
    return {peer.name: peer for peer in known if peer.name in names}

"""What is done with a candidate in a process of its own: values in, values out.

`python -m tocsin.web.api.tasks` reads tasks from its standard input, one after the other, and writes what came of each
to its standard output, until the input ends. See `aside` for why.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin import fleet as fleets
from tocsin.model import Alert, Element
from tocsin.web.api import candidates, verdicts
from tocsin.web.api.problem import Refused

if TYPE_CHECKING:
    from typing import BinaryIO

    from tocsin.fleet import Fleet
    from tocsin.web.api.candidates import Checked, Tested
    from tocsin.web.api.verdicts import Judged
from tocsin.workbench.ticketing import Ticketing

MEMORY = 4 * 1024**3
"""Most memory of the process, in bytes: whoever asks for more is refused by the system."""
_HEAD = 8


class Check(Struct, frozen=True, tag=True):
    """Say everything there is to say about a candidate."""

    files: dict[str, str]
    backends: frozenset[str]
    ticketing: Ticketing

    def done(self, fleet: Fleet) -> Checked:
        """Do it."""
        return candidates.check(self.files, self.backends, fleet, self.ticketing)


class Judge(Struct, frozen=True, tag=True):
    """Say what a candidate makes of alerts."""

    files: dict[str, str]
    known: frozenset[str]
    ticketing: Ticketing
    alerts: list[Alert]
    trace: int
    now: datetime

    def done(self, fleet: Fleet) -> list[Judged]:
        """Do it. Raises Refused when the candidate cannot be used."""
        judge = verdicts.Judge(
            rule_set=candidates.build(self.files, self.known),
            fleet=fleet,
            ticketing=self.ticketing,
            trace=self.trace,
            now=self.now,
        )
        return [judge.verdict(alert) for alert in self.alerts]


class Test(Struct, frozen=True, tag=True):
    """Run a candidate's own tests."""

    files: dict[str, str]
    backends: frozenset[str]
    ticketing: Ticketing

    def done(self, fleet: Fleet) -> Tested:
        """Do it. Raises Refused when the candidate cannot be used."""
        return candidates.test(self.files, self.backends, fleet, self.ticketing)


Task = Check | Judge | Test


class Order(Struct, frozen=True):
    """A task, and the fleet when it is another one than before."""

    task: Task
    elements: list[Element] | None


class Outcome(Struct, frozen=True):
    """What came of it: a value, or why there is none."""

    value: msgspec.Raw = msgspec.Raw(b"\xc0")
    status: int = 0
    problem: str = ""
    at: str = ""
    seconds: float = 0
    """How long it took."""


order = msgspec.msgpack.Decoder(Order)
outcome = msgspec.msgpack.Decoder(Outcome)
encode = msgspec.msgpack.Encoder().encode


def framed(message: bytes) -> bytes:
    """A message with its length before it."""
    return len(message).to_bytes(_HEAD, "big") + message


def length(head: bytes) -> int:
    """How long a message is, from the bytes before it."""
    return int.from_bytes(head, "big")


HEAD = _HEAD
"""So many bytes are before a message."""


def _serve(said: BinaryIO, told: BinaryIO) -> None:
    fleet = fleets.build(())
    while len(head := said.read(HEAD)) == HEAD:
        given = order.decode(said.read(length(head)))
        if given.elements is not None:
            fleet = fleets.build(given.elements)
        told.write(framed(encode(_outcome(given.task, fleet))))
        told.flush()
        gc.collect()


def _outcome(task: Task, fleet: Any) -> Outcome:
    begun = time.monotonic()
    try:
        value = msgspec.Raw(encode(task.done(fleet)))
        return Outcome(value=value, seconds=time.monotonic() - begun)
    except Refused as refused:
        return Outcome(status=refused.status, problem=refused.problem.error, at=refused.problem.at)


def main() -> None:
    """Serve until the input ends, after everything else on the machine."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()

"""What every kind of backend says to its system, word for word: goldens, so that a change of the wire is a diff to read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from deliveries import REFERENCE, delivery
from kit import REMOTE, World, in_doubt, told, world
from tocsin.backends._can import Can
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tocsin.backends import Kind

GOLDENS = Path(__file__).parent / "backends"
COMMAND = "make goldens"


async def opening(there: World) -> None:
    await there.tell(delivery(number=""))


async def opening_in_french(there: World) -> None:
    one = delivery(number="")
    await there.tell(replace(one, body=replace(one.body, language="fr")))


async def looking_up(there: World) -> None:
    await there.tell(in_doubt())


async def after_opening(there: World, *steps: tuple[str, dict[str, object]]) -> None:
    receipt = await there.opened()
    there.server.seen.clear()
    there.server.clock.advance(minutes=1)
    for number, (action, body) in enumerate(steps, 18):
        await there.tell(told(action, receipt.number, id=number, body=body))


async def a_note(there: World) -> None:
    await after_opening(there, ("note", {}))


async def an_impact(there: World) -> None:
    await after_opening(there, ("update", {"impact": Impact.DEGRADED}))


async def repaired(there: World) -> None:
    await after_opening(there, ("update", {"status": TicketStatus.REPAIRED}))


async def closing(there: World) -> None:
    await after_opening(there, ("close", {}))


async def reopening(there: World) -> None:
    await after_opening(there, ("close", {}), ("reopen", {}))


async def what_changed(there: World) -> None:
    receipt = await there.opened()
    there.server.seen.clear()
    since = there.server.clock.advance(minutes=5)
    there.server.face.person(receipt.number, status="in_progress")
    await there.backend.changes(since - timedelta(minutes=1))


async def a_check(there: World) -> None:
    await there.backend.check()


CASES: dict[str, tuple[Callable[[World], Awaitable[None]], tuple[Can, ...]]] = {
    "open": (opening, ()),
    "open-french": (opening_in_french, ()),
    "look-up": (looking_up, ()),
    "note": (a_note, (Can.NOTE,)),
    "impact": (an_impact, (Can.IMPACT,)),
    "repaired": (repaired, (Can.REPAIRED,)),
    "close": (closing, (Can.CLOSE,)),
    "reopen": (reopening, (Can.CLOSE, Can.REOPEN)),
    "changes": (what_changed, (Can.CHANGES,)),
    "check": (a_check, (Can.CHECK,)),
}
"""Name of the golden → what is told, and what the system must be able to do for it."""


def able(kind: Kind) -> list[str]:
    return [case for case, (_, needs) in CASES.items() if not any(need in kind.lacks for need in needs)]


@pytest.mark.parametrize(
    ("kind", "case"),
    [pytest.param(kind, case, id=f"{kind.name}-{case}") for kind in REMOTE for case in able(kind)],
)
async def test_what_is_said_on_the_wire_is_what_the_golden_says(
    kind: Kind, case: str, pytestconfig: pytest.Config
) -> None:
    story, _ = CASES[case]
    async with world(kind) as there:
        await story(there)
        said = json.dumps(there.server.transcript(), ensure_ascii=False, indent=2) + "\n"
    golden = GOLDENS / kind.name / f"{case}.expected.json"
    if pytestconfig.getoption("--update-goldens"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(said, "utf-8")
    assert golden.exists(), f"kind {kind.name} lacks the golden {golden.name}: run `{COMMAND}`, then read what it wrote"
    assert said == golden.read_text("utf-8")


def test_goldens_that_no_case_makes_are_gone() -> None:
    for kind in REMOTE:
        there = {path.name for path in (GOLDENS / kind.name).glob("*.expected.json")}
        left = there - {f"{case}.expected.json" for case in able(kind)}
        assert not left or kind.name == "webhook", f"{kind.name}: {sorted(left)}"
    assert REFERENCE

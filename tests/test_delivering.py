"""Ticket systems are looked over once at the start: what will not do is said, and holds nothing up."""

from __future__ import annotations

from structlog.testing import capture_logs

from fakes.core import Does
from kit import World, world
from tocsin import delivering
from tocsin.backends import build, kinds

REDMINE = kinds()["redmine"]


async def said(there: World, **options: str) -> list[str]:
    backend = build("redmine", "portal", {**there.server.face.options(), **options}, there.outside)
    with capture_logs() as logs:
        await delivering.look_over({"portal": backend})
    return [f"{line['event']}: {line.get('told') or line.get('problem')}" for line in logs]


async def test_what_is_in_order_is_not_mentioned_and_nothing_is_changed() -> None:
    async with world(REDMINE) as there:
        assert await said(there) == []
        assert there.server.asked(Does.CHECK)
        assert not there.server.asked(Does.CREATE, Does.CHANGE)


async def test_what_the_options_name_and_is_not_there_is_said() -> None:
    async with world(REDMINE) as there:
        (line,) = [line for line in await said(there, tracker="Incidnet") if "Incidnet" in line]
    assert line.startswith("a check found: ")
    assert "Incident" in line


async def test_a_system_that_does_not_answer_is_said_to_and_stops_nothing() -> None:
    async with world(REDMINE) as there:
        there.server.script(Does.CHECK, *["down"] * 20)
        (line,) = await said(there)
    assert line.startswith("the ticket system could not be checked: ")
    assert "502" in line

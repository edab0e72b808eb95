"""Ticket systems are looked over once at the start: what will not do is said, and holds nothing up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from aiolimiter import AsyncLimiter
from structlog.testing import capture_logs

from fakes.core import Does
from kit import World, told, world
from tocsin import delivering
from tocsin.backends import build, kinds
from tocsin.backends._paced import Paced
from tocsin.settings import Settings

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


async def test_questions_keep_to_the_rate_and_are_in_no_delivery_s_way() -> None:
    async with world(REDMINE) as there:
        number = (await there.opened()).number
        paced = Paced(there.backend, AsyncLimiter(2, 3600))
        for _ in range(2):
            assert await paced.read(number)
        third = asyncio.create_task(paced.read(number))
        await paced.deliver(told("note", number))
        assert len(there.server.asked(Does.READ)) == 3, "two questions, and the one of the delivery"
        assert not third.done()
        third.cancel()


def test_only_systems_with_a_rate_are_paced() -> None:
    given = {"kind": "redmine", "options": {}}
    settings = Settings(backends={"slow": {**given, "rate": 0.5}, "fast": given}, sources={}, default_backend="fast")
    there = {name: SimpleNamespace(name=name, lacks={}, settle=None, passes=None) for name in ("slow", "fast")}
    paced = delivering.paced(settings, cast("Any", there))
    assert {name: isinstance(one, Paced) for name, one in paced.items()} == {"slow": True, "fast": False}

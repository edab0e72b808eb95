"""Turns: blocking work of the interface runs in threads, a few at once, so that it can never starve the intake."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from tocsin.web.api.problem import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
"""So many threads work; the others wait."""
WAITING = 20
"""More than so many that work or wait are sent away."""


class Turns:
    """Whose turn it is."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._there = 0

    async def run(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Call a function in a thread when its turn comes. Raises Refused (503) when too many wait."""
        if self._there >= WAITING:
            raise Refused(503, "too much is asked at once", retry_after="5")
        self._there += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(function, *args, **named)
        finally:
            self._there -= 1

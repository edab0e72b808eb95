"""Decides again what fires without an incident, when somebody asks after a change of rules or fleet.

In small transactions, so that alerts never wait long behind it. What is decided is the business of `intake`.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct

from tocsin import intake

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.web.hooks import Door, Source

_log = structlog.get_logger("redeciding")


class Redone(Struct, frozen=True, kw_only=True):
    """What came of it all."""

    changed: int
    """About so many the rules say something else now."""
    unchanged: int
    """About so many they say the same."""
    outcomes: dict[str, int]
    """What became of those that changed: outcome (`opened`, `held`, `recorded` …) → how many."""


class Redeciding:
    """The way to decide again, as often as somebody asks."""

    def __init__(self, sources: Iterable[Source], door: Door) -> None:
        self._sources = {source.name: source for source in sources}
        self._door = door

    async def run(self) -> Redone:
        """Decide everything again that fires without an incident. Raises StoreError when the store cannot write."""
        fates: list[intake.Fate] = []
        unchanged, after, going = 0, 0, True
        while going:
            batch = partial(intake.redecide, intake_of=self._intake_of, after=after, now=self._door.clock())
            done = await self._door.store.run(batch)
            fates += done.fates
            unchanged, after = unchanged + done.unchanged, done.last
            going = after > 0
        return self._told(fates, unchanged)

    def _intake_of(self, name: str) -> intake.Intake:
        return self._door.taking.needs(self._sources.get(name))

    def _told(self, fates: list[intake.Fate], unchanged: int) -> Redone:
        metrics = self._door.metrics
        metrics.decided([(fate.rule, fate.outcome) for fate in fates if fate.rule])
        metrics.ticketed_at_once(sum(fate.outcome == "opened" and bool(fate.ticket) for fate in fates))
        outcomes = dict(sorted(Counter(fate.outcome for fate in fates).items()))
        _log.info("decided again", changed=len(fates), unchanged=unchanged, **outcomes)
        return Redone(changed=len(fates), unchanged=unchanged, outcomes=outcomes)

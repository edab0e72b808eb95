"""The rules and the fleet that are live, and how they change: checked wholly, then swapped as one.

A bad edit, a failing rule test included, leaves the last good set live and says so in log, metric and readiness. Knows
where files are; what they mean is the business of `rules` and `fleet`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from watchfiles import awatch

from tocsin import fleet as fleets
from tocsin import rules
from tocsin.errors import RuleError, StoreError
from tocsin.intake import Rulebook
from tocsin.store import keep
from tocsin.workbench import testing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tocsin.fleet import Fleet
    from tocsin.metrics import Metrics
    from tocsin.store import Store

_log = structlog.get_logger("reload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the files are, and which backends a rule may name."""

    rules: Path
    fleet: Path
    backends: frozenset[str]


def check(places: Places) -> tuple[rules.RuleSet, Fleet]:
    """Read rules and fleet, and run the rules' own tests.

    Raises:
        RuleError: Something cannot go live; a `rules.RulesError` holds all of the problems.
    """
    # In this order: what reading rules leaves behind is room that a large fleet then takes.
    rule_set = rules.load(places.rules, known_backends=places.backends)
    fleet = fleets.load(places.fleet)
    testing.check(rule_set, fleet)
    return rule_set, fleet


class Rulebooks:
    """The live rulebook and its changes."""

    def __init__(self, places: Places, store: Store, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self._places = places
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._current: Rulebook | None = None
        self._one_at_a_time = asyncio.Lock()
        self.problem = ""
        """Why the last reload did not go live; empty when it did."""

    def current(self) -> Rulebook:
        """The rulebook that decides now."""
        if self._current is None:
            raise RuleError("no rules are loaded yet")
        return self._current

    async def start(self) -> None:
        """Load what is on disk; when those rules cannot go live, the last good set kept in the store does.

        Raises:
            RuleError: There is no good set at all.
        """
        try:
            await self._swap()
        except RuleError as error:
            await self._fall_back(error)

    async def reload(self) -> str:
        """Load what is on disk and let it go live; returns the problem when it cannot, empty when it did."""
        try:
            await self._swap()
        except RuleError as error:
            self._refuse(error)
        return self.problem

    async def watch(self, stopping: asyncio.Event) -> None:
        """Reload whenever a file changes, until `stopping`."""
        folders = {self._places.rules, self._places.fleet}
        while not stopping.is_set():
            try:
                async for _ in awatch(*folders, stop_event=stopping, debounce=400, rust_timeout=1000):
                    await self.reload()
            except (OSError, RuntimeError) as error:  # a folder is gone for a moment, as when a checkout is swapped
                _log.warning("rules and fleet cannot be watched, trying again", problem=str(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), 5)

    async def _swap(self) -> None:
        async with self._one_at_a_time:
            rule_set, fleet = await asyncio.to_thread(check, self._places)
            await self._go_live(rule_set, fleet)
            self.problem = ""
            self._metrics.reloaded(good=True, at=self._clock().timestamp())

    async def _go_live(self, rule_set: rules.RuleSet, fleet: Fleet) -> None:
        now = self._clock()
        try:
            await self._store.run(lambda tx: keep.keep_rule_set(tx, rule_set, now))
        except StoreError as error:
            raise RuleError(f"the rules cannot be kept, so they do not go live: {error}") from error
        era = self._current.era + 1 if self._current else 1
        self._current = Rulebook(rule_set, fleet, era)
        self._metrics.live(rule_set.hash, fleet.hash, len(rule_set.rules), len(fleet))
        _log.info("rules are live", rules=len(rule_set.rules), elements=len(fleet), hash=rule_set.hash)

    async def _fall_back(self, error: RuleError) -> None:
        files = await self._store.run(keep.latest_rule_set)
        if files is None:
            raise error
        fleet = await asyncio.to_thread(fleets.load, self._places.fleet)
        rule_set = await asyncio.to_thread(rules.build, files, known_backends=self._places.backends)
        await self._go_live(rule_set, fleet)
        self._refuse(error)

    def _refuse(self, error: RuleError) -> None:
        self.problem = str(error).replace("\n", "; ")
        self._metrics.reloaded(good=False, at=self._clock().timestamp())
        _log.error("rules refused, the last good ones stay live", problem=self.problem)

"""The rules and the fleet that are live, and how they change: checked wholly, then swapped as one.

A bad edit, a failing rule test included, leaves the last good set live and says so in log, metric and readiness. A
shadow rule set is watched in the same way, and never harms the live one. Knows where files are; what they mean is the
business of `rules` and `fleet`.
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
from tocsin.rules import folder
from tocsin.store import changes, keep, shadows
from tocsin.store.changes import GoesLive, How, Told
from tocsin.workbench import testing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tocsin.fleet import Fleet
    from tocsin.metrics import Metrics
    from tocsin.store import Store, Transaction

_log = structlog.get_logger("reload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the files are, and which backends a rule may name."""

    rules: Path
    fleet: Path
    backends: frozenset[str]
    shadow: Path | None = None
    """The folder of the shadow rule set, if there is to be one."""
    ticketing: testing.Ticketing = testing.USUAL
    """What the rules' own tests are told of the settings."""


def check(places: Places) -> tuple[rules.RuleSet, Fleet]:
    """Read rules and fleet, and run the rules' own tests.

    Raises:
        RuleError: Something cannot go live; a `rules.RulesError` holds all of the problems.
    """
    # In this order: what reading rules leaves behind is room that a large fleet then takes.
    rule_set = rules.load(places.rules, known_backends=places.backends)
    fleet = fleets.load(places.fleet)
    testing.check(rule_set, fleet, places.ticketing)
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
        self.shadow_problem = ""
        """Why the shadow rules on disk do not decide beside the live ones; empty when they do, or there are to be none."""

    @property
    def places(self) -> Places:
        """Where the files are."""
        return self._places

    def current(self) -> Rulebook:
        """The rulebook that decides now."""
        if self._current is None:
            raise RuleError("no rules are loaded yet")
        return self._current

    def detail(self) -> dict[str, str]:
        """What is not as the files on disk want it: `rules`, `shadow`, each with why."""
        detail = {"rules": f"the last good ones are live: {self.problem}"} if self.problem else {}
        if self.shadow_problem:
            last = "the last good ones go on" if self.current().shadow else "none decide beside the live ones"
            detail["shadow"] = f"{last}: {self.shadow_problem}"
        return detail

    async def start(self) -> None:
        """Load what is on disk; when those rules cannot go live, the last good set kept in the store does.

        Raises:
            RuleError: There is no good set at all.
        """
        try:
            await self._swap(Told(how=How.START))
        except RuleError as error:
            await self._fall_back(error)

    async def reload(self, told: Told | None = None) -> str:
        """Load what is on disk and let it go live; returns the problem when it cannot, empty when it did.

        `told`: who wants that, and how; both are kept. Whoever replaced the files by `tocsin rules` has said it there.
        """
        try:
            await self._swap(told or Told(how=How.RELOAD))
        except RuleError as error:
            self._refuse(error)
        return self.problem

    async def watch(self, stopping: asyncio.Event) -> None:
        """Reload whenever a file changes, until `stopping`."""
        watches = [self._watch({self._places.rules, self._places.fleet}, stopping)]
        if self._places.shadow:
            watches.append(self._watch({self._places.shadow}, stopping))  # on its own: it may be gone
        await asyncio.gather(*watches)

    async def _watch(self, folders: set[Path], stopping: asyncio.Event) -> None:
        lost = False
        while not stopping.is_set():
            try:
                if lost and all(each.is_dir() for each in folders):  # what changed meanwhile, nobody has told
                    await self.reload(Told(how=How.FILE))
                    lost = False
                async for _ in awatch(*folders, stop_event=stopping, debounce=400, rust_timeout=1000):
                    await self.reload(Told(how=How.FILE))
            except (OSError, RuntimeError) as error:  # a folder is gone for a moment, as when a checkout is swapped
                if not lost:
                    _log.warning("rules and fleet cannot be watched, trying again", problem=str(error))
                lost = True
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), 5)

    async def _swap(self, told: Told) -> None:
        async with self._one_at_a_time:
            try:
                rule_set, fleet = await asyncio.to_thread(check, self._places)
            except RuleError:
                if self._current:
                    await self._shadow(self._current)
                raise
            await self._go_live(rule_set, fleet, told)
            self.problem = ""
            self._metrics.reloaded(good=True, at=self._clock().timestamp())

    async def _go_live(self, rule_set: rules.RuleSet, fleet: Fleet, told: Told) -> None:
        now = self._clock()
        journal = folder.note(self._places.rules)
        what = GoesLive(rules=rule_set, count=len(rule_set.rules), fleet=fleet.hash, elements=len(fleet))
        try:
            await self._store.run(lambda tx: _record(tx, what, journal, told, now))
        except StoreError as error:
            raise RuleError(f"the rules cannot be kept, so they do not go live: {error}") from error
        if journal:
            folder.forget(self._places.rules)
        await self._shadow(self._swapped(rule_set, fleet))
        self._metrics.live(rule_set.hash, fleet.hash, len(rule_set.rules), len(fleet))
        _log.info("rules are live", rules=len(rule_set.rules), elements=len(fleet), hash=rule_set.hash)

    def _swapped(self, rule_set: rules.RuleSet, fleet: Fleet) -> Rulebook:
        """The rulebook to be, of a new era when rules or fleet are others: what fires is then decided again."""
        before = self._current
        if before is None:
            return Rulebook(rule_set, fleet, 1)
        same = (before.rule_set.hash, before.fleet.hash) == (rule_set.hash, fleet.hash)
        return Rulebook(rule_set, fleet, before.era if same else before.era + 1, before.shadow)

    async def _shadow(self, book: Rulebook) -> None:
        """Let the book be the live one, together with the shadow rules; when those are wrong, with the last good ones."""
        shadow, problem = book.shadow, ""
        try:
            shadow = await asyncio.to_thread(_shadow_of, self._places, book.fleet)
        except RuleError as error:
            problem = str(error).replace("\n", "; ")
            _log.error("shadow rules refused, the last good ones go on", problem=problem)
        if shadow and shadow.hash == book.rule_set.hash:
            shadow = None  # promoted: there is nothing to compare
        now = self._clock()
        try:
            await self._store.run(lambda tx: shadows.follow(tx, shadow, now))
        except StoreError as error:
            shadow, problem = None, f"the shadow rules cannot be kept, so they do not decide: {error}"
        self._current = Rulebook(book.rule_set, book.fleet, book.era, shadow)
        self.shadow_problem = problem
        self._metrics.shadowed(shadow.hash if shadow else "", len(shadow.rules) if shadow else 0, good=not problem)

    async def _fall_back(self, error: RuleError) -> None:
        files = await self._store.run(keep.latest_rule_set)
        if files is None:
            raise error
        fleet = await asyncio.to_thread(fleets.load, self._places.fleet)
        rule_set = await asyncio.to_thread(rules.build, files, known_backends=self._places.backends)
        await self._go_live(rule_set, fleet, Told(how=How.START))
        self._refuse(error)

    def _refuse(self, error: RuleError) -> None:
        self.problem = str(error).replace("\n", "; ")
        self._metrics.reloaded(good=False, at=self._clock().timestamp())
        _log.error("rules refused, the last good ones stay live", problem=self.problem)


def _record(tx: Transaction, what: GoesLive, journal: folder.Journal | None, told: Told, now: datetime) -> None:
    """Keep what goes live, by whoever replaced the files when these are still those, and nobody was told of since."""
    if journal and journal.hash == what.rules.hash and not told.who:
        last = changes.history(tx, 1)
        if not last or last[0].at < journal.at:
            told = Told(how=How(journal.how), who=journal.who)
    changes.go_live(tx, what, told, now)


def _shadow_of(places: Places, fleet: Fleet) -> rules.RuleSet | None:
    """The shadow rule set on disk, checked like the live one. Raises RuleError when it cannot decide."""
    if places.shadow is None:
        return None
    shadow = rules.load(places.shadow, known_backends=places.backends)
    testing.check(shadow, fleet, places.ticketing)
    return shadow

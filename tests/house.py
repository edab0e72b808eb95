"""What tests build the house from: a clock that is set by hand, a store in a folder, alerts and rules in one line."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tocsin import fleet, intake, rules
from tocsin.desk import Desk
from tocsin.model import Alert, Criticality, Element, Impact, Payload, Priority, Severity, Status
from tocsin.rules.routing import NO_ROUTES
from tocsin.store import Backends, Store
from tocsin.store.mint import mint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from tocsin.store import Transaction
    from tocsin.store.sqlite import Observer

T0 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)

RULES = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, major: severe, else: degraded}
    close: {after: 15m}
    ticket:
      name: {en: 'Disk of {{ element.name }}', fr: 'Disque de {{ element.name }}'}
  - id: ping
    match: {check: ping}
    element: {lookup: '{{ resource }}'}
    impact: interrupted
    hold: 2m
  - id: noise
    match: {check: noise}
    action: ignore
fallback: {action: record}
"""

ELEMENTS = tuple(
    Element(reference=f"DF{number}", name=f"web{number}", criticality=Criticality.HIGH, aliases=(f"web{number}",))
    for number in range(1, 10)
)
PRIORITIES = {impact: dict.fromkeys(Criticality, Priority.P3) for impact in Impact} | {
    Impact.INTERRUPTED: dict.fromkeys(Criticality, Priority.P1)
}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


class Running(Clock):
    """The real clock, that can be set forward."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    @property
    def now(self) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + self._ahead

    def passes(self, **span: float) -> datetime:
        self._ahead += timedelta(**span)
        return self.now


def alert(**facts: Any) -> Alert:
    usual = {
        "source": "test",
        "fingerprint": "f1",
        "status": Status.FIRING,
        "severity": Severity.CRITICAL,
        "resource": "web1",
        "check": "disk",
        "summary": "disk is full",
    }
    return Alert(**{**usual, **facts})


def rulebook(text: str = RULES, era: int = 1) -> intake.Rulebook:
    return intake.Rulebook(rules.build({"10-test.yaml": text}), fleet.build(ELEMENTS), era)


@asynccontextmanager
async def opened(
    folder: Path, backend: str = "desk", limit: int = 20_000, observer: Observer | None = None
) -> AsyncIterator[Store]:
    desk = Desk(PRIORITIES)
    store = Store(
        folder,
        backends=Backends(default=backend, embedded={"desk": desk}),
        limit=limit,
        observer=observer,
        clock=time.perf_counter,
    )
    await store.open(T0)
    try:
        yield store
    finally:
        await store.close()


class Road:
    """Alerts in, fates out, on a store."""

    def __init__(self, store: Store, clock: Clock, text: str = RULES) -> None:
        self.store = store
        self.clock = clock
        self.book = rulebook(text)
        self.routes = NO_ROUTES
        self._mint = mint()

    def change_rules(self, text: str) -> None:
        self.book = rulebook(text, self.book.era + 1)

    def taking(self, *alerts: Alert) -> Callable[[Transaction], list[intake.Fate]]:
        taking = intake.Intake(rulebook=self.book, mint=self._mint, routes=self.routes)
        payload = Payload(body=b"{}", source="test")
        return lambda tx: intake.take(tx, payload, alerts, taking, self.clock.now)

    async def take(self, *alerts: Alert) -> list[intake.Fate]:
        return await self.store.run(self.taking(*alerts), len(alerts))


async def rows(store: Store, sql: str) -> Sequence[tuple[Any, ...]]:
    """What the database holds, read by plain SQL."""
    return await store.run(lambda tx: tx._connection.execute(sql).fetchall())

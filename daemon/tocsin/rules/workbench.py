"""Runs the tests that rule files carry: their alerts on a virtual clock through the one engine and the one lifecycle.

Nothing is decided a second way here: `engine.decide` and `live.Live` are what the service runs, with nothing behind.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.errors import RuleError
from tocsin.lifecycle import TicketSeen
from tocsin.live import Firing, Live, Surroundings, said, what
from tocsin.model import Action, Alert, Change, Decision, DeliveryAction, Incident, Note, State, Status, Texts
from tocsin.rules import engine
from tocsin.rules.problems import RulesError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.fleet import Fleet
    from tocsin.rules import RuleSet
    from tocsin.rules.examples import Expectation, Touch
    from tocsin.rules.timeline import RuleTest

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
"""When every test begins: a Monday at three in the morning."""


class Failure(Struct, frozen=True, kw_only=True):
    """One expectation that was not met."""

    test: str
    file: str
    line: int
    at: timedelta
    what: str
    expected: str
    came: str

    def __str__(self) -> str:
        minutes = f"{self.at.total_seconds():g}s"
        return f'test "{self.test}" at {minutes}: {self.what}: expected {self.expected}, came {self.came}'


class _World:
    """Alerts in, incidents and tickets out, on a clock that is set."""

    def __init__(self, rule_set: RuleSet, fleet: Fleet) -> None:
        self._rule_set = rule_set
        self._fleet = fleet
        self._live = Live()
        self._closed: dict[str, Incident] = {}
        self._rows = 0
        self._around = Surroundings(closed=self._closed.get, mint=self._mint, declarant="Supervision")
        self.decision: Decision | None = None
        self.incident: Incident | None = None
        self.ticket: Decision | None = None
        """The decision whose texts the latest ticket has."""
        self.tickets = 0
        self.notes: list[Note] = []

    def take(self, alert: Alert, now: datetime) -> None:
        firing = self._live.find(alert.source, alert.fingerprint)
        if alert.status == Status.RESOLVED:
            self._resolve(alert, firing, now)
            return
        self.decision = decision = engine.decide(alert, self._rule_set, self._fleet, now)
        if decision.action != Action.TICKET:
            if firing:
                self._hear(self._live.resolve(firing, what(alert), now))
            self._keep(alert, 0, now)
            return
        self.ticket = decision
        met = self._live.meet(alert, firing, decision, 0, self._around, now)
        self._hear(met.left)
        self._hear(met.change)
        self.incident = met.incident
        self._keep(alert, met.incident.n, now)

    def touch(self, touch: Touch, now: datetime) -> None:
        if self.incident:
            self._hear(self._live.see(self.incident.n, TicketSeen(actor=touch.actor, status=touch.status), now))

    def pass_time(self, now: datetime) -> None:
        """All that falls due up to `now`, each at its own moment."""
        due = self._live.next_due()
        while due is not None and due <= now:
            for change, _ in self._live.ticked(due):
                self._hear(change)
            due = self._live.next_due()

    def _resolve(self, alert: Alert, firing: Firing | None, now: datetime) -> None:
        if firing:
            self._hear(self._live.resolve(firing, what(alert), now))
            self._live.forget(firing)

    def _keep(self, alert: Alert, n: int, now: datetime) -> None:
        self._live.keep(
            Firing(
                source=alert.source,
                fingerprint=alert.fingerprint,
                said=said(alert),
                era=1,
                row=0,
                text=0,
                decision=0,
                n=n,
                outcome="",
                seen_at=now,
            )
        )

    def _hear(self, change: Change | None) -> None:
        if change is None:
            return
        self.incident = change.incident
        self.notes.extend(change.notes)
        self.tickets += sum(action == DeliveryAction.OPEN for action in change.deliveries)
        if change.incident.state == State.CLOSED:
            self._closed[change.incident.dedup_key] = change.incident
        self._live.settle()

    def _mint(self) -> tuple[str, int]:
        self._rows += 1
        return f"{self._rows:04}", self._rows


def run(test: RuleTest, rule_set: RuleSet, fleet: Fleet) -> list[Failure]:
    """Run one test; returns the expectations that were not met, none for a test that passes."""
    world = _World(rule_set, fleet)
    failures: list[Failure] = []
    for at, _, event in _score(test):
        now = START + at
        world.pass_time(now)
        if isinstance(event, Alert):
            world.take(event, now)
        elif event in test.people:
            world.touch(event, now)
        else:
            failures.extend(_unmet(test, event, world))  # type: ignore[arg-type]
    return failures


def _score(test: RuleTest) -> list[tuple[timedelta, int, Alert | Touch | Expectation]]:
    """Everything in order of time; at one moment alerts come first, then people, then expectations."""
    events: list[tuple[timedelta, int, Alert | Touch | Expectation]] = []
    events += [(step.at, 0, step.alert) for step in test.steps]
    events += [(touch.at, 1, touch) for touch in test.people]
    events += [(expectation.at, 2, expectation) for expectation in test.expect]
    return sorted(events, key=lambda event: event[:2])


def _unmet(test: RuleTest, expected: Expectation, world: _World) -> Iterator[Failure]:
    for name, wanted, came in _compared(expected, world):
        yield Failure(
            test=test.name, file=test.file, line=test.line, at=expected.at, what=name, expected=wanted, came=came
        )


def _compared(expected: Expectation, world: _World) -> Iterator[tuple[str, str, str]]:
    """What differs: name of the expectation, what was wanted, what came."""
    decision, incident = world.decision, world.incident
    facts: dict[str, object] = {
        "tickets": world.tickets,
        "state": incident.state if incident else None,
        "impact": incident.impact if incident and decision and decision.impact else decision and decision.impact,
        "action": decision.action if decision else None,
        "rule": decision.rule if decision else None,
        "element": decision.element.reference if decision and decision.element else None,
    }
    for name, came in facts.items():
        wanted = getattr(expected, name)
        if wanted is not None and wanted != came:
            yield name, str(wanted), _or_nothing(came, decision)
    yield from _texts_compared(expected, world)
    if expected.because is not None:
        reasons = _reasons(world)
        if not any(expected.because.lower() in reason.lower() for reason in reasons):
            yield "because", repr(expected.because), " · ".join(reasons) or "no reason"


def _texts_compared(expected: Expectation, world: _World) -> Iterator[tuple[str, str, str]]:
    name: Texts = world.ticket.name if world.ticket else {}
    for language, wanted in _languages(expected.name):
        if name.get(language, "") != wanted:
            yield f"name in {language}", repr(wanted), repr(name.get(language, ""))
    description: Texts = world.ticket.description if world.ticket else {}
    for language, wanted in _languages(expected.description):
        if wanted not in description.get(language, ""):
            yield f"description in {language}", f"to hold {wanted!r}", repr(description.get(language, ""))


def _languages(texts: object) -> Iterator[tuple[str, str]]:
    if texts is None:
        return
    if isinstance(texts, str):
        yield "en", texts
        return
    for language in ("en", "fr"):
        wanted = getattr(texts, language, None)
        if wanted is not None:
            yield language, wanted


def _or_nothing(came: object, decision: Decision | None) -> str:
    if came is not None:
        return str(came)
    return f"nothing ({decision.reason})" if decision and decision.reason else "nothing"


def _reasons(world: _World) -> list[str]:
    reasons = [note.text["en"] for note in world.notes]
    return [*reasons, world.decision.reason] if world.decision and world.decision.reason else reasons


def check(rule_set: RuleSet, fleet: Fleet) -> None:
    """Run all tests of a rule set.

    Raises:
        RulesError: Tests failed; each problem names the file, the line, and what came instead.
    """
    failures = [failure for test in rule_set.tests for failure in run(test, rule_set, fleet)]
    if not failures:
        return
    raise RulesError([RuleError(str(failure), file=failure.file, line=failure.line) for failure in failures])

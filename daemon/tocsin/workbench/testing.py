"""Runs the tests that rule files carry: their alerts on a virtual clock through the one engine and the one lifecycle.

Nothing is decided a second way here: `engine.decide` and `live.Live` are what the service runs, with nothing behind.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.errors import RuleError
from tocsin.model import Alert, Change, Decision, DeliveryAction, Incident, Note, Texts
from tocsin.rules.problems import RulesError
from tocsin.workbench.world import World

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


class _Told:
    """What has come of the alerts so far."""

    def __init__(self, rule_set: RuleSet, fleet: Fleet) -> None:
        self.world = World(rule_set, fleet, self._hear)
        self.incident: Incident | None = None
        self.tickets = 0
        self.notes: list[Note] = []
        self._texts: dict[int, Decision] = {}

    @property
    def ticket(self) -> Decision | None:
        """The decision whose texts the ticket of the latest incident has."""
        return self._texts.get(self.incident.n) if self.incident else None

    @property
    def decision(self) -> Decision | None:
        return self.world.decision

    def take(self, alert: Alert, now: datetime) -> None:
        self.incident = self.world.take(alert, now) or self.incident

    def touch(self, touch: Touch, now: datetime) -> None:
        if self.incident:
            self.world.touch(self.incident.n, touch.actor, touch.status, now)

    def _hear(self, change: Change, decision: Decision, _now: datetime) -> None:
        self.incident = change.incident
        self._texts[change.incident.n] = decision
        self.notes.extend(change.notes)
        self.tickets += sum(action == DeliveryAction.OPEN for action in change.deliveries)


def run(test: RuleTest, rule_set: RuleSet, fleet: Fleet) -> list[Failure]:
    """Run one test; returns the expectations that were not met, none for a test that passes."""
    world = _Told(rule_set, fleet)
    failures: list[Failure] = []
    for at, _, event in _score(test):
        now = START + at
        world.world.pass_time(now)
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


def _unmet(test: RuleTest, expected: Expectation, world: _Told) -> Iterator[Failure]:
    for name, wanted, came in _compared(expected, world):
        yield Failure(
            test=test.name, file=test.file, line=test.line, at=expected.at, what=name, expected=wanted, came=came
        )


def _compared(expected: Expectation, world: _Told) -> Iterator[tuple[str, str, str]]:
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


def _texts_compared(expected: Expectation, world: _Told) -> Iterator[tuple[str, str, str]]:
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


def _reasons(world: _Told) -> list[str]:
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

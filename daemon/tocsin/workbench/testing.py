"""Runs the tests that rule files carry: their alerts on a virtual clock through the one engine and the one lifecycle.

Nothing is decided a second way here: `engine.decide` and `live.Live` are what the service runs, with nothing behind. Pure.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin import units
from tocsin.errors import Code, RuleError
from tocsin.rules.problems import RulesError
from tocsin.rules.timeline import RuleTest
from tocsin.workbench import nearest
from tocsin.workbench.comparing import differences
from tocsin.workbench.play import Decided, Play, Turn, score
from tocsin.workbench.ticketing import USUAL, Ticketing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.fleet import Fleet
    from tocsin.rules import RuleSet
    from tocsin.rules.examples import Expectation

__all__ = ["USUAL", "Failure", "Outcome", "Ticketing", "check", "run"]


class Failure(Struct, frozen=True, kw_only=True):
    """One expectation that was not met."""

    test: str
    file: str
    line: int
    """Of the expectation."""
    at: timedelta
    what: str
    """Its key, with the language where there is one."""
    expected: str
    came: str
    trace: str
    """What decided: the rule that matched, or the nearest one and its condition that failed on which value."""

    @property
    def moment(self) -> str:
        """When, on the time line of the test, as the file writes it: `10m`."""
        return units.duration_text(self.at)

    def __str__(self) -> str:
        return f'test "{self.test}" at {self.moment}: {self.what}: expected {self.expected}, came {self.came}'


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one test."""

    test: RuleTest
    failures: tuple[Failure, ...]
    """In order of time; none for a test that passes."""
    decided: tuple[Decided, ...]
    """All that was decided in it, in order."""


def run(test: RuleTest, rule_set: RuleSet, fleet: Fleet, ticketing: Ticketing = USUAL) -> Outcome:
    """Run one test. Touches nothing outside itself."""
    play = Play(test, rule_set, fleet, ticketing)
    failures: list[Failure] = []
    for at, turn, number in score(test):
        play.pass_time(at)
        match turn:
            case Turn.ALERT:
                play.take(test.steps[number].alert, at)
            case Turn.PERSON:
                play.touch(test.people[number], at)
            case Turn.EXPECTATION:
                failures.extend(_unmet(test, number, play, rule_set))
    return Outcome(test=test, failures=tuple(failures), decided=tuple(play.decided))


def _unmet(test: RuleTest, number: int, play: Play, rule_set: RuleSet) -> Iterator[Failure]:
    expected: Expectation = test.expect[number]
    different = list(differences(expected, play))
    trace = nearest.line(play, rule_set, expected.rule) if different else ""
    for one in different:
        yield Failure(
            test=test.name,
            file=test.file,
            line=test.lines[number] if test.lines else test.line,
            at=expected.at,
            what=one.what,
            expected=one.expected,
            came=one.came,
            trace=trace,
        )


def check(rule_set: RuleSet, fleet: Fleet, ticketing: Ticketing = USUAL) -> None:
    """Run all tests of a rule set.

    Raises:
        RulesError: Tests failed; each problem names the file, the line, what came instead, and what decided.
    """
    failures = [failure for test in rule_set.tests for failure in run(test, rule_set, fleet, ticketing).failures]
    if failures:
        raise RulesError([problem(failure) for failure in failures])


def problem(failure: Failure) -> RuleError:
    """Return a failure as an error with its place."""
    return RuleError(str(failure), code=Code.TEST_FAILED, file=failure.file, line=failure.line, hint=failure.trace)

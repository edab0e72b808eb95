"""The tests of rule files as values: alerts ready to be sent, each at its time, and what is expected when.

Knows how samples and payloads become alerts; running a test is the workbench's business.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from tocsin.model import Alert, Status
from tocsin.rules import messages
from tocsin.rules.examples import Down, Expectation, Sample, Touch
from tocsin.yaml12 import Path, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.rules.examples import Example
    from tocsin.rules.examples import Step as Written

    Refuse = Callable[[str, Path, str], None]
    """Notes an error: the sentence, the way from the test to the value, a hint."""

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
"""When a test begins that does not say: a Monday at three in the morning."""

NEEDED = ("source", "severity", "resource", "check", "summary")
"""What an alert of a test must say, itself or in its sample."""

_TEXTS = ("source", "severity", "resource", "check", "summary", "description", "url", "status", "fingerprint")


class Step(Struct, frozen=True, kw_only=True):
    """An alert arrives."""

    at: timedelta
    """Since the beginning of the test."""
    alert: Alert
    """One of a sample has no times of its own."""


class Asleep(Struct, frozen=True, kw_only=True):
    """Nothing runs: what falls due meanwhile falls due at the end of it."""

    since: timedelta
    to: timedelta
    stopped: bool = False
    """Something may happen meanwhile, and arrives at the end."""


class RuleTest(Struct, frozen=True, kw_only=True):
    """One test: alerts on a time line, and what must come of them. Everything is in order of time."""

    name: str
    file: str
    line: int
    steps: tuple[Step, ...]
    people: tuple[Touch, ...]
    expect: tuple[Expectation, ...]
    lines: tuple[int, ...] = ()
    """The line of each expectation."""
    begins: datetime = START
    down: tuple[Down, ...] = ()
    """When ticket systems cannot be reached."""
    asleep: tuple[Asleep, ...] = ()
    """When the clock jumps or the service is stopped; no two at the same time."""


class Stage(Struct, frozen=True, kw_only=True):
    """Where a test stands, and what it may use."""

    samples: Mapping[str, Sample]
    """Those of its file."""
    files: Mapping[str, str]
    """Name → text of all files of the rule set."""
    file: str
    line_of: Callable[[Path], int]
    """The way from the test to a value → its line."""
    refuse: Refuse


def rule_test(example: Example, stage: Stage) -> RuleTest | None:
    """Return a test ready to run; None, after noting why, when an alert of it is not whole or a moment cannot be."""
    begins = (example.begins or START).astimezone(UTC)
    steps = [_steps(step, stage, ("alerts", number), begins) for number, step in enumerate(example.alerts)]
    expect = (example.expect,) if isinstance(example.expect, Expectation) else example.expect
    asleep = _asleep(example, stage)
    if asleep is None or not all(steps):
        return None
    lines = _expect_lines(example, stage)
    ordered = sorted(zip(expect, lines, strict=True), key=lambda pair: pair[0].at)
    return RuleTest(
        name=example.name,
        file=stage.file,
        line=stage.line_of(()),
        steps=tuple(sorted((step for several in steps for step in several), key=_at)),
        people=tuple(sorted(example.people, key=_at)),
        expect=tuple(expectation for expectation, _ in ordered),
        lines=tuple(line for _, line in ordered),
        begins=begins,
        down=example.down,
        asleep=asleep,
    )


T = TypeVar("T", Step, Touch)


def _at(moment: T) -> timedelta:
    return moment.at


def _expect_lines(example: Example, stage: Stage) -> list[int]:
    if isinstance(example.expect, Expectation):
        return [stage.line_of(("expect",))]
    return [stage.line_of(("expect", number)) for number in range(len(example.expect))]


def _asleep(example: Example, stage: Stage) -> tuple[Asleep, ...] | None:
    """When nothing runs, in order; None, after noting why, when something is to happen where there is no time."""
    jumps: list[tuple[Asleep, Path]] = [
        (Asleep(since=jump.at, to=jump.to), ("clock", number)) for number, jump in enumerate(example.clock)
    ]
    stops: list[tuple[Asleep, Path]] = [
        (Asleep(since=one.since, to=one.to, stopped=True), ("stopped", number))
        for number, one in enumerate(example.stopped)
    ]
    ordered = sorted([*jumps, *stops], key=lambda pair: (pair[0].since, pair[0].to))
    fine = True
    for (before, _), (after, path) in itertools.pairwise(ordered):
        if after.since < before.to:
            stage.refuse("the clock jumps, or the service is stopped, at this moment already", path, "")
            fine = False
    for asleep, _ in jumps:
        for path in _inside(example, asleep):
            stage.refuse("the clock jumps over this moment: nothing can happen then", (*path, "at"), "")
            fine = False
    return tuple(asleep for asleep, _ in ordered) if fine else None


def _inside(example: Example, asleep: Asleep) -> Iterator[Path]:
    """What is to happen while the clock jumps."""
    several = not isinstance(example.expect, Expectation)
    expect = example.expect if isinstance(example.expect, tuple) else (example.expect,)
    listed: Iterable[tuple[str, tuple[Any, ...]]] = (
        ("alerts", example.alerts),
        ("people", example.people),
        ("expect", expect),
    )
    for name, moments in listed:
        for number, moment in enumerate(moments):
            if asleep.since < moment.at < asleep.to:
                yield (name, number) if name != "expect" or several else (name,)


def _steps(step: Written, stage: Stage, path: Path, begins: datetime) -> list[Step]:
    """The alerts that arrive at one moment: one, or those of a payload; none, after noting why, when it is not whole."""
    if step.payload is None:
        alert = _alert(step, stage, path)
        return [Step(at=step.at, alert=alert)] if alert else []
    try:
        found = messages.alerts(step.payload, stage.files, begins + step.at)
    except messages.UnfitError as error:
        stage.refuse(str(error), (*path, "payload", *error.path), error.hint)
        return []
    return [Step(at=step.at, alert=alert) for alert in found]


def _alert(step: Written, stage: Stage, path: Path) -> Alert | None:
    if step.use is not None and step.use not in stage.samples:
        stage.refuse(f'no sample is called "{step.use}"', (*path, "use"), nearest(step.use, stage.samples))
        return None
    layers: list[Sample] = [stage.samples[step.use], step] if step.use else [step]
    said: dict[str, Any] = {
        name: value for layer in layers for name in _TEXTS if (value := getattr(layer, name)) is not None
    }
    if missing := [name for name in NEEDED if name not in said]:
        stage.refuse(f"the alert has no {' and no '.join(missing)}: say it in a sample or here", path, "")
        return None
    labels = {name: value for layer in layers for name, value in layer.labels.items()}
    identity = f"{said['source']}:{said['resource']}:{said['check']}"
    return Alert(**{"status": Status.FIRING, "fingerprint": identity} | said, labels=labels)

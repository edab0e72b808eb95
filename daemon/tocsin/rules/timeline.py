"""The tests of rule files as values: alerts ready to be sent, each at its time, and what is expected when.

Knows how samples become alerts; running a test is the workbench's business.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.model import Alert, Status
from tocsin.rules.examples import Expectation, Touch
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.rules.examples import Example, Sample
    from tocsin.rules.examples import Step as Written
    from tocsin.yaml12 import Path

    Refuse = Callable[[str, Path, str], None]
    """Notes an error: the sentence, the way from the test to the value, a hint."""

NEEDED = ("source", "severity", "resource", "check", "summary")
"""What an alert of a test must say, itself or in its sample."""

_TEXTS = ("source", "severity", "resource", "check", "summary", "description", "url", "status", "fingerprint")


class Step(Struct, frozen=True, kw_only=True):
    """An alert arrives."""

    at: timedelta
    """Since the beginning of the test."""
    alert: Alert
    """Without times of its own."""


class RuleTest(Struct, frozen=True, kw_only=True):
    """One test: alerts on a time line, and what must come of them."""

    name: str
    file: str
    line: int
    steps: tuple[Step, ...]
    """In order of time."""
    people: tuple[Touch, ...]
    """In order of time."""
    expect: tuple[Expectation, ...]
    """In order of time."""


def rule_test(
    example: Example, samples: Mapping[str, Sample], place: tuple[str, int], refuse: Refuse
) -> RuleTest | None:
    """Return a test ready to run; None, after noting why, when an alert of it is not whole.

    Args:
        example: the test as the file has it.
        samples: the file's samples.
        place: file and line of the test.
        refuse: notes an error.
    """
    steps = [_step(step, samples, ("alerts", number), refuse) for number, step in enumerate(example.alerts)]
    whole = [step for step in steps if step]
    if len(whole) < len(steps):
        return None
    expect = (example.expect,) if isinstance(example.expect, Expectation) else example.expect
    return RuleTest(
        name=example.name,
        file=place[0],
        line=place[1],
        steps=tuple(sorted(whole, key=_at)),
        people=tuple(sorted(example.people, key=_at)),
        expect=tuple(sorted(expect, key=_at)),
    )


def _at(moment: Step | Touch | Expectation) -> timedelta:
    return moment.at


def _step(step: Written, samples: Mapping[str, Sample], path: Path, refuse: Refuse) -> Step | None:
    if step.use is not None and step.use not in samples:
        refuse(f'no sample is called "{step.use}"', (*path, "use"), nearest(step.use, samples))
        return None
    layers = [samples[step.use], step] if step.use else [step]
    said: dict[str, Any] = {
        name: value for layer in layers for name in _TEXTS if (value := getattr(layer, name)) is not None
    }
    if missing := [name for name in NEEDED if name not in said]:
        refuse(f"the alert has no {' and no '.join(missing)}: say it in a sample or here", path, "")
        return None
    labels = {name: value for layer in layers for name, value in layer.labels.items()}
    identity = f"{said['source']}:{said['resource']}:{said['check']}"
    return Step(at=step.at, alert=Alert(**{"status": Status.FIRING, "fingerprint": identity} | said, labels=labels))

"""`python tests/bench/parsing.py`: what a message costs to read, for every kind of source; prints a table.

Knows tocsin from inside: the kinds, and the goldens of their tests. Beside each figure stands how long Python's own `json` needs
for the same bodies in the same pass, because a machine is not the next one; exits 0 whether the target was reached or not.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from tocsin.errors import PayloadError
from tocsin.model import Alert
from tocsin.sources import GUESSED, kinds, payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.model import Payload
    from tocsin.sources import Kind

GOLDENS = Path(__file__).parents[1] / "sources"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TARGET = 50.0
"""Microseconds an alert, for kinds that read JSON."""

PASSES = 30
REPEATS = 20


class Figure(NamedTuple):
    """One kind, measured."""

    kind: str
    alerts: int
    microseconds: float
    """An alert."""
    decoding: float
    """What `json.loads` needs for the bytes of an alert."""


def main() -> int:
    """Measures and prints."""
    figures = [figure for kind in kinds().values() if (figure := _measured(kind))]
    print("| kind | alerts | µs an alert | `json.loads` alone, µs | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for one in figures:
        mark = "" if one.microseconds < TARGET else " **over**"
        ratio = one.microseconds / one.decoding
        print(f"| {one.kind} | {one.alerts} | {one.microseconds:.1f}{mark} | {one.decoding:.1f} | {ratio:.1f} |")
    over = [one.kind for one in figures if one.microseconds >= TARGET]
    print(f"\ntarget: below {TARGET:g} µs an alert; over it: {', '.join(over) or 'none'}")
    return 0


def _measured(kind: Kind) -> Figure | None:
    """The median of some passes over all JSON goldens of the kind that hold alerts; None when it has none."""
    file = GOLDENS / kind.name / "options.yaml"
    options = kind.options.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {})
    told = [(one, count) for one in _messages(kind) if (count := _alerts(kind, one, options))]
    alerts = sum(count for _, count in told) * REPEATS
    if not alerts:
        return None
    messages = [one for one, _ in told] * REPEATS
    parse = kind.parse
    reading = _median(lambda: [parse(one, options, NOW) for one in messages])
    decoding = _median(lambda: [json.loads(one.body) for one in messages])
    return Figure(kind.name, alerts // REPEATS, reading / alerts * 1e6, decoding / alerts * 1e6)


def _messages(kind: Kind) -> list[Payload]:
    found = []
    for path in sorted((GOLDENS / kind.name).glob("*.json")):
        if path.name.endswith(".expected.json") or path.suffix in GUESSED:
            continue
        head = path.with_suffix(".head")
        told = head.read_text(encoding="utf-8") if head.exists() else ""
        one = payload(kind, path.read_bytes(), told, source="bench")
        try:
            json.loads(one.body)
        except ValueError:
            continue  # lines of JSON, or none
        found.append(one)
    return found


def _alerts(kind: Kind, one: Payload, options: object) -> int:
    try:
        return sum(isinstance(entry, Alert) for entry in kind.parse(one, options, NOW))
    except PayloadError:
        return 0


def _median(work: Callable[[], object]) -> float:
    """Seconds of processor that one pass takes."""
    times = []
    for _ in range(PASSES):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())

"""Times `decide` with few rules and with many of one shape; a program that prints JSON.

Knows tocsin from inside: how rules and fleet are loaded and an alert is decided. Knows nothing of servers. Run as
`python tests/bench/decisions.py SHAPE FOLDER`.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import inputs
import names

from tocsin import fleet, rules
from tocsin.model import Action, Alert, Severity, Status
from tocsin.rules import engine

SHAPES = {"equality": inputs.by_check, "regex": inputs.by_summary, "mixed": inputs.by_several}
FEW, MANY = 100, 10_000
ALERTS = 1_000
PASSES = 15


@dataclass
class Deck:
    """One rule set with alerts that meet all of its rules evenly."""

    rule_set: rules.RuleSet
    elements: fleet.Fleet
    alerts: list[Alert]
    load_seconds: float

    def check(self, now: datetime) -> None:
        """Makes sure that what is timed is decisions for a ticket, each by the rule it should be by."""
        for number, alert in enumerate(self.alerts):
            decision = engine.decide(alert, self.rule_set, self.elements, now)
            if decision.action != Action.TICKET:
                sys.exit(
                    f"alert {number} ({alert.check}) got {decision.action} from {decision.rule}: {decision.reason}"
                )

    def microseconds(self, now: datetime) -> float:
        """Times one pass over the alerts: microseconds of processor for each decision, whoever else is on the core."""
        decide, rule_set, elements = engine.decide, self.rule_set, self.elements
        started = time.process_time()
        for alert in self.alerts:
            decide(alert, rule_set, elements, now)
        return (time.process_time() - started) / len(self.alerts) * 1e6


def _deck(folder: Path, shape: str, count: int, elements: fleet.Fleet, now: datetime) -> Deck:
    inputs.write_rules(folder, count, SHAPES[shape])
    started = time.perf_counter()
    rule_set = rules.load(folder, known_backends=frozenset())
    load_seconds = time.perf_counter() - started
    deck = Deck(rule_set, elements, [_alert(n, n * count // ALERTS, now) for n in range(ALERTS)], load_seconds)
    deck.check(now)
    return deck


def _alert(number: int, check: int, now: datetime) -> Alert:
    resource = names.resource(number)
    return Alert(
        source="prometheus",
        fingerprint=f"{number:016x}",
        status=Status.FIRING,
        severity=Severity(names.severity(check)),
        resource=resource,
        check=names.check(check),
        summary=f"{names.headline(check)}: {50 + number % 50}.5 over 40 on {resource}",
        description=f"{names.headline(check)}, for 5 minutes. The service behind it may be slow or not answer.",
        labels={
            "alertname": names.check(check),
            "instance": f"{resource}:9100",
            "job": "node",
            "severity": names.severity(check),
            "team": f"operations-{check % 20:02d}",
        },
        starts_at=now,
    )


def main(shape: str, above: str) -> None:
    """Prints microseconds for each decision, few and many rules by turns, medians of several passes."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(dir=above) as name:
        folder = Path(name)
        inputs.write_fleet(folder / "fleet", inputs.LINKS + ALERTS)
        elements = fleet.load(folder / "fleet")
        few, many = (_deck(folder / str(count), shape, count, elements, now) for count in (FEW, MANY))
        passes = [(few.microseconds(now), many.microseconds(now)) for _ in range(PASSES)]
    findings = {
        "few_us": statistics.median(times[0] for times in passes),
        "many_us": statistics.median(times[1] for times in passes),
        "few_load_seconds": few.load_seconds,
        "many_load_seconds": many.load_seconds,
    }
    print(json.dumps(findings))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

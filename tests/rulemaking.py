"""What the tests of rules share: an alert, a small fleet, and rule sets made of a few lines."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

from tocsin import rules
from tocsin.model import Alert, Element, Severity, Status
from tocsin.rules import engine

if TYPE_CHECKING:
    from tocsin.model import Decision
    from tocsin.rules import RuleSet

NOW = datetime(2026, 11, 22, 14, 3, 5, tzinfo=UTC)
FALLBACK = "\nfallback: {action: record}\n"
DECLARING = "element: DF00WEB001\nimpact: degraded"
"""What a rule needs beside its conditions to declare a ticket."""


class Fleet:
    """Elements by reference, name and alias; a name may mean several."""

    def __init__(self, *elements: Element) -> None:
        self._elements = elements

    def get(self, reference: str) -> Element | None:
        return next((element for element in self._elements if element.reference == reference), None)

    def resolve(self, name: str) -> tuple[Element, ...]:
        return tuple(element for element in self._elements if name in (element.reference, *element.aliases))


FLEET = Fleet(
    Element(reference="DF00WEB001", name="Web server web1", offer="Cloud", site="Lyon", aliases=("web1", "web")),
    Element(reference="DF00WEB002", name="Web server web2", offer="Cloud", site="Lyon", aliases=("web2", "web")),
    Element(reference="DF00DB0001", name="Database db1", aliases=("db1",)),
)


def alert(**changes: Any) -> Alert:
    """An alert about web1, but for the changes."""
    said: dict[str, Any] = {
        "source": "prometheus",
        "fingerprint": "f1",
        "status": Status.FIRING,
        "severity": Severity.CRITICAL,
        "resource": "web1",
        "check": "DiskFull",
        "summary": "DISK CRITICAL: 28 files on /var",
        "description": "at length",
        "labels": {"team": "shop", "percent": "91"},
        "url": "https://monitoring.example.com/1",
    }
    return Alert(**said | changes)


def rule_set(rule: str, **files: str) -> RuleSet:
    """One rule, given by its keys without `id`, and the tables it uses."""
    body = indent(dedent(rule).strip(), "    ")
    return rules.build({"a.yaml": f"rules:\n  - id: one\n{body}\n{FALLBACK}"} | files)


def rule_set_of(match: str, rest: str = DECLARING, **files: str) -> RuleSet:
    """One rule with these conditions, which declares on web1 unless the rest says otherwise."""
    return rule_set(f"match: {match}\n{dedent(rest)}", **files)


def decide(rule_set: RuleSet, **changes: Any) -> Decision:
    """What the rules decide about the alert with these changes."""
    return engine.decide(alert(**changes), rule_set, FLEET, NOW)

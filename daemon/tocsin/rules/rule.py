"""Rules as they are applied: compiled, immutable, and all of them as one value with a content hash.

Knows what a rule is made of and whether it matches; what it decides is the engine's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tocsin.model import Tried
from tocsin.rules.conditions import SHOWN
from tocsin.rules.facts import Facts
from tocsin.rules.template import RenderError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.errors import RuleError
    from tocsin.model import Action, Alert, Impact, Policy
    from tocsin.rules.choices import ElementChoice, ImpactChoice
    from tocsin.rules.conditions import Condition
    from tocsin.rules.index import Index
    from tocsin.rules.template import Template
    from tocsin.rules.texts import Key
    from tocsin.rules.timeline import RuleTest

    Localised = tuple[tuple[str, Template], ...]

FALLBACK = "fallback"
"""What a decision calls its rule when none matched."""


@dataclass(frozen=True, slots=True)
class Where:
    """A rule's expression: one more condition, over all of the alert."""

    text: str
    expression: Template
    shown: tuple[str, ...] = ()
    """The captures it uses: a trace shows their values."""

    def tried(self, rule: str, facts: Facts) -> Tried | None:
        """Return why the expression does not hold, or None when it does."""
        try:
            if self.expression.render(facts):
                return None
            actual = ", ".join(f"{name}={facts.captures[name]}" for name in self.shown) or "false"
        except RenderError as error:
            actual = str(error)
        return Tried(rule=rule, condition=f"where: {self.text}", field="where", actual=actual[:SHOWN])


@dataclass(frozen=True, slots=True)
class Declaration:
    """How a rule declares a ticket."""

    element: ElementChoice
    impact: ImpactChoice
    key: Key
    policies: Mapping[Impact, Policy]
    """The policy for each impact: one object for all incidents of the rule."""
    name: Localised
    """Language and template; a language that is not here gets the first one's text."""
    description: Localised


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be applied."""

    id: str
    title: str
    file: str
    line: int
    action: Action
    conditions: tuple[Condition, ...]
    where: Where | None = None
    declaration: Declaration | None = None
    """None for a rule that declares nothing: its action is record or ignore."""

    def attempt(self, alert: Alert, now: datetime) -> Facts | Tried:
        """Return the facts when the rule matches, else its first condition that failed."""
        captures: dict[str, str] = {}
        for condition in self.conditions:
            value = condition.get(alert)
            found = condition.test(value)
            if not found:
                return condition.tried(self.id, value)
            if condition.regex:
                captures |= condition.regex.captures(found)
        facts = Facts(alert, captures, now)
        return (self.where.tried(self.id, facts) if self.where else None) or facts


@dataclass(frozen=True, slots=True)
class Fallback:
    """What happens to an alert that no rule knows."""

    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules, as one immutable value."""

    hash: str
    """Of the content of all files: the same files have the same hash."""
    files: Mapping[str, str]
    """Name → text of every rule file and table."""
    rules: tuple[Rule, ...]
    """In the order they are tried."""
    fallback: Fallback
    tests: tuple[RuleTest, ...]
    warnings: tuple[RuleError, ...]
    """What is allowed but hardly meant."""
    index: Index = field(repr=False)

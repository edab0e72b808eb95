"""Which of the alerts that were not mapped are not mapped still, by the rules and the fleet of now, and why.

Asks `engine.decide`; pure.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.model import Decision
from tocsin.rules import engine
from tocsin.rules.choices import ByName, ByTable, Constant, Unresolved
from tocsin.rules.facts import Facts
from tocsin.rules.rule import FALLBACK
from tocsin.rules.template import RenderError
from tocsin.store.unmapped import Heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from tocsin.fleet import Fleet
    from tocsin.model import Alert
    from tocsin.rules import Rule, RuleSet
    from tocsin.rules.choices import ElementChoice


class Why(StrEnum):
    """Why an alert is not mapped."""

    NO_RULE = "no rule"
    MISSING = "element missing"
    AMBIGUOUS = "element ambiguous"


class Case(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that was said and is not mapped."""

    heard: Heard
    decision: Decision
    why: Why
    name: str = ""
    """The name by which its rule looks for an element; empty when no rule knows it."""

    @property
    def alert(self) -> Alert:
        """What was said."""
        return self.heard.alert


def cases(heard: Iterable[Heard], rule_set: RuleSet, fleet: Fleet, now: datetime) -> Iterator[Case]:
    """Return what is not mapped by these rules and this fleet, in the order given."""
    rules = {rule.id: rule for rule in rule_set.rules}
    for one in heard:
        decision = engine.decide(one.alert, rule_set, fleet, now)
        if decision.rule == FALLBACK:
            yield Case(heard=one, decision=decision, why=Why.NO_RULE)
        elif decision.element is None and (sought := _sought(rules[decision.rule], one.alert, fleet, now)):
            why, name = sought
            yield Case(heard=one, decision=decision, why=why, name=name)


def _sought(rule: Rule, alert: Alert, fleet: Fleet, now: datetime) -> tuple[Why, str] | None:
    """Why the rule has no element for the alert and what it looked for; None when it is not for want of one."""
    facts = rule.attempt(alert, now)
    if rule.declaration is None or not isinstance(facts, Facts):
        return None
    choice = rule.declaration.element
    try:
        chosen = choice.choose(facts, fleet)
        if not isinstance(chosen, Unresolved):
            return None
        return (Why.AMBIGUOUS if chosen.candidates else Why.MISSING), _name(choice, facts)
    except RenderError:
        return None


def _name(choice: ElementChoice, facts: Facts) -> str:
    match choice:
        case ByName():
            return choice.name.render(facts).strip()
        case ByTable():
            return choice.read(facts)
        case Constant():
            return choice.reference
    return ""

"""Decides what is done with an alert. Pure: no clock, no files, no state; the first rule that matches decides.

`decide` asks the index which rules could match and tries only those; `decide_naive` tries all of them, to the same end.
Neither raises, whatever the alert: what a rule cannot do for it ends in quarantine, with the reason in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.model import LANGUAGES, Action, Decision, Element, Impact, Texts, Tried
from tocsin.rules import texts
from tocsin.rules.choices import Unresolved
from tocsin.rules.rule import FALLBACK
from tocsin.rules.template import RenderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tocsin.model import Alert
    from tocsin.rules.choices import Fleet
    from tocsin.rules.facts import Facts
    from tocsin.rules.rule import Declaration, Localised, Rule, RuleSet


def decide(alert: Alert, rule_set: RuleSet, fleet: Fleet, now: datetime) -> Decision:
    """Return what the rules want done with an alert, and why.

    The trace has the rules that the index could not rule out, before the one that matched. Never raises.
    """
    rules = rule_set.rules
    return _first([rules[number] for number in rule_set.index.candidates(alert)], alert, rule_set, fleet, now)


def decide_naive(alert: Alert, rule_set: RuleSet, fleet: Fleet, now: datetime) -> Decision:
    """Return what `decide` does, by trying every rule; the trace has every rule before the one that matched."""
    return _first(rule_set.rules, alert, rule_set, fleet, now)


def explain(alert: Alert, rule_set: RuleSet, now: datetime) -> list[Tried]:
    """Return every rule before the one that matches, with its first condition that failed and the value it met."""
    tried: list[Tried] = []
    for rule in rule_set.rules:
        outcome = rule.attempt(alert, now)
        if not isinstance(outcome, Tried):
            break
        tried.append(outcome)
    return tried


def _first(rules: Iterable[Rule], alert: Alert, rule_set: RuleSet, fleet: Fleet, now: datetime) -> Decision:
    """The decision of the first rule that matches, or the fallback's."""
    trace: list[Tried] = []
    for rule in rules:
        outcome = rule.attempt(alert, now)
        if not isinstance(outcome, Tried):
            return _apply(rule, outcome, _Said(rule.id, rule_set.hash, outcome.captures, tuple(trace)), fleet)
        trace.append(outcome)
    fallback = rule_set.fallback
    return _Said(FALLBACK, rule_set.hash, {}, tuple(trace)).nothing(fallback.action, fallback.reason)


class _Said(Struct, frozen=True):
    """What every decision of one rule about one alert says."""

    rule: str
    rule_set: str
    captures: dict[str, str]
    trace: tuple[Tried, ...]

    def nothing(self, action: Action, reason: str, element: Element | None = None, **more: Any) -> Decision:
        """Return the decision not to declare a ticket."""
        return Decision(
            action=action,
            rule=self.rule,
            rule_set=self.rule_set,
            element=element,
            captures=self.captures,
            reason=reason,
            trace=self.trace,
            **more,
        )


def _apply(rule: Rule, facts: Facts, said: _Said, fleet: Fleet) -> Decision:
    """The decision of a rule that matches."""
    declaration = rule.declaration
    if declaration is None:
        return said.nothing(rule.action, f"the rule says {rule.action}")
    try:
        return _declare(declaration, facts, said, fleet)
    except RenderError as error:
        return said.nothing(Action.QUARANTINE, str(error), facts.element, impact=facts.impact)


def _declare(declaration: Declaration, facts: Facts, said: _Said, fleet: Fleet) -> Decision:
    """The decision to declare a ticket, or why none can be. Raises RenderError when a template fails."""
    element = declaration.element.choose(facts, fleet)
    if isinstance(element, Unresolved):
        return said.nothing(element.action, element.reason, candidates=element.candidates)
    facts.element = element
    impact = declaration.impact.choose(facts)
    if not isinstance(impact, Impact):
        return said.nothing(Action.QUARANTINE, impact, element)
    facts.impact = impact
    return Decision(
        action=Action.TICKET,
        rule=said.rule,
        rule_set=said.rule_set,
        element=element,
        impact=impact,
        dedup_key=declaration.key.text(facts),
        policy=declaration.policies[impact],
        name=_in_languages(declaration.name, facts, texts.name),
        description=_in_languages(declaration.description, facts, texts.description),
        captures=said.captures,
        trace=said.trace,
    )


def _in_languages(templates: Localised, facts: Facts, clean: Callable[[str], str]) -> Texts:
    """Each language's text; a language without a template gets the first one's."""
    said = {language: clean(template.render(facts)) for language, template in templates}
    if len(said) < len(LANGUAGES):
        first = next(iter(said.values()))
        return {language: said.get(language, first) for language in LANGUAGES}
    return said

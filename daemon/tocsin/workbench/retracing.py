"""A stored decision in words: the rule with its place, what failed before it and on which value, how element and impact came.

The store keeps pairs of rule and field; the words come from the rule set of that time and the values from the stored
alert, through the same engine. Where the two disagree, that is said. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.errors import RuleError
from tocsin.model import Impact, Tried
from tocsin.rules import engine
from tocsin.rules.rule import FALLBACK
from tocsin.workbench import choosing
from tocsin.workbench.explained import ChosenElement, ChosenImpact, DecisionTold, NearMiss, Place, RuleSetTold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.model import Alert
    from tocsin.rules import Rule, RuleSet
    from tocsin.rules.facts import Facts
    from tocsin.store.telling import KeptDecision, KeptRules

FORGOTTEN = "the rule set that decided is no longer kept: failed conditions are shown by their fields only"
NO_TRACE = "which rules came close is no longer kept"
NO_ALERT = "what the alert said when it was decided is no longer kept: the values that failed conditions are not known"
CHANGED = "this version of tocsin does not come to the stored trace again for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraced:
    """A decision told, and what cannot be told of it."""

    told: DecisionTold
    rule: Rule | None
    """The rule that matched; None for the fallback, and when its rule set cannot be read."""
    unfilled: bool = False
    """The template of the element's name could not be filled."""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a decision is told from, beside itself."""

    alert: Alert | None
    """The alert that it was made for; None when that is no longer kept."""
    kept: KeptRules | None
    made: RuleSet | RuleError | None
    """The rule set made again from `kept`, or why it cannot be."""
    every: bool = False
    """Tell every rule that was tried."""


def retrace(decided: KeptDecision, source: Source) -> Retraced:
    """Tell a decision in words."""
    made = None if isinstance(source.made, RuleError) else source.made
    scene = _Scene(decided, source.alert, made)
    details = decided.details
    told = DecisionTold(
        number=decided.row,
        at=decided.at,
        action=decided.action,
        rule=scene.place(decided.rule),
        captures=details.captures,
        reason=details.reason,
        close=tuple(scene.close()),
        tried=tuple(map(scene.miss, scene.tried)) if source.every else (),
        element=_element(decided, scene),
        impact=_impact(decided, scene),
        key=decided.dedup_key,
        name=details.name,
        description=details.description,
        rule_set=_rule_set(source),
    )
    return Retraced(
        told=told, rule=scene.rule, unfilled=scene.unfilled(), doubts=tuple(_doubts(decided, source, scene))
    )


class _Scene:
    """The rule set and the alert of a decision, as far as there still are any, and what the engine makes of them now."""

    def __init__(self, decided: KeptDecision, alert: Alert | None, made: RuleSet | None) -> None:
        self.made = made
        self.alert = alert
        self._decided = decided
        self._rules = {rule.id: rule for rule in made.rules} if made else {}
        self.rule = self._rules.get(decided.rule)
        self.tried = engine.explain(alert, made, decided.at) if alert and made else []
        self._failed = {tried.rule: tried for tried in self.tried}
        self.facts = self._facts()
        self.differing: list[str] = []
        """Rules of the stored trace for which the engine comes to something else now."""

    def _facts(self) -> Facts | None:
        """What the rule that matched knew: its captures, and the element and impact that came of it."""
        if self.rule is None or self.alert is None:
            return None
        facts = self.rule.attempt(self.alert, self._decided.at)
        return None if isinstance(facts, Tried) else facts

    def place(self, rule: str) -> Place:
        """Where a rule stood."""
        found = self._rules.get(rule)
        return Place(id=rule, title=found.title, file=found.file, line=found.line) if found else Place(id=rule)

    def close(self) -> Iterator[NearMiss]:
        """The stored trace, with words and values where the engine comes to the same again."""
        for rule, field in self._decided.trace or ():
            again = self._failed.get(rule)
            if again and again.field == field:
                yield self.miss(again)
                continue
            if self.alert and self.made:
                self.differing.append(rule)
            condition = self._condition(rule, field)
            yield NearMiss(rule=self.place(rule), field=field, condition=condition, actual="", known=False)

    def miss(self, tried: Tried) -> NearMiss:
        """A rule that did not match."""
        place = self.place(tried.rule)
        return NearMiss(rule=place, field=tried.field, condition=tried.condition, actual=tried.actual)

    def unfilled(self) -> bool:
        """Whether the template of the element's name cannot be filled."""
        declaration = self.rule.declaration if self.rule else None
        return bool(declaration and self.facts and choosing.gives_no_text(declaration.element, self.facts))

    def _condition(self, rule: str, field: str) -> str:
        """The conditions of a rule on a field, when it is not known which one failed."""
        found = self._rules.get(rule)
        if found is None:
            return ""
        if found.where and field == "where":
            return f"where: {found.where.text}"
        return ", ".join(condition.text for condition in found.conditions if condition.field == field)


def _element(decided: KeptDecision, scene: _Scene) -> ChosenElement | None:
    """The element, or where it was looked for; None when the rule wanted none."""
    details, declaration = decided.details, scene.rule.declaration if scene.rule else None
    found = details.element
    if found is None and declaration is None:
        return ChosenElement(reference="", candidates=details.candidates) if details.candidates else None
    how = ""
    if declaration and scene.facts and scene.made:
        how = choosing.element(declaration.element, scene.facts, found, scene.made.files)
    if found is None:
        return ChosenElement(reference="", how=how, candidates=details.candidates)
    return ChosenElement(reference=found.reference, name=found.name, how=how, candidates=details.candidates)


def _impact(decided: KeptDecision, scene: _Scene) -> ChosenImpact | None:
    if not decided.impact:
        return None
    impact, declaration = Impact(decided.impact), scene.rule.declaration if scene.rule else None
    how = ""
    if declaration and scene.facts and scene.made:
        how = choosing.impact(declaration.impact, scene.facts, impact, scene.made.files)
    return ChosenImpact(impact=impact, how=how)


def _rule_set(source: Source) -> RuleSetTold | None:
    kept = source.kept
    if kept is None:
        return None
    problem = str(source.made) if isinstance(source.made, RuleError) else ""
    since = kept.live_from
    return RuleSetTold(hash=kept.hash, live_from=since, who=kept.who, how=kept.how, live=kept.live, problem=problem)


def _doubts(decided: KeptDecision, source: Source, scene: _Scene) -> Iterator[str]:
    if source.kept is None:
        yield FORGOTTEN
    elif isinstance(source.made, RuleError):
        first = str(source.made).partition("\n")[0]
        yield f"this version of tocsin can no longer read the rule set that decided ({first}): what was kept is shown"
    elif decided.rule != FALLBACK and scene.rule is None:
        yield f"the rule set that decided has no rule {decided.rule}"
    if decided.trace is None:
        yield NO_TRACE
    elif source.alert is None and decided.trace:
        yield NO_ALERT
    if scene.differing:
        yield f"{CHANGED} {', '.join(scene.differing)}: their fields are as they were kept, values are not known"

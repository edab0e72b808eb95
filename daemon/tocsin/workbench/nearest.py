"""Which rule decided about an alert, or came nearest to it, in one line: for whoever expected something else.

Knows rules and what became of an alert in a test; asks each rule's own conditions. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.model import Tried
from tocsin.rules.rule import FALLBACK

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Alert
    from tocsin.rules import Rule, RuleSet
    from tocsin.workbench.play import Decided, Play


def line(play: Play, rule_set: RuleSet, wanted: str | None = None) -> str:
    """Return the line that says why it came as it did.

    Args:
        play: the test, up to the moment that is asked about.
        rule_set: the rules that decided.
        wanted: the rule that should have decided, if that is known.
    """
    if not play.decided:
        return play.asides[-1] if play.asides else "nothing was decided before"
    latest = play.decided[-1]
    rule = _called(wanted, rule_set) if wanted and wanted != latest.decision.rule else None
    if rule and (missed := _missed(rule, latest)):
        return missed
    if latest.decision.rule == FALLBACK:
        return _nearest(latest, rule_set)
    return _matched(latest, play, rule_set)


def nearest(alert: Alert, rule_set: RuleSet, now: datetime) -> Tried | None:
    """Return the rule that the fewest conditions stand against, with the first of them; None when there is no rule.

    Of several, the one whose field is named rather than excluded; then the later one, as what catches all stands at the end.
    """
    best: tuple[int, int, Tried] | None = None
    for rule in rule_set.rules:
        outcome = rule.attempt(alert, now)
        if not isinstance(outcome, Tried):
            continue
        held = [one for one in rule.conditions if one.test(one.get(alert))]
        against = len(rule.conditions) - len(held) or 1
        named = sum(bool(one.values or one.pattern) for one in held)
        if best is None or (-against, named) >= best[:2]:
            best = (-against, named, outcome)
    return best[2] if best else None


def _called(name: str, rule_set: RuleSet) -> Rule | None:
    return next((rule for rule in rule_set.rules if rule.id == name), None)


def _missed(rule: Rule, latest: Decided) -> str:
    """Why a rule did not decide: its condition that failed; empty when none did, and a rule before it decided."""
    outcome = rule.attempt(latest.alert, latest.now)
    by = f"{latest.decision.rule} decided"
    if isinstance(outcome, Tried):
        return f"{_place(rule)} did not match: {_failed(outcome)}; {by}"
    return f"{_place(rule)} would match, and comes later: {by}"


def _nearest(latest: Decided, rule_set: RuleSet) -> str:
    tried = nearest(latest.alert, rule_set, latest.now)
    rule = _called(tried.rule, rule_set) if tried else None
    if tried is None or rule is None:
        return "no rule matched"
    return f"no rule matched; the nearest is {_place(rule)}: {_failed(tried)}"


def _matched(latest: Decided, play: Play, rule_set: RuleSet) -> str:
    decision = latest.decision
    rule = _called(decision.rule, rule_set)
    parts = [f"{_place(rule) if rule else decision.rule} matched {latest.alert.check} ({latest.alert.resource})"]
    if decision.captures:
        parts.append("with " + ", ".join(f"{name}={value}" for name, value in decision.captures.items()))
    if decision.reason:
        parts.append(decision.reason)
    elif play.notes:
        parts.append(f"last note: {play.notes[-1].text['en']}")
    return "; ".join(parts)


def _place(rule: Rule) -> str:
    return f"{rule.id} ({rule.file}:{rule.line})"


def _failed(tried: Tried) -> str:
    if tried.field == "where":
        return f"{tried.condition} met {tried.actual}"
    return (
        f"{tried.condition} met '{tried.actual}'" if tried.actual else f"{tried.condition}, and it has no {tried.field}"
    )

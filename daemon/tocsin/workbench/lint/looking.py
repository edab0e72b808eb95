"""Looks a rule set over with its fleet: its tests, its reach, its names, its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.errors import Code, RuleError
from tocsin.workbench import testing
from tocsin.workbench.lint import elements, keys, matching
from tocsin.workbench.lint.finding import Finding, Severity, findings
from tocsin.workbench.lint.places import Places
from tocsin.workbench.reach import unreachable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tocsin.fleet import Fleet
    from tocsin.rules import Rule, RuleSet
    from tocsin.store.seen import Seen
    from tocsin.workbench.reach import Verdict


def look(
    rule_set: RuleSet, fleet: Fleet, ticketing: testing.Ticketing = testing.USUAL, seen: Seen | None = None
) -> list[Finding]:
    """Return what there is to say about rules that can be read, in order of place.

    Args:
        rule_set: the rules.
        fleet: the elements there are.
        ticketing: what the rules' tests are told of the settings.
        seen: what the database knows about the rules; None when nothing is to be said about that.

    Returns:
        Errors for tests that fail; warnings; notes for what cannot be told.
    """
    places = Places(rule_set)
    outcomes = [testing.run(test, rule_set, fleet, ticketing) for test in rule_set.tests]
    failed = [testing.problem(failure) for outcome in outcomes for failure in outcome.failures]
    verdicts = list(unreachable(rule_set.rules))
    dead = {verdict.rule.id for verdict in verdicts if verdict.certain}
    decided = {one.decision.rule for outcome in outcomes for one in outcome.decided}
    warnings = [
        *rule_set.warnings,
        *(_unreached(verdict, places) for verdict in verdicts if verdict.certain),
        *_untested(rule_set.rules, decided | dead, places),
        *elements.missing(rule_set, fleet, places),
        *elements.shared(fleet),
        *keys.shared(rule_set.rules, places),
        *(matching.warnings(rule_set, seen, dead, places) if seen else ()),
    ]
    notes = [_unreached(verdict, places) for verdict in verdicts if not verdict.certain]
    found = [
        *findings(failed, Severity.ERROR),
        *findings(warnings, Severity.WARNING),
        *findings(notes, Severity.NOTE),
    ]
    return sorted(found, key=lambda finding: finding.place)


def _unreached(verdict: Verdict, places: Places) -> RuleError:
    code = Code.NEVER_REACHED if verdict.certain else Code.REACH_UNKNOWN
    others = [rule for rule in (verdict.by, *verdict.also) if rule]
    hint = f"that is {' and '.join(f'{rule.file}:{rule.line}' for rule in others)}" if others else ""
    return places.problem(verdict.rule, verdict.sentence, code, hint=hint)


def _untested(rules: Collection[Rule], known: Collection[str], places: Places) -> Iterator[RuleError]:
    for rule in rules:
        if rule.id not in known:
            sentence = f'no test has an alert that the rule "{rule.id}" decides'
            yield places.problem(rule, sentence, Code.RULE_UNTESTED, hint="add one under `tests:` of its file")

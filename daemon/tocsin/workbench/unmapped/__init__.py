"""Alerts that no rule knows, or whose element is missing or ambiguous: in groups, each with a change that would map it.

`read` looks at what came in since a time, by the rules and the fleet it is given: what those map by now is no longer
unmapped. Changes nothing and writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin import rules, yaml12
from tocsin.rules import engine
from tocsin.rules.choices import ByTable, Constant
from tocsin.store import unmapped as stored
from tocsin.workbench.unmapped import rows, ruling
from tocsin.workbench.unmapped.cases import Case, Why, cases
from tocsin.workbench.unmapped.groups import Gathered, Group, gather
from tocsin.workbench.unmapped.naming import Naming
from tocsin.workbench.unmapped.proposals import Outside, Proof, Proposal, World

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tocsin.fleet import Fleet
    from tocsin.rules import RuleSet
    from tocsin.store.unmapped import Period

__all__ = ["Group", "Proof", "Proposal", "Unmapped", "Why", "read", "unmapped"]


def read(state: Path, rule_set: RuleSet, fleet: Fleet, since: datetime, now: datetime) -> Unmapped:
    """Return what came in since a time and is not mapped by these rules and this fleet.

    Args:
        state: the folder of the database; read beside a running service.
        rule_set: the rules.
        fleet: the fleet.
        since: where the period begins.
        now: the time.

    Raises:
        StoreError: there is no database, or it cannot be read.
    """
    return Unmapped(stored.since(state, since), rule_set, fleet, now)


def unmapped(state: Path, rule_set: RuleSet, fleet: Fleet, since: datetime, now: datetime) -> list[Group]:
    """Return the groups alone, those with the most alerts first; everything else is as for `read`."""
    return list(read(state, rule_set, fleet, since, now).groups)


class Unmapped:
    """The unmapped alerts of a period."""

    def __init__(self, period: Period, rule_set: RuleSet, fleet: Fleet, now: datetime) -> None:
        found = tuple(cases(period.heard, rule_set, fleet, now))
        mapped = tuple(Outside(alert, engine.decide(alert, rule_set, fleet, now)) for alert in period.others)
        self._world = World(rule_set=rule_set, fleet=fleet, cases=found, mapped=mapped, now=now)
        self._gathered = {one.group.id: one for one in gather(found)}
        self._naming = Naming(self._world)

    @property
    def groups(self) -> tuple[Group, ...]:
        """All groups, those with the most alerts first."""
        return tuple(one.group for one in self._gathered.values())

    def group(self, name: str) -> Group | None:
        """Return the group with this id, or the only one whose id begins so."""
        found = [one for one in self._gathered if one.startswith(name)]
        return self._gathered[found[0]].group if len(found) == 1 else None

    def propose(self, group: Group) -> tuple[Proposal, ...]:
        """Return the changes that map a group: the rule or the elements; where one needs the other, in that order."""
        gathered = self._gathered[group.id]
        if group.why == Why.NO_RULE:
            return self._rule(gathered)
        if group.why == Why.MISSING:
            return (self._missing(gathered),)
        return (self._naming.clearer(gathered),)

    def _rule(self, gathered: Gathered) -> tuple[Proposal, ...]:
        """The rule, and the elements that it would not find."""
        proposal = ruling.rule(gathered, self._world)
        if proposal.proof.tickets == proposal.proof.of:
            return (proposal,)
        candidate = rules.build({**self._world.rule_set.files, proposal.file: proposal.text})
        elements = self._naming.clearer(gathered, candidate)
        return (proposal, elements) if elements.text else (proposal,)

    def _missing(self, gathered: Gathered) -> Proposal:
        rule = next(rule for rule in self._world.rule_set.rules if rule.id == gathered.group.rule)
        choice = rule.declaration.element if rule.declaration else None
        if isinstance(choice, Constant):
            return self._naming.missing(gathered, [choice.reference])
        if isinstance(choice, ByTable):
            return self._in_table(gathered, choice)
        return self._naming.clearer(gathered)

    def _in_table(self, gathered: Gathered, choice: ByTable) -> Proposal:
        """Rows for the values that the table does not have; else elements for the references that the fleet does not."""
        named = [choice.references.get(case.name, "") for case in gathered.cases]
        if all(named):
            return self._naming.missing(gathered, list(dict.fromkeys(named)))
        column = _column(self._world.rule_set, gathered.group.rule)
        without = Gathered(group=gathered.group, cases=_without(gathered, choice), shape=gathered.shape)
        return rows.rows(without, choice, column, self._world, self._naming)


def _without(gathered: Gathered, choice: ByTable) -> tuple[Case, ...]:
    return tuple(case for case in gathered.cases if case.name not in choice.references)


def _column(rule_set: RuleSet, rule: str) -> str:
    """The column of its table in which a rule looks for a reference."""
    for name, text in rule_set.files.items():
        data = yaml12.read(text)[0] if name.endswith(rules.loader.SUFFIXES) else None
        for written in (data or {}).get("rules") or ():
            if written["id"] == rule:
                return str(written["element"].get("column", "element"))
    return "element"

"""What a proposed change is, and the showing of what it does: everything decided again with it, by `engine.decide`.

Knows neither how a change is found nor how it is written.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.fleet import Fleet
from tocsin.model import Action, Alert, Decision
from tocsin.rules import RuleSet, engine
from tocsin.workbench.unmapped.cases import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable


class Outside(Struct, frozen=True):
    """An alert that is not of the group, and what is decided about it now."""

    alert: Alert
    decision: Decision
    name: str = ""
    """The name by which its rule looks for an element in vain."""


class World(Struct, frozen=True, kw_only=True):
    """What decides now, and what it is asked about."""

    rule_set: RuleSet
    fleet: Fleet
    cases: tuple[Case, ...]
    """All that is not mapped."""
    mapped: tuple[Outside, ...]
    """A sample of what is."""
    now: datetime

    def outside(self, members: Iterable[Case]) -> list[Outside]:
        """Everything but the members of a group."""
        inside = {case.heard.text for case in members}
        others = [Outside(case.alert, case.decision, case.name) for case in self.cases if case.heard.text not in inside]
        return [*others, *self.mapped]


class Proof(Struct, frozen=True, kw_only=True):
    """What a change does, shown by deciding everything again with it."""

    of: int
    """How many different alerts the group has."""
    maps: int
    """How many of them it maps: its rule takes them, or they have an element."""
    others: int
    """About how many other alerts something else is decided with it."""
    compared: int
    """How many others there are."""
    tickets: int
    """How many of the group become tickets with it."""

    @property
    def exact(self) -> bool:
        """It maps all of the group, and nothing else."""
        return self.maps == self.of and not self.others

    def __str__(self) -> str:
        others = "none of the others" if not self.others else f"{self.others} of the {self.compared} others, too"
        return f"maps {self.maps} of {self.of}, takes {others}"


class Proposal(Struct, frozen=True, kw_only=True):
    """One change of rules or fleet."""

    kind: str
    """`rule`: a new rule file · `elements`: elements as they should be in the fleet · `rows`: rows for a table."""
    file: str
    """Where it goes: a file of the rules; empty for the fleet, whose elements stand where they stand."""
    text: str
    """YAML; of rows, the lines. Empty when nothing can be proposed: the remarks say why."""
    proof: Proof
    exact: bool
    remarks: tuple[str, ...] = ()
    """What a person must know or do."""
    references: tuple[str, ...] = ()
    """Elements that the fleet has and that change."""


def prove(
    world: World,
    members: Iterable[Case],
    rule_set: RuleSet,
    fleet: Fleet,
    maps: Callable[[Decision], bool],
    names: Container[str] = (),
) -> Proof:
    """Return what deciding everything by other rules or another fleet comes to.

    Args:
        world: what decides now, and what there is.
        members: the group.
        rule_set: the other rules, or those of now.
        fleet: the other fleet, or that of now.
        maps: tells a decision that maps.
        names: alerts outside the group that look in vain for one of these names are meant as well.
    """

    def decide(alert: Alert) -> Decision:
        return engine.decide(alert, rule_set, fleet, world.now)

    group = tuple(members)
    decided = [decide(case.alert) for case in group]
    outside = [one for one in world.outside(group) if not one.name or one.name not in names]
    return Proof(
        of=len(group),
        maps=sum(map(maps, decided)),
        others=sum(_differ(one.decision, decide(one.alert)) for one in outside),
        compared=len(outside),
        tickets=sum(decision.action == Action.TICKET for decision in decided),
    )


def _differ(before: Decision, after: Decision) -> bool:
    return _said(before) != _said(after)


def _said(decision: Decision) -> tuple[object, ...]:
    reference = decision.element.reference if decision.element else ""
    return decision.action, decision.rule, reference, decision.impact, decision.dedup_key

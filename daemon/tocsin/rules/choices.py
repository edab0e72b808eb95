"""What a rule chooses for an alert: the element of the fleet, and the impact.

Every choice has an answer for each alert: an element or why there is none, an impact or why there is none. Knows the
fleet only by the two questions it answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tocsin.model import Action, Element, Impact
from tocsin.rules.schema import Use
from tocsin.rules.tables import ANY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.rules.facts import Facts
    from tocsin.rules.template import Template

    Read = Callable[[Facts], str]

SHOWN = 5
"""So many candidates are named in a reason."""


class Fleet(Protocol):
    """The elements that tickets can be declared on."""

    def resolve(self, name: str) -> tuple[Element, ...]:
        """Return the elements that a name means: none, one, or several when it is ambiguous."""

    def get(self, reference: str) -> Element | None:
        """Return the element with this reference."""


class Unresolved(Struct, frozen=True):
    """There is no element: what is done with the alert instead, and why."""

    action: Action
    reason: str
    candidates: tuple[str, ...] = ()


class ElementChoice(Protocol):
    """One way to come to an element."""

    def choose(self, facts: Facts, fleet: Fleet) -> Element | Unresolved:
        """Return the element. Raises RenderError when a template of it fails."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same element."""

    reference: str

    def choose(self, _facts: Facts, fleet: Fleet) -> Element | Unresolved:
        """Return the element, unless the fleet has it no more."""
        return fleet.get(self.reference) or Unresolved(Action.QUARANTINE, _no_reference(self.reference))


@dataclass(frozen=True, slots=True)
class ByName:
    """The element that goes by a name."""

    name: Template
    missing: str | Use
    ambiguous: str | Use

    def choose(self, facts: Facts, fleet: Fleet) -> Element | Unresolved:
        """Return the one element that goes by the name."""
        name = self.name.render(facts).strip()
        found = fleet.resolve(name) if name else ()
        if len(found) == 1:
            return found[0]
        if not found:
            reason = f"no element of the fleet is called '{name}'" if name else f"'{self.name.source}' gives no name"
            return _instead(self.missing, fleet, reason)
        candidates = tuple(element.reference for element in found)
        return _instead(self.ambiguous, fleet, f"'{name}' could be {_either(candidates)}", candidates)


@dataclass(frozen=True, slots=True)
class ByTable:
    """The element whose reference a table has for a value."""

    file: str
    by: str
    read: Read
    references: Mapping[str, str]
    missing: str | Use

    def choose(self, facts: Facts, fleet: Fleet) -> Element | Unresolved:
        """Return the element of the value's row."""
        value = self.read(facts)
        reference = self.references.get(value) or self.references.get(ANY)
        if reference is None:
            return _instead(self.missing, fleet, f"{self.file} has no row for the {self.by} '{value}'")
        return fleet.get(reference) or _instead(self.missing, fleet, f"{_no_reference(reference)} ({self.file})")


@dataclass(frozen=True, slots=True)
class ImpactChoice:
    """The impact for each value of a field; with no values, always the same."""

    otherwise: Impact | None
    by: str = ""
    read: Read | None = None
    impacts: Mapping[str, Impact] = field(default_factory=dict)
    file: str = ""

    def choose(self, facts: Facts) -> Impact | str:
        """Return the impact, or why there is none."""
        if self.read is None:
            return self.otherwise or "the rule has no impact"
        value = self.read(facts)
        impact = self.impacts.get(value) or self.otherwise
        return impact or f"{self.file or 'the rule'} has no impact for the {self.by} '{value}'"


def _instead(otherwise: str | Use, fleet: Fleet, reason: str, candidates: tuple[str, ...] = ()) -> Element | Unresolved:
    """What the rule wants when there is no one element."""
    if not isinstance(otherwise, Use):
        return Unresolved(Action(otherwise), reason, candidates)
    reason = f"{reason}, and {_no_reference(otherwise.use)}"
    return fleet.get(otherwise.use) or Unresolved(Action.QUARANTINE, reason, candidates)


def _no_reference(reference: str) -> str:
    return f"no element of the fleet has the reference '{reference}'"


def _either(references: tuple[str, ...]) -> str:
    shown = [*references[:SHOWN], *(["others"] if len(references) > SHOWN else [])]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"

"""What a rule chooses for an alert: the element of the fleet, and the impact.

Every choice has an answer for each alert: an element or why there is none, an impact or why there is none. `branches`
names the ways to come to one, `branch` the way that an alert takes. Knows the fleet only by the two questions it answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tocsin.model import Action, Element, Impact, Severity, Status
from tocsin.rules.schema import Use
from tocsin.rules.tables import ANY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.rules.facts import Facts
    from tocsin.rules.template import Template

    Read = Callable[[Facts], str]

FOUND, MISSING, AMBIGUOUS, ELSE = "found", "missing", "ambiguous", "else"
"""The branches that have no value of their own."""

WORDS: dict[str, tuple[str, ...]] = {"severity": tuple(Severity), "status": tuple(Status)}
"""The fields whose values are a closed list."""

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

    def branches(self) -> tuple[str, ...]:
        """Return the ways to come to an element, or to none."""

    def branch(self, facts: Facts, fleet: Fleet) -> str:
        """Return the way that an alert takes; one of `branches`, or empty. Raises RenderError as `choose` does."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same element."""

    reference: str

    def choose(self, _facts: Facts, fleet: Fleet) -> Element | Unresolved:
        """Return the element, unless the fleet has it no more."""
        return fleet.get(self.reference) or Unresolved(Action.QUARANTINE, _no_reference(self.reference))

    def branches(self) -> tuple[str, ...]:
        """Return none: there is nothing to choose."""
        return ()

    def branch(self, _facts: Facts, _fleet: Fleet) -> str:
        """Return nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class ByName:
    """The element that goes by a name."""

    name: Template
    missing: str | Use
    ambiguous: str | Use
    says_ambiguous: bool = False
    """The rule says itself what happens to an ambiguous name."""

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

    def branches(self) -> tuple[str, ...]:
        """Return found and missing; ambiguous only where the rule says what happens then, as few fleets share a name."""
        return (FOUND, MISSING, AMBIGUOUS) if self.says_ambiguous else (FOUND, MISSING)

    def branch(self, facts: Facts, fleet: Fleet) -> str:
        """Return whether one element, none or several go by the name."""
        name = self.name.render(facts).strip()
        found = len(fleet.resolve(name)) if name else 0
        return MISSING if not found else FOUND if found == 1 else AMBIGUOUS


@dataclass(frozen=True, slots=True)
class ByTable:
    """The element whose reference a table has for a value."""

    file: str
    by: str
    read: Read
    references: Mapping[str, str]
    missing: str | Use
    column: str = ""

    def choose(self, facts: Facts, fleet: Fleet) -> Element | Unresolved:
        """Return the element of the value's row."""
        value = self.read(facts)
        reference = self.references.get(value) or self.references.get(ANY)
        if reference is None:
            return _instead(self.missing, fleet, f"{self.file} has no row for the {self.by} '{value}'")
        return fleet.get(reference) or _instead(self.missing, fleet, f"{_no_reference(reference)} ({self.file})")

    def branches(self) -> tuple[str, ...]:
        """Return found and missing; a row for all other values leaves nothing missing."""
        return (FOUND,) if ANY in self.references else (FOUND, MISSING)

    def branch(self, facts: Facts, _fleet: Fleet) -> str:
        """Return whether the table has a row for the value."""
        return FOUND if self.row(facts) else MISSING

    def row(self, facts: Facts) -> str:
        """Return the value of the row that an alert leads to; empty when there is none."""
        return _row(self.references, self.read(facts))


@dataclass(frozen=True, slots=True)
class ImpactChoice:
    """The impact for each value of a field; with no values, always the same."""

    otherwise: Impact | None
    by: str = ""
    read: Read | None = None
    impacts: Mapping[str, Impact] = field(default_factory=dict)
    file: str = ""
    column: str = ""

    def choose(self, facts: Facts) -> Impact | str:
        """Return the impact, or why there is none."""
        if self.read is None:
            return self.otherwise or "the rule has no impact"
        value = self.read(facts)
        impact = self.impacts.get(value) or self.otherwise
        return impact or f"{self.file or 'the rule'} has no impact for the {self.by} '{value}'"

    def branches(self) -> tuple[str, ...]:
        """Return the cases: the values named, `else` where another value can be met; of a table, whether it has a row."""
        if self.read is None:
            return ()
        rest = () if self._complete() else (ELSE,)
        return (FOUND, *rest) if self.file else (*self.impacts, *rest)

    def branch(self, facts: Facts) -> str:
        """Return the case that an alert takes; empty where there is only one."""
        if self.read is None:
            return ""
        if self.file:
            return FOUND if self.row(facts) else ELSE
        value = self.read(facts)
        return value if value in self.impacts else ELSE

    def row(self, facts: Facts) -> str:
        """Return the value of the table's row that an alert leads to; empty when there is no table or no row."""
        return _row(self.impacts, self.read(facts)) if self.file and self.read else ""

    def possible(self) -> frozenset[Impact]:
        """Return the impacts that can come of it."""
        return frozenset([*self.impacts.values(), *([self.otherwise] if self.otherwise else [])])

    def _complete(self) -> bool:
        """Whether no value is left for `else`."""
        words = WORDS.get(self.by, ())
        return ANY in self.impacts or bool(words and self.impacts.keys() >= set(words))


def _row(rows: Mapping[str, object], value: str) -> str:
    return value if rows.get(value) else ANY if rows.get(ANY) else ""


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

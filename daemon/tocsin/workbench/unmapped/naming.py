"""Proposes what makes names find their element: aliases to add, aliases to take away, elements that are missing.

A proposal shows each element as it should stand in the fleet. Pure; what it does is shown by deciding everything again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tocsin import fleet as fleets
from tocsin.fleet import names
from tocsin.model import Criticality, Element, ElementKind
from tocsin.workbench.unmapped import writing
from tocsin.workbench.unmapped.cases import Why
from tocsin.workbench.unmapped.likeness import Likeness
from tocsin.workbench.unmapped.proposals import Proof, Proposal, World, prove
from tocsin.workbench.unmapped.writing import comment, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tocsin.model import Decision
    from tocsin.rules import RuleSet
    from tocsin.workbench.unmapped.groups import Gathered

NAMES = 50
"""So many names are looked after in one proposal."""
_NEW = "NEW-"
"""What a reference begins with that a person has to give."""
_FIELDS = ("kind", "offer", "site", "contract", "criticality", "parent")
_PURPOSE = {
    Why.NO_RULE: "Proposed so that the fleet knows what these alerts are about:",
    Why.MISSING: "Proposed so that an element goes by what the rule looks for:",
    Why.AMBIGUOUS: "Proposed so that what the rule looks for means one element:",
}
_USUAL = {"kind": ElementKind.SERVICE, "criticality": Criticality.NORMAL}


class Naming:
    """Proposals for one fleet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._likeness = Likeness(world.fleet)

    def clearer(self, gathered: Gathered, rule_set: RuleSet | None = None) -> Proposal:
        """Return the elements by which all names of a group find one element each.

        `rule_set` decides instead of the live one, where the change of the fleet goes with one of the rules.
        """
        sought = _sought(gathered)
        changed = self._changed(sought[:NAMES])
        proof = self._proof(gathered, changed, rule_set)
        new = [element for reference, element in changed.items() if reference not in self._world.fleet]
        return Proposal(
            kind="elements",
            file="",
            text="\n".join(_written(gathered, changed.values(), new)) + "\n" if changed else "",
            proof=proof,
            exact=proof.exact,
            remarks=tuple(_remarks(sought, new)),
            references=tuple(reference for reference in changed if reference in self._world.fleet),
        )

    def guess(self, name: str) -> Element | None:
        """Return the element that a name most likely means."""
        return self._likeness.guess(name)

    def missing(self, gathered: Gathered, references: Sequence[str]) -> Proposal:
        """Return elements for references that the rules name and the fleet does not have."""
        new = {reference: self._skeleton(reference, reference) for reference in references[:NAMES]}
        proof = self._proof(gathered, new, None)
        text = "\n".join(_written(gathered, new.values(), list(new.values()))) + "\n"
        remarks = ("look at what was taken over from a neighbour",)
        return Proposal(kind="elements", file="", text=text, proof=proof, exact=proof.exact, remarks=remarks)

    def _changed(self, sought: Iterable[str]) -> dict[str, Element]:
        """By reference, the elements that are new or have other aliases, so that each name finds one."""
        changed: dict[str, Element] = {}
        for name in filter(None, sought):
            known = self._world.fleet.resolve(name)
            if len(known) == 1:
                continue
            found = [changed.get(element.reference, element) for element in known]
            for element in self._cleared(name, found) if found else [self._named(name, changed)]:
                changed[element.reference] = element
        return changed

    def _named(self, name: str, changed: dict[str, Element]) -> Element:
        """The element that a name most likely means, with the name as an alias; or a new one."""
        near = self._likeness.guess(name)
        if near is None:
            return self._skeleton(_reference(name), name)
        element = changed.get(near.reference, near)
        return replace(element, aliases=(*element.aliases, name))

    def _cleared(self, name: str, found: Sequence[Element]) -> list[Element]:
        """Elements that share a name, so that it means the first alone."""
        first, *others = found
        if not any(_has(element, name) for element in found):
            return [replace(first, aliases=(*first.aliases, name))]  # an exact name counts before any wider one
        kept = first if _has(first, name) else replace(first, aliases=(*first.aliases, name))
        return [
            *([kept] if kept is not first else []),
            *(_without(element, name) for element in others if _has(element, name)),
        ]

    def _skeleton(self, reference: str, name: str) -> Element:
        """A new element like its neighbour."""
        near = self._likeness.sibling(name)
        like = {field: getattr(near, field) for field in _FIELDS} if near else {}
        aliases = () if name == reference else (name,)
        return Element(reference=reference, name=name, aliases=aliases, **like)

    def _proof(self, gathered: Gathered, changed: dict[str, Element], rule_set: RuleSet | None) -> Proof:
        elements = {element.reference: element for element in self._world.fleet} | changed
        fleet = fleets.build(elements.values())
        return prove(
            self._world, gathered.cases, rule_set or self._world.rule_set, fleet, _has_element, set(_sought(gathered))
        )


def _has_element(decision: Decision) -> bool:
    return decision.element is not None


def _sought(gathered: Gathered) -> list[str]:
    """The names of a group that find no one element."""
    if gathered.group.why == Why.NO_RULE:
        return list(dict.fromkeys(case.alert.resource for case in gathered.cases))
    return list(dict.fromkeys(case.name for case in gathered.cases))


def _has(element: Element, name: str) -> bool:
    return any(names.key(alias) == names.key(name) for alias in element.aliases)


def _without(element: Element, name: str) -> Element:
    kept = tuple(alias for alias in element.aliases if names.key(alias) != names.key(name))
    return replace(element, aliases=kept)


def _reference(name: str) -> str:
    return _NEW + (re.sub(r"\W+", "-", name, flags=re.ASCII).strip("-").upper()[:40] or "ELEMENT")


def _remarks(sought: Sequence[str], new: Sequence[Element]) -> Iterator[str]:
    if "" in sought:
        yield "what the rule looks for gives no name: change its `lookup`"
    if new:
        yield "give new elements their real reference, and look at what was taken over from a neighbour"
    if len(sought) > NAMES:
        yield f"there are {len(sought)} names, these are the first {NAMES}; an alias can be a glob, such as web*.example.com"


def _written(gathered: Gathered, changed: Iterable[Element], new: Sequence[Element]) -> Iterator[str]:
    yield comment(_PURPOSE[gathered.group.why])
    yield "elements:"
    for element in sorted(changed, key=lambda one: one.reference):
        yield f"  - reference: {writing.text(element.reference)}{'  # new' if element in new else ''}"
        yield f"    name: {writing.text(element.name)}"
        for field in _FIELDS:
            value = getattr(element, field)
            if value and value != _USUAL.get(field):
                yield f"    {field}: {writing.text(value)}"
        if element.aliases:
            yield f"    aliases: {listed(element.aliases)}"

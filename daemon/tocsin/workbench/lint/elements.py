"""Names of elements in rules and tables that the fleet does not have, and names in the fleet that mean several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.errors import Code, RuleError
from tocsin.rules import tables
from tocsin.rules.choices import ByName, ByTable, Constant
from tocsin.rules.schema import Use
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.fleet import Fleet
    from tocsin.rules import Rule, RuleSet
    from tocsin.workbench.lint.places import Places

SEARCHED = 5_000
"""Largest fleet of which the nearest reference is looked for: it takes 10 µs for each element."""


def missing(rule_set: RuleSet, fleet: Fleet, places: Places) -> Iterator[RuleError]:
    """Yield each reference that rules and tables have and the fleet does not, where it stands; a cell once."""
    looked_at: set[tuple[str, str]] = set()
    for rule in rule_set.rules:
        if rule.declaration is None:
            continue
        choice = rule.declaration.element
        if isinstance(choice, Constant):
            yield from _missing(rule, choice.reference, fleet, places, "element")
        if isinstance(choice, ByName):
            yield from _missing_name(rule, choice, fleet, places)
        if isinstance(choice, ByTable) and (choice.file, choice.column) not in looked_at:
            looked_at.add((choice.file, choice.column))
            yield from _missing_cells(rule_set, choice, fleet, places.folder)
        for name in ("missing", "ambiguous"):
            otherwise = getattr(choice, name, None)
            if isinstance(otherwise, Use):
                yield from _missing(rule, otherwise.use, fleet, places, "element", name, "use")


def _missing(rule: Rule, reference: str, fleet: Fleet, places: Places, *path: str) -> Iterator[RuleError]:
    if reference not in fleet:
        sentence = f'no element of the fleet has the reference "{reference}"'
        yield places.problem(rule, sentence, Code.ELEMENT_MISSING, *path, hint=_near(reference, fleet))


def _missing_name(rule: Rule, choice: ByName, fleet: Fleet, places: Places) -> Iterator[RuleError]:
    """A look-up of what is always the same name can be tried."""
    name = choice.name.source
    if "{" not in name and not fleet.resolve(name):
        sentence = f'no element of the fleet is called "{name}"'
        yield places.problem(rule, sentence, Code.ELEMENT_MISSING, "element", "lookup", hint=_near(name, fleet))


def _missing_cells(rule_set: RuleSet, choice: ByTable, fleet: Fleet, folder: str) -> Iterator[RuleError]:
    table = tables.read(rule_set.files[choice.file], folder + choice.file)
    for cell in table.pairs(choice.column).values():
        if cell.text not in fleet:
            sentence = f'no element of the fleet has the reference "{cell.text}"'
            yield table.problem(sentence, cell.line, cell.position, _near(cell.text, fleet), Code.ELEMENT_MISSING)


def _near(reference: str, fleet: Fleet) -> str:
    if len(fleet) > SEARCHED:
        return ""
    return nearest(reference, (element.reference for element in fleet))


def shared(fleet: Fleet) -> Iterator[RuleError]:
    """Yield each alias that several elements have, where the second and each further one has it."""
    for one in fleet.shared:
        *others, last = one.references
        file, line, column = one.place
        sentence = f'{last} has the alias "{one.alias}", and so has {" and ".join(others)}: a look-up is ambiguous'
        length = len(one.alias) if column else 0
        yield RuleError(
            sentence,
            code=Code.ALIAS_SHARED,
            file=file,
            line=line,
            column=column,
            length=length,
            hint="leave it to the one that alerts mean by it",
        )

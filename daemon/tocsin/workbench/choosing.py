"""How a rule came to its element and its impact, in words: the name it looked up, the alias, the row, the case.

Says again what `rules.choices` does, for one alert and the element that came of it then; the fleet of that time is not
kept, so an element is looked up among its own aliases. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tocsin import fleet
from tocsin.errors import RuleError
from tocsin.fleet import names
from tocsin.rules import tables
from tocsin.rules.choices import ByName, ByTable, Constant
from tocsin.rules.schema import Use
from tocsin.rules.template import RenderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.model import Element, Impact
    from tocsin.rules.choices import ElementChoice, ImpactChoice
    from tocsin.rules.facts import Facts


def element(choice: ElementChoice, facts: Facts, found: Element | None, files: Mapping[str, str]) -> str:
    """How the element was found, or where it was looked for when there is none."""
    match choice:
        case Constant():
            return "the rule names it"
        case ByName():
            return _by_name(choice, facts, found)
        case ByTable():
            return _by_table(choice, facts, found, files)
    return ""


def impact(choice: ImpactChoice, facts: Facts, chosen: Impact, files: Mapping[str, str]) -> str:
    """Which case of the rule, or which row of its table, said the impact that the decision has."""
    if choice.read is None:
        return "the rule names it"
    value, took = choice.read(facts), choice.branch(facts)
    said = choice.impacts.get(choice.row(facts) if choice.file else took) or choice.otherwise
    if said != chosen:
        return f"by {choice.by} '{value}', as the rule understood it then"
    if choice.file:
        row = _row(choice.file, choice.row(facts), files)
        return f"{choice.by} '{value}': {row or 'else, for values without a row'}"
    return f"{choice.by} '{value}': the case {took}"


def gives_no_text(choice: ElementChoice, facts: Facts) -> bool:
    """Whether the template of the element's name cannot be filled for this alert."""
    if not isinstance(choice, ByName):
        return False
    try:
        choice.name.render(facts)
    except RenderError:
        return True
    return False


def _by_name(choice: ByName, facts: Facts, found: Element | None) -> str:
    try:
        name = choice.name.render(facts).strip()
    except RenderError as error:
        return f"looked up '{choice.name.source}', which cannot be filled: {error}"
    asked = f"looked up '{name}' ('{choice.name.source}')"
    if found is None:
        return asked
    goes_by = _goes_by(found, name)
    if goes_by:
        return f"{asked}: {goes_by}"
    uses = [one for one in (choice.missing, choice.ambiguous) if isinstance(one, Use) and one.use == found.reference]
    return f"{asked}, which means no one element: the rule uses this one then" if uses else asked


def _goes_by(found: Element, name: str) -> str:
    """Which of its names an element was found by; empty when it goes by no such name."""
    if name == found.reference:
        return "its reference"
    spelt = names.key(name)
    ordered = sorted(found.aliases, key=lambda alias: names.key(alias) != spelt)
    return next((f"its alias {alias}" for alias in ordered if _means(found, alias, name)), "")


def _means(found: Element, alias: str, name: str) -> bool:
    try:
        alone = fleet.build([replace(found, aliases=(alias,), parent=None)])
    except RuleError:
        return False
    return bool(alone.resolve(name))


def _by_table(choice: ByTable, facts: Facts, found: Element | None, files: Mapping[str, str]) -> str:
    value, key = choice.read(facts), choice.row(facts)
    row = _row(choice.file, key, files)
    asked = f"{choice.by} '{value}' in {choice.file}"
    if found and choice.references.get(key) != found.reference:
        return f"{asked}, which leads to no element: the rule uses this one then"
    return f"{choice.by} '{value}': {row}" if row else f"{asked}: no row"


def _row(file: str, value: str, files: Mapping[str, str]) -> str:
    """A table's row, as `the row web1 (tables/hosts.csv:3)`; empty when there is none."""
    try:
        rows = tables.read(files[file], file).rows
    except (KeyError, RuleError):
        return ""
    return next((f"the row {value} ({file}:{line})" for line, cells in rows if cells[0] == value), "")

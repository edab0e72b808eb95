"""Makes what a rule declares with: the choices of element and impact, and the incident's key.

Knows the schema, the tables and the names a rule may use. What is wrong is said by raising `Wrong`, with the way to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tocsin.errors import Code
from tocsin.model import Impact
from tocsin.rules.choices import WORDS, ByName, ByTable, Constant, ImpactChoice
from tocsin.rules.facts import Facts, value
from tocsin.rules.fields import FIELDS, is_field
from tocsin.rules.schema import ElementTable, ImpactBy, Lookup
from tocsin.rules.tables import ANY
from tocsin.rules.texts import Key
from tocsin.rules.wrong import Wrong
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tocsin.rules.choices import ElementChoice
    from tocsin.rules.schema import ImpactTable
    from tocsin.rules.tables import Columns
    from tocsin.rules.template import Template

    Read = Callable[[Facts], str]

T = TypeVar("T")


def element(
    written: str | Lookup | ElementTable, lookup: Callable[[str], Template], columns: Columns, captures: frozenset[str]
) -> ElementChoice:
    """Return the choice of an element.

    Args:
        written: what the file says.
        lookup: compiles the template of a name, or raises Wrong.
        columns: the tables.
        captures: the rule's captures.

    Raises:
        Wrong: it cannot be made.
    """
    if isinstance(written, str):
        if "{{" in written:
            raise Wrong("this is a reference, not a template", "element", hint="write {lookup: '…'}")
        return Constant(written)
    if isinstance(written, Lookup):
        name = _at(lambda: lookup(written.lookup), "element", "lookup")
        return ByName(name, written.missing, written.ambiguous, "ambiguous" in written.model_fields_set)
    read = _read(written.by, captures, "element", "by")
    references = _at(lambda: columns.column(written.table, written.column, str), "element", "table")
    return ByTable(written.table, written.by, read, references, written.missing, written.column)


def impact(written: Impact | ImpactBy | ImpactTable, columns: Columns, captures: frozenset[str]) -> ImpactChoice:
    """Return the choice of an impact.

    Raises:
        Wrong: it cannot be made, or says nothing for some severity or status.
    """
    if isinstance(written, Impact):
        return ImpactChoice(written)
    read = _read(written.by, captures, "impact", "by")
    if isinstance(written, ImpactBy):
        impacts = dict(written.__pydantic_extra__)
        _check_values(written, impacts)
        return ImpactChoice(written.otherwise, written.by, read, impacts)
    table = _at(lambda: columns.column(written.table, written.column, as_impact), "impact", "table")
    return ImpactChoice(table.get(ANY) or written.otherwise, written.by, read, table, written.table, written.column)


def key(names: tuple[str, ...], rule: str, captures: frozenset[str]) -> Key:
    """Return the key that names make.

    Raises:
        Wrong: a name is not known.
    """
    own: dict[str, Read] = {"element": _reference, "rule": lambda _facts: rule}
    return Key.of(
        [
            (name, own.get(name) or _read(name, captures, "key", position, also=own))
            for position, name in enumerate(names)
        ]
    )


def as_impact(text: str) -> Impact:
    """Return the impact that a cell names.

    Raises:
        Wrong: it names none; the hint names the nearest.
    """
    try:
        return Impact(text)
    except ValueError:
        hint = nearest(text, Impact) or f"there are {', '.join(Impact)}"
        raise Wrong(f'"{text}" is no impact', hint=hint, code=Code.WRONG_TABLE) from None


def _reference(facts: Facts) -> str:
    return facts.element.reference if facts.element else ""


def _read(name: str, captures: frozenset[str], *path: str | int, also: Collection[str] = ()) -> Read:
    """The function that reads a field, a label or a capture."""
    if name in captures or is_field(name):
        return value(name, captures)
    known = [*FIELDS, *sorted(captures), *also]
    hint = nearest(name, known) or f"there are {', '.join(known)} and labels.NAME"
    raise Wrong(f'unknown name "{name}"', *path, hint=hint, code=Code.UNKNOWN_NAME)


def _check_values(written: ImpactBy, impacts: dict[str, Impact]) -> None:
    """Whether each value can be met, and each that can be met has an impact."""
    words = WORDS.get(written.by, ())
    for said in impacts if words else ():
        if said not in words:
            hint = nearest(said, words) or f"there are {', '.join(words)}"
            raise Wrong(f'"{said}" is no {written.by}', "impact", said, key=True, hint=hint)
    if written.otherwise is None and not (words and impacts.keys() >= set(words)):
        raise Wrong(f"no impact for any other {written.by}: add `else:`", "impact", code=Code.MISSING_KEY)


def _at(make: Callable[[], T], *path: str) -> T:
    """What `make` returns; what it refuses is said with the path to it."""
    try:
        return make()
    except Wrong as wrong:
        raise wrong.at(*path) from None

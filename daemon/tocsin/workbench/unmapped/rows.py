"""Proposes rows for the table in which a rule looks its elements up.

Knows how a table is written; what the rows do is shown by deciding everything again.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from tocsin import rules
from tocsin.workbench.unmapped.proposals import Proof, Proposal, World, prove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.rules.choices import ByTable
    from tocsin.workbench.unmapped.groups import Gathered
    from tocsin.workbench.unmapped.naming import Naming

UNKNOWN = "REFERENCE"
"""Stands where a person must say which element it is."""


def rows(gathered: Gathered, choice: ByTable, column: str, world: World, naming: Naming) -> Proposal:
    """Return the rows that a table lacks: one for each value of the group, with the element that is its best guess."""
    values = list(dict.fromkeys(case.name for case in gathered.cases))
    before = world.rule_set.files[choice.file]
    head, delimiter = _head(before)
    guesses = [naming.guess(value) for value in values]
    found = [near.reference if near else UNKNOWN for near in guesses]
    text = _written(head, delimiter, column, list(zip(values, found, strict=True)))
    proof = _proof(gathered, {choice.file: before.rstrip("\r\n") + "\n" + text}, world)
    remarks = (f"replace {UNKNOWN} by the element's reference",) if UNKNOWN in found else ()
    return Proposal(kind="rows", file=choice.file, text=text, proof=proof, exact=proof.exact, remarks=remarks)


def _head(text: str) -> tuple[list[str], str]:
    first = text.removeprefix("\ufeff").partition("\n")[0].strip()
    delimiter = ";" if ";" in first and "," not in first else ","
    return [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])], delimiter


def _written(head: Sequence[str], delimiter: str, column: str, pairs: Sequence[tuple[str, str]]) -> str:
    to = StringIO()
    writer = csv.writer(to, delimiter=delimiter, lineterminator="\n")
    for value, reference in pairs:
        writer.writerow([value, *(reference if name == column else "" for name in head[1:])])
    return to.getvalue()


def _proof(gathered: Gathered, table: dict[str, str], world: World) -> Proof:
    candidate = rules.build({**world.rule_set.files, **table})
    return prove(world, gathered.cases, candidate, world.fleet, lambda decision: decision.element is not None)

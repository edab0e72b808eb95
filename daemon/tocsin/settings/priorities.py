"""The desk's table of priorities: its default, and what people change of it.

Knows the words of impact, criticality and priority; computing a ticket's priority is the desk's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.model import Criticality, Impact, Priority

PriorityTable = dict[Impact, dict[Criticality, Priority]]

_PRIORITIES = {  # vital, high, normal, low
    Impact.NONE: "P4 P4 P4 P4",
    Impact.BACKUP: "P3 P3 P4 P4",
    Impact.DEGRADED: "P2 P3 P3 P4",
    Impact.SEVERE: "P1 P2 P2 P3",
    Impact.INTERRUPTED: "P1 P1 P2 P3",
}


def default_priorities() -> PriorityTable:
    """Return the table that holds when the settings change nothing: complete in impact and criticality."""
    return {
        impact: {criticality: Priority(word) for criticality, word in zip(Criticality, row.split(), strict=True)}
        for impact, row in _PRIORITIES.items()
    }


def over_default(given: Any) -> Any:
    """Return the default table with the cells that are given; words it does not know are left for pydantic to refuse."""
    if not isinstance(given, Mapping):
        return given
    table: dict[Any, Any] = {**default_priorities()}
    for impact, row in given.items():
        table[impact] = {**table.get(impact, {}), **row} if isinstance(row, Mapping) else row
    return table

"""What people change of the desk's table of priorities.

Knows how cells are given; the table that holds without them is `tocsin.priorities`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.priorities import PriorityTable, default_priorities

__all__ = ["PriorityTable", "default_priorities", "over_default"]


def over_default(given: Any) -> Any:
    """Return the default table with the cells that are given; words it does not know are left for pydantic to refuse."""
    if not isinstance(given, Mapping):
        return given
    table: dict[Any, Any] = {**default_priorities()}
    for impact, row in given.items():
        table[impact] = {**table.get(impact, {}), **row} if isinstance(row, Mapping) else row
    return table

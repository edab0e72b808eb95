"""The priority of a ticket by impact and by criticality of its element: the table that holds unless the settings change it.

Knows the words only; reading what people change of it is the business of `settings`.
"""

from __future__ import annotations

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

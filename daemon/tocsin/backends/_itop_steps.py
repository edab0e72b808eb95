"""How a ticket of iTop gets from one state to another: which stimuli, in which order. Pure.

It is the life cycle of the classes Incident and UserRequest as iTop comes with them.
"""

from __future__ import annotations

ASSIGN, PENDING, RESOLVE, REOPEN, CLOSE = "ev_assign", "ev_pending", "ev_resolve", "ev_reopen", "ev_close"
TARGETS = ("new", "assigned", "pending", "resolved", "closed")
"""The states that can be asked for, `new` by making the ticket only."""

_UNASSIGNED = frozenset({"new", "escalated_tto", "approved", "pending", "dispatched"})
"""States that somebody is assigned from; a pending ticket is assigned again."""
_ENDED = frozenset({"resolved", "closed"})


def steps(state: str, target: str) -> list[str]:
    """The stimuli that lead from a state to one of TARGETS; none when it is there, or when no way is known."""
    if target in (state, "new"):
        return []
    if target == "closed":
        return [*steps(state, "resolved"), CLOSE]
    if state in _ENDED:
        return [REOPEN, *steps("assigned", target)]
    begin = [ASSIGN] if state in _UNASSIGNED else []
    return [*begin, *{"resolved": [RESOLVE], "pending": [PENDING], "assigned": []}[target]]

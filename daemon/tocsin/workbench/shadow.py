"""What a second rule set would do with an alert, beside the live one: two decisions, compared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from tocsin.model import Action
from tocsin.store.shadows import Details, Difference

if TYPE_CHECKING:
    from tocsin.model import Decision, Policy

Hear = Callable[[Sequence[str]], None]
"""Told of each comparison: the groups of `GROUPS` that differ, or `same` alone."""


class Kind(StrEnum):
    """In what the shadow's decision differs from the live one."""

    APPEARS = "appears"
    """Only the shadow wants a ticket."""
    VANISHES = "vanishes"
    """Only the live rules want a ticket."""
    ACTION = "action"
    """Neither wants a ticket, and they do different things instead: record, ignore, quarantine."""
    ELEMENT = "element"
    IMPACT = "impact"
    KEY = "key"
    NAME = "name"
    DESCRIPTION = "description"
    HOLD = "hold"
    FLAP = "flap"
    CLOSE = "close"
    REOPEN = "reopen"
    BACKEND = "backend"
    INFORM = "inform"
    """Other ticket systems are informed."""


SAME = "same"
_TEXT, _POLICY = "text", "policy"
_WIDER = {Kind.NAME: _TEXT, Kind.DESCRIPTION: _TEXT} | dict.fromkeys(
    (Kind.HOLD, Kind.FLAP, Kind.CLOSE, Kind.REOPEN, Kind.BACKEND, Kind.INFORM), _POLICY
)
GROUPS = (SAME, *dict.fromkeys(_WIDER.get(kind, kind.value) for kind in Kind))
"""The metric's labels: kinds, but one for all texts and one for all that a policy says."""


def differences(live: Decision, shadow: Decision) -> tuple[Kind, ...]:
    """Return in what the shadow's decision differs, in the order of `Kind`; nothing when it comes to the same.

    Which rule decided is no difference, nor is the reason why there is no ticket.
    """
    wants = (live.action == Action.TICKET, shadow.action == Action.TICKET)
    if wants == (False, True):
        return (Kind.APPEARS,)
    if wants == (True, False):
        return (Kind.VANISHES,)
    if wants == (False, False):
        return () if live.action == shadow.action else (Kind.ACTION,)
    return tuple(kind for kind, differs in _compared(live, shadow).items() if differs)


def compare(live: Decision, shadow: Decision) -> Difference | None:
    """Return what is kept of the shadow's decision; None when it comes to the same."""
    kinds = differences(live, shadow)
    if not kinds:
        return None
    details = Details(
        name=shadow.name,
        description=shadow.description if shadow.description != live.description else {},
        reason=shadow.reason,
        policy=shadow.policy if shadow.policy != live.policy else None,
    )
    return Difference(kinds=kinds, said=shadow, details=details)


def groups(difference: Difference | None) -> tuple[str, ...]:
    """Return the metric's labels of a comparison, each once."""
    if difference is None:
        return (SAME,)
    return tuple(dict.fromkeys(_WIDER.get(Kind(kind), kind) for kind in difference.kinds))


def _compared(live: Decision, shadow: Decision) -> dict[Kind, bool]:
    """Two tickets: in what they differ."""
    return {
        Kind.ELEMENT: _reference(live) != _reference(shadow),
        Kind.IMPACT: live.impact != shadow.impact,
        Kind.KEY: live.dedup_key != shadow.dedup_key,
        Kind.NAME: live.name != shadow.name,
        Kind.DESCRIPTION: live.description != shadow.description,
    } | _policies(live.policy, shadow.policy)


def _policies(live: Policy | None, shadow: Policy | None) -> dict[Kind, bool]:
    if live is None or shadow is None or live == shadow:
        return {}
    return {
        Kind.HOLD: live.hold != shadow.hold,
        Kind.FLAP: live.flap != shadow.flap,
        Kind.CLOSE: (live.close_after, live.unless_touched) != (shadow.close_after, shadow.unless_touched),
        Kind.REOPEN: live.reopen != shadow.reopen,
        Kind.BACKEND: live.backend != shadow.backend,
        Kind.INFORM: set(live.inform or ()) != set(shadow.inform or ()),
    }


def _reference(decision: Decision) -> str:
    return decision.element.reference if decision.element else ""

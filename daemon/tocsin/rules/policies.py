"""Makes the policies of a rule: how its incidents live, for each impact.

Knows what a rule file says of hold, flap, close and reopen, and what holds when it says nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tocsin.model import Flap, Impact, Policy
from tocsin.rules.schema import Close, HoldByImpact, Lifetime

if TYPE_CHECKING:
    from collections.abc import Mapping

UNSAID = Policy()
"""What holds when neither the rule nor its file says otherwise."""


def inherited(written: Lifetime, defaults: Lifetime) -> Lifetime:
    """Return what a rule says of its incidents' life, and its file's defaults for what it does not say."""
    said = {name: getattr(written, name) for name in Lifetime.model_fields if name in written.model_fields_set}
    return defaults.model_copy(update=said)


def by_impact(life: Lifetime) -> Mapping[Impact, Policy]:
    """Return the policy for each impact; the same object where it does not depend on the impact."""
    if isinstance(life.hold, HoldByImpact):
        return {impact: _policy(life, _hold(life.hold, impact)) for impact in Impact}
    return dict.fromkeys(Impact, _policy(life, UNSAID.hold if life.hold is None else life.hold))


def _hold(table: HoldByImpact, impact: Impact) -> timedelta:
    hold: timedelta | None = getattr(table, impact)
    return table.otherwise if hold is None else hold


def _policy(life: Lifetime, hold: timedelta) -> Policy:
    after, unless_touched = _close(life)
    flap = life.flap
    return Policy(
        backend=life.backend or UNSAID.backend,
        inform=life.inform,
        hold=hold,
        flap=Flap(changes=flap.changes, within=flap.within, quiet=flap.quiet) if flap else None,
        close_after=after,
        unless_touched=unless_touched,
        closed_by_person=life.closed_by_person or UNSAID.closed_by_person,
        reopen=UNSAID.reopen if life.reopen is None else life.reopen,
    )


def _close(life: Lifetime) -> tuple[timedelta | None, bool]:
    match life.close:
        case None:
            return UNSAID.close_after, UNSAID.unless_touched
        case Close():
            return life.close.after, life.close.unless == "touched"
        case timedelta():
            return life.close, True
    return None, True

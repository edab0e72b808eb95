"""Budgets: how much a candidate may differ before a pipeline fails, such as `tickets > +5%` or `vanishes > 0`.

Pure. A budget names what is counted, a comparison and a limit: a number (`vanishes > 3`), a change against the live rules
(`tickets > +20`, `tickets < -20`), or a share of the live rules' tickets (`appears > 2%`, `tickets > +5%`).
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.errors import SettingsError
from tocsin.workbench.replay.result import Kind
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.workbench.replay.result import Result

_FORM = re.compile(r"\s*([a-z]+)\s*(>=|<=|>|<)\s*([+-]?)(\d+(?:\.\d+)?)\s*(%?)\s*\Z")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TOTALS = ("tickets", "avoided", "reopened")
"""What both sides count."""
WORDS = (*_TOTALS, "differences", *Kind)
"""What can be counted."""


class Budget(Struct, frozen=True, kw_only=True):
    """One condition under which a replay fails."""

    text: str
    what: str
    compare: str
    limit: float
    relative: bool
    """The limit is a change against the live rules, not a number of its own."""
    percent: bool


def read(text: str) -> Budget:
    """Return the budget that a text says.

    Raises:
        SettingsError: it says none; the sentence shows one.
    """
    found = _FORM.match(text)
    if found is None:
        raise SettingsError(f'"{text}" is no budget: write one such as tickets > +5% or vanishes > 0')
    what, compare, sign, number, percent = found.groups()
    if what not in WORDS:
        hint = nearest(what, WORDS) or f"there are {', '.join(WORDS)}"
        raise SettingsError(f'"{text}": nothing is called "{what}" ({hint})')
    if sign and what not in _TOTALS:
        raise SettingsError(f'"{text}": {what} has no sign, for it is a difference already')
    limit = float(number) * (-1 if sign == "-" else 1)
    if percent and what in _TOTALS and not sign:
        raise SettingsError(f'"{text}": say the change with its sign, such as {what} {compare} +{number}%')
    return Budget(text=text, what=what, compare=compare, limit=limit, relative=bool(sign), percent=bool(percent))


def exceeded(budget: Budget, result: Result) -> bool:
    """Whether a replay fails by this budget. A share of nothing is as large as it can be."""
    return _COMPARE[budget.compare](value(budget, result), budget.limit)


def value(budget: Budget, result: Result) -> float:
    """What the budget counts, in the unit of its limit."""
    if budget.what in _TOTALS:
        live, candidate = (getattr(side, budget.what) for side in (result.live, result.candidate))
        number = candidate - live if budget.relative else candidate
    else:
        number = result.differing if budget.what == "differences" else result.kinds.get(Kind(budget.what), 0)
        live = result.live.tickets
    if not budget.percent:
        return float(number)
    if not live:
        return 0.0 if not number else float("inf") if number > 0 else float("-inf")
    return 100.0 * float(number) / float(live)

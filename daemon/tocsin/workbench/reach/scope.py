"""The scope of one field: the values that it may have where all conditions of a rule on it hold.

Knows conditions and what they say together; nothing of other rules.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

import re2

from tocsin.model import Severity, Status
from tocsin.workbench.reach import samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.rules.conditions import Condition

ALWAYS = {"severity": frozenset(Severity), "status": frozenset(Status)}
"""Fields that every alert has, with all they may be."""
SAMPLES = 12
"""So many samples are taken at most."""
LISTED = 50
"""So many values are made an expression at most."""


class Scope:
    """What the conditions on one field let through."""

    def __init__(self, field: str, conditions: Sequence[Condition]) -> None:
        self.field = field
        self.conditions = tuple(conditions)
        self._samples = samples.of_conditions(self.conditions)

    @cached_property
    def values(self) -> tuple[str, ...] | None:
        """All values there can be, in order; None when they are not to be counted."""
        listed = [condition.values for condition in self.conditions if not condition.operator]
        if any(condition.operator == "exists" and not condition.operand for condition in self.conditions):
            listed.append(frozenset({""}))
        if self.field in ALWAYS:
            listed.append(frozenset(map(str, ALWAYS[self.field])))
        if not listed:
            return None
        fewest = min(listed, key=len)
        return tuple(value for value in sorted(fewest) if all(condition.test(value) for condition in self.conditions))

    @cached_property
    def first(self) -> str | None:
        """A value there can be; None when there is none, or none was found."""
        return (self.values[0] if self.values else None) if self.values is not None else next(self._samples, None)

    @cached_property
    def samples(self) -> tuple[str, ...]:
        """Some values there can be; all of them, if they can be counted."""
        if self.values is not None:
            return self.values
        first = [] if self.first is None else [self.first]
        return tuple(islice(chain(first, self._samples), SAMPLES))

    @cached_property
    def found(self) -> list[str]:
        """Expressions that all find something in each value."""
        return [condition.pattern for condition in self.conditions if condition.pattern]

    @cached_property
    def refused(self) -> list[str]:
        """Expressions that find nothing in any value."""
        inner = [condition.operand for condition in self.conditions if condition.operator == "not"]
        return [pattern for unwanted in inner if len(unwanted) == 1 and (pattern := as_expression(unwanted[0]))]

    def only(self, value: str) -> Scope:
        """Return the scope with this value alone."""
        narrowed = Scope(self.field, self.conditions)
        narrowed.values = (value,)
        return narrowed

    def allows(self, value: str) -> bool:
        """Tell whether a value fulfils all conditions."""
        return all(condition.test(value) for condition in self.conditions)


def as_expression(condition: Condition) -> str:
    """Return the expression that finds exactly what a condition allows; empty when it is not about texts."""
    if condition.pattern or not 0 < len(condition.values) <= LISTED:
        return condition.pattern
    return rf"\A(?:{'|'.join(map(re2.escape, sorted(condition.values)))})\z"

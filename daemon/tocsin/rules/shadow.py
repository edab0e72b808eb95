"""Rules that can never be reached: an earlier one matches everything they would.

Knows conditions. It finds what can be read off them (the same condition, fewer values), not every case there is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.rules.conditions import Condition
    from tocsin.rules.rule import Rule

    Mark = tuple[str, str]
    """A field and one of its values, or a field and a whole condition."""


def unreachable(rules: Sequence[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Return each rule that can never be reached, with the first rule that takes its alerts."""
    shared = Counter(mark for rule in rules for condition in rule.conditions for mark in _marks(condition))
    earlier: dict[Mark | None, list[Rule]] = defaultdict(list)
    for rule in rules:
        marks = {mark for condition in rule.conditions for mark in _marks(condition)}
        above = [candidate for mark in [None, *marks] for candidate in earlier.get(mark, ())]
        if covering := next((other for other in above if _covers(other, rule)), None):
            yield rule, covering
        elif rule.where is None:
            for mark in _rarest(rule, shared):
                earlier[mark].append(rule)


def _marks(condition: Condition) -> list[Mark]:
    return [(condition.field, value) for value in condition.values] or [(condition.field, condition.text)]


def _rarest(rule: Rule, shared: Counter[Mark]) -> list[Mark] | list[None]:
    """The marks of one of its conditions: whatever it covers has at least one of them."""
    by_rarity = sorted(
        (_marks(condition) for condition in rule.conditions),
        key=lambda marks: max(shared[mark] for mark in marks),
    )
    return by_rarity[0] if by_rarity else [None]


def _covers(earlier: Rule, later: Rule) -> bool:
    """Whether each condition of the earlier rule holds whenever the later rule's do."""
    return all(any(_follows(one, other) for other in later.conditions) for one in earlier.conditions)


def _follows(condition: Condition, given: Condition) -> bool:
    """Whether a condition holds whenever the given one does."""
    if condition.field != given.field:
        return False
    if given.values:
        return all(condition.test(value) for value in given.values)
    return condition.text == given.text

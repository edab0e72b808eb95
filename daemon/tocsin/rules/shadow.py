"""Rules that can never be reached: an earlier one matches everything they would.

Knows conditions. It finds what can be read off them (the same condition, fewer values), not every case there is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.rules.conditions import Condition
    from tocsin.rules.rule import Rule

    Mark = tuple[str, str]
    """A field, and one of the values it may have, or a whole condition; or ANY, for whatever is no equality."""

ANY = ""
LOOKED_AT = 200
"""So many earlier rules are compared with each: ten thousand rules that share everything would else take minutes."""


def unreachable(rules: Sequence[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Return each rule that can never be reached, with a rule that takes its alerts."""
    shared = Counter(mark for rule in rules for condition in rule.conditions for mark in _own(condition))
    earlier: dict[Mark | None, list[Rule]] = defaultdict(list)
    for rule in rules:
        above = (candidate for mark in _sought(rule) for candidate in earlier.get(mark, ()))
        covering = next((other for other in islice(above, LOOKED_AT) if _covers(other, rule)), None)
        if covering:
            yield rule, covering
        elif rule.where is None:
            for mark in _kept(rule, shared):
                earlier[mark].append(rule)


def _own(condition: Condition) -> list[Mark]:
    return [(condition.field, value) for value in condition.values] or [(condition.field, condition.text)]


def _sought(rule: Rule) -> Iterator[Mark | None]:
    """Where a rule that covers this one may be kept."""
    yield None
    for condition in rule.conditions:
        yield from _own(condition)
        if condition.values:
            yield condition.field, ANY


def _kept(rule: Rule, shared: Counter[Mark]) -> Sequence[Mark | None]:
    """Where a rule is kept: under its condition that the fewest rules share."""
    if not rule.conditions:
        return [None]
    rarest = min(rule.conditions, key=lambda condition: max(shared[mark] for mark in _own(condition)))
    return _own(rarest) if rarest.values else [*_own(rarest), (rarest.field, ANY)]


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

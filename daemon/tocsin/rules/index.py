"""The index: which rules could match an alert, found without trying them all.

Each rule hangs on its most selective condition: an equality (one dict for each field), or a pattern (one filter for each
field); a rule that has neither is always a candidate. Rules that share one value and are many are indexed again by
what else they ask. Knows conditions; it rules out, it never decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.rules.fields import LABEL, getter
from tocsin.rules.patterns import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tocsin.model import Alert
    from tocsin.rules.conditions import Condition
    from tocsin.rules.fields import Getter

    Rules = Sequence[tuple[int, tuple[Condition, ...]]]
    """The conditions that an index may still use, with the number of their rule."""
    Values = dict[str, "Index | tuple[int, ...]"]

FEW = 8
"""So many rules are as well tried one by one. Also what a pattern counts as, beside the rules that share a value."""


@dataclass(frozen=True, slots=True)
class Index:
    """Finds the rules that an alert could match."""

    equalities: tuple[tuple[Getter, Values], ...]
    labels: dict[str, Values]
    """Equalities of labels, by the label's name: an alert has few labels, rules may name thousands."""
    patterns: tuple[tuple[Getter, Filter, tuple[int, ...]], ...]
    label_patterns: dict[str, tuple[Filter, tuple[int, ...]]]
    others: tuple[int, ...]

    def candidates(self, alert: Alert) -> list[int]:
        """Return the numbers of all rules that match, and of few that do not, in order."""
        found = list(self.others)
        self._gather(alert, found)
        found.sort()
        return found

    def _gather(self, alert: Alert, found: list[int]) -> None:
        for get, values in self.equalities:
            _take(values.get(get(alert)), alert, found)
        for get, patterns, numbers in self.patterns:
            if value := get(alert):
                found += [numbers[position] for position in patterns.possible(value)]
        if not (self.labels or self.label_patterns):
            return
        for name, value in alert.labels.items():
            if name in self.labels:
                _take(self.labels[name].get(value), alert, found)
            if name in self.label_patterns:
                patterns, numbers = self.label_patterns[name]
                found += [numbers[position] for position in patterns.possible(value)]


def _take(below: Index | tuple[int, ...] | None, alert: Alert, found: list[int]) -> None:
    if isinstance(below, Index):
        found += below.others
        below._gather(alert, found)  # noqa: SLF001 - itself, one level down
    elif below:
        found += below


def build(rules: Iterable[tuple[Condition, ...]]) -> Index:
    """Return the index of rules, given by their conditions, in order."""
    return _index([(number, conditions) for number, conditions in enumerate(rules)])


def _index(rules: Rules) -> Index:
    shared = Counter(
        (condition.field, value) for _, conditions in rules for condition in conditions for value in condition.values
    )
    idle = _idle_patterns(rules)
    equal: dict[str, dict[str, list[tuple[int, tuple[Condition, ...]]]]] = defaultdict(lambda: defaultdict(list))
    searched: dict[str, list[tuple[int, str]]] = defaultdict(list)
    others: list[int] = []
    for number, conditions in rules:
        anchor = _anchor(conditions, shared, idle)
        if anchor is None:
            others.append(number)
        elif anchor.pattern:
            searched[anchor.field].append((number, anchor.pattern))
        else:
            left = tuple(condition for condition in conditions if condition is not anchor)
            for value in anchor.values:
                equal[anchor.field][value].append((number, left))
    equalities = {name: {value: _below(few) for value, few in values.items()} for name, values in equal.items()}
    filters = {name: _filter(patterns) for name, patterns in searched.items()}
    return Index(
        tuple((getter(name), values) for name, values in equalities.items() if not name.startswith(LABEL)),
        {name.removeprefix(LABEL): values for name, values in equalities.items() if name.startswith(LABEL)},
        tuple((getter(name), *patterns) for name, patterns in filters.items() if not name.startswith(LABEL)),
        {name.removeprefix(LABEL): patterns for name, patterns in filters.items() if name.startswith(LABEL)},
        tuple(others),
    )


def _anchor(
    conditions: tuple[Condition, ...], shared: Counter[tuple[str, str]], idle: frozenset[str]
) -> Condition | None:
    """The condition that rules out most: whose values the fewest rules share."""
    best, fewest = None, float("inf")
    for condition in conditions:
        if condition.values:
            cost = max(shared[condition.field, value] for value in condition.values)
        elif condition.pattern and condition.pattern not in idle:
            cost = FEW
        else:
            continue
        if cost < fewest:
            best, fewest = condition, cost
    return best


def _below(rules: list[tuple[int, tuple[Condition, ...]]]) -> Index | tuple[int, ...]:
    """The rules that share a value: indexed again when they are many and that leaves some out."""
    numbers = tuple(number for number, _ in rules)
    if len(rules) <= FEW:
        return numbers
    index = _index(rules)
    return index if len(index.others) < len(rules) else numbers


def _filter(patterns: list[tuple[int, str]]) -> tuple[Filter, tuple[int, ...]]:
    return Filter([pattern for _, pattern in patterns]), tuple(number for number, _ in patterns)


def _idle_patterns(rules: Rules) -> frozenset[str]:
    r"""The patterns that a filter rules out for no text, not even the empty one: `\d+%` needs no certain letter."""
    patterns = sorted({condition.pattern for _, conditions in rules for condition in conditions if condition.pattern})
    return frozenset(patterns[position] for position in Filter(patterns).possible(""))

"""Keys that alerts of two elements can share: one incident would then stand for both, with one ticket on one of them.

Knows what a key is made of and what an element is looked up by. It tells what can happen, from the rules alone.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

from minijinja import Environment

from tocsin.errors import Code
from tocsin.rules.choices import ByName, ByTable, Constant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.errors import RuleError
    from tocsin.rules import Rule
    from tocsin.rules.rule import Declaration
    from tocsin.workbench.lint.places import Places

COMPARED = 200
"""So many earlier rules with the same key are compared with each."""
_OWN = {"element", "rule"}
"""What sets the keys of two elements, or of two rules, apart."""
_IDENTITY = "fingerprint"
"""A key with the identity of the problem at its source is about one thing."""

_templates = Environment(pycompat=False)


def shared(rules: Sequence[Rule], places: Places) -> Iterator[RuleError]:
    """Yield each rule whose key does not tell its elements apart, from each other or from those of an earlier rule."""
    alike: dict[tuple[str, ...], list[Rule]] = defaultdict(list)
    for rule in rules:
        said = rule.declaration
        if said is None:
            continue
        key = said.key.names
        if "element" in key:
            continue
        if left_out := _left_out(rule, said):
            yield _one(rule, left_out, places)
        if _OWN.isdisjoint(key):
            if other := next((one for one in islice(alike[key], COMPARED) if _meet(one, rule, key)), None):
                yield _two(rule, other, places)
            alike[key].append(rule)


def _one(rule: Rule, left_out: Sequence[str], places: Places) -> RuleError:
    by = " and ".join(left_out)
    sentence = (
        f'the rule "{rule.id}" can give one key two elements: the element goes by {by}, and the key leaves it out'
    )
    return places.problem(rule, sentence, Code.KEY_TWO_ELEMENTS, "key", hint=f"add `element` or {by} to the key")


def _two(rule: Rule, other: Rule, places: Places) -> RuleError:
    sentence = f'the rules "{other.id}" and "{rule.id}" can give one key two elements: both make it of the same values'
    hint = f"add `element` or `rule` to the key; the other is {other.file}:{other.line}"
    return places.problem(rule, sentence, Code.KEY_TWO_ELEMENTS, "key", hint=hint)


def _left_out(rule: Rule, said: Declaration) -> list[str]:
    """What the element of a rule goes by and its key leaves out, unless the rule wants one value of it anyway."""
    key = set(said.key.names)
    if _IDENTITY in key:
        return []
    fixed = {condition.field for condition in rule.conditions if len(condition.values) == 1}
    return sorted(_goes_by(said) - key - fixed)


def _goes_by(said: Declaration) -> set[str]:
    """The names that an element is looked up by."""
    choice = said.element
    if isinstance(choice, ByTable):
        return {choice.by}
    if isinstance(choice, ByName):
        return _templates.undeclared_variables_in_str(choice.name.source, nested=True)
    return set()


def _meet(one: Rule, other: Rule, key: Sequence[str]) -> bool:
    """Whether two rules have different elements, and an alert of each could get the same key."""
    return _element(one) != _element(other) and all(_overlap(one, other, name) for name in key)


def _element(rule: Rule) -> tuple[str, ...]:
    """How a rule comes to its element: two rules that do so in the same way have the same for the same values."""
    choice = rule.declaration.element if rule.declaration else None
    match choice:
        case Constant():
            return ("constant", choice.reference)
        case ByName():
            return ("name", choice.name.source)
        case ByTable():
            return ("table", choice.file, choice.column, choice.by)
    return ()


def _overlap(one: Rule, other: Rule, field: str) -> bool:
    """Whether a field can have the same value in alerts of both rules; where it cannot be told, it can."""
    of_one = [condition for condition in one.conditions if condition.field == field]
    of_other = [condition for condition in other.conditions if condition.field == field]
    wanted = next((condition.values for condition in (*of_one, *of_other) if condition.values), None)
    if wanted is None:
        return True
    return any(all(condition.test(value) for condition in (*of_one, *of_other)) for value in wanted)

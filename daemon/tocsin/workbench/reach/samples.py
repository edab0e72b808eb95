"""Samples: texts that expressions find, and values that conditions allow.

Most rules that have nothing to do with each other are told apart by a sample of the one that the other does not take;
nothing is ever proved by them.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from tocsin.rules.patterns import Regex
from tocsin.workbench.reach import expressions
from tocsin.workbench.reach.expressions import Either, Look, One, Repeat, Row, UndecidableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.rules.conditions import Condition
    from tocsin.workbench.reach.expressions import Node, Ranges

AROUND = ("~", " ", "a", "\n", "")
"""What is put before and behind a text: whoever finds it anywhere finds it there as well."""
MORE = 2
"""So many times more than they must do repetitions repeat, at most."""
LONGEST = 4_000
"""Longest sample, in characters."""
_OTHERS = ("~", "0", "", "a b")


def of_expression(expression: str) -> Iterator[str]:
    """Return texts that an expression finds, the first ones the least likely that another finds as well."""
    try:
        node = expressions.read(expression)
    except UndecidableError:
        return
    search = Regex(expression).search
    dice = Random(expression)  # noqa: S311 - the same samples each time
    for throws in (dice, None, dice):
        text = _text(node, throws)[:LONGEST]
        yield from (found for around in AROUND if search(found := f"{around}{text}{around}"))


def of_conditions(conditions: Sequence[Condition]) -> Iterator[str]:
    """Return values that fulfil all conditions of one field; perhaps none, even if there are some."""
    seen: set[str] = set()
    for value in (value for condition in conditions for value in _of_condition(condition)):
        if value not in seen and all(condition.test(value) for condition in conditions):
            yield value
        seen.add(value)
    yield from (value for value in _OTHERS if value not in seen and all(each.test(value) for each in conditions))


def _of_condition(condition: Condition) -> Iterator[str]:
    match condition.operator:
        case "":
            yield from sorted(condition.values)
        case "regex" | "glob":
            yield from of_expression(condition.pattern)
        case "gt" | "gte" | "lt" | "lte":
            yield from (f"{condition.operand + more:.15g}" for more in (0, 1, -1, 0.25, -0.25, 1_000_000, -1_000_000))
        case "cidr":
            for network in condition.operand:
                address = f"[{network[-1]}]" if network.version == 6 else f"{network[-1]}"  # noqa: PLR2004 - of IP
                yield from (f"{address}:80", str(network[0]), address)


def _text(node: Node, dice: Random | None) -> str:
    """A text that a node finds, if what it looks for between characters is there; the shortest one without dice."""
    match node:
        case One(ranges):
            return (dice.choice if dice else min)(_visible(ranges)) if ranges else ""
        case Look():
            return ""
        case Row(parts):
            return "".join(_text(part, dice) for part in parts)
        case Either(branches):
            return _text(dice.choice(branches) if dice else branches[0], dice)
        case Repeat(part, least, most):
            more = dice.randint(0, MORE if most is None else min(MORE, most - least)) if dice else 0
            return "".join(_text(part, dice) for _ in range(least + more))


@lru_cache(maxsize=4096)
def _visible(ranges: Ranges) -> str:
    """Some of these characters, visible ones if there are."""
    ascii_ones = (chr(code) for first, last in ranges for code in range(max(first, 0x21), min(last, 0x7E) + 1))
    return "".join(ascii_ones) or "".join(chr(first) for first, _ in ranges[:20])

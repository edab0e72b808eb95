"""The conditions of a rule's `match:`, each compiled to one test of one field.

Knows the operators and what each says of itself; knows neither rules nor the index, but says what an index can look
for: the values that an equality wants, the pattern that a search needs.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.model import Tried
from tocsin.rules import fields, patterns
from tocsin.rules.schema import Operators

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.rules.fields import Getter

SHOWN = 500
"""Longest actual value that a trace shows, in characters."""

_PLAIN = re.compile(r"(?i)(?!(?:true|false|null|[-+.\d][-+.\de]*)\Z)[\w./](?:[\w ./+-]*[\w./+-])?\Z")
"""What needs no quotes in YAML to be a text."""
_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold of one field. A missing field fulfils nothing but `not` and `exists: false`."""

    field: str
    text: str
    """The condition as the rule file has it, such as `severity: [critical, major]`."""
    get: Getter
    test: Callable[[str], Any]
    """True, or whatever the regular expression found, when the value fulfils it."""
    values: frozenset[str] = frozenset()
    """Of an equality: what the value may be."""
    pattern: str = ""
    """Of a regular expression or glob: what must be found in the value."""
    regex: patterns.Regex | None = None
    """The regular expression, when it has named captures."""
    operator: str = ""
    """What it is called in the file, such as `gte`; nothing for an equality."""
    operand: Any = None
    """Of a number, `exists` or `cidr`: what the value is compared with. Of `not`: the conditions that must not all hold."""

    def tried(self, rule: str, actual: str) -> Tried:
        """Return that this condition failed for a value."""
        return Tried(rule=rule, condition=self.text, field=self.field, actual=f"{actual[:SHOWN]}")


def compiled(match: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of a checked `match:`, in the order of the file."""
    return tuple(condition for field, value in match.items() for condition in _of_field(field, value))


def _of_field(field: str, value: Any) -> list[Condition]:
    if isinstance(value, Operators):
        return [_operator(field, name, getattr(value, name)) for name in _OPERATORS if name in value.model_fields_set]
    return [_equality(field, value)]


def _equality(field: str, value: str | Sequence[str]) -> Condition:
    values = frozenset(_listed(value))
    return Condition(
        field, f"{field}: {_written(value)}", fields.getter(field), test=values.__contains__, values=values
    )


def _operator(field: str, name: str, operand: Any) -> Condition:
    text = f"{field}: {{{name.rstrip('_')}: {_written(operand)}}}"
    return _OPERATORS[name](field, text, operand)


def _regex(field: str, text: str, regex: str) -> Condition:
    expression = patterns.Regex(regex)

    def test(value: str) -> Any:
        return value and expression.search(value)

    named = expression if expression.groups else None
    return Condition(field, text, fields.getter(field), test, pattern=regex, regex=named, operator="regex")


def _glob(field: str, text: str, globs: str | Sequence[str]) -> Condition:
    pattern = patterns.from_globs(_listed(globs))
    search = patterns.Regex(pattern).search

    def test(value: str) -> Any:
        return value and search(value)

    return Condition(field, text, fields.getter(field), test, pattern=pattern, operator="glob")


def _not(field: str, text: str, unwanted: Any) -> Condition:
    inner = tuple(_of_field(field, unwanted))
    tests = [condition.test for condition in inner]

    def test(value: str) -> bool:
        return not all(test(value) for test in tests)

    return Condition(field, text, fields.getter(field), test, operator="not", operand=inner)


def _exists(field: str, text: str, wanted: bool) -> Condition:  # noqa: FBT001 - the operand as the file has it
    def test(value: str) -> bool:
        return bool(value) is wanted

    return Condition(field, text, fields.getter(field), test, operator="exists", operand=wanted)


def _number(name: str, compare: Callable[[float, float], bool]) -> Callable[[str, str, float], Condition]:
    def build(field: str, text: str, bound: float) -> Condition:
        def test(value: str) -> bool:
            try:
                return compare(float(value), bound)
            except ValueError:
                return False

        return Condition(field, text, fields.getter(field), test, operator=name, operand=bound)

    return build


def _cidr(field: str, text: str, networks: Any) -> Condition:
    listed = networks if isinstance(networks, tuple) else (networks,)
    return Condition(field, text, fields.getter(field), patterns.within(listed), operator="cidr", operand=listed)


_OPERATORS: dict[str, Callable[[str, str, Any], Condition]] = {
    "regex": _regex,
    "glob": _glob,
    "not_": _not,
    "exists": _exists,
    **{name: _number(name, compare) for name, compare in _NUMBERS.items()},
    "cidr": _cidr,
}


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _written(value: Any) -> str:
    """A checked value as a rule file would have it."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.15g}"
        case tuple():
            return f"[{', '.join(_written(item) for item in value)}]"
        case Operators():
            said = (
                f"{name.rstrip('_')}: {_written(getattr(value, name))}"
                for name in _OPERATORS
                if name in value.model_fields_set
            )
            return f"{{{', '.join(said)}}}"
    text = str(value)
    return text if _PLAIN.match(text) else "'" + text.replace("'", "''") + "'"

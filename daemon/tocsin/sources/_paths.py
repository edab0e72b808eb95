"""Expressions that point into a message: plain paths of our own, and JMESPath.

A plain path, `a.b[0].c`, is walked directly, and may name what JMESPath would want quoted: `trigger-name`, `@id`, `#text`. Everything
else is JMESPath (https://jmespath.org/specification.html), compiled once. Where entries come out of a message, `$.` before an expression
means the whole message instead of the entry. Knows values, not what they are for.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter
from pydantic import AfterValidator

from tocsin.errors import PayloadError

LONGEST = 1_000
"""Longest expression, in characters."""

DEEPEST = 60
"""How deep its parts may stand inside one another."""

_STEP = r"[@#$]?[A-Za-z0-9_][A-Za-z0-9_:@/-]*"
_PLAIN = re.compile(rf"{_STEP}(?:\[-?\d{{1,9}}\])*(?:\.{_STEP}(?:\[-?\d{{1,9}}\])*)*", re.ASCII)
_STEPS = re.compile(rf"({_STEP})|\[(-?\d{{1,9}})\]", re.ASCII)
_INTERPRETER = TreeInterpreter()
"""One for all: it keeps nothing of what it evaluates, and making one takes as long as most expressions."""

_WRONG = (
    JMESPathError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
"""What evaluating may raise: JMESPath's own errors, and what its functions let through."""


class Scope(NamedTuple):
    """What an expression is about."""

    entry: Any
    message: Any


class Path:
    """One compiled expression."""

    __slots__ = ("_compiled", "_name", "_steps", "_whole", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._whole = text.startswith("$.") or text == "$"
        inner = text.removeprefix("$").removeprefix(".") if self._whole else text
        self._steps: tuple[str | int, ...] | None = None
        self._name: str | None = None
        self._compiled: Any = None
        if _PLAIN.fullmatch(inner):
            self._steps = tuple(int(number) if number else name for name, number in _STEPS.findall(inner))
            self._name = inner if self._steps == (inner,) else None
        else:
            self._compiled = _compiled(inner or "@")

    def find(self, scope: Scope) -> Any:
        """What it points to; None where there is nothing.

        Raises:
            PayloadError: the expression cannot be applied to what the message holds.
        """
        value = scope.message if self._whole else scope.entry
        if self._name is not None:
            return value.get(self._name) if isinstance(value, dict) else None
        if self._steps is None:
            try:
                return _INTERPRETER.visit(self._compiled.parsed, value)
            except _WRONG as error:
                said = " ".join(str(error).split()) or type(error).__name__
                raise PayloadError(f"`{self.text}` cannot be applied: {said}") from error
        for step in self._steps:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
        return value


def checked(text: str) -> str:
    """The expression as it is.

    Raises:
        ValueError: it is none; the sentence says why and where.
    """
    if len(text) > LONGEST:
        raise ValueError(f"an expression of more than {LONGEST} characters: shorten it")
    path(text)
    return text


@lru_cache(maxsize=4096)
def path(text: str) -> Path:
    """The compiled expression. Raises ValueError when it is none."""
    return Path(text)


Expression = Annotated[str, AfterValidator(checked)]
"""A path or a JMESPath expression, known to be one."""


def _compiled(text: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PendingDeprecationWarning)
            found = jmespath.compile(text)
    except PendingDeprecationWarning:
        raise ValueError(f"not a JMESPath expression: {text!r}: write a text in single quotes, 'so'") from None
    except RecursionError:
        raise ValueError(f"an expression whose parts stand more than {DEEPEST} deep: simplify it") from None
    except JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {_said(error)}") from None
    _look_through(found.parsed)
    return found


def _said(error: JMESPathError) -> str:
    """What JMESPath says, in one line, with a mark where it points at."""
    *lines, last = str(error).split("\n")
    mark = f" (at column {len(last)})" if last.strip() == "^" else f" {last}"
    return " ".join(" ".join(lines).split()) + mark


def _look_through(parsed: Any) -> None:
    """Refuse what would fail with every message: functions that are none, or with another number of arguments."""
    waiting = [(parsed, 1)]
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict):
            continue
        if depth > DEEPEST:
            raise ValueError(f"an expression whose parts stand more than {DEEPEST} deep: simplify it")
        children = node.get("children", ())
        if node.get("type") == "function_expression":
            _check_call(node["value"], len(children))
        if node.get("type") == "slice" and children[2] == 0:
            raise ValueError("not a JMESPath expression: the step of a slice cannot be 0")
        waiting.extend((child, depth + 1) for child in children)


def _check_call(name: str, given: int) -> None:
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ValueError(
            f"not a JMESPath expression: no function {name}(); known are {', '.join(sorted(Functions.FUNCTION_TABLE))}"
        )
    signature = known["signature"]
    variadic = bool(signature) and signature[-1].get("variadic")
    if given < len(signature) or (given > len(signature) and not variadic):
        least = "at least " if variadic else ""
        raise ValueError(f"not a JMESPath expression: {name}() takes {least}{len(signature)} arguments, not {given}")

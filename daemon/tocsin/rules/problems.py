"""What pydantic says against a rule file, in our sentences: where, what is wrong, which word is near.

Knows the schema's types only to name the keys that were possible at a place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from tocsin.errors import Code, RuleError
from tocsin.rules.schema import RuleFile
from tocsin.rules.wrong import Wrong
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from tocsin.yaml12 import Path, Positions

_TAG = re.compile(r"\(\w+\)\Z")
_KEY = "[key]"


class RulesError(RuleError):
    """Rule files cannot be used. Read as one error it is the first of its problems; printed it is all of them."""

    def __init__(self, problems: list[RuleError]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column)))
        first = self.problems[0]
        super().__init__(first.problem, file=first.file, line=first.line, column=first.column, hint=first.hint)

    @property
    def others(self) -> tuple[RuleError, ...]:
        """The problems after the first."""
        return self.problems[1:]

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def of(
    error: ValidationError, positions: Positions, prefix: Path = (), root: type[BaseModel] = RuleFile
) -> list[RuleError]:
    """Return everything that is wrong, as errors with their places.

    Args:
        error: what pydantic raised.
        positions: where the file's values stand.
        prefix: the way to the value that was validated.
        root: what the whole file is.
    """
    return [
        _problem(details, positions, prefix, root)
        for details in error.errors(include_url=False)
        if not (details["type"] == "too_short" and details["input"])  # its items were refused, each by itself
    ]


def _problem(details: ErrorDetails, positions: Positions, prefix: Path, root: type[BaseModel]) -> RuleError:
    said = (*prefix, *details["loc"])
    path = tuple(step for step in said if not (isinstance(step, str) and (step == _KEY or _TAG.match(step))))
    key = details["type"] == "extra_forbidden" or said[-1] == _KEY
    if details["type"] == "extra_forbidden":
        sentence, hint = _unknown_key(path, root)
    else:
        sentence, hint = _SENTENCES.get(details["type"], _other)(details, path)
    said_by_us = (details.get("ctx") or {}).get("error")
    if isinstance(said_by_us, Wrong):
        own = said_by_us
        return positions.problem(own.problem, path, key=key, hint=own.hint, code=own.code, word=own.word)
    code = _CODES.get(details["type"], Code.WRONG_VALUE)
    return positions.problem(sentence, path, key=key, hint=hint, code=code)


_CODES = {"extra_forbidden": Code.UNKNOWN_KEY, "missing": Code.MISSING_KEY}


Said = tuple[str, str]
"""A sentence and a hint."""


def _other(details: ErrorDetails, _path: Path) -> Said:
    return f"{_shown(details['input'])}: {details['msg']}", ""


def _own(details: ErrorDetails, _path: Path) -> Said:
    """One of our own validators said it."""
    return str(details["ctx"]["error"]), ""


def _missing(_details: ErrorDetails, path: Path) -> Said:
    return f'the key "{path[-1]}" is missing', ""


def _unknown_key(path: Path, root: type[BaseModel]) -> Said:
    known = sorted(set(_keys(path[:-1], root)))
    key = str(path[-1])
    if key in known:  # of another kind of mapping that may stand there
        return f'unknown key "{key}"', "it does not go with the other keys here"
    return f'unknown key "{key}"', nearest(key, known) or f"known: {', '.join(known)}"


def _unknown_word(details: ErrorDetails, _path: Path) -> Said:
    known = re.findall(r"'([^']*)'", details["ctx"]["expected"])
    word = details["input"]
    hint = nearest(word, known) if isinstance(word, str) else ""
    return f"{_shown(word)} is not one of {', '.join(known)}", hint


def _not_text(details: ErrorDetails, _path: Path) -> Said:
    value = details["input"]
    if isinstance(value, (bool, int, float)):
        return f"{_shown(value)} is not a text: write it in quotes", ""
    return _wanted("a text")(details, _path)


def _wanted(shape: str) -> Callable[[ErrorDetails, Path], Said]:
    return lambda details, _path: (f"{_shown(details['input'])} where {shape} is wanted", "")


def _shaped(details: ErrorDetails, _path: Path) -> Said:
    shapes = " or ".join(f"a {shape}" for shape in re.findall(r"\((\w+)\)", details["ctx"]["expected_tags"]))
    return f"{_shown(details['input'])} where {shapes} is wanted", ""


def _bound(details: ErrorDetails, _path: Path) -> Said:
    bounds = details["ctx"]
    least, most = bounds.get("ge"), bounds.get("le")
    said = f"at least {least}" if least is not None else f"at most {most}"
    return f"{_shown(details['input'])} where {said} is wanted", ""


def _id(_details: ErrorDetails, _path: Path) -> Said:
    return "an id is made of small letters, digits and hyphens, at most 80", ""


_SENTENCES: dict[str, Callable[[ErrorDetails, Path], Said]] = {
    "value_error": _own,
    "missing": _missing,
    "enum": _unknown_word,
    "literal_error": _unknown_word,
    "string_type": _not_text,
    "string_too_short": _wanted("a text"),
    "string_pattern_mismatch": _id,
    "union_tag_invalid": _shaped,
    "model_type": _wanted("a mapping"),
    "dict_type": _wanted("a mapping"),
    "tuple_type": _wanted("a list"),
    "too_short": _wanted("at least one"),
    "float_type": _wanted("a number"),
    "int_type": _wanted("a whole number"),
    "finite_number": _wanted("a finite number"),
    "greater_than_equal": _bound,
    "less_than_equal": _bound,
    "bool_type": _wanted("true or false"),
}


def _shown(value: object) -> str:
    """A value in a sentence, as the file might have it."""
    match value:
        case None:
            return "no value"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"' if value else "an empty text"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
    return str(value)


def _keys(path: Path, root: type[BaseModel]) -> Iterator[str]:
    """The keys that are known at a place; where several kinds of mapping may stand, those of all."""
    models: list[type[BaseModel]] = [root]
    for step in path:
        models = [inner for model in models for inner in _below(model, step)] or models
    for model in models:
        for name, field in model.model_fields.items():
            yield field.alias or name


def _below(model: type[BaseModel], step: str | int) -> list[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if step == (field.alias or name):
            return list(_models(field.annotation))
    return []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)

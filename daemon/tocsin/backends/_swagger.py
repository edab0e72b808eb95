"""A Swagger 2.0 file as far as one needs it to speak to an API: operations, parameters, and the leaves of bodies. Pure.

Total on the document: what is not as the format says (https://swagger.io/specification/v2/) is passed over.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VERBS = ("get", "post", "put", "patch")
_DEEP = 6
"""Levels of a body that are looked at; schemas may refer to themselves."""
_MANY = 2_000
_GOOD = ("200", "201", "202", "default")


class Leaf(Struct, frozen=True, kw_only=True):
    """A value in a body that is no object."""

    path: str
    """Dotted; a list of objects is entered at its first."""
    kind: str = ""
    """The schema's `type`, and its `format` where it has one: `string`, `string date-time`, `array` …"""
    words: tuple[str, ...] = ()
    """The values it may have, when they are listed."""
    required: bool = False
    """Whether it must be there, all that it is in included."""


class Operation(Struct, frozen=True, kw_only=True):
    """One verb on one path."""

    path: str
    verb: str
    placeholders: tuple[str, ...] = ()
    """Names in braces in the path, in order."""
    query: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Names of the form's fields that are files."""
    sends: tuple[Leaf, ...] = ()
    answers: tuple[Leaf, ...] = ()
    """Of one object, where a list is answered."""
    listed: str | None = None
    """Where the list stands in the answer; None when none is answered."""


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """The operations of a document, in its order."""
    for path, item in _objects(document.get("paths")):
        for verb in _VERBS:
            given = item.get(verb)
            if isinstance(given, dict):
                yield _operation(document, path, verb, [*_list(item, "parameters"), *_list(given, "parameters")], given)


def _operation(
    document: Mapping[str, Any], path: str, verb: str, parameters: list[Any], given: Mapping[str, Any]
) -> Operation:
    named = [_followed(document, one) for one in parameters]
    body = next((one.get("schema") for one in named if one.get("in") == "body"), None)
    answer = _answer(document, given)
    listed, schema = _listed(document, answer)
    return Operation(
        path=path,
        verb=verb.upper(),
        placeholders=tuple(re.findall(r"\{([^{}]*)\}", path)),
        query=tuple(str(one.get("name")) for one in named if one.get("in") == "query"),
        files=tuple(str(one.get("name")) for one in named if one.get("in") == "formData" and one.get("type") == "file"),
        sends=tuple(leaves(document, body)),
        answers=tuple(leaves(document, schema)),
        listed=listed,
    )


def _answer(document: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """The schema of the first success that has one."""
    answers = dict(_objects(given.get("responses")))
    found = (_followed(document, answers[code]).get("schema") for code in _GOOD if code in answers)
    return next((schema for schema in found if schema), None)


def _listed(document: Mapping[str, Any], schema: Any) -> tuple[str | None, Any]:
    """Where an answer's list of objects stands, and the schema of one; None and the answer's own when it has none."""
    whole = _followed(document, schema)
    if whole.get("type") == "array":
        return "", whole.get("items")
    for name, one in _objects(whole.get("properties")):
        held = _followed(document, one)
        if held.get("type") == "array" and _followed(document, held.get("items")).get("properties"):
            only = sum(_followed(document, other).get("type") == "array" for _, other in _objects(whole["properties"]))
            if only == 1 and len(whole["properties"]) <= _DEEP:
                return name, held.get("items")
    return None, schema


def leaves(document: Mapping[str, Any], schema: Any) -> Iterator[Leaf]:
    """The leaves of a schema, up to a number that no body has by itself: schemas may refer to themselves."""
    yield from islice(_leaves(document, schema, "", required=True, depth=0), _MANY)


def _leaves(document: Mapping[str, Any], schema: Any, path: str, *, required: bool, depth: int) -> Iterator[Leaf]:
    whole = _followed(document, schema)
    if depth > _DEEP or not whole:
        return
    properties, needed = _properties(document, whole, depth)
    if properties:
        for name, one in properties.items():
            inner = f"{path}.{name}" if path else name
            yield from _leaves(document, one, inner, required=required and name in needed, depth=depth + 1)
        return
    items = _followed(document, whole.get("items"))
    if whole.get("type") == "array" and _properties(document, items, depth)[0]:
        yield from _leaves(document, items, f"{path}.0" if path else "0", required=required, depth=depth + 1)
        return
    kind = f"{whole.get('type', '')} {whole.get('format', '')}".strip()
    words = tuple(str(word) for word in _list(whole, "enum") or _list(items, "enum"))
    if path:
        yield Leaf(path=path, kind=kind, words=words, required=required)


def _properties(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> tuple[dict[str, Any], set[str]]:
    """An object's properties with those it takes over (`allOf`), and which of them are required."""
    found: dict[str, Any] = {}
    needed: set[str] = set()
    for one in _list(schema, "allOf") if depth <= _DEEP else ():
        more, also = _properties(document, _followed(document, one), depth + 1)
        found |= more
        needed |= also
    found |= dict(_objects(schema.get("properties")))
    return found, needed | {str(name) for name in _list(schema, "required")}


def _followed(document: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """The object itself, or what its `$ref` refers to within the document; empty when that is nothing."""
    for _ in range(_DEEP):
        if not isinstance(value, dict):
            return {}
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return value
        value = document
        for step in reference.removeprefix("#/").split("/"):
            value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
    return {}


def _objects(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield from ((name, one) for name, one in value.items() if isinstance(name, str) and isinstance(one, dict))


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []

"""The OpenAPI 3.1 document, made of the table of operations and the types that its handlers use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from apispec import APISpec

from tocsin import __version__
from tocsin.web.api.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from msgspec import Struct

    from tocsin.web.api.operation import Example, Operation

_REFERENCE = "#/components/schemas/{name}"
_JSON = "application/json"

_ABOUT = (
    "What tocsin's command line can do, for programs. Answers this machine only, or whoever has the admin token where "
    "`admin.token_file` is set. Times are ISO 8601 in UTC, durations ISO 8601. Lists are paged: give the `next` of one "
    "page as `before` of the next."
)
TAGS = {
    "rules": "The rules that are live, their files and their changes.",
    "workbench": "What a change of the rules would do. Nothing here changes what is live, and nothing is sent.",
    "decisions": "What came in, what was decided, and why.",
    "unmapped": "Alerts that no rule knew, or whose element is not known.",
}
_ALWAYS = {
    401: "The admin token is missing or wrong.",
    403: "Asked from elsewhere without a token, or by a browser.",
    503: "Too much is asked at once, or the store cannot be read or written: ask again after `Retry-After` seconds.",
}
_PARAMETERS = {422: "A parameter is not valid: `at` names it."}
_BODY = {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not JSON by its media type, or encoded in a way that is not read.",
    422: "The body is JSON, but not valid: `at` says where.",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document, as plain values."""
    types = _Types(operations)
    spec = APISpec(
        title="tocsin",
        version=__version__,
        openapi_version="3.1.0",
        info={"description": _ABOUT},
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        security=[{}, {"token": []}],
    )
    spec.components.security_scheme(
        "token", {"type": "http", "scheme": "bearer", "description": "The content of `admin.token_file`."}
    )
    for name, schema in types.components.items():
        spec.components.schema(name, schema)
    for operation in operations:
        spec.path("/api/v1" + operation.path, operations={operation.method.lower(): _described(operation, types)})
    told: dict[str, Any] = json.loads(msgspec.json.encode(spec.to_dict()))
    return told


class _Types:
    """The JSON Schemas of all types."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: list[Any] = [Problem]
        for one in operations:
            wanted += [kind for kind in (one.answer, one.body) if kind is not None]
        schemas, components = msgspec.json.schema_components(wanted, ref_template=_REFERENCE)
        self.components: dict[str, Any] = {_called(name): _renamed(schema) for name, schema in components.items()}
        self._schemas: dict[str, Any] = dict(zip(map(repr, wanted), map(_renamed, schemas), strict=True))

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type, mostly a reference."""
        schema: dict[str, Any] = self._schemas[repr(kind)]
        return schema


def _called(name: str) -> str:
    """Types of two modules that have one name come with the modules' names, too: the last one is enough."""
    *modules, last = name.split(".")
    return (modules[-1].capitalize() if modules else "") + last


def _renamed(schema: Any) -> Any:
    """With references to types as they are called here."""
    if isinstance(schema, dict):
        there = {key: _renamed(value) for key, value in schema.items()}
        reference = there.get("$ref")
        if isinstance(reference, str):
            there["$ref"] = _REFERENCE.format(name=_called(reference.rpartition("/")[2]))
        return there
    return [_renamed(one) for one in schema] if isinstance(schema, list | tuple) else schema


def _described(operation: Operation, types: _Types) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation, types),
    }
    if operation.description:
        told["description"] = operation.description
    if operation.body is not None:
        examples = {_key(one): {"summary": one.summary, "value": one.body} for one in operation.examples}
        content = {_JSON: {"schema": types.of(operation.body), "examples": examples}}
        told["requestBody"] = {"required": True, "content": content}
    return told


def _responses(operation: Operation, types: _Types) -> dict[str, Any]:
    examples = {_key(one): {"summary": one.summary, "value": one.answer} for one in operation.examples}
    good = {
        "description": operation.summary,
        "content": {_JSON: {"schema": types.of(operation.answer), "examples": examples}},
    }
    failures = _failures(operation)
    return {str(operation.status): good} | {
        str(status): _problem(status, failures[status]) for status in sorted(failures)
    }


def _failures(operation: Operation) -> dict[int, str]:
    """Everything that can go wrong with it. An unknown parameter is refused everywhere."""
    body = _BODY if operation.body is not None else {}
    failures = {**_ALWAYS, **_PARAMETERS, **body}
    for status, text in operation.failures.items():
        failures[status] = f"{failures[status]} {text}" if status in failures else text
    return failures


def _problem(status: int, text: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": text,
        "content": {_JSON: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}},
    }
    if status == 503:  # noqa: PLR2004 - the one that carries a header
        told["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
    return told


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for place, kind in (("path", operation.path_type), ("query", operation.query)):
        for name, schema, required in _fields(kind):
            told: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": schema}
            if description := schema.pop("description", ""):
                told["description"] = description
            examples = {
                _key(one): {"value": given[name]}
                for one in operation.examples
                if name in (given := one.path if place == "path" else one.query)
            }
            yield {**told, "examples": examples} if examples else told


def _fields(kind: type[Struct] | None) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Name, schema and whether it is needed. Parameters are plain, or of an enumeration: its words are written out."""
    if kind is None:
        return
    _, components = msgspec.json.schema_components([kind], ref_template="{name}")
    whole = components[kind.__name__]
    for name, schema in whole["properties"].items():
        yield name, _inlined(schema, components), name in whole["required"]


def _inlined(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in schema.items() if key != "$ref"}
    if "$ref" in schema:
        plain = {"type": "string", "enum": components[schema["$ref"]]["enum"], **plain}
    return plain


def _key(example: Example) -> str:
    """Examples go by a word."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in example.summary.lower()).split())

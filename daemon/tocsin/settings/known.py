"""The keys that settings have: for proposing the nearest one, for the JSON Schema, for keeping the README complete.

Walks the types of the tree; reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from tocsin.settings.tree import Settings
from tocsin.titling import titled
from tocsin.units import duration_text, size_text

ANY = object()
"""What lies below a free value: any key."""


def part(path: tuple[str | int, ...]) -> Any:
    """Return the type of the value at a path: a model, a Mapping, another type; ANY when it is free; None when unknown."""
    at: Any = Settings
    for step in path:
        at = _below(at, str(step))
        if at is None or at is ANY:
            return at
    return at


def names(path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the mapping at a path may have; empty when they are free or when there are none."""
    at = part(path)
    return list(at.model_fields) if _is_model(at) else []


def _below(kind: Any, step: str) -> Any:
    """The type one step below a type."""
    if _is_model(kind):
        return _bare(kind.model_fields[step].annotation) if step in kind.model_fields else None
    if get_origin(kind) is tuple and _is_model(get_args(kind)[0]):
        return get_args(kind)[0]
    if get_origin(kind) is dict:
        return ANY if get_args(kind)[1] is Any else _bare(get_args(kind)[1])
    return None


def _bare(annotation: Any) -> Any:
    """The type inside `X | None`."""
    if get_origin(annotation) in (Union, UnionType):
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def settings(kind: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every setting that holds a value: its key, and its default in words.

    In the key, `NAME` stands for names people give, and `[]` for each entry of a list.

    The default is empty where there is none: the setting is needed, or its absence is its meaning.
    """
    for name, field in kind.model_fields.items():
        key = f"{prefix}{name}"
        inner = _bare(field.annotation)
        if _is_model(inner):
            yield from settings(inner, f"{key}.")
        elif get_origin(inner) is dict and _is_model(get_args(inner)[1]):
            yield from settings(get_args(inner)[1], f"{key}.NAME.")
        elif get_origin(inner) is tuple and _is_model(get_args(inner)[0]):
            yield from settings(get_args(inner)[0], f"{key}[].")
        else:
            yield key, _default(field.get_default(call_default_factory=True), key)


def _default(value: Any, key: str) -> str:
    if value is PydanticUndefined or value is None or value in ("", {}, ()):
        return ""
    if isinstance(value, Mapping):
        return "table"
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if key.endswith("_limit"):
        return size_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Schema(GenerateJsonSchema):
    """Defaults as people write them."""

    def encode_default(self, dft: Any) -> Any:
        """The default, in the form a settings file has it."""
        if isinstance(dft, timedelta):
            return duration_text(dft)
        if isinstance(dft, BaseModel):
            return {}
        return str(dft) if isinstance(dft, Path) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the settings file, for editors."""
    schema = Settings.model_json_schema(schema_generator=_Schema)
    for part in (schema, *schema["$defs"].values()):
        for says in part.get("properties", {}).values():
            if "$ref" in says:  # what a section is for is said where its keys are
                says.setdefault("description", schema["$defs"][says["$ref"].rpartition("/")[2]]["description"])
    return {"$schema": _Schema.schema_dialect, **titled(schema)} | {"title": "tocsin settings"}

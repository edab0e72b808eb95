"""Messages whose fields are known by names with dots, nested or not: `rule: {id}` and `rule.id` are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import DecodeError
from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.sources import _dig, _read, _templated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DEEP = 8
"""How many objects deep a message is looked into."""

_ANY = Decoder()


def fields(message: Mapping[str, Any]) -> dict[str, Any]:
    """The scalars, and the lists of them, by their names with dots; neither empty ones nor secrets.

    An object that a template wrote as a text is read, too. Of two fields of one name, the one written with dots counts.
    """
    return dict(_pairs(_templated.filled(message, _DEEP), "", _DEEP))


def read(value: Any) -> Any:
    """The object that a text is, when it is JSON; any other value as it is."""
    return _decoded(value) if isinstance(value, str) and value[:2] == '{"' else value


def entries(value: Any) -> list[Any]:
    """A list; or what a template wrote as a text when it meant one: `{"a":1},{"b":2}`, with or without brackets."""
    if isinstance(value, str) and value.strip()[:1] in {"{", "["}:
        value = _decoded(value if value.strip()[:1] == "[" else f"[{value}]")
    return value if isinstance(value, list) else []


def _decoded(text: str) -> Any:
    try:
        return _ANY.decode(_read.unread(text.encode()))
    except (PayloadError, DecodeError):
        return text


def _pairs(value: Mapping[str, Any], prefix: str, deep: int) -> Iterator[tuple[str, Any]]:
    for name in sorted(value):
        inner = value[name]
        one = read(inner)
        if isinstance(one, dict):
            if deep > 1:
                yield from _pairs(one if one is inner else _templated.filled(one, deep), f"{prefix}{name}.", deep - 1)
        elif not isinstance(one, list):
            yield f"{prefix}{name}", one
        elif texts := _dig.texts(one):
            yield f"{prefix}{name}", texts

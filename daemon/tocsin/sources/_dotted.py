"""Messages whose fields are known by names with dots, nested or not: `rule: {id}` and `rule.id` are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import DecodeError
from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.sources import _dig, _read, _secret, _templated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DEEP = 8
"""How many objects deep a message is looked into."""

_ANY = Decoder()


def fields(message: Mapping[str, Any]) -> dict[str, Any]:
    """The scalars, and the lists of them, by their names with dots; neither empty ones nor secrets.

    An object that a template wrote as a text is read, too. Of two fields of one name, the one written with dots counts.
    """
    found: dict[str, Any] = {}
    _fill(found, message, "", _DEEP)
    return found


def text(value: Any) -> str:
    """A field as text; of a list its first scalar."""
    if type(value) is str:
        return value
    return _read.text(value[0] if isinstance(value, list) else value)


def first(found: Mapping[str, Any], names: Iterable[str]) -> str:
    """The first of these `fields` that is there, as text; empty when none is."""
    for name in names:
        if name in found:
            return text(found[name])
    return ""


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


def _said(told: str) -> Any:
    """What a text says, which is the object that it is in JSON; None for nothing, and for what was left unexpanded."""
    return None if told in _dig.NOTHING or _templated.is_placeholder(told) else read(told)


def _fill(found: dict[str, Any], value: Mapping[str, Any], prefix: str, deep: int) -> None:
    """Put the fields of an object in, `deep` objects deep at most."""
    for name in sorted(value):
        inner = value[name]
        if type(inner) is str:
            inner = inner.strip()
            if inner in _dig.NOTHING or inner[0] in "{$":
                inner = _said(inner)
        if inner is None or _secret.is_secret(name):
            continue
        kind = type(inner)
        if kind is dict:
            if deep > 1:
                _fill(found, inner, f"{prefix}{name}.", deep - 1)
        elif kind is not list:
            found[prefix + name] = inner
        elif texts := _dig.texts(inner):
            found[prefix + name] = texts

"""What a webhook's JSON names, and what an element may be called in another system's inventory. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.backends._document import word
from tocsin.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.model import Element, Payload

_DEEPEST = 4
_PATTERN = re.compile(r"[*?\[\]/]")
"""Aliases with these are globs or blocks of addresses, and no names."""


def references(element: Element) -> list[str]:
    """What an element may be called elsewhere, the surest first: its reference, its name, its aliases; each once."""
    aliases = [alias for alias in element.aliases if not _PATTERN.search(alias)]
    return [name for name in dict.fromkeys((element.reference, element.name, *aliases)) if name]


def heard_object(payload: Payload) -> dict[str, Any]:
    """The JSON object of a webhook's message. Raises PayloadError."""
    try:
        said = msgspec.json.decode(payload.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PayloadError("the message is not JSON; see the kind's file in config/backends") from None
    if not isinstance(said, dict):
        raise PayloadError("the message is not a JSON object; see the kind's file in config/backends")
    return said


def named(said: Any, keys: Sequence[str], within: Sequence[str], depth: int = 0) -> Iterator[str]:
    """The texts and whole numbers of these keys, in an object or in those that it holds under `within`. Total."""
    if isinstance(said, list):
        for one in said:
            yield from named(one, keys, within, depth + 1)
    if not isinstance(said, dict) or depth > _DEEPEST:
        return
    for key in keys:
        value = said.get(key)
        told = word(value.get("value") if isinstance(value, dict) else value)
        if told:
            yield told
    for key in within:
        yield from named(said.get(key), keys, within, depth + 1)

"""The texts and keys that leave a rule: clean, within their limits, never ambiguous.

Knows texts only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.rules.facts import Facts

NAME = 200
"""Longest name of a ticket, in characters."""
DESCRIPTION = 4_000
"""Longest description of a ticket, in characters."""
KEY = 200
"""Longest key of an incident, in characters."""

_DIGEST = 32
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, those that turn the direction of writing, and halves of surrogate pairs."""


def name(text: str) -> str:
    """Return a text as the name of a ticket: one line, without control characters, at most NAME characters."""
    if not text.isprintable():
        text = _UNPRINTABLE.sub("", re.sub(r"[\t\n\v\f\r\x85\u2028\u2029]+", " ", text))
    return _cut(text.strip(), NAME)


def description(text: str) -> str:
    """Return a text as the description of a ticket: lines without control characters, at most DESCRIPTION characters."""
    if not text.isprintable():
        text = _UNPRINTABLE.sub("", re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", text))
    return _cut(text.strip(), DESCRIPTION)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class Key:
    """What makes an alert part of the same incident: some values, each with its name."""

    parts: tuple[tuple[str, Callable[[Facts], str]], ...]
    """The names with `=` behind them, and how the values are read."""
    names: tuple[str, ...] = ()
    """The names as the rule has them."""

    @classmethod
    def of(cls, parts: list[tuple[str, Callable[[Facts], str]]]) -> Key:
        """Return the key of named values."""
        read_by = tuple((_escaped(name).replace("=", r"\=") + "=", read) for name, read in parts)
        return cls(read_by, tuple(name for name, _ in parts))

    def text(self, facts: Facts) -> str:
        """Return the key as a text, such as `element=DF00J1BKP1|check=processes`.

        Different values never give the same text; one of more than KEY characters ends in a hash of all of it.
        """
        key = "|".join([name + _escaped(read(facts)) for name, read in self.parts])
        if len(key) <= KEY:
            return key
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
        return f"{key[: KEY - _DIGEST - 1]}#{digest}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", r"\|") if "|" in text or "\\" in text else text

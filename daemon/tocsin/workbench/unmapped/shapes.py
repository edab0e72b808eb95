"""The shape of texts: the words they share, and marks where they differ; shown to people, and as a regular expression.

Knows marks and RE2's syntax; nothing of alerts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from tocsin.rules.compiler import RESERVED
from tocsin.workbench.unmapped import masks

if TYPE_CHECKING:
    from collections.abc import Sequence

ANY: Final = masks.mark("*")
"""In the place of a word: any word."""
TOKENS = 40
"""So many words of a text are looked at."""
_WORD = 200
"""A longer word, in characters, is any word."""
_LONGEST = 1_200
"""Longest regular expression that is made, in characters."""

_BLANKS = re.compile(r"[\t\n\f\r ]+")
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,20})[=:]$")
_UNIT = re.compile(r"[a-z]{2,15}s\Z")
_PERCENT = "%"


class Shape(Struct, frozen=True):
    """What texts have in common."""

    tokens: tuple[str, ...]
    whole: bool = True
    """Nothing comes after the tokens."""

    def __str__(self) -> str:
        said = [masks.shown(token) for token in self.tokens]
        return " ".join(said if self.whole else [*said, "…"])

    @property
    def empty(self) -> bool:
        """Whether every text has it."""
        return not self.tokens and not self.whole

    def covers(self, other: Shape) -> bool:
        """Whether every text of the other shape has this one, too."""
        if self.whole and not other.whole:
            return False
        if len(self.tokens) > len(other.tokens) or (self.whole and len(self.tokens) != len(other.tokens)):
            return False
        return all(one in (ANY, its) for one, its in zip(self.tokens, other.tokens, strict=False))

    def regexes(self) -> tuple[str, ...]:
        """RE2 expressions with a named capture for each variable part; none when every text has this shape.

        The easiest to read comes first: words have one blank between them, and numbers are whole. The last takes all
        texts of this shape.
        """
        if self.empty:
            return ()
        forms = ((" ", masks.READ["number"]), (" ", masks.DECIMAL), (r"\s+", masks.DECIMAL))
        return tuple(_Expression(self, blank, number).text() for blank, number in forms)


def split(text: str) -> list[str]:
    """Return the words of a text as RE2 tells them: between its blanks."""
    return [token for token in _BLANKS.split(text) if token]


def of(text: str) -> Shape:
    """Return the shape of one masked text."""
    tokens = [token if len(token) <= _WORD else ANY for token in split(text)]
    return Shape(tuple(tokens[:TOKENS]), whole=len(tokens) <= TOKENS)


def common(shapes: Sequence[Shape]) -> Shape:
    """Return what shapes of different lengths share: the words they begin with."""
    shared: list[str] = []
    for tokens in zip(*(shape.tokens for shape in shapes), strict=False):
        if len(set(tokens)) > 1:
            break
        shared.append(tokens[0])
    return Shape(tuple(shared), whole=False)


def literal(text: str) -> str:
    """Return the RE2 expression of exactly this text."""
    return _SPECIAL.sub(r"\\\1", text)


class _Expression:
    """A regular expression under way."""

    def __init__(self, shape: Shape, blank: str, number: str) -> None:
        self._shape = shape
        self._blank = blank
        self._read = {**masks.READ, "number": number}
        self._names: set[str] = set()

    def text(self) -> str:
        tokens = self._shape.tokens
        if not tokens:
            return r"^\s*$"
        said = [self._token(token, following) for token, following in zip(tokens, (*tokens[1:], ""), strict=True)]
        kept, length = 0, 0
        while kept < len(said) and length + len(said[kept]) < _LONGEST:
            length += len(said[kept]) + 3
            kept += 1
        whole = self._shape.whole and kept == len(said)
        body = self._blank.join(said[: max(kept, 1)])
        around = "" if self._blank == " " else r"\s*"
        return f"^{around}{body}{around}$" if whole else f"^{around}{body}"

    def _token(self, token: str, following: str) -> str:
        if token == ANY:
            return f"(?P<{self._name('word')}>\\S+)"
        said, before = "", ""
        pairs = masks.parts(token)
        for number, (kind, text) in enumerate(pairs):
            after = pairs[number + 1][1] if number + 1 < len(pairs) else ""
            said += self._part(kind, text, before, after or (following if number + 1 == len(pairs) else ""))
            before = text
        return said

    def _part(self, kind: str, text: str, before: str, after: str) -> str:
        if not kind:
            return literal(text)
        if kind == masks.ABOUT:
            return self._read[kind]
        return f"(?P<{self._name(_called(kind, before, after))}>{self._read[kind]})"

    def _name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._names or name in RESERVED:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name


def _called(kind: str, before: str, after: str) -> str:
    """A name for a variable part: the key before it, the unit after it, or its kind."""
    if key := _KEY.search(before):
        return key[1].lower()
    if kind == "number" and after.startswith(_PERCENT):
        return "percent"
    if kind == "number" and _UNIT.match(after):
        return after
    return kind

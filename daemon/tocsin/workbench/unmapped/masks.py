"""The variable parts of a text that can be told by their look: numbers, addresses, times, paths; and what they match.

A masked text has a mark in the place of each such part. Knows texts only.
"""

from __future__ import annotations

import re
from typing import Final

OPEN, CLOSE = "\ue000", "\ue001"
"""Around the kind of a mark; from Unicode's private use area, and taken out of every text."""

ABOUT = "resource"
"""The kind of mark that stands for the alert's own resource."""

KINDS: Final = {
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "time": r"\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[-+]\d{2}:?\d{2})?)?|\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?",
    "address": r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){3,7}",
    "path": r"(?:/[\w.@%+-]+)+/?",
    "hex": r"(?:0x)?[0-9a-fA-F]+",
    "number": r"\d+(?:[.,]\d+)*",
}
"""Kind of mark → the expression of what it stands for; those before win."""

READ: Final = {
    ABOUT: r"\S+",
    "uuid": r"[0-9a-fA-F-]{36}",
    "time": r"\d[\d:.,TZ+-]*",
    "address": r"[0-9a-fA-F:.]+",
    "path": r"/\S*",
    "hex": r"\w+",
    "number": r"\d+",
}
"""Kind of mark → an RE2 expression that people can read, and that takes what it stands for; whole numbers only."""
DECIMAL: Final = r"\d+(?:[.,]\d+)*"
"""The RE2 expression of any number."""

_HEX: Final = r"0x[0-9a-fA-F]+|(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}"
"""A number in hexadecimal can be told from a word by its length and a digit."""
_EDGE: Final = r"(?<![A-Za-z0-9_])"
_PARTS: Final = re.compile(
    f"{OPEN}{ABOUT}{CLOSE}|{_EDGE}(?:"
    + "|".join(f"(?P<{kind}>{_HEX if kind == 'hex' else regex})" for kind, regex in KINDS.items())
    + ")(?![0-9])",
    re.ASCII,
)
_MARK: Final = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
_SHORTEST = 3
_BLANK = re.compile(r"[\t\n\f\r ]")


def mark(kind: str) -> str:
    """Return the mark of a kind."""
    return f"{OPEN}{kind}{CLOSE}"


def masked(text: str, resource: str = "") -> str:
    """Return a text with a mark for each of its variable parts; the resource it is about is one of them."""
    text = text.replace(OPEN, "").replace(CLOSE, "")
    about = _about(resource)
    if about:
        text = about.sub(mark(ABOUT), text)
    return _PARTS.sub(lambda found: mark(found.lastgroup) if found.lastgroup else found[0], text)


def _about(resource: str) -> re.Pattern[str] | None:
    """Finds the resource as a whole word, or its first label; None when it is no single word."""
    if len(resource) < _SHORTEST or _BLANK.search(resource):
        return None
    names = {resource, resource.partition(".")[0]} if not resource.replace(".", "").isdigit() else {resource}
    longest_first = sorted((name for name in names if len(name) >= _SHORTEST), key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<![\w.-])(?:{either})(?![\w-])")


def parts(token: str) -> list[tuple[str, str]]:
    """Return a token's parts in order: (`""`, literal text) or (kind of mark, `""`)."""
    found = _MARK.split(token)
    pairs = [("" if number % 2 == 0 else part, part if number % 2 == 0 else "") for number, part in enumerate(found)]
    return [pair for pair in pairs if pair != ("", "")]


def shown(text: str) -> str:
    """Return a masked text as people read it: `Fan <number> has stopped`."""
    return _MARK.sub(r"<\1>", text)

"""RE2's expressions, taken apart: the pieces that automata and samples are made of.

Only what RE2 has compiled comes here, so nothing is checked again. Which characters a class, an escape or a letter
without its case stands for is not known here either: RE2 itself is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import re2

from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]
"""Characters: pairs of first and last code point, in order."""

ANY: Ranges = ((0, 0xD7FF), (0xE000, 0x10FFFF))
"""Every character; the gap is no character but half of one in UTF-16."""
WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
LINE: Ranges = ((0x0A, 0x0A),)

BEGIN, END, LINE_BEGIN, LINE_END, BOUNDARY, INSIDE = r"\A", r"\z", "(?m)^", "(?m)$", r"\b", r"\B"
"""What can be looked for between two characters."""

DEEPEST = 50
"""So many parentheses may be open at once."""

_TOKEN = re.compile(
    r"""
    \\Q (?P<quoted> .*? ) (?: \\E | \Z )
    | (?P<look> \\[AzbB] | [\^$] )
    | \(\? (?P<flags> [imsU-]+ ) \)
    | (?P<open> \( (?: \? (?: P?<[^>]+> | (?P<scoped> [imsU-]* ) : ) )? )
    | (?P<close> \) )
    | (?P<or> \| )
    | (?P<repeat> [*+?] | \{[0-9]+(?:,[0-9]*)?\} ) \??
    | (?P<item> \\ (?: x\{[^}]*\} | x.. | [pP](?:\{[^}]*\}|.) | [0-7]{1,3} | . )
              | \[ \^? \]? (?: \[:.*?:\] | \\. | [^\]] )* \]
              | . )
    """,
    re.DOTALL | re.VERBOSE,
)
_HALF = re.compile("[\ud800-\udfff]")
_WIDE = re.compile(r"\\[xpP0-7]|[^\x00-\x7f]")
"""What may tell one character beyond ASCII from another."""
_NARROW = [*map(chr, range(128)), "\u017f", "\u212a"]
"""ASCII, and the two characters beyond it that are a letter of ASCII without its case: the long s, the kelvin sign."""
_BEYOND: Ranges = ((0x80, 0x17E), (0x180, 0x2129), (0x212B, 0xD7FF), (0xE000, 0x10FFFF))
_STEPS = ((0, 0, 1), (0x80, 0x80, 2), (0xF80, 0x800, 3), (0x27F80, 0xE000, 3), (0x2DF80, 0x10000, 4))
"""In a text of all characters: a byte, the code point that begins there, and how many bytes each has from there on."""


class UndecidableError(TocsinError):
    """What cannot be told about an expression; the sentence says why."""


@dataclass(frozen=True, slots=True)
class One:
    """One character of these."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Look:
    """Nothing, but between the right characters."""

    what: str


@dataclass(frozen=True, slots=True)
class Row:
    """All of these, one after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of these."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """This, so many times; any number more when there is no most."""

    part: Node
    least: int
    most: int | None


Node = One | Look | Row | Either | Repeat


class _Group:
    """What is between two parentheses, as far as it was read."""

    def __init__(self, flags: frozenset[str]) -> None:
        self.outer = flags
        self.branches: list[list[Node]] = [[]]

    def add(self, node: Node) -> None:
        self.branches[-1].append(node)

    def node(self) -> Node:
        rows = [branch[0] if len(branch) == 1 else Row(tuple(branch)) for branch in self.branches]
        return rows[0] if len(rows) == 1 else Either(tuple(rows))


@lru_cache(maxsize=4096)
def read(expression: str) -> Node:
    r"""Return what an expression of RE2 is made of.

    Raises:
        UndecidableError: it has what no automaton can follow: single bytes (`\C`), too many open parentheses.
    """
    flags: frozenset[str] = frozenset()
    groups = [_Group(flags)]
    if _HALF.search(expression):
        raise UndecidableError("it holds half a character")
    for token in _TOKEN.finditer(expression):
        if token["open"]:
            groups.append(_Group(flags))
            flags = _changed(flags, token["scoped"] or "")
        elif token["close"]:
            closed = groups.pop()
            flags = closed.outer
            groups[-1].add(closed.node())
        elif token["flags"]:
            flags = _changed(flags, token["flags"])
        elif token["or"]:
            groups[-1].branches.append([])
        elif token["repeat"]:
            branch = groups[-1].branches[-1]
            branch.append(_repeated(branch.pop(), token["repeat"]))
        else:
            groups[-1].branches[-1] += _plain(token, flags)
        if len(groups) > DEEPEST:
            raise UndecidableError(f"more than {DEEPEST} parentheses are open at once")
    return groups[0].node()


def surely_finds(expression: str, other: str) -> bool:
    """Tell, at a glance, that whatever one expression finds has a literal text that another searches for.

    Raises:
        UndecidableError: one of them cannot be read.
    """
    literal = _literals(read(other))
    return len(literal) == 1 and literal[0] != "" and any(literal[0] in part for part in _literals(read(expression)))


def _literals(node: Node) -> list[str]:
    """The literal texts that must be found, an empty one for anything else between them."""
    parts = node.parts if isinstance(node, Row) else (node,)
    singles = (chr(part.ranges[0][0]) if isinstance(part, One) and _is_single(part.ranges) else None for part in parts)
    return ["".join(filter(None, run)) for _, run in groupby(singles, key=bool)]


def _is_single(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _changed(flags: frozenset[str], said: str) -> frozenset[str]:
    on, _, off = said.partition("-")
    return (flags | set(on)) - set(off)


def _repeated(part: Node, said: str) -> Repeat:
    if said in "*+?":
        return Repeat(part, int(said == "+"), 1 if said == "?" else None)
    least, comma, most = said.strip("{}").partition(",")
    return Repeat(part, int(least), int(most) if most else None if comma else int(least))


def _plain(token: re.Match[str], flags: frozenset[str]) -> list[Node]:
    """The pieces of a token that stands for itself."""
    if token["quoted"] is not None:
        return [One(_characters(re2.escape(sign), _asked(flags))) for sign in token["quoted"]]
    if look := token["look"]:
        lines = {"^": LINE_BEGIN, "$": LINE_END} if "m" in flags else {"^": BEGIN, "$": END}
        return [Look(lines.get(look, look))]
    item = token["item"]
    if item == r"\C":
        raise UndecidableError(r"\C takes a character apart")
    if len(item) == 1 and item != ".":
        item = re2.escape(item)
    return [One(_characters(item, _asked(flags)))]


def _asked(flags: frozenset[str]) -> str:
    return "".join(sorted(flags & {"i", "s"}))


@lru_cache(maxsize=4096)
def _characters(item: str, flags: str) -> Ranges:
    """The characters that a class, an escape or a letter finds: RE2 is asked for all that can differ."""
    compiled = re2.compile(f"(?{flags}:{item})+".encode("utf-8", "replace"))
    if _WIDE.search(item):
        return _joined((_code(found.start()), _code(found.end()) - 1) for found in compiled.finditer(_all()))
    some = [(ord(sign), ord(sign)) for sign in _NARROW if compiled.search(sign.encode())]
    return _joined([*some, *_BEYOND] if compiled.search("\x80".encode()) else some)


def _joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same characters in as few ranges as they fit, none of them across the gap."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(part for each in ranges for part in _split(each)):
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def _split(given: tuple[int, int]) -> list[tuple[int, int]]:
    parts = [(max(given[0], first), min(given[1], last)) for first, last in ANY]
    return [part for part in parts if part[0] <= part[1]]


@cache
def _all() -> bytes:
    return "".join(chr(code) for first, last in ANY for code in range(first, last + 1)).encode()


def _code(offset: int) -> int:
    """The code point of the character that begins at this byte of the text of all characters."""
    first, code, width = max(step for step in _STEPS if step[0] <= offset)
    return code + (offset - first) // width

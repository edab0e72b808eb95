"""The comments of a YAML text: what is between its tokens. Knows where each stands, and where it moves to with its line.

A remark alone on its line belongs to what follows it; one that is indented deeper than that, to what it ends.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import yaml
from msgspec import Struct
from yaml.cyaml import CParser  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.tokens import Token


class Remark(Struct, frozen=True):
    """One comment."""

    text: str
    """From its `#` to the end of its line, without blanks."""
    line: int
    column: int
    gap: int
    """So many blanks stand before it, after something else; 0 when it is alone on its line."""
    after: int
    """How many scalars of the text come before it."""

    @property
    def alone(self) -> bool:
        """Nothing else is in its line."""
        return not self.gap


class Mark(Struct, frozen=True):
    """Where one scalar stands."""

    line: int
    column: int
    """From 0; where the scalar itself starts."""
    indent: int
    """Where the first sign of its line is."""
    block: bool
    """It is a `|` or `>` and the lines below: what is indented like these is part of it, and no remark."""


class Scan:
    """The tokens of a text, its remarks and its scalars."""

    def __init__(self, text: str) -> None:
        """Take a text that is valid YAML."""
        self.lines = text.split("\n")
        self.tokens: list[Token] = list(_tokens(text))
        self.scalars: list[Mark] = []
        self.kept: set[int] = set()
        """Lines at the end of block scalars that are part of what they say."""
        self.remarks: list[Remark] = []
        at = 0
        for token in self.tokens:
            self._between(text, at, token.start_mark.index)
            at = max(at, token.end_mark.index)
            if isinstance(token, yaml.ScalarToken):
                self._scalar(text, token)
        self._between(text, at, len(text))
        self.alone = {remark.line: remark for remark in self.remarks if remark.alone}
        """The remarks that are alone on their lines, by line."""

    def _scalar(self, text: str, token: Token) -> None:
        start, end = token.start_mark, token.end_mark
        line = self.lines[start.line] if start.line < len(self.lines) else ""
        block = text[start.index : start.index + 1] in ("|", ">")
        self.scalars.append(Mark(start.line, start.column, len(line) - len(line.lstrip(" ")), block))
        if block:
            head = text[start.index :].partition("\n")[0]
            if "#" in head:
                self._add(head[head.index("#") :], start.index + head.index("#"), text)
            if "+" in head.partition("#")[0]:
                self.kept.update(range(start.line, end.line + 1))

    def _between(self, text: str, start: int, end: int) -> None:
        """The remarks in a gap between two tokens, which holds nothing else but blanks."""
        at = start
        while 0 <= (at := text.find("#", at, end)) < end:
            stop = text.find("\n", at)
            stop = len(text) if stop < 0 else stop
            self._add(text[at:stop], at, text)
            at = stop

    def _add(self, remark: str, index: int, text: str) -> None:
        begin = text.rfind("\n", 0, index) + 1
        before = text[begin:index]
        gap = len(before) - len(before.rstrip()) if before.strip() else 0
        line = text.count("\n", 0, index)
        self.remarks.append(Remark(remark.strip(), line, index - begin, gap, len(self.scalars)))


def _tokens(text: str) -> Iterator[Token]:
    scanner = CParser(text)
    while scanner.check_token():
        yield scanner.get_token()  # type: ignore[misc]  # there is one: it was checked


def missing(before: str, after: str) -> list[Remark]:
    """Return the remarks of one text that another does not have."""
    left = Counter(remark.text for remark in Scan(after).remarks)
    lost = []
    for remark in Scan(before).remarks:
        if left[remark.text]:
            left[remark.text] -= 1
        else:
            lost.append(remark)
    return lost


def moved(before: str, after: str) -> str:
    """Return a text with its remarks indented like the lines they belong to.

    Args:
        before: the text as it was, to tell what a remark belongs to.
        after: the same text with other indents: the same scalars and remarks in the same order.
    """
    old, new = Scan(before), Scan(after)
    lines = new.lines
    if len(old.scalars) != len(new.scalars) or [one.text for one in old.remarks] != [one.text for one in new.remarks]:
        return after
    for was, now in zip(old.remarks, new.remarks, strict=True):
        if now.alone:
            lines[now.line] = " " * _column(was, old, new) + now.text
        elif was.gap:
            lines[now.line] = lines[now.line][: now.column].rstrip() + " " * was.gap + now.text
    return "\n".join(lines)


def _column(remark: Remark, old: Scan, new: Scan) -> int:
    """Where a remark goes: with the line after it, or, when it is indented deeper, with the block before it."""
    following = remark.after
    if following < len(old.scalars) and remark.column <= old.scalars[following].indent:
        return new.scalars[following].indent
    for number in range(following - 1, -1, -1):
        if old.scalars[number].indent <= remark.column:
            deep = old.scalars[number].column <= remark.column
            wanted = new.scalars[number].column if deep else new.scalars[number].indent
            return min(wanted, _outside(following - 1, new))
    return 0


def _outside(number: int, scan: Scan) -> int:
    """How deep a remark after a scalar may be indented without becoming a part of it."""
    last = scan.scalars[number]
    if not last.block:
        return last.column
    key = scan.scalars[number - 1] if number else last
    return key.column if key.line == last.line else last.indent

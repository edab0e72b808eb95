"""Where the values of a YAML document stand, and where a word stands in one of them.

Knows the parser's nodes and nothing of what they mean.
"""

from __future__ import annotations

import re
from typing import NoReturn

import yaml

from tocsin.errors import Code, RuleError

Path = tuple[str | int, ...]
"""The way to a value: keys and indexes from the top."""


class Positions:
    """Where the values of one document stand; looked up only when something is to be said about one."""

    __slots__ = ("_root", "_text", "file")

    def __init__(self, root: yaml.Node | None, file: str, text: str = "") -> None:
        self._root = root
        self._text = text
        self.file = file

    def of(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at a path, or of its key.

        Steps that are not in the document are passed over, so a missing key is reported where its mapping starts.
        """
        node = self._node(path, key=key)
        return (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)

    def problem(
        self,
        sentence: str,
        path: Path,
        *,
        key: bool = False,
        hint: str = "",
        code: Code = Code.WRONG_VALUE,
        word: tuple[str, int] = ("", 0),
    ) -> RuleError:
        """Return the error that says something is wrong with the value at a path.

        Args:
            sentence: what is wrong.
            path: the way to the value.
            key: whether its key is meant.
            hint: what to do.
            code: what kind of thing is wrong.
            word: the part of the text there that is wrong, and how often it stands before that; the place is then its.
        """
        node = self._node(path, key=key)
        if node is None:
            return RuleError(sentence, code=code, file=self.file, line=1, column=1, hint=hint)
        place = self._inside(node, *word) if word[0] else None
        line, column, length = place or _extent(node)
        return RuleError(sentence, code=code, file=self.file, line=line, column=column, length=length, hint=hint)

    def refuse(self, node: yaml.Node, sentence: str, code: Code) -> NoReturn:
        """Raise the error that says something is wrong with a node."""
        line, column, length = _extent(node)
        raise RuleError(sentence, code=code, file=self.file, line=line, column=column, length=length)

    def _node(self, path: Path, *, key: bool) -> yaml.Node | None:
        node, at = self._root, self._root
        for step in path:
            if (found := _child(node, step)) is not None:
                at, node = found if key else (found[1], found[1])
        return at

    def _inside(self, node: yaml.Node, word: str, before: int) -> tuple[int, int, int] | None:
        """Line, column and length of a word in a value, however the value is written; None when it is not found as it is."""
        start, end = node.start_mark, node.end_mark
        lines = self._text.splitlines()[start.line : end.line + 1]
        spelling = _spelling(word)
        for number, text in enumerate(lines):
            first = start.column if number == 0 else 0
            last = end.column if start.line + number == end.line else len(text)
            for found in spelling.finditer(text, first, last):
                if before == 0:
                    return start.line + number + 1, found.start() + 1, len(word)
                before -= 1
        return None


def occurrences(text: str, word: str, end: int) -> int:
    """Return how often a word stands in a text before a position, counted as `Positions.problem` does."""
    return sum(1 for _ in _spelling(word).finditer(text, 0, end))


def _spelling(word: str) -> re.Pattern[str]:
    """Finds a word, and not where it is a part of a longer one."""
    before = r"(?<!\w)" if word[:1].isalnum() else ""
    after = r"(?!\w)" if word[-1:].isalnum() else ""
    return re.compile(f"{before}{re.escape(word)}{after}")


def _extent(node: yaml.Node) -> tuple[int, int, int]:
    """Line and column of a node from 1, and its length where it is one text in one line, else 0."""
    start, end = node.start_mark, node.end_mark
    one = isinstance(node, yaml.ScalarNode) and start.line == end.line
    return start.line + 1, start.column + 1, end.column - start.column if one else 0


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that names a step (a mapping's key; the item itself in a list) and the node it leads to."""
    if isinstance(node, yaml.MappingNode):
        return next(((name, value) for name, value in node.value if name.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step], node.value[step]
    return None

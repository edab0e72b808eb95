"""Lays rule files (and other YAML of ours) out: one indent, one order of keys, one way of quoting, every comment kept.

Knows that a layout may change no meaning: what `yaml12` reads before and after is the same, or there is no layout.
"""

from __future__ import annotations

from typing import Any

from tocsin import yaml12
from tocsin.errors import RuleError
from tocsin.rules.schema import RuleFile
from tocsin.workbench.formatting import ordering, remarks, roundtrip

_ROUNDS = 5
"""A layout that has not settled after so many is none."""
_FILE_KEYS = frozenset(RuleFile.model_fields)


def formatted(text: str | bytes, file: str = "") -> str:
    """Return the text laid out; laid out again it stays as it is.

    Args:
        text: a YAML document, in UTF-8 when it is bytes.
        file: what to call it in errors.

    Raises:
        RuleError: it is not the strict YAML that `yaml12` reads, or it cannot be laid out without changing what it says
            or losing a comment.
    """
    said, _ = yaml12.read(text, file)
    written = _as_text(text)
    if said is None:
        return written
    laid = _settled(written, said, file)
    if not _same(said, yaml12.read(laid, file)[0]):
        raise RuleError("this cannot be laid out without changing what it says: it is left as it is", file=file)
    lost = remarks.missing(written, laid)
    if lost:
        sentence = f'this cannot be laid out without losing the comment "{lost[0].text}": it is left as it is'
        raise RuleError(sentence, file=file, line=lost[0].line + 1, column=lost[0].column + 1, hint="move the comment")
    return laid


def _as_text(text: str | bytes) -> str:
    """The text with plain line ends; `yaml12` has read it, so it is UTF-8."""
    whole = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
    return whole.replace("\r\n", "\n")


def _settled(text: str, said: Any, file: str) -> str:
    ours = isinstance(said, dict) and said.keys() <= _FILE_KEYS
    for _ in range(_ROUNDS):
        laid = _laid(text, file, ours=ours)
        if laid == text:
            return laid
        text = laid
    raise RuleError("this cannot be laid out: it comes out differently each time, and is left as it is", file=file)


def _laid(text: str, file: str, *, ours: bool) -> str:
    """One round: order, then indents and quotes, then blank lines; only the middle one for what is no rule file."""
    if not ours:
        return roundtrip.indented(text, file)
    return ordering.spaced(roundtrip.indented(ordering.ordered(text, file), file), file)


def _same(one: Any, other: Any) -> bool:
    """Whether two pieces of data are the same, types and all: in Python, `1 == True`."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other or repr(one) == repr(other)

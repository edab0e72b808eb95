"""What a template may say: checked when it is loaded, so that an alert never meets a template that cannot work.

MiniJinja itself refuses an unknown filter, test or variable only when it meets one. And some of what it offers lets a
few characters allocate gigabytes (`indent`, `format`), which no limit on steps prevents: only what is named here may
be used. Knows texts, not alerts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tocsin.errors import Code
from tocsin.rules.facts import ELEMENT_FIELDS
from tocsin.rules.wrong import Wrong
from tocsin.yaml12 import nearest, occurrences

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

LONGEST = 8_000
"""Longest template, in characters: MiniJinja recurses over what it reads."""

FILTERS = frozenset(
    "abs bool capitalize count d default first float fr int join last length lines list lower max min replace reverse "  # noqa: SIM905
    "round sort split string sum title trim unique upper urlencode".split()
)
TESTS = frozenset(
    "defined undefined none number integer float string odd even divisibleby startingwith endingwith in eq ne lt le gt "  # noqa: SIM905
    "ge lower upper".split()
)
BLOCKS = frozenset("if elif else endif for endfor set endset with endwith".split())  # noqa: SIM905 - words, not a table
FUNCTIONS = frozenset({"range"})

_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_PIECE = re.compile(rf"\{{#.*?#\}}|\{{[{{%][-+]?((?:{_STRING}|(?![-+]?[%}}]\}})[^'\"])*)[-+]?[%}}]\}}", re.DOTALL)
"""A comment, or code with what is inside it."""
_TEXT = re.compile(_STRING, re.DOTALL)
_BLOCK = re.compile(r"\{%[-+]?\s*(\w+)")
_FILTER = re.compile(r"\|\s*([\w.]+)")
_TEST = re.compile(r"\bis\s+(?:not\s+)?(\w+)")
_METHOD = re.compile(r"\.\s*(\w+)\s*\(")
_REPEATED = re.compile(r"''\s*\*(?!\*)|(?<!\*)\*\s*''")
_COMPARED = re.compile(
    r"(?<![\w.])([A-Za-z_][\w.]*)\s*(?:[<>]=?|[=!]=)\s*-?\d|\d\s*(?:[<>]=?|[=!]=)\s*([A-Za-z_][\w.]*)(?!\s*[\w.|])"
)


def check_code(source: str, names: Iterable[str], known: Collection[str]) -> None:
    """Refuse a template that uses what is not offered.

    Args:
        source: a template that MiniJinja can read.
        names: the variables it uses, such as `summary`, `labels.team`, `element.name`.
        known: the variables there are.

    Raises:
        Wrong: it does; the sentence names what, the hint the nearest that may be used.
    """
    if stray := re.search(r"\{[{%#]|[}%#]\}", _PIECE.sub("", source)):
        hint = f'to print it, write {{{{ "{stray[0]}" }}}}'
        raise Wrong(f'"{stray[0]}" has no counterpart', hint=hint, code=Code.WRONG_TEMPLATE, word=stray[0])
    pieces = [(piece[0], piece[1] or "") for piece in _PIECE.finditer(source)]
    code = " ; ".join(_TEXT.sub("''", inner) for _, inner in pieces)
    _words("block", (found for piece, _ in pieces for found in _BLOCK.findall(piece[:80])), BLOCKS)
    _words("filter", _FILTER.findall(code), FILTERS)
    _words("test", _TEST.findall(code), TESTS)
    if method := _METHOD.search(code):
        sentence = f'methods such as ".{method[1]}()" are not available: use a filter'
        raise Wrong(sentence, hint=_listed(FILTERS), code=Code.WRONG_TEMPLATE, word=method[1])
    if _REPEATED.search(code):
        raise Wrong("a text cannot be multiplied: write it out", code=Code.WRONG_TEMPLATE)
    check_names(names, known)
    _comparisons(code, known)


def literal_length(source: str) -> int:
    """Return how many characters a template has beside its code."""
    return len(_PIECE.sub("", source))


def placed(wrong: Wrong, source: str) -> Wrong:
    """Return what is wrong with a template, knowing how often the word stands outside of code before it is wrong."""
    word, _ = wrong.word
    if not word or wrong.path:
        return wrong
    for piece in _PIECE.finditer(source):
        if piece[1] and occurrences(_TEXT.sub(lambda text: " " * len(text[0]), piece[1]), word, len(piece[1])):
            wrong.word = (word, occurrences(source, word, piece.start()))
            break
    return wrong


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse a variable that is not known, or a field that it does not have.

    Raises:
        Wrong: one is not; the hint names the nearest that is.
    """
    for name in sorted(names):
        head, _, rest = name.partition(".")
        if head not in FUNCTIONS:
            _words("variable", [head], known)
        if head == "element":
            _words("field of an element", [rest], ELEMENT_FIELDS)
        elif head == "labels" and "." in rest:
            hint = f"write labels['{rest}']"
            raise Wrong(f'"labels.{rest}" is no label', hint=hint, code=Code.WRONG_TEMPLATE, word=f"labels.{rest}")
        elif rest and head != "labels":
            raise Wrong(f'"{head}" is a text and has no "{rest}"', code=Code.WRONG_TEMPLATE, word=name)


def _comparisons(code: str, known: Collection[str]) -> None:
    """Variables are texts, and in MiniJinja every text is greater than every number."""
    for found in _COMPARED.findall(code):
        name = "".join(found)
        if name.partition(".")[0] in known:
            hint = f"write {name}|int or {name}|float"
            raise Wrong(f'"{name}" is a text, not a number', hint=hint, code=Code.WRONG_TEMPLATE, word=name)


def _words(kind: str, words: Iterable[str], known: Collection[str]) -> None:
    for word in words:
        if word not in known:
            hint = nearest(word, known) or f"there are {_listed(known)}"
            raise Wrong(f'unknown {kind} "{word}"', hint=hint, code=Code.UNKNOWN_NAME, word=word)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

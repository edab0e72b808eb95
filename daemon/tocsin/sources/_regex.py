"""Regular expressions in the options of sources: RE2's only, so that no message can make one slow.

They are searched anywhere in a text. Knows no platform.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import re2
from pydantic import AfterValidator

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 2_000
"""Longest regular expression, in characters."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def checked(regex: str) -> str:
    """The regular expression as it is.

    Raises:
        ValueError: RE2 cannot compile it; the sentence says why.
    """
    if len(regex) > LONGEST:
        raise ValueError(f"a regular expression of more than {LONGEST} characters: shorten it")
    try:
        Regex(regex)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        words = re.sub(r"\s+", " ", text)
        hint = "; RE2 looks neither ahead nor behind" if "perl operator" in words else ""
        raise ValueError(f"not a regular expression of RE2: {words}{hint}") from None
    return regex


Expression = Annotated[str, AfterValidator(checked)]
"""A regular expression of RE2, known to be one."""


class Regex:
    """One compiled regular expression."""

    __slots__ = ("_search", "groups", "names")

    def __init__(self, regex: str) -> None:
        compiled = re2.compile(regex.encode("utf-8", "replace"), _OPTIONS)
        self._search = compiled.search
        self.groups: int = compiled.groups
        """How many captures it has."""
        self.names: tuple[tuple[str, int], ...] = tuple(
            (name.decode(), number) for name, number in compiled.groupindex.items()
        )
        """The named captures, with their numbers."""

    def search(self, text: str) -> Any:
        """What was found, for the methods below; None when nothing was."""
        return self._search(text.encode("utf-8", "replace"))  # on bytes: RE2's wrapper for str counts characters

    def named(self, found: Any) -> dict[str, str]:
        """The text of each named capture; of one that took no part it is empty."""
        return {name: _text(found.group(number)) for name, number in self.names}

    def first(self, found: Any) -> str:
        """The text of the first capture; of the whole where there is none."""
        return _text(found.group(1 if self.groups else 0))


class Several:
    """Many regular expressions, told in one pass over a text which of them are in it."""

    __slots__ = ("_match",)

    def __init__(self, regexes: Sequence[str]) -> None:
        together = re2.Set.SearchSet(_OPTIONS)
        for regex in regexes:
            together.Add(regex.encode("utf-8", "replace"))
        if regexes:
            together.Compile()
        self._match = together.Match if regexes else None

    def found(self, text: str) -> list[int]:
        """The positions of those that are in the text, lowest first."""
        return sorted(self._match(text.encode("utf-8", "replace")) or ()) if self._match else []


@lru_cache(maxsize=1024)
def compiled(regex: str) -> Regex:
    """One that `checked` has let through, compiled once."""
    return Regex(regex)


def _text(found: bytes | None) -> str:
    return (found or b"").decode("utf-8", "replace")

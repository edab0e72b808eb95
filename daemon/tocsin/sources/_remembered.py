"""Functions of a text whose results are kept, for names that come again with every message.

Strangers decide how long a name is, so only short ones are kept: a cache of many large texts would never be emptied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LONGEST = 200
"""Longest text, in characters, whose result is kept, unless said."""


class _Known(dict[str, T]):
    """The results of a function by its text; emptied when there are too many."""

    __slots__ = ("_function", "_longest", "_most")

    def __init__(self, function: Callable[[str], T], most: int, longest: int) -> None:
        super().__init__()
        self._function = function
        self._most = most
        self._longest = longest

    def __missing__(self, text: str) -> T:
        result = self._function(text)
        if len(text) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[text] = result
        return result


def remembered(most: int, longest: int = LONGEST) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """A decorator for a pure function of one text: its results are kept, `most` of them, of short texts only.

    What it makes is as fast as looking into a dict, which is what it is.
    """

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        return _Known(function, most, longest).__getitem__

    return decorate

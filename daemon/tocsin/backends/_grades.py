"""An impact that a system tells as several numbers, written as one word such as `1/2`. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.model import Impact


def grades(word: str, count: int) -> tuple[str, ...]:
    """The `count` numbers of a word; one that names fewer repeats its last."""
    numbers = word.split("/")
    return (*numbers, *[numbers[-1]] * (count - len(numbers)))[:count]


def graded(priority: str, *numbers: str) -> str:
    """A priority and the numbers it comes from, such as `3 (2/3)`: several of them share a priority, and each may be changed.

    The priority alone where there are no numbers.
    """
    told = "/".join(filter(None, numbers))
    return f"{priority} ({told})".strip() if told else priority


def checked(words: Mapping[Impact, str], form: str, said: str) -> dict[Impact, str]:
    """The words of an option, as many numbers in each as `form` has.

    Args:
        words: what the option says.
        form: a word in its longest form, such as `1/2`.
        said: what the numbers are, for people.

    Raises:
        ValueError: a word is not made of such numbers.
    """
    count = form.count("/") + 1
    for impact, word in words.items():
        if not re.fullmatch(rf"[1-9](/[1-9]){{0,{count - 1}}}", word):
            raise ValueError(f"{impact}: must be {said} as numbers, such as {form!r}")
    return {impact: "/".join(grades(word, count)) for impact, word in words.items()}

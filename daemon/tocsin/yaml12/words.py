"""Which known word a misspelt one was meant to be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that a misspelt one was probably meant to be, or nothing when none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question that puts a misspelt word right (`did you mean "offer"?`), or nothing when none is near."""
    near = closest(word, known)
    return f'did you mean "{near}"?' if near else ""

"""How much two names or labels are alike, written in any case or language: `incidentNature`, `Nature de l'incident`. Pure."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

Ours = TypeVar("Ours", bound="Hashable")

SAME = 0.999
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case, without accents, plurals and positions in lists."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    found = (word.lower() for word in _WORD.findall(plain))
    return tuple(word.removesuffix("s") if len(word) > 3 else word for word in found if word != "0")  # noqa: PLR2004


def likeness(one: str, other: str) -> float:
    """From 0 to 1; 1 for the same words in the same order, however they are written."""
    mine, theirs = words(one), words(other)
    if not mine or not theirs:
        return 0.0
    if mine == theirs:
        return 1.0
    shared = len(set(mine) & set(theirs)) / len(set(mine) | set(theirs))
    spelt = SequenceMatcher(None, " ".join(mine), " ".join(theirs)).ratio()
    return min(0.6 * shared + 0.4 * spelt, 0.99)


def matched(known: Mapping[Ours, Sequence[str]], offered: Iterable[str], least: float) -> dict[Ours, tuple[str, float]]:
    """Ours → the offered name that is most like one of its names, and how much; each given once.

    The surest come first; among equals, one that is like an earlier name of ours, then one that is offered earlier.
    """
    scores = []
    places = {name: place for place, name in enumerate(dict.fromkeys(offered))}
    for ours, mine in known.items():
        for name, place in places.items():
            score, rank = max(((likeness(name, one), -rank) for rank, one in enumerate(mine)), default=(0.0, 0))
            scores.append((score, rank, -place, ours, name))
    found: dict[Ours, tuple[str, float]] = {}
    taken: set[str] = set()
    for score, _, _, ours, name in sorted(scores, key=lambda one: one[:3], reverse=True):
        if score >= least and ours not in found and name not in taken:
            found[ours] = (name, score)
            taken.add(name)
    return found

"""The element whose names look most like a name that no element goes by: a guess, for a person to confirm.

Knows texts and elements. Two names with different numbers are never one element's: web1 is not web2.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.fleet import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.fleet import Fleet
    from tocsin.model import Element

NEAR = 0.5
"""Names that share so much of their triples of letters are near."""
_A_WORD = 0.9
"""So near is an element whose whole name is one word of the name: web1 in srv-web1."""
_SHORTEST = 3
_BETWEEN = re.compile(r"[-_.:/ ]+")
_DIGITS = re.compile(r"[0-9]+")


class Likeness:
    """Looks for near names in one fleet; the fleet is prepared once, when it is first asked."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def guess(self, name: str) -> Element | None:
        """Return the element that the name most likely means; None when none is near."""
        return self._nearest(name, alike=True)

    def sibling(self, name: str) -> Element | None:
        """Return the element whose names look most like it, numbers aside: its neighbour, perhaps."""
        return self._nearest(name, alike=False)

    @cached_property
    def _known(self) -> list[tuple[str, frozenset[str], list[str], Element]]:
        return [
            (known, _triples(known), _DIGITS.findall(known), element)
            for element in self._fleet
            for known in sorted({_short(said) for said in _said(element)})
        ]

    def _nearest(self, name: str, *, alike: bool) -> Element | None:
        short = _short(name)
        triples, digits = _triples(short), _DIGITS.findall(short)
        words = {word for word in _BETWEEN.split(short) if len(word) >= _SHORTEST}
        best: tuple[float, Element | None] = (0.0, None)
        for text, known, its_digits, element in self._known:
            if alike and digits != its_digits:
                continue
            shared = _A_WORD if text in words else 2 * len(triples & known) / (len(triples) + len(known) or 1)
            if shared > best[0]:
                best = shared, element
        return best[1] if best[0] >= NEAR else None


def _said(element: Element) -> Iterator[str]:
    yield element.reference
    yield element.name
    yield from (alias for alias in element.aliases if not names.is_glob(alias) and "/" not in alias)


def _short(name: str) -> str:
    """The part of a name that tells it from others: its host's first label; an address as it is."""
    key = names.key(names.host(name) or name)
    return key if names.address(key) else names.first_label(key) or key


def _triples(text: str) -> frozenset[str]:
    padded = f"  {text} "
    return frozenset(padded[start : start + 3] for start in range(len(padded) - 2))

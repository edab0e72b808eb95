"""Our words and a system's words for the same thing, both ways."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Ours = TypeVar("Ours", bound=StrEnum)


class Scale(Generic[Ours]):
    """Statuses or impacts, ours ↔ theirs; reading does not mind case, and what is not known reads as `otherwise`."""

    def __init__(
        self,
        words: Mapping[Ours, str],
        also: Mapping[str, Ours] | None = None,
        otherwise: Ours | None = None,
    ) -> None:
        """Take what to write, and what else to read.

        Args:
            words: our value → their word; a value that is missing cannot be told, and is left as it stands.
            also: their further words → our value. Where two of ours share a word, the first in `words` is read.
            otherwise: what a word that nobody knows reads as. Never a status that ends a ticket.
        """
        self._words = dict(words)
        self._ours: dict[str, Ours] = {}
        for ours, word in words.items():
            self._ours.setdefault(word.casefold(), ours)
        for word, ours in (also or {}).items():
            self._ours.setdefault(word.casefold(), ours)
        self._otherwise = otherwise

    def over(self, words: Mapping[Ours, str]) -> Scale[Ours]:
        """The same with other words for some values, as the options say; the usual words are still read."""
        if not words:
            return self
        mine = {ours: word for ours, word in self._words.items() if ours not in words}
        return Scale({**words, **mine}, self._ours, self._otherwise)

    def word(self, ours: Ours) -> str | None:
        """Their word for ours; None when they have none."""
        return self._words.get(ours)

    def ours(self, word: str) -> Ours | None:
        """Our value for their word; `otherwise` when it is not known. Total."""
        return self._ours.get(word.strip().casefold(), self._otherwise)

    def settled(self, ours: Ours) -> Ours | None:
        """What will be read back once `ours` was written; None when it cannot be told."""
        word = self._words.get(ours)
        return None if word is None else self._ours[word.casefold()]

    @property
    def words(self) -> tuple[str, ...]:
        """All of their words that are written, each once, in order."""
        return tuple(dict.fromkeys(self._words.values()))

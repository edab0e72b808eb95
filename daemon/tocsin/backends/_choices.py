"""Values that a system lets one choose from, by the names people see: asked of the system once, and kept for a while."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tocsin.backends import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from datetime import datetime

_KEPT = timedelta(hours=1)
_ASKED_AGAIN = timedelta(minutes=1)
"""A name that is not among them may be new: the system is asked again, so often at most."""


class Choices:
    """Name → the system's id for it; names do not mind case, and an id stands for itself."""

    def __init__(
        self, what: str, ask: Callable[[], Awaitable[Mapping[str, str]]], clock: Callable[[], datetime]
    ) -> None:
        """Take what they are called in findings, and how the system is asked for all of them."""
        self._what = what
        self._ask = ask
        self._clock = clock
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._asked_at: datetime | None = None

    async def id(self, word: str) -> str | None:
        """The id of what is called so; None when there is nothing of that name. Raises DeliveryError."""
        age = self._clock() - self._asked_at if self._asked_at else _KEPT
        if age >= _KEPT or (age >= _ASKED_AGAIN and not self._known(word)):
            await self._load()
        return self._known(word)

    async def name(self, number: str) -> str:
        """What an id is called; empty when it is not known. Raises DeliveryError."""
        if number not in self._names:
            await self.id(number)
        return self._names.get(number, "")

    async def findings(self, words: Iterable[str], option: str) -> list[Finding]:
        """Whether each of the words that an option names exists. Raises DeliveryError."""
        found = []
        for word in dict.fromkeys(words):
            number = await self.id(word)
            if number is None:
                near = get_close_matches(word, self._names.values(), n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(self._names.values())}"
                found.append(Finding(level=Level.ERROR, what=option, told=f"there is no {self._what} {word!r}; {hint}"))
            else:
                told = f"{self._what} {self._names[number]!r} is there"
                found.append(Finding(level=Level.FINE, what=option, told=told))
        return found

    def _known(self, word: str) -> str | None:
        return word if word in self._names else self._ids.get(word.strip().casefold())

    async def _load(self) -> None:
        choices = await self._ask()
        self._ids = {name.strip().casefold(): number for name, number in choices.items()}
        self._names = {number: name for name, number in choices.items()}
        self._asked_at = self._clock()

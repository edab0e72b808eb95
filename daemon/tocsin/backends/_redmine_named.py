"""Trackers, statuses and priorities of a Redmine: by name or number, in the languages that we know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import _redmine_words
from tocsin.backends._choices import Choices
from tocsin.backends._document import reach
from tocsin.backends._shape import at, objects
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime

    from tocsin.backends import Finding
    from tocsin.backends._api import Api


class Named:
    """What a Redmine lets one choose from."""

    def __init__(
        self, api: Api, project: Callable[[], Awaitable[Any]], name: str, clock: Callable[[], datetime]
    ) -> None:
        """Take how Redmine is asked, how the project is read with its trackers, the backend's name, and the clock."""
        self._api = api
        self._project = project
        self._name = name
        self._closed: frozenset[str] = frozenset()
        self._choices = {
            "tracker": Choices("tracker of the project", self._trackers, clock),
            "statuses": Choices("status", self._statuses, clock),
            "impacts": Choices("priority", self._priorities, clock),
        }

    async def number(self, option: str, word: str) -> str:
        """The number of what is called so: `option` says what it is. Nothing of it is sent when there is none.

        Raises:
            DeliveryError: MISCONFIGURED when there is none: this delivery waits, or everything where nothing can be
                declared without it.
        """
        number = await self.found(option, word)
        if number:
            return number
        (finding, *_) = await self._choices[option].findings([word], option)
        why = f"{self._name}: {finding.told}; correct `{option}`"
        raise DeliveryError(Reason.MISCONFIGURED, why, retry=True, stops=option != "statuses", harmless=True)

    async def found(self, option: str, word: str) -> str:
        """The same; empty when there is none. Raises DeliveryError."""
        numbers = [await self._choices[option].id(name) for name in _redmine_words.names(word)]
        return next((one for one in numbers if one), "")

    async def is_closed(self, status: str) -> bool:
        """Whether a status, by its number, is one that ends an issue. Raises DeliveryError."""
        await self._choices["statuses"].name(status)
        return status in self._closed

    async def findings(self, option: str, words: Iterable[str]) -> list[Finding]:
        """Whether each of these is there. Raises DeliveryError."""
        choices, found = self._choices[option], []
        for word in words:
            names = [name for name in _redmine_words.names(word) if await choices.id(name)]
            found += await choices.findings(names[:1] or [word], option)
        return found

    async def _trackers(self) -> dict[str, str]:
        return _numbered(objects(await self._project(), "project.trackers", self._name))

    async def _statuses(self) -> dict[str, str]:
        statuses = objects(await self._api.ask("GET", "issue_statuses.json"), "issue_statuses", self._name)
        self._closed = frozenset(at(one, "id") for one in statuses if reach(one, "is_closed") is True)
        return _numbered(statuses)

    async def _priorities(self) -> dict[str, str]:
        said = await self._api.ask("GET", "enumerations/issue_priorities.json")
        return _numbered(objects(said, "issue_priorities", self._name))


def _numbered(named: list[dict[str, Any]]) -> dict[str, str]:
    return {at(one, "name"): at(one, "id") for one in named}

"""Which of an issue's labels is the reference that tocsin gave it.

Labels are a set that anybody may add to, and Jira tells them in no order of time; the issue's history tells which was
there first. Format: developer.atlassian.com, "Get changelogs" (Cloud: oldest first, in pages), "Get issue" with
`expand=changelog` (Data Center); a change of labels names all of them before and after, with blanks between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends._jira_query import CLOUD
from tocsin.backends._moments import EPOCH, moment
from tocsin.backends._shape import at, each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.backends._api import Api
    from tocsin.backends._jira_query import Found


class Labels:
    """The labels of one Jira's issues that are references."""

    def __init__(self, api: Api, found: Found, version: int, label: str) -> None:
        """Take where to ask and which version of the API, and the label of all tickets."""
        self._api, self._found, self._version, self._prefix = api, found, version, f"{label}-"

    async def reference(self, path: str, fields: Mapping[str, Any], wanted: str) -> str:
        """The wanted reference where the issue carries it, else the one that was there first; empty when it has none.

        Raises:
            DeliveryError: there are several, and the history cannot be asked now.
        """
        ours = self._ours(fields.get("labels"))
        if wanted in ours:
            return wanted
        return await self._first(path, ours) if len(ours) > 1 else "".join(ours)

    def _ours(self, labels: Any) -> list[str]:
        known = labels if isinstance(labels, list) else []
        given = [
            one.removeprefix(self._prefix) for one in known if isinstance(one, str) and one.startswith(self._prefix)
        ]
        return [one for one in given if one]

    async def _first(self, path: str, ours: list[str]) -> str:
        for labels in _stood(await self._history(path)):
            there = [one for one in self._ours(labels) if one in ours]
            if there:
                return there[0]
        return ours[0]

    async def _history(self, path: str) -> list[dict[str, Any]]:
        if self._version == CLOUD:
            return await self._found.paged(f"{path}/changelog", "values")
        said = await self._api.ask("GET", path, query={"fields": "labels", "expand": "changelog"})
        changes = each(said, "changelog.histories")
        return sorted(changes, key=lambda one: moment(one.get("created")) or EPOCH)


def _stood(history: list[dict[str, Any]]) -> Iterator[list[str]]:
    """The labels as they stood from the issue's making on, one change after the other."""
    changes = [one for entry in history for one in each(entry, "items") if at(one, "field") == "labels"]
    if changes:
        yield at(changes[0], "fromString").split()
    for one in changes:
        yield at(one, "toString").split()

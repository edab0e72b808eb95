"""Lists that Jira answers in pages, and JQL as it must be written.

Format: developer.atlassian.com, "Search for issues using JQL" (Cloud: tokens for pages, no total; the older search is
gone there with 410), "search" (Data Center: offsets), "JQL: The most flexible way to search Jira".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.backends._shape import at, objects
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.backends._api import Api

CLOUD = 3
"""Its version of the API."""
_PAGE = 100
_MOST_PAGES = 1_000


def phrase(text: str) -> str:
    """A text as JQL quotes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def asked_since(since: datetime, zone: str) -> str:
    """A moment as JQL takes it: the wall clock of this zone, by whole minutes. Never later than the moment is.

    An hour that the clocks run through twice is asked for from its first time on; a zone that is not known here from a
    day earlier on.
    """
    try:
        local = since.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"{since.astimezone(UTC) - timedelta(days=1):%Y-%m-%d %H:%M}"
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        local -= timedelta(hours=1)
    return f"{local:%Y-%m-%d %H:%M}"


class Found:
    """What a Jira finds."""

    def __init__(self, name: str, api: Api, version: int, fields: Sequence[str]) -> None:
        """Take the backend's name, its API and that API's version, and which fields of the issues are wanted."""
        self._name = name
        self._api = api
        self._version = version
        self._fields = ",".join(fields)

    async def issues(self, jql: str) -> list[dict[str, Any]]:
        """All issues that a query finds, in its order; one may come twice. Raises DeliveryError."""
        query = {"jql": jql, "fields": self._fields, "maxResults": str(_PAGE)}
        try:
            if self._version == CLOUD:
                return await self._by_token(query)
            return await self._by_offset(f"rest/api/{self._version}/search", query, ("issues",))
        except DeliveryError as error:
            if error.reason != Reason.REFUSED:
                raise
            why = f"{error.detail}: a project or field that the options name is not there for this account"
            raise DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True) from None

    async def listed(self, path: str, *keys: str) -> list[dict[str, Any]]:
        """All of what is listed at a path of the platform's API, under the first of these keys that is there."""
        return await self.paged(f"rest/api/{self._version}/{path}", *keys)

    async def paged(self, path: str, *keys: str) -> list[dict[str, Any]]:
        """As `listed`, at a path that is whole."""
        return await self._by_offset(path, {"maxResults": str(_PAGE)}, keys)

    async def values(self, path: str) -> list[dict[str, Any]]:
        """All of what Jira Service Management lists at a path. Raises DeliveryError."""
        found: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            said = await self._api.ask("GET", path, query={"start": str(len(found)), "limit": str(_PAGE)})
            page = objects(said, "values", self._name)
            found += page
            if not page or said.get("isLastPage") is not False:
                break
        return found

    async def _by_token(self, query: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        seen = {""}
        for _ in range(_MOST_PAGES):
            said = await self._api.ask("GET", f"rest/api/{CLOUD}/search/jql", query=query)
            found += objects(said, "issues", self._name)
            token = at(said, "nextPageToken")
            if token in seen or said.get("isLast") is True:
                break
            seen.add(token)
            query = {**query, "nextPageToken": token}
        return found

    async def _by_offset(self, path: str, query: dict[str, str], keys: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            said = await self._api.ask("GET", path, query={**query, "startAt": str(len(found))})
            key = next((key for key in keys if isinstance(said, dict) and key in said), keys[0])
            page = objects(said, key, self._name)
            found += page
            total = at(said, "total")
            if not page or not total.isdecimal() or len(found) >= int(total):
                break
        return found

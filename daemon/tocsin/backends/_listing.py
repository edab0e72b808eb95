"""Lists that come in pages, from systems whose filters may do less than they say.

A server may ignore a filter (and tells everything), refuse it, or not know it (and then finds nothing, which must never
be taken for "there is none"). Knows no ticket system; who asks compares what comes once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Object = dict[str, Any]
    Filters = Mapping[str, str]
    Page = Callable[[Filters, int], Awaitable[tuple[list[Object], bool]]]
    """Asks for the objects that filters leave, from an offset on; also whether these are surely the last. Raises
    DeliveryError, `NotUnderstoodError` when it is the filters that are refused."""


class NotUnderstoodError(DeliveryError):
    """The system refuses a query's parameters: nothing is known of what they would have found."""


class Listing:
    """A list of one system."""

    def __init__(self, name: str, page: Page, key: Callable[[Object], str], most: int) -> None:
        """Take who is asked, how, what an object is known by, and how many are read at most."""
        self._name = name
        self._page = page
        self._key = key
        self._most = most

    async def all(self, filters: Filters, asked: str) -> list[Object]:
        """The objects that the filters leave, each once; all of them when the filters are refused.

        Pages are read until one brings nothing new: a short page is not the last where systems have limits of their
        own. `asked` is what was asked for, in words. Raises DeliveryError, also when there are more than `most`.
        """
        found, whole = await self._read(filters, self._most)
        if whole:
            return found
        why = f"{self._name} lists more than `most` ({self._most}) tickets when asked for {asked}"
        raise DeliveryError(Reason.MISCONFIGURED, f"{why}; correct the filter, or raise `most`", retry=False)

    async def look_up(
        self, filters: Callable[[str], Filters], reference: str, carried: Callable[[Object], str]
    ) -> list[Object]:
        """The objects that may carry a reference. Nothing means that there is none. Raises DeliveryError.

        Where the filter finds nothing it is tried on an object that is there: one that cannot find that either is
        no filter, and everything is read.
        """
        asked = filters(reference)
        found, whole = await self._read(asked, self._most)
        if any(carried(one) == reference for one in found):
            return found
        if not found and asked:
            if await self.finds(filters, carried):
                return []
            found, whole = await self._read({}, self._most)
            if not whole and not any(carried(one) == reference for one in found):
                # Too many to read: what was read may show whether the filter is to be trusted.
                known = next((carried(one) for one in found if carried(one)), "")
                whole = not known or await self._tried(filters, known, carried)
        if whole:
            return found
        why = f"{self._name} has more than `most` ({self._most}) tickets and does not look them up"
        why = f"{why}: whether one carries {reference} is not known; correct the filter, or raise `most`"
        raise DeliveryError(Reason.MISCONFIGURED, why, retry=False)

    async def finds(self, filters: Callable[[str], Filters], carried: Callable[[Object], str]) -> bool | None:
        """Whether a filter finds what is there; None when nothing is there to try it on. Raises DeliveryError."""
        sample, _ = await self._page({}, 0)
        known = next((carried(one) for one in sample if carried(one)), "")
        if not known:
            return None
        return await self._tried(filters, known, carried)

    async def _tried(self, filters: Callable[[str], Filters], known: str, carried: Callable[[Object], str]) -> bool:
        """Whether a filter finds what is known to be there; one that is refused does not."""
        try:
            found, _ = await self._page(filters(known), 0)
        except NotUnderstoodError:
            return False
        return any(carried(one) == known for one in found)

    async def _read(self, filters: Filters, most: int) -> tuple[list[Object], bool]:
        try:
            return await self._pages(filters, most)
        except NotUnderstoodError:
            if not filters:
                raise
        return await self._pages({}, most)

    async def _pages(self, filters: Filters, most: int) -> tuple[list[Object], bool]:
        """The objects, each once, and whether they are all."""
        found: dict[str, Object] = {}
        offset = 0
        while offset < most:
            page, last = await self._page(filters, offset)
            told = {self._key(one): one for one in page}
            fresh = told.keys() - found.keys()
            found.update(told)
            offset += len(page)
            if not fresh or last:
                return list(found.values()), True
        return list(found.values()), False

"""What changed since a moment, page by page, although tickets change while the pages are turned.

Pages are asked for by the time of change, oldest first, and the next page begins at the time where the last one ended:
a ticket that changes meanwhile moves to the end, and hides no other. Knows no ticket system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from tocsin.model import Record

    Page = Callable[[datetime, int, int], Awaitable[list[Record]]]
    """The tickets that changed at a moment or later, oldest change first, but for so many pages, so many tickets."""

_STALE = 2
"""So many pages without anything new are the end, whatever the system says."""


async def sweep(page: Page, since: datetime, size: int) -> list[Record]:
    """The tickets that carry a reference and changed at `since` or later, each once, as they were told last.

    Args:
        page: asks for one page; raises DeliveryError.
        since: from when on; systems tell whole seconds, so parts of one do not count.
        size: how many tickets a page is asked to hold; systems may give fewer at once.
    """
    since = since.replace(microsecond=0)
    floor, pages, told, stale, longest = since, 0, 0, 0, 0
    found: dict[str, Record] = {}
    while stale < _STALE:
        records = await page(floor, pages, told)
        fresh = [one for one in records if found.get(one.number) != one]
        found.update({one.number: one for one in fresh})
        stale, longest = (0 if fresh else stale + 1), max(longest, len(records))
        if not records or (not fresh and len(records) < min(longest, size)):
            break
        newest = max((one.changed_at for one in records if one.changed_at), default=floor)
        floor, pages, told = (newest, 0, 0) if newest > floor else (floor, pages + 1, told + len(records))
    return [one for one in found.values() if one.reference and (one.changed_at is None or one.changed_at >= since)]

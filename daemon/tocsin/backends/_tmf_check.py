"""Whether a TMF621 server does what its backend counts on: asked without changing anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level, _tmf
from tocsin.backends._http import decoded
from tocsin.backends._shape import objects
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tocsin.backends._api import Api
    from tocsin.backends._tmf_query import Query

_NOBODYS = "tocsin-check-no-such-reference"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def lists(
    name: str, api: Api, query: Query, carried: Callable[[dict[str, Any]], str], now: datetime
) -> list[Finding]:
    """Whether tickets can be listed, looked up by our reference, and asked for by when they changed."""
    page, counted = await _page(name, api, query, {})
    told = "the list of tickets answers" + ("" if counted else "; it does not say how many there are")
    return [
        Finding(level=Level.FINE, what="url", told=told),
        await _finds(name, api, query, carried),
        *([await _since(name, api, query, now, there=bool(page))] if query.since else []),
    ]


async def _finds(name: str, api: Api, query: Query, carried: Callable[[dict[str, Any]], str]) -> Finding:
    what = "reference_filter"
    try:
        found, _ = await _page(name, api, query, query.for_reference(_NOBODYS))
        works = None if found else await query.listing(name, api).finds(query.for_reference, carried)
    except DeliveryError as error:
        return _refused(what, error)
    if found:
        told = f"the server ignores {query.reference!r}: each look-up reads up to {query.most} tickets"
        return Finding(level=Level.WARNING, what=what, told=told)
    if works is False:
        told = f"the server finds nothing by {query.reference!r}, not even what is there: each look-up reads up to"
        return Finding(level=Level.WARNING, what=what, told=f"{told} {query.most} tickets; write it as the server does")
    return Finding(level=Level.FINE, what=what, told=f"the server looks tickets up by {query.reference!r}")


async def _since(name: str, api: Api, query: Query, now: datetime, *, there: bool) -> Finding:
    what = "since_filter"
    try:
        later, _ = await _page(name, api, query, query.for_since(now + timedelta(days=1)))
        earlier, _ = await _page(name, api, query, query.for_since(_LONG_AGO))
    except DeliveryError as error:
        return _refused(what, error)
    if there and not earlier:
        told = f"the server finds nothing by {query.since!r}, so no change would ever be heard of; write it as the"
        return Finding(
            level=Level.ERROR, what=what, told=f"{told} server does, such as `lastUpdate>`, or leave it empty"
        )
    if later:
        told = f"the server ignores {query.since!r}: asking what changed reads up to {query.most} tickets each time"
        return Finding(level=Level.WARNING, what=what, told=told)
    return Finding(level=Level.FINE, what=what, told=f"the server knows what changed by {query.since!r}")


def words(statuses: Iterable[str]) -> list[Finding]:
    """Whether the words for statuses are the standard's."""
    odd = [word for word in statuses if word not in _tmf.STANDARD]
    if not odd:
        return []
    told = f"not in the standard: {', '.join(odd)}; right only if they are the server's own"
    return [Finding(level=Level.WARNING, what="statuses", told=told)]


async def _page(name: str, api: Api, query: Query, filters: Mapping[str, str]) -> tuple[list[dict[str, Any]], bool]:
    """A short page of the list, and whether the answer counts the whole."""
    asked = {**filters, "fields": query.fields, "limit": "1"}
    answer, request = await api.answer("GET", query.resource, query=asked)
    return objects(decoded(answer, request), "", name), "X-Total-Count" in answer.headers


def _refused(what: str, error: DeliveryError) -> Finding:
    """A refused filter is a finding; anything else is trouble of its own."""
    if error.reason not in (Reason.REFUSED, Reason.NOT_FOUND):
        raise error
    return Finding(level=Level.ERROR, what=what, told=f"the server refuses the filter ({error.detail}); correct it")

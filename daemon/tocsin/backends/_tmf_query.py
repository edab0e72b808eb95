"""Asking a TMF621 server for tickets, with filters in the server's own form."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tocsin.backends._http import AnswerError, decoded
from tocsin.backends._listing import Listing, NotUnderstoodError
from tocsin.backends._shape import objects, required
from tocsin.backends._tmf import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends._api import Api

_NOT_UNDERSTOOD = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED})
"""404 is how some servers answer that nothing was found, and all servers that the address is wrong: without a filter it
shows which."""
_BEYOND = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE})
"""How servers say that an offset lies behind the last ticket."""
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Query:
    """How tickets are asked for. A filter is a parameter's name, or `name=value` with a place to fill."""

    resource: str
    fields: str
    reference: str
    since: str
    """Empty when the server cannot be asked by time."""
    size: int
    most: int

    def for_reference(self, reference: str) -> dict[str, str]:
        """What asks for the tickets that carry a reference."""
        return _filled(self.reference, "{reference}", reference)

    def for_since(self, since: datetime) -> dict[str, str]:
        """What asks for the tickets that changed since; nothing when it cannot be asked."""
        return _filled(self.since, "{since}", stamp(since)) if self.since else {}

    def listing(self, name: str, api: Api) -> Listing:
        """The tickets of one server, in pages."""

        async def page(filters: Mapping[str, str], offset: int) -> tuple[list[dict[str, Any]], bool]:
            asked = {**filters, "fields": self.fields, "offset": str(offset), "limit": str(self.size)}
            try:
                answer, request = await api.answer("GET", self.resource, query=asked)
            except AnswerError as error:
                if offset and error.status in _BEYOND:
                    return [], True
                if error.status not in _NOT_UNDERSTOOD:
                    raise
                raise NotUnderstoodError(error.reason, error.detail, retry=error.retry) from None
            listed = objects(decoded(answer, request), "", name)
            return listed, _complete(answer.headers, offset + len(listed))

        return Listing(name, page, lambda one: required(one, "id", name), self.most)


def _filled(written: str, place: str, value: str) -> dict[str, str]:
    name, equals, rest = written.partition("=")
    return {name: rest.replace(place, value) if equals else value}


def _complete(headers: Mapping[str, str], seen: int) -> bool:
    """Whether the headers say that no more will come. Some servers mix the two up: then they say nothing."""
    total, result = _count(headers, "X-Total-Count"), _count(headers, "X-Result-Count")
    return total is not None and (result is None or result <= total) and seen >= total


def _count(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS else None

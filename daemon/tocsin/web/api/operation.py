"""One thing the interface can do, as a value: from it come the route and its part of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from tocsin.web.api.service import Service

BODY_LIMIT = 6 * 1024 * 1024
"""Largest body, as sent and inflated, in bytes: a candidate of `candidates.LARGEST` characters fits in."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request, read and checked: each part is of the type that the operation names, None where it names none."""

    path: Any = None
    query: Any = None
    body: Any = None
    now: datetime


class Example(Struct, frozen=True, kw_only=True):
    """A request that works on the rules and the fleet that come with tocsin, and what is answered."""

    summary: str
    answer: Any
    """A value of the operation's answer type."""
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: Any = None
    """A value that is encoded as JSON."""


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    """Below `/api/v1`, with its variables in braces."""
    tag: str
    summary: str
    description: str = ""
    handler: Callable[[Service, Asked], Any]
    """Returns a value of the answer type or raises Refused; runs in a thread unless it is a coroutine function."""
    answer: Any
    """The type of what is answered when it works."""
    status: int = 200
    path_type: type[Struct] | None = None
    query: type[Struct] | None = None
    body: Any = None
    failures: Mapping[int, str] = {}
    """Statuses of its own beside those of all operations: what each means."""
    examples: tuple[Example, ...]

    @property
    def name(self) -> str:
        """The handler's name: unique, and the `operationId`."""
        return self.handler.__name__.rstrip("_")


class Paged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=500, description="So many lines at most.")] = 50
    before: Annotated[
        str, Meta(pattern="^[0-9a-f]{0,15}$", description="The `next` of the page before; empty for the first page.")
    ] = ""


Moment = Annotated[datetime, Meta(tz=True)]
"""A time, with its zone."""

Next = Annotated[
    str,
    Meta(
        description="Give it as `before` for the next page; empty when there is none. A page may be short, or even empty, "
        "and have a next one all the same: then nothing in a long stretch passed the filters.",
        examples=["1f4"],
    ),
]


def row_before(cursor: str) -> int:
    """The row that a cursor stands for: rows below it are the next page."""
    return int(cursor, 16) if cursor else 2**60


def cursor(row: int) -> str:
    """The cursor for what is below a row; empty when nothing is."""
    return f"{row:x}" if row > 1 else ""

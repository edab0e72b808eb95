"""What a GLPI backend asks of either of GLPI's two APIs, and what both have in common. Pure but for its errors."""

from __future__ import annotations

import html
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from tocsin.backends import _texts
from tocsin.backends._shape import strange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.backends import Finding
    from tocsin.backends._api import File
    from tocsin.model import Element, RemoteNote

PAGE = 100


class Item(Struct, frozen=True, kw_only=True):
    """A ticket in GLPI's numbers."""

    id: str
    reference: str
    status: str
    """1 new, 2 assigned, 3 planned, 4 pending, 5 solved, 6 closed; 10 waits for an approval."""
    impact: str
    """1 very low to 5 very high."""
    priority: str = ""
    changed_at: datetime | None = None
    assignee: str = ""
    actor: str = ""
    deleted: bool = False


class Talk(Protocol):
    """One of GLPI's APIs. Texts are HTML; ids are what people see as the ticket's number. All raise DeliveryError."""

    async def create(self, fields: Mapping[str, Any], reference: str, element: Element) -> str:
        """Make a ticket of these fields, in one request; its id."""
        ...

    async def search(self, reference: str) -> list[Item]:
        """The tickets that may carry the reference, closed ones too."""
        ...

    async def read(self, number: str) -> Item | None:
        """The ticket of this id; None when there is none."""
        ...

    async def assignee(self, item: Item) -> str:
        """Who works on the ticket."""
        ...

    async def notes(self, number: str) -> list[RemoteNote]:
        """Its latest followups and solutions, oldest first, as text."""
        ...

    async def changed(self, since: datetime, skip: int) -> list[Item]:
        """The tickets that changed at `since` or later, oldest change first, but for the first so many; a page of them."""
        ...

    async def update(self, number: str, fields: Mapping[str, Any]) -> None:
        """Change status, impact or urgency."""
        ...

    async def follow_up(self, number: str, text: str, *, private: bool, reopen: bool) -> None:
        """Add a followup; `reopen` asks to open a solved or closed ticket again by it."""
        ...

    async def solve(self, number: str, text: str) -> None:
        """Add a solution, which makes the ticket solved."""
        ...

    async def attach(self, number: str, file: File) -> None:
        """Add a document to the ticket."""
        ...

    async def check(self) -> list[Finding]:
        """Who we are, and what there is of what the options name."""
        ...


def plain(text: str) -> str:
    """The text of a followup: HTML, which GLPI 10 hands out once more escaped."""
    return _texts.from_html(text if "<" in text else html.unescape(text))


def asked_for(name: str, items: list[Item], reference: str) -> list[Item]:
    """The items, when all carry something like the reference. Raises DeliveryError UNREADABLE.

    GLPI leaves out a condition that it does not understand, and answers all tickets: that is no answer to the question.
    """
    if any(reference.casefold() not in item.reference.casefold() for item in items):
        raise strange(name, "tickets with other references: it did not understand what was asked")
    return items

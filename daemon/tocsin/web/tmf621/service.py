"""What the handlers work with: the parts of the service, and a version of the standard.

Knows no aiohttp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.web.tmf621 import v4, v5
from tocsin.web.tmf621.documents import View
from tocsin.web.tmf621.wishes import Known

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from msgspec import Struct

    from tocsin.desk import Desk
    from tocsin.desk.hub import Hub
    from tocsin.model import Element
    from tocsin.store import Store
    from tocsin.web.api.turns import Turns
    from tocsin.web.tmf621.terms import Terms

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One version of the standard."""

    version: int
    create: type[Struct]
    update: type[Struct]
    ticket: type[Struct]
    media_type: str
    """Of what is answered."""
    patches: tuple[str, ...]
    """Media types of what changes a ticket."""

    @property
    def name(self) -> str:
        """`v4` or `v5`, as in paths."""
        return f"v{self.version}"

    @property
    def typed(self) -> bool:
        """Whether every object has its `@type`."""
        return self.version > 4  # noqa: PLR2004 - the version of the standard

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of all that a ticket has."""
        return tuple(field.encode_name for field in msgspec.structs.fields(self.ticket))


MERGE = "application/merge-patch+json"
OPERATIONS = "application/json-patch+json"
PLAIN = "application/json"
FACES = (
    Face(
        version=4,
        create=v4.TroubleTicketCreate,
        update=v4.TroubleTicketUpdate,
        ticket=v4.TroubleTicket,
        media_type="application/json;charset=utf-8",
        patches=(PLAIN, MERGE),
    ),
    Face(
        version=5,
        create=v5.TroubleTicketCreate,
        update=v5.TroubleTicketUpdate,
        ticket=v5.TroubleTicket,
        media_type=PLAIN,
        patches=(PLAIN, MERGE, OPERATIONS),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts."""

    store: Store
    desk: Desk
    hub: Hub
    folder: Path
    """Of the store's database, which is read beside it."""
    terms: Terms
    element: Callable[[str], Element | None]
    """The element of the live fleet with this reference."""
    clock: Callable[[], datetime]
    turns: Turns

    def known(self, face: Face) -> Known:
        """What reading a document needs."""
        return Known(
            version=face.version, create=face.create, update=face.update, terms=self.terms, element=self.element
        )

    def view(self, face: Face, language: str, *, contents: bool = False) -> View:
        """How tickets are shown in a version and a language."""
        return View(version=face.version, language=language, terms=self.terms, contents=contents)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: a document, or nothing."""

    status: int
    body: Any
    """Encoded as JSON unless it is bytes already; None for no body."""
    headers: dict[str, str]

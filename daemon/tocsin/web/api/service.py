"""What handlers work with: the parts of the service, and nothing of HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tocsin.web.api.aside import Aside
from tocsin.web.api.bygone import Bygone
from tocsin.web.api.runs import Runs
from tocsin.web.api.turns import Turns
from tocsin.web.hooks import Source
from tocsin.web.redeciding import Redone
from tocsin.workbench.promotion import Places

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tocsin.intake import Rulebook
    from tocsin.model import Criticality, Impact, Priority
    from tocsin.rules import RuleSet
    from tocsin.store.changes import Told
    from tocsin.workbench.ticketing import Ticketing

Redecide = Callable[[], Awaitable[Redone]]


class Files(Protocol):
    """Where rules and fleet are, and what they may name."""

    @property
    def rules(self) -> Path:
        """Folder of the live rules."""

    @property
    def fleet(self) -> Path:
        """Folder of the fleet."""

    @property
    def shadow(self) -> Path | None:
        """Folder of the shadow rules, if there is to be any."""

    @property
    def backends(self) -> frozenset[str]:
        """The ticket systems there are."""

    @property
    def ticketing(self) -> Ticketing:
        """What the tests of rules are told of the settings."""


class Rulebooks(Protocol):
    """The rules and the fleet that are live, and how they change: `reload.Rulebooks`."""

    problem: str
    """Why the rules on disk are not live; empty when they are."""
    shadow_problem: str
    """The same for the shadow rules."""

    @property
    def places(self) -> Files:
        """Where the files are."""

    def current(self) -> Rulebook:
        """What decides now."""

    async def reload(self, told: Told | None = None) -> str:
        """Let what is on disk go live; returns why it cannot, or nothing."""


class Desk(Protocol):
    """The desk, as far as it says how urgent a ticket would be."""

    def priority(self, impact: Impact, criticality: Criticality) -> Priority:
        """The priority of a ticket."""


class Tickets(Struct, frozen=True, kw_only=True):
    """Where alerts come from, and where their tickets go."""

    sources: Sequence[Source]
    desks: Mapping[str, Desk]
    """Those of the ticket systems that are the desk, by name."""


class Service:
    """One service as the interface sees it. Made in the event loop; `close` it."""

    def __init__(
        self,
        rulebooks: Rulebooks,
        state: Path,
        tickets: Tickets,
        redecide: Redecide,
        clock: Callable[[], datetime],
    ) -> None:
        """Take the parts; `state` is the folder of the database, which is read through connections of its own."""
        files = rulebooks.places
        self.places = Places(
            rules=files.rules,
            fleet=files.fleet,
            state=state,
            backends=files.backends,
            shadow=files.shadow,
            ticketing=files.ticketing,
        )
        self.ticketing = files.ticketing
        self.state = state
        self.rulebooks = rulebooks
        self.sources = {source.name: source for source in tickets.sources}
        self.desks = tickets.desks
        self.redecide = redecide
        self.clock = clock
        self.turns = Turns()
        self.aside = Aside()
        self.runs = Runs(clock)
        self.bygone = Bygone(f"{files.rules}/")

    @property
    def book(self) -> Rulebook:
        """What decides now."""
        return self.rulebooks.current()

    @property
    def rule_set(self) -> RuleSet:
        """The live rules, their files named without their folder."""
        return self.bygone.live(self.book.rule_set)

    def short(self, text: str) -> str:
        """A sentence without the rules' folder: paths of this machine are nobody's business."""
        return text.replace(f"{self.places.rules}/", "")

    async def close(self) -> None:
        """End what runs in the background."""
        await self.runs.close()
        await self.aside.close()

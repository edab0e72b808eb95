"""Where tickets go and how urgent they are, as the settings say it: all that the workbench knows of the settings.

Values only, so that it can be handed to another process. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tocsin import informing
from tocsin.priorities import PriorityTable, default_priorities
from tocsin.rules import routing
from tocsin.rules.routing import Route

if TYPE_CHECKING:
    from tocsin.model import Decision, Policy


class Ticketing(Struct, frozen=True, kw_only=True):
    """What the settings say of where tickets go, as far as it can be seen without a service."""

    default_backend: str = "desk"
    """The ticket system of rules, routes and sources that name none."""
    priorities: PriorityTable = field(default_factory=default_priorities)
    sources: dict[str, str] = {}
    """Source → its ticket system, where it has one of its own."""
    routes: tuple[Route, ...] = ()

    def routed(self, decision: Decision, source: str) -> Decision:
        """The decision about an alert of a source as the service follows it."""
        return routing.routed(decision, routing.compiled(self.routes), self.sources.get(source, ""))

    def whom(self, policy: Policy) -> tuple[str, tuple[str, ...]]:
        """The ticket system that a routed policy declares in, and those that are informed."""
        return informing.whom(policy, self.default_backend)


USUAL = Ticketing()
"""What holds when the settings say nothing."""

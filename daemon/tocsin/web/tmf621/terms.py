"""On which terms the desk is offered, and the standard's words for ours.

Pure. The words are those of TMF621 4.0.0 and 5.0.1, which have the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tocsin.desk.events import REJECTED
from tocsin.model import Impact, TicketStatus

STATUSES = {
    TicketStatus.DECLARED.value: "acknowledged",
    TicketStatus.IN_PROGRESS.value: "inProgress",
    TicketStatus.WAITING.value: "pending",
    TicketStatus.FROZEN.value: "held",
    TicketStatus.REPAIRED.value: "resolved",
    TicketStatus.CLOSED.value: "closed",
    TicketStatus.CANCELLED.value: "cancelled",
    REJECTED: "rejected",
}
"""Our words for a ticket's status, and `rejected` → the standard's."""
OURS = {theirs: ours for ours, theirs in STATUSES.items()}
"""The standard's words → ours."""

BASE = "/tmf-api/troubleTicket"
INCIDENT = "incident"
"""What kind of ticket one is of which nobody said it."""


class Terms(Struct, frozen=True, kw_only=True):
    """What the settings say (`desk.tmf621`)."""

    client: str
    contracts: tuple[str, ...] = ()
    url: str | None = None
    listeners: tuple[str, ...] = ()
    severity: Mapping[Impact, str]

    @property
    def root(self) -> str:
        """What links begin with; empty when they begin with the path."""
        return (self.url or "").rstrip("/")

    def impact(self, word: str) -> Impact | None:
        """The impact that a severity stands for, whatever its case: the highest of several; ours are known, too."""
        said = word.strip().casefold()
        meant = [impact for impact in Impact if self.severity[impact].casefold() == said]
        if meant:
            return max(meant, key=lambda impact: impact.rank)
        return next((impact for impact in Impact if impact.value == said), None)

    def severities(self) -> list[str]:
        """Every word for a severity that is understood."""
        return list(dict.fromkeys([*reversed([self.severity[impact] for impact in Impact]), *Impact]))

    def shows(self, contract: str, client: str) -> bool:
        """Whether a ticket is shown: it is a client's, or its element is under a contract that clients may see."""
        return bool(client) or not self.contracts or contract in self.contracts

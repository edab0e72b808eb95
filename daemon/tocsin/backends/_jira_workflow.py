"""How a ticket gets through a Jira workflow: statuses by name or by category, and which transition to take. Pure.

Names are each site's own, in its own language; a category (`new`, `indeterminate`, `done`) is the same everywhere.
Format: developer.atlassian.com, "Get transitions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.backends._scale import Scale
from tocsin.backends._shape import at, each
from tocsin.model import TicketStatus
from tocsin.standing import GOING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CATEGORIES = {
    "new": TicketStatus.DECLARED,
    "indeterminate": TicketStatus.IN_PROGRESS,
    "done": TicketStatus.CLOSED,
}
_WRITTEN = {
    TicketStatus.DECLARED: "new",
    TicketStatus.IN_PROGRESS: "indeterminate",
    TicketStatus.WAITING: "Pending",
    TicketStatus.FROZEN: "On hold",
    TicketStatus.REPAIRED: "Resolved",
    TicketStatus.CLOSED: "done",
    TicketStatus.CANCELLED: "Canceled",
}
_ALSO = {
    "Waiting for customer": TicketStatus.WAITING,
    "En attente": TicketStatus.WAITING,
    "En attente du client": TicketStatus.WAITING,
    "Résolu": TicketStatus.REPAIRED,
    "Résolue": TicketStatus.REPAIRED,
    "Closed": TicketStatus.CLOSED,
    "Fermé": TicketStatus.CLOSED,
    "Fermée": TicketStatus.CLOSED,
    "Cancelled": TicketStatus.CANCELLED,
    "Annulé": TicketStatus.CANCELLED,
    "Annulée": TicketStatus.CANCELLED,
    "Declined": TicketStatus.CANCELLED,
    "Rejected": TicketStatus.CANCELLED,
    "Won't do": TicketStatus.CANCELLED,
}
STATUSES: Scale[TicketStatus] = Scale(_WRITTEN, _ALSO)
_ON_THE_WAY = {
    TicketStatus.REPAIRED: (TicketStatus.IN_PROGRESS,),
    TicketStatus.CLOSED: (TicketStatus.REPAIRED, TicketStatus.IN_PROGRESS),
    TicketStatus.CANCELLED: (TicketStatus.IN_PROGRESS,),
}
"""What may be several transitions away, and what it is reached through."""
_FIRST = (TicketStatus.REPAIRED, TicketStatus.IN_PROGRESS, *TicketStatus)
"""What is taken first when several lead nearer."""


class Place(Struct, frozen=True):
    """A status of a workflow."""

    id: str
    name: str
    category: str


class Step(Struct, frozen=True, kw_only=True):
    """A transition that is offered."""

    id: str
    name: str
    to: Place
    fields: dict[str, Any] = {}
    """What its screen asks for: id of the field → what the API says of it."""


def place(status: Any) -> Place:
    """A status as the API tells it. Total."""
    return Place(at(status, "id"), at(status, "name"), at(status, "statusCategory.key").lower())


def steps(transitions: Iterable[dict[str, Any]]) -> list[Step]:
    """The transitions as the API tells them; those it says are not available are left out. Total."""
    return [
        Step(
            id=at(one, "id"),
            name=at(one, "name"),
            to=place(one.get("to")),
            fields=one["fields"] if isinstance(one.get("fields"), dict) else {},
        )
        for one in transitions
        if one.get("isAvailable") is not False
    ]


class Workflow:
    """What a site's statuses mean, and how to get to them; `named` are those that the options name."""

    def __init__(self, named: Mapping[TicketStatus, str]) -> None:
        self._named = named
        self.statuses = STATUSES.over(named)

    def reads(self, there: Place) -> TicketStatus:
        """What a ticket in this status is for us: by its name, else by its category."""
        return self.statuses.ours(there.name) or _CATEGORIES.get(there.category, TicketStatus.IN_PROGRESS)

    def is_at(self, there: Place, wanted: TicketStatus) -> bool:
        """Whether a ticket that stands there is what was wanted, as far as its workflow can say it."""
        if wanted == TicketStatus.DECLARED:
            return there.category != "done" and self.reads(there) in GOING
        if wanted in self._named:
            return self._has_name(there, wanted)
        if wanted == TicketStatus.CLOSED:
            return there.category == "done" and self.reads(there) != TicketStatus.CANCELLED
        return self.reads(there) == wanted

    def must(self, wanted: TicketStatus) -> bool:
        """Whether it is an error that a workflow has no way there: not for a status that only the default words name."""
        return wanted in self._named or wanted in (TicketStatus.DECLARED, TicketStatus.CLOSED, TicketStatus.CANCELLED)

    def next(self, offered: list[Step], here: Place, wanted: TicketStatus, been: frozenset[str]) -> Step | None:
        """The transition to take: straight to what is wanted, else nearer to it and nowhere twice; None to stay here."""
        fresh = [one for one in offered if one.to.id not in been]
        straight = [one for one in fresh if self.is_exactly(one.to, wanted)]
        if straight:
            return straight[0]
        if self.is_at(here, wanted) or not self.must(wanted):
            return None
        near = [one for one in fresh if self.is_at(one.to, wanted)]
        near += [one for one in fresh if self.reads(one.to) in _ON_THE_WAY.get(wanted, ())]
        return min(near, key=lambda one: _FIRST.index(self.reads(one.to))) if near else None

    def is_exactly(self, there: Place, wanted: TicketStatus) -> bool:
        """Whether no other status of the workflow could say it better."""
        if wanted in self._named:
            return self._has_name(there, wanted)
        return self.is_at(there, wanted) and self.reads(there) == wanted

    def _has_name(self, there: Place, wanted: TicketStatus) -> bool:
        return there.name.casefold() == self._named[wanted].casefold()


def screen(step: Step, closing: Mapping[str, Any], resolution: str) -> dict[str, Any]:
    """What to write into a transition's screen: of the fields given those that it has, and its resolution by name."""
    fields = {name: value for name, value in closing.items() if name in step.fields}
    asked = step.fields.get("resolution")
    if asked is None or "resolution" in fields:
        return fields
    allowed = each(asked, "allowedValues")
    same = [one for one in allowed if at(one, "name").casefold() == resolution.casefold()]
    chosen = next((at(one, "id") for one in (*same, *allowed)), "")
    return {**fields, "resolution": {"id": chosen} if chosen else {"name": resolution}}

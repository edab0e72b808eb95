"""Whether the store and a ticket system agree about a ticket: each difference by name, and what is done about it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from tocsin.model import Record, State, TicketStatus
from tocsin.standing import ENDED
from tocsin.told import Told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Policy = Literal["report", "follow", "note", "close", "reopen", "create"]


_FEW = 3


class Kind(Told):
    """What differs between store and ticket system; the list is closed, for it is a metric's label too."""

    GONE = "gone", "its ticket is not there any more"
    NO_TICKET = "no_ticket", "it has no ticket, and none is on its way"
    OPEN_THERE = "open_there", "it is over, and its ticket is open"
    CLOSED_THERE = "closed_there", "its ticket is closed, and it is not over"
    DIFFERS = "differs", "its ticket is not as it was known"
    TWICE = "twice", "several tickets carry its reference"
    DISOWNED = "disowned", "its ticket does not carry its reference any more"
    DEAD = "dead", "what opens its ticket was refused and waits for a person"


POLICIES: Mapping[Kind, Policy] = {
    Kind.GONE: "create",
    Kind.NO_TICKET: "create",
    Kind.OPEN_THERE: "close",
    Kind.CLOSED_THERE: "follow",
    Kind.DIFFERS: "follow",
    Kind.TWICE: "note",
    Kind.DISOWNED: "report",
    Kind.DEAD: "report",
}
"""What is done about each when differences shall be mended, unless the settings say otherwise."""
CAN: Mapping[Kind, tuple[Policy, ...]] = {
    Kind.GONE: ("report", "create"),
    Kind.NO_TICKET: ("report", "create"),
    Kind.OPEN_THERE: ("report", "note", "close"),
    Kind.CLOSED_THERE: ("report", "follow", "reopen"),
    Kind.DIFFERS: ("report", "follow"),
    Kind.TWICE: ("report", "note"),
    Kind.DISOWNED: ("report",),
    Kind.DEAD: ("report",),
}
"""What can be done about each."""


class Ours(Struct, frozen=True, kw_only=True):
    """A ticket as the store knows it."""

    n: int
    incident: str
    state: State
    touched: bool
    number: str
    """Empty while it is not known."""
    status: TicketStatus
    at: datetime | None = None
    """When that was known last."""
    ticket: bool = True
    """The backend has taken its opening."""
    dead: bool = False
    """What opens it waits for a person."""
    dropped: bool = False
    """A person has dropped what opens it: whether to make one is theirs to say."""


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that differs."""

    kind: Kind
    incident: str
    number: str
    """The ticket's; empty when there is none."""
    told: str
    """In words."""
    policy: Policy
    """What is done about it when differences are mended."""
    mended: bool = False


def compare(ours: Ours, theirs: Sequence[Record]) -> list[tuple[Kind, str]]:
    """What differs between a ticket as we know it and all that carry its reference, each in words; pure.

    `theirs`: the tickets with exactly our reference, oldest first, and the one with our number, whatever it carries.
    """
    if ours.dead:
        return [(Kind.DEAD, Kind.DEAD.told)]
    if not ours.ticket:
        return [(Kind.NO_TICKET, Kind.NO_TICKET.told)] if not theirs else [(Kind.DIFFERS, _found(theirs[0]))]
    if not theirs:
        over = ours.status in ENDED or ours.state == State.CLOSED
        return [] if over else [(Kind.GONE, Kind.GONE.told)]
    mine = mine_of(ours, theirs)
    if mine.reference != ours.incident:
        return [(Kind.DISOWNED, f"{Kind.DISOWNED.told}, but {mine.reference or 'none'}")]
    found = [(Kind.TWICE, f"{Kind.TWICE.told}: {', '.join(record.number for record in theirs)}")] if theirs[1:] else []
    return found + _standing(ours, mine)


def mine_of(ours: Ours, theirs: Sequence[Record]) -> Record:
    """The ticket that we mean: the one with our number, else the oldest."""
    return next((record for record in theirs if record.number == ours.number), theirs[0])


def _found(record: Record) -> str:
    return f"ticket {record.number} carries its reference, and was not known"


def _standing(ours: Ours, mine: Record) -> list[tuple[Kind, str]]:
    over = ours.state == State.CLOSED
    if over and mine.status not in ENDED:
        hand = "; a person works on it" if ours.touched else ""
        return [(Kind.OPEN_THERE, f"{Kind.OPEN_THERE.told} ({mine.state or mine.status}{hand})")]
    if not over and mine.status in ENDED:
        return [(Kind.CLOSED_THERE, f"{Kind.CLOSED_THERE.told} ({mine.state or mine.status})")]
    if mine.number != ours.number:
        return [(Kind.DIFFERS, f"its number is {mine.number}, not {ours.number or 'known yet'}")]
    if mine.status != ours.status:
        return [(Kind.DIFFERS, f"it is {mine.status}, and was known as {ours.status}")]
    return []


def policy_of(
    kind: Kind, ours: Ours, policies: Mapping[Kind, Policy], *, final: bool = False, endless: bool = False
) -> Policy:
    """What is done about a difference: nothing over a person's head, and nothing that may make a second ticket.

    Only what still fires is opened again, and not in a `final` system, where what is closed stays closed; in an `endless`
    one tocsin can close nothing.
    """
    theirs = kind == Kind.OPEN_THERE and ours.touched
    dropped = kind == Kind.NO_TICKET and ours.dropped
    unfound = kind == Kind.GONE and not ours.number  # it was taken, and its number is still to come
    policy = policies.get(kind, POLICIES[kind])
    if theirs or dropped or unfound or (endless and policy == "close"):
        return "report"
    return "follow" if policy == "reopen" and (final or ours.state != State.OPEN) else policy


def too_many(gone: int, of: int) -> bool:
    """Whether so many tickets are gone that tocsin sees them no more, rather than that they were deleted."""
    return gone > max(_FEW, of // 10)

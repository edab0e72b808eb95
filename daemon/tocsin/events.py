"""What can happen to an incident: an alert fires or no longer does, time passes, its ticket is seen, or gone."""

from __future__ import annotations

from msgspec import Struct

from tocsin.model import Decision, Impact, Policy, TicketStatus


class Fired(Struct, frozen=True, kw_only=True):
    """An alert fires and the rules want a ticket for it."""

    dedup_key: str
    rule: str
    element: str
    impact: Impact
    policy: Policy
    declarant: str
    what: str
    """The alert in a few words, for the notes."""
    id: str
    """The id and row of the incident, should this begin one."""
    n: int
    known: bool = False
    """This fingerprint fires in this incident already: a repeat."""
    final: bool = False
    """A ticket that is closed where this incident's was declared cannot be opened again."""


class Resolved(Struct, frozen=True, kw_only=True):
    """A fingerprint that fired in this incident no longer does."""

    what: str
    unsent: bool = False
    """The ticket was not asked for yet, or asked in a delivery that can still be withdrawn."""


class Tick(Struct, frozen=True):
    """Time has passed."""


class TicketSeen(Struct, frozen=True, kw_only=True):
    """A person changed the ticket."""

    actor: str
    status: TicketStatus | None = None
    """The new status, when it is the status that was changed."""


class Gone(Struct, frozen=True):
    """Its ticket is not there any more, or never was."""


Event = Fired | Resolved | Tick | TicketSeen | Gone


def fired(decision: Decision, *, what: str, declarant: str, known: bool, mint: tuple[str, int]) -> Fired:
    """The event of a decision, which may begin the incident `mint` (id, row). Raises ValueError if it is for no ticket."""
    if decision.element is None or decision.impact is None or decision.policy is None:
        raise ValueError(f"rule {decision.rule}: a ticket needs an element, an impact and a policy")
    return Fired(
        dedup_key=decision.dedup_key,
        rule=decision.rule,
        element=decision.element.reference,
        impact=decision.impact,
        policy=decision.policy,
        declarant=declarant,
        what=what,
        id=mint[0],
        n=mint[1],
        known=known,
    )

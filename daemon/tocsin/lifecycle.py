"""The life of an incident, as one pure function: what an event does to it, and why.

Knows the types and nothing else: no clock, no store, no ticket system. `advance` decides. One live incident per key, one
ticket per incident, one note per change of state; suppression only ever suppresses creation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from tocsin import flapping, wording
from tocsin.events import Event, Fired, Gone, Resolved, Tick, TicketSeen
from tocsin.informing import bound
from tocsin.model import (
    LANGUAGES,
    Change,
    ClosedByPerson,
    DeliveryAction,
    Incident,
    Note,
    Policy,
    State,
    TicketStatus,
)
from tocsin.standing import ENDED

if TYPE_CHECKING:
    from datetime import datetime

TOLD_JOINS = 20
"""So many fingerprints that join an incident are told one by one; further ones are only counted."""


_USUAL = Policy()


def advance(incident: Incident | None, event: Event, now: datetime) -> Change | None:
    """Say what `event` does to `incident`; None when it does nothing worth writing down.

    `incident` is the live one of the event's key, else the latest closed one, else None. The policy is the one the
    event brings, and the incident's own for everything else.
    """
    match event:
        case Fired():
            return _fired(incident, event, now)
        case Resolved():
            return _resolved(incident, event, now) if incident else None
        case Tick():
            return _ticked(incident, now) if incident else None
        case TicketSeen():
            return _seen(incident, event, now) if incident else None
        case Gone():
            return _gone(incident, now) if incident else None
        case _:
            assert_never(event)


def _fired(incident: Incident | None, event: Fired, now: datetime) -> Change | None:
    if incident is None:
        return _begin(event, "", now)
    if incident.state == State.CLOSED:
        return _again(incident, event, now)
    if incident.state == State.CLEAR:
        return _relapse(incident, event, now)
    return _worse(incident, event, now)


def _begin(event: Fired, previous: str, now: datetime) -> Change:
    hold = event.policy.hold
    held = bool(hold)
    incident = Incident(
        id=event.id,
        n=event.n,
        dedup_key=event.dedup_key,
        state=State.HELD if held else State.OPEN,
        rule=event.rule,
        element=event.element,
        impact=event.impact,
        policy=event.policy,
        declarant=event.declarant,
        opened_at=now,
        last_seen_at=now,
        due_at=now + hold if held else None,
        firing=1,
        alerts=1,
        declared=not held,
        previous=previous,
    )
    if held:
        return Change(
            incident=incident, notes=(wording.note(incident, "held", now, what=event.what, hold=wording.span(hold)),)
        )
    notes = (wording.note(incident, "opened", now, what=event.what),)
    return Change(incident=incident, notes=notes, deliveries=(DeliveryAction.OPEN,))


def _again(incident: Incident, event: Fired, now: datetime) -> Change | None:
    """A closed incident's key fires: the same ticket within its reopen window, a new one that links it beyond."""
    closed_at = incident.closed_at or incident.last_seen_at
    if incident.ended and event.policy.closed_by_person == ClosedByPerson.SILENT:
        return _silent(incident, event, now)
    if event.known and now < closed_at + _patience(event.policy):
        return None  # a person closed it while it fires: give them the quiet time before saying it again
    anew = event.final or (incident.ended and event.policy.closed_by_person == ClosedByPerson.NEW)
    if anew or not incident.declared or now >= closed_at + event.policy.reopen:
        return _begin(event, incident.id if incident.declared else "", now)
    firing = incident.firing if event.known else incident.firing + 1
    opened = replace(
        _meet(incident, event, now),
        state=State.OPEN,
        closed_at=None,
        cleared_at=None,
        due_at=None,
        firing=firing,
        ended=False,
    )
    return Change(
        incident=opened,
        notes=(wording.note(opened, "reopened", now, what=event.what),),
        deliveries=(DeliveryAction.REOPEN,),
    )


def _patience(policy: Policy) -> timedelta:
    """How long a person who closed what still fires is left in peace; where nothing is ever closed, as usual."""
    return _USUAL.close_after or timedelta(0) if policy.close_after is None else policy.close_after


def _silent(incident: Incident, event: Fired, now: datetime) -> Change | None:
    """A person closed it, and the rule wants no more said until it has cleared; who joins is counted all the same."""
    after = replace(incident, firing=incident.firing + 1, alerts=incident.alerts + 1, last_seen_at=now)
    return None if event.known else Change(incident=after)


def _relapse(incident: Incident, event: Fired, now: datetime) -> Change:
    opened = flapping.changed(_meet(incident, event, now), now)
    opened = replace(opened, state=State.OPEN, cleared_at=None, due_at=None, firing=1)
    return _flapped(incident, opened, wording.note(opened, "relapsed", now, what=event.what))


def _worse(incident: Incident, event: Fired, now: datetime) -> Change | None:
    """A repeat, or another fingerprint, while held or open: only a new member or another impact is worth telling."""
    after = _meet(incident, event, now)
    notes: list[Note] = []
    if not event.known:
        after = replace(after, firing=incident.firing + 1)
        notes.append(wording.note(after, "joined", now, what=event.what))
    if after.impact != incident.impact:
        kind = "raised" if after.impact.rank > incident.impact.rank else "lowered"
        notes.append(wording.impact_note(after, kind, incident.impact, now))
    if after.state == State.HELD:
        return Change(incident=_hasten(incident, after, event, now), notes=tuple(notes))
    if not notes and after.policy == incident.policy and after.rule == incident.rule:
        return None
    return Change(incident=after, notes=tuple(notes), deliveries=_tell(incident, after))


def _tell(before: Incident, after: Incident) -> tuple[DeliveryAction, ...]:
    if after.impact != before.impact:
        return (DeliveryAction.UPDATE,)
    if before.firing < after.firing <= TOLD_JOINS and not after.flapping:
        return (DeliveryAction.NOTE,)
    return ()


def _hasten(before: Incident, after: Incident, event: Fired, now: datetime) -> Incident:
    """A rise in impact halves what is left of the hold, or takes the rule's hold for the new impact if shorter."""
    if before.due_at is None or after.impact.rank <= before.impact.rank:
        return after
    halved = now + (before.due_at - now) / 2
    return replace(after, due_at=max(now, min(halved, before.opened_at + event.policy.hold)))


def _meet(incident: Incident, event: Fired, now: datetime) -> Incident:
    """The incident with what the newest decision says; while several fingerprints fire, the impact only rises."""
    alone = incident.firing == 0 or (incident.firing == 1 and event.known)
    impact = event.impact if alone else max(incident.impact, event.impact, key=lambda impact: impact.rank)
    return replace(
        incident,
        rule=event.rule,
        impact=impact,
        policy=bound(incident, event.policy),
        last_seen_at=now,
        alerts=incident.alerts + 1,
    )


def _resolved(incident: Incident, event: Resolved, now: datetime) -> Change | None:
    firing = max(0, incident.firing - 1)
    after = replace(incident, firing=firing, last_seen_at=now, alerts=incident.alerts + 1)
    after = replace(after, ended=after.ended and firing > 0)
    if firing or incident.state in (State.CLEAR, State.CLOSED):
        return Change(incident=after)
    if incident.state == State.HELD:
        return _without_ticket(after, "blip", event, now)
    if event.unsent:
        return _without_ticket(after, "withdrawn", event, now)
    return _clear(after, event, now)


def _without_ticket(incident: Incident, kind: str, event: Resolved, now: datetime) -> Change:
    closed = replace(incident, state=State.CLOSED, cleared_at=now, closed_at=now, due_at=None, declared=False)
    # A withdrawn ticket leaves a `close` that cancels the unsent `open` when it is folded in.
    deliveries = (DeliveryAction.CLOSE,) if incident.declared else ()
    return Change(incident=closed, notes=(wording.note(closed, kind, now, what=event.what),), deliveries=deliveries)


def _clear(incident: Incident, event: Resolved, now: datetime) -> Change:
    after = replace(flapping.changed(incident, now), state=State.CLEAR, cleared_at=now)
    after = replace(after, due_at=flapping.quiet_over(after, now))
    return _flapped(incident, after, wording.note(after, "cleared", now, what=event.what))


def _flapped(before: Incident, after: Incident, note: Note) -> Change:
    """Tell the change, unless it flaps: then tell once that it does, and no more until it is quiet."""
    flap = after.policy.flap
    if not after.flapping or flap is None:
        return _updated(after, note)
    if before.flapping:
        return Change(incident=after, notes=(note,))
    words = {"count": len(after.changes), "within": wording.span(flap.within), "quiet": wording.span(flap.quiet)}
    text = {language: note.text[language] + wording.FLAPPING[language].format(**words) for language in LANGUAGES}
    return _updated(after, replace(note, text=text))


def _updated(after: Incident, note: Note) -> Change:
    """An update; only a note where a person works on the ticket, which is no concern of those that are informed."""
    if not after.touched:
        return Change(incident=after, notes=(note,), deliveries=(DeliveryAction.UPDATE,))
    return Change(incident=after, notes=(note,), deliveries=(DeliveryAction.NOTE,), informs=(DeliveryAction.UPDATE,))


def _ticked(incident: Incident, now: datetime) -> Change | None:
    if incident.due_at is None or now < incident.due_at:
        return None
    if incident.state == State.HELD:
        after = replace(incident, state=State.OPEN, due_at=None, declared=True)
        return Change(incident=after, notes=(wording.note(after, "declared", now),), deliveries=(DeliveryAction.OPEN,))
    if incident.state == State.CLEAR:
        return _close(incident, now)
    return Change(incident=replace(incident, due_at=None))


def _close(incident: Incident, now: datetime) -> Change:
    quiet = wording.span(now - incident.cleared_at) if incident.cleared_at else ""
    if incident.touched and incident.policy.unless_touched:
        after = replace(incident, due_at=None)
        return Change(
            incident=after, notes=(wording.note(after, "left", now, quiet=quiet),), deliveries=(DeliveryAction.NOTE,)
        )
    after = replace(incident, state=State.CLOSED, closed_at=now, due_at=None, flapping=False, changes=())
    notes = (wording.note(after, "closed", now, quiet=quiet),)
    return Change(incident=after, notes=notes, deliveries=(DeliveryAction.CLOSE,))


def _seen(incident: Incident, event: TicketSeen, now: datetime) -> Change | None:
    if incident.state == State.CLOSED:
        return _resumed(incident, event, now)
    if event.status in ENDED:
        after = replace(incident, state=State.CLOSED, closed_at=now, due_at=None, touched=True, flapping=False)
        after = replace(after, ended=after.firing > 0)
        notes = (wording.note(after, "ended", now, actor=event.actor),)
        return Change(incident=after, notes=notes, informs=(DeliveryAction.CLOSE,))
    if incident.touched:
        return None
    after = replace(incident, touched=True)
    return Change(incident=after, notes=(wording.note(after, "touched", now, actor=event.actor),))


def _resumed(incident: Incident, event: TicketSeen, now: datetime) -> Change | None:
    """A person opens what they had closed while it fired: it fires on in the same ticket, which is theirs."""
    if not incident.firing or event.status is None or event.status in ENDED:
        return None
    after = replace(incident, state=State.OPEN, closed_at=None, cleared_at=None, touched=True, ended=False)
    notes = (wording.note(after, "resumed", now, actor=event.actor),)
    return Change(incident=after, notes=notes, informs=(DeliveryAction.REOPEN,))


def _gone(incident: Incident, now: datetime) -> Change | None:
    """What still fires gets a new ticket, which nobody has touched; what is over needs none."""
    if incident.state == State.CLOSED:
        return None
    after = replace(incident, number="", touched=False)
    if incident.state != State.CLEAR:
        return Change(incident=after, deliveries=(DeliveryAction.OPEN,))
    after = replace(after, state=State.CLOSED, closed_at=now, due_at=None, declared=False, flapping=False, changes=())
    return Change(incident=after, notes=(wording.note(after, "gone", now),), informs=(DeliveryAction.CLOSE,))


def ticket_status(incident: Incident) -> TicketStatus:
    """The status the ticket should have, as far as tocsin is concerned."""
    if incident.state == State.CLOSED:
        return TicketStatus.CLOSED
    if incident.state == State.CLEAR and not incident.flapping:
        return TicketStatus.REPAIRED
    return TicketStatus.DECLARED

"""An incident told: what it went through in order of time, and what its rule said of its life. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.model import LANGUAGES, DeliveryState, State, Texts
from tocsin.saying import what
from tocsin.wording import span
from tocsin.workbench.explained import Happened, IncidentTold
from tocsin.workbench.verdicts import declared_in, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.model import Incident
    from tocsin.store.listing import DeliveryLine
    from tocsin.store.telling import Changed, Record

LINES = 200
"""So many lines of a history are told: half from its beginning, half from its end."""

_ORDER = ("alert", "note", "delivery")
"""At one moment an alert comes first, then what was made of it, then who was told."""


def told(record: Record, changes: Sequence[Changed]) -> IncidentTold:
    """The incident with its history, of which `changes` are the alerts."""
    incident, half = record.incident, LINES // 2
    lines = sorted(_happened(record, changes), key=lambda line: (line.at, _ORDER.index(line.what), line.number))
    left_out = max(0, len(lines) - LINES)
    return IncidentTold(
        reference=incident.id,
        state=incident.state,
        rule=incident.rule,
        element=incident.element,
        impact=incident.impact,
        key=incident.dedup_key,
        alerts=incident.alerts,
        firing=incident.firing,
        opened_at=incident.opened_at,
        last_seen_at=incident.last_seen_at,
        cleared_at=incident.cleared_at,
        closed_at=incident.closed_at,
        due_at=incident.due_at,
        flapping=incident.flapping,
        touched=incident.touched,
        previous=incident.previous,
        policy=incident.policy,
        life=dict(life(record)),
        backend=declared_in(record),
        ticket=record.ticket,
        informed=record.informed,
        deliveries=record.deliveries,
        history=tuple([*lines[:half], *lines[-half:]] if left_out else lines),
        left_out=left_out,
    )


def life(record: Record) -> Iterator[tuple[str, str]]:
    """What became of hold, flapping, close and reopen: name and sentence."""
    incident = record.incident
    yield "hold", _hold(incident, {note.kind for note in record.notes})
    yield "flapping", _flapping(incident)
    yield "close", _close(incident)
    yield "reopen", _reopen(incident, sum(note.kind == "reopened" for note in record.notes))


def _hold(incident: Incident, kinds: set[str]) -> str:
    hold = span(incident.policy.hold)
    if incident.state == State.HELD and incident.due_at:
        return f"{hold}, until {moment(incident.due_at)}"
    if "blip" in kinds:
        return f"{hold}; it was over before"
    if "declared" in kinds:
        return f"{hold}; it was still there afterwards, and declared"
    return "none: declared at once" if not incident.policy.hold else f"{hold}; it did not wait"


def _flapping(incident: Incident) -> str:
    flap = incident.policy.flap
    if flap is None:
        return "not looked for"
    rule = f"{flap.changes} changes within {span(flap.within)}, until quiet for {span(flap.quiet)}"
    return f"{'it flaps' if incident.flapping else 'no'} ({len(incident.changes)} recent changes; {rule})"


def _close(incident: Incident) -> str:
    after = incident.policy.close_after
    if incident.closed_at:
        return f"closed at {moment(incident.closed_at)}"
    if after is None:
        return "left to people, by the rule"
    if incident.touched and incident.policy.unless_touched:
        return "left to people: somebody has worked on the ticket"
    if incident.state == State.CLEAR and incident.due_at:
        return f"at {moment(incident.due_at)}, if it stays quiet"
    return f"{span(after)} after it is clear"


def _reopen(incident: Incident, times: int) -> str:
    within = span(incident.policy.reopen)
    said = f"reopened {times} times so far; " if times > 1 else "reopened once so far; " if times else ""
    follows = f"follows incident {incident.previous}, which was closed for longer than its rule reopens; "
    said += follows if incident.previous else ""
    if incident.closed_at is None:
        return f"{said}the same problem within {within} of its end reopens it"
    if not incident.declared:
        return f"{said}never: there was no ticket"
    return f"{said}the same problem before {moment(incident.closed_at + incident.policy.reopen)} reopens it"


def _happened(record: Record, changes: Sequence[Changed]) -> Iterator[Happened]:
    for change in changes:
        text = f"{what(change.alert)}: {change.alert.summary}" if change.alert else ""
        said = f"{change.alert.severity} {change.alert.status}, {text}" if change.alert else "no longer kept"
        yield Happened(at=change.at, what="alert", kind=change.outcome, number=change.row, actor="", text=_same(said))
    for note in record.notes:
        yield Happened(at=note.at, what="note", kind=note.kind, number=0, actor=note.actor, text=note.text)
    for delivery in record.deliveries:
        yield from _delivered(delivery)


def _delivered(delivery: DeliveryLine) -> Iterator[Happened]:
    """That a ticket system was to be told, and what it answered."""
    settled = delivery.settled_at
    for at, text in (
        (delivery.made_at, f"{delivery.backend} is to be told"),
        (settled or delivery.due_at, _answer(delivery)),
    ):
        if text and not (at == delivery.made_at == settled and text.endswith("is to be told")):
            yield Happened(at=at, what="delivery", kind=delivery.action, number=delivery.id, actor="", text=_same(text))


def _answer(delivery: DeliveryLine) -> str:
    """How a delivery ended, or what its last attempt said; empty when nothing was tried yet."""
    attempts = "the first attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
    match delivery.state:
        case DeliveryState.SENT:
            return f"{delivery.backend} was told, {'at' if delivery.attempts == 1 else 'after'} {attempts}"
        case DeliveryState.CANCELLED:
            return f"taken back: {delivery.reason}"
        case DeliveryState.DEAD:
            return f"given up after {attempts}: {delivery.reason}"
        case DeliveryState.LEASED:
            return f"under way, attempt {delivery.attempts}"
    return f"to be tried again after {attempts}: {delivery.reason}" if delivery.attempts else ""


def _same(text: str) -> Texts:
    return dict.fromkeys(LANGUAGES, text)

"""What a new delivery does to those of its incident that were not sent yet, as a pure function.

Knows the types only. A backend is told the latest truth once: what it cannot have seen is folded together or taken
back; what it may have seen is never touched, so deliveries leave in the order they were made.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from tocsin.model import Delivery, DeliveryAction, DeliveryState


class Folded(Struct, frozen=True, kw_only=True):
    """What a new delivery does to those of its incident not sent yet."""

    add: Delivery | None = None
    """It goes out by itself."""
    put: Delivery | None = None
    """An earlier one, with what the new one tells folded in."""
    cancel: tuple[Delivery, ...] = ()
    """Earlier ones that are no longer true."""


def fold(unsent: tuple[Delivery, ...], new: Delivery) -> Folded:
    """Fold `new` into the last of `unsent` (oldest first) where the backend cannot have seen that one yet.

    What is under way, or may have been done without our knowing, is never folded into nor cancelled: order holds.
    """
    last = unsent[-1] if unsent else None
    if last is None or not can_change(last):
        return Folded(add=new)
    if new.action == DeliveryAction.CLOSE:
        return _fold_close(unsent, new)
    if not _takes_more(last):
        return Folded(add=new)
    if new.action == DeliveryAction.REOPEN:
        return _fold_reopen(last, new)
    if new.action == DeliveryAction.NOTE and last.action == DeliveryAction.CLOSE:
        return Folded(add=new)
    return Folded(put=_merged(last, new))


def left(unsent: tuple[Delivery, ...], folded: Folded) -> tuple[Delivery, ...]:
    """Return what is unsent afterwards, oldest first."""
    gone = {delivery.id for delivery in folded.cancel}
    kept = [delivery for delivery in unsent if delivery.id not in gone]
    if folded.put:
        kept = [folded.put if delivery.id == folded.put.id else delivery for delivery in kept]
    return (*kept, folded.add) if folded.add else tuple(kept)


def can_change(delivery: Delivery) -> bool:
    """Whether no backend can have seen this delivery: never sent, or refused for certain."""
    return delivery.state in (DeliveryState.PENDING, DeliveryState.DEAD) and not delivery.uncertain


def _takes_more(delivery: Delivery) -> bool:
    """Whether what it tells is nobody's but ours: what a person corrected or sent again says what they read."""
    return delivery.resent_at is None


def _fold_close(unsent: tuple[Delivery, ...], new: Delivery) -> Folded:
    """A close takes back everything unsent before it; if the `open` itself is among that, nothing at all is sent."""
    taken: list[Delivery] = []
    for delivery in reversed(unsent):
        if not can_change(delivery):
            break
        taken.append(delivery)
    if any(delivery.action == DeliveryAction.OPEN for delivery in taken):
        return Folded(cancel=tuple(taken))
    told = tuple(text for delivery in reversed(taken) for text in delivery.body.notes)
    body = replace(new.body, notes=told + new.body.notes)
    return Folded(add=replace(new, body=body), cancel=tuple(taken))


def _fold_reopen(last: Delivery, new: Delivery) -> Folded:
    """A reopen before its close was sent turns that close into an update: the ticket never closed."""
    if last.action != DeliveryAction.CLOSE:
        return Folded(add=new)
    body = replace(new.body, action=DeliveryAction.UPDATE, notes=last.body.notes + new.body.notes)
    return Folded(put=replace(last, action=DeliveryAction.UPDATE, body=body))


def _merged(last: Delivery, new: Delivery) -> Delivery:
    action = last.action if new.action == DeliveryAction.NOTE else _stronger(last.action, new.action)
    body = replace(
        new.body,
        action=action,
        notes=last.body.notes + new.body.notes,
        status=new.body.status,
        previous=last.body.previous,
    )
    return replace(last, action=action, body=body)


def _stronger(first: DeliveryAction, second: DeliveryAction) -> DeliveryAction:
    return second if first == DeliveryAction.NOTE else first


def next_of(unsent: tuple[Delivery, ...]) -> Delivery | None:
    """The delivery of an incident whose turn it is: none while one is under way, or while its `open` is dead."""
    for delivery in unsent:
        if delivery.state == DeliveryState.PENDING:
            return delivery
        if delivery.state == DeliveryState.LEASED or delivery.action == DeliveryAction.OPEN:
            return None
    return None

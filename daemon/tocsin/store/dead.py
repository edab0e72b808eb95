"""Dead deliveries: what a person does with them, and the note that says so, in one transaction.

A delivery is dead when it was refused, or given up; only a person moves it then. Nothing here makes a second ticket: what
may have been done is looked up before it is done again, and never goes to another backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin import wording
from tocsin.errors import TocsinError
from tocsin.model import Delivery, DeliveryAction, DeliveryState, Snapshot
from tocsin.store import rows
from tocsin.store.apply import is_informed, passed_over, ticketed, undeclare
from tocsin.store.deliveries import add_note, known_number, put, take_out
from tocsin.store.editing import edited

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from tocsin.model import Texts
    from tocsin.store.transaction import Embedded, Transaction

_snapshot = msgspec.json.Decoder(Snapshot)


class NoSuchDeliveryError(TocsinError):
    """There is no delivery of this id."""


class NotPossibleError(TocsinError):
    """The delivery stands so that it cannot be done, and why."""


class By(Struct, frozen=True):
    """Who wants it, and why."""

    actor: str
    reason: str


def strand(tx: Transaction, told: Collection[str], now: datetime) -> dict[str, int]:
    """Leave to a person what nobody would send: its backend is none of those that are `told` any more; how much, by backend.

    What waits for an `open` goes on waiting for it.
    """
    stranded: dict[str, int] = {}
    for n, backend in tx.live.unsent.chains():
        if backend not in told:
            stranded[backend] = stranded.get(backend, 0) + _stranded(tx, n, backend, now)
    return {backend: count for backend, count in stranded.items() if count}


def _stranded(tx: Transaction, n: int, backend: str, now: datetime) -> int:
    count = 0
    for one in tx.live.unsent.of(n, backend):
        if one.state == DeliveryState.DEAD and one.action == DeliveryAction.OPEN:
            break
        reason = f"backend {backend} is not in the settings any more, or does not take it"
        doubt = {"uncertain": True, "doubted_at": now} if one.state == DeliveryState.LEASED else {}
        gone = replace(one, state=DeliveryState.DEAD, reason=reason, **doubt)
        count += 1
        if one.action == DeliveryAction.OPEN:
            put(tx, n, gone, now)
            break
        take_out(tx, n, gone, now)
    return count


def resend(tx: Transaction, delivery: int, by: By, backends: Collection[str], now: datetime) -> tuple[Delivery, bool]:
    """Have a dead delivery tried again; one for an embedded backend is done at once.

    Facts that newer ones have overtaken are not told again: of such a delivery only the notes are sent. Returns it as it
    now stands, and whether it became such a note.

    Raises:
        NoSuchDeliveryError: There is none.
        NotPossibleError: It is not dead, its backend is gone, or another one of its chain is under way.
    """
    n, dead = _dead(tx, delivery)
    _require_backend(dead, backends)
    again, sentence = replace(dead, state=DeliveryState.PENDING, due_at=now, resent_at=now), "resent"
    newest = _newest_told(tx, n, dead)
    if newest is not None:
        again, sentence = _as_note(again, newest), "resent_as_note"
    embedded = tx.backends.embedded.get(dead.backend)
    if embedded is None:
        _back_into_chain(tx, n, again)
    else:
        again = _do_now(tx, n, again, embedded, now)
    add_note(tx, n, "resent", by.actor, _said(sentence, dead, by), now)
    return again, newest is not None


def drop(tx: Transaction, delivery: int, by: By, now: datetime) -> tuple[int, ...]:
    """Give a dead delivery up for good; returns the ids of all that went.

    With an `open` goes everything that waits for it: nothing can be told of a ticket that was never made. If it may have been
    made, what comes later looks for it; if not, nothing comes later.

    Raises:
        NoSuchDeliveryError: There is none.
        NotPossibleError: It is not dead.
    """
    n, dead = _dead(tx, delivery)
    gone = replace(dead, state=DeliveryState.CANCELLED, reason=f"dropped by {by.actor}: {by.reason}")
    waiting = _waiting_for(tx, n, dead)
    for one in waiting:
        told = replace(
            one, state=DeliveryState.CANCELLED, reason=f"delivery {dead.id}, which it waited for, was dropped"
        )
        take_out(tx, n, told, now)
    take_out(tx, n, gone, now)
    sentence = "dropped"
    if dead.action == DeliveryAction.OPEN:
        sentence = "dropped_in_doubt" if dead.uncertain else "dropped_open"
        if not dead.uncertain:
            _undeclare(tx, n, dead.backend, now)
    text = _said(sentence, dead, by, reference=dead.body.reference, count=str(len(waiting)))
    add_note(tx, n, "dropped", by.actor, text, now)
    return (dead.id, *(one.id for one in waiting))


def edit(
    tx: Transaction, delivery: int, changes: Mapping[str, Any], by: By, backends: Collection[str], now: datetime
) -> Delivery:
    """Change what a dead delivery says, or whom it tells; it stays dead until it is sent again.

    An `open` that no ticket system can have done may go to another backend, and all that waits for it with it; the desk
    takes it at once.

    Raises:
        NoSuchDeliveryError: There is none.
        NotPossibleError: It is not dead, or cannot go to that backend.
        EditError: The changes make no sense.
    """
    n, dead = _dead(tx, delivery)
    changed = replace(edited(dead, changes, backends), resent_at=now)
    fields = ", ".join(sorted(changes))
    if changed.backend != dead.backend:
        _require_free(tx, n, dead, changed.backend)
        changed = _moved(tx, n, dead, changed, now)
    else:
        put(tx, n, changed, now)
    add_note(tx, n, "edited", by.actor, _said("edited", dead, by, changed=fields), now)
    return changed


def _said(sentence: str, delivery: Delivery, by: By, **words: str) -> Texts:
    return wording.delivery_text(sentence, delivery, actor=by.actor, reason=by.reason, **words)


def _dead(tx: Transaction, delivery: int) -> tuple[int, Delivery]:
    """The row of its incident, and the delivery."""
    found = tx.rows("delivery", (delivery,))
    if not found:
        raise NoSuchDeliveryError(f"there is no delivery {delivery}; `tocsin deliveries` lists them")
    n, backend, state = found[0][1], found[0][2], found[0][5]
    if state != DeliveryState.DEAD:
        raise NotPossibleError(f"delivery {delivery} is {state}, not dead: {_instead(state)}")
    number, opened = known_number(tx, n, backend)
    incident = tx.rows("incident", (n,))[0][1]
    return n, replace(rows.read_delivery(found[0], incident, number), opened=opened)


def _instead(state: str) -> str:
    if state in (DeliveryState.SENT, DeliveryState.CANCELLED):
        return "it is over"
    return "it is sent by itself, `tocsin deliveries show` says when"


def _require_backend(dead: Delivery, backends: Collection[str]) -> None:
    if dead.backend not in backends:
        raise NotPossibleError(
            f"backend {dead.backend} is not in the settings any more: edit delivery {dead.id} to go to another, or drop it"
        )


def _chain(tx: Transaction, n: int, dead: Delivery) -> list[Delivery]:
    return [one for one in tx.live.unsent.of(n, dead.backend) if one.id != dead.id]


def _waiting_for(tx: Transaction, n: int, dead: Delivery) -> list[Delivery]:
    """What is not sent because this one opens the ticket."""
    return _chain(tx, n, dead) if dead.action == DeliveryAction.OPEN else []


def _newest_told(tx: Transaction, n: int, dead: Delivery) -> Snapshot | None:
    """What the backend was told, or may have been told, after this one; None when nothing newer was.

    Raises:
        NotPossibleError: It is being told just now.
    """
    if any(one.state == DeliveryState.LEASED for one in _chain(tx, n, dead)):
        raise NotPossibleError(
            f"{dead.backend} is being told something newer of {dead.incident}: try again in a moment"
        )
    found = tx.rows("newer_told", (n, dead.backend, dead.id))
    if not found or dead.action in (DeliveryAction.OPEN, DeliveryAction.NOTE):
        return None
    return _snapshot.decode(found[0][1]) if found[0][1] else dead.body


def _as_note(again: Delivery, newest: Snapshot) -> Delivery:
    body = replace(newest, action=DeliveryAction.NOTE, notes=again.body.notes)
    return replace(again, action=DeliveryAction.NOTE, body=body)


def _back_into_chain(tx: Transaction, n: int, again: Delivery) -> None:
    chain = sorted([*_chain(tx, n, again), again], key=lambda one: one.id)
    tx.live.unsent.keep(n, again.backend, tuple(chain))
    tx.update("update_delivery", rows.delivery_changes(again, None))


def _do_now(tx: Transaction, n: int, first: Delivery, embedded: Embedded, now: datetime) -> Delivery:
    """An embedded backend does it in this transaction, and what waits behind an `open` with it."""
    for one in (first, *_waiting_for(tx, n, first)):
        number, opened = known_number(tx, n, one.backend)
        told = replace(one, number=number, opened=opened)
        receipt = embedded.deliver(tx, told, now)
        done = replace(told, state=DeliveryState.SENT, attempts=one.attempts + 1, number=receipt.number, reason="")
        take_out(tx, n, done, now)
        ticketed(tx, n, told, receipt, now)
        if one is first:
            first = done
    return first


def _undeclare(tx: Transaction, n: int, backend: str, now: datetime) -> None:
    """There is no ticket, and none is to come."""
    if is_informed(tx, n, backend):
        passed_over(tx, n, backend, now)
    else:
        undeclare(tx, n)


def _require_free(tx: Transaction, n: int, dead: Delivery, backend: str) -> None:
    """Whether an `open` may go there; never one that may have been done where it was."""
    why = ""
    if dead.action != DeliveryAction.OPEN:
        why = f"{backend} has no ticket of {dead.incident} that it could be about"
    elif dead.uncertain:
        why = f"{dead.backend} may have made a ticket: look there for {dead.body.reference}, then resend it or drop it"
    elif is_informed(tx, n, dead.backend):
        why = f"{dead.backend} is only informed of {dead.incident}: drop it instead"
    elif is_informed(tx, n, backend) or tx.live.unsent.of(n, backend):
        why = f"{backend} is told of {dead.incident} already"
    if why:
        raise NotPossibleError(f"delivery {dead.id} cannot go to {backend}: {why}")


def _moved(tx: Transaction, n: int, dead: Delivery, changed: Delivery, now: datetime) -> Delivery:
    waiting = [replace(one, backend=changed.backend) for one in _waiting_for(tx, n, dead)]
    tx.live.unsent.keep(n, dead.backend, ())
    tx.live.unsent.keep(n, changed.backend, (changed, *waiting))
    for one in (changed, *waiting):
        tx.update("move_delivery", (one.backend, one.id))
    put(tx, n, changed, now)
    tx.live.bind(n, changed.backend)
    embedded = tx.backends.embedded.get(changed.backend)
    return _do_now(tx, n, changed, embedded, now) if embedded else changed

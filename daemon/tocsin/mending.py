"""What a ticket system should have, by the store, and what is done there about a difference, in one transaction.

Plain and synchronous; the store runs it. Nothing that may be on its way is gathered, and what is mended is checked once
more: whatever was found, something may have been told or seen meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin import wording
from tocsin.agreement import Kind, Ours, Policy
from tocsin.events import Gone
from tocsin.informing import whom
from tocsin.model import Change, DeliveryAction, DeliveryState, Incident, State, TicketStatus
from tocsin.seeing import LAG, Seen, Sight, see
from tocsin.store import keep, rows
from tocsin.store.apply import Cause, apply
from tocsin.store.deliveries import add_note, put

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Note
    from tocsin.store import Transaction


class Found(Struct, frozen=True, kw_only=True):
    """A difference, and what is to be done about it."""

    kind: Kind
    policy: Policy
    told: str
    backend: str
    ours: Ours
    seen: Seen | None
    """The ticket that we mean, as it stands there."""


def gather(tx: Transaction, backend: str, since: datetime) -> list[Ours]:
    """What a backend should have: its tickets that are open or ended since, and incidents that should have one."""
    found = [
        Ours(
            n=n,
            incident=incident,
            state=State(state),
            touched=bool(touched),
            number=number,
            status=TicketStatus(status),
            at=rows.moment(at),
        )
        for n, incident, state, touched, number, status, at in tx.rows(
            "tickets_to_reconcile", (backend, rows.micros(since))
        )
        if not _under_way(tx, n, backend)
    ]
    known = {ours.n for ours in found}
    return found + [
        _undeclared(tx, entry.incident, backend)
        for n, entry in list(tx.live.by_row.items())
        if n not in known and _should_have(tx, entry.incident, backend)
    ]


def still(tx: Transaction, backend: str, ours: Ours) -> bool:
    """Whether a ticket is as it was when it was gathered: nothing was told, nothing seen meanwhile."""
    entry = tx.live.by_row.get(ours.n)
    if not ours.ticket:
        return entry is not None and _should_have(tx, entry.incident, backend)
    if _under_way(tx, ours.n, backend):
        return False
    ticket = tx.rows("ticket", (ours.n,))
    state = entry.incident.state if entry else State.CLOSED
    return bool(ticket) and (ticket[0][2], ticket[0][4]) == (ours.number, ours.status) and state == ours.state


def mend(tx: Transaction, found: Found, now: datetime) -> bool:
    """Do about a difference what its policy says; returns whether anything was done."""
    if not still(tx, found.backend, found.ours):
        return False
    if found.policy == "follow":
        return found.seen is not None and _followed(tx, found.ours, found.seen, now)
    if found.policy == "close" and not _may_be_closed(tx, found, now):
        return False
    if found.policy == "reopen" and not _is_noticed(tx, found, now):
        return False
    incident = keep.current_incident(tx, found.ours.n)
    note = replace(wording.note(incident, "reconciled", now, problem=found.told), incident=incident.id)
    if found.policy == "create":
        return _made_again(tx, found, note, now)
    if found.policy == "note" and tx.rows("noted", (found.ours.n, note.kind, rows.encode_text(note.text))):
        return False  # it is said, and a person's to do
    row = tx.rows("decision_of_incident", (found.ours.n,))[0][0]
    change = Change(incident=incident, notes=(note,), deliveries=(_ACTIONS[found.policy],), alone=True)
    apply(tx, change, Cause(row=row), new=False, now=now)
    return True


_ACTIONS = {
    "close": DeliveryAction.CLOSE,
    "reopen": DeliveryAction.REOPEN,
    "note": DeliveryAction.NOTE,
}


def _followed(tx: Transaction, ours: Ours, seen: Seen, now: datetime) -> bool:
    """Take in what stands there: a ticket that was not known, another number, or what a person did."""
    record = seen.record
    if not ours.ticket:
        known = (record.number, record.url, TicketStatus.DECLARED.value)  # what became of it since is yet to be seen
        tx.insert("insert_ticket", (ours.n, seen.backend, *known, rows.micros(now - 2 * LAG)))
        tx.update("insert_unread_ticket", (seen.backend, ours.incident, rows.micros(now)))
    elif ours.number and record.number != ours.number:
        tx.update("renumber_ticket", (record.number, record.url, ours.n))
        for name in ("delete_sighting", "delete_read_notes"):
            tx.update(name, (ours.n,))
    else:
        return see(tx, seen, now) == Sight.NEWS or not ours.number
    tx.live.told(ours.n, record.number)
    text = wording.text("found", backend=seen.backend, number=record.number)
    add_note(tx, ours.n, "found", wording.ACTOR, text, now)
    see(tx, seen, now)
    return True


def _is_noticed(tx: Transaction, found: Found, now: datetime) -> bool:
    """That it is closed is known from now on, and means nothing for the incident; what else people did is taken in."""
    if found.seen is None or tx.rows("refused_reopen", (found.ours.n, found.backend)):
        return False
    tx.update("status_of_ticket", (found.seen.record.status.value, rows.micros(now), found.ours.n))
    return True


def _may_be_closed(tx: Transaction, found: Found, now: datetime) -> bool:
    """Not when a person has opened it again, nor when what would close it was refused, and is a person's to send or was dropped."""
    if found.seen is not None and see(tx, found.seen, now) != Sight.KNOWN:
        return False
    return not keep.current_incident(tx, found.ours.n).touched and not tx.rows(
        "dead_close", (found.ours.n, found.backend)
    )


def _made_again(tx: Transaction, found: Found, note: Note, now: datetime) -> bool:
    """Ask for a ticket, if the problem is not over; what was seen of the one before says nothing of the next one."""
    n = found.ours.n
    change = tx.live.see(n, Gone(), now)
    if change is None:
        return False
    for name in ("delete_ticket", "delete_sighting", "delete_read_notes"):
        tx.update(name, (n,))
    row = tx.rows("decision_of_incident", (n,))[0][0]
    apply(tx, replace(change, notes=(note, *change.notes)), Cause(row=row), new=False, now=now)
    _doubt(tx, found, now)
    return True


def _doubt(tx: Transaction, found: Found, now: datetime) -> None:
    """What was not found may only not be found yet: it is looked for once more before it is made."""
    for one in tx.live.unsent.of(found.ours.n, found.backend):
        if one.action == DeliveryAction.OPEN:
            put(tx, found.ours.n, replace(one, uncertain=True, doubted_at=now), None)


def _under_way(tx: Transaction, n: int, backend: str) -> bool:
    return any(one.state != DeliveryState.DEAD for one in tx.live.unsent.of(n, backend))


def _should_have(tx: Transaction, incident: Incident, backend: str) -> bool:
    """Whether a live incident was declared in this backend, has no ticket there, and none is on its way."""
    declaring, _ = whom(incident.policy, tx.backends.default)
    if declaring != backend or not incident.declared or incident.state == State.CLOSED:
        return False
    return not _under_way(tx, incident.n, backend) and not tx.rows("ticket", (incident.n,))


def _undeclared(tx: Transaction, incident: Incident, backend: str) -> Ours:
    return Ours(
        n=incident.n,
        incident=incident.id,
        state=incident.state,
        touched=incident.touched,
        number="",
        status=TicketStatus.DECLARED,
        ticket=False,
        dead=any(one.state == DeliveryState.DEAD for one in tx.live.unsent.of(incident.n, backend)),
        dropped=bool(tx.rows("dropped_open", (incident.n, backend))),
    )

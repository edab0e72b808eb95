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
from tocsin.informing import whom
from tocsin.model import Change, DeliveryAction, DeliveryState, Incident, Receipt, State, TicketStatus
from tocsin.seeing import Seen, Sight, see
from tocsin.store import keep, rows
from tocsin.store.apply import Cause, apply
from tocsin.store.deliveries import add_note, put

if TYPE_CHECKING:
    from datetime import datetime

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
        )
        for n, incident, state, touched, number, status in tx.rows(
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
    incident = _incident(tx, found.ours.n)
    note = replace(wording.note(incident, "reconciled", now, problem=found.told), incident=incident.id)
    if found.policy == "note" and tx.rows("noted", (found.ours.n, note.kind, rows.encode_text(note.text))):
        return False  # it is said, and a person's to do
    if found.kind == Kind.GONE:
        incident = _without_ticket(tx, incident)
    row = tx.rows("decision_of_incident", (found.ours.n,))[0][0]
    informs = (DeliveryAction.NOTE,) if found.policy == "reopen" else ()  # theirs was never closed
    change = Change(incident=incident, notes=(note,), deliveries=(_ACTIONS[found.policy],), informs=informs)
    apply(tx, change, Cause(row=row), new=False, now=now)
    if found.policy == "create":
        _doubt(tx, found, now)
    return True


_ACTIONS = {
    "create": DeliveryAction.OPEN,
    "close": DeliveryAction.CLOSE,
    "reopen": DeliveryAction.REOPEN,
    "note": DeliveryAction.NOTE,
}


def _incident(tx: Transaction, n: int) -> Incident:
    entry = tx.live.by_row.get(n)
    return entry.current() if entry else keep.read_incident(tx, n)


def _followed(tx: Transaction, ours: Ours, seen: Seen, now: datetime) -> bool:
    """Take in what stands there: a ticket that was not known, another number, or what a person did."""
    record = seen.record
    receipt = Receipt(number=record.number, url=record.url, status=record.status)
    if not ours.ticket:
        tx.insert("insert_ticket", (ours.n, seen.backend, *_told(receipt), rows.micros(now)))
    elif ours.number and record.number != ours.number:
        tx.update("renumber_ticket", (record.number, record.url, ours.n))
    else:
        return see(tx, seen, now) == Sight.NEWS or not ours.number
    tx.live.told(ours.n, record.number)
    text = wording.text("found", backend=seen.backend, number=record.number)
    add_note(tx, ours.n, "found", wording.ACTOR, text, now)
    return True


def _told(receipt: Receipt) -> tuple[str, str, str]:
    return receipt.number, receipt.url, receipt.status.value


def _is_noticed(tx: Transaction, found: Found, now: datetime) -> bool:
    """That it is closed is known from now on, and means nothing for the incident; what else people did is taken in."""
    if found.seen is None:
        return False
    tx.update("status_of_ticket", (found.seen.record.status.value, rows.micros(now), found.ours.n))
    return True


def _may_be_closed(tx: Transaction, found: Found, now: datetime) -> bool:
    """Not when a person has opened it again, nor when what would close it was refused and waits for a person."""
    if found.seen is not None and see(tx, found.seen, now) != Sight.KNOWN:
        return False
    return not _incident(tx, found.ours.n).touched and not tx.rows("dead_close", (found.ours.n, found.backend))


def _without_ticket(tx: Transaction, incident: Incident) -> Incident:
    """The incident as if its ticket had never been: what was seen of that says nothing of the next one."""
    for name in ("delete_ticket", "delete_sighting", "delete_read_notes"):
        tx.update(name, (incident.n,))
    tx.live.told(incident.n, "")
    return replace(incident, number="")


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

"""Writing down what a Change says: the incident, its notes, its deliveries; all in the caller's transaction.

The backend that declares is told, and each that is informed: every one in an order of its own. A delivery for an embedded
backend is done here and now, in the same transaction; any other is left for the outbox, folded into what was not sent yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin import folding, informing, lifecycle
from tocsin.model import (
    Decision,
    Delivery,
    DeliveryAction,
    DeliveryState,
    Element,
    Snapshot,
    State,
    Texts,
    TicketStatus,
)
from tocsin.store import rows

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Change, Incident, Policy, Receipt
    from tocsin.store.transaction import Transaction


class Cause(Struct, frozen=True, kw_only=True):
    """Where an incident's texts come from: the decision just made, or the stored one."""

    row: int
    """The decision's row."""
    decision: Decision | None = None
    """The decision itself when it was just made; None reads it back."""
    source: str = ""


def apply(tx: Transaction, change: Change, cause: Cause, *, new: bool, now: datetime) -> None:
    """Write the change of an incident; `new` says that the incident begins with it."""
    incident = change.incident
    policy = policy_row(tx, incident.policy)
    if incident.state == State.CLOSED:
        tx.memory.keep_closed(incident.dedup_key)
    if new:
        tx.insert("insert_incident", rows.incident_row(incident, policy, cause.row, tx.memory.rows["alerts"]))
    else:
        tx.update("update_incident", rows.incident_changes(incident, policy, cause.row, tx.memory.rows["alerts"]))
    for note in change.notes:
        text = rows.encode_text(note.text)
        tx.insert("insert_note", (tx.next("notes"), incident.n, rows.micros(note.at), note.actor, note.kind, text))
    if change.deliveries or (change.informs and incident.policy.inform):
        _tell(tx, change, cause, now)


def policy_row(tx: Transaction, policy: Policy) -> int:
    """The row of this policy, written once."""
    row = tx.memory.policy_rows.get(policy)
    if row is None:
        row = tx.next("policies")
        tx.insert("insert_policy", (row, rows.encode_text(policy)))
        tx.memory.keep_policy(row, policy)
    return row


class _Said(Struct, frozen=True):
    """The part of a snapshot that a decision says."""

    name: Texts
    description: Texts
    element: Element
    source: str
    rule: str
    rule_set: str


def _tell(tx: Transaction, change: Change, cause: Cause, now: datetime) -> None:
    """Tell the backends what the change asks for: the declaring one, then each that is informed."""
    incident, policy, default = change.incident, change.incident.policy, tx.backends.default
    declaring, informed = informing.whom(policy, default) if policy.inform else (policy.backend or default, ())
    notes = tuple(note.text for note in change.notes)
    for action in change.deliveries:
        body = _snapshot(tx, incident, action, notes, cause)
        # Once a person has dropped the `open`, there is no ticket to tell of; a withdrawn one still has to be taken back.
        if incident.declared or tx.live.unsent.of(incident.n, declaring):
            _deliver(tx, incident.n, _delivery(tx, declaring, body, incident.number, now), now)
        if informed and not change.informs and not change.alone:
            _inform(tx, incident.n, informed, body, now)
    for action in change.informs:
        _inform(tx, incident.n, informed, _snapshot(tx, incident, action, notes, cause), now)


def _inform(tx: Transaction, n: int, backends: tuple[str, ...], body: Snapshot, now: datetime) -> None:
    """Tell the informed backends; one that does not know the incident yet is told of it as of any other."""
    known = {backend: (number, status) for backend, number, _, status in tx.rows("informed_of", (n,))}
    for backend in backends:
        number, status = known.get(backend, ("", ""))
        action = informing.told(body.action, known=backend in known)
        if action is None or (status == TicketStatus.CANCELLED and not number):
            continue
        if backend not in known:
            tx.insert("insert_informed", (n, backend, "", "", "", rows.micros(now)))
        told = body if action == body.action else replace(body, action=action)
        _deliver(tx, n, _delivery(tx, backend, told, number, now), now, informed=True)


def _snapshot(
    tx: Transaction, incident: Incident, action: DeliveryAction, notes: tuple[Texts, ...], cause: Cause
) -> Snapshot:
    """What any backend is told; its own number of the earlier ticket comes with `_delivery`."""
    said = _said(tx, cause)
    return Snapshot(
        reference=incident.id,
        action=action,
        name=said.name,
        description=said.description,
        element=said.element,
        impact=incident.impact,
        status=lifecycle.ticket_status(incident),
        declarant=incident.declarant,
        source=said.source,
        rule=said.rule,
        rule_set=said.rule_set,
        opened_at=incident.opened_at,
        notes=notes,
        previous=incident.previous,
        language=incident.policy.language,
    )


def _said(tx: Transaction, cause: Cause) -> _Said:
    """What the decision at hand says, or the stored one."""
    made = cause.decision
    if made is not None and made.element is not None:
        return _Said(made.name, made.description, made.element, cause.source, made.rule, made.rule_set)
    row = tx.rows("decision", (cause.row,))[0]
    details = rows.read_details(row[5])
    if details.element is None:
        raise ValueError(f"decision {cause.row} has no element, yet a ticket came of it")
    rule_set = tx.rows("rule_set_hash", (row[6],))[0][0]
    return _Said(details.name, details.description, details.element, details.source, row[0], rule_set)


def _delivery(tx: Transaction, backend: str, body: Snapshot, number: str, now: datetime) -> Delivery:
    if body.previous:
        body = replace(body, previous=_previous_number(tx, body.previous, backend))
    return Delivery(
        id=tx.next("deliveries"),
        incident=body.reference,
        backend=backend,
        action=body.action,
        body=body,
        due_at=now,
        made_at=now,
        number=number,
    )


def _previous_number(tx: Transaction, previous: str, backend: str) -> str:
    """The number that this backend gave the ticket of an earlier incident; empty when it has none of it."""
    found = tx.rows("incident_by_id", (previous,))
    ticket = ticket_of(tx, found[0][0], backend) if found else None
    return ticket[0] if ticket else ""


def _deliver(tx: Transaction, n: int, delivery: Delivery, now: datetime, *, informed: bool = False) -> None:
    embedded = tx.backends.embedded.get(delivery.backend)
    if embedded is None:
        if _queue(tx, n, delivery, now):
            _taken_back(tx, n, delivery.backend, informed=informed)
        return
    receipt = embedded.deliver(tx, delivery, now)
    sent = replace(delivery, state=DeliveryState.SENT, attempts=1, number=receipt.number)
    # No body: what it told stands in the backend's own rows, written in this very transaction.
    tx.insert("insert_delivery", rows.delivery_row(sent, n, "", now, now))
    if informed:
        _informed(tx, n, sent, receipt, now)
    else:
        _ticketed(tx, n, sent, receipt, now)


def _taken_back(tx: Transaction, n: int, backend: str, *, informed: bool) -> None:
    """The `open` was not sent and never will be: there is no ticket."""
    if informed:
        tx.update("delete_informed", (n, backend))
    else:
        undeclare(tx, n)


def _queue(tx: Transaction, n: int, delivery: Delivery, now: datetime) -> bool:
    """Leave a delivery for the outbox, or fold it into what was not sent yet; returns whether that took an `open` back."""
    unsent = tx.live.unsent.of(n, delivery.backend)
    folded = folding.fold(unsent, delivery)
    for cancelled in folded.cancel:
        gone = replace(cancelled, state=DeliveryState.CANCELLED, reason="no longer true before it was sent")
        tx.update("update_delivery", rows.delivery_changes(gone, now))
    if folded.put:
        tx.update("update_delivery", rows.delivery_changes(folded.put, None))
    if folded.add:
        tx.insert("insert_delivery", rows.delivery_row(folded.add, n, rows.encode_text(folded.add.body), now, None))
    tx.live.unsent.keep(n, delivery.backend, folding.left(unsent, folded))
    return bool(folded.cancel) and any(one.action == DeliveryAction.OPEN for one in folded.cancel)


def declared_in(tx: Transaction, n: int, backend: str) -> tuple[str, str, str] | None:
    """Number, url and status of the ticket of incident `n`, if this backend is the one that declares it, and has done so."""
    for _, of, number, url, status in tx.rows("ticket", (n,)):
        if of == backend:
            return number, url, status
    return None


def ticket_of(tx: Transaction, n: int, backend: str) -> tuple[str, str, str] | None:
    """Number, url and status of the ticket of incident `n` in a backend; None while that has not taken its `open`.

    The number is empty while the backend has not told it.
    """
    return declared_in(tx, n, backend) or record_of(tx, n, backend)


def record_of(tx: Transaction, n: int, backend: str) -> tuple[str, str, str] | None:
    """The same of a backend that is only informed."""
    for of, number, url, status in tx.rows("informed_of", (n,)):
        if of == backend and status:
            return number, url, status
    return None


def is_informed(tx: Transaction, n: int, backend: str) -> bool:
    """Whether this backend is only informed of incident `n`."""
    return any(row[0] == backend for row in tx.rows("informed_of", (n,)))


def undeclare(tx: Transaction, n: int) -> None:
    """There is no ticket of incident `n`, and none is to come."""
    tx.live.undeclare(n)
    tx.update("undeclare", (n,))


def ticketed(tx: Transaction, n: int, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
    """A backend has done a delivery: keep the ticket it told, one for each incident and backend for ever.

    A number that is known stays; one that was pending is filled in.
    """
    if is_informed(tx, n, delivery.backend):
        _informed(tx, n, delivery, receipt, now)
    else:
        _ticketed(tx, n, delivery, receipt, now)


def passed_over(tx: Transaction, n: int, backend: str, now: datetime) -> None:
    """A person has dropped what an informed backend was to open: nothing more is told there of incident `n`."""
    tx.update("update_informed", ("", "", TicketStatus.CANCELLED.value, rows.micros(now), n, backend))


def _informed(tx: Transaction, n: int, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
    told = (receipt.number, receipt.url, receipt.status.value, rows.micros(now))
    tx.update("update_informed", (*told, n, delivery.backend))


def _ticketed(tx: Transaction, n: int, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
    if delivery.action == DeliveryAction.OPEN:
        tx.insert(
            "insert_ticket", (n, delivery.backend, receipt.number, receipt.url, receipt.status.value, rows.micros(now))
        )
    else:
        tx.update("update_ticket", (receipt.status.value, receipt.number, receipt.url, rows.micros(now), n))
        if delivery.number:
            return
    if receipt.number:
        tx.live.told(n, receipt.number)

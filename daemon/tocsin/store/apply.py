"""Writing down what a Change says: the incident, its notes, its deliveries; all in the caller's transaction.

A delivery for an embedded backend is done here and now, in the same transaction; any other is left for the outbox,
folded into what was not sent yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin import folding, lifecycle
from tocsin.model import Decision, Delivery, DeliveryAction, DeliveryState, Element, Snapshot, State, Texts
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
    told = tuple(note.text for note in change.notes)
    for action in change.deliveries:
        body = _snapshot(tx, incident, action, told, cause)
        _deliver(tx, incident, body, now)


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


def _snapshot(
    tx: Transaction, incident: Incident, action: DeliveryAction, notes: tuple[Texts, ...], cause: Cause
) -> Snapshot:
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
        previous=_previous_number(tx, incident.previous) if incident.previous else "",
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


def _previous_number(tx: Transaction, previous: str) -> str:
    found = tx.rows("incident_by_id", (previous,))
    ticket = tx.rows("ticket", (found[0][0],)) if found else []
    return ticket[0][2] if ticket else ""


def _deliver(tx: Transaction, incident: Incident, body: Snapshot, now: datetime) -> None:
    delivery = Delivery(
        id=tx.next("deliveries"),
        incident=incident.id,
        backend=incident.policy.backend or tx.backends.default,
        action=body.action,
        body=body,
        due_at=now,
        number=incident.number,
    )
    embedded = tx.backends.embedded.get(delivery.backend)
    if embedded is None:
        _queue(tx, incident.n, delivery, now)
        return
    receipt = embedded.deliver(tx, delivery, now)
    sent = replace(delivery, state=DeliveryState.SENT, attempts=1, number=receipt.number)
    # No body: what it told stands in the backend's own rows, written in this very transaction.
    tx.insert("insert_delivery", rows.delivery_row(sent, incident.n, "", now, now))
    ticketed(tx, incident.n, sent, receipt, now)


def _queue(tx: Transaction, n: int, delivery: Delivery, now: datetime) -> None:
    """Leave a delivery for the outbox, or fold it into what was not sent yet."""
    unsent = tx.live.unsent.of(n)
    folded = folding.fold(unsent, delivery)
    for cancelled in folded.cancel:
        gone = replace(cancelled, state=DeliveryState.CANCELLED, reason="no longer true before it was sent")
        tx.update("update_delivery", rows.delivery_changes(gone, now))
    if folded.put:
        tx.update("update_delivery", rows.delivery_changes(folded.put, None))
    if folded.add:
        tx.insert("insert_delivery", rows.delivery_row(folded.add, n, rows.encode_text(folded.add.body), now, None))
    tx.live.unsent.keep(n, folding.left(unsent, folded))


def ticketed(tx: Transaction, n: int, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
    """A backend has done a delivery: keep the ticket it told, one for each incident for ever."""
    if delivery.action == DeliveryAction.OPEN:
        tx.insert(
            "insert_ticket", (n, delivery.backend, receipt.number, receipt.url, receipt.status.value, rows.micros(now))
        )
        tx.live.told(n, receipt.number)
        return
    tx.update("update_ticket", (receipt.status.value, receipt.url, rows.micros(now), n))

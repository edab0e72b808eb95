"""What programs do to desk tickets: declare one of their own, change one, write on one.

Everything within the caller's transaction. What cannot be done is a `Conflict`, with a sentence, and then nothing is
written. Notes and files are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tocsin.desk import attachments, events, identity
from tocsin.desk.attachments import NewAttachment
from tocsin.desk.dossiers import Dossier, Identifier
from tocsin.desk.events import Kind
from tocsin.desk.tickets import DeskTicket, Standing, Why, next_number, write_note, write_status
from tocsin.model import Criticality, Element, Impact, Receipt, Texts, TicketStatus
from tocsin.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tocsin.desk.tickets import Desk
    from tocsin.store import Transaction

NO_ELEMENT = Element(reference="", name="")
"""What a ticket is on that names no element of the fleet."""
WITHDRAWN = frozenset({TicketStatus.CANCELLED.value, events.REJECTED})
"""From here there is no way back for a program: a new ticket is declared, that relates to this one."""
OVER = frozenset({TicketStatus.REPAIRED.value, TicketStatus.CLOSED.value})
"""From here a ticket can be opened again, as tocsin does when the same problem is back."""
_OPEN = frozenset({TicketStatus.DECLARED.value, TicketStatus.IN_PROGRESS.value})


class NewNote(Struct, frozen=True, kw_only=True):
    """A note to be added."""

    text: str
    actor: str
    key: str = ""
    """Its id where it was written, if it has one there."""
    at: datetime | None = None
    """When it was written; None for now."""


class Severity(Struct, frozen=True, kw_only=True):
    """A client's word for how bad it is, and the impact that it stands for."""

    word: str
    impact: Impact


class Declaration(Struct, frozen=True, kw_only=True):
    """A ticket that a client declares."""

    client: str
    """Whose ticket it is to be."""
    declarant: str
    name: str
    description: str
    severity: Severity
    kind: str
    status: str = TicketStatus.DECLARED.value
    """In our words."""
    reason: str = ""
    """Why it begins with that status."""
    element: Element = NO_ELEMENT
    identifiers: tuple[Identifier, ...] = ()
    notes: tuple[NewNote, ...] = ()
    attachments: tuple[NewAttachment, ...] = ()
    more: Mapping[str, Any] = {}
    """Attributes that are only kept."""


class Amendment(Struct, frozen=True, kw_only=True):
    """What a client changes of a ticket; what it leaves out stays as it is."""

    client: str
    actor: str
    """Who changes it, unless a note says who wrote it."""
    name: str | None = None
    description: str | None = None
    severity: Severity | None = None
    kind: str | None = None
    status: str | None = None
    """In our words, or `rejected`."""
    reason: str = ""
    element: Element | UnsetType = UNSET
    identifiers: tuple[Identifier, ...] | None = None
    notes: tuple[NewNote, ...] = ()
    attachments: tuple[NewAttachment, ...] = ()
    more: Mapping[str, Any] = {}
    """Attributes that are only kept: None takes one away."""


class Conflict(Struct, frozen=True, kw_only=True):
    """Why it cannot be done; `number` is the ticket that stands in the way, if it is another one."""

    text: str
    number: str = ""
    too_large: bool = False


class Declared(Struct, frozen=True, kw_only=True):
    """The ticket that came of it."""

    id: int
    number: str


class Amended(Struct, frozen=True, kw_only=True):
    """What came of a change."""

    receipt: Receipt
    changed: tuple[str, ...]
    """What is another now, in the words of TMF621; empty when all was so before."""
    actor: str
    status: TicketStatus | None = None
    """The new status, when that was changed."""


def declare(desk: Desk, tx: Transaction, wanted: Declaration, now: datetime) -> Declared | Conflict:
    """Declare a client's ticket. A conflict when one of its identifiers is that of a ticket already, whatever became of it."""
    taken = identity.taken(tx, wanted.identifiers, 0)
    if taken:
        return Conflict(text=f"ticket {taken.number} is known as {taken.value!r} already", number=taken.number)
    too_much = attachments.too_much(wanted.attachments, ())
    if too_much:
        return Conflict(text=too_much, too_large=True)
    number, row = next_number(tx.memory.desk, now), tx.next("desk_tickets")
    tx.insert("insert_desk_ticket", _row(desk, wanted, (row, number), now))
    details = (wanted.client, wanted.severity.word, wanted.severity.impact.value, wanted.kind)
    tx.insert("put_desk_details", (row, *details, rows.encode_text(wanted.more)))
    identity.write(tx, row, wanted.identifiers)
    attachments.write(tx, row, wanted.attachments, now)
    _write_notes(tx, row, wanted.notes, now)
    if wanted.status != TicketStatus.DECLARED:
        write_status(tx, row, wanted.status, Why(actor=wanted.declarant, reason=both(wanted.reason)), now)
    desk.journal.write(tx, row, iter((Kind.CREATED,)), wanted.status, (), now)
    return Declared(id=row, number=number)


def amend(
    desk: Desk, tx: Transaction, at: tuple[DeskTicket, Dossier], wanted: Amendment, now: datetime
) -> Amended | Conflict:
    """Change a ticket, which is given as it stands, and write on it. A conflict leaves everything as it was."""
    ticket, dossier = at
    conflict = _conflict(tx, dossier, wanted)
    if conflict:
        return conflict
    fresh = attachments.news(wanted.attachments, dossier.attachments)
    too_much = attachments.too_much(fresh, dossier.attachments)
    if too_much:
        return Conflict(text=too_much, too_large=True)
    notes = _news(wanted, dossier)
    actor = notes[-1].actor if notes else wanted.actor
    changed = list(dict.fromkeys(_columns(tx, dossier, wanted)))
    changed += [name for name, any_new in (("note", notes), ("attachment", fresh)) if any_new]
    attachments.write(tx, dossier.id, fresh, now)
    _write_notes(tx, dossier.id, notes, now)
    standing = _standing(desk, dossier, wanted)
    if dossier.client != wanted.client:  # whoever works on a ticket that is not its own takes it up
        standing = replace(standing, assignee=actor)
    turned = events.word(standing.status, rejected=standing.rejected) != dossier.word
    if changed or turned:
        why = Why(actor=actor, reason=both(wanted.reason), fields=tuple(changed))
        desk.change(tx, ticket, standing, why, now)
    receipt = Receipt(number=dossier.number, status=standing.status)
    fields = (*changed, *(["status"] if turned else []))
    return Amended(receipt=receipt, changed=fields, actor=actor, status=standing.status if turned else None)


def leads_nowhere(before: str, after: str) -> str:
    """Why a ticket's status cannot become another one; empty when it can. Both in our words, or `rejected`."""
    if before == after:
        return ""
    if before in WITHDRAWN:
        return f"is {before}: declare a new one, and relate it to this one"
    if before == TicketStatus.CLOSED and after not in _OPEN:
        return f"is closed: it can be opened again, and then be {after}"
    if after == TicketStatus.DECLARED and before not in OVER:
        return "is being worked on: it can no longer be only declared"
    if after == events.REJECTED and before != TicketStatus.DECLARED:
        return "was taken up: it can no longer be rejected, only cancelled"
    return ""


def both(text: str) -> Texts:
    """A text that somebody wrote once: the same in every language."""
    return {"en": text, "fr": text} if text else {}


def _row(desk: Desk, wanted: Declaration, place: tuple[int, str], now: datetime) -> tuple[Any, ...]:
    element, impact, at = wanted.element, wanted.severity.impact, rows.micros(now)
    return (
        *place,
        wanted.identifiers[0].value if wanted.identifiers else "",
        rows.encode_text(both(wanted.name)),
        rows.encode_text(both(wanted.description)),
        *_element(element),
        impact.value,
        desk.priority(impact, element.criticality).value,
        wanted.status,
        wanted.declarant,
        "",
        "",
        at,
        at,
        None,
        0,
    )


def _element(element: Element) -> tuple[str, ...]:
    return (
        element.reference,
        element.name,
        element.offer,
        element.contract,
        element.site,
        element.criticality.value,
    )


def _conflict(tx: Transaction, dossier: Dossier, wanted: Amendment) -> Conflict | None:
    """What forbids the change."""
    stays = leads_nowhere(dossier.word, wanted.status or dossier.word)
    if stays:
        return Conflict(text=f"ticket {dossier.number} {stays}")
    if dossier.client == "":
        return _ours(dossier, wanted)
    taken = identity.taken(tx, wanted.identifiers or (), dossier.id)
    if taken:
        return Conflict(text=f"ticket {taken.number} is known as {taken.value!r} already", number=taken.number)
    return None


def _ours(dossier: Dossier, wanted: Amendment) -> Conflict | None:
    """What tocsin finds its own tickets again by is not for others to change."""
    if wanted.identifiers is not None and [one.value for one in wanted.identifiers] != [dossier.reference]:
        return Conflict(text=f"tocsin declared ticket {dossier.number}: its reference stays {dossier.reference}")
    if wanted.element is not UNSET and wanted.element.reference != dossier.element:
        return Conflict(text=f"tocsin declared ticket {dossier.number} on {dossier.element}: that stays so")
    return None


def _standing(desk: Desk, dossier: Dossier, wanted: Amendment) -> Standing:
    impact = wanted.severity.impact if wanted.severity else dossier.impact
    criticality: Criticality = dossier.criticality if wanted.element is UNSET else wanted.element.criticality
    moved = impact != dossier.impact or criticality != dossier.criticality
    word = wanted.status or dossier.word
    rejected = word == events.REJECTED
    return Standing(
        status=TicketStatus.CANCELLED if rejected else TicketStatus(word),
        rejected=rejected,
        impact=impact,
        priority=desk.priority(impact, criticality) if moved else dossier.priority,
        assignee=dossier.assignee,
    )


def _columns(tx: Transaction, dossier: Dossier, wanted: Amendment) -> Iterable[str]:
    """Write what is kept in columns, and name what is another now."""
    changed = [
        *(["name"] if wanted.name is not None and both(wanted.name) != dossier.name else []),
        *(
            ["description"]
            if wanted.description is not None and both(wanted.description) != dossier.description
            else []
        ),
        *_identifiers(tx, dossier, wanted),
        *_moved(tx, dossier, wanted),
        *_details(tx, dossier, wanted),
    ]
    if {"name", "description", "externalIdentifier"} & set(changed):
        name = dossier.name if wanted.name is None else both(wanted.name)
        description = dossier.description if wanted.description is None else both(wanted.description)
        reference = dossier.reference
        if dossier.client and wanted.identifiers is not None:
            reference = wanted.identifiers[0].value if wanted.identifiers else ""
        texts = (rows.encode_text(name), rows.encode_text(description))
        tx.update("update_desk_texts", (*texts, reference, dossier.id))
    return changed


def _identifiers(tx: Transaction, dossier: Dossier, wanted: Amendment) -> list[str]:
    if not dossier.client or wanted.identifiers is None or wanted.identifiers == dossier.identifiers:
        return []
    tx.update("delete_desk_identifiers", (dossier.id,))
    identity.write(tx, dossier.id, wanted.identifiers)
    return ["externalIdentifier"]


def _moved(tx: Transaction, dossier: Dossier, wanted: Amendment) -> list[str]:
    if wanted.element is UNSET or wanted.element.reference == dossier.element:
        return []
    tx.update("update_desk_element", (*_element(wanted.element), dossier.id))
    return ["relatedEntity"]


def _details(tx: Transaction, dossier: Dossier, wanted: Amendment) -> list[str]:
    more = {**dossier.more, **wanted.more}
    more = {name: value for name, value in more.items() if value is not None}
    changed = [name for name in wanted.more if more.get(name) != dossier.more.get(name)]
    severity = wanted.severity or Severity(word=dossier.severity, impact=dossier.impact)
    kind = dossier.kind if wanted.kind is None else wanted.kind
    changed += ["ticketType"] if kind != dossier.kind else []
    reworded = wanted.severity is not None and wanted.severity.word != dossier.severity
    changed += ["severity"] if reworded or severity.impact != dossier.impact else []
    if changed:
        said = (severity.word, severity.impact.value, kind, rows.encode_text(more))
        tx.insert("put_desk_details", (dossier.id, dossier.client, *said))
    return [name for name in changed if not name.startswith("@")]


def _news(wanted: Amendment, dossier: Dossier) -> list[NewNote]:
    """The notes that the ticket does not have yet, and the reason of a change as one, in order."""
    known = {note.shown for note in dossier.notes}
    said = {(note.actor, note.at, text) for note in dossier.notes for text in note.text.values()}
    fresh: list[NewNote] = []
    for note in wanted.notes:
        again = note.key in known if note.key else (note.actor, note.at, note.text) in said
        if not again:
            fresh.append(note)
            known.add(note.key)
    noted = any(wanted.reason in note.text for note in wanted.notes)
    if wanted.reason and not noted and not _given(wanted, dossier):
        fresh.append(NewNote(text=wanted.reason, actor=wanted.actor))
    return fresh


def _given(wanted: Amendment, dossier: Dossier) -> bool:
    """Whether this very reason was given for this very status: then the request came twice."""
    last = dossier.history[-1]
    return (wanted.status or dossier.word) == last.status and wanted.reason in last.reason.values()


def _write_notes(tx: Transaction, ticket: int, notes: Sequence[NewNote], now: datetime) -> None:
    for note in notes:
        at = min(note.at, now) if note.at else now
        write_note(tx, ticket, (note.actor, both(note.text)), at, note.key)

"""A desk ticket with all that belongs to it: notes, history, files, what clients said and what others call it.

Reads only, from a transaction or from a connection that cannot write: whatever has `rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.desk import events
from tocsin.model import Criticality, Impact, Priority, Texts, TicketStatus
from tocsin.store import rows as stored

Rows = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Runs a named select: `Transaction.rows`, `Reader.rows`."""

_texts = msgspec.json.Decoder(Texts)
_object = msgspec.json.Decoder(dict[str, Any])


class Note(Struct, frozen=True, kw_only=True):
    """One note of a ticket."""

    id: int
    key: str
    """Its id where it was written; empty for one that has none."""
    at: datetime
    actor: str
    text: Texts

    @property
    def shown(self) -> str:
        """Its id to others: the one it came with, or ours."""
        return self.key or f"n{self.id}"


class Turn(Struct, frozen=True, kw_only=True):
    """One change of a ticket's status."""

    at: datetime
    status: str
    """In our words, or `rejected`."""
    actor: str
    reason: Texts = {}


class Identifier(Struct, frozen=True, kw_only=True):
    """What another system calls a ticket."""

    value: str
    owner: str = ""
    """That system, where it is told."""
    said: dict[str, Any] = {}
    """All that was said of it."""


class Attachment(Struct, frozen=True, kw_only=True):
    """One file of a ticket, or where one is."""

    id: int
    key: str
    """Its id where it came from; empty for one that has none."""
    about: dict[str, Any]
    """All that was said of it, without its content."""
    size: int = 0
    content: bytes | None = None
    """None when it was not asked for, or is elsewhere."""
    elsewhere: bool = False

    @property
    def shown(self) -> str:
        """Its id to others: the one it came with, or ours."""
        return self.key or f"f{self.id}"


class Dossier(Struct, frozen=True, kw_only=True):
    """A desk ticket and all that belongs to it, each list in order of time."""

    id: int
    number: str
    reference: str
    name: Texts
    description: Texts
    element: str
    element_name: str
    offer: str
    contract: str
    site: str
    criticality: Criticality
    impact: Impact
    priority: Priority
    status: TicketStatus
    rejected: bool
    declarant: str
    assignee: str
    previous: str
    declared_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    client: str
    """Whose ticket it is; empty for one that tocsin declared."""
    severity: str
    """The client's word for its severity; empty when its impact is another one by now, or nobody said one."""
    kind: str
    """What kind of ticket it is, in the client's words; empty when nobody said."""
    more: dict[str, Any]
    """Attributes that the desk only keeps."""
    identifiers: tuple[Identifier, ...] = ()
    notes: tuple[Note, ...] = ()
    history: tuple[Turn, ...] = ()
    """From when it was declared on."""
    attachments: tuple[Attachment, ...] = ()

    @property
    def word(self) -> str:
        """Its status in one word: ours, or `rejected`."""
        return events.word(self.status, rejected=self.rejected)


def by_number(rows: Rows, number: str, *, contents: bool = False) -> Dossier | None:
    """The ticket of this number; with `contents` the files themselves, too."""
    ids = [found[0] for found in rows("desk_ids_by_number", (stored.encode_text([number]),))]
    return next(iter(read(rows, ids, contents=contents)), None)


def read(rows: Rows, ids: Sequence[int], *, contents: bool = False) -> list[Dossier]:
    """The tickets of these rows, in their order; those that are not there are left out."""
    asked = (stored.encode_text(ids),)
    found = {row[0]: row for row in rows("desk_dossiers", asked)}
    notes = _grouped(rows("desk_notes_of", asked))
    turns = _grouped(rows("desk_statuses_of", asked))
    identifiers = _grouped(rows("desk_identifiers_of", asked))
    attachments = _grouped(rows("desk_attachments_of", (int(contents), *asked)))
    return [
        _dossier(
            found[number],
            identifiers=tuple(_identifier(row) for row in identifiers.get(number, ())),
            notes=tuple(_note(row) for row in notes.get(number, ())),
            history=_history(found[number], turns.get(number, [])),
            attachments=tuple(_attachment(row) for row in attachments.get(number, ())),
        )
        for number in ids
        if number in found
    ]


def _grouped(found: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    groups: dict[int, list[tuple[Any, ...]]] = {}
    for ticket, *row in found:
        groups.setdefault(ticket, []).append(tuple(row))
    return groups


def _dossier(row: tuple[Any, ...], **parts: Any) -> Dossier:
    client, severity, said_of, kind, more = row[21:]
    return Dossier(
        id=row[0],
        number=row[1],
        reference=row[2],
        name=_texts.decode(row[3]),
        description=_texts.decode(row[4]),
        element=row[5],
        element_name=row[6],
        offer=row[7],
        contract=row[8],
        site=row[9],
        criticality=Criticality(row[10]),
        impact=Impact(row[11]),
        priority=Priority(row[12]),
        status=TicketStatus(row[13]),
        declarant=row[14],
        assignee=row[15],
        previous=row[16],
        declared_at=stored.moment(row[17]),
        updated_at=stored.moment(row[18]),
        closed_at=stored.moment_or_none(row[19]),
        rejected=bool(row[20]),
        client=client or "",
        severity=severity if severity and said_of == row[11] else "",
        kind=kind or "",
        more=_object.decode(more) if more else {},
        **parts,
    )


def _history(row: tuple[Any, ...], turns: list[tuple[Any, ...]]) -> tuple[Turn, ...]:
    """A ticket begins as declared, which is nowhere written; and changes made before there was a history are not in it."""
    declarant, declared_at, updated_at, closed_at = row[14], row[17], row[18], row[19]
    first = Turn(at=stored.moment(declared_at), status=TicketStatus.DECLARED.value, actor=declarant)
    history = (first, *(_turn(turn) for turn in turns))
    now = events.word(TicketStatus(row[13]), rejected=bool(row[20]))
    if history[-1].status != now:
        history += (Turn(at=stored.moment(closed_at or updated_at), status=now, actor=""),)
    return history


def _note(row: tuple[Any, ...]) -> Note:
    number, key, at, actor, text = row
    return Note(id=number, key=key, at=stored.moment(at), actor=actor, text=_texts.decode(text))


def _turn(row: tuple[Any, ...]) -> Turn:
    at, status, actor, reason = row
    return Turn(at=stored.moment(at), status=status, actor=actor, reason=_texts.decode(reason))


def _identifier(row: tuple[Any, ...]) -> Identifier:
    value, owner, said = row
    return Identifier(value=value, owner=owner, said=_object.decode(said))


def _attachment(row: tuple[Any, ...]) -> Attachment:
    number, key, about, size, content, elsewhere = row
    return Attachment(
        id=number,
        key=key,
        about=_object.decode(about),
        size=size,
        content=content,
        elsewhere=bool(elsewhere),
    )

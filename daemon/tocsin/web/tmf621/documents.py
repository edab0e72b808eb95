"""From a desk ticket to the standard's document of it, in either version and one of our languages. Pure.

Notes and files have the ids they came with, or ours. A ticket's own texts are shown in the language asked for; one that
a client wrote is the same in all.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.model import LANGUAGES, TicketStatus
from tocsin.web.tmf621 import relations
from tocsin.web.tmf621.terms import BASE, INCIDENT, STATUSES, Terms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tocsin.desk.dossiers import Attachment, Dossier, Note, Turn
    from tocsin.model import Texts

Document = dict[str, Any]

_OVER = (TicketStatus.REPAIRED.value, TicketStatus.CLOSED.value)
_OF_VERSION = {
    4: {"history": "statusChange", "at": "changeDate", "why": "changeReason"},
    5: {"history": "statusChangeHistory", "at": "statusChangeDate", "why": "statusChangeReason"},
}
ALWAYS = ("id", "href", "@type")
"""What is told whatever fields were asked for."""


class View(Struct, frozen=True, kw_only=True):
    """How a ticket is to be shown."""

    version: int
    """4 or 5."""
    language: str = LANGUAGES[0]
    terms: Terms
    contents: bool = False
    """With the files themselves, where they were read."""

    @property
    def typed(self) -> bool:
        """Whether every object has its `@type`."""
        return self.version > 4  # noqa: PLR2004 - the version of the standard

    def link(self, path: str) -> str:
        """A link to something in the same version: `/troubleTicket/2611N00001`."""
        return f"{self.terms.root}{BASE}/v{self.version}{path}"

    def of_type(self, name: str, told: Document) -> Document:
        """With its type, in a version where every object has one."""
        return {"@type": name, **told} if self.typed else told


def document(dossier: Dossier, view: View) -> Document:
    """The ticket as the standard has it. What it does not have is left out."""
    told = {
        "id": dossier.number,
        "href": view.link(f"/troubleTicket/{dossier.number}"),
        "name": text(dossier.name, view.language),
        "description": text(dossier.description, view.language),
        "severity": dossier.severity or view.terms.severity[dossier.impact],
        "ticketType": dossier.kind or INCIDENT,
        "priority": dossier.priority.value,
        **_identifiers(dossier, view),
        "status": STATUSES[dossier.word],
        **_history(dossier, view),
        "creationDate": instant(dossier.declared_at),
        "lastUpdate": instant(dossier.updated_at),
        **_kept(dossier, view),
        "note": [_note(note, view) for note in dossier.notes],
        "attachment": [_attachment(one, view) for one in dossier.attachments],
    }
    told = {name: value for name, value in told.items() if value not in (None, "", [])}
    return view.of_type("TroubleTicket", told)


def chosen(told: Document, fields: Iterable[str]) -> Document:
    """Only those attributes that were asked for, and what names the ticket."""
    wanted = {*fields, *ALWAYS}
    return {name: value for name, value in told.items() if name in wanted}


def instant(at: datetime) -> str:
    """A time as the standard writes it, to the microsecond, so that it can be given back as a filter."""
    return at.isoformat().replace("+00:00", "Z")


def text(texts: Texts, language: str) -> str:
    """A text in a language, or in the first that there is."""
    return texts.get(language) or next((texts[one] for one in LANGUAGES if texts.get(one)), "")


def _identifiers(dossier: Dossier, view: View) -> Document:
    if not view.typed:
        return {"externalId": dossier.identifiers[0].value if dossier.identifiers else dossier.reference}
    if not dossier.client:
        ours = {"id": dossier.reference, "owner": "tocsin", "externalIdentifierType": INCIDENT}
        return {"externalIdentifier": [{"@type": "ExternalIdentifier", **ours}]}
    return {"externalIdentifier": [{"@type": "ExternalIdentifier", **one.said} for one in dossier.identifiers]}


def _history(dossier: Dossier, view: View) -> Document:
    names = _OF_VERSION[view.version]
    last = dossier.history[-1]
    resolved = next((turn.at for turn in reversed(dossier.history) if turn.status == _OVER[0]), last.at)
    return {
        "statusChangeDate": instant(last.at),
        "statusChangeReason": text(last.reason, view.language),
        names["history"]: [_turn(turn, view) for turn in dossier.history],
        "resolutionDate": instant(resolved) if dossier.word in _OVER else None,
    }


def _turn(turn: Turn, view: View) -> Document:
    names = _OF_VERSION[view.version]
    told = {names["at"]: instant(turn.at), "status": STATUSES[turn.status]}
    reason = text(turn.reason, view.language)
    return view.of_type("StatusChange", {**told, names["why"]: reason} if reason else told)


def _kept(dossier: Dossier, view: View) -> Document:
    """Attributes that were sent and are only kept; a ticket of ours says its element and what it follows."""
    more = dossier.more
    if dossier.element and "relatedEntity" not in more:
        more = {**more, "relatedEntity": [_element(dossier)]}
    if dossier.previous and "troubleTicketRelationship" not in more:
        href = view.link(f"/troubleTicket/{dossier.previous}")
        follows = {"id": dossier.previous, "href": href, "relationshipType": "follows"}
        more = {**more, "troubleTicketRelationship": [follows]}
    return {name: relations.shown(name, value, view.version) for name, value in more.items()}


def _element(dossier: Dossier) -> Document:
    entity = {"id": dossier.element, "name": dossier.element_name, "@referredType": "Service"}
    return {"role": "affectedService", "entity": entity}


def _note(note: Note, view: View) -> Document:
    told = {
        "id": note.shown,
        "author": note.actor,
        "date": instant(note.at),
        "text": text(note.text, view.language),
    }
    return view.of_type("Note", told)


def _attachment(one: Attachment, view: View) -> Document:
    told = {**one.about, "id": one.shown}
    if not one.elsewhere:
        told = {"mimeType": "application/octet-stream", "attachmentType": "file", **told}
        told["size"] = {"amount": one.size, "units": "byte"}
    if one.content is not None and view.contents:
        told["content"] = b64encode(one.content).decode()
    return {**told, "@type": "AttachmentRef" if one.elsewhere else "Attachment"} if view.typed else told

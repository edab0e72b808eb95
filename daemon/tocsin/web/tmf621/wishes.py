"""From the standard's documents to what a client wants of the desk: a ticket declared, a ticket changed. Pure.

A document is checked by the types of its version, then read. What is not known there, or makes no sense, is refused
with its place; what is the desk's to say (priority, dates, history) is not looked at.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64Error
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tocsin.desk.attachments import NewAttachment
from tocsin.desk.clients import NO_ELEMENT, OVER, WITHDRAWN, Amendment, Declaration, NewNote, Severity
from tocsin.desk.dossiers import Identifier
from tocsin.model import Element
from tocsin.web.tmf621 import relations
from tocsin.web.tmf621.answers import Code, Refused, wrong
from tocsin.web.tmf621.terms import OURS, Terms

if TYPE_CHECKING:
    from tocsin.desk.dossiers import Dossier

Sent = dict[str, Any]

_KEPT = (
    "channel",
    "relatedEntity",
    "relatedParty",
    "troubleTicketRelationship",
    "troubleTicketSpecification",
    "troubleTicketCharacteristic",
    "requestedResolutionDate",
    "expectedResolutionDate",
    "@baseType",
    "@schemaLocation",
    "@type",
)
"""Attributes that the desk only keeps."""
_MOST = 100
_LARGEST = 256 * 1024
_TITLE = 120
_DECLARANTS = frozenset({"originator", "reporter", "requester", "requestor", "submitter", "declarant", "author"})
"""Roles of a related party that declares a ticket."""
_PLAIN = "TroubleTicket"


class Known(Struct, frozen=True, kw_only=True):
    """What reading a document needs beside it."""

    version: int
    """4 or 5."""
    create: type[Struct]
    update: type[Struct]
    terms: Terms
    element: Callable[[str], Element | None]
    """The element of the fleet with this reference."""


def declaration(sent: Any, known: Known) -> Declaration:
    """A new ticket. Raises Refused (400, 413)."""
    asked: Any = _checked(sent, known.create)
    more = _more(sent, known)
    status = OURS[asked.status] if asked.status is not UNSET else "declared"
    if status in OVER | WITHDRAWN:
        raise wrong(f"status: a new ticket cannot be {asked.status}")
    declarant = _party(more) or known.terms.client
    return Declaration(
        client=known.terms.client,
        declarant=declarant,
        name=_given(asked.name) or _title(asked.description),
        description=asked.description,
        severity=_severity(asked.severity, known.terms),
        kind=asked.ticket_type,
        status=status,
        reason=_given(asked.status_change_reason),
        element=_element(sent.get("relatedEntity"), more, known),
        identifiers=_identifiers(sent, asked) or (),
        notes=_notes(asked, declarant),
        attachments=_attachments(sent),
        more={name: value for name, value in more.items() if value is not None},
    )


def amendment(sent: Any, known: Known, number: str) -> Amendment:
    """What is to be changed of the ticket of this number, from a merge patch (RFC 7396). Raises Refused (400, 413).

    Notes and files are lists that a merge patch would replace. Here they only grow: those whose id is known are kept as
    they are, whether they are sent or not; the others are added.
    """
    asked: Any = _checked(sent, known.update)
    if _given(getattr(asked, "id", UNSET)) not in ("", number):
        raise wrong(f"id: the ticket is {number}, which cannot be changed")
    more = _more(sent, known)
    actor = _party(more) or known.terms.client
    severity = asked.severity
    return Amendment(
        client=known.terms.client,
        actor=actor,
        name=asked.name if asked.name is not UNSET else None,
        description=asked.description if asked.description is not UNSET else None,
        severity=_severity(severity, known.terms) if severity is not UNSET else None,
        kind=asked.ticket_type if asked.ticket_type is not UNSET else None,
        status=OURS[asked.status] if asked.status is not UNSET else None,
        reason=_given(asked.status_change_reason),
        element=_element(sent["relatedEntity"], more, known) if "relatedEntity" in sent else UNSET,
        identifiers=_identifiers(sent, asked),
        notes=_notes(asked, actor),
        attachments=_attachments(sent),
        more=more,
    )


def news(wanted: Amendment, sent: Sent, shown: Sent, dossier: Dossier) -> Amendment:
    """Only what is another than the ticket shows: a client may send back all that it read, and change one thing of it.

    Version 4 knows one identifier of several: to change it leaves the others as they are.
    """
    same = {name for name in sent if name in shown and sent[name] == shown[name]}
    identifiers = None if {"externalId", "externalIdentifier"} & same else wanted.identifiers
    if identifiers and "externalId" in sent:
        identifiers = (*identifiers, *dossier.identifiers[1:])
    return replace(
        wanted,
        name=None if wanted.name in dossier.name.values() else wanted.name,
        description=None if wanted.description in dossier.description.values() else wanted.description,
        severity=None if "severity" in same else wanted.severity,
        kind=None if "ticketType" in same else wanted.kind,
        element=UNSET if "relatedEntity" in same else wanted.element,
        identifiers=identifiers,
        more={name: value for name, value in wanted.more.items() if name not in same},
    )


def _checked(sent: Any, kind: type[Struct]) -> Struct:
    """The document as its type has it. Raises Refused."""
    try:
        return msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        raise wrong(str(error)) from None


def _given(value: str | UnsetType) -> str:
    return "" if value is UNSET else value


def _title(description: str) -> str:
    """What a ticket is called that has no name: the first line of its description, or its beginning."""
    line = next((line.strip() for line in description.splitlines() if line.strip()), description)
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rstrip()}…"


def _severity(word: str, terms: Terms) -> Severity:
    impact = terms.impact(word)
    if impact is None:
        raise wrong(f"severity: {word[:50]!r} is none of {', '.join(terms.severities())}")
    return Severity(word=word, impact=impact)


def _more(sent: Sent, known: Known) -> Sent:
    """The attributes that are only kept, None for those that are taken away."""
    more = {name: relations.kept(name, sent[name], known.version) for name in _KEPT if name in sent}
    if more.get("@type") == _PLAIN:
        del more["@type"]
    if len(msgspec.json.encode(more)) > _LARGEST:
        raise Refused(413, Code.TOO_LARGE, f"the attributes that are only kept have more than {_LARGEST} bytes")
    return more


def _party(more: Sent) -> str:
    """Who speaks, as far as the related parties say."""
    for role, party in relations.things("relatedParty", more.get("relatedParty")):
        name = party.get("name") or party.get("id")
        if role.casefold() in _DECLARANTS and isinstance(name, str):
            return name[:255]
    return ""


def _element(sent: Any, more: Sent, known: Known) -> Element:
    """The element that a ticket is on: the affected service, else the first related entity that the fleet knows."""
    related = relations.things("relatedEntity", more.get("relatedEntity"))
    ordered = sorted(related, key=lambda one: one[0].casefold() != "affectedservice")
    for role, thing in ordered:
        element = known.element(str(thing.get("id", "")))
        if element and known.terms.shows(element.contract, ""):
            return element
        if role.casefold() == "affectedservice":
            break
    if sent:
        names = ", ".join(str(thing.get("id", ""))[:80] for _, thing in ordered[:10])
        raise wrong(f"relatedEntity: none of the fleet's elements has the reference {names}", Code.UNKNOWN_ELEMENT)
    if known.terms.contracts:
        text = f"relatedEntity: name an element under contract {' or '.join(known.terms.contracts)}"
        raise wrong(text, Code.UNKNOWN_ELEMENT)
    return NO_ELEMENT


def _identifiers(sent: Sent, asked: Any) -> tuple[Identifier, ...] | None:
    """What the client calls the ticket; None when it does not say."""
    if "externalId" in sent:
        return (Identifier(value=asked.external_id, said={"id": asked.external_id}),)
    if "externalIdentifier" not in sent:
        return None
    if len(asked.external_identifier) > _MOST:
        raise wrong(f"externalIdentifier: there are more than {_MOST}")
    pairs = zip(asked.external_identifier, sent["externalIdentifier"], strict=True)
    return tuple(
        Identifier(value=one.id, owner=_given(one.owner), said={name: said[name] for name in said if name != "@type"})
        for one, said in pairs
    )


def _notes(asked: Any, actor: str) -> tuple[NewNote, ...]:
    if asked.note is UNSET:
        return ()
    if len(asked.note) > _MOST:
        raise wrong(f"note: there are more than {_MOST}; send those that are new")
    wanted = []
    for position, note in enumerate(asked.note):
        if note.text is UNSET and note.id is UNSET:
            raise wrong(f"note[{position}]: it has no text")
        if note.text is not UNSET:
            at = None if note.date is UNSET else note.date
            said_by = _given(note.author) or actor
            wanted.append(NewNote(text=note.text, actor=said_by, key=_given(note.id), at=at))
    return tuple(wanted)


def _attachments(sent: Sent) -> tuple[NewAttachment, ...]:
    given: list[Mapping[str, Any]] = sent.get("attachment") or []
    if len(given) > _MOST:
        raise wrong(f"attachment: there are more than {_MOST}")
    return tuple(_attachment(position, one) for position, one in enumerate(given))


def _attachment(position: int, one: Mapping[str, Any]) -> NewAttachment:
    about = {name: value for name, value in one.items() if name not in ("id", "content", "size")}
    key = str(one.get("id", ""))
    if "content" in one:
        try:
            content = b64decode(one["content"], validate=True)
        except (NotBase64Error, ValueError):
            raise wrong(f"attachment[{position}].content: it is not base64") from None
        return NewAttachment(about=about, key=key, content=content)
    if "size" in one:
        about["size"] = one["size"]
    if not (one.get("url") or one.get("href") or key):
        raise wrong(f"attachment[{position}]: it has neither content nor an address (url, href)")
    return NewAttachment(about=about, key=key)

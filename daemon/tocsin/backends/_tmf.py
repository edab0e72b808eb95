"""TMF621's wire forms, versions 4 and 5: what is sent, and what the standard's answers and events say. Pure.

Sources: TM Forum's published `TMF621_Trouble_Ticket_Management_API_v4.0.0` (Swagger 2.0) and
`TMF621-Trouble_Ticket-v5.0.1` (OpenAPI 3), and TMF630 (how collections are filtered and paged).
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.backends._document import reach, word
from tocsin.backends._http import Answer, AnswerError, Request, refusal
from tocsin.backends._shape import at, each
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import TicketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tocsin.backends._api import File
    from tocsin.model import Element, Payload

STATUSES = {
    TicketStatus.DECLARED: "acknowledged",
    TicketStatus.IN_PROGRESS: "inProgress",
    TicketStatus.WAITING: "pending",
    TicketStatus.FROZEN: "held",
    TicketStatus.REPAIRED: "resolved",
    TicketStatus.CLOSED: "closed",
    TicketStatus.CANCELLED: "cancelled",
}
REJECTED = "rejected"
STANDARD = frozenset({*STATUSES.values(), REJECTED})
"""All that TroubleTicketStatusType may be, in both versions."""
RESERVED = frozenset(
    {"id", "href", "name", "description", "severity", "status", "externalId", "externalIdentifier", "note"}
)
"""Attributes of a new ticket that tocsin writes itself, or the server."""
_AUTHOR = "tocsin"
_IDENTIFIER = "reference"
"""What kind of identifier ours is, in version 5."""
_EVENT = "TroubleTicket"


@dataclass(frozen=True, slots=True)
class Form:
    """How things are written in one version of the standard, for one server."""

    version: str
    owner: str
    role: str
    referred: str

    def fields(self, *more: str) -> str:
        """The attributes worth asking for: without texts and files, which could make an answer too long to read."""
        ours = "externalId" if self.version == "v4" else "externalIdentifier"
        usual = ("id", "href", "status", "severity", "priority", "creationDate", "lastUpdate", "relatedParty", ours)
        return ",".join((*usual, *more))

    def typed(self, kind: str, /, **attributes: Any) -> dict[str, Any]:
        """An object, with the `@type` that version 5 wants of every one."""
        return attributes if self.version == "v4" else {"@type": kind, **attributes}

    def identity(self, reference: str) -> dict[str, Any]:
        """The attribute that holds our reference."""
        if self.version == "v4":
            return {"externalId": reference}
        ours = {"owner": self.owner, "externalIdentifierType": _IDENTIFIER, "id": reference}
        return {"externalIdentifier": [self.typed("ExternalIdentifier", **ours)]}

    def related(self, element: Element) -> list[dict[str, Any]]:
        """The element as a related entity; none when the server is not to be told of it."""
        if not self.role:
            return []
        named = {"name": element.name} if element.name else {}
        about = {"id": element.reference, **named, "@referredType": self.referred}
        if self.version == "v4":
            return [{**about, "role": self.role}]
        return [self.typed("RelatedEntity", role=self.role, entity=self.typed("EntityRef", **about))]

    def note(self, text: str, now: datetime) -> dict[str, Any]:
        """A note of ours."""
        return self.typed("Note", author=_AUTHOR, date=stamp(now), text=text)

    def attachment(self, file: File) -> dict[str, Any]:
        """A file, by value."""
        content = base64.b64encode(file.content).decode()
        about = {"name": file.name, "attachmentType": "text", "mimeType": file.media_type, "content": content}
        return self.typed("Attachment", **about)

    def listener(self, callback: str) -> dict[str, Any]:
        """A subscription to all events."""
        return self.typed("Hub", callback=callback)

    def reference(self, ticket: Mapping[str, Any]) -> str:
        """Our reference as the ticket carries it: the identifier of our owner, else one that names no owner."""
        if self.version == "v4" and (single := at(ticket, "externalId")):
            return single
        identifiers = each(ticket, "externalIdentifier")
        for owner in (self.owner, ""):
            for one in identifiers:
                if at(one, "owner") == owner and at(one, "id"):
                    return at(one, "id")
        return at(ticket, "externalId")


def stamp(moment: datetime) -> str:
    """A moment as the standard writes it, to the second: servers differ in what they keep of the rest."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def assignee(ticket: Mapping[str, Any]) -> str:
    """Who works on the ticket: the related party whose role says so."""
    for party in each(ticket, "relatedParty"):
        if at(party, "role").casefold().replace("_", "") in ("assignee", "assignedto"):
            return at(party, "name") or at(party, "partyOrPartyRole.name") or at(party, "id")
    return ""


def reason(note: str, reference: str) -> str:
    """Why a status changes: the first line of the note that tells it."""
    first = note.partition("\n")[0].strip()
    return first[:255] if first and not first.startswith("(tocsin ") else f"{_AUTHOR} {reference}"


def disagreement(before: Iterable[str], after: Any, *, whole: bool) -> str:
    """What the notes in the server's answer say of how it takes them, against what was assumed; empty when it fits.

    Args:
        before: texts of the notes that stood there already.
        after: the answer's notes; not a list when it has none.
        whole: whether all notes were sent, the old ones too.
    """
    if not isinstance(after, list):
        return ""
    stood, stand = Counter(before), Counter(at(one, "text") for one in after)
    if whole and any(stand[text] > count for text, count in stood.items()):
        return "it added to the notes instead of replacing them, so that they stand twice: set `notes: append`"
    if not whole and any(stand[text] < count for text, count in stood.items()):
        return "it replaced the notes instead of adding to them, so that older ones are gone: set `notes: whole`"
    return ""


_HINTS: dict[int, str] = {
    HTTPStatus.NOT_IMPLEMENTED: "the server does not offer this",
    HTTPStatus.CONFLICT: "as the ticket stands the server does not allow this; `steps` and `reopens` say what it allows",
}
"""Statuses that mean something else, or more, than they mostly do."""
_NOTHING_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """What an answer means; the sentence quotes the standard's error body `{code, reason, message}`."""
    error = refusal(replace(answer, body=_said(answer.body)), request, now)
    hint = _HINTS.get(answer.status)
    if error is None or hint is None:
        return error
    told = AnswerError(Reason.REFUSED, f"{error.detail.rpartition('; ')[0]}; {hint}", retry=False)
    told.status = answer.status
    return told


def misplaced(error: AnswerError, options: str) -> DeliveryError:
    """An error of what makes tickets; when nothing is there that makes any, no other ticket would fare better."""
    if error.status not in _NOTHING_THERE:
        return error
    why = f"{error.detail.rpartition('; ')[0]}; no tickets are made there: correct {options}"
    return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)


def _said(body: bytes) -> bytes:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    said = said[0] if isinstance(said, list) and said else said
    parts = [at(said, "code"), at(said, "reason"), at(said, "message")]
    if not any(parts[1:]):
        return body
    return " ".join(part for part in dict.fromkeys(parts) if part).encode()


def heard(payload: Payload) -> list[str]:
    """The ticket that an event of either version is about: its id, and what other systems call it."""
    try:
        said = msgspec.json.decode(payload.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PayloadError("the body is not JSON: a TMF621 event is a JSON object") from None
    named = [name for event in (said if isinstance(said, list) else [said]) for name in _names(event)]
    return list(dict.fromkeys(named))


def _names(event: Any) -> list[str]:
    kind = word(reach(event, "eventType")) or word(reach(event, "@type"))
    if kind.startswith(f"{_EVENT}Specification"):
        return []
    ticket = reach(event, "event.troubleTicket")
    if not isinstance(ticket, dict):
        told = f" of type {kind!r}" if kind else ""
        raise PayloadError(f"no object at 'event.troubleTicket': not a TMF621 event{told}")
    names = [at(ticket, "id"), at(ticket, "externalId"), *(at(one, "id") for one in each(ticket, "externalIdentifier"))]
    names = [name for name in names if name]
    if not names:
        raise PayloadError("nothing at 'event.troubleTicket.id': the event does not say which ticket it is about")
    return names

"""Telling a listener of an event, by HTTP.

The ticket in it is as it is when it is told, but for its status and history, which are those of the event. Whatever the
listener answers with 2xx is heard; what it calls wrong (400, 413, 415, 422) is not sent again; anything else is, later.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import structlog
from msgspec.structs import replace

from tocsin.desk import dossiers
from tocsin.desk.events import REJECTED, Happened, Kind
from tocsin.desk.hub import Outcome
from tocsin.errors import SettingsError
from tocsin.model import TicketStatus
from tocsin.store.reader import reader
from tocsin.web.tmf621 import documents, listeners
from tocsin.web.tmf621.service import FACES, Face, Service, encode

if TYPE_CHECKING:
    from tocsin.desk.dossiers import Dossier
    from tocsin.desk.hub import Subscription
    from tocsin.web.tmf621.documents import Document, View

_log = structlog.get_logger("hub")

_PATIENCE = aiohttp.ClientTimeout(total=10)
_GOOD = range(200, 300)
_WRONG = frozenset({400, 413, 415, 422})
_FACES = {face.name: face for face in FACES}
_SAYS = {
    Kind.CREATED: "was declared",
    Kind.CHANGED: "was changed",
    Kind.STATUS: "has another status",
    Kind.RESOLVED: "is resolved",
    Kind.INFORMATION_REQUIRED: "waits for information",
}


class Teller:
    """The one way out to listeners. Make it in the event loop; `close` it."""

    def __init__(self, service: Service, token: bytes = b"") -> None:
        """`token` is shown to listeners, if there is one. Raises SettingsError when no header can hold it."""
        self._service = service
        self._shown = {"Authorization": f"Bearer {_text(token)}"} if token else {}
        self._session = aiohttp.ClientSession(
            timeout=_PATIENCE, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), raise_for_status=False
        )

    async def close(self) -> None:
        """Let connections go."""
        await self._session.close()

    async def tell(self, to: Subscription, event: Happened) -> Outcome:
        """Tell one listener of one event, if it wants to hear of it. Raises StoreError."""
        name = listeners.EVENTS[event.kind]
        if name not in (listeners.events_of(to.query) or ()):
            return Outcome.SKIPPED
        said = await asyncio.to_thread(self._said, to, event)
        if said is None:
            return Outcome.SKIPPED
        problem = listeners.unfit(to.callback, self._service.terms.listeners)
        if problem:
            _log.warning("a listener may no longer be told", hub=to.key, problem=problem)
            return Outcome.FAILED
        return await self._post(to, listeners.address(to.callback, name), said)

    def _said(self, to: Subscription, event: Happened) -> bytes | None:
        """The event as JSON; None when its ticket is none of the listener's business. Blocks."""
        service, face = self._service, _FACES[to.face]
        with reader(service.folder) as there:
            found = dossiers.read(there.rows, [event.ticket])
        if not found or not service.terms.shows(found[0].contract, found[0].client):
            return None
        return encode(rendered(event, found[0], face, service.view(face, to.language)))

    async def _post(self, to: Subscription, url: str, said: bytes) -> Outcome:
        headers = {"Content-Type": _FACES[to.face].media_type, "Accept": "application/json", **self._shown}
        try:
            async with self._session.post(url, data=said, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.info("a listener does not answer", hub=to.key, problem=type(error).__name__)
            return Outcome.FAILED
        if status in _GOOD:
            return Outcome.TOLD
        _log.info("a listener does not hear", hub=to.key, status=status)
        return Outcome.REFUSED if status in _WRONG else Outcome.FAILED


def _text(token: bytes) -> str:
    if not token.isascii() or not token.decode().isprintable():
        raise SettingsError("desk.tmf621.listener_token_file: the token is not printable ASCII: write another one")
    return token.decode()


def rendered(event: Happened, dossier: Dossier, face: Face, view: View) -> Document:
    """The event as the standard has it. Pure."""
    name, at = listeners.EVENTS[event.kind], documents.instant(event.at)
    told: dict[str, Any] = {
        "eventId": f"{event.id}-{event.at:%Y%m%d%H%M%S%f}",
        "eventTime": at,
        "eventType": name,
        "correlationId": dossier.reference or dossier.number,
        "domain": "TroubleTicket",
        "title": name,
        "description": f"Ticket {dossier.number} {_SAYS[event.kind]}.",
        "priority": dossier.priority.value,
        "timeOccurred" if face.typed else "timeOcurred": at,
        "event": {"troubleTicket": documents.document(_as_of(dossier, event), view)},
    }
    if not face.typed:
        return {**told, "fieldPath": event.fields[0]} if len(event.fields) == 1 else told
    if event.kind == Kind.INFORMATION_REQUIRED:
        told["event"]["informationRequired"] = {"op": "add", "path": "/note/-"}
    system = {"@type": "EntityRef", "@referredType": "LogicalResource", "id": "tocsin", "name": "tocsin"}
    return {"@type": name, "@baseType": "Event", **told, "source": system, "reportingSystem": system}


def _as_of(dossier: Dossier, event: Happened) -> Dossier:
    """The ticket with the status and the history that it had when this happened."""
    history = tuple(turn for turn in dossier.history if turn.at <= event.at) or dossier.history[:1]
    rejected = event.status == REJECTED
    status = TicketStatus.CANCELLED if rejected else TicketStatus(event.status)
    return replace(dossier, status=status, rejected=rejected, history=history)

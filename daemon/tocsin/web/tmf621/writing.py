"""Tickets that clients declare and change: read, checked, done in one transaction, answered as they then stand.

A change of a ticket that tocsin declared counts as a person's: its incident is told (`intake.seen`), as when somebody
works on it by other ways.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin import intake
from tocsin.desk import clients, dossiers
from tocsin.desk.clients import Amendment, Conflict
from tocsin.web.tmf621 import documents, jsonpatch, reading, wishes
from tocsin.web.tmf621.answers import Code, Refused, missing, wrong
from tocsin.web.tmf621.service import OPERATIONS, Answer, Face, Service, encode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tocsin.desk.clients import Declaration
    from tocsin.desk.dossiers import Dossier
    from tocsin.store import Transaction
    from tocsin.web.tmf621.parts import JsonPatch

    Given = Iterable[tuple[str, str]]

_decode = msgspec.json.Decoder().decode


def decoded(body: bytes) -> Any:
    """JSON as it is. Raises Refused (400)."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise wrong(f"the body is not JSON: {error}", Code.BAD_JSON) from None


def new(service: Service, face: Face, body: bytes) -> Declaration:
    """What a client wants declared. Raises Refused (400, 413)."""
    return wishes.declaration(decoded(body), service.known(face))


async def declare(
    service: Service, face: Face, language: str, wanted: Declaration, fields: tuple[str, ...] = ()
) -> Answer:
    """201 with the new ticket and where it is. Raises Refused (409, 413) and StoreError: then there is none."""
    now = service.clock()
    done = await service.store.run(lambda tx: _declared(service, tx, wanted, now))
    if isinstance(done, Conflict):
        raise _refusal(service, face, done)
    place = service.view(face, language).link(f"/troubleTicket/{done.number}")
    told = await asyncio.to_thread(_told, service, face, language, done, fields)
    return Answer(201, told, {"Location": place, "Content-Language": language})


def _declared(service: Service, tx: Transaction, wanted: Declaration, now: datetime) -> Dossier | Conflict:
    """The ticket as it was declared; read in the same transaction, because whatever comes after it must not fail."""
    done = clients.declare(service.desk, tx, wanted, now)
    if isinstance(done, Conflict):
        return done
    (dossier,) = dossiers.read(tx.rows, [done.id], contents=bool(wanted.attachments))
    return dossier


def _told(service: Service, face: Face, language: str, dossier: Dossier, fields: tuple[str, ...]) -> bytes:
    told = documents.document(dossier, service.view(face, language, contents=True))
    return encode(documents.chosen(told, fields) if fields else told)


def patch(service: Service, face: Face, number: str, media_type: str, body: bytes) -> Patch:
    """How a client wants a ticket changed. Raises Refused (400, 413)."""
    sent = decoded(body)
    known = service.known(face)
    if media_type == OPERATIONS:
        return Patch(service, face, number, operations=jsonpatch.checked(sent))
    return Patch(service, face, number, sent=sent, wanted=wishes.amendment(sent, known, number))


class Patch:
    """A change that waits for its transaction: what a JSON Patch comes to depends on what is there then."""

    def __init__(
        self,
        service: Service,
        face: Face,
        number: str,
        *,
        sent: Any = None,
        wanted: Amendment | None = None,
        operations: list[JsonPatch] | None = None,
    ) -> None:
        self._service = service
        self._face = face
        self._number = number
        self._sent = sent
        self._wanted = wanted
        self._operations = operations

    async def apply(self, language: str, fields: tuple[str, ...] = ()) -> Answer:
        """200 with the ticket as it is then, its files without their content.

        Raises Refused (400, 404, 409, 413) and StoreError: then nothing was changed.
        """
        service, face, now = self._service, self._face, self._service.clock()
        done = await service.store.run(lambda tx: self._apply(tx, language, now))
        if isinstance(done, Refused):
            raise done
        if isinstance(done, Conflict):
            raise _refusal(service, face, done)
        return Answer(200, _told(service, face, language, done, fields), {"Content-Language": language})

    def _apply(self, tx: Transaction, language: str, now: datetime) -> Dossier | Conflict | Refused:
        """What came of it. A refusal is returned: to raise it here would take back the work of others."""
        try:
            return self._amend(tx, language, now)
        except Refused as refused:
            return refused

    def _amend(self, tx: Transaction, language: str, now: datetime) -> Dossier | Conflict:
        service = self._service
        dossier = reading.visible(service, dossiers.by_number(tx.rows, self._number), self._number)
        ticket = service.desk.by_number(tx, self._number)
        if ticket is None:
            raise missing(f"there is no ticket {self._number}")
        wanted = self._meant(dossier, language)
        done = clients.amend(service.desk, tx, (ticket, dossier), wanted, now)
        if isinstance(done, Conflict):
            return done
        if done.changed:
            intake.seen(tx, dossier.number, done.actor, done.status, done.receipt, now)
        (after,) = dossiers.read(tx.rows, [dossier.id])
        return after

    def _meant(self, dossier: Dossier, language: str) -> Amendment:
        """What the patch comes to on the ticket as it stands."""
        service, face = self._service, self._face
        shown = documents.document(dossier, service.view(face, language))
        if self._wanted is not None:
            return wishes.news(self._wanted, self._sent, shown, dossier)
        sent = jsonpatch.merge_patch(self._operations or [], shown)
        typed = {"@type": shown["@type"], **sent}
        return wishes.news(wishes.amendment(typed, service.known(face), self._number), typed, shown, dossier)


def _refusal(service: Service, face: Face, conflict: Conflict) -> Refused:
    if conflict.too_large:
        return Refused(413, Code.TOO_LARGE, conflict.text)
    if not conflict.number:
        return Refused(409, Code.BAD_STATE, conflict.text)
    place = service.view(face, "").link(f"/troubleTicket/{conflict.number}")
    return Refused(409, Code.DUPLICATE, f"{conflict.text}: {place}", {"Location": place})

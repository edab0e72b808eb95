"""Tickets for whoever asks: one, or a page of those that are wanted.

Reads beside the store, through a connection that cannot write, in a thread: nothing that comes in waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.desk import dossiers
from tocsin.store import rows
from tocsin.store.reader import reader
from tocsin.web.tmf621 import asking, documents
from tocsin.web.tmf621.answers import missing
from tocsin.web.tmf621.service import Answer, Face, Service, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.desk.dossiers import Dossier
    from tocsin.store.reader import Reader
    from tocsin.web.tmf621.asking import Wanted

    Given = Iterable[tuple[str, str]]


def page(service: Service, face: Face, language: str, given: Given) -> Answer:
    """200 with a page of the tickets that the parameters ask for, oldest change first; files without their content.

    Raises Refused (400, 501) and StoreError.
    """
    wanted = asking.wanted(given, face.version, face.attributes)
    with reader(service.folder) as there:
        ids, total = _found(there, wanted, service)
        found = dossiers.read(there.rows, ids)
    view = service.view(face, language)
    told = [documents.document(dossier, view) for dossier in found]
    if wanted.fields:
        told = [documents.chosen(one, wanted.fields) for one in told]
    counts = {"X-Result-Count": str(len(told)), "X-Total-Count": str(total)}
    return Answer(200, encode(told), {**counts, "Content-Language": language})


def one(service: Service, face: Face, language: str, number: str, given: Given) -> Answer:
    """200 with the ticket of this number, its files whole. Raises Refused (400, 404) and StoreError."""
    fields = asking.fields(given, face.attributes)
    whole = not fields or "attachment" in fields
    with reader(service.folder) as there:
        dossier = dossiers.by_number(there.rows, number, contents=whole)
    told = documents.document(visible(service, dossier, number), service.view(face, language, contents=whole))
    body = encode(documents.chosen(told, fields) if fields else told)
    return Answer(200, body, {"Content-Language": language})


def visible(service: Service, dossier: Dossier | None, number: str) -> Dossier:
    """The ticket, if clients may see it. Raises Refused (404)."""
    if dossier is None or not service.terms.shows(dossier.contract, dossier.client):
        raise missing(f"there is no ticket {number[:80]}")
    return dossier


def _found(there: Reader, wanted: Wanted, service: Service) -> tuple[list[int], int]:
    """The rows of a page, and how many there are in all."""
    filters = _filters(wanted, service)
    candidates = _candidates(there, wanted)
    if candidates is None and wanted.sort in ("", "lastUpdate"):
        return _counted(there, "desk_page", filters, wanted)
    among = (rows.encode_text(candidates or []), int(candidates is None))
    direction = -1 if wanted.sort.startswith("-") else 1
    order = (direction, wanted.sort.removeprefix("-"), direction)
    return _counted(there, "desk_page_sorted", (*among, *filters, *order), wanted)


def _counted(there: Reader, name: str, parameters: tuple[str | int, ...], wanted: Wanted) -> tuple[list[int], int]:
    found = there.rows(name, (*parameters, wanted.limit, wanted.offset))
    if found:
        return [row[0] for row in found], found[0][1]
    beyond = there.rows(name, (*parameters, 1, 0))  # beyond the last page, or a page of none
    return [], beyond[0][1] if beyond else 0


def _candidates(there: Reader, wanted: Wanted) -> list[int] | None:
    """The rows of tickets that are named by number or identifier; None when none is named."""
    found: set[int] | None = None
    if wanted.numbers is not None:
        found = {row[0] for row in there.rows("desk_ids_by_number", (rows.encode_text(wanted.numbers),))}
    if wanted.identifiers is not None:
        named = {row[0] for one in wanted.identifiers for row in there.rows("desk_identified", (one, one))}
        found = named if found is None else found & named
    return None if found is None else sorted(found)


def _filters(wanted: Wanted, service: Service) -> tuple[str | int, ...]:
    """The parameters of what both statements filter by."""
    words = rows.encode_text(dict(service.terms.severity))
    severities = rows.encode_text(wanted.severities)
    contracts = rows.encode_text(service.terms.contracts)
    return (
        wanted.updated.first,
        wanted.updated.last,
        wanted.declared.first,
        wanted.declared.last,
        *_twice(wanted.statuses),
        *_twice(wanted.priorities),
        *_twice(wanted.kinds),
        *_twice(wanted.elements),
        severities,
        words,
        severities,
        contracts,
        contracts,
    )


def _twice(values: list[str] | None) -> tuple[str, str]:
    told = rows.encode_text(values)
    return told, told

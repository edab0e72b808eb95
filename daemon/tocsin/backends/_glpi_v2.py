"""GLPI 11's high-level API, /api.php/v2: plain JSON, filters in RSQL, tokens of GLPI's own OAuth server.

Format: the documentation that GLPI serves at /api.php/doc, and its public source.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from yarl import URL

from tocsin.backends import Finding, Level
from tocsin.backends._api import Api, File, as_json
from tocsin.backends._document import reach
from tocsin.backends._glpi import PAGE, Item, asked_for, plain
from tocsin.backends._http import Answer, Request, decoded, excerpt, refusal
from tocsin.backends._moments import moment
from tocsin.backends._shape import an_object, at, each, objects, required
from tocsin.backends._whole import whole
from tocsin.backends._zones import earliest
from tocsin.errors import DeliveryError, Reason
from tocsin.model import RemoteNote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._glpi_options import Options
    from tocsin.backends._login import Login
    from tocsin.model import Element

_TICKETS = "Assistance/Ticket"
_TYPES = {"incident": 1, "request": 2}
_ONE = re.compile(r"/Ticket/\d+(/|$)")
_LATEST = (100, 5)
"""So many notes are read, and fewer when they are more than an answer may hold."""


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """As HTTP says; but a 500 in GLPI's own words says that it would not do it, and that nothing was done.

    That one ticket may not be changed is no reason to stop declaring the others: it was moved to another entity, or is
    closed. One that may not be seen is answered as one that is not there.
    """
    error = refusal(answer, request, now)
    if error is None or error.reason not in (Reason.UNAVAILABLE, Reason.UNAUTHORIZED):
        return error
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return error
    status, why = at(said, "status"), f"{request.where}: {answer.status} {excerpt(answer.body, request)!r}"
    if error.reason == Reason.UNAUTHORIZED:
        if status != "ERROR_RIGHT_MISSING" or request.method == "GET" or not _ONE.search(URL(request.url).path):
            return error
        why = f"{why}; give tocsin's profile the right to change this ticket"
    elif status.startswith("ERROR") and at(said, "title").startswith("Failed to"):
        why = f"{why}; check the fields and GLPI's mandatory ones"
    else:
        return error
    return DeliveryError(Reason.REFUSED, why, retry=False)


class Second:
    """GLPI as its second API tells it."""

    def __init__(self, name: str, options: Options, outside: Outside, login: Login) -> None:
        """Take the backend's name and options, the world, and the login at GLPI's OAuth server."""
        self._name, self._options = name, options
        url = f"{options.url}/api.php/v2"
        self._api = Api(url, outside, timeout=options.timeout, login=login, judge=judge)

    async def create(self, fields: Mapping[str, Any], reference: str, _: Element) -> str:
        """POST /Assistance/Ticket with everything in it."""
        options = self._options
        ticket: dict[str, Any] = {**fields, "external_id": reference, "type": _TYPES[options.type]}
        if options.entity is not None:
            ticket["entity"] = {"id": options.entity}
        if options.category is not None:
            ticket["category"] = {"id": options.category}
        return required(await self._api.ask("POST", _TICKETS, as_json(ticket)), "id", self._name)

    async def search(self, reference: str) -> list[Item]:
        """GET /Assistance/Ticket with the external id as the filter."""
        mark = "'" if '"' in reference else '"'
        query = {"filter": f"external_id=={mark}{reference}{mark};is_deleted==false", "limit": str(PAGE)}
        return asked_for(self._name, await self._list({**query, "sort": "id:asc"}), reference)

    async def read(self, number: str) -> Item | None:
        """GET /Assistance/Ticket/ID."""
        said = await self._api.find(f"{_TICKETS}/{quote(number, safe='')}")
        return None if said is None else self._item(an_object(said, "", self._name))

    async def assignee(self, item: Item) -> str:
        """Those of its team who are assigned."""
        return item.assignee

    async def notes(self, number: str) -> list[RemoteNote]:
        """GET /Assistance/Ticket/ID/Timeline, its followups and solutions."""
        found = []
        for kind in ("Followup", "Solution"):
            found += [self._note(kind, one) for one in await self._timeline(number, kind)]
        return sorted(found, key=lambda note: f"{note.at}")

    async def changed(self, since: datetime, skip: int) -> list[Item]:
        """GET /Assistance/Ticket by the time of change."""
        after = f'date_mod=ge="{earliest(since, self._options.zone)}"'
        paging = {"sort": "date_mod:asc,id:asc", "start": str(skip), "limit": str(PAGE)}
        return await self._list({"filter": f"{after};is_deleted==false", **paging})

    async def update(self, number: str, fields: Mapping[str, Any]) -> None:
        """PATCH /Assistance/Ticket/ID."""
        told = {**fields, **({"status": {"id": fields["status"]}} if "status" in fields else {})}
        said = await self._api.ask("PATCH", f"{_TICKETS}/{quote(number, safe='')}", as_json(told))
        required(said, "id", self._name)

    async def follow_up(self, number: str, text: str, *, private: bool, reopen: bool) -> None:  # noqa: ARG002 -- by update
        """POST /Assistance/Ticket/ID/Timeline/Followup; opening again is the status's business."""
        await self._add(number, "Followup", {"content": text, "is_private": private})

    async def solve(self, number: str, text: str) -> None:
        """POST /Assistance/Ticket/ID/Timeline/Solution."""
        await self._add(number, "Solution", {"content": text})

    async def attach(self, number: str, file: File) -> None:
        """Not to be called: this API takes no files."""
        raise NotImplementedError(f"ticket {number} of {self._name} takes no {file.name}")

    async def check(self) -> list[Finding]:
        """Who we are, and whether tickets may be seen."""
        said = await self._api.find("Administration/User/Me")
        user = at(said, "username") or at(said, "name")
        told = f"works as {user!r}" if user else "works as the client itself, without a user"
        shown = await self._list({"limit": "1"})
        seen = "tickets may be seen" if shown else "no ticket is to be seen yet"
        return [
            Finding(level=Level.FINE, what="client", told=told),
            Finding(level=Level.FINE, what="url", told=seen),
        ]

    async def _list(self, query: Mapping[str, str]) -> list[Item]:
        said = await self._api.ask("GET", _TICKETS, query=query)
        return [self._item(one) for one in objects(said, "", self._name)]

    async def _timeline(self, number: str, kind: str) -> list[dict[str, Any]]:
        for limit in _LATEST:
            query = {"sort": "id:desc", "limit": str(limit)}
            path = f"{_TICKETS}/{quote(number, safe='')}/Timeline/{kind}"
            answer, request = await self._api.answer("GET", path, query=query)
            if not answer.cut:
                break
        entries = objects(decoded(answer, request), "", self._name)
        items = [entry["item"] if isinstance(entry.get("item"), dict) else entry for entry in entries]
        return sorted(items, key=lambda one: whole(required(one, "id", self._name), self._name))

    async def _add(self, number: str, kind: str, fields: Mapping[str, Any]) -> None:
        path = f"{_TICKETS}/{quote(number, safe='')}/Timeline/{kind}"
        required(await self._api.ask("POST", path, as_json(fields)), "id", self._name)

    def _item(self, fields: Mapping[str, Any]) -> Item:
        people = [one for one in each(fields, "team") if at(one, "role") == "assigned"]
        return Item(
            id=required(fields, "id", self._name),
            reference=at(fields, "external_id"),
            status=at(fields, "status.id") or required(fields, "status", self._name),
            impact=at(fields, "impact"),
            priority=at(fields, "priority"),
            changed_at=moment(fields.get("date_mod"), ZoneInfo(self._options.zone)),
            assignee=", ".join(at(one, "display_name") or at(one, "name") for one in people),
            actor=at(fields, "user_editor.name") or at(fields, "user_editor.id"),
            deleted=reach(fields, "is_deleted") is True,
        )

    def _note(self, kind: str, fields: Mapping[str, Any]) -> RemoteNote:
        return RemoteNote(
            id=f"{kind}/{required(fields, 'id', self._name)}",
            actor=at(fields, "user.name") or at(fields, "user.id"),
            text=plain(at(fields, "content")),
            at=moment(fields.get("date_creation"), ZoneInfo(self._options.zone)),
        )

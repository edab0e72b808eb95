"""GLPI's first REST API, /apirest.php: a session, and items by their type. Format: GLPI's own "apirest.md"."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from tocsin.backends import Finding, Level
from tocsin.backends._api import Api, File, as_json, as_multipart
from tocsin.backends._choices import Choices
from tocsin.backends._document import reach
from tocsin.backends._glpi import PAGE, Item, asked_for, plain
from tocsin.backends._glpi_login import Session, error_of
from tocsin.backends._http import Answer, Request, decoded, refusal
from tocsin.backends._question import question
from tocsin.backends._shape import an_object, at, each, objects, required, strange
from tocsin.backends._whole import whole
from tocsin.backends._zones import earliest, heard
from tocsin.errors import DeliveryError, Reason
from tocsin.model import RemoteNote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._glpi_options import Options
    from tocsin.backends._login import Fixed
    from tocsin.model import Element

_TABLE = "glpi_tickets"
_FIELDS = ("id", "externalid", "status", "impact", "priority", "date_mod")
_LOGIN = frozenset(
    {
        "ERROR_SESSION_TOKEN_INVALID",
        "ERROR_SESSION_TOKEN_MISSING",
        "ERROR_APP_TOKEN_PARAMETERS_MISSING",
        "ERROR_WRONG_APP_TOKEN_PARAMETER",
        "ERROR_NOT_ALLOWED_IP",
        "ERROR_RIGHT_MISSING",
        "ERROR_LOGIN_PARAMETERS_MISSING",
        "ERROR_GLPI_LOGIN",
        "ERROR_GLPI_LOGIN_USER_TOKEN",
    }
)
_BEYOND = "ERROR_RANGE_EXCEED_TOTAL"
_PASSING = re.compile(r"(?i)deadlock found|lock wait timeout|gone away|lost connection|too many connections")
"""Within ERROR_GLPI_ADD and the like, of GLPI 11: its database could not right now."""
_LATEST = ("0-99", "0-4")
"""So many notes are read, and fewer when they are more than an answer may hold."""
_TYPES = {"incident": 1, "request": 2}
_ASSIGNED = "2"
"""What somebody who is assigned to a ticket is to it."""


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """As HTTP says, and as GLPI's arrays say: errors may come with any status, 207 and 400 among them."""
    error, (code, said) = refusal(answer, request, now), error_of(b"" if answer.cut else answer.body)
    where = f"{request.where}: {answer.status} {code}"
    if code in _LOGIN:
        why = f"{where}; check the tokens, the API client's addresses, and the profile of tocsin's user"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True)
    if (error is None and code == "ERROR_SQL") or (code and _PASSING.search(_message(said))):
        return DeliveryError(Reason.UNAVAILABLE, f"{where}; GLPI's log says more", retry=True)
    if error is None and (code or _failed(said)):
        why = f"{where} {_message(said)!r}; check the fields and what the profile of tocsin's user allows"
        return DeliveryError(Reason.REFUSED, why, retry=False)
    return error


def _failed(said: Any) -> bool:
    """Whether a result, or one of a list, is a failure: `{"id": false, "message": "…"}`, `{"10": false, "message": "…"}`."""
    results = said if isinstance(said, list) else [said]
    return any(
        isinstance(one, dict) and "message" in one and any(value is False for value in one.values()) for one in results
    )


def _message(said: Any) -> str:
    results = said if isinstance(said, list) else [said]
    return "; ".join(filter(None, (one if isinstance(one, str) else at(one, "message") for one in results)))


class First:
    """GLPI as its first API tells it."""

    def __init__(self, name: str, options: Options, outside: Outside, entry: Fixed, app_token: str) -> None:
        """Take the backend's name and options, the world, and what a session is begun with."""
        self._name, self._options, self._clock = name, options, outside.clock
        url = f"{options.url}/apirest.php"
        login = Session(url, entry, app_token, outside, options.timeout)
        self._api = Api(url, outside, timeout=options.timeout, login=login, judge=judge)
        self._columns = Choices("search option", self._search_options, outside.clock)

    async def create(self, fields: Mapping[str, Any], reference: str, element: Element) -> str:
        """POST /Ticket with everything in it."""
        options = self._options
        with question():
            items = await self._asset(element) if options.item_type else None
        more = {
            "externalid": reference,
            "type": _TYPES[options.type],
            "entities_id": options.entity,
            "itilcategories_id": options.category,
            "_users_id_requester": options.requester,
            "_groups_id_assign": options.group,
            "items_id": items,
        }
        ticket = {**fields, **{key: value for key, value in more.items() if value is not None}}
        return await self._add("Ticket", ticket)

    async def search(self, reference: str) -> list[Item]:
        """GET /search/Ticket for exactly this external id; older releases are asked for the field itself."""
        column = await self._columns.id("externalid")
        if column:
            items = await self._found([(column, "contains", f"^{reference}$")], "id", 0)
        else:
            asked = {"searchText[externalid]": f"^{reference}$", "range": f"0-{PAGE - 1}"}
            said = await self._api.ask("GET", "Ticket", query=asked)
            items = [self._item(one) for one in objects(said, "", self._name)]
        return asked_for(self._name, items, reference)

    async def read(self, number: str) -> Item | None:
        """GET /Ticket/ID."""
        said = await self._api.find(f"Ticket/{quote(number, safe='')}")
        return None if said is None else self._item(an_object(said, "", self._name))

    async def assignee(self, item: Item) -> str:
        """GET /Ticket/ID/Ticket_User; empty where the profile may not see that."""
        try:
            people = await self._sub(f"Ticket/{item.id}", "Ticket_User")
        except DeliveryError as error:
            if error.reason in (Reason.REFUSED, Reason.UNAUTHORIZED):
                return ""
            raise
        return ", ".join(at(one, "users_id") for one in people if at(one, "type") == _ASSIGNED)

    async def notes(self, number: str) -> list[RemoteNote]:
        """GET /Ticket/ID/ITILFollowup and /ITILSolution, the latest of them."""
        path, found = f"Ticket/{quote(number, safe='')}", []
        for kind in ("ITILFollowup", "ITILSolution"):
            found += [self._note(kind, one) for one in await self._sub(path, kind)]
        return sorted(found, key=lambda note: f"{note.at}")

    async def changed(self, since: datetime, skip: int) -> list[Item]:
        """GET /search/Ticket by the time of change; an older release is asked for each ticket then."""
        column = required({"date_mod": await self._columns.id("date_mod")}, "date_mod", self._name)
        after = earliest(since - timedelta(seconds=1), self._options.zone)  # GLPI knows "more than" only
        items = await self._found([(column, "morethan", after)], "date_mod", skip)
        if await self._columns.id("externalid"):
            return items
        whole = [await self._api.find(f"Ticket/{item.id}") for item in items]
        return [self._item(one) for one in whole if one is not None]

    async def update(self, number: str, fields: Mapping[str, Any]) -> None:
        """PUT /Ticket/ID."""
        path = f"Ticket/{quote(number, safe='')}"
        objects(await self._api.ask("PUT", path, as_json({"input": fields})), "", self._name)

    async def follow_up(self, number: str, text: str, *, private: bool, reopen: bool) -> None:
        """POST /Ticket/ID/ITILFollowup."""
        about = {
            "itemtype": "Ticket",
            "items_id": whole(number, self._name),
            "content": text,
            "is_private": int(private),
        }
        path = f"Ticket/{quote(number, safe='')}/ITILFollowup"
        await self._add(path, {**about, **({"add_reopen": 1} if reopen else {})})

    async def solve(self, number: str, text: str) -> None:
        """POST /ITILSolution."""
        await self._add("ITILSolution", {"itemtype": "Ticket", "items_id": whole(number, self._name), "content": text})

    async def attach(self, number: str, file: File) -> None:
        """POST /Document, then tie it to the ticket."""
        manifest = {"input": {"name": file.name, "_filename": [file.name]}}
        fields = {"uploadManifest": msgspec.json.encode(manifest).decode()}
        said = await self._api.ask("POST", "Document", as_multipart(fields, [("filename[0]", file)]))
        document = required(said, "id", self._name)
        tie = {"documents_id": whole(document, self._name), "itemtype": "Ticket", "items_id": whole(number, self._name)}
        await self._add("Document_Item", tie)

    async def check(self) -> list[Finding]:
        """The profile we work with, the search option, entity and category."""
        said = await self._api.ask("GET", "getActiveProfile")
        profile = required(said, "active_profile.name", self._name)
        findings = [Finding(level=Level.FINE, what="user", told=f"works with the profile {profile!r}")]
        if not await self._columns.id("externalid"):
            why = "this release has no search option for the external id: each changed ticket is read by itself"
            findings.append(Finding(level=Level.WARNING, what="api", told=why))
        if self._options.entity is not None:
            mine = each(await self._api.ask("GET", "getMyEntities", query={"is_recursive": "true"}), "myentities")
            there = str(self._options.entity) in {at(one, "id") for one in mine}
            findings.append(_there("entity", self._options.entity, there=there))
        if self._options.category is not None:
            known = await self._api.find(f"ITILCategory/{self._options.category}")
            findings.append(_there("category", self._options.category, there=known is not None))
        return findings

    async def _search_options(self) -> Mapping[str, str]:
        """The tickets' own fields by name, and the numbers that searches call them by."""
        said = an_object(await self._api.ask("GET", "listSearchOptions/Ticket"), "", self._name)
        mine = {
            at(option, "field"): number
            for number, option in reversed(said.items())
            if number.isdecimal() and at(option, "table") == _TABLE
        }
        if "id" not in mine:
            raise strange(self._name, "no search options of tickets")
        return mine

    async def _found(self, criteria: list[tuple[str, str, str]], by: str, skip: int) -> list[Item]:
        columns = {field: number for field in _FIELDS if (number := await self._columns.id(field))}
        query = {f"forcedisplay[{n}]": number for n, number in enumerate(columns.values())}
        for n, (field, how, value) in enumerate(criteria):
            link = {f"criteria[{n}][link]": "AND"} if n else {}
            query |= {**link, f"criteria[{n}][field]": field, f"criteria[{n}][searchtype]": how}
            query[f"criteria[{n}][value]"] = value
        query |= {"sort": columns[by], "order": "ASC", "range": f"{skip}-{skip + PAGE - 1}"}
        try:
            said = await self._api.ask("GET", "search/Ticket", query=query)
        except DeliveryError as error:
            if skip and _BEYOND in error.detail:
                return []
            raise
        return [self._row(one, columns) for one in self._rows(said)]

    def _rows(self, said: Any) -> list[dict[str, Any]]:
        """The rows of a search, which come as a list or by their ids; no rows at all when there are none."""
        total, data = required(said, "totalcount", self._name), reach(said, "data")
        if data is None and (total == "0" or at(said, "count") == "0"):
            return []
        rows = list(data.values()) if isinstance(data, dict) else data
        return objects(rows, "", self._name)

    def _row(self, row: dict[str, Any], columns: Mapping[str, str]) -> Item:
        return self._item({field: row.get(number) for field, number in columns.items()})

    def _item(self, fields: Mapping[str, Any]) -> Item:
        return Item(
            id=required(fields, "id", self._name),
            reference=at(fields, "externalid"),
            status=required(fields, "status", self._name),
            impact=at(fields, "impact"),
            priority=at(fields, "priority"),
            changed_at=heard(fields.get("date_mod"), self._options.zone, self._clock()),
            actor=at(fields, "users_id_lastupdater"),
            deleted=at(fields, "is_deleted") == "1",
        )

    def _note(self, kind: str, fields: Mapping[str, Any]) -> RemoteNote:
        return RemoteNote(
            id=f"{kind}/{required(fields, 'id', self._name)}",
            actor=at(fields, "users_id"),
            text=plain(at(fields, "content")),
            at=heard(fields.get("date_creation"), self._options.zone, self._clock()),
        )

    async def _sub(self, path: str, kind: str) -> list[dict[str, Any]]:
        """The latest items of a kind that belong to a ticket, oldest first; none when it has none."""
        for span in _LATEST:
            query = {"range": span, "order": "DESC", "expand_dropdowns": "true"}
            try:
                answer, request = await self._api.answer("GET", f"{path}/{kind}", query=query)
            except DeliveryError as error:
                if error.reason == Reason.NOT_FOUND:
                    return []
                raise
            if not answer.cut:
                break
        items = objects(decoded(answer, request), "", self._name)
        return sorted(items, key=lambda one: whole(required(one, "id", self._name), self._name))

    async def _add(self, path: str, fields: Mapping[str, Any]) -> str:
        return required(await self._api.ask("POST", path, as_json({"input": fields})), "id", self._name)

    async def _asset(self, element: Element) -> dict[str, list[int]] | None:
        """The asset that is named as the element; None when there is not exactly one."""
        query = {"searchText[name]": f"^{element.reference}$", "range": "0-1"}
        said = await self._api.ask("GET", quote(self._options.item_type, safe=""), query=query)
        ids = [whole(required(one, "id", self._name), self._name) for one in objects(said, "", self._name)]
        return {self._options.item_type: ids} if len(ids) == 1 else None


def _there(what: str, number: int, *, there: bool) -> Finding:
    if there:
        return Finding(level=Level.FINE, what=what, told=f"{what} {number} is there")
    return Finding(level=Level.ERROR, what=what, told=f"{what} {number} is not there, or not to be seen; correct it")

"""The operations of Orange's Incident API, by a mapping: where they are, how lists are paged, where answers hold what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tocsin.backends import _orange_wire
from tocsin.backends._api import as_json
from tocsin.backends._document import reach
from tocsin.backends._http import decoded
from tocsin.backends._listing import Listing, NotUnderstoodError
from tocsin.backends._orange_gateway import NOTHING_THERE, QUERY_REFUSED, GatewayError
from tocsin.backends._shape import at, objects, strange
from tocsin.model import RemoteNote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends._api import Api
    from tocsin.backends._http import Answer, Request
    from tocsin.backends._orange_mapping import Asked, Operation, Sent, Told
    from tocsin.backends._orange_mapping import Mapping as Wire

    Object = dict[str, Any]

_KEYS = 10_000
_KNOWN_BY: tuple[Told, ...] = ("number", "key", "reference")


class Calls:
    """The operations at one gateway."""

    def __init__(self, name: str, api: Api, wire: Wire, *, size: int, most: int) -> None:
        """Take who speaks, the gateway, the mapping, how long a page is, and how many are read at most."""
        self._name = name
        self._api = api
        self._wire = wire
        self._size = size
        self._most = most
        self._keys: dict[str, str] = {}
        self.incidents = Listing(name, self._page, self._identity, most)

    def told(self, one: Any, what: Told) -> str:
        """What an answer tells, as text; empty when it does not."""
        path = self._wire.tells[what].path
        return at(one, path) if path else ""

    def moment(self, one: Any, what: Told) -> datetime | None:
        """The moment that an answer tells; None when it tells none."""
        path = self._wire.tells[what].path
        return _orange_wire.when(self._wire.time, reach(one, path)) if path else None

    def filter(self, asked: Asked, value: str | int) -> dict[str, str]:
        """The parameter of the list that asks for a value; none when there is none."""
        name = self._wire.asks[asked].name
        return {name: str(value)} if name else {}

    async def key(self, number: str, *operations: Operation) -> str | None:
        """What the addresses of operations need beside the number, looked up; None when there is no such ticket."""
        if not any("{key}" in self._wire.operations[one].path for one in operations):
            return ""
        if number not in self._keys:
            for one in await self.incidents.look_up(self._by_number, number, lambda one: self.told(one, "number")):
                self.remember(self.told(one, "number"), self.told(one, "key"))
        return self._keys.get(number)

    def remember(self, number: str, key: str) -> None:
        """Keep what a ticket's addresses need: it never changes, and looking it up may mean to read every page."""
        if number and key:
            self._keys[number] = key
        if len(self._keys) > _KEYS:
            self._keys.clear()

    def _by_number(self, number: str) -> dict[str, str]:
        return self.filter("number", number)

    def address(self, operation: Operation, number: str, key: str) -> str:
        """The path of an operation on a ticket."""
        path = self._wire.operations[operation].path
        return path.replace("{number}", quote(number, safe="")).replace("{key}", quote(key, safe=""))

    async def send(
        self, operation: Operation, values: Mapping[Sent, Any], number: str = "", key: str = ""
    ) -> tuple[Answer, Request]:
        """Call an operation with our fields. Raises DeliveryError."""
        body = as_json(_orange_wire.body(self._wire, operation, values))
        return await self._api.answer(
            self._wire.operations[operation].method, self.address(operation, number, key), body
        )

    async def notes(self, number: str, key: str) -> tuple[RemoteNote, ...]:
        """What was written in a ticket; nothing where the API has no notes for it."""
        path = self.address("notes", number, key)

        async def page(_: Mapping[str, str], offset: int) -> tuple[list[Object], bool]:
            said = await self._api.find(path, query=self._paging(offset))
            return (
                ([], True) if said is None else (objects(said, self._wire.tells["note_list"].path, self._name), False)
            )

        listed = await Listing(self._name, page, self._note_identity, self._most).all({}, "the notes of a ticket")
        return tuple(
            RemoteNote(
                id=self.told(one, "note_id"),
                actor=self.told(one, "note_author"),
                text=self.told(one, "note_text"),
                at=self.moment(one, "note_at"),
            )
            for one in listed
        )

    def _note_identity(self, one: Object) -> str:
        return self.told(one, "note_id") or f"{self.told(one, 'note_at')} {self.told(one, 'note_text')}"

    def _paging(self, offset: int) -> dict[str, str]:
        return {**self.filter("offset", offset), **self.filter("limit", self._size)}

    async def _page(self, filters: Mapping[str, str], offset: int) -> tuple[list[Object], bool]:
        """A page of incidents. What the headers count is not believed: the documentation's own example contradicts itself."""
        call = self._wire.operations["list"]
        try:
            answer, request = await self._api.answer(call.method, call.path, query={**filters, **self._paging(offset)})
        except GatewayError as error:
            if offset and error.code == NOTHING_THERE:
                return [], True
            if error.code not in QUERY_REFUSED and not (filters and error.code == NOTHING_THERE):
                raise
            raise NotUnderstoodError(error.reason, error.detail, retry=error.retry) from None
        listed = objects(decoded(answer, request), self._wire.tells["list"].path, self._name)
        return listed, not self._wire.asks["offset"].name

    def _identity(self, one: Object) -> str:
        for what in _KNOWN_BY:
            if found := self.told(one, what):
                return f"{what} {found}"
        raise strange(self._name, "an incident without number and reference: compare `tells` of the mapping")

"""ServiceNow's Table API as far as a ticket needs it: queries, rows, journals, and what its errors mean.

Knows HTTP and ServiceNow's forms, and nothing of deliveries.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin.backends._document import word
from tocsin.backends._http import LONGEST_AFTER, Answer, Request, decoded, excerpt, refusal
from tocsin.backends._moments import moment
from tocsin.backends._shape import objects
from tocsin.errors import DeliveryError, Reason
from tocsin.model import RemoteNote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tocsin.backends._api import Api

SYS_ID = re.compile(r"[0-9a-f]{32}")
SHOWN = {"sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"}
"""Each field as its value in the database and as people see it, so that neither language nor time zone matters."""
_ABOUT_THE_RECORD = ("data policy", "business rule", "acl exception update failed", "invalid update", "mandatory")
"""A 403 that says one of these refuses this record as it is, not the account: rules and mandatory fields answer so."""
_NONE = ("records matching query not found",)
"""How the first version of the Table API (KB0551763) says, with a 404, that a query finds nothing."""
_NO_TABLE = ("invalid table",)
_UNREADABLE = (Reason.UNAUTHORIZED, Reason.REFUSED, Reason.NOT_FOUND, Reason.MISCONFIGURED)
"""Why a table beside the tickets' own cannot be read: it is done without."""
_SCRIPT = "javascript:"
"""What ServiceNow runs where a value in a query begins so."""
_PASSING = ("transaction cancelled", "maximum execution time", "semaphore", "timed out")
_ENTRY = re.compile(
    r"^(\d[\d./: ,-]{8,24}(?: ?[AaPp]\.?[Mm]\.?)?) - ([^\n]{1,100}?) \(([^()\n]{1,60})\)$", re.MULTILINE
)
"""The line above each entry of a journal as people see it: when, who, and which journal, in the account's language."""
_CODE = re.compile(r"(?i)\[(/?code\])")
_KEPT = timedelta(hours=1)
_JOURNAL = 300
"""The newest entries of a ticket's journals that are read."""


class Rows(Struct, frozen=True):
    """One page of a table."""

    rows: list[dict[str, Any]]
    total: int | None
    """How many rows the query has in all, those that the account may not see included; None when that is not told."""


class Tables:
    """The tables of one instance."""

    def __init__(self, api: Api, name: str, clock: Callable[[], datetime]) -> None:
        """Take the API, the backend's name for errors, and the time of day."""
        self._api = api
        self._name = name
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def rows(self, table: str, query: str, fields: Sequence[str], *, limit: int = 100, offset: int = 0) -> Rows:
        """One page of what an encoded query finds. Raises DeliveryError."""
        given = {
            **({"sysparm_query": query} if query else {}),
            "sysparm_fields": ",".join(dict.fromkeys(fields)),
            **SHOWN,
            "sysparm_limit": str(limit),
            **({"sysparm_offset": str(offset)} if offset else {}),
        }
        answer, request = await self._api.answer("GET", f"api/now/table/{table}", query=given)
        if answer.status == HTTPStatus.NOT_FOUND:  # which `judge` lets pass when it says that there are none
            return Rows([], 0)
        found = objects(decoded(answer, request), "result", self._name)
        total = answer.headers.get("X-Total-Count", "")
        return Rows(found, int(total) if re.fullmatch(r"\d{1,9}", total, re.ASCII) else None)

    async def named(self, table: str, columns: Sequence[str], words: Sequence[str]) -> tuple[str, str]:
        """The sys_id of the one row that the first possible word names, or "" and why there is none.

        The words are tried in their order; case does not matter, as ServiceNow's own comparisons do not mind it.

        Raises:
            DeliveryError: it cannot be known now; nothing was changed.
        """
        words = [one for one in words if not one.casefold().startswith(_SCRIPT)]
        query = "^OR".join(f"{column}={quoted(one)}" for one in words for column in columns)
        if not words:
            return "", f"{table} cannot be asked for any of its names"
        try:
            found = (await self.rows(table, query, ("sys_id", *columns))).rows
        except DeliveryError as error:
            error.harmless = True
            if error.reason in _UNREADABLE:
                return "", f"{table} cannot be read, grant the account that"
            raise
        for one in words:
            hits = {
                raw(row, "sys_id") for row in found if one.casefold() in {raw(row, name).casefold() for name in columns}
            }
            if len(hits) == 1:
                return hits.pop(), ""
            if hits:
                return "", f"{len(hits)} rows of {table} are called {one!r}"
        return "", f"{table} has none called {' or '.join(map(repr, words[:3]))}"

    async def kept(self, table: str, columns: Sequence[str], name: str) -> tuple[str, str]:
        """As `named`, for one word that an option names: what was found is remembered for an hour."""
        now = self._clock()
        known, at = self._kept.get((table, name), ("", now))
        if known and now - at < _KEPT:
            return known, ""
        found = await self.named(table, columns, [name])
        if found[0]:
            self._kept[table, name] = (found[0], now)
        return found

    async def journal(self, row: dict[str, Any]) -> tuple[RemoteNote, ...]:
        """The notes of a ticket, oldest first: from the journal's table, or from the ticket where that is not open to us.

        Raises DeliveryError.
        """
        query = f"element_id={raw(row, 'sys_id')}^elementINwork_notes,comments^ORDERBYDESCsys_created_on"
        fields = ("sys_id", "element", "value", "sys_created_by", "sys_created_on")
        try:
            entries = (await self.rows("sys_journal_field", query, fields, limit=_JOURNAL)).rows
        except DeliveryError as error:
            if error.reason not in _UNREADABLE:
                raise
            entries = []
        if not entries:
            return displayed_notes(shown(row, "work_notes"), shown(row, "comments"))
        notes = [
            RemoteNote(
                id=raw(entry, "sys_id"),
                actor=raw(entry, "sys_created_by"),
                text=raw(entry, "value"),
                at=moment(raw(entry, "sys_created_on")),
            )
            for entry in entries
            if raw(entry, "value")
        ]
        return tuple(sorted(notes, key=lambda note: note.at or datetime.min.replace(tzinfo=UTC)))


def raw(row: dict[str, Any], field: str) -> str:
    """A field as the database has it, in whichever form it was answered; empty when it is not there. Total."""
    value = row.get(field)
    if isinstance(value, dict):
        return word(value["value"]) if "value" in value else word(value.get("display_value"))
    return "true" if value is True else "false" if value is False else word(value)


def shown(row: dict[str, Any], field: str) -> str:
    """A field as people see it. Total."""
    value = row.get(field)
    return word(value.get("display_value")) if isinstance(value, dict) else word(value)


def quoted(text: str) -> str:
    """A value within an encoded query, where a caret begins the next condition."""
    return text.replace("^", "^^")


def journal_text(text: str) -> str:
    """A text for a journal, which shows what stands between [code] and [/code] as HTML: told, never interpreted."""
    return _CODE.sub(r"[ \1", text)


def displayed_notes(*journals: str) -> tuple[RemoteNote, ...]:
    """The entries of journals as people see them, oldest first; their times are in a zone and form nobody tells. Pure."""
    notes = []
    for journal in journals:
        heads = list(_ENTRY.finditer(journal))
        starts = [*(head.start() for head in heads), len(journal)]
        told = [(journal[head.end() : end].strip(), head) for head, end in zip(heads, starts[1:], strict=True)]
        notes += [RemoteNote(id=_key(head[0], text), actor=head[2], text=text) for text, head in reversed(told)]
        if journal and not heads:  # in a form that is not known: at least its marks are found
            notes.append(RemoteNote(id=_key("", journal), actor="", text=journal))
    return tuple(notes)


def _key(head: str, text: str) -> str:
    return hashlib.sha256(f"{head}\n{text}".encode()).hexdigest()[:32]


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """What an answer of ServiceNow means: its 403 may be about the record only, its 200 may hold an error. Pure."""
    error = refusal(answer, request, now)
    if error is None:
        return _inside(answer, request)
    if answer.status == HTTPStatus.NOT_FOUND and request.method == "GET" and _mentions(answer.body, _NONE):
        return None
    if answer.status == HTTPStatus.BAD_REQUEST and _mentions(answer.body, _NO_TABLE):
        why = f"{request.where}: 400 {excerpt(answer.body, request)!r}; correct the name of the table"
        return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)
    if answer.status == HTTPStatus.FORBIDDEN and _mentions(answer.body, _ABOUT_THE_RECORD):
        why = f"{request.where}: 403 {excerpt(answer.body, request)!r}; a rule of the instance refuses the ticket so"
        hint = "give the fields it wants in `fields`, or a `close_code` that it has (an unknown one counts as missing)"
        return DeliveryError(Reason.REFUSED, f"{why}: {hint}", retry=False)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS and error.after is None:
        error.after = _reset(answer.headers.get("X-RateLimit-Reset", ""), now)
    return error


def _inside(answer: Answer, request: Request) -> DeliveryError | None:
    if b'"error"' not in answer.body:
        return None
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # what it should have been is the caller's to miss
    if not isinstance(said, dict) or not said.get("error"):
        return None
    why = f"{request.where}: {answer.status}, but {excerpt(answer.body, request)!r}"
    if _mentions(answer.body, _PASSING):
        return DeliveryError(Reason.UNAVAILABLE, f"{why}; it will be tried again later", retry=True)
    return DeliveryError(Reason.REFUSED, f"{why}; correct what it names", retry=False)


def _mentions(body: bytes, words: Iterable[str]) -> bool:
    text = body[:10_000].decode("utf-8", "replace").lower()
    return any(one in text for one in words)


def _reset(told: str, now: datetime) -> timedelta | None:
    """How long until the hour's allowance begins anew (X-RateLimit-Reset, Unix time)."""
    at = moment(told)
    return None if at is None else min(max(at - now, timedelta(0)), LONGEST_AFTER)

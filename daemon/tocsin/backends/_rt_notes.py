"""What people write in a Request Tracker: transactions say who and when, their attachments what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import _rt_query
from tocsin.backends._http import decoded
from tocsin.backends._shape import at, objects

if TYPE_CHECKING:
    from tocsin.backends._api import Api
    from tocsin.model import RemoteNote

_LATEST = 20
"""So many are read one by one when all of them are more than an answer may hold."""
_WHICH = "ContentType,Filename,TransactionId"


async def notes(api: Api, number: str, name: str) -> tuple[RemoteNote, ...]:
    """What was written in a ticket after it was made, oldest first: the newest hundred. Raises DeliveryError."""
    path = f"transactions?{_rt_query.newest_first('Created')}"
    query = {"query": _rt_query.notes_of(number), **_rt_query.paged("Type,Creator,Created")}
    written = objects(await api.ask("GET", path, query=query), "items", name)
    if not written:
        return ()
    parts = await _parts(api, number, {at(one, "id") for one in written}, name)
    return tuple(_rt_query.note(one, parts.get(at(one, "id"))) for one in reversed(written))


async def _parts(api: Api, number: str, written: set[str], name: str) -> dict[str, dict[str, Any]]:
    path = f"ticket/{number}/attachments?orderby=id&order=DESC"
    answer, request = await api.answer("GET", path, query=_rt_query.paged(f"{_WHICH},Content"))
    if not answer.cut:
        return _rt_query.parts(objects(decoded(answer, request), "items", name))
    parts = _rt_query.parts(objects(await api.ask("GET", path, query=_rt_query.paged(_WHICH)), "items", name))
    latest = [key for key in parts if key in written][:_LATEST]
    return {key: {**parts[key], "Content": await _text(api, at(parts[key], "id"))} for key in latest}


async def _text(api: Api, attachment: str) -> str:
    answer, request = await api.answer("GET", f"attachment/{attachment}")
    return "…" if answer.cut else _rt_query.unpacked(decoded(answer, request))

"""What operators ask of the running service: reload, decide again, work on a desk ticket.

Answers this machine only, or whoever has the admin token where the settings name one. A browser is never let in: a
page from elsewhere could make it ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from tocsin import intake
from tocsin.model import TicketStatus
from tocsin.store.changes import How, Told
from tocsin.web.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from tocsin.desk import Desk
    from tocsin.store import Store, Transaction
    from tocsin.web.guard import Guard
    from tocsin.web.redeciding import Redone

_BODY = 64 * 1024


class Work(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person does to a desk ticket."""

    actor: str
    status: TicketStatus | None = None
    note: str = ""


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants the rules reloaded, and how they were changed."""

    who: Annotated[str, Meta(max_length=200)] = ""
    how: Literal["reload", "promote", "rollback"] = "reload"


_work = msgspec.json.Decoder(Work)
_asked = msgspec.json.Decoder(Asked | None)


class Admin:
    """The handlers under `/-/`."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        reload: Callable[[Told], Awaitable[str]],
        redecide: Callable[[], Awaitable[Redone]],
        guard: Guard,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._desk = desk
        self._reload = reload
        self._redecide = redecide
        self.guard = guard
        self._clock = clock

    @guarded
    async def reload(self, request: web.Request) -> web.StreamResponse:
        """200 when rules and fleet went live, 409 with all problems when they did not.

        The body may be JSON that says `who` wants it and `how`; both go into the history of the rules.
        """
        if request.content_length is not None and request.content_length > _BODY:
            return web.json_response({"error": f"send JSON of at most {_BODY} bytes"}, status=413)
        try:
            asked = _asked.decode(await request.read() or b"null") or Asked()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return web.json_response({"error": f"not readable: {error}"}, status=400)
        problem = await self._reload(Told(who=asked.who.strip(), how=How(asked.how)))
        if problem:
            return web.json_response({"status": "refused", "problem": problem}, status=409)
        return web.json_response({"status": "live"})

    @guarded
    async def redecide(self, _: web.Request) -> web.StreamResponse:
        """200 with how many there are of each outcome, after what fires without an incident was decided again."""
        done = await self._redecide()
        return web.json_response(msgspec.to_builtins(done))

    @guarded
    async def work(self, request: web.Request) -> web.StreamResponse:
        """200 with the ticket's status after a person took, changed or closed it, or wrote on it."""
        if request.content_length is None or request.content_length > _BODY:
            return web.json_response({"error": f"send JSON of at most {_BODY} bytes"}, status=413)
        try:
            work = _work.decode(await request.read())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return web.json_response({"error": f"not readable: {error}"}, status=400)
        number, now = request.match_info["number"], self._clock()
        status = await self._store.run(lambda tx: self._worked(tx, number, work, now))
        if status is None:
            return web.json_response({"error": f"the desk has no ticket {number}"}, status=404)
        return web.json_response({"number": number, "status": status})

    def _worked(self, tx: Transaction, number: str, work: Work, now: datetime) -> TicketStatus | None:
        ticket = self._desk.by_number(tx, number)
        if ticket is None:
            return None
        receipt = self._desk.work(tx, ticket, actor=work.actor, status=work.status, note=work.note, now=now)
        intake.seen(tx, number, work.actor, work.status, receipt, now)
        return receipt.status

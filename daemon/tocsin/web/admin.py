"""What operators ask of the running service: reload, send a dead delivery again, work on a desk ticket.

Answers this machine only, or whoever has the admin token where the settings name one. A browser is never let in: a
page from elsewhere could make it ask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from msgspec import Struct

from tocsin import intake
from tocsin.errors import StoreError
from tocsin.model import TicketStatus
from tocsin.store import deliveries
from tocsin.web import auth
from tocsin.web.hooks import RETRY_AFTER, is_local

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.desk import Desk
    from tocsin.store import Store, Transaction

_BODY = 64 * 1024


class Work(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person does to a desk ticket."""

    actor: str
    status: TicketStatus | None = None
    note: str = ""


_work = msgspec.json.Decoder(Work)


_Handler = Callable[["Admin", web.Request], Awaitable[web.StreamResponse]]


def _guarded(handler: _Handler) -> _Handler:
    """Not for strangers and browsers; and a store that cannot write is 503."""

    @wraps(handler)
    async def guarded(self: Admin, request: web.Request) -> web.StreamResponse:
        refused = self.refused(request)
        if refused:
            return refused
        try:
            return await handler(self, request)
        except StoreError as error:
            return web.json_response({"error": str(error)}, status=503, headers={"Retry-After": RETRY_AFTER})

    return guarded


class Admin:
    """The handlers under `/-/`."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        reload: Callable[[], Awaitable[str]],
        scheme: auth.Scheme,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._desk = desk
        self._reload = reload
        self._scheme = scheme
        self._clock = clock

    @_guarded
    async def reload(self, _: web.Request) -> web.StreamResponse:
        """200 when rules and fleet went live, 409 with all problems when they did not."""
        problem = await self._reload()
        if problem:
            return web.json_response({"status": "refused", "problem": problem}, status=409)
        return web.json_response({"status": "live"})

    @_guarded
    async def resend(self, request: web.Request) -> web.StreamResponse:
        """202 when the dead delivery will be tried again, 404 when there is no dead one of this number."""
        number, now = int(request.match_info["id"]), self._clock()
        if await self._store.run(lambda tx: deliveries.resend(tx, number, now)):
            return web.json_response({"status": "due"}, status=202)
        return web.json_response({"error": f"there is no dead delivery {number}"}, status=404)

    @_guarded
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

    def refused(self, request: web.Request) -> web.Response | None:
        """Why this caller may not, as the answer; None when it may."""
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
            return web.json_response({"error": "not from a browser"}, status=403)
        if isinstance(self._scheme, auth.Open):
            if is_local(request):
                return None
            text = "asked from elsewhere: set `admin.token_file` to allow that with a token"
            return web.json_response({"error": text}, status=403)
        if auth.allowed(self._scheme, request.headers, b"", self._clock()):
            return None
        return web.json_response({"error": "the admin token is missing or wrong"}, status=401)

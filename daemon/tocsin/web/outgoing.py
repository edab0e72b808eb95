"""What operators ask about telling the ticket systems: how each fares, try it again, and what becomes of dead deliveries.

Answers as `admin` does. Whatever changes something says who wants it and why, and the incident's history keeps that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from tocsin.store import dead
from tocsin.store.editing import EditError
from tocsin.web import body
from tocsin.web.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from tocsin.outbox import Outbox
    from tocsin.store import Store, Transaction
    from tocsin.web.guard import Guard

_log = structlog.get_logger("outgoing")

_LIMITS = body.Limits(received=256 * 1024, inflated=256 * 1024)
_NAME = Meta(min_length=1, max_length=200, pattern=r"\S")
_REASON = Meta(min_length=1, max_length=1000, pattern=r"\S")


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants it, and why."""

    actor: Annotated[str, _NAME]
    reason: Annotated[str, _REASON]

    @property
    def by(self) -> dead.By:
        """The same, as history writes it."""
        return dead.By(self.actor.strip(), self.reason.strip().rstrip("."))


class Edit(Asked, frozen=True, forbid_unknown_fields=True):
    """Who wants what changed, and why: field such as `name.en` → its new value."""

    changes: dict[str, Any]


_asked = msgspec.json.Decoder(Asked)
_edit = msgspec.json.Decoder(Edit)
_T = TypeVar("_T")


class Outgoing:
    """The handlers under `/-/backends` and `/-/deliveries`."""

    def __init__(
        self, store: Store, outbox: Outbox, backends: Collection[str], guard: Guard, clock: Callable[[], datetime]
    ) -> None:
        """`backends` are the names of all there are, the embedded ones included."""
        self._store = store
        self._outbox = outbox
        self._backends = backends
        self.guard = guard
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """The addresses, each with its handler."""
        delivery = r"/-/deliveries/{id:\d{1,18}}"
        return [
            web.get("/-/backends", self.backends),
            web.post("/-/backends/{name}/resume", self.resume),
            web.post(f"{delivery}/resend", self.resend),
            web.post(f"{delivery}/drop", self.drop),
            web.post(f"{delivery}/edit", self.edit),
        ]

    @guarded
    async def backends(self, _: web.Request) -> web.StreamResponse:
        """200 with how each backend that is told over the network fares."""
        return _json({"backends": self._outbox.standings()})

    @guarded
    async def resume(self, request: web.Request) -> web.StreamResponse:
        """200 when the backend is tried at once, whatever it waited for; 404 when there is none of this name."""
        return await self._answered(request, _asked, self._resume)

    @guarded
    async def resend(self, request: web.Request) -> web.StreamResponse:
        """202 when the dead delivery will be tried again, 200 when it is done already."""
        return await self._answered(request, _asked, self._resend)

    @guarded
    async def drop(self, request: web.Request) -> web.StreamResponse:
        """200 with the ids of all that went."""
        return await self._answered(request, _asked, self._drop)

    @guarded
    async def edit(self, request: web.Request) -> web.StreamResponse:
        """200 when the dead delivery says something else, or goes elsewhere; it is sent when it is resent."""
        return await self._answered(request, _edit, self._edit)

    async def _resume(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        name = request.match_info["name"]
        if not await self._outbox.resume(name):
            told = ", ".join(standing.backend for standing in self._outbox.standings())
            return _refused(
                404, f"there is no backend {name} that is told over the network; there is: {told or 'none'}"
            )
        by = asked.by
        _log.info("a backend is resumed", backend=name, actor=by.actor, reason=by.reason)
        return _json({"backend": name, "status": "resumed"})

    async def _resend(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        number, by, now = _number(request), asked.by, self._clock()
        sent, as_note = await self._done(lambda tx: dead.resend(tx, number, by, self._backends, now))
        due = sent.state == "pending"
        return _json({"id": number, "status": "due" if due else sent.state, "as_note": as_note}, 202 if due else 200)

    async def _drop(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        number, by, now = _number(request), asked.by, self._clock()
        gone = await self._done(lambda tx: dead.drop(tx, number, by, now))
        return _json({"id": number, "status": "dropped", "dropped": gone})

    async def _edit(self, request: web.Request, asked: Edit) -> web.StreamResponse:
        number, by, now = _number(request), asked.by, self._clock()
        edited = await self._done(lambda tx: dead.edit(tx, number, asked.changes, by, self._backends, now))
        return _json({"id": number, "status": edited.state, "backend": edited.backend, "body": edited.body})

    async def _done(self, change: Callable[[Transaction], _T]) -> _T:
        done = await self._store.run(change)
        self._outbox.revised()
        return done

    async def _answered(self, request: web.Request, decoder: msgspec.json.Decoder[Any], do: Any) -> web.StreamResponse:
        try:
            asked = decoder.decode((await body.read(request, _LIMITS)).inflated)
            return await do(request, asked)  # type: ignore[no-any-return]
        except body.Refused as error:
            return _refused(error.status, error.text)
        except msgspec.ValidationError as error:
            return _refused(422, f"not valid: {error}; send JSON with actor and reason")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _refused(400, f"not readable: {error}; send JSON with actor and reason")
        except EditError as error:
            return _refused(422, str(error))
        except dead.NoSuchDeliveryError as error:
            return _refused(404, str(error))
        except dead.NotPossibleError as error:
            return _refused(409, str(error))


def _number(request: web.Request) -> int:
    return int(request.match_info["id"])


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _refused(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)

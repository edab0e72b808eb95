"""The desk for other programs on the web server: each path once, guarded, its methods told apart, its errors the standard's.

Knows aiohttp; what is done is the handlers' business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from tocsin.errors import StoreError
from tocsin.model import LANGUAGES
from tocsin.web import body
from tocsin.web.api.problem import Refused as Busy
from tocsin.web.tmf621 import asking, listeners, openapi, reading, writing
from tocsin.web.tmf621.answers import Code, Refused, busy, missing
from tocsin.web.tmf621.service import FACES, PLAIN, Answer, Face, Service, encode
from tocsin.web.tmf621.terms import BASE

if TYPE_CHECKING:
    from tocsin.web.guard import Guard

LIMITS = body.Limits(received=10 * 1024 * 1024, inflated=10 * 1024 * 1024)
"""A file of the largest size fits in, in base64."""

_SMALL = 64 * 1024
_Read = TypeVar("_Read")
_Handler = Callable[[web.Request], Awaitable[Answer]]


def routes(service: Service, guard: Guard) -> list[web.RouteDef]:
    """Everything below `/tmf-api/troubleTicket`."""
    mounted = [route for face in FACES for route in _Mounted(service, face, guard).routes()]
    nowhere = _Path(guard, FACES[-1], {}, everything=True)
    return [*mounted, web.route("*", BASE + r"{tail:(?:/[\s\S]*)?}", nowhere.answer)]


class _Mounted:
    """One version's handlers."""

    def __init__(self, service: Service, face: Face, guard: Guard) -> None:
        self._service = service
        self._face = face
        self._guard = guard
        self._described = encode(openapi.document(face))

    def routes(self) -> list[web.RouteDef]:
        """Its paths; the last one takes all that is left."""
        base = f"{BASE}/{self._face.name}"
        hub: dict[str, _Handler] = {"DELETE": self._unsubscribe}
        if self._face.typed:
            hub["GET"] = self._subscription
        paths: dict[str, Mapping[str, _Handler]] = {
            "/openapi.json": {"GET": self._describe},
            "/troubleTicket": {"GET": self._page, "POST": self._declare},
            "/troubleTicket/{id}": {"GET": self._one, "PATCH": self._patch},
            "/hub": {"POST": self._subscribe},
            "/hub/{id}": hub,
        }
        if self._face.typed:
            nothing = dict.fromkeys(_METHODS, self._specification)
            paths |= {"/troubleTicketSpecification": nothing, "/troubleTicketSpecification/{id}": nothing}
        mounted = [
            web.route("*", base + path, _Path(self._guard, self._face, methods).answer)
            for path, methods in paths.items()
        ]
        rest = _Path(self._guard, self._face, {}, everything=True)
        return [*mounted, web.route("*", base + r"{tail:/[\s\S]*}", rest.answer)]

    async def _describe(self, _: web.Request) -> Answer:
        return Answer(200, self._described, {})

    async def _page(self, request: web.Request) -> Answer:
        given = list(request.query.items())
        return await self._service.turns.run(reading.page, self._service, self._face, language(request), given)

    async def _one(self, request: web.Request) -> Answer:
        given, number = list(request.query.items()), request.match_info["id"]
        return await self._service.turns.run(reading.one, self._service, self._face, language(request), number, given)

    async def _declare(self, request: web.Request) -> Answer:
        fields = self._fields(request)
        sent = await _body(request, (PLAIN,), self._service)
        wanted = await _aside(self._service, sent, writing.new, self._service, self._face, sent)
        return await writing.declare(self._service, self._face, language(request), wanted, fields)

    async def _patch(self, request: web.Request) -> Answer:
        fields, number = self._fields(request), request.match_info["id"]
        sent = await _body(request, self._face.patches, self._service)
        media_type = request.content_type if "Content-Type" in request.headers else PLAIN
        given = (self._service, self._face, number, media_type, sent)
        patch = await _aside(self._service, sent, writing.patch, *given)
        return await patch.apply(language(request), fields)

    async def _subscribe(self, request: web.Request) -> Answer:
        sent = await _body(request, (PLAIN,), self._service)
        return await listeners.subscribe(self._service, self._face, language(request), sent)

    async def _subscription(self, request: web.Request) -> Answer:
        return listeners.subscription(self._service, self._face, request.match_info["id"])

    async def _unsubscribe(self, request: web.Request) -> Answer:
        return await listeners.unsubscribe(self._service, self._face, request.match_info["id"])

    async def _specification(self, _: web.Request) -> Answer:
        raise Refused(501, Code.NOT_SUPPORTED, "the desk has no specifications of tickets")

    def _fields(self, request: web.Request) -> tuple[str, ...]:
        """What is wanted of the ticket in the answer: version 5 lets a writer say so."""
        known = self._face.attributes if self._face.typed else ()
        return asking.fields(request.query.items(), known)


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")
_RECORD = "; a ticket is a record and is not deleted: to withdraw it, send PATCH with status cancelled"


class _Path:
    """One path: who may, which method is meant, and what is answered when it cannot be done."""

    def __init__(self, guard: Guard, face: Face, methods: Mapping[str, _Handler], *, everything: bool = False) -> None:
        self._guard = guard
        self._face = face
        self._methods = methods
        self._everything = everything
        self._allow = ", ".join(sorted({*methods, *({"HEAD"} if "GET" in methods else ())}))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; whatever is wrong is the standard's error."""
        try:
            return self._told(await self._answered(request))
        except Refused as refused:
            return self._refusal(refused)
        except body.Refused as refused:
            text = refused.text.removesuffix(": send smaller batches")
            return self._refusal(Refused(refused.status, _CODES[refused.status], text))
        except (StoreError, Busy) as error:
            return self._refusal(busy(str(error)))

    async def _answered(self, request: web.Request) -> Answer:
        refused = self._guard.refused(request)
        if refused:
            code = Code.UNAUTHORIZED if refused.status == 401 else Code.FORBIDDEN  # noqa: PLR2004
            challenge = {"WWW-Authenticate": "Bearer"} if code == Code.UNAUTHORIZED else {}
            raise Refused(refused.status, code, refused.text, challenge)
        if self._everything:
            raise missing(f"there is no {request.path[:200]}; {BASE}/{self._face.name}/openapi.json says what there is")
        handler = self._methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            why = _RECORD if request.method == "DELETE" and "PATCH" in self._methods else ""
            text = f"{request.method[:20]} is not possible here: {self._allow}{why}"
            raise Refused(405, Code.NOT_ALLOWED, text, {"Allow": self._allow})
        if not acceptable(request.headers.getall("Accept", [])):
            raise Refused(406, Code.NOT_ACCEPTABLE, "there is application/json only: accept that")
        return await handler(request)

    def _told(self, answer: Answer) -> web.Response:
        if answer.body is None:
            return web.Response(status=answer.status, headers=answer.headers)
        told = answer.body if isinstance(answer.body, bytes) else encode(answer.body)
        headers = {**answer.headers, "Content-Type": self._face.media_type}
        return web.Response(body=told, status=answer.status, headers=headers)

    def _refusal(self, refused: Refused) -> web.Response:
        told = encode(refused.document(typed=self._face.typed))
        headers = {**refused.headers, "Content-Type": self._face.media_type}
        return web.Response(body=told, status=refused.status, headers=headers)


_CODES = {400: Code.BAD_JSON, 408: Code.TIMEOUT, 413: Code.TOO_LARGE, 415: Code.MEDIA_TYPE}


async def _body(request: web.Request, media_types: tuple[str, ...], service: Service) -> bytes:
    """The body, inflated, of one of these types; a store that is full is asked to take nothing."""
    if service.store.full:
        raise busy("too much is waiting to be stored")
    if "Content-Type" in request.headers and request.content_type not in media_types:
        accepted = ", ".join(media_types)
        header = "Accept-Patch" if request.method == "PATCH" else "Accept-Post"
        text = f"content type {request.content_type[:100]}: send {accepted}"
        raise Refused(415, Code.MEDIA_TYPE, text, {header: accepted})
    received = await body.read(request, LIMITS)
    return await service.turns.run(lambda: received.inflated) if received.encoding else received.raw


async def _aside(service: Service, sent: bytes, read: Callable[..., _Read], *given: Any) -> _Read:
    """What reading a body comes to: a large one is read in a thread, so that nothing that comes in waits for it."""
    return read(*given) if len(sent) <= _SMALL else await service.turns.run(read, *given)


def language(request: web.Request) -> str:
    """The language that a client would rather read, of those that there are; the first when it does not say."""
    ranked = []
    for position, part in enumerate(request.headers.get("Accept-Language", "").split(",")):
        tag, _, quality = part.partition(";")
        word = tag.strip().lower().partition("-")[0]
        if word in LANGUAGES and _quality(quality) > 0:
            ranked.append((-_quality(quality), position, word))
    return min(ranked)[2] if ranked else LANGUAGES[0]


def acceptable(accepted: list[str]) -> bool:
    """Whether a client that accepts this takes JSON: nothing said is everything."""
    parts = [part.partition(";") for line in accepted for part in line.split(",")]
    ranges = {kind.strip().lower() for kind, _, quality in parts if _quality(quality) > 0}
    return not accepted or bool(ranges & {PLAIN, "application/*", "*/*"})


def _quality(parameters: str) -> float:
    """What a client thinks of something: `q` of its parameters, 1 when it does not say."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0

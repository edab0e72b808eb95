"""The way in over HTTP: one message in, one answer out, and nothing answered 2xx that is not committed.

Each configured source is one `Hook`, at `/hooks/{name}` and at its platform's own paths. Order matters: who sends, how
much, what, and only then the road. Overload and store trouble are 503 with `Retry-After`, the one answer that every
platform takes as "send it again".
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiohttp import web

from tocsin import taking
from tocsin.errors import PayloadError, StoreError
from tocsin.model import Unreadable
from tocsin.sources import Answer, NotJsonError, Route, Visit
from tocsin.web import auth, body, requests
from tocsin.web.certificates import UnprovenError
from tocsin.web.visits import ForbiddenError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from tocsin.hearing import Hearing
    from tocsin.metrics import Metrics
    from tocsin.model import Alert, Payload
    from tocsin.store import Store
    from tocsin.taking import Taking
    from tocsin.web.certificates import Certificates
    from tocsin.web.visits import Visits

_log = structlog.get_logger("hooks")
_encode = msgspec.json.Encoder().encode

RETRY_AFTER = "5"
"""Seconds a sender is asked to wait when the queue is full or the store is down."""

ANY = "*/*"
"""A kind with this media type reads whatever comes."""

FATES = "application/vnd.tocsin.fates+json"
"""Who accepts this is told what became of each alert, also where the platform's own clients are told something else."""

_FROM_ELSEWHERE = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Origin")
"""Headers of a proxy that speaks for somebody else, or of a browser that a page made ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(taking.Source):
    """One supervision platform as configured, that sends by HTTP."""

    scheme: auth.Scheme
    anywhere: bool = False
    """An open source answers callers that are not on this machine, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What every hook shares."""

    store: Store
    taking: Taking
    hearing: Hearing
    visits: Visits
    certificates: Certificates
    limits: body.Limits
    clock: Callable[[], datetime]
    metrics: Metrics


class Hook:
    """One source's handler."""

    def __init__(self, source: Source, door: Door) -> None:
        self._source = source
        self._door = door
        self._open = isinstance(source.scheme, auth.Open)
        self._looks_inside = auth.needs_body(source.scheme)
        self._types = source.kind.media_types
        self._any = ANY in self._types

    async def receive(self, request: web.Request, path: str = "") -> web.StreamResponse:
        """Answer one message, asked for at `path` of the kind's own, if at one.

        Never 5xx but for a full queue, a store that cannot write, or a certificate that cannot be fetched.
        """
        try:
            response = await self._receive(request, path)
        except body.Refused as refused:
            response = _error(refused.status, refused.text)
        except (StoreError, UnreachableError) as error:
            response = _busy(str(error))
        self._door.metrics.answered(self._source.name, response.status)
        return response

    async def _receive(self, request: web.Request, path: str) -> web.Response:
        door, source = self._door, self._source
        if self._open and not source.anywhere and not is_local(request):
            return _error(403, f"source {source.name} is open, so it answers this machine only; give it credentials")
        if door.store.full:
            return _busy("too much is waiting to be stored")
        payload = await self._payload(request, path)
        if payload is None:
            return _unauthorized(source.name)
        now = door.clock()
        if request.method == "OPTIONS":
            return await self._greet(payload) or _error(403, "this is no handshake that the source answers")
        if isinstance(source.scheme, auth.Certificate) and not await self._is_genuine(payload, source.scheme):
            return _unauthorized(source.name)
        door.hearing.spoke(source.name, now)
        fates_wanted = request.headers.get("Accept") == FATES
        return await self._greet(payload) or await self._take(payload, now, fates_wanted=fates_wanted)

    async def _payload(self, request: web.Request, path: str) -> Payload | None:
        """The body within the limits, from a sender that may send; None when it may not."""
        source, now = self._source, self._door.clock()
        said = requests.given(request)
        shaking = (
            request.method == "OPTIONS"
        )  # a handshake asks whether we want messages: it brings none, and no secret
        if not (self._looks_inside or shaking) and not auth.allowed(source.scheme, request.headers, b"", now, said):
            return None
        content_type = requests.media_type(request)
        if not self._any and request.can_read_body and content_type not in self._types:
            expected = ", ".join(sorted(self._types))
            raise body.Refused(415, f"content type {content_type}: source {source.name} reads {expected}")
        received = await body.read(request, self._door.limits)
        if self._looks_inside and not shaking:
            proving = received.inflated if isinstance(source.scheme, auth.Field) else received.raw
            if not auth.allowed(source.scheme, request.headers, proving, self._door.clock(), said):
                return None
        told = requests.without_token(received.inflated, source.scheme)
        said = requests.without_proof(said, source.scheme)
        return requests.payload(request, source.kind, path, source=source.name, said=said, body=told)

    async def _is_genuine(self, payload: Payload, scheme: auth.Certificate) -> bool:
        """Whether a message that carries its own signature is who it says."""
        if self._source.kind.prove is None:
            return False
        try:
            await self._door.certificates.verify(self._source.kind.prove(payload), scheme)
        except (UnprovenError, PayloadError) as error:
            _log.warning("a message is not genuine", source=self._source.name, reason=str(error))
            return False
        return True

    async def _greet(self, payload: Payload) -> web.Response | None:
        """The answer to a handshake; None for any other message."""
        kind = self._source.kind
        greeting = kind.greet(payload, self._source.options) if kind.greet else None
        if isinstance(greeting, Visit):
            return await self._visit(greeting)
        return _response(greeting) if greeting else None

    async def _visit(self, visit: Visit) -> web.Response:
        """Confirm a subscription, at a host that may be visited."""
        source, scheme = self._source, self._source.scheme
        hosts = scheme.hosts if isinstance(scheme, auth.Certificate) else source.kind.hosts
        try:
            await self._door.visits.get(visit.url, hosts)
        except ForbiddenError as error:
            _log.warning("a subscription is not confirmed", source=source.name, reason=str(error))
            return _error(403, f"the subscription is not confirmed: {error}")
        _log.info("subscription confirmed", source=source.name)
        return _response(Answer(body=b'{"confirmed":true}'))

    async def _take(self, payload: Payload, now: datetime, *, fates_wanted: bool) -> web.Response:
        source = self._source
        try:
            entries = source.kind.parse(payload, source.options, now)
        except NotJsonError as error:
            return _error(400, str(error))
        except PayloadError as error:
            return await self._unreadable(payload, str(error), now)
        if entries and all(isinstance(entry, Unreadable) for entry in entries):
            return await self._unreadable(payload, _problems(entries), now)
        fates = await self._door.taking.take(source, payload, entries, now)
        own = source.kind.answer(payload, entries) if source.kind.answer and not fates_wanted else None
        if own:
            return _response(own)
        return web.Response(body=_encode({"alerts": fates}), status=source.kind.status, content_type="application/json")

    async def _unreadable(self, payload: Payload, reason: str, now: datetime) -> web.Response:
        """Keep it, so that it can be read again after a correction, and say what is missing."""
        await self._door.taking.reject(payload, reason, now)
        kind = self._source.kind
        return _response(kind.refuse(payload, reason)) if kind.refuse else _error(kind.refusal, reason)


def is_local(request: web.Request) -> bool:
    """Whether the caller is on this machine, and no proxy or browser on it that asks for somebody else."""
    headers = request.headers
    if headers.get("Sec-Fetch-Site", "none") != "none":
        return False
    return _is_loopback(request.remote or "") and not any(header in headers for header in _FROM_ELSEWHERE)


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _problems(entries: Sequence[Alert | Unreadable]) -> str:
    told = [f"entry {entry.position}: {entry.problem}" for entry in entries if isinstance(entry, Unreadable)]
    more = f" (and {len(told) - 5} more)" if len(told) > 5 else ""  # noqa: PLR2004 - enough to see what is wrong
    return "; ".join(told[:5]) + more


def _response(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body, status=answer.status, content_type=answer.media_type, headers=answer.headers or None
    )


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


def _unauthorized(source: str) -> web.Response:
    text = f"source {source} does not accept these credentials; see `sources.{source}.auth` in the settings"
    return web.json_response({"error": text}, status=401)


def _busy(text: str) -> web.Response:
    return web.json_response({"error": text}, status=503, headers={"Retry-After": RETRY_AFTER})


async def unknown(request: web.Request) -> web.StreamResponse:
    """There is no such source."""
    name = request.match_info.get("source", "")
    return _error(404, f"no source is called {name!r}; the settings name them under `sources`")


def routes(sources: Iterable[Source], door: Door) -> Iterator[web.RouteDef]:
    """Each source at its own address; the first of a kind also at that platform's own paths."""
    taken: set[Route] = set()
    for source in sources:
        hook = Hook(source, door)
        yield web.post(f"/hooks/{source.name}", hook.receive)
        for route in source.kind.routes:
            own = "" if route.path == "/" else route.path
            handler = partial(hook.receive, path=own)
            yield web.route(route.method, f"/hooks/{source.name}{own}", handler)
            if own and route not in taken and not own.startswith("/{"):  # what may be any path is nobody's own
                taken.add(route)
                yield web.route(route.method, own, handler)
    yield web.post("/hooks/{source}", unknown)

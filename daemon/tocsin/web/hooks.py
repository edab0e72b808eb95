"""The way in: one alert message in, one answer out, and nothing answered 2xx that is not committed.

Each configured source is one `Hook`, at `/hooks/{name}` and at its platform's own paths. Order matters: who sends, how
much, what, and only then the road. Overload and store trouble are 503 with `Retry-After`, the one answer that every
platform takes as "send it again".
"""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiohttp import web

from tocsin import intake
from tocsin.errors import PayloadError, StoreError
from tocsin.model import Alert, Payload, Unreadable
from tocsin.sources import NotJsonError
from tocsin.store import keep
from tocsin.web import auth, body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from pydantic import BaseModel

    from tocsin.metrics import Metrics
    from tocsin.sources import Kind, Route
    from tocsin.store import Store

_log = structlog.get_logger("hooks")
_encode = msgspec.json.Encoder().encode

_Work = partial[list[intake.Fate]]

RETRY_AFTER = "5"
"""Seconds a sender is asked to wait when the queue is full or the store is down."""

_FROM_ELSEWHERE = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Origin")
"""Headers of a proxy that speaks for somebody else, or of a browser that a page made ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One supervision platform as configured."""

    name: str
    kind: Kind
    options: BaseModel
    scheme: auth.Scheme
    declarant: str = "Supervision"
    backend: str = ""
    anywhere: bool = False
    """An open source answers callers that are not on this machine, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What every hook shares."""

    store: Store
    limits: body.Limits
    mint: Callable[[datetime], str]
    rulebook: Callable[[], intake.Rulebook]
    clock: Callable[[], datetime]
    metrics: Metrics


class Hook:
    """One source's handler."""

    def __init__(self, source: Source, door: Door) -> None:
        self._source = source
        self._door = door
        self._open = isinstance(source.scheme, auth.Open)
        self._signed = auth.needs_body(source.scheme)
        self._types = source.kind.media_types

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Answer one message; never 5xx but for a full queue or a store that cannot write."""
        try:
            response = await self._receive(request)
        except body.Refused as refused:
            response = _error(refused.status, refused.text)
        self._door.metrics.answered(self._source.name, response.status)
        return response

    async def _receive(self, request: web.Request) -> web.Response:
        door, source = self._door, self._source
        if self._open and not source.anywhere and not is_local(request):
            return _error(403, f"source {source.name} is open, so it answers this machine only; give it credentials")
        if door.store.full:
            return _busy("too much is waiting to be stored")
        payload = await self._payload(request)
        if payload is None:
            return _unauthorized(source.name)
        now = door.clock()
        try:
            alerts = source.kind.parse(payload, source.options, now)
        except NotJsonError as error:
            return _error(400, str(error))
        except PayloadError as error:
            return await self._unreadable(payload, str(error), now)
        if alerts and all(isinstance(alert, Unreadable) for alert in alerts):
            return await self._unreadable(payload, _problems(alerts), now)
        return await self._take(payload, alerts, now)

    async def _payload(self, request: web.Request) -> Payload | None:
        """The body within the limits, from a sender that may send; None when it may not."""
        source = self._source
        headers = request.headers
        if not self._signed and not auth.allowed(source.scheme, headers, b"", self._door.clock()):
            return None
        content_type = request.content_type if "Content-Type" in headers else "application/json"
        if content_type not in self._types:
            expected = ", ".join(sorted(self._types))
            raise body.Refused(415, f"content type {content_type}: source {source.name} reads {expected}")
        received = await body.read(request, self._door.limits)
        if self._signed and not auth.allowed(source.scheme, headers, received.raw, self._door.clock()):
            return None
        return Payload(body=received.inflated, content_type=content_type, source=source.name)

    async def _unreadable(self, payload: Payload, reason: str, now: datetime) -> web.Response:
        """Keep it, so that it can be read again after a correction, and say what is missing."""
        _log.warning("rejected", source=payload.source, reason=reason)
        self._door.metrics.taken(payload.source, ("rejected",))
        try:
            await self._door.store.run(lambda tx: keep.reject(tx, payload, reason, now))
        except StoreError as error:
            return _busy(str(error))
        return _error(422, reason)

    async def _take(self, payload: Payload, alerts: Sequence[Alert | Unreadable], now: datetime) -> web.Response:
        door, source = self._door, self._source
        taking = intake.Intake(
            rulebook=door.rulebook(),
            mint=door.mint,
            declarant=source.declarant,
            backend=source.backend,
            hear=door.metrics.compared,
        )
        work = partial(intake.take, payload=payload, alerts=alerts, intake=taking, now=now)
        try:
            fates = await self._fates(work, payload, alerts, now)
        except StoreError as error:
            return _busy(str(error))
        self._tell(fates)
        return web.Response(body=_encode({"alerts": fates}), status=source.kind.status, content_type="application/json")

    async def _fates(
        self, work: _Work, payload: Payload, alerts: Sequence[Alert | Unreadable], now: datetime
    ) -> list[intake.Fate]:
        """What became of each alert. A fault of our own with one of them loses neither it nor the others."""
        fates = await self._tried(work, len(alerts))
        if not isinstance(fates, Exception):
            return fates
        _log.error("alerts could not be taken in, trying them one by one", source=payload.source, exc_info=fates)
        return [await self._fate(partial(work, alerts=[alert]), payload, now) for alert in alerts]

    async def _fate(self, work: _Work, payload: Payload, now: datetime) -> intake.Fate:
        fates = await self._tried(work, 1)
        if not isinstance(fates, Exception):
            return fates[0]
        reason = f"a fault in tocsin: {type(fates).__name__}: {fates}"
        await self._door.store.run(lambda tx: keep.reject(tx, payload, reason, now))
        return intake.Fate(outcome="rejected", reason=reason)

    async def _tried(self, work: _Work, weight: int) -> list[intake.Fate] | Exception:
        try:
            return await self._door.store.run(work, weight or 1)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - broad: what we did wrong, the sender must not pay for
            return error

    def _tell(self, fates: Sequence[intake.Fate]) -> None:
        metrics, source = self._door.metrics, self._source.name
        metrics.taken(source, [fate.outcome for fate in fates])
        decided = [fate for fate in fates if fate.rule]
        if not decided:
            return
        metrics.decided([(fate.rule, fate.outcome) for fate in decided])
        metrics.ticketed_at_once(sum(fate.outcome == "opened" and bool(fate.ticket) for fate in decided))
        if not _log.is_enabled_for(logging.INFO):
            return
        for fate in decided:
            _log.info(
                "decision",
                source=source,
                fingerprint=fate.fingerprint,
                rule=fate.rule,
                outcome=fate.outcome,
                incident=fate.incident,
                ticket=fate.ticket,
                reason=fate.reason,
            )


def is_local(request: web.Request) -> bool:
    """Whether the caller is on this machine, and no proxy or browser on it that asks for somebody else."""
    headers = request.headers
    return _is_loopback(request.remote or "") and not any(header in headers for header in _FROM_ELSEWHERE)


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _problems(alerts: Sequence[Alert | Unreadable]) -> str:
    told = [f"entry {alert.position}: {alert.problem}" for alert in alerts if isinstance(alert, Unreadable)]
    more = f" (and {len(told) - 5} more)" if len(told) > 5 else ""  # noqa: PLR2004 - enough to see what is wrong
    return "; ".join(told[:5]) + more


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
        hook = Hook(source, door).receive
        yield web.post(f"/hooks/{source.name}", hook)
        for route in source.kind.routes:
            own = "" if route.path == "/" else route.path
            yield web.route(route.method, f"/hooks/{source.name}{own}", hook)
            if own and route not in taken:
                taken.add(route)
                yield web.route(route.method, own, hook)
    yield web.post("/hooks/{source}", unknown)

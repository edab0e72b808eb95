"""A ticket server to be scripted: the one core behind a face per kind, well behaved or misbehaving on command.

A face answers as the real system does and keeps the tickets in that system's own words; the core decides what becomes
of each request, and writes down every one. It imports nothing of tocsin, so that both cannot be wrong in the same way.
"""

from __future__ import annotations

import asyncio
import json
import random
from abc import ABC, abstractmethod
from collections import Counter, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
RETRY_AFTER = 7


class Does(StrEnum):
    """What a request is for: scripts may speak of one of these only."""

    LOGIN = "login"
    CREATE = "create"
    SEARCH = "search"
    READ = "read"
    CHANGE = "change"  # fields, status, notes: everything that alters a ticket
    ATTACH = "attach"
    LIST = "list"  # what changed since
    CHECK = "check"  # choices, who am I


class Behaviour(StrEnum):
    """What becomes of one request."""

    OK = "ok"  # done, answered
    LATE = "late"  # done at once, answered after the delay
    SLOW = "slow"  # done only after the delay: who gives up before that cannot find it by looking
    FAILED = "failed"  # done, yet answered 500
    LOST = "lost"  # done, then hangs up without an answer
    HALF = "half"  # done, then hangs up in the middle of the answer
    GARBAGE = "garbage"  # done, then answered 200 with a page of HTML
    WRONG = "wrong"  # done, then answered with JSON of another shape
    EMPTY = "empty"  # done, then answered 200 with nothing
    MALFORMED = "malformed"  # done, then answered something that is not HTTP
    GIANT = "giant"  # done, then answered with far more JSON than anybody wants
    BUSY = "busy"  # 503 with Retry-After, not done; so are those below
    DATED = "dated"  # 503 with Retry-After as a date
    LIMITED = "limited"  # the system's own way to say "too many"
    DROPPED = "dropped"  # hangs up
    REDIRECT = "redirect"  # 302 to a login page
    REFUSED = "refused"  # the system's own way to say that a field is wrong
    INSIDE = "inside"  # the system's own error inside of a success; as `refused` where it has none
    UNAUTHORIZED = "unauthorized"  # its way to say that the login is not (or no longer) good; repeats the credentials
    FORBIDDEN = "forbidden"  # its way to say that this login may not do this
    DOWN = "down"  # 502 of a proxy with a page of HTML


DONE = tuple(Behaviour)[: tuple(Behaviour).index(Behaviour.BUSY)]
"""After these the ticket server has done what it was asked."""
DOUBTFUL = tuple(behaviour for behaviour in DONE if behaviour not in (Behaviour.OK, Behaviour.LATE))
"""After these nobody who asked can know that it was done."""


class Plan:
    """What the next request meets: a script for its purpose first, then dice that fall the same for one seed."""

    def __init__(self, faults: Mapping[str, float] | None = None, seed: int = 0) -> None:
        self.scripts: dict[Does, deque[Behaviour]] = {}
        self.faults = {Behaviour(name): weight for name, weight in (faults or {"ok": 1}).items()}
        self._dice = random.Random(seed)
        self._after: tuple[int, Behaviour] | None = None

    def script(self, does: Does, *behaviours: str) -> None:
        """The next requests of this purpose meet these, in order."""
        self.scripts.setdefault(does, deque()).extend(Behaviour(one) for one in behaviours)

    def after(self, good: int, behaviour: str) -> None:
        """So many requests go well, whatever they are for; the next one meets this."""
        self._after = (good, Behaviour(behaviour))

    def next(self, does: Does) -> Behaviour:
        if self._after:
            good, behaviour = self._after
            self._after = (good - 1, behaviour) if good else None
            return Behaviour.OK if good else behaviour
        scripted = self.scripts.get(does)
        if scripted:
            return scripted.popleft()
        return self._dice.choices(list(self.faults), list(self.faults.values()))[0]


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


class Now(Clock):
    """The real time."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, and what it met."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    does: Does
    behaviour: Behaviour


@dataclass
class Truth:
    """A ticket as the server has it, in the words of the tests."""

    number: str
    reference: str
    status: str  # declared, in_progress, waiting, frozen, repaired, closed, cancelled
    title: str = ""
    text: str = ""
    impact: str = ""  # the system's own word or number
    element: str = ""  # where the system has a field for it
    notes: list[str] = field(default_factory=list)  # plain text, oldest first
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One address of the face; `does` may depend on the request."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    does: Does | Callable[[web.Request, bytes], Does]


class Face(ABC):
    """One kind of ticket system, as far as a client can tell. Keeps its tickets as the real one would."""

    KIND: ClassVar[str]
    CANNOT: ClassVar[frozenset[Behaviour]] = frozenset()
    """Behaviours that make no sense for this system."""
    OPTIONS: ClassVar[Mapping[str, Any]] = {}
    """Further options that tests of this kind are run with; `options` holds what is needed."""
    SECRETS: ClassVar[Mapping[str, bytes]] = {}
    """File name → secret, as the options name them."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The backend's options against this server; `self.server.url` tells where it is."""

    @abstractmethod
    def routes(self) -> list[Route]:
        """Every address of the real API that is served; anything else is the system's own 404."""

    @abstractmethod
    def tickets(self) -> list[Truth]:
        """All tickets, oldest first."""

    @abstractmethod
    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        """A person works on a ticket: its status in our words, a note, who takes it."""

    @abstractmethod
    def forget(self, number: str) -> None:
        """The ticket is deleted for good."""

    @abstractmethod
    def disown(self, number: str, reference: str) -> None:
        """The ticket carries another reference from now on, or none."""

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of the webhook that the system sends after this ticket changed."""
        raise NotImplementedError(f"{self.KIND} has no webhook")

    # --- how the system says no; overridden where it has its own words -------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return web.json_response({"error": "not found"}, status=404)

    def refused(self) -> web.StreamResponse:
        return web.json_response({"error": "a field is too long"}, status=422)

    def inside(self) -> web.StreamResponse:
        """The error inside of a 200, for systems that answer so."""
        return self.refused()

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        """Careless on purpose: it repeats what it was sent."""
        return web.json_response({"error": f"not known: {dict(request.headers)}"}, status=401)

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": f"forbidden: {dict(request.headers)}"}, status=403)

    def limited(self) -> web.StreamResponse:
        return web.json_response(
            {"error": "slow down"}, status=429, headers={"Retry-After": str(self.server.retry_after)}
        )

    def wrong(self) -> Any:
        """JSON of a shape that the API never answers."""
        return {"hello": "world"}


class Server:
    """The server of one face. `wait` is how it spends the delay of late and slow answers."""

    def __init__(
        self,
        face: type[Face],
        *,
        clock: Clock | None = None,
        delay: float = 0.6,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.clock = clock or Clock()
        self.plan = Plan()
        self.seen: list[Seen] = []
        self.met: Counter[str] = Counter()
        self.url = ""
        self.lag = timedelta(0)  # a search does not see tickets made less than this ago
        self.pending = False  # numbers come later: set `number_now` to let them come
        self.shuffled = False  # lists come in another order each time
        self.double = False  # a search tells each ticket twice
        self.retry_after = RETRY_AFTER  # seconds that busy answers ask for
        self.page = 0  # pages of lists are at most so long; 0 for the system's own size
        self.dice = random.Random(7)
        self._delay, self._wait = delay, wait
        self.face = face(self)

    def ordered(self, tickets: list[Any]) -> list[Any]:
        """The tickets in the order of the moment, for the lists of faces."""
        if self.shuffled:
            tickets = self.dice.sample(tickets, len(tickets))
        return [one for one in tickets for _ in range(2)] if self.double else tickets

    def visible(self, made_at: datetime) -> bool:
        """Whether a search finds what was made then."""
        return self.clock() - made_at >= self.lag

    def script(self, does: Does, *behaviours: str) -> None:
        self.plan.script(does, *behaviours)

    def asked(self, *does: Does) -> list[Seen]:
        """The requests for these purposes, or all."""
        return [seen for seen in self.seen if not does or seen.does in does]

    def transcript(self) -> list[dict[str, Any]]:
        """What was asked, as goldens keep it: without the address, and with what proves who asks struck out."""
        return [_told(seen, self.url, self.face.SECRETS.values()) for seen in self.seen]

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Server]:
        """Serve on a port of 127.0.0.1; `url` tells where."""
        app = web.Application(client_max_size=64 * 1024**2)
        for route in self.face.routes():
            app.router.add_route(route.method, route.path, self._handler(route))
        app.router.add_route("*", "/{anything:.*}", self._nowhere)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self._note(request, body, Does.CHECK, Behaviour.OK)
        return self.face.not_found()

    def _note(self, request: web.Request, body: bytes, does: Does, behaviour: Behaviour) -> None:
        self.met[behaviour] += 1
        self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), body, does, behaviour))

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            does = route.does if isinstance(route.does, Does) else route.does(request, body)
            behaviour = self.plan.next(does)
            if behaviour in self.face.CANNOT:
                behaviour = Behaviour.OK
            self._note(request, body, does, behaviour)
            return await self._meet(request, route, behaviour)

        return handle

    async def _meet(self, request: web.Request, route: Route, behaviour: Behaviour) -> web.StreamResponse:
        if behaviour not in DONE:
            return self._not_done(request, behaviour)
        if behaviour == Behaviour.SLOW:
            await self._wait(self._delay)
        answer = await route.handler(request)
        if behaviour == Behaviour.LATE:
            await self._wait(self._delay)
        return await self._done(request, answer, behaviour)

    def _not_done(self, request: web.Request, behaviour: Behaviour) -> web.StreamResponse:
        face = self.face
        match behaviour:
            case Behaviour.BUSY:
                return web.Response(status=503, text="busy", headers={"Retry-After": str(self.retry_after)})
            case Behaviour.DATED:
                at = self.clock() + timedelta(seconds=self.retry_after)
                return web.Response(status=503, headers={"Retry-After": f"{at:%a, %d %b %Y %H:%M:%S} GMT"})
            case Behaviour.LIMITED:
                return face.limited()
            case Behaviour.REDIRECT:
                return web.Response(status=302, headers={"Location": "/login?next=here"})
            case Behaviour.REFUSED:
                return face.refused()
            case Behaviour.INSIDE:
                return face.inside()
            case Behaviour.UNAUTHORIZED:
                return face.unauthorized(request)
            case Behaviour.FORBIDDEN:
                return face.forbidden(request)
            case Behaviour.DOWN:
                return web.Response(status=502, text="<html><h1>Bad Gateway</h1></html>", content_type="text/html")
        return _hang_up(request, b"")

    async def _done(self, request: web.Request, answer: web.StreamResponse, behaviour: Behaviour) -> web.StreamResponse:
        match behaviour:
            case Behaviour.FAILED:
                return web.json_response({"error": "internal error"}, status=500)
            case Behaviour.LOST:
                return _hang_up(request, b"")
            case Behaviour.HALF:
                return _hang_up(request, _half(answer))
            case Behaviour.GARBAGE:
                return web.Response(text="<html><body>Welcome</body></html>", content_type="text/html")
            case Behaviour.WRONG:
                return web.json_response(self.face.wrong())
            case Behaviour.EMPTY:
                return web.Response()
            case Behaviour.MALFORMED:
                return _hang_up(request, b"+OK ticket made\r\n")
            case Behaviour.GIANT:
                return web.json_response({"padding": "x" * 9_000_000})
        return answer


def _half(answer: web.StreamResponse) -> bytes:
    """The beginning of an answer that claims to be longer."""
    body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
    head = f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body) + 100}\r\n\r\n"
    return head.encode() + body[: len(body) // 2]


def _hang_up(request: web.Request, last_words: bytes) -> web.Response:
    transport = request.transport
    if transport is not None:
        transport.write(last_words)
        transport.close()
    return web.Response()  # aiohttp wants one; the connection it would go to is closed


_PLAIN = frozenset({"Host", "Content-Length", "Connection", "Accept-Encoding", "User-Agent"})


def _told(seen: Seen, url: str, secrets: Iterable[bytes]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "request": f"{seen.method} {seen.path}",
        "headers": {name: value for name, value in sorted(seen.headers.items()) if name not in _PLAIN},
    }
    if seen.body:
        told["body"] = _readable(seen)
    text = json.dumps(told).replace(url, "SERVER")
    for secret in secrets:
        text = text.replace(secret.decode().strip(), "***")
    struck = json.loads(text)
    if "Authorization" in struck["headers"]:
        struck["headers"]["Authorization"] = struck["headers"]["Authorization"].partition(" ")[0] + " ***"
    return struck


def _readable(seen: Seen) -> Any:
    kind = seen.headers.get("Content-Type", "")
    if "json" in kind:
        return json.loads(seen.body)
    return seen.body.decode("utf-8", "replace")

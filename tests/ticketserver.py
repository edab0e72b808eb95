"""A ticket system that misbehaves on purpose: a real HTTP server for contract, end-to-end and crash tests.

It keeps every ticket it is asked for and deliberately recognises neither references nor Idempotency-Keys, so that a
second create shows as a second ticket. It imports nothing of tocsin, so that both cannot be wrong in the same way.

    python tests/ticketserver.py --port 0 --state tickets.jsonl --seed 7 --faults ok=8,late=1,lost=1

prints its address as one JSON line and serves until SIGTERM. Over HTTP:

    POST /tickets                  create; answers 201 with the ticket
    POST /tickets/{number}         update, note, close, reopen; answers 200 with the ticket
    GET  /tickets?reference=R      the tickets with that reference, oldest first
    GET  /stats                    counts; `duplicates` must stay empty
    POST /plan                     {"script": ["lost", …]} or {"faults": {"ok": 8, "lost": 1}, "seed": 7}
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import signal
import sys
from collections import Counter, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping


class Behaviour(StrEnum):
    """What becomes of one request."""

    OK = "ok"  # done, answered
    LATE = "late"  # done at once, answered after the delay
    SLOW = "slow"  # done only after the delay: who gives up before that cannot find it by looking
    FAILED = "failed"  # done, yet answered 500
    LOST = "lost"  # done, then hangs up without an answer
    GARBAGE = "garbage"  # done, then answered 200 with a page of HTML
    MALFORMED = "malformed"  # done, then answered something that is not HTTP
    GIANT = "giant"  # done, then answered with far more JSON than anybody wants
    BUSY = "busy"  # 503 with Retry-After, not done; so are those below
    LIMITED = "limited"  # 429 with Retry-After
    DROPPED = "dropped"  # hangs up
    REDIRECT = "redirect"  # 307 to a place that must never be visited
    REFUSED = "refused"  # 400 with an explanation
    UNAUTHORIZED = "unauthorized"  # 401 that repeats the credentials it was sent
    NOT_FOUND = "not_found"  # 404


DONE = frozenset(list(Behaviour)[: list(Behaviour).index(Behaviour.BUSY)])
RETRY_AFTER = 7  # seconds that busy and limited ask for


class Plan:
    """What the next request meets: a script first, and when it is used up, dice that fall the same for one seed.

    Dice never answer `not_found` to a look-up: a server that denies the tickets it has cannot be dealt with.
    """

    def __init__(self, script: Iterable[str] = (), faults: Mapping[str, float] | None = None, seed: int = 0) -> None:
        self.script = deque(Behaviour(name) for name in script)
        self.faults = {Behaviour(name): weight for name, weight in (faults or {"ok": 1}).items()}
        self._dice = random.Random(seed)

    def next(self, *, lookup: bool) -> Behaviour:
        if self.script:
            return self.script.popleft()
        drawn = self._dice.choices(list(self.faults), list(self.faults.values()))[0]
        return Behaviour.OK if lookup and drawn == Behaviour.NOT_FOUND else drawn


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, and what it met."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    behaviour: Behaviour


@dataclass
class Desk:
    """The tickets, in memory and in an append-only file of JSON lines that survives a killed process."""

    state: Path | None = None
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state is None or not self.state.exists():
            return
        written = self.state.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]  # a killed process may tear its last line: nobody was answered
        self.state.write_bytes(whole)
        for line in whole.splitlines():
            self._apply(json.loads(line))

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        number = f"T{len(self.tickets) + 1:06}"
        return self._write({"number": number, "reference": body.get("reference", ""), "body": body})

    def change(self, number: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._write({"number": number, "change": body})

    def find(self, reference: str) -> list[dict[str, Any]]:
        return [ticket for ticket in self.tickets.values() if ticket["reference"] == reference]

    def creates(self) -> Counter[str]:
        return Counter(ticket["reference"] for ticket in self.tickets.values())

    def _write(self, entry: dict[str, Any]) -> dict[str, Any]:
        if self.state:
            with self.state.open("ab") as file:
                file.write(json.dumps(entry).encode() + b"\n")
        return self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> dict[str, Any]:
        number = entry["number"]
        told = entry.get("body") or entry.get("change") or {}
        if "reference" in entry:
            self.tickets[number] = {"number": number, "reference": entry["reference"], "changes": []}
        else:
            self.tickets[number]["changes"].append(told.get("action", ""))
        ticket = self.tickets[number]
        ticket["status"] = told.get("status", ticket.get("status", ""))
        ticket["told"] = told
        return ticket


class TicketServer:
    """The server; `secret` and `token`, when given, are demanded of every request. Times it takes are `delay` seconds."""

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        state: Path | None = None,
        secret: bytes = b"",
        token: str = "",
        delay: float = 0.5,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.plan = plan or Plan()
        self.desk = Desk(state)
        self.seen: list[Seen] = []
        self.met: Counter[str] = Counter()
        self.url = ""
        self._secret, self._token, self._delay, self._wait = secret, token, delay, wait

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/tickets", self._create)
        app.router.add_post("/tickets/{number}", self._change)
        app.router.add_get("/tickets", self._find)
        app.router.add_get("/stats", self._count)
        app.router.add_post("/plan", self._replan)
        return app

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        return await self._meet(request, body, lambda: self.desk.create(json.loads(body)), 201)

    async def _change(self, request: web.Request) -> web.StreamResponse:
        body, number = await request.read(), request.match_info["number"]
        if number not in self.desk.tickets:
            return _error(404, f"no ticket {number}")
        return await self._meet(request, body, lambda: self.desk.change(number, json.loads(body)), 200)

    async def _find(self, request: web.Request) -> web.StreamResponse:
        reference = request.query.get("reference", "")
        return await self._meet(request, b"", lambda: self.desk.find(reference), 200)

    def stats(self) -> dict[str, Any]:
        creates = self.desk.creates()
        return {
            "tickets": len(self.desk.tickets),
            "creates": dict(creates),
            "duplicates": {reference: count for reference, count in creates.items() if count > 1},
            "behaviours": dict(self.met),
        }

    async def _count(self, _: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _replan(self, request: web.Request) -> web.Response:
        self.plan = Plan(**await request.json())
        return web.json_response({})

    async def _meet(
        self, request: web.Request, body: bytes, do: Callable[[], object], status: int
    ) -> web.StreamResponse:
        behaviour = self.plan.next(lookup=request.method == "GET")
        self.met[behaviour] += 1
        self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), body, behaviour))
        if not self._welcome(request, body):
            return _error(401, "token or signature is wrong")
        if behaviour == Behaviour.SLOW:
            await self._wait(self._delay)
        result = do() if behaviour in DONE else None
        if behaviour == Behaviour.LATE:
            await self._wait(self._delay)
        return _answer(request, behaviour, result, status)

    def _welcome(self, request: web.Request, body: bytes) -> bool:
        timestamp = request.headers.get("X-Tocsin-Timestamp", "")
        expected = hmac.new(self._secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        signed = not self._secret or request.headers.get("X-Tocsin-Signature") == f"sha256={expected}"
        return signed and (not self._token or request.headers.get("Authorization") == f"Bearer {self._token}")

    @asynccontextmanager
    async def serving(self, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[TicketServer]:
        """Serve on a port of 127.0.0.1, 0 for any free one; `url` tells where."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
            self.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


_LATER = {"Retry-After": str(RETRY_AFTER)}
_ERRORS: dict[Behaviour, tuple[int, str, dict[str, str]]] = {
    Behaviour.BUSY: (503, "busy", _LATER),
    Behaviour.FAILED: (500, "internal error", {}),
    Behaviour.LIMITED: (429, "slow down", _LATER),
    Behaviour.REDIRECT: (307, "moved", {"Location": "/elsewhere?with=query"}),
    Behaviour.REFUSED: (400, "a field is too long", {}),
    Behaviour.NOT_FOUND: (404, "nothing here", {}),
}
_LAST_WORDS = {Behaviour.LOST: b"", Behaviour.DROPPED: b"", Behaviour.MALFORMED: b"+OK ticket made\r\n"}


def _answer(request: web.Request, behaviour: Behaviour, result: object, status: int) -> web.StreamResponse:
    if behaviour in _LAST_WORDS:
        return _hang_up(request, _LAST_WORDS[behaviour])
    if behaviour in _ERRORS:
        return _error(*_ERRORS[behaviour])
    if behaviour == Behaviour.UNAUTHORIZED:
        return _error(401, f"not known: {request.headers.get('Authorization', '')}")
    if behaviour == Behaviour.GARBAGE:
        return web.Response(text="<html><body>Welcome</body></html>", content_type="text/html")
    if behaviour == Behaviour.GIANT:
        return web.json_response({"number": "T000001", "padding": "x" * 9_000_000}, status=status)
    return web.json_response(result, status=status)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": message}, status=status, headers=headers)


def _hang_up(request: web.Request, last_words: bytes) -> web.Response:
    transport = request.transport
    if transport is not None:
        transport.write(last_words)
        transport.close()
    return web.Response()  # aiohttp wants one; the connection it would go to is closed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A ticket system that misbehaves on purpose.")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--state", type=Path, help="append every ticket to this file, and begin with what it holds")
    parser.add_argument("--seed", type=int, default=0, help="the dice fall the same for one seed")
    parser.add_argument("--faults", default="ok=1", help=f"weights, as ok=8,late=1; of {', '.join(Behaviour)}")
    parser.add_argument("--script", default="", help="behaviours of the first requests, as lost,ok")
    parser.add_argument("--delay", type=float, default=0.5, help="seconds that late and slow take")
    parser.add_argument("--secret-file", type=Path, help="demand signatures made with it")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    faults = {name: float(weight) for name, _, weight in (part.partition("=") for part in arguments.faults.split(","))}
    script = arguments.script.split(",") if arguments.script else ()
    secret = arguments.secret_file.read_bytes().rstrip(b"\r\n") if arguments.secret_file else b""
    plan = Plan(script, faults, arguments.seed)
    server = TicketServer(plan, state=arguments.state, secret=secret, delay=arguments.delay)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with server.serving(port=arguments.port):
        sys.stdout.write(json.dumps({"url": server.url}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))

"""What the conformance kit runs on: a backend of any kind beside the fake of its system, told as the outbox tells it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from deliveries import Pauses, delivery
from fakes.core import START, Face, Server
from tocsin.backends import Backend, Kind, Outside, build, hand_over, kinds, open_session
from tocsin.errors import DeliveryError
from tocsin.model import Delivery, Receipt, TicketStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tocsin.backends._can import Can

NOTE = {"en": "28 processes now.", "fr": "28 processus maintenant."}
REMOTE = [kind for kind in kinds().values() if not kind.embedded]
FACES = Path(__file__).parent / "fakes"
WAIT = timedelta(seconds=40)
"""What the outbox waits after an answer that never came, and some."""


def face(kind: Kind) -> type[Face]:
    """The fake of this kind's system."""
    assert has_face(kind), (
        f"kind {kind.name} needs a fake of its system, tests/fakes/{kind.name}.py: backends/README.md"
    )
    module = import_module(f"fakes.{kind.name}")
    return next(one for one in vars(module).values() if isinstance(one, type) and getattr(one, "KIND", "") == kind.name)


def has_face(kind: Kind) -> bool:
    return (FACES / f"{kind.name}.py").exists()


def server(kind: Kind, **how: Any) -> Server:
    """A server with this kind's face."""
    found = face(kind)
    return getattr(import_module(f"fakes.{kind.name}"), "SERVER", Server)(found, **how)


def all_kinds(*needs: Can, numbers_later: bool = False) -> pytest.MarkDecorator:
    """Run a test for every kind whose system can do all of this."""
    able = [kind for kind in REMOTE if not any(need in kind.lacks for need in needs)]
    if numbers_later:
        able = [kind for kind in able if has_face(kind) and getattr(face(kind), "NUMBERS_LATER", False)]
    return pytest.mark.parametrize("kind", able, ids=lambda kind: kind.name)


@dataclass
class World:
    """A backend, the server it speaks to, and everything that was said about it."""

    kind: Kind
    server: Server
    backend: Backend
    outside: Outside
    said: list[str] = field(default_factory=list)
    """Errors, receipts and remarks, as people would read them."""

    async def attempt(self, one: Delivery) -> Receipt | DeliveryError:
        """One attempt, as the outbox makes it: what it ended with."""
        try:
            receipt = await hand_over(self.backend, one, self.server.clock())
        except DeliveryError as error:
            self.said.append(f"{error!r} {error} {error.__cause__!r} {error.__context__!r}")
            return error
        self.said.append(repr(receipt))
        return receipt

    async def fail(self, one: Delivery) -> DeliveryError:
        """An attempt that must fail."""
        ended = await self.attempt(one)
        assert isinstance(ended, DeliveryError), f"it went through: {ended}"
        return ended

    async def tell(self, one: Delivery, tries: int = 12) -> Receipt:
        """Attempts until it is done, with the outbox's book-keeping; the clock goes on between them."""
        for _ in range(tries):
            ended = await self.attempt(one)
            if isinstance(ended, Receipt):
                return ended
            if not ended.retry:
                raise ended
            one = doubted(one, ended, self)
        raise AssertionError(f"not done after {tries} attempts: {self.said[-1]}")

    async def opened(self, **changes: Any) -> Receipt:
        """A ticket that is declared without trouble."""
        return await self.tell(delivery(number="", **changes))


def doubted(one: Delivery, error: DeliveryError, world: World) -> Delivery:
    """The delivery as it is claimed the next time, after this error; time has passed."""
    now = world.server.clock()
    one = replace(
        one,
        attempts=one.attempts + 1,
        uncertain=one.uncertain or error.doubts,
        doubted_at=now if error.doubts else one.doubted_at,
    )
    span = max(error.after or timedelta(0), WAIT if error.may_be_under_way else timedelta(seconds=5))
    world.server.clock.advance(seconds=span.total_seconds())
    return one


def in_doubt(**changes: Any) -> Delivery:
    """An opening that may have been done long ago, as far as anybody knows."""
    return delivery(number="", uncertain=True, attempts=2, doubted_at=START - timedelta(days=1), **changes)


def told(action: str, number: str, **changes: Any) -> Delivery:
    """A later delivery with a note; `body` changes what it tells."""
    body = changes.pop("body", {})
    one = delivery(action, number=number, id=changes.pop("id", 18), opened=True, **changes)
    status = {"close": TicketStatus.CLOSED}.get(action, TicketStatus.DECLARED)
    return replace(one, body=replace(one.body, **{"notes": (NOTE,), "status": status, **body}))


class Gate:
    """How a server spends a delay: until the test lets it go on."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self.passed = 0

    def open(self) -> None:
        self._open.set()

    async def __call__(self, _: float) -> None:
        await self._open.wait()
        self.passed += 1


@asynccontextmanager
async def world(kind: Kind, *, wait: Any = None, **options: Any) -> AsyncIterator[World]:
    """A world of this kind; the clock of both sides is the server's."""
    running = server(kind, **({"wait": wait} if wait else {}))
    async with running.serving(), open_session() as session:
        face = running.face
        outside = Outside(
            session=session, read_secret=dict(face.SECRETS).__getitem__, clock=running.clock, pause=Pauses()
        )
        settled = {**face.options(), **face.OPTIONS, **options}
        yield World(kind, running, build(kind.name, "portal", settled, outside), outside)


@asynccontextmanager
async def answering(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server that answers everything by this handler; its address."""
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()

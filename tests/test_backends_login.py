"""How a backend proves who it is: a token that is refused is renewed once a call, and nothing repeats one."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from deliveries import outside
from tocsin.backends import Outside, open_session
from tocsin.backends._api import Api
from tocsin.backends._glpi_login import Hiding, Session, by_token
from tocsin.backends._login import NOBODY, ClientCredentials, Login
from tocsin.backends._orange_gateway import Keyed
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ALLOWED = timedelta(seconds=10)
CALLS = 4


class Granting:
    """A server that gives tokens, each by both names, and lets nobody in but with the newest one."""

    def __init__(self) -> None:
        self.url = ""
        self.given = 0
        self.newest = ""
        self.written: Callable[[str], str] = lambda token: json.dumps({"access_token": token, "session_token": token})
        self.refused = asyncio.Barrier(CALLS)
        """All of them are refused before one can ask for a new token."""

    async def give(self, _: web.Request) -> web.StreamResponse:
        self.given += 1
        self.newest = f"t0ken-{self.given}"
        return web.Response(text=self.written(self.newest), content_type="application/json")

    async def let_in(self, request: web.Request) -> web.StreamResponse:
        if self.newest in (request.headers.get("Session-Token"), request.headers.get("Authorization", "")[7:]):
            return web.json_response({})
        await self.refused.wait()
        return web.json_response({}, status=401)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Outside]:
        app = web.Application()
        app.router.add_route("*", "/token", self.give)
        app.router.add_route("*", "/initSession", self.give)
        app.router.add_route("*", "/api", self.let_in)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with open_session() as session:
                yield outside(session)
        finally:
            await runner.cleanup()


def credentials(url: str, world: Outside) -> Login:
    return ClientCredentials(f"{url}/token", "me", "s3cret", world)


def session(url: str, world: Outside) -> Login:
    return Session(url, by_token("k3y"), "", world, ALLOWED)


def keyed(url: str, world: Outside) -> Login:
    return Keyed(credentials(url, world), "k3y")


def hiding(url: str, world: Outside) -> Login:
    return Hiding(session(url, world), ("more",))


LOGINS = pytest.mark.parametrize("made", [credentials, session, keyed, hiding])


@LOGINS
async def test_only_the_token_that_was_refused_is_forgotten_and_whoever_was_refused_may_have_a_new_one(
    made: Callable[[str, Outside], Login],
) -> None:
    server = Granting()
    async with server.serving() as world:
        login = made(server.url, world)
        used = await login.headers()
        assert login.expire(used)
        assert login.expire(used), "it was refused to another call as well"
        fresh = await login.headers()
        assert login.expire(used), "another call has a new one already"
        assert await login.headers() == fresh != used
    assert server.given == 2


@LOGINS
async def test_calls_whose_token_is_revoked_meanwhile_all_go_through(made: Callable[[str, Outside], Login]) -> None:
    server = Granting()
    async with server.serving() as world:
        api = Api(server.url, world, timeout=ALLOWED, login=made(server.url, world))
        await api.ask("GET", "api")
        server.newest = "another"
        assert await asyncio.gather(*(api.ask("POST", "api") for _ in range(CALLS))) == [{}] * CALLS
    assert server.given == 2


def test_what_never_changes_is_not_asked_for_anew() -> None:
    assert not NOBODY.expire({})


@LOGINS
@pytest.mark.parametrize(
    "written",
    [
        lambda token: f"access_token={token}&token_type=bearer",
        lambda token: json.dumps({"access_token": token, "session_token": token}) + "<!-- 3 ms -->",
        lambda token: json.dumps([token]),
        lambda token: json.dumps({"token": token}),
    ],
    ids=["a form", "something behind it", "a list", "another name"],
)
async def test_an_answer_that_may_hold_a_token_is_not_repeated(
    made: Callable[[str, Outside], Login], written: Callable[[str], str]
) -> None:
    server = Granting()
    server.written = written
    async with server.serving() as world:
        with pytest.raises(DeliveryError) as caught:
            await made(server.url, world).headers()
    assert (caught.value.reason, caught.value.harmless) == (Reason.UNREADABLE, True)
    assert server.newest
    assert server.newest not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"

"""The webhooks of ticket systems: who may call, what a call may name, and that nothing else it says is believed."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from following import Both, both
from house import alert, rows
from tocsin import backends
from tocsin.backends._can import Can
from tocsin.errors import PayloadError
from tocsin.model import Payload
from tocsin.web import auth, body
from tocsin.web.ticket_hooks import TicketHook, routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIMITS = body.Limits(received=1000, inflated=1000)
TOKEN = auth.Bearer(b"t0ken")
GOOD = {"Authorization": "Bearer t0ken"}


@asynccontextmanager
async def door(side: Both, scheme: auth.Scheme = TOKEN, kind: str = "webhook") -> AsyncIterator[TestClient[Any, Any]]:
    hook = TicketHook(
        kind=backends.kinds()[kind], scheme=scheme, follower=side.follower, limits=LIMITS, clock=side.there.server.clock
    )
    app = web.Application()
    app.add_routes(routes([hook]))
    async with TestClient(TestServer(app)) as client:
        yield client


async def named(side: Both) -> list[str]:
    return [word for (word,) in await rows(side.store, "select word from named_tickets order by word")]


async def test_a_call_that_proves_itself_is_kept_before_it_is_answered(tmp_path: Path) -> None:
    async with both(tmp_path) as side, door(side) as client:
        answer = await client.post("/hooks/tickets/remote", json={"number": "7"}, headers=GOOD)
        assert (answer.status, await answer.json()) == (202, {"tickets": 1})
        assert await named(side) == ["7"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "t0ken"}])
async def test_a_call_that_does_not_is_refused_and_leaves_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with both(tmp_path) as side, door(side) as client:
        answer = await client.post("/hooks/tickets/remote", json={"number": "7"}, headers=headers)
        assert answer.status == 401
        assert await named(side) == []


async def test_any_of_several_signatures_is_good_while_a_secret_is_replaced(tmp_path: Path) -> None:
    said = b'{"number": "7"}'
    good = "v1=" + hmac.new(b"new secret", said, hashlib.sha256).hexdigest()
    scheme = auth.Hmac("X-Signature", b"new secret", "v1=")
    async with both(tmp_path) as side, door(side, scheme) as client:
        for signatures, status in ((f"v1=00, {good}", 202), (good, 202), ("v1=00,v1=11", 401), ("", 401)):
            answer = await client.post("/hooks/tickets/remote", data=said, headers={"X-Signature": signatures})
            assert answer.status == status, signatures


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ("no json", 422, "the message is not JSON"),
        ("{}", 422, "names no ticket"),
        ("[1, null]", 422, "names no ticket"),
        (json.dumps({"number": "x" * 2000}), 413, ""),
    ],
)
async def test_what_names_no_ticket_is_said_to(tmp_path: Path, said: str, status: int, words: str) -> None:
    async with both(tmp_path) as side, door(side) as client:
        answer = await client.post("/hooks/tickets/remote", data=said, headers=GOOD)
        assert answer.status == status
        assert words in await answer.text()


async def test_what_a_call_says_of_a_ticket_is_read_from_its_system_instead(tmp_path: Path) -> None:
    async with both(tmp_path) as side, door(side) as client:
        await side.road.take(alert())
        await side.tell()
        await side.follow()
        lie = {"number": "1", "status": "closed"}
        assert (await client.post("/hooks/tickets/remote", json=lie, headers=GOOD)).status == 202
        side.passes(seconds=1)
        await side.follower.come_round()
        assert await side.incident() == ("open", 0)
        assert await named(side) == []


@pytest.mark.parametrize("kind", [kind for kind in backends.kinds().values() if kind.heard], ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "said",
    [b"", b"{}", b"[]", b"null", b"7", b'"x"', b"\xff", b"[" * 10_000, b"a=b&c=d", b"<xml/>", b'{"issue": null}'],
)
def test_no_call_breaks_the_reading_of_any_kind(kind: backends.Kind, said: bytes) -> None:
    assert kind.heard is not None
    assert Can.HOOK not in kind.lacks
    words: list[str] = []
    with contextlib.suppress(PayloadError):
        words = kind.heard(Payload(body=said))
    assert all(isinstance(word, str) for word in words)

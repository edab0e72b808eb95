"""Reading a request's body: the limits hold on a real server, whatever a client sends."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from tocsin.web import body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIMITS = body.Limits(received=10_000, inflated=50_000, seconds=30)
HURRIED = body.Limits(received=10_000, inflated=50_000, seconds=0.2)
TEXT = b'{"resource": "db01", "check": "disk"}' * 20


def gzipped(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def bare_deflate(text: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(text) + deflater.flush()


@asynccontextmanager
async def server(
    limits: body.Limits = LIMITS, refusals: list[body.Refused] | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Answers with the body it read, or with what refused it; started as the service is."""
    refusals = [] if refusals is None else refusals

    async def answer(request: web.Request) -> web.Response:
        try:
            received = await body.read(request, limits)
            return web.Response(body=received.inflated, headers={"Raw": str(len(received.raw))})
        except body.Refused as refused:
            refusals.append(refused)
            return web.Response(status=refused.status, text=refused.text)

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "127.0.0.1", runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def post(sent: bytes, encoding: str = "", *, chunked: bool = False) -> tuple[int, bytes]:
    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), 1_000):
            yield sent[start : start + 1_000]

    headers = {"Content-Encoding": encoding} if encoding else {}
    async with server() as (host, port), ClientSession() as session:
        data = parts() if chunked else sent
        async with session.post(f"http://{host}:{port}/", data=data, headers=headers) as response:
            return response.status, await response.read()


async def raw(request: bytes, limits: body.Limits = LIMITS) -> bytes:
    """The status line that comes back on a bare connection."""
    async with server(limits) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + request)
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        return line


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "in chunks"])
@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzipped(TEXT)),
        ("GZIP", gzipped(TEXT)),
        ("x-gzip", gzipped(TEXT)),
        ("identity, gzip", gzipped(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", bare_deflate(TEXT)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
async def test_a_body_is_read_as_it_was_meant(encoding: str, sent: bytes, *, chunked: bool) -> None:
    assert await post(sent, encoding, chunked=chunked) == (200, TEXT)


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "in chunks"])
@pytest.mark.parametrize(("length", "status"), [(0, 200), (10_000, 200), (10_001, 413), (1_000_000, 413)])
async def test_the_size_as_sent_is_limited(length: int, status: int, *, chunked: bool) -> None:
    answered, _ = await post(b"x" * length, chunked=chunked)
    assert answered == status


async def test_a_body_announced_too_large_is_refused_before_it_comes() -> None:
    assert b" 413 " in await raw(b"Content-Length: 10001\r\n\r\n")


@pytest.mark.parametrize(
    ("encoding", "sent", "status", "told"),
    [
        ("gzip", gzipped(bytes(50_000)), 200, b""),
        ("gzip", gzipped(bytes(50_001)), 413, b"more than 50000 bytes"),
        ("gzip", gzipped(bytes(5_000_000)), 413, b"more than 50000 bytes"),
        ("deflate", zlib.compress(bytes(5_000_000)), 413, b"more than 50000 bytes"),
        ("gzip", gzipped(TEXT)[:-1], 400, b"truncated"),
        ("gzip", gzipped(TEXT)[:20], 400, b"truncated"),
        ("gzip", b"", 400, b"truncated"),
        ("gzip", TEXT, 400, b"not gzip"),
        ("gzip", gzipped(TEXT)[:-8] + bytes(8), 400, b"not gzip"),
        ("gzip", gzipped(TEXT) + b"more", 400, b"4 bytes follow"),
        ("gzip", gzipped(TEXT) * 2, 400, b"bytes follow"),
        ("deflate", b"\xff" * 10, 400, b"not deflate"),
        ("deflate", b"", 400, b"truncated"),
        ("br", TEXT, 415, b"'br'"),
        ("zstd", TEXT, 415, b"'zstd'"),
        ("gzip, gzip", gzipped(gzipped(TEXT)), 415, b"'gzip, gzip'"),
        ("gzip, deflate", TEXT, 415, b"one of them only"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else str(value),
)
async def test_what_is_inflated_is_limited_and_whole(encoding: str, sent: bytes, status: int, told: bytes) -> None:
    answered, text = await post(sent, encoding)
    assert answered == status
    assert told in text


async def test_an_encoding_given_in_two_headers_is_stacked() -> None:
    assert b" 415 " in await raw(b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"Content-Length: 30\r\n\r\nabc", id="announced and not sent"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", id="no last chunk"),
    ],
)
async def test_a_body_that_does_not_come_is_waited_for_so_long_only(request_: bytes) -> None:
    assert b" 408 " in await raw(request_, HURRIED)


@pytest.mark.parametrize("request_", [b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc", b"Content-Length: -1\r\n\r\n"])
async def test_a_body_that_breaks_http_is_a_bad_request(request_: bytes) -> None:
    assert b" 400 " in await raw(request_)


async def test_a_sender_that_hangs_up_is_a_bad_request_and_no_fault() -> None:
    refusals: list[body.Refused] = []
    async with server(refusals=refusals) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc")
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert [(refused.status, refused.text) for refused in refusals] == [
        (400, "the body broke off before its end: send it again")
    ]


class Trickle:
    """A body that arrives in three parts."""

    async def iter_any(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 6


@pytest.mark.parametrize(("limit", "fits"), [(6, False), (17, False), (18, True)])
async def test_the_limit_counts_all_parts_together(limit: int, *, fits: bool) -> None:
    if fits:
        assert await body._streamed(Trickle(), limit) == b"x" * 18
        return
    with pytest.raises(body.Refused, match=f"more than {limit} bytes"):
        await body._streamed(Trickle(), limit)


@given(st.binary(max_size=400), st.sampled_from(["gzip", "deflate"]), st.integers(0, 300))
def test_no_bytes_inflate_beyond_the_limit_or_raise_anything_else(sent: bytes, encoding: str, limit: int) -> None:
    for data in (sent, gzip.compress(sent), zlib.compress(sent), bare_deflate(sent)):
        try:
            assert len(body.inflate(data, encoding, limit)) <= limit
        except body.Refused as refused:
            status = refused.status
        else:
            status = 400
        assert status in {400, 413}


@given(st.binary(max_size=400))
def test_what_was_compressed_comes_back(sent: bytes) -> None:
    assert body.inflate(gzip.compress(sent), "gzip", 400) == sent
    assert body.inflate(zlib.compress(sent), "deflate", 400) == sent
    assert body.inflate(bare_deflate(sent), "deflate", 400) == sent


def test_a_bomb_costs_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(body.Refused, match="more than 1000 bytes"):
            body.inflate(bomb, "gzip", 1_000)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


async def test_signatures_are_judged_on_the_bytes_as_sent() -> None:
    sent = gzipped(TEXT)
    async with server() as (host, port), ClientSession() as session:
        url, headers = f"http://{host}:{port}/", {"Content-Encoding": "gzip"}
        async with session.post(url, data=sent, headers=headers) as response:
            assert response.headers["Raw"] == str(len(sent))

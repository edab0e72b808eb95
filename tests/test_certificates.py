"""Messages that carry their own signature: who is believed, which addresses are fetched, and which never."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import hashes

from authority import Authority
from tocsin.sources import Proof
from tocsin.web.auth import Certificate
from tocsin.web.certificates import Certificates, UnprovenError
from tocsin.web.visits import LARGEST, ForbiddenError, UnreachableError, Visits, check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = datetime.now(UTC)
TEXT = b"Message\nhello\n"
US = Authority()
AWS = ("sns.*.amazonaws.com", "sns.*.amazonaws.com.cn")


class Cloud:
    """A server with a certificate, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {"/us.pem": US.pem}
        self.address = ""
        self.pieces = 0

    @property
    def hosts(self) -> tuple[str, ...]:
        return (self.address.removeprefix("https://"),)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        told = self.answers.get(request.path)
        if isinstance(told, str):
            raise web.HTTPFound(told)
        if told is None:
            return web.Response(status=404)
        return await self._in_pieces(request, told) if self.pieces else web.Response(body=told)

    async def _in_pieces(self, request: web.Request, told: bytes) -> web.Response:
        response = web.StreamResponse()
        await response.prepare(request)
        size = len(told) // self.pieces
        for start in range(0, len(told), size):
            await response.write(told[start : start + size])
            await asyncio.sleep(0)
        await response.write_eof()
        return response  # type: ignore[return-value]


@asynccontextmanager
async def cloud(folder: Path) -> AsyncIterator[tuple[Cloud, Visits]]:
    it = Cloud()
    application = web.Application()
    application.router.add_get("/{path:.*}", it.answer)
    visits = Visits(US.trust())
    server = TestServer(application, scheme="https", host="localhost")
    try:
        await server.start_server(ssl=US.server(folder))
        it.address = f"https://localhost:{server.port}"
        yield it, visits
    finally:
        await server.close()
        await visits.close()


def proof(at: Cloud, **facts: Any) -> Proof:
    usual = {
        "texts": (TEXT,),
        "signature": US.sign(TEXT),
        "digest": "sha256",
        "certificate": f"{at.address}/us.pem",
        "topic": "arn:aws:sns:eu-west-3:1:alarms",
        "said_at": NOW,
    }
    return Proof(**(usual | facts))


async def verify(at: Cloud, visits: Visits, told: Proof, **scheme: Any) -> None:
    await Certificates(visits, lambda: NOW).verify(told, Certificate(**({"hosts": at.hosts} | scheme)))


GENUINE = [
    pytest.param({}, {}, id="sha256"),
    pytest.param({"signature": US.sign(TEXT, hashes.SHA1()), "digest": "sha1"}, {}, id="sha1"),  # noqa: S303
    pytest.param({"digest": "certificate"}, {}, id="the certificate's own hash"),
    pytest.param({"texts": (b"other", TEXT)}, {}, id="the second of two texts"),
    pytest.param({}, {"topics": ("arn:aws:sns:*:alarms",)}, id="a topic that is listed"),
    pytest.param({"said_at": NOW - timedelta(hours=23)}, {}, id="sent again for hours"),
    pytest.param({"said_at": NOW + timedelta(minutes=5)}, {}, id="a clock a little ahead"),
]
FALSE = [
    pytest.param({"signature": b"x" * 256}, {}, "does not fit", id="another signature"),
    pytest.param({"signature": b""}, {}, "does not fit", id="no signature"),
    pytest.param({"texts": (b"changed",)}, {}, "does not fit", id="a changed text"),
    pytest.param({"texts": ()}, {}, "does not fit", id="no text"),
    pytest.param({"digest": "sha1"}, {}, "does not fit", id="another hash"),
    pytest.param({"said_at": NOW - timedelta(hours=25)}, {}, "too long ago", id="an expired timestamp"),
    pytest.param({"said_at": NOW + timedelta(days=2)}, {}, "too long ago", id="days ahead"),
    pytest.param({"said_at": None}, {}, "does not say when", id="no timestamp"),
    pytest.param({}, {"topics": ("arn:aws:sns:*:other",)}, "is not among", id="another topic"),
    pytest.param({}, {"hosts": AWS}, "not on the list", id="a certificate from elsewhere"),
    pytest.param(
        {"topic": "arn:aws:sns:eu-west-3:1:mine\nMessage\nx"},
        {"topics": ("arn:aws:sns:eu-west-3:1:*",)},
        "characters that none has",
        id="a topic that goes on in another line",
    ),
]


@pytest.mark.parametrize(("facts", "scheme"), GENUINE)
async def test_a_genuine_message_is_believed(facts: dict[str, Any], scheme: dict[str, Any], tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, visits):
        await verify(at, visits, proof(at, **facts), **scheme)


@pytest.mark.parametrize(("facts", "scheme", "why"), FALSE)
async def test_a_message_that_is_not_proven_is_not_believed(
    facts: dict[str, Any], scheme: dict[str, Any], why: str, tmp_path: Path
) -> None:
    async with cloud(tmp_path) as (at, visits):
        with pytest.raises(UnprovenError, match=why):
            await verify(at, visits, proof(at, **facts), **scheme)


async def test_a_certificate_out_of_date_proves_nothing(tmp_path: Path) -> None:
    old = Authority(NOW - timedelta(days=60))
    async with cloud(tmp_path) as (at, visits):
        at.answers["/us.pem"] = old.pem
        with pytest.raises(UnprovenError, match="out of date"):
            await verify(at, visits, proof(at, signature=old.sign(TEXT)))


async def test_a_certificate_is_fetched_once_for_many_messages(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, visits):
        certificates = Certificates(visits, lambda: NOW)
        for _ in range(3):
            await certificates.verify(proof(at), Certificate(at.hosts))
        assert at.asked == ["/us.pem"]


@pytest.mark.parametrize("name", ["us.crt", "us.pem?x=1", "us.pem#x", "us"])
async def test_only_an_address_that_ends_in_pem_is_a_certificate(name: str, tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, visits):
        with pytest.raises(UnprovenError, match=r"does not end in \.pem"):
            await verify(at, visits, proof(at, certificate=f"{at.address}/{name}"))
        assert at.asked == []


async def test_what_is_no_certificate_proves_nothing_and_one_that_is_gone_is_asked_for_again(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, visits):
        at.answers["/us.pem"] = b"hello"
        with pytest.raises(UnreachableError, match="is none"):
            await verify(at, visits, proof(at))
        with pytest.raises(UnreachableError, match="404"):
            await verify(at, visits, proof(at, certificate=f"{at.address}/gone.pem"))


async def test_a_certificate_fetched_for_one_source_is_none_for_another_that_does_not_list_its_host(
    tmp_path: Path,
) -> None:
    async with cloud(tmp_path) as (at, visits):
        certificates = Certificates(visits, lambda: NOW)
        await certificates.verify(proof(at), Certificate(at.hosts))
        with pytest.raises(UnprovenError, match="not on the list"):
            await certificates.verify(proof(at), Certificate(AWS))


async def test_an_answer_in_pieces_is_read_to_its_end(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, visits):
        at.pieces = 7
        await verify(at, visits, proof(at))


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, visits):
        at.answers["/there"] = f"{at.address}/us.pem"
        with pytest.raises(UnreachableError, match="302"):
            await visits.get(f"{at.address}/there", at.hosts)
        assert at.asked == ["/there"]


async def test_little_is_read(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, visits):
        at.answers["/large"] = b"x" * (LARGEST + 1)
        with pytest.raises(UnreachableError, match=f"more than {LARGEST} bytes"):
            await visits.get(f"{at.address}/large", at.hosts)


async def test_a_server_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (at, _):
        stranger = Visits(Authority().trust())
        with pytest.raises(UnreachableError, match="does not answer"):
            await stranger.get(f"{at.address}/us.pem", at.hosts)
        await stranger.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-3.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/x",
        "https://SNS.EU-WEST-3.AMAZONAWS.COM/x",
        "https://sns.eu-west-3.amazonaws.com:443/x",
    ],
)
def test_hosts_on_the_list_may_be_fetched(url: str) -> None:
    check(url, AWS)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-3.amazonaws.com/x",
        "https://sns.eu-west-3.amazonaws.com:8443/x",
        "https://sns.eu-west-3.amazonaws.com@198.51.100.1/x",
        "https://user@sns.eu-west-3.amazonaws.com/x",
        "https://198.51.100.1/sns.eu-west-3.amazonaws.com",
        "https://sns.eu-west-3.amazonaws.com.example.net/x",
        "https://sns.bucket.s3.amazonaws.com/x",
        "https://evil-sns.eu-west-3.amazonaws.com/x",
        "https://example.net/?sns.eu-west-3.amazonaws.com",
        "https://sns.eu-west-3.amazonaws.com\\@example.net/x",
        "https://example.net\\.sns.eu-west-3.amazonaws.com/x",
        "https://sns.eu-west-3.amazonaws.com\n.example.net/x",
        "https://sns..amazonaws.com/x",
        "https://sns.é.amazonaws.com/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://sns.eu-west-3.amazonaws.com:x/",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_other_address_is_fetched(url: str) -> None:
    with pytest.raises(ForbiddenError):
        check(url, AWS)

"""One HTTP call: what its outcome means, and what errors about it may say."""

from __future__ import annotations

import html
import json
import re
import shutil
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlencode

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from deliveries import NOW, REFERENCE, Pauses, delivery, outside
from fakes.core import Behaviour, Does
from kit import told, world
from ticketserver import TicketServer
from tocsin.backends import _http, kinds, open_session
from tocsin.backends._api import Api
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

TEN_SECONDS = timedelta(seconds=10)


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS context with a certificate that nobody has signed."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    key, pem = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([program, *made, "-keyout", key, "-out", pem, "-days", "2"], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, key)
    return context


async def test_a_certificate_nobody_signed_is_no_connection(certificate: ssl.SSLContext) -> None:
    pauses = Pauses()
    async with TicketServer().serving(tls=certificate) as server, open_session() as session:
        request = _http.Request("GET", f"{server.url}/stats")
        with pytest.raises(DeliveryError) as caught:
            await _http.call(session, request, timeout=TEN_SECONDS, pause=pauses)
    assert server.url.startswith("https://")
    assert (caught.value.reason, caught.value.retry) == (Reason.UNREACHABLE, True)
    assert "certificate verify failed" in caught.value.detail
    assert pauses == [], "a second try would meet the same certificate"


async def test_a_connection_that_is_never_taken_up_leaves_no_doubt() -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for full in (first, second):  # the queue holds one more than it was asked to
            full.settimeout(0)
            full.connect_ex(deaf.getsockname())
        request = _http.Request("POST", f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        async with open_session() as session:
            with pytest.raises(DeliveryError) as caught:
                await _http.call(session, request, timeout=timedelta(milliseconds=100))
    assert (caught.value.reason, caught.value.retry) == (Reason.UNREACHABLE, True)


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with TicketServer().serving() as server, open_session() as session:
        answer = await _http.call(session, _http.Request("GET", f"{server.url}/stats"), timeout=TEN_SECONDS)
    assert answer.status == 200


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http:///x", "http://", "nonsense", ""])
async def test_what_is_no_web_address_is_misconfigured(url: str) -> None:
    async with open_session() as session:
        with pytest.raises(DeliveryError) as caught:
            await _http.call(session, _http.Request("GET", url), timeout=TEN_SECONDS)
    assert (caught.value.reason, caught.value.stops) == (Reason.MISCONFIGURED, True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("3600", 3600),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("000000000000012", 12),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 11:00:30 +0100", 30),
        ("Sun, 22 Nov 2026 10:00:30 -0000", 30),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 10:00:00 GMT", 3600),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("١٢", None),
        ("Sun, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_an_hour(value: str, seconds: int | None) -> None:
    assert _http.retry_after(value, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text() | st.from_regex(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [-+A-Z]*\d*", fullmatch=True))
def test_any_retry_after_gives_none_or_an_hour_at_most(value: str) -> None:
    after = _http.retry_after(value, NOW)
    assert after is None or timedelta(0) <= after <= _http.LONGEST_AFTER


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (aiohttp.ConnectionTimeoutError("no connection in time"), Reason.UNREACHABLE),
        (aiohttp.ServerTimeoutError("no answer in time"), Reason.NO_ANSWER),
        (aiohttp.SocketTimeoutError("no data in time"), Reason.NO_ANSWER),
        (TimeoutError(), Reason.NO_ANSWER),
        (aiohttp.ServerDisconnectedError(), Reason.NO_ANSWER),
        (aiohttp.ClientOSError(104, "reset by peer"), Reason.NO_ANSWER),
        (aiohttp.ClientPayloadError("cut short"), Reason.NO_ANSWER),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_surely_never_left_is_unreachable(error: Exception, reason: Reason) -> None:
    made = _http.failed(error, _http.Request("POST", "http://127.0.0.1/x?key=hunter2"), TEN_SECONDS)
    assert (made.reason, made.retry) == (reason, True)
    assert made.detail.startswith("POST http://127.0.0.1/x: ")


@given(st.integers(200, 599))
def test_only_a_success_means_nothing_bad(status: int) -> None:
    reason = _http.meaning(status)
    assert (reason is None) == (status < 300)
    assert reason is None or reason in Reason


@given(st.binary(max_size=2000))
def test_an_excerpt_of_anything_is_one_short_printable_line_without_secrets(body: bytes) -> None:
    request = _http.Request("GET", "http://127.0.0.1/", hide=("hunter2",))
    line = _http.excerpt(b"hunter2 " + body + b" hunter2", request)
    assert "hunter2" not in line
    assert line.isprintable()
    assert len(line) <= _http.EXCERPT


SECRET = 'pa"ss\\w\\örd\t /+%&<\N{KEY}>'


@pytest.mark.parametrize(
    "repeated",
    [
        SECRET,
        json.dumps(SECRET),
        re.sub(r"(?<=\\u)....", lambda digits: digits[0].upper(), json.dumps(SECRET)),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("/", "\\/"),
        repr(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        re.sub("%..", lambda byte: byte[0].lower(), quote(SECRET, safe="")),
        quote_plus(SECRET),
        urlencode({"password": SECRET}),
        html.escape(SECRET),
    ],
)
def test_a_secret_is_struck_out_however_it_is_written(repeated: str) -> None:
    request = _http.Request("POST", "http://127.0.0.1/", hide=("", SECRET))
    line = _http.excerpt(f"<{repeated}>".encode(), request)
    assert re.fullmatch(r"""<(password=|["'])?\*\*\*["']?>""", line), line


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@example.net:8443/a/b?sig=abc#x", "https://example.net:8443/a/b"),
        ("https://example.net", "https://example.net/"),
        ("http://[::1]:80/é?x", "http://[::1]/%C3%A9"),
        ("http://[::1", "(not an address)"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert _http.shown(url) == shown


# --- an error beside a success ----------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(status: int) -> AsyncIterator[str]:
    """A server that answers everything so."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=status)

    app = web.Application()
    app.router.add_route("*", "/tickets", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("method", "status", "inside", "doubts"),
    [
        ("POST", 201, False, True),
        ("PUT", 204, False, True),
        ("POST", 200, True, False),
        ("GET", 200, False, False),
        ("POST", 422, False, False),
        ("POST", 401, False, False),
    ],
)
async def test_a_change_that_is_answered_with_a_success_may_have_been_done_whatever_is_beside_it(
    *, method: str, status: int, inside: bool, doubts: bool
) -> None:
    def judge(answer: _http.Answer, request: _http.Request, _: datetime) -> DeliveryError:
        return DeliveryError(Reason.UNAUTHORIZED, f"{request.where}: {answer.status}", retry=False, stops=True)

    async with answering(status) as url, open_session() as session:
        api = Api(url, outside(session), timeout=TEN_SECONDS, judge=judge, inside=inside)
        with pytest.raises(DeliveryError) as caught:
            await api.ask(method, "tickets")
    assert caught.value.doubts == doubts
    assert not caught.value.may_be_under_way, "it was answered"


@pytest.mark.parametrize(
    ("kind", "behaviour", "doubts"),
    [
        ("orange", Behaviour.INSIDE, True),
        ("itop", Behaviour.INSIDE, False),
        ("itop", Behaviour.REFUSED, False),
        ("znuny", Behaviour.REFUSED, False),
        ("rt", Behaviour.REFUSED, False),
    ],
)
async def test_a_create_that_was_refused_is_in_doubt_only_where_a_success_was_answered_and_means_something(
    kind: str, behaviour: Behaviour, *, doubts: bool
) -> None:
    async with world(kinds()[kind]) as there:
        there.server.script(Does.CREATE, behaviour)
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry, error.doubts) == (Reason.REFUSED, False, doubts)


@pytest.mark.parametrize("action", ["note", "close"])
async def test_a_note_is_not_taken_for_another_whose_number_begins_alike(action: str) -> None:
    async with world(kinds()["redmine"]) as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number, id=170))
        await there.tell(told(action, receipt.number, id=17))
        (ticket,) = there.server.face.tickets()
    assert [note.rpartition("\n")[2] for note in ticket.notes] == [
        f"(tocsin {REFERENCE}/170)",
        f"(tocsin {REFERENCE}/17)",
    ]

"""Tickets by mail: how a thread holds together, what a mail server's words mean, and that a password stays where it is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from authority import Authority
from deliveries import Pauses, delivery
from fakes.core import Does
from fakes.email import PASSWORD, USER, Mailbox, MailServer
from kit import World, told, world
from tocsin.backends import Outside, build, kinds, open_session
from tocsin.errors import Reason, SettingsError
from tocsin.model import Receipt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

EMAIL = kinds()["email"]
OPTIONS = {"host": "localhost", "sender": "tocsin@example.net", "to": ["tickets@example.net"]}


async def test_all_mails_of_an_incident_are_one_thread() -> None:
    async with world(EMAIL) as there:
        await there.opened()
        await there.tell(told("note", "K7F3Q2"))
        await there.tell(told("close", "K7F3Q2", id=19))
        first, note, close = there.server.face.mails.values()
    assert first["Message-ID"] == "<tocsin.K7F3Q2@example.net>"
    assert {mail["References"] for mail in (note, close)} == {first["Message-ID"]}
    assert note["Subject"] == f"Re: {first['Subject']}"
    assert "[K7F3Q2]" in first["Subject"]
    assert close["X-Tocsin-Status"] == "closed"
    assert first["Auto-Submitted"] == "auto-generated", "nobody answers that they are on holiday"
    assert first["Importance"] == "high"


@asynccontextmanager
async def secured(folder: Path, password: bytes = PASSWORD, **options: Any) -> AsyncIterator[World]:
    """A server that wants encryption and a password."""
    authority = Authority()
    (folder / "ca.pem").write_bytes(authority.pem)
    server = MailServer(Mailbox)
    server.tls = authority.server(folder)
    async with server.serving(), open_session() as session:
        outside = Outside(
            session=session, read_secret={"password": password}.__getitem__, clock=server.clock, pause=Pauses()
        )
        given = {
            **server.face.options(),
            "host": "localhost",
            "security": "starttls",
            "ca_file": str(folder / "ca.pem"),
            "user": USER,
            "password_file": "password",
            **options,
        }
        yield World(EMAIL, server, build("email", "portal", given, outside), outside)


async def test_a_server_that_is_trusted_gets_the_password(tmp_path: Path) -> None:
    async with secured(tmp_path) as there:
        (finding,) = await there.backend.check()
        assert "knows 'tocsin'" in finding.told
        assert isinstance(await there.attempt(delivery(number="")), Receipt)
        assert len(there.server.face.tickets()) == 1


async def test_a_wrong_password_stops_the_backend_and_is_not_repeated(tmp_path: Path) -> None:
    async with secured(tmp_path, b"wrong pass-word") as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops) == (Reason.UNAUTHORIZED, True)
    assert "wrong pass-word" not in "".join(there.said)


async def test_a_server_with_a_strangers_certificate_gets_nothing(tmp_path: Path) -> None:
    async with secured(tmp_path, ca_file="") as there:
        error = await there.fail(delivery(number=""))
        assert there.server.seen == []
    assert (error.reason, error.harmless) == (Reason.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"user": "x"}, "give user and password_file together"),
        ({"user": "x", "password_file": "f", "security": "none"}, "a password is not sent without encryption"),
        ({"to": []}, "option 'to'"),
        ({"sender": "nobody"}, "option 'sender'"),
        ({"to": ["a@example.net\r\nBcc: b@example.net"]}, "option 'to.0'"),
        ({"ca_file": "/nonexistent/ca.pem"}, "holds no certificates that can be read"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_a_sentence(options: dict[str, Any], words: str) -> None:
    async with world(EMAIL) as there:
        with pytest.raises(SettingsError, match=words):
            build("email", "portal", {**OPTIONS, **options}, there.outside)


async def test_a_title_with_line_breaks_adds_no_header() -> None:
    async with world(EMAIL) as there:
        one = delivery(number="")
        texts = {"en": "down\r\nBcc: x@example.net", "fr": "x"}
        body = replace(one.body, name=texts)
        await there.tell(replace(one, body=body))
        (mail,) = there.server.face.mails.values()
    assert mail["Bcc"] is None
    assert "Bcc: x@example.net" in mail["Subject"]


async def test_a_mail_whose_answer_was_lost_is_sent_again_as_the_same_mail() -> None:
    async with world(EMAIL) as there:
        there.server.script(Does.CREATE, "lost")
        await there.opened()
        assert [seen.does for seen in there.server.seen] == [Does.CREATE, Does.CREATE]
        assert len(there.server.face.mails) == 1

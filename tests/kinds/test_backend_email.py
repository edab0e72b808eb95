"""Tickets by mail: how a thread holds together, what a mail server's words mean, and that a password stays where it is."""

from __future__ import annotations

import asyncio
import email
import email.policy
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from authority import Authority
from deliveries import Pauses, delivery
from fakes.core import Does
from fakes.email import PASSWORD, USER, Mailbox, MailServer
from kit import World, told, world
from tocsin.backends import Outside, build, kinds, open_session
from tocsin.backends._email_replies import Server, forms
from tocsin.errors import Reason, SettingsError
from tocsin.model import Receipt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from pathlib import Path

    from tocsin.model import Delivery

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
        ({"to": ["équipe@example.net"]}, "option 'to.0': must be plain ASCII"),
        ({"to": ["a..b@example.net"]}, "option 'to.0': must be an e-mail address"),
        ({"sender": "tocsin@example..net"}, "option 'sender': must be an e-mail address"),
        ({"host": "mail..example.net"}, "option 'host': must be the name or the address"),
        ({"host": "mail.example.net\r\nQUIT"}, "option 'host': must be the name or the address"),
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


# --- what servers say, command by command -----------------------------------------------------------------------------

_USUAL = {
    "": "220 mail.example.net",
    "EHLO": "250-mail.example.net\r\n250 SIZE 10000000",
    "DATA": "354 go on",
    "QUIT": "221 good-bye",
}


class Clerk:
    """A server that says what it is told to at each command; `.` stands for the end of a mail."""

    def __init__(self, **says: str | list[str]) -> None:
        self.says = says
        self.heard: list[str] = []
        self.mails: list[EmailMessage] = []
        self._calls: list[asyncio.Task[None] | None] = []

    def _reply(self, command: str) -> str:
        said = self.says.get(command)
        if isinstance(said, list):
            return said.pop(0) if said else "250 fine"
        return said or _USUAL.get(command, "250 fine")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._calls.append(asyncio.current_task())
        command = ""
        with suppress(ConnectionError):
            while command != "QUIT":
                said = self._reply(command)
                writer.write(f"{said}\r\n".encode())
                if command == "DATA" and said.startswith("354"):
                    command = "."
                    await self._take(reader)
                    continue
                line = (await reader.readline()).decode()
                if not line:
                    break
                self.heard.append(line.strip())
                command = line.split()[0].upper()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        content = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
        assert max(map(len, content.split(b"\r\n"))) <= 998, "no line is longer (RFC 5321)"
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))

    @asynccontextmanager
    async def telling(self, **options: Any) -> AsyncIterator[World]:
        """A world in which the backend speaks to this server."""
        running = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = running.sockets[0].getsockname()[1]
        try:
            async with world(EMAIL, **{"host": "127.0.0.1", "port": port, **options}) as there:
                there.server.url = f"127.0.0.1:{port}"
                there.backend = build("email", "portal", {**there.server.face.options(), **options}, there.outside)
                yield there
        finally:
            running.close()
            await asyncio.gather(*filter(None, self._calls))


REPLIES = [
    ("", "421 4.3.2 shutting down", Reason.UNAVAILABLE, "again"),
    ("", "554 no mail service for you", Reason.MISCONFIGURED, "stops"),
    ("", "HTTP/1.1 400 Bad Request", Reason.UNREACHABLE, "again"),
    ("EHLO", "421 4.3.2 shutting down", Reason.UNAVAILABLE, "again"),
    ("MAIL", "450 4.1.8 not now", Reason.UNAVAILABLE, "again"),
    ("MAIL", "550 5.7.1 not your address", Reason.MISCONFIGURED, "stops"),
    ("MAIL", "530 5.7.0 who are you?", Reason.UNAUTHORIZED, "stops"),
    ("MAIL", "552 5.3.4 too long", Reason.REFUSED, "never"),
    ("RCPT", "451 4.7.1 greylisted", Reason.UNAVAILABLE, "again"),
    ("RCPT", "552 5.2.2 mailbox full", Reason.UNAVAILABLE, "again"),
    ("RCPT", "550 5.1.1 nobody of that name", Reason.MISCONFIGURED, "stops"),
    ("RCPT", "554 5.7.1 no relaying", Reason.MISCONFIGURED, "stops"),
    ("DATA", "451 4.3.0 later", Reason.UNAVAILABLE, "again"),
    (".", "451 4.3.0 later", Reason.UNAVAILABLE, "again"),
    (".", "552 5.2.2 mailbox full", Reason.UNAVAILABLE, "again"),
    (".", "554 5.7.1 looks like spam", Reason.REFUSED, "never"),
]


@pytest.mark.parametrize(("command", "reply", "reason", "tried"), REPLIES)
async def test_a_reply_means_what_it_means_at_its_command(command: str, reply: str, reason: Reason, tried: str) -> None:
    """What every mail would meet stops the backend, so that none is lost; what one mail met is its own."""
    said = {command: reply, **({"HELO": reply} if command == "EHLO" else {})}
    async with Clerk(**said).telling() as there:
        error = await there.fail(delivery(number=""))
    assert error.reason == reason
    assert tried == ("stops" if error.stops else "again" if error.retry else "never")
    assert error.harmless == (command not in ("DATA", ".") or tried == "never"), "may it have been taken?"
    assert reason == Reason.UNREACHABLE or reply[4:] in error.detail


@pytest.mark.parametrize(
    ("options", "says", "words"),
    [
        ({"security": "starttls"}, {}, "STARTTLS extension not supported"),
        ({"security": "starttls"}, {"EHLO": "250-m\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 no"}, "454 4.7.0 no"),
    ],
)
async def test_nothing_is_sent_in_the_clear_when_encryption_is_not_to_be_had(
    options: dict[str, Any], says: dict[str, str], words: str
) -> None:
    clerk = Clerk(**says)
    async with clerk.telling(**options) as there:
        error = await there.fail(delivery(number=""))
    assert (error.retry, error.harmless) == (True, True)
    assert words in error.detail
    assert not any(line.startswith(("AUTH", "MAIL")) for line in clerk.heard)


TWO = ["tickets@example.net", "night@example.net"]


async def test_whoever_is_put_off_gets_the_mail_later_and_nobody_gets_it_twice() -> None:
    clerk = Clerk(RCPT=["250 fine", "451 4.7.1 greylisted"])
    async with clerk.telling(to=TWO) as there:
        error = await there.fail(delivery(number=""))
        assert (error.reason, error.harmless) == (Reason.UNAVAILABLE, False), "some have it"
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=2))
    assert receipt.remark == ""
    assert [line for line in clerk.heard if line.startswith("RCPT")] == [
        f"RCPT TO:<{address}>" for address in (*TWO, TWO[1])
    ]
    assert [mail["Message-ID"] for mail in clerk.mails] == ["<tocsin.K7F3Q2@example.net>"] * 2


async def test_an_address_that_is_put_off_for_long_holds_up_nobody() -> None:
    clerk = Clerk(RCPT=["250 fine", "452 4.2.2 mailbox full"] * 9)
    async with clerk.telling(to=TWO) as there:
        await there.fail(delivery(number=""))
        there.server.clock.advance(seconds=15 * 60)
        receipt = await there.attempt(delivery(number="", id=21, reference="K7F3Q3"))
    assert isinstance(receipt, Receipt)
    assert receipt.remark == "not sent to everybody: night@example.net: 452 4.2.2 mailbox full"


async def test_an_address_that_is_not_there_is_told_of_and_not_waited_for() -> None:
    async with Clerk(RCPT=["250 fine", "550 5.1.1 unknown"]).telling(to=TWO) as there:
        assert "night@example.net: 550 5.1.1 unknown" in (await there.tell(delivery(number=""))).remark


def test_a_server_that_repeats_the_login_does_not_betray_it() -> None:
    password = PASSWORD.decode()
    server = Server(where="portal", sender="tocsin@example.net", hide=forms(USER, password))
    for form in ("AHRvY3NpbgBhIG1haWwgcGFzcy13b3Jk", "YSBtYWlsIHBhc3Mtd29yZA==", password):
        assert form not in server.shown(f"500 unknown command AUTH PLAIN {form}")


# --- what is sent -----------------------------------------------------------------------------------------------------


def named(title: str, **changes: Any) -> Delivery:
    one = delivery(number="", **changes)
    return replace(one, body=replace(one.body, name={"en": title, "fr": title}))


@pytest.mark.parametrize(
    "title",
    [
        "Processus absents sur vfcanubkpm01 é à 10 h : 28 processus avec les arguments donnés, au lieu de 20",
        "日本語 の 件名 が とても 長い ので 折り返される はず です 日本語 の 件名 が とても 長い ので",
        "\U0001f6a8 down \U0001f6a8 down",
        "a" * 150,
        "x" * 79 + " " + "y" * 79,
        "=?utf-8?q?Bcc=3A_x?= is no word of ours",
        'quoted "é" \\ <a@b>; (x), y',
    ],
)
async def test_a_title_of_any_kind_arrives_as_it_is(title: str) -> None:
    clerk = Clerk()
    async with clerk.telling() as there:
        await there.tell(named(title))
        await there.tell(replace(told("note", "K7F3Q2"), body=replace(named(title).body, reference="K7F3Q2")))
    assert [mail["Subject"] for mail in clerk.mails] == [f"[K7F3Q2] {title}", f"Re: [K7F3Q2] {title}"]


async def test_lines_of_dots_and_long_lines_arrive_as_they_are() -> None:
    text = "\n".join([".", "..", ".x", "From me", "x" * 3000, "é" * 3000, " ", "\t.", "="])
    clerk = Clerk()
    async with clerk.telling() as there:
        one = delivery(number="")
        await there.tell(replace(one, body=replace(one.body, description={"en": text, "fr": text})))
    assert clerk.mails[0].get_content().replace("\r\n", "\n").startswith(f"{text}\n\n")


@pytest.mark.parametrize("reference", ["é", "x" * 2000, "=?utf-8?q?x?=", "a\tb", ""])
async def test_a_header_for_rules_holds_what_it_says_or_is_left_out(reference: str) -> None:
    clerk = Clerk()
    async with clerk.telling() as there:
        one = delivery(number="")
        body = replace(one.body, element=replace(one.body.element, reference=reference))
        await there.tell(replace(one, body=body))
    assert clerk.mails[0]["X-Tocsin-Element"] is None
    assert clerk.mails[0]["X-Tocsin-Contract"] == "OCB001"

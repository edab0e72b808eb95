"""A ticket system behind a mailbox: a real SMTP server (aiosmtpd), and threads of mails as tickets."""

from __future__ import annotations

import asyncio
import email
import email.policy
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from aiosmtpd.smtp import SMTP, AuthResult

from fakes.core import DONE, Behaviour, Does, Face, Route, Seen, Server, Truth

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from email.message import EmailMessage

USER, PASSWORD = "tocsin", b"a mail pass-word"
REPLIES = {
    Behaviour.FAILED: "451 4.3.0 local error in processing",
    Behaviour.LIMITED: "452 4.3.1 insufficient system storage",
    Behaviour.REFUSED: "554 5.6.0 message content is not acceptable",
    Behaviour.UNAUTHORIZED: "530 5.7.0 authentication required",
    Behaviour.MALFORMED: "+OK mail taken",
}


class Mailbox(Face):
    KIND = "email"
    CANNOT = frozenset(
        {
            Behaviour.GARBAGE,
            Behaviour.WRONG,
            Behaviour.EMPTY,
            Behaviour.GIANT,
            Behaviour.BUSY,
            Behaviour.DATED,
            Behaviour.REDIRECT,
            Behaviour.INSIDE,
            Behaviour.FORBIDDEN,
            Behaviour.DOWN,
        }
    )
    MEANINGS: ClassVar = {Behaviour.MALFORMED: "no_answer", Behaviour.LIMITED: "unavailable"}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.mails: dict[str, EmailMessage] = {}

    def options(self) -> dict[str, Any]:
        host, _, port = self.server.url.rpartition(":")
        return {
            "host": host,
            "port": int(port),
            "security": "none",
            "sender": "tocsin@example.net",
            "to": ["tickets@example.net"],
        }

    def routes(self) -> list[Route]:
        return []

    def tickets(self) -> list[Truth]:
        threads: dict[str, list[EmailMessage]] = {}
        for mail in self.mails.values():
            threads.setdefault(mail.get("In-Reply-To", mail["Message-ID"]), []).append(mail)
        return [_ticket(mails) for mails in threads.values()]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        """What people do is not mailed back."""

    def forget(self, number: str) -> None:
        """Mails that were sent stay sent."""

    def disown(self, number: str, reference: str) -> None:
        """Mails that were sent stay as they are."""

    def take(self, mail: EmailMessage) -> None:
        """A mail system delivers one Message-ID once."""
        self.mails.setdefault(mail["Message-ID"], mail)


def _ticket(mails: list[EmailMessage]) -> Truth:
    first, last = mails[0], mails[-1]
    return Truth(
        number=first["X-Tocsin-Reference"],
        reference=first["X-Tocsin-Reference"],
        status=last["X-Tocsin-Status"],
        title=first["Subject"],
        text=first.get_content(),
        impact=last["X-Tocsin-Impact"],
        element=first["X-Tocsin-Element"],
        notes=[mail.get_content() for mail in mails[1:]],
    )


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_DATA(self, smtp: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return await self._server.meet(smtp, envelope.content)


class MailServer(Server):
    """The core's plan and book-keeping, over SMTP."""

    tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Server]:
        loop = asyncio.get_running_loop()
        running = await loop.create_server(self._smtp, "127.0.0.1", port)
        try:
            self.url = f"127.0.0.1:{running.sockets[0].getsockname()[1]}"
            yield self
        finally:
            running.close()
            await running.wait_closed()

    def _smtp(self) -> SMTP:
        secured: dict[str, Any] = {}
        if self.tls:
            secured = {"tls_context": self.tls, "require_starttls": True, "auth_required": True}
            secured["authenticator"] = _authenticate
        return SMTP(_Handler(self), hostname="mail.example.net", enable_SMTPUTF8=True, **secured)

    async def meet(self, smtp: SMTP, content: bytes) -> str:
        """What becomes of one mail."""
        mail = email.message_from_bytes(content, policy=email.policy.default)
        does = Does.CREATE if mail["X-Tocsin-Action"] == "open" else Does.CHANGE
        behaviour = self.plan.next(does)
        behaviour = Behaviour.OK if behaviour in self.face.CANNOT else behaviour
        self.met[behaviour] += 1
        self.seen.append(Seen("MAIL", mail["To"], {"Content-Type": "message/rfc822"}, content, does, behaviour))
        if behaviour == Behaviour.SLOW:
            await self._wait(self._delay)
        if behaviour in DONE:
            self.face.take(mail)  # type: ignore[attr-defined]
        if behaviour == Behaviour.LATE:
            await self._wait(self._delay)
        if behaviour in (Behaviour.LOST, Behaviour.HALF, Behaviour.DROPPED):
            if behaviour == Behaviour.HALF:
                smtp._writer.write(b"25")
            smtp.transport.close()
            return ""
        return REPLIES.get(behaviour, "250 2.0.0 queued")


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    good = (data.login, data.password) == (USER.encode(), PASSWORD)
    return AuthResult(success=good, handled=False)


SERVER = MailServer

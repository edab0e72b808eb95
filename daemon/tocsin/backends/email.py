"""A ticket by mail: for a ticket system, or people, that a mailbox is all there is of.

STATUS: proven against a mail server that misbehaves.

Each incident is one thread: its first mail opens the ticket, what follows answers that mail (`In-Reply-To`,
`References`) under the same subject with our reference in brackets, by which ticket systems put a mail to its ticket.
Nothing comes back: what a mail server takes is sent, and the ticket's number is our reference. A mail whose answer was
lost is sent again with the same `Message-ID`, which mail systems deliver once. Headers for rules of the receiving side:
`X-Tocsin-Reference`, `X-Tocsin-Action`, `X-Tocsin-Status`, `X-Tocsin-Impact`, `X-Tocsin-Element`, `X-Tocsin-Contract`.
Format: RFC 5322, RFC 3834 (no automatic answers).
"""

from __future__ import annotations

import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import aiosmtplib
from pydantic import Field, StringConstraints, model_validator

from tocsin.backends import Finding, Level, _login, _texts
from tocsin.backends._can import Can
from tocsin.backends._document import IMPACT_LABELS
from tocsin.backends._options import Common
from tocsin.backends._scale import Scale
from tocsin.backends._system import TicketSystem
from tocsin.errors import DeliveryError, Reason, SettingsError
from tocsin.model import Delivery, DeliveryAction, Impact, Receipt, Record, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.backends import Outside
    from tocsin.backends._system import Wanted

Mailbox = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;:\"\x00-\x1f]+@[A-Za-z0-9.-]+$", max_length=254)]
_URGENT = frozenset({Impact.SEVERE, Impact.INTERRUPTED})
_LOCKED = frozenset({530, 534, 535, 538})
"""SMTP replies that speak of the login (RFC 4954)."""
_PASSING = 500
"""Replies below are to be tried again (RFC 5321 §4.2.1)."""
_EXCERPT = 200


class Options(Common):
    """What an email backend can be told; README.md in this folder says what each option means."""

    host: str = Field(min_length=1)
    """Name of the mail server that takes our mail."""
    port: int = Field(default=25, ge=1, le=65535)
    """Its port: 25, 587 (`starttls`) or 465 (`tls`) as a rule."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` and `tls` encrypt, and check the server's certificate; `none` is for a server on this machine."""
    ca_file: str = ""
    """File with the certificates that the server's own is checked with; those of this machine unless given."""
    user: str = ""
    """User, where the server asks for a password."""
    password_file: str = ""
    """File with that user's password."""
    sender: Mailbox
    """Address that mails come from; bounces go there."""
    to: tuple[Mailbox, ...] = Field(min_length=1, max_length=50)
    """Addresses that mails go to."""
    cc: tuple[Mailbox, ...] = Field(default=(), max_length=50)
    """Addresses that get a copy."""

    @model_validator(mode="after")
    def _keeps_its_password(self) -> Self:
        if bool(self.user) != bool(self.password_file):
            raise ValueError("give user and password_file together, or none of them")
        if self.user and self.security == "none":
            raise ValueError("a password is not sent without encryption: use starttls or tls")
        return self


class Backend(TicketSystem):
    """A mailbox as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {
        Can.LOOK_UP: "a mail cannot be looked for: it is sent again with the same Message-ID",
        Can.READ: "mails are sent, none is read",
        Can.ATTACH: "a mail holds the whole text, so that nothing is left to attach",
        Can.NOTES_BACK: "mails are sent, none is read",
        Can.CHANGES: "mails are sent, none is read",
        Can.HOOK: "mails are sent, none is read",
    }
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=180, text=1_000_000, note=1_000_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = Scale({status: status.value for status in TicketStatus})
        self.impacts = Scale({impact: impact.value for impact in Impact})
        self._options = options
        given = options.password_file
        self._password = _login.password(name, "password_file", given, outside) if given else ""
        self._trust = _trust(name, options) if options.security != "none" else None

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Send the mail that a delivery becomes. Raises DeliveryError."""
        refused = await self._send(self.mail(delivery))
        remark = f"not sent to everybody: {refused}" if refused else ""
        return Receipt(number=delivery.body.reference, status=delivery.body.status, remark=remark)

    def mail(self, delivery: Delivery) -> EmailMessage:
        """The exact mail that a delivery becomes."""
        body, opens = delivery.body, delivery.action == DeliveryAction.OPEN
        written = self.written(body)
        mail = EmailMessage()
        thread = self._id(body.reference)
        mail["From"] = Address(addr_spec=self._options.sender)
        mail["To"] = [Address(addr_spec=one) for one in self._options.to]
        if self._options.cc:
            mail["Cc"] = [Address(addr_spec=one) for one in self._options.cc]
        mail["Subject"] = f"{'' if opens else 'Re: '}[{body.reference}] {written.title}"
        mail["Date"] = format_datetime(self._outside.clock())
        mail["Message-ID"] = thread if opens else self._id(f"{body.reference}.{delivery.id}")
        if not opens:
            mail["In-Reply-To"] = mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"
        if body.impact in _URGENT:
            mail["Importance"] = "high"
        for header, value in _facts(delivery).items():
            mail[header] = value
        mail.set_content(written.text if opens else self._later(delivery), cte="quoted-printable")
        return mail

    def _later(self, delivery: Delivery) -> str:
        """What happened, and how it stands now."""
        body = delivery.body
        language = "fr" if (body.language or self._language) in ("fr", "both") else "en"
        note = _texts.notes(delivery, self._language, self.LIMITS)
        return f"{note}\n\n{IMPACT_LABELS[body.impact][language]} - {body.status.value}\n".lstrip()

    def _id(self, word: str) -> str:
        return f"<tocsin.{word}@{self._options.sender.rpartition('@')[2]}>"

    async def create(self, body: Snapshot) -> Record:
        """Mails are made by `deliver`."""
        raise NotImplementedError(f"{self.name} sends {body.reference} by mail")

    async def search(self, reference: str) -> list[Record]:
        """No mail is read."""
        raise NotImplementedError(f"{self.name} cannot look for {reference}")

    async def read(self, number: str) -> Record | None:
        """No mail is read."""
        raise NotImplementedError(f"{self.name} cannot read {number}")

    async def change(self, record: Record, wanted: Wanted) -> None:
        """Mails are made by `deliver`."""
        raise NotImplementedError(f"{self.name} tells {record.number} by mail: {wanted.action}")

    async def check(self) -> list[Finding]:
        """Whether the server answers, and takes the login."""
        client = self._client()
        try:
            async with client:
                await client.noop()
        except (aiosmtplib.SMTPException, OSError) as error:
            failure = self._failure(error, harmless=True)
        else:
            told = f"{self._options.host} answers" + (
                f", and knows {self._options.user!r}" if self._options.user else ""
            )
            return [Finding(level=Level.FINE, what="host", told=told)]
        raise failure

    def _client(self) -> aiosmtplib.SMTP:
        options = self._options
        return aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            username=options.user or None,
            password=self._password or None,
            timeout=self._timeout.total_seconds(),
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            tls_context=self._trust,
        )

    async def _send(self, mail: EmailMessage) -> str:
        """Send it; returns whom the server refused, when it took it for others."""
        client = self._client()
        handed = False
        try:
            async with client:
                handed = True
                refused, _ = await client.send_message(mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            failure = self._failure(error, harmless=not handed)
        else:
            return "; ".join(f"{address}: {code} {said}" for address, (code, said) in refused.items())
        raise failure  # out here: the library's error holds what was sent, and would travel along as the context

    def _failure(self, error: Exception, *, harmless: bool) -> DeliveryError:
        """What it means that a mail was not taken."""
        where = f"{self.name}: {self._options.host}:{self._options.port}"
        code = getattr(error, "code", None)
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
            codes = [refused.code for refused in error.recipients]
            said = "; ".join(f"{refused.recipient}: {refused.code}" for refused in error.recipients)
            retry = any(one < _PASSING for one in codes)
            return _refusal(where, said, Reason.UNAVAILABLE if retry else Reason.REFUSED, harmless=True)
        if isinstance(code, int) and code >= 0:
            return _replied(where, code, self._shown(str(getattr(error, "message", ""))))
        if isinstance(error, (aiosmtplib.SMTPConnectError, ConnectionRefusedError)) or harmless:
            why = f"{where}: no connection ({type(error).__name__}); check host, port and security"
            return DeliveryError(Reason.UNREACHABLE, why, retry=True, harmless=True)
        why = f"{where}: the connection ended before the answer ({type(error).__name__})"
        return DeliveryError(Reason.NO_ANSWER, why, retry=True)

    def _shown(self, said: str) -> str:
        line = " ".join("".join(char if char.isprintable() else " " for char in said).split())
        return (line.replace(self._password, "***") if self._password else line)[:_EXCERPT]


def _trust(name: str, options: Options) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:  # also what ssl raises
        why = f"backend {name}: ca_file {options.ca_file} holds no certificates that can be read"
        raise SettingsError(f"{why}: {error.strerror or error}") from None


def _facts(delivery: Delivery) -> dict[str, str]:
    """What rules of the receiving side can read, one line of ASCII each."""
    body = delivery.body
    facts = {
        "X-Tocsin-Reference": body.reference,
        "X-Tocsin-Action": delivery.action.value,
        "X-Tocsin-Status": body.status.value,
        "X-Tocsin-Impact": body.impact.value,
        "X-Tocsin-Element": body.element.reference,
        "X-Tocsin-Contract": body.element.contract,
    }
    return {name: value for name, value in facts.items() if value and value.isascii() and value.isprintable()}


def _replied(where: str, code: int, said: str) -> DeliveryError:
    if code in _LOCKED:
        why = f"{where}: {code} {said}; correct user, password_file or security"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True)
    return _refusal(where, f"{code} {said}", Reason.UNAVAILABLE if code < _PASSING else Reason.REFUSED, harmless=False)


def _refusal(where: str, said: str, reason: Reason, *, harmless: bool) -> DeliveryError:
    return DeliveryError(reason, f"{where}: {said}", retry=reason == Reason.UNAVAILABLE, harmless=harmless)

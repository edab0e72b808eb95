"""Tickets by mail, for a ticket system or people behind a mailbox.

STATUS: proven against a mail server that misbehaves.

Each incident is one thread: its first mail opens the ticket, what follows answers that mail (`In-Reply-To`,
`References`) under the same subject with our reference in brackets, by which ticket systems put a mail to its ticket.
Nothing comes back: what a mail server takes is sent, and the ticket's number is our reference. A mail whose answer was
lost is sent again with the same `Message-ID`, which mail systems deliver once. Headers for rules of the receiving side:
`X-Tocsin-Reference`, `X-Tocsin-Action`, `X-Tocsin-Status`, `X-Tocsin-Impact`, `X-Tocsin-Element`, `X-Tocsin-Contract`.

An address that the server puts off (greylisting, a full mailbox) is tried again for a quarter of an hour; the others
have the mail already. What the server finally refuses of all mails alike, the sender or every address, stops the
backend: nothing is lost until it is corrected. Format: RFC 5321, RFC 5322, RFC 3834 (no automatic answers).
"""

from __future__ import annotations

import ssl
from datetime import timedelta
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import aiosmtplib
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tocsin.backends import Finding, Level, _email_replies, _login, _texts
from tocsin.backends._can import Can
from tocsin.backends._document import IMPACT_LABELS
from tocsin.backends._options import Common
from tocsin.backends._scale import Scale
from tocsin.backends._system import TicketSystem
from tocsin.errors import DeliveryError, Reason, SettingsError
from tocsin.model import Delivery, DeliveryAction, Impact, Receipt, Record, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._system import Wanted


def _mailbox(address: str) -> str:
    if not address.isascii():
        raise ValueError(
            "must be plain ASCII: many servers take no other addresses (RFC 6531), so name one they all take"
        )
    try:
        Address(addr_spec=address)
    except (MessageError, ValueError, IndexError):
        raise ValueError("must be an e-mail address such as tickets@example.net") from None
    return address


def _host(name: str) -> str:
    try:
        name.encode("idna")
    except UnicodeError:
        name = ""
    if not name or not name.isprintable() or any(char in " /@[]" for char in name):
        raise ValueError("must be the name or the address of a machine, such as mail.example.net")
    return name


Mailbox = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s<>,;:\"\x00-\x1f]+@[A-Za-z0-9.-]+$", max_length=254),
    AfterValidator(_mailbox),
]
Host = Annotated[str, AfterValidator(_host)]
_URGENT = frozenset({Impact.SEVERE, Impact.INTERRUPTED})
_PATIENCE = timedelta(minutes=15)
"""So long an address that is put off is waited for; after that, mails go to the others without it."""
_REMEMBERED = 1_000
_LONGEST_WORD = 60
"""Characters of a word that surely fits into a line of a header."""


class Options(Common):
    """What an email backend can be told; README.md in this folder says what each option means."""

    host: Host
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
        self._server = _email_replies.Server(
            where=f"{name}: {options.host}:{options.port}",
            sender=options.sender,
            hide=_email_replies.forms(options.user, self._password) if given else (),
        )
        self._trust = _trust(name, options) if options.security != "none" else None
        self._handed: dict[str, frozenset[str]] = {}
        """Message-ID → who has that mail, while others are put off; after a restart all get it, as the same mail."""
        self._put_off: dict[str, datetime] = {}
        """Addresses that the server puts off, and since when."""

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Send the mail that a delivery becomes. Raises DeliveryError."""
        mail = self.mail(delivery)
        which, everybody = str(mail["Message-ID"]), dict.fromkeys((*self._options.to, *self._options.cc))
        have = self._handed.get(which, frozenset())
        refused = await self._send(mail, [one for one in everybody if one not in have])
        told = "; ".join(f"{address}: {code} {self._server.shown(said)}" for address, (code, said) in refused.items())
        if self._waits_for(refused, everybody):
            if len(self._handed) >= _REMEMBERED:
                self._handed.clear()
            self._handed[which] = frozenset(everybody.keys() - refused.keys())
            why = f"{self.name}: {self._options.host} has put off {told}; the others have the mail"
            raise DeliveryError(Reason.UNAVAILABLE, why, retry=True)
        self._handed.pop(which, None)
        remark = f"not sent to everybody: {told}" if told else ""
        return Receipt(number=delivery.body.reference, status=delivery.body.status, remark=remark)

    def _waits_for(self, refused: Mapping[str, tuple[int, str]], everybody: Collection[str]) -> bool:
        """Whether somebody may be able to get the mail soon. An address that is put off for long holds nothing up."""
        now = self._outside.clock()
        passing = [address for address, (code, _) in refused.items() if _email_replies.passing(code)]
        for address in everybody:
            if address not in passing:
                self._put_off.pop(address, None)
        return any(now - self._put_off.setdefault(address, now) < _PATIENCE for address in passing)

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
        mail.set_raw("Subject", _line("Subject", f"{'' if opens else 'Re: '}[{body.reference}]", written.title))
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
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            failure = _email_replies.meaning(error, self._server, handed=False)
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

    async def _send(self, mail: EmailMessage, recipients: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Send it; returns whom the server refused, when it took it for others, and what it said."""
        client = self._client()
        handed = False
        try:
            async with client:
                handed = True
                refused, _ = await client.send_message(mail, recipients=recipients)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            failure = _email_replies.meaning(error, self._server, handed=handed)
        else:
            return refused
        raise failure  # out here: the library's error holds what was sent, and would travel along as the context


def _trust(name: str, options: Options) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:  # also what ssl raises
        why = f"backend {name}: ca_file {options.ca_file} holds no certificates that can be read"
        raise SettingsError(f"{why}: {error.strerror or error}") from None


def _line(header: str, begins: str, text: str) -> str:
    """A header's value: ASCII that begins it, and any text after it, in words of RFC 2047 when it needs them.

    The library's own folding drops spaces between such words, and leaves to be decoded what only looks like one.
    """
    if text.isascii() and "=?" not in text and max(map(len, text.split()), default=0) <= _LONGEST_WORD:
        return f"{begins} {text}"
    room = len(f"{header}: {begins} ")
    words = Header(text, "utf-8", maxlinelen=76, header_name="x" * (room - 2)).encode(linesep="\r\n")
    return f"{begins} {words}"


def _facts(delivery: Delivery) -> dict[str, str]:
    """What rules of the receiving side can read, one line of ASCII each; what does not fit is left out."""
    body = delivery.body
    facts = {
        "X-Tocsin-Reference": body.reference,
        "X-Tocsin-Action": delivery.action.value,
        "X-Tocsin-Status": body.status.value,
        "X-Tocsin-Impact": body.impact.value,
        "X-Tocsin-Element": body.element.reference,
        "X-Tocsin-Contract": body.element.contract,
    }
    return {name: value for name, value in facts.items() if 0 < len(value) <= _LONGEST_WORD and _plain(value)}


def _plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and "=?" not in value and value == value.strip()

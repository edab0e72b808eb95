"""What a mail server's replies mean for a delivery, command by command (RFC 5321, RFC 4954). Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import aiosmtplib
from msgspec import Struct

from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOCKED = frozenset({530, 534, 535, 538})
"""SMTP replies that speak of the login (RFC 4954)."""
_PASSING = 500
"""Replies below are to be tried again (RFC 5321 §4.2.1)."""
_FULL = 552
"""Of a recipient: too many of them, or a mailbox that is full; to be tried again (RFC 5321 §4.5.3.1.10)."""
_EARLY = (aiosmtplib.SMTPHeloError, aiosmtplib.SMTPSenderRefused)
"""Refused before anything is known of the mail: the next one would be refused alike."""
_EXCERPT = 200


class Server(Struct, frozen=True, kw_only=True):
    """A mail server, as sentences speak of it."""

    where: str
    """The backend's name, and the server's address."""
    sender: str
    hide: tuple[str, ...] = ()
    """Texts that no sentence may repeat."""

    def shown(self, said: str) -> str:
        """What a server said as one printable line, secrets struck out."""
        line = " ".join("".join(char if char.isprintable() else " " for char in said).split())
        for secret in self.hide:
            line = line.replace(secret, "***")
        return line[:_EXCERPT]


def forms(user: str, password: str) -> tuple[str, ...]:
    """A password as it may come back from a server: as it is, and as it went over the wire (RFC 4616, AUTH LOGIN)."""
    packed = (f"\0{user}\0{password}", password)
    return (*(base64.b64encode(one.encode()).decode() for one in packed), password)


def passing(code: int) -> bool:
    """Whether a recipient that is refused so may be taken later."""
    return code < _PASSING or code == _FULL


def meaning(error: Exception, server: Server, *, handed: bool) -> DeliveryError:
    """What it means that a mail was not taken; `handed` says that the server had let us in."""
    code = getattr(error, "code", -1)
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _nobody(error.recipients, server)
    if code >= 0:
        early = not handed or isinstance(error, _EARLY)
        return _replied(error, code, server, early=early)
    if isinstance(error, (aiosmtplib.SMTPResponseException, UnicodeError)):
        why = f"{server.where}: what answers there is no mail server; check host, port and security"
        return DeliveryError(Reason.NO_ANSWER if handed else Reason.UNREACHABLE, why, retry=True, harmless=not handed)
    if isinstance(error, OSError):
        return _cut_off(error, server, handed=handed)
    # The library's own objections: what the options ask for and the server does not offer.
    why = f"{server.where}: {server.shown(str(error))} Nothing was sent; correct security, user or port"
    return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)


def _nobody(refused: Sequence[aiosmtplib.SMTPRecipientRefused], server: Server) -> DeliveryError:
    """No recipient was taken, so no mail was sent."""
    said = "; ".join(f"{one.recipient}: {one.code} {server.shown(one.message)}" for one in refused)
    if any(passing(one.code) for one in refused):
        return DeliveryError(Reason.UNAVAILABLE, f"{server.where}: {said}", retry=True, harmless=True)
    why = f"{server.where}: {said}; correct to and cc, or let the server take mails of {server.sender} for them"
    return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)


def _replied(error: Exception, code: int, server: Server, *, early: bool) -> DeliveryError:
    """What the server's words mean: what it refuses of every mail stops us, what it refuses of this one is over."""
    said = server.shown(str(getattr(error, "message", "")))
    why = f"{server.where}: {code} {said}"
    if code < _PASSING or (code == _FULL and "5.2.2" in said):  # a mailbox that is full (RFC 3463)
        # Of the mail itself: some servers answer so when a filter took too long, and have the mail all the same.
        return DeliveryError(Reason.UNAVAILABLE, why, retry=True, harmless=early)
    if code in _LOCKED or isinstance(error, aiosmtplib.SMTPAuthenticationError):
        why = f"{why}; correct user, password_file or security"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True, harmless=True)
    if early and code != _FULL:
        why = f"{why}; correct sender, or let the server take mails from this machine"
        return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)
    return DeliveryError(Reason.REFUSED, why, retry=False, harmless=True)


def _cut_off(error: Exception, server: Server, *, handed: bool) -> DeliveryError:
    if isinstance(error, (aiosmtplib.SMTPConnectError, ConnectionRefusedError)) or not handed:
        why = f"{server.where}: no connection ({type(error).__name__}); check host, port and security"
        return DeliveryError(Reason.UNREACHABLE, why, retry=True, harmless=True)
    why = f"{server.where}: the connection ended before the answer ({type(error).__name__})"
    return DeliveryError(Reason.NO_ANSWER, why, retry=True)

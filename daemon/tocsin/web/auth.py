"""Whether a hook request may be believed: bearer token, static header, basic, HMAC of the body, or open by declaration.

Pure and constant-time: secrets come from the caller as bytes, the clock as an argument, and nothing is said about why
a request was refused. A header that is missing, given twice or not ASCII is simply wrong.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import Error as NotBase64Error
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from multidict import MultiMapping

_LONGEST_TIMESTAMP = 15


@dataclass(frozen=True, slots=True)
class _Secrets:
    """A scheme whose fields without a default must not be empty: an empty secret would let everybody in."""

    def __post_init__(self) -> None:
        for part in fields(self):
            if getattr(self, part.name) == b"":
                raise ValueError(f"{type(self).__name__}.{part.name} is empty: give it the content of its secret file")


@dataclass(frozen=True, slots=True)
class Bearer(_Secrets):
    """`Authorization: Bearer TOKEN`."""

    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Header(_Secrets):
    """A header of its own with a fixed value, such as `X-Auth-Token`."""

    name: str
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Basic(_Secrets):
    """`Authorization: Basic`, user and password."""

    user: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hmac(_Secrets):
    """A header that holds the HMAC-SHA256 of the body, in hexadecimal digits of either case after `prefix`.

    With `timestamp`, the name of a header with epoch seconds, the signed text is the timestamp, a colon and the body
    (as Grafana signs), and a timestamp further than `skew` from now is refused: a request cannot be replayed for ever.
    """

    header: str
    secret: bytes = field(repr=False)
    prefix: str = "sha256="
    timestamp: str = ""
    skew: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Open:
    """Nobody is asked: the settings declared the source open in words."""


Scheme = Bearer | Header | Basic | Hmac | Open


def needs_body(scheme: Scheme) -> bool:
    """Whether `allowed` looks at the body; otherwise it can be asked before a byte of the body is read."""
    return isinstance(scheme, Hmac)


def allowed(scheme: Scheme, headers: MultiMapping[str], body: bytes, now: datetime) -> bool:
    """Whether the request proves what the scheme asks for.

    Args:
        scheme: what is asked for.
        headers: the request's, looked up without regard to case.
        body: as it was sent, before inflating: senders sign what they send. Unused unless `needs_body`.
        now: for the timestamp of a signature.
    """
    match scheme:
        case Open():
            return True
        case Bearer(token=token):
            return hmac.compare_digest(_credentials(headers, b"bearer"), token)
        case Header(name=name, token=token):
            return hmac.compare_digest(_only(headers, name), token)
        case Basic(user=user, password=password):
            return hmac.compare_digest(_decoded(_credentials(headers, b"basic")), user + b":" + password)
        case Hmac():
            return _signed(scheme, headers, body, now)


def _signed(scheme: Hmac, headers: MultiMapping[str], body: bytes, now: datetime) -> bool:
    signature = hmac.new(scheme.secret, digestmod="sha256")
    if scheme.timestamp:
        stamp = _only(headers, scheme.timestamp)
        if not _is_recent(stamp, now, scheme.skew):
            return False
        signature.update(stamp + b":")
    signature.update(body)
    expected = scheme.prefix.encode() + signature.hexdigest().encode()
    return hmac.compare_digest(_only(headers, scheme.header).lower(), expected.lower())


def _is_recent(stamp: bytes, now: datetime, skew: timedelta) -> bool:
    if not stamp.isdigit() or len(stamp) > _LONGEST_TIMESTAMP:
        return False
    return abs(int(stamp) - now.timestamp()) <= skew.total_seconds()


def _only(headers: MultiMapping[str], name: str) -> bytes:
    """The header's value when it is there exactly once and is ASCII; nothing otherwise, which no secret equals."""
    values = headers.getall(name, [])
    if len(values) != 1 or not values[0].isascii():
        return b""
    return values[0].strip().encode()


def _credentials(headers: MultiMapping[str], scheme: bytes) -> bytes:
    """What follows the scheme's word in `Authorization`."""
    word, _, credentials = _only(headers, "Authorization").partition(b" ")
    return credentials.strip() if word.lower() == scheme else b""


def _decoded(credentials: bytes) -> bytes:
    try:
        return b64decode(credentials, validate=True)
    except NotBase64Error:
        return b""

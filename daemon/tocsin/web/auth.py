"""Whether a hook request may be believed: a token in a header, address or body, an HMAC of the body, or open by declaration.

Pure and constant-time: secrets come from the caller as bytes, the clock as an argument, and nothing is said about why
a request was refused. A header that is missing, given twice or not ASCII is simply wrong. A message that is signed by a
certificate it names is the business of `certificates`: that one must be fetched.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64Error
from dataclasses import dataclass, field, fields
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from msgspec import DecodeError
from msgspec.json import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from multidict import MultiMapping

_LONGEST_TIMESTAMP = 15
_MOST_FIELDS = 1_000
_MOST_SIGNATURES = 8

_document = Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class _Secrets:
    """A scheme whose fields without a default must not be empty: an empty secret would let everybody in."""

    def __post_init__(self) -> None:
        for part in fields(self):
            if getattr(self, part.name) == b"":
                raise ValueError(f"{type(self).__name__}.{part.name} is empty: give it the content of its secret file")


@dataclass(frozen=True, slots=True)
class Bearer(_Secrets):
    """`Authorization: Bearer TOKEN`, or another word in the place of `Bearer`, in any case."""

    token: bytes = field(repr=False)
    word: str = "Bearer"


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
    """A header that holds the HMAC of the body after `prefix`: hexadecimal digits of either case, or base64.

    With `timestamp`, the name of a header with epoch seconds, the signed text is the timestamp, `separator` and the body
    (as Grafana signs), and a timestamp further than `skew` from now is refused: a request cannot be replayed for ever.
    """

    header: str
    secret: bytes = field(repr=False)
    prefix: str = "sha256="
    timestamp: str = ""
    skew: timedelta = timedelta(minutes=5)
    algorithm: str = "sha256"
    encoding: str = "hex"
    separator: str = ":"


@dataclass(frozen=True, slots=True)
class Parameter(_Secrets):
    """A token in the address: a parameter of the query, or a variable of the path."""

    name: str
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Field(_Secrets):
    """A token in the body: a field at the top of its JSON object, or of its form."""

    name: str
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The message is signed by a certificate that it names; see `certificates`. Nothing is known before it is read."""

    hosts: tuple[str, ...]
    topics: tuple[str, ...] = ()
    max_age: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Open:
    """Nobody is asked: the settings declared the source open in words."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nobody is let in: the source is only asked."""


Scheme = Bearer | Header | Basic | Hmac | Parameter | Field | Certificate | Open | Closed

_NOTHING: Mapping[str, str] = MappingProxyType({})


def needs_body(scheme: Scheme) -> bool:
    """Whether `allowed` looks at the body; otherwise it can be asked before a byte of the body is read."""
    return isinstance(scheme, (Hmac, Field))


def allowed(
    scheme: Scheme, headers: MultiMapping[str], body: bytes, now: datetime, given: Mapping[str, str] = _NOTHING
) -> bool:
    """Whether the request proves what the scheme asks for; of `Certificate`, which asks more, nothing yet: True.

    Args:
        scheme: what is asked for.
        headers: the request's, looked up without regard to case.
        body: as it was sent, before inflating, for `Hmac`: senders sign what they send. Inflated for `Field`. Unused
            unless `needs_body`.
        now: for the timestamp of a signature.
        given: what the address says: the path's variables, and the query.
    """
    match scheme:
        case Open() | Certificate():
            return True
        case Closed():
            return False
        case Bearer(token=token, word=word):
            return hmac.compare_digest(_credentials(headers, word.lower().encode()), token)
        case Header(name=name, token=token):
            return hmac.compare_digest(_only(headers, name), token)
        case Basic(user=user, password=password):
            return hmac.compare_digest(_decoded(_credentials(headers, b"basic")), user + b":" + password)
        case Parameter(name=name, token=token):
            return hmac.compare_digest(given.get(name, "").encode(errors="replace"), token)
        case Field(name=name, token=token):
            return hmac.compare_digest(_field(body, name), token)
        case Hmac():
            return _signed(scheme, headers, body, now)


def _signed(scheme: Hmac, headers: MultiMapping[str], body: bytes, now: datetime) -> bool:
    signature = hmac.new(scheme.secret, digestmod=scheme.algorithm)
    if scheme.timestamp:
        stamp = _only(headers, scheme.timestamp)
        if not _is_recent(stamp, now, scheme.skew):
            return False
        signature.update(stamp + scheme.separator.encode())
    signature.update(body)
    given = _only(headers, scheme.header)
    if scheme.encoding == "base64":
        return hmac.compare_digest(given, scheme.prefix.encode() + b64encode(signature.digest()))
    expected = (scheme.prefix.encode() + signature.hexdigest().encode()).lower()
    # Some sign with the old and the new secret while one replaces the other (PagerDuty): any of them is good.
    matches = [hmac.compare_digest(one.strip().lower(), expected) for one in given.split(b",", _MOST_SIGNATURES)]
    return any(matches)


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


def _field(body: bytes, name: str) -> bytes:
    """The text that a body's field holds; nothing when it is no JSON object and no form, or has no such text."""
    try:
        document = _document.decode(body)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return _form_field(body, name)
    value = document.get(name)
    return value.encode(errors="replace") if isinstance(value, str) else b""


def _form_field(body: bytes, name: str) -> bytes:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return b""
    values = [value for key, value in pairs if key == name]
    return values[0].encode(errors="replace") if len(values) == 1 else b""

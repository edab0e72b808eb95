"""Makes a message that a source will believe: the tokens and signatures that its settings ask for.

The other side of `web.auth`, for commands that speak to the service as a platform does.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from tocsin.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tocsin.settings import Source
    from tocsin.settings.source import Hmac


class Message(NamedTuple):
    """A request before it is sent."""

    url: str
    headers: dict[str, str]
    body: bytes


def proven(message: Message, name: str, source: Source, read: Callable[[str], bytes], now: datetime) -> Message:
    """The message with what the source asks for.

    Raises:
        SettingsError: a secret cannot be read, or only the platform itself can sign.
    """
    auth = source.auth
    if auth is None:
        return message
    if auth.bearer:
        return _with(message, "Authorization", f"{auth.bearer.scheme} {_text(read(str(auth.bearer.token_file)))}")
    if auth.header:
        return _with(message, auth.header.name, _text(read(str(auth.header.token_file))))
    if auth.basic:
        pair = auth.basic.user.encode() + b":" + read(str(auth.basic.password_file))
        return _with(message, "Authorization", f"Basic {b64encode(pair).decode()}")
    if auth.parameter:
        return _in_address(message, auth.parameter.name, _text(read(str(auth.parameter.token_file))))
    if auth.field:
        return message._replace(body=_in_body(message.body, auth.field.name, _text(read(str(auth.field.token_file)))))
    if auth.hmac:
        return _signed(message, auth.hmac, read(str(auth.hmac.secret_file)), now)
    raise SettingsError(f"source {name} takes messages that its platform signs with a certificate: only that can sign")


def _with(message: Message, header: str, value: str) -> Message:
    return message._replace(headers={**message.headers, header: value})


def _in_address(message: Message, name: str, token: str) -> Message:
    """As the path's variable where it has one of this name, else in the query."""
    variable = f"{{{name}}}"
    if variable in message.url:
        return message._replace(url=message.url.replace(variable, quote(token, safe="")))
    joined = "&" if "?" in message.url else "?"
    return message._replace(url=f"{message.url}{joined}{urlencode({name: token})}")


def _in_body(body: bytes, name: str, token: str) -> bytes:
    try:
        document = json.loads(body)
    except ValueError:
        others = [pair for pair in body.split(b"&") if not pair.startswith(name.encode() + b"=")]
        return b"&".join([urlencode({name: token}).encode(), *others])
    return json.dumps(document | {name: token}).encode() if isinstance(document, dict) else body


def _signed(message: Message, auth: Hmac, secret: bytes, now: datetime) -> Message:
    stamp = str(int(now.timestamp())) if auth.timestamp_header else ""
    text = f"{stamp}{auth.separator}".encode() + message.body if stamp else message.body
    digest = hmac.new(secret, text, auth.algorithm)
    signature = b64encode(digest.digest()).decode() if auth.encoding == "base64" else digest.hexdigest()
    signed = _with(message, auth.header, f"{auth.prefix}{signature}")
    return _with(signed, auth.timestamp_header, stamp) if stamp else signed


def _text(secret: bytes) -> str:
    return secret.decode("latin-1")

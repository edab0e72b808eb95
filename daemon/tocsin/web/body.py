"""Reads the body of a request within limits: its size as sent, its size inflated, and the time it may take.

It answers nothing itself: what it will not take is `Refused`, with the status and a sentence for the sender. The server
must run with `auto_decompress=False`, or it would inflate before any limit of ours is looked at.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from aiohttp.web_protocol import RequestPayloadError
from msgspec import Struct

from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from aiohttp import StreamReader, web
    from multidict import MultiMapping

_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15
_BARE_WINDOW = -15


class Limits(Struct, frozen=True, kw_only=True):
    """How much is taken of one request."""

    received: int
    """Bytes as sent."""
    inflated: int
    """Bytes after `Content-Encoding` is undone."""
    seconds: float = 30.0
    """Time from the first look at the body to its end."""


class Refused(TocsinError):  # noqa: N818 - not a fault of ours: it is the answer
    """The body is not taken: answer `status` with `text`, which says what is wrong with it and what would do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Received(Struct, frozen=True, kw_only=True):
    """A body within the limits, not yet inflated, so that a signature can be judged before any work is done."""

    raw: bytes
    """As sent: what senders sign."""
    encoding: str
    """`gzip`, `deflate`, or empty for none."""
    limit: int
    """Most bytes that `inflated` returns."""

    @property
    def inflated(self) -> bytes:
        """The body as it is meant; inflated anew at each call. Raises Refused (400, 413), see `inflate`."""
        return inflate(self.raw, self.encoding, self.limit) if self.encoding else self.raw


async def read(request: web.BaseRequest, limits: Limits) -> Received:
    """The whole body.

    Raises:
        Refused: 413 it is larger than `limits.received`, told before reading where its length is announced; 415 it is
            encoded in a way we do not undo; 408 it did not arrive in time; 400 it broke off.
    """
    encoding = _encoding(request.headers)
    if (request.content_length or 0) > limits.received:
        raise _too_large(limits.received)
    raw = await _received(request.content, limits)
    return Received(raw=raw, encoding=encoding, limit=limits.inflated)


def inflate(raw: bytes, encoding: str, limit: int) -> bytes:
    """What was compressed, `gzip` (one member) or `deflate` (with or without zlib's header); never more than `limit` bytes.

    Raises:
        Refused: 413 it would be larger; 400 it is truncated, damaged, or followed by something else.
    """
    inflater = zlib.decompressobj(_window(raw, encoding))
    try:
        body = inflater.decompress(raw, limit + 1)
    except zlib.error as error:
        raise Refused(400, f"the body is not {encoding}, as Content-Encoding says it is: {error}") from error
    if len(body) > limit:
        raise Refused(413, f"the inflated body has more than {limit} bytes: send smaller batches")
    if not inflater.eof:
        raise Refused(400, f"the {encoding} body is truncated after {len(raw)} bytes: send it whole")
    if inflater.unused_data:
        raise Refused(400, f"{len(inflater.unused_data)} bytes follow the end of the {encoding} body: send one stream")
    return body


async def _received(content: StreamReader, limits: Limits) -> bytes:
    try:
        if content.is_eof():
            return _within(content.read_nowait(), 0, limits.received)
        async with asyncio.timeout(limits.seconds):
            return await _streamed(content, limits.received)
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {limits.seconds:g} seconds: send it again") from None
    except (ConnectionError, RequestPayloadError) as error:
        raise Refused(400, "the body broke off before its end: send it again") from error


async def _streamed(content: StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for part in content.iter_any():
        body += _within(part, len(body), limit)
    return bytes(body)


def _within(part: bytes, before: int, limit: int) -> bytes:
    if before + len(part) > limit:
        raise _too_large(limit)
    return part


def _too_large(limit: int) -> Refused:
    return Refused(413, f"the body has more than {limit} bytes: send smaller batches")


def _encoding(headers: MultiMapping[str]) -> str:
    """The one encoding that is to be undone; empty when there is none."""
    if "Content-Encoding" not in headers:
        return ""
    words = [word.strip().lower() for word in ",".join(headers.getall("Content-Encoding")).split(",")]
    encodings = [word.removeprefix("x-") for word in words if word not in {"", "identity"}]
    if len(encodings) > 1 or not {"gzip", "deflate"}.issuperset(encodings):
        raise Refused(
            415, f"Content-Encoding {', '.join(words)[:100]!r}: send gzip, deflate or identity, one of them only"
        )
    return encodings[0] if encodings else ""


def _window(raw: bytes, encoding: str) -> int:
    """How zlib is to read it: some senders leave out the header that `deflate` should have (RFC 9110, 8.4.1.2)."""
    if encoding == "gzip":
        return _GZIP_WINDOW
    has_header = raw[:1] and raw[0] & 0x0F == zlib.DEFLATED and int.from_bytes(raw[:2]) % 31 == 0
    return _ZLIB_WINDOW if has_header else _BARE_WINDOW

"""Fetches what a message asks to be fetched: a certificate, or an address that confirms a subscription.

Whoever writes such a message could make this machine ask anything inside the network; so only https, only hosts on a list,
no redirect, no credentials in the address, and little is read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from tocsin.errors import TocsinError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

LARGEST = 64 * 1024
"""Bytes of an answer that are read at most."""

_PATIENCE = aiohttp.ClientTimeout(total=10)
_HTTPS = 443
_REFUSED = 300


class ForbiddenError(TocsinError):
    """The address is none that may be fetched; the sentence says why."""


class UnreachableError(TocsinError):
    """The address may be fetched, and did not answer as it should: trying again may help."""


class Visits:
    """The one way out for what messages name."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        """`trust`: whose certificates are believed; None for the system's."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust or True),
            timeout=_PATIENCE,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Let connections go."""
        await self._session.close()

    async def get(self, url: str, hosts: Iterable[str]) -> bytes:
        """What is at an address, of which the host is one of these, globs whose `*` is within one label of a name.

        Raises:
            ForbiddenError: it may not be fetched; nothing was.
            UnreachableError: no connection, another status than 200, or too much.
        """
        check(url, hosts)
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status >= _REFUSED:
                    raise UnreachableError(f"{urlsplit(url).hostname} answered {answer.status}")
                body = await _read(answer.content)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(f"{urlsplit(url).hostname} does not answer: {error!r}") from error
        if len(body) > LARGEST:
            raise UnreachableError(f"{urlsplit(url).hostname} answered more than {LARGEST} bytes")
        return body


async def _read(content: aiohttp.StreamReader) -> bytes:
    """All of it, or a little more than is taken; it comes in pieces."""
    body = b""
    while len(body) <= LARGEST and (piece := await content.read(LARGEST + 1 - len(body))):
        body += piece
    return body


def check(url: str, hosts: Iterable[str]) -> None:
    """Raise ForbiddenError unless the address may be fetched."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port or _HTTPS
    except ValueError:
        raise ForbiddenError("the address cannot be read") from None
    if split.scheme != "https" or split.username is not None or split.password is not None:
        raise ForbiddenError("only https addresses without credentials are fetched")
    if not url.isascii() or re.search(r"[\s\\]", url):
        raise ForbiddenError("the address has characters that none has")
    name = host if port == _HTTPS else f"{host}:{port}"
    if not any(_glob(pattern).fullmatch(name) for pattern in hosts):
        raise ForbiddenError(f"{name} is not on the list of hosts; see `auth.certificate.hosts`")


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", "[a-z0-9-]+"), re.IGNORECASE | re.ASCII)

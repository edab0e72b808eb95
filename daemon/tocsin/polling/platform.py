"""A platform's HTTP interface: asked with credentials and time limits, answers of limited size.

Knows HTTP; knows no platform.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp
from msgspec import Struct

from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

LARGEST = 256 * 1024**2
"""Bytes of an answer that are read at most."""

LONGEST_LINE = 4 * 1024**2
"""Bytes of one line of a stream."""

_REFUSED = 300


class PlatformError(TocsinError):
    """The platform does not answer, or not as it should; the sentence says how."""


class Asked(Struct, frozen=True, kw_only=True):
    """How a platform is asked."""

    url: str
    """Base address."""
    headers: dict[str, str] = {}
    """Credentials; never logged."""
    every: timedelta = timedelta(minutes=1)
    timeout: timedelta = timedelta(seconds=10)
    settle: timedelta = timedelta(minutes=5)
    trust: ssl.SSLContext | None = None
    """Whose certificates are believed; None for the system's."""
    server_name: str = ""


class Platform:
    """One platform's interface."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._url = asked.url.rstrip("/")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=asked.trust or True),
            headers=asked.headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=LONGEST_LINE,
            trust_env=False,
        )
        self._patience = aiohttp.ClientTimeout(total=asked.timeout.total_seconds())

    async def close(self) -> None:
        """Let connections go."""
        await self._session.close()

    async def get(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> bytes:
        """What is at a path. Raises PlatformError."""
        with _told(path):
            async with self._session.get(
                self._url + path,
                params=list(parameters),
                timeout=self._patience,
                allow_redirects=False,
                server_hostname=self._asked.server_name or None,
            ) as answer:
                _check(answer, path)
                body = await answer.content.read(LARGEST + 1)
                while not answer.content.at_eof() and len(body) <= LARGEST:
                    body += await answer.content.read(LARGEST + 1 - len(body))
        if len(body) > LARGEST:
            raise PlatformError(f"{path}: more than {LARGEST} bytes")
        return body

    @asynccontextmanager
    async def stream(self, path: str, value: object) -> AsyncIterator[AsyncIterator[bytes]]:
        """Post a value as JSON, and get the lines of an answer that does not end. Raises PlatformError."""
        patience = aiohttp.ClientTimeout(total=None, sock_connect=self._asked.timeout.total_seconds())
        with _told(path):
            async with self._session.post(
                self._url + path,
                json=value,
                headers={"Accept": "application/json"},
                timeout=patience,
                allow_redirects=False,
                server_hostname=self._asked.server_name or None,
            ) as answer:
                _check(answer, path)
                yield aiter(answer.content)


class _told:  # noqa: N801 - reads as a word at its place
    """Turns what goes wrong with a connection into a sentence."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, aiohttp.ClientError | TimeoutError | ValueError):
            raise PlatformError(f"{self._path}: {type(error).__name__}: {error}") from error


def _check(answer: aiohttp.ClientResponse, path: str) -> None:
    if answer.status >= _REFUSED:
        raise PlatformError(f"{path}: answered {answer.status}")

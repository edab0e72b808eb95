"""One system's API as its backend speaks to it: address, login, JSON, and what each answer means.

Knows HTTP, and no ticket system. A token that was refused is renewed once within a call, for a 401 says that nothing
was done; everything else is the outbox's to try again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from tocsin.backends._http import Answer, Request, call, decoded, meaning, refusal
from tocsin.backends._login import NOBODY, Login
from tocsin.backends._progress import step

if TYPE_CHECKING:
    from tocsin.backends import Outside
    from tocsin.errors import DeliveryError

Judge = Callable[[Answer, Request, datetime], "DeliveryError | None"]
"""What an answer means: the error it is, or None for a success. Pure."""

_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_USUAL = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tocsin"}


@dataclass(frozen=True, slots=True)
class File:
    """A file for a ticket."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request, and what it is."""

    media_type: str
    content: bytes = field(repr=False)


def as_json(value: Any, media_type: str = "application/json") -> Body:
    """A value as JSON."""
    return Body(media_type, msgspec.json.encode(value))


def as_form(fields: Mapping[str, str]) -> Body:
    """Fields as a web form."""
    return Body("application/x-www-form-urlencoded", urlencode(fields).encode())


def as_multipart(fields: Mapping[str, str], files: Sequence[tuple[str, File]]) -> Body:
    """Fields and files as multipart/form-data (RFC 7578); the boundary comes from the content: the same each time."""
    parts = [(f'name="{name}"', "", value.encode()) for name, value in fields.items()]
    parts += [
        (f'name="{name}"; filename="{_quoted(file.name)}"', file.media_type, file.content) for name, file in files
    ]
    boundary = hashlib.sha256(b"\0".join(content for _, _, content in parts)).hexdigest()[:40]
    lines = bytearray()
    for about, media_type, content in parts:
        kind = f"Content-Type: {media_type}\r\n" if media_type else ""
        lines += f"--{boundary}\r\nContent-Disposition: form-data; {about}\r\n{kind}\r\n".encode() + content + b"\r\n"
    lines += f"--{boundary}--\r\n".encode()
    return Body(f"multipart/form-data; boundary={boundary}", bytes(lines))


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


class Api:
    """JSON over HTTP to one system."""

    def __init__(  # noqa: PLR0913 - what a system may need
        self,
        url: str,
        outside: Outside,
        *,
        timeout: timedelta,
        login: Login = NOBODY,
        judge: Judge = refusal,
        headers: Mapping[str, str] | None = None,
        inside: bool = False,
    ) -> None:
        """Take where it is, who asks, and what its answers mean.

        Args:
            url: address of the API.
            outside: the world.
            timeout: time for a whole answer.
            login: who we are.
            judge: what an answer means.
            headers: go with every call.
            inside: this system tells every refusal inside of a success, so that one leaves no doubt. Anywhere else an error
                beside a success does: the system may have done what it was asked.
        """
        self._url = url.rstrip("/")
        self._outside = outside
        self._timeout = timeout
        self._login = login
        self._judge = judge
        self._headers = {**_USUAL, **(headers or {})}
        self._inside = inside

    async def ask(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON that is answered to a call; None when a success has no body. `path` is already quoted.

        Raises:
            DeliveryError: no answer, or one that is no success.
        """
        answer, request = await self.answer(method, path, body, query=query, headers=headers)
        return decoded(answer, request) if answer.body.strip() else None

    async def find(self, path: str, *, query: Mapping[str, str] | None = None) -> Any | None:
        """The JSON that is there; None when the system says that there is nothing. Raises as `ask`."""
        request = await self._request("GET", path, None, query, None)
        answer = await self._send(request)
        if answer.status in _ABSENT:
            return None
        answer, request = await self._renewed(answer, request)
        return None if answer.status in _ABSENT else self._fine(answer, request)

    async def answer(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Answer, Request]:
        """A successful answer as it came, and what it answers: for headers. Raises as `ask`."""
        request = await self._request(method, path, body, query, headers)
        answer, request = await self._renewed(await self._send(request), request)
        error = self._judge(answer, request, self._outside.clock())
        if error is not None:
            beside = method != "GET" and meaning(answer.status) is None and not self._inside
            error.partly = error.partly or beside
            raise error
        if method != "GET":
            step(method)
        return answer, request

    async def _renewed(self, answer: Answer, request: Request) -> tuple[Answer, Request]:
        """The same once more with a new token, when the token was refused: a 401 says that nothing was done."""
        if answer.status != HTTPStatus.UNAUTHORIZED or not self._login.expire(request.headers):
            return answer, request
        again = Request(
            request.method,
            request.url,
            {**request.headers, **await self._login.headers()},
            request.body,
            (*request.hide, *self._login.hide),
        )
        return await self._send(again), again

    def _fine(self, answer: Answer, request: Request) -> Any:
        error = self._judge(answer, request, self._outside.clock())
        if error is not None:
            raise error
        return decoded(answer, request)

    async def _request(
        self,
        method: str,
        path: str,
        body: Body | None,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Request:
        proof = await self._login.headers()
        url = path if path.startswith(("http://", "https://")) else f"{self._url}/{path.lstrip('/')}"
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        kind = {"Content-Type": body.media_type} if body else {}
        content = body.content if body else b""
        return Request(method, url, {**self._headers, **kind, **(headers or {}), **proof}, content, self._login.hide)

    async def _send(self, request: Request) -> Answer:
        return await call(self._outside.session, request, timeout=self._timeout, pause=self._outside.pause)

"""One HTTP call of a backend, and what its outcome means for the delivery.

Knows HTTP and our reasons. Knows no ticket system, and does not wait out an outage: durable waits live in the store,
tenacity here only bridges a connection that could not be made within about two seconds.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_exponential
from yarl import URL

from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ANSWER_LIMIT = 8_000_000
"""Bytes of an answer that are read, after inflating."""
LONGEST_AFTER = timedelta(hours=1)
"""A server may ask for patience up to here."""
_LARGE = 2**20
"""Bytes from which on aiohttp wants a body as a file, which it sends in pieces."""
CONNECT_TRIES = 3
CONNECT_SPAN = 2.0
"""Seconds after which no further try to connect begins."""
EXCERPT = 200
"""Characters of an answer that an error repeats."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, complete; shows neither headers nor body when printed, for they may hold secrets."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes = field(repr=False, default=b"")
    hide: tuple[str, ...] = field(repr=False, default=())
    """Texts no error may repeat, even when the server does."""

    @property
    def where(self) -> str:
        """Method and address for people: without query, user and password."""
        return f"{self.method} {shown(self.url)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `cut` when the body went on beyond ANSWER_LIMIT."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    cut: bool = False


def shown(url: str) -> str:
    """An address fit for errors and logs: scheme, host, port and path. Total."""
    try:
        address = URL(url)
    except ValueError:
        return "(not an address)"
    return f"{address.scheme}://{address.host_port_subcomponent or ''}{address.raw_path}"


async def call(
    session: aiohttp.ClientSession,
    request: Request,
    *,
    timeout: timedelta,  # noqa: ASYNC109 -- handed to aiohttp, which tells a connection not made from an answer not come
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Answer:
    """Send once and read the answer, whatever its status; redirects are not followed.

    Only a connection that could not be made is tried again, so the request reaches the server at most once.

    Raises:
        DeliveryError: UNREACHABLE when nothing was sent, NO_ANSWER or UNREADABLE when it may have been done.
    """
    tries = AsyncRetrying(
        sleep=pause,
        stop=stop_after_attempt(CONNECT_TRIES) | stop_after_delay(CONNECT_SPAN),
        wait=wait_exponential(multiplier=0.5),
        retry=retry_if_exception(_worth_a_try),
        reraise=True,
    )
    try:
        return await tries(_once, session, request, timeout)
    except (aiohttp.ClientError, TimeoutError) as error:
        failure = failed(error, request, timeout)
    # Raised out here: aiohttp's error holds the headers that were sent, and would travel along as the context.
    raise failure


def _worth_a_try(error: BaseException) -> bool:
    """Refused or unknown for the moment; a certificate that does not hold will not in a second either."""
    return isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError)


async def _once(session: aiohttp.ClientSession, request: Request, allowed: timedelta) -> Answer:
    seconds = allowed.total_seconds()
    async with session.request(
        request.method,
        request.url,
        data=io.BytesIO(request.body) if len(request.body) > _LARGE else request.body or None,
        headers=request.headers,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=seconds, connect=seconds / 2),
    ) as response:
        body, cut = await _read(response.content)
        return Answer(status=response.status, headers=response.headers, body=body, cut=cut)


async def _read(content: aiohttp.StreamReader) -> tuple[bytes, bool]:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            return bytes(body[:ANSWER_LIMIT]), True
    return bytes(body), False


def failed(error: Exception, request: Request, allowed: timedelta) -> DeliveryError:
    """What it means that no answer came: pure; repeats nothing of the request but method and address."""
    where = request.where
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            why = f"{where}: not an http(s) address; correct it"
            return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            why = f"{where}: no connection ({_strike(str(error), request)}); check the address and that the server runs"
            return DeliveryError(Reason.UNREACHABLE, why, retry=True)
        case aiohttp.ClientResponseError():
            return DeliveryError(Reason.UNREADABLE, f"{where}: the answer is not HTTP; what listens there?", retry=True)
        case TimeoutError():
            why = f"{where}: no answer within {allowed.total_seconds():g} s; raise `timeout` if the server is just slow"
            # As long again: a server that still works on it shall be done before its tickets are looked through.
            return DeliveryError(Reason.NO_ANSWER, why, retry=True, after=allowed)
    why = f"{where}: the connection ended before the answer ({type(error).__name__}); the server's log says more"
    return DeliveryError(Reason.NO_ANSWER, why, retry=True)


_HINTS = {
    Reason.RATE_LIMITED: "it will be tried again later",
    Reason.UNAVAILABLE: "it will be tried again later",
    Reason.UNAUTHORIZED: "check the token and its rights",
    Reason.NOT_FOUND: "check the address and that the ticket exists",
    Reason.REFUSED: "check the body's fields against what the server wants",
    Reason.MISCONFIGURED: "give the address it points to; redirects are not followed",
}
_EXPLICIT = {
    401: Reason.UNAUTHORIZED,
    403: Reason.UNAUTHORIZED,
    404: Reason.NOT_FOUND,
    408: Reason.UNAVAILABLE,  # a gateway's word: what it had passed on may have been done
    410: Reason.NOT_FOUND,
    425: Reason.RATE_LIMITED,
    429: Reason.RATE_LIMITED,
}
_BY_HUNDRED = {3: Reason.MISCONFIGURED, 4: Reason.REFUSED, 5: Reason.UNAVAILABLE}
_PASSING = frozenset({Reason.RATE_LIMITED, Reason.UNAVAILABLE})
_STOPPING = frozenset({Reason.UNAUTHORIZED, Reason.MISCONFIGURED})
"""Trying again in this way makes nothing better, and may lock the account: a person has to look at the settings."""


class AnswerError(DeliveryError):
    """An answer that is no success, with its status."""

    status = 0


def is_forbidden(error: DeliveryError) -> bool:
    """Whether we are known, and may not do this."""
    return isinstance(error, AnswerError) and error.status == HTTPStatus.FORBIDDEN


def meaning(status: int) -> Reason | None:
    """Why a status is no success; None for a success."""
    return _EXPLICIT.get(status) or _BY_HUNDRED.get(status // 100)


def refusal(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """The answer as an error, or None when it is a success; pure. `Retry-After` counts where trying again makes sense."""
    reason = meaning(answer.status)
    if reason is None:
        return None
    retry = reason in _PASSING
    said = excerpt(answer.body, request)
    detail = f"{request.where}: {answer.status}{f' {said!r}' if said else ''}; {_HINTS[reason]}"
    after = retry_after(answer.headers.get("Retry-After", ""), now) if retry else None
    error = AnswerError(reason, detail, retry=retry, after=after, stops=reason in _STOPPING)
    error.status = answer.status
    return error


def decoded(answer: Answer, request: Request, *, quoted: bool = True) -> Any:
    """The JSON of a successful answer; `quoted` is false of one that holds a secret, which no error may repeat.

    Raises:
        DeliveryError: UNREADABLE when it is none: it may well have been done.
    """
    if answer.cut:
        raise unreadable(request, f"the answer is longer than {ANSWER_LIMIT} bytes")
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = excerpt(answer.body, request)
    told = f"the answer is not JSON{f': {said!r}' if quoted else ''}"
    raise unreadable(request, told if said else "the answer is empty")


def unreadable(request: Request, problem: str) -> DeliveryError:
    """A success was answered, but not what it made: try again, and look first."""
    return DeliveryError(
        Reason.UNREADABLE, f"{request.where}: {problem}; check that it is the API's address", retry=True
    )


def excerpt(body: bytes, request: Request) -> str:
    """The beginning of an answer as one printable line, secrets struck out."""
    text = _strike(body.decode("utf-8", "replace"), request)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"


def _strike(text: str, request: Request) -> str:
    """The text without what is to be hidden, however whoever repeats it spells its characters."""
    for secret in filter(None, request.hide):
        text = re.sub("".join(map(_spelled, secret)), "***", text)
    return text


def _spelled(char: str) -> str:
    """An expression for a character as it stands, and as JSON, an address, a form or HTML writes it."""
    in_json = json.dumps(char)[1:-1]
    in_address = "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    plain = [char, f"\\{char}", html.escape(char), "+" if char == " " else char]
    capital = in_json.upper().replace("U", "u") if in_json.startswith("\\u") else char
    coded = [in_json, capital, in_address, in_address.upper()]
    return f"(?:{'|'.join(map(re.escape, dict.fromkeys([*plain, *coded])))})"


def retry_after(value: str, now: datetime) -> timedelta | None:
    """How long a `Retry-After` header asks to wait (RFC 9110 §10.2.3: seconds or an HTTP date), 0 to LONGEST_AFTER.

    None when it is missing or means nothing. Total on any text.
    """
    value = value.strip()
    if re.fullmatch(r"\d+", value, re.ASCII):
        return min(timedelta(seconds=int(value.lstrip("0")[:9] or 0)), LONGEST_AFTER)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), LONGEST_AFTER)

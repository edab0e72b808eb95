"""Any ticket system with a JSON API: signed POSTs, found again by our reference.

STATUS: proven against a simulator (tests/ticketserver.py).

Opening POSTs to `url`, everything later to `update_url`. A lost answer is looked up at `find_url`, or left to a server
that promises to keep its `Idempotency-Key`s. Every option: README.md in this folder. This module knows no particular
product, and sends no priority: computing one is the ticket system's business.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from multidict import CIMultiDict
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from yarl import URL

from tocsin.backends._document import check_condition, check_template, holds, reach, render, word
from tocsin.backends._http import Answer, Request, call, decoded, excerpt, refusal, unreadable
from tocsin.errors import DeliveryError, Reason, SettingsError
from tocsin.model import Delivery, DeliveryAction, Receipt
from tocsin.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Outside

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "tocsin",
}
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_OUR_HEADERS = re.compile(
    r"x-tocsin-.*|idempotency-key|host|connection|content-length|(accept|content|transfer)-encoding"
)
_NUMBER = re.compile(r"(?!\.{1,2}$)[^\x00-\x1f\x7f]{1,200}")
"""What may stand for a ticket number: one line that cannot lead an address elsewhere."""


def _fill(address: str, **words: str) -> str:
    for name, value in words.items():
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    return address


def _check_address(address: str, *placeholders: str) -> str:
    for name in re.findall(r"\{([^}]*)\}", address):
        if name not in placeholders:
            known = " and ".join(f"{{{known}}}" for known in placeholders) or "nothing in braces"
            raise ValueError(f"{{{name}}} means nothing here; it may hold {known}")
    url = URL(_fill(address, **dict.fromkeys(placeholders, "x")))
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must be an http:// or https:// address")
    if url.user or url.password:
        raise ValueError("must not hold a user or password: put them in a file, with token_file or header_files")
    return address


class Options(BaseModel):
    """What a webhook backend can be told; README.md in this folder says what each option means."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    url: str
    """Where a ticket is opened."""
    update_url: str = ""
    """Where everything later is told; `url` unless given."""
    find_url: str = ""
    """Where a ticket is looked up by our reference."""
    find_reference: str = Field(default="reference", min_length=1)
    """Path to our reference in a found ticket."""
    idempotent: bool = False
    """The server promises to keep Idempotency-Keys."""
    body: str = ""
    """Template of the JSON body; the document unless given."""
    envelope: str = ""
    """Path to the ticket or tickets within an answer."""
    number: str = Field(default="number", min_length=1)
    """Path to the number in a ticket."""
    link: str = Field(default="url", min_length=1)
    """Path to the page for people in a ticket."""
    success: str = ""
    """Expression over `answer` that must be true."""
    secret_file: str = ""
    """Secret that requests are signed with."""
    token_file: str = ""
    """Bearer token."""
    headers: dict[str, str] = {}
    """Further headers, nothing secret."""
    header_files: dict[str, str] = {}
    """Further headers, each value in a file."""
    timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(minutes=5))
    """Time for a whole answer."""

    @field_validator("url")
    @classmethod
    def _creates_somewhere(cls, value: str) -> str:
        return _check_address(value)

    @field_validator("update_url")
    @classmethod
    def _updates_somewhere(cls, value: str) -> str:
        return _check_address(value, "number", "reference") if value else value

    @field_validator("find_url")
    @classmethod
    def _asks_for_the_reference(cls, value: str) -> str:
        if value and "{reference}" not in value:
            raise ValueError("must hold {reference}: it is how a ticket is found again")
        return _check_address(value, "reference") if value else value

    @field_validator("body")
    @classmethod
    def _makes_json(cls, value: str) -> str:
        check_template(value)
        return value

    @field_validator("success")
    @classmethod
    def _can_be_evaluated(cls, value: str) -> str:
        if value:
            check_condition(value)
        return value

    @field_validator("headers", "header_files")
    @classmethod
    def _can_be_sent(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not _sendable(text):
                raise ValueError(f"header {name!r} cannot be sent so: a plain name and one line of ASCII")
            if _OUR_HEADERS.fullmatch(name.lower()):
                raise ValueError(f"header {name!r} is written by tocsin itself; leave it out")
        return value

    @field_validator("headers")
    @classmethod
    def _holds_no_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in _SECRET_HEADERS:
                raise ValueError(f"header {name!r} is a secret: put it in a file, with token_file or header_files")
        return value

    @model_validator(mode="after")
    def _survives_a_lost_answer(self) -> Self:
        if bool(self.find_url) == self.idempotent:
            raise ValueError(
                "give exactly one of find_url and `idempotent: true`: otherwise a lost answer could make a second"
                " ticket, for nothing would tell whether the first was made"
            )
        return self


def _sendable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def signature(secret: bytes, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that prove a request ours and recent: HMAC-SHA256 over `<timestamp>.<body>`, in hexadecimal."""
    timestamp = str(int(now.timestamp()))
    digest = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Tocsin-Timestamp": timestamp, "X-Tocsin-Signature": f"sha256={digest}"}


class Backend:
    """A webhook as configured. Its secrets are read once, while it is built, and shown nowhere."""

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        self.name = name
        self._options = options
        self._outside = outside
        self._secret = self._read("secret_file", options.secret_file) if options.secret_file else b""
        private = {header: self._read_text(header, path) for header, path in options.header_files.items()}
        if options.token_file:
            private["Authorization"] = f"Bearer {self._read_text('token_file', options.token_file)}"
        self._headers = CIMultiDict(_HEADERS)
        self._headers.update(options.headers)
        self._headers.update(private)
        self._hide = tuple(text.removeprefix("Bearer ") for text in private.values())

    def _read(self, option: str, path: str) -> bytes:
        secret = self._outside.read_secret(path).rstrip(b"\r\n")
        if not secret:
            raise SettingsError(f"backend {self.name}: the file of {option} is empty; write the secret into it")
        return secret

    def _read_text(self, option: str, path: str) -> str:
        text = self._read(option, path).decode("latin-1")
        if not _sendable(text):
            raise SettingsError(f"backend {self.name}: the file of {option} must hold one line of plain ASCII")
        return text

    async def deliver(self, delivery: Delivery) -> Receipt:
        """POST it. Guarantees that a ticket is only believed when the answer gives its number."""
        request = self.request(delivery)
        answer = await self._send(request)
        self._require_ok(answer, request)
        opens = delivery.action == DeliveryAction.OPEN
        said = decoded(answer, request) if opens or answer.body or self._options.success else None
        self._require_success(said, answer, request)
        ticket = reach(said, self._options.envelope)
        number = self._number(ticket, request) if opens else delivery.number
        return Receipt(number=number, url=self._link(ticket), status=delivery.body.status)

    async def find(self, reference: str) -> Receipt | None:
        """GET `find_url`: a 404 or an empty list is none. A server that keeps Idempotency-Keys needs no look-up."""
        if self._options.idempotent:
            return None
        request = self._signed("GET", _fill(self._options.find_url, reference=reference))
        answer = await self._send(request)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        self._require_ok(answer, request)
        tickets = self._tickets(decoded(answer, request), request)
        return self._ours(tickets, reference, request) if tickets else None

    def request(self, delivery: Delivery) -> Request:
        """The exact request a delivery becomes. Raises DeliveryError MISCONFIGURED when the template fails on it."""
        try:
            body = render(self._options.body, delivery)
        except ValueError as error:
            problem = f"backend {self.name}, option 'body': {error}"
            raise DeliveryError(Reason.MISCONFIGURED, problem, retry=False) from None
        headers = {"Idempotency-Key": f"{delivery.body.reference}/{delivery.id}"}
        return self._signed("POST", self._where(delivery), body, headers)

    def _where(self, delivery: Delivery) -> str:
        if delivery.action == DeliveryAction.OPEN or not self._options.update_url:
            return self._options.url
        return _fill(self._options.update_url, number=delivery.number, reference=delivery.body.reference)

    def _signed(self, method: str, url: str, body: bytes = b"", extra: Mapping[str, str] | None = None) -> Request:
        headers = self._headers.copy()
        headers.update(extra or {})
        if self._secret:
            headers.update(signature(self._secret, body, self._outside.clock()))
        return Request(method, url, headers, body, self._hide)

    async def _send(self, request: Request) -> Answer:
        outside = self._outside
        return await call(outside.session, request, timeout=self._options.timeout, pause=outside.pause)

    def _require_ok(self, answer: Answer, request: Request) -> None:
        error = refusal(answer, request, self._outside.clock())
        if error is not None:
            raise error

    def _require_success(self, said: Any, answer: Answer, request: Request) -> None:
        condition = self._options.success
        try:
            fine = not condition or holds(condition, said)
        except ValueError as error:
            raise unreadable(request, str(error)) from None
        if not fine:
            why = f"{request.where}: {excerpt(answer.body, request)!r} is no success by {condition!r}; see what it refused"
            raise DeliveryError(Reason.REFUSED, why, retry=False)

    def _tickets(self, said: Any, request: Request) -> list[Any]:
        found = reach(said, self._options.envelope)
        if isinstance(found, dict):
            return [found]
        if not isinstance(found, list):
            raise unreadable(request, f"neither a ticket nor a list of them at envelope {self._options.envelope!r}")
        return found

    def _ours(self, tickets: list[Any], reference: str, request: Request) -> Receipt:
        path = self._options.find_reference
        for ticket in tickets:
            if word(reach(ticket, path)) == reference:
                return Receipt(number=self._number(ticket, request), url=self._link(ticket))
        why = f"{request.where}: {len(tickets)} answered, none with our reference {reference} at {path!r}"
        raise DeliveryError(Reason.MISMATCH, f"{why}; check find_url and find_reference", retry=False)

    def _number(self, ticket: Any, request: Request) -> str:
        number = word(reach(ticket, self._options.number))
        if not _NUMBER.fullmatch(number):
            raise unreadable(request, f"no ticket number at {self._options.number!r} of the answer")
        return number

    def _link(self, ticket: Any) -> str:
        """The ticket's page for people; nothing but http(s), for it becomes a link in the console."""
        link = word(reach(ticket, self._options.link))
        return link if re.fullmatch(r"https?://[^\s\x00-\x1f]+", link) else ""

"""Any ticket system with a JSON API: signed POSTs, found again by our reference.

STATUS: proven against a fake that misbehaves, and a simulator through kills of the service.

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
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from multidict import CIMultiDict

from tocsin.backends._can import Can
from tocsin.backends._document import holds, reach, render, word
from tocsin.backends._http import Answer, Request, call, decoded, excerpt, refusal, unreadable
from tocsin.backends._scale import Scale
from tocsin.backends._webhook_options import Options, fill, sendable
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Delivery, DeliveryAction, Receipt, Record, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.model import Payload

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "tocsin",
}
_NOWHERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
_NUMBER = re.compile(r"(?!\.{1,2}$)[^\x00-\x1f\x7f]{1,200}")
"""What may stand for a ticket number: one line that cannot lead an address elsewhere."""


def signature(secret: bytes, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that prove a request ours and recent: HMAC-SHA256 over `<timestamp>.<body>`, in hexadecimal."""
    timestamp = str(int(now.timestamp()))
    digest = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Tocsin-Timestamp": timestamp, "X-Tocsin-Signature": f"sha256={digest}"}


def heard(payload: Payload) -> list[str]:
    """The tickets that a message names: `number` and `reference` of a JSON object, or of each in a list."""
    try:
        said = msgspec.json.decode(payload.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PayloadError('the message is not JSON; send {"number": …} or {"reference": …}') from None
    each = said if isinstance(said, list) else [said]
    words = [word(one.get(key)) for one in each if isinstance(one, dict) for key in ("number", "reference")]
    if not any(words):
        raise PayloadError('the message names no ticket; send {"number": …} or {"reference": …}, or a list of them')
    return [one for one in words if one]


class Backend:
    """A webhook as configured. Its secrets are read once, while it is built, and shown nowhere."""

    LACKS: ClassVar[Mapping[Can, str]] = {
        Can.READ: "an address to read a ticket by its number is not part of it: it is looked up by our reference",
        Can.NOTES_BACK: "what a ticket's notes are called is not part of it",
        Can.CHANGES: "what changed since a moment has no form that all systems share; let the system call us",
        Can.ATTACH: "files have no form that all systems share",
        Can.CHECK: "a read-only question has no form that all systems share",
    }

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        self.name = name
        self.settle = timedelta(0) if options.idempotent else options.settle
        self.lacks = self.LACKS
        self.passes: frozenset[TicketStatus] = frozenset()
        self._options = options
        self._outside = outside
        self._secret = self._read("secret_file", options.secret_file) if options.secret_file else b""
        private = {header: self._read_text(header, path) for header, path in options.header_files.items()}
        if options.token_file:
            private["Authorization"] = f"Bearer {self._read_text('token_file', options.token_file)}"
        self._headers = CIMultiDict(_HEADERS)
        self._headers.update(options.headers)
        self._headers.update(private)
        self._statuses = Scale({status: status.value for status in TicketStatus}).over(options.statuses)
        self._hide = tuple(dict.fromkeys(part for text in private.values() for part in (text, text.rpartition(" ")[2])))

    def _read(self, option: str, path: str) -> bytes:
        secret = self._outside.read_secret(path).rstrip(b"\r\n")
        if not secret:
            raise SettingsError(f"backend {self.name}: the file of {option} is empty; write the secret into it")
        return secret

    def _read_text(self, option: str, path: str) -> str:
        text = self._read(option, path).decode("latin-1")
        if not sendable(text):
            raise SettingsError(f"backend {self.name}: the file of {option} must hold one line of plain ASCII")
        return text

    async def deliver(self, delivery: Delivery) -> Receipt:
        """POST it. Guarantees that a ticket is only believed when the answer gives its number."""
        request = self.request(delivery)
        answer = await self._send(request)
        opens = delivery.action == DeliveryAction.OPEN
        if opens:
            self._require_there(answer, request)
        self._require_ok(answer, request)
        said = decoded(answer, request) if opens or answer.body or self._options.success else None
        self._require_success(said, answer, request)
        ticket = reach(said, self._options.envelope)
        number = self._number(ticket, request) if opens else delivery.number
        return Receipt(number=number, url=self._link(ticket), status=self._told(ticket) or delivery.body.status)

    async def find(self, reference: str) -> Receipt | None:
        """GET `find_url`: a 404 or an empty list is none. A server that keeps Idempotency-Keys needs no look-up."""
        if self._options.idempotent:
            return None
        tickets, request = await self._looked_up(reference)
        return self._ours(tickets, reference, request) if tickets else None

    async def search(self, reference: str) -> list[Record]:
        """What `find_url` answers for our reference, as far as it carries it. Raises DeliveryError as `find`."""
        if self._options.idempotent:
            return []
        tickets, request = await self._looked_up(reference)
        return [self._record(one, request) for one in tickets]

    async def _looked_up(self, reference: str) -> tuple[list[Any], Request]:
        """What `find_url` answers, and what was asked."""
        request = self._signed("GET", fill(self._options.find_url, reference=reference))
        answer = await self._send(request)
        if answer.status == HTTPStatus.NOT_FOUND:
            return [], request
        self._require_ok(answer, request)
        said = decoded(answer, request)
        tickets = self._tickets(said, request)
        if not tickets and not self._may_be_none(said):
            condition = self._options.success
            raise unreadable(request, f"no ticket, in an answer that is no success by {condition!r}")
        return tickets, request

    def _may_be_none(self, said: Any) -> bool:
        """Whether an answer without tickets means that there are none: not one that `success` says is an error.

        A bare list is none, and neither is what has nothing that `success` asks for: that is written for a POST then.
        """
        condition = self._options.success
        try:
            return (
                not (condition and isinstance(said, dict))
                or holds(f"({condition}) is undefined", said)
                or holds(condition, said)
            )
        except ValueError:
            return True

    async def read(self, number: str) -> Record | None:
        """A ticket is never read by its number: `search` finds it by our reference."""
        raise NotImplementedError(f"{self.name} reads no ticket by its number, such as {number}")

    async def changes(self, since: datetime) -> list[Record]:
        """What changed is not asked for: the system calls us."""
        raise NotImplementedError(f"{self.name} cannot be asked what changed since {since}")

    async def check(self) -> list[Finding]:
        """Nothing is known to ask for without changing anything."""
        return []

    def _record(self, ticket: Any, request: Request) -> Record:
        return Record(
            number=self._number(ticket, request),
            reference=word(reach(ticket, self._options.find_reference)),
            url=self._link(ticket),
            status=self._told(ticket) or TicketStatus.IN_PROGRESS,
            state=word(reach(ticket, self._options.status)),
        )

    def _told(self, ticket: Any) -> TicketStatus | None:
        """The status that an answer tells; None when it tells none in a word that is known."""
        return self._statuses.ours(word(reach(ticket, self._options.status)))

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
        return fill(self._options.update_url, number=delivery.number, reference=delivery.body.reference)

    def _signed(self, method: str, url: str, body: bytes = b"", extra: Mapping[str, str] | None = None) -> Request:
        headers = self._headers.copy()
        headers.update(extra or {})
        if self._secret:
            headers.update(signature(self._secret, body, self._outside.clock()))
        return Request(method, url, headers, body, self._hide)

    async def _send(self, request: Request) -> Answer:
        outside = self._outside
        return await call(outside.session, request, timeout=self._options.timeout, pause=outside.pause)

    def _require_there(self, answer: Answer, request: Request) -> None:
        """`url` names no ticket: when nothing is there, it is wrong for every delivery, or the server is being set up."""
        if answer.status not in _NOWHERE:
            return
        said = excerpt(answer.body, request)
        why = f"{request.where}: {answer.status}{f' {said!r}' if said else ''}; nothing takes tickets there: correct `url`"
        raise DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)

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
                status = self._told(ticket) or TicketStatus.DECLARED
                return Receipt(number=self._number(ticket, request), url=self._link(ticket), status=status)
        if not any(word(reach(ticket, path)) for ticket in tickets):
            raise unreadable(request, f"{len(tickets)} answered, none with any reference at {path!r}")
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

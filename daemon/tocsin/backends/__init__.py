"""The ticket systems: what a kind of backend offers, how kinds are found, and the one rule for handing things over.

Each module of this folder is a kind, found by its name; nothing is registered anywhere. This module knows no ticket
system, no settings file and no store: it is handed options as a mapping and everything else as an `Outside`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import aiohttp
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from tocsin.errors import DeliveryError, Reason, SettingsError
from tocsin.model import DeliveryAction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from types import ModuleType

    from tocsin.backends._can import Can
    from tocsin.model import Delivery, Payload, Receipt, Record, TicketStatus


T = TypeVar("T")
_KEPT_ALIVE = 3.0
"""Seconds that an idle connection is kept: less than the servers keep theirs, so that none is found dead when used."""


class Level(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    WARNING = "warning"
    """It works, and may not for long, or not as expected."""
    ERROR = "error"
    """Deliveries will fail until it is corrected."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that a check of a backend found."""

    level: Level
    what: str
    """What was looked at: an option, a right, a field."""
    told: str
    """What was found, and what to do about it, in a sentence."""


class Backend(Protocol):
    """A ticket system as configured; `_system.TicketSystem` is how most kinds keep these promises."""

    name: str
    lacks: Mapping[Can, str]
    """What it cannot do as it is configured, and why."""

    @property
    def settle(self) -> timedelta:
        """How long a ticket may exist before `find` finds it: no second create sooner after one that is in doubt."""
        ...

    passes: frozenset[TicketStatus]
    """What a ticket may be left in when several steps lead to the status that is asked for, and one of them fails."""

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Tell the system; guarantees that the receipt is what its answer says. Raises DeliveryError, nothing else."""
        ...

    async def find(self, reference: str) -> Receipt | None:
        """The ticket that carries our reference, or None when creating one cannot make a second.

        Raises DeliveryError when it cannot be known, or when what was found carries another reference (MISMATCH).
        """
        ...

    async def read(self, number: str) -> Record | None:
        """The ticket of this number as it stands, or None when it is gone. Raises DeliveryError."""
        ...

    async def search(self, reference: str) -> list[Record]:
        """The tickets that may carry this reference, oldest first. Raises DeliveryError."""
        ...

    async def changes(self, since: datetime) -> list[Record]:
        """Our tickets that changed at `since` or later, each once. Raises DeliveryError."""
        ...

    async def check(self) -> list[Finding]:
        """What is right and wrong with the options, asked of the system without changing it. Raises DeliveryError."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """All a backend may reach of the world: it opens no connection, file or clock by itself."""

    session: aiohttp.ClientSession
    read_secret: Callable[[str], bytes] = field(repr=False)
    """Content of the file that a `*_file` option names; called while building, so a missing file shows at start."""
    clock: Callable[[], datetime]
    """Now, in UTC: what signatures are dated with, and `Retry-After` dates are compared to."""
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits so many seconds between two tries to connect."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One module of this folder: what can be configured as a backend."""

    name: str
    title: str
    """First line of its docstring."""
    status: str
    """Proven against what: the docstring's STATUS line."""
    options: type[BaseModel] | None
    build: Callable[[str, Any, Outside], Backend] | None
    """`Backend(name, options, outside)`; None for an embedded kind."""
    lacks: Mapping[Can, str] = field(default_factory=dict)
    """What its system cannot do, and why."""
    heard: Callable[[Payload], list[str]] | None = None
    """Numbers and references of the tickets that a message of its webhook is about; raises PayloadError. Pure."""
    believed: Callable[[Payload], list[Record]] | None = None
    """The tickets that a message of its webhook shows, for a system that cannot be read; raises PayloadError. Pure."""

    @property
    def embedded(self) -> bool:
        """It has no network side: its tickets are written in the store's own transaction."""
        return self.build is None


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind in this folder, by name: its modules without a leading underscore."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    return {name: _kind(name, import_module(f"{__name__}.{name}")) for name in names}


def _kind(name: str, module: ModuleType) -> Kind:
    embedded = getattr(module, "EMBEDDED", False)
    text = cleandoc(module.__doc__ or "")
    status = re.search(r"^STATUS: (.+)$", text, re.MULTILINE)
    return Kind(
        name=name,
        title=text.partition("\n")[0].removesuffix("."),
        status=status[1] if status else "",
        options=getattr(module, "Options", None),
        build=None if embedded else module.Backend,
        lacks=getattr(module.Backend, "LACKS", {}),
        heard=getattr(module, "heard", None),
        believed=getattr(module, "believed", None),
    )


def build(kind: str, name: str, options: Mapping[str, Any], outside: Outside) -> Backend:
    """The backend of that kind with these options. Raises SettingsError naming the backend, the option and what to do."""
    known = kinds().get(kind)
    if known is None or known.build is None or known.options is None:
        raise SettingsError(f"backend {name}: kind {kind!r} {_no_such_kind(kind)}")
    try:
        return known.build(name, known.options.model_validate(options), outside)
    except ValidationError as error:
        raise SettingsError(_refusal(name, known, error)) from None


def _no_such_kind(kind: str) -> str:
    names = [known.name for known in kinds().values() if not known.embedded]
    if kind in kinds():
        return "is embedded: it is not built here and takes no address"
    near = get_close_matches(kind, names, n=1)
    return f"is not known; did you mean {near[0]!r}?" if near else f"is not known; there is: {', '.join(names)}"


def _refusal(name: str, kind: Kind, error: ValidationError) -> str:
    """What is wrong with the options, without their values: a misplaced secret is not repeated."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"backend {name}: {_problem(kind, problem['loc'], problem['msg'])}" for problem in problems)


def _problem(kind: Kind, where: tuple[int | str, ...], said: str) -> str:
    path = ".".join(str(part) for part in where)
    known = list(kind.options.model_fields) if kind.options else []
    if said.startswith("Extra inputs"):
        near = get_close_matches(path, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"
        return f"option {path!r} is not known to kind {kind.name}; {hint}"
    said = said.removeprefix("Value error, ")
    return f"option {path!r}: {said}" if path else said


async def answered(asking: Awaitable[T], name: str) -> T:
    """What the ticket system of this name answers; everybody who asks one asks in this way.

    Raises:
        DeliveryError: from the backend; BROKEN for a fault in its own code, which must end nothing but this question.
    """
    try:
        return await asking
    except DeliveryError:
        raise
    except Exception as error:  # broad: one kind's fault must stop nobody else
        fault = DeliveryError(
            Reason.BROKEN, f"{name} failed in its own code: {type(error).__name__}: {error}", retry=True
        )
        raise fault from error


async def hand_over(backend: Backend, delivery: Delivery, now: datetime) -> Receipt:
    """Deliver without ever creating blindly: the one road from a delivery to a ticket system.

    Before an `open` that is not certainly the first attempt, our reference is looked up, and a ticket found is the
    receipt; one that is in doubt and not found is not created again before the system's search has had time to find
    it. Anything later may simply be told again; if its ticket's number is not known, that is looked up, and a `reopen` of
    what was never opened opens it. The delivery comes as it was claimed: `attempts` counts this one.

    Raises:
        DeliveryError: From the backend; a look-up that fails is a failed attempt, never a licence to create.
    """
    return await answered(_hand_over(backend, delivery, now), backend.name)


async def _hand_over(backend: Backend, delivery: Delivery, now: datetime) -> Receipt:
    if delivery.action != DeliveryAction.OPEN:
        delivery = delivery if delivery.number else await _numbered(backend, delivery)
    elif delivery.uncertain or delivery.attempts > 1:
        found = await _look_up(backend, delivery)
        if found is not None:
            return found
        _require_settled(backend, delivery, now)
    if delivery.action == DeliveryAction.REOPEN and not delivery.number:
        _require_settled(backend, replace(delivery, uncertain=True), now)
        body = replace(delivery.body, action=DeliveryAction.OPEN)
        delivery = replace(delivery, action=DeliveryAction.OPEN, body=body)  # what was never opened is opened now
    return await backend.deliver(delivery)


async def _look_up(backend: Backend, delivery: Delivery) -> Receipt | None:
    try:
        return await backend.find(delivery.body.reference)
    except DeliveryError as error:
        error.harmless = error.reason != Reason.MISMATCH
        raise


def _require_settled(backend: Backend, delivery: Delivery, now: datetime) -> None:
    """Not found does not mean not there, as long as the search lags behind."""
    doubted_at = delivery.doubted_at or delivery.made_at
    left = doubted_at + backend.settle - now if delivery.uncertain and doubted_at else timedelta(0)
    if left > timedelta(0):
        why = f"{delivery.body.reference} is not found in {backend.name}, whose search may lag: it is asked once more"
        raise DeliveryError(Reason.SETTLING, why, retry=True, after=left, harmless=True)


async def _numbered(backend: Backend, delivery: Delivery) -> Delivery:
    found = await _look_up(backend, delivery)
    if found is not None and found.number:
        return replace(delivery, number=found.number)
    if found is not None or delivery.opened:
        why = f"{backend.name} has not told the number of {delivery.body.reference} yet"
        raise DeliveryError(Reason.NUMBER_PENDING, why, retry=True, harmless=True)
    if delivery.action == DeliveryAction.REOPEN:
        return delivery
    raise DeliveryError(
        Reason.NOT_FOUND,
        f"no ticket of {backend.name} is known for {delivery.body.reference}; resend the delivery that opens it",
        retry=False,
        harmless=True,
    )


def open_session(connections: int = 20) -> aiohttp.ClientSession:
    """The session backends share: no cookies, no proxy or password out of the environment, TLS verified.

    Call it inside the running loop; the caller closes it. `connections` bounds those to one host.
    """
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=connections, keepalive_timeout=_KEPT_ALIVE)
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
    # aiohttp sends a PUT again by itself when the connection ends before the answer: a note would stand twice. There is
    # no public switch; the kit's tests of lost answers fail should this one go away.
    session._retry_connection = False  # noqa: SLF001
    return session

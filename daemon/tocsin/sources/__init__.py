"""Supervision platforms: one file for each kind, and the contract it keeps.

A kind is a module of this folder whose name has no leading underscore; its file name is its name in the settings.
There is no registry. README.md says how to add one. This module finds them; what arrives by HTTP, and whether the
sender may send, is the business of `web`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tocsin.sources._answers import Answer, Visit
from tocsin.sources._proof import Proof
from tocsin.sources._read import NotJsonError
from tocsin.sources._requests import GUESSED, payload
from tocsin.sources._requests import read as head
from tocsin.sources._routes import Route, variables, wanted
from tocsin.sources._shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from types import ModuleType

    from pydantic import BaseModel

    from tocsin.model import Alert, Payload, Unreadable

__all__ = [
    "GUESSED",
    "PARTS",
    "Answer",
    "Kind",
    "NotJsonError",
    "Proof",
    "Route",
    "Shown",
    "Visit",
    "head",
    "kinds",
    "payload",
    "variables",
    "wanted",
]

ACCEPTED = 202
UNREADABLE = 422
JSON = frozenset({"application/json"})
PARTS = ("Format", "Authentication", "Identity", "Resolved", "Delivery", "Limits")
"""What the docstring of every kind says, each in a paragraph that begins with this word and a colon."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a module of this folder offers, typed."""

    name: str
    """File name without `.py`."""

    title: str
    """First line of its docstring, without the full stop."""

    documentation: str
    """Rest of its docstring: the platform's format, which fields identify an alert, how a resolve is told."""

    options: type[BaseModel]
    """`Options`: what its source's settings may say; frozen, and refuses unknown keys."""

    parse: Callable[[Payload, Any, datetime], list[Alert | Unreadable]]
    """`parse(payload, options, now)`: pure, and total. For any bytes it returns a list or raises PayloadError.

    The list holds, in the order of the message, an Alert for each entry, and an Unreadable for each entry of a batch
    that is none. It may be empty: the platform said something that is no alert.

    Raises NotJsonError (answer 400) when the body is not JSON at all, PayloadError (answer 422) when it is not a message
    of this platform; the sentence says what is missing.
    """

    routes: tuple[Route, ...]
    """`PATHS`: paths of the platform's own, each with its method (POST unless said) and perhaps with variables."""

    status: int
    """`STATUS`: the HTTP status that its sender takes as success."""

    refusal: int
    """`REFUSAL`: the HTTP status for a message that cannot be read: one that its sender does not try again after."""

    media_types: frozenset[str]
    """`MEDIA_TYPES`: the content types it reads, in lower case; `*/*` for any."""

    headers: tuple[str, ...]
    """`HEADERS`: the headers it reads, in lower case; `ce-*` is every one that begins so."""

    answer: Callable[[Payload, Sequence[Alert | Unreadable]], Answer | None] | None
    """`answer(payload, entries)`: what a sender that reads its answer is told once all is stored; pure.

    None for the usual answer: `status`, and what became of each alert.
    """

    refuse: Callable[[Payload, str], Answer] | None
    """`refuse(payload, problem)`: what a sender that reads its answer is told of a message that cannot be read; pure."""

    greet: Callable[[Payload, Any], Answer | Visit | None] | None
    """`greet(payload, options)`: the handshake that a message is, or None when it is none; pure, and total.

    Called before `parse`, after authentication.
    """

    prove: Callable[[Payload], Proof] | None
    """`prove(payload)`: the signature a message carries, for sources that authenticate by `certificate`; pure.

    Raises PayloadError when the message has none.
    """

    show: Callable[[Payload, Any], Shown] | None
    """`show(payload, options)`: what a platform that is asked (`polling`) answers; pure.

    Raises PayloadError when it is no such answer.
    """

    trace: Callable[[Payload, Any, datetime], Sequence[Any]] | None
    """`trace(payload, options, now)`: of a kind whose options are a mapping, how each field of each entry came about."""

    hosts: tuple[str, ...]
    """`HOSTS`: the hosts, as globs, that certificates and confirmations may be fetched from, unless the settings say."""

    expire_after: timedelta | None
    """`EXPIRE_AFTER`: for a platform that never says that a problem is over: how long a firing is believed."""

    heartbeats: tuple[str, ...]
    """`HEARTBEATS`: checks, as globs, that are no problems but say that the platform is alive."""

    def documented(self, part: str) -> str:
        """The paragraph of its documentation that begins with one of `PARTS`, in one line; empty when there is none."""
        found = re.search(rf"^{part}: (.*?)(?=^[A-Z][a-z]+: |\Z)", self.documentation, re.DOTALL | re.MULTILINE)
        return " ".join(found.group(1).split()) if found else ""


@cache
def kinds() -> Mapping[str, Kind]:
    """The kinds by name, in order; read once."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return MappingProxyType({name: _kind(name, importlib.import_module(f"{__name__}.{name}")) for name in names})


def _kind(name: str, module: ModuleType) -> Kind:
    title, _, documentation = (module.__doc__ or "").strip().partition("\n")
    return Kind(
        name=name,
        title=title.removesuffix("."),
        documentation=documentation.strip(),
        options=module.Options,
        parse=module.parse,
        routes=tuple(_route(path) for path in getattr(module, "PATHS", ())),
        status=getattr(module, "STATUS", ACCEPTED),
        refusal=getattr(module, "REFUSAL", UNREADABLE),
        media_types=getattr(module, "MEDIA_TYPES", JSON),
        headers=getattr(module, "HEADERS", ()),
        answer=getattr(module, "answer", None),
        refuse=getattr(module, "refuse", None),
        greet=getattr(module, "greet", None),
        prove=getattr(module, "prove", None),
        show=getattr(module, "show", None),
        trace=getattr(module, "trace", None),
        hosts=getattr(module, "HOSTS", ()),
        expire_after=getattr(module, "EXPIRE_AFTER", None),
        heartbeats=getattr(module, "HEARTBEATS", ()),
    )


def _route(path: str) -> Route:
    """`/v2/enqueue`, or `PUT /v2/alerts/{identifier}/close`."""
    method, _, where = path.rpartition(" ")
    return Route(method or "POST", where)

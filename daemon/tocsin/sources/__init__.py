"""Supervision platforms: one file for each kind, and the contract it keeps.

A kind is a module of this folder whose name has no leading underscore; its file name is its name in the settings.
There is no registry. README.md says how to add one. This module finds them; what arrives by HTTP, and whether the
sender may send, is the business of `web`.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tocsin.sources._read import NotJsonError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from types import ModuleType

    from pydantic import BaseModel

    from tocsin.model import Alert, Payload, Unreadable

__all__ = ["Kind", "NotJsonError", "kinds"]

ACCEPTED = 202
JSON = frozenset({"application/json"})


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

    paths: tuple[str, ...]
    """`PATHS`: paths of the platform's own that it answers beside `/hooks/{source}`."""

    status: int
    """`STATUS`: the HTTP status that its sender takes as success."""

    media_types: frozenset[str]
    """`MEDIA_TYPES`: the content types it reads, in lower case."""


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
        paths=getattr(module, "PATHS", ()),
        status=getattr(module, "STATUS", ACCEPTED),
        media_types=getattr(module, "MEDIA_TYPES", JSON),
    )

"""Platforms that are asked: what they cannot push, and what got lost on the way.

One file for each kind of source that can be asked; its name is the kind's. `Poller` there has `run(stopping)`. What an
answer means the kind itself says (`Kind.show`), what follows from it `difference`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from tocsin.polling.asking import Asking, Compared
    from tocsin.polling.platform import Platform

_NOT_KINDS = frozenset({"asking", "difference", "platform"})


class Poller(Protocol):
    """What a file of this folder offers under this name."""

    def __init__(self, platform: Platform, asking: Asking) -> None: ...

    async def run(self, stopping: asyncio.Event) -> None:
        """Ask until `stopping`; trouble with the platform is told and waited out, never raised."""

    async def compare(self, *, fix: bool) -> Compared:
        """Ask once and name what differs; taken in only when it is to be mended. Raises StoreError."""


@cache
def kinds() -> Mapping[str, type[Poller]]:
    """The kinds of source that can be asked."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_KINDS]
    return {name: importlib.import_module(f"{__name__}.{name}").Poller for name in names}

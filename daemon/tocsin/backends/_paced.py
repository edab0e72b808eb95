"""A backend whose questions are asked no faster than its rate allows: a comparison of thousands is a storm otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from aiolimiter import AsyncLimiter

    from tocsin.backends import Backend, Finding
    from tocsin.model import Delivery, Receipt, Record


class Paced:
    """Asks the backend behind it, each question in its turn."""

    def __init__(self, backend: Backend, limiter: AsyncLimiter) -> None:
        self.name = backend.name
        self.lacks = backend.lacks
        self.passes = backend.passes
        self._backend = backend
        self._limiter = limiter

    @property
    def settle(self) -> timedelta:
        """As the one behind it, which may learn that it needs longer."""
        return self._backend.settle

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Not paced here: who delivers keeps the rate before anything is claimed."""
        return await self._backend.deliver(delivery)

    async def find(self, reference: str) -> Receipt | None:
        """Raises DeliveryError as the one behind it, like all that follow."""
        async with self._limiter:
            return await self._backend.find(reference)

    async def read(self, number: str) -> Record | None:
        """The ticket of this number, or None."""
        async with self._limiter:
            return await self._backend.read(number)

    async def search(self, reference: str) -> list[Record]:
        """The tickets that may carry this reference."""
        async with self._limiter:
            return await self._backend.search(reference)

    async def changes(self, since: datetime) -> list[Record]:
        """Our tickets that changed since."""
        async with self._limiter:
            return await self._backend.changes(since)

    async def check(self) -> list[Finding]:
        """What is right and wrong with its options."""
        async with self._limiter:
            return await self._backend.check()

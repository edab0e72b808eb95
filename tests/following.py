"""A store, a ticket system that is a fake, and what goes between them step by step: for tests of what comes back."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from house import T0, Road, alert, opened, rows
from kit import World, world
from tocsin import backends, following, seeing, timers
from tocsin.backends._can import Can
from tocsin.errors import DeliveryError
from tocsin.model import Status
from tocsin.seeing import Touch
from tocsin.store import deliveries
from tocsin.store.deliveries import Outcome, Retries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.core import Does
    from tocsin.store import Store

SOON = Retries(first=timedelta(seconds=1), longest=timedelta(seconds=5), doubt=timedelta(seconds=1))


@dataclass
class Both:
    """tocsin's side and the ticket system's."""

    store: Store
    road: Road
    there: World
    follower: following.Follower

    @property
    def face(self) -> Any:
        return self.there.server.face

    def passes(self, **span: float) -> None:
        self.there.server.clock.advance(**span)

    async def tell(self) -> None:
        """Tell the ticket system everything that is due, as the outbox does."""
        while claimed := await self._claimed():
            for one in claimed:
                now = self.there.server.clock()
                try:
                    outcome = Outcome(receipt=await backends.hand_over(self.there.backend, one, now))
                except DeliveryError as error:
                    outcome = Outcome(error=error)
                touch = self.follower._followed.touch
                await self.store.run(
                    partial(
                        seeing.settle, delivery=one, outcome=outcome, touch=touch, retries=SOON, asked_at=now, now=now
                    )
                )

    async def gives_up(self, does: Does) -> None:
        """A week in which everything that is due is tried in vain, until it is left to a person."""
        for _ in range(10):
            self.passes(hours=20)
            self.there.server.script(does, "down")
            await self.tell()
        self.there.server.plan.scripts.clear()

    async def _claimed(self) -> list[Any]:
        now = self.there.server.clock()
        return await self.store.run(lambda tx: deliveries.claim(tx, "remote", 10, SOON, now))

    async def follow(self) -> None:
        """A minute later the ticket system is asked what changed."""
        self.passes(minutes=1)
        await self.follower.come_round()

    async def notes(self) -> list[tuple[Any, ...]]:
        """Actor, kind and English text of all notes."""
        return await rows(self.store, "select actor, kind, json_extract(text, '$.en') from notes order by id")

    async def incident(self) -> tuple[Any, ...]:
        """State, touched."""
        return (await rows(self.store, "select state, touched from incidents order by n desc limit 1"))[0]


@asynccontextmanager
async def both(
    folder: Path, kind: str = "redmine", touch: frozenset[Touch] = frozenset(Touch), **options: Any
) -> AsyncIterator[Both]:
    found = backends.kinds()[kind]
    async with opened(folder, backend="remote") as store, world(found, **options) as there:
        clock = there.server.clock
        clock.now = T0
        there.backend.settle = timedelta(0)  # its search finds everything at once, unless a test says otherwise
        followed = following.Followed(
            name="remote",
            backend=there.backend,
            every=None if Can.CHANGES in found.lacks else timedelta(seconds=30),
            reads=Can.READ not in found.lacks,
            touch=touch,
        )
        yield Both(store, Road(store, clock), there, following.Follower(followed, store, clock))


async def resolved(side: Both) -> None:
    """The problem is over, and that is told."""
    await side.road.take(alert(status=Status.RESOLVED))
    await side.tell()


async def quiet_over(side: Both) -> None:
    """It was quiet for long enough."""
    side.passes(minutes=20)
    await side.store.run(lambda tx: timers.tick(tx, side.there.server.clock()))

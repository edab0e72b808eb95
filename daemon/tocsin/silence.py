"""Finds sources that should have been heard, and takes their silence in as an alert; or its end.

What fires is what the store says fires, so nothing is said twice, and a restart forgets nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from tocsin import hearing
from tocsin.model import Payload
from tocsin.store import heard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tocsin.hearing import Hearing
    from tocsin.model import Alert
    from tocsin.store import Store
    from tocsin.taking import Source, Taking

_encode = msgspec.json.Encoder().encode


class Silence:
    """Listens for nothing, as often as it is asked to."""

    def __init__(
        self,
        sources: Sequence[Source],
        hearing: Hearing,
        taking: Taking,
        store: Store,
        clock: Callable[[], datetime],
        write_every: timedelta = timedelta(seconds=5),
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._hearing = hearing
        self._taking = taking
        self._store = store
        self._clock = clock
        self._write_every = write_every
        self._written_at = clock()

    async def start(self) -> None:
        """Know again who was heard when, and end the silences that nobody waits for any more. Raises StoreError."""
        self._hearing.enter(await self._store.run(heard.read))
        now = self._clock()
        for name, fires in list(self._store.live.firing.items()):
            expected = {one.fingerprint for one in self._hearing.silences(name, now)}
            left = [one for one in list(fires) if hearing.is_silence(one) and one not in expected]
            await self._take(name, [hearing.over(name, fingerprint, now) for fingerprint in left], now)

    async def come_round(self) -> None:
        """Take in every silence that began or ended. Raises StoreError when the store cannot write."""
        now = self._clock()
        if now - self._written_at >= self._write_every:
            self._written_at = now
            await self.write()
        for name in self._sources:
            await self._take(name, self._news(name, now), now)

    async def write(self) -> None:
        """Write down who was heard since the last time. Raises StoreError when the store cannot write."""
        now = self._clock()
        gone, news = self._hearing.forgotten(now), self._hearing.news()
        if gone or news:
            await self._store.run(lambda tx: heard.write(tx, news, gone))
        for one in gone:
            fingerprint = f"{hearing.MARK}:{one.fingerprint}"
            if self._fires(one.source, fingerprint):
                await self._take(one.source, [hearing.over(one.source, fingerprint, now)], now)

    def _news(self, name: str, now: datetime) -> list[Alert]:
        """The silences that are not known yet, and the ends of those that are over."""
        news: list[Alert] = []
        for one in self._hearing.silences(name, now):
            known = self._fires(name, one.fingerprint)
            if one.alert and not known:
                news.append(one.alert)
            elif known and one.heard:
                news.append(hearing.over(name, one.fingerprint, now))
        return news

    def _fires(self, name: str, fingerprint: str) -> bool:
        return self._store.live.find(name, fingerprint) is not None

    async def _take(self, name: str, alerts: list[Alert], now: datetime) -> None:
        if alerts:
            payload = Payload(body=_encode(alerts), source=name)
            await self._taking.take_plain(name, self._sources.get(name), payload, alerts, now)

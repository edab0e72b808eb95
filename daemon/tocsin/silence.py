"""Finds sources that should have been heard, and takes their silence in as an alert; or its end.

What fires is what the store says fires, so nothing is said twice, and a restart forgets nothing.
"""

from __future__ import annotations

from dataclasses import replace
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
        write_every: timedelta = timedelta(seconds=30),
    ) -> None:
        # A silence is no heartbeat, and ends when its source speaks, not by itself.
        self._sources = [replace(source, expire_after=None, heartbeats=()) for source in sources]
        self._hearing = hearing
        self._taking = taking
        self._store = store
        self._clock = clock
        self._write_every = write_every
        self._written_at = clock()

    async def start(self) -> None:
        """Know again who was heard when. Raises StoreError."""
        self._hearing.enter(await self._store.run(heard.read))

    async def come_round(self) -> None:
        """Take in every silence that began or ended. Raises StoreError when the store cannot write."""
        now = self._clock()
        if now - self._written_at >= self._write_every:
            self._written_at = now
            await self.write()
        for source in self._sources:
            alerts = self._news(source.name, now)
            if alerts:
                payload = Payload(body=_encode(alerts), source=source.name)
                await self._taking.take(source, payload, alerts, now)

    async def write(self) -> None:
        """Write down who was heard since the last time. Raises StoreError when the store cannot write."""
        gone, news = self._hearing.forgotten(self._clock()), self._hearing.news()
        if gone or news:
            await self._store.run(lambda tx: heard.write(tx, news, gone))

    def _news(self, source: str, now: datetime) -> list[Alert]:
        """The silences that are not known yet, and the ends of those that are over."""
        silences = dict(self._hearing.silences(source, now))
        known = {one for one in list(self._store.live.firing.get(source, ())) if hearing.is_silence(one)}
        began = [alert for fingerprint, alert in silences.items() if alert and fingerprint not in known]
        ended = [hearing.over(source, fingerprint, now) for fingerprint in known if silences.get(fingerprint) is None]
        return began + ended

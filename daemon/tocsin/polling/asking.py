"""Brings what a platform shows into agreement with what fires here: through the same way in as everything else.

Knows the store and the way in; how a platform is asked, its own file says.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from tocsin import hearing, wording
from tocsin.errors import PayloadError, StoreError
from tocsin.fate import HEARTBEAT
from tocsin.model import Alert, Payload, Status
from tocsin.polling.difference import Difference, Kind, difference
from tocsin.polling.platform import PlatformError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from datetime import datetime

    from tocsin.hearing import Hearing
    from tocsin.metrics import Metrics
    from tocsin.model import Unreadable
    from tocsin.polling.platform import Asked
    from tocsin.sources import Shown
    from tocsin.store import Store, Transaction
    from tocsin.taking import Source, Taking

_log = structlog.get_logger("polling")
_encode = msgspec.json.Encoder().encode
_alert = msgspec.json.Decoder(Alert)


class SourceDifference(Struct, frozen=True, kw_only=True):
    """One thing that differs between a platform and what fires here."""

    kind: Kind
    fingerprint: str
    incident: str
    """Reference of the incident it fires in; empty for none."""
    told: str
    """In words."""
    mended: bool = False
    """It was taken in."""


class Compared(Struct, frozen=True, kw_only=True):
    """What came of comparing one source."""

    source: str
    asked: int
    """How many fingerprints fire here."""
    differences: tuple[SourceDifference, ...]
    problem: str = ""
    """Why it could not be asked; empty when it was."""


class Asking:
    """One source that is asked."""

    def __init__(  # noqa: PLR0913 - whom it asks, and whom it tells
        self,
        source: Source,
        asked: Asked,
        *,
        taking: Taking,
        store: Store,
        hearing: Hearing,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self.source = source
        self.asked = asked
        self._taking = taking
        self._store = store
        self._hearing = hearing
        self._clock = clock
        self._metrics = metrics
        self._missing: dict[str, datetime] = {}
        self._well = True

    async def tried(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do it; trouble is told once, until it is over. Returns whether it went well."""
        try:
            await work()
        except (PlatformError, PayloadError, StoreError) as error:
            self._metrics.polled(self.source.name, good=False, at=self._clock().timestamp())
            (_log.warning if self._well else _log.debug)(
                "the platform cannot be asked", source=self.source.name, problem=str(error)
            )
            self._well = False
            self._missing = {}  # what was missing before and after is not known to have been missing all the time
            return False
        if not self._well:
            _log.info("the platform can be asked again", source=self.source.name)
        self._well = True
        return True

    async def read(self, body: bytes) -> Shown:
        """What an answer says, read beside the event loop: it may be large. Raises PayloadError when it is none."""
        show = self.source.kind.show
        if show is None:
            raise PayloadError(f"kind {self.source.kind.name} cannot be asked")
        return await asyncio.to_thread(show, Payload(body=body, source=self.source.name), self.source.options)

    async def agree(self, ask: Callable[[], Awaitable[Shown]]) -> None:
        """Ask, and take in what is different.

        Raises:
            PlatformError, PayloadError: it does not answer, or something else than was asked for.
            StoreError: nothing can be taken in now.
        """
        asked_at, before = self._clock(), self._firing()
        await self._take_in(self._difference(await ask(), before, asked_at), asked_at)

    async def compare(self, ask: Callable[[], Awaitable[Shown]], *, fix: bool) -> Compared:
        """Ask, and name what is different; taken in only when it is to be mended. What goes wrong is its problem.

        Raises:
            StoreError: nothing can be taken in now.
        """
        asked_at, before = self._clock(), self._firing()
        name = self.source.name
        try:
            found = self._difference(await ask(), before, asked_at)
        except (PlatformError, PayloadError) as error:
            return Compared(source=name, asked=0, differences=(), problem=str(error))
        taken = found.named().keys() - found.missing.keys() if fix else frozenset()
        differences = tuple(
            SourceDifference(
                kind=kind,
                fingerprint=fingerprint,
                incident=self._incident(fingerprint),
                told=self._words(kind, found.missing.get(fingerprint), asked_at),
                mended=fingerprint in taken,
            )
            for fingerprint, kind in found.named().items()
        )
        if fix:
            await self._take_in(found, asked_at)
        return Compared(source=name, asked=len(before), differences=differences)

    async def _take_in(self, found: Difference, asked_at: datetime) -> None:
        self._heard()
        gone = await self._store.run(partial(self._told, fingerprints=found.gone)) if found.gone else []
        await self.take([*found.news, *found.ended, *gone])
        self._missing = found.missing
        self._metrics.polled(self.source.name, good=True, at=asked_at.timestamp())

    def _difference(self, shown: Shown, before: Mapping[str, datetime], asked_at: datetime) -> Difference:
        ended: dict[str, datetime | None] = dict.fromkeys(before)
        return difference(shown, ended | self._firing(), self._missing, asked_at, self.asked.settle)

    def _incident(self, fingerprint: str) -> str:
        """The reference of the incident that this fires in; empty when it fires in none."""
        firing = self._store.live.find(self.source.name, fingerprint)
        entry = self._store.live.by_row.get(firing.n) if firing else None
        return entry.incident.id if entry else ""

    def _words(self, kind: Kind, missing_since: datetime | None, now: datetime) -> str:
        if missing_since is None:
            return kind.told
        spans = (wording.span(now - missing_since), wording.span(self.asked.settle))
        return f"{kind.told} since {spans[0]}; it counts as over after {spans[1]}"

    async def hear(self, body: bytes) -> None:
        """Take in what the platform says by itself, as if it had been posted. Raises StoreError."""
        now, payload = self._clock(), Payload(body=body, source=self.source.name)
        self._heard()
        try:
            entries = self.source.kind.parse(payload, self.source.options, now)
        except PayloadError as error:
            await self._taking.reject(payload, str(error), now)
            return
        if entries:
            await self._taking.take(self.source, payload, entries, now)

    async def take(self, entries: Sequence[Alert | Unreadable]) -> None:
        """Take in what the platform said. Raises StoreError."""
        if not entries:
            return
        payload = Payload(body=_encode(entries), source=self.source.name)
        fates = await self._taking.take(self.source, payload, entries, self._clock())
        outcomes = Counter(fate.outcome for fate in fates if fate.outcome != HEARTBEAT)
        if outcomes:
            _log.info("taken from a platform that was asked", source=self.source.name, **outcomes)

    def _firing(self) -> dict[str, datetime]:
        """What fires here: fingerprint, and when it was heard of last."""
        fires = list(self._store.live.firing.get(self.source.name, {}).items())
        return {fingerprint: firing.seen_at for fingerprint, firing in fires if not hearing.is_silence(fingerprint)}

    def _heard(self) -> None:
        self._hearing.spoke(self.source.name, self._clock())

    def _told(self, tx: Transaction, fingerprints: Sequence[str]) -> list[Alert]:
        """The ends of what the platform no longer knows, in the words it used."""
        return [self._over(tx, fingerprint) for fingerprint in fingerprints if self._fires(tx, fingerprint)]

    def _fires(self, tx: Transaction, fingerprint: str) -> bool:
        return tx.live.find(self.source.name, fingerprint) is not None

    def _over(self, tx: Transaction, fingerprint: str) -> Alert:
        firing = tx.live.firing[self.source.name][fingerprint]
        alert = _alert.decode(tx.rows("text", (firing.text,))[0][0])
        return replace(
            alert,
            status=Status.RESOLVED,
            summary=f"{self.source.name} no longer shows it: {alert.summary}",
            ends_at=self._clock(),
            said_at=None,
        )


async def first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Do all at once until one of them ends; the others are given up. Raises what that one raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""Takes alerts of a source in: whoever brings them, a hook, a poll or silence itself, they come through here.

What is not said again expires, what only says that a platform is alive is no problem, and a fault of our own with one alert
loses neither it nor the others. Knows the store and the road; knows no HTTP.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from tocsin import intake
from tocsin.errors import StoreError
from tocsin.fate import HEARTBEAT
from tocsin.hearing import is_silence
from tocsin.model import Alert, Status, Unreadable
from tocsin.rules.routing import NO_ROUTES
from tocsin.store import keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, timedelta

    from pydantic import BaseModel

    from tocsin.hearing import Hearing
    from tocsin.metrics import Metrics
    from tocsin.model import Payload
    from tocsin.rules.routing import Routes
    from tocsin.sources import Kind
    from tocsin.store import Store

_log = structlog.get_logger("taking")

MAX_FINGERPRINT = 512
_MOST_CHECKS = 8_192

_Work = partial[list[intake.Fate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One supervision platform as configured."""

    name: str
    kind: Kind
    options: BaseModel
    declarant: str = "Supervision"
    backend: str = ""
    expire_after: timedelta | None = None
    """How long a firing without an end of its own is believed; None for ever."""
    heartbeats: tuple[str, ...] = ()
    """Checks, as globs, that only say that it is alive."""
    expect_every: timedelta | None = None
    """Silence longer than this is an alert."""


class Taking:
    """The way in, shared by all that bring alerts."""

    def __init__(
        self,
        store: Store,
        rulebook: Callable[[], intake.Rulebook],
        mint: Callable[[datetime], str],
        hearing: Hearing,
        metrics: Metrics,
        routes: Routes = NO_ROUTES,
    ) -> None:
        self._routes = routes
        self._store = store
        self._rulebook = rulebook
        self._mint = mint
        self._hearing = hearing
        self._metrics = metrics

    def needs(self, source: Source | None) -> intake.Intake:
        """What taking in alerts of a source needs; of one that is configured no more, what any has unless said."""
        return intake.Intake(
            rulebook=self._rulebook(),
            mint=self._mint,
            declarant=source.declarant if source else "Supervision",
            backend=source.backend if source else "",
            routes=self._routes,
            hear=self._metrics.compared,
        )

    async def take(
        self, source: Source, payload: Payload, entries: Sequence[Alert | Unreadable], now: datetime
    ) -> list[intake.Fate]:
        """Take the entries of one message in; returns what became of each, once all of it is committed.

        Raises:
            StoreError: the store cannot write; nothing was taken.
        """
        beats = self._beats(source, entries) if source.heartbeats else {}
        if not beats:
            return await self.take_plain(source.name, source, payload, self._believed(source, entries, now), now)
        rest = [entry for position, entry in enumerate(entries) if position not in beats]
        taken = [*self._believed(source, rest, now), *self._no_problems(beats.values())]
        fates = iter(await self.take_plain(source.name, source, payload, taken, now) if taken else ())
        self._hearing.beat(source.name, beats.values(), now)
        self._metrics.taken(source.name, [HEARTBEAT] * len(beats))
        return [_beat(beats[position]) if position in beats else next(fates) for position in range(len(entries))]

    async def take_plain(
        self,
        name: str,
        source: Source | None,
        payload: Payload,
        entries: Sequence[Alert | Unreadable],
        now: datetime,
    ) -> list[intake.Fate]:
        """The same for alerts that neither are heartbeats nor expire: silences, which no platform says.

        `source` is None for one that is configured no more. Raises StoreError.
        """
        fates = await self._fates(source, payload, entries, now)
        self._tell(name, fates)
        return fates

    async def reject(self, payload: Payload, reason: str, now: datetime) -> None:
        """Keep a message that cannot be read, so that it can be read again after a correction. Raises StoreError."""
        _log.warning("rejected", source=payload.source, reason=reason)
        self._metrics.taken(payload.source, ("rejected",))
        await self._store.run(lambda tx: keep.reject(tx, payload, reason, now))

    def _beats(self, source: Source, entries: Sequence[Alert | Unreadable]) -> dict[int, Alert]:
        """Position → alert, of those that only say that the platform is alive."""
        known = _heartbeats(source.heartbeats)
        return {
            position: entry for position, entry in enumerate(entries) if type(entry) is Alert and known[entry.check]
        }

    def _no_problems(self, beats: Iterable[Alert]) -> list[Alert]:
        """The ends of those that fire here: they were no heartbeats yet when they began."""
        found = (beat for beat in beats if self._store.live.find(beat.source, beat.fingerprint))
        return [replace(beat, status=Status.RESOLVED, said_at=None) for beat in found]

    def _believed(
        self, source: Source, entries: Sequence[Alert | Unreadable], now: datetime
    ) -> Sequence[Alert | Unreadable]:
        """The entries; what fires and has no end gets one where its source never tells it."""
        if source.expect_every:
            entries = [_not_silence(entry) for entry in entries]
        if not source.expire_after:
            return entries
        until = now + source.expire_after
        return [
            replace(entry, ends_at=until)
            if isinstance(entry, Alert) and entry.status is Status.FIRING and entry.ends_at is None
            else entry
            for entry in entries
        ]

    async def _fates(
        self, source: Source | None, payload: Payload, entries: Sequence[Alert | Unreadable], now: datetime
    ) -> list[intake.Fate]:
        """What became of each alert. A fault of our own with one of them loses neither it nor the others."""
        work = partial(intake.take, payload=payload, alerts=entries, intake=self.needs(source), now=now)
        fates = await self._tried(work, len(entries))
        if not isinstance(fates, Exception):
            return fates
        _log.error("alerts could not be taken in, trying them one by one", source=payload.source, exc_info=fates)
        return [await self._fate(partial(work, alerts=[entry]), payload, now) for entry in entries]

    async def _fate(self, work: _Work, payload: Payload, now: datetime) -> intake.Fate:
        fates = await self._tried(work, 1)
        if not isinstance(fates, Exception):
            return fates[0]
        reason = f"a fault in tocsin: {type(fates).__name__}: {fates}"
        await self._store.run(lambda tx: keep.reject(tx, payload, reason, now))
        return intake.Fate(outcome="rejected", reason=reason)

    async def _tried(self, work: _Work, weight: int) -> list[intake.Fate] | Exception:
        try:
            return await self._store.run(work, weight or 1)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - broad: what we did wrong, the sender must not pay for
            return error

    def _tell(self, source: str, fates: Sequence[intake.Fate]) -> None:
        metrics = self._metrics
        metrics.taken(source, [fate.outcome for fate in fates])
        decided = [fate for fate in fates if fate.rule]
        if not decided:
            return
        metrics.decided([(fate.rule, fate.outcome) for fate in decided])
        metrics.ticketed_at_once(sum(fate.outcome == "opened" and bool(fate.ticket) for fate in decided))
        if not _log.is_enabled_for(logging.INFO):
            return
        for fate in decided:
            _log.info(
                "decision",
                source=source,
                fingerprint=fate.fingerprint,
                rule=fate.rule,
                outcome=fate.outcome,
                incident=fate.incident,
                ticket=fate.ticket,
                reason=fate.reason,
            )


class _Heartbeats(dict[str, bool]):
    """Check → whether it only says that its platform is alive; asked for each alert, so the answers are kept."""

    def __init__(self, globs: tuple[str, ...]) -> None:
        super().__init__()
        self._globs = globs

    def __missing__(self, check: str) -> bool:
        if len(self) >= _MOST_CHECKS:
            self.clear()
        found = self[check] = any(fnmatchcase(check, glob) for glob in self._globs)
        return found


@cache
def _heartbeats(globs: tuple[str, ...]) -> _Heartbeats:
    return _Heartbeats(globs)


def _not_silence(entry: Alert | Unreadable) -> Alert | Unreadable:
    """The entry, under a fingerprint that is none of ours."""
    if isinstance(entry, Alert) and is_silence(entry.fingerprint):
        return replace(entry, fingerprint=f"its {entry.fingerprint}"[:MAX_FINGERPRINT])
    return entry


def _beat(alert: Alert) -> intake.Fate:
    return intake.Fate(
        outcome=HEARTBEAT, fingerprint=alert.fingerprint, reason="it says that its source is alive, and is no problem"
    )

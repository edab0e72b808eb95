"""Who was heard when: each source, and each heartbeat that a source ever sent; and whose silence has lasted too long.

Silence is an alert of its source like any other, decided by the rules: check `silence`, over once it speaks again. What a
source says when it is not heard any more, nobody can know; so only sources with `expect_every` are waited for. Pure but for
what it remembers; `silence` looks at the clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from tocsin.model import Alert, Severity, Status
from tocsin.wording import span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CHECK = "silence"
"""The check of a silence."""

MARK = "tocsin:silence"
"""The fingerprint of a silence; of a heartbeat's silence this, a colon and the heartbeat's own. No platform's alert has it."""

FORGOTTEN_AFTER = timedelta(days=7)
"""A heartbeat that is silent for so long was taken down on purpose."""


class Heard(Struct, frozen=True, kw_only=True):
    """The last time that somebody was heard."""

    source: str
    fingerprint: str = ""
    """Of the heartbeat; empty for the source itself."""
    at: datetime
    beat: Alert | None = None
    """The heartbeat as it came last; None for the source itself."""

    @property
    def ended(self) -> bool:
        """Whether its platform itself says that the heart no longer beats."""
        return self.beat is not None and self.beat.status is Status.RESOLVED


class Silence(NamedTuple):
    """Whether a source or a heartbeat is silent."""

    fingerprint: str
    alert: Alert | None
    """The alert that its silence is; None while it is not silent."""
    heard: bool
    """Whether it was heard since we listen: only then a silence from before is over."""


class Hearing:
    """What was heard. From the event loop only."""

    def __init__(self, expected: Mapping[str, timedelta], started: datetime) -> None:
        """`expected`: how often each source is to be heard, those of which it is expected; `started`: since when we listen."""
        self._expected = expected
        self._started = started
        self._heard: dict[tuple[str, str], Heard] = {}
        self._spoke: dict[str, datetime] = {}
        self._unwritten: set[tuple[str, str]] = set()

    def spoke(self, source: str, now: datetime) -> None:
        """The source sent something that is surely its own."""
        self._spoke[source] = now

    def beat(self, source: str, beats: Iterable[Alert], now: datetime) -> None:
        """Heartbeats came from it."""
        for alert in beats:
            self._know(Heard(source=source, fingerprint=alert.fingerprint, at=now, beat=alert))

    def enter(self, heard: Iterable[Heard]) -> None:
        """Know again what was known before a restart."""
        for one in heard:
            self._heard[one.source, one.fingerprint] = one

    def last(self) -> dict[str, datetime]:
        """Source → when it was heard last."""
        kept = {source: one.at for (source, fingerprint), one in self._heard.items() if not fingerprint}
        return kept | self._spoke

    def news(self) -> list[Heard]:
        """What is to be written down since the last time."""
        for source, at in self._spoke.items():
            self._know(Heard(source=source, at=at))
        self._spoke.clear()
        news = [self._heard[key] for key in self._unwritten if key in self._heard]
        self._unwritten.clear()
        return news

    def forgotten(self, now: datetime) -> list[Heard]:
        """The heartbeats that nobody waits for any more; they are no longer known."""
        over = [one for one in self._heard.values() if one.beat and now - max(one.at, self._started) > FORGOTTEN_AFTER]
        for one in over:
            del self._heard[one.source, one.fingerprint]
        return over

    def silences(self, source: str, now: datetime) -> Iterator[Silence]:
        """For the source, and each of its heartbeats, whether it is silent.

        Nothing for a source of which nothing is expected.
        """
        every = self._expected.get(source)
        if every is None:
            return
        last = self.last().get(source)
        yield self._silence(source, last, every, None, now)
        for one in [one for one in self._heard.values() if one.source == source and one.beat]:
            yield self._silence(source, one.at, every, one, now)

    def _silence(
        self, source: str, last: datetime | None, every: timedelta, beat: Heard | None, now: datetime
    ) -> Silence:
        fingerprint = f"{MARK}:{beat.fingerprint}" if beat else MARK
        ended = beat is not None and beat.ended
        since = max(last, self._started) if last else self._started
        if ended or now - since > every:
            return Silence(fingerprint, _alert(source, fingerprint, last, every, beat), heard=False)
        return Silence(fingerprint, None, heard=last is not None and last >= self._started)

    def _know(self, heard: Heard) -> None:
        self._heard[heard.source, heard.fingerprint] = heard
        self._unwritten.add((heard.source, heard.fingerprint))


def is_silence(fingerprint: str) -> bool:
    """Whether it is that of a silence."""
    return fingerprint.startswith(MARK)


def over(source: str, fingerprint: str, now: datetime) -> Alert:
    """The alert that ends a silence."""
    return Alert(
        source=source,
        fingerprint=fingerprint,
        status=Status.RESOLVED,
        severity=Severity.CRITICAL,
        resource=source,
        check=CHECK,
        summary=f"{source} is heard again",
        ends_at=now,
    )


def _alert(source: str, fingerprint: str, last: datetime | None, every: timedelta, heard: Heard | None) -> Alert:
    beat = heard.beat if heard else None
    what = f"the heartbeat {beat.check} of {beat.resource} ({source})" if beat else f"source {source}"
    said = "says itself that it stopped" if heard and heard.ended else f"has been silent for more than {span(every)}"
    labels = {"expect_every": span(every)} | ({"last_heard": last.isoformat(timespec="seconds")} if last else {})
    return Alert(
        source=source,
        fingerprint=fingerprint,
        status=Status.FIRING,
        severity=Severity.CRITICAL,
        resource=beat.resource if beat else source,
        check=CHECK,
        summary=f"{what} {said}",
        description="What this platform would say now, nobody hears: look whether it runs, and whether it reaches tocsin.",
        labels=(beat.labels | {"heartbeat": beat.check} if beat else {}) | labels,
        starts_at=last,
    )

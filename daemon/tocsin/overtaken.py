"""Messages that overtook each other: which of two about one problem is the newer, by its source's own clock.

Platforms send again what was not answered, and networks keep no order: a copy of an old "firing" may come after the
"resolved", and a "resolved" before its "firing". Only messages that say when they were said (`Alert.said_at`) can be told
apart; the order of arrival counts for all others. Knows alerts and nothing of incidents.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tocsin.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.model import Alert
    from tocsin.undo import Undo

WINDOW = timedelta(hours=1)
"""Messages overtake each other by no more than this. A larger step is a clock that was set, and then the order of
arrival counts: better a ticket too many than a fault nobody hears of."""

MOST = 50_000
"""So many ends are remembered at most."""

_NEVER = timedelta(0)


class End(NamedTuple):
    """That a problem was said to be over."""

    said_at: datetime
    heard_at: datetime


class Said(NamedTuple):
    """When a source said that a problem fires, by its own clock; None where it does not say."""

    first: datetime | None
    last: datetime | None


class Ends:
    """Which problems ended lately, and when their source said so."""

    def __init__(self, undo: Undo) -> None:
        self._undo = undo
        self._ends: dict[tuple[str, str], End] = {}

    def keep(self, alert: Alert, now: datetime) -> None:
        """Remember that this alert said it is over."""
        if alert.said_at is None:
            return
        key = (alert.source, alert.fingerprint)
        before = self._ends.get(key)
        if before is None or before.said_at < alert.said_at:
            self._undo.put(self._ends, key, None)  # the newest stand last
            self._undo.put(self._ends, key, End(alert.said_at, now))
        self._forget(now)

    def enter(self, alerts: Iterable[tuple[Alert, datetime]]) -> None:
        """Know again what was remembered before a restart, with when it was heard."""
        for alert, heard_at in alerts:
            self.keep(alert, heard_at)

    def overtake(self, alert: Alert, fires: Said | None, now: datetime) -> bool:
        """Whether something newer was heard about the alert's problem.

        An end is believed unless it surely belongs to an earlier firing: a ticket that stays open for ever is worse than one
        that is closed and opened again. Some platforms write into the end when the problem began: that is no older word.

        Args:
            alert: what comes now.
            fires: when the source said that it fires, if it fires here.
            now: when it comes.
        """
        said_at = alert.said_at
        if said_at is None:
            return False
        end = self._ends.get((alert.source, alert.fingerprint))
        ended_at = end.said_at if end and now - end.heard_at <= WINDOW else None
        if alert.status is Status.RESOLVED:
            return fires is not None and _is_between(said_at, fires, ended_at)
        newest = fires.last if fires else ended_at
        return newest is not None and _NEVER < newest - said_at <= WINDOW

    def _forget(self, now: datetime) -> None:
        """The oldest, when there are too many or their time is over: a few at a time, more than come in."""
        for key, end in list(islice(self._ends.items(), 2)):
            if len(self._ends) > MOST or now - end.heard_at > WINDOW:
                self._undo.put(self._ends, key, None)


def _is_between(said_at: datetime, fires: Said, ended_at: datetime | None) -> bool:
    """Whether an end was said between two words that it fires, or is one that was heard before this firing began."""
    if fires.first is None or fires.last is None or fires.last - said_at > WINDOW:
        return False
    return fires.first < said_at < fires.last or (ended_at is not None and said_at <= ended_at < fires.first)

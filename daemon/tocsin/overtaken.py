"""Messages that overtook each other: which of two about one problem is the newer, by its source's own clock.

Platforms send again what was not answered, and networks keep no order: a copy of an old "firing" may come after the
"resolved", and a "resolved" before its "firing". Only messages that say when they were said (`Alert.said_at`) can be told
apart; the order of arrival counts for all others. Knows alerts and nothing of incidents.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

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

    def overtake(self, alert: Alert, fires_since: datetime | None, now: datetime) -> bool:
        """Whether something newer was heard about the alert's problem.

        Args:
            alert: what comes now.
            fires_since: when the source said that it fires, if it fires here and the source said when.
            now: when it comes.
        """
        if alert.said_at is None:
            return False
        if fires_since is not None:
            return _NEVER < fires_since - alert.said_at <= WINDOW
        end = self._ends.get((alert.source, alert.fingerprint))
        if end is None or now - end.heard_at > WINDOW:
            return False
        return _NEVER < end.said_at - alert.said_at <= WINDOW

    def _forget(self, now: datetime) -> None:
        """The oldest, when there are too many or their time is over: a few at a time, more than come in."""
        for key, end in list(islice(self._ends.items(), 2)):
            if len(self._ends) > MOST or now - end.heard_at > WINDOW:
                self._undo.put(self._ends, key, None)

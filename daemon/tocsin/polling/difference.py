"""What fires there against what fires here: what is to be taken in so that both agree. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.model import Alert
from tocsin.told import Told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from tocsin.sources import Shown


class Kind(Told):
    """What differs between a platform and what fires here; the list is closed."""

    UNHEARD = "unheard", "it fires there, and was never heard of here"
    OVER = "over", "it fires here, and is over there"
    UNKNOWN = "unknown", "it fires here, and is not known there"


class Difference(Struct, frozen=True, kw_only=True):
    """What the answer of a platform means for us."""

    news: list[Alert]
    """What fires there and was never heard of."""
    ended: list[Alert]
    """What fires here, and there is no problem."""
    gone: list[str]
    """Fingerprints that fire here, and that the platform has not known for long enough."""
    missing: dict[str, datetime]
    """Fingerprints that fire here and are missing there, since when; for the next time."""

    def named(self) -> dict[str, Kind]:
        """Fingerprint → what differs."""
        kinds = dict.fromkeys((alert.fingerprint for alert in self.news), Kind.UNHEARD)
        kinds |= dict.fromkeys((alert.fingerprint for alert in self.ended), Kind.OVER)
        return kinds | dict.fromkeys((*self.gone, *self.missing), Kind.UNKNOWN)


def difference(
    shown: Shown,
    firing: Mapping[str, datetime | None],
    missing: Mapping[str, datetime],
    asked_at: datetime,
    settle: timedelta,
) -> Difference:
    """Compare.

    Args:
        shown: what the platform answered.
        firing: what fires here: fingerprint, and when it was heard of last; None where it ended since the question.
        missing: what was missing there the last time, since when.
        asked_at: when the platform was asked: what was heard of since then is newer than the answer.
        settle: how long something must be missing there before it counts as over: a platform that was just started does
            not know yet what it knew.
    """
    known = shown.fires.keys() | shown.over.keys() | shown.left
    older = {fingerprint for fingerprint, heard_at in firing.items() if heard_at and heard_at < asked_at}
    absent = {fingerprint: missing.get(fingerprint, asked_at) for fingerprint in older - known}
    gone = sorted(fingerprint for fingerprint, since in absent.items() if asked_at - since >= settle)
    return Difference(
        news=[alert for fingerprint, alert in shown.fires.items() if fingerprint not in firing],
        ended=[alert for fingerprint, alert in shown.over.items() if fingerprint in older],
        gone=gone,
        missing={fingerprint: since for fingerprint, since in absent.items() if fingerprint not in gone},
    )

"""Times of systems that write them without saying in which zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from tocsin.backends._moments import moment

_QUARTER = timedelta(minutes=15)
"""Clocks are set back at quarters of an hour."""


def _known(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Europe/Paris or UTC") from None
    return name


Zone = Annotated[str, AfterValidator(_known)]
"""Name of a time zone, such as Europe/Paris."""


def local(when: datetime, zone: str) -> str:
    """A moment as databases write it, in a zone: `2026-11-22 11:04:00`; parts of a second are dropped."""
    return f"{_there(when, zone):%Y-%m-%d %H:%M:%S}"


def earliest(when: datetime, zone: str) -> str:
    """As `local`, for asking what is not earlier: before an hour that comes twice where the moment lies in it.

    In such an hour later moments may have earlier names, and databases take a name for either of the two.
    """
    while _is_twice(_there(when, zone)):
        when -= _QUARTER
    return local(when, zone)


def heard(value: Any, zone: str, now: datetime) -> datetime | None:
    """A time as such a system tells it, in UTC: the later of two that are called the same, unless it is still to come."""
    first = moment(value, ZoneInfo(zone))
    if first is None or first > now:
        return first
    again = first.astimezone(ZoneInfo(zone)).replace(fold=1).astimezone(UTC)
    return again if first < again <= now else first


def _there(when: datetime, zone: str) -> datetime:
    try:
        return when.astimezone(ZoneInfo(zone))
    except OverflowError:
        return when  # at the end of time hours do not matter


def _is_twice(at: datetime) -> bool:
    """Whether the clocks of its zone show this time twice."""
    return at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()

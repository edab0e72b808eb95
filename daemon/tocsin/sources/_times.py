"""The ways platforms write a moment, and their ways to write none.

Every function is total: what cannot be a moment is None. A time without an offset is not guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Annotated

from msgspec import Meta

Moment = Annotated[datetime, Meta(tz=True)]
"""A moment in a typed message: RFC 3339, refused without an offset."""

FIRST = datetime(1971, 1, 1, tzinfo=UTC)
"""Anything earlier is a platform's way to say none: 0001-01-01 (Go), 1970-01-01 (an epoch of 0)."""

_FIRST_EPOCH = FIRST.timestamp()

_MILLISECONDS_FROM = 100_000_000_000
"""An epoch this large cannot be seconds (year 5138), so it is milliseconds."""

_EPOCH = re.compile(r"(?:\d{9,13}|\d{16}|\d{19})(\.\d{1,9})?", re.ASCII)
_LOCAL = re.compile(r"(\d{4})[-./](\d\d?)[-./](\d\d?)(?:[ T,]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?", re.ASCII)
_BMC = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-]\d{1,4})", re.ASCII)
_NAGIOS = re.compile(
    r"\w{3} (?P<month>\w{3}) +(?P<day>\d{1,2}) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) (?:UTC|GMT) (?P<year>\d{4})",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def known(moment: datetime | None) -> datetime | None:
    """An aware moment in UTC, or None where it stands for none."""
    if moment is None or moment < FIRST:
        return None
    return moment if moment.tzinfo is UTC else _in_utc(moment)


def moment(value: object) -> datetime | None:
    """The moment that a text or number means; None for anything else.

    Understood: RFC 3339 with offset; an epoch in seconds, or in thousandths, millionths or billionths of one, as number
    or text; BMC's `20161114081525.000000-300` (offset in minutes); Nagios' `Sun Nov 22 01:24:10 UTC 2026`.
    """
    text = f"{value:.6f}" if isinstance(value, float) else str(value).strip()
    if text[4:5] == "-":
        return _from_rfc3339(text)
    if _EPOCH.fullmatch(text):
        return _from_epoch(float(text))
    if text[:1].isdecimal():
        return _from_bmc(text) or _from_rfc3339(text)
    return _from_nagios(text)


def local(value: object, zone: tzinfo) -> datetime | None:
    """The moment that a text means; one without an offset is in `zone`: `2026.11.22 01:24:10`, `2026-11-22T01:24`.

    Of an hour that a zone has twice a year, the first is meant: fit for telling people, not for telling which of two
    messages is the newer (`said_at`).
    """
    match = _LOCAL.fullmatch(str(value).strip())
    if match is None:
        return moment(value)
    *parts, fraction = match.groups(default="0")
    try:
        return known(datetime(*map(int, parts), int(f"{fraction:0<6}"[:6]), tzinfo=zone))  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None


def _from_epoch(number: float) -> datetime | None:
    while number >= _MILLISECONDS_FROM:
        number /= 1000
    return datetime.fromtimestamp(number, UTC) if number >= _FIRST_EPOCH else None


def _from_bmc(text: str) -> datetime | None:
    match = _BMC.fullmatch(text)
    if match is None:
        return None
    *parts, offset = (int(group) for group in match.groups())
    return _built(parts, timedelta(minutes=offset))


def _from_nagios(text: str) -> datetime | None:
    match = _NAGIOS.fullmatch(text)
    if match is None or match["month"] not in _MONTHS:
        return None
    month = _MONTHS.index(match["month"]) + 1
    day, hour, minute, second, year = map(int, match.group("day", "hour", "minute", "second", "year"))
    return _built([year, month, day, hour, minute, second, 0], timedelta())


def _built(parts: list[int], offset: timedelta) -> datetime | None:
    year, month, day, hour, minute, second, fraction = parts
    try:
        return known(datetime(year, month, day, hour, minute, second, fraction, timezone(offset)))
    except ValueError:
        return None


def _from_rfc3339(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return known(when) if when.tzinfo else None


def _in_utc(moment: datetime) -> datetime | None:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None

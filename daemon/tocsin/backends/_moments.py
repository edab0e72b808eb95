"""Times as ticket systems write them. Total: what is no time is None."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = 100_000_000_000
"""Numbers from here on are milliseconds since 1970: as seconds they would be beyond the year 5000."""


def moment(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """A time in UTC from ISO 8601 or epoch seconds or milliseconds; `zone` is whose it is when it names none."""
    if isinstance(value, str):
        text = value.strip()
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return _epoch(text)
        at = at if at.tzinfo else at.replace(tzinfo=zone)
        return _sane(at)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _epoch(str(value))
    return None


def _epoch(text: str) -> datetime | None:
    try:
        seconds = float(text)
        at = datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return _sane(at)


def _sane(at: datetime) -> datetime | None:
    """Systems write the beginning of time for "never"."""
    try:
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at > EPOCH else None

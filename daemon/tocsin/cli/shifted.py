"""A sample as if it were sent now: its moments moved by the age of the sample, everything else as it is.

Where `endsAt` says whether a problem is over, an old sample would say something else than it did.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SAMPLED_AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""When the samples are read in their tests: the moment that they are about."""

_NEAR = timedelta(days=30)
_ISO = re.compile(rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?=\D|$)")
_EPOCH = re.compile(rb"(?<![\w.-])(\d{10}|\d{13})(?![\w-])")
_LAYOUT = "%Y-%m-%dT%H:%M:%S"


def shifted(body: bytes, now: datetime) -> bytes:
    """The body with every moment within a month of `SAMPLED_AT` as far from `now` as it was from that."""
    by = now - SAMPLED_AT
    return _EPOCH.sub(lambda found: _epoch(found, by), _ISO.sub(lambda found: _iso(found, by), body))


def _iso(found: re.Match[bytes], by: timedelta) -> bytes:
    text = found[1].decode()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return found[0]
    if abs(moment.replace(tzinfo=UTC) - SAMPLED_AT) > _NEAR:
        return found[0]
    return (moment + by).strftime(_LAYOUT.replace("T", text[10])).encode()


def _epoch(found: re.Match[bytes], by: timedelta) -> bytes:
    number, scale = int(found[1]), 1 if len(found[1]) == 10 else 1000  # noqa: PLR2004 - seconds have ten digits
    if abs(number / scale - SAMPLED_AT.timestamp()) > _NEAR.total_seconds():
        return found[0]
    return str(int(number + by.total_seconds() * scale)).encode()

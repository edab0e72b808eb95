"""What a reference tells by itself: those that incidents were given begin with the millisecond they were made in. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MINTED = 13
"""Characters of a reference that an incident was given: sixty-five bits, its milliseconds before 23 that chance gave."""
_RANDOM_BITS = 23
_START = datetime(2020, 1, 1, tzinfo=UTC)
_SKEW = timedelta(days=1)
"""How far a ticket system's clock may be behind ours."""


def not_before(reference: str) -> datetime | None:
    """Before when no ticket can carry this reference, which tells when it was made; None when it does not."""
    if len(reference) != _MINTED or not set(reference) <= set(_DIGITS):
        return None
    number = 0
    for digit in reference:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return _START + timedelta(milliseconds=number >> _RANDOM_BITS) - _SKEW

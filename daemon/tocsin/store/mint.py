"""Incident ids: short, in order of time, and never the same twice, not even after a restored backup."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tocsin.store.rows import micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letters that people misread."""
_RANDOM_BITS = 23
_START = 1_577_836_800_000
"""2020-01-01 in milliseconds since 1970."""


def mint(random: Callable[[int], int] = secrets.randbits) -> Callable[[datetime], str]:
    """A maker of ids: 13 characters, the time in milliseconds before 23 random bits, always growing.

    A restored backup goes on counting rows from where it was, so a row number would be given twice; the time is not.
    """
    last = 0

    def next_id(now: datetime) -> str:
        nonlocal last
        fresh = (micros(now) // 1000 - _START) << _RANDOM_BITS | random(_RANDOM_BITS)
        last = max(fresh, last + 1)
        return _text(last)

    return next_id


def _text(number: int) -> str:
    digits = []
    for _ in range(13):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))

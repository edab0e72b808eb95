"""Incident ids: short, in order of time, and never the same twice, not even after a restored backup."""

from __future__ import annotations

import secrets
from itertools import product
from typing import TYPE_CHECKING

from tocsin.store.rows import micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letters that people misread."""
_FOURS = ["".join(four) for four in product(_DIGITS, repeat=2)]
"""Ten bits at a time, as two digits."""
_RANDOM_BITS = 23
_START = 1_577_836_800_000
"""2020-01-01 in milliseconds since 1970."""


def mint(random: Callable[[int], int] = secrets.randbits) -> Callable[[datetime], str]:
    """A maker of ids: 13 characters, the time in milliseconds before 23 random bits, always growing.

    A restored backup goes on counting rows from where it was, so a row number would be given twice; the time is not.
    Within one millisecond they are counted up from where chance put the first.
    """
    last = 0
    instant = -1

    def next_id(now: datetime) -> str:
        nonlocal last, instant
        millisecond = micros(now) // 1000 - _START
        if millisecond > instant:
            instant = millisecond
            last = max(last + 1, millisecond << _RANDOM_BITS | random(_RANDOM_BITS))
        else:
            last += 1
        return _text(last)

    return next_id


def _text(number: int) -> str:
    pairs = [_FOURS[number >> shift & 1023] for shift in (60, 50, 40, 30, 20, 10, 0)]
    return "".join(pairs)[1:]

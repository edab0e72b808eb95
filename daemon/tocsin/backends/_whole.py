"""Ids that are whole numbers, and that some APIs want as such."""

from __future__ import annotations

from tocsin.backends._shape import strange

_LONGEST = 20
"""Digits of an id: those of 64 bits."""


def whole(key: str, name: str) -> int:
    """The id as a number. Raises DeliveryError UNREADABLE when the backend `name` told something else."""
    if not (key.isascii() and key.isdecimal() and len(key) <= _LONGEST):
        raise strange(name, f"{key[:_LONGEST]!r} is no whole number")
    return int(key)

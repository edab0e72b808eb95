"""Durations as rule files write them: `30s`, `2m`, `1h30m`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

from tocsin.rules.wrong import Wrong

FORM = r"^(?=.)(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?$"
"""Days, hours, minutes, seconds; at least one of them, in this order."""

_FORM = re.compile(FORM)


def parse(text: object) -> timedelta:
    """Return the duration that a text says.

    Raises:
        ValueError: it says none.
    """
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if not found:
        shown = f'"{text}"' if isinstance(text, (str, int, float)) else "this"
        raise Wrong(f"{shown} is no duration", hint="write one such as 30s, 2m, 1h30m or 7d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

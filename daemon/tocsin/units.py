"""Spans of time and sizes as people write them: `1h30m`, `10MiB`.

Text to value and back, and the pydantic types that do so. Knows nothing of what is measured.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_SPAN = r"(?=.)" + "".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}){unit})?" for unit in _UNITS)
_FACTORS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = r"(?P<count>[0-9]{1,15}) ?(?P<unit>B|KiB|MiB|GiB)?"


def duration(text: Any) -> Any:
    """Return the span of time that a text such as `90d`, `1h30m` or `250ms` says; a timedelta is returned as it is.

    Raises:
        ValueError: it says none; with examples.
    """
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(_SPAN, text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a span of time with its units: 250ms, 5s, 1h30m, 90d")
    try:
        return sum((int(count) * _UNITS[unit] for unit, count in found.groupdict().items() if count), timedelta())
    except OverflowError:
        raise ValueError("the span of time is too long") from None


def duration_text(span: timedelta) -> str:
    """Return the span as `duration` reads it, in the largest units: `1h30m`."""
    rest, parts = span, []
    for unit, one in _UNITS.items():
        count, rest = divmod(rest, one)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def size(text: Any) -> Any:
    """Return the number of bytes that a text such as `10MiB` says; a number is returned as it is.

    Raises:
        ValueError: it says none; with examples.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    found = re.fullmatch(_SIZE, text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a size in bytes, or with its unit: 512KiB, 10MiB, 1GiB")
    return int(found["count"]) * _FACTORS[found["unit"] or ""]


def size_text(count: int) -> str:
    """Return the size as `size` reads it, in the largest unit that divides it: `10MiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and count % _FACTORS[unit] == 0:
            return f"{count // _FACTORS[unit]}{unit}"
    return str(count)


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(duration_text),
    WithJsonSchema({"type": "string", "pattern": f"^{_SPAN.replace('?P', '?')}$", "examples": ["5s", "1h30m", "90d"]}),
]
Size = Annotated[
    int,
    BeforeValidator(size),
    PlainSerializer(size_text),
    WithJsonSchema({"type": ["string", "integer"], "pattern": f"^{_SIZE.replace('?P', '?')}$", "examples": ["10MiB"]}),
]

"""Reads YAML strictly: plain data, and where in the text each value stands.

YAML 1.2 core scalars (`on`, `no`, `010` and `12:30` are what they look like), no duplicate keys, no tags, text keys
only, and limits on size, depth and aliases, so that a file can neither surprise nor exhaust. Knows nothing of what
the data means.
"""

from __future__ import annotations

from tocsin.yaml12.complaints import not_utf8, too_large
from tocsin.yaml12.positions import Path, Positions, occurrences
from tocsin.yaml12.reading import ALIASED, DEPTH, DIGITS, SIZE, read
from tocsin.yaml12.words import closest, nearest

__all__ = [
    "ALIASED",
    "DEPTH",
    "DIGITS",
    "SIZE",
    "Path",
    "Positions",
    "closest",
    "nearest",
    "not_utf8",
    "occurrences",
    "read",
    "too_large",
]

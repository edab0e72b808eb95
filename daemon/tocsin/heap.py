"""Two words to the C library's allocator, so that a long life with bursts stays small. Does nothing where it is not glibc."""

from __future__ import annotations

import ctypes
from typing import Final

_ARENA_MAX: Final = -8
"""`M_ARENA_MAX` of mallopt(3)."""


def one_arena() -> None:
    """All threads allocate from one arena: with one interpreter lock, more of them only leave holes. Call it early."""
    mallopt = _function("mallopt")
    if mallopt:
        mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what a burst has left free; takes a few milliseconds."""
    trim = _function("malloc_trim")
    if trim:
        trim(0)


def _function(name: str) -> ctypes._NamedFuncPointer | None:
    try:
        return getattr(ctypes.CDLL(None), name)  # type: ignore[no-any-return]
    except (OSError, AttributeError):
        return None

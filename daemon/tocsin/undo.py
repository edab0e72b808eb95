"""Changes to memory that can be taken back: what a failed transaction did to the live state must be as if never done.

Knows dictionaries, attributes, sets and heaps; nothing of what they hold.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Undo:
    """A log of changes since the last `settle`."""

    __slots__ = ("_log",)

    def __init__(self) -> None:
        self._log: list[tuple[Callable[[Any, Any, Any], object], Any, Any, Any]] = []

    def settle(self) -> None:
        """What was done stands."""
        self._log.clear()

    def take_back(self) -> None:
        """Undo everything since the last `settle`, newest first."""
        while self._log:
            undo, target, key, value = self._log.pop()
            undo(target, key, value)

    def put(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        """Set a key; None removes it."""
        self._log.append((_put, target, key, target.get(key)))
        _put(target, key, value)

    def assign(self, target: object, field: str, value: object) -> None:
        """Set an attribute."""
        self._log.append((setattr, target, field, getattr(target, field)))
        setattr(target, field, value)

    def pop(self, heap: list[Any]) -> Any:
        """Take the first item of a heap. What is pushed needs no undo: what a heap says is checked before it is believed."""
        item = heapq.heappop(heap)
        self._log.append((_push, heap, item, None))
        return item

    def pop_any(self, numbers: set[int]) -> int:
        """Take any item of a set."""
        number = numbers.pop()
        self._log.append((_add, numbers, number, None))
        return number


def _put(target: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value


def _push(heap: list[Any], item: Any, _: Any) -> None:
    heapq.heappush(heap, item)


def _add(numbers: set[int], number: int, _: Any) -> None:
    numbers.add(number)

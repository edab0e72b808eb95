"""Looks into JSON that nobody has typed: total, whatever stands where something was expected.

For kinds whose messages people write themselves, or that differ from version to version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.sources import _read

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTHING = frozenset({"", "null", "None", "n/a", "N/A", "*UNKNOWN*"})
"""What templates write for a value that there is none of."""


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path of keys and positions; None where the way ends before."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text(value: Any, *path: str | int) -> str:
    """The scalar at a path as text without white space around it; empty where there is none, or something else."""
    found = value.get(path[0]) if len(path) == 1 and type(value) is dict else at(value, *path)
    if type(found) is str:
        return found.strip()
    return "" if found is None or isinstance(found, (dict, list)) else _read.text(found).strip()


def first(value: Any, *names: str) -> str:
    """The first of these fields that says something, as text; empty when none does."""
    for name in names:
        found = text(value, name)
        if found not in NOTHING:
            return found
    return ""


def mapping(value: Any, *path: str | int) -> dict[str, Any]:
    """The object at a path; an empty one where there is none."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def items(value: Any, *path: str | int) -> list[Any]:
    """The list at a path; an empty one where there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def texts(values: Iterable[Any]) -> list[str]:
    """Those of the values that are scalars and say something, as text."""
    return [found for value in values if not isinstance(value, (dict, list)) and (found := _read.text(value).strip())]

"""A platform's own addresses: paths with variables, and the headers that a kind asks for."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Route(NamedTuple):
    """One address that a kind answers beside `POST /hooks/{source}`."""

    method: str
    path: str
    """Below `/hooks/{source}`, and at the root as well; `/` is `/hooks/{source}` itself, by another method."""


def wanted(names: Iterable[str], headers: Mapping[str, str]) -> dict[str, str]:
    """Those headers, by lower-case name, that a kind asks for; one of its names may end in `*`."""
    asked = tuple(names)
    return {name: value for name, value in headers.items() if any(fnmatchcase(name, one) for one in asked)}


def variables(template: str, path: str) -> dict[str, str] | None:
    """The variables of a path, by the template's names; None when it is another path."""
    steps, found = template.split("/"), path.split("/")
    if len(steps) != len(found):
        return None
    given: dict[str, str] = {}
    for step, value in zip(steps, found, strict=True):
        if step[:1] == "{" and value:
            given[step[1:-1]] = unquote(value)
        elif step != value:
            return None
    return given

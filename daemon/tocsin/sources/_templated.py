"""Messages that an operator's template makes: any spelling of a name, and placeholders that stayed as they were.

For platforms that have no format of their own: the template decides the names, the platform only what it fills in.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from tocsin.sources import _dig, _read, _secret, _times
from tocsin.sources._details import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


_DEEP = 6
"""How many objects deep a template is looked into."""

_MOST = 1_000
"""How many fields of an object are."""

_PLACEHOLDER = re.compile(
    r"\{\{.*\}\}|\$?\{[A-Za-z_][\w.:\[\] -]*\}|\$[A-Z][A-Z0-9_]*(?:\[[^\]]*\])?", re.ASCII | re.DOTALL
)


def filled(message: Mapping[str, Any], deep: int = _DEEP) -> dict[str, Any]:
    """What the template said: without null, empty texts, lists and objects, and without unexpanded placeholders.

    Unexpanded is `{{rule.id}}`, `{PID}`, `$ALERT_ID` or `${name}` as a whole value. Secrets, with which a template
    authenticates, are left out, too.
    """
    kept: dict[str, Any] = {}
    for name, value in islice(message.items(), _MOST):
        told: Any = value
        kind = type(value)
        if kind is str:
            told = value.strip()
            if told in _dig.NOTHING or (told[0] in "{$" and is_placeholder(told)):
                continue
        elif kind is dict:
            told = filled(value, deep - 1) if deep > 1 else None
            if not told:
                continue
        elif value is None or (kind is list and not value):
            continue
        if not _secret.is_secret(name):
            kept[name] = told
    return kept


def is_placeholder(text: str) -> bool:
    """Whether the text is a placeholder that the platform did not expand."""
    return text[:1] in {"{", "$"} and _PLACEHOLDER.fullmatch(text) is not None


def by_name(message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a message by their plain names; of two with one plain name, the first in alphabetical order."""
    found: dict[str, Any] = {}
    for name in sorted(message):
        found.setdefault(plain(name), message[name])
    return found


def first(found: Mapping[str, Any], names: Iterable[str]) -> str:
    """The first of these fields that says something, as text; of a list its first scalar."""
    text: str
    for name in names:
        value: Any = found.get(name)
        kind = type(value)
        if kind is str:
            text = value.strip()
        elif value is None or kind is dict:
            continue
        elif kind is list:
            text = next(iter(_dig.texts(value)), "")
        else:
            text = _read.text(value).strip()
        if text:
            return text
    return ""


def moment(found: Mapping[str, Any], names: Iterable[str]) -> datetime | None:
    """The first of these fields that is a moment."""
    return next(filter(None, (_times.moment(first(found, (name,))) for name in names if name in found)), None)


def texts(value: Any, separator: str = ",") -> list[str]:
    """A list of texts, or one text that holds them, as many."""
    if isinstance(value, list):
        return _dig.texts(value)
    return [one for part in value.split(separator) if (one := part.strip())] if isinstance(value, str) else []

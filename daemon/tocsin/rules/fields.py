"""The fields of an alert that rules may name, and how each is read.

Every field reads as text; one that is missing reads as the empty text. Knows the alert and nothing of rules.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from tocsin.errors import Code
from tocsin.rules.wrong import Wrong
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.model import Alert

    Getter = Callable[[Alert], str]

FIELDS = ("source", "fingerprint", "status", "severity", "resource", "check", "summary", "description", "url")
"""What an alert has beside its labels and times."""

LABEL = "labels."
"""What the name of a label begins with, as in `labels.team`."""


def getter(field: str) -> Getter:
    """Return the function that reads a field, such as `severity` or `labels.team`, from an alert."""
    if field.startswith(LABEL):
        name = field.removeprefix(LABEL)
        return lambda alert: alert.labels.get(name, "")
    return attrgetter(field)


def is_field(name: str) -> bool:
    """Tell whether an alert has such a field; it may have any label."""
    return name in FIELDS or (name.startswith(LABEL) and name != LABEL)


def known(name: str) -> str:
    """Return the name of a field as it is.

    Raises:
        ValueError: an alert has no such field; the sentence names the nearest one.
    """
    if is_field(name):
        return name
    hint = nearest(name, FIELDS) or f"it has {', '.join(FIELDS)} and labels.NAME"
    raise Wrong(f'an alert has no field "{name}"', hint=hint, code=Code.UNKNOWN_NAME)

"""What is known about one alert while a rule treats it, and the variables that templates see of it.

Knows which names there are; nothing of how templates are written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.errors import TocsinError
from tocsin.model import Alert, Element, Impact
from tocsin.rules.fields import FIELDS, LABEL, getter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ELEMENT_FIELDS = ("reference", "name", "kind", "offer", "site", "contract", "criticality")
"""What templates may say of the element."""

OF_ALERT = frozenset({*FIELDS, "starts_at", "labels"})
"""The variables that every template sees, beside the rule's captures."""

OF_TICKET = OF_ALERT | {"element", "impact"}
"""The variables that the ticket's texts see."""


class Facts(Struct):
    """One alert, and what the rule has found out about it so far."""

    alert: Alert
    captures: dict[str, str]
    now: datetime
    element: Element | None = None
    impact: Impact | None = None


class AbsentError(TocsinError):
    """A variable that the alert does not have: its rule must allow for that, with `default` for instance."""


class Labels:
    """The labels as templates see them: by name, and nothing else; printed they are `name=value` pairs."""

    __slots__ = ("_labels",)

    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels

    def __getitem__(self, name: str) -> str:
        return self._labels[name]

    def __len__(self) -> int:
        return len(self._labels)

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in sorted(self._labels.items()))


def value(name: str, captures: frozenset[str]) -> Callable[[Facts], str]:
    """Return the function that reads a field, a label or a capture; one that is missing reads as the empty text."""
    if name in captures:
        return lambda facts: facts.captures[name]
    read = getter(name)
    return lambda facts: read(facts.alert)


def variable(name: str, captures: frozenset[str]) -> Callable[[Facts], object]:
    """Return the function that reads a variable: what a template calls `summary`, `labels` or by a capture's name."""
    if name in captures:
        return lambda facts: facts.captures[name]
    if name in FIELDS:
        return lambda facts: getattr(facts.alert, name)
    return {
        "starts_at": _starts_at,
        "labels": lambda facts: Labels(facts.alert.labels),
        "element": lambda facts: facts.element,
        "impact": lambda facts: facts.impact,
    }[name]


def attribute(name: str, captures: frozenset[str]) -> Callable[[Facts], object]:
    """Return the function that reads a variable or one attribute of it, such as `labels.team` or `element.name`.

    The function raises AbsentError for a label that the alert does not have.
    """
    if name.startswith(LABEL):
        return _label(name.removeprefix(LABEL))
    head, _, rest = name.partition(".")
    if head == "element":
        return lambda facts: getattr(facts.element, rest)
    return variable(name, captures)


def no_label(name: str) -> str:
    """Return the sentence that an alert lacks a label."""
    return f"the alert has no {LABEL}{name}"


def _label(name: str) -> Callable[[Facts], str]:
    def read(facts: Facts) -> str:
        try:
            return facts.alert.labels[name]
        except KeyError:
            raise AbsentError(no_label(name)) from None

    return read


def _starts_at(facts: Facts) -> str:
    """When it began, in UTC; an alert that does not say began now."""
    at = (facts.alert.starts_at or facts.now).astimezone(UTC)
    return f"{at.isoformat(' ', 'seconds')[:-6]} UTC"  # a tenth of what strftime costs

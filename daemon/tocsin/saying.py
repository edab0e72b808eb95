"""What an alert says, in short: a hash that is equal for a repeat, and a few words for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.model import Alert


def said(alert: Alert) -> int:
    """A hash of what an alert says, its end apart: equal for a repeat, in this process only."""
    return hash(
        (
            alert.status,
            alert.severity,
            alert.resource,
            alert.check,
            alert.summary,
            alert.description,
            alert.url,
            alert.starts_at,
            tuple(alert.labels),
            tuple(alert.labels.values()),
        )
    )


def what(alert: Alert) -> str:
    """The alert in a few words: what is wrong, and with what."""
    return f"{alert.check} ({alert.resource})"

"""What Redmine calls its statuses and priorities as it is installed, in the languages that we know. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES = {
    TicketStatus.DECLARED: "New",
    TicketStatus.IN_PROGRESS: "In Progress",
    TicketStatus.WAITING: "Feedback",
    TicketStatus.FROZEN: "Feedback",
    TicketStatus.REPAIRED: "Resolved",
    TicketStatus.CLOSED: "Closed",
    TicketStatus.CANCELLED: "Rejected",
}
PRIORITIES = {
    Impact.NONE: "Low",
    Impact.BACKUP: "Low",
    Impact.DEGRADED: "Normal",
    Impact.SEVERE: "High",
    Impact.INTERRUPTED: "Urgent",
}
IMPACTS = {impact: impact.value for impact in Impact}
HIGHEST = {"Immediate": Impact.INTERRUPTED}
"""A priority that people may set, and we do not."""
_ELSEWHERE = {
    "New": ("Nouveau", "Neu"),
    "In Progress": ("En cours", "In Bearbeitung"),
    "Feedback": ("Commentaire",),
    "Resolved": ("Résolu", "Gelöst"),
    "Closed": ("Fermé", "Erledigt"),
    "Rejected": ("Rejeté", "Abgewiesen"),
    "Low": ("Bas", "Niedrig"),
    "High": ("Haut", "Hoch"),
    "Urgent": ("Dringend",),
    "Immediate": ("Immédiat", "Sofort"),
}
"""The same in French and in German."""


def names(word: str) -> tuple[str, ...]:
    """What a word of ours may be called there: as it stands, else in another language."""
    return (word, *_ELSEWHERE.get(word, ()))


def further_statuses() -> Mapping[str, TicketStatus]:
    """The words of other languages, first come first read."""
    ours: dict[str, TicketStatus] = {}
    for status, word in STATUSES.items():
        for name in names(word):
            ours.setdefault(name, status)
    return ours


def further_priorities() -> Mapping[str, Impact]:
    """The same for priorities, and for those that only people set."""
    ours = {name: impact for word, impact in HIGHEST.items() for name in names(word)}
    for impact, word in PRIORITIES.items():
        for name in names(word):
            ours.setdefault(name, impact)
    return ours

"""What becomes of an alert: the answer to its sender, and the word that metrics and listings have for it."""

from __future__ import annotations

from msgspec import Struct


class Fate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one alert: the answer to its sender."""

    outcome: str
    """One of `OUTCOMES`."""
    fingerprint: str = ""
    incident: str = ""
    ticket: str = ""
    rule: str = ""
    reason: str = ""


HEARTBEAT = "heartbeat"

OUTCOMES = (
    "opened",
    "held",
    "folded",
    "reopened",
    "resolved",
    "unknown",
    "overtaken",
    HEARTBEAT,
    "recorded",
    "ignored",
    "quarantined",
    "rejected",
)
"""opened: an incident began and its ticket is asked for · held: it waits · folded: counted into a live one · reopened ·
resolved · unknown: a resolve of nothing that fires · overtaken: something newer about it was heard before · heartbeat: no
problem, its source is alive · recorded, ignored, quarantined: no ticket, by the rules ·
rejected: cannot be read."""

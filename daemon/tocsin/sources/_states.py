"""Words of state in names and fields that programs write: `resolved`, `alert.raised`, `IncidentClosedEvent`.

Texts for people are the business of `_headline`; the severity words that mean that all is well, of `_severity`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tocsin.sources import _severity
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRING, OVER, QUIET = "firing", "over", "quiet"
"""The problem is there; it is gone; something is said of one that was told before, or of none."""

_TOLD: Mapping[str, str] = {
    FIRING: "firing fired fire opened open raised raise alarm alarming alert alerting triggered trigger created "
    "started active activated detected reported problem failed failure error down critical warning "
    "major minor breached updated changed unhealthy fatal new inprogress reopened set degraded "
    "unavailable",
    OVER: "resolved resolve recovered recover recovery cleared closed close deleted delete okay ended "
    "restored healthy inactive deactivated fixed solved succeeded successful success passed completed "
    "terminated removed expired unset available",
    QUIET: "acknowledged acknowledge acknowledgement acked ack unacknowledged commented noted assigned "
    "unassigned escalated snoozed silenced muted suppressed annotated heartbeat ping test validation",
}
_STATE = {word: state for state, words in _TOLD.items() for word in words.split()} | dict.fromkeys(
    _severity.CLEAR, OVER
)
_VERSION = re.compile(r"[./:-][vV]?\d++(?:(?:_|[./:-][vV]?)\d++)*+$", re.ASCII)
_LONGEST = 512
"""No name of an event is longer; of a longer text no part means anything."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NOUNS = frozenset({"event", "notification", "message"})
_PROBLEMS = ("alarm", "alert", "alerts", "alarms", "problem", "incident", "event", "events")


@remembered(1_024)
def of(word: str) -> str:
    """The state that a word means; empty for any other word."""
    return _STATE.get("".join(filter(str.isalnum, word)).lower(), "")


class Named(NamedTuple):
    """What the name of an event says: `com.example.alert.resolved.v1`."""

    base: str
    """Without version, word of state, and nouns that every problem has: `com.example`."""
    name: str
    """Without version and word of state: `com.example.alert`."""
    state: str


@remembered(1_024)
def split(name: str) -> Named:
    """The parts of an event's name; what is too long for one is all of it, and says no state."""
    if len(name) > _LONGEST:
        return Named(name, name, "")
    trunk = _VERSION.sub("", name)
    words = list(_WORD.finditer(trunk))
    while words and words[-1][0].lower() in _NOUNS:
        words.pop()
    state = of(words[-1][0]) if words else ""
    rest = kept = _trimmed(trunk[: words[-1].start()] if state else trunk)
    while (last := _WORD.findall(rest)) and last[-1].lower() in _PROBLEMS and rest.endswith(last[-1]):
        rest = _trimmed(rest[: -len(last[-1])])
    return Named(rest or trunk, kept or trunk, state)


def _trimmed(name: str) -> str:
    return name.rstrip("./:_-")

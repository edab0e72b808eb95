"""The severity words of supervision platforms, and ours.

One table for all kinds. A word that is not in it means DEFAULT unless the source's options say otherwise: an alert is
not lost for an unknown word, and nobody is woken for `critical` that nobody said.
"""

from __future__ import annotations

from tocsin.model import Severity

DEFAULT = Severity.MAJOR
"""For a severity that is missing or unknown."""

CLEAR = frozenset({"ok", "up", "clear", "cleared", "normal", "none", "resolved", "recovery"})
"""Words that say there is no problem; as a severity they count as information."""

_SYNONYMS = {
    Severity.CRITICAL: "critical crit page emergency emerg fatal disaster blocker down p1 sev1 sev-1",
    Severity.MAJOR: "major error err high severe unreachable p2 sev2 sev-2",
    Severity.MINOR: "minor average medium moderate p3 sev3 sev-3",
    Severity.WARNING: "warning warn low unknown indeterminate p4 sev4 sev-4",
    Severity.INFO: "info information informational notice debug p5 sev5 sev-5",
}

WORDS: dict[str, Severity] = {
    **{word: severity for severity, words in _SYNONYMS.items() for word in words.split()},
    **dict.fromkeys(CLEAR, Severity.INFO),
}
"""Word in lower case → severity."""


def severity(word: str, default: Severity) -> Severity:
    """What a platform's word means; the default for a missing or unknown one."""
    return WORDS.get(word) or WORDS.get(word.strip().lower(), default)


def is_clear(word: str) -> bool:
    """Whether the word says that there is no problem."""
    return word.strip().lower() in CLEAR

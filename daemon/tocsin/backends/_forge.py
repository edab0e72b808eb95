"""What issue trackers beside source code have in common: Markdown that says nothing but its text, our mark, labels. Pure.

Text goes into a fenced block: in one, nobody is mentioned, nothing is linked, and no line is a command to the tracker.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tocsin.backends._shape import at
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.backends._scale import Scale

_MARK = re.compile(r"\(tocsin ([^\s()/]+)\)")
_REFERRING = re.compile(r"(?<!\w)([@#!&$%~])(?=\w)")
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MINTED = 13
"""Characters of a reference that an incident was given: sixty-five bits, its milliseconds before 23 that chance gave."""
_RANDOM_BITS = 23
_START = datetime(2020, 1, 1, tzinfo=UTC)
_SKEW = timedelta(days=1)
"""How far the tracker's clock may be behind ours."""
_LABELLED = (TicketStatus.IN_PROGRESS, TicketStatus.WAITING, TicketStatus.FROZEN, TicketStatus.REPAIRED)
"""The statuses that a tracker with two states tells by labels."""


def fenced(text: str) -> str:
    """The text as a Markdown block that is shown as it is."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def marked(text: str, reference: str) -> str:
    """The description of a new ticket: the text, and our reference on a line of its own."""
    return f"{fenced(text)}\n\n(tocsin {reference})"


def unreferring(title: str, limit: int) -> str:
    """A title in which nobody is mentioned and nothing linked: trackers that read titles as Markdown find no word there."""
    return _REFERRING.sub("\\1\N{ZERO WIDTH SPACE}", title)[:limit]


def reference_in(description: str) -> str:
    """Our reference, where a description has one; the last, should people have added to it."""
    marks = _MARK.findall(description)
    return str(marks[-1]) if marks else ""


def not_before(reference: str) -> datetime | None:
    """Before when no ticket can carry this reference, which tells when it was made; None when it does not."""
    if len(reference) != _MINTED or not set(reference) <= set(_DIGITS):
        return None
    number = 0
    for digit in reference:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return _START + timedelta(milliseconds=number >> _RANDOM_BITS) - _SKEW


def status_words(ours: dict[TicketStatus, str]) -> dict[TicketStatus, str]:
    """The option `statuses`, which names labels. Raises ValueError for a status that no label tells."""
    for status in ours:
        if status not in _LABELLED:
            raise ValueError(
                f"{status} is told by closing or opening the issue; only {', '.join(_LABELLED)} are labels"
            )
    return ours


def labelled(status: TicketStatus, scale: Scale[TicketStatus]) -> str:
    """The label that tells a status; empty for one that needs none."""
    return scale.word(status) or "" if status in _LABELLED else ""


def open_status(labels: Iterable[str], scale: Scale[TicketStatus]) -> TicketStatus:
    """What an open ticket with these labels is."""
    known = {label.casefold() for label in labels if label}
    said = [status for status in _LABELLED if labelled(status, scale).casefold() in known]
    return said[-1] if said else TicketStatus.DECLARED


def impact_of(labels: Iterable[str], scale: Scale[Impact]) -> Impact | None:
    """The impact that labels tell: the worst, should there be several."""
    told = [impact for impact in (scale.ours(label) for label in labels) if impact]
    return max(told, key=lambda impact: impact.rank) if told else None


def names(issue: Any) -> list[str]:
    """The labels of an issue as the API tells it: objects, or their names alone. Total."""
    labels = issue.get("labels") if isinstance(issue, dict) else None
    return [one if isinstance(one, str) else at(one, "name") for one in labels] if isinstance(labels, list) else []


def swap(wanted: str, words: Iterable[str], present: Iterable[str]) -> tuple[list[str], list[str]]:
    """The labels to add and to remove so that of these words only the wanted one stands; case does not count."""
    there = {label.casefold(): label for label in present}
    others = [
        there[word.casefold()] for word in words if word.casefold() in there and word.casefold() != wanted.casefold()
    ]
    return [wanted] if wanted and wanted.casefold() not in there else [], others

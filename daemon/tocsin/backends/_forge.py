"""What issue trackers beside source code have in common: Markdown that says nothing but its text, our mark, labels. Pure.

Text goes into a fenced block: in one, nobody is mentioned, nothing is linked, and no line is a command to the tracker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tocsin.backends._shape import at
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.backends._scale import Scale

_MARK = re.compile(r"\(tocsin ([^\s()/]+)\)")
_BLOCK = re.compile(r"^(`{3,})text\n", re.MULTILINE)
_BEHIND = re.compile(r"\n*\(tocsin ([^\s()/]+)\)[ \t]*(?:\n|\Z)")
_REFERRING = re.compile(r"(?<!\w)([@#!&$%~])(?=\w)")
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
    """Our reference: the mark behind the block that we wrote, whatever people put before or after it.

    Where there is no such block any more, the last mark of the description; empty when it has none.
    """
    text, at = description.replace("\r\n", "\n"), 0  # people's browsers send both
    while block := _BLOCK.search(text, at):
        end = text.find(f"\n{block[1]}\n", block.end() - 1)
        if end < 0:
            break
        at = end + len(block[1]) + 1
        if own := _BEHIND.match(text, at):
            return own[1]
    marks = _MARK.findall(text)
    return str(marks[-1]) if marks else ""


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


def graded(labels: Iterable[str], scale: Scale[Impact]) -> str:
    """The labels that tell the impact, as they stand: what people may change, and tocsin must not tell over unseen."""
    return ", ".join(sorted(label for label in labels if scale.ours(label)))


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

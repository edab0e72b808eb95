"""A replay's result as one page of HTML that needs nothing else: for a pipeline's artefacts, or to be mailed around.

Pure. The plot is drawn here as SVG; the page itself is `report.html` beside this file.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from minijinja import Environment
from msgspec import Struct

from tocsin.wording import span as spelled
from tocsin.workbench.replay.result import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from tocsin.workbench.replay.result import Point, Result, Ticket

WIDTH, HEIGHT, LEFT, BOTTOM = 900, 220, 44, 24
"""Size of the plot, and the room for its axes, in CSS pixels."""
_HOUR = 3600
_DAILY = 14 * 86_400
"""A longer span is drawn by day, a shorter one by hour; in seconds."""
_STEPS = (1, 2, 5)
_LABELS = 8
_SHOWN = 500


class Mark(Struct, frozen=True):
    """One label of an axis."""

    x: float
    y: float
    text: str


class Plot(Struct, frozen=True):
    """Tickets over time, ready to be drawn."""

    live: str
    candidate: str
    """Points of an SVG polyline."""
    across: list[Mark]
    up: list[Mark]
    unit: str


def page(result: Result, title: str = "tocsin replay") -> str:
    """Return the page."""
    return _environment().render_template(
        "report.html",
        title=title,
        result=result,
        plot=plot(result.points, result.since, result.until) if result.points else None,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        floor=HEIGHT - BOTTOM,
        kinds=[(kind, SENTENCES[kind], count) for kind, count in result.kinds.items()],
        shown=result.differences[:_SHOWN],
        left_out=result.differing - len(result.differences[:_SHOWN]),
    )


SENTENCES = {
    Kind.APPEARS: "only the candidate declares it",
    Kind.VANISHES: "only the live rules declare it",
    Kind.ELEMENT: "declared on another element",
    Kind.IMPACT: "another impact",
    Kind.KEY: "another key",
    Kind.TEXT: "another name or description",
    Kind.EARLIER: "declared earlier",
    Kind.LATER: "declared later",
    Kind.BACKEND: "other ticket systems are told",
    Kind.CLOSES: "closed at another time",
    Kind.REOPENS: "reopened more or less often",
}
"""What each kind of difference means."""


def plot(points: Sequence[Point], since: datetime, until: datetime) -> Plot:
    """Return tickets by hour or by day as lines, scaled to the plot."""
    width = 24 * _HOUR if (until - since).total_seconds() > _DAILY else _HOUR
    start = int(since.timestamp()) // width
    steps = max(1, int(until.timestamp() - 1) // width - start + 1)
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for point in points:
        both = sums[int(point.at.timestamp()) // width - start]
        both[0] += point.live
        both[1] += point.candidate
    top = _round_up(max((max(both) for both in sums.values()), default=1))
    live, candidate = (
        _line([sums[step][side] if step in sums else 0 for step in range(steps)], top) for side in (0, 1)
    )
    return Plot(live, candidate, _across(since, until), _up(top), "day" if width > _HOUR else "hour")


def _line(counts: Sequence[int], top: int) -> str:
    """Steps: each count holds for its whole hour or day."""
    edges = [_x(step / len(counts)) for step in range(len(counts) + 1)]
    floor = HEIGHT - BOTTOM
    steps = zip(pairwise(edges), counts, strict=True)
    points = [(x, floor * (1 - count / top)) for (start, end), count in steps for x in (start, end)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _x(share: float) -> float:
    return LEFT + (WIDTH - LEFT) * share


def _across(since: datetime, until: datetime) -> list[Mark]:
    whole = until - since
    form = "%d %b" if whole.total_seconds() > 2 * 86_400 else "%d %b %H:%M"
    shares = [step / _LABELS for step in range(_LABELS)]
    return [Mark(_x(share), HEIGHT - BOTTOM / 4, f"{since + whole * share:{form}}") for share in shares]


def _up(top: int) -> list[Mark]:
    floor = HEIGHT - BOTTOM
    return [Mark(LEFT, floor * (1 - share), f"{top * share:g}") for share in (0, 0.5, 1)]


def _round_up(count: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    tens = 1
    while True:
        for step in _STEPS:
            if step * tens >= count:
                return step * tens
        tens *= 10


@cache
def _environment() -> Environment:
    text = resources.files("tocsin.workbench.replay").joinpath("report.html").read_text(encoding="utf-8")
    filters: dict[str, Any] = {"moment": _moment, "span": spelled, "late": _late}
    return Environment(templates={"report.html": text}, filters=filters)


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def _late(live: Ticket, candidate: Ticket) -> str:
    """By how much the candidate's ticket is declared later, or earlier."""
    if live.declared_at is None or candidate.declared_at is None:
        return ""
    by: timedelta = candidate.declared_at - live.declared_at
    return f"{spelled(abs(by))} {'later' if by.total_seconds() > 0 else 'earlier'}" if by else ""

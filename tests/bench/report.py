"""The table: medians, ratios and whether each target was met.

Knows the targets and how figures are put in words. Knows nothing of how they were taken.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from measures import Sample

OURS, THEIRS = "tocsin", "alertmanager"
DISTURBED = 0.1
"""From this share of the server's core in other hands, the table says that a measure was disturbed."""


@dataclass(frozen=True)
class Row:
    """One measure: what it is called, its unit and what it must reach."""

    measure: str
    title: str
    unit: str
    ratio: float | None = None
    """At least so many times the other's figure."""
    limit: float | None = None
    """Below this, or for `decide` at most this, in the unit of the row."""


ROWS = (
    Row("a", "batches of 100, repeats", "alerts/s", ratio=2.0),
    Row("b", "singles, 64 connections, repeats", "alerts/s", ratio=0.8),
    Row("b2", "singles, 64 connections, all new", "alerts/s"),
    Row("c", "batches of 100, all new, ticket each", "alerts/s", ratio=0.5),
    Row("d", "p99 of a single under half load", "ms", limit=50.0),
    Row("e-equality", "decide, 10 000 : 100 rules, equality", "times", limit=2.0),
    Row("e-regex", "decide, 10 000 : 100 rules, regex", "times", limit=2.0),
    Row("e-mixed", "decide, 10 000 : 100 rules, mixed", "times", limit=2.0),
    Row("f", "memory with {incidents:,.0f} live incidents", "MB", limit=250.0),
)


@dataclass(frozen=True)
class Figure:
    """What became of one measure at one server over all rounds."""

    median: float
    least: float
    most: float
    count: int


def figure(samples: list[Sample]) -> Figure | None:
    """Sums samples up; those in trouble do not count."""
    values = [sample.value for sample in samples if not sample.trouble]
    return Figure(statistics.median(values), min(values), max(values), len(values)) if values else None


def ratio(samples: list[Sample]) -> float | None:
    """Gives how many times the other's figure ours is: the median over the rounds in which both have one.

    Comparing within rounds keeps out what the machine did between them.
    """
    figures = {(sample.peer, sample.round): sample.value for sample in samples if not sample.trouble}
    rounds = [number for peer, number in figures if peer == OURS and figures.get((THEIRS, number))]
    return statistics.median(figures[OURS, n] / figures[THEIRS, n] for n in rounds) if rounds else None


def outcome(row: Row, samples: list[Sample]) -> dict[str, Any]:
    """Gives one measure's figures, its ratio and `met`: True, False, or None where nothing can be said."""
    own = [sample for sample in samples if sample.measure == row.measure]
    ours, theirs = (figure([s for s in own if s.peer == peer]) for peer in (OURS, THEIRS))
    compared = ratio(own)
    reached = compared if row.ratio is not None else ours.median if ours else None
    troubles = [f"{sample.peer}: {sample.trouble}" for sample in own if sample.trouble]
    incidents = max((sample.facts.get("incidents", 0.0) for sample in own), default=0.0)
    return {
        "measure": row.measure,
        "title": row.title.format(incidents=incidents),
        "unit": row.unit,
        "target": _target(row),
        "tocsin": ours and asdict(ours),
        "alertmanager": theirs and asdict(theirs),
        "ratio": compared,
        "met": None if reached is None or not _target(row) else not troubles and _reaches(row, reached),
        "disturbed": any(disturbed([s for s in own if s.peer == peer]) for peer in (OURS, THEIRS)),
        "troubles": troubles,
    }


def disturbed(samples: list[Sample]) -> bool:
    """Whether others had so much of the server's core that the figure says little: the median of its rounds."""
    shares = [sample.facts["others_busy"] for sample in samples if "others_busy" in sample.facts]
    return bool(shares) and statistics.median(shares) > DISTURBED


def table(outcomes: list[dict[str, Any]], troubles: list[str]) -> str:
    """Writes the outcomes as a table for people; measures of which nothing is known are left out."""
    lines: list[tuple[str, ...]] = [("", "measure", "unit", THEIRS, OURS, "ratio", "target", "")]
    lines += [_line(each) for each in outcomes if each["tocsin"] or each["alertmanager"] or each["troubles"]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [_aligned(line, widths) for line in lines]
    text.insert(1, "-" * len(text[0]))
    text += [f"! {each['measure']}: {trouble}" for each in outcomes for trouble in each["troubles"]]
    return "\n".join([*text, *(f"! {trouble}" for trouble in troubles)])


def conditions(samples: list[Sample], ceiling: list[Sample]) -> str:
    """Says what must be known to trust the table: how busy everything was, and what the generator could do."""
    lines = [f"generator at its best, {s.measure}: {s.value:,.0f} alerts/s against a bare responder" for s in ceiling]
    for peer in (THEIRS, OURS):
        lines += _busy(peer, [s for s in samples if s.peer == peer and "server_busy" in s.facts])
    lines += [_decided(sample) for sample in samples if "many_us" in sample.facts]
    return "\n".join(lines)


def _decided(sample: Sample) -> str:
    words = "decide, {}: {few_us:.1f} us with 100 rules, {many_us:.1f} us with 10 000; these took {many_load_seconds:.1f} s to load"
    return words.format(sample.measure.removeprefix("e-"), **sample.facts)


def foot(facts: dict[str, str]) -> str:
    """Writes down the machine and the versions."""
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts.items())


def _busy(peer: str, samples: list[Sample]) -> list[str]:
    """Says of each measure how busy the server, the generator and others on the server's core were."""
    said = []
    for measure in dict.fromkeys(sample.measure for sample in samples):
        of_measure = [sample for sample in samples if sample.measure == measure]
        own = [sample.facts for sample in of_measure]
        shares = [statistics.median(f[name] for f in own) for name in ("server_busy", "generator_busy", "others_busy")]
        words = "server {:.0%}, generator {:.0%}, others on its core {:.0%}".format(*shares)
        words += " (DISTURBED)" if disturbed(of_measure) else ""
        cost, p50, p99 = (statistics.median(f[name] for f in own) for name in ("cpu_us", "p50_ms", "p99_ms"))
        lag = statistics.median(f.get("ticket_lag", 0.0) for f in own)
        late = f", last ticket {lag:.2f} s after the last answer" if lag else ""
        said.append(
            f"{peer:12} {measure:2} busy: {words}; {cost:.0f} us of processor an alert; request p50 {p50:.1f} ms, p99 {p99:.1f} ms{late}"
        )
    return said


def _target(row: Row) -> str:
    if row.ratio is not None:
        return f">= {row.ratio:g}x"
    if row.limit is None:
        return ""
    return f"<= {row.limit:g}" if row.measure.startswith("e-") else f"< {row.limit:g} {row.unit}"


def _reaches(row: Row, value: float) -> bool:
    if row.ratio is not None:
        return value >= row.ratio
    if row.limit is None:
        return True
    return value <= row.limit if row.measure.startswith("e-") else value < row.limit


def _line(each: dict[str, Any]) -> tuple[str, ...]:
    compared = f"{each['ratio']:.2f}x" if each["ratio"] is not None else ""
    verdict = {None: "NOT TAKEN" if each["troubles"] else "", True: "met", False: "MISSED"}[each["met"]]
    verdict += ", disturbed" if verdict and each["disturbed"] else ""
    figures = (_words(each[THEIRS]), _words(each[OURS]))
    return each["measure"], each["title"], each["unit"], *figures, compared, each["target"], verdict


def _words(value: dict[str, float] | None) -> str:
    if value is None:
        return "-"
    digits = 0 if value["median"] >= 1_000 else 1 if value["median"] >= 10 else 2
    spread = f" ({value['least']:,.{digits}f}-{value['most']:,.{digits}f})" if value["count"] > 1 else ""
    return f"{value['median']:,.{digits}f}{spread}"


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    cells = (
        f"{cell:>{width}}" if column in (3, 4, 5) else f"{cell:<{width}}"
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join(cells).rstrip()

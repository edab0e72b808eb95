"""Finds the shapes of many texts: log-template mining with Drain, after what can be told by its look is masked.

The same texts in the same order have the same shapes. Keeps nothing, writes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from drain3.drain import Drain

from tocsin.workbench.unmapped import shapes
from tocsin.workbench.unmapped.shapes import ANY, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drain3.drain import LogCluster

ALIKE = 0.5
"""This part of the words must be the same in two texts of one shape."""
CLUSTERS = 50
"""So many shapes are kept apart at one time."""
MANY = 12
"""More shapes than this say that the text has none."""
_LENGTHS = 3
"""Texts that begin alike and have so many different lengths have an end that is free."""
_DEPTH = 3
"""Of Drain's tree: texts are compared with all those of as many words; variable parts may come first."""


class _Drain(Drain):
    """Drain, with words told as RE2 tells them."""

    def get_content_as_tokens(self, content: str) -> Sequence[str]:
        return shapes.split(content)


def mine(texts: Iterable[str]) -> dict[str, Shape]:
    """Return the shape of each of some masked texts of one origin, which are given in order of time."""
    drain = _Drain(depth=_DEPTH, sim_th=ALIKE, max_clusters=CLUSTERS, param_str=ANY)
    clusters: dict[str, tuple[LogCluster, bool]] = {}
    for text in dict.fromkeys(texts):
        shape = shapes.of(text)
        cluster, _ = drain.add_log_message(" ".join(shape.tokens))
        clusters[text] = cluster, shape.whole
    found = {text: _shape(cluster, whole=whole) for text, (cluster, whole) in clusters.items()}
    wider = _widened(list(dict.fromkeys(found.values())))
    return {text: wider[shape] for text, shape in found.items()}


def _shape(cluster: LogCluster, *, whole: bool) -> Shape:
    return Shape(tuple(cluster.log_template_tokens), whole=whole or len(cluster.log_template_tokens) < shapes.TOKENS)


def _widened(found: list[Shape]) -> dict[Shape, Shape]:
    """Each shape, or the one that takes all of its texts; at most MANY different ones."""
    ends = _free_ends(found)
    wide = list(dict.fromkeys(ends.get(_head(shape), shape) for shape in found))
    if len(wide) > MANY:
        return dict.fromkeys(found, Shape((), whole=False))
    by_width = sorted(wide, key=_width, reverse=True)
    return {shape: next(one for one in by_width if one.covers(shape)) for shape in found}


def _free_ends(found: list[Shape]) -> dict[tuple[str, ...], Shape]:
    """By how texts begin, the shape of those whose end is free: two words alike, then anything of any length."""
    beginning: dict[tuple[str, ...], list[Shape]] = defaultdict(list)
    for shape in found:
        if len(_head(shape)) > 1 and ANY not in _head(shape):
            beginning[_head(shape)].append(shape)
    return {
        head: shapes.common(alike)
        for head, alike in beginning.items()
        if len({len(shape.tokens) for shape in alike}) >= _LENGTHS
    }


def _head(shape: Shape) -> tuple[str, ...]:
    return shape.tokens[:2]


def _width(shape: Shape) -> tuple[bool, int, int]:
    """Wider shapes first: with a free end, with fewer words, with more marks for any word."""
    return not shape.whole, -len(shape.tokens), shape.tokens.count(ANY)

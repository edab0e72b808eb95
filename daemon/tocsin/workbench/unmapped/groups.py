"""Unmapped alerts in groups that one change can map: of one shape, or looking for one name.

The same cases make the same groups with the same ids. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tocsin.fleet import names
from tocsin.model import Alert, Severity
from tocsin.workbench.unmapped import masks, mining
from tocsin.workbench.unmapped.cases import Case, Why
from tocsin.workbench.unmapped.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SHOWN = 5
"""So many resources are named."""
FEW = 20
"""A rule that looks in vain for no more names than this has a group for each."""
_ID = 8
_DIGITS = re.compile(r"[0-9]+")

K = TypeVar("K")
T = TypeVar("T")


class Group(Struct, frozen=True, kw_only=True):
    """Alerts that one change of rules or fleet could map."""

    id: str
    """Short, and the same as long as the group has the same shape."""
    why: Why
    rule: str
    """The rule that finds no element; empty when no rule knows the alerts."""
    template: str
    """What the alerts say, with `<…>` where they differ; or the name that is looked for."""
    sources: tuple[str, ...]
    checks: tuple[str, ...]
    severities: tuple[Severity, ...]
    """Those met, worst first."""
    resources: tuple[str, ...]
    """Some of them."""
    resource_count: int
    count: int
    """How many alerts, repeats included."""
    firing: int
    """How many fire still."""
    first_at: datetime
    last_at: datetime
    example: Alert
    """The newest."""
    candidates: tuple[str, ...] = ()
    """References of the elements that the name could mean."""


class Gathered(Struct, frozen=True, kw_only=True):
    """A group with all that is in it."""

    group: Group
    cases: tuple[Case, ...]
    shape: Shape
    """Of the summaries."""


def gather(cases: Iterable[Case]) -> list[Gathered]:
    """Return the groups of some cases given in order of time, those with the most alerts first."""
    by_why: dict[bool, list[Case]] = {True: [], False: []}
    for case in cases:
        by_why[case.why == Why.NO_RULE].append(case)
    found = chain(_of_no_rule(by_why[True]), _of_no_element(by_why[False]))
    return sorted(found, key=lambda one: (-one.group.count, one.group.id))


def _of_no_rule(cases: list[Case]) -> Iterator[Gathered]:
    """By source, check and shape of the summary."""
    for (source, check), alike in _by(cases, lambda case: (case.alert.source, masks.masked(case.alert.check))).items():
        texts = [masks.masked(case.alert.summary, case.alert.resource) for case in alike]
        shapes = mining.mine(texts)
        of_shape: dict[Shape, list[Case]] = defaultdict(list)
        for case, said in zip(alike, texts, strict=True):
            of_shape[shapes[said]].append(case)
        for shape, those in of_shape.items():
            yield _gathered(tuple(those), str(shape), ("", source, check, repr(shape)), shape)


def _of_no_element(cases: list[Case]) -> Iterator[Gathered]:
    """By rule and name; by what the names have in common when they are many."""
    for (why, rule), alike in _by(cases, lambda case: (case.why, case.decision.rule)).items():
        called = names_alike([case.name for case in alike])
        for name, those in _by(alike, lambda case, of=called: of[case.name]).items():  # type: ignore[misc]
            yield _gathered(tuple(those), name, (why, rule, name), Shape((), whole=False))


def names_alike(sought: Sequence[str]) -> dict[str, str]:
    """Return what each name is grouped under: itself while they are few, else its domain, or its look without digits."""
    distinct = list(dict.fromkeys(sought))
    if len(distinct) <= FEW:
        return {name: name for name in distinct}
    return {name: _family(name) for name in distinct}


def _family(name: str) -> str:
    label = names.first_label(name)
    if label and names.address(name) is None:
        return "*" + name.removeprefix(label)
    return _DIGITS.sub("<number>", name)


def _by(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return found


def _gathered(cases: tuple[Case, ...], template: str, identity: tuple[str, ...], shape: Shape) -> Gathered:
    alerts = [case.alert for case in cases]
    heard = [case.heard for case in cases]
    resources = sorted({alert.resource for alert in alerts})
    met = {alert.severity for alert in alerts}
    newest = max(heard, key=lambda one: (one.last_at, one.text))
    group = Group(
        id=hashlib.sha256("\x1f".join(identity).encode("utf-8", "replace")).hexdigest()[:_ID],
        why=cases[0].why,
        rule="" if cases[0].why == Why.NO_RULE else cases[0].decision.rule,
        template=template,
        sources=tuple(sorted({alert.source for alert in alerts})),
        checks=tuple(sorted({alert.check for alert in alerts})),
        severities=tuple(severity for severity in Severity if severity in met),
        resources=tuple(resources[:SHOWN]),
        resource_count=len(resources),
        count=sum(one.count for one in heard),
        firing=sum(one.firing for one in heard),
        first_at=min(one.first_at for one in heard),
        last_at=newest.last_at,
        example=newest.alert,
        candidates=tuple(sorted({reference for case in cases for reference in case.decision.candidates})),
    )
    return Gathered(group=group, cases=cases, shape=shape)

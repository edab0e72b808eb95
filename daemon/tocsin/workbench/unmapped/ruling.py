"""Proposes a rule for alerts that no rule knows: as wide as their shape, and as narrow as the other alerts want it.

Tries conditions from wide to narrow until the rule takes the group and nothing else. Pure.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tocsin import rules
from tocsin.model import Element
from tocsin.rules import patterns
from tocsin.rules.facts import Facts
from tocsin.rules.rule import FALLBACK
from tocsin.workbench.unmapped import drafts, masks, mining
from tocsin.workbench.unmapped.drafts import Draft, Example
from tocsin.workbench.unmapped.proposals import Proposal, World, prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tocsin.model import Alert
    from tocsin.rules import Rule
    from tocsin.workbench.unmapped.groups import Gathered

    Conditions = dict[str, str]

VALUES = 20
"""So many values are listed in a condition; more get an expression."""
_LABELS = 3
_TRIED = 500
"""So many alerts tell which variable names the element."""
_WORD = re.compile(r"[A-Za-z_]\w*\Z")
_NOTHING = "{exists: false}"
_HEAD = "# yaml-language-server:"


def file_name(group: str) -> str:
    """Return the name of the file for a group's rule: it comes before the fallback's."""
    return f"80-proposed-{group}.yaml"


def rule(gathered: Gathered, world: World) -> Proposal:
    """Return the rule for a group, with what it does."""
    members = [case.alert for case in gathered.cases]
    draft = _narrowed(gathered, members, world)
    draft = replace(draft, lookup=_lookup(draft.rule(), members, world))
    example = _example(gathered, draft, members, world)
    name, group = file_name(gathered.group.id), gathered.group
    days = f"{group.first_at:%Y-%m-%d} to {group.last_at:%Y-%m-%d}"
    remarks = (
        f"Proposed for alerts that no rule knew, {group.count} from {days}:",
        group.template,
        "Impacts are a guess: set them before this goes live.",
    )
    text = drafts.whole(draft, example, remarks, _head(world))
    candidate = rules.build({**world.rule_set.files, name: text})
    proof = prove(world, gathered.cases, candidate, world.fleet, lambda decision: decision.rule == draft.id)
    return Proposal(kind="rule", file=name, text=text, proof=proof, exact=proof.exact, remarks=_doubts(proof.exact))


def _doubts(exact: bool) -> tuple[str, ...]:  # noqa: FBT001 - the one thing to tell
    return () if exact else ("not exact: no condition was found that tells these alerts from the others",)


def _narrowed(gathered: Gathered, members: Sequence[Alert], world: World) -> Draft:
    """The widest draft that takes all members and nothing else; the one that takes the least else when none does."""
    taken = _taken(gathered, world)
    best: tuple[tuple[int, int], Draft] | None = None
    for match in _ladder(gathered, members):
        draft = Draft(id=_id(gathered, world), title=_title(gathered), match=match)
        made = draft.rule()
        left = sum(not _takes(made, alert, world) for alert in members)
        wrong = (left, taken(made))
        if best is None or wrong < best[0]:
            best = wrong, draft
        if wrong == (0, 0):
            break
    if best is None:
        raise ValueError("a group has alerts, and its alerts have a shape")
    return best[1]


def _taken(gathered: Gathered, world: World) -> Callable[[Rule], int]:
    """How many other alerts a rule would take in the place of its file: those that no earlier rule takes before."""
    name = file_name(gathered.group.id)
    rank = {rule.id: PurePath(rule.file).name for rule in world.rule_set.rules} | {FALLBACK: "\U0010ffff"}
    loose = [one for one in world.outside(gathered.cases) if rank[one.decision.rule] > name]

    def count(made: Rule) -> int:
        return sum(_takes(made, one.alert, world) for one in loose)

    return count


def _takes(made: Rule, alert: Alert, world: World) -> bool:
    return isinstance(made.attempt(alert, world.now), Facts)


def _ladder(gathered: Gathered, members: Sequence[Alert]) -> Iterator[Conditions]:
    """Conditions from wide to narrow; each has those of the one before."""
    match: Conditions = {"source": drafts.equality(gathered.group.sources)}
    match |= _of_check(gathered)
    match |= _of_summary(gathered, members)
    yield match
    match = {**match, "severity": drafts.equality(gathered.group.severities)}
    yield match
    for label, value in _shared_labels(members):
        match = {**match, f"labels.{label}": drafts.equality([value])}
    if any(field.startswith("labels.") for field in match):
        yield match
    if about := _of_resources(members):
        yield {**match, **about}


def _of_check(gathered: Gathered) -> Conditions:
    checks = gathered.group.checks
    if checks == ("",):
        return {"check": _NOTHING}
    if len(checks) <= VALUES:
        return {"check": drafts.equality(checks)}
    return _fitting("check", checks, [masks.masked(check) for check in checks])


def _of_summary(gathered: Gathered, members: Sequence[Alert]) -> Conditions:
    texts = [alert.summary for alert in members]
    if not any(texts):
        return {"summary": _NOTHING}
    regex = _first_fitting(gathered.shape.regexes(), texts)
    return {"summary": drafts.regex(regex)} if regex else {}


def _of_resources(members: Sequence[Alert]) -> Conditions:
    resources = sorted({alert.resource for alert in members if alert.resource})
    if len(resources) <= VALUES:
        return {"resource": drafts.equality(resources)} if resources else {}
    return _fitting("resource", resources, [re.sub(r"\d+", masks.mark("number"), name) for name in resources])


def _fitting(field: str, values: Sequence[str], masked: Sequence[str]) -> Conditions:
    """The condition that a field has the shape of these values; none when they share no shape."""
    shapes = set(mining.mine(masked).values())
    regex = _first_fitting(shapes.pop().regexes(), values) if len(shapes) == 1 else ""
    return {field: drafts.regex(_nameless(regex))} if regex else {}


def _nameless(regex: str) -> str:
    """Without captures: two conditions must not capture the same name."""
    return re.sub(r"\(\?P<\w+>", "(?:", regex)


def _first_fitting(regexes: Sequence[str], texts: Sequence[str]) -> str:
    """The first expression that is found in every text, else the last."""
    for regex in regexes:
        if all(map(patterns.Regex(regex).search, texts)):
            return regex
    return regexes[-1] if regexes else ""


def _shared_labels(members: Sequence[Alert]) -> list[tuple[str, str]]:
    """Some labels that all members have with one value."""
    shared = set(members[0].labels.items()).intersection(*(alert.labels.items() for alert in members))
    return sorted((name, value) for name, value in shared if value and name)[:_LABELS]


def _lookup(made: Rule, members: Sequence[Alert], world: World) -> str:
    """The variable by which the fleet knows all members; the resource when none does."""
    some = members[:_TRIED]
    known = cache(lambda name: len(world.fleet.resolve(name)) == 1)
    if any(known(alert.resource) for alert in some):
        return "resource"
    labels = set(some[0].labels).intersection(*(alert.labels for alert in some))
    for label in sorted(labels):
        if _WORD.match(label) and all(known(alert.labels[label]) for alert in some):
            return f"labels.{label}"
    facts = [made.attempt(alert, world.now) for alert in some]
    captures = [one.captures for one in facts if isinstance(one, Facts)]
    for name in captures[0] if len(captures) == len(some) else ():
        if all(known(one[name]) for one in captures):
            return name
    return "resource"


def _example(gathered: Gathered, draft: Draft, members: Sequence[Alert], world: World) -> Example:
    """The newest alert that becomes a ticket, else the newest."""
    made = draft.rule()
    choose = made.declaration.element if made.declaration else None
    needed = [field.removeprefix("labels.") for field in (*draft.match, draft.lookup) if field.startswith("labels.")]
    newest = Example(alert=gathered.group.example, severities=(), element=None, labels=tuple(dict.fromkeys(needed)))
    for alert in (gathered.group.example, *reversed(members[-_TRIED:])):
        facts = made.attempt(alert, world.now)
        element = choose.choose(facts, world.fleet) if choose and isinstance(facts, Facts) else None
        if isinstance(element, Element):
            return replace(newest, alert=alert, severities=gathered.group.severities, element=element)
    return newest


def _id(gathered: Gathered, world: World) -> str:
    taken = {rule.id for rule in world.rule_set.rules} | {FALLBACK}
    said = drafts.slug(gathered.group.checks[0]) or drafts.slug(masks.shown(gathered.group.template)) or "proposed"
    return said if said not in taken else f"{said}-{gathered.group.id}"


def _title(gathered: Gathered) -> str:
    return drafts.title(f"{gathered.group.checks[0]}: {gathered.group.template}")


def _head(world: World) -> str:
    """The line by which the other rule files tell editors their schema."""
    first = (text.partition("\n")[0] for name, text in sorted(world.rule_set.files.items()) if name.endswith(".yaml"))
    return next((line.rstrip() for line in first if line.startswith(_HEAD)), "")

"""Which rules, branches and table rows the tests of a rule set have reached, and which no test did.

A branch is a way that a rule names: that it matches, that its `where` is false, an element found, missing or (where the
rule says what happens then) ambiguous, each case of an impact, each wait of a hold. A row of a table counts once for each
column that rules look up, whichever rule reaches it. Asks the choices of the rules themselves. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin import units
from tocsin.errors import RuleError
from tocsin.model import Impact
from tocsin.rules import tables
from tocsin.rules.choices import ByTable, ElementChoice, ImpactChoice
from tocsin.rules.facts import Facts
from tocsin.rules.rule import FALLBACK
from tocsin.rules.template import RenderError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import timedelta

    from tocsin.rules import Rule, RuleSet
    from tocsin.rules.choices import Fleet
    from tocsin.rules.rule import Declaration
    from tocsin.workbench.play import Decided


class Branch(Struct, frozen=True, order=True):
    """One way through a rule, or one row of a table."""

    rule: str
    """Id of the rule; empty for a row of a table."""
    part: str
    """`match`, `where`, `element`, `impact` or `hold`; of a row the table and its column: `tables/impact.csv service`."""
    value: str
    """The case, such as `missing` or `critical`; the first cell of a row."""


class Place(Struct, frozen=True, kw_only=True):
    """A branch, and where it stands."""

    branch: Branch
    file: str
    line: int


class Coverage(Struct, frozen=True, kw_only=True):
    """How much of a rule set its tests reach."""

    branches: int
    reached: int
    unreached: tuple[Place, ...]
    """In order of file and line."""

    @property
    def percent(self) -> float:
        """How many of a hundred branches are reached; all of none."""
        return 100 * self.reached / self.branches if self.branches else 100.0


def coverage(
    rule_set: RuleSet, fleet: Fleet, decided: Iterable[Decided], files: Collection[str] | None = None
) -> Coverage:
    """Return how much of a rule set, or of some of its files, decisions have reached.

    Args:
        rule_set: the rules.
        fleet: the elements there were.
        decided: what was decided in tests.
        files: the files that count, named as errors name them; None for all.
    """
    rules = {rule.id: rule for rule in rule_set.rules}
    reached = {branch for one in decided for branch in _reached(one, rules.get(one.decision.rule), fleet)}
    every = [one for one in _placed(rule_set, rules) if files is None or one.file in files]
    unreached = sorted((one for one in every if one.branch not in reached), key=lambda one: (one.file, one.line))
    return Coverage(branches=len(every), reached=len(every) - len(unreached), unreached=tuple(unreached))


def branches(rule_set: RuleSet) -> Iterator[Branch]:
    """Yield all there are, each once."""
    rows: dict[Branch, None] = {}
    for rule in rule_set.rules:
        yield from _of_rule(rule)
        if rule.declaration:
            rows |= dict.fromkeys(_rows(rule.declaration))
    yield Branch(FALLBACK, "match", "matched")
    yield from rows


def _of_rule(rule: Rule) -> Iterator[Branch]:
    yield Branch(rule.id, "match", "matched")
    if rule.where:
        yield Branch(rule.id, "where", "false")
    said = rule.declaration
    if said is None:
        return
    for part, values in (("element", said.element.branches()), ("impact", said.impact.branches())):
        yield from (Branch(rule.id, part, value) for value in values)
    yield from (Branch(rule.id, "hold", value) for value in _holds(said))


def _holds(said: Declaration) -> list[str]:
    """The waits, where they go by impact: those that an impact of the rule can lead to."""
    holds: dict[timedelta, None] = dict.fromkeys(
        policy.hold for impact, policy in said.policies.items() if impact in said.impact.possible()
    )
    return [units.duration_text(hold) for hold in holds] if len(holds) > 1 else []


def _tables(said: Declaration) -> Iterator[tuple[ByTable | ImpactChoice, Iterable[str]]]:
    """The choices that look something up in a table, with the values of its rows."""
    element: ElementChoice = said.element
    if isinstance(element, ByTable):
        yield element, element.references
    if said.impact.file:
        yield said.impact, said.impact.impacts


def _rows(said: Declaration) -> Iterator[Branch]:
    return (_row(choice, value) for choice, values in _tables(said) for value in values)


def _row(choice: ByTable | ImpactChoice, value: str) -> Branch:
    return Branch("", f"{choice.file} {choice.column}", value)


def _reached(one: Decided, rule: Rule | None, fleet: Fleet) -> Iterator[Branch]:
    """The branches that one decision, by a rule or by the fallback, took."""
    decision = one.decision
    yield Branch(decision.rule, "match", "matched")
    yield from (Branch(tried.rule, "where", "false") for tried in decision.trace if tried.field == "where")
    if rule is None or rule.declaration is None:
        return
    facts = Facts(one.alert, decision.captures, one.now, decision.element, decision.impact)
    said = rule.declaration
    try:
        yield Branch(rule.id, "element", said.element.branch(facts, fleet))
    except RenderError:
        return  # the alert went to quarantine before it came to an element
    if isinstance(said.element, ByTable) and (row := said.element.row(facts)):
        yield _row(said.element, row)
    if decision.element is None:
        return
    yield Branch(rule.id, "impact", said.impact.branch(facts))
    if row := said.impact.row(facts):
        yield _row(said.impact, row)
    if isinstance(decision.impact, Impact):
        yield Branch(rule.id, "hold", units.duration_text(said.policies[decision.impact].hold))


def _placed(rule_set: RuleSet, rules: Mapping[str, Rule]) -> Iterator[Place]:
    """Where all branches stand: a rule's at its rule, a row's in its table."""
    folder = _folder(rule_set)
    lines: dict[str, dict[str, int]] = {}
    for branch in branches(rule_set):
        if rule := rules.get(branch.rule):
            yield Place(branch=branch, file=rule.file, line=rule.line)
        elif branch.rule == FALLBACK:
            file, line = _fallback(rule_set)
            yield Place(branch=branch, file=folder + file, line=line)
        else:
            table = branch.part.rpartition(" ")[0]
            rows = lines.get(table) or lines.setdefault(table, _lines(rule_set, table))
            yield Place(branch=branch, file=folder + table, line=rows.get(branch.value, 0))


def _folder(rule_set: RuleSet) -> str:
    """What errors write before the name of a file; empty for a rule set without rules."""
    place = next((rule.file for rule in rule_set.rules), "")
    name = next((name for name in rule_set.files if place.endswith(name)), place)
    return place.removesuffix(name)


def _fallback(rule_set: RuleSet) -> tuple[str, int]:
    """File and line of the fallback: the key stands at the beginning of its line, but in the most compact of files."""
    for name, text in sorted(rule_set.files.items()):
        for number, line in enumerate(text.splitlines(), 1):
            if line.startswith("fallback:"):
                return name, number
    return "", 0


def _lines(rule_set: RuleSet, table: str) -> dict[str, int]:
    """First cell of each row → its line."""
    try:
        rows = tables.read(rule_set.files[table], table).rows
    except (KeyError, RuleError):
        return {}
    return {cells[0]: line for line, cells in rows}

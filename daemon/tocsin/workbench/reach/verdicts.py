"""Which rules can never be reached, which earlier ones take their alerts, and of which that cannot be told.

The rule set's own index finds the few earlier rules that take a sample of what a rule matches; only those are looked at
more closely. What is told is sure; what is not told may still be out of reach, where a `where` or many rules together
decide.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from tocsin.model import Alert
from tocsin.rules import index
from tocsin.rules.fields import LABEL
from tocsin.workbench.reach.expressions import UndecidableError
from tocsin.workbench.reach.implication import MOST_STEPS, Prover
from tocsin.workbench.reach.scope import ALWAYS, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tocsin.rules.conditions import Condition
    from tocsin.rules.index import Index
    from tocsin.rules.rule import Rule

LOOKED_AT = 200
"""So many earlier rules are compared with each, at most …"""
COMPARED = 200_000
"""… and, where rules are very many, about so many pairs in all: rules that share everything would else take minutes."""
FEW = 5
"""So many once the patience for automata is used up."""
SHARED_OUT = 20
"""A field with more values than this is not shared out among several earlier rules."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """That a rule is never reached, or perhaps never."""

    rule: Rule
    by: Rule | None
    """The earlier rule that takes its alerts; None when no alert at all can fulfil the rule's conditions."""
    certain: bool
    """False: it cannot be told whether the earlier rule takes all of them."""
    why: str
    """A reason in words, as half a sentence."""
    also: tuple[Rule, ...] = ()
    """The other earlier rules that it takes to take all of them."""

    @property
    def sentence(self) -> str:
        """All of it as one sentence."""
        if not self.certain:
            return f'it cannot be told whether the rule "{self.rule.id}" is ever reached: {self.why}'
        return f'the rule "{self.rule.id}" is never reached: {self.why}'


def unreachable(rules: Sequence[Rule], patience: int = MOST_STEPS) -> Iterator[Verdict]:
    """Return each rule that is surely never reached, or of which that cannot be told; each rule once, in order.

    Args:
        rules: all rules, in the order they are tried.
        patience: about how many states of automata may be stepped through, for all rules together.
    """
    reach = _Reach(rules, patience)
    for number in range(len(rules)):
        if verdict := reach.verdict(number):
            yield verdict


class _Reach:
    """What is known about the rules."""

    def __init__(self, rules: Sequence[Rule], patience: int) -> None:
        self._rules = rules
        self._index: Index = index.build(rule.conditions for rule in rules)
        self._prover = Prover(patience)
        self._tired = False
        self._first: dict[str, int] = {}
        """Field → number of the first rule that asks something of it."""
        for number, rule in enumerate(rules):
            for condition in rule.conditions:
                self._first.setdefault(condition.field, number)
        self._looked_at = min(LOOKED_AT, 1 + COMPARED // max(len(rules), 1))

    def verdict(self, number: int) -> Verdict | None:
        rule = self._rules[number]
        wanted = _Wanted(_scopes(rule.conditions))
        for field, scope in wanted.scopes.items():
            if self._prover.impossible(scope):
                return Verdict(rule, None, certain=True, why=f"no alert can fulfil what it asks of {field}")
        unsure: list[Verdict] = []
        for earlier in self._above(number, wanted):
            try:
                if self._covers(earlier, wanted):
                    why = f'"{earlier.id}" takes all that it would match'
                    return Verdict(rule, earlier, certain=True, why=why)
            except UndecidableError as error:
                unsure.append(Verdict(rule, earlier, certain=False, why=f'"{earlier.id}" is tried before, and {error}'))
        return self._shared_out(number, wanted) or self._unsure(unsure)

    def _unsure(self, verdicts: Sequence[Verdict]) -> Verdict | None:
        """The first verdict of those that are not certain; that there was too much to compare is said once only."""
        if not verdicts or self._tired:
            return None
        self._tired = self._prover.tired
        return verdicts[0]

    def _above(self, number: int, wanted: _Wanted, field: str = "") -> Iterator[Rule]:
        """The earlier rules, perhaps only those that ask something of a field, that take all samples of what is wanted."""
        if (sample := wanted.sample) is None:
            return
        candidates = takewhile(lambda found: found < number, self._index.candidates(sample))
        above = (rule for rule in (self._rules[found] for found in candidates) if rule.where is None)
        for earlier in islice(above, FEW if self._prover.tired else self._looked_at):
            if field and all(condition.field != field for condition in earlier.conditions):
                continue
            if wanted.fulfils(earlier):
                yield earlier

    def _covers(self, earlier: Rule, wanted: _Wanted) -> bool:
        """Whether each condition of the earlier rule holds whenever what is wanted does. Raises UndecidableError."""
        unsure: UndecidableError | None = None
        for condition in earlier.conditions:
            try:
                if not self._prover.follows(condition, wanted.scope(condition.field)):
                    return False
            except UndecidableError as error:
                unsure = unsure or error
        if unsure:
            raise unsure
        return True

    def _shared_out(self, number: int, wanted: _Wanted) -> Verdict | None:
        """The verdict that several earlier rules, each for some values of one field, take everything."""
        for field in sorted({*wanted.scopes, *ALWAYS}):
            if self._first.get(field, number) == number:
                continue
            values = wanted.scope(field).values or ()
            if 1 < len(values) <= SHARED_OUT and (takers := self._takers(number, wanted, field)):
                said = " and ".join(f'"{taker.id}"' for taker in takers)
                why = f"{said} together take all that it would match"
                return Verdict(self._rules[number], takers[0], certain=True, why=why, also=tuple(takers[1:]))
        return None

    def _takers(self, number: int, wanted: _Wanted, field: str) -> list[Rule]:
        """For each value of a field the earlier rule that takes it, each rule once; none when one value is left."""
        takers: set[str] = set()
        for value in wanted.scope(field).values or ():
            narrowed = wanted.only(field, value)
            above = self._above(number, narrowed, field)
            taker = next((rule for rule in above if self._surely(rule, narrowed)), None)
            if taker is None:
                return []
            takers.add(taker.id)
        return [rule for rule in self._rules[:number] if rule.id in takers]

    def _surely(self, earlier: Rule, wanted: _Wanted) -> bool:
        try:
            return self._covers(earlier, wanted)
        except UndecidableError:
            return False


class _Wanted:
    """What a rule's conditions let through, field by field."""

    def __init__(self, scopes: Mapping[str, Scope]) -> None:
        self.scopes = scopes
        """The fields that the rule says something of."""

    def scope(self, field: str) -> Scope:
        """Return what the rule lets through of any field."""
        return self.scopes.get(field) or _ANY.get(field) or Scope(field, ())

    def only(self, field: str, value: str) -> _Wanted:
        """Return the same, but for one field that has this value."""
        return _Wanted({**self.scopes, field: self.scope(field).only(value)})

    @cached_property
    def sample(self) -> Alert | None:
        """An alert that the rule matches; None when none was found."""
        said: dict[str, Any] = dict.fromkeys(("source", "fingerprint", "resource", "check", "summary"), "")
        labels: dict[str, str] = {}
        for field, scope in (_ANY | dict(self.scopes)).items():
            value = scope.first
            if value is None:
                return None
            if field.startswith(LABEL):
                labels[field.removeprefix(LABEL)] = value
            else:
                said[field] = value
        return Alert(labels=labels, **said)

    def fulfils(self, rule: Rule) -> bool:
        """Tell whether all samples fulfil a rule's conditions."""
        return all(
            condition.test(value) for condition in rule.conditions for value in self.scope(condition.field).samples
        )


_ANY = {field: Scope(field, ()) for field in ALWAYS}


def _scopes(conditions: Sequence[Condition]) -> dict[str, Scope]:
    by_field: dict[str, list[Condition]] = defaultdict(list)
    for condition in conditions:
        by_field[condition.field].append(condition)
    return {field: Scope(field, on_it) for field, on_it in by_field.items()}

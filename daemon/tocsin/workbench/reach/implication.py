"""Whether a condition holds wherever others do.

Values that can be counted are tried; texts are compared by automata, numbers by their bounds, addresses by their
networks. A yes is always a proof; what can neither be proved nor refuted is said to be undecided, with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.workbench.reach import expressions, numbers
from tocsin.workbench.reach.automata import Comparison, Machine
from tocsin.workbench.reach.expressions import UndecidableError
from tocsin.workbench.reach.scope import Scope, as_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.rules.conditions import Condition

MOST_STEPS = 2_000_000
"""States that all comparisons of one run may step through: some seconds."""
LEAST = 1_500
"""What a comparison costs at least, in steps."""
KEPT = 2_000
"""So many automata are kept for the next comparison."""


class Prover:
    """Proves, with a limited patience for all proofs together; asked the same again, it remembers."""

    def __init__(self, patience: int = MOST_STEPS) -> None:
        self._patience = patience
        self._machines: dict[str, Machine | UndecidableError] = {}
        self._witnesses: dict[tuple[tuple[str, ...], tuple[str, ...]], str | UndecidableError | None] = {}

    @property
    def tired(self) -> bool:
        """Whether nothing more is compared by automata."""
        return self._patience <= 0

    def witness(self, found: Sequence[str], refused: Sequence[str]) -> str | None:
        """Return a text, not empty, that all of the one expressions find and none of the others; None if there is none.

        Raises:
            UndecidableError: it cannot be told.
        """
        asked = (tuple(found), tuple(refused))
        if asked not in self._witnesses:
            self._witnesses[asked] = self._walked(*asked)
        answer = self._witnesses[asked]
        if isinstance(answer, UndecidableError):
            raise answer
        return answer

    def follows(self, condition: Condition, scope: Scope) -> bool:
        """Tell whether a condition holds for each value of the scope.

        Raises:
            UndecidableError: it cannot be told; the sentence says of what, and why.
        """
        try:
            return self._follows(condition, scope)
        except UndecidableError as error:
            said = " and ".join(given.text for given in scope.conditions)
            raise UndecidableError(
                f"whether {condition.text} holds for all of {said} cannot be told: {error}"
            ) from None

    def _follows(self, condition: Condition, scope: Scope) -> bool:
        if not all(condition.test(value) for value in scope.samples):
            return False
        if scope.values is not None or any(given.text == condition.text for given in scope.conditions):
            return True
        match condition.operator:
            case "not":
                return self._none(condition, scope)
            case "exists":
                return bool(condition.operand) and not scope.allows("")
            case "gt" | "gte" | "lt" | "lte":
                return _known(numbers.within(scope.conditions, condition))
            case "cidr":
                return _known(numbers.inside(scope.conditions, condition.operand))
        if not (expression := as_expression(condition)):
            return _known(None)
        if any(expressions.surely_finds(given, expression) for given in scope.found):
            return True
        text = self.witness(scope.found, [*scope.refused, expression])
        return text is None or _known(_refuted(condition, scope, text))

    def impossible(self, scope: Scope) -> bool:
        """Tell whether there surely is no value at all; where no sample was found, an automaton looks for one."""
        if scope.values is not None:
            return not scope.values
        if scope.first is not None:
            return False
        if numbers.contradict(scope.conditions):
            return True
        try:
            text = self.witness(scope.found, scope.refused) if scope.found else ""
        except UndecidableError:
            return False
        if text and scope.allows(text):
            scope.first = text
        return text is None

    def _walked(self, found: tuple[str, ...], refused: tuple[str, ...]) -> str | UndecidableError | None:
        if self.tired:
            return UndecidableError("the rules have too many expressions to compare them all")
        self._patience -= LEAST
        try:
            comparison = Comparison([self._machine(each) for each in found], [self._machine(each) for each in refused])
        except UndecidableError as error:
            return error
        try:
            return comparison.witness()
        except UndecidableError as error:
            return error
        finally:
            self._patience -= comparison.steps

    def _machine(self, expression: str) -> Machine:
        if expression not in self._machines:
            if len(self._machines) >= KEPT:
                self._machines.clear()
            self._machines[expression] = _machine(expression)
        made = self._machines[expression]
        if isinstance(made, UndecidableError):
            raise made
        return made

    def _none(self, condition: Condition, scope: Scope) -> bool:
        """Whether a `not` holds for each value: none of them fulfils all that it refuses."""
        if len(condition.operand) == 1 and (values := condition.operand[0].values):
            return not any(scope.allows(value) for value in values)
        unwanted = Scope(condition.field, condition.operand)
        if any(_refuted(condition, scope, value) is False for value in unwanted.samples):
            return False
        if any(self._excluded(inner, scope) for inner in condition.operand):
            return True
        # What a `not` of the scope refuses already is refused here as well.
        refusing = [given.operand for given in scope.conditions if given.operator == "not"]
        if any(all(self._follows(inner, unwanted) for inner in refused) for refused in refusing):
            return True
        text = self.witness([*scope.found, *unwanted.found], [*scope.refused, *unwanted.refused])
        return text is None or _known(_refuted(condition, scope, text))

    def _excluded(self, inner: Condition, scope: Scope) -> bool:
        """Whether a condition surely holds for no value of the scope."""
        match inner.operator:
            case "":
                return not any(scope.allows(value) for value in inner.values)
            case "regex" | "glob":
                return self.witness([*scope.found, inner.pattern], scope.refused) is None
            case "exists":
                return not inner.operand and not scope.allows("")
            case "not":
                return all(self._follows(each, scope) for each in inner.operand)
            case "cidr":
                return numbers.outside(scope.conditions, inner.operand)
        return numbers.apart(scope.conditions, inner)


def _machine(expression: str) -> Machine | UndecidableError:
    try:
        return Machine(expression)
    except UndecidableError as error:
        return error


def _known(known: bool | None) -> bool:  # noqa: FBT001 - or None
    """What is known. Raises UndecidableError when nothing is."""
    if known is None:
        raise UndecidableError("texts, numbers and addresses are not compared with one another")
    return known


def _refuted(condition: Condition, scope: Scope, value: str) -> bool | None:
    """False when the value shows that the condition need not hold; None when it shows nothing."""
    return False if scope.allows(value) and not condition.test(value) else None

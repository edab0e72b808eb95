"""Automata of searches: whether there is a text that some expressions find and others do not.

Knows what expressions are made of, nothing of rules. An expression becomes a small automaton that may be in many states
at once; greenery walks all of them together and tells whether the end is ever reached. Making greenery's own automata
of expressions takes seconds for ordinary ones and for ever for others; so each step is counted here, and what takes too
many is not decided.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from greenery.charclass import Charclass  # type: ignore[import-untyped]
from greenery.fsm import crawl  # type: ignore[import-untyped]
from msgspec import Struct

from tocsin.workbench.reach import expressions
from tocsin.workbench.reach.expressions import ANY, LINE, WORD, Either, Look, One, Ranges, Repeat, Row, UndecidableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tocsin.workbench.reach.expressions import Node

    States = frozenset[int]

LARGEST = 1_500
"""States of one automaton."""
MOST_RANGES = 5_000
"""Ranges of characters that the expressions of one comparison tell apart."""
MOST_MET = 1_000
"""Combinations of states that one comparison may meet."""
MOST_STEPS = 100_000
"""States that one comparison may step through."""

_START, _FOUND = 0, 1
_DEAD = 1
"""The combination that leads nowhere; the first is 0."""


class Machine:
    """The automaton of one search: in the first state until something begins, in the second when all was found."""

    def __init__(self, expression: str) -> None:
        """Make it.

        Raises:
            UndecidableError: it cannot be read, or is too large.
        """
        self.moves: list[list[tuple[Ranges, int]]] = []
        self.looks: list[list[tuple[str, int]]] = []
        start, found = self._new(), self._new()
        self.moves[start].append((ANY, start))
        self.moves[found].append((ANY, found))
        self._free(self._into(expressions.read(expression), start), found)
        self.live = self._live()
        """The states from which the end can be reached after the first character."""

    def _new(self) -> int:
        if len(self.moves) >= LARGEST:
            raise UndecidableError("it is too large to compare")
        self.moves.append([])
        self.looks.append([])
        return len(self.moves) - 1

    def _free(self, start: int, end: int) -> None:
        self.looks[start].append(("", end))

    def _into(self, node: Node, start: int) -> int:
        """Add what a node finds from a state on; return the state behind it."""
        match node:
            case One(ranges):
                end = self._new()
                self.moves[start].append((ranges, end))
            case Look(what):
                end = self._new()
                self.looks[start].append((what, end))
            case Row(parts):
                end = start
                for part in parts:
                    end = self._into(part, end)
            case Either(branches):
                end = self._new()
                for branch in branches:
                    self._free(self._into(branch, start), end)
            case Repeat():
                end = self._repeat(node, start)
        return end

    def _repeat(self, node: Repeat, start: int) -> int:
        end = self._new()
        for _ in range(node.least):
            self._free(self._into(node.part, start), start := self._new())
        for _ in range((node.most or node.least) - node.least):
            self._free(start, end)
            self._free(self._into(node.part, start), start := self._new())
        self._free(start, loop := self._new())
        if node.most is None:
            self._free(self._into(node.part, loop), loop)
        self._free(loop, end)
        return end

    def _live(self) -> States:
        before: dict[int, list[int]] = {}
        for state, (moves, looks) in enumerate(zip(self.moves, self.looks, strict=True)):
            for end in [*(end for _, end in moves), *(end for what, end in looks if what != expressions.BEGIN)]:
                before.setdefault(end, []).append(state)
        live, left = {_FOUND}, [_FOUND]
        while left:
            for state in before.get(left.pop(), ()):
                if state not in live:
                    live.add(state)
                    left.append(state)
        return frozenset(live)

    def reach(self, states: States, before: str, after: str) -> set[int]:
        """Return the states with all that can be reached from them between two kinds of characters."""
        reached, left = set(states), list(states)
        while left:
            for what, end in self.looks[left.pop()]:
                if end not in reached and (not what or _holds(what, before, after)):
                    reached.add(end)
                    left.append(end)
        return reached


def _holds(what: str, before: str, after: str) -> bool:
    match what:
        case expressions.BEGIN:
            return before == "edge"
        case expressions.END:
            return after == "edge"
        case expressions.LINE_BEGIN:
            return before in {"edge", "line"}
        case expressions.LINE_END:
            return after in {"edge", "line"}
    return ((before == "word") != (after == "word")) == (what == expressions.BOUNDARY)


class Symbol(Struct, frozen=True):
    """Characters that all expressions of a comparison treat alike."""

    member: frozenset[Ranges]
    kind: str
    """`word`, `line`, or nothing of interest."""
    shown: str
    """One of them, a readable one if there is."""


class Meeting(Struct, frozen=True):
    """The states of all automata after the same characters."""

    before: str
    states: tuple[States, ...]


class Comparison:
    """A walk of several automata over all texts at once."""

    def __init__(self, found: Sequence[Machine], refused: Sequence[Machine]) -> None:
        self._machines = (*found, *refused)
        self._wanted = len(found)
        self._alphabet = _alphabet(self._machines)
        self._met: dict[Meeting, int] = {}
        self._meetings: list[Meeting] = []
        self._ways: list[tuple[int, str]] = []
        self._ends: list[int] = []
        self.steps = sum(len(machine.moves) for machine in self._machines)
        """How many states were made or stepped through so far."""

    def witness(self) -> str | None:
        """Return a shortest text, not empty, that all of the one find and none of the others; None if there is none.

        Raises:
            UndecidableError: it takes too many steps to tell.
        """
        start = Meeting("edge", tuple(frozenset({_START}) for _ in self._machines))
        self._number(start, 0, "")
        self._number(Meeting("", ()), 0, "")
        met = crawl(self._alphabet, 0, self._is_end, self._follow)
        return None if met.empty() else self._text(min(self._ends))

    def _is_end(self, number: int) -> bool:
        meeting = self._meetings[number]
        if number <= _DEAD:
            return False
        verdicts = [
            _FOUND in machine.reach(states, meeting.before, "edge")
            for machine, states in zip(self._machines, meeting.states, strict=True)
        ]
        if is_end := all(verdicts[: self._wanted]) and not any(verdicts[self._wanted :]):
            self._ends.append(number)
        return is_end

    def _follow(self, number: int, char: Charclass) -> int:
        """The combination after one more character. What is past saving, or at an end already, is dead."""
        symbol = self._alphabet[char]
        if number == _DEAD or number in self._ends or not symbol.shown:
            return _DEAD
        meeting = self._meetings[number]
        states = tuple(
            self._step(machine, states, meeting.before, symbol)
            for machine, states in zip(self._machines, meeting.states, strict=True)
        )
        if not all(states[: self._wanted]) or any(_FOUND in refused for refused in states[self._wanted :]):
            return _DEAD
        return self._number(Meeting(symbol.kind, states), number, symbol.shown)

    def _step(self, machine: Machine, states: States, before: str, symbol: Symbol) -> States:
        if _FOUND in states:
            return frozenset({_FOUND})
        reached = machine.reach(states, before, symbol.kind)
        self.steps += len(reached)
        if self.steps > MOST_STEPS:
            raise UndecidableError("the two are too intricate to compare")
        if _FOUND in reached:
            return frozenset({_FOUND})
        ends = {end for state in reached for ranges, end in machine.moves[state] if ranges in symbol.member}
        return machine.live & ends

    def _number(self, meeting: Meeting, parent: int, shown: str) -> int:
        if (number := self._met.get(meeting)) is None:
            if (number := len(self._met)) > MOST_MET:
                raise UndecidableError("the two are too intricate to compare")
            self._met[meeting] = number
            self._meetings.append(meeting)
            self._ways.append((parent, shown))
        return number

    def _text(self, number: int) -> str:
        text = ""
        while number:
            number, shown = self._ways[number]
            text = shown + text
        return text


def _alphabet(machines: Iterable[Machine]) -> dict[Charclass, Symbol]:
    """All characters, sorted into symbols; the last is no character at all."""
    looked = {what for machine in machines for looks in machine.looks for what, _ in looks}
    classes = {ranges for machine in machines for moves in machine.moves for ranges, _ in moves}
    words = bool(looked & {expressions.BOUNDARY, expressions.INSIDE})
    lines = bool(looked & {expressions.LINE_BEGIN, expressions.LINE_END})
    told = classes | ({WORD} if words else set()) | ({LINE} if lines else set())
    alphabet = {}
    for member, ranges in _told_apart(told).items():
        kind = "word" if words and WORD in member else "line" if lines and LINE in member else ""
        alphabet[Charclass(tuple((chr(first), chr(last)) for first, last in ranges))] = Symbol(
            member, kind, _readable(ranges)
        )
    alphabet[~Charclass(tuple((chr(first), chr(last)) for first, last in ANY))] = Symbol(frozenset(), "", "")
    return alphabet


def _told_apart(classes: Iterable[Ranges]) -> dict[frozenset[Ranges], list[tuple[int, int]]]:
    """The characters by the classes they are in."""
    changes: dict[int, set[Ranges]] = {}
    for ranges in classes:
        for first, last in ranges:
            changes.setdefault(first, set()).symmetric_difference_update({ranges})
            changes.setdefault(last + 1, set()).symmetric_difference_update({ranges})
    if len(changes) > MOST_RANGES:
        raise UndecidableError("its classes have too many characters to compare")
    told: dict[frozenset[Ranges], list[tuple[int, int]]] = {}
    member: frozenset[Ranges] = frozenset()
    bounds = sorted(changes)
    for first, after in pairwise(bounds):
        member ^= changes[first]
        if member:
            told.setdefault(member, []).append((first, after - 1))
    return told


def _readable(ranges: Sequence[tuple[int, int]]) -> str:
    """A letter or digit if there is one, else any visible character."""
    for low, high in ((0x61, 0x7A), (0x30, 0x39), (0x21, 0x7E), (0x20, 0x10FFFF)):
        for first, last in ranges:
            if max(first, low) <= min(last, high):
                return chr(max(first, low))
    return chr(ranges[0][0])

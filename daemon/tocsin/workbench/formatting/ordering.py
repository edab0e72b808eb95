"""The order of the keys in each rule, and blank lines: whole lines are moved, nothing in them changes.

Knows which lines belong together: a key's are its own, those of its value, and the remarks directly above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tocsin import yaml12
from tocsin.workbench.formatting.remarks import Scan

if TYPE_CHECKING:
    from tocsin.yaml12 import Path, Positions

KEYS = (
    *("id", "title", "match", "where", "action", "element", "impact", "key", "hold", "flap", "close", "reopen"),
    *("closed_by_person", "backend", "inform", "ticket"),
)
"""The keys of a rule in the order that a reader asks: what, when, on what, how bad, how it lives, what it says."""
_ELSEWHERE = "\x85\u2028\u2029"
"""Signs that end a line for some readers and not for others."""


def ordered(text: str, file: str) -> str:
    """Return the text with the keys of each rule in order; those that are no keys of a rule come last, as they were."""
    data, positions = yaml12.read(text, file)
    scan = Scan(text)
    if any(isinstance(token, yaml.AliasToken) for token in scan.tokens) or any(sign in text for sign in _ELSEWHERE):
        return text  # an alias must come after what it stands for
    rules = data.get("rules")
    lines = scan.lines
    for number in reversed(range(len(rules) if isinstance(rules, list) else 0)):
        if isinstance(rules[number], dict):
            lines = _reordered(lines, rules[number], positions, ("rules", number), scan)
    return "\n".join(lines)


def _reordered(lines: list[str], rule: dict[str, Any], positions: Positions, path: Path, scan: Scan) -> list[str]:
    order = sorted(rule, key=lambda key: KEYS.index(key) if key in KEYS else len(KEYS))
    starts = [positions.of((*path, key), key=True) for key in rule]
    column = starts[0][1] - 1 if starts else 0
    first = starts[0][0] - 1 if starts else 0
    if order == list(rule) or not _in_lines(starts, column) or lines[first][:column].strip() != "-":
        return lines
    heads = [first, *(_with_remarks(line - 1, scan) for line, _ in starts[1:])]
    end = _end(lines, first, column, scan)
    parts = {key: lines[head:stop] for key, head, stop in zip(rule, heads, [*heads[1:], end], strict=True)}
    dash = lines[first][:column]
    top = next(iter(rule))
    parts[top] = [" " * column + lines[first][column:], *parts[top][1:]]
    return [*lines[:first], *_dashed([line for key in order for line in parts[key]], dash), *lines[end:]]


def _in_lines(starts: list[tuple[int, int]], column: int) -> bool:
    """Whether every key begins a line of its own."""
    return len({line for line, _ in starts}) == len(starts) and all(at - 1 == column for _, at in starts)


def _with_remarks(line: int, scan: Scan) -> int:
    """The first of the remarks directly above a line; one that is indented deeper belongs to what is before."""
    indent = len(scan.lines[line]) - len(scan.lines[line].lstrip(" "))
    above = line
    while above - 1 in scan.alone and scan.alone[above - 1].column <= indent:
        above -= 1
    return above


def _end(lines: list[str], first: int, column: int, scan: Scan) -> int:
    """The line after a rule: the first that is indented less, or the blank lines and remarks before it that are, too."""
    end = first + 1
    for number in range(first + 1, len(lines)):
        line = lines[number]
        less = len(line) - len(line.lstrip(" ")) < column
        if less and line.strip() and number not in scan.alone:
            break
        if line.strip() and not less:
            end = number + 1
    return end


def _dashed(lines: list[str], dash: str) -> list[str]:
    """The lines with the dash before the first that is no remark."""
    at = next(number for number, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    remarks = [" " * dash.index("-") + line.strip() if line.strip() else "" for line in lines[:at]]
    return [*remarks, dash + lines[at][len(dash) :], *lines[at + 1 :]]


def spaced(text: str, file: str) -> str:
    """Return the text with one blank line between rules and before each key of the file, and none after `rules:`."""
    data, positions = yaml12.read(text, file)
    scan = Scan(text)
    if any(sign in text for sign in _ELSEWHERE):
        return text
    wanted = {positions.of((key,), key=True)[0] - 1: 1 for key in list(data)[1:]}
    wanted |= _between_rules(data.get("rules"), positions, scan)
    lines = scan.lines
    for line, blank in sorted(wanted.items(), reverse=True):
        head = _with_remarks(line, scan)
        above = head
        while above > 0 and not lines[above - 1].strip() and above - 1 not in scan.kept:
            above -= 1
        if above - 1 not in scan.kept:
            lines[above:head] = [""] * blank
    return "\n".join(lines).rstrip("\n") + "\n" if not scan.kept else "\n".join(lines)


def _between_rules(rules: Any, positions: Positions, scan: Scan) -> dict[int, int]:
    """Line where a rule starts → the blank lines before it; rules of one line may stand close together."""
    if not isinstance(rules, list) or not rules:
        return {}
    starts = [positions.of(("rules", number))[0] - 1 for number in range(len(rules))]
    top = positions.of(("rules",), key=True)[0] - 1
    if len(set(starts)) < len(starts) or starts[0] == top:
        return {}
    wanted = {starts[0]: 0} if _with_remarks(starts[0], scan) > top else {}
    for number in range(1, len(starts)):
        before, here = (isinstance(rules[at], dict) and _one_line(scan, starts[at]) for at in (number - 1, number))
        if not (before and here):
            wanted[starts[number]] = 1
    return wanted


def _one_line(scan: Scan, line: int) -> bool:
    return scan.lines[line].lstrip(" -").startswith("{")

"""Where the parts of a rule stand in its file: a compiled rule knows its line only, so the file is read again.

Done only when there is something to say; each file is read once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin import yaml12
from tocsin.errors import RuleError

if TYPE_CHECKING:
    from tocsin.errors import Code
    from tocsin.rules import Rule, RuleSet
    from tocsin.yaml12 import Path, Positions


class Places:
    """The places of one rule set."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._files = rule_set.files
        self._folder = folder(rule_set)
        self._read: dict[str, tuple[dict[str, int], Positions] | None] = {}

    @property
    def folder(self) -> str:
        """What errors write before the name of a file."""
        return self._folder

    def problem(
        self, rule: Rule, sentence: str, code: Code, *path: str | int, hint: str = "", key: bool = False
    ) -> RuleError:
        """Return what is to be said about the part of a rule that a way leads to; without a way, about its id."""
        numbers, positions = self._positions(rule.file) or ({}, None)
        if positions is None or rule.id not in numbers:
            return RuleError(sentence, code=code, file=rule.file, line=rule.line, hint=hint)
        way: Path = ("rules", numbers[rule.id], *(path or ("id",)))
        return positions.problem(sentence, way, code=code, hint=hint, key=key)

    def _positions(self, file: str) -> tuple[dict[str, int], Positions] | None:
        if file not in self._read:
            name = file.removeprefix(self._folder)
            self._read[file] = _places(self._files[name], file) if name in self._files else None
        return self._read[file]


def folder(rule_set: RuleSet) -> str:
    """Return what errors write before the name of a file; empty for a rule set without rules."""
    place = next((rule.file for rule in rule_set.rules), "")
    name = next((name for name in rule_set.files if place == name or place.endswith(f"/{name}")), place)
    return place.removesuffix(name)


def rules_of(data: Any) -> list[Any]:
    """Return the rules of a file's data as they are written."""
    listed = data.get("rules") if isinstance(data, dict) else None
    return listed if isinstance(listed, list) else []


def _places(text: str, file: str) -> tuple[dict[str, int], Positions]:
    """Id → position of each rule of a file, and where everything stands."""
    data, positions = yaml12.read(text, file)
    return {rule["id"]: number for number, rule in enumerate(rules_of(data)) if isinstance(rule, dict)}, positions

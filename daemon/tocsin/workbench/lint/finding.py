"""One thing to say about the files that people edit, for people and programs alike."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.errors import Code
from tocsin.rules.problems import RulesError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.errors import RuleError


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """The files cannot go live."""
    WARNING = "warning"
    """They can, and hardly do what is meant."""
    NOTE = "note"
    """Something could not be checked."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing to say, and where."""

    code: Code
    severity: Severity
    problem: str
    file: str = ""
    line: int = 0
    column: int = 0
    length: int = 0
    """How many characters are meant; 0 when that is not known. Line and column count from 1 and are 0 when unknown."""
    hint: str = ""

    @property
    def place(self) -> tuple[str, int, int]:
        """File, line and column: findings are told in this order."""
        return self.file, self.line, self.column


def errors(error: RuleError) -> list[Finding]:
    """Return an error, or all that one holds, as findings."""
    return findings(error.problems if isinstance(error, RulesError) else (error,), Severity.ERROR)


def warnings(problems: Iterable[RuleError]) -> list[Finding]:
    """Return what loading rules found to be hardly meant, as findings."""
    return findings(problems, Severity.WARNING)


def findings(problems: Iterable[RuleError], severity: Severity) -> list[Finding]:
    """Return problems as findings of one severity."""
    return [
        Finding(
            code=problem.code,
            severity=severity,
            problem=problem.problem,
            file=problem.file,
            line=problem.line,
            column=problem.column,
            length=problem.length,
            hint=problem.hint,
        )
        for problem in problems
    ]

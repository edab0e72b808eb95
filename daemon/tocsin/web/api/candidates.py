"""Candidate rules: texts that somebody thinks of making live, within limits, and what is wrong with them.

A candidate is only ever built, never kept: nothing here knows the store.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from tocsin import rules
from tocsin.errors import RuleError
from tocsin.web.api.problem import Refused, invalid
from tocsin.workbench import lint, testing
from tocsin.workbench.coverage import Coverage, coverage
from tocsin.workbench.lint import Finding
from tocsin.workbench.testing import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.fleet import Fleet
    from tocsin.workbench.testing import Outcome
    from tocsin.workbench.ticketing import Ticketing

LARGEST = 4 * 1024 * 1024
"""So many characters all files of a candidate have together at most."""
MOST = 500
"""So many files."""
_NAME = re.compile(r"(?:(?:tables|payloads)/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\Z")
_SUFFIX = {"": (".yaml", ".yml"), "tables": (".csv",)}

Files = Annotated[
    dict[str, str],
    Meta(
        description="Name → text of every file of the rules' folder: `NAME.yaml`, `tables/NAME.csv`, `payloads/NAME`; at "
        f"most {MOST} files and {LARGEST} characters.",
        min_length=1,
        max_length=MOST,
        examples=[{"90-fallback.yaml": "fallback: {action: record}\n"}],
    ),
]


class Candidate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that are not live."""

    files: Files


def checked(files: Mapping[str, str]) -> dict[str, str]:
    """The files, whose names and sizes are within the limits. Raises Refused."""
    for name in files:
        if not _is_name(name):
            text = f"{name[:120]!r} is no name of a file: call it NAME.yaml, tables/NAME.csv or payloads/NAME"
            raise invalid(text, "$.files")
    size = sum(map(len, files.values()))
    if size > LARGEST:
        raise Refused(413, f"the files have {size} characters together: {LARGEST} is the most", "$.files")
    return dict(files)


def _is_name(name: str) -> bool:
    folder = name.rpartition("/")[0]
    if not _NAME.match(name):
        return False
    return folder == "payloads" or name.endswith(_SUFFIX[folder])


class Checked(Struct, frozen=True, kw_only=True):
    """What there is to say about a candidate."""

    ok: bool
    """It could go live: there is no error."""
    hash: str
    """What its rule set would be called; empty when there is none."""
    rules: int
    tests: int
    findings: list[Finding]


class TestLine(Struct, frozen=True, kw_only=True):
    """What came of one test."""

    name: str
    file: str
    line: int
    failures: list[Failure]
    """What was expected and did not come; nothing for a test that passes."""


class Tested(Struct, frozen=True, kw_only=True):
    """What came of a candidate's own tests."""

    ok: bool
    tests: list[TestLine]
    coverage: Coverage
    """How much of the rules they reach."""


def build(files: Mapping[str, str], backends: frozenset[str]) -> rules.RuleSet:
    """The candidate's rule set. Raises Refused with the first of its problems."""
    try:
        return rules.build(files, known_backends=backends)
    except RuleError as error:
        raise invalid(f"the candidate cannot be used: {error}".splitlines()[0], "$.files") from None


def check(files: Mapping[str, str], backends: frozenset[str], fleet: Fleet, ticketing: Ticketing) -> Checked:
    """Everything there is to say about a candidate, its own tests included."""
    try:
        rule_set = rules.build(files, known_backends=backends)
    except RuleError as error:
        return Checked(ok=False, hash="", rules=0, tests=0, findings=lint.errors(error))
    found = lint.look(rule_set, fleet, ticketing)
    return Checked(
        ok=all(finding.severity != lint.Severity.ERROR for finding in found),
        hash=rule_set.hash,
        rules=len(rule_set.rules),
        tests=len(rule_set.tests),
        findings=found,
    )


def test(files: Mapping[str, str], backends: frozenset[str], fleet: Fleet, ticketing: Ticketing) -> Tested:
    """What came of a candidate's own tests. Raises Refused when the candidate cannot be used."""
    rule_set = build(files, backends)
    outcomes = [testing.run(test, rule_set, fleet, ticketing) for test in rule_set.tests]
    decided = [one for outcome in outcomes for one in outcome.decided]
    return Tested(
        ok=not any(outcome.failures for outcome in outcomes),
        tests=[_line(outcome) for outcome in outcomes],
        coverage=coverage(rule_set, fleet, decided),
    )


def _line(outcome: Outcome) -> TestLine:
    test = outcome.test
    return TestLine(name=test.name, file=test.file, line=test.line, failures=list(outcome.failures))

"""The verbs about the files that people edit: `check` reads them without a service, `reload` lets them go live.

Knows which files the settings name; what is wrong in one is found by the room that reads it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from msgspec import Struct
from pydantic import BaseModel

from tocsin import backends, fleet, rules
from tocsin.cli import asking, show, sourcing
from tocsin.cli.given import FILES, SERVICE, Given, Json, SettingsFile, given
from tocsin.errors import RuleError, SettingsError
from tocsin.settings import exposed
from tocsin.workbench import testing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

app = typer.Typer()

T = TypeVar("T")

_RULES_WRONG, _SETTINGS_WRONG = 1, 2


class Problem(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong, and where."""

    problem: str
    file: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        return str(RuleError(self.problem, file=self.file, line=self.line, column=self.column, hint=self.hint))


class Findings(Struct):
    """What `check` found."""

    counts: dict[str, dict[str, int | str]]
    """Settings, rules and fleet, as far as they are fine: what there is of each."""
    problems: list[Problem]
    warnings: list[Problem]


@app.command(rich_help_panel=FILES, epilog="Example: tocsin check --config config/tocsin.yaml")
def check(ctx: typer.Context, config: SettingsFile = None, *, json: Json = False) -> None:
    """Check settings, rules with their tests, and fleet.

    Starts nothing. Prints what there is, and every problem with its place.
    """
    findings = Findings({}, [], [])
    of = _found(findings, lambda: given(ctx, config))
    if of:
        _check_settings(of, findings)
    settings_wrong = bool(findings.problems)
    if of:
        _check_rules(of, findings)
    _tell(findings, json=json)
    if findings.problems:
        raise typer.Exit(_SETTINGS_WRONG if settings_wrong else _RULES_WRONG)


@app.command(rich_help_panel=SERVICE, epilog="Example: tocsin reload")
def reload(ctx: typer.Context, config: SettingsFile = None, *, json: Json = False) -> None:
    """Have the running service read rules and fleet again.

    When they cannot go live, says why; the last good ones then go on deciding.
    """
    answer = asking.admin(given(ctx, config), "reload")
    if json:
        show.data(answer)
    else:
        show.line("rules and fleet are live")


def _check_settings(given: Given, findings: Findings) -> None:
    """What the settings' own shape cannot tell: kinds, their options, secrets."""
    parts: list[Callable[[], object]] = [
        lambda: sourcing.check(given.settings),
        lambda: asyncio.run(_build_backends(given)),
        *(lambda secret=secret: given.read_secret(str(secret)) for secret in _secrets(given.settings)),
    ]
    for part in parts:
        _found(findings, part)
    told = filter(None, map(exposed, _secrets(given.settings)))
    findings.warnings += map(Problem, told)
    if not findings.problems:
        counts = {"sources": len(given.settings.sources), "backends": len(given.settings.backends)}
        findings.counts["settings"] = {"file": str(given.file), **counts}


def _secrets(part: BaseModel) -> Iterator[Path]:
    """The files of secrets that the settings name."""
    for name, value in part:
        if name.endswith("_file") and value:
            yield value
        for inner in value.values() if isinstance(value, dict) else (value,):
            if isinstance(inner, BaseModel):
                yield from _secrets(inner)


async def _build_backends(given: Given) -> None:
    """Build every backend, which reads its secrets and reaches nothing. Raises SettingsError: all problems."""
    problems: list[str] = []
    session = backends.open_session()
    outside = backends.Outside(session=session, read_secret=given.read_secret, clock=lambda: datetime.now(UTC))
    kinds = backends.kinds()
    for name, backend in given.settings.backends.items():
        if backend.kind in kinds and kinds[backend.kind].embedded:
            continue
        try:
            backends.build(backend.kind, name, backend.options, outside)
        except SettingsError as error:
            problems.append(str(error))
    await session.close()
    if problems:
        raise SettingsError("\n".join(problems))


def _check_rules(given: Given, findings: Findings) -> None:
    """Fleet and rules each by itself, then together."""
    settings = given.settings
    elements = _found(findings, lambda: fleet.load(settings.fleet.path))
    rule_set = _found(findings, lambda: rules.load(settings.rules.path, known_backends=frozenset(settings.backends)))
    if elements is not None:
        findings.counts["fleet"] = {"path": str(settings.fleet.path), "elements": len(elements)}
    if rule_set is None:
        return
    findings.warnings += map(_problem, rule_set.warnings)
    counts = {"files": len(rule_set.files), "rules": len(rule_set.rules), "tests": len(rule_set.tests)}
    if elements is None or _found(findings, lambda: _tested(rule_set, elements)):
        findings.counts["rules"] = {"path": str(settings.rules.path), **counts, "hash": rule_set.hash}


def _tested(rule_set: rules.RuleSet, elements: fleet.Fleet) -> bool:
    testing.check(rule_set, elements)
    return True


def _found(findings: Findings, load: Callable[[], T]) -> T | None:
    """What was loaded; None when it cannot be, with the problems found."""
    try:
        return load()
    except SettingsError as error:
        findings.problems += map(Problem, str(error).splitlines())
    except rules.RulesError as error:
        findings.problems += map(_problem, error.problems)
    except RuleError as error:
        findings.problems.append(_problem(error))
    return None


def _problem(error: RuleError) -> Problem:
    return Problem(error.problem, error.file, error.line, error.column, error.hint)


def _tell(findings: Findings, *, json: bool) -> None:
    if json:
        show.data({"ok": not findings.problems, **findings.counts, **_lists(findings)})
        return
    show.facts((name, _counted(counts)) for name, counts in findings.counts.items())
    for warning in findings.warnings:
        show.line(show.styled("warning: ", "yellow"), str(warning), err=True)
    for problem in findings.problems:
        show.line(str(problem), err=True)


def _lists(findings: Findings) -> dict[str, Any]:
    return {"problems": findings.problems, "warnings": findings.warnings}


def _counted(counts: dict[str, int | str]) -> str:
    """`config/tocsin.yaml: 5 sources, 1 backends`."""
    place = counts.get("path") or counts.get("file")
    numbers = ", ".join(_so_many(count, noun) for noun, count in counts.items() if isinstance(count, int))
    return f"{place}: {numbers}"


def _so_many(count: int, nouns: str) -> str:
    return f"{count} {nouns.removesuffix('s') if count == 1 else nouns}"

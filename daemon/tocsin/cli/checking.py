"""The verbs about the files that people edit: `check` reads them without a service, `reload` lets them go live.

Knows which files the settings name; what is wrong in one is found by the room that reads it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from msgspec import Struct
from pydantic import BaseModel

from tocsin import backends, fleet, rules, units
from tocsin.cli import asking, findings, show, sourcing
from tocsin.cli.findings import Format
from tocsin.cli.given import FILES, SERVICE, Given, Json, SettingsFile, given
from tocsin.errors import Code, RuleError, SettingsError, StoreError
from tocsin.settings import exposed
from tocsin.store import seen
from tocsin.ticketing import ticketing, unreached
from tocsin.workbench import lint
from tocsin.workbench.lint import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tocsin.store.seen import Seen

app = typer.Typer()

T = TypeVar("T")

_RULES_WRONG, _SETTINGS_WRONG = 1, 2
_NO_SECRETS = frozenset({"ca_file"})
"""Settings that end like a secret, and are none: everybody may know whom we trust."""


class Found(Struct):
    """What `check` found."""

    counts: dict[str, dict[str, int | str]]
    """Settings, rules and fleet, as far as they are fine: what there is of each."""
    findings: list[Finding]

    @property
    def wrong(self) -> bool:
        """Whether there is an error."""
        return any(one.severity == Severity.ERROR for one in self.findings)


_Format = Annotated[
    Format | None,
    typer.Option("--format", metavar="FORM", help="How findings are told: text, json, github or sarif."),
]
_MatchedWithin = Annotated[
    str,
    typer.Option(
        "--matched-within", metavar="TIME", help="Warn of rules that no alert has matched for so long; 0s: do not."
    ),
]
_Strict = Annotated[
    bool, typer.Option("--strict", metavar="", help="Take warnings for errors, and tell what cannot be checked.")
]
_Verbose = Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Tell what cannot be checked, too.")]


@app.command(rich_help_panel=FILES, epilog="Example: tocsin check --format github")
def check(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    format_: _Format = None,
    strict: _Strict = False,
    matched_within: _MatchedWithin = "30d",
    verbose: _Verbose = False,
    json: Json = False,
) -> None:
    """Check settings, rules with their tests, and fleet.

    Starts nothing. Prints what there is, every mistake with its place, and what is hardly meant.
    """
    found = Found({}, [])
    span = _span(matched_within)
    of = _found(found, lambda: given(ctx, config))
    if of:
        _check_settings(of, found)
    settings_wrong = found.wrong
    if of:
        _check_rules(of, found, span)
    told = [one for one in findings.told(found.findings) if strict or verbose or one.severity != Severity.NOTE]
    failed = found.wrong or (strict and any(one.severity == Severity.WARNING for one in told))
    _tell(found, told, Format.JSON if json else format_ or Format.TEXT, ok=not failed)
    if failed:
        raise typer.Exit(_SETTINGS_WRONG if settings_wrong else _RULES_WRONG)


def _span(text: str) -> timedelta:
    """How long a rule may go unmatched."""
    try:
        span: timedelta = units.duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--matched-within") from None
    return span


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


def _check_settings(given: Given, found: Found) -> None:
    """What the settings' own shape cannot tell: kinds, their options, secrets."""
    parts: list[Callable[[], object]] = [
        lambda: sourcing.check(given.settings),
        lambda: asyncio.run(_build_backends(given)),
        *(lambda secret=secret: given.read_secret(str(secret)) for secret in _secrets(given.settings)),
    ]
    for part in parts:
        _found(found, part)
    if not found.wrong:
        counts = {"sources": len(given.settings.sources), "backends": len(given.settings.backends)}
        found.counts["settings"] = {"file": str(given.file), **counts}
    told = filter(None, map(exposed, _secrets(given.settings)))
    found.findings += [Finding(code=Code.SECRET_EXPOSED, severity=Severity.WARNING, problem=one) for one in told]
    for number, earlier in unreached(given.settings):
        sentence = f"routing.{number} is never reached: routing.{earlier} asks for nothing, so it takes every element"
        found.findings.append(Finding(code=Code.ROUTE_UNREACHED, severity=Severity.WARNING, problem=sentence))


def _secrets(part: BaseModel) -> Iterator[Path]:
    """The files of secrets that the settings name."""
    for name, value in part:
        if name.endswith("_file") and name not in _NO_SECRETS and value:
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


def _check_rules(given: Given, found: Found, span: timedelta) -> None:
    """Fleet and rules each by itself, then together."""
    settings = given.settings
    elements = _found(found, lambda: fleet.load(settings.fleet.path))
    rule_set = _found(found, lambda: rules.load(settings.rules.path, known_backends=frozenset(settings.backends)))
    if elements is not None:
        found.counts["fleet"] = {"path": str(settings.fleet.path), "elements": len(elements)}
    if rule_set is None:
        return
    if elements is None:
        looked = lint.warnings(rule_set.warnings)
    else:
        looked = lint.look(rule_set, elements, ticketing(settings), _seen(settings.state, span))
    found.findings += looked
    if all(one.severity != Severity.ERROR for one in looked):
        counts = {"files": len(rule_set.files), "rules": len(rule_set.rules), "tests": len(rule_set.tests)}
        found.counts["rules"] = {"path": str(settings.rules.path), **counts, "hash": rule_set.hash}


def _seen(folder: Path, span: timedelta) -> Seen | None:
    """What the database knows of the rules; nothing when there is none, or it is not wanted."""
    if not span:
        return None
    with suppress(StoreError):
        return seen.seen(folder, span, datetime.now(UTC))
    return None


def _found(found: Found, load: Callable[[], T]) -> T | None:
    """What was loaded; None when it cannot be, with the problems found."""
    try:
        return load()
    except SettingsError as error:
        found.findings += [
            Finding(code=Code.SETTINGS, severity=Severity.ERROR, problem=line) for line in str(error).splitlines()
        ]
    except RuleError as error:
        found.findings += lint.errors(error)
    return None


def _tell(found: Found, told: list[Finding], form: Format, *, ok: bool) -> None:
    if form == Format.JSON:
        wrong = [one for one in told if one.severity == Severity.ERROR]
        others = [one for one in told if one.severity != Severity.ERROR]
        show.data({"ok": ok, **found.counts, "problems": wrong, "warnings": others})
        return
    if form == Format.TEXT:
        show.facts((name, _counted(counts)) for name, counts in found.counts.items())
    findings.TELLERS[form](told)


def _counted(counts: dict[str, int | str]) -> str:
    """`config/tocsin.yaml: 5 sources, 1 backends`."""
    place = counts.get("path") or counts.get("file")
    numbers = ", ".join(_so_many(count, noun) for noun, count in counts.items() if isinstance(count, int))
    return f"{place}: {numbers}"


def _so_many(count: int, nouns: str) -> str:
    return f"{count} {nouns.removesuffix('s') if count == 1 else nouns}"

"""The verb `test`: the tests that rule files carry, run without a service, and what of the rules they do not reach.

Knows which rules and fleet are meant; running tests is the business of the workbench, telling what came of `outcomes`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from tocsin import fleet as fleets
from tocsin import rules
from tocsin.cli import outcomes, show
from tocsin.cli.given import FILES, Given, Json, SettingsFile, given
from tocsin.errors import RuleError
from tocsin.fleet import Fleet
from tocsin.rules import RuleSet
from tocsin.rules.loader import PAYLOADS, SUFFIXES, TABLES
from tocsin.rules.timeline import RuleTest
from tocsin.ticketing import ticketing
from tocsin.workbench import junit
from tocsin.workbench.coverage import Coverage, coverage
from tocsin.workbench.junit import Ran
from tocsin.workbench.testing import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tocsin.workbench.ticketing import Ticketing

app = typer.Typer()

_FAILED = 1
_LONG = 200
"""So many tests are worth a line that tells how far they are."""

_Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH", help="Rule files or folders; the settings' folder unless given.", show_default=False
    ),
]
_Match = Annotated[
    str, typer.Option("--match", metavar="TEXT", help="Only tests with this in their name.", show_default=False)
]
_FleetFolder = Annotated[
    Path | None,
    typer.Option("--fleet", metavar="DIR", help="The fleet; the settings' unless given.", show_default=False),
]
_Junit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write the outcome as JUnit XML.", show_default=False)
]
_Cover = Annotated[bool, typer.Option("--coverage", metavar="", help="Tell what of the rules no test reaches.")]
_FailUnder = Annotated[
    float | None,
    typer.Option(
        "--coverage-fail-under",
        metavar="PERCENT",
        min=0,
        max=100,
        help="Exit with 1 when less than this is reached.",
        show_default=False,
    ),
]


class _Chosen(Struct, frozen=True, kw_only=True):
    """A folder of rules, and the tests of it that are wanted."""

    folder: str
    rule_set: RuleSet
    fleet: Fleet
    files: frozenset[str] | None
    """The files that are meant, as errors name them; None for all."""
    tests: tuple[RuleTest, ...]


class _Done(Struct, frozen=True, kw_only=True):
    """What came of the tests of a folder."""

    chosen: _Chosen
    ran: tuple[Ran, ...]

    def coverage(self) -> Coverage:
        """How much of the files that are meant was reached."""
        decided = [one for ran in self.ran for one in ran.outcome.decided]
        return coverage(self.chosen.rule_set, self.chosen.fleet, decided, self.chosen.files)


@app.command("test", rich_help_panel=FILES, epilog="Example: tocsin test rules/20-disk.yaml --coverage")
def prove(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    paths: _Paths = None,
    config: SettingsFile = None,
    *,
    match: _Match = "",
    fleet: _FleetFolder = None,
    junit_file: _Junit = None,
    cover: _Cover = False,
    fail_under: _FailUnder = None,
    json: Json = False,
) -> None:
    """Run the tests that rule files carry.

    Each plays its alerts on a virtual clock through what the service itself decides with; nothing is sent, nothing is
    kept. Of each that fails: what was expected, what came, and which rule decided.
    """
    of = given(ctx, config)
    elements = fleets.load(fleet or of.settings.fleet.path)
    chosen = list(_chosen(of, paths or [of.settings.rules.path], elements, match))
    if match and not any(one.tests for one in chosen):
        raise RuleError(f'no test has "{match}" in its name')
    done = _run(chosen, ticketing(of.settings))
    covered = {one.chosen.folder: one.coverage() for one in done} if cover or fail_under is not None else {}
    files = _by_file(done)
    if junit_file:
        _write(junit_file, junit.xml(files))
    if json:
        show.data(outcomes.as_data(files, covered))
    else:
        outcomes.tell(files, covered)
    too_little = fail_under is not None and any(each.percent < fail_under for each in covered.values())
    if too_little or any(ran.outcome.failures for one in done for ran in one.ran):
        raise typer.Exit(_FAILED)


# --- which tests -----------------------------------------------------------------------------------------------------


def _chosen(of: Given, paths: Sequence[Path], elements: Fleet, match: str) -> Iterator[_Chosen]:
    """The folders that paths mean, each once, with the tests that are wanted of it."""
    known = frozenset(of.settings.backends)
    for folder, names in _folders(paths).items():
        rule_set = rules.load(folder, known_backends=known)
        for name in sorted((names or set()) - rule_set.files.keys()):
            raise RuleError("this is no rule file of its folder", file=str(folder / name))
        files = None if names is None else frozenset(f"{folder}/{name}" for name in names)
        tests = tuple(
            each
            for each in rule_set.tests
            if (files is None or each.file in files) and match.lower() in each.name.lower()
        )
        yield _Chosen(folder=str(folder), rule_set=rule_set, fleet=elements, files=files, tests=tests)


def _folders(paths: Sequence[Path]) -> dict[Path, set[str] | None]:
    """Folder of rules → names of the files that are meant, None for all of them."""
    found: dict[Path, set[str] | None] = {}
    for path in paths:
        if path.is_dir():
            found[path] = None
        elif path.parent.name in (TABLES, PAYLOADS):
            found[path.parent.parent] = None  # it may matter to any test
        elif path.suffix in SUFFIXES and path.exists():
            names = found.setdefault(path.parent, set())
            if names is not None:
                names.add(path.name)
        else:
            raise typer.BadParameter(
                f"{str(path)!r} is no folder and no rule file: name one, such as rules/20-disk.yaml"
            )
    return found


# --- running ---------------------------------------------------------------------------------------------------------


def _run(chosen: Sequence[_Chosen], told: Ticketing) -> list[_Done]:
    every = sum(len(one.tests) for one in chosen)
    if every < _LONG:
        return [_done(one, told, lambda: None) for one in chosen]
    number = 0
    with show.waiting() as tell:

        def next_one() -> None:
            nonlocal number
            number += 1
            if number % 20 == 0:
                tell(f"{number} of {every} tests")

        return [_done(one, told, next_one) for one in chosen]


def _done(chosen: _Chosen, told: Ticketing, after: Callable[[], None]) -> _Done:
    ran = []
    for each in chosen.tests:
        start = time.perf_counter()
        outcome = run(each, chosen.rule_set, chosen.fleet, told)
        ran.append(Ran(outcome=outcome, seconds=time.perf_counter() - start))
        after()
    return _Done(chosen=chosen, ran=tuple(ran))


def _by_file(done: Sequence[_Done]) -> dict[str, list[Ran]]:
    """The tests by the file they stand in, in order."""
    files: dict[str, list[Ran]] = {}
    for one in done:
        for ran in one.ran:
            files.setdefault(ran.outcome.test.file, []).append(ran)
    return files


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{str(file)!r} cannot be written: {error.strerror}") from None

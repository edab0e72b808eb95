"""How what came of the tests of rules is told: which failed, what they do not reach; for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.cli import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.workbench.coverage import Coverage, Place
    from tocsin.workbench.junit import Ran
    from tocsin.workbench.testing import Failure

    Files = Mapping[str, Sequence[Ran]]
    """The tests by the file they stand in."""


def as_data(tests: Files, covered: Mapping[str, Coverage]) -> dict[str, Any]:
    """Return the outcome, for programs; `covered` has how much was reached of each folder, if that was asked."""
    every = _every(tests)
    failed = sum(bool(ran.outcome.failures) for ran in every)
    files = [{"file": file, "tests": [_test_as_data(ran) for ran in several]} for file, several in tests.items()]
    data: dict[str, Any] = {
        "ok": not failed,
        "tests": len(every),
        "failed": failed,
        "seconds": round(sum(ran.seconds for ran in every), 4),
        "files": files,
    }
    if covered:
        data["coverage"] = [{"folder": folder, **_coverage_as_data(each)} for folder, each in covered.items()]
    return data


def _test_as_data(ran: Ran) -> dict[str, Any]:
    failures = [
        {
            "line": one.line,
            "at": one.moment,
            "what": one.what,
            "expected": one.expected,
            "came": one.came,
            "trace": one.trace,
        }
        for one in ran.outcome.failures
    ]
    of = ran.outcome.test
    return {
        "name": of.name,
        "line": of.line,
        "ok": not failures,
        "seconds": round(ran.seconds, 4),
        "failures": failures,
    }


def _coverage_as_data(each: Coverage) -> dict[str, Any]:
    unreached = [
        {
            "file": one.file,
            "line": one.line,
            "rule": one.branch.rule,
            "part": one.branch.part,
            "value": one.branch.value,
        }
        for one in each.unreached
    ]
    counts = {"branches": each.branches, "reached": each.reached, "percent": round(each.percent, 2)}
    return {**counts, "unreached": unreached}


def tell(tests: Files, covered: Mapping[str, Coverage]) -> None:
    """Print the outcome for people: a line for each file, then what failed, then the sum."""
    show.facts((file, _counted(several)) for file, several in tests.items())
    for ran in _every(tests):
        if ran.outcome.failures:
            show.line()
            _tell_failed(ran)
    if len(tests) != 1:
        show.line()
        show.line(_counted(_every(tests)))
    for folder, each in covered.items():
        show.line()
        _tell_coverage(folder, each)


def _every(tests: Files) -> list[Ran]:
    return [ran for several in tests.values() for ran in several]


def _counted(tests: Sequence[Ran]) -> show.Styled:
    if not tests:
        return "there are no tests"
    failed = sum(bool(ran.outcome.failures) for ran in tests)
    seconds = f" in {sum(ran.seconds for ran in tests):.2f} s"
    if failed:
        return show.styled(f"{failed} failed, {len(tests) - failed} passed{seconds}", "bold red")
    return show.styled(f"{len(tests)} passed{seconds}", "green")


def _tell_failed(ran: Ran) -> None:
    """A test that failed: each moment with its place, and under it what differs and what decided."""
    show.line(show.styled("failed: ", "bold red"), show.styled(ran.outcome.test.name, "bold"))
    moments: dict[tuple[int, str], list[Failure]] = {}
    for one in ran.outcome.failures:
        moments.setdefault((one.line, one.moment), []).append(one)
    for (line, moment), failures in moments.items():
        show.line(f"  {ran.outcome.test.file}:{line}  at {moment}")
        rows = [(one.what, one.expected, one.came) for one in failures]
        show.table(("", "expected", "came"), rows, "", indent=4)
        show.line("    ", show.styled(failures[0].trace, "dim"))


def _tell_coverage(folder: str, each: Coverage) -> None:
    style = "green" if not each.unreached else "yellow"
    sentence = f"{each.percent:.1f} % of {folder} reached: {each.reached} of {each.branches} branches"
    show.line(show.styled(sentence, style))
    show.table(("place", "not reached"), [(f"{one.file}:{one.line}", _branch(one)) for one in each.unreached], "", 2)


def _branch(one: Place) -> str:
    branch = one.branch
    if not branch.rule:
        return f"row {branch.value}, column {branch.part.rpartition(' ')[2]}"
    if branch.part == "match":
        return f"{branch.rule}: no test matches it"
    return f"{branch.rule}: {branch.part} {branch.value}"

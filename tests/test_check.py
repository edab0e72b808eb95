"""Every message of `tocsin check`: one tiny folder in tests/rules/ for each mistake, and what is said about it."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from rich.cells import cell_len
from typer.testing import CliRunner

from house import Road, alert, opened
from tocsin import fleet, intake, rules
from tocsin.cli import app
from tocsin.cli.findings import excerpt
from tocsin.errors import Code
from tocsin.metrics import Metrics
from tocsin.reload import Places, Rulebooks
from tocsin.store import changes
from tocsin.workbench import lint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typer.testing import Result

HERE = Path(__file__).parent
CASES = HERE / "rules"
SOURCE = HERE.parent / "daemon" / "tocsin"
USUAL = CASES / "_usual"
"""Rules and fleet of a folder that has none of its own."""
NAMES = sorted(folder.name for folder in CASES.iterdir() if folder.is_dir() and folder != USUAL)
FINE, WRONG, SETTINGS = 0, 1, 2
DAY = timedelta(days=1)


class Case:
    """One folder of tests/rules/, laid out to be checked."""

    def __init__(self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(CASES / name, folder, ignore=shutil.ignore_patterns("expected.txt", "case.yaml"))
        for part in ("rules", "fleet"):
            if not (folder / part).exists():
                shutil.copytree(USUAL / part, folder / part)
        told = CASES / name / "case.yaml"
        self.more: dict[str, Any] = yaml.safe_load(told.read_text(encoding="utf-8")) if told.exists() else {}
        for place, target in self.more.get("links", {}).items():
            (folder / place).symlink_to(target)
        for place, size in self.more.get("sizes", {}).items():
            (folder / place).write_bytes(b"#" * size)
        for place in self.more.get("gone", ()):
            shutil.rmtree(folder / place)
        (folder / "tocsin.yaml").write_text(json.dumps(self._settings()), encoding="utf-8")
        for place, mode in self.more.get("modes", {}).items():
            (folder / place).chmod(mode)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("TERM", "dumb")

    def _settings(self) -> dict[str, Any]:
        usual = {"state": "var", "rules": {"path": "rules"}, "fleet": {"path": "fleet"}}
        return usual | self.more.get("settings", {})

    def check(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["check", "--config", "tocsin.yaml", *arguments])

    def live_for_long(self) -> None:
        """The service has had these rules for 40 days, and took these alerts, each so many days ago."""
        asyncio.run(_history(self.more["history"]))


async def _history(alerts: Sequence[dict[str, Any]]) -> None:
    now = datetime.now(UTC)
    rule_set, elements = rules.load(Path("rules")), fleet.load(Path("fleet"))
    async with opened(Path("var")) as store:
        live = changes.GoesLive(rules=rule_set, count=len(rule_set.rules), fleet=elements.hash, elements=len(elements))
        told = changes.Told(how=changes.How.START)
        await store.run(lambda tx: changes.go_live(tx, live, told, now - 40 * DAY))
        road = Road(store, lambda: now)  # type: ignore[arg-type]  # set below
        road.book = intake.Rulebook(rule_set, elements, 1)
        for said in alerts:
            road.clock = _At(now - said["days"] * DAY)
            await road.take(msgspec.convert(msgspec.to_builtins(alert()) | said["alert"], type=type(alert())))


class _At:
    """A clock that stands."""

    def __init__(self, now: datetime) -> None:
        self.now = now


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    return lambda name: Case(name, tmp_path / "case", monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_is_told_as_its_folder_says(name: str, laid_out: Any, pytestconfig: pytest.Config) -> None:
    case = laid_out(name)
    if "history" in case.more:
        case.live_for_long()
    result = case.check(*case.more.get("arguments", ()))
    golden = CASES / name / "expected.txt"
    if pytestconfig.getoption("update_goldens"):
        golden.write_text(result.stderr, encoding="utf-8")
    assert result.stderr == golden.read_text(encoding="utf-8")
    wanted = WRONG if re.search(r"^\S*(?: |)error: ", result.stderr, re.MULTILINE) else FINE
    assert result.exit_code == case.more.get("exit", wanted)


def expected() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(CASES.glob("*/expected.txt")))


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_folder(code: Code) -> None:
    assert f" [{code}]\n" in expected()


SPOKEN = {
    "RuleError",
    "Wrong",
    "problem",
    "refuse",
    "_refuse",
    "_problem",
    "_note",
    "_warn",
    "UnfitError",
    "ValueError",
}
"""What says a sentence about files: the first text it is given, or one that is called `sentence` before."""
ELSEWHERE = {
    "the fleet's {} glob aliases are too many to match: use exact aliases": "needs 256 MB of globs",
    "the text holds half of a surrogate pair: save it as UTF-8": "only an API can hand one in: tests/test_yaml12.py",
    "the file was changed while it was read: check again": "a matter of microseconds",
}


def sentences() -> Iterator[tuple[str, str]]:
    """Every sentence that the rooms of rules and fleet can say about a file, `{}` where a value stands."""
    files = [*SOURCE.glob("yaml12/*.py"), *SOURCE.glob("fleet/*.py"), *SOURCE.glob("workbench/lint/*.py")]
    files += [file for file in SOURCE.glob("rules/*.py") if file.name not in ("folder.py", "choices.py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for text in _texts(node):
                if " " in text:
                    yield file.name, text


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Assign) and any(
        isinstance(name, ast.Name) and name.id == "sentence" for name in node.targets
    ):
        yield from _pieces(node.value)
    if isinstance(node, ast.Call):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called in SPOKEN:
            yield from (text for argument in node.args[:3] for text in _pieces(argument))


def _pieces(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*_pieces(node.body), *_pieces(node.orelse))


def test_every_sentence_has_a_folder() -> None:
    told = expected()
    unseen = [
        (file, text)
        for file, text in sentences()
        if text not in ELSEWHERE and not re.search(".*?".join(map(re.escape, text.split("{}"))), told)
    ]
    assert unseen == []


def test_what_is_told_elsewhere_is_really_said() -> None:
    assert ELSEWHERE.keys() <= {text for _, text in sentences()}


# --- forms -----------------------------------------------------------------------------------------------------------


def test_github_is_told_in_commands_whose_texts_cannot_end_them(laid_out: Any) -> None:
    case = laid_out("colon-in-text")
    Path("rules/10-one.yaml").rename("rules/a,b: 100%.yaml")
    result = case.check("--format", "github")
    assert result.exit_code == WRONG
    assert result.stdout == (
        "::error file=rules/a%2Cb%3A 100%25.yaml,line=3,col=16,title=tocsin syntax::this is not valid YAML: a second key "
        "in one line, or a line that is indented too far (put a text that holds a colon in quotes; give all keys of a "
        "mapping the same indent)\n"
    )


def test_github_is_told_how_far_a_mistake_goes_and_what_is_only_a_warning(laid_out: Any) -> None:
    assert "::warning file=rules/10-one.yaml,line=6,col=9,endColumn=12,title=tocsin never-reached::" in (
        laid_out("never-reached").check("--format", "github").stdout
    )


def test_sarif_has_every_rule_and_the_place_of_every_finding(laid_out: Any) -> None:
    result = laid_out("several-mistakes").check("--format", "sarif")
    assert result.exit_code == WRONG
    log = json.loads(result.stdout)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "tocsin"
    assert [rule["id"] for rule in driver["rules"]] == list(Code)
    assert all(rule["shortDescription"]["text"].endswith(".") for rule in driver["rules"])
    assert len(run["results"]) == 4
    for found in run["results"]:
        assert found["level"] in ("none", "note", "warning", "error")
        assert found["message"]["text"]
        assert driver["rules"][found["ruleIndex"]]["id"] == found["ruleId"]
        (location,) = found["locations"]
        assert location["physicalLocation"]["artifactLocation"] == {"uri": "rules/10-one.yaml"}
    assert [found["locations"][0]["physicalLocation"]["region"] for found in run["results"]][:2] == [
        {"startLine": 2, "startColumn": 21, "endColumn": 27},
        {"startLine": 3, "startColumn": 47, "endColumn": 51},
    ]


def test_sarif_of_a_finding_without_a_place_has_no_location(laid_out: Any) -> None:
    log = json.loads(laid_out("secret-exposed").check("--format", "sarif").stdout)
    (found,) = log["runs"][0]["results"]
    assert (found["level"], "locations" in found) == ("warning", False)


@pytest.mark.parametrize("option", [("--json",), ("--format", "json")])
def test_json_has_code_and_place(laid_out: Any, option: tuple[str, ...]) -> None:
    told = json.loads(laid_out("unknown-key").check(*option).stdout)
    assert told["ok"] is False
    assert told["warnings"] == []
    assert told["problems"] == [
        {
            "code": "unknown-key",
            "severity": "error",
            "problem": 'unknown key "elemnt"',
            "file": "rules/10-one.yaml",
            "line": 4,
            "column": 5,
            "length": 6,
            "hint": 'did you mean "element"?',
        }
    ]


@pytest.mark.parametrize(("arguments", "code"), [((), FINE), (("--strict",), WRONG)])
def test_warnings_are_errors_only_where_that_is_wanted(laid_out: Any, arguments: tuple[str, ...], code: int) -> None:
    result = laid_out("rule-untested").check("--json", *arguments)
    assert result.exit_code == code
    assert json.loads(result.stdout)["ok"] is (code == FINE)


def test_what_cannot_be_told_is_told_only_to_who_asks(laid_out: Any) -> None:
    case = laid_out("reach-unknown")
    assert "note: " not in case.check().stderr
    assert "note: " in case.check("--strict").stderr


def test_files_outside_the_current_directory_have_their_whole_name(laid_out: Any, monkeypatch: Any) -> None:
    case = laid_out("unknown-key")
    rules_folder = Path.cwd() / "rules"
    monkeypatch.chdir(Path.cwd() / "fleet")
    result = CliRunner().invoke(app, ["check", "--config", "../tocsin.yaml"])
    assert result.stderr.startswith(f"{rules_folder}/10-one.yaml:4:5: error: ")
    assert case.more == {}


def test_a_set_without_mistakes_is_told_in_a_count(laid_out: Any) -> None:
    laid_out("secret-exposed")
    Path("admin.token").chmod(0o600)
    result = CliRunner().invoke(app, ["check", "--config", "tocsin.yaml", "--strict"])
    assert (result.exit_code, result.stderr) == (FINE, "")
    assert result.stdout.endswith("no errors, no warnings\n")


@pytest.mark.parametrize(
    ("line", "column", "length", "room", "shown", "marks"),
    [
        ("  abc: def", 3, 3, 80, "  abc: def", "  ^~~"),
        ("abc", 0, 0, 80, "abc", ""),
        ("abc", 4, 0, 80, "abc", "   ^"),
        ("abc", 9, 5, 80, "abc", "   ^"),
        ("\tabc", 2, 2, 80, "    abc", "    ^~"),
        ("日本: 語", 5, 1, 80, "日本: 語", "      ^~"),
        ("e\u0301t\u00e9: x", 4, 1, 80, "e\u0301t\u00e9: x", "  ^"),
        ("\x1b[31mred", 6, 3, 80, "\\x1b[31mred", "        ^~~"),
        ("x" * 100 + "HERE" + "y" * 100, 101, 4, 20, "…xxxxxxxxxHERE…", None),
        ("x" * 100, 1, 100, 20, "x" * 19 + "…", "^" + "~" * 19),
        ("", 1, 0, 80, "", "^"),
    ],
)
def test_the_marks_stand_under_what_is_meant(
    line: str, column: int, length: int, room: int, shown: str, marks: str | None
) -> None:
    there, under = excerpt(line, column, length, room)
    if marks is None:
        assert cell_len(there) <= room
        assert there[under.index("^") :].startswith("HERE")
    else:
        assert (there, under) == (shown, marks)


def test_a_line_of_megabytes_is_shown_in_no_time() -> None:
    there, under = excerpt("x" * 10_000_000, 5_000_000, 3, 100)
    assert cell_len(there) <= 100
    assert under.endswith("^~~")


# --- what was seen ---------------------------------------------------------------------------------------------------

LOAD = {"days": 3, "alert": {"check": "load", "fingerprint": "new"}}


@pytest.mark.parametrize(
    ("history", "arguments", "told"),
    [
        pytest.param([], (), True, id="nothing new"),
        pytest.param([LOAD], (), False, id="matched"),
        pytest.param([], ("--matched-within", "39d"), False, id="no alert is so old"),
        pytest.param([], ("--matched-within", "60d"), False, id="the rules are younger"),
        pytest.param([], ("--matched-within", "0s"), False, id="not wanted"),
        pytest.param([{"days": 3, "alert": {"check": "load", "fingerprint": "old"}}], (), False, id="repeated only"),
    ],
)
def test_a_rule_is_called_idle_only_when_it_is(
    laid_out: Any, history: list[dict[str, Any]], arguments: tuple[str, ...], *, told: bool
) -> None:
    case = laid_out("never-matched")
    case.more["history"] = [*case.more["history"], *history]
    case.live_for_long()
    result = case.check(*arguments)
    assert result.exit_code == FINE
    assert ("never-matched" in result.stderr) is told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("check: load}", "check: [load, cpu]}", False),
        ("id: two", "id: other", False),
        ("- id: two", "- id: two\n    title: Load is high", True),
    ],
)
def test_a_rule_that_asks_for_something_else_now_is_not_called_idle(
    laid_out: Any, before: str, after: str, *, told: bool
) -> None:
    case = laid_out("never-matched")
    case.live_for_long()
    file = Path("rules/10-one.yaml")
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    assert ("never-matched" in case.check().stderr) is told


def test_a_database_that_cannot_be_read_says_nothing_about_rules(laid_out: Any) -> None:
    case = laid_out("never-matched")
    Path("var").mkdir()
    Path("var/tocsin.db").write_bytes(b"no database")
    assert (case.check().exit_code, case.check().stderr) == (FINE, "")


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (
            "match: {check: a}, element: DF00WEB001, key: [check]",
            "match: {check: b}, element: DF00DB0001, key: [check]",
            False,
        ),
        (
            "match: {check: [a, b]}, element: DF00WEB001, key: [check]",
            "match: {check: {glob: 'b*'}, source: x}, element: DF00DB0001, key: [check]",
            True,
        ),
        (
            "match: {check: [a, b]}, element: DF00WEB001, key: [check]",
            "match: {check: {glob: 'c*'}, source: x}, element: DF00DB0001, key: [check]",
            False,
        ),
        (
            "match: {source: a}, element: DF00WEB001, key: [check]",
            "match: {source: b}, element: DF00WEB001, key: [check]",
            False,
        ),
        (
            "match: {source: a}, element: DF00WEB001, key: [check]",
            "match: {source: b}, element: DF00DB0001, key: [resource]",
            False,
        ),
        (
            "match: {source: a}, element: DF00WEB001, key: [rule, check]",
            "match: {source: b}, element: DF00DB0001, key: [rule, check]",
            False,
        ),
        (
            "match: {source: a}, element: DF00WEB001, key: [element, check]",
            "match: {source: b}, element: DF00DB0001, key: [element, check]",
            False,
        ),
        (
            "match: {source: a}, element: {lookup: '{{ resource }}'}, key: [check]",
            "match: {source: b}, action: record",
            True,
        ),
        (
            "match: {source: a}, element: {lookup: '{{ resource }}'}, key: [rule, check]",
            "match: {source: b}, action: record",
            True,
        ),
        (
            "match: {source: a}, element: {lookup: '{{ resource }}'}, key: [resource]",
            "match: {source: b}, action: record",
            False,
        ),
        (
            "match: {source: a}, element: {lookup: '{{ resource }}'}, key: [fingerprint]",
            "match: {source: b}, action: record",
            False,
        ),
        (
            "match: {resource: web1}, element: {lookup: '{{ resource }}'}, key: [check]",
            "match: {source: b}, action: record",
            False,
        ),
        ("match: {source: a}, element: {lookup: 'web1'}, key: [check]", "match: {source: b}, action: record", False),
    ],
)
def test_two_elements_share_a_key_only_where_they_can(one: str, other: str, *, told: bool) -> None:
    def rule(name: str, said: str) -> str:
        return f"  - {{id: {name}, {said}{'' if 'record' in said else ', impact: none'}}}\n"

    text = f"rules:\n{rule('one', one)}{rule('other', other)}fallback: {{action: record}}\n"
    rule_set = rules.build({"a.yaml": text})
    codes = [found.code for found in lint.look(rule_set, fleet.load(USUAL / "fleet"))]
    assert (Code.KEY_TWO_ELEMENTS in codes) is told


# --- reach -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later", "told"),
    [
        ("match: {}", "match: {source: a}", True),
        ("match: {}, where: url", "match: {source: a}", False),
        ("match: {severity: [critical, major]}", "match: {severity: major, check: x}", True),
        ("match: {severity: [critical, major]}", "match: {severity: [major, minor]}", False),
        ("match: {source: a, check: x}", "match: {source: a}", False),
        ("match: {resource: {glob: 'web*'}}", "match: {resource: web1}", True),
    ],
)
def test_a_rule_that_an_earlier_one_covers_is_told_once(earlier: str, later: str, *, told: bool) -> None:
    text = f"rules:\n - {{id: a, {earlier}, action: record}}\n - {{id: b, {later}, action: ignore}}\n"
    rule_set = rules.build({"a.yaml": f"{text}fallback: {{action: record}}\n"})
    about_b = [found.code for found in lint.look(rule_set, fleet.load(USUAL / "fleet")) if found.line == 3]
    assert about_b == [Code.NEVER_REACHED if told else Code.RULE_UNTESTED]


# --- what is live stays live -----------------------------------------------------------------------------------------

BAD = (
    "tab-in-indent",
    "duplicate-key",
    "alias-bomb",
    "rule-file-too-large",
    "regex-look-ahead",
    "template-that-never-ends",
    "unknown-key",
    "table-with-a-ragged-row",
    "table-with-a-wrong-heading",
    "rule-file-gone",
    "rule-file-not-utf8",
    "rules-folder-missing",
    "fleet-file-gone",
    "fleet-not-utf8",
    "fleet-folder-missing",
    "test-failed",
)


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_edit_leaves_the_last_good_set_live_and_says_why(name: str, laid_out: Any, tmp_path: Path) -> None:
    laid_out(name)
    wrong, live = tmp_path / "case", tmp_path / "live"
    live.mkdir()
    for part in ("rules", "fleet"):
        shutil.copytree(USUAL / part, live / part)
    places = Places(rules=live / "rules", fleet=live / "fleet", backends=frozenset())
    async with opened(tmp_path / "state") as store:
        books = Rulebooks(places, store, Metrics("0", "3"), lambda: datetime.now(UTC))
        await books.start()
        before = books.current()
        for part in ("rules", "fleet"):
            shutil.rmtree(live / part)
            if (wrong / part).exists():
                (wrong / part).rename(live / part)
        problem = await books.reload()
        assert (books.current().rule_set, books.current().fleet) == (before.rule_set, before.fleet)
        first = re.sub(
            r" \[[a-z-]+\]$", "", (CASES / name / "expected.txt").read_text(encoding="utf-8").splitlines()[0]
        )
        place, _, sentence = first.partition(": error: ")
        assert f"{live / place}: {sentence}" in problem

"""The verb `test` as people and build servers meet it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from tocsin.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

FINE, FAILED, MISUSED = 0, 1, 2

RULES = """\
rules:
  - id: disk
    match: {check: disk, severity: critical}
    element: {lookup: '{{ resource }}', missing: record}
    impact: {by: severity, critical: severe, else: degraded}
samples:
  full: {source: nagios, severity: critical, resource: web1, check: disk, summary: full}
tests:
  - name: a full disk is a ticket
    alerts: [{at: 0s, use: full}]
    expect: {at: 1m, tickets: 1, priority: P4}
"""
FALLBACK = """\
fallback: {action: record, reason: nobody asked for it}
tests:
  - name: anything else is none
    alerts: [{at: 0s, source: nagios, severity: minor, resource: web1, check: disk, summary: "\\x1b[31mred"}]
    expect: {at: 1m, tickets: 0}
"""
BROKEN = FALLBACK.replace("tickets: 0", "tickets: 1, because: somebody")
SETTINGS = {
    "state": "var",
    "rules": {"path": "rules"},
    "fleet": {"path": "fleet"},
    "sources": {},
    "desk": {"priority": {"severe": {"normal": "P4"}}},
}


class House:
    """Settings, rules and fleet in a folder, and the verb pointed at them."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "rules"
        self.settings = folder / "tocsin.yaml"
        for room in ("rules", "fleet"):
            (folder / room).mkdir()
        (folder / "fleet" / "elements.csv").write_text("reference,name,aliases\nDF1,Web server 1,web1\n")
        self.settings.write_text(json.dumps(SETTINGS))
        self.file("10-disk.yaml", RULES)
        self.file("90-fallback.yaml", FALLBACK)

    def file(self, name: str, text: str) -> Path:
        file = self.rules / name
        file.write_text(text)
        return file

    def test(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(app, ["--config", str(self.settings), "test", *map(str, arguments)])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_each_file_has_a_line_with_its_counts(house: House) -> None:
    told = house.test()
    assert told.exit_code == FINE
    first, second, _, last = told.stdout.splitlines()
    assert first.split()[:3] == [str(house.rules / "10-disk.yaml"), "1", "passed"]
    assert second.split()[:3] == [str(house.rules / "90-fallback.yaml"), "1", "passed"]
    assert last.startswith("2 passed in ")


def test_a_failure_has_its_place_what_came_and_what_decided(house: House) -> None:
    file = house.file("90-fallback.yaml", BROKEN)
    told = house.test()
    assert told.exit_code == FAILED
    lines = [line.strip() for line in told.stdout.splitlines()]
    assert "failed: anything else is none" in lines
    assert f"{file}:5  at 1m" in lines
    assert ["tickets", "1", "0"] in [line.split() for line in lines]
    near = f"no rule matched; the nearest is disk ({house.rules}/10-disk.yaml:2): severity: critical met 'minor'"
    assert near in lines
    assert lines[-1].startswith("1 failed, 1 passed in ")


def test_json_has_everything(house: House) -> None:
    file = house.file("90-fallback.yaml", BROKEN)
    told = house.test("--json", "--coverage")
    assert told.exit_code == FAILED
    data = json.loads(told.stdout)
    assert (data["ok"], data["tests"], data["failed"]) == (False, 2, 1)
    (fine,), (red,) = (each["tests"] for each in data["files"])
    assert (fine["name"], fine["line"], fine["ok"], fine["failures"]) == ("a full disk is a ticket", 9, True, [])
    assert [(one["what"], one["line"], one["at"], one["expected"], one["came"]) for one in red["failures"]] == [
        ("tickets", 5, "1m", "1", "0"),
        ("because", 5, "1m", "'somebody'", "nobody asked for it"),
    ]
    assert data["files"][1]["file"] == str(file)
    (covered,) = data["coverage"]
    assert (covered["folder"], covered["branches"], covered["reached"]) == (str(house.rules), 6, 4)
    assert covered["unreached"] == [
        {"file": f"{house.rules}/10-disk.yaml", "line": 2, "rule": "disk", "part": "element", "value": "missing"},
        {"file": f"{house.rules}/10-disk.yaml", "line": 2, "rule": "disk", "part": "impact", "value": "else"},
    ]


def test_junit_is_what_build_servers_read(house: House, tmp_path: Path) -> None:
    house.file("90-fallback.yaml", BROKEN.replace("anything else", "any & <else> \\u0001").replace("name: any", 'name: "any').replace("is none", 'is none"'))  # fmt: skip
    told = house.test("--junit", tmp_path / "tests.xml")
    assert told.exit_code == FAILED
    root = ET.parse(tmp_path / "tests.xml").getroot()  # noqa: S314 - our own
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "2", "1")
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [
        (f"{house.rules}/10-disk.yaml", "0"),
        (f"{house.rules}/90-fallback.yaml", "1"),
    ]
    case = root[1][0]
    assert case.get("name") == "any & <else> \ufffd is none"
    assert case.get("line") == "3"
    (failure,) = case
    assert failure.get("message") == "at 1m: tickets: expected 1, came 0 (and 1 more)"
    assert failure.text is not None
    assert "severity: critical met 'minor'" in failure.text


def test_a_file_that_cannot_be_written_is_told(house: House, tmp_path: Path) -> None:
    told = house.test("--junit", tmp_path / "nowhere" / "tests.xml")
    assert (told.exit_code, "cannot be written" in told.stderr) == (MISUSED, True)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], ["a full disk is a ticket", "anything else is none"]),
        (["."], ["a full disk is a ticket", "anything else is none"]),
        (["10-disk.yaml"], ["a full disk is a ticket"]),
        (["90-fallback.yaml", "10-disk.yaml"], ["a full disk is a ticket", "anything else is none"]),
        (["tables/x.csv"], ["a full disk is a ticket", "anything else is none"]),
        (["10-disk.yaml", "."], ["a full disk is a ticket", "anything else is none"]),
        (["--match", "FULL disk"], ["a full disk is a ticket"]),
    ],
)
def test_paths_and_match_choose_the_tests(house: House, paths: list[str], names: list[str]) -> None:
    given = [one if one.startswith("--") or " " in one else house.rules / one for one in paths]
    data = json.loads(house.test(*given, "--json").stdout)
    assert [test["name"] for file in data["files"] for test in file["tests"]] == names


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--match", "nothing like it"], FAILED, 'no test has "nothing like it" in its name'),
        (["nowhere"], MISUSED, "is no folder and no rule file"),
        (["rules/.hidden.yaml"], FAILED, "this is no rule file of its folder"),
    ],
)
def test_what_cannot_be_tested_is_told(house: House, arguments: list[str], code: int, problem: str) -> None:
    house.file(".hidden.yaml", "")
    told = house.test(*(str(house.rules.parent / one) if "/" in one else one for one in arguments))
    assert told.exit_code == code
    assert problem in " ".join(told.stderr.replace("│", " ").split())


def test_rules_that_do_not_load_are_told_with_their_place(house: House) -> None:
    file = house.file("10-disk.yaml", RULES.replace("use: full", "payload: {kind: nagios, body: '{'}"))
    told = house.test()
    assert told.exit_code == FAILED
    assert f"{file}:10:" in told.stderr
    assert "nagios cannot read this payload" in told.stderr


@pytest.mark.parametrize(("percent", "code"), [("60", FINE), ("100", FAILED)])
def test_too_little_coverage_fails(house: House, percent: str, code: int) -> None:
    told = house.test("--coverage-fail-under", percent)
    assert told.exit_code == code
    assert f"66.7 % of {house.rules} reached: 4 of 6 branches" in told.stdout
    assert "disk: impact else" in told.stdout


def test_coverage_of_a_file_is_that_of_its_own_rules_by_its_own_tests(house: House) -> None:
    data = json.loads(house.test(house.rules / "90-fallback.yaml", "--coverage", "--json").stdout)
    assert (data["coverage"][0]["branches"], data["coverage"][0]["reached"]) == (1, 1)


def test_many_tests_are_run_as_well(house: House) -> None:
    one = FALLBACK.partition("tests:\n")[2]
    house.file("90-fallback.yaml", FALLBACK + one * 250)
    assert house.test().stdout.splitlines()[-1].startswith("252 passed in ")


def test_rules_without_tests_say_so(house: House) -> None:
    for name, text in (("10-disk.yaml", RULES), ("90-fallback.yaml", FALLBACK)):
        house.file(name, text.partition("tests:")[0])
    told = house.test()
    assert (told.exit_code, told.stdout.strip()) == (FINE, "there are no tests")


def test_what_strangers_wrote_cannot_steer_the_terminal(house: House) -> None:
    house.file("90-fallback.yaml", BROKEN.replace("name: anything", 'name: "\\x1b[2Janything').replace("is none", 'is none"'))  # fmt: skip
    assert "\x1b" not in house.test().stdout

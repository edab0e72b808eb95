"""`tocsin replay` as it is typed, over a database with a history, and `tocsin try` with other rules."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

import histories
from house import T0, opened
from tocsin import rules
from tocsin.cli import app
from tocsin.store import keep

if TYPE_CHECKING:
    from pathlib import Path

FINE, OVER, SETTINGS_WRONG = 0, 1, 2
LATER = histories.RULES.replace("hold: 10m", "hold: 3h")
PERIOD = ("--since", "2026-09-30", "--until", "2026-11-23T08:00:00Z")


class House:
    """Settings, rules and fleet in a folder, and a database in which those rules are live and a month has passed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules("rules", histories.RULES)
        (folder / "fleet").mkdir()
        (folder / "fleet" / "elements.yaml").write_text(histories.FLEET, encoding="utf-8")
        settings = {"state": "var", "rules": {"path": "rules"}, "fleet": {"path": "fleet"}}
        (folder / "tocsin.yaml").write_text(json.dumps(settings), encoding="utf-8")
        asyncio.run(self._live())
        histories.fill(folder / "var", 600)

    def rules(self, name: str, text: str) -> str:
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "10-test.yaml").write_text(text, encoding="utf-8")
        return str(self.folder / name)

    def tocsin(self, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, ["--config", str(self.folder / "tocsin.yaml"), *arguments], input=stdin)

    def replay(self, *arguments: str) -> Result:
        return self.tocsin("replay", *PERIOD, *arguments)

    async def _live(self) -> None:
        (self.folder / "var").mkdir()
        async with opened(self.folder / "var") as store:
            live = rules.load(self.folder / "rules")
            await store.run(lambda tx: keep.keep_rule_set(tx, live, T0))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def printed(result: Result) -> Any:
    return json.loads(result.stdout)


def test_rules_that_are_live_already_change_nothing(house: House) -> None:
    result = house.replay()
    assert result.exit_code == FINE, result.stderr
    assert "600 alerts, 2026-09-30 00:00:00Z to 2026-11-23 08:00:00Z" in result.stdout
    assert "Both rule sets make the same tickets." in result.stdout


def test_files_that_are_not_live_yet_are_the_candidate(house: House) -> None:
    house.rules("rules", LATER)
    result = house.replay("--limit", "3")
    assert "later: declared later" in result.stdout
    assert "2 h 50 min later" in result.stdout
    assert "more (--limit, --json, --html)" in result.stdout


def test_another_folder_is_the_candidate_and_another_may_be_what_it_is_compared_with(house: House) -> None:
    other = house.rules("next", LATER)
    found = printed(house.replay("--rules", other, "--json"))["result"]
    turned = printed(house.replay("--against", other, "--json"))["result"]
    assert found["kinds"]["later"] == turned["kinds"]["earlier"] > 10
    assert found["candidate_rules"] == turned["live_rules"] == rules.load(house.folder / "next").hash


def test_another_fleet_may_be_the_candidates(house: House) -> None:
    (house.folder / "fewer").mkdir()
    (house.folder / "fewer" / "one.yaml").write_text("elements: [{reference: DF1, name: one}]", encoding="utf-8")
    found = printed(house.replay("--fleet", str(house.folder / "fewer"), "--json"))["result"]
    assert found["candidate"]["tickets"] < found["live"]["tickets"]


def test_a_period_before_everything_has_no_alerts(house: House) -> None:
    result = house.tocsin("replay", "--since", "2020-01-01", "--until", "2020-02-01")
    assert result.exit_code == FINE
    assert result.stdout.startswith("0 alerts")


def test_a_budget_that_is_exceeded_fails_and_says_by_how_much(house: House) -> None:
    other = house.rules("next", histories.RULES.replace("check: ping", "check: pong"))
    result = house.replay("--rules", other, "--fail-if", "tickets > +5%", "--fail-if", "tickets < -10%")
    assert result.exit_code == OVER
    assert "over budget: tickets < -10% (it is -" in result.stderr
    assert "+5%" not in result.stderr
    assert printed(house.replay("--rules", other, "--fail-if", "vanishes > 0", "--json"))["exceeded"] == [
        "vanishes > 0"
    ]


def test_a_report_is_written(house: House) -> None:
    file = house.folder / "report.html"
    result = house.replay("--rules", house.rules("next", LATER), "--html", str(file))
    assert result.exit_code == FINE
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--fail-if", "tickets"), SETTINGS_WRONG, "write one such as tickets > +5%"),
        (("--since", "yesterday"), SETTINGS_WRONG, "'yesterday' is no time"),
        (("--since", "99999999d"), SETTINGS_WRONG, "is no time"),
        (("--rules", "nowhere"), OVER, "the rules' folder cannot be read"),
        (("--html", "nowhere/report.html"), OVER, "the report cannot be written"),
        (("--history", "nowhere.jsonl"), OVER, "nowhere.jsonl"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    house: House, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    result = house.tocsin("replay", *arguments)
    assert result.exit_code == code
    assert sentence in " ".join(result.stderr.replace("│", " ").split())


def numberless(result: Any) -> Any:
    """All but how long it took, and the alerts' numbers: those are lines in an exported file."""
    return {**result, "seconds": 0, "differences": [{**one, "alert": 0} for one in result["differences"]]}


def test_a_history_that_was_exported_replays_as_the_database_does(house: House) -> None:
    file = str(house.folder / "history.jsonl.gz")
    assert house.tocsin("export", *PERIOD, file).exit_code == FINE
    other = house.rules("next", LATER)
    here = printed(house.replay("--rules", other, "--json"))["result"]
    there = printed(house.tocsin("replay", "--history", file, "--rules", other, "--json"))["result"]
    assert numberless(there) == numberless(here)
    assert here["kinds"]["later"] > 10


def test_try_asks_the_rules_of_another_folder(house: House) -> None:
    alert = {"status": "firing", "severity": "critical", "resource": "host1", "check": "load", "summary": "high"}
    other = house.rules(
        "next", "rules: [{id: load, match: {check: load}, element: DF1, impact: severe}]\nfallback: {action: record}"
    )
    said = [
        printed(house.tocsin("try", "-", "--json", *more, stdin=json.dumps(alert)))[0]["decision"]["rule"]
        for more in ((), ("--rules", other))
    ]
    assert said == ["fallback", "load"]

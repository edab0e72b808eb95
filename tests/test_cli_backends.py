"""What people ask about ticket systems on the command line: which there are, whether one can be told, whether all agree."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from commands import FINE, SETTINGS, SILENT, WRONG, House, printed
from tocsin.backends import kinds
from tocsin.cli import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAKES = Path(__file__).parent / "fakes"


class Redmine:
    """A fake Redmine in a process of its own, and a house that tells it."""

    def __init__(self, folder: Path, said: dict[str, Any], stop: Callable[[], object]) -> None:
        self.url = said["url"]
        self.stop = stop
        self.key = folder / "redmine-key"
        options = {**said["options"], "key_file": str(self.key)}
        redmine = {"kind": "redmine", "poll": "0s", "options": options}
        self.house = House(
            folder / "house", default_backend="redmine", backends={"redmine": redmine, "desk": {"kind": "desk"}}
        )

    def person(self, number: str, **does: str) -> None:
        asking.post(f"{self.url}/-/person/{number}", does, {})

    def mended(self) -> bool:
        """Whether it is mended now: what was told seconds ago is not judged yet."""
        said = self.house.tocsin("reconcile", "--fix", "--json", "--backend", "redmine")
        (report,) = json.loads(said.stdout)
        (one,) = report["differences"]
        assert one["kind"] == "closed_there"
        assert (said.exit_code == FINE) == one["mended"]
        return bool(one["mended"])

    def fires(self) -> None:
        alert = {"fingerprint": "f", "severity": "critical", "resource": "web1", "check": "disk", "summary": "full"}
        answer = asking.post(f"http://127.0.0.1:{self.house.port}/hooks/generic", alert, {})
        assert answer.status == 202, answer


@pytest.fixture
def redmine(tmp_path: Path) -> Iterator[Redmine]:
    command = [sys.executable, str(FAKES), "redmine", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Redmine(
                tmp_path, json.loads(process.stdout.readline()), lambda: (process.terminate(), process.wait())
            )
        finally:
            process.terminate()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_every_kind_is_listed_with_what_it_cannot(tmp_path: Path) -> None:
    house = House(tmp_path)
    listed = printed(house.tocsin("backend", "kinds", "--json"))
    assert [one["kind"] for one in listed] == list(kinds())
    assert all(one["title"] and one["proven"] for one in listed)
    assert "webhook" in house.tocsin("backend", "kinds").stdout


@pytest.mark.parametrize("kind", list(kinds()))
def test_what_is_to_be_pasted_is_printed(tmp_path: Path, kind: str) -> None:
    said = House(tmp_path).tocsin("backend", "snippet", kind)
    assert said.exit_code == FINE
    assert kind in {one["kind"] for one in yaml.safe_load(said.stdout)["backends"].values()}


@pytest.mark.parametrize("verb", ["snippet", "check"])
def test_what_is_not_known_is_told_with_the_nearest(tmp_path: Path, verb: str) -> None:
    said = House(tmp_path).tocsin("backend", verb, "desc")
    assert said.exit_code == SETTINGS
    assert "desk" in said.stderr


def test_a_check_asks_the_ticket_system(redmine: Redmine) -> None:
    found = printed(redmine.house.tocsin("backend", "check", "redmine", "--json"))
    assert {one["level"] for one in found} == {"fine"}
    assert "works as 'tocsin'" in redmine.house.tocsin("backend", "check", "redmine").stdout


def test_a_check_that_finds_something_wrong_says_what_and_fails(redmine: Redmine) -> None:
    redmine.key.write_text("another key")
    said = redmine.house.tocsin("backend", "check", "redmine")
    assert said.exit_code == WRONG
    assert "401" in said.stdout
    assert "another key" not in said.stdout


def test_an_embedded_backend_has_nothing_to_check(redmine: Redmine) -> None:
    assert "part of tocsin" in redmine.house.tocsin("backend", "check", "desk").stdout


@pytest.mark.parametrize("option", ["--actor", "--reason"])
@pytest.mark.parametrize(
    "verb",
    [
        ("backend", "resume", "redmine"),
        ("deliveries", "resend", "1"),
        ("deliveries", "drop", "1"),
        ("deliveries", "edit", "1", "--set", "impact=none"),
    ],
)
def test_who_wants_something_and_why_is_never_left_empty(tmp_path: Path, verb: tuple[str, ...], option: str) -> None:
    said = {"--actor": "night", "--reason": "new token", option: " "}
    refused = House(tmp_path).tocsin(*verb, *(word for pair in said.items() for word in pair))
    assert refused.exit_code == SETTINGS
    assert "is empty" in refused.stderr


def test_dead_deliveries_of_a_backend_that_is_not_there_are_not_none(redmine: Redmine) -> None:
    all_dead = ("deliveries", "drop", "--all-dead", "--actor", "night", "--reason", "told by phone", "--backend")
    with redmine.house.serving():
        said = redmine.house.tocsin(*all_dead, "redmnie")
        assert said.exit_code == SETTINGS
        assert 'no backend is called "redmnie"; did you mean "redmine"?' in said.stderr
        assert redmine.house.tocsin(*all_dead, "redmine").exit_code == FINE


def test_a_ticket_system_that_cannot_be_asked_does_not_agree(redmine: Redmine) -> None:
    with redmine.house.serving():
        redmine.fires()
        _until(lambda: [one["number"] for one in printed(redmine.house.tocsin("tickets", "--json"))] == ["1"])
        redmine.stop()
        said = redmine.house.tocsin("reconcile")
    assert said.exit_code == WRONG
    assert "all agree" not in said.stdout
    assert "backend redmine could not be asked to the end" in said.stdout


SWAGGER = Path(__file__).parent / "backends" / "orange" / "swagger.json"


def test_an_imported_mapping_is_printed_and_what_it_lacks_is_told_beside_it(tmp_path: Path) -> None:
    said = House(tmp_path).tocsin("backend", "import", str(SWAGGER))
    assert said.exit_code == WRONG, "the API requires what nothing fills"
    assert "error: create: a new incident must have region" in said.stderr
    assert yaml.safe_load(said.stdout)["operations"]["list"]["path"] == "/incidents"


@pytest.mark.parametrize(
    ("text", "words"), [("swagger: 2.0", "is not JSON"), ('{"openapi": "3.0.1"}', "not a Swagger 2.0 file")]
)
def test_what_is_no_swagger_file_is_said_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "incident.json"
    path.write_text(text)
    said = House(tmp_path / "house").tocsin("backend", "import", str(path))
    assert said.exit_code == WRONG
    assert said.stderr.startswith(f"{path}: ")
    assert words in said.stderr


def test_agreement_is_asked_of_the_service(redmine: Redmine) -> None:
    assert redmine.house.tocsin("reconcile").exit_code == SILENT
    with redmine.house.serving():
        redmine.fires()
        _until(lambda: [one["number"] for one in printed(redmine.house.tocsin("tickets", "--json"))] == ["1"])
        assert "all agree: 1 tickets were compared" in redmine.house.tocsin("reconcile").stdout
        redmine.person("1", status="closed")
        said = redmine.house.tocsin("reconcile")
        assert said.exit_code == WRONG
        assert "closed_there" in said.stdout
        _until(redmine.mended)
        assert redmine.house.tocsin("reconcile").exit_code == FINE
        unknown = redmine.house.tocsin("reconcile", "--backend", "desk")
        assert unknown.exit_code == WRONG
        assert "is not compared; these are: redmine" in unknown.stderr


def test_a_platform_that_cannot_be_asked_does_not_agree(tmp_path: Path) -> None:
    poll = {"url": "http://127.0.0.1:1", "every": "1h"}
    house = House(tmp_path, sources={"am": {"kind": "alertmanager", "poll": poll}})
    with house.serving():
        said = house.tocsin("reconcile")
        assert said.exit_code == WRONG
        assert "no differences so far: 0 alerts were compared" in said.stdout
        assert "source am could not be asked to the end" in said.stdout
        unknown = house.tocsin("reconcile", "--source", "zabbix")
        assert unknown.exit_code == WRONG
        assert "source 'zabbix' is not compared; these are: am" in unknown.stderr


def test_where_there_is_nobody_to_compare_with_that_is_said(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.serving():
        said = house.tocsin("reconcile")
        assert said.exit_code == FINE
        assert said.stdout.startswith("nothing is compared: ")
        alone = house.tocsin("reconcile", "--all-gone")
        assert alone.exit_code == SETTINGS
        assert "--all-gone says what --fix shall believe" in alone.stderr

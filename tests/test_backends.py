"""The kinds of backend: what each says of itself, what it refuses, and its goldens, deliveries and the requests they become.

A folder `backends/KIND/` holds `contract.yaml` for the contract, and `CASE.yaml` with `CASE.expected.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

import manual
from deliveries import CONTRACTED, SAMPLES, SNAPSHOT, contract, delivery, hand_over, outside, scripted
from kit import REMOTE
from tocsin.backends import Kind, build, kinds, open_session
from tocsin.errors import SettingsError
from tocsin.model import Delivery, Snapshot
from tocsin.settings.tree import Settings

SNIPPETS = Path(__file__).parents[1] / "config" / "backends"
ALL = pytest.mark.parametrize("kind", REMOTE, ids=lambda kind: kind.name)
KINDS = pytest.mark.parametrize("kind", CONTRACTED, ids=lambda kind: kind.name)
GOLDENS = sorted(path for path in SAMPLES.glob("*/*.yaml") if path.stem != "contract")


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_a_kind_says_what_it_is_and_what_it_is_proven_against(kind: Kind) -> None:
    assert 3 < len(kind.title) < 80, f"the first docstring line of {kind.name} is its title"
    assert kind.status, f"the docstring of {kind.name} needs a line `STATUS: proven against …`"


@ALL
def test_the_options_of_a_kind_are_strict_and_say_what_they_mean(kind: Kind) -> None:
    assert kind.options is not None
    assert kind.options.model_config.get("extra") == "forbid"
    assert all(field.description for field in kind.options.model_fields.values())


def test_the_manual_says_what_the_kinds_say(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--update-goldens"):
        manual.write()
    assert manual.written() == manual.made(), "run `make goldens`, then read the difference in backends/README.md"


@ALL
def test_every_kind_has_settings_to_paste_that_can_be_used(kind: Kind) -> None:
    path = SNIPPETS / f"{kind.name}.yaml"
    assert path.exists(), f"kind {kind.name} needs config/backends/{path.name}: what an operator pastes"
    given = Settings.model_validate(yaml.safe_load(path.read_text("utf-8")))
    (one,) = [backend for backend in given.backends.values() if backend.kind == kind.name]
    assert kind.options is not None
    kind.options.model_validate(one.options)
    assert path.read_text("utf-8").startswith("#"), "it begins by saying what to prepare in the ticket system"


def told_in(path: Path) -> tuple[dict[str, Any], Delivery]:
    case = yaml.safe_load(path.read_text("utf-8"))
    body = msgspec.convert({**msgspec.to_builtins(SNAPSHOT), **case["delivery"].pop("body")}, type=Snapshot)
    told = msgspec.convert({**msgspec.to_builtins(delivery()), **case["delivery"]}, type=Delivery)
    return case["options"], replace(told, body=body)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_delivery_becomes_exactly_this_request(path: Path, request: pytest.FixtureRequest) -> None:
    kind = kinds()[path.parent.name]
    options, told = told_in(path)
    async with scripted(kind, contract(kind)["created"], **options) as (server, backend):
        await hand_over(backend, told)
    (asked,) = server.asked
    asked["body"] = json.loads(asked["body"])
    expected = path.with_name(f"{path.stem}.expected.json")
    if request.config.getoption("--update-goldens"):
        assert told.body.reference in json.dumps(asked), "a request that cannot be found again"
        expected.write_text(json.dumps(asked, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert asked == json.loads(expected.read_text("utf-8")), "make goldens writes it anew; read the difference"


def test_every_webhook_golden_has_its_request() -> None:
    assert {path.name for path in GOLDENS} == {"template.yaml"}


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("webhok", {}, "did you mean 'webhook'?"),
        ("zzz", {}, "is not known; there is: "),
        ("desk", {}, "is embedded"),
        ("webhook", {"ulr": "x"}, "option 'ulr' is not known to kind webhook; did you mean 'url'?"),
        ("webhook", {"zzz": "x"}, "option 'zzz' is not known to kind webhook; known are: url, "),
        ("webhook", {}, "option 'url': Field required"),
    ],
)
async def test_what_cannot_be_built_is_refused_with_a_sentence(kind: str, options: dict[str, Any], words: str) -> None:
    async with open_session() as session:
        with pytest.raises(SettingsError) as caught:
            build(kind, "portal", options, outside(session))
    assert str(caught.value).startswith("backend portal: ")
    assert words in str(caught.value)

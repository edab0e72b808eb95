"""What the documents say is what there is, both ways."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tocsin import fleet, settings
from tocsin.model import Criticality, Impact
from tocsin.settings.known import settings as all_settings

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
VERBS = ("setup", "run", "demo", "test", "check", "bench", "crash", "goldens", "rules")


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables under a heading of config/README.md, without the heading row."""
    text = (CONFIG / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    under = next(part for part in section if part.startswith(f"{heading}\n"))
    table = [line.strip("|").split("|") for line in under.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in cells] for cells in table]


def code(cell: str) -> str:
    return cell.strip("`")


DOCUMENTED = {
    code(cells[0]): cells[1:]
    for heading in ("Service", "Intake", "Sources", "Backends", "Desk and retention")
    for cells in rows(heading)
    if len(cells) == 4
}


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    assert sorted(DOCUMENTED) == sorted(key for key, _ in all_settings())


@pytest.mark.parametrize(("key", "default"), list(all_settings()))
def test_the_documented_default_is_the_default(key: str, default: str) -> None:
    documented = DOCUMENTED[key][1]
    assert documented == {"": "—", "table": "table below"}.get(default, f"`{default}`")


@pytest.mark.parametrize(
    "key", [key for key in DOCUMENTED if "NAME" not in key and "[]" not in key and key != "default_backend"]
)
def test_the_documented_example_is_accepted(key: str, tmp_path: Path) -> None:
    *outer, last = key.split(".")
    text = f"{''.join(f'{part}: {{' for part in outer)}{last}: {code(DOCUMENTED[key][2])}{'}' * len(outer)}"
    (tmp_path / "tocsin.yaml").write_text(text, encoding="utf-8")
    settings.load(tmp_path / "tocsin.yaml", {})


def test_the_examples_differ_from_the_defaults() -> None:
    assert [key for key, (_, default, example) in DOCUMENTED.items() if default == example] == []


def test_the_documented_priorities_are_the_default_ones() -> None:
    table = settings.Settings().desk.priority
    documented = {code(cells[0]): cells[1:] for cells in rows("Desk and retention") if len(cells) == 5}
    assert documented == {impact: [table[impact][criticality] for criticality in Criticality] for impact in Impact}


def test_every_field_of_the_fleet_is_documented() -> None:
    assert [code(cells[0]) for cells in rows("Fleet")] == list(fleet.FIELDS)


def test_the_shipped_settings_say_what_their_comments_promise() -> None:
    """Every `auth:` in a comment is one that would be accepted."""
    text = (CONFIG / "tocsin.yaml").read_text(encoding="utf-8")
    shown = re.findall(r"#\s+(auth: \{.*?\}\})", text)
    assert len(shown) >= 4
    for one in shown:
        settings.Auth.model_validate(yaml.safe_load(one)["auth"])


def test_bare_make_lists_every_verb() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    told = subprocess.run([make, "--no-print-directory", "-C", str(ROOT)], capture_output=True, text=True, check=True)
    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", told.stdout)] == []


def test_every_metric_is_documented_and_no_ghosts() -> None:
    from tocsin.metrics import GAUGES, Metrics  # noqa: PLC0415

    metrics = Metrics("0", "3")
    metrics.listen(dict)
    metrics.watch(lambda: dict.fromkeys(GAUGES, 0.0), lambda: {"open": 0})
    metrics.tell(dict, ("closed",))
    suffix = {"counter": "_total", "info": "_info"}
    served = {family.name + suffix.get(family.type, "") for family in metrics.registry.collect()}
    told = set(re.findall(r"`(tocsin_\w+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert served == told


def test_every_outcome_is_a_bounded_label() -> None:
    from tocsin import intake  # noqa: PLC0415

    text = (ROOT / "daemon" / "tocsin" / "intake.py").read_text(encoding="utf-8")
    assert set(re.findall(r'outcome="(\w+)"', text)) <= set(intake.OUTCOMES)


def test_every_key_of_a_redaction_is_documented() -> None:
    from tocsin.workbench import redaction  # noqa: PLC0415

    documented = [code(cells[0]) for cells in rows("Exports")]
    models = (redaction.Redaction, redaction.Redact)
    assert sorted(documented) == sorted(name for model in models for name in model.model_fields)

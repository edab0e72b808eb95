"""What operators paste on a platform's side: there for every kind, accepted by what reads it, and free of secrets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin import yaml12
from tocsin.settings import Settings
from tocsin.sources import kinds
from tocsin.sourcing import configured

FOLDER = Path(__file__).parents[1] / "config" / "sources"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
SHELLS = {"sh": "sh", "bash": "bash", "dash": "sh"}


class Tagged(yaml.SafeLoader):
    """YAML whose own tags (CloudFormation's `!Ref`) say nothing here."""


Tagged.add_multi_constructor("!", lambda loader, suffix, node: f"{suffix} {node.value}")  # noqa: ARG005


def named(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def interpreter(path: Path) -> str:
    """The last word of its first line, where that names one: `sh`, `python3`."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#!").split("/")[-1].split()[-1] if first.startswith("#!") else ""


def of(*endings: str) -> list[Path]:
    return [path for path in FILES if path.suffix in endings]


def test_every_kind_has_something_to_paste_and_nothing_is_for_no_kind() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(kinds())


@pytest.mark.parametrize("kind", kinds())
def test_the_entry_of_the_settings_is_accepted(kind: str) -> None:
    told: Any = yaml12.read((FOLDER / kind / "tocsin.yaml").read_bytes(), "tocsin.yaml")[0]
    settings = Settings.model_validate(told)
    assert settings.sources
    assert {source.kind for source in settings.sources.values()} == {kind}
    assert [source.kind.name for source in configured(settings, lambda _: b"t0ken")] == [kind] * len(settings.sources)


@pytest.mark.parametrize("path", of(".yaml", ".yml"), ids=named)
def test_yaml_is_yaml(path: Path) -> None:
    assert list(yaml.load_all(path.read_text(encoding="utf-8"), Tagged)) != [None]


@pytest.mark.parametrize("path", of(".json"), ids=named)
def test_json_is_json_once_its_placeholders_are_filled(path: Path) -> None:
    text = re.sub(r"(?<![\"\w{])(\{[A-Za-z]\w*\}|\$[A-Z_]+)(?![\"\w}])", "0", path.read_text(encoding="utf-8"))
    if "{{#" not in text:
        json.loads(text)


@pytest.mark.parametrize("path", [path for path in FILES if interpreter(path) in SHELLS], ids=named)
def test_shell_scripts_are_read_by_their_shell(path: Path) -> None:
    subprocess.run([SHELLS[interpreter(path)], "-n", str(path)], check=True)


@pytest.mark.parametrize("path", [path for path in FILES if interpreter(path).startswith("python")], ids=named)
def test_python_scripts_are_python(path: Path) -> None:
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


@pytest.mark.parametrize("path", of(".js"), ids=named)
def test_scripts_of_media_types_are_javascript(path: Path, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    function = tmp_path / "function.js"  # a media type's script is the body of a function
    function.write_text(f"(function (value) {{\n{path.read_text(encoding='utf-8')}\n}})", encoding="utf-8")
    subprocess.run([node, "--check", str(function)], check=True)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_file_holds_an_address_of_a_real_host_or_a_secret(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.strip()
    for host in re.findall(r"https?://([a-z0-9.-]+\.[a-z]{2,})", text.lower()):
        assert host.endswith(("example.net", "example.com", "example.org")) or not re.search(
            rf"{re.escape(host)}\S*hooks/", text
        ), host
    assert not re.search(r"(?i)(bearer|genie ?key|token)\W+[0-9a-f]{16,}", text)

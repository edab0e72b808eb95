"""What no file of the repository may hold."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

INDEX_HOSTS = [  # in two parts, or this file would hold them
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "yarnpkg" + ".com",
    "debian" + ".org/debian",
    "deb." + "debian.org",
    "security." + "debian.org",
    "proxy." + "golang.org",
    "static." + "crates.io",
]
BUILD_PATHS = re.compile(r"(?<![\w./-])/(?:work" + r"|root|home/\w+|builds?" + r"|Users/\w+)/")
SKIPPED = {".git", ".venv", "var", "dist", "node_modules", "__pycache__"}


def files() -> list[Path]:
    """The tracked files, and those about to be; without git, all but what builds leave behind."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        every = (file for file in ROOT.rglob("*") if not SKIPPED & set(file.relative_to(ROOT).parts))
        return sorted(file for file in every if file.is_file() and not any("cache" in part for part in file.parts))
    return sorted(ROOT / name for name in listed if name and (ROOT / name).is_file())


def lines() -> list[tuple[str, str]]:
    """Every line of every text file, with its place."""
    return [
        (f"{file.relative_to(ROOT)}:{number}", line)
        for file in files()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
    ]


def test_there_are_files_to_look_at() -> None:
    assert ROOT / "pyproject.toml" in files()


def test_no_file_names_a_package_index() -> None:
    assert [place for place, line in lines() if any(host in line.lower() for host in INDEX_HOSTS)] == []


def test_no_file_holds_a_path_of_the_machine_it_was_made_on() -> None:
    assert [place for place, line in lines() if BUILD_PATHS.search(line)] == []


def test_no_lock_file_with_addresses_is_kept() -> None:
    assert {file.name for file in files()} & {"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"} == set()


def requirements() -> list[str]:
    """The entries of the lock file, each in one line."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_every_locked_package_has_one_version_and_its_hashes() -> None:
    assert requirements()
    wanted = re.compile(r"[\w.-]+(?:\[[\w,-]+\])?==\S+( ;[^;]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [line[:60] for line in requirements() if not wanted.fullmatch(line)] == []


def test_the_lock_file_names_no_address() -> None:
    assert "http" not in (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("aiohttp", "")


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = {canonical(line) for line in requirements()}
    assert {canonical(name) for name in declared} - locked == set()


def canonical(requirement: str) -> str:
    """The normalised name that a requirement starts with (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()

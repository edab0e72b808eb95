"""What comes with the program beside its code: snippets to paste on a platform's side, and samples of what it sends.

In a checkout they are where people edit them (`config/sources`, `tests/sources`); an installed program carries copies.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import tocsin
from tocsin.sources import GUESSED

_PACKAGE = Path(tocsin.__file__).resolve().parent
_ROOT = _PACKAGE.parents[1]

CASES = ("problem", "problem-again", "problem-over")
"""One problem told, told again, and over."""


class Sample(NamedTuple):
    """One message as a platform sends it."""

    case: str
    body: bytes
    head: str
    """Request line and headers; empty when they say nothing."""
    media_type: str


def snippets(kind: str) -> list[Path]:
    """The files to paste on the platform's side, in the order of their names."""
    folder = _folder("config", "snippets") / kind
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def backend_snippet(kind: str) -> str:
    """Settings to paste for a kind of backend, with what to prepare in the ticket system; empty when there are none."""
    there = _ROOT / "config" / "backends"
    folder = there if there.is_dir() else _PACKAGE / "shipped" / "backends"
    path = folder / f"{kind}.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def samples(kind: str) -> list[Sample]:
    """The messages of one problem, in order."""
    folder = _folder("tests", "samples") / kind
    return [sample for case in CASES if (sample := _sample(folder, case))]


def _sample(folder: Path, case: str) -> Sample | None:
    for ending in (".json", *GUESSED):
        path = folder / f"{case}{ending}"
        if path.is_file():
            head = path.with_suffix(".head")
            told = head.read_text(encoding="utf-8") if head.is_file() else ""
            return Sample(case, path.read_bytes(), told, GUESSED.get(ending, "application/json"))
    return None


def _folder(where: str, copied: str) -> Path:
    there = _ROOT / where / "sources"
    return there if there.is_dir() else _PACKAGE / "shipped" / copied

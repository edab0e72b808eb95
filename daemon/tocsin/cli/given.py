"""What verbs are given: the options that several of them share, and the settings.

Knows where the settings file is looked for; what is in it is the business of `settings`.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tocsin import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.settings import Settings

SETTINGS_FILE = "The settings; config/tocsin.yaml unless given, else /etc/tocsin/tocsin.yaml."
"""What `--config` says of itself."""
SYSTEM = Path("/etc/tocsin/tocsin.yaml")
"""The settings file of a system that has tocsin installed."""


class Language(StrEnum):
    """The languages of labels, names and notes."""

    EN = "en"
    FR = "fr"


SERVICE, FILES, THERE, UPKEEP = "The service", "Rules and files", "What there is", "Upkeep"
"""The groups of verbs in the help."""

SettingsFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help=SETTINGS_FILE, show_default=False)]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
Lang = Annotated[Language, typer.Option("--lang", help="Language of what is shown.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]


class Given(NamedTuple):
    """The settings, where they came from, and what reads the secrets they name."""

    file: Path
    settings: Settings
    read_secret: Callable[[str], bytes]

    @property
    def desk(self) -> str:
        """Name of the backend that is the desk; empty when there is none."""
        return next((name for name, backend in self.settings.backends.items() if backend.kind == "desk"), "")


def given(ctx: typer.Context, config: Path | None) -> Given:
    """Read the settings that the command names after its verb, before it, or not at all.

    Raises:
        SettingsError: Every problem of the settings.
    """
    file = settings_file(config or ctx.obj)
    return Given(file, settings.load(file, os.environ), settings.secret_reader(file, os.environ))


def worded(value: str) -> str:
    """An option that says something to people; typer's check of it."""
    if not value.strip():
        raise typer.BadParameter("is empty; it is kept, so that others know")
    return value


def settings_file(named: Path | None) -> Path:
    """Return the settings file: the one that is named, the checkout's, or the system's."""
    if named:
        return named
    return SYSTEM if SYSTEM.exists() and not settings.DEFAULT.exists() else settings.DEFAULT

"""What verbs are given: the options that several of them share, and the settings.

Knows where the settings file is looked for; what is in it is the business of `settings`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from tocsin import settings
from tocsin.settings import Settings

_HELP = "The settings file; config/tocsin.yaml unless given, or /etc/tocsin/tocsin.yaml where that is missing."
SYSTEM = Path("/etc/tocsin/tocsin.yaml")
"""The settings file of a system that has tocsin installed."""


class Language(StrEnum):
    """The languages of labels, names and notes."""

    EN = "en"
    FR = "fr"


SettingsFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help=_HELP, show_default=False)]
SettingsFileOrVariable = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", envvar="TOCSIN_CONFIG", help=_HELP, show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lang = Annotated[Language, typer.Option("--lang", help="Language of labels, names and notes.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many to print, the newest first.")]


class Given(NamedTuple):
    """The settings, where they came from, and what reads the secrets they name."""

    file: Path
    settings: Settings
    read_secret: Callable[[str], bytes]


def given(ctx: typer.Context, config: Path | None) -> Given:
    """Read the settings that the command names after its verb, before it, or not at all.

    Raises:
        SettingsError: Every problem of the settings.
    """
    file = settings_file(config or ctx.obj)
    return Given(file, settings.load(file, os.environ), settings.secret_reader(file, os.environ))


def settings_file(named: Path | None) -> Path:
    """Return the settings file: the one that is named, the checkout's, or the system's."""
    if named:
        return named
    return SYSTEM if SYSTEM.exists() and not settings.DEFAULT.exists() else settings.DEFAULT

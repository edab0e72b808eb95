"""The command line: a module for each group of verbs, loaded only when one of its verbs is asked for.

Knows the verbs' names, and how an error becomes a sentence and an exit code. A module of verbs imports what its verbs
need, so that `serve` carries nothing but the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tocsin.cli.asking import SilentError
from tocsin.cli.given import SETTINGS_FILE
from tocsin.errors import SettingsError, TocsinError

__all__ = ["app", "main"]

_MODULES = {
    "serve": "running",
    "reload": "checking",
    "redecide": "unmapped",
    "check": "checking",
    "test": "testing",
    "try": "trying",
    "rules": "ruling",
    "replay": "replaying",
    "unmapped": "unmapped",
    "source": "sources",
    "schema": "reading",
    "alerts": "explaining",
    "explain": "explaining",
    "incidents": "listing",
    "tickets": "tickets",
    "deliveries": "deliveries",
    "backend": "backends",
    "reconcile": "reconciling",
    "demo": "demo",
    "backup": "keeping",
    "restore": "keeping",
    "export": "exporting",
    "version": "keeping",
}
"""Each verb and the module that has it, in the order of the help."""

_USUAL, _SETTINGS, _SILENT = 1, 2, 3
"""Exit codes beside 0; the help of the program says what they mean."""


class _Commands(Mapping[str, Any]):
    """The verbs as commands, each made when it is asked for."""

    def __getitem__(self, verb: str) -> Any:
        return _commands(_MODULES[verb])[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


@cache
def _commands(module: str) -> Mapping[str, Any]:
    """The commands that a module's `app` has, by name."""
    return typer.main.get_group(import_module(f"{__name__}.{module}").app).commands


class _Verbs(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is ever added to it

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; an error of ours is told on standard error, without a traceback."""
        try:
            return super().invoke(ctx)
        except TocsinError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(_exit_code(error)) from None


def _exit_code(error: TocsinError) -> int:
    if isinstance(error, SilentError):
        return _SILENT
    return _SETTINGS if isinstance(error, SettingsError) else _USUAL


_SettingsFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", envvar="TOCSIN_CONFIG", help=SETTINGS_FILE, show_default=False),
]

app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tocsin --config config/tocsin.yaml check",
)


@app.callback()
def tocsin(ctx: typer.Context, config: _SettingsFile = None) -> None:
    """From a supervision alert to exactly one incident ticket.

    Exit codes:
    0  all is well
    1  something is wrong with what was asked
    2  something is wrong with the settings, or with how the command is written
    3  the service does not answer
    """
    ctx.obj = config


def main() -> None:
    """Run the command line of this process; ends it with an exit code."""
    app(prog_name="tocsin")

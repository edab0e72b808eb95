"""The verbs about the database as a whole, and what it was made by: `backup`, `restore`, `version`.

Knows progress and questions; how a database is copied is the business of `store.backup`.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from tocsin import __version__
from tocsin.cli import show
from tocsin.cli.given import UPKEEP, Json, SettingsFile, given
from tocsin.store import backup as backups
from tocsin.store.sqlite import SQLITE_VERSION
from tocsin.units import size_text

app = typer.Typer()

_NewFile = Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; must not exist.")]
_Backup = Annotated[Path, typer.Argument(metavar="FILE", help="A file that `tocsin backup` wrote.")]


@app.command(rich_help_panel=UPKEEP, epilog="Example: tocsin backup /var/backups/tocsin-2026-11-23.db")
def backup(
    ctx: typer.Context,
    file: _NewFile,
    config: SettingsFile = None,
    *,
    json: Json = False,
) -> None:
    """Copy the database into one file, also while the service runs."""
    state = given(ctx, config).settings.state
    to = show.console(err=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=to, transient=True, disable=not to.is_terminal) as progress:
        task = progress.add_task("backup", total=None)
        size = backups.backup(
            state, file, lambda left, total: progress.update(task, total=total, completed=total - left)
        )
    if json:
        show.data({"file": str(file), "bytes": size})
    else:
        show.line(f"{file}: {size_text(size)}, whole and checked")


@app.command(rich_help_panel=UPKEEP, epilog="Example: tocsin restore /var/backups/tocsin-2026-11-23.db --yes")
def restore(
    ctx: typer.Context,
    file: _Backup,
    config: SettingsFile = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Put a backup in the place of the database.

    The service must be stopped. The former database is moved aside, never deleted.
    """
    state = given(ctx, config).settings.state
    if not yes:
        typer.confirm(f"Put {file} in the place of the database in {state}?", abort=True, err=True)
    aside = backups.restore(file, state, datetime.now(UTC))
    if json:
        show.data({"state": str(state), "aside": str(aside) if aside else None})
        return
    was = f"; the former database is {aside}" if aside else ""
    show.line(f"{state}: restored{was}")


@app.command(rich_help_panel=UPKEEP, epilog="Example: tocsin version")
def version(*, json: Json = False) -> None:
    """Print the versions of tocsin, Python and SQLite."""
    versions = {"tocsin": __version__, "python": platform.python_version(), "sqlite": SQLITE_VERSION}
    if json:
        show.data(versions)
    else:
        show.facts(versions.items())

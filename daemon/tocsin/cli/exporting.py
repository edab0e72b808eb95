"""The verb `export`: stored alerts as a file that `tocsin replay --history` reads, without what must not be told.

Knows where the redaction file is and how progress is shown; what is written is the business of the workbench.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tocsin import __version__
from tocsin.cli import show
from tocsin.cli.given import UPKEEP, Json, SettingsFile, given
from tocsin.cli.moments import Since, Until, moment
from tocsin.errors import SettingsError
from tocsin.store.history import history
from tocsin.units import size_text
from tocsin.workbench import exporting, redaction

if TYPE_CHECKING:
    from tocsin.store.history import History, Span

app = typer.Typer()

_REDACTION = "redaction.yaml"

_File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Where to write it, such as history.jsonl.gz; compressed if it ends in .gz."),
]
_Redact = Annotated[
    Path | None,
    typer.Option(
        "--redact",
        metavar="FILE",
        help="What is not told; redaction.yaml beside the settings unless given, if there is one.",
        show_default=False,
    ),
]


@app.command(rich_help_panel=UPKEEP, epilog="Example: tocsin export --since 30d history.jsonl.gz")
def export(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    file: _File,
    config: SettingsFile = None,
    *,
    since: Since = "30d",
    until: Until = "0s",
    redact: _Redact = None,
    json: Json = False,
) -> None:
    """Write the stored alerts of a period to a file, for `tocsin replay --history`.

    Passwords, tokens and e-mail addresses are taken out, and what a redaction file names.
    """
    of, now = given(ctx, config), datetime.now(UTC)
    beside = of.file.absolute().parent / _REDACTION
    rules = redact or (beside if beside.exists() else None)
    redactor = redaction.Redactor(_redaction(rules), secrets.token_bytes(32))
    with history(of.settings.state) as past:
        written = _write(file, past, past.span(moment(since, now), moment(until, now)), redactor)
    if json:
        show.data({"file": str(file), "redaction": str(rules) if rules else None, "written": written})
        return
    people = f", {written.people:,} by people" if written.people else ""
    show.line(f"{file}: {written.alerts:,} alerts with {written.texts:,} texts{people}, {size_text(written.bytes)}")


def _redaction(file: Path | None) -> redaction.Redaction:
    if file is None:
        return redaction.Redaction()
    try:
        return redaction.read(file.read_bytes(), str(file))
    except OSError as error:
        raise SettingsError(f"{file}: the redaction cannot be read: {error.strerror}") from None


def _write(file: Path, past: History, span: Span, redactor: redaction.Redactor) -> exporting.Written:
    """Write the file, with a progress bar on a terminal."""
    head = exporting.Head(since=span.since, until=span.until, tocsin=__version__, redacted=True)
    to = show.console(err=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=to, transient=True, disable=not to.is_terminal) as progress:
        task = progress.add_task("export", total=2 * span.rows)
        return exporting.write_history(
            file, head, lambda: past.events(span), redactor, lambda behind: progress.update(task, completed=behind)
        )

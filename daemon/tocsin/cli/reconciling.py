"""The verb `reconcile`: whether the store and the ticket systems agree, asked of the running service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli import asking, show
from tocsin.cli.given import THERE, Json, SettingsFile, given

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer()

_Backend = Annotated[str, typer.Option("--backend", metavar="NAME", help="Only this one.")]
_Fix = Annotated[
    bool, typer.Option("--fix", help="Do what the settings say about each difference.", show_default=False)
]

_AllGone = Annotated[
    bool,
    typer.Option("--all-gone", help="With --fix: however many tickets are gone, make them again.", show_default=False),
]

_COLUMNS = ("backend", "difference", "reference", "ticket", "what", "done")


@app.command(
    rich_help_panel=THERE,
    epilog="Examples: tocsin reconcile, tocsin reconcile --fix --backend itsm, tocsin reconcile --json",
)
def reconcile(
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    fix: _Fix = False,
    all_gone: _AllGone = False,
    backend: _Backend = "",
    json: Json = False,
) -> None:
    """Compare the store with the ticket systems, and name each difference.

    Changes nothing unless --fix is given. Exit code 1 when differences are left, or a system could not be asked.
    """
    reports = list(
        _reports(asking.lines(given(ctx, config), "reconcile", {"fix": fix, "all_gone": all_gone, "backend": backend}))
    )
    if json:
        show.data(reports)
    else:
        rows = [_row(report["backend"], one) for report in reports for one in report["differences"]]
        compared = f"{sum(report['asked'] for report in reports)} tickets were compared"
        asked_all = not any(report["problem"] for report in reports)
        show.table(_COLUMNS, rows, f"all agree: {compared}" if asked_all else f"no differences so far: {compared}")
        for report in reports:
            if report["problem"]:
                show.line(f"backend {report['backend']} could not be asked to the end: {report['problem']}")
    left = [one for report in reports for one in report["differences"] if not one["mended"]]
    if left or any(report["problem"] for report in reports):
        raise typer.Exit(1)


def _reports(lines: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The reports among the lines; how far it is meanwhile is shown on a terminal."""
    with show.waiting() as waits:
        for line in lines:
            if "error" in line:
                raise asking.RefusedError(str(line["error"]))
            if "differences" in line:
                yield line
            else:
                waits(f"{line['backend']}: {line['asked']} of {line['of']} tickets")


def _row(backend: str, one: dict[str, Any]) -> tuple[str, ...]:
    done = "mended" if one["mended"] else f"left ({one['policy']} with --fix)" if one["policy"] != "report" else "left"
    return (backend, one["kind"], one["incident"], one["number"], one["told"], done)

"""The verb `reconcile`: whether platforms, store and ticket systems agree, asked of the running service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli import asking, show
from tocsin.cli.given import THERE, Json, SettingsFile, given
from tocsin.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer()

_Backend = Annotated[str, typer.Option("--backend", metavar="NAME", help="Only this ticket system.")]
_Source = Annotated[str, typer.Option("--source", metavar="NAME", help="Only this platform.")]
_Fix = Annotated[
    bool,
    typer.Option("--fix", metavar="", help="Do what the settings say about each difference.", show_default=False),
]

_AllGone = Annotated[
    bool,
    typer.Option(
        "--all-gone", metavar="", help="With --fix: however many tickets are gone, make them again.", show_default=False
    ),
]

_SOURCE_COLUMNS = ("source", "difference", "reference", "fingerprint", "what", "done")
_COLUMNS = ("backend", "difference", "reference", "ticket", "what", "done")


@app.command(
    rich_help_panel=THERE,
    epilog="Examples: tocsin reconcile, tocsin reconcile --fix --backend itsm, tocsin reconcile --json",
)
def reconcile(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    fix: _Fix = False,
    all_gone: _AllGone = False,
    backend: _Backend = "",
    source: _Source = "",
    json: Json = False,
) -> None:
    """Compare the store with the platforms that can be asked and with the ticket systems, and name each difference.

    Changes nothing unless --fix is given. Exit code 1 when differences are left, or somebody could not be asked.
    """
    if all_gone and not fix:
        raise SettingsError("--all-gone says what --fix shall believe: give both")
    wanted = {"fix": fix, "all_gone": all_gone, "backend": backend, "source": source}
    reports = list(_reports(asking.lines(given(ctx, config), "reconcile", wanted)))
    if json:
        show.data(reports)
    else:
        _show([report for report in reports if "source" in report], [one for one in reports if "backend" in one])
    left = [one for report in reports for one in report["differences"] if not one["mended"]]
    if left or any(report["problem"] for report in reports):
        raise typer.Exit(1)


def _show(sources: list[dict[str, Any]], backends: list[dict[str, Any]]) -> None:
    """What fires first, then the tickets; an empty table says how many were compared."""
    if not sources and not backends:
        show.line("nothing is compared: no ticket system is told over the network, and no source is asked (`poll`)")
    for reports, columns, row, what in (
        (sources, _SOURCE_COLUMNS, _source_row, "alerts"),
        (backends, _COLUMNS, _row, "tickets"),
    ):
        if not reports:
            continue
        rows = [row(report, one) for report in reports for one in report["differences"]]
        asked_all = not any(report["problem"] for report in reports)
        compared = f"{sum(report['asked'] for report in reports)} {what} were compared"
        show.table(columns, rows, f"all agree: {compared}" if asked_all else f"no differences so far: {compared}")
        for report in reports:
            if report["problem"]:
                name = f"source {report['source']}" if "source" in report else f"backend {report['backend']}"
                show.line(f"{name} could not be asked to the end: {report['problem']}")


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


def _row(report: dict[str, Any], one: dict[str, Any]) -> tuple[str, ...]:
    done = "mended" if one["mended"] else f"left ({one['policy']} with --fix)" if one["policy"] != "report" else "left"
    return (report["backend"], one["kind"], one["incident"], one["number"], one["told"], done)


def _source_row(report: dict[str, Any], one: dict[str, Any]) -> tuple[str, ...]:
    done = "taken in" if one["mended"] else "left"
    return (report["source"], one["kind"], one["incident"], one["fingerprint"], one["told"], done)

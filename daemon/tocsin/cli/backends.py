"""The verb `backend`: how each ticket system fares, and trying one again at once, both asked of the running service.

What asks no service is in `kinds`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tocsin.cli import asking, kinds, show
from tocsin.cli.given import THERE, Json, SettingsFile, given, worded

app = typer.Typer()
backend = typer.Typer(no_args_is_help=True)
app.add_typer(
    backend,
    name="backend",
    rich_help_panel=THERE,
    help="Ticket systems: which kinds there are, whether one can be told, how each fares.",
    epilog="Examples: tocsin backend check itsm, tocsin backend list, tocsin backend resume itsm --actor night --reason 'new token'",
)

_COLUMNS = ("backend", "state", "since", "tried at", "under way", "unsent", "dead", "oldest", "reason")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a backend.")]
_Actor = Annotated[str, typer.Option(metavar="NAME", callback=worded, help="Who wants it, for the log.")]
_Reason = Annotated[str, typer.Option(metavar="TEXT", callback=worded, help="Why, for the log.")]


@backend.command("list", epilog="Example: tocsin backend list --json")
def list_backends(ctx: typer.Context, config: SettingsFile = None, *, json: Json = False) -> None:
    """List the ticket systems that are told over the network, and how each fares.

    closed: all is well. open: left alone for a while. half-open: one delivery finds out whether it is back.
    stopped: its configuration must be corrected.
    """
    found = asking.looked_up(given(ctx, config), "backends")["backends"]
    if json:
        show.data(found)
    else:
        show.table(_COLUMNS, map(_row, found), "no backend is told over the network")


@backend.command(epilog="Example: tocsin backend resume itsm --actor night --reason 'new token'")
def resume(
    ctx: typer.Context,
    name: _Name,
    config: SettingsFile = None,
    *,
    actor: _Actor,
    reason: _Reason,
    json: Json = False,
) -> None:
    """Have the running service try a backend at once that is stopped or left alone.

    One delivery tries; when it is taken, the others follow.
    """
    asked = {"actor": actor, "reason": reason}
    answer = asking.admin(given(ctx, config), f"backends/{quote(name, safe='')}/resume", asked)
    if json:
        show.data(answer)
    else:
        show.line(f"backend {name} is tried at once")


backend.command("kinds", epilog="Example: tocsin backend kinds")(kinds.kinds)
backend.command("snippet", epilog="Example: tocsin backend snippet servicenow")(kinds.snippet)
backend.command("check", epilog="Example: tocsin backend check itsm")(kinds.check)
backend.command("subscribe", epilog="Example: tocsin backend subscribe crm")(kinds.subscribe)
backend.command("import", epilog="Example: tocsin backend import incident-swagger.json > orange.yaml")(kinds.import_)


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    counts = (str(line[name]) for name in ("under_way", "unsent", "dead"))
    since, until, oldest = (_moment(line[name]) for name in ("since", "until", "oldest_at"))
    return (line["backend"], line["state"].replace("_", "-"), since, until, *counts, oldest, line["reason"])


def _moment(text: str | None) -> str:
    return show.moment(datetime.fromisoformat(text)) if text else ""

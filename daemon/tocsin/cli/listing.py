"""The verbs that list what happens: `incidents`, and `deliveries` with sending a dead one again.

Listings read the database beside the service, running or not; what changes something is asked of the service.
"""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli import asking, show, words
from tocsin.cli.given import THERE, Json, Lang, Language, Limit, SettingsFile, given
from tocsin.model import DeliveryState, State
from tocsin.store.listing import DeliveryLine, IncidentLine, listing

app = typer.Typer()
deliveries = typer.Typer(invoke_without_command=True)
app.add_typer(
    deliveries,
    name="deliveries",
    rich_help_panel=THERE,
    epilog="Examples: tocsin deliveries --state dead, tocsin deliveries resend 7",
)

_State = Annotated[State | None, typer.Option(help="Only those in this state.")]
_DeliveryState = Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")]

_INCIDENTS = ("reference", "state", "element", "impact", "alerts", "ticket", "rule", "last seen", "due")
_DELIVERIES = ("id", "state", "action", "backend", "incident", "ticket", "attempts", "due", "reason")


@app.command(rich_help_panel=THERE, epilog="Example: tocsin incidents --state held")
def incidents(
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    state: _State = None,
    limit: Limit = 50,
    lang: Lang = Language.EN,
    json: Json = False,
) -> None:
    """List the incidents, the newest first."""
    with listing(given(ctx, config).settings.state) as there:
        found = there.incidents(state or "", limit)
    if json:
        show.data(found)
    else:
        headings = [words.heading(word, lang) for word in _INCIDENTS]
        show.table(headings, (_incident(line, lang) for line in found), "no incidents")


def _incident(line: IncidentLine, lang: Language) -> tuple[str, ...]:
    flags = [words.heading(word, lang) for word in ("flapping", "touched") if getattr(line, word)]
    return (
        line.id,
        ", ".join([words.state(line.state, lang), *flags]),
        line.element,
        words.impact(line.impact, lang),
        str(line.alerts),
        line.ticket,
        line.rule,
        show.moment(line.last_seen_at),
        show.moment(line.due_at),
    )


@deliveries.callback()
def list_deliveries(
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    state: _DeliveryState = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List what ticket systems are told, or resend it.

    The newest first.
    """
    ctx.obj = config or ctx.obj
    if ctx.invoked_subcommand:
        return
    with listing(given(ctx, config).settings.state) as there:
        found = there.deliveries(state or "", limit)
    if json:
        show.data(found)
    else:
        show.table(_DELIVERIES, map(_delivery, found), "no deliveries")


def _delivery(line: DeliveryLine) -> tuple[str, ...]:
    due = "" if line.settled_at else show.moment(line.due_at)
    words = (line.state, line.action, line.backend, line.incident, line.ticket)
    return (str(line.id), *words, str(line.attempts), due, line.reason)


@deliveries.command(epilog="Example: tocsin deliveries resend 7")
def resend(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="Id of a dead delivery.")],
    config: SettingsFile = None,
    *,
    json: Json = False,
) -> None:
    """Have the running service try a dead delivery again."""
    answer = asking.admin(given(ctx, config), f"deliveries/{number}/resend")
    if json:
        show.data({"id": number, **answer})
    else:
        show.line(f"delivery {number} is due again")

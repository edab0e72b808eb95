"""The verb that lists incidents; it reads the database beside the service, running or not."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli import show, words
from tocsin.cli.given import THERE, Json, Lang, Language, Limit, SettingsFile, given
from tocsin.model import State
from tocsin.store.listing import IncidentLine, listing

app = typer.Typer()

_State = Annotated[State | None, typer.Option(help="Only those in this state.")]

_INCIDENTS = ("reference", "state", "element", "impact", "alerts", "ticket", "rule", "last seen", "due")


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
        words.number(line.ticket, lang, pending=line.number_pending),
        line.rule,
        show.moment(line.last_seen_at),
        show.moment(line.due_at),
    )

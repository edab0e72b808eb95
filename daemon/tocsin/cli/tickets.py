"""The verb `tickets`: all of them, one of them with its notes, and working on one of the desk.

Reads the database beside the service; what a person does to a ticket is asked of the service.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from tocsin.cli import asking, show, words
from tocsin.cli.given import THERE, Given, Json, Lang, Language, Limit, SettingsFile, given
from tocsin.errors import StoreError
from tocsin.model import TicketStatus
from tocsin.store.listing import NoteLine, TicketLine, listing

app = typer.Typer()


class _Tickets(TyperGroup):
    """A word that is none of its verbs is the number of a ticket to show."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Take `tickets NUMBER` for `tickets show NUMBER`."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["show", *args])


tickets = typer.Typer(cls=_Tickets, invoke_without_command=True, subcommand_metavar="[NUMBER | COMMAND]")
app.add_typer(
    tickets,
    name="tickets",
    rich_help_panel=THERE,
    epilog="Examples: tocsin tickets --status declared, tocsin tickets 2611N00001",
)

_COLUMNS = ("number", "status", "name", "element", "impact", "priority", "declarant", "reference")

_Status = Annotated[TicketStatus | None, typer.Option(help="Only those with this status.")]
_NewStatus = Annotated[TicketStatus | None, typer.Option(help="Its new status.")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Number of the ticket, such as 2611N00001.")]


@tickets.callback()
def list_tickets(
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    status: _Status = None,
    limit: Limit = 50,
    lang: Lang = Language.EN,
    json: Json = False,
) -> None:
    """List the tickets, show one, or work on it.

    The newest first. With a number: that ticket with its notes.
    """
    ctx.obj = config or ctx.obj
    if ctx.invoked_subcommand:
        return
    of = given(ctx, config)
    with listing(of.settings.state) as there:
        found = there.tickets(status or "", limit, of.desk)
    if json:
        show.data(found)
    else:
        headings = [words.heading(word, lang) for word in _COLUMNS]
        show.table(headings, (_row(line, lang) for line in found), "no tickets")


@tickets.command("show", epilog="Example: tocsin tickets show 2611N00001 --lang fr")
def show_one(
    ctx: typer.Context, number: Number, config: SettingsFile = None, *, lang: Lang = Language.EN, json: Json = False
) -> None:
    """Show one ticket with its notes; so does `tickets NUMBER`."""
    line, notes = ticket(given(ctx, config), number)
    around = ctx.parent.params if ctx.parent else {}
    if json or around.get("json"):
        show.data(as_data(line, notes))
    else:
        show_ticket(line, notes, lang if lang != Language.EN else around.get("lang", lang))


@tickets.command(epilog='Example: tocsin tickets work 2611N00001 --actor "Night shift" --status in_progress')
def work(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    number: Number,
    config: SettingsFile = None,
    *,
    actor: Annotated[str, typer.Option(help="Who works on it: it is assigned to them.")],
    status: _NewStatus = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note to add.")] = "",
    json: Json = False,
) -> None:
    """Take a ticket of the desk, change its status, write on it.

    tocsin then leaves closing it to people.
    """
    asked = {"actor": actor, "status": status, "note": note}
    answer = asking.admin(given(ctx, config), f"tickets/{quote(number, safe='')}", asked)
    if json:
        show.data(answer)
    else:
        show.line(f"{number}: {words.status(answer['status'], Language.EN)}")


def ticket(of: Given, number: str) -> tuple[TicketLine, list[NoteLine]]:
    """The ticket of this number, and its notes. Raises StoreError when there is none."""
    with listing(of.settings.state) as there:
        line = there.ticket(number, of.desk)
        if line is None:
            raise StoreError(f"there is no ticket {number}; `tocsin tickets` lists them")
        return line, there.notes(number)


def as_data(line: TicketLine, notes: list[NoteLine]) -> dict[str, Any]:
    """A ticket for programs."""
    return {**{field: getattr(line, field) for field in line.__struct_fields__}, "notes": notes}


def show_ticket(line: TicketLine, notes: list[NoteLine], lang: Language) -> None:
    """Print the whole ticket for people."""
    cells = dict(zip(_COLUMNS, _row(line, lang), strict=True))
    more = {"backend": line.backend, "alerts": str(line.alerts), "address": line.url, "updated": show.moment(line.at)}
    facts = [(words.heading(name, lang), value) for name, value in {**cells, **more}.items()]
    informed = [(words.heading("informed", lang), words.informed(one, lang)) for one in line.informed]
    show.facts([*facts, *informed])
    if notes:
        show.line()
        told = [(show.moment(note.at), note.actor, words.text(note.text, lang)) for note in notes]
        show.table([words.heading(word, lang) for word in ("at", "actor", "note")], told, "")


def _row(line: TicketLine, lang: Language) -> tuple[str, ...]:
    return (
        words.number(line.number, lang, pending=True),
        words.status(line.status, lang),
        words.text(line.name, lang),
        line.element,
        words.impact(line.impact, lang),
        line.priority,
        line.declarant,
        line.reference,
    )

"""The verb `deliveries`: what ticket systems are told, why something waits, and what becomes of what is dead.

Reads the database beside the service; what changes something is asked of the service, which keeps who wanted it and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli import asking, show, words
from tocsin.cli.given import THERE, Given, Json, Lang, Language, Limit, SettingsFile, given, worded
from tocsin.cli.waiting import why
from tocsin.errors import SettingsError, StoreError
from tocsin.model import DeliveryState
from tocsin.store.listing import DeliveryWhole, OutgoingLine, listing
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

app = typer.Typer()
deliveries = typer.Typer(invoke_without_command=True)
app.add_typer(
    deliveries,
    name="deliveries",
    rich_help_panel=THERE,
    epilog="Examples: tocsin deliveries --state dead, tocsin deliveries show 7",
)

_COLUMNS = ("id", "state", "action", "backend", "incident", "ticket", "attempts", "due", "reason")
_FAILED = 1

_State = Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")]
_Backend = Annotated[str, typer.Option(metavar="NAME", help="Only those to this backend.", show_default=False)]
_One = Annotated[int, typer.Argument(metavar="ID", min=1, help="Id of a delivery.")]
_Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", min=1, help="Ids of dead deliveries.")]
_AllDead = Annotated[bool, typer.Option("--all-dead", metavar="", help="All dead ones of `--backend`.")]
_OfBackend = Annotated[str, typer.Option("--backend", metavar="NAME", help="With `--all-dead`.", show_default=False)]
_Actor = Annotated[str, typer.Option(metavar="NAME", callback=worded, help="Who wants it, for the incident's history.")]
_Reason = Annotated[str, typer.Option(metavar="TEXT", callback=worded, help="Why, for the incident's history.")]
_Set = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="What to change, such as `name.en=…`; `@FILE` takes the text of a file."
    ),
]


@deliveries.callback()
def list_deliveries(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    state: _State = None,
    backend: _Backend = "",
    limit: Limit = 50,
    lang: Lang = Language.EN,
    json: Json = False,
) -> None:
    """List what ticket systems are told; send dead ones again, drop or edit them.

    The newest first.
    """
    ctx.obj = config or ctx.obj
    if ctx.invoked_subcommand:
        return
    with listing(given(ctx, config).settings.state) as there:
        found = there.deliveries(state or "", backend, limit)
    if json:
        show.data(found)
    else:
        show.table(
            [words.heading(word, lang) for word in _COLUMNS], (_row(one, lang) for one in found), "no deliveries"
        )


@deliveries.command("show", epilog="Example: tocsin deliveries show 7 --lang fr")
def show_one(
    ctx: typer.Context, number: _One, config: SettingsFile = None, *, lang: Lang = Language.EN, json: Json = False
) -> None:
    """Show one delivery with all that it tells, and why it waits."""
    of = given(ctx, config)
    with listing(of.settings.state) as there:
        whole = there.delivery(number)
    if whole is None:
        raise StoreError(f"there is no delivery {number}; `tocsin deliveries` lists them")
    waits = why(of, whole)
    if json:
        show.data({**{field: getattr(whole, field) for field in whole.__struct_fields__}, "why": waits})
    else:
        _show(whole, waits, lang)


@deliveries.command(epilog='Example: tocsin deliveries resend 7 --actor "Night shift" --reason "queue made"')
def resend(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    ids: _Ids = None,
    config: SettingsFile = None,
    *,
    all_dead: _AllDead = False,
    backend: _OfBackend = "",
    actor: _Actor,
    reason: _Reason,
    json: Json = False,
) -> None:
    """Have the running service try dead deliveries again."""
    of = given(ctx, config)
    asked = {"actor": actor, "reason": reason}
    _each(of, "resend", _chosen(of, ids, backend, all_dead=all_dead), asked, _resent, json=json)


@deliveries.command(epilog='Example: tocsin deliveries drop 7 --actor "Night shift" --reason "told by phone"')
def drop(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    ids: _Ids = None,
    config: SettingsFile = None,
    *,
    all_dead: _AllDead = False,
    backend: _OfBackend = "",
    actor: _Actor,
    reason: _Reason,
    json: Json = False,
) -> None:
    """Give dead deliveries up for good.

    With one that opens a ticket goes everything that waits for it.
    """
    of = given(ctx, config)
    asked = {"actor": actor, "reason": reason}
    _each(of, "drop", _chosen(of, ids, backend, all_dead=all_dead), asked, _dropped, json=json)


@deliveries.command(
    epilog='Example: tocsin deliveries edit 7 --set impact=degraded --actor "Night shift" --reason "field is too short"'
)
def edit(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    ids: _Ids = None,
    config: SettingsFile = None,
    *,
    set_: _Set,
    all_dead: _AllDead = False,
    backend: _OfBackend = "",
    actor: _Actor,
    reason: _Reason,
    json: Json = False,
) -> None:
    """Change what dead deliveries say; then resend them.

    Fields: name.en, description.fr, impact, status, element.name …; `backend` sends one that opens a ticket elsewhere.
    """
    of = given(ctx, config)
    asked = {"actor": actor, "reason": reason, "changes": dict(map(_change, set_))}
    _each(of, "edit", _chosen(of, ids, backend, all_dead=all_dead), asked, _edited, json=json)


def _chosen(of: Given, ids: list[int] | None, backend: str, *, all_dead: bool) -> list[int]:
    if all_dead == bool(ids):
        raise typer.BadParameter("name the ids of dead deliveries, or give --all-dead with --backend")
    if not all_dead:
        return list(dict.fromkeys(ids or ()))
    if not backend:
        raise typer.BadParameter("--all-dead goes with --backend: name the backend whose dead deliveries are meant")
    with listing(of.settings.state) as there:
        dead = there.dead(backend)
    if not dead and backend not in of.settings.backends:
        hint = nearest(backend, of.settings.backends) or f"there are {', '.join(of.settings.backends)}"
        raise SettingsError(f'no backend is called "{backend}"; {hint}')
    return dead


def _change(given: str) -> tuple[str, str]:
    field, there, value = given.partition("=")
    if not there:
        raise typer.BadParameter(f"--set {given}: write FIELD=VALUE")
    if not value.startswith("@"):
        return field, value
    try:
        return field, Path(value[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise typer.BadParameter(f"--set {field}: {value[1:]} cannot be read as UTF-8 text: {why}") from None


def _each(
    of: Given,
    what: str,
    ids: list[int],
    asked: dict[str, Any],
    told: Callable[[dict[str, Any]], str],
    *,
    json: bool,
) -> None:
    """Ask it about each; what is refused is told and does not keep the others from being done."""
    answers = [_ask(of, f"deliveries/{number}/{what}", number, asked) for number in ids]
    refused = [answer for answer in answers if "error" in answer]
    if json:
        show.data(answers)
    elif not answers:
        show.line("no dead deliveries")
    for answer in answers:
        if "error" in answer:
            show.line(answer["error"], err=True)
        elif not json:
            show.line(told(answer))
    if refused:
        raise typer.Exit(_FAILED)


def _ask(of: Given, path: str, number: int, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"id": number, **asking.admin(of, path, asked)}
    except asking.RefusedError as error:
        return {"id": number, "error": str(error)}


def _resent(answer: dict[str, Any]) -> str:
    if answer["status"] != "due":
        return f"delivery {answer['id']} is {answer['status']}"
    how = " as a note, since newer facts were told meanwhile" if answer.get("as_note") else ""
    return f"delivery {answer['id']} is due again{how}"


def _dropped(answer: dict[str, Any]) -> str:
    others = ", ".join(str(number) for number in answer["dropped"] if number != answer["id"])
    return f"delivery {answer['id']} is dropped" + (f", and with it {others}" if others else "")


def _edited(answer: dict[str, Any]) -> str:
    if answer["status"] != DeliveryState.DEAD:
        return f"delivery {answer['id']} is {answer['status']} to {answer['backend']}"
    return f"delivery {answer['id']} is edited; `tocsin deliveries resend {answer['id']}` sends it"


def _row(line: OutgoingLine, lang: Language) -> tuple[str, ...]:
    number = words.number(line.ticket, lang, pending=line.number_pending)
    due = "" if line.settled_at else show.moment(line.due_at)
    facts = (line.state, words.action(line.action, lang), line.backend, line.incident, number)
    return (str(line.id), *facts, str(line.attempts), due, line.reason)


def _show(whole: DeliveryWhole, waits: str, lang: Language) -> None:
    cells = dict(zip(_COLUMNS, _row(whole, lang), strict=True))
    times = {"made": show.moment(whole.made_at), "settled": show.moment(whole.settled_at)}
    doubt = f"it may have been done, at {show.moment(whole.doubted_at)} at the latest" if whole.uncertain else ""
    facts = {**cells, **times, "in doubt": doubt, "why": waits}
    show.facts((words.heading(name, lang), value) for name, value in facts.items())
    show.line()
    show.facts((words.heading(name, lang), value) for name, value in _told(whole, lang))


def _told(whole: DeliveryWhole, lang: Language) -> Iterator[tuple[str, str]]:
    """Everything that the delivery says, in words."""
    body = whole.body
    if body is None:
        yield "body", f"backend {whole.backend} has it in its own records"
        return
    yield "name", words.text(body.name, lang)
    yield "description", words.text(body.description, lang)
    yield "impact", words.impact(body.impact, lang)
    yield "status", words.status(body.status, lang)
    yield "element", " ".join(filter(None, (body.element.reference, body.element.name)))
    yield "site", body.element.site
    yield "contract", body.element.contract
    yield "reference", body.reference
    yield "declarant", body.declarant
    yield "source", body.source
    yield "rule", f"{body.rule} ({body.rule_set})"
    yield "opened", show.moment(body.opened_at)
    yield "previous", body.previous
    for note in body.notes:
        yield "note", words.text(note, lang)

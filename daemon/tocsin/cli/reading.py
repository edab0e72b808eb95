"""The verbs that say how things are written: `source` (what platforms send) and `schema` (what files may hold).

They need no service, and settings only to find one table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tocsin import fleet, rules, settings, sources
from tocsin.cli import show, sourcing
from tocsin.cli.given import FILES, Json, SettingsFile, given
from tocsin.model import Alert
from tocsin.workbench import columns, redaction

if TYPE_CHECKING:
    from tocsin.model import Unreadable

app = typer.Typer()
source = typer.Typer(no_args_is_help=True)
app.add_typer(source, name="source", rich_help_panel=FILES, help="How the messages of supervision platforms are read.")

_JsonAnyway = Annotated[
    bool, typer.Option("--json", metavar="", help="Print JSON, as it does anyway.", show_default=False)
]

_SHOWN = (
    *("resource", "check", "severity", "status", "fingerprint", "starts_at", "ends_at", "summary", "labels"),
    *("description", "url", "source"),
)


@source.command(epilog="Example: tocsin source parse truesight event.json")
def parse(  # noqa: PLR0913 - the options of a verb
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="The kind of platform; `tocsin source kinds` lists them.")
    ],
    file: sourcing.File,
    *,
    name: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Name of the source.", show_default="KIND")
    ] = "",
    content_type: sourcing.ContentType = "",
    options: Annotated[
        str, typer.Option(metavar="JSON", help="Options of the source, as the settings have them.")
    ] = "{}",
    at: sourcing.At = None,
    json: _JsonAnyway = True,  # noqa: ARG001 - for those who say it everywhere
) -> None:
    """Print the alerts that one message becomes, as JSON.

    An entry of a batch that is no alert is printed with its position and what is wrong with it.
    """
    of = sourcing.kind(kind)
    given = sourcing.options(of, sourcing.read_options(options), "options")
    entries = sourcing.parse(of, given, sourcing.payload(file, content_type, name or kind), at)
    show.data([shown(entry) for entry in entries])


@source.command(epilog="Example: tocsin source kinds")
def kinds(*, json: Json = False) -> None:
    """List the kinds of platform."""
    rows = [(kind.name, kind.title) for kind in sources.kinds().values()]
    if json:
        show.data([{"kind": name, "title": title} for name, title in rows])
    else:
        show.table(("kind", "platform"), rows, "there are none")


def shown(entry: Alert | Unreadable) -> dict[str, Any]:
    """An alert as it is printed; all fields, always."""
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    return {key: fields[key] for key in _SHOWN} if isinstance(entry, Alert) else fields


class Schema(StrEnum):
    """The files that have a schema."""

    RULES = "rules"
    TABLE = "table"
    FLEET = "fleet"
    SETTINGS = "settings"
    REDACTION = "redaction"


_SCHEMAS = {
    Schema.RULES: rules.json_schema,
    Schema.TABLE: columns.json_schema,
    Schema.FLEET: fleet.json_schema,
    Schema.SETTINGS: settings.json_schema,
    Schema.REDACTION: redaction.json_schema,
}


@app.command(
    rich_help_panel=FILES,
    epilog="Examples: tocsin schema rules > config/rules.schema.json, tocsin schema table tables/impact.csv",
)
def schema(
    ctx: typer.Context,
    of: Annotated[Schema, typer.Argument(metavar="|".join(Schema), help="Which files.")],
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="Of `table`: one of the rules' tables.", show_default=False)
    ] = "",
    config: SettingsFile = None,
    *,
    json: _JsonAnyway = True,  # noqa: ARG001 - for those who say it everywhere
) -> None:
    """Print the JSON Schema of a kind of file, for editors.

    That of one table says what the rules make of each of its columns; it needs the settings, to find them.
    """
    if not table:
        show.data(_SCHEMAS[of]())
        return
    if of != Schema.TABLE:
        raise typer.BadParameter("a table goes with `table`: tocsin schema table tables/impact.csv")
    show.data(columns.json_schema_of(table, rules.load(given(ctx, config).settings.rules.path).files))

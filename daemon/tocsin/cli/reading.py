"""The verb `schema`: what the files that people edit may hold.

It needs no service, and settings only to find one table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tocsin import fleet, rules, settings
from tocsin.cli import show
from tocsin.cli.given import FILES, SettingsFile, given
from tocsin.workbench import columns, redaction

app = typer.Typer()

_JsonAnyway = Annotated[
    bool, typer.Option("--json", metavar="", help="Print JSON, as it does anyway.", show_default=False)
]


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

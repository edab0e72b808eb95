"""What the columns of tables are for: as rule files use them, as JSON Schemas of rows.

A CSV file has no schema of its own that an editor would know: a program that turns it into rows by column name can check
these. Knows rule files and tables, no folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin import yaml12
from tocsin.errors import RuleError
from tocsin.model import Impact
from tocsin.rules import tables
from tocsin.rules.loader import SUFFIXES
from tocsin.rules.schema import ElementTable, ImpactTable
from tocsin.titling import title
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ELEMENT = ElementTable.model_fields["column"].default
_IMPACT = ImpactTable.model_fields["column"].default
_MEANINGS: dict[str, dict[str, Any]] = {
    "element": {"type": "string", "description": "Reference of the element that the ticket is declared on."},
    "impact": {
        "type": "string",
        "enum": ["", *Impact],
        "description": "How much the service suffers; empty where the row says nothing.",
    },
}
_ROWS = (
    "A table (CSV) that rules look things up in, as a list of its rows by column name. The first line of the file names "
    "the columns; the first column holds what is looked up, and `*` there stands for every other value."
)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the rows of any table: what columns mean that rules find without being told their name."""
    known = {_ELEMENT: _MEANINGS["element"], _IMPACT: _MEANINGS["impact"]}
    columns = {name: {"title": title(name), **meaning} for name, meaning in known.items()}
    others = {
        "type": "string",
        "description": "What is looked up, in the first column; or what rules name with `column`.",
    }
    return _schema("tocsin table", _ROWS, {"minProperties": 2, "properties": columns, "additionalProperties": others})


def json_schema_of(name: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON Schema of the rows of one table: every column it has, and what rules make of it.

    Args:
        name: the table, such as tables/hosts.csv.
        files: rule files and tables: name → text.

    Raises:
        RuleError: there is no such table, or a file is wrong.
    """
    if name not in files:
        there = sorted(file for file in files if file.endswith(".csv"))
        hint = nearest(name, there) or f"there are: {', '.join(there) or 'none'}"
        raise RuleError(f'there is no table "{name}"', hint=hint)
    columns = tables.read(files[name], name).columns
    properties = {column: {"title": title(column), "type": "string"} for column in columns}
    told: dict[str, dict[str, list[str]]] = {column: {} for column in columns}
    for rule, meaning, by, column in _uses(name, files):
        told[columns[0]].setdefault(f"{by} of the alert", []).append(rule)
        if column in properties:
            properties[column] |= _MEANINGS[meaning]
            told[column].setdefault(meaning, []).append(rule)
    for column, uses in told.items():
        said = "; ".join(f"{use} (in {', '.join(rules)})" for use, rules in uses.items())
        properties[column]["description"] = said or "No rule uses it."
    rows = {"required": list(columns), "properties": properties, "additionalProperties": False}
    return _schema(name, _ROWS, rows)


def _schema(named: str, description: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": named,
        "description": description,
        "type": "array",
        "items": {"type": "object", **row},
    }


def _uses(table: str, files: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Where rules use a table: the rule, what for, by which field, which column."""
    for file in sorted(files):
        data = yaml12.read(files[file], file)[0] if file.endswith(SUFFIXES) else None
        rules = data.get("rules") if isinstance(data, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            for meaning, usual in (("element", _ELEMENT), ("impact", _IMPACT)):
                use = rule.get(meaning) if isinstance(rule, dict) else None
                if isinstance(use, dict) and use.get("table") == table:
                    yield str(rule.get("id")), meaning, str(use.get("by")), str(use.get("column", usual))

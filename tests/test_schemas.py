"""What editors know of our files: the schemas accept what tocsin accepts, refuse slips of the pen, and explain each key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from tocsin import fleet, rules, settings, yaml12
from tocsin.cli import app
from tocsin.rules import tables
from tocsin.titling import title
from tocsin.workbench import columns, redaction

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
SCHEMAS: dict[str, dict[str, Any]] = {
    "rules": rules.json_schema(),
    "table": columns.json_schema(),
    "fleet": fleet.json_schema(),
    "settings": settings.json_schema(),
    "redaction": redaction.json_schema(),
}
FILES = {
    "rules": [*sorted((ROOT / "rules").glob("*.yaml")), *sorted((ROOT / "tests" / "rules").glob("fine*/*.yaml"))],
    "fleet": sorted((CONFIG / "fleet").glob("*.yaml")),
    "settings": [CONFIG / "tocsin.yaml"],
    "redaction": [CONFIG / "redaction.yaml"],
}


def properties(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema with the way to it."""
    if isinstance(part, list):
        for number, inner in enumerate(part):
            yield from properties(inner, f"{path}/{number}")
    if isinstance(part, dict):
        for word, inner in part.items():
            if word == "properties":
                yield from ((f"{path}/{name}", says) for name, says in inner.items())
            yield from properties(inner, f"{path}/{word}")


def wrong(of: str, text: str) -> list[str]:
    """What the schema says against a file."""
    data, _ = yaml12.read(text)
    return [error.message for error in jsonschema_rs.validator_for(SCHEMAS[of]).iter_errors(data)]


@pytest.mark.parametrize("of", SCHEMAS)
def test_the_schema_files_are_current(of: str) -> None:
    written = json.loads((CONFIG / f"{of}.schema.json").read_text(encoding="utf-8"))
    assert written == SCHEMAS[of], "run `make goldens`, and look at what changed"


@pytest.mark.parametrize("of", SCHEMAS)
def test_every_schema_is_one_of_its_draft(of: str) -> None:
    assert SCHEMAS[of]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(SCHEMAS[of])
    assert SCHEMAS[of]["title"] == f"tocsin {of}"
    assert SCHEMAS[of]["description"]


@pytest.mark.parametrize("of", SCHEMAS)
def test_every_key_has_a_title_and_a_description(of: str) -> None:
    found = list(properties(SCHEMAS[of]))
    assert found
    assert [path for path, says in found if not (says.get("title") and says.get("description"))] == []


def test_a_title_is_words() -> None:
    assert [title(key) for key in ("id", "token_file", "hold", "en", "gte")] == [
        "Id",
        "Token file",
        "Hold",
        "In English",
        "Greater than or equal to",
    ]


@pytest.mark.parametrize(
    ("of", "file"),
    [(of, file) for of, files in FILES.items() for file in files],
    ids=lambda one: getattr(one, "name", one),
)
def test_our_files_are_what_their_schemas_say(of: str, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert wrong(of, text) == []
    named = text.partition("\n")[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / named).resolve() == CONFIG / f"{of}.schema.json"


RULE = "rules: [{{id: a, match: {{}}, {}}}]"


@pytest.mark.parametrize(
    ("of", "text"),
    [
        ("rules", "rulse: []"),
        ("rules", "rules: [{match: {}}]"),
        ("rules", "rules: [{id: A B, match: {}}]"),
        ("rules", RULE.format("hodl: 5m")),
        ("rules", RULE.format("hold: 5 minutes")),
        ("rules", RULE.format("hold: {interupted: 5m}")),
        ("rules", RULE.format("impact: critical")),
        ("rules", RULE.format("impact: {by: severity, critical: bad}")),
        ("rules", RULE.format("action: quarantine")),
        ("rules", RULE.format("element: {lookup: x, mising: record}")),
        ("rules", RULE.format("element: {table: a.csv}")),
        ("rules", RULE.format("key: element")),
        ("rules", RULE.format("close: soon")),
        ("rules", RULE.format("flap: {changes: 1, within: 1h, quiet: 1h}")),
        ("rules", RULE.format("ticket: {name: {de: x}}")),
        ("rules", RULE.format("title: null")),
        ("rules", "rules: [{id: a, match: {sevrity: critical}}]"),
        ("rules", "rules: [{id: a, match: {labels.: critical}}]"),
        ("rules", "rules: [{id: a, match: {source: 5}}]"),
        ("rules", "rules: [{id: a, match: {source: []}}]"),
        ("rules", "rules: [{id: a, match: {source: {regexp: x}}}]"),
        ("rules", "rules: [{id: a, match: {source: {not: {gt: high}}}}]"),
        ("rules", "fallback: {action: ticket}"),
        ("rules", "tests: [{name: a, alerts: [], expect: {at: 0s, tickets: 1}}]"),
        ("rules", "tests: [{name: a, alerts: [{at: 0s}], expect: {tickets: 1}}]"),
        ("rules", "samples: {a: {severity: severe}}"),
        ("fleet", "element: []"),
        ("fleet", "elements: [{reference: DF1}]"),
        ("fleet", "elements: [{reference: D F1, name: x}]"),
        ("fleet", "elements: [{reference: DF1, name: x, kind: server}]"),
        ("fleet", "elements: [{reference: DF1, name: x, aliases: web1}]"),
        ("fleet", "elements: [{reference: DF1, name: x, owner: me}]"),
        ("settings", "lisen: {}"),
        ("settings", "listen: {port: 70000}"),
        ("settings", "sources: {a: {kind: nagios, auth: {bearer: {token: x}}}}"),
        ("settings", "log: {level: loud}"),
        ("redaction", "redact: [{regex: x}]"),
        ("redaction", "redact: [{field: url, text: 1}]"),
        ("redaction", "resources: gone"),
        ("table", "[{host: web1, impact: bad}]"),
        ("table", "[{host: web1, element: 5}]"),
        ("table", "[{host: web1}]"),
        ("table", "{host: web1}"),
    ],
)
def test_a_slip_of_the_pen_is_refused_while_typing(of: str, text: str) -> None:
    assert wrong(of, text)


def rows(file: Path) -> list[dict[str, str]]:
    table = tables.read(file.read_text(encoding="utf-8"), file.name)
    return [dict(zip(table.columns, cells, strict=True)) for _, cells in table.rows]


@pytest.mark.parametrize("file", sorted((ROOT / "rules" / "tables").glob("*.csv")), ids=lambda file: file.name)
def test_each_of_our_tables_is_described_as_the_rules_use_it(file: Path) -> None:
    schema = columns.json_schema_of(f"tables/{file.name}", rules.load(ROOT / "rules").files)
    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(rows(file))] == []
    assert jsonschema_rs.validator_for(SCHEMAS["table"]).is_valid(rows(file))
    described = schema["items"]["properties"]
    assert all(says["title"] and says["description"] for says in described.values())
    assert list(described) == list(rows(file)[0])


def test_a_table_s_schema_knows_what_a_column_is_for() -> None:
    files = {
        "a.yaml": "rules:\n- {id: a, match: {}, element: {table: tables/h.csv, by: resource}, "
        "impact: {table: tables/h.csv, by: check, column: bad}}\n",
        "tables/h.csv": "host;element;bad;owner\nweb1;DF1;severe;me\n",
    }
    schema = columns.json_schema_of("tables/h.csv", files)
    said = {name: says["description"] for name, says in schema["items"]["properties"].items()}
    assert said == {
        "host": "resource of the alert (in a); check of the alert (in a)",
        "element": "element (in a)",
        "bad": "impact (in a)",
        "owner": "No rule uses it.",
    }
    row = {"host": "web1", "element": "DF1", "bad": "severe", "owner": ""}
    assert jsonschema_rs.is_valid(schema, [row])
    assert not jsonschema_rs.is_valid(schema, [row | {"bad": "worse"}])
    assert not jsonschema_rs.is_valid(schema, [row | {"ownr": ""}])


def test_the_verb_prints_the_schema_of_one_table() -> None:
    words = ["--config", str(CONFIG / "tocsin.yaml"), "schema", "table"]
    told = CliRunner().invoke(app, [*words, "tables/impact.csv"])
    assert json.loads(told.stdout)["title"] == "tables/impact.csv"
    lost = CliRunner().invoke(app, [*words, "tables/impct.csv"])
    assert (lost.exit_code, lost.stderr) == (
        1,
        'there is no table "tables/impct.csv" (did you mean "tables/impact.csv"?)\n',
    )
    assert CliRunner().invoke(app, ["schema", "rules", "tables/impact.csv"]).exit_code == 2

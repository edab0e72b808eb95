from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rulemaking import FALLBACK
from tocsin import rules
from tocsin.model import Impact, Severity, State, Status, TicketStatus
from tocsin.rules import examples, grammar, schema, shapes
from tocsin.rules.conditions import _OPERATORS
from tocsin.rules.facts import ELEMENT_FIELDS
from tocsin.rules.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (Path(__file__).parents[1] / "rules" / "README.md").read_text(encoding="utf-8")
MODELS = [
    model
    for module in (schema, examples, shapes)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, shapes.Model)
]
KEYS = {field.alias or name for model in MODELS for name, field in model.model_fields.items()}


def documented() -> set[str]:
    """What the first cells of the README's tables name."""
    rows = re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)
    return {word.partition(":")[0] for row in rows for word in re.findall(r"`([^`]+)`", row)}


def mappings(part: Any) -> Iterator[dict[str, Any]]:
    """All mappings below a part of a JSON Schema, the part itself among them."""
    if isinstance(part, dict):
        yield part
    for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from mappings(below)


def test_every_key_is_documented_and_every_documented_key_is_one() -> None:
    impacts = set(Impact)
    assert KEYS - impacts - documented() == set()
    assert documented() - KEYS == set()


@pytest.mark.parametrize(
    "word", [*FIELDS, *Impact, *Severity, *Status, *State, *TicketStatus, *ELEMENT_FIELDS, "starts_at"]
)
def test_every_word_a_rule_file_may_use_is_documented(word: str) -> None:
    assert re.search(rf"\b{word}\b", README)


def test_the_filters_and_blocks_are_documented() -> None:
    listed = re.search(r"Filters: ([\w\s]+)\. Blocks: (.*?)\.\n", README)
    assert listed
    assert set(listed[1].split()) == grammar.FILTERS
    assert set(re.findall(r"\w+", listed[2])) <= grammar.BLOCKS


def test_every_operator_of_the_schema_is_compiled() -> None:
    assert list(_OPERATORS) == list(schema.Operators.model_fields)


def test_every_rule_in_the_readme_loads() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 8
    for block in (block for block in blocks if not block.startswith("#")):  # that one is for pre-commit
        text = block if block.startswith(("rules:", "samples:")) else f"rules:\n{block}"
        hosts = "host;element;impact\nweb1;DF00WEB001;severe\n"
        assert rules.build({"a.yaml": text + FALLBACK, "tables/hosts.csv": hosts}).warnings == ()


def test_the_json_schema_knows_every_key_and_refuses_all_others() -> None:
    found = schema.json_schema()
    assert found["$schema"].endswith("2020-12/schema")
    named = {key for part in mappings(found) for key in part.get("properties", {})}
    assert named == KEYS | set(FIELDS)
    for name, part in found["$defs"].items():
        if part.get("type") == "object":
            assert part["additionalProperties"] is False or name == "ImpactBy"


def test_every_key_in_the_json_schema_says_what_it_is_for() -> None:
    found = schema.json_schema()
    for part in [found, *found["$defs"].values()]:
        for key, says in part.get("properties", {}).items():
            assert says.get("description"), key
            assert says.get("title"), key


def test_the_json_schema_has_no_null() -> None:
    found = schema.json_schema()
    assert [part for part in mappings(found["$defs"]) if part.get("type") == "null"] == []
    assert found["title"] == "tocsin rules"


def test_the_json_schema_offers_the_fields_of_an_alert() -> None:
    offered = schema.json_schema()["$defs"]["Rule"]["properties"]["match"]
    assert list(offered["properties"]) == list(FIELDS)
    assert list(offered["patternProperties"]) == [r"^labels\.."]
    assert offered["additionalProperties"] is False


def test_the_readme_says_how_long_texts_may_be() -> None:
    assert "cut at 200 and 4000 characters" in README


@pytest.mark.parametrize("name", [name for name, field in schema.Lifetime.model_fields.items() if field])
def test_what_a_file_may_say_for_all_its_rules_is_documented(name: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith("| `defaults`"))
    assert f"`{name}`" in row

"""What a rule file may say: every key, word and shape, as types.

Knows one file at a time and nothing of what its rules will do; `compiler` makes rules of it. The texts below each key
become the descriptions in the JSON Schema that editors use.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Strict, Tag, model_validator

from tocsin.model import ClosedByPerson, Impact  # noqa: TC001 - pydantic reads it
from tocsin.rules import fields, patterns
from tocsin.rules.examples import Example, Sample
from tocsin.rules.shapes import (
    ByShape,
    FieldName,
    InLanguages,
    Maybe,
    Model,
    NetworkOrList,
    Number,
    RuleId,
    Span,
    Text,
    TextOrList,
    shape,
)
from tocsin.titling import titled


class Operators(Model):
    """What a field's value must fulfil; all that is said must hold."""

    regex: Maybe[Annotated[Text, AfterValidator(patterns.checked)]] = None
    """An RE2 regular expression, found anywhere in the value; its named captures become variables."""
    glob: Maybe[TextOrList] = None
    """`*` (any text) and `?` (one character); must fit the whole value."""
    not_: Maybe[Value] = Field(None, alias="not")
    """A text, a list or operators that must not hold."""
    exists: Maybe[Annotated[bool, Strict()]] = None
    """Whether the alert must have the field, and not empty."""
    gt: Maybe[Number] = None
    """The value is a number greater than this."""
    gte: Maybe[Number] = None
    """The value is a number greater than or equal to this."""
    lt: Maybe[Number] = None
    """The value is a number less than this."""
    lte: Maybe[Number] = None
    """The value is a number less than or equal to this."""
    cidr: Maybe[NetworkOrList] = None
    """The value is an IP address (its port does not matter) in this network or one of these."""

    @model_validator(mode="after")
    def _says_something(self) -> Operators:
        if not self.model_fields_set:
            raise ValueError("no operator: name one, such as regex")
        return self


Value = Annotated[
    Annotated[Text, Tag("(text)")]
    | Annotated[tuple[Text, ...], Field(min_length=1), Tag("(list)")]
    | Annotated[Operators, Tag("(mapping)")],
    ByShape,
]
"""What a field must be: this text, one of these, or whatever fulfils the operators."""


class Use(Model):
    """Another element to declare on."""

    use: Text
    """Reference of the element."""


Otherwise = Annotated[
    Annotated[Literal["quarantine", "record", "ignore"], Tag("(text)")] | Annotated[Use, Tag("(mapping)")], ByShape
]


class Lookup(Model):
    """The element that goes by a name."""

    lookup: Text
    """Template of the name, such as '{{ resource }}'."""
    missing: Otherwise = "quarantine"
    """What to do when no element goes by that name: quarantine, record, ignore, or `{use: REFERENCE}`."""
    ambiguous: Otherwise = "quarantine"
    """What to do when several do."""


class ElementTable(Model):
    """The element that a table names."""

    table: Text
    """The table: a CSV file, such as tables/hosts.csv."""
    by: Text
    """What is looked up in the table's first column: a field, labels.NAME or a capture."""
    column: Text = "element"
    """The column with the reference."""
    missing: Otherwise = "quarantine"
    """What to do when the table has no such row, or the fleet no such element."""


class ImpactBy(Model):
    """The impact for each value of a field."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Impact]

    by: Text
    """What decides: a field, labels.NAME or a capture. The other keys are its values."""
    otherwise: Maybe[Impact] = Field(None, alias="else")
    """The impact for all other values."""


class ImpactTable(Model):
    """The impact that a table names."""

    table: Text
    """The table: a CSV file, such as tables/hosts.csv."""
    by: Text
    """What is looked up in the table's first column: a field, labels.NAME or a capture."""
    column: Text = "impact"
    """The column with the impact."""
    otherwise: Maybe[Impact] = Field(None, alias="else")
    """The impact when the table has no such row."""


def _by_table(value: object) -> str:
    if isinstance(value, dict):
        return "(table)" if "table" in value else "(mapping)"
    return shape(value)


class HoldByImpact(Model):
    """How long to wait, for each impact."""

    none: Maybe[Span] = None
    """Wait when nothing is disturbed."""
    backup: Maybe[Span] = None
    """Wait when the backup is active."""
    degraded: Maybe[Span] = None
    """Wait when the service is degraded."""
    severe: Maybe[Span] = None
    """Wait when it is severely degraded."""
    interrupted: Maybe[Span] = None
    """Wait when it is interrupted."""
    otherwise: Span = Field(timedelta(0), alias="else")
    """Wait for the impacts not named."""


class Flapping(Model):
    """When an incident counts as flapping."""

    changes: Annotated[int, Strict(), Field(ge=2, le=1000)]
    """So many changes between firing and clear …"""
    within: Span
    """… within this time."""
    quiet: Span
    """It is over when there was no change for this long."""


class Close(Model):
    """When the ticket is closed by itself."""

    after: Span
    """Once the alerts have been clear for this long."""
    unless: Literal["touched", "nothing"] = "touched"
    """`touched`: not when a person has worked on the ticket. `nothing`: in any case."""


class TicketTexts(Model):
    """What the ticket says; templates."""

    name: Maybe[InLanguages] = None
    """The ticket's name: one line, at most 200 characters."""
    description: Maybe[InLanguages] = None
    """The ticket's description: at most 4000 characters."""


class Lifetime(Model):
    """How an incident lives; a file's `defaults` say it for all its rules."""

    key: Maybe[Annotated[tuple[Text, ...], Field(min_length=1)]] = None
    """What makes it the same incident: fields, labels.NAME, captures, `element`, `rule`. [element, check] unless said."""
    hold: Maybe[Annotated[Annotated[Span, Tag("(text)")] | Annotated[HoldByImpact, Tag("(mapping)")], ByShape]] = None
    """Wait before declaring; a resolve inside it means no ticket. 0s unless said; or one duration for each impact."""
    flap: Maybe[Flapping] = None
    """When the incident counts as flapping; never unless said."""
    close: Maybe[
        Annotated[
            Annotated[Literal["never"], Tag("(never)")]
            | Annotated[Span, Tag("(text)")]
            | Annotated[Close, Tag("(mapping)")],
            Discriminator(lambda value: "(never)" if value == "never" else shape(value)),
        ]
    ] = None
    """When the ticket is closed by itself: `{after: 15m, unless: touched}` unless said; `never` leaves it to people."""
    reopen: Maybe[Span] = None
    """How long after its end the same incident reopens the same ticket; 24h unless said."""
    closed_by_person: Maybe[ClosedByPerson] = None
    """What comes of a problem that fires on although a person has closed its ticket: `silent` (nothing, until it has cleared),
    `reopen` (the same ticket again) or `new` (another one that follows it), both after the quiet time; `reopen` unless said."""
    backend: Maybe[Text] = None
    """The ticket system that gets the ticket, by its name in the settings; the default one unless said."""
    inform: Maybe[tuple[Text, ...]] = None
    """Ticket systems that are told the same, each in a record of its own; what people do there is not asked. `[]`: none."""


class Rule(Lifetime):
    """One mapping of alerts to tickets."""

    id: RuleId
    """Name of the rule: small letters, digits and hyphens; unique over all files."""
    title: Maybe[Text] = None
    """What the rule is for, in a few words."""
    match: dict[FieldName, Value]
    """The conditions, field by field; all must hold. An empty mapping matches every alert."""
    where: Maybe[Text] = None
    """One more condition, in the expression language of the templates, such as `count|int > 20`."""
    action: Literal["ticket", "record", "ignore"] = "ticket"
    """`ticket`, `record` (keep it, no ticket) or `ignore`."""
    element: Maybe[
        Annotated[
            Annotated[Text, Tag("(text)")]
            | Annotated[ElementTable, Tag("(table)")]
            | Annotated[Lookup, Tag("(mapping)")],
            Discriminator(_by_table),
        ]
    ] = None
    """What the ticket is declared on: a reference, a look-up by name, or a table."""
    impact: Maybe[
        Annotated[
            Annotated[Impact, Tag("(text)")]
            | Annotated[ImpactTable, Tag("(table)")]
            | Annotated[ImpactBy, Tag("(mapping)")],
            Discriminator(_by_table),
        ]
    ] = None
    """How much the service suffers: none, backup, degraded, severe or interrupted; by a field; or by a table."""
    ticket: Maybe[TicketTexts] = None
    """What the ticket says."""


class Fallback(Model):
    """What happens to an alert that no rule knows."""

    action: Literal["record", "quarantine", "ignore"]
    """`record` (keep it, no ticket), `quarantine` (a person must look) or `ignore`."""
    reason: Text = "no rule matches"
    """Why, in words."""


class RuleFile(Model):
    """One file of rules."""

    defaults: Lifetime = Field(default_factory=Lifetime)
    """What the rules of this file say about an incident's life unless they say otherwise."""
    rules: tuple[Rule, ...] = ()
    """The rules, in the order they are tried; the first that matches decides."""
    fallback: Maybe[Fallback] = None
    """What happens to an alert that no rule knows; in exactly one file."""
    samples: dict[str, Sample] = Field(default_factory=dict)
    """Alerts by name, for the tests of this file."""
    tests: tuple[Example, ...] = ()
    """What must come of which alerts; a file whose tests fail does not go live."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule file (draft 2020-12), for editors."""
    schema: dict[str, Any] = tidied(RuleFile.model_json_schema())
    _offer_fields(schema["$defs"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | titled(schema) | {"title": "tocsin rules"}


def _offer_fields(definitions: dict[str, Any]) -> None:
    """Have the fields of an alert as keys of `match`: editors offer keys, and do not look into patterns of them."""
    match = definitions["Rule"]["properties"]["match"]
    definitions["Value"] = {"description": "What a field must be."} | match.pop("additionalProperties")
    value = {"$ref": "#/$defs/Value"}
    match["properties"] = {
        name: value | {"description": f"What this must be: {Sample.model_fields[name].description}"}
        for name in fields.FIELDS
    }
    match["patternProperties"] = {rf"^{re.escape(fields.LABEL)}.": value | {"description": "What this label must be."}}
    match["additionalProperties"] = False


def tidied(schema: Any) -> Any:
    """Return a JSON Schema without what pydantic says for Python's sake: titles, and None where a key may be left out but not be empty."""
    if isinstance(schema, list):
        return [tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        key: tidied(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    if len(choices := tidy.get("anyOf", ())) == 2 and choices[1] == {"type": "null"}:  # noqa: PLR2004 - it or None
        del tidy["anyOf"]
        tidy = choices[0] | tidy
    return tidy

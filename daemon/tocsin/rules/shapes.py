"""The shapes that values in rule files share: texts, durations, numbers, one or several of something."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Strict,
    Tag,
    WithJsonSchema,
    model_validator,
)

from tocsin.errors import Code
from tocsin.rules import fields, patterns, span
from tocsin.rules.wrong import Wrong


class Model(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def shape(value: object) -> str:
    """Which of the forms of a value is meant: every choice below is made by shape alone."""
    if isinstance(value, dict):
        return "(mapping)"
    return "(list)" if isinstance(value, list) else "(text)"


def _given(value: object) -> object:
    if value is None:
        raise Wrong("it has no value: give one or remove the key")
    return value


T = TypeVar("T")
Maybe = Annotated[T | None, BeforeValidator(_given)]
"""A key that may be left out, but not be left empty."""
ByShape = Discriminator(shape)
Text = Annotated[str, Field(min_length=1)]
Span = Annotated[
    timedelta,
    BeforeValidator(span.parse),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": span.FORM,
            "patternErrorMessage": "A span of time is 30s, 2m, 1h30m or 7d.",
            "examples": ["2m"],
        }
    ),
]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
FieldName = Annotated[str, AfterValidator(fields.known)]
TextOrList = Annotated[
    Annotated[Text, Tag("(text)")] | Annotated[tuple[Text, ...], Field(min_length=1), Tag("(list)")], ByShape
]
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(patterns.network, json_schema_input_type=str)]
NetworkOrList = Annotated[
    Annotated[Network, Tag("(text)")] | Annotated[tuple[Network, ...], Field(min_length=1), Tag("(list)")], ByShape
]
RuleId = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,79}$",
        json_schema_extra={"patternErrorMessage": "An id is made of small letters, digits and hyphens, at most 80."},
    ),
]


class Languages(Model):
    """One text in each language; a language left out gets the other's text."""

    en: Maybe[Text] = None
    """In English."""
    fr: Maybe[Text] = None
    """In French."""

    @model_validator(mode="after")
    def _says_something(self) -> Languages:
        if self.en is None and self.fr is None:
            raise Wrong("no text: give it in en or fr", code=Code.MISSING_KEY)
        return self


InLanguages = Annotated[Annotated[Text, Tag("(text)")] | Annotated[Languages, Tag("(mapping)")], ByShape]

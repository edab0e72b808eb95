"""What the settings may say about any source, whatever its kind."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

from tocsin.model import Severity
from tocsin.sources import _severity


def _zone(value: object) -> tzinfo:
    if value == "UTC":
        return UTC  # also where the machine has no tz database
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone: write one such as Europe/Paris or UTC") from None


Zone = Annotated[
    tzinfo,
    PlainValidator(_zone),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["Europe/Paris"]}),
]
"""A time zone by its name in the tz database."""


class SourceOptions(BaseModel):
    """The options that every kind has; a kind's own `Options` adds to them."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    severity_default: Severity = _severity.DEFAULT
    """Severity of an alert that names none, or names one that nobody knows."""


class ZonedOptions(SourceOptions):
    """The options of a kind whose platform writes times without an offset."""

    zone: Zone = UTC
    """Time zone of the platform's clock, such as `Europe/Paris`: it writes times without an offset."""

"""Types that both versions of the standard's documents are made of.

Only what is looked at is typed; whatever else an object holds passes through untouched.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Id = Annotated[str, Meta(min_length=1, max_length=255)]
Line = Annotated[str, Meta(min_length=1, max_length=255)]
Long = Annotated[str, Meta(min_length=1, max_length=65536)]
When = Annotated[datetime, Meta(tz=True)]
StatusType = Literal["acknowledged", "rejected", "pending", "held", "inProgress", "cancelled", "closed", "resolved"]
Callback = Annotated[str, Meta(min_length=1, max_length=2000, extra_json_schema={"format": "uri"})]
Query = Annotated[
    str, Meta(max_length=500, description="Which events: `eventType=…`, several separated by commas; empty for all.")
]


class Quantity(Struct, kw_only=True):
    """How much of what."""

    amount: float | UnsetType = UNSET
    units: str | UnsetType = UNSET


class TimePeriod(Struct, kw_only=True, rename="camel"):
    """From when until when."""

    start_date_time: When | UnsetType = UNSET
    end_date_time: When | UnsetType = UNSET


class JsonPatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """One operation of a JSON Patch (RFC 6902); `move` and `copy` are not supported."""

    op: Literal["add", "remove", "replace", "test"]
    path: Annotated[str, Meta(max_length=500)]
    value: Any = UNSET

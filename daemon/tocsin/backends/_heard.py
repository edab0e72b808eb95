"""What the webhooks of issue trackers have in common: a JSON object, or a form that holds one. Pure and total."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from tocsin.errors import PayloadError

if TYPE_CHECKING:
    from tocsin.model import Payload

_FORM = "application/x-www-form-urlencoded"
_FEW = 10
"""Fields that a form may have; those of issue trackers have one."""


def message(payload: Payload, system: str) -> dict[str, Any]:
    """The object that a webhook of `system` sent, also in the form field `payload`. Raises PayloadError."""
    try:
        said = msgspec.json.decode(_inner(payload) if payload.content_type == _FORM else payload.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PayloadError(f"not JSON: let {system} send its webhook as application/json") from None
    if not isinstance(said, dict):
        raise PayloadError(f"JSON, but no object: is this a webhook of {system}?")
    return said


def _inner(payload: Payload) -> str:
    try:
        return parse_qs(payload.body.decode(), max_num_fields=_FEW).get("payload", [""])[0]
    except ValueError:
        return ""

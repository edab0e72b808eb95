"""What a person may change of a dead delivery, as a pure function: checked by the types, so that nothing odd is ever sent."""

from __future__ import annotations

from datetime import UTC
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from tocsin.errors import TocsinError
from tocsin.model import LANGUAGES, Criticality, Element, ElementKind, Impact, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from enum import StrEnum

    from tocsin.model import Delivery

_FIXED = ("reference", "action", "incident")
"""Who changes these makes another delivery of it, which is not theirs to make."""
_TEXTS = ("name", "description")
_WORDS: Mapping[str, type[StrEnum]] = {
    "impact": Impact,
    "status": TicketStatus,
    "element.kind": ElementKind,
    "element.criticality": Criticality,
}
BACKEND = "backend"


_SPOKEN = (*LANGUAGES, "both")


class EditError(TocsinError):
    """A change that cannot be made: what is wrong with it, and what would do."""


FIELDS = (
    BACKEND,
    *(f"{text}.{language}" for text in _TEXTS for language in LANGUAGES),
    *(f"element.{field}" for field in Element.__struct_fields__),
    *(field for field in Snapshot.__struct_fields__ if field not in (*_FIXED, *_TEXTS, "element")),
)
"""What can be changed, as people name it: `name.en`, `impact`, `element.name`, `backend`."""


def edited(delivery: Delivery, changes: Mapping[str, Any], backends: Collection[str]) -> Delivery:
    """The delivery with these changes; `backends` are those there are.

    Raises:
        EditError: A field is unknown or not to be changed, or a value is not of its kind.
    """
    if not changes:
        raise EditError(f"say what to change: {', '.join(FIELDS)}")
    backend = changes.get(BACKEND, delivery.backend)
    if backend not in backends:
        raise EditError(f"backend: {_none_of(backend, backends)}")
    body = msgspec.to_builtins(delivery.body)
    for field, value in changes.items():
        if field != BACKEND:
            _set(body, field, value)
    return replace(delivery, backend=backend, body=_read(body))


def _set(body: dict[str, Any], field: str, value: Any) -> None:
    if field in _FIXED:
        raise EditError(f"{field}: the {field} of a delivery cannot be edited")
    if field not in FIELDS:
        raise EditError(f"{field}: {_none_of(field, FIELDS)}")
    if field in _WORDS and value not in list(_WORDS[field]):
        raise EditError(f"{field}: {_none_of(value, _WORDS[field])}")
    if field == "language" and value not in ("", *_SPOKEN):
        raise EditError(f"language: {_none_of(value, _SPOKEN)}; an empty one leaves it to the backend")
    outer, _, inner = field.partition(".")
    if inner:
        body[outer] = body[outer] | {inner: value}
    else:
        body[outer] = value


def _read(body: dict[str, Any]) -> Snapshot:
    try:
        read = msgspec.convert(body, Snapshot)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at ")
        raise EditError(f"{where.strip('`').removeprefix('$.')}: {said[:1].lower()}{said[1:]}") from None
    if read.opened_at.tzinfo is None:
        raise EditError("opened_at: a time without a zone; end it in Z for UTC, or in an offset such as +01:00")
    try:
        return replace(read, opened_at=read.opened_at.astimezone(UTC))
    except OverflowError:
        raise EditError("opened_at: a time that UTC has no year for") from None


def _none_of(value: object, known: Iterable[str]) -> str:
    words = [str(word) for word in known]
    near = get_close_matches(str(value), words, n=1)
    return f"{value!r} is none of {', '.join(words)}" + (f"; did you mean {near[0]!r}?" if near else "")

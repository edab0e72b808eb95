"""What is sent to Orange's Incident API, by a mapping: bodies, moments, and words for statuses and impacts. Pure."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tocsin.backends._moments import moment
from tocsin.backends._scale import Scale
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import StrEnum

    from tocsin.backends._api import File
    from tocsin.backends._orange_mapping import Attachment, Operation, Sent, Several, Time
    from tocsin.backends._orange_mapping import Mapping as Wire

_PARTS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, making objects and lists on the way; an empty path sets nothing."""
    if not path:
        return
    steps = path.split(".")
    node: Any = body
    for step, following in pairwise(steps):
        node = _child(node, step, [] if following.isdecimal() else {})
    _child(node, steps[-1], value)


def _child(node: Any, step: str, fresh: Any) -> Any:
    """What stands there, or what is set there now."""
    if isinstance(node, dict):
        return node.setdefault(step, fresh)
    if int(step) >= len(node):
        node.append(fresh)
        return fresh
    return node[int(step)]


def body(wire: Wire, operation: Operation, values: Mapping[Sent, Any]) -> dict[str, Any]:
    """The body of an operation: our fields where the mapping puts them, and what it always holds."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        if value not in ("", None, []):
            put(made, wire.sends[name].path, value)
    for path, value in wire.operations[operation].always.items():
        put(made, path, value)
    return made


def time(form: Time, at_: datetime) -> str | int:
    """A moment as the API writes it."""
    if form.written == "iso":
        return f"{at_.astimezone(ZoneInfo(form.zone)).replace(microsecond=0).isoformat()}".replace("+00:00", "Z")
    if form.written in ("seconds", "milliseconds"):
        return int(at_.timestamp() * (1000 if form.written == "milliseconds" else 1))
    return at_.astimezone(ZoneInfo(form.zone)).strftime(_strftime(form.written))


def when(form: Time, value: Any) -> datetime | None:
    """The moment that an answer says; None when it says none. Total."""
    zone = ZoneInfo(form.zone)
    if isinstance(value, str) and form.written not in ("iso", "seconds", "milliseconds"):
        try:
            return datetime.strptime(value.strip(), _strftime(form.written)).replace(tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    return moment(value, zone)


def _strftime(pattern: str) -> str:
    for part, directive in _PARTS.items():
        pattern = pattern.replace(part, directive)
    return pattern


def packed(form: Attachment, file: File) -> dict[str, Any]:
    """A file in JSON, its content in base64."""
    made: dict[str, Any] = {}
    put(made, form.name, file.name)
    put(made, form.media_type, file.media_type)
    put(made, form.content, base64.b64encode(file.content).decode())
    return made


def statuses(wire: Wire, language: str, own: Mapping[TicketStatus, str]) -> Scale[TicketStatus]:
    """The statuses in a language; read in both."""
    written, also = _words(getattr(wire.statuses, language), own, (wire.statuses.en, wire.statuses.fr))
    return Scale(written, also, TicketStatus.IN_PROGRESS)


def impacts(wire: Wire, language: str, own: Mapping[Impact, str]) -> Scale[Impact]:
    """The impacts in a language; read in both."""
    return Scale(*_words(getattr(wire.impacts, language), own, (wire.impacts.en, wire.impacts.fr)))


def _words(
    chosen: Mapping[Any, Several], own: Mapping[Any, str], every: Iterable[Mapping[Any, Several]]
) -> tuple[dict[Any, str], dict[str, StrEnum]]:
    """What is written, and what else is read."""
    written = {**own, **{ours: words[0] for ours, words in chosen.items() if ours not in own}}
    return written, {text: ours for table in every for ours, words in table.items() for text in words}

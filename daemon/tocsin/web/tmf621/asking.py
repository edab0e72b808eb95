"""Which tickets are asked for: the parameters of a list, and the simple part of JSONPath that `filter` may hold. Pure.

A parameter that is not known is refused: a filter that is ignored would answer with everything. Times are compared to the
microsecond.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.store import rows
from tocsin.web.tmf621.answers import Code, Refused, wrong
from tocsin.web.tmf621.terms import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USUAL = 100
"""Tickets of a page when nobody says how many."""
MOST = 1000
"""Tickets of a page at most; who asks for more gets these, and is told how many there are."""
_FAR = 2**62
_TIMES = {"lastUpdate": "updated", "creationDate": "declared"}
_OPERATORS = {"": "eq", "eq": "eq", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}
_SIGNS = {"==": "eq", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
SORTS = ("lastUpdate", "creationDate", "id")
_LISTS = {
    "id": "numbers",
    "status": "statuses",
    "severity": "severities",
    "priority": "priorities",
    "ticketType": "kinds",
}
_PAGING = ("fields", "offset", "limit")
_ONLY_5 = ("sort", "filter")
_IDENTIFIER = {4: "externalId", 5: "externalIdentifier.id"}
_ELEMENT = {4: "relatedEntity.id", 5: "relatedEntity.entity.id"}
_CURSORS = ("before", "after")
_CONDITION = re.compile(r"""\s*@\.([A-Za-z.]{1,60})\s*(==|>=|<=|>|<)\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\Z""")
_FILTER = re.compile(r"\s*(?:\$(?:\[\*\])?)?\s*\[\?\s*\((.*)\)\s*\]\s*\Z", re.DOTALL)


class Span(Struct):
    """From when until when, in microseconds since 1970, both included."""

    first: int = -_FAR
    last: int = _FAR

    def narrow(self, operator: str, at: int) -> None:
        """Leave only what is so compared with a moment."""
        if operator in ("eq", "gte", "gt"):
            self.first = max(self.first, at + (operator == "gt"))
        if operator in ("eq", "lte", "lt"):
            self.last = min(self.last, at - (operator == "lt"))


class Wanted(Struct, kw_only=True):
    """Which tickets, in which order, from where on, and what of them. A list that is None filters nothing."""

    numbers: list[str] | None = None
    identifiers: list[str] | None = None
    elements: list[str] | None = None
    statuses: list[str] | None = None
    """In our words, and `rejected`."""
    severities: list[str] | None = None
    priorities: list[str] | None = None
    kinds: list[str] | None = None
    updated: Span
    declared: Span
    sort: str = ""
    """`lastUpdate`, `creationDate` or `id`, with a `-` before it for the last first; empty for the usual order."""
    offset: int = 0
    limit: int = USUAL
    fields: tuple[str, ...] = ()
    """Empty for all."""


def wanted(given: Iterable[tuple[str, str]], version: int, known: Iterable[str]) -> Wanted:
    """What the parameters of a list ask for; `known` are the attributes that a ticket of this version has.

    Raises:
        Refused: 400 a parameter is not known or makes no sense; 501 one of the standard is not supported here.
    """
    found = Wanted(updated=Span(), declared=Span())
    for name, value in given:
        _take(found, name, value, version, known)
    return found


def fields(given: Iterable[tuple[str, str]], known: Iterable[str]) -> tuple[str, ...]:
    """The attributes asked for of one ticket; there is no other parameter. Raises Refused (400)."""
    found: tuple[str, ...] = ()
    for name, value in given:
        if name != "fields":
            raise _unknown(name, ("fields",))
        found = _fields(value, known)
    return found


def _take(found: Wanted, name: str, value: str, version: int, known: Iterable[str]) -> None:  # noqa: C901
    """One parameter."""
    time, operator, moment = _compared(name, value)
    if time in _TIMES:
        _narrow(found, time, operator, moment)
    elif name in _LISTS:
        _choose(found, name, [part.strip() for part in value.split(",")])
    elif name == _IDENTIFIER[version]:
        found.identifiers = [*(found.identifiers or ()), value]
    elif name == _ELEMENT[version]:
        found.elements = [*(found.elements or ()), value]
    elif name == "fields":
        found.fields = _fields(value, known)
    elif name == "offset":
        found.offset = _count(name, value)
    elif name == "limit":
        found.limit = min(MOST, _count(name, value))
    elif version == 5 and name == "sort":  # noqa: PLR2004 - the version of the standard
        found.sort = _sort(value)
    elif version == 5 and name == "filter":  # noqa: PLR2004
        for condition in _conditions(value):
            _compare(found, *condition, version)
    elif version == 5 and name in _CURSORS:  # noqa: PLR2004
        text = f"{name}: there are no cursors; ask for lastUpdate.gte, with the lastUpdate that was seen last"
        raise Refused(501, Code.NOT_SUPPORTED, text)
    else:
        raise _unknown(name, parameters(version))


def parameters(version: int) -> list[str]:
    """The names of all parameters of a list."""
    only = _ONLY_5 if version == 5 else ()  # noqa: PLR2004 - the version of the standard
    times = [f"{time}.{operator}" for time in _TIMES for operator in ("gt", "gte", "lt", "lte")]
    return [*_PAGING, *only, *_LISTS, _IDENTIFIER[version], _ELEMENT[version], *_TIMES, *times]


def _compared(name: str, value: str) -> tuple[str, str, str]:
    """Attribute, operator and value: `lastUpdate.gte=…`, or `lastUpdate>=…` and `lastUpdate>…` as they come in a query."""
    for sign, with_equals, without in ((">", "gte", "gt"), ("<", "lte", "lt")):
        left, found, right = name.partition(sign)
        if found:
            return (left, without, right) if right else (left, with_equals, value)
    attribute, _, operator = name.partition(".")
    return (attribute, _OPERATORS[operator], value) if operator in _OPERATORS else (name, "", value)


def _narrow(found: Wanted, time: str, operator: str, text: str) -> None:
    span: Span = getattr(found, _TIMES[time])
    span.narrow(operator, _moment(time, text))


def _moment(name: str, text: str) -> int:
    """Microseconds of a time with its offset; the plus sign of one comes as a space out of a query."""
    said = re.sub(r" (\d\d:?\d\d)\Z", r"+\1", text.strip())
    try:
        at = datetime.fromisoformat(said)
        if at.tzinfo is not None:
            return rows.micros(at.astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    raise wrong(f"{name}: {text[:50]!r} is no time with its offset, such as 2026-11-23T03:00:00Z", Code.BAD_PARAMETER)


def _choose(found: Wanted, name: str, values: list[str]) -> None:
    """One of these values; twice the same parameter adds to it."""
    if name == "status":
        unknown = [value for value in values if value not in OURS]
        if unknown:
            text = f"status: {unknown[0][:50]!r} is none of {', '.join(OURS)}"
            raise wrong(text, Code.BAD_PARAMETER)
        values = [OURS[value] for value in values]
    setattr(found, _LISTS[name], [*(getattr(found, _LISTS[name]) or ()), *values])


def _fields(value: str, known: Iterable[str]) -> tuple[str, ...]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in known and name != "none"]
    if unknown:
        raise wrong(f"fields: a ticket has no {unknown[0][:50]!r}; it has {', '.join(known)}", Code.BAD_PARAMETER)
    return tuple(names)


def _count(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise wrong(f"{name}: {value[:50]!r} is no number from 0 on", Code.BAD_PARAMETER)
    return int(value)


def _sort(value: str) -> str:
    if value.removeprefix("-") not in SORTS:
        text = f"sort: {value[:50]!r} is none of {', '.join(SORTS)}, with a - before it for the last first"
        raise wrong(text, Code.BAD_PARAMETER)
    return value


def _conditions(value: str) -> Iterator[tuple[str, str, str]]:
    """Attribute, operator and value of each condition of a JSONPath filter. Raises Refused (501) for what it cannot be."""
    whole = _FILTER.match(value)
    for part in whole.group(1).split("&&") if whole else [""]:
        condition = _CONDITION.match(part)
        if condition is None:
            text = (
                f"filter: {value[:100]!r} is more than is supported: $[?(@.attribute == 'value')], with ==, >, >=, <, <= "
                "and && between conditions"
            )
            raise Refused(501, Code.NOT_SUPPORTED, text)
        name, sign, single, double = condition.groups()
        yield name, _SIGNS[sign], single if single is not None else double


def _compare(found: Wanted, name: str, operator: str, value: str, version: int) -> None:
    if name in _TIMES:
        _narrow(found, name, operator, value)
    elif operator != "eq":
        raise Refused(501, Code.NOT_SUPPORTED, f"filter: {name} can only be compared with ==")
    elif name in _LISTS:
        _both(found, name, value)
    elif name == _ELEMENT[version]:
        found.elements = [value]
    else:
        text = f"filter: {name} is none of {', '.join([*_TIMES, *_LISTS, _ELEMENT[version]])}"
        raise Refused(501, Code.NOT_SUPPORTED, text)


def _both(found: Wanted, name: str, value: str) -> None:
    """A condition of `filter` holds beside what the parameters say."""
    before = getattr(found, _LISTS[name])
    setattr(found, _LISTS[name], None)
    _choose(found, name, [value])
    if before is not None:
        after = getattr(found, _LISTS[name])
        setattr(found, _LISTS[name], [one for one in after if one in before])


def _unknown(name: str, known: Iterable[str]) -> Refused:
    return wrong(f"{name[:80]!r} is no parameter: there are {', '.join(known)}", Code.BAD_PARAMETER)

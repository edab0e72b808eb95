"""What a check of Orange's Incident API says: the list, the API key's age, and how much of the mapping is assumed. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tocsin.backends import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from tocsin.backends._orange_mapping import Mapping as Wire

_COUNTS = ("X-Result-Count", "X-Total-Count")
_YEARS = 2
_BEFORE = timedelta(days=60)
_HOW = "have Orange's support renew it"


def lists(headers: Mapping[str, str], *, works: bool | None, most: int) -> list[Finding]:
    """What the answer of the list says; `works` tells whether our reference is found by its filter, None if unknown."""
    findings = [Finding(level=Level.FINE, what="url", told="the login works, and the list of incidents answers")]
    if missing := [name for name in _COUNTS if name not in headers]:
        told = f"the list has no {' and no '.join(missing)}, as the documentation says it has: is it the Incident API?"
        findings.append(Finding(level=Level.WARNING, what="url", told=told))
    if works is False:
        told = (
            f"the filter finds no incident by our reference: each look-up reads up to {most}; correct `asks.reference`"
        )
        findings.append(Finding(level=Level.WARNING, what="mapping", told=told))
    return findings


def key(issued: date | None, now: datetime) -> list[Finding]:
    """How long the API key is good."""
    if issued is None:
        told = "not given: with it, this check warns before the API key's two years end"
        return [Finding(level=Level.FINE, what="key_issued", told=told)]
    ends = _later(issued)
    left = ends - now.date()
    if left < timedelta(0):
        level, told = Level.ERROR, f"the API key ended on {ends}; {_HOW}"
    elif left <= _BEFORE:
        level, told = Level.WARNING, f"the API key ends on {ends}, in {left.days} days; {_HOW}"
    else:
        level, told = Level.FINE, f"the API key is good until {ends}"
    return [Finding(level=level, what="key_issued", told=told)]


def _later(issued: date) -> date:
    """Two years after; of the 29th of February, the 1st of March."""
    try:
        return issued.replace(year=issued.year + _YEARS)
    except ValueError:
        return issued.replace(year=issued.year + _YEARS, month=3, day=1)


def mapping(wire: Wire) -> list[Finding]:
    """Which parts of the wire form are confirmed, and which are assumed."""
    names: dict[str, list[str]] = {"confirmed": [], "assumed": []}
    for name, entry in wire.entries():
        names[entry.known].append(name)
    sure, unsure = names["confirmed"], names["assumed"]
    findings = (
        [Finding(level=Level.FINE, what="mapping", told=f"{len(sure)} confirmed: {', '.join(sure)}")] if sure else []
    )
    if unsure:
        told = f"{len(unsure)} assumed, and to be compared with the vendor's Swagger file: {', '.join(unsure)}"
        findings.append(Finding(level=Level.WARNING, what="mapping", told=told))
    return findings

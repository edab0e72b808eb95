"""Which problem a trap belongs to: the pairs of traps and the state variables that say so, the standard's and the operator's.

Knows traps as `_traps` reads them; builds no alert.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Struct
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tocsin.model import Severity
from tocsin.sources import _oids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.sources._traps import Trap

_ENUMERATED = re.compile(r"([\w-]+) ?\((-?\d+)\)", re.ASCII)


def _oid(written: str) -> str:
    oid = _oids.canonical(written)
    if not oid or any(sign.isspace() for sign in oid):
        raise ValueError(f"{written!r} is no object identifier: write .1.3.6.1.6.3.1.1.5.3 or IF-MIB::linkDown")
    return oid


def _key(written: str) -> str:
    return f"{_oid(written.removesuffix('.*'))}.*" if written.endswith(".*") else _oid(written)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, (str, int)) else value


def _word(value: Any) -> Any:
    return str(value).strip().lower() if isinstance(value, (str, int)) else value


Oid = Annotated[str, AfterValidator(_oid)]
Oids = Annotated[tuple[Oid, ...], BeforeValidator(_listed)]
Keys = Annotated[tuple[Annotated[str, AfterValidator(_key)], ...], BeforeValidator(_listed)]
Words = Annotated[tuple[Annotated[str, BeforeValidator(_word)], ...], BeforeValidator(_listed)]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    check: str = Field(default="", max_length=512)
    """Check of the alert; unless said, the name of the first trap of `firing`, or of the variable."""
    severity: Severity | None = None
    """Severity of the alert."""
    key: Keys = ()
    """Variables whose values tell such problems of one device apart; `OID.*` is what stands for `*`, such as the row."""


class Pair(_Told):
    """Traps that say that a problem began, and those that say that it is over."""

    firing: Annotated[Oids, Field(min_length=1)]
    """The traps that say that it began: one, or a list."""
    resolved: Oids = ()
    """The traps that say that it is over; none for a problem that nothing ends."""


class State(_Told):
    """A variable whose value says whether there is a problem, in whatever trap; each row of a table is one of its own."""

    varbind: Oid
    """The variable, without the row."""
    resolved: Annotated[Words, Field(min_length=1)]
    """Values that say that there is no problem: numbers or names."""
    firing: Words = ()
    """Values that say that there is one; unless said, any that is not among those of `resolved`."""
    traps: Oids = ()
    """The traps it counts in; unless said, any."""


class Problem(Struct, frozen=True):
    """What one trap is about."""

    identity: tuple[str, ...]
    """What tells it apart from others of the same device."""
    check: str
    resolved: bool
    ends: bool
    """Whether any trap could ever say that it is over."""
    cause: str
    """The trap that it begins with, or the variable of its state."""
    severity: Severity | None = None


PAIRS = (
    Pair(firing=(_oids.LINK_DOWN,), resolved=(_oids.LINK_UP,), key=(_oids.IF_INDEX,), severity=Severity.MAJOR),
    Pair(firing=("coldStart",), severity=Severity.WARNING),
    Pair(firing=("warmStart",), severity=Severity.WARNING),
    Pair(firing=("authenticationFailure",), severity=Severity.WARNING),
    Pair(firing=("egpNeighborLoss",), key=("egpNeighAddr",), severity=Severity.MAJOR),
    Pair(
        firing=("bgpBackwardTransNotification", "bgpBackwardTransition"),
        resolved=("bgpEstablishedNotification", "bgpEstablished"),
        key=("bgpPeerLastError.*",),
        severity=Severity.MAJOR,
    ),
    Pair(firing=("upsTrapAlarmEntryAdded",), resolved=("upsTrapAlarmEntryRemoved",), key=("upsAlarmId",)),
    Pair(firing=("nsNotifyShutdown",), resolved=("nsNotifyStart", "nsNotifyRestart"), severity=Severity.WARNING),
)
"""The standard's own, those of BGP and of power supplies, and those of Net-SNMP's agent."""

INDEXES = (_oids.IF_INDEX, "1.3.6.1.2.1.47.1.1.1.1.1")
"""Variables whose value is the row of a table (ifIndex, entPhysicalIndex), in whatever trap."""

Known = dict[str, tuple[Pair, bool]]
"""Trap → its pair, and whether it says that the problem is over."""


def known(pairs: Iterable[Pair]) -> Known:
    """The pairs by trap.

    Raises:
        ValueError: a trap stands in two of them, or on both sides of one.
    """
    found: Known = {}
    for pair in pairs:
        for trap, over in [(trap, False) for trap in pair.firing] + [(trap, True) for trap in pair.resolved]:
            if trap in found:
                raise ValueError(f"the trap {trap} stands twice in the pairs: give it one side of one pair")
            found[trap] = (pair, over)
    return found


_STANDARD = known(PAIRS)


def problem(trap: Trap, pairs: Known, states: Iterable[State], names: Mapping[str, str]) -> Problem:
    """The problem of a trap: the operator's pairs count first, then the states, then the pairs of the standard."""
    if trap.oid not in pairs and (found := _of_states(trap, states, names)):
        return found
    told = pairs.get(trap.oid) or _STANDARD.get(trap.oid)
    if told:
        pair, over = told
        first = pair.firing[0]
        identity = (first, *(_keyed(trap, key) for key in pair.key))
        return Problem(identity, pair.check or name(first, names), over, bool(pair.resolved), first, pair.severity)
    rows = (value for index in INDEXES if (value := _keyed(trap, index)))
    identity = (trap.oid, *sorted(oid for oid, _ in trap.varbinds), *rows)
    return Problem(identity, name(trap.oid, names, trap.name), resolved=False, ends=False, cause=trap.oid)


def name(oid: str, names: Mapping[str, str], told: str = "") -> str:
    """What a trap or variable is called; its number where nobody has named it."""
    found, index = _oids.named(oid, names)
    if found != oid or not oid[:1].isdigit():
        return f"{found}.{index}" if index else found
    return told if told[:1].isalpha() else oid


def words(value: str) -> tuple[str, ...]:
    """The words that a value is: `down(2)` is itself, `down` and `2`."""
    text = value.strip().lower()
    found = _ENUMERATED.fullmatch(text)
    return (text, found[1], found[2]) if found else (text,)


def _of_states(trap: Trap, states: Iterable[State], names: Mapping[str, str]) -> Problem | None:
    for state in states:
        if state.traps and trap.oid not in state.traps:
            continue
        for oid, value in trap.varbinds:
            if not _oids.is_below(oid, state.varbind):
                continue
            says = words(value)
            over = any(word in state.resolved for word in says)
            if over or not state.firing or any(word in state.firing for word in says):
                identity = (state.varbind, oid[len(state.varbind) + 1 :], *(_keyed(trap, key) for key in state.key))
                check = state.check or name(state.varbind, names)
                return Problem(identity, check, over, ends=True, cause=state.varbind, severity=state.severity)
    return None


def _keyed(trap: Trap, key: str) -> str:
    branch = key.removesuffix(".*")
    for oid, value in trap.varbinds:
        if _oids.is_below(oid, branch):
            return value if branch == key else oid[len(branch) + 1 :]
    return _interface(trap) if key == _oids.IF_INDEX else ""


def _interface(trap: Trap) -> str:
    """The row of the interface that any variable of the interface tables is about."""
    tables = (_oids.IF_ENTRY, _oids.IF_X_ENTRY)
    below = (oid[len(table) + 1 :] for oid, _ in trap.varbinds for table in tables if _oids.is_below(oid, table))
    return next((row for found in below if (row := found.partition(".")[2])), "")

"""How the types become rows and come back: times as microseconds, the rest as text and small JSON.

Only plain `int` and `str` are handed to SQLite: an enumeration or a bool goes through its adapters, at 2 to 3 µs each.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin.model import (
    Decision,
    Delivery,
    DeliveryAction,
    DeliveryState,
    Element,
    Impact,
    Incident,
    Policy,
    Snapshot,
    State,
    Texts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_files = msgspec.json.Decoder(dict[str, str])

encode = msgspec.json.Encoder().encode
"""Any of our values as JSON bytes."""


def encode_text(value: object) -> str:
    """Any of our values as JSON text: columns that people read with any SQLite tool."""
    return encode(value).decode()


_changes = msgspec.json.Decoder(tuple[datetime, ...])
_snapshot = msgspec.json.Decoder(Snapshot)
_policy = msgspec.json.Decoder(Policy)


_last: tuple[datetime, int] = (EPOCH, 0)


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    global _last  # noqa: PLW0603 - the same `now` is written a dozen times for each alert; one tuple, so no torn reads
    last = _last
    if at is last[0]:
        return last[1]
    value = (at - EPOCH) // _MICROSECOND
    _last = (at, value)
    return value


def micros_or_none(at: datetime | None) -> int | None:
    """The same, keeping None."""
    return None if at is None else (at - EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The aware UTC time of so many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=at)


def moment_or_none(at: int | None) -> datetime | None:
    """The same, keeping None."""
    return None if at is None else EPOCH + timedelta(microseconds=at)


_ENDED = 2
"""`touched` of an incident whose ticket a person ended while it fired; 1 for any other hand on it."""


def _hand(incident: Incident) -> int:
    return _ENDED if incident.ended else int(incident.touched)


def incident_row(incident: Incident, policy: int, decision: int, counted: int) -> tuple[Any, ...]:
    """The whole row of `incidents`."""
    return (
        incident.n,
        incident.id,
        incident.dedup_key,
        slot(incident),
        incident.state.value,
        incident.rule,
        incident.element,
        incident.impact.value,
        policy,
        incident.declarant,
        micros(incident.opened_at),
        micros(incident.last_seen_at),
        micros_or_none(incident.cleared_at),
        micros_or_none(incident.closed_at),
        micros_or_none(incident.due_at),
        incident.firing,
        incident.alerts,
        _changes_text(incident),
        int(incident.flapping),
        _hand(incident),
        int(incident.declared),
        incident.previous,
        decision,
        counted,
    )


def incident_changes(incident: Incident, policy: int, decision: int, counted: int) -> tuple[Any, ...]:
    """The parameters of `update_incident`."""
    return (
        slot(incident),
        incident.state.value,
        incident.rule,
        incident.impact.value,
        policy,
        micros(incident.last_seen_at),
        micros_or_none(incident.cleared_at),
        micros_or_none(incident.closed_at),
        micros_or_none(incident.due_at),
        incident.firing,
        incident.alerts,
        _changes_text(incident),
        int(incident.flapping),
        _hand(incident),
        int(incident.declared),
        decision,
        counted,
        incident.n,
    )


def slot(incident: Incident) -> int:
    """0 while the incident is live: the unique index then allows one per key."""
    return incident.n if incident.state == State.CLOSED else 0


def _changes_text(incident: Incident) -> str:
    return encode_text(incident.changes) if incident.changes else "[]"


def read_incident(row: Sequence[Any], policies: Mapping[int, Policy], number: str = "") -> tuple[Incident, int]:
    """An incident and the row of its decision, from a row of `incidents`."""
    incident = Incident(
        n=row[0],
        id=row[1],
        dedup_key=row[2],
        state=State(row[4]),
        rule=row[5],
        element=row[6],
        impact=Impact(row[7]),
        policy=policies[row[8]],
        declarant=row[9],
        opened_at=moment(row[10]),
        last_seen_at=moment(row[11]),
        cleared_at=moment_or_none(row[12]),
        closed_at=moment_or_none(row[13]),
        due_at=moment_or_none(row[14]),
        firing=row[15],
        alerts=row[16],
        changes=() if row[17] == "[]" else _changes.decode(row[17]),
        flapping=bool(row[18]),
        touched=bool(row[19]),
        ended=row[19] == _ENDED,
        declared=bool(row[20]),
        previous=row[21],
        number=number,
    )
    return incident, row[22]


def read_policy(text: str) -> Policy:
    """A policy from its JSON."""
    return _policy.decode(text)


def read_delivery(row: Sequence[Any], incident: str, number: str) -> Delivery:
    """A delivery from a row of `unsent_deliveries` or `delivery`."""
    return Delivery(
        id=row[0],
        incident=incident,
        backend=row[2],
        action=DeliveryAction(row[3]),
        body=_snapshot.decode(row[4]),
        state=DeliveryState(row[5]),
        attempts=row[6],
        uncertain=bool(row[7]),
        reason=row[8],
        due_at=moment(row[9]),
        made_at=moment(row[10]),
        doubted_at=moment_or_none(row[11]),
        resent_at=moment_or_none(row[12]),
        number=number,
    )


def delivery_row(
    delivery: Delivery, n: int, body: str, made_at: datetime, settled_at: datetime | None
) -> tuple[Any, ...]:
    """The whole row of `deliveries`."""
    return (
        delivery.id,
        n,
        delivery.backend,
        delivery.action.value,
        body,
        delivery.state.value,
        delivery.attempts,
        int(delivery.uncertain),
        delivery.reason,
        micros(delivery.due_at),
        micros(made_at),
        micros_or_none(settled_at),
        micros_or_none(delivery.doubted_at),
        micros_or_none(delivery.resent_at),
    )


def delivery_changes(delivery: Delivery, settled_at: datetime | None) -> tuple[Any, ...]:
    """The parameters of `update_delivery`."""
    return (
        delivery.action.value,
        encode_text(delivery.body),
        delivery.state.value,
        delivery.attempts,
        int(delivery.uncertain),
        delivery.reason,
        micros(delivery.due_at),
        micros_or_none(settled_at),
        micros_or_none(delivery.doubted_at),
        micros_or_none(delivery.resent_at),
        delivery.id,
    )


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a decision said beyond its columns: the texts a ticket is made of, and the words for no ticket."""

    element: Element | None = None
    candidates: tuple[str, ...] = ()
    name: Texts = {}
    description: Texts = {}
    captures: dict[str, str] = {}
    reason: str = ""
    source: str = ""


_details = msgspec.json.Decoder(Details)


def decision_details(decision: Decision, source: str) -> str:
    """The `details` column of a decision."""
    return encode_text(
        Details(
            element=decision.element,
            candidates=decision.candidates,
            name=decision.name,
            description=decision.description,
            captures=decision.captures,
            reason=decision.reason,
            source=source,
        )
    )


def read_details(text: str | bytes) -> Details:
    """The `details` column, read back."""
    return _details.decode(text)


class Decided(Struct, frozen=True):
    """What a decision not to declare a ticket comes to: two that are equal say the same."""

    rule: str
    action: str
    reason: str
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, decision: Decision) -> Decided:
        """Return it of a decision just made."""
        return cls(decision.rule, decision.action.value, decision.reason, decision.candidates)

    @classmethod
    def stored(cls, rule: str, action: str, details: str) -> Decided:
        """Return it of the columns of a stored one."""
        read = read_details(details)
        return cls(rule, action, read.reason, read.candidates)


def read_files(packed: bytes) -> dict[str, str]:
    """The `files` column of a rule set: file name → text."""
    return _files.decode(zlib.decompress(packed))

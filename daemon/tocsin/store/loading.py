"""What the store knows again after a start: live incidents, alerts that fire, deliveries not sent, row counters.

Repeats are only appended while the service runs; here they are counted into the incidents they were folded into, so
that a crash loses no count.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from tocsin.live import Entry, Firing
from tocsin.model import Alert, DeliveryAction, DeliveryState, Status
from tocsin.overtaken import MOST, WINDOW, Said
from tocsin.saying import said
from tocsin.store.queries import QUERIES
from tocsin.store.rows import moment, read_delivery, read_incident, read_policy
from tocsin.store.transaction import CLOSED_KEYS, Memory

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.live import Live

_TABLES = (
    "bodies",
    "texts",
    "alerts",
    "rejected",
    "rule_sets",
    "traces",
    "decisions",
    "policies",
    "incidents",
    "firing",
    "notes",
    "deliveries",
    "desk_tickets",
    "desk_notes",
    "desk_statuses",
    "desk_identifiers",
    "desk_attachments",
    "desk_subscriptions",
    "desk_events",
    "rule_changes",
    "shadows",
    "shadow_differences",
)
_alert = msgspec.json.Decoder(Alert)


def load(connection: Any, live: Live, now: datetime) -> Memory:
    """Fill `live` from the database and return the store's memory.

    What would have expired while nobody listened gets its usual span again, from `now`. An incident's ticket stays where
    it is or was asked for, whatever the settings say now.
    """
    memory = Memory({table: _highest(connection, table) for table in _TABLES})
    for row, policy in connection.execute(QUERIES["policies"]):
        memory.keep_policy(row, read_policy(policy))
    for month, number in connection.execute(
        "select substr(number, 1, 4), max(cast(substr(number, 6) as integer)) from desk_tickets group by 1"
    ):
        memory.desk[month] = number
    for (key,) in connection.execute(QUERIES["closed_keys"], (CLOSED_KEYS + 1,)):
        memory.keep_closed(key)
    _load_incidents(connection, live, memory)
    _count_repeats(connection, live)
    _load_firing(connection, live, now)
    _load_ends(connection, live, now)
    _load_unsent(connection, live)
    live.settle()
    return memory


def _highest(connection: Any, table: str) -> int:
    column = "n" if table == "incidents" else "id"
    return connection.execute(f"select coalesce(max({column}), 0) from {table}").fetchone()[0]  # type: ignore[no-any-return]  # noqa: S608 - names from the tuple above


def _load_incidents(connection: Any, live: Live, memory: Memory) -> None:
    tickets = {n: (number, backend) for n, number, backend in connection.execute(QUERIES["live_tickets"])}
    for row in connection.execute(QUERIES["live_incidents"]):
        number, backend = tickets.get(row[0], ("", ""))
        incident, decision = read_incident(row, memory.policies, number)
        live.enter(Entry(incident=incident, decision=decision))
        if backend:
            live.bind(incident.n, backend)


def _count_repeats(connection: Any, live: Live) -> None:
    (counted,) = connection.execute(QUERIES["counted"]).fetchone()
    for n, count, last in connection.execute(QUERIES["repeats_since"], (counted,)):
        live.recount(n, count, moment(last))


def _load_firing(connection: Any, live: Live, now: datetime) -> None:
    for row, text, decision, n, outcome, seen, expires, source, fingerprint, alert in connection.execute(
        QUERIES["live_firing"]
    ):
        told = _alert.decode(alert)
        live.keep(
            Firing(
                source=sys.intern(source),
                fingerprint=fingerprint,
                said=said(told),
                told=Said(told.said_at, told.said_at),
                era=0,
                row=row,
                text=text,
                decision=decision,
                n=n,
                outcome=sys.intern(outcome),
                seen_at=now,
                expires_at=now + timedelta(microseconds=expires - seen) if expires else None,
            )
        )


def _load_ends(connection: Any, live: Live, now: datetime) -> None:
    """What was said to be over lately: an older message about it may still be on its way."""
    since = int((now - WINDOW).timestamp() * 1_000_000)
    found = connection.execute(QUERIES["texts_ended"], (since, MOST)).fetchall()
    ended = ((_alert.decode(alert), moment(at)) for at, alert in reversed(found))
    live.ends.enter((alert, at) for alert, at in ended if alert.status == Status.RESOLVED)


def _load_unsent(connection: Any, live: Live) -> None:
    """Deliveries under way when the last process ended: nobody knows whether the backend did them."""
    informed = {
        (n, backend): (number, status) for n, backend, number, status in connection.execute(QUERIES["informed_unsent"])
    }
    for row in connection.execute(QUERIES["unsent_deliveries"]).fetchall():
        n, backend = row[1], row[2]
        reference = connection.execute("select id from incidents where n = ?", (n,)).fetchone()[0]
        number, opened = informed.get((n, backend), ("", ""))
        if (n, backend) not in informed:
            ticket = connection.execute(QUERIES["ticket"], (n,)).fetchone()
            number, opened = (ticket[2], ticket[4]) if ticket and ticket[1] == backend else ("", "")
        delivery = replace(read_delivery(row, reference, number), opened=bool(opened))
        if delivery.state == DeliveryState.DEAD and delivery.action != DeliveryAction.OPEN:
            continue
        if delivery.state == DeliveryState.LEASED:
            delivery = replace(delivery, state=DeliveryState.PENDING, uncertain=True, doubted_at=delivery.due_at)
        if delivery.action == DeliveryAction.OPEN and (n, backend) not in informed:
            live.bind(n, backend)
        live.unsent.keep(n, backend, (*live.unsent.of(n, backend), delivery))

"""Writing down what came in and what was decided: bodies, texts, alerts, decisions, what fires, rule sets.

What repeats is stored once: a text for as long as an alert goes on saying it, a trace and a policy by content, a rule
set by hash.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from tocsin.informing import placed
from tocsin.model import Status
from tocsin.store import rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.live import Firing
    from tocsin.model import Alert, Decision, Incident, Payload
    from tocsin.store.transaction import Transaction

_TRACES_KEPT = 10_000
_SMALL = 4096


class Rules(Protocol):
    """What is kept of a rule set."""

    @property
    def hash(self) -> str:
        """Its content hash."""

    @property
    def files(self) -> Mapping[str, str]:
        """File name → text."""


def keep_body(tx: Transaction, payload: Payload, now: datetime) -> int:
    """Keep a body as received; returns its row."""
    row = tx.next("bodies")
    kept = (payload.source, payload.content_type, *_packed(payload.body), _about(payload))
    tx.insert("insert_body", (row, rows.micros(now), *kept))
    return row


def _about(payload: Payload) -> str:
    """What the address and the headers said; empty when they said nothing."""
    said = {"path": payload.path, "given": payload.given, "headers": payload.headers}
    told = {name: value for name, value in said.items() if value}
    method = {"method": payload.method} if payload.method != "POST" else {}
    return rows.encode_text(method | told) if told or method else ""


def _packed(body: bytes) -> tuple[int, bytes]:
    """Whether it is compressed, and the body: making the compressor ready costs more than a small body is worth."""
    return (1, zlib.compress(body, 1)) if len(body) > _SMALL else (0, body)


def reject(tx: Transaction, payload: Payload, reason: str, now: datetime) -> None:
    """Keep a body that cannot be read, raw, with the reason."""
    at, kept = rows.micros(now), (*_packed(payload.body), _about(payload))
    tx.insert("insert_rejected", (tx.next("rejected"), at, payload.source, payload.content_type, reason, *kept))


def keep_text(tx: Transaction, alert: Alert, now: datetime) -> int:
    """Keep what an alert says; returns its row. When it expires is not part of what it says."""
    row = tx.next("texts")
    ended_at = None if alert.status == Status.FIRING else rows.micros(now)
    plain = replace(alert, ends_at=None) if alert.ends_at and alert.status == Status.FIRING else alert
    tx.insert("insert_text", (row, alert.source, alert.fingerprint, ended_at, rows.encode_text(plain)))
    return row


def keep_decision(tx: Transaction, decision: Decision, rules: Rules, source: str, now: datetime) -> int:
    """Keep a decision; returns its row."""
    row = tx.next("decisions")
    tx.insert(
        "insert_decision",
        (
            row,
            rows.micros(now),
            rule_set_row(tx, rules, rows.micros(now)),
            decision.rule,
            decision.action.value,
            decision.element.reference if decision.element else None,
            decision.impact.value if decision.impact else None,
            decision.dedup_key,
            _trace_row(tx, decision),
            rows.decision_details(decision, source),
        ),
    )
    return row


def keep_firing(tx: Transaction, firing: Firing, before: Firing | None) -> None:
    """Keep that a fingerprint fires, in the store and in the live state; `before` is how it fired until now."""
    at, expires = rows.micros(firing.seen_at), rows.micros_or_none(firing.expires_at)
    said = (firing.text, firing.decision, firing.n, firing.outcome, at, expires)
    if before is None:
        tx.insert("insert_firing", (firing.row, *said))
    else:
        tx.update("update_firing", (*said, firing.row))
        if before.text != firing.text:
            tx.update("end_text", (at, before.text))
    tx.live.keep(firing)


def keep_rule_set(tx: Transaction, rules: Rules, now: datetime) -> int:
    """Keep the files of a rule set that goes live, once, by hash; returns its row."""
    at = rows.micros(now)
    row = rule_set_row(tx, rules, at)
    tx.update("update_rule_set", (at, row))
    return row


def latest_closed(tx: Transaction, dedup_key: str) -> Incident | None:
    """The latest incident of a key that has none live."""
    ended = tx.live.ended.get(dedup_key)
    if ended:
        return ended
    closed = tx.memory.closed_keys
    if closed is not None and hash(dedup_key) not in closed:
        return None
    # Nothing gathered can hide it: what this transaction closed is in `ended`.
    found = tx.peek("latest_closed", (dedup_key,))
    return read_incident(tx, found[0][0]) if found else None


def current_incident(tx: Transaction, n: int) -> Incident:
    """An incident as it is now, live or as the database has it. The caller knows that it is there."""
    entry = tx.live.by_row.get(n)
    return entry.current() if entry else read_incident(tx, n)


def read_incident(tx: Transaction, n: int) -> Incident:
    """An incident as the database has it. The caller knows that it is there."""
    ticket = tx.peek("ticket", (n,))
    row = tx.peek("incident", (n,))[0]
    incident, _ = rows.read_incident(row, tx.memory.policies, ticket[0][2] if ticket else "")
    if not ticket:
        return incident
    return replace(incident, policy=placed(incident.policy, ticket[0][1], tx.backends.default))


def rule_set_row(tx: Transaction, rules: Rules, live_from: int) -> int:
    """The row of a rule set; `live_from` is kept with one that is new: 0 for one that does not go live."""
    known = tx.memory.rule_sets
    row = known.get(rules.hash)
    if row is None:
        found = tx.rows("rule_set_by_hash", (rules.hash,))
        row = found[0][0] if found else tx.next("rule_sets")
        if not found:
            files = zlib.compress(rows.encode(dict(rules.files)))
            tx.insert("insert_rule_set", (row, rules.hash, live_from, files))
        known[rules.hash] = row
    return row


def _trace_row(tx: Transaction, decision: Decision) -> int:
    """Which rules came close; the values that failed them are in the alert itself, so few traces differ."""
    if not decision.trace:
        return 0
    trace = rows.encode_text([(tried.rule, tried.field) for tried in decision.trace])
    traces = tx.memory.traces
    row = traces.get(trace)
    if row is None:
        found = tx.rows("trace_id", (trace,))
        row = found[0][0] if found else tx.next("traces")
        if not found:
            tx.insert("insert_trace", (row, trace))
        if len(traces) >= _TRACES_KEPT:
            traces.clear()
        traces[trace] = row
    return row


def latest_rule_set(tx: Transaction) -> dict[str, str] | None:
    """The files of the rule set that went live last."""
    found = tx.rows("latest_rule_set")
    return rows.read_files(found[0][1]) if found else None

"""The road of an alert inside one transaction: what was said → decision → change → rows.

Plain and synchronous; the store runs it. The one place where alerts, rules, lifecycle and store meet. Knows no HTTP
and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin import lifecycle
from tocsin.live import Entry, Firing, Met, Surroundings, said, what
from tocsin.model import Action, Alert, Incident, State, Status, Unreadable
from tocsin.rules import engine
from tocsin.store import keep, rows
from tocsin.store.apply import Cause, apply

if TYPE_CHECKING:
    from tocsin.model import Decision, Payload, Receipt, TicketStatus
    from tocsin.store import Transaction


class Rulebook(Struct, frozen=True):
    """The rules and the fleet that decide now, swapped as one; `era` grows with each swap."""

    rule_set: Any
    """`rules.RuleSet`."""
    fleet: Any
    """`fleet.Fleet`."""
    era: int


class Intake(Struct, frozen=True, kw_only=True):
    """What taking alerts in needs beside the alerts."""

    rulebook: Rulebook
    mint: Callable[[datetime], str]
    declarant: str = "Supervision"
    backend: str = ""
    """The source's backend, for rules that name none; empty for the default one."""


class Fate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one alert: the answer to its sender."""

    outcome: str
    """One of `OUTCOMES`."""
    fingerprint: str = ""
    incident: str = ""
    ticket: str = ""
    rule: str = ""
    reason: str = ""


OUTCOMES = (
    "opened",
    "held",
    "folded",
    "reopened",
    "resolved",
    "unknown",
    "recorded",
    "ignored",
    "quarantined",
    "rejected",
)
"""opened: an incident began and its ticket is asked for · held: it waits · folded: counted into a live one · reopened ·
resolved · unknown: a resolve of nothing that fires · recorded, ignored, quarantined: no ticket, by the rules ·
rejected: cannot be read."""

_NO_TICKET = {Action.RECORD: "recorded", Action.IGNORE: "ignored", Action.QUARANTINE: "quarantined"}


def take(
    tx: Transaction, payload: Payload, alerts: Sequence[Alert | Unreadable], intake: Intake, now: datetime
) -> list[Fate]:
    """Take the alerts of one body in; returns what became of each, in their order."""
    road = _Road(tx, payload, intake, now)
    return [_reject(tx, payload, alert, now) if isinstance(alert, Unreadable) else road.take(alert) for alert in alerts]


def _reject(tx: Transaction, payload: Payload, entry: Unreadable, now: datetime) -> Fate:
    """Keep the body among the rejected; its other entries are not lost with this one."""
    reason = f"entry {entry.position}: {entry.problem}"
    keep.reject(tx, payload, reason, now)
    return Fate(outcome="rejected", reason=reason)


class _Kept(Struct, frozen=True):
    """Where the newest words and decision of an alert are kept."""

    said: int
    text: int
    decision: int


class _Road:
    """One body's alerts on their way, one after the other."""

    def __init__(self, tx: Transaction, payload: Payload, intake: Intake, now: datetime) -> None:
        self._tx = tx
        self._payload = payload
        self._live = tx.live
        self._intake = intake
        self._rulebook = intake.rulebook
        self._body = 0
        self._now = now
        self._at = rows.micros(now)
        self._around = Surroundings(
            closed=lambda key: keep.latest_closed(tx, key),
            mint=lambda: (intake.mint(now), tx.next("incidents")),
            declarant=intake.declarant,
        )

    def take(self, alert: Alert) -> Fate:
        """One alert, to its fate."""
        firing = self._live.find(alert.source, alert.fingerprint)
        if alert.status == Status.RESOLVED:
            return self._resolve(alert, firing)
        hashed = said(alert)
        if firing and firing.said == hashed and firing.era == self._rulebook.era:
            entry = self._live.by_row.get(firing.n)
            if self._live.settled(firing, entry):
                return self._repeat(alert, firing, entry)
        return self._decide(alert, firing, hashed)

    def _repeat(self, alert: Alert, firing: Firing, entry: Entry | None) -> Fate:
        self._live.repeat(firing, entry, alert.ends_at, self._now)
        self._append_from(0, alert, (firing.text, firing.decision, firing.n, firing.outcome))
        if entry is None:
            return Fate(outcome=firing.outcome, fingerprint=alert.fingerprint)
        incident = entry.incident
        return Fate(outcome="folded", fingerprint=alert.fingerprint, incident=incident.id, ticket=incident.number)

    def _decide(self, alert: Alert, firing: Firing | None, hashed: int) -> Fate:
        book = self._rulebook
        decision = engine.decide(alert, book.rule_set, book.fleet, self._now)
        text = firing.text if firing and firing.said == hashed else keep.keep_text(self._tx, alert, self._now)
        row = keep.keep_decision(self._tx, decision, book.rule_set, alert.source, self._now)
        kept = _Kept(hashed, text, row)
        if decision.action == Action.TICKET:
            decision = engine.with_backend(decision, self._intake.backend)
            return self._fire(alert, decision, firing, kept)
        return self._no_ticket(alert, decision, firing, kept)

    def _no_ticket(self, alert: Alert, decision: Decision, firing: Firing | None, kept: _Kept) -> Fate:
        outcome = _NO_TICKET[decision.action]
        self._append(alert, kept.text, kept.decision, 0, outcome)
        if firing:
            _gone(self._tx, firing, what(alert), self._now)
        self._keep_firing(alert, firing, kept, 0, outcome)
        return Fate(outcome=outcome, fingerprint=alert.fingerprint, rule=decision.rule, reason=decision.reason)

    def _fire(self, alert: Alert, decision: Decision, firing: Firing | None, kept: _Kept) -> Fate:
        tx, now = self._tx, self._now
        met = self._live.meet(alert, firing, decision, kept.decision, self._around, now)
        incident, outcome = met.incident, _outcome(met)
        self._append(alert, kept.text, kept.decision, incident.n, outcome)
        if met.change:
            cause = Cause(row=kept.decision, decision=decision, source=alert.source)
            apply(tx, met.change, cause, new=met.new, now=now)
        if met.left:
            apply(tx, met.left, Cause(row=met.left_decision), new=False, now=now)
        self._keep_firing(alert, firing, kept, incident.n, "folded")
        entry = self._live.by_row.get(incident.n)
        number = entry.incident.number if entry else incident.number
        return Fate(
            outcome=outcome, fingerprint=alert.fingerprint, incident=incident.id, ticket=number, rule=decision.rule
        )

    def _resolve(self, alert: Alert, firing: Firing | None) -> Fate:
        text = keep.keep_text(self._tx, alert, self._now)
        if firing is None:
            self._append(alert, text, 0, 0, "unknown")
            return Fate(outcome="unknown", fingerprint=alert.fingerprint, reason="nothing fires under this fingerprint")
        self._append(alert, text, firing.decision, firing.n, "resolved")
        incident = resolve(self._tx, firing, what(alert), self._now)
        if incident is None:
            return Fate(outcome="resolved", fingerprint=alert.fingerprint)
        return Fate(outcome="resolved", fingerprint=alert.fingerprint, incident=incident.id, ticket=incident.number)

    def _append(self, alert: Alert, text: int, decision: int, n: int, outcome: str) -> None:
        """An alert that says something new, with the body it came in."""
        if not self._body:
            self._body = keep.keep_body(self._tx, self._payload, self._now)
        self._append_from(self._body, alert, (text, decision, n, outcome))

    def _append_from(self, body: int, alert: Alert, kept: tuple[int, int, int, str]) -> None:
        tx = self._tx
        tx.insert("insert_alert", (tx.next("alerts"), self._at, body, *kept, rows.micros_or_none(alert.ends_at)))

    def _keep_firing(self, alert: Alert, firing: Firing | None, kept: _Kept, n: int, outcome: str) -> None:
        fires = Firing(
            source=alert.source,
            fingerprint=alert.fingerprint,
            said=kept.said,
            era=self._rulebook.era,
            row=firing.row if firing else self._tx.next("firing"),
            text=kept.text,
            decision=kept.decision,
            n=n,
            outcome=outcome,
            seen_at=self._now,
            expires_at=alert.ends_at,
        )
        keep.keep_firing(self._tx, fires, firing)


def resolve(tx: Transaction, firing: Firing, said_of: str, now: datetime) -> Incident | None:
    """A fingerprint that fired is gone; returns its incident as it was, if it has one.

    `said_of` is the alert in a few words, for the notes.
    """
    entry = tx.live.by_row.get(firing.n)
    _gone(tx, firing, said_of, now)
    tx.live.forget(firing)
    tx.update("delete_firing", (firing.row,))
    tx.update("end_text", (rows.micros(now), firing.text))
    return entry.incident if entry else None


def _gone(tx: Transaction, firing: Firing, said_of: str, now: datetime) -> None:
    entry = tx.live.by_row.get(firing.n)
    change = tx.live.resolve(firing, said_of, now)
    if entry and change:
        apply(tx, change, Cause(row=entry.decision), new=False, now=now)


def seen(
    tx: Transaction, number: str, actor: str, status: TicketStatus | None, receipt: Receipt, now: datetime
) -> bool:
    """A person changed the ticket of this number; returns whether that was news to its incident."""
    found = tx.rows("ticket_by_number", (number,))
    if not found:
        return False
    n = found[0][0]
    tx.update("update_ticket", (receipt.status.value, receipt.url, rows.micros(now), n))
    entry = tx.live.by_row.get(n)
    change = tx.live.see(n, lifecycle.TicketSeen(actor=actor, status=status), now)
    if entry is None or change is None:
        return False
    apply(tx, change, Cause(row=entry.decision), new=False, now=now)
    return True


def _outcome(met: Met) -> str:
    if met.change is None:
        return "folded"
    if met.new:
        return "held" if met.incident.state == State.HELD else "opened"
    return "reopened" if met.before and met.before.state == State.CLOSED else "folded"

"""The road of an alert inside one transaction: what was said → decision → change → rows.

Plain and synchronous; the store runs it. The one place where alerts, rules, lifecycle and store meet. Knows no HTTP
and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.events import TicketSeen
from tocsin.fate import OUTCOMES, Fate
from tocsin.live import Entry, Firing, Met, Surroundings
from tocsin.model import Action, Alert, Incident, State, Status, Unreadable
from tocsin.overtaken import Said
from tocsin.rules import engine
from tocsin.rules.routing import NO_ROUTES, Routes, routed
from tocsin.saying import said, what
from tocsin.store import keep, rows, shadows
from tocsin.store.apply import Cause, apply
from tocsin.workbench import shadow

if TYPE_CHECKING:
    from tocsin.model import Decision, Payload, Receipt, TicketStatus
    from tocsin.store import Transaction

__all__ = ["AGAIN", "OUTCOMES", "Fate", "Intake", "Redecided", "Rulebook", "redecide", "resolve", "seen", "take"]


class Rulebook(Struct, frozen=True):
    """The rules and the fleet that decide now, swapped as one; `era` grows with each swap."""

    rule_set: Any
    """`rules.RuleSet`."""
    fleet: Any
    """`fleet.Fleet`."""
    era: int
    shadow: Any = None
    """A second `rules.RuleSet`, that decides beside the first and delivers nothing; None for none."""


class Intake(Struct, frozen=True, kw_only=True):
    """What taking alerts in needs beside the alerts."""

    rulebook: Rulebook
    mint: Callable[[datetime], str]
    declarant: str = "Supervision"
    backend: str = ""
    """The source's backend, for rules and routes that name none; empty for the default one."""
    routes: Routes = NO_ROUTES
    hear: shadow.Hear | None = None
    """Told what came of comparing the shadow rule set, in the store's thread."""


AGAIN = 500
"""So many fingerprints at most are decided again in one transaction: alerts that come in wait no longer behind it."""

_alert = msgspec.json.Decoder(Alert)
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

    def __init__(self, tx: Transaction, payload: Payload | None, intake: Intake, now: datetime) -> None:
        """`payload` is None when nothing came in: what fires is decided again."""
        self._tx = tx
        self._payload = payload
        self._live = tx.live
        self._intake = intake
        self._rulebook = intake.rulebook
        self.era = intake.rulebook.era
        self._routes = bool(intake.routes or intake.backend)
        self._body = 0
        self._now = now
        self._seen_at = now
        self._at = rows.micros(now)
        self._around = Surroundings(
            closed=lambda key: keep.latest_closed(tx, key),
            mint=lambda: (intake.mint(now), tx.next("incidents")),
            declarant=intake.declarant,
        )

    def take(self, alert: Alert) -> Fate:
        """One alert, to its fate."""
        firing = self._live.find(alert.source, alert.fingerprint)
        if alert.said_at and self._live.ends.overtake(alert, firing.told if firing else None, self._now):
            return self._overtaken(alert)
        if alert.status == Status.RESOLVED:
            return self._resolve(alert, firing)
        hashed = said(alert)
        if firing and firing.said == hashed and firing.era == self._rulebook.era:
            entry = self._live.by_row.get(firing.n)
            if self._live.settled(firing, entry):
                return self._repeat(alert, firing, entry)
        return self._decide(alert, firing, hashed)

    def _repeat(self, alert: Alert, firing: Firing, entry: Entry | None) -> Fate:
        self._live.repeat(firing, entry, alert, self._now)
        self._append_from(0, alert, (firing.text, firing.decision, firing.n, firing.outcome))
        if entry is None:
            return Fate(outcome=firing.outcome, fingerprint=alert.fingerprint)
        incident = entry.incident
        return Fate(outcome="folded", fingerprint=alert.fingerprint, incident=incident.id, ticket=incident.number)

    def _decide(self, alert: Alert, firing: Firing | None, hashed: int) -> Fate:
        decision = engine.decide(alert, self._rulebook.rule_set, self._rulebook.fleet, self._now)
        return self._follow(alert, decision, firing, hashed)

    def redecide(self, alert: Alert, firing: Firing, before: rows.Decided, span: timedelta | None) -> Fate | None:
        """Decide again what fires without an incident; None when that changes nothing, and then nothing is written.

        `span` is how long its source's word holds, if that ends.
        """
        decision = engine.decide(alert, self._rulebook.rule_set, self._rulebook.fleet, self._now)
        if rows.Decided.of(decision) == before:
            firing.era = self._rulebook.era  # true even if this transaction fails: these rules say the same
            return None
        self._seen_at = firing.expires_at - span if firing.expires_at and span else self._now
        return self._follow(alert, decision, firing, firing.said)

    def _follow(self, alert: Alert, decision: Decision, firing: Firing | None, hashed: int) -> Fate:
        """Do what was decided."""
        text = firing.text if firing and firing.said == hashed else keep.keep_text(self._tx, alert, self._now)
        row = keep.keep_decision(self._tx, decision, self._rulebook.rule_set, alert.source, self._now)
        if self._rulebook.shadow is not None:
            self._compare(alert, decision, (text, row))
        kept = _Kept(hashed, text, row)
        if decision.action == Action.TICKET:
            return self._fire(alert, self._routed(decision), firing, kept)
        return self._no_ticket(alert, decision, firing, kept)

    def _routed(self, decision: Decision) -> Decision:
        """The decision with the backends that its rule leaves to routes and source."""
        return routed(decision, self._intake.routes, self._intake.backend) if self._routes else decision

    def _compare(self, alert: Alert, live: Decision, of: tuple[int, int]) -> None:
        """Keep what the shadow rule set says otherwise, and do nothing about it."""
        book = self._rulebook
        said = engine.decide(alert, book.shadow, book.fleet, self._now)
        difference = shadow.compare(self._routed(live), self._routed(said))
        if difference:
            shadows.keep_difference(self._tx, difference, book.shadow, of, self._now)
        if self._intake.hear:
            self._intake.hear(shadow.groups(difference))

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
        self._live.ends.keep(alert, self._now)
        if firing is None:
            self._append(alert, text, 0, 0, "unknown")
            return Fate(outcome="unknown", fingerprint=alert.fingerprint, reason="nothing fires under this fingerprint")
        self._append(alert, text, firing.decision, firing.n, "resolved")
        incident = resolve(self._tx, firing, what(alert), self._now)
        if incident is None:
            return Fate(outcome="resolved", fingerprint=alert.fingerprint)
        return Fate(outcome="resolved", fingerprint=alert.fingerprint, incident=incident.id, ticket=incident.number)

    def _overtaken(self, alert: Alert) -> Fate:
        """A newer message about the same problem came before: this one changes nothing."""
        text = keep.keep_text(self._tx, alert, self._now)
        self._tx.update("end_text", (self._at, text))
        self._append(alert, text, 0, 0, "overtaken")
        return Fate(outcome="overtaken", fingerprint=alert.fingerprint, reason="something newer was heard before")

    def _append(self, alert: Alert, text: int, decision: int, n: int, outcome: str) -> None:
        """An alert that says something new, with the body it came in; what is decided again came in none."""
        if self._payload and not self._body:
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
            seen_at=self._seen_at,
            expires_at=alert.ends_at,
            told=Said(firing.told.first if firing else alert.said_at, alert.said_at),
        )
        keep.keep_firing(self._tx, fires, firing)


class Redecided(Struct, frozen=True, kw_only=True):
    """What came of deciding a batch again."""

    fates: tuple[Fate, ...]
    """Of those about which the rules say something else now."""
    unchanged: int
    """Those about which they say the same; nothing was written about them."""
    last: int
    """Where the next batch begins; 0 when there is none."""


def redecide(tx: Transaction, intake_of: Callable[[str], Intake], after: int, now: datetime) -> Redecided:
    """Decide again, by the rules and fleet of now, a batch of what fires and has no incident.

    For sources that send once: those that repeat are decided again at their next alert anyway. What has a live incident
    is left alone, and so is what these very rules decided. Doing it twice changes nothing the second time.

    Args:
        tx: the transaction.
        intake_of: what taking alerts of a source in needs, by the source's name.
        after: where the batch begins: 0, then the `last` of the batch before.
        now: the time.
    """
    roads: dict[str, _Road] = {}
    fates: list[Fate] = []
    unchanged = 0
    found = tx.rows("firing_without_incident", (after, AGAIN))
    for row, source, fingerprint, text, seen_at, expires_at, *decided in found:
        firing = tx.live.find(source, fingerprint)
        if firing is None or firing.row != row:
            continue
        road = roads.get(source) or roads.setdefault(source, _Road(tx, None, intake_of(source), now))
        if firing.era == road.era:
            unchanged += 1
            continue
        alert = replace(_alert.decode(text), ends_at=firing.expires_at)
        span = timedelta(microseconds=expires_at - seen_at) if expires_at else None
        fate = road.redecide(alert, firing, rows.Decided.stored(*decided), span)
        if fate:
            fates.append(fate)
        unchanged += fate is None
    last = found[-1][0] if len(found) == AGAIN else 0
    return Redecided(fates=tuple(fates), unchanged=unchanged, last=last)


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
    """A person changed the desk's ticket of this number; returns whether that was news to its incident.

    One that the desk is only informed by is nobody's declaration: what people do to it stays there.
    """
    n = next((row[0] for row in tx.rows("ticket_by_number", (number,)) if row[1] in tx.backends.embedded), 0)
    if not n:
        return False
    tx.update("update_ticket", (receipt.status.value, receipt.number, receipt.url, rows.micros(now), n))
    entry = tx.live.by_row.get(n)
    change = tx.live.see(n, TicketSeen(actor=actor, status=status), now)
    if entry is None or change is None:
        return False
    apply(tx, change, Cause(row=entry.decision), new=False, now=now)
    return True


def _outcome(met: Met) -> str:
    if met.change is None:
        return "folded"
    if met.new:
        return "held" if met.incident.state == State.HELD else "opened"
    again = met.before and met.before.state == State.CLOSED and met.incident.state != State.CLOSED
    return "reopened" if again else "folded"

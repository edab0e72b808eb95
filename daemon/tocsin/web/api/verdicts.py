"""What a rule set makes of one alert, as values that say everything: the rule, the ticket, every rule before.

The one engine and nothing behind it. Pure.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict

from tocsin.fleet import Fleet
from tocsin.model import Action, Alert, Element, Impact, Policy, Texts, Tried
from tocsin.rules import RuleSet, engine
from tocsin.workbench.ticketing import Ticketing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.model import Decision


class Sketch(Struct, frozen=True, kw_only=True):
    """The ticket that would be declared, or the one it would be counted into: tickets of one key are one."""

    element: Element
    impact: Impact
    key: str
    backend: str
    """Name of the ticket system."""
    inform: list[str]
    """Names of the ticket systems that would be informed."""
    priority: str
    """What the desk would compute; empty for a ticket system that keeps its priority to itself."""
    policy: Policy
    name: Texts
    description: Texts


class Judged(Struct, frozen=True, kw_only=True):
    """What one rule set says about an alert, and why."""

    rule_set: str
    action: Action
    rule: str
    """Id of the rule that matched, or `fallback`."""
    title: str
    file: str
    line: int
    reason: str
    """In words, why there is no ticket; empty when there is one."""
    captures: dict[str, str]
    candidates: list[str]
    """References of the elements that a name could mean, when it could mean several."""
    ticket: Sketch | None
    tried: Annotated[int, Meta(description="How many rules come before the one that matched.", ge=0)]
    trace: list[Tried]
    """Those rules, each with its first condition that failed; the nearest ones when there are many."""


class Change(Struct, frozen=True, kw_only=True):
    """One thing that a candidate would do otherwise."""

    what: str
    live: str
    candidate: str


class Judge(Struct, frozen=True, kw_only=True):
    """One rule set and what else verdicts need."""

    rule_set: RuleSet
    fleet: Fleet
    ticketing: Ticketing
    trace: int
    """So many rules are told at most."""
    now: datetime

    def verdict(self, alert: Alert) -> Judged:
        """What this rule set says, with every rule before the one that matched."""
        decision = engine.decide(alert, self.rule_set, self.fleet, self.now)
        decision = self.ticketing.routed(decision, alert.source)
        trace = engine.explain(alert, self.rule_set, self.now)
        rule = next((rule for rule in self.rule_set.rules if rule.id == decision.rule), None)
        return Judged(
            rule_set=self.rule_set.hash,
            action=decision.action,
            rule=decision.rule,
            title=rule.title if rule else "",
            file=rule.file if rule else "",
            line=rule.line if rule else 0,
            reason=decision.reason,
            captures=decision.captures,
            candidates=list(decision.candidates),
            ticket=self._ticket(decision),
            tried=len(trace),
            trace=trace[max(0, len(trace) - self.trace) :],
        )

    def _ticket(self, decision: Decision) -> Sketch | None:
        element, impact, policy = decision.element, decision.impact, decision.policy
        if decision.action != Action.TICKET or element is None or impact is None or policy is None:
            return None
        backend, informed = self.ticketing.whom(policy)
        return Sketch(
            element=element,
            impact=impact,
            key=decision.dedup_key,
            backend=backend,
            inform=list(informed),
            priority="",
            policy=policy,
            name=decision.name,
            description=decision.description,
        )


def changes(live: Judged, candidate: Judged) -> list[Change]:
    """What the candidate would do otherwise; nothing when both do the same."""
    before, after = dict(_told(live)), dict(_told(candidate))
    names = list(dict.fromkeys([*before, *after]))
    return [
        Change(what=name, live=before.get(name, ""), candidate=after.get(name, ""))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _told(verdict: Judged) -> Iterator[tuple[str, str]]:
    yield "action", verdict.action
    yield "rule", verdict.rule
    yield "reason", verdict.reason
    ticket = verdict.ticket
    if ticket is None:
        return
    yield "element", ticket.element.reference
    yield "impact", ticket.impact
    yield "key", ticket.key
    yield "backend", ticket.backend
    yield "inform", ", ".join(ticket.inform)
    for part in ("name", "description"):
        for language, text in getattr(ticket, part).items():
            yield f"{part}.{language}", text
    for name, value in asdict(ticket.policy).items():
        if name not in ("backend", "inform"):
            yield name, str(value)

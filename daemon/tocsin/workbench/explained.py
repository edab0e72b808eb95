"""Why an alert became a ticket or did not, as values: what `explaining.explain` returns, and what the API sends as JSON.

Sentences are English; names, descriptions and notes are in every language. Only shapes here.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from tocsin.model import Alert, Impact, Policy, Texts, Ticket
from tocsin.store.listing import DeliveryLine, InformedLine


class What(StrEnum):
    """What there is to be explained."""

    ALERT = "alert"
    INCIDENT = "incident"
    TICKET = "ticket"
    FINGERPRINT = "fingerprint"
    REJECTED = "rejected"


class Because(StrEnum):
    """Why there is a ticket or none: a closed list, for programs."""

    TICKET = "ticket"
    """There is one."""
    FOLDED = "folded"
    """None of its own: it was counted into an incident that has one."""
    ENDED = "ended"
    """None of its own: it says that a problem is over."""
    HELD = "held"
    """None yet: the rule waits before declaring."""
    UNSENT = "unsent"
    """None yet: the ticket system has not taken it."""
    DEAD = "dead"
    """None: the ticket system refused it, and a person must look."""
    BLIP = "blip"
    """None: resolved during the hold."""
    WITHDRAWN = "withdrawn"
    """None: over before the ticket was sent."""
    DROPPED = "dropped"
    """None: a person gave up what the ticket system would not take."""
    RULE = "rule"
    """None: the rule that matched wants none."""
    FALLBACK = "fallback"
    """None: no rule matched."""
    MISSING = "missing"
    """None: the rule found no element."""
    AMBIGUOUS = "ambiguous"
    """None: the rule found several elements."""
    IMPACT = "impact"
    """None: the rule has no impact for it."""
    TEMPLATE = "template"
    """None: a template of the rule needs what the alert does not have."""
    UNKNOWN = "unknown"
    """None: it ends what did not fire."""
    OVERTAKEN = "overtaken"
    """None: something newer about the same problem was heard before it."""
    REJECTED = "rejected"
    """None: the message cannot be read."""
    FORGOTTEN = "forgotten"
    """What was decided is no longer kept."""


class Verdict(Struct, frozen=True, kw_only=True):
    """The answer in one sentence."""

    because: Because
    sentence: str
    ticket: str = ""
    """Number of the ticket that tells of it, its own or its incident's."""


class Place(Struct, frozen=True, kw_only=True):
    """A rule, and where it stands in the rule set of that time."""

    id: str
    title: str = ""
    file: str = ""
    """Empty for the fallback, and when the rule set can no longer be read."""
    line: int = 0


class NearMiss(Struct, frozen=True, kw_only=True):
    """A rule that was tried and did not match."""

    rule: Place
    field: str
    condition: str
    """Its first condition that failed, as the rule file has it; empty when the rule set can no longer be read."""
    actual: str
    """The value that failed it; empty when the alert has none."""
    known: bool = True
    """False when only the rule and the field were kept: condition and value are no certain ones."""


class ChosenElement(Struct, frozen=True, kw_only=True):
    """What the rule made the ticket for, or why it could not."""

    reference: str
    """Empty when there is none."""
    name: str = ""
    how: str = ""
    """How it was found, in words."""
    candidates: tuple[str, ...] = ()
    """References of the elements that it could have been."""


class ChosenImpact(Struct, frozen=True, kw_only=True):
    """The impact that the rule declared, and which of its cases said so."""

    impact: Impact
    how: str = ""


class RuleSetTold(Struct, frozen=True, kw_only=True):
    """The rule set that decided."""

    hash: str
    live_from: datetime | None
    """When it went live, the last time before it decided."""
    who: str
    """Who let it go live; empty when nobody said."""
    how: str
    """`start`, `file`, `reload`, `promote` or `rollback`; empty when that was not kept."""
    live: bool
    """It is the live one now."""
    problem: str = ""
    """Why this version of tocsin can no longer read it; empty when it can."""


class DecisionTold(Struct, frozen=True, kw_only=True):
    """What the rules said about an alert, and why."""

    number: int
    at: datetime
    action: str
    rule: Place
    captures: dict[str, str]
    reason: str
    """Why there is no ticket, in the engine's words; empty when one was wanted."""
    close: tuple[NearMiss, ...]
    """The rules that came close, in the order they were tried: those the index could not rule out."""
    tried: tuple[NearMiss, ...] = ()
    """Every rule that was tried, when that was asked for."""
    element: ChosenElement | None = None
    impact: ChosenImpact | None = None
    key: str = ""
    name: Texts = {}
    description: Texts = {}
    rule_set: RuleSetTold | None = None
    """None when it is no longer kept."""


class AlertTold(Struct, frozen=True, kw_only=True):
    """The alert as it was understood."""

    number: int
    at: datetime
    outcome: str
    alert: Alert | None
    """None when what it said is no longer kept."""
    repeat_of: int = 0
    """Number of the alert it repeats word for word, or ends; its decision holds. 0 when it was decided itself."""
    repeats: int = 0
    """How often the same was said again since the decision."""
    repeats_at_least: bool = False
    """Only the next million alerts were looked through for repeats."""
    last_repeat_at: datetime | None = None


class Happened(Struct, frozen=True, kw_only=True):
    """One line of an incident's history."""

    at: datetime
    what: str
    """`alert`, `note` or `delivery`."""
    kind: str
    """An alert's outcome, a note's kind, a delivery's action."""
    number: int
    """Of the alert or the delivery; 0 for a note."""
    actor: str
    text: Texts


class IncidentTold(Struct, frozen=True, kw_only=True):
    """An incident, what it went through, and what its rule says of its life."""

    reference: str
    state: str
    rule: str
    element: str
    impact: Impact
    key: str
    alerts: int
    firing: int
    opened_at: datetime
    last_seen_at: datetime
    cleared_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    flapping: bool
    touched: bool
    previous: str
    """Reference of the incident that it follows, beyond its reopen window."""
    policy: Policy
    life: dict[str, str]
    """What became of `hold`, `flapping`, `close` and `reopen`, in words."""
    backend: str
    """Empty when no ticket was asked for."""
    ticket: Ticket | None
    informed: tuple[InformedLine, ...]
    """The other backends that are told of it."""
    deliveries: tuple[DeliveryLine, ...]
    history: tuple[Happened, ...]
    left_out: int = 0
    """Lines from the middle of a long history that are not here."""


class RejectedTold(Struct, frozen=True, kw_only=True):
    """A message that could not be read."""

    number: int
    at: datetime
    source: str
    content_type: str
    reason: str
    size: int
    """Bytes of the body."""
    begins: str
    """Its first characters."""


class Explanation(Struct, frozen=True, kw_only=True):
    """All that is known about why."""

    what: What
    asked: str
    verdict: Verdict
    alert: AlertTold | None = None
    decision: DecisionTold | None = None
    incident: IncidentTold | None = None
    rejected: RejectedTold | None = None
    doubts: tuple[str, ...] = ()
    """What is no longer kept or cannot be told for certain, in sentences."""

"""The types that travel through the house, all immutable.

This module knows no other of ours. Times are aware and in UTC; enumerations are text, and are stored as that text.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

LANGUAGES = ("en", "fr")
"""The languages every ticket is written in, the default first."""

Texts = dict[str, str]
"""One sentence in each language: language → text."""


class Status(StrEnum):
    """What a source says about a problem: it is there, or it is gone."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """What the source says; five words for all sources, worst first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"
    INFO = "info"


class Impact(StrEnum):
    """What we declare: how much the service suffers, least first (form A of the customer space has these five)."""

    NONE = "none"
    BACKUP = "backup"
    DEGRADED = "degraded"
    SEVERE = "severe"
    INTERRUPTED = "interrupted"

    @property
    def rank(self) -> int:
        """0 for no impact to 4 for an interrupted service: for comparing."""
        return _IMPACT_RANK[self]


_IMPACT_RANK = {impact: rank for rank, impact in enumerate(Impact)}


class ElementKind(StrEnum):
    """The filters of the customer space's element list: offre, site, réseau, service, matériel."""

    OFFER = "offer"
    SITE = "site"
    NETWORK = "network"
    SERVICE = "service"
    HARDWARE = "hardware"


class Criticality(StrEnum):
    """How much an element matters to its owner, most first."""

    VITAL = "vital"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Priority(StrEnum):
    """The order in which the desk treats tickets, computed from impact and criticality; P1 first."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Action(StrEnum):
    """What the rules want done with an alert."""

    TICKET = "ticket"
    RECORD = "record"
    IGNORE = "ignore"
    QUARANTINE = "quarantine"


class State(StrEnum):
    """The life of an incident, in order; `open` and `clear` alternate."""

    HELD = "held"
    OPEN = "open"
    CLEAR = "clear"
    CLOSED = "closed"


class TicketStatus(StrEnum):
    """The life of a ticket, in words every ticket system's own can be mapped to."""

    DECLARED = "declared"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    FROZEN = "frozen"
    REPAIRED = "repaired"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class DeliveryAction(StrEnum):
    """What a delivery asks of a backend."""

    OPEN = "open"
    UPDATE = "update"
    NOTE = "note"
    CLOSE = "close"
    REOPEN = "reopen"


class DeliveryState(StrEnum):
    """Where a delivery stands. `cancelled`: no longer true before it was sent, or folded into an earlier one."""

    PENDING = "pending"
    LEASED = "leased"
    SENT = "sent"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Alert(Struct, frozen=True, kw_only=True, gc=False):
    """One message from a supervision platform, normalised."""

    source: str
    """Name of the source in the settings, not its kind."""
    fingerprint: str
    """Identity at its source: firing, repeat and resolve of one problem share it; never a title or a text."""
    status: Status
    severity: Severity
    resource: str
    """What the alert is about: a host, a service, a URL, as the source names it."""
    check: str
    """What is wrong with it: alert name, service description, parameter."""
    summary: str
    description: str = ""
    labels: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    """Firing: the source will have said it again by then, or it is over. Resolved: when it ended."""
    said_at: datetime | None = None
    """When the source said this, by its own clock: tells which of two messages that overtook each other is the newer.

    None where the message has no such moment, or none with an offset: the order of arrival counts then.
    """
    url: str = ""


class Unreadable(Struct, frozen=True, kw_only=True):
    """One entry of a batch that is no alert; the others of the batch are not lost with it."""

    position: int
    """Index in the batch, from 0."""
    problem: str
    """What is missing or wrong and where, for the people who configured the source."""


class Payload(Struct, frozen=True, kw_only=True):
    """A request body as a source's parser gets it: already inflated and within the limits."""

    body: bytes
    content_type: str = "application/json"
    """Media type in lower case, without parameters."""
    source: str = ""
    """Name of the source in the settings; goes into each alert."""
    method: str = "POST"
    path: str = ""
    """Which of its kind's paths was asked, as the kind writes it (`/v2/alerts/{identifier}/close`); empty for `/hooks/NAME`."""
    given: dict[str, str] = {}
    """What the address says: the path's variables, and the query; never what authenticates."""
    headers: dict[str, str] = {}
    """Those headers that its kind asks for, names in lower case."""


class Element(Struct, frozen=True, kw_only=True, gc=False):
    """What a ticket is declared on: one *élément de parc*."""

    reference: str
    name: str
    kind: ElementKind = ElementKind.SERVICE
    offer: str = ""
    site: str = ""
    contract: str = ""
    criticality: Criticality = Criticality.NORMAL
    parent: str | None = None
    """Reference of the element this one depends on."""
    aliases: tuple[str, ...] = ()
    """Host names, FQDNs, IP addresses, CIDR blocks, globs under which sources know it."""


class Flap(Struct, frozen=True, kw_only=True):
    """When an incident counts as flapping: so many changes within a span; over after a quiet span."""

    changes: int
    within: timedelta
    quiet: timedelta


class ClosedByPerson(StrEnum):
    """What comes of a problem that fires on although a person has closed its ticket."""

    SILENT = "silent"
    """Nothing, until it has cleared."""
    REOPEN = "reopen"
    """The same ticket is opened again, after the quiet time."""
    NEW = "new"
    """A new ticket that follows the closed one, after the quiet time."""


class Policy(Struct, frozen=True, kw_only=True):
    """How one incident is to live: what the rule said when it decided."""

    backend: str = ""
    """Name of the backend that gets the ticket; empty for the default one."""
    inform: tuple[str, ...] | None = None
    """Names of further backends, which are told the same and are never asked what came of it; None when none are named."""
    language: str = ""
    """The language that tickets are written in; empty leaves it to the backend."""
    hold: timedelta = timedelta(0)
    flap: Flap | None = None
    close_after: timedelta | None = timedelta(minutes=15)
    """Quiet time before the ticket is closed; None leaves closing to people."""
    unless_touched: bool = True
    closed_by_person: ClosedByPerson = ClosedByPerson.REOPEN
    reopen: timedelta = timedelta(hours=24)


class Tried(Struct, frozen=True, kw_only=True):
    """One rule that did not match: its first condition that failed, with the value it met."""

    rule: str
    condition: str
    """The condition as the rule file has it, such as `severity: [critical, major]`."""
    field: str
    actual: str
    """The value that failed it; empty when the field is missing."""


class Decision(Struct, frozen=True, kw_only=True):
    """What the rules said about an alert, and why."""

    action: Action
    rule: str
    """Id of the rule that matched, or `fallback`."""
    rule_set: str
    """Content hash of the rule set that decided."""
    element: Element | None = None
    candidates: tuple[str, ...] = ()
    """References of the elements a name could mean, when it could mean several."""
    impact: Impact | None = None
    dedup_key: str = ""
    policy: Policy | None = None
    name: Texts = {}
    description: Texts = {}
    captures: dict[str, str] = {}
    reason: str = ""
    """In words, why there is no ticket; empty for `ticket`."""
    trace: tuple[Tried, ...] = ()
    """The rules that came close: those the index could not rule out, in the order they were tried."""


class Incident(Struct, frozen=True, kw_only=True, gc=False):
    """Our record from first alert to close."""

    id: str
    """Short, unique for ever; also the reference that travels in the ticket's *votre référence* field."""
    n: int
    """Its row in the store: small, and only ours."""
    dedup_key: str
    state: State
    rule: str
    element: str
    """Reference of the element."""
    impact: Impact
    policy: Policy
    declarant: str
    opened_at: datetime
    last_seen_at: datetime
    cleared_at: datetime | None = None
    closed_at: datetime | None = None
    due_at: datetime | None = None
    """When time alone will change it: hold over, quiet over."""
    firing: int = 0
    """How many fingerprints fire now."""
    alerts: int = 0
    """How many alerts were folded in."""
    changes: tuple[datetime, ...] = ()
    """Recent changes between open and clear, for telling flapping."""
    flapping: bool = False
    touched: bool = False
    """A person changed the ticket: its state, assignee, notes or priority."""
    ended: bool = False
    """A person ended the ticket while it fired, and it fires still."""
    declared: bool = False
    """A ticket was asked for and not withdrawn."""
    number: str = ""
    """Ticket number, once the backend has told it."""
    previous: str = ""
    """Id of the closed incident this one follows, beyond its reopen window."""


class Note(Struct, frozen=True, kw_only=True, gc=False):
    """One line of an incident's history."""

    incident: str
    at: datetime
    actor: str
    """`tocsin`, or who did it."""
    kind: str
    text: Texts


class Change(Struct, frozen=True, kw_only=True):
    """What one event does to an incident: its new state, the notes that say why, what the backend must be told."""

    incident: Incident
    notes: tuple[Note, ...] = ()
    deliveries: tuple[DeliveryAction, ...] = ()
    informs: tuple[DeliveryAction, ...] = ()
    """What the informed backends are told instead, where that differs from what the declaring one is told."""
    alone: bool = False
    """It concerns the ticket itself: the informed backends are told nothing."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """What a delivery tells, as it was when the delivery was made."""

    reference: str
    action: DeliveryAction
    name: Texts
    description: Texts
    element: Element
    impact: Impact
    status: TicketStatus
    declarant: str
    source: str
    rule: str
    rule_set: str
    opened_at: datetime
    notes: tuple[Texts, ...] = ()
    previous: str = ""
    """Ticket number of the earlier incident this one follows, if any."""
    language: str = ""
    """The language to write it in; empty leaves it to the backend."""
    tried: TicketStatus | None = None
    """The status that an attempt in doubt asked for, before a person's hand on the ticket made a note of this."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One thing to tell a backend: durable, and in order within its incident."""

    id: int
    incident: str
    backend: str
    action: DeliveryAction
    body: Snapshot
    due_at: datetime
    made_at: datetime | None = None
    """When it was made; always known of one that is in the store."""
    resent_at: datetime | None = None
    """When a person corrected it or had it sent again, once dead."""
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    uncertain: bool = False
    """An earlier attempt ended without an answer: the backend may have done it already."""
    doubted_at: datetime | None = None
    """The last moment at which an uncertain attempt may still have been under way."""
    number: str = ""
    """Ticket number, once the incident has one."""
    opened: bool = False
    """The backend has taken the opening, whether or not it told the number."""
    stands: TicketStatus | None = None
    """How its ticket stood when it was told or seen last; None when that is not known, or nobody looks."""
    priority: str = ""
    """The same of its priority, in the system's own word; empty when that is not known."""
    assignee: str | None = None
    """The same of whose it is; None when that is not known."""
    read: frozenset[str] = frozenset()
    """Ids of the notes by people that are known."""
    reason: str = ""


class Receipt(Struct, frozen=True, kw_only=True):
    """A backend's answer: the ticket as it stands there."""

    number: str
    """Empty when the system makes its numbers later: the ticket is declared, its number pending."""
    url: str = ""
    status: TicketStatus = TicketStatus.DECLARED
    remark: str = ""
    """What did not go as asked although the delivery is done, such as a file that was not taken."""
    graded: bool = True
    """It may have changed the ticket's priority."""
    assigned: bool = False
    """It may have assigned the ticket to somebody."""


class RemoteNote(Struct, frozen=True, kw_only=True):
    """A note that somebody wrote in the ticket system."""

    id: str
    actor: str
    text: str
    at: datetime | None = None


class Record(Struct, frozen=True, kw_only=True):
    """A ticket as its system has it at this moment."""

    number: str
    """As the system tells it; empty while it has none."""
    reference: str = ""
    """Ours, as it stands in the field made for it; empty when the ticket carries none."""
    url: str = ""
    status: TicketStatus = TicketStatus.DECLARED
    state: str = ""
    """The system's own word for its status."""
    impact: Impact | None = None
    """None when the system does not tell it in a way that can be compared."""
    priority: str = ""
    assignee: str = ""
    changed_at: datetime | None = None
    actor: str = ""
    """Who changed it last, where the system tells that."""
    notes: tuple[RemoteNote, ...] = ()
    key: str = ""
    """The system's inner identity, where it is not the number."""
    remark: str = ""
    """Of one just made: what the system did not keep of what it was sent."""


class Ticket(Struct, frozen=True, kw_only=True):
    """The record in a ticket system, with that system's number."""

    incident: str
    backend: str
    number: str
    url: str
    status: TicketStatus

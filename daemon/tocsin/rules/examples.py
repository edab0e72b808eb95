"""What a rule file may say in its `samples:` and `tests:`: alerts on a time line, and what must come of them.

Knows the shapes only; `timeline` makes alerts of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Discriminator, Field, JsonValue, Strict, Tag, WithJsonSchema, model_validator

from tocsin.model import (  # noqa: TC001 - pydantic reads them
    Action,
    DeliveryAction,
    Impact,
    Priority,
    Severity,
    State,
    Status,
    TicketStatus,
)
from tocsin.rules.shapes import ByShape, InLanguages, Maybe, Model, Span, Text, shape


def _moment(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.utcoffset() is None:
        shown = f'"{value}"' if isinstance(value, (str, int, float)) else "this"
        raise ValueError(f"{shown} is no moment: write one such as 2026-11-23T08:00:00Z")
    return at


def _noted(value: object) -> str:
    return "(number)" if isinstance(value, int) else shape(value)


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T08:00:00Z"]}),
]
Count = Annotated[int, Strict(), Field(ge=0)]


class Sample(Model):
    """An alert for tests, or what differs from one."""

    source: Maybe[Text] = None
    """Name of the source."""
    fingerprint: Maybe[Text] = None
    """Identity at the source; made of source, resource and check unless said."""
    status: Maybe[Status] = None
    """`firing` unless said, or `resolved`."""
    severity: Maybe[Severity] = None
    """critical, major, minor, warning or info."""
    resource: Maybe[Text] = None
    """What the alert is about."""
    check: Maybe[Text] = None
    """What is wrong with it."""
    summary: Maybe[Text] = None
    """The alert in one sentence."""
    description: Maybe[Text] = None
    """The alert at length."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels by name; a test's are added to its sample's."""
    url: Maybe[Text] = None
    """Address of the alert at its source."""


class Stored(Model):
    """A message as its platform sends it; read by the very parser that the service has for that kind of source."""

    kind: Text
    """Kind of the source, such as truesight."""
    file: Maybe[Text] = None
    """The message: a file below the rules' folder, such as payloads/problem.json."""
    body: JsonValue = None
    """The message itself: a text as it is sent, or a mapping or list that is sent as JSON."""
    source: Maybe[Text] = None
    """Name of the source; its kind unless said."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """The options of its kind, as in the settings."""
    content_type: Maybe[Text] = None
    """Media type of the message; application/x-www-form-urlencoded for a .form file, else application/json."""

    @model_validator(mode="after")
    def _one_message(self) -> Stored:
        if (self.file is None) == (self.body is None):
            raise ValueError("a payload is a file or a body: give one of the two")
        return self


class Step(Sample):
    """An alert arrives."""

    at: Span
    """When, on the time line of the test."""
    use: Maybe[Text] = None
    """The sample it is; the other keys override what that says."""
    payload: Maybe[Stored] = None
    """A message instead, with all alerts that are in it."""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Step:
        if self.payload and (more := sorted(self.model_fields_set - {"at", "payload"})):
            raise ValueError(f"a payload says all of its alerts itself: remove {' and '.join(more)}")
        return self


class Touch(Model):
    """A person works on the ticket."""

    at: Span
    """When, on the time line of the test."""
    actor: Text = "technician"
    """Who."""
    status: Maybe[TicketStatus] = None
    """The ticket's new status, when that is what was changed."""


class Period(Model):
    """Something lasts."""

    since: Span = Field(alias="from")
    """When it begins, on the time line of the test."""
    to: Span
    """When it is over."""

    @model_validator(mode="after")
    def _lasts(self) -> Period:
        if self.to <= self.since:
            raise ValueError("it ends before it begins: `to` comes after `from`")
        return self


class Down(Period):
    """A ticket system cannot be reached: deliveries wait, and fold."""

    backend: Maybe[Text] = None
    """Its name in the settings; all ticket systems unless said."""


class Jump(Model):
    """The clock jumps forward, as on a machine that slept: what fell due meanwhile falls due then."""

    at: Span
    """When, on the time line of the test."""
    jumps: Span
    """How far; nothing can happen at the moments in between."""

    @property
    def to(self) -> timedelta:
        """Where the clock stands afterwards."""
        return self.at + self.jumps


class Expectation(Model):
    """What is true at one moment; everything that is said must hold."""

    at: Span
    """When, on the time line of the test; what happens at that moment has happened."""
    tickets: Maybe[Count] = None
    """How many tickets were declared so far: their ticket system knows of them."""
    deliveries: Maybe[tuple[DeliveryAction, ...]] = None
    """All that was sent so far to the ticket systems that declare, in order: open, update, note, close, reopen."""
    informed: Maybe[dict[str, tuple[DeliveryAction, ...]]] = None
    """All that was sent so far to each ticket system that is only informed, in order: `{noc: [open, close]}`."""
    waiting: Maybe[Count] = None
    """How many deliveries wait for a ticket system that is down."""
    state: Maybe[State] = None
    """State of the latest incident: held, open, clear or closed."""
    action: Maybe[Action] = None
    """Action of the latest decision: ticket, record, ignore or quarantine."""
    rule: Maybe[Text] = None
    """Rule of the latest decision: its id, or `fallback`."""
    element: Maybe[Text] = None
    """Reference of the element of the latest decision."""
    impact: Maybe[Impact] = None
    """Impact of the latest decision."""
    backend: Maybe[Text] = None
    """Name of the ticket system that the latest incident is declared in, by rule, routing, source or default."""
    inform: Maybe[tuple[Text, ...]] = None
    """Names of the ticket systems that are informed of it, in any order; `[]` for none."""
    priority: Maybe[Priority] = None
    """Priority that the desk gives the ticket, from P1 to P4."""
    key: Maybe[Text] = None
    """Key of the latest decision, whole, such as element=DF00WEB001|check=Disk."""
    name: Maybe[InLanguages] = None
    """Name of the ticket, whole; a plain text is the English one."""
    description: Maybe[InLanguages] = None
    """Part of the ticket's description; a plain text is of the English one."""
    notes: Maybe[
        Annotated[
            Annotated[Count, Tag("(number)")]
            | Annotated[Text, Tag("(text)")]
            | Annotated[tuple[Text, ...], Field(min_length=1), Tag("(list)")],
            Discriminator(_noted),
        ]
    ] = None
    """Of the latest incident: how many notes it has, or parts of some of them, in their order and in any language."""
    because: Maybe[Text] = None
    """Part of why there is no ticket: of the latest decision's reason, or of a note of any incident."""

    @model_validator(mode="after")
    def _says_something(self) -> Expectation:
        if self.model_fields_set == {"at"}:
            raise ValueError("nothing is expected: say what, such as tickets: 1")
        return self


class Example(Model):
    """Alerts on a time line, and what must come of them."""

    name: Text
    """What the test shows, as a sentence."""
    begins: Maybe[Moment] = None
    """When the test begins; a Monday at three in the morning unless said. For payloads that name times."""
    alerts: Annotated[tuple[Step, ...], Field(min_length=1)]
    """The alerts, each at its time."""
    people: tuple[Touch, ...] = ()
    """What people do to the ticket meanwhile."""
    down: tuple[Down, ...] = ()
    """When ticket systems cannot be reached."""
    clock: tuple[Jump, ...] = ()
    """When the clock jumps."""
    stopped: tuple[Period, ...] = ()
    """When the service itself is stopped: what arrives meanwhile is sent again, and arrives when it is back."""
    expect: Annotated[
        Annotated[Expectation, Tag("(mapping)")]
        | Annotated[tuple[Expectation, ...], Field(min_length=1), Tag("(list)")],
        ByShape,
    ]
    """What must be true, at one moment or several."""

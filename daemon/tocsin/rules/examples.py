"""What a rule file may say in its `samples:` and `tests:`: alerts on a time line, and what must come of them.

Knows the shapes only; `timeline` makes alerts of them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict, Tag, model_validator

from tocsin.model import Action, Impact, Severity, State, Status, TicketStatus  # noqa: TC001 - pydantic reads them
from tocsin.rules.shapes import ByShape, InLanguages, Maybe, Model, Span, Text


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


class Step(Sample):
    """An alert arrives."""

    at: Span
    """When, on the time line of the test."""
    use: Maybe[Text] = None
    """The sample it is; the other keys override what that says."""


class Touch(Model):
    """A person works on the ticket."""

    at: Span
    """When, on the time line of the test."""
    actor: Text = "technician"
    """Who."""
    status: Maybe[TicketStatus] = None
    """The ticket's new status, when that is what was changed."""


class Expectation(Model):
    """What is true at one moment; everything that is said must hold."""

    at: Span
    """When, on the time line of the test; what happens at that moment has happened."""
    tickets: Maybe[Annotated[int, Strict(), Field(ge=0)]] = None
    """How many tickets were declared so far."""
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
    name: Maybe[InLanguages] = None
    """Name of the ticket, whole; a plain text is the English one."""
    description: Maybe[InLanguages] = None
    """Part of the ticket's description; a plain text is of the English one."""
    because: Maybe[Text] = None
    """Part of the latest decision's reason or of one of the incident's notes."""

    @model_validator(mode="after")
    def _says_something(self) -> Expectation:
        if self.model_fields_set == {"at"}:
            raise ValueError("nothing is expected: say what, such as tickets: 1")
        return self


class Example(Model):
    """Alerts on a time line, and what must come of them."""

    name: Text
    """What the test shows, as a sentence."""
    alerts: Annotated[tuple[Step, ...], Field(min_length=1)]
    """The alerts, each at its time."""
    people: tuple[Touch, ...] = ()
    """What people do to the ticket meanwhile."""
    expect: Annotated[
        Annotated[Expectation, Tag("(mapping)")]
        | Annotated[tuple[Expectation, ...], Field(min_length=1), Tag("(list)")],
        ByShape,
    ]
    """What must be true, at one moment or several."""

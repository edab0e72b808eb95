"""What came in, what was decided and why: the listings, newest first, and the explanations."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from tocsin.store.deciding import DecisionLine, decisions_before
from tocsin.store.deciding import Wanted as WantedDecisions
from tocsin.store.reader import reader
from tocsin.store.received import AlertLine, Receipts, Wanted
from tocsin.store.telling import telling
from tocsin.web.api.operation import Next, Paged, cursor, row_before
from tocsin.web.api.problem import Refused, missing
from tocsin.workbench.explaining import Explanation, NothingError, SeveralError, What, explain

if TYPE_CHECKING:
    from tocsin.web.api.operation import Asked
    from tocsin.web.api.service import Service

Filter = Annotated[str, Meta(max_length=300)]


class Ask(StrEnum):
    """An action of a decision; empty for all."""

    ALL = ""
    TICKET = "ticket"
    RECORD = "record"
    IGNORE = "ignore"
    QUARANTINE = "quarantine"


class Came(StrEnum):
    """What became of an alert; empty for all."""

    ALL = ""
    OPENED = "opened"
    HELD = "held"
    FOLDED = "folded"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"
    OVERTAKEN = "overtaken"
    RECORDED = "recorded"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


class AlertsAsked(Paged, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts."""

    source: Annotated[Filter, Meta(description="Name of the source.")] = ""
    outcome: Annotated[Came, Meta(description="What became of them.")] = Came.ALL
    resource: Annotated[Filter, Meta(description="A part of the resource's name, in any case.")] = ""


class DecisionsAsked(Paged, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions."""

    source: Annotated[Filter, Meta(description="Name of the source.")] = ""
    rule: Annotated[Filter, Meta(description="Id of the rule, or `fallback`.")] = ""
    action: Annotated[Ask, Meta(description="What the rules wanted done.")] = Ask.ALL
    outcome: Annotated[Came, Meta(description="What became of the alert.")] = Came.ALL


class Alerts(Struct, frozen=True, kw_only=True):
    """A page of alerts, newest first."""

    alerts: list[AlertLine]
    next: Next


class Decisions(Struct, frozen=True, kw_only=True):
    """A page of decisions, newest first. A plain repeat makes none."""

    decisions: list[DecisionLine]
    next: Next


class OfAlert(Struct, frozen=True, kw_only=True):
    """Which alert."""

    number: Annotated[int, Meta(ge=1, le=2**53, description="Number of the alert.")]


class OfIncident(Struct, frozen=True, kw_only=True):
    """Which incident."""

    reference: Annotated[str, Meta(max_length=100, description="Reference of the incident.")]


class OfTicket(Struct, frozen=True, kw_only=True):
    """Which ticket."""

    number: Annotated[str, Meta(max_length=200, description="Number of the ticket.")]


class How(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is told."""

    every: Annotated[bool, Meta(description="Tell every rule that was tried, not only those that came close.")] = False


def alerts(service: Service, asked: Asked) -> Alerts:
    """What came in."""
    wanted: AlertsAsked = asked.query
    of = Wanted(
        source=wanted.source, outcome=wanted.outcome, resource=wanted.resource, before=row_before(wanted.before)
    )
    with reader(service.state) as there:
        page = Receipts(there).alerts(of, wanted.limit)
    return Alerts(alerts=page.lines, next=cursor(page.before))


def decisions(service: Service, asked: Asked) -> Decisions:
    """What was decided."""
    wanted: DecisionsAsked = asked.query
    of = WantedDecisions(source=wanted.source, rule=wanted.rule, action=wanted.action, outcome=wanted.outcome)
    with reader(service.state) as there:
        lines, before = decisions_before(there, of, row_before(wanted.before), wanted.limit)
    return Decisions(decisions=lines, next=cursor(before))


def explain_alert(service: Service, asked: Asked) -> Explanation:
    """Why an alert became a ticket, or did not."""
    of: OfAlert = asked.path
    return _explained(service, asked, str(of.number), What.ALERT)


def explain_incident(service: Service, asked: Asked) -> Explanation:
    """What an incident went through."""
    of: OfIncident = asked.path
    return _explained(service, asked, of.reference, What.INCIDENT)


def explain_ticket(service: Service, asked: Asked) -> Explanation:
    """Why there is a ticket."""
    of: OfTicket = asked.path
    return _explained(service, asked, of.number, What.TICKET)


def _explained(service: Service, asked: Asked, word: str, what: What) -> Explanation:
    how: How = asked.query
    with service.bygone.beside(service.book.rule_set) as rule_sets, telling(service.state) as there:
        try:
            return explain(there, word, rule_sets, what=what, every=how.every)
        except NothingError as error:
            raise missing(str(error)) from None
        except SeveralError as error:
            raise Refused(409, str(error)) from None

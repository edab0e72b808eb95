"""Trying: what the live rules make of alerts, what a candidate makes of them, and what is wrong with a candidate.

Nothing is kept and nothing is sent: a candidate is looked at in a process of its own, which knows neither store nor
backends.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict, replace

from tocsin import sources
from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.store.telling import telling
from tocsin.web.api import candidates, tasks, verdicts
from tocsin.web.api.candidates import Candidate, Checked, Files, Tested
from tocsin.web.api.operation import Moment
from tocsin.web.api.problem import invalid, missing
from tocsin.web.api.verdicts import Change, Judged
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.web.api.operation import Asked
    from tocsin.web.api.service import Service

MOST = 50
"""So many alerts of one message are tried; a message of more is refused."""

Text = Annotated[str, Meta(max_length=20_000)]


class AlertGiven(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An alert as tocsin understands it, whatever platform it came from."""

    source: Annotated[str, Meta(min_length=1, max_length=200)]
    severity: Severity
    resource: Text
    check: Text
    summary: Text
    status: Status = Status.FIRING
    fingerprint: Text = ""
    """Identity at the source; of no matter for the rules that do not look at it."""
    description: Text = ""
    labels: dict[str, str] = {}
    url: Text = ""
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be tried: a `payload` of a platform, or an `alert`; and by which rules beside the live ones."""

    payload: msgspec.Raw | UnsetType = UNSET
    """A message as the platform sends it: JSON, or a text that holds it exactly as sent."""
    kind: Annotated[str, Meta(max_length=100, description="Kind of platform; that of `source` unless given.")] = ""
    source: Annotated[str, Meta(max_length=200, description="The source it is from; the first one of the kind.")] = ""
    media_type: Annotated[str, Meta(max_length=200, description="Media type of the payload.")] = "application/json"
    alert: Annotated[int, Meta(ge=1, le=2**53)] | AlertGiven | None = None
    """The number of an alert that was received, or an alert itself."""
    files: Files | None = None
    """Candidate rules: they are asked, too."""
    trace: Annotated[int, Meta(ge=0, le=20_000, description="So many rules are told in a trace.")] = 1000


class TriedAlert(Struct, frozen=True, kw_only=True):
    """One alert, and what is made of it."""

    alert: Alert
    live: Judged
    candidate: Judged | None
    """None when no candidate was given."""
    changes: list[Change]
    """What the candidate would do otherwise."""


class TrialTold(Struct, frozen=True, kw_only=True):
    """What came of a trial. A resolved alert is judged as if it fired: rules are asked about firing alerts only."""

    alerts: list[TriedAlert]
    unreadable: list[Unreadable]
    """Entries of the message that are no alerts."""


async def check(service: Service, asked: Asked) -> Checked:
    """Everything there is to say about a candidate."""
    wanted: Candidate = asked.body
    task = tasks.Check(candidates.checked(wanted.files), service.places.backends, service.ticketing)
    found: Checked = await service.aside.done(task, service.book.fleet, Checked)
    return found


async def test(service: Service, asked: Asked) -> Tested:
    """What comes of a candidate's own tests."""
    wanted: Candidate = asked.body
    task = tasks.Test(candidates.checked(wanted.files), service.places.backends, service.ticketing)
    found: Tested = await service.aside.done(task, service.book.fleet, Tested)
    return found


async def try_(service: Service, asked: Asked) -> TrialTold:
    """What live and candidate rules make of alerts."""
    trial: Trial = asked.body
    files = candidates.checked(trial.files) if trial.files is not None else None
    entries = await service.turns.run(_entries, service, trial, asked)
    alerts = [entry for entry in entries if isinstance(entry, Alert)]
    unreadable = [entry for entry in entries if isinstance(entry, Unreadable)]
    live = await service.turns.run(_live, service, alerts, trial.trace, asked)
    others: Sequence[Judged | None] = [None] * len(alerts)
    if files is not None:
        others = await _candidate(service, files, alerts, trial.trace, asked)
    told = [_tried(service, *one) for one in zip(alerts, live, others, strict=True)]
    return TrialTold(alerts=told, unreadable=unreadable)


def _live(service: Service, alerts: Sequence[Alert], trace: int, asked: Asked) -> list[Judged]:
    judge = verdicts.Judge(
        rule_set=service.rule_set,
        fleet=service.book.fleet,
        ticketing=service.ticketing,
        trace=trace,
        now=asked.now,
    )
    return [judge.verdict(alert) for alert in alerts]


async def _candidate(
    service: Service, files: dict[str, str], alerts: list[Alert], trace: int, asked: Asked
) -> list[Judged]:
    task = tasks.Judge(
        files=files,
        known=service.places.backends,
        ticketing=service.ticketing,
        alerts=alerts,
        trace=trace,
        now=asked.now,
    )
    found: list[Judged] = await service.aside.done(task, service.book.fleet, list[Judged])
    return found


def _tried(service: Service, alert: Alert, live: Judged, candidate: Judged | None) -> TriedAlert:
    return TriedAlert(
        alert=alert,
        live=_ranked(service, live),
        candidate=_ranked(service, candidate) if candidate else None,
        changes=verdicts.changes(live, candidate) if candidate else [],
    )


def _ranked(service: Service, judged: Judged) -> Judged:
    """With the priority, where the desk would get the ticket."""
    ticket = judged.ticket
    if ticket is None or ticket.backend not in service.desks:
        return judged
    priority = service.desks[ticket.backend].priority(ticket.impact, ticket.element.criticality)
    return replace(judged, ticket=replace(ticket, priority=priority))


def _entries(service: Service, trial: Trial, asked: Asked) -> Sequence[Alert | Unreadable]:
    """The alerts that are meant. Raises Refused."""
    if (trial.payload is UNSET) == (trial.alert is None):
        raise invalid("say what is to be tried: either `payload` or `alert`", "$")
    if isinstance(trial.alert, int):
        return [_received(service, trial.alert)]
    if trial.alert is not None:
        return [_given(trial.alert)]
    return _parsed(service, trial, asked)


def _received(service: Service, number: int) -> Alert:
    with telling(service.state) as there:
        found = there.received(number)
    if found is None or found.alert is None:
        raise missing(f"there is no alert {number}, or what it said is no longer kept")
    return found.alert


def _given(alert: AlertGiven) -> Alert:
    said = asdict(alert)
    for name in ("starts_at", "ends_at"):
        if said[name] is not None:
            try:
                said[name] = said[name].astimezone(UTC)
            except OverflowError:
                raise invalid("the time is out of range", f"$.alert.{name}") from None
    fingerprint = said.pop("fingerprint") or f"{alert.source}/{alert.resource}/{alert.check}"
    return Alert(fingerprint=fingerprint, **said)


def _parsed(service: Service, trial: Trial, asked: Asked) -> Sequence[Alert | Unreadable]:
    """The alerts of a payload, read as the source would."""
    configured = service.sources.get(trial.source)
    name = trial.kind or (configured.kind.name if configured else "generic")
    kind = sources.kinds().get(name)
    if kind is None:
        hint = nearest(name, sources.kinds()) or f"there are {', '.join(sources.kinds())}"
        raise invalid(f"{name!r} is no kind of source ({hint})", "$.kind")
    if configured is None and not trial.source:
        configured = next((one for one in service.sources.values() if one.kind.name == name), None)
    known = configured is not None and configured.kind.name == name
    options = configured.options if configured is not None and known else kind.options()
    source = trial.source or (configured.name if configured else name)
    payload = Payload(body=_body(trial), content_type=trial.media_type.partition(";")[0].strip().lower(), source=source)
    try:
        entries = kind.parse(payload, options, asked.now)
    except PayloadError as error:
        raise invalid(str(error), "$.payload") from None
    if not entries:
        raise invalid(f"the message says nothing that {name} calls an alert", "$.payload")
    if len(entries) > MOST:
        raise invalid(f"the message has {len(entries)} alerts: try {MOST} at most", "$.payload")
    return entries


def _body(trial: Trial) -> bytes:
    """The message as it came in; one that is given as a text is what the text holds."""
    written = b"" if isinstance(trial.payload, UnsetType) else bytes(trial.payload)
    return msgspec.json.decode(written, type=str).encode() if written.startswith(b'"') else written

"""The verb `demo`: one real-looking alert through the running service, and the ticket it becomes.

The alert is an event as TrueSight sends it. It is posted as any platform would post it; what became of it is then read
in the database.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tocsin.cli import asking, proving, show, tickets
from tocsin.cli.given import THERE, Given, Json, Lang, Language, SettingsFile, given
from tocsin.errors import SettingsError
from tocsin.model import State
from tocsin.store.listing import IncidentLine, listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.settings import Source

app = typer.Typer()

_encode = msgspec.json.Encoder().encode

_KIND = "truesight"
_PATIENCE = 180.0
"""Seconds to wait for the ticket."""
_ACCEPTED = 202
_LOOK = 0.5
"""Seconds between two looks for the ticket."""
_NEWEST = 1000
"""How many incidents are looked through for the alert's."""
_FATES = {  # what became of the alert, where a ticket comes of it
    "opened": "opened: incident {incident} began",
    "held": "held: incident {incident} began, and its rule waits before it declares",
    "folded": "folded: incident {incident} was there already",
    "reopened": "reopened: incident {incident} goes on",
}


def slots(now: datetime) -> dict[str, Any]:
    """The event of the demo, as TrueSight's stream sends it: one process runs far too often on a backup server."""
    at = str(int(now.timestamp()))
    summary = "PROCES CRITICAL: 28 processes with args '/usr/openv/netbackup/bin/bpbkar'"
    event = {
        "CLASS": "EVENT",
        "source": "PATROL",
        "mc_ueid": f"mc.pncell_vfcatsim01.{int(now.timestamp()):x}.0",
        "mc_incident_time": at,
        "date_reception": at,
        "status": "OPEN",
        "severity": "CRITICAL",
        "mc_priority": "PRIORITY_1",
        "msg": summary,
        "mc_host": "vfcanubkpm01",
        "mc_host_address": "10.45.18.21",
        "mc_object_class": "PROCESS",
        "mc_object": "bpbkar",
        "mc_parameter": "PROCCountStatus",
        "mc_parameter_value": "28",
        "mc_tool": "check_procs",
        "mc_tool_class": "PATROL Agent",
        "mc_location": "Normandie",
        "mc_event_category": "AVAILABILITY_MANAGEMENT",
        "mc_notes": [],
    }
    return {"action": "create", "type": "EVENT", "data": event}


@app.command(rich_help_panel=THERE, epilog="Example: tocsin demo")
def demo(
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", metavar="", help="Wait for the ticket while the alert is held.")
    ] = True,
    lang: Lang = Language.EN,
    json: Json = False,
) -> None:
    """Send an alert as TrueSight does, and show its ticket.

    The service must run. Sent twice, the second alert folds into the incident of the first.
    """
    of = given(ctx, config)
    tell = (lambda _: None) if json else show.line
    fate = _post(of, tell)
    tell(_FATES[fate["outcome"]].format_map(fate))
    incident = _incident(of, fate["incident"])
    if wait and not incident.ticket:
        tell(f"no ticket yet: {_waiting_for(incident)}")
        incident = _ticketed(of, incident)
    line, notes = tickets.ticket(of, incident.ticket) if incident.ticket else (None, [])
    if json:
        show.data({"fate": fate, "incident": incident, "ticket": tickets.as_data(line, notes) if line else None})
    elif line:
        show.line()
        tickets.show_ticket(line, notes, lang)
    else:
        show.line(f"no ticket yet: {_waiting_for(incident)}; `tocsin tickets` will show it")


def _post(of: Given, tell: Callable[[str], None]) -> dict[str, str]:
    """Send the event; returns what became of it. Raises RefusedError when that is no incident."""
    name, source = _source(of)
    url = f"{asking.address(of.settings.listen)}/hooks/{name}"
    event = slots(datetime.now(UTC))
    answer = _sent(of, name, source, proving.Message(url, {"Content-Type": "application/json"}, _encode(event)))
    if answer.status != _ACCEPTED:
        raise asking.RefusedError(asking.said(answer))
    tell(f"sent to {url}: {event['data']['msg']} on {event['data']['mc_host']}")
    fate: dict[str, str] = answer.body["alerts"][0]
    if fate["outcome"] not in _FATES:
        why = f"{fate['outcome']}: {fate.get('reason', '')}"
        raise asking.RefusedError(f"the alert was taken but makes no ticket ({why}); `tocsin try` says why")
    return fate


def _source(of: Given) -> tuple[str, Source]:
    """The source that takes events of TrueSight."""
    for name, source in of.settings.sources.items():
        if source.kind == _KIND:
            return name, source
    raise SettingsError(
        f"{of.file}: no source is of kind {_KIND}; add one under `sources`, as config/tocsin.yaml has it"
    )


def _sent(of: Given, name: str, source: Source, message: proving.Message) -> asking.Answer:
    """The answer to a message, with the credentials that the source wants to see."""
    if source.auth:
        show.line(f"source {name} wants credentials: sending those of the settings", err=True)
    ready = proving.proven(message, name, source, of.read_secret, datetime.now(UTC))
    return asking.send("POST", ready.url, ready.headers, ready.body)


def _ticketed(of: Given, incident: IncidentLine) -> IncidentLine:
    """The incident once it has its ticket. Raises RefusedError when that takes too long."""
    end = time.monotonic() + _PATIENCE
    with show.waiting() as tell:
        while not incident.ticket and incident.state != State.CLOSED and time.monotonic() < end:
            tell(f"{_waiting_for(incident)} (waiting {end - time.monotonic():.0f} s more at most)")
            time.sleep(_LOOK)
            incident = _incident(of, incident.id)
    if not incident.ticket:
        raise asking.RefusedError(f"incident {incident.id} has no ticket: {_waiting_for(incident)}")
    return incident


def _incident(of: Given, reference: str) -> IncidentLine:
    with listing(of.settings.state) as there:
        found = next((line for line in there.incidents(limit=_NEWEST) if line.id == reference), None)
    if found is None:
        raise asking.RefusedError(
            f"incident {reference} is not in {of.settings.state}: does the service run with {of.file}?"
        )
    return found


def _waiting_for(incident: IncidentLine) -> str:
    """Why there is no ticket yet."""
    if incident.state == State.HELD:
        return f"held until {show.moment(incident.due_at)}, in case it resolves by itself"
    if incident.state == State.CLOSED:
        return "it is over"
    return "its ticket system has not answered yet, see `tocsin deliveries`"

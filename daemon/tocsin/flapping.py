"""Whether an incident comes and goes too often to tell each time. Pure; knows the types only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Incident


def quiet_over(incident: Incident, now: datetime) -> datetime | None:
    """When a clear incident may be closed: after the rule's quiet time, and a flapping one after its own too."""
    quiet = incident.policy.close_after
    if quiet is None:
        return None
    if incident.flapping and incident.policy.flap:
        quiet = max(quiet, incident.policy.flap.quiet)
    return now + quiet


def changed(incident: Incident, now: datetime) -> Incident:
    """Count one change between open and clear; only changes within the rule's span tell flapping."""
    flap = incident.policy.flap
    if flap is None:
        return replace(incident, changes=(), flapping=False)
    calm = not incident.changes or now - incident.changes[-1] >= flap.quiet
    flapping = incident.flapping and not calm
    recent = tuple(at for at in incident.changes if now - at < flap.within)[-flap.changes :]
    changes = () if incident.flapping and calm else recent
    changes = (*changes, now)
    return replace(incident, changes=changes, flapping=flapping or len(changes) >= flap.changes)

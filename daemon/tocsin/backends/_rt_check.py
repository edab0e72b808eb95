"""What a check of a Request Tracker finds in its answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level, _rt_query
from tocsin.backends._shape import at, each

if TYPE_CHECKING:
    from tocsin.backends._rt_options import Options


def version(told: str) -> Finding:
    """Which release it is."""
    return Finding(level=Level.FINE, what="url", told=f"Request Tracker {told}")


def who(name: str, option: str) -> Finding:
    """Who we are there."""
    if name:
        return Finding(level=Level.FINE, what=option, told=f"works as {name!r}")
    return Finding(level=Level.WARNING, what=option, told="is accepted; whose it is, RT does not tell")


def queue(said: Any, options: Options) -> list[Finding]:
    """Whether the queue takes tickets of ours, and lives as the statuses say; `said` is None when it is not to be seen."""
    name = options.queue
    if said is None:
        why = f"queue {name!r} is not there, or not to be seen; correct it, or grant SeeQueue"
        return [Finding(level=Level.ERROR, what="queue", told=why)]
    if at(said, "Disabled") == "1":
        return [Finding(level=Level.ERROR, what="queue", told=f"queue {name!r} is disabled; enable it")]
    if not any(at(link, "ref") == "create" for link in each(said, "_hyperlinks")):
        why = f"tocsin may make no tickets in queue {name!r}; grant CreateTicket"
        return [Finding(level=Level.ERROR, what="queue", told=why)]
    found = [Finding(level=Level.FINE, what="queue", told=f"tocsin may make tickets in queue {name!r}")]
    lifecycle = at(said, "Lifecycle")
    if lifecycle not in ("", "default") and not options.statuses:
        why = f"queue {name!r} has the life cycle {lifecycle!r}; say in `statuses` what its statuses are called"
        found.append(Finding(level=Level.WARNING, what="statuses", told=why))
    return found


def newest(ticket: Any, options: Options, closed: str) -> list[Finding]:
    """What the last ticket that we made tells of our rights; None when there is none yet."""
    if ticket is None:
        why = "whether tocsin's user has the other rights shows with its first ticket"
        return [Finding(level=Level.WARNING, what="rights", told=why)]
    number = at(ticket, "id")
    return [_kept(ticket, number, options.reference_field), *_may(ticket, number, options, closed)]


def _kept(ticket: Any, number: str, field: str) -> Finding:
    if _rt_query.custom(ticket, field):
        return Finding(level=Level.FINE, what="rights", told=f"ticket {number} carries its reference")
    why = f"ticket {number}, the last one that tocsin made, carries no reference in {field!r}"
    todo = "grant SetInitialCustomField and ModifyCustomField"
    return Finding(level=Level.ERROR, what="rights", told=f"{why}; {todo}")


def _may(ticket: Any, number: str, options: Options, closed: str) -> list[Finding]:
    links = each(ticket, "_hyperlinks")
    how, right = ("comment", "CommentOnTicket") if options.private_notes else ("correspond", "ReplyToTicket")
    found = []
    if not any(at(link, "ref") == how for link in links):
        why = f"tocsin may add no notes to ticket {number}; grant {right}"
        found.append(Finding(level=Level.ERROR, what="private_notes", told=why))
    steps = {at(link, "to").casefold() for link in links if at(link, "ref") == "lifecycle"}
    if at(ticket, "Status").casefold() == "new" and closed.casefold() not in steps:
        why = f"ticket {number} could not become {closed!r}; grant ModifyTicket, or name another status in `statuses`"
        found.append(Finding(level=Level.WARNING, what="statuses", told=why))
    return found

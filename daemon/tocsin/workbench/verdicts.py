"""The answer in one sentence: the ticket there is, or why there is none. Pure.

`of_record` answers for an incident, `of_decision` for an alert that the rules wanted no ticket for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.model import Action, DeliveryAction, DeliveryState, State
from tocsin.rules.rule import FALLBACK
from tocsin.wording import span
from tocsin.workbench.explained import Because, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store.listing import DeliveryLine
    from tocsin.store.telling import KeptDecision, Received, Record
    from tocsin.workbench.retracing import Retraced

_DOES = {
    Action.RECORD: "it is only recorded",
    Action.IGNORE: "it is ignored",
    Action.QUARANTINE: "it is in quarantine, and a person must look",
}


def moment(at: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def none(because: Because, why: str) -> Verdict:
    """There is no ticket."""
    return Verdict(because=because, sentence=f"No ticket: {why}.")


def of_alert(received: Received, record: Record | None, *, repeat: bool) -> Verdict:
    """The verdict on an alert that went to an incident."""
    if record is None:
        return Verdict(because=Because.FORGOTTEN, sentence="The incident that it went to is no longer kept.")
    whole, reference = of_record(record), record.incident.id
    if not whole.ticket:
        sentence = f"{whole.sentence[:-1]} (incident {reference})."
        return Verdict(because=whole.because, sentence=sentence)
    if received.outcome == "resolved":
        why = f"it says that a problem of incident {reference} is over, whose ticket is {whole.ticket}"
        return Verdict(because=Because.ENDED, sentence=f"No ticket of its own: {why}.", ticket=whole.ticket)
    if received.outcome in ("opened", "held", "reopened") and not repeat:
        did = "reopened it" if received.outcome == "reopened" else f"began its incident {reference}"
        return Verdict(
            because=Because.TICKET, sentence=f"Ticket {whole.ticket}: this alert {did}.", ticket=whole.ticket
        )
    why = f"folded into incident {reference}, whose ticket is {whole.ticket}"
    return Verdict(because=Because.FOLDED, sentence=f"No ticket of its own: {why}.", ticket=whole.ticket)


def declared_in(record: Record) -> str:
    """The backend that has the ticket or was asked for it; empty when none was. Others are told after it."""
    if record.ticket:
        return record.ticket.backend
    return record.deliveries[0].backend if record.deliveries else ""


def of_record(record: Record) -> Verdict:
    """The verdict on an incident: its ticket, or why it has none."""
    incident, kinds = record.incident, {note.kind for note in record.notes}
    if record.ticket:
        number = record.ticket.number
        said = f"{record.ticket.status.replace('_', ' ')} in {record.ticket.backend}"
        named = f"Ticket {number}" if number else "Ticket without a number yet"
        return Verdict(because=Because.TICKET, sentence=f"{named}: {said}.", ticket=number)
    if incident.state == State.HELD:
        until = f"held until {moment(incident.due_at)}" if incident.due_at else "held"
        rest = f"the rule waits {span(incident.policy.hold)} before declaring"
        return Verdict(because=Because.HELD, sentence=f"No ticket yet: {until}, {rest}.")
    if "blip" in kinds and incident.closed_at:
        after = f"after {span(incident.closed_at - incident.opened_at)} of {span(incident.policy.hold)}"
        return none(Because.BLIP, f"resolved during the hold, {after}")
    backend = declared_in(record)
    opens = [one for one in record.deliveries if one.action == DeliveryAction.OPEN and one.backend == backend]
    if opens and opens[-1].state == DeliveryState.CANCELLED and "dropped" in kinds:
        return none(Because.DROPPED, f"delivery {opens[-1].id} to {opens[-1].backend} was {opens[-1].reason}")
    if "withdrawn" in kinds or (opens and opens[-1].state == DeliveryState.CANCELLED):
        return none(Because.WITHDRAWN, "resolved before the ticket was sent, so it was withdrawn")
    return _undelivered(opens[-1]) if opens else none(Because.FORGOTTEN, "and why is no longer kept")


def _undelivered(opening: DeliveryLine) -> Verdict:
    """The verdict on a ticket that was asked for and is not there."""
    if opening.state == DeliveryState.DEAD:
        again = f"`tocsin deliveries resend {opening.id}` tries it again"
        return none(
            Because.DEAD, f"{opening.backend} did not take it, {opening.reason or 'for no reason told'}; {again}"
        )
    if not opening.attempts:
        why = f"{opening.backend} is still to be told"
    elif opening.state == DeliveryState.LEASED:
        why = f"{opening.backend} is being told now, attempt {opening.attempts}"
    else:
        due = f"tried again at {moment(opening.due_at)}"
        why = f"{opening.backend} has not taken it in {_attempts(opening.attempts)}, {opening.reason}; {due}"
    return Verdict(because=Because.UNSENT, sentence=f"No ticket yet: {why}.")


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def of_decision(decided: KeptDecision, retraced: Retraced, *, ends: bool = False) -> Verdict:
    """The verdict on an alert that the rules wanted no ticket for; `ends` when it only says that such a one is over."""
    if ends:
        whole = of_decision(decided, retraced)
        sentence = f"No ticket: it ends an alert that had none: {whole.sentence.removeprefix('No ticket: ')}"
        return Verdict(because=whole.because, sentence=sentence)
    reason, does = decided.details.reason, _DOES.get(Action(decided.action), decided.action)
    if decided.rule == FALLBACK:
        said = f" ({reason})" if reason else ""
        return none(Because.FALLBACK, f"no rule matches, and the fallback says {decided.action}{said}")
    because = _because(decided, retraced)
    if because == Because.RULE:
        return none(because, f"rule {decided.rule} says {decided.action}")
    return none(because, f"rule {decided.rule} matches, but {reason}; {does}")


def _because(decided: KeptDecision, retraced: Retraced) -> Because:
    details = decided.details
    if details.reason == f"the rule says {decided.action}":
        return Because.RULE
    if details.candidates:
        return Because.AMBIGUOUS
    if details.element is None:
        return Because.TEMPLATE if retraced.unfilled else Because.MISSING
    return Because.TEMPLATE if decided.impact else Because.IMPACT

"""Why an alert became a ticket, or did not: `explain` finds what is asked about and tells all that the store knows of it.

For the command line and the API alike:

    with telling(folder) as there:                       # tocsin.store.telling; one moment, not for long
        explain(there, "4711", rule_sets)                # whatever goes by that word
        explain(there, "4711", rule_sets, what=What.ALERT)

`rule_sets` is a `RuleSets()` that is kept: it remembers the rule sets that were asked for last. Raises NothingError when
nothing goes by the word (404), SeveralError when several things do (409). Only reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.errors import StoreError
from tocsin.store.telling import Received, Record
from tocsin.workbench import chronicle, verdicts
from tocsin.workbench.bygone import RuleSets
from tocsin.workbench.explained import AlertTold, Because, Explanation, IncidentTold, RejectedTold, Verdict, What
from tocsin.workbench.retracing import Retraced, Source, retrace
from tocsin.workbench.verdicts import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.model import Alert
    from tocsin.store.telling import KeptDecision, Refused, Telling

__all__ = ["Explanation", "NothingError", "RuleSets", "SeveralError", "What", "explain"]

_BEGINS = 500
_DIGITS = 19
"""A row number has fewer digits."""
_RESOLVED = "resolved"
_NO_DECISION = "what was decided about it is no longer kept"
_TRIED = (What.ALERT, What.INCIDENT, What.TICKET)
_CALLED = {
    What.ALERT: "the number of an alert",
    What.INCIDENT: "the reference of an incident",
    What.TICKET: "the number of a ticket",
    What.FINGERPRINT: "the fingerprint of an alert",
    What.REJECTED: "the number of a rejected message",
}


class NothingError(StoreError):
    """Nothing goes by the word that was asked about, or it is no longer kept."""


class SeveralError(StoreError):
    """Several things go by the word that was asked about: say which is meant."""


def explain(
    telling: Telling, asked: str, rule_sets: RuleSets, *, what: What | None = None, every: bool = False
) -> Explanation:
    """Tell why.

    Args:
        telling: what the store knows.
        asked: an alert's number, an incident's reference, a ticket's number, or a fingerprint (its latest alert).
        rule_sets: rule sets of earlier times.
        what: which of these it is; tried in that order when not said, the fingerprint only when nothing else is found.
        every: tell every rule that was tried, not only those that came close.

    Raises:
        NothingError: nothing goes by that word.
        SeveralError: several things do.
        StoreError: the database cannot be read.
    """
    asked = asked.strip()
    kind, found = _find(telling, asked, what)
    teller = _Teller(telling, rule_sets, every=every)
    match found:
        case Received():
            return teller.alert(kind, asked, found)
        case Record():
            return teller.incident(kind, asked, found)
    return _rejected(asked, found)


def _find(telling: Telling, asked: str, what: What | None) -> tuple[What, Received | Record | Refused]:
    """What goes by the word, and as what."""
    wanted = _TRIED if what is None else (what,)
    found = [(one, there) for one in wanted if (there := _look(telling, asked, one)) is not None]
    if not found and what is None and (there := _look(telling, asked, What.FINGERPRINT)):
        found = [(What.FINGERPRINT, there)]
    if len(found) > 1:
        several = " and ".join(_CALLED[one] for one, _ in found)
        ways = " or ".join(f"--as {one}" for one, _ in found)
        raise SeveralError(f"{asked} is {several}: add {ways}")
    if not found:
        raise NothingError(_nothing(telling, asked, what))
    return found[0]


def _look(telling: Telling, asked: str, what: What) -> Received | Record | Refused | None:
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < _DIGITS else -1
    match what:
        case What.ALERT:
            return telling.received(number)
        case What.REJECTED:
            return telling.refused(number)
        case What.INCIDENT:
            return telling.record_by_id(asked.upper())
        case What.TICKET:
            return telling.record_by_ticket(asked)
    return telling.latest_of(asked)


def _nothing(telling: Telling, asked: str, what: What | None) -> str:
    words = [_CALLED[one] for one in ((*_TRIED, What.FINGERPRINT) if what is None else (what,))]
    tried = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    oldest = telling.oldest()
    kept = f"the oldest alert that is kept came in at {moment(oldest)}" if oldest else "no alert is kept yet"
    return f"{asked!r} is not {tried}; `tocsin alerts` lists what came in, and {kept}"


class _Teller:
    """Tells one thing; asks the store and the rule sets of earlier times."""

    def __init__(self, telling: Telling, rule_sets: RuleSets, *, every: bool) -> None:
        self._telling = telling
        self._rule_sets = rule_sets
        self._every = every

    def alert(self, kind: What, asked: str, received: Received) -> Explanation:
        """Why this alert became a ticket, or did not."""
        decided = self._telling.decided(received.decision) if received.decision else None
        deciding = self._telling.deciding(decided) if decided else None
        record = self._telling.record(received.incident) if received.incident else None
        retraced = self._retrace(decided, _said(received, deciding)) if decided else None
        return Explanation(
            what=kind,
            asked=asked,
            verdict=_verdict(received, decided, retraced, record, deciding),
            alert=self._told(received, deciding),
            decision=retraced.told if retraced else None,
            incident=self._incident(record) if record else None,
            doubts=(*(retraced.doubts if retraced else ()), *_gone(received, decided, record)),
        )

    def incident(self, kind: What, asked: str, record: Record) -> Explanation:
        """Why this incident has its ticket, or none; with the decision that its texts come from."""
        decided = self._telling.decided(record.decision)
        deciding = self._telling.deciding(decided) if decided else None
        retraced = self._retrace(decided, deciding.alert if deciding else None) if decided else None
        doubts = retraced.doubts if retraced else (_NO_DECISION,)
        oldest = self._telling.oldest()
        if oldest is None or record.incident.opened_at < oldest:
            before = f"before {moment(oldest)} " if oldest else ""
            doubts = (*doubts, f"the alerts that came in {before}are no longer kept, so its history lacks them")
        return Explanation(
            what=kind,
            asked=asked,
            verdict=verdicts.of_record(record),
            decision=retraced.told if retraced else None,
            incident=self._incident(record),
            doubts=doubts,
        )

    def _incident(self, record: Record) -> IncidentTold:
        return chronicle.told(record, self._telling.changes(record.incident, chronicle.LINES))

    def _retrace(self, decided: KeptDecision, alert: Alert | None) -> Retraced:
        kept = self._telling.rules(decided.rule_set, decided.at)
        made = self._rule_sets.of(kept) if kept else None
        return retrace(decided, Source(alert=alert, kept=kept, made=made, every=self._every))

    def _told(self, received: Received, deciding: Received | None) -> AlertTold:
        first = received if deciding is None else deciding
        count, last, at_least = self._telling.repeats(first) if first.decision else (0, None, False)
        return AlertTold(
            number=received.row,
            at=received.at,
            outcome=received.outcome,
            alert=received.alert,
            repeat_of=first.row if first.row != received.row else 0,
            repeats=count,
            repeats_at_least=at_least,
            last_repeat_at=last,
        )


def _said(received: Received, deciding: Received | None) -> Alert | None:
    """What the rules were asked about: a repeat says the same, a resolve need not."""
    if deciding:
        return deciding.alert
    return received.alert if received.outcome != _RESOLVED else None


def _verdict(
    received: Received,
    decided: KeptDecision | None,
    retraced: Retraced | None,
    record: Record | None,
    deciding: Received | None,
) -> Verdict:
    if received.outcome == "unknown":
        return verdicts.none(Because.UNKNOWN, "it says that a problem is over, and nothing fired under its fingerprint")
    if received.outcome == "overtaken":
        return verdicts.none(
            Because.OVERTAKEN, "its source said something newer about the same problem, and that was heard before it"
        )
    if received.incident:
        repeat = deciding is None or deciding.row != received.row
        return verdicts.of_alert(received, record, repeat=repeat)
    if decided is None or retraced is None:
        return Verdict(because=Because.FORGOTTEN, sentence=f"It was {received.outcome}; why is no longer kept.")
    return verdicts.of_decision(decided, retraced, ends=received.outcome == _RESOLVED)


def _gone(received: Received, decided: KeptDecision | None, record: Record | None) -> Iterator[str]:
    if received.alert is None:
        yield "what it said is no longer kept"
    if received.decision and decided is None:
        yield _NO_DECISION
    if received.incident and record is None:
        yield "its incident is no longer kept"


def _rejected(asked: str, refused: Refused) -> Explanation:
    told = RejectedTold(
        number=refused.row,
        at=refused.at,
        source=refused.source,
        content_type=refused.content_type,
        reason=refused.reason,
        size=len(refused.body),
        begins=refused.body[:_BEGINS].decode("utf-8", "replace"),
    )
    verdict = verdicts.none(Because.REJECTED, f"the message cannot be read: {refused.reason}")
    return Explanation(what=What.REJECTED, asked=asked, verdict=verdict, rejected=told)

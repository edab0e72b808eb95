"""How the tickets of two sides differ: pairs of records, then what has no partner.

Two records are of one problem when they began with the same alert; else, when both were declared, the alerts they began
with have one fingerprint and the later one began during the other's life. Pure; equal pairs are forgotten at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tocsin.workbench.replay.result import Difference, Hold, Kind, OfRule, Point, Result, Ticket, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.workbench.replay.side import Batch, Record

LADDER = (60, 120, 300, 600, 900, 1800, 3600)
"""The holds that are tried on the candidate's tickets, in seconds."""
KEPT = 2000
"""So many differences are kept; beyond, they are only counted."""
_HOUR = 3600

LIVE, CANDIDATE = 0, 1


class Comparison:
    """Records of both sides in, a result out."""

    def __init__(self) -> None:
        self._waiting: tuple[dict[int, Record], dict[int, Record]] = ({}, {})
        """By the row of their first alert, for each side: what has met no partner yet."""
        self._totals = (Totals(), Totals())
        self._points: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self._rules: dict[str, OfRule] = {}
        self._holds: dict[str, list[int]] = defaultdict(lambda: [0] * len(LADDER))
        self._candidates: Counter[str] = Counter()
        self._kinds: Counter[Kind] = Counter()
        self._differing = 0
        self._kept: list[Difference] = []

    def add(self, side: int, batch: Batch) -> None:
        """Take what one side (LIVE or CANDIDATE) has to say."""
        for record in batch.records:
            self._count(side, record)
            self._pair(side, record)
        for rule, actions in batch.decided.items():
            of_rule = self._of(rule)
            if side == LIVE:
                of_rule.live_alerts += sum(actions.values())
            else:
                of_rule.candidate_alerts += sum(actions.values())

    def result(self, since: datetime, until: datetime, hashes: tuple[str, str], alerts: int) -> Result:
        """Return what came out, once both sides have said everything."""
        self._match_left()
        rules = sorted(
            self._rules.values(), key=lambda one: (-one.differences, -max(one.live, one.candidate), one.rule)
        )
        return Result(
            since=since,
            until=until,
            live_rules=hashes[LIVE],
            candidate_rules=hashes[CANDIDATE],
            alerts=alerts,
            live=self._totals[LIVE],
            candidate=self._totals[CANDIDATE],
            kinds={kind: self._kinds[kind] for kind in Kind if self._kinds[kind]},
            differences=sorted(self._kept, key=lambda one: (one.at, one.alert)),
            differing=self._differing,
            rules=rules,
            holds=list(self._tried_holds()),
            points=list(self._over_time()),
        )

    def _of(self, rule: str) -> OfRule:
        if rule not in self._rules:
            self._rules[rule] = OfRule(rule=rule)
        return self._rules[rule]

    def _count(self, side: int, record: Record) -> None:
        totals = self._totals[side]
        if record.declared_at is None:
            totals.avoided += record.closed_at is not None
            return
        totals.tickets += 1
        totals.reopened += record.reopened
        totals.held_minutes += (record.declared_at - record.opened_at).total_seconds() / 60
        self._points[side][int(record.declared_at.timestamp()) // _HOUR] += 1
        if side == LIVE:
            self._of(record.rule).live += 1
            return
        self._of(record.rule).candidate += 1
        self._candidates[record.rule] += 1
        if record.cleared_after is not None:
            avoided = self._holds[record.rule]
            for step, seconds in enumerate(LADDER):
                avoided[step] += record.cleared_after < seconds

    def _pair(self, side: int, record: Record) -> None:
        other = self._waiting[1 - side].get(record.row)
        if other is None or (other.declared_at is None) != (record.declared_at is None):
            self._waiting[side][record.row] = record
            return
        del self._waiting[1 - side][record.row]
        pair = (record, other) if side == LIVE else (other, record)
        self._differ(*pair, _changes(*pair) if record.declared_at else ())

    def _match_left(self) -> None:
        """Those that began with different alerts, or that only one side declared."""
        lives, candidates = self._waiting
        by_fingerprint: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for candidate in candidates.values():
            if candidate.declared_at:
                by_fingerprint[candidate.source, candidate.fingerprint].append(candidate)
        gone: set[int] = set()
        for live in lives.values():
            if live.declared_at is None:
                continue
            same = by_fingerprint.get((live.source, live.fingerprint), [])
            partner = next((one for one in same if one.row not in gone and _overlap(live, one)), None)
            if partner:
                gone.add(partner.row)
                self._differ(live, partner, _changes(live, partner))
            else:
                self._differ(live, candidates.get(live.row), (Kind.VANISHES,))
        for candidate in candidates.values():
            if candidate.declared_at and candidate.row not in gone:
                self._differ(lives.get(candidate.row), candidate, (Kind.APPEARS,))

    def _differ(self, live: Record | None, candidate: Record | None, kinds: tuple[Kind, ...]) -> None:
        if not kinds:
            return
        first = candidate if Kind.APPEARS in kinds else live
        if first is None:
            return
        self._differing += 1
        self._kinds.update(kinds)
        self._of(first.rule).differences += 1
        if len(self._kept) < KEPT:
            self._kept.append(
                Difference(
                    kinds=kinds,
                    alert=first.row,
                    source=first.source,
                    resource=first.resource,
                    check=first.check,
                    at=first.opened_at,
                    live=_ticket(live),
                    candidate=_ticket(candidate),
                )
            )

    def _tried_holds(self) -> Iterator[Hold]:
        """For each rule with tickets that some hold would have avoided, what each length does."""
        for rule, avoided in sorted(self._holds.items()):
            if not avoided[-1]:
                continue
            for step, seconds in enumerate(LADDER):
                delayed = self._candidates[rule] - avoided[step]
                yield Hold(rule=rule, seconds=seconds, avoided=avoided[step], delayed=delayed)

    def _over_time(self) -> Iterator[Point]:
        live, candidate = self._points
        for hour in sorted(live.keys() | candidate.keys()):
            at = datetime.fromtimestamp(hour * _HOUR, UTC)
            yield Point(at=at, live=live[hour], candidate=candidate[hour])


def _overlap(live: Record, candidate: Record) -> bool:
    """Whether one began while the other lived."""
    first, second = sorted((live, candidate), key=lambda one: one.opened_at)
    return first.closed_at is None or second.opened_at <= first.closed_at


def _changes(live: Record, candidate: Record) -> tuple[Kind, ...]:
    """How two declared tickets of one problem differ."""
    differ = {
        Kind.ELEMENT: live.element != candidate.element,
        Kind.IMPACT: (live.impact, live.declared_impact) != (candidate.impact, candidate.declared_impact),
        Kind.KEY: live.key != candidate.key,
        Kind.TEXT: live.texts != candidate.texts,
        Kind.EARLIER: _declared(candidate) < _declared(live),
        Kind.LATER: _declared(candidate) > _declared(live),
        Kind.BACKEND: (live.backends[:1], {*live.backends}) != (candidate.backends[:1], {*candidate.backends}),
        Kind.CLOSES: live.closed_at != candidate.closed_at,
        Kind.REOPENS: live.reopened != candidate.reopened,
    }
    return tuple(kind for kind, differs in differ.items() if differs)


def _declared(record: Record) -> datetime:
    return record.declared_at or record.opened_at


def _ticket(record: Record | None) -> Ticket | None:
    if record is None:
        return None
    return Ticket(
        rule=record.rule,
        element=record.element,
        impact=record.impact,
        key=record.key,
        name=record.name,
        declared_at=record.declared_at,
        closed_at=record.closed_at,
        reopened=record.reopened,
        backends=record.backends,
    )

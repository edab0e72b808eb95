"""The shadow rule set: since when which one decides beside the live one, and what it said otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tocsin.model import Alert, Decision, Policy, Texts
from tocsin.store import keep, rows

if TYPE_CHECKING:
    from tocsin.store.reader import Reader, Row
    from tocsin.store.transaction import Transaction


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the shadow said beyond the columns: what a ticket would be made of, or why there would be none."""

    name: Texts = {}
    description: Texts = {}
    """Empty when it is the live one's."""
    reason: str = ""
    policy: Policy | None = None
    """None when it is the live one's."""


class Difference(Struct, frozen=True, kw_only=True):
    """What the shadow said otherwise than the live rules."""

    kinds: Sequence[str]
    said: Decision
    details: Details


class Said(Struct, frozen=True, kw_only=True):
    """What one side said about an alert."""

    rule: str
    action: str
    element: str = ""
    impact: str = ""
    key: str = ""
    name: Texts = {}
    reason: str = ""


class DifferenceLine(Struct, frozen=True, kw_only=True):
    """One alert about which live and shadow rules say different things."""

    id: int
    at: datetime
    kinds: tuple[str, ...]
    source: str
    """Of the alert; empty, as what follows, when what it said is no longer kept."""
    resource: str
    check: str
    severity: str
    live: Said
    shadow: Said


class OfRules(Struct, frozen=True, kw_only=True):
    """How many decisions differ where the live rules decided by one rule and the shadow by another, or by the same."""

    live: str
    shadow: str
    decisions: int
    kinds: dict[str, int]


class ShadowState(Struct, frozen=True, kw_only=True):
    """What came of the rule set that decides beside the live one, or did last."""

    hash: str
    since: datetime
    until: datetime | None
    """None while it decides."""
    compared: int
    """How many decisions there were in that time."""
    differing: int
    kinds: dict[str, int]
    """How many decisions differ in this; one may differ in several."""
    rules: list[OfRules]
    """The most different first."""
    differences: list[DifferenceLine]
    """Newest first."""


_alert = msgspec.json.Decoder(Alert)
_details = msgspec.json.Decoder(Details)


def follow(tx: Transaction, shadow: keep.Rules | None, now: datetime) -> None:
    """From now on this rule set decides beside the live one; None for none."""
    row = keep.rule_set_row(tx, shadow, 0) if shadow else 0
    last = tx.rows("last_shadow")
    if row != (last[0][0] if last else 0):
        tx.insert("insert_shadow", (tx.next("shadows"), rows.micros(now), row))


def keep_difference(
    tx: Transaction, difference: Difference, shadow: keep.Rules, of: tuple[int, int], now: datetime
) -> None:
    """Keep what a shadow rule set says otherwise; `of` is the row of what the alert says and of the live decision."""
    said = difference.said
    tx.insert(
        "insert_shadow_difference",
        (
            tx.next("shadow_differences"),
            rows.micros(now),
            *of,
            keep.rule_set_row(tx, shadow, 0),
            ",".join(difference.kinds),
            said.rule,
            said.action.value,
            said.element.reference if said.element else None,
            said.impact.value if said.impact else None,
            said.dedup_key,
            rows.encode_text(difference.details),
        ),
    )


def state(there: Reader, limit: int) -> ShadowState | None:
    """The shadow that decides now or did last, with its newest differences; None when there never was one."""
    last = there.row("latest_shadow")
    if last is None:
        return None
    rule_set, since, hashed, until = last
    first = there.first_from("last_difference", "difference_from", since)
    totals = there.rows("shadow_totals", (rule_set, first))
    kinds: Counter[str] = Counter()
    for names, _, _, count in totals:
        kinds.update(dict.fromkeys(names.split(","), count))
    return ShadowState(
        hash=hashed,
        since=rows.moment(since),
        until=rows.moment_or_none(until),
        compared=_compared(there, since, until),
        differing=sum(total[3] for total in totals),
        kinds=dict(kinds.most_common()),
        rules=_by_rules(totals),
        differences=[_line(row) for row in there.rows("list_shadow_differences", (rule_set, first, limit))],
    )


def _compared(there: Reader, since: int, until: int | None) -> int:
    first = there.first_from("last_decision", "decision_from", since)
    after = (
        there.first_from("last_decision", "decision_from", until) if until else there.rows("last_decision")[0][0] + 1
    )
    return int(there.rows("decided_between", (first, after))[0][0])


def _by_rules(totals: Sequence[Row]) -> list[OfRules]:
    decisions: Counter[tuple[str, str]] = Counter()
    kinds: dict[tuple[str, str], Counter[str]] = {}
    for names, live, shadow, count in totals:
        decisions[live, shadow] += count
        kinds.setdefault((live, shadow), Counter()).update(dict.fromkeys(names.split(","), count))
    return [
        OfRules(live=live, shadow=shadow, decisions=count, kinds=dict(kinds[live, shadow].most_common()))
        for (live, shadow), count in decisions.most_common()
    ]


def _line(row: Row) -> DifferenceLine:
    number, at, kinds, text = row[:4]
    alert = _alert.decode(text) if text else None
    live, shadow = rows.read_details(row[9] or "{}"), _details.decode(row[15])
    return DifferenceLine(
        id=number,
        at=rows.moment(at),
        kinds=tuple(kinds.split(",")),
        source=alert.source if alert else "",
        resource=alert.resource if alert else "",
        check=alert.check if alert else "",
        severity=alert.severity if alert else "",
        live=_said(row[4:9], live.name, live.reason),
        shadow=_said(row[10:15], shadow.name, shadow.reason),
    )


def _said(columns: Row, name: Texts, reason: str) -> Said:
    rule, action, element, impact, key = columns
    return Said(rule=rule, action=action, element=element or "", impact=impact or "", key=key, name=name, reason=reason)

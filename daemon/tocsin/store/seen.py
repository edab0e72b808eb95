"""What was seen of the rules: which an alert matched, which rule sets were live meanwhile, which keys had two elements.

Reads beside a running service; looks at all alerts of a period once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.store import changes
from tocsin.store.reader import reader
from tocsin.store.rows import micros, moment

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.store.reader import Reader


class KeyOfTwo(Struct, frozen=True, kw_only=True):
    """One key, and two decisions by different rules that gave it to different elements, the older one first."""

    key: str
    rules: tuple[str, str]
    elements: tuple[str, str]


class Seen(Struct, frozen=True, kw_only=True):
    """What was seen in a time."""

    span: timedelta
    """How long it was, up to now."""
    matched: dict[str, datetime]
    """Rule → when an alert matched it last; `fallback` among them."""
    sets: tuple[dict[str, str], ...]
    """The files of every rule set that was live in that time."""
    keys: tuple[KeyOfTwo, ...]


def rules_matched(folder: Path, since: datetime) -> dict[str, datetime]:
    """Return which rules an alert matched since then, repeats included, and when last. Raises StoreError."""
    with reader(folder) as there:
        return _matched(there, since)


def seen(folder: Path, span: timedelta, now: datetime) -> Seen | None:
    """Return what was seen for so long up to now; None when the history does not reach back so far.

    Raises:
        StoreError: there is no database, or it cannot be read.
    """
    since = now - span
    with reader(folder) as there:
        first = there.row("first_alert_at")
        live = _live(there, since)
        if first is None or moment(first[0]) > since or not live:
            return None
        sets = tuple(changes.files(there, hashed) for hashed in live)
        return Seen(span=span, matched=_matched(there, since), sets=sets, keys=_keys(there, since))


def _matched(there: Reader, since: datetime) -> dict[str, datetime]:
    first = there.first_from("last_alert", "alert_from", micros(since))
    return {rule: moment(at) for rule, at in there.rows("rules_matched", (first,))}


def _live(there: Reader, since: datetime) -> list[str]:
    """The hashes of the rule sets that were live since then; none when it is not known what was live at the beginning."""
    live: dict[str, None] = {}
    for change in changes.history(there):  # the newest first
        live[change.hash] = None
        if change.at <= since:
            return list(live)
    return []


def _keys(there: Reader, since: datetime) -> tuple[KeyOfTwo, ...]:
    """For each key the first two decisions that differ in rule and element."""
    first = there.first_from("last_decision", "decision_from", micros(since))
    found: dict[str, KeyOfTwo] = {}
    before: dict[str, tuple[str, str]] = {}
    for key, element, rule, _ in there.rows("keys_of_two_elements", (first, first)):
        other, its_rule = before.setdefault(key, (element, rule))
        if key not in found and other != element and its_rule != rule:
            found[key] = KeyOfTwo(key=key, rules=(its_rule, rule), elements=(other, element))
    return tuple(found.values())

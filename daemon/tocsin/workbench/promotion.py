"""Making a rule set live by replacing the rule files: the shadow's (promote), or an earlier one's (rollback).

A plan is made and checked wholly first, then carried out; the service then reads the files as after any other edit.
What is replaced is never lost: it is in the store, or set aside in the folder itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin import fleet as fleets
from tocsin import rules, yaml12
from tocsin.errors import RuleError, StoreError
from tocsin.rules import RuleSet, folder, loader
from tocsin.rules.assembly import content_hash
from tocsin.rules.rule import FALLBACK
from tocsin.store import changes
from tocsin.store.reader import reader
from tocsin.workbench import testing

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store.changes import ChangeLine

SHORT = 6
"""So many characters of a hash say enough to name a rule set."""


class Places(Struct, frozen=True, kw_only=True):
    """Where everything is that a plan is made of."""

    rules: Path
    fleet: Path
    state: Path
    """Folder of the database."""
    backends: frozenset[str]
    """The backends that rules may name."""
    shadow: Path | None = None
    ticketing: testing.Ticketing = testing.USUAL
    """What the rules' own tests are told of the settings."""


class Names(Struct, frozen=True, kw_only=True):
    """What of a kind comes, goes, or is another."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class Plan(Struct, frozen=True, kw_only=True):
    """A rule set that can go live, and what that would change in the folder of the rules."""

    how: folder.Change
    hash: str
    before: str
    """Content hash of the files that are there now; empty when they cannot be read as rules."""
    files: Mapping[str, str]
    """Name → text of what is to be there."""
    counts: dict[str, int]
    """How many `rules` and `tests` it has."""
    changed_rules: Names
    """By id; nothing when the files that are there now cannot be read."""
    changed_files: Names

    @property
    def same(self) -> bool:
        """Whether the files are there already."""
        return self.hash == self.before


def plan_promotion(places: Places) -> Plan:
    """Plan to put the shadow rule set in the place of the live one; nothing is written.

    Raises:
        RuleError: there is no shadow rule set, or it cannot go live; a `rules.RulesError` holds all of the problems.
    """
    if places.shadow is None:
        raise RuleError(
            "there is no shadow rule set to promote: name its folder in the settings, `rules: {shadow: DIR}`"
        )
    return _plan("promote", places, rules.load(places.shadow, known_backends=places.backends))


def plan_rollback(places: Places, to: str = "") -> Plan:
    """Plan to put the files of an earlier rule set back; nothing is written.

    Args:
        places: where everything is.
        to: the beginning of the content hash of any rule set that is kept. When empty: the live one when the files are
            not those that are live, as after an edit that was refused; else the one that was live before, where going
            back again and again goes further and further back.

    Raises:
        RuleError: there is none, or it cannot go live with the fleet and backends of now.
        StoreError: the database cannot be read.
    """
    with reader(places.state) as there:
        hashed = _named(to, changes.kept(there)) if to else _earlier(changes.history(there), _now(places.rules)[1])
        files = changes.files(there, hashed)
    try:
        return _plan("rollback", places, rules.build(files, known_backends=places.backends, folder=hashed))
    except rules.RulesError as error:
        sentence = f"the rule set {hashed} cannot go live any more; `tocsin rules rollback --to HASH` takes another"
        raise rules.RulesError([RuleError(sentence), *error.problems]) from None


def carry_out(places: Places, plan: Plan, who: str, now: datetime) -> Path | None:
    """Put the files of a plan in the place of those there are: all of them or none, whatever happens meanwhile.

    Files that no rule set consists of stay. What was there and is not in the store is copied into the folder's
    `.tocsin-replaced`: returns where, None when there was no need. Who did it is kept in the folder until a service has recorded it.

    Raises:
        RuleError: the folder cannot be written, or another program is at it; it is as it was.
    """
    by = folder.Replacement(files=plan.files, hash=plan.hash, who=who, how=plan.how, at=now)
    return folder.replace(
        places.rules, by, lambda: loader.names(places.rules), lambda: _there(places.rules)[1] in _kept(places.state)
    )


def promote(places: Places, who: str, now: datetime) -> Plan:
    """Plan a promotion and carry it out; returns the plan. Raises what the two raise."""
    plan = plan_promotion(places)
    if not plan.same:
        carry_out(places, plan, who, now)
    return plan


def rollback(places: Places, who: str, now: datetime, *, to: str = "") -> Plan:
    """Plan to go back and carry it out; returns the plan. Raises what the two raise."""
    plan = plan_rollback(places, to)
    if not plan.same:
        carry_out(places, plan, who, now)
    return plan


def _plan(how: folder.Change, places: Places, rule_set: RuleSet) -> Plan:
    testing.check(rule_set, fleets.load(places.fleet), places.ticketing)
    files, hashed = _now(places.rules)
    return Plan(
        how=how,
        hash=rule_set.hash,
        before=hashed,
        files=dict(rule_set.files),
        counts={"rules": len(rule_set.rules), "tests": len(rule_set.tests)},
        changed_rules=_names(_by_id(files), _by_id(rule_set.files)),
        changed_files=_names(files, rule_set.files),
    )


def _now(path: Path) -> tuple[dict[str, str], str]:
    """What `_there` finds, while nobody replaces the files."""
    with folder.reading(path):
        return _there(path)


def _there(path: Path) -> tuple[dict[str, str], str]:
    """The files of the folder as texts, and their content hash; the hash is empty when one is no text."""
    files: dict[str, str] = {}
    readable = True
    for name, file in loader.names(path).items():
        try:
            files[name] = file.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            files[name], readable = "", False
    return files, content_hash(files) if readable else ""


def _kept(state: Path) -> frozenset[str]:
    """The rule sets in the store, as far as it can be read."""
    try:
        with reader(state) as there:
            return changes.kept(there)
    except StoreError:
        return frozenset()


def _named(to: str, kept: frozenset[str]) -> str:
    found = sorted(hashed for hashed in kept if hashed.startswith(to.lower()))
    if len(found) == 1:
        return found[0]
    if found:
        raise RuleError(f"{len(found)} rule sets begin with {to!r}: give more of the hash ({', '.join(found[:5])})")
    raise RuleError(f"no rule set that is kept begins with {to!r}: `tocsin rules history` lists them")


def _earlier(history: list[ChangeLine], there: str) -> str:
    """The rule set to go back to: the live one when the files are others, else the one before it."""
    if not history:
        raise RuleError("no rule set was live yet: there is nothing to go back to")
    if history[0].hash != there:
        return history[0].hash
    if earlier := before(history):
        return earlier
    raise RuleError("no other rule set was live before: there is nothing to go back to")


def before(history: list[ChangeLine]) -> str:
    """Return the hash of the rule set that was live before the newest one of a history; empty when there is none.

    A rollback takes back what it went back over: going back again goes further back, never forth again.
    """
    live: list[str] = []
    for line in reversed(history):
        if line.how == changes.How.ROLLBACK and line.hash in live:
            del live[live.index(line.hash) + 1 :]
        elif not live or live[-1] != line.hash:
            live.append(line.hash)
    return live[-2] if len(live) > 1 else ""


def _names(before: Mapping[str, Any], after: Mapping[str, Any]) -> Names:
    return Names(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )


def _by_id(files: Mapping[str, str]) -> dict[str, Any]:
    """Rule → what is written of it, with the defaults of its file; a file that cannot be read has none."""
    found: dict[str, Any] = {}
    for name, text in files.items():
        if name.endswith(loader.SUFFIXES):
            found |= _rules_of(name, text)
    return found


def _rules_of(name: str, text: str) -> dict[str, Any]:
    try:
        data, _ = yaml12.read(text, name)
    except RuleError:
        return {}
    if not isinstance(data, dict):
        return {}
    written, defaults = data.get("rules"), data.get("defaults")
    listed = written if isinstance(written, list) else []
    found = {str(rule["id"]): (defaults, rule) for rule in listed if isinstance(rule, dict) and "id" in rule}
    return found | ({FALLBACK: data["fallback"]} if data.get("fallback") else {})

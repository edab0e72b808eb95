"""Histories for tests: alerts that begin, repeat, worsen, blip, flap, expire and come back, as a platform sends them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from house import alert
from tocsin.model import Element, Severity, Status
from tocsin.store.rows import micros, micros_or_none
from tocsin.store.sqlite import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.model import Alert

START = datetime(2026, 10, 1, tzinfo=UTC)
MONTH = timedelta(days=30)

RULES = """
defaults:
  flap: {changes: 4, within: 2h, quiet: 1h}
  reopen: 6h
rules:
  - id: ping
    match: {check: ping}
    element: {lookup: '{{ resource }}'}
    impact: interrupted
    hold: 10m
  - id: disk
    match: {check: disk, summary: {regex: '(?P<percent>\\d+) % left'}}
    element: {lookup: '{{ resource }}', missing: record}
    impact: {by: severity, critical: interrupted, major: severe, else: degraded}
    hold: {interrupted: 0s, else: 5m}
    close: {after: 30m}
    ticket: {name: {en: '{{ resource }}: {{ percent }} % left', fr: '{{ resource }} : {{ percent }} % libres'}}
  - id: farm
    match: {check: http}
    element: DF1
    impact: {by: severity, critical: severe, else: degraded}
    key: [element, check]
  - id: noise
    match: {severity: info}
    action: ignore
fallback: {action: record}
"""
ELEMENTS = tuple(
    Element(reference=f"DF{number}", name=f"host {number}", aliases=(f"host{number}",)) for number in range(1, 301)
)
FLEET = "elements:\n" + "".join(
    f"  - {{reference: {one.reference}, name: {one.name}, aliases: [{one.aliases[0]}]}}\n" for one in ELEMENTS
)
"""The same as a file."""


def events(count: int, seed: int = 1, hosts: int = 330, over: timedelta = MONTH) -> Iterator[tuple[datetime, Alert]]:
    """So many alerts spread over a time, the same for the same seed."""
    chance = random.Random(seed)
    at, firing = START, {}
    for _ in range(count):
        at += over / count * chance.uniform(0, 2)
        check = chance.choice(("ping", "disk", "http", "load"))
        host = f"host{chance.randint(1, hosts)}" if check != "http" else f"host{chance.randint(1, 20)}"
        fingerprint = f"{check}-{host}"
        state = firing.get(fingerprint)
        severity = chance.choice(tuple(Severity)) if state is None or chance.random() < 0.05 else state
        over_now = state is not None and chance.random() < (0.6 if hash_of(fingerprint) % 7 == 0 else 0.15)
        said = alert(
            source="prometheus" if check == "http" else "nagios",
            fingerprint=fingerprint,
            severity=severity,
            status=Status.RESOLVED if over_now else Status.FIRING,
            resource=host,
            check=check,
            summary=f"{host}: {hash_of(fingerprint) % 9} % left",
            ends_at=at + timedelta(hours=3) if check == "http" and not over_now else None,
        )
        if over_now:
            del firing[fingerprint]
        else:
            firing[fingerprint] = severity
        yield at, said


def hash_of(text: str) -> int:
    """The same in every process."""
    return sum(map(ord, text)) * 7919 % 1009


def fill(folder: Path, count: int, seed: int = 1) -> None:
    """Put a month into the database of a store that was opened once: what was decided then does not matter."""
    connection = connect(folder / "tocsin.db")
    encode = msgspec.json.Encoder().encode
    texts, alerts, said = [], [], {}
    for row, (at, one) in enumerate(events(count, seed), 1):
        plain = msgspec.structs.replace(one, ends_at=None) if one.status == Status.FIRING else one
        kept, body = said.get(one.fingerprint), 0
        if kept is None or kept[1] != plain:
            texts.append((len(texts) + 1, one.source, one.fingerprint, None, encode(plain).decode()))
            kept, body = (len(texts), plain), 1
            said[one.fingerprint] = kept
        alerts.append((row, micros(at), body, kept[0], 0, 0, "recorded", micros_or_none(one.ends_at)))
    connection.execute("begin")
    connection.executemany("insert into texts values (?, ?, ?, ?, ?)", texts)
    connection.executemany("insert into alerts values (?, ?, ?, ?, ?, ?, ?, ?)", alerts)
    connection.execute("commit")
    connection.close()

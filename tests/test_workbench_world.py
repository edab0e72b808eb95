"""The workbench's world and the service are one and the same: same alerts, same incidents, notes and deliveries."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

import histories
from house import T0, Clock, Road, alert, opened, rows, rulebook
from tocsin import fleet, intake, timers
from tocsin.model import Receipt, Severity, Status, TicketStatus
from tocsin.store.rows import encode_text, micros
from tocsin.workbench.world import World

if TYPE_CHECKING:
    from tocsin.model import Alert, Change, Decision
    from tocsin.store import Store

RULES = """
rules:
  - id: disk
    match: {check: disk, severity: {not: info}}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, major: severe, else: degraded}
    close: {after: 15m}
    reopen: 1h
    flap: {changes: 3, within: 1h, quiet: 20m}
  - id: ping
    match: {check: ping}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    hold: {interrupted: 30s, else: 2m}
    key: [check]
fallback: {action: record}
"""

Step = tuple[timedelta, Any]
"""How long after the step before; an alert, or what a person does to the ticket of the latest incident."""

ALERTS = st.builds(
    alert,
    fingerprint=st.sampled_from(["a", "b", "c"]),
    status=st.sampled_from([Status.FIRING, Status.FIRING, Status.RESOLVED]),
    severity=st.sampled_from([Severity.CRITICAL, Severity.MINOR, Severity.INFO]),
    resource=st.sampled_from(["web1", "web2", "unknown"]),
    check=st.sampled_from(["disk", "ping"]),
)
EXPIRING = st.tuples(ALERTS, st.one_of(st.none(), st.sampled_from([60, 900])))
PEOPLE = st.sampled_from([TicketStatus.IN_PROGRESS, TicketStatus.CLOSED])
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1, 45, 130, 1000, 5000]), st.one_of(EXPIRING, EXPIRING, EXPIRING, PEOPLE)),
    max_size=25,
)


class Told:
    """What a world told: the rows that the store would have."""

    def __init__(self) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.deliveries: list[tuple[Any, ...]] = []

    def hear(self, change: Change, _decision: Decision, now: datetime) -> None:
        n = change.incident.n
        self.notes += [(n, micros(note.at), note.actor, note.kind, encode_text(note.text)) for note in change.notes]
        self.deliveries += [(n, action.value, micros(now)) for action in change.deliveries]


async def serve(steps: list[Step]) -> tuple[list[Any], list[Any]]:
    """The notes and deliveries of the real store, its clock stopping wherever something falls due."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as store:
            road = Road(store, clock, RULES)
            for wait, what in steps:
                await forward(store, clock, clock.now + wait)
                if isinstance(what, TicketStatus):
                    await store.run(lambda tx, what=what: touch(tx, what, clock.now))
                else:
                    await road.take(what(clock.now))
            notes = await rows(store, "select incident, at, actor, kind, text from notes order by id")
            told = await rows(store, "select incident, action, made_at from deliveries order by id")
            return list(notes), list(told)


async def forward(store: Store, clock: Clock, until: datetime) -> None:
    due = store.live.next_due()
    while due is not None and due <= until:
        clock.now = max(clock.now, due)
        await store.run(lambda tx, due=due: timers.tick(tx, due))
        due = store.live.next_due()
    clock.now = until


def touch(tx: Any, status: TicketStatus, now: datetime) -> None:
    """A person changes the ticket that was declared last."""
    found = tx._connection.execute("select number from tickets order by incident desc limit 1").fetchone()
    if found:
        intake.seen(tx, found[0], "someone", status, Receipt(number=found[0], status=status), now)


def play(steps: list[Step]) -> tuple[list[Any], list[Any]]:
    """The same in a world of the workbench."""
    book, told, now = rulebook(RULES), Told(), T0
    world = World(book.rule_set, book.fleet, told.hear)
    for wait, what in steps:
        now += wait
        world.pass_time(now)
        if isinstance(what, TicketStatus):
            declared = [n for n, action, _ in told.deliveries if action == "open"]
            if declared:
                world.touch(max(declared), "someone", what, now)
        else:
            world.take(what(now), now)
    return told.notes, told.deliveries


def timed(one: Alert, lasts: int | None) -> Any:
    """The alert as it is when it is sent; one that lasts says until when."""
    facts = {name: getattr(one, name) for name in ("fingerprint", "status", "severity", "resource", "check")}
    if lasts is None or one.status == Status.RESOLVED:
        return lambda _now: one
    return lambda now: alert(**facts, ends_at=now + timedelta(seconds=lasts))


@given(STEPS)
def test_the_world_does_what_the_service_does(drawn: list[tuple[int, Any]]) -> None:
    steps = [
        (timedelta(seconds=wait), what if isinstance(what, TicketStatus) else timed(*what)) for wait, what in drawn
    ]
    assert play(steps) == asyncio.run(serve(steps))


def test_a_long_history_leaves_nothing_behind_but_what_is_live() -> None:
    world = World(rulebook(histories.RULES).rule_set, fleet.build(histories.ELEMENTS))
    for at, one in histories.events(4000, hosts=12, over=timedelta(days=40)):
        world.pass_time(at)
        world.take(one, at)
    assert len(world._closed) > 20
    far = at + timedelta(days=10)
    world.pass_time(far)
    world.forget_closed(far)
    assert not world._closed
    live = {entry.incident.n for entry in world.live.by_row.values()}
    assert world._texts.keys() == live
    assert len(world._words) == sum(map(len, world.live.firing.values()))

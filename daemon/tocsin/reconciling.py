"""Store against ticket system: each difference named, and what is done about it, if anything.

`agreement` decides; `Reconciler` asks the ticket system and, only when it is told to, acts: by deliveries, like
everything else that is told. What may be on its way is never judged.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct
from msgspec.structs import replace

from tocsin import wording
from tocsin.agreement import Difference, Kind, Ours, Policy, compare, mine_of, policy_of
from tocsin.backends import answered
from tocsin.errors import DeliveryError, Reason, StoreError
from tocsin.informing import whom
from tocsin.model import Change, DeliveryAction, DeliveryState, Incident, Receipt, Record, State, TicketStatus
from tocsin.seeing import Seen, Sight, Touch, see
from tocsin.store import keep, rows
from tocsin.store.apply import Cause, apply
from tocsin.store.deliveries import add_note, put
from tocsin.timers import pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime, timedelta

    from tocsin.backends import Backend
    from tocsin.store import Store, Transaction

_log = structlog.get_logger("reconciling")

AT_ONCE = 4
"""So many tickets are asked for at the same time: reconciling is not urgent."""
_OF_THE_SYSTEM = frozenset({Reason.UNREACHABLE, Reason.NO_ANSWER, Reason.UNAVAILABLE, Reason.RATE_LIMITED})


class Report(Struct, frozen=True, kw_only=True):
    """What came of reconciling one backend."""

    backend: str
    asked: int
    """How many tickets were looked at."""
    differences: tuple[Difference, ...]
    problem: str = ""
    """Why it could not be asked to the end; empty when it was."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far it is."""

    backend: str
    asked: int
    of: int


class Found(Struct, frozen=True, kw_only=True):
    """A difference, and what is to be done about it."""

    kind: Kind
    policy: Policy
    told: str
    backend: str
    ours: Ours
    seen: Seen | None
    """The ticket that we mean, as it stands there."""


class Reconciler:
    """Compares one backend with the store."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        name: str,
        backend: Backend,
        store: Store,
        policies: Mapping[Kind, Policy],
        closed_since: timedelta,
        clock: Callable[[], datetime],
        *,
        touch: frozenset[Touch] = frozenset(Touch),
    ) -> None:
        self.name = name
        self._backend = backend
        self._store = store
        self._touch = touch
        self._policies = policies
        self._closed_since = closed_since
        self._clock = clock

    async def run(self, *, fix: bool) -> AsyncIterator[Progress | Report]:
        """Look at every ticket that is open, or whose incident ended lately; the report comes last.

        A ticket that cannot be looked at is passed over, and why is the report's problem; a system in trouble ends it.

        Raises:
            StoreError: the store cannot be read or written now.
        """
        since = self._clock() - self._closed_since
        expected = await self._store.run(partial(gather, backend=self.name, since=since))
        differences: list[Difference] = []
        problem = ""
        for start in range(0, len(expected), AT_ONCE):
            some = expected[start : start + AT_ONCE]
            looked = await asyncio.gather(*(self._looked(ours, fix=fix) for ours in some))
            differences += [one for found, _ in looked for one in found]
            troubles = [error for _, error in looked if error]
            problem = problem or next((str(error) for error in troubles), "")
            if any(error.stops or error.reason in _OF_THE_SYSTEM for error in troubles):
                yield self._report(start + len(some) - len(troubles), differences, problem)
                return
            yield Progress(backend=self.name, asked=start + len(some), of=len(expected))
        yield self._report(len(expected), differences, problem)

    def _report(self, asked: int, differences: list[Difference], problem: str) -> Report:
        return Report(backend=self.name, asked=asked, differences=tuple(differences), problem=problem)

    async def _looked(self, ours: Ours, *, fix: bool) -> tuple[list[Difference], DeliveryError | None]:
        try:
            return await self._look(ours, fix=fix), None
        except DeliveryError as error:
            return [], error

    async def _look(self, ours: Ours, *, fix: bool) -> list[Difference]:
        asked_at = self._clock()
        theirs = [] if ours.dead else await self._theirs(ours)
        found = compare(ours, theirs)
        if found and not await self._store.run(partial(still, backend=self.name, ours=ours)):
            return []  # something was told meanwhile: it is looked at the next time
        seen = self._seen(mine_of(ours, theirs), asked_at) if theirs else None
        return [await self._difference(kind, told, ours, seen, fix=fix) for kind, told in found]

    def _seen(self, record: Record, asked_at: datetime) -> Seen:
        return Seen(backend=self.name, record=record, asked_at=asked_at, touch=self._touch)

    async def _theirs(self, ours: Ours) -> list[Record]:
        """All tickets with exactly our reference; what a search does not find yet is asked for by its number.

        One that has moved and still answers to the number that we know it by goes by that.
        """
        found = await answered(self._backend.search(ours.incident), self.name)
        unique = {record.number: record for record in found if record.reference == ours.incident}
        if ours.number and ours.number not in unique:
            mine = await answered(self._backend.read(ours.number), self.name)
            if mine is not None and mine.reference == ours.incident:
                unique.pop(mine.number, None)
                unique[ours.number] = replace(mine, number=ours.number)
        return list(unique.values())

    async def _difference(self, kind: Kind, told: str, ours: Ours, seen: Seen | None, *, fix: bool) -> Difference:
        policy = policy_of(kind, ours, self._policies)
        mended = False
        if fix and policy != "report":
            found = Found(kind=kind, policy=policy, told=told, backend=self.name, ours=ours, seen=seen)
            mended = await self._store.run(partial(mend, found=found, now=self._clock()))
        return Difference(
            kind=kind, incident=ours.incident, number=ours.number, told=told, policy=policy, mended=mended
        )


class Rounds:
    """Compares all of them again and again; what differs is told, and mended where the settings want that."""

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        every: timedelta,
        told: Callable[[Report], None],
        *,
        fix: bool,
    ) -> None:
        self._reconcilers = reconcilers
        self._every = every
        self._told = told
        self._fix = fix

    async def run(self, stopping: asyncio.Event) -> None:
        """Come round until `stopping`, for the first time after one span: a start has enough to do."""
        if not self._every or not self._reconcilers:
            return
        await pause(stopping, self._every.total_seconds())
        while not stopping.is_set():
            for reconciler in self._reconcilers.values():
                await self._round(reconciler, stopping)
            await pause(stopping, self._every.total_seconds())

    async def _round(self, reconciler: Reconciler, stopping: asyncio.Event) -> None:
        try:
            async for line in reconciler.run(fix=self._fix):
                if isinstance(line, Report):
                    self._told(line)
                if stopping.is_set():
                    return
        except StoreError:
            return  # the store says so itself


def log(report: Report) -> None:
    """One line for a report that has something to say."""
    if report.problem:
        _log.warning("the ticket system cannot be compared", backend=report.backend, problem=report.problem)
    for one in report.differences:
        _log.warning(
            "store and ticket system differ",
            backend=report.backend,
            incident=one.incident,
            ticket=one.number,
            difference=one.kind,
            mended=one.mended,
        )


def gather(tx: Transaction, backend: str, since: datetime) -> list[Ours]:
    """What a backend should have: its tickets that are open or ended since, and incidents that should have one."""
    found = [
        Ours(
            n=n,
            incident=incident,
            state=State(state),
            touched=bool(touched),
            number=number,
            status=TicketStatus(status),
        )
        for n, incident, state, touched, number, status in tx.rows(
            "tickets_to_reconcile", (backend, rows.micros(since))
        )
        if not _under_way(tx, n, backend)
    ]
    known = {ours.n for ours in found}
    return found + [
        _undeclared(tx, entry.incident, backend)
        for n, entry in list(tx.live.by_row.items())
        if n not in known and _should_have(tx, entry.incident, backend)
    ]


def still(tx: Transaction, backend: str, ours: Ours) -> bool:
    """Whether a ticket is as it was when it was gathered: nothing was told, nothing seen meanwhile."""
    entry = tx.live.by_row.get(ours.n)
    if not ours.ticket:
        return entry is not None and _should_have(tx, entry.incident, backend)
    if _under_way(tx, ours.n, backend):
        return False
    ticket = tx.rows("ticket", (ours.n,))
    state = entry.incident.state if entry else State.CLOSED
    return bool(ticket) and (ticket[0][2], ticket[0][4]) == (ours.number, ours.status) and state == ours.state


def mend(tx: Transaction, found: Found, now: datetime) -> bool:
    """Do about a difference what its policy says; returns whether anything was done."""
    if not still(tx, found.backend, found.ours):
        return False
    if found.policy == "follow":
        return found.seen is not None and _followed(tx, found.ours, found.seen, now)
    if found.policy == "close" and not _may_be_closed(tx, found, now):
        return False
    incident = _incident(tx, found.ours.n)
    note = replace(wording.note(incident, "reconciled", now, problem=found.told), incident=incident.id)
    if found.policy == "note" and tx.rows("noted", (found.ours.n, note.kind, rows.encode_text(note.text))):
        return False  # it is said, and a person's to do
    if found.kind == Kind.GONE:
        incident = _without_ticket(tx, incident)
    row = tx.rows("decision_of_incident", (found.ours.n,))[0][0]
    change = Change(incident=incident, notes=(note,), deliveries=(_ACTIONS[found.policy],))
    apply(tx, change, Cause(row=row), new=False, now=now)
    if found.policy == "create":
        _doubt(tx, found, now)
    return True


_ACTIONS = {"create": DeliveryAction.OPEN, "close": DeliveryAction.CLOSE, "note": DeliveryAction.NOTE}


def _incident(tx: Transaction, n: int) -> Incident:
    entry = tx.live.by_row.get(n)
    return entry.current() if entry else keep.read_incident(tx, n)


def _followed(tx: Transaction, ours: Ours, seen: Seen, now: datetime) -> bool:
    """Take in what stands there: a ticket that was not known, another number, or what a person did."""
    record = seen.record
    receipt = Receipt(number=record.number, url=record.url, status=record.status)
    if not ours.ticket:
        tx.insert("insert_ticket", (ours.n, seen.backend, *_told(receipt), rows.micros(now)))
    elif ours.number and record.number != ours.number:
        tx.update("renumber_ticket", (record.number, record.url, ours.n))
    else:
        return see(tx, seen, now) == Sight.NEWS or not ours.number
    tx.live.told(ours.n, record.number)
    text = wording.text("found", backend=seen.backend, number=record.number)
    add_note(tx, ours.n, "found", wording.ACTOR, text, now)
    return True


def _told(receipt: Receipt) -> tuple[str, str, str]:
    return receipt.number, receipt.url, receipt.status.value


def _may_be_closed(tx: Transaction, found: Found, now: datetime) -> bool:
    """Not when a person has opened it again, nor when what would close it was refused and waits for a person."""
    if found.seen is not None and see(tx, found.seen, now) != Sight.KNOWN:
        return False
    return not _incident(tx, found.ours.n).touched and not tx.rows("dead_close", (found.ours.n, found.backend))


def _without_ticket(tx: Transaction, incident: Incident) -> Incident:
    """The incident as if its ticket had never been: what was seen of that says nothing of the next one."""
    for name in ("delete_ticket", "delete_sighting", "delete_read_notes"):
        tx.update(name, (incident.n,))
    tx.live.told(incident.n, "")
    return replace(incident, number="")


def _doubt(tx: Transaction, found: Found, now: datetime) -> None:
    """What was not found may only not be found yet: it is looked for once more before it is made."""
    for one in tx.live.unsent.of(found.ours.n, found.backend):
        if one.action == DeliveryAction.OPEN:
            put(tx, found.ours.n, replace(one, uncertain=True, doubted_at=now), None)


def _under_way(tx: Transaction, n: int, backend: str) -> bool:
    return any(one.state != DeliveryState.DEAD for one in tx.live.unsent.of(n, backend))


def _should_have(tx: Transaction, incident: Incident, backend: str) -> bool:
    """Whether a live incident was declared in this backend, has no ticket there, and none is on its way."""
    declaring, _ = whom(incident.policy, tx.backends.default)
    if declaring != backend or not incident.declared or incident.state == State.CLOSED:
        return False
    return not _under_way(tx, incident.n, backend) and not tx.rows("ticket", (incident.n,))


def _undeclared(tx: Transaction, incident: Incident, backend: str) -> Ours:
    return Ours(
        n=incident.n,
        incident=incident.id,
        state=incident.state,
        touched=incident.touched,
        number="",
        status=TicketStatus.DECLARED,
        ticket=False,
        dead=any(one.state == DeliveryState.DEAD for one in tx.live.unsent.of(incident.n, backend)),
        dropped=bool(tx.rows("dropped_open", (incident.n, backend))),
    )

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
from tocsin.agreement import Difference, Kind, Ours, Policy, compare, policy_of
from tocsin.errors import DeliveryError, StoreError
from tocsin.informing import whom
from tocsin.model import Change, DeliveryAction, DeliveryState, Incident, Record, State, TicketStatus
from tocsin.seeing import Seen, see
from tocsin.store import keep, rows
from tocsin.store.apply import Cause, apply
from tocsin.timers import pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime, timedelta

    from tocsin.backends import Backend
    from tocsin.store import Store, Transaction

_log = structlog.get_logger("reconciling")

AT_ONCE = 4
"""So many tickets are asked for at the same time: reconciling is not urgent."""


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


class Reconciler:
    """Compares one backend with the store."""

    def __init__(
        self,
        name: str,
        backend: Backend,
        store: Store,
        policies: Mapping[Kind, Policy],
        closed_since: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self.name = name
        self._backend = backend
        self._store = store
        self._policies = policies
        self._closed_since = closed_since
        self._clock = clock

    async def run(self, *, fix: bool) -> AsyncIterator[Progress | Report]:
        """Look at every ticket that is open, or whose incident ended lately; the report comes last.

        Raises:
            StoreError: the store cannot be read or written now.
        """
        since = self._clock() - self._closed_since
        expected = await self._store.run(partial(gather, backend=self.name, since=since))
        differences: list[Difference] = []
        for start in range(0, len(expected), AT_ONCE):
            some = expected[start : start + AT_ONCE]
            try:
                found = await asyncio.gather(*(self._look(ours, fix=fix) for ours in some))
            except DeliveryError as error:
                yield self._report(start, differences, str(error))
                return
            differences += [one for each in found for one in each]
            yield Progress(backend=self.name, asked=start + len(some), of=len(expected))
        yield self._report(len(expected), differences, "")

    def _report(self, asked: int, differences: list[Difference], problem: str) -> Report:
        return Report(backend=self.name, asked=asked, differences=tuple(differences), problem=problem)

    async def _look(self, ours: Ours, *, fix: bool) -> list[Difference]:
        asked_at = self._clock()
        theirs = [] if ours.dead else await self._theirs(ours)
        found = compare(ours, theirs)
        if found and not await self._store.run(partial(still, backend=self.name, ours=ours)):
            return []  # something was told meanwhile: it is looked at the next time
        return [await self._difference(kind, told, ours, theirs, asked_at, fix=fix) for kind, told in found]

    async def _theirs(self, ours: Ours) -> list[Record]:
        """All tickets with exactly our reference; what a search does not find yet is asked for by its number."""
        found = [one for one in await self._backend.search(ours.incident) if one.reference == ours.incident]
        unique = list({record.number: record for record in found}.values())
        if ours.number and not any(record.number == ours.number for record in unique):
            mine = await self._backend.read(ours.number)
            if mine is not None and mine.reference == ours.incident:
                unique.append(mine)
        return unique

    async def _difference(
        self, kind: Kind, told: str, ours: Ours, theirs: list[Record], asked_at: datetime, *, fix: bool
    ) -> Difference:
        policy = policy_of(kind, ours, self._policies)
        mended = False
        if fix and policy != "report":
            seen = Seen(backend=self.name, record=theirs[0], asked_at=asked_at) if theirs else None
            act = partial(mend, kind=kind, policy=policy, ours=ours, seen=seen, told=told, now=self._clock())
            mended = await self._store.run(act)
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
                await self._round(reconciler)
            await pause(stopping, self._every.total_seconds())

    async def _round(self, reconciler: Reconciler) -> None:
        try:
            async for line in reconciler.run(fix=self._fix):
                if isinstance(line, Report):
                    self._told(line)
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
    if _under_way(tx, ours.n, backend):
        return False
    ticket = tx.rows("ticket", (ours.n,))
    if not ours.ticket:
        return not ticket
    entry = tx.live.by_row.get(ours.n)
    state = entry.incident.state if entry else State.CLOSED
    return bool(ticket) and (ticket[0][2], ticket[0][4]) == (ours.number, ours.status) and state == ours.state


def mend(  # noqa: PLR0913 - what, how, whose, by which record, why, when
    tx: Transaction, *, kind: Kind, policy: Policy, ours: Ours, seen: Seen | None, told: str, now: datetime
) -> bool:
    """Do about a difference what its policy says; returns whether anything was done."""
    if policy == "follow":
        if seen is None:
            return False
        see(tx, seen, now)
        return True
    incident = keep.read_incident(tx, ours.n)
    entry = tx.live.by_row.get(ours.n)
    if entry:
        incident = entry.current()
    if kind == Kind.GONE:
        tx.update("delete_ticket", (ours.n,))
        tx.live.told(ours.n, "")
        incident = replace(incident, number="")
    action = {"create": DeliveryAction.OPEN, "close": DeliveryAction.CLOSE, "note": DeliveryAction.NOTE}[policy]
    note = replace(wording.note(incident, "reconciled", now, problem=told), incident=incident.id)
    row = tx.rows("decision_of_incident", (ours.n,))[0][0]
    change = Change(incident=incident, notes=(note,), deliveries=(action,))
    apply(tx, change, Cause(row=row), new=False, now=now)
    return True


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
    )

"""Store against ticket system: each difference named, and what is done about it, if anything.

`agreement` decides; `Reconciler` asks the ticket system and, only when it is told to, has `mending` act: by deliveries,
like everything else that is told. What may be on its way is never judged.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct
from msgspec.structs import replace

from tocsin.agreement import Difference, Kind, Ours, Policy, compare, mine_of, policy_of, too_many
from tocsin.backends import answered
from tocsin.backends._can import Can
from tocsin.errors import OF_THE_SYSTEM, DeliveryError, StoreError
from tocsin.mending import Found, gather, mend, still
from tocsin.seeing import LAG, Seen, Touch
from tocsin.timers import pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime, timedelta

    from tocsin.backends import Backend
    from tocsin.model import Record
    from tocsin.store import Store

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

    async def run(self, *, fix: bool, all_gone: bool = False) -> AsyncIterator[Progress | Report]:
        """Look at every ticket that is open, or whose incident ended lately; the report comes last.

        A ticket that cannot be looked at is passed over, and why is the report's problem; a system in trouble ends it. What
        is gone is mended last, and not at all when that is too much to be believed, unless `all_gone` says that it is true.

        Raises:
            StoreError: the store cannot be read or written now.
        """
        since = self._clock() - self._closed_since
        expected = await self._store.run(partial(gather, backend=self.name, since=since))
        round_ = _Round(of=len(expected))
        for start in range(0, len(expected), AT_ONCE):
            some = expected[start : start + AT_ONCE]
            looked = await asyncio.gather(*(self._looked(ours) for ours in some))
            for found in (one for each, _ in looked for one in each):
                if found.kind == Kind.GONE:
                    round_.gone.append(found)
                else:
                    round_.differences.append(await self._difference(found, fix=fix))
            troubles = [error for _, error in looked if error]
            round_.asked += len(some) - len(troubles)
            round_.problem = round_.problem or next((str(error) for error in troubles), "")
            if any(self._ends_it(error, round_) for error in troubles):
                yield await self._ended(round_, fix=False)
                return
            yield Progress(backend=self.name, asked=start + len(some), of=len(expected))
        round_.asked = round_.of
        yield await self._ended(round_, fix=fix, all_gone=all_gone)

    def _ends_it(self, error: DeliveryError, round_: _Round) -> bool:
        """Whether the system is in trouble; one that has answered is not stopped by a ticket that we may not see."""
        return error.reason in OF_THE_SYSTEM or (error.stops and not round_.asked)

    async def _ended(self, round_: _Round, *, fix: bool, all_gone: bool = False) -> Report:
        """The report, once what is gone is made again, or left."""
        gone = len(round_.gone)
        if fix and not all_gone and too_many(gone, round_.of):
            fix, why = False, "as if tocsin had lost a right, or looked elsewhere: none is made again"
            problem = f"{gone} of {round_.of} tickets are gone, {why}; if they are, `tocsin reconcile --fix --all-gone`"
            round_.problem = round_.problem or problem
        round_.differences += [await self._difference(found, fix=fix) for found in round_.gone]
        differences = tuple(round_.differences)
        return Report(backend=self.name, asked=round_.asked, differences=differences, problem=round_.problem)

    async def _looked(self, ours: Ours) -> tuple[list[Found], DeliveryError | None]:
        try:
            return await self._look(ours), None
        except DeliveryError as error:
            return [], error

    async def _look(self, ours: Ours) -> list[Found]:
        asked_at = self._clock()
        theirs, whole = ([], True) if ours.dead else await self._theirs(ours)
        found = compare(ours, theirs)
        if found and found[0][0] == Kind.GONE and self._may_lag(ours, asked_at):
            return []  # it was told so lately that the system may not show it yet
        if found and not await self._store.run(partial(still, backend=self.name, ours=ours)):
            return []  # something was told meanwhile: it is looked at the next time
        seen = self._seen(mine_of(ours, theirs), asked_at, whole=whole) if theirs else None
        return [self._found(kind, told, ours, seen) for kind, told in found]

    def _found(self, kind: Kind, told: str, ours: Ours, seen: Seen | None) -> Found:
        lacks = self._backend.lacks
        policy = policy_of(kind, ours, self._policies, final=Can.REOPEN in lacks, endless=Can.CLOSE in lacks)
        return Found(kind=kind, policy=policy, told=told, backend=self.name, ours=ours, seen=seen)

    def _seen(self, record: Record, asked_at: datetime, *, whole: bool) -> Seen:
        return Seen(
            backend=self.name,
            record=record,
            asked_at=asked_at,
            touch=self._touch,
            passes=self._backend.passes,
            whole=whole,
        )

    def _may_lag(self, ours: Ours, asked_at: datetime) -> bool:
        lag = LAG if ours.number else LAG + self._backend.settle
        return ours.at is not None and asked_at <= ours.at + lag

    async def _theirs(self, ours: Ours) -> tuple[list[Record], bool]:
        """All tickets with exactly our reference, and the one with our number; whether that one was read whole.

        Ours is read by its number: a search may not find it yet, and tells no notes. One that has moved and still answers
        to the number that we know it by goes by that.
        """
        found = await answered(self._backend.search(ours.incident), self.name)
        unique = {record.number: record for record in found if record.reference == ours.incident}
        mine = await answered(self._backend.read(ours.number), self.name) if ours.number else None
        if mine is not None:
            unique.pop(mine.number, None)
            unique = {ours.number: replace(mine, number=ours.number), **unique}
        return list(unique.values()), mine is not None

    async def _difference(self, found: Found, *, fix: bool) -> Difference:
        mended = False
        if fix and found.policy != "report":
            mended = await self._store.run(partial(mend, found=found, now=self._clock()))
        return Difference(
            kind=found.kind,
            incident=found.ours.incident,
            number=found.ours.number,
            told=found.told,
            policy=found.policy,
            mended=mended,
        )


@dataclass(slots=True)
class _Round:
    """What one comparison has come to."""

    of: int
    asked: int = 0
    differences: list[Difference] = field(default_factory=list)
    gone: list[Found] = field(default_factory=list)
    problem: str = ""


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

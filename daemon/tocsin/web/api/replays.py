"""Replays as the interface has them: what is asked, and how far each is. How they run is the business of `runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from tocsin.errors import RuleError
from tocsin.rules import loader
from tocsin.web.api import candidates, tasks
from tocsin.web.api.candidates import Files
from tocsin.web.api.operation import Moment
from tocsin.web.api.problem import Refused, invalid, missing
from tocsin.web.api.runs import Kept, State
from tocsin.web.api.verdicts import Judged
from tocsin.workbench.replay import Job, Result, Run

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.web.api.operation import Asked
    from tocsin.web.api.service import Service


class ReplayAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period, and the candidate: `files` or the shadow rules."""

    since: Annotated[Moment, Meta(description="Where the period begins.")]
    until: Annotated[Moment | None, Meta(description="Where it ends; now unless given.")] = None
    files: Files | None = None
    shadow: Annotated[bool, Meta(description="The rules in the folder `rules.shadow` of the settings.")] = False


class ReplayLine(Struct, frozen=True, kw_only=True):
    """One replay, and how far it is."""

    id: int
    state: State
    progress: Annotated[float, Meta(ge=0, le=1)]
    since: Moment
    until: Moment
    candidate: str
    """Where the candidate comes from: `files` or `shadow`."""
    started_at: Moment
    ended_at: Moment | None
    problem: str
    """Why it failed."""


class ReplayTold(Struct, frozen=True, kw_only=True):
    """One replay with what came out."""

    replay: ReplayLine
    result: Result | None
    """None until it is done."""


class Replays(Struct, frozen=True, kw_only=True):
    """The latest replays, newest first."""

    replays: list[ReplayLine]


class OfReplay(Struct, frozen=True, kw_only=True):
    """Which replay."""

    id: Annotated[int, Meta(ge=1, le=2**53, description="Id of the replay.")]


async def start_replay(service: Service, asked: Asked) -> ReplayLine:
    """Start a replay. Raises Refused."""
    wanted: ReplayAsked = asked.body
    until = wanted.until or asked.now
    if wanted.since >= until:
        raise invalid("the period ends before it begins: `since` is the earlier time", "$.since")
    if (wanted.files is None) == (not wanted.shadow):
        raise invalid("say which candidate: either `files` or `shadow`", "$")
    service.runs.check()
    files = await _candidate(service, wanted, asked.now)
    job = Job(
        history=service.state,
        since=wanted.since,
        until=until,
        live=dict(service.book.rule_set.files),
        candidate=files,
        live_fleet=service.places.fleet,
        candidate_fleet=service.places.fleet,
        ticketing=service.ticketing,
    )
    return _line(service.runs.start(Run(job), wanted.since, until, "shadow" if wanted.shadow else "files"))


async def replays(service: Service, _: Asked) -> Replays:
    """All that are kept."""
    return Replays(replays=[_line(run) for run in service.runs.all()])


async def replay(service: Service, asked: Asked) -> ReplayTold:
    """One of them. Raises Refused: 404."""
    run = _found(service, asked)
    return ReplayTold(replay=_line(run), result=run.result)


async def cancel_replay(service: Service, asked: Asked) -> ReplayLine:
    """End one that runs; one that has ended stays as it is. Raises Refused: 404."""
    run = _found(service, asked)
    await service.runs.cancel(run)
    return _line(run)


async def _candidate(service: Service, wanted: ReplayAsked, now: datetime) -> dict[str, str]:
    """The candidate's files, which can be used. Raises Refused."""
    if wanted.files is None:
        return await service.turns.run(_shadow, service)
    files = candidates.checked(wanted.files)
    task = tasks.Judge(
        files=files, known=service.places.backends, ticketing=service.ticketing, alerts=[], trace=0, now=now
    )
    await service.aside.done(task, service.book.fleet, list[Judged])
    return files


def _shadow(service: Service) -> dict[str, str]:
    if service.places.shadow is None:
        raise Refused(409, "there are no shadow rules: name their folder in the settings, `rules: {shadow: DIR}`")
    try:
        return dict(loader.load(service.places.shadow, known_backends=service.places.backends).files)
    except RuleError as error:
        raise Refused(409, f"the shadow rules cannot be used: {service.short(str(error))}".splitlines()[0]) from None


def _found(service: Service, asked: Asked) -> Kept:
    wanted: OfReplay = asked.path
    run = service.runs.get(wanted.id)
    if run is None:
        raise missing(f"there is no replay {wanted.id}: the latest ones are kept, until the service stops")
    return run


def _line(run: Kept) -> ReplayLine:
    return ReplayLine(
        id=run.id,
        state=run.state,
        progress=run.progress,
        since=run.since,
        until=run.until,
        candidate=run.candidate,
        started_at=run.started_at,
        ended_at=run.ended_at,
        problem=run.problem,
    )

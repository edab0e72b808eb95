"""Alerts that are not mapped: the groups, the change that each needs, and deciding again what fires."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from tocsin.web.api.operation import Moment
from tocsin.web.api.problem import missing
from tocsin.workbench.unmapped import Group, Proposal, Unmapped, read

if TYPE_CHECKING:
    from tocsin.web.api.operation import Asked
    from tocsin.web.api.service import Service
    from tocsin.web.redeciding import Redone

_USUAL = timedelta(days=30)


class Groups(Struct, frozen=True, kw_only=True):
    """The groups, those with the most alerts first."""

    groups: list[Group]
    total: int
    """How many there are in all."""
    since: Moment


class GroupTold(Struct, frozen=True, kw_only=True):
    """One group, and the changes of rules or fleet that map it; where one needs the other, in that order."""

    group: Group
    proposals: list[Proposal]


class Period(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which period."""

    since: Annotated[
        Moment | None, Meta(description="Where it begins; 30 days ago unless given.", examples=["2026-11-01T00:00:00Z"])
    ] = None


class GroupsAsked(Period, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which groups."""

    limit: Annotated[int, Meta(ge=1, le=500, description="So many groups at most.")] = 50


class OfGroup(Struct, frozen=True, kw_only=True):
    """Which group."""

    group: Annotated[str, Meta(max_length=100, description="Id of the group, or the beginning of it.")]


def unmapped(service: Service, asked: Asked) -> Groups:
    """The groups of a period, by the rules and the fleet of now."""
    wanted: GroupsAsked = asked.query
    found = _read(service, asked)
    groups = found.groups
    return Groups(groups=list(groups[: wanted.limit]), total=len(groups), since=_since(asked))


def unmapped_group(service: Service, asked: Asked) -> GroupTold:
    """One group and what maps it. Raises Refused: 404."""
    wanted: OfGroup = asked.path
    found = _read(service, asked)
    group = found.group(wanted.group)
    if group is None:
        raise missing(f"there is no unmapped group {wanted.group!r} in this period")
    return GroupTold(group=group, proposals=list(found.propose(group)))


async def redecide(service: Service, _: Asked) -> Redone:
    """Decide again what fires and has no incident."""
    return await service.redecide()


def _since(asked: Asked) -> Moment:
    wanted: Period = asked.query
    return wanted.since or asked.now - _USUAL


def _read(service: Service, asked: Asked) -> Unmapped:
    book = service.book
    return read(service.state, book.rule_set, book.fleet, _since(asked), asked.now)

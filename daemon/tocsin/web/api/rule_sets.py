"""The rules that are live: what there is of them, each rule with its source text, each file; and their changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from tocsin.errors import RuleError
from tocsin.model import Action
from tocsin.store import changes, shadows
from tocsin.store.changes import ChangeLine, How, Told
from tocsin.store.reader import reader
from tocsin.store.shadows import ShadowState
from tocsin.web.api.operation import Moment
from tocsin.web.api.problem import Refused, missing
from tocsin.workbench import promotion
from tocsin.workbench.promotion import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.rules import Rule
    from tocsin.web.api.operation import Asked
    from tocsin.web.api.service import Service


class RuleLine(Struct, frozen=True, kw_only=True):
    """One rule, in the order they are tried."""

    id: str
    title: str
    file: str
    line: int
    action: Action


class FallbackLine(Struct, frozen=True, kw_only=True):
    """What happens to an alert that no rule knows."""

    action: Action
    reason: str


class FleetLine(Struct, frozen=True, kw_only=True):
    """The fleet that is live."""

    hash: str
    elements: int


class Rules(Struct, frozen=True, kw_only=True):
    """The rule set that decides now."""

    hash: str
    live_since: Moment | None
    """None when that was not kept."""
    problem: str
    """Why the files as they are now did not go live; empty when they did."""
    files: list[str]
    tests: int
    rules: list[RuleLine]
    fallback: FallbackLine
    fleet: FleetLine
    shadow: str
    """Hash of the rule set that decides beside it; empty when there is none."""


class RuleSource(Struct, frozen=True, kw_only=True):
    """One rule as it is written."""

    rule: RuleLine
    text: str


class FileSource(Struct, frozen=True, kw_only=True):
    """One file of the live rules."""

    name: str
    text: str


class OfRule(Struct, frozen=True, kw_only=True):
    """Which rule."""

    id: Annotated[str, Meta(description="Id of the rule.", max_length=80)]


class OfFile(Struct, frozen=True, kw_only=True):
    """Which file."""

    file: Annotated[str, Meta(description="Name of the file; a slash in it may be written as %2F.", max_length=200)]


class Most(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a list."""

    limit: Annotated[int, Meta(ge=1, le=500, description="So many lines at most, the newest.")] = 50


class History(Struct, frozen=True, kw_only=True):
    """Which rule set was live when, newest first."""

    changes: list[ChangeLine]


class Shadow(Struct, frozen=True, kw_only=True):
    """The rule set that decides beside the live one and delivers nothing."""

    configured: bool
    """The settings name its folder."""
    problem: str
    """Why its files as they are now do not decide; empty when they do."""
    compared: ShadowState | None
    """What came of it so far, or of the one before; None when there never was one."""


class Promotion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants the shadow rules to be live."""

    who: Annotated[str, Meta(min_length=1, max_length=100, description="For the history.", examples=["Night shift"])]
    dry_run: bool = False
    """Only say what would change."""


class Rollback(Promotion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants earlier rules to be live again, and which."""

    to: Annotated[
        str, Meta(pattern="^[0-9a-f]{0,16}$", description="The beginning of a hash; the rules before when empty.")
    ] = ""


class Promoted(Struct, frozen=True, kw_only=True):
    """What changes in the files of the rules."""

    status: Annotated[str, Meta(description="`live` now, `same` as before so nothing was done, or `planned` only.")]
    hash: str
    before: str
    """Content hash of the files that were there; empty when they could not be read as rules."""
    changed_rules: Names
    changed_files: Names


def rules(service: Service, _: Asked) -> Rules:
    """The live rule set."""
    book = service.book
    rule_set = service.rule_set
    with reader(service.state) as there:
        since = next((one.at for one in changes.history(there, 1) if one.hash == rule_set.hash), None)
    return Rules(
        hash=rule_set.hash,
        live_since=since,
        problem=service.short(service.rulebooks.problem),
        files=sorted(rule_set.files),
        tests=len(rule_set.tests),
        rules=[_line(rule) for rule in rule_set.rules],
        fallback=FallbackLine(action=rule_set.fallback.action, reason=rule_set.fallback.reason),
        fleet=FleetLine(hash=book.fleet.hash, elements=len(book.fleet)),
        shadow=book.shadow.hash if book.shadow else "",
    )


def rule(service: Service, asked: Asked) -> RuleSource:
    """One rule with its text. Raises Refused: 404."""
    wanted: OfRule = asked.path
    rule_set = service.rule_set
    found = next((rule for rule in rule_set.rules if rule.id == wanted.id), None)
    if found is None:
        raise missing(f"no live rule is called {wanted.id!r}")
    line = _line(found)
    return RuleSource(rule=line, text=_item(rule_set.files.get(line.file, ""), line.line))


def rule_file(service: Service, asked: Asked) -> FileSource:
    """One file of the live rule set. Raises Refused: 404."""
    wanted: OfFile = asked.path
    text = service.book.rule_set.files.get(wanted.file)
    if text is None:
        raise missing(f"the live rules have no file {wanted.file!r}")
    return FileSource(name=wanted.file, text=text)


def rule_changes(service: Service, asked: Asked) -> History:
    """What was live when."""
    wanted: Most = asked.query
    with reader(service.state) as there:
        return History(changes=changes.history(there, wanted.limit))


def shadow(service: Service, asked: Asked) -> Shadow:
    """The shadow and what it says otherwise."""
    wanted: Most = asked.query
    with reader(service.state) as there:
        compared = shadows.state(there, wanted.limit)
    problem = service.rulebooks.shadow_problem
    return Shadow(configured=service.places.shadow is not None, problem=problem, compared=compared)


async def promote(service: Service, asked: Asked) -> Promoted:
    """Let the shadow rules go live. Raises Refused: 409."""
    return await _carried_out(service, asked, promotion.plan_promotion, How.PROMOTE)


async def rollback(service: Service, asked: Asked) -> Promoted:
    """Let earlier rules go live again. Raises Refused: 409."""
    wanted: Rollback = asked.body
    return await _carried_out(service, asked, lambda places: promotion.plan_rollback(places, wanted.to), How.ROLLBACK)


async def _carried_out(
    service: Service, asked: Asked, plan_of: Callable[[promotion.Places], promotion.Plan], how: How
) -> Promoted:
    wanted: Promotion = asked.body
    try:
        plan = await asyncio.to_thread(plan_of, service.places)
        status = "same" if plan.same else "planned" if wanted.dry_run else "live"
        if status == "live":
            await asyncio.to_thread(promotion.carry_out, service.places, plan, wanted.who, asked.now)
            await _gone_live(service, Told(how=how, who=wanted.who))
    except RuleError as error:
        raise Refused(409, str(error).replace("\n", "; ")) from None
    return Promoted(
        status=status,
        hash=plan.hash,
        before=plan.before,
        changed_rules=plan.changed_rules,
        changed_files=plan.changed_files,
    )


async def _gone_live(service: Service, told: Told) -> None:
    problem = await service.rulebooks.reload(told)
    if problem:
        raise Refused(409, f"the files are in place, but they do not go live: {problem}")


def _line(rule: Rule) -> RuleLine:
    return RuleLine(id=rule.id, title=rule.title, file=rule.file, line=rule.line, action=rule.action)


def _item(text: str, line: int) -> str:
    """The lines of a rule that begins at a line: up to the next one that is not indented deeper than its dash."""
    lines = text.splitlines()[max(0, line - 1) :]
    if not lines:
        return ""
    deep = _indent(lines[0])
    end = next((n for n, one in enumerate(lines) if n and one.strip() and _indent(one) <= deep), len(lines))
    return "\n".join(lines[:end]).rstrip() + "\n"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))

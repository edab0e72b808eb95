"""The verbs of `rules`: which rule set was live when, what the shadow says otherwise, making one live, going back.

Listings read the database beside the service. Files are replaced here, by whoever may write them; the running service
is only asked to read them again.
"""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tocsin.cli import asking, formatting, show
from tocsin.cli.given import FILES, Given, Json, Limit, SettingsFile, given
from tocsin.errors import RuleError, SettingsError, StoreError
from tocsin.model import Action
from tocsin.rules import folder
from tocsin.store import changes, shadows
from tocsin.store.reader import reader
from tocsin.ticketing import ticketing
from tocsin.workbench import promotion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tocsin.store.changes import ChangeLine
    from tocsin.store.shadows import DifferenceLine, OfRules, Said, ShadowState

app = typer.Typer()
rules = typer.Typer(no_args_is_help=True)
app.add_typer(
    rules,
    name="rules",
    rich_help_panel=FILES,
    help="The rules over time: history, a shadow beside the live ones, promote, rollback.",
    epilog="Examples: tocsin rules history, tocsin rules shadow, tocsin rules promote",
)
rules.command(epilog="Example: tocsin rules fmt --check rules")(formatting.fmt)

_Who = Annotated[
    str, typer.Option("--who", metavar="NAME", help="Who does it, for the history.", show_default="your login name")
]
_Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")]
_To = Annotated[
    str, typer.Option("--to", metavar="HASH", help="The beginning of a rule set's hash.", show_default="the one before")
]

_HISTORY = ("live from", "hash", "how", "who", "rules", "elements", "in the place of")
_DIFFERENCES = ("at", "alert", "differs in", "live", "shadow")


@rules.command(epilog="Example: tocsin rules history --limit 10")
def history(ctx: typer.Context, config: SettingsFile = None, *, limit: Limit = 50, json: Json = False) -> None:
    """List what was live when, and who let it go live.

    The newest first. `tocsin rules rollback --to HASH` goes back to any of them.
    """
    with reader(given(ctx, config).settings.state) as there:
        found = changes.history(there, limit)
    if json:
        show.data(found)
    else:
        show.table(_HISTORY, map(_change, found), "no rules were live yet")


def _change(line: ChangeLine) -> tuple[str, ...]:
    counts = (str(line.rules or ""), str(line.elements or ""))
    return (show.moment(line.at), line.hash, line.how, line.who, *counts, line.previous)


@rules.command(epilog="Example: tocsin rules shadow --limit 20")
def shadow(ctx: typer.Context, config: SettingsFile = None, *, limit: Limit = 20, json: Json = False) -> None:
    """Show what the shadow rules say otherwise than the live ones.

    Every new decision of the running service is compared; nothing that the shadow decides is delivered.
    """
    of = given(ctx, config)
    disk = _on_disk(of)
    try:
        with reader(of.settings.state) as there:
            found = shadows.state(there, limit)
    except StoreError:
        found = None  # the service never ran: nothing is compared yet
    if json:
        show.data({**disk, "compared": found})
    else:
        _tell_shadow(disk, found)


def _on_disk(of: Given) -> dict[str, Any]:
    """The shadow rules as their files are now: what there is, or what is wrong."""
    places = _places(of)
    if places.shadow is None:
        return {"folder": None, "problem": "the settings name none: `rules: {shadow: DIR}`"}
    try:
        plan = promotion.plan_promotion(places)
    except RuleError as error:
        return {"folder": str(places.shadow), "problem": str(error)}
    return {"folder": str(places.shadow), "hash": plan.hash, **plan.counts, "live": plan.same}


def _tell_shadow(disk: dict[str, Any], found: ShadowState | None) -> None:
    there = f"{disk['rules']} rules, {disk['tests']} tests, {disk['hash']}" if "hash" in disk else ""
    if disk.get("live"):
        there += "; the same as the live rules, so there is nothing to compare"
    facts = [("shadow rules", disk["folder"] or ""), ("on disk", there), ("problem", disk.get("problem", ""))]
    if found:
        until = f" until {show.moment(found.until)}" if found.until else ""
        facts.append(("deciding", f"{found.hash} since {show.moment(found.since)}{until}"))
        facts.append(("decisions", f"{found.compared} compared, {found.differing} differ"))
    else:
        facts.append(("deciding", "none yet: the service takes it up when it reads its settings and rules"))
    show.facts(facts)
    if found and found.differing:
        show.line()
        show.table(("differs in", "decisions"), ((kind, str(count)) for kind, count in found.kinds.items()), "")
        show.line()
        show.table(("live rule", "shadow rule", "decisions", "differs in"), map(_of_rules, found.rules), "")
        show.line()
        show.table(_DIFFERENCES, map(_difference, found.differences), "")


def _of_rules(of: OfRules) -> tuple[str, ...]:
    return (of.live, of.shadow, str(of.decisions), ", ".join(of.kinds))


def _difference(line: DifferenceLine) -> tuple[str, ...]:
    alert = f"{line.resource}: {line.check} ({line.severity})" if line.resource else "no longer kept"
    return (show.moment(line.at), alert, ", ".join(line.kinds), _said(line.live), _said(line.shadow))


def _said(said: Said) -> str:
    if said.action != Action.TICKET:
        return f"{said.action}, by {said.rule}" if said.action else "no longer kept"
    return f"{said.impact} on {said.element}, by {said.rule}"


@rules.command(epilog="Example: tocsin rules promote --who night-shift")
def promote(
    ctx: typer.Context, config: SettingsFile = None, *, who: _Who = "", yes: _Yes = False, json: Json = False
) -> None:
    """Make the shadow rules live: their files take the place of the live ones.

    All of them or none. Other files in the folder stay, and what is replaced is kept.
    """
    _carry_out(given(ctx, config), promotion.plan_promotion, who, yes=yes, json=json)


@rules.command(epilog="Example: tocsin rules rollback --to 3f2a --yes")
def rollback(
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    to: _To = "",
    who: _Who = "",
    yes: _Yes = False,
    json: Json = False,
) -> None:
    """Put the files of the last good rules back.

    After an edit that was refused, those of the live rules; else those that were live before. Once more goes further
    back; `--to` goes anywhere, forward too.
    """
    _carry_out(given(ctx, config), lambda places: promotion.plan_rollback(places, to), who, yes=yes, json=json)


def _carry_out(
    of: Given, plan_of: Callable[[promotion.Places], promotion.Plan], who: str, *, yes: bool, json: bool
) -> None:
    places = _places(of)
    plan = plan_of(places)
    if not json:
        _tell_plan(plan, places)
    done = {"status": "same", "problem": "", "aside": ""}
    if not plan.same:
        if not yes:
            typer.confirm("Make these rules live?", abort=True, err=True)
        named = who or login(os.environ)
        aside = promotion.carry_out(places, plan, named, datetime.now(UTC))
        done = {**_ask_to_reload(of, plan, named), "aside": str(aside or "")}
    if json:
        show.data({**done, **_shown(plan)})
    elif not plan.same:
        if done["aside"]:
            show.line(f"the former files, which were never live, are in {done['aside']}")
        show.line({"live": "these rules are live"}.get(done["status"], f"the files are in place. {done['problem']}"))
    if done["status"] == "refused":
        raise typer.Exit(1)


def _ask_to_reload(of: Given, plan: promotion.Plan, who: str) -> dict[str, str]:
    try:
        asking.admin(of, "reload", {"who": who, "how": plan.how})
    except asking.RefusedError as error:
        text = f"The service refuses them: {error}\n`tocsin rules rollback` puts the files back that are live."
        return {"status": "refused", "problem": text}
    except (asking.SilentError, SettingsError) as error:
        return {"status": "waiting", "problem": f"They go live when the service reads them, or starts: {error}"}
    folder.forget(of.settings.rules.path)  # the service has recorded it, and may not write there
    return {"status": "live", "problem": ""}


def _tell_plan(plan: promotion.Plan, places: promotion.Places) -> None:
    if plan.same:
        show.line(f"nothing to do: {places.rules} holds these rules already ({plan.hash})")
        return
    show.line(f"{plan.how} {plan.hash}: {plan.counts['rules']} rules, {plan.counts['tests']} tests")
    show.facts([*_named("rules", plan.changed_rules), *_named("files", plan.changed_files)], indent=2)


def _named(what: str, names: promotion.Names) -> Iterable[tuple[str, str]]:
    for change in ("added", "removed", "changed"):
        yield f"{what} {change}", ", ".join(getattr(names, change))


def _shown(plan: promotion.Plan) -> dict[str, Any]:
    """A plan without the files themselves."""
    fields: dict[str, Any] = msgspec.to_builtins(plan)
    del fields["files"]
    return fields


def _places(of: Given) -> promotion.Places:
    settings = of.settings
    return promotion.Places(
        rules=settings.rules.path,
        shadow=settings.rules.shadow,
        fleet=settings.fleet.path,
        state=settings.state,
        backends=frozenset(settings.backends),
        ticketing=ticketing(settings),
    )


def login(environ: Mapping[str, str]) -> str:
    """The name of whoever types the command, also behind sudo."""
    for name in ("SUDO_USER", "USER", "LOGNAME"):
        if environ.get(name):
            return environ[name]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"

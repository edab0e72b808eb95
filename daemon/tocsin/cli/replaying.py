"""The verb `replay`: a period's alerts decided again by a candidate rule set, and how its tickets would differ.

Knows where rule sets and histories come from and how a result is told; playing them is the business of the workbench.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tocsin import rules
from tocsin.cli import show
from tocsin.cli.given import FILES, Given, Json, SettingsFile, given
from tocsin.cli.moments import Since, Until, moment
from tocsin.errors import StoreError
from tocsin.store.history import history as past
from tocsin.ticketing import ticketing
from tocsin.wording import span
from tocsin.workbench import exporting
from tocsin.workbench.replay import Job, Run, budget, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.workbench.replay import Result
    from tocsin.workbench.replay.result import Difference, Ticket

app = typer.Typer()

_OVER_BUDGET = 1
_RULES_SHOWN = 30

_Rules = Annotated[
    Path | None,
    typer.Option(
        "--rules", metavar="DIR", help="The candidate; rules.shadow or rules.path unless given.", show_default=False
    ),
]
_Against = Annotated[
    Path | None,
    typer.Option(
        "--against", metavar="DIR", help="Rules to compare with; the live ones unless given.", show_default=False
    ),
]
_Fleet = Annotated[
    Path | None,
    typer.Option(
        "--fleet", metavar="DIR", help="The candidate's fleet; the settings' unless given.", show_default=False
    ),
]
_History = Annotated[
    Path | None,
    typer.Option(
        "--history",
        metavar="FILE",
        help="All of a file of `tocsin export`, instead of the database.",
        show_default=False,
    ),
]
_FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if", metavar="BUDGET", help="Exit with 1 if so: 'tickets > +5%', 'vanishes > 0' …", show_default=False
    ),
]
_Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a report with a plot.", show_default=False)
]
_Limit = Annotated[int, typer.Option("--limit", min=0, help="How many differences are shown at most.")]


@app.command(
    rich_help_panel=FILES, epilog="Example: tocsin replay --since 30d --rules next/rules --fail-if 'tickets > +5%'"
)
def replay(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    since: Since = "30d",
    until: Until = "0s",
    rules_: _Rules = None,
    against: _Against = None,
    fleet: _Fleet = None,
    history: _History = None,
    fail_if: _FailIf = None,
    html: _Html = None,
    limit: _Limit = 20,
    json: Json = False,
) -> None:
    """Decide the stored alerts of a period again, by other rules.

    Tells the tickets that would appear, vanish, change or come at another time. Changes nothing and sends nothing.
    """
    of, now = given(ctx, config), datetime.now(UTC)
    budgets = [budget.read(text) for text in fail_if or ()]
    period = _period(history) if history else (moment(since, now), moment(until, now))
    job = Job(
        history=history or of.settings.state,
        since=period[0],
        until=period[1],
        live=_files(of, against) if against else _live(of, history),
        candidate=_files(of, rules_ or of.settings.rules.shadow or of.settings.rules.path),
        live_fleet=of.settings.fleet.path,
        candidate_fleet=fleet or of.settings.fleet.path,
        ticketing=ticketing(of.settings),
    )
    result = _run(Run(job))
    if html:
        _write(html, report.page(result))
    over = [one for one in budgets if budget.exceeded(one, result)]
    if json:
        show.data({"result": result, "exceeded": [one.text for one in over]})
    else:
        _tell(result, limit)
    for one in over:
        _tell_over(one.text, budget.value(one, result))
    if over:
        raise typer.Exit(_OVER_BUDGET)


def _period(exported: Path) -> tuple[datetime, datetime]:
    """The whole of what a file has."""
    head = exporting.read_head(exported)
    return head.since, head.until


def _files(of: Given, folder: Path) -> Mapping[str, str]:
    """The files of a folder of rules. Raises RulesError."""
    return rules.load(folder, known_backends=frozenset(of.settings.backends)).files


def _live(of: Given, exported: Path | None) -> Mapping[str, str]:
    """The files of the rule set that is live, or those of the settings where there is no database to know."""
    if exported is None:
        with past(of.settings.state) as there:
            live = there.live_rules()
        if live:
            return live
    return _files(of, of.settings.rules.path)


def _run(run: Run) -> Result:
    """The result, with a progress bar on a terminal."""
    to = show.console(err=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=to, transient=True, disable=not to.is_terminal) as progress:
        task = progress.add_task("replay", total=None)
        run.heard = lambda: progress.update(task, total=1.0 if run.progress else None, completed=run.progress or 0)
        return run.run()


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{file}: the report cannot be written: {error.strerror}") from error


def _tell_over(text: str, value: float) -> None:
    show.line(show.styled("over budget: ", "bold red"), f"{text} (it is {value:g})", err=True)


def _tell(result: Result, limit: int) -> None:
    period = f"{show.moment(result.since)} to {show.moment(result.until)}"
    show.line(f"{result.alerts:,} alerts, {period}, in {result.seconds:.1f} s")
    show.line(f"live {result.live_rules}, candidate {result.candidate_rules}")
    show.line()
    totals = [
        ("tickets", result.live.tickets, result.candidate.tickets),
        ("over before a ticket was declared", result.live.avoided, result.candidate.avoided),
        ("reopened", result.live.reopened, result.candidate.reopened),
    ]
    show.table(("", "live", "candidate"), ((name, f"{live:,}", f"{new:,}") for name, live, new in totals), "")
    show.line()
    if result.same:
        show.line(show.styled("Both rule sets make the same tickets.", "bold green"))
        return
    show.table(
        ("differs", "tickets"), ((f"{kind}: {report.SENTENCES[kind]}", str(n)) for kind, n in result.kinds.items()), ""
    )
    show.line()
    _tell_rules(result)
    if limit:
        show.line()
        shown = result.differences[:limit]
        show.table(("alert", "at", "about", "differs", "live", "candidate"), map(_difference, shown), "")
        if result.differing > len(shown):
            show.line(f"and {result.differing - len(shown):,} more (--limit, --json, --html)")
    _tell_holds(result)


def _tell_rules(result: Result) -> None:
    rows = (
        (
            one.rule,
            str(one.live_alerts),
            str(one.candidate_alerts),
            str(one.live),
            str(one.candidate),
            str(one.differences),
        )
        for one in result.rules[:_RULES_SHOWN]
    )
    show.table(
        ("rule", "alerts live", "candidate", "tickets live", "candidate", "differences"), rows, "no rule made a ticket"
    )


def _tell_holds(result: Result) -> None:
    """The holds that would avoid something, for the rules that differ."""
    differing = {one.rule for one in result.rules if one.differences}
    rows = [one for one in result.holds if one.rule in differing and one.avoided]
    if rows:
        show.line()
        shown = ((one.rule, f"{one.seconds // 60}m", str(one.avoided), str(one.delayed)) for one in rows)
        show.table(("rule", "a hold of", "would avoid", "would delay"), shown, "")


def _difference(one: Difference) -> tuple[str, ...]:
    about = f"{one.check}: {one.resource}"
    return (str(one.alert), show.moment(one.at), about, ", ".join(one.kinds), *_sides(one))


def _sides(one: Difference) -> Iterator[str]:
    """What each side made of it, in as few words as tell them apart."""
    for ticket, other in ((one.live, one.candidate), (one.candidate, one.live)):
        yield _ticket(ticket, other)


def _ticket(ticket: Ticket | None, other: Ticket | None) -> str:
    if ticket is None:
        return "nothing"
    if ticket.declared_at is None:
        return f"over during the hold ({ticket.rule})"
    words = [ticket.element, ticket.impact.value, ticket.rule]
    if other and other.declared_at and ticket.backends != other.backends:
        words.append(f"told to {' and '.join(ticket.backends)}")
    if other and other.declared_at and ticket.declared_at > other.declared_at:
        words.append(f"{span(ticket.declared_at - other.declared_at)} later")
    return ", ".join(words)

"""The verbs `explain` and `alerts`: why an alert became a ticket or did not, and the alerts there are to ask about.

Both read the database beside the service, running or not. What is known is the business of the workbench; here it is
printed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli import show, words
from tocsin.cli.given import THERE, Json, Lang, Language, Limit, SettingsFile, given
from tocsin.store.received import AlertLine, Page, RejectedLine, Wanted, receipts
from tocsin.store.telling import telling
from tocsin.workbench.explaining import RuleSets, What
from tocsin.workbench.explaining import explain as explained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.workbench.explained import AlertTold, DecisionTold, Explanation, IncidentTold, NearMiss, Place

app = typer.Typer()

_ALERTS = ("number", "at", "source", "resource", "check", "severity", "status", "outcome", "rule", "incident", "ticket")
_REJECTED = ("number", "at", "source", "content type", "reason")


class Outcome(StrEnum):
    """What became of an alert: the words of `intake.OUTCOMES`."""

    OPENED = "opened"
    HELD = "held"
    FOLDED = "folded"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"
    OVERTAKEN = "overtaken"
    RECORDED = "recorded"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


@app.command(rich_help_panel=THERE, epilog="Example: tocsin alerts --outcome quarantined")
def alerts(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    config: SettingsFile = None,
    *,
    source: Annotated[str, typer.Option(metavar="NAME", help="Only those of this source.")] = "",
    outcome: Annotated[Outcome | None, typer.Option(help="Only those of which this became.")] = None,
    resource: Annotated[str, typer.Option(metavar="TEXT", help="Only those whose resource has this in it.")] = "",
    before: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Only those before this one.")] = 0,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the alerts received, the newest first.

    `tocsin explain NUMBER` says why one of them became a ticket, or did not. With `--outcome rejected`: the messages
    that could not be read; `tocsin explain --as rejected NUMBER`.
    """
    wanted = Wanted(source=source, resource=resource, before=before, outcome=outcome or "")
    with receipts(given(ctx, config).settings.state) as there:
        if outcome == Outcome.REJECTED:
            _show_rejected(there.rejected(wanted, limit), json=json)
        else:
            _show_alerts(there.alerts(wanted, limit), limit, json=json)


def _show_rejected(found: list[RejectedLine], *, json: bool) -> None:
    if json:
        show.data(found)
        return
    rows = ((str(one.number), show.moment(one.at), one.source, one.content_type, one.reason) for one in found)
    show.table(_REJECTED, rows, "no rejected messages")


def _show_alerts(page: Page, limit: int, *, json: bool) -> None:
    if json:
        show.data(page.lines)
    else:
        show.table(_ALERTS, map(_alert, page.lines), "no alerts")
    if page.before and len(page.lines) < limit:
        show.line(f"There may be more: go on with --before {page.before}.", err=True)


def _alert(line: AlertLine) -> tuple[str, ...]:
    outcome = f"{line.outcome}, a repeat" if line.repeat else line.outcome
    said = (line.source, line.resource, line.check, line.severity, line.status)
    return (str(line.number), show.moment(line.at), *said, outcome, line.rule, line.incident, line.ticket)


@app.command(rich_help_panel=THERE, epilog="Examples: tocsin explain 4711, tocsin explain 2611N00001 --all")
def explain(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="ALERT|INCIDENT|TICKET",
            help="An alert's number, an incident's reference, a ticket's number, or a fingerprint.",
            show_default=False,
        ),
    ],
    config: SettingsFile = None,
    *,
    kind: Annotated[What | None, typer.Option("--as", help="Which of these it is, when it could be several.")] = None,
    every: Annotated[bool, typer.Option("--all", metavar="", help="Every rule that was tried.")] = False,
    lang: Lang = Language.EN,
    json: Json = False,
) -> None:
    """Say why an alert became a ticket, or did not.

    The rule that matched and those that came close, with the value that failed them; how element and impact were
    found; what the incident went through; what the ticket system answered. By the rules of that time.
    """
    with telling(given(ctx, config).settings.state) as there:
        found = explained(there, what, RuleSets(), what=kind, every=every)
    if json:
        show.data(found)
    else:
        _tell(found, lang)


def _tell(found: Explanation, lang: Language) -> None:
    """Print everything for people."""
    show.line(show.styled(found.verdict.sentence, "bold"))
    if found.alert:
        _section("the alert", _of_alert(found.alert))
    if found.rejected:
        told = found.rejected
        size = f"{told.size} bytes of {told.content_type}"
        facts = (("number", str(told.number)), ("at", show.moment(told.at)), ("source", told.source), ("body", size))
        _section("the message", [*facts, ("begins", told.begins)])
    if found.decision:
        _tell_decision(found.decision, lang)
    if found.incident:
        _tell_incident(found.incident, lang)
    for number, doubt in enumerate(found.doubts):
        if not number:
            show.line()
        show.line(show.styled(f"Not certain: {doubt}.", "yellow"))


def _section(title: str, facts: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> None:
    show.line()
    show.line(show.styled(title, "dim bold"))
    show.facts(facts, indent=2)


def _of_alert(told: AlertTold) -> Iterator[tuple[str, str]]:
    alert = told.alert
    yield "number", f"{told.number}, {told.outcome}"
    yield "at", show.moment(told.at)
    if alert:
        yield "what", f"{alert.check} ({alert.resource}): {alert.severity}, {alert.status}"
        yield "summary", alert.summary
        yield "source", f"{alert.source}, fingerprint {alert.fingerprint}"
        yield "labels", ", ".join(f"{name}={value}" for name, value in alert.labels.items())
        yield "began", show.moment(alert.starts_at)
        yield "ends", show.moment(alert.ends_at)
    if told.repeat_of:
        resolved = told.outcome == "resolved"
        yield "decided", f"as alert {told.repeat_of}, {'which it ends' if resolved else 'whose words it repeats'}"
    if told.repeats:
        more = "at least " if told.repeats_at_least else ""
        times = "once" if told.repeats == 1 else f"{more}{told.repeats} times"
        yield "repeated", f"{times} since it was decided, the last at {show.moment(told.last_repeat_at)}"


def _tell_decision(told: DecisionTold, lang: Language) -> None:
    _section("the decision", _of_decision(told, lang))
    tried = told.tried or told.close
    show.line()
    what = "every rule that was tried before" if told.tried else "rules that came close"
    if not tried:
        show.line(show.styled("no other rule came close", "dim bold"))
        return
    show.line(show.styled(f"{what}, and the first condition that failed", "dim bold"))
    rows = ((_where(miss.rule), miss.condition or miss.field, _met(miss)) for miss in tried)
    show.table(("rule", "condition", "value"), rows, "", indent=2)


def _of_decision(told: DecisionTold, lang: Language) -> Iterator[tuple[str, str]]:
    yield "action", told.action
    yield "because", told.reason
    yield "rule", ": ".join(filter(None, (_where(told.rule), told.rule.title)))
    yield "captures", ", ".join(f"{name} = {value}" for name, value in told.captures.items())
    if told.element:
        named = "  ".join(filter(None, (told.element.reference, told.element.name))) or "none"
        yield "element", f"{named} ({told.element.how})" if told.element.how else named
        yield "candidates", ", ".join(told.element.candidates)
    if told.impact:
        label = words.impact(told.impact.impact, lang)
        yield "impact", f"{label} ({told.impact.how})" if told.impact.how else label
    yield "key", told.key
    yield "ticket's name", words.text(told.name, lang)
    yield "decided", show.moment(told.at)
    rules = told.rule_set
    if rules:
        by = f" by {rules.who}" if rules.who else ""
        how = f" ({rules.how})" if rules.how else ""
        since = f", live from {show.moment(rules.live_from)}{by}{how}" if rules.live_from else ""
        yield "rule set", f"{rules.hash}{since}; {'it is live now' if rules.live else 'another one is live now'}"


def _where(rule: Place) -> str:
    return f"{rule.id} ({rule.file}:{rule.line})" if rule.file else rule.id


def _met(miss: NearMiss) -> str:
    if miss.actual:
        return miss.actual if miss.field == "where" else f"{miss.field} = {miss.actual}"
    return f"no {miss.field}" if miss.known else "not known"


def _tell_incident(told: IncidentTold, lang: Language) -> None:
    _section("the incident", _of_incident(told, lang))
    half = (len(told.history) + 1) // 2
    rows = [
        (show.moment(one.at), f"{one.what} {one.number or ''}".strip(), one.kind, words.text(one.text, lang))
        for one in told.history
    ]
    if told.left_out:
        rows.insert(half, ("…", "", "", f"{told.left_out} more"))
    show.line()
    show.table([words.heading("at", lang), "what", "kind", "text"], rows, "", indent=2)


def _of_incident(told: IncidentTold, lang: Language) -> Iterator[tuple[str, str]]:
    flags = [word for word in ("flapping", "touched") if getattr(told, word)]
    yield "reference", told.reference
    yield "state", ", ".join([words.state(told.state, lang), *(words.heading(flag, lang) for flag in flags)])
    yield "element", told.element
    yield "impact", words.impact(told.impact, lang)
    yield "key", told.key
    yield "alerts", f"{told.alerts}, {told.firing} firing now"
    yield from told.life.items()
    if told.ticket:
        number = words.number(told.ticket.number, lang, pending=True)
        yield "ticket", f"{number}, {words.status(told.ticket.status, lang)}, in {told.ticket.backend}"
        yield "address", told.ticket.url
    for line in told.informed:
        yield "informed", words.informed(line, lang)

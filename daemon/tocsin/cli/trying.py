"""The verb `try`: what the rules on disk would do with an alert, and why.

Asks the same engine as the service and changes nothing; reads rules and fleet as they are now, tested or not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from tocsin import fleet, rules
from tocsin.cli import show, sourcing, words
from tocsin.cli.given import FILES, Given, Json, Language, SettingsFile, given
from tocsin.cli.sourcing import shown
from tocsin.errors import PayloadError
from tocsin.model import LANGUAGES, Action, Alert, Decision, Status, Unreadable
from tocsin.rules import engine
from tocsin.ticketing import ticketing
from tocsin.wording import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.model import Policy, Tried

app = typer.Typer()

_Rules = Annotated[
    Path | None,
    typer.Option("--rules", metavar="DIR", help="Other rules; rules.path unless given.", show_default=False),
]

_GENERIC = "generic"
_ENOUGH = 20
"""Rules before the one that matched, as printed for people; JSON has all."""
_STYLE = {Action.TICKET: "bold green", Action.QUARANTINE: "bold yellow"}


@app.command("try", rich_help_panel=FILES, epilog="Example: tocsin try --kind truesight event.json")
def try_(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    file: sourcing.File,
    config: SettingsFile = None,
    *,
    kind: Annotated[str, typer.Option(metavar="KIND", help="Kind of platform.", show_default=_GENERIC)] = "",
    source: Annotated[
        str, typer.Option(metavar="NAME", help="The source it is from; the first one of the kind unless given.")
    ] = "",
    headers: sourcing.Headers = None,
    content_type: sourcing.ContentType = "",
    at: sourcing.At = None,
    rules_: _Rules = None,
    json: Json = False,
) -> None:
    """Say what the rules would do with an alert, and why.

    For each alert of a message: the ticket it would make, or why there is none, and every rule before the one that
    matched with the condition that failed. Nothing is kept, and nothing is declared.
    """
    of = given(ctx, config)
    trial = _Trial(of, rules_ or of.settings.rules.path, at or datetime.now(UTC))
    entries = trial.entries(file, kind, source, content_type, headers)
    if json:
        show.data([trial.as_data(entry) for entry in entries])
        return
    for number, entry in enumerate(entries):
        if number:
            show.line()
        if isinstance(entry, Unreadable):
            show.line(show.styled(f"entry {entry.position} is unreadable: {entry.problem}", "bold red"))
        else:
            trial.tell(entry)


class _Trial:
    """Rules and fleet as they are on disk, and alerts tried on them."""

    def __init__(self, of: Given, folder: Path, now: datetime) -> None:
        self._given = of
        self._now = now
        self._rules = rules.load(folder, known_backends=frozenset(of.settings.backends))
        self._fleet = fleet.load(of.settings.fleet.path)
        self._ticketing = ticketing(of.settings)

    def entries(
        self, file: Any, kind: str, source: str, content_type: str, headers: Any = None
    ) -> list[Alert | Unreadable]:
        """The alerts in a file, as the named source would say them. Raises PayloadError when there is none."""
        known = self._given.settings.sources
        kind = kind or (known[source].kind if source in known else _GENERIC)
        source = source or next((name for name, one in known.items() if one.kind == kind), kind)
        configured = known[source].options if source in known and known[source].kind == kind else {}
        of = sourcing.kind(kind)
        options = sourcing.options(of, configured, f"sources.{source}.options")
        entries = sourcing.parse(of, options, sourcing.payload(of, file, content_type, source, headers), self._now)
        if not entries:
            raise PayloadError(f"the message says nothing that {kind} calls an alert")
        return entries

    def decide(self, alert: Alert) -> Decision:
        """The decision as the service follows it, with every rule before the one that matched as its trace."""
        decision = engine.decide(alert, self._rules, self._fleet, self._now)
        decision = self._ticketing.routed(decision, alert.source)
        return replace(decision, trace=tuple(engine.explain(alert, self._rules, self._now)))

    def as_data(self, entry: Alert | Unreadable) -> dict[str, Any]:
        """What was decided, for programs; `told`: the backend it would be declared in, then those that are informed."""
        if isinstance(entry, Unreadable):
            return {"unreadable": entry}
        decision = self.decide(entry)
        backend, informed = self._ticketing.whom(decision.policy) if decision.policy else ("", ())
        told = [backend, *informed] if backend else []
        return {"alert": shown(entry), "decision": decision, "told": told}

    def tell(self, alert: Alert) -> None:
        """Print what was decided for people."""
        decision = self.decide(alert)
        title = show.styled(f"{alert.check}: {alert.resource}", "bold")
        show.line(title, show.styled(f"  {alert.severity}, {alert.status}", "dim"))
        show.line(f"  {alert.summary}")
        if alert.status == Status.RESOLVED:
            show.line("  It ends what fires under its fingerprint; the rules are not asked. While firing, they say:")
        show.line()
        show.facts([*self._verdict(decision), *self._ticket(decision)], indent=2)
        show.line()
        _show_trace(decision.trace)

    def _verdict(self, decision: Decision) -> Iterator[tuple[str, show.Styled]]:
        yield "action", show.styled(decision.action, _STYLE.get(decision.action, "bold"))
        yield "because", decision.reason
        yield "rule", self._rule(decision.rule)
        element = decision.element
        if element:
            where = ", ".join(filter(None, (element.offer, element.site, f"criticality {element.criticality}")))
            yield "element", f"{element.reference}  {element.name} ({where})"
        yield "candidates", ", ".join(decision.candidates)

    def _rule(self, name: str) -> str:
        found = next((rule for rule in self._rules.rules if rule.id == name), None)
        if found is None:
            return f"{name}: no rule matches"
        return (
            f"{name}  {found.title} ({found.file}:{found.line})"
            if found.title
            else f"{name} ({found.file}:{found.line})"
        )

    def _ticket(self, decision: Decision) -> Iterator[tuple[str, show.Styled]]:
        settings, element, impact, policy = self._given.settings, decision.element, decision.impact, decision.policy
        if impact:
            yield "impact", f"{impact} ({', '.join(words.impact(impact, lang) for lang in Language)})"
        if policy is None or element is None or impact is None:
            return
        backend, informed = self._ticketing.whom(policy)
        if backend == self._given.desk:
            yield "priority", settings.desk.priority[impact][element.criticality]
        yield "backend", backend
        yield "informed", ", ".join(informed)
        yield "language", policy.language
        yield "key", decision.dedup_key
        yield from _policy(policy)
        for language in LANGUAGES:
            yield f"name {language}", decision.name.get(language, "")
        for language in LANGUAGES:
            yield f"description {language}", decision.description.get(language, "")


def _policy(policy: Policy) -> Iterator[tuple[str, str]]:
    yield "hold", f"{span(policy.hold)} before it is declared" if policy.hold else "none: declared at once"
    if policy.flap:
        flap = policy.flap
        yield "flapping", f"{flap.changes} changes within {span(flap.within)}, until quiet for {span(flap.quiet)}"
    touched = ", unless a person has touched the ticket" if policy.unless_touched else ""
    close = policy.close_after
    yield "close", "left to people" if close is None else f"{span(close)} after it is clear{touched}"
    yield "reopen", f"the same ticket within {span(policy.reopen)}"


def _show_trace(trace: tuple[Tried, ...]) -> None:
    """The rules before the one that matched, the nearest ones when there are many."""
    if not trace:
        show.line("  no rule comes before")
        return
    left_out = len(trace) - _ENOUGH
    more = f", the last {_ENOUGH} of {len(trace)} (all with --json)" if left_out > 0 else ""
    show.line(f"  rules before, and what failed{more}:")
    rows = ((tried.rule, tried.condition, _met(tried)) for tried in trace[max(0, left_out) :])
    show.table(("rule", "condition", "value"), rows, "", indent=2)


def _met(tried: Tried) -> str:
    if tried.field == "where":
        return tried.actual
    return f"{tried.field} = {tried.actual}" if tried.actual else f"no {tried.field}"

"""The verbs about alerts that are not mapped: `unmapped` proposes the change that maps them, `redecide` lets it count.

`unmapped` reads the database beside the service, and rules and fleet as they are on disk; what a change does is shown by
the workbench. The one thing it writes is the proposed rule file, when it is told to.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tocsin import fleet, rules
from tocsin.cli import asking, show
from tocsin.cli.given import FILES, SERVICE, Given, Json, SettingsFile, given
from tocsin.cli.moments import Since, moment
from tocsin.cli.sourcing import shown
from tocsin.errors import RuleError, StoreError
from tocsin.ticketing import ticketing
from tocsin.workbench import testing
from tocsin.workbench.unmapped import Group, Proposal, Unmapped, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

app = typer.Typer()

_COLUMNS = ("group", "alerts", "firing", "why", "source", "check", "what they say", "resources", "last seen")
_RULE = "rule"
_SAID = 100

_Group = Annotated[
    str, typer.Argument(metavar="[GROUP]", help="Id of a group: it is shown with an example and the change it needs.")
]
_Limit = Annotated[int, typer.Option("--limit", min=1, help="How many groups at most.")]
_Write = Annotated[
    bool, typer.Option("--write", metavar="", help="Write the proposed rule into the rules' folder; never over a file.")
]
_File = Annotated[
    str,
    typer.Option(
        "--file", metavar="NAME", help="Name of that file; the proposed one unless given.", show_default=False
    ),
]


@app.command(rich_help_panel=FILES, epilog="Example: tocsin unmapped --since 30d")
def unmapped(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    group: _Group = "",
    config: SettingsFile = None,
    *,
    since: Since = "30d",
    limit: _Limit = 20,
    write: _Write = False,
    file: _File = "",
    json: Json = False,
) -> None:
    """List the alerts that are not mapped, in groups; for one, propose the rule or alias that maps it.

    Not mapped: no rule knows them, or no one element goes by what their rule looks for; by the rules and the fleet on
    disk, so what a change maps is gone from here at once.
    """
    of = given(ctx, config)
    if (write or file) and not group:
        raise typer.BadParameter("say which group: tocsin unmapped GROUP --write")
    found = _read(of, since)
    if not group:
        _list(found.groups, limit, json=json)
        return
    one = found.group(group)
    if one is None:
        raise StoreError(f"there is no group {group} since {since}; `tocsin unmapped` lists them")
    with show.waiting() as say:
        say("looking for the change that maps this group and nothing else")
        proposals = found.propose(one)
    written = _written(of, proposals, file) if write or file else None
    if json:
        show.data({"group": one, "proposals": list(map(_as_data, proposals)), "written": str(written or "")})
        return
    _tell(one)
    _tell_proposals(of, proposals, written)


@app.command(rich_help_panel=SERVICE, epilog="Example: tocsin redecide")
def redecide(ctx: typer.Context, config: SettingsFile = None, *, json: Json = False) -> None:
    """Have the running service decide again what fires and has no ticket, after a change of rules or fleet.

    For alerts that are sent once. Those that are repeated are decided again by themselves.
    """
    answer = asking.admin(given(ctx, config), "redecide")
    if json:
        show.data(answer)
        return
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in answer["outcomes"].items())
    show.line(
        f"{answer['changed']} decided otherwise{f' ({outcomes})' if outcomes else ''}, {answer['unchanged']} as before"
    )


def _read(of: Given, since: str) -> Unmapped:
    settings, now = of.settings, datetime.now(UTC)
    with show.waiting() as say:
        say("reading rules and fleet")
        rule_set = rules.load(settings.rules.path, known_backends=frozenset(settings.backends))
        elements = fleet.load(settings.fleet.path)
        say("reading what came in")
        return read(settings.state, rule_set, elements, moment(since, now), now)


def _list(groups: tuple[Group, ...], limit: int, *, json: bool) -> None:
    if json:
        show.data(list(groups[:limit]))
        return
    show.table(_COLUMNS, map(_row, groups[:limit]), "every alert is mapped")
    if len(groups) > limit:
        show.line(f"and {len(groups) - limit} more groups: --limit {len(groups)} shows them")
    if groups:
        show.line()
        show.line(f"tocsin unmapped {groups[0].id} proposes what maps the first group")


def _row(group: Group) -> tuple[show.Styled, ...]:
    return (
        show.styled(group.id, "bold"),
        str(group.count),
        str(group.firing),
        f"{group.why} ({group.rule})" if group.rule else group.why,
        _few(group.sources),
        _few(group.checks),
        _short(group.template),
        _few(group.resources, group.resource_count),
        show.moment(group.last_at),
    )


def _few(texts: Iterable[str], count: int = 0) -> str:
    """The first of some texts, and how many more there are."""
    listed = list(texts)
    more = max(count, len(listed)) - 1
    return f"{_short(listed[0])} and {more} more" if more > 0 else _short(listed[0])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SAID else line[: _SAID - 1] + "…"


def _tell(group: Group) -> None:
    show.facts(
        [
            ("group", show.styled(group.id, "bold")),
            ("why", f"{group.why} ({group.rule})" if group.rule else group.why),
            ("what they say", group.template),
            ("alerts", f"{group.count}, {group.firing} firing"),
            ("seen", f"{show.moment(group.first_at)} to {show.moment(group.last_at)}"),
            ("sources", ", ".join(group.sources)),
            ("checks", _short(", ".join(group.checks))),
            ("severities", ", ".join(group.severities)),
            ("resources", ", ".join(group.resources) + _more(group)),
            ("candidates", ", ".join(group.candidates)),
        ]
    )
    show.line()
    show.line(show.styled("the newest of them", "dim"))
    alert = shown(group.example)
    labels = ", ".join(f"{name}={value}" for name, value in group.example.labels.items())
    show.facts([(name, str(value)) for name, value in {**alert, "labels": labels}.items() if value], indent=2)


def _more(group: Group) -> str:
    left = group.resource_count - len(group.resources)
    return f" and {left} more" if left else ""


def _tell_proposals(of: Given, proposals: tuple[Proposal, ...], written: Path | None) -> None:
    for proposal in proposals:
        show.line()
        place = of.settings.rules.path / proposal.file if proposal.file else of.settings.fleet.path
        proven = show.styled(str(proposal.proof), "bold green" if proposal.exact else "bold yellow")
        show.line(show.styled(f"proposed for {place}", "bold"), ": ", proven)
        for remark in proposal.remarks:
            show.line("  ", remark)
        for reference, where in _places(of.settings.fleet.path, proposal.references):
            show.line(f"  {reference} is at {where}")
        show.line()
        show.verbatim(proposal.text)
    show.line()
    if written:
        show.line(f"written: {written}. The service takes it within a second, or not at all: `tocsin check` says why.")
        show.line("For alerts that are sent once: `tocsin redecide`")
    elif proposals[0].kind == _RULE:
        show.line(
            "--write puts the rule into its file; change what you like there, and `tocsin check` checks and tests it"
        )
    else:
        show.line("put it there, then `tocsin check`; for alerts that are sent once: `tocsin redecide`")


def _as_data(proposal: Proposal) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(proposal)
    return {**told, "does": str(proposal.proof)}


def _places(folder: Path, references: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Where the fleet has elements: file and line."""
    files = sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else [folder]
    wanted = list(references)
    for file in files if wanted else ():
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            for reference in wanted:
                if line.startswith((f"{reference},", f"{reference};")) or line.strip(" -").startswith(
                    f"reference: {reference}"
                ):
                    yield reference, f"{file}:{number}"


def _written(of: Given, proposals: tuple[Proposal, ...], name: str) -> Path:
    """Write the rule into its file, after its tests have passed; returns the file. Raises RuleError."""
    proposal = next((one for one in proposals if one.kind == _RULE), None)
    if proposal is None:
        raise RuleError("this group needs no rule but a change of the fleet or of a table: put what is proposed there")
    settings = of.settings
    path = settings.rules.path / (name or proposal.file)
    if path.parent != settings.rules.path or path.suffix not in rules.loader.SUFFIXES:
        raise typer.BadParameter(f"{name!r} is no name of a rule file, such as {proposal.file}")
    rule_set = rules.load(settings.rules.path, known_backends=frozenset(settings.backends))
    candidate = rules.build({**rule_set.files, path.name: proposal.text}, folder=str(settings.rules.path))
    testing.check(candidate, fleet.load(settings.fleet.path), ticketing(settings))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(proposal.text)
    except FileExistsError:
        raise RuleError("the file exists: name another with --file", file=str(path)) from None
    except OSError as error:
        raise RuleError(f"the file cannot be written: {error.strerror}", file=str(path)) from None
    return path

"""The verbs of `tocsin source`: what platforms send and how it is read, what is configured, and whether it works.

How a platform's message is read is the business of `sources`; whether a sender is believed, that of the service.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin import sources
from tocsin.cli import asking, proving, shipped, show, sourcing, tracing
from tocsin.cli.given import FILES, Given, Json, SettingsFile, given
from tocsin.cli.shifted import shifted
from tocsin.errors import SettingsError, StoreError
from tocsin.model import Alert
from tocsin.store.hearing import SourceLine, source_lines
from tocsin.units import duration_text
from tocsin.web.hooks import FATES
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.settings import Source
    from tocsin.sources import Kind

app = typer.Typer()
source = typer.Typer(no_args_is_help=True)
app.add_typer(
    source, name="source", rich_help_panel=FILES, help="Supervision platforms: what they send, and whether it works."
)

_WELL = 300
_JsonAnyway = Annotated[
    bool, typer.Option("--json", metavar="", help="Print JSON, as it does anyway.", show_default=False)
]
_Kind = Annotated[str, typer.Argument(metavar="KIND", help="The kind of platform; `tocsin source kinds` lists them.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a source in the settings.")]


@source.command(epilog="Example: tocsin source kinds")
def kinds(*, json: Json = False) -> None:
    """List the kinds of platform."""
    rows = [(kind.name, kind.title) for kind in sources.kinds().values()]
    if json:
        show.data([_kind(kind) for kind in sources.kinds().values()])
    else:
        show.table(("kind", "platform"), rows, "there are none")


def _kind(kind: Kind) -> dict[str, Any]:
    told = {part.lower(): kind.documented(part) for part in sources.PARTS}
    paths = [f"{route.method} {route.path}" for route in kind.routes]
    return {"kind": kind.name, "title": kind.title, "paths": paths, **told}


@source.command("list", epilog="Example: tocsin source list")
def list_(ctx: typer.Context, config: SettingsFile = None, *, json: Json = False) -> None:
    """List the sources of the settings, and when each was heard last."""
    of = given(ctx, config)
    lines = list(_lines(of))
    if json:
        show.data(lines)
        return
    columns = ("source", "kind", "address", "auth", "silent after", "expires after", "heard", "firing", "rejected")
    rows = [[show.moment(line[key]) if key == "heard" else str(line[key]) for key in line] for line in lines]
    show.table(columns, rows, "the settings name no source")


def _lines(of: Given) -> Iterator[dict[str, Any]]:
    known = _known(of)
    address = asking.address(of.settings.listen) if of.settings.listen.port else ""
    for name, one in of.settings.sources.items():
        line = known.get(name)
        kind = sources.kinds().get(one.kind)
        after = one.expire_after if one.expire_after is not None else kind.expire_after if kind else None
        yield {
            "source": name,
            "kind": one.kind,
            "address": f"{address}/hooks/{name}",
            "auth": _auth(one),
            "expect_every": duration_text(one.expect_every) if one.expect_every else "",
            "expire_after": duration_text(after) if after else "",
            "heard": line.heard_at if line else None,
            "firing": line.firing if line else 0,
            "rejected": line.rejected if line else 0,
        }


def _known(of: Given) -> dict[str, SourceLine]:
    """What the database knows of them; nothing when there is none yet."""
    try:
        return source_lines(of.settings.state)
    except StoreError:
        return {}


def _auth(one: Source) -> str:
    if one.auth is None:
        return "open" if one.open else "asked only"
    return next(way for way, value in one.auth if value)


@source.command(epilog="Example: tocsin source parse truesight event.json")
def parse(  # noqa: PLR0913 - the options of a verb
    kind: _Kind,
    file: sourcing.File,
    *,
    name: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Name of the source.", show_default="KIND")
    ] = "",
    headers: sourcing.Headers = None,
    content_type: sourcing.ContentType = "",
    options: Annotated[
        str, typer.Option(metavar="JSON", help="Options of the source, as the settings have them.")
    ] = "{}",
    at: sourcing.At = None,
    json: _JsonAnyway = True,  # noqa: ARG001 - for those who say it everywhere
) -> None:
    """Print the alerts that one message becomes, as JSON.

    An entry of a batch that is no alert is printed with its position and what is wrong with it. --headers names a file with
    the request line and the headers that the message came with, for platforms that say something in them.
    """
    of = sourcing.kind(kind)
    options_ = sourcing.options(of, sourcing.read_options(options), "options")
    message = sourcing.payload(of, file, content_type, name or kind, headers)
    entries = sourcing.parse(of, options_, message, at)
    show.data([sourcing.shown(entry) for entry in entries])


@source.command("try", epilog="Example: tocsin source try fleetwatch message.json")
def try_(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a source of kind `mapped`.")],
    file: sourcing.File,
    config: SettingsFile = None,
    *,
    mapping: Annotated[
        typer.FileText | None,
        typer.Option(
            "--mapping", metavar="FILE", help="Its options, instead of those of the settings.", show_default=False
        ),
    ] = None,
    headers: sourcing.Headers = None,
    content_type: sourcing.ContentType = "",
    at: sourcing.At = None,
    json: Json = False,
) -> None:
    """Develop a mapping: for each field of an alert, what was looked for, what was found, and what became of it.

    Change the options and try again; nothing is sent, and the service need not run. Exit code 1 when nothing becomes an alert.
    """
    of = sourcing.kind("mapped")
    told = sourcing.mapping(mapping) if mapping else _source(given(ctx, config), name).options
    options = sourcing.options(of, told, "options" if mapping else f"sources.{name}.options")
    message = sourcing.payload(of, file, content_type, name, headers)
    now = at.astimezone(UTC) if at else datetime.now(UTC)
    traced = of.trace(message, options, now) if of.trace else []
    if json:
        show.data(traced)
    else:
        tracing.tell(traced)
    if not any(isinstance(one.outcome, Alert) for one in traced):
        raise typer.Exit(1)


@source.command(epilog="Example: tocsin source snippet zabbix")
def snippet(
    ctx: typer.Context,
    kind: _Kind,
    config: SettingsFile = None,
    *,
    name: Annotated[
        str, typer.Option("--source", metavar="NAME", help="The source it is for; the first of the kind unless given.")
    ] = "",
    json: Json = False,
) -> None:
    """Print what to paste on the platform's side.

    With the address of the source where the settings have one of this kind. Secrets are never printed: their place says so.
    """
    of = sourcing.kind(kind)
    files = [(path.name, path.read_text(encoding="utf-8")) for path in shipped.snippets(of.name)]
    filled = _filled(ctx, config, of, name)
    told = [{"file": file, "text": filled(text)} for file, text in files]
    if json:
        show.data(told)
        return
    for number, one in enumerate(told):
        if len(told) > 1:
            show.line(*(["\n"] if number else []), show.styled(f"--- {one['file']}", "bold"))
        typer.echo(one["text"].rstrip("\n"))
    if not told:
        show.line(f"{of.title}: nothing to paste; {of.documented('Format')}")


def _filled(ctx: typer.Context, config: Any, of: Kind, name: str) -> Any:
    """What puts the addresses in; a placeholder stays where the settings cannot be read or name no such source."""
    try:
        settings = given(ctx, config).settings
    except SettingsError:
        return lambda text: text
    name = name or next((key for key, one in settings.sources.items() if one.kind == of.name), of.name)
    base = asking.address(settings.listen) if settings.listen.port else "{{base}}"
    return lambda text: text.replace("{{url}}", f"{base}/hooks/{name}").replace("{{base}}", base)


def _source(of: Given, name: str) -> Source:
    """The source of this name. Raises typer.BadParameter when the settings have none."""
    if name not in of.settings.sources:
        hint = nearest(name, of.settings.sources) or f"there are {', '.join(of.settings.sources) or 'none'}"
        raise typer.BadParameter(f"{name!r} is no source of the settings ({hint})")
    return of.settings.sources[name]


@source.command("test", epilog="Example: tocsin source test alertmanager")
def send_samples(  # noqa: PLR0913 - the options of a verb
    ctx: typer.Context,
    name: _Name,
    config: SettingsFile = None,
    *,
    file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option("--file", metavar="FILE", help="This message instead of the samples.", show_default=False),
    ] = None,
    headers: sourcing.Headers = None,
    content_type: sourcing.ContentType = "",
    json: Json = False,
) -> None:
    """Send a platform's sample messages through the running service, and show what became of them.

    One problem, the same again, and its end, with the credentials that the source asks for: what your rules make of them is
    really made, a ticket included.
    """
    of = given(ctx, config)
    kind = sourcing.kind(_source(of, name).kind)
    samples = sourcing.sample(file, headers, content_type) if file else shipped.samples(kind.name)
    sent = [_send(of, name, sample, as_it_is=file is not None) for sample in samples]
    if json:
        show.data(sent)
    else:
        _told(sent)
    if not sent or any(one["status"] >= _WELL for one in sent):
        raise typer.Exit(1)


def _send(of: Given, name: str, sample: shipped.Sample, *, as_it_is: bool) -> dict[str, Any]:
    now = datetime.now(UTC)
    method, target, headers = sources.head(sample.head)
    base = f"{asking.address(of.settings.listen)}/hooks/{name}"
    url = base + (target if target != "/" else "")
    told = {"Content-Type": sample.media_type, **headers, "Accept": FATES}
    message = proving.Message(url, told, sample.body if as_it_is else shifted(sample.body, now))
    ready = proving.proven(message, name, of.settings.sources[name], of.read_secret, now)
    answer = asking.send(method, ready.url, ready.headers, ready.body)
    return {
        "case": sample.case,
        "status": answer.status,
        "alerts": answer.body.get("alerts", []),
        "error": answer.body.get("error", ""),
    }


def _told(sent: list[dict[str, Any]]) -> None:
    rows = [
        (one["case"], str(one["status"]), fate.get("outcome", ""), fate.get("rule", ""), fate.get("incident", ""),
         fate.get("ticket", ""), fate.get("reason", ""))
        for one in sent
        for fate in one["alerts"] or [{"outcome": "", "reason": one["error"] or "no alert"}]
    ]  # fmt: skip
    show.table(
        ("message", "answer", "outcome", "rule", "incident", "ticket", "because"), rows, "there is no sample to send"
    )

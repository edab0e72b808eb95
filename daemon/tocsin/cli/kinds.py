"""The verbs of `tocsin backend` that ask no running service: the kinds there are, what to paste, and `check`.

`check` asks the ticket system itself, and changes nothing there.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tocsin import backends
from tocsin.backends import Finding, Level
from tocsin.backends._orange_mapping import shipped as shipped_mapping
from tocsin.backends._orange_swagger import import_swagger
from tocsin.cli import shipped, show
from tocsin.cli.given import Json, SettingsFile, given
from tocsin.errors import DeliveryError, RuleError, SettingsError
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tocsin.backends import Kind
    from tocsin.cli.given import Given

T = TypeVar("T")
KindName = Annotated[
    str, typer.Argument(metavar="KIND", help="The kind of ticket system; `tocsin backend kinds` lists them.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a backend in the settings.")]


def kinds(*, json: Json = False) -> None:
    """List the kinds of ticket system, and what each cannot do."""
    found = list(backends.kinds().values())
    if json:
        show.data([_as_data(kind) for kind in found])
    else:
        rows = [(kind.name, kind.title, ", ".join(kind.lacks)) for kind in found]
        show.table(("kind", "ticket system", "cannot"), rows, "there are none")


def snippet(name: KindName) -> None:
    """Print settings to paste for a kind, and what to prepare in the ticket system."""
    typer.echo(shipped.backend_snippet(_kind(name).name), nl=False)


def check(ctx: typer.Context, name: Name, config: SettingsFile = None, *, json: Json = False) -> None:
    """Ask a ticket system whether it can be told: credentials, rights, and everything the options name.

    Changes nothing there. Exit code 1 when something will not work.
    """
    findings = asyncio.run(_checked(given(ctx, config), name))
    if json:
        show.data(findings)
    else:
        rows = [(finding.level.value, finding.what, finding.told) for finding in findings]
        show.table(("", "what", "finding"), rows, "this kind has nothing that can be asked without changing something")
    if any(finding.level == Level.ERROR for finding in findings):
        raise typer.Exit(1)


def subscribe(ctx: typer.Context, name: Name, config: SettingsFile = None, *, json: Json = False) -> None:
    """Have a ticket system tell tocsin of changes, where its kind can be asked to: TMF621's hub.

    Once is enough. Exit code 1 when it will not.
    """
    finding = asyncio.run(_asked(given(ctx, config), name, _subscribed))
    if json:
        show.data(finding)
    else:
        show.line(finding.told)
    if finding.level == Level.ERROR:
        raise typer.Exit(1)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The vendor's Swagger 2.0 file, in JSON.")],
    *,
    json: Json = False,
) -> None:
    """Print the mapping of kind orange that a Swagger file of its Incident API says, for the option `mapping`.

    What was found, and what the API requires and nothing fills, is told on standard error. Exit code 1 when there is
    such a thing, although the mapping is printed.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        found = import_swagger(text, shipped_mapping())
    except RuleError as error:
        error.file = str(file)
        raise
    if json:
        show.data({"mapping": found.text, "findings": found.findings})
    else:
        for finding in found.findings:
            typer.echo(f"{finding.level.value}: {finding.what}: {finding.told}", err=True)
        typer.echo(found.text, nl=False)
    if any(finding.level == Level.ERROR for finding in found.findings):
        raise typer.Exit(1)


async def _subscribed(backend: backends.Backend) -> Finding:
    asks = getattr(backend, "subscribe", None)
    if asks is None:
        told = "this kind is not asked to tell: set its webhook up in the ticket system, or let it be polled"
        return Finding(level=Level.ERROR, what="subscribe", told=told)
    finding: Finding = await asks()
    return finding


async def _check(backend: backends.Backend) -> list[Finding]:
    return await backend.check()


async def _checked(of: Given, name: str) -> list[Finding]:
    found = await _asked(of, name, _check)
    return [found] if isinstance(found, Finding) else found


async def _asked(of: Given, name: str, ask: Callable[[backends.Backend], Awaitable[T]]) -> T | Finding:
    """What a ticket system of the settings answers; a finding when it is embedded, or cannot be asked."""
    configured = of.settings.backends.get(name)
    if configured is None:
        hint = nearest(name, of.settings.backends) or f"there are {', '.join(of.settings.backends)}"
        raise SettingsError(f'no backend is called "{name}"; {hint}')
    if _kind(configured.kind).embedded:
        return Finding(level=Level.FINE, what="kind", told="it is part of tocsin: there is nothing to ask")
    async with backends.open_session() as session:
        outside = backends.Outside(session=session, read_secret=of.read_secret, clock=lambda: datetime.now(UTC))
        backend = backends.build(configured.kind, name, configured.options, outside)
        try:
            return await ask(backend)
        except DeliveryError as error:
            return Finding(level=Level.ERROR, what=error.reason.value, told=error.detail)


def _kind(name: str) -> Kind:
    kind = backends.kinds().get(name)
    if kind is None:
        hint = nearest(name, backends.kinds()) or f"there are {', '.join(backends.kinds())}"
        raise SettingsError(f'no kind of backend is called "{name}"; {hint}')
    return kind


def _as_data(kind: Kind) -> dict[str, Any]:
    options = kind.options.model_fields if kind.options else {}
    return {
        "kind": kind.name,
        "title": kind.title,
        "proven": kind.status,
        "lacks": {can.value: why for can, why in kind.lacks.items()},
        "options": {option: field.description for option, field in options.items()},
    }

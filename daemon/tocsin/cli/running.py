"""The verb that is the service: `serve`.

Knows how a process becomes the service; everything it does is the business of `app`.
"""

from __future__ import annotations

import os

import typer

from tocsin import heap, log
from tocsin.app import App
from tocsin.app import serve as serve_app
from tocsin.cli.given import SERVICE, Given, SettingsFile, given

try:
    from uvloop import run
except ImportError:  # a platform without it
    from asyncio import run  # type: ignore[assignment]

app = typer.Typer()


@app.command(rich_help_panel=SERVICE, epilog="Example: tocsin serve --config /etc/tocsin/tocsin.yaml")
def serve(ctx: typer.Context, config: SettingsFile = None) -> None:
    """Run the service.

    Runs until SIGTERM or Ctrl-C; SIGHUP reloads rules and fleet. Once it answers requests, its address is printed on standard output; the log goes to standard error.
    """
    heap.one_arena()
    run(_serve(given(ctx, config)))


async def _serve(given: Given) -> None:
    log.configure(given.settings.log.level, given.settings.log.format)
    service = App(given.settings, given.read_secret, os.environ)
    await serve_app(service, lambda address: print(f"tocsin serves {address}", flush=True))  # noqa: T201 - its one line

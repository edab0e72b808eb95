"""A real Request Tracker 5 of its own folder, port and SQLite database, from Debian's package request-tracker5.

It has the queue `Operations` with the custom fields `tocsin` (text: our reference) and `Impact` (one of a list), and the
queue `Private`, which nobody may see. `rt.pl` makes them. Its time zone is not UTC, as is usual where people work.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from programs import answers, ready, require, started
from real.once import PATH, START, once
from service import free_port, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PACKAGE = "request-tracker5"
SERVER = "/usr/share/request-tracker5/libexec/rt-server"
WORKERS = "2"

QUEUE, FIELD, IMPACT = "Operations", "tocsin", "Impact"
USER, AGENT, ONLOOKER = "tocsin", "agent", "onlooker"
"""Who the service works as, with just the rights it needs; a person who may handle the tickets; one who may see none."""
PASSWORD = "made-up-password"
"""Everybody's."""

CONFIG = """
Set($rtname, 'example.net');
Set($Organization, 'example.net');
Set($CorrespondAddress, 'rt@example.net');
Set($CommentAddress, 'rt-comment@example.net');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{folder}/rt.db');
Set($Timezone, '{zone}');
Set($MailCommand, 'mbox');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
$VarPath = '{folder}/var';
$MasonDataDir = '{folder}/mason';
$MasonSessionDir = '{folder}/sessions';
1;
"""


@dataclass(frozen=True, slots=True)
class RequestTracker:
    """One that runs."""

    url: str
    """Of its first page; the API is below it, at `/REST/2.0`."""
    token: str
    """Of `USER`; goes into `Authorization: token …`."""
    log: Path


@contextlib.asynccontextmanager
async def requesttracker(folder: Path, zone: str = "Europe/Paris") -> AsyncIterator[RequestTracker]:
    """One that keeps everything in this folder, in this time zone; mails become files in `var`."""
    setup = require("rt-setup-database-5", PACKAGE)
    port, log, token = free_port(), folder / "rt.log", folder / "token"
    env = {"PATH": PATH, **_laid_out(folder, port, zone), "TOKEN_FILE": str(token), "PASSWORD": PASSWORD}
    await once(setup, "--action", "init", "--skip-create", "--dba-password", "", log=log, env=env)
    await once(setup, "--action", "insert", "--datafile", Path(__file__).with_suffix(".pl"), log=log, env=env)
    url = f"http://127.0.0.1:{port}"
    argv = (SERVER, "--server", "Starlet", "--host", "127.0.0.1", "--port", str(port), "--max-workers", WORKERS)
    async with started(*argv, log=log, env=env) as process, session() as http:
        await ready(
            process, log, lambda: answers(http, f"{url}/REST/2.0/rt", 401), "Request Tracker to be ready", START
        )
        yield RequestTracker(url, token.read_text(), log)


def _laid_out(folder: Path, port: int, zone: str) -> dict[str, str]:
    """Its folders and its configuration, and the variables that make it read no other."""
    for name in ("conf.d", "var", "mason", "mason/obj", "sessions"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config = folder / "RT_SiteConfig.pm"
    config.write_text(CONFIG.format(folder=folder, port=port, zone=zone))
    return {"RT_SITE_CONFIG": str(config), "RT_SITE_CONFIG_DIR": str(folder / "conf.d")}

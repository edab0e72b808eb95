"""A real Znuny 6.5 of its own folder, port and MariaDB, installed by `tests/install-znuny`.

It has the queue `Operations`, the dynamic fields `tocsin` (text: our reference) and `Impact` (one of a list), the customer
`supervision`, and the queue `Private`, which nobody may see. `znuny.pl` makes them, and the web service `tocsin` from a file:
Znuny's own example of a ticket connector over REST, unless another one is handed in. Its time zone is not UTC.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from programs import answers, ready, require, started
from real.once import PATH, START, once
from service import free_port, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
INSTALLED = Path(os.environ.get("ZNUNY") or CACHE / "tocsin" / "znuny") / "unpacked"
"""The package as it was unpacked: read only for us, every instance links to it."""
WORKERS = "2"

QUEUE, CUSTOMER, FIELD, IMPACT = "Operations", "supervision", "tocsin", "Impact"
USER, AGENT, ONLOOKER = "tocsin", "agent", "onlooker"
"""Who the service works as; a person who may handle the tickets as well; one who may see none."""
PASSWORD = "made-up-password"
"""Everybody's."""

DATABASE = (
    "--no-defaults", "--skip-networking", "--skip-grant-tables", "--skip-name-resolve", "--skip-log-bin",
    "--character-set-server=utf8mb3", "--max-allowed-packet=64M", "--innodb-log-file-size=32M",
    "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
)  # fmt: skip
"""Only reached through its socket, by who may enter the folder; nothing need outlive a crash."""

CONFIG = """
package Kernel::Config;
use strict;
use warnings;
sub Load {{
    my $Self = shift;
    $Self->{{Home}} = '{home}';
    $Self->{{DatabaseDSN}} = 'DBI:mysql:database=znuny;mysql_socket={socket}';
    $Self->{{Database}} = 'znuny';
    $Self->{{DatabaseHost}} = 'localhost';
    $Self->{{DatabaseUser}} = 'root';
    $Self->{{DatabasePw}} = '';
    $Self->{{SecureMode}} = 1;
    $Self->{{FQDN}} = 'znuny.example.net';
    $Self->{{OTRSTimeZone}} = $Self->{{UserDefaultTimeZone}} = '{zone}';
    $Self->{{CheckEmailAddresses}} = $Self->{{CheckMXRecord}} = 0;
    $Self->{{SendmailModule}} = 'Kernel::System::Email::DoNotSendEmail';
    $Self->{{LogModule}} = 'Kernel::System::Log::File';
    $Self->{{'LogModule::LogFile'}} = '{home}/var/log/znuny.log';
    return 1;
}}
use Kernel::Config::Defaults;
use parent qw(Kernel::Config::Defaults);
1;
"""


@dataclass(frozen=True, slots=True)
class Znuny:
    """One that runs."""

    url: str
    """Of the web service `tocsin`; its routes are below it."""
    zone: str
    """In which it tells and is told times, without saying so."""
    log: Path


@contextlib.asynccontextmanager
async def znuny(folder: Path, webservice: Path | None = None, zone: str = "Europe/Paris") -> AsyncIterator[Znuny]:
    """One that keeps everything in this folder, in this time zone; it sends no mail."""
    _require_installed()
    server, port, log = require("plackup", "libplack-perl"), free_port(), folder / "znuny.log"
    home, socket = folder / "home", folder / "db.sock"
    _laid_out(home, socket, zone)
    example = home / "var" / "webservices" / "examples" / "GenericTicketConnectorREST.yml"
    told = {"ZNUNY_SOCKET": str(socket), "WEBSERVICE_FILE": str(webservice or example), "PASSWORD": PASSWORD}
    env = {"PATH": PATH, "ZNUNY_HOME": str(home), **told}
    url = f"http://127.0.0.1:{port}/nph-genericinterface.pl/Webservice/tocsin"
    argv = (server, "--server", "Starlet", "--host", "127.0.0.1", "--port", str(port), "--max-workers", WORKERS)
    app = home / "bin" / "cgi-bin" / "app.psgi"
    async with _database(folder, socket):
        await once("perl", Path(__file__).with_suffix(".pl"), log=log, env=env)
        async with started(*argv, "--env", "deployment", app, log=log, env=env) as process, session() as http:
            await ready(process, log, lambda: answers(http, f"{url}/nothing", 500), "Znuny to be ready", START)
            yield Znuny(url, zone, log)


def _require_installed() -> None:
    if not INSTALLED.is_dir():
        if os.environ.get("REAL_PROGRAMS"):
            pytest.fail("Znuny is not installed, and CI must prove this: tests/install-znuny")
        pytest.skip("Znuny is not installed: tests/install-znuny")


def _laid_out(home: Path, socket: Path, zone: str) -> None:
    """Its home: links into the package, beside the few files and folders that are its own."""
    program, variable = INSTALLED / "usr" / "share" / "otrs", INSTALLED / "var" / "lib" / "otrs"
    for name in ("Kernel/Config/Files", "Kernel/Config/Backups", "Custom"):
        (home / name).mkdir(parents=True)
    for name in ("article", "log", "run", "sessions", "spool", "tmp"):
        (home / "var" / name).mkdir(parents=True)
    shutil.copytree(program / "bin", home / "bin")  # no links: scripts look for the home above themselves
    _link(home, program, "RELEASE", "scripts")
    _link(home / "Kernel", program / "Kernel", "Autoload", "GenericInterface", "Language", "Language.pm", "Modules")
    _link(home / "Kernel", program / "Kernel", "Output", "System")
    _link(home / "Kernel" / "Config", program / "Kernel" / "Config", "Defaults.pm")
    _link(home / "Kernel" / "Config" / "Files", variable / "Config" / "Files", "XML")
    _link(home / "var", variable, "httpd", "stats", "webservices")
    (home / "Kernel" / "Config.pm").write_text(CONFIG.format(home=home, socket=socket, zone=zone))


def _link(folder: Path, target: Path, *names: str) -> None:
    for name in names:
        (folder / name).symlink_to(target / name)


@contextlib.asynccontextmanager
async def _database(folder: Path, socket: Path) -> AsyncIterator[None]:
    """MariaDB with nothing in it; a hundred megabytes that are removed at the end."""
    program, data, log = require("mariadbd", "mariadb-server-core"), folder / "db", folder / "db.log"
    data.mkdir()
    user = ("--user=root",) if os.geteuid() == 0 else ()
    argv = (program, *DATABASE, *user, f"--datadir={data}", f"--socket={socket}", f"--pid-file={folder / 'db.pid'}")

    async def listens() -> bool:
        return "ready for connections" in _text(log)

    try:
        async with started(*argv, log=log) as process:
            await ready(process, log, listens, "MariaDB to be ready")
            yield
    finally:
        shutil.rmtree(data)


def _text(file: Path) -> str:
    return file.read_text(errors="replace")

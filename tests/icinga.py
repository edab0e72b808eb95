"""A real Icinga 2 of its own folder and ports, with the API: for tests that let it notify, stream and be asked.

One host `web1` and its services `http` and `disk`, checked by nobody: results come through the API alone. It runs as the user
who runs the tests; certificates are made for its node name by its own `icinga2 pki`.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from programs import ready, require, started
from service import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NODE = "icinga.example.net"
"""Its node name: what its certificate is for."""

USER, PASSWORD = "tocsin", "made-up-password"
"""An API user who may everything."""

PACKAGE = "icinga2"
SNIPPETS = ROOT / "config" / "sources" / "icinga"

CONFIG = """
include <itl>
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object ApiListener "api" {{ bind_host = "127.0.0.1", bind_port = {port}, accept_commands = true }}
object ApiUser "{user}" {{ password = "{password}", permissions = [ "*" ] }}
object CheckerComponent "checker" {{ }}
object NotificationComponent "notification" {{ }}
object IcingaApplication "app" {{ }}
object HostGroup "web" {{ display_name = "Web servers" }}
template Host "passive" {{
  check_command = "passive"
  max_check_attempts = 1
  enable_active_checks = false
}}
object Host "web1" {{
  import "passive"
  display_name = "Web one"
  address = "192.0.2.11"
  groups = [ "web" ]
  vars.site = "Lyon"
  vars.snmp_community = "made-up"
}}
apply Service for (name in [ "http", "disk" ]) {{
  check_command = "passive"
  max_check_attempts = {attempts}
  enable_active_checks = false
  notes_url = "https://wiki.example.net/" + name
  vars.layer = "service"
  assign where host.name == "web1"
}}
"""


@dataclass(frozen=True, slots=True)
class Icinga:
    """One that runs."""

    url: str
    """Of its API, which speaks TLS."""
    ca_file: Path
    """The authority that signed its certificate, which is for `NODE`."""
    log: Path

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts its authority, and no other."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client of its API, as `USER`; give each request `server_hostname=NODE`."""
        connector = aiohttp.TCPConnector(ssl=self.tls)
        headers = {"Accept": "application/json", "Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as http:
            yield http

    async def ask(self, http: aiohttp.ClientSession, method: str, path: str, **body: Any) -> Any:
        """The answer to one request."""
        address = f"{self.url}{path}"
        async with http.request(method, address, json=body or None, server_hostname=NODE) as answer:
            told = await answer.json()
            assert answer.status < 300, told
            return told

    async def result(self, http: aiohttp.ClientSession, service: str, status: int, output: str) -> None:
        """A check's result, of a service of `web1`; of the host itself when `service` is empty."""
        kind, name = ("Service", f"web1!{service}") if service else ("Host", "web1")
        about = {"type": kind, kind.lower(): name}
        await self.ask(
            http, "POST", "/v1/actions/process-check-result",
            exit_status=status, plugin_output=output, check_source="agent.example.net", **about,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def running(folder: Path, *configs: str, attempts: int = 1) -> AsyncIterator[Icinga]:
    """One with these configurations beside its own; `attempts`: how often a service must fail until its state is hard."""
    program = require("icinga2", PACKAGE)
    port = free_port()
    defined = _laid_out(folder)
    config = CONFIG.format(port=port, user=USER, password=PASSWORD, attempts=attempts)
    _write(folder / "icinga2.conf", "\n".join((config, *configs)))
    certificates = folder / "lib" / "certs"
    await _certify(program, certificates)
    log = folder / "icinga2.log"
    icinga = Icinga(f"https://127.0.0.1:{port}", folder / "lib" / "ca" / "ca.crt", log)
    argv = (program, "daemon", "-c", folder / "icinga2.conf", *defined)
    async with started(*argv, log=log, env=_user(), cwd=folder) as process, icinga.session() as http:
        await ready(process, log, lambda: _answers(icinga, http), "Icinga to be ready")
        yield icinga


def _laid_out(folder: Path) -> list[str]:
    """Its folders, and the options that tell it to use them."""
    where = {"DataDir": "lib", "LogDir": "log", "CacheDir": "cache", "SpoolDir": "spool", "InitRunDir": "run"}
    for name in (*where.values(), "lib/ca", "lib/certs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    defined = [f"-D{name}={folder / path}" for name, path in where.items()]
    return [*defined, f"-DNodeName={NODE}", f"-DZoneName={NODE}", f"-DConfigDir={folder}", "-DTicketSalt=made-up"]


def _write(file: Path, text: str) -> None:
    file.write_text(text)


def _user() -> dict[str, str]:
    """It gives its rights away to a user of its own, unless it is told to stay who it is."""
    me = pwd.getpwuid(os.getuid()).pw_name
    return {"ICINGA2_USER": me, "ICINGA2_GROUP": grp.getgrgid(os.getgid()).gr_name}


async def _certify(program: str, folder: Path) -> None:
    """An authority of its own, and a certificate for `NODE`."""
    key, request, certificate = (str(folder / f"{NODE}.{ending}") for ending in ("key", "csr", "crt"))
    where = f"-DDataDir={folder.parent}"
    await _run(program, "pki", "new-ca", where)
    await _run(program, "pki", "new-cert", where, "--cn", NODE, "--key", key, "--csr", request)
    await _run(program, "pki", "sign-csr", where, "--csr", request, "--cert", certificate)
    _write(folder / "ca.crt", (folder.parent / "ca" / "ca.crt").read_text())


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **_user()}
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode(errors="replace")


async def _answers(icinga: Icinga, http: aiohttp.ClientSession) -> bool:
    try:
        async with http.get(f"{icinga.url}/v1", server_hostname=NODE) as answer:
            return answer.status == 200
    except (OSError, aiohttp.ClientError):
        return False

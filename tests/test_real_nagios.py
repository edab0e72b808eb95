"""Debian's own Nagios pushes to the real service through the commands we ship: a problem opens a ticket, a recovery closes it."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from programs import ELEMENTS, RULES, has, ready, require, started, tickets
from service import ROOT, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "made-up-token"
SNIPPETS = ROOT / "config" / "sources" / "nagios"

MAIN = """
log_file={folder}/nagios.log
lock_file={folder}/nagios.lock
temp_file={folder}/nagios.tmp
temp_path={folder}
status_file={folder}/status.dat
object_cache_file={folder}/objects.cache
state_retention_file={folder}/retention.dat
check_result_path={folder}
command_file={folder}/nagios.cmd
query_socket={folder}/nagios.qh
cfg_file={folder}/objects.cfg
cfg_file={folder}/tocsin.cfg
nagios_user={user}
nagios_group={group}
check_external_commands=1
accept_passive_service_checks=1
execute_service_checks=0
execute_host_checks=0
enable_notifications=1
interval_length=60
illegal_macro_output_chars=`~$&|'"<>
"""
OBJECTS = """
define command {
    command_name  check-nothing
    command_line  /bin/true
}
define host {
    host_name              web1
    alias                  Web one
    address                192.0.2.11
    check_command          check-nothing
    max_check_attempts     1
    notification_interval  0
    contact_groups         tocsin
    notes_url              https://wiki.example.net/web1
    _SNMP_COMMUNITY        made-up
}
define service {
    host_name              web1
    service_description    procs bpbkar
    check_command          check-nothing
    max_check_attempts     1
    check_interval         1
    retry_interval         1
    check_period           tocsin-always
    notification_interval  0
    notification_period    tocsin-always
    contact_groups         tocsin
}
"""


def shipped(folder: Path, url: str, form: str) -> None:
    """The files we ship, their placeholders replaced and their paths made those of a test."""
    curl = (SNIPPETS / "tocsin.curl").read_text().replace("{{url}}", url).replace("{{token}}", TOKEN)
    (folder / "tocsin.curl").write_text(curl)
    config = (SNIPPETS / "tocsin.cfg").read_text()
    if form == "json":
        commands = re.compile(r"define command \{.*?\n\}\n", re.DOTALL)
        config = commands.sub("", config) + "".join(commands.findall((SNIPPETS / "tocsin-json.cfg").read_text()))
    config = config.replace("/etc/nagios4/tocsin.curl", str(folder / "tocsin.curl"))
    (folder / "tocsin.cfg").write_text(
        config.replace("/usr/local/lib/tocsin-json.sh", str(SNIPPETS / "tocsin-json.sh"))
    )


def laid_out(folder: Path, url: str, form: str) -> Path:
    """A Nagios in a folder: its main configuration. It checks nothing itself: results come through its command pipe."""
    folder.mkdir()
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    (folder / "nagios.cfg").write_text(MAIN.format(folder=folder, user=user, group=group))
    (folder / "objects.cfg").write_text(OBJECTS)
    shipped(folder, url, form)
    return folder / "nagios.cfg"


@contextlib.asynccontextmanager
async def nagios(config: Path) -> AsyncIterator[Path]:
    """One that runs; yields its command pipe."""
    program = require("nagios4", "nagios4-core")
    pipe, log = config.with_name("nagios.cmd"), config.with_name("out.log")
    async with started(program, config, log=log) as process:

        async def listens() -> bool:
            return pipe.is_fifo()

        await ready(process, log, listens, "Nagios to listen to its pipe")
        yield pipe


def say(pipe: Path, command: str) -> None:
    """Write one external command."""
    descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(descriptor, f"[{int(time.time())}] {command}\n".encode())
    finally:
        os.close(descriptor)


def settings(folder: Path) -> dict[str, Any]:
    secret = folder / "nagios.token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    return {"sources": {"nagios": {"kind": "nagios", "auth": {"bearer": {"token_file": str(secret)}}}}}


@pytest.mark.parametrize("form", ["form", "json"])
async def test_a_real_nagios_notifies_a_problem_and_its_recovery_into_one_ticket(tmp_path: Path, form: str) -> None:
    async with running(tmp_path / "tocsin", settings(tmp_path), RULES, ELEMENTS) as service:
        config = laid_out(tmp_path / "nagios", f"{service.url}/hooks/nagios", form)
        async with nagios(config) as pipe:
            output = (
                'PROCS CRITICAL: 28 processes with args C:\\bpbkar, 97 % of "30"|procs=28;20;25\\noldest: pid 4121, été'
            )
            say(pipe, f"PROCESS_SERVICE_CHECK_RESULT;web1;procs bpbkar;2;{output}")
            await until(lambda: has(service, ("declared", "interrupted")), 20, "the ticket")
            (ticket,) = tickets(service)
            assert "procs bpbkar on Web one" in ticket.name
            say(pipe, "ACKNOWLEDGE_SVC_PROBLEM;web1;procs bpbkar;1;1;0;on-call;on it")
            say(pipe, "PROCESS_SERVICE_CHECK_RESULT;web1;procs bpbkar;0;PROCS OK: 12 processes")
            await until(lambda: has(service, ("closed", "interrupted")), 20, "the ticket to be closed")

"""Debian's own Monit sends to the real service, as to an M/Monit collector: one ticket, opened and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from programs import ELEMENTS, RULES, has, ready, require, started, tickets
from service import Service, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PASSWORD = "made-up"
CONTROL = """
set daemon 1
set log {folder}/monit.log
set idfile {folder}/id
set statefile {folder}/state
set pidfile {folder}/pid
set mmonit http://monit:{password}@127.0.0.1:{port}/hooks/monit/collector
check system web1.example.net
check program backup with path {folder}/check
  if status != 0 then alert
"""
CHECK = '#!/bin/sh\necho "the last backup is {folder}/backup"\ntest -e {folder}/backup\n'


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    (tmp_path / "password").write_text(PASSWORD)
    auth = {"basic": {"user": "monit", "password_file": str(tmp_path / "password")}}
    settings = {"sources": {"monit": {"kind": "monit", "auth": auth}}}
    async with running(tmp_path / "tocsin", settings, RULES, ELEMENTS) as service:
        yield service


@pytest.fixture
async def backup(tmp_path: Path, service: Service) -> AsyncIterator[Path]:
    """The file that Monit's check wants; Monit runs, and the file is there."""
    program = require("monit", "monit")
    folder = tmp_path / "monit"
    folder.mkdir()
    backup, control, check = folder / "backup", folder / "monitrc", folder / "check"
    make(backup)
    control.write_text(CONTROL.format(folder=folder, port=service.port, password=PASSWORD))
    control.chmod(0o700)
    check.write_text(CHECK.format(folder=folder))
    check.chmod(0o700)
    log = folder / "monit.out"

    async def has_looked() -> bool:
        return (folder / "state").exists()

    async with started(program, "-I", "-c", control, log=log, env={"HOME": str(folder)}) as process:
        await ready(process, log, has_looked, "Monit to have looked once")
        yield backup


def lose(backup: Path) -> None:
    backup.unlink()


def make(backup: Path) -> None:
    backup.touch()


async def test_a_real_monit_fails_and_succeeds_into_one_ticket(service: Service, backup: Path) -> None:
    assert tickets(service) == []
    lose(backup)
    await until(lambda: has(service, ("declared", "degraded")), 15, "the ticket")
    (ticket,) = tickets(service)
    assert ticket.declarant == "Supervision"
    assert "backup status on Web one" in ticket.name
    make(backup)
    await until(lambda: has(service, ("closed", "degraded")), 20, "the ticket to be closed")

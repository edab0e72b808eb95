"""The command line, run in this process, and a house of settings, rules and fleet for it to work on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from service import free_port
from tocsin.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

FINE, WRONG, SETTINGS, SILENT = 0, 1, 2, 3
TOKEN, ADMIN = "of-the-source", "of-the-admin"

RULES = """
rules:
  - id: disk
    title: A disk is full
    match: {check: disk, severity: [critical, major]}
    element: {lookup: '{{ resource }}', missing: record}
    impact: severe
  - id: processes
    match:
      summary: {regex: '(?P<state>CRITICAL|WARNING): (?P<count>\\d+) processes with args'}
    where: count|int > 20
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    hold: 1s
    close: {after: 15m}
    ticket:
      name: {en: '{{ count }} processes on {{ element.name }}', fr: '{{ count }} processus sur {{ element.name }}'}
fallback: {action: record, reason: nobody asked for it}
tests:
  - name: a full disk is a ticket
    alerts: [{at: 0s, source: generic, severity: major, resource: web1, check: disk, summary: full}]
    expect: {at: 1m, tickets: 1}
"""
ELEMENTS = """reference,name,offer,criticality,aliases
DF00J1BKP1,Backup platform,Cloud Infra Platform,high,vfcanubkpm01
DF1,Web server 1,,normal,web1 shared
DF2,Web server 2,,normal,web2 shared
"""


def tocsin(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def printed(result: Result) -> Any:
    assert result.exit_code == FINE, result.stderr
    return json.loads(result.stdout)


class House:
    """Settings, rules and fleet in a folder, and the command line pointed at them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "tocsin.yaml"
        for room in ("rules", "fleet"):
            (folder / room).mkdir(parents=True)
        self.rules(RULES)
        (folder / "fleet" / "elements.csv").write_text(ELEMENTS)
        (folder / "source.token").write_text(TOKEN)
        (folder / "admin.token").write_text(ADMIN)
        for secret in folder.glob("*.token"):
            secret.chmod(0o600)
        self.settings(**settings)

    def settings(self, **changes: Any) -> None:
        usual = {
            "state": "var",
            "listen": {"port": self.port},
            "rules": {"path": "rules"},
            "fleet": {"path": "fleet"},
            "sources": {
                "generic": {"kind": "generic", "open": True},
                "events": {"kind": "truesight", "auth": {"bearer": {"token_file": "source.token"}}},
            },
            "admin": {"token_file": "admin.token"},
        }
        self.config.write_text(json.dumps({**usual, **changes}))  # JSON is YAML

    def rules(self, text: str) -> None:
        (self.folder / "rules" / "10-test.yaml").write_text(text)

    def tocsin(self, *arguments: str, stdin: str | None = None) -> Result:
        return tocsin("--config", str(self.config), *arguments, stdin=stdin)

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """The real service, from when it has told its address until the end of the block at the latest."""
        command = [sys.executable, "-m", "tocsin", "serve", "--config", str(self.config)]
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                assert process.stdout is not None
                told = process.stdout.readline()
                assert told == f"tocsin serves http://127.0.0.1:{self.port}\n", (self.folder / "log").read_text()
                yield process
            finally:
                process.kill()
                process.communicate()

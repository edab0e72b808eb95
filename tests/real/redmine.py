"""A real Redmine 5 of its own folder, port and SQLite database, from Debian's packages redmine and puma.

It has the project `operations` with the tracker Incident, the custom fields `tocsin` (text, a filter: our reference) and
`Impact` (one of a list), and the project `private`, which nobody may see. `redmine.rb` makes them, with a workflow that
forbids some changes of status to `tocsin` and none to `agent`. Its people live in a time zone that is not UTC.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from programs import answers, ready, require, started
from real.once import PATH, START, once
from service import free_port, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

PROGRAM = Path("/usr/share/redmine")
PROJECT, TRACKER, FIELD = "operations", "Incident", "tocsin"
PASSWORD = "made-up-password"
"""Everybody's."""

DATABASE = "production: {{adapter: sqlite3, database: '{folder}/redmine.db', encoding: utf8, timeout: 10000}}\n"


@dataclass(frozen=True, slots=True)
class Redmine:
    """One that runs; what has a number is told with it."""

    url: str
    keys: Mapping[str, str]
    """API keys of `tocsin`, who has just the rights it needs, `agent`, who handles issues, and `onlooker`, who sees none."""
    tracker: int
    reference_field: int
    impact_field: int
    statuses: Mapping[str, int]
    """New, In Progress, Resolved, Feedback, Closed, Rejected."""
    priorities: Mapping[str, int]
    """Low, Normal, High, Urgent, Immediate."""
    log: Path


@contextlib.asynccontextmanager
async def redmine(folder: Path) -> AsyncIterator[Redmine]:
    """One that keeps everything in this folder; it sends no mail."""
    rails, puma = require(str(PROGRAM / "bin" / "rails"), "redmine"), require("puma", "puma")
    port, log, made = free_port(), folder / "redmine.log", folder / "made.json"
    env = {**_laid_out(folder), "MADE_FILE": str(made), "PASSWORD": PASSWORD}
    await once(rails, "runner", Path(__file__).with_suffix(".rb"), log=log, env=env, cwd=PROGRAM)
    url = f"http://127.0.0.1:{port}"
    argv = (puma, "-e", "production", "-b", f"tcp://127.0.0.1:{port}", "-t", "1:4", "--dir", PROGRAM)
    async with started(*argv, log=log, env=env, cwd=PROGRAM) as process, session() as http:
        await ready(process, log, lambda: answers(http, f"{url}/users/current.json", 401), "Redmine to be ready", START)
        yield Redmine(url=url, log=log, **_read(made))


def _laid_out(folder: Path) -> dict[str, str]:
    """Its folders and configuration, and the variables that make it one instance of Debian's many."""
    for name in ("config", "log", "files", "tmp/cache", "public/plugin_assets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "config" / "database.yml").write_text(DATABASE.format(folder=folder))
    (folder / "config" / "secret_key.txt").write_text("made-up" * 8)
    instance = os.path.relpath(folder, PROGRAM / "instances")  # instances are folders there, by name
    variables = {"REDMINE_INSTANCE": instance, "X_DEBIAN_SITEID": instance, "RAILS_ENV": "production"}
    return {"PATH": PATH, "REDMINE_LANG": "en", **variables}


def _read(made: Path) -> dict[str, Any]:
    return dict(json.loads(made.read_text()))

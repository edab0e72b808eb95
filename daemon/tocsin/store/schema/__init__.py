"""The steps that made the schema, in order; each runs once, in a transaction, and is never changed afterwards."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from sqlite_utils.migrations import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database

STEPS = Migrations("tocsin")


def _run(db: Database, name: str) -> None:
    script = resources.files("tocsin.store.schema").joinpath(f"{name}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


@STEPS(name="0001_start")
def _start(db: Database) -> None:
    _run(db, "0001_start")


@STEPS(name="0002_desk")
def _desk(db: Database) -> None:
    _run(db, "0002_desk")


@STEPS(name="0003_rule_changes")
def _rule_changes(db: Database) -> None:
    _run(db, "0003_rule_changes")


@STEPS(name="0004_sources")
def _sources(db: Database) -> None:
    _run(db, "0004_sources")


@STEPS(name="0005_deliveries")
def _deliveries(db: Database) -> None:
    _run(db, "0005_deliveries")


@STEPS(name="0006_tmf621")
def _tmf621(db: Database) -> None:
    _run(db, "0006_tmf621")


@STEPS(name="0007_sightings")
def _sightings(db: Database) -> None:
    _run(db, "0007_sightings")


@STEPS(name="0008_following")
def _following(db: Database) -> None:
    _run(db, "0008_following")


@STEPS(name="0009_resent")
def _resent(db: Database) -> None:
    _run(db, "0009_resent")

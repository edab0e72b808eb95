"""The alert of the procedure documents, through the shipped settings, rules and fleet, to its ticket and its close."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from house import Running
from service import session, until
from tocsin import settings as settings_of
from tocsin.app import App

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parent.parent
SEED = ROOT / "tests" / "sources" / "truesight"


@pytest.fixture
def clock() -> Running:
    return Running()


@pytest.fixture
async def app(tmp_path: Path, clock: Running) -> AsyncIterator[App]:
    path = ROOT / "config" / "tocsin.yaml"
    environ = {"TOCSIN_LISTEN__PORT": "0", "TOCSIN_STATE": str(tmp_path)}
    app = App(settings_of.load(path, environ), settings_of.secret_reader(path, environ), {}, clock)
    await app.start()
    yield app
    await app.stop()


def seed(**slots: str) -> dict[str, Any]:
    """The alert of the seeds as a TrueSight event."""
    return {
        "mc_ueid": "mc.vfcanubkpm01.5f3e2a1b.0",
        "mc_host": "vfcanubkpm01",
        "mc_object_class": "PROC",
        "mc_object": "usr_openv_bpbkar",
        "mc_parameter": "PROCCountStatus",
        "severity": "CRITICAL",
        "status": "OPEN",
        "msg": "PROCES CRITICAL: 28 processes with args '/usr/openv/netbackup/bin/bpbkar'",
        **slots,
    }


async def push(app: App, event: dict[str, Any]) -> dict[str, Any]:
    async with session() as http, http.post(f"{app.address}/hooks/truesight", json=event) as answer:
        assert answer.status == 202, await answer.text()
        return (await answer.json())["alerts"][0]


async def desk(app: App) -> list[dict[str, Any]]:
    columns = "number, status, name, element, offer, impact, priority, declarant, reference"
    found = await app.store.run(lambda tx: tx._connection.execute(f"select {columns} from desk_tickets").fetchall())  # noqa: S608
    return [dict(zip(columns.split(", "), row, strict=True)) for row in found]


async def test_the_seed_becomes_one_ticket_folds_in_and_closes_by_itself(app: App, clock: Running) -> None:
    first = await push(app, seed())
    assert first["outcome"] in ("held", "opened")
    clock.passes(minutes=3)

    async def declared() -> bool:
        return bool(await desk(app))

    await until(declared, 10, "the hold to be over")
    (ticket,) = await desk(app)
    assert (ticket["element"], ticket["offer"]) == ("DF00J1BKP1", "Cloud Infra Platform")
    assert json.loads(ticket["name"])["en"] == (
        "vfcanubkpm01: 28 processes with args '/usr/openv/netbackup/bin/bpbkar' (critical)"
    )
    assert (ticket["impact"], ticket["priority"]) == ("degraded", "P3")
    assert (ticket["declarant"], ticket["reference"]) == ("Supervision", first["incident"])
    assert ticket["number"] == f"{clock.now:%y%m}N00001"

    again = await push(app, seed())
    assert (again["outcome"], again["ticket"]) == ("folded", ticket["number"])
    assert len(await desk(app)) == 1

    await push(app, seed(severity="OK"))
    assert (await desk(app))[0]["status"] == "repaired"
    clock.passes(minutes=20)

    async def closed() -> bool:
        return (await desk(app))[0]["status"] == "closed"

    await until(closed, 10, "the quiet time to be over")
    assert len(await desk(app)) == 1


async def test_the_title_that_the_portal_cut_still_makes_a_readable_name(app: App, clock: Running) -> None:
    await push(app, seed(msg="PROCES CRITICAL: 28 processes with args '/usr..."))
    clock.passes(minutes=3)

    async def declared() -> bool:
        return bool(await desk(app))

    await until(declared, 10, "the hold to be over")
    name = json.loads((await desk(app))[0]["name"])
    assert name["en"] == "vfcanubkpm01: 28 processes with args '/usr...' (critical)"
    assert name["fr"] == "vfcanubkpm01 : 28 processus avec les arguments « /usr... » (critique)"

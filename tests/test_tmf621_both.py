"""Two tocsins: one declares its tickets in the desk of the other, by the standard that both speak."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from house import Running, rows
from offered import FLEET, RULES, Client, alerted, offered
from service import session, until
from tocsin import settings as settings_of
from tocsin.app import App

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HISTORY = {4: "statusChange", 5: "statusChangeHistory"}
VERSIONS = pytest.mark.parametrize("version", [4, 5])


@contextlib.asynccontextmanager
async def declaring(folder: Path, there: Client, clock: Running, **more: Any) -> AsyncIterator[App]:
    """A service whose tickets go to the desk that a client speaks to."""
    for name, content in (("rules", RULES), ("fleet", FLEET)):
        (folder / name).mkdir(parents=True)
        (folder / name / f"10.{'yaml' if name == 'rules' else 'csv'}").write_text(content)
    (folder / "token").write_text("t0ken\n")
    options = {"url": there.app.address, "version": f"v{there.version}", "token_file": str(folder / "token")}
    settings = {
        "listen": {"port": 0},
        "state": str(folder / "var"),
        "rules": {"path": "rules"},
        "fleet": {"path": "fleet"},
        "sources": {"generic": {"kind": "generic", "open": True}},
        "backends": {"carrier": {"kind": "tmf621", "options": options, "poll": "1s", **more}},
        "default_backend": "carrier",
        "delivery": {"first_retry": "1s"},
    }
    path = folder / "tocsin.yaml"
    path.write_text(json.dumps(settings))
    app = App(settings_of.load(path, {}), settings_of.secret_reader(path, {}), {}, clock)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def one(there: Client, **facts: Any) -> Any:
    """The only ticket there, once it is as these facts say."""
    found: list[Any] = []

    async def so() -> bool:
        found[:] = await there.get("/troubleTicket")
        return len(found) == 1 and all(found[0][name] == value for name, value in facts.items())

    await until(so, 20, f"one ticket with {facts}")
    return found[0]


@VERSIONS
async def test_a_ticket_lives_in_the_desk_of_another(tmp_path: Path, version: int) -> None:
    clock = Running()
    async with (
        offered(tmp_path / "there", version, clock, token_file="client.token") as there,
        declaring(tmp_path / "here", there, clock) as here,
        session() as http,
    ):
        there.token = "t0ken"
        await alerted(here, http)
        ticket = await one(there, status="acknowledged")
        (reference,) = (await rows(here.store, "select id from incidents"))[0]
        name = "externalId" if version == 4 else "externalIdentifier"
        said = ticket[name] if version == 4 else ticket[name][0]["id"]
        assert (said, ticket["severity"], ticket["priority"]) == (reference, "Major", "P2")
        assert await rows(there.app.store, "select element, reference from desk_tickets") == [("DF1", reference)]
        await alerted(here, http, status="resolved")
        await one(there, status="resolved")
        clock.passes(minutes=16)
        await one(there, status="closed")
        await alerted(here, http)
        ticket = await one(there, status="inProgress")
        turns = [turn["status"] for turn in ticket[HISTORY[version]]]
        assert turns == ["acknowledged", "resolved", "closed", "inProgress"]
        assert len({note["text"].partition("\n")[0] for note in ticket["note"]}) == len(ticket["note"]) == 3
        assert await rows(here.store, "select count(*) from deliveries where state <> 'sent'") == [(0,)]


@VERSIONS
async def test_a_ticket_that_people_touched_there_is_left_to_them(tmp_path: Path, version: int) -> None:
    clock = Running()
    async with (
        offered(tmp_path / "there", version, clock, token_file="client.token") as there,
        declaring(tmp_path / "here", there, clock) as here,
        session() as http,
    ):
        there.token = "t0ken"
        await alerted(here, http)
        number = (await one(there))["id"]
        await there.change(number, note=[{"text": "looking into it", "author": "Ann"}])

        async def touched() -> bool:
            return await rows(here.store, "select touched > 0 from incidents") == [(1,)]

        await until(touched, 20, "the note to be seen")
        before = len((await one(there))["note"])
        await alerted(here, http, status="resolved")

        async def noted() -> bool:
            return len((await one(there))["note"]) > before

        await until(noted, 20, "a note that it is over")
        ticket = await one(there, status="acknowledged")
        assert [note["author"] for note in ticket["note"]].count("Ann") == 1
        await there.change(number, status="closed")

        async def closed() -> bool:
            return await rows(here.store, "select state from incidents") == [("closed",)]

        await until(closed, 20, "the closing to be seen")


@VERSIONS
async def test_one_tells_the_other_at_once(tmp_path: Path, version: int) -> None:
    """By the hub: nobody has to ask."""
    clock = Running()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "shown.token").write_text("t0ken")
    shown = {"listeners": ["127.0.0.1:*"], "listener_token_file": "shown.token"}
    hook = {"bearer": {"token_file": str(tmp_path / "here" / "token")}}
    async with (
        offered(tmp_path / "there", version, clock, token_file="client.token", **shown) as there,
        declaring(tmp_path / "here", there, clock, poll="1h", hook=hook) as here,
        session() as http,
    ):
        there.token = "t0ken"
        typed = {"@type": "Hub"} if version == 5 else {}
        callback = f"{here.address}/hooks/tickets/carrier"
        assert (await there.ask("POST", "/hub", {**typed, "callback": callback}))[0] == 201
        await alerted(here, http)
        await there.change((await one(there))["id"], status="inProgress", note=[{"text": "on it", "author": "Ann"}])

        async def touched() -> bool:
            return await rows(here.store, "select touched > 0 from incidents") == [(1,)]

        await until(touched, 20, "the change to be heard of")

"""Listeners of the desk: real ones, that hear what happens to tickets, in order, also when they or we were away."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from house import Running, rows
from offered import FLEET, RULES, Client, alerted, offered
from service import free_port, running, session, until
from tocsin.desk import hub
from tocsin.errors import SettingsError
from tocsin.web.tmf621 import listeners, openapi
from tocsin.web.tmf621.service import FACES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

VERSIONS = pytest.mark.parametrize("version", [4, 5])
LOOPBACK = {"listeners": ["127.0.0.1:*"]}


class Listener:
    """Somebody who listens: hears, refuses or is away as it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        """Path and event of each that was answered with 2xx."""
        self.asked = 0
        self.status = 201
        self.headers: dict[str, str] = {}
        self.port = free_port()

    @property
    def callback(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def hear(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.headers = dict(request.headers)
        event = await request.json()
        if self.status < 300:
            self.heard.append((request.path, event))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"} if self.status == 307 else {})

    @asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        """It answers."""
        application = web.Application()
        application.router.add_route("POST", "/{tail:.*}", self.hear)
        async with TestServer(application, port=self.port):
            yield

    def told(self) -> list[tuple[str, str]]:
        """Kind of event and status of its ticket."""
        return [(event["eventType"], event["event"]["troubleTicket"]["status"]) for _, event in self.heard]

    async def heard_of(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.heard) >= count

        await until(enough, 20, f"{count} events; there are {self.told()}")


async def subscribe(client: Client, listener: Listener, query: str = "", path: str = "") -> Any:
    typed = {"@type": "Hub"} if client.version == 5 else {}
    asked = {**typed, "callback": listener.callback + path, **({"query": query} if query else {})}
    status, said = await client.ask("POST", "/hub", asked)
    assert status == 201, said
    assert client.headers["Location"] == f"{client.base}/hub/{said['id']}"
    return said


CREATED = "TroubleTicketCreateEvent"
CHANGED = "TroubleTicketAttributeValueChangeEvent"
STATUS = "TroubleTicketStatusChangeEvent"
RESOLVED = "TroubleTicketResolvedEvent"
WANTED = "TroubleTicketInformationRequiredEvent"
LIFE = [
    (CREATED, "acknowledged"),
    (CHANGED, "acknowledged"),
    (STATUS, "pending"),
    (WANTED, "pending"),
    (STATUS, "resolved"),
    (RESOLVED, "resolved"),
]


async def live(client: Client) -> str:
    """A ticket with a life that is told in six events."""
    number = str((await client.new(name="x"))["id"])
    await client.change(number, name="y")
    await client.change(number, status="pending")
    await client.change(number, status="resolved")
    return number


@VERSIONS
async def test_a_listener_hears_the_life_of_a_ticket_in_order(tmp_path: Path, version: int) -> None:
    listener = Listener()
    async with listener.there(), offered(tmp_path, version, **LOOPBACK) as client:
        before = (await client.new())["id"]
        await subscribe(client, listener)
        number = await live(client)
        await listener.heard_of(6)
        assert listener.told() == LIFE
        assert {event["event"]["troubleTicket"]["id"] for _, event in listener.heard} == {number} != {before}
        assert [path for path, _ in listener.heard] == [f"/listener/{kind[:1].lower()}{kind[1:]}" for kind, _ in LIFE]
        assert len({event["eventId"] for _, event in listener.heard}) == 6
        assert "Authorization" not in listener.headers
        schema = openapi.document(FACES[version - 4])
        for _, event in listener.heard:
            whole = {"$ref": "#/components/schemas/Event", "components": schema["components"]}
            jsonschema_rs.Draft202012Validator(whole).validate(event)
        first, second, third = (event for _, event in listener.heard[:3])
        assert len(third["event"]["troubleTicket"]["statusChange" if version == 4 else "statusChangeHistory"]) == 2
        if version == 4:
            assert ("timeOccurred" in first, first["timeOcurred"]) == (False, first["eventTime"])
            assert second["fieldPath"] == "name"
        else:
            assert (first["@type"], first["timeOccurred"]) == (CREATED, first["eventTime"])
            assert listener.heard[3][1]["event"]["informationRequired"] == {"op": "add", "path": "/note/-"}


async def test_tickets_of_ours_are_told_too(tmp_path: Path) -> None:
    listener = Listener()
    async with listener.there(), offered(tmp_path, **LOOPBACK) as client:
        await subscribe(client, listener)
        number = await client.declared()
        await alerted(client.app, client.http, status="resolved")
        await listener.heard_of(4)
        assert [kind for kind, _ in listener.told()] == [CREATED, CHANGED, STATUS, RESOLVED]
        assert {event["event"]["troubleTicket"]["id"] for _, event in listener.heard} == {number}


@VERSIONS
async def test_a_query_chooses_events(tmp_path: Path, version: int) -> None:
    listener = Listener()
    async with listener.there(), offered(tmp_path, version, **LOOPBACK) as client:
        said = await subscribe(client, listener, f"eventType={STATUS}, {RESOLVED}")
        await live(client)
        await listener.heard_of(3)
        assert listener.told() == [LIFE[2], LIFE[4], LIFE[5]]
        assert said["query"] == f"eventType={STATUS}, {RESOLVED}"


async def test_listeners_are_shown_a_token_where_there_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = Listener()
    listener.status = 500
    (tmp_path / "shown.token").write_text("sh0wn\n")
    async with listener.there(), offered(tmp_path, listener_token_file="shown.token", **LOOPBACK) as client:
        await subscribe(client, listener)
        await client.new()

        async def asked() -> bool:
            return listener.asked > 0

        await until(asked, 10, "an attempt")
        assert listener.headers["Authorization"] == "Bearer sh0wn"
    assert [file.name for file in (tmp_path / "var").iterdir() if b"sh0wn" in file.read_bytes()] == []
    assert "sh0wn" not in capsys.readouterr().out


async def test_a_token_that_no_header_can_hold_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "shown.token").write_text("a\nb\n")
    with pytest.raises(SettingsError, match="listener_token_file"):
        async with offered(tmp_path, listener_token_file="shown.token"):
            pass


async def test_who_listens_no_more_is_told_no_more(tmp_path: Path) -> None:
    gone, there = Listener(), Listener()
    async with gone.there(), there.there(), offered(tmp_path, 5, **LOOPBACK) as client:
        said = await subscribe(client, gone)
        assert await client.get(f"/hub/{said['id']}") == said
        await subscribe(client, there)
        status, nothing = await client.ask("DELETE", f"/hub/{said['id']}")
        assert (status, nothing) == (204, None)
        for method in ("DELETE", "GET"):
            assert (await client.ask(method, f"/hub/{said['id']}"))[0] == 404
        await live(client)
        await there.heard_of(6)
        assert gone.heard == []
        four = Client(client.app, client.http, 4)
        assert (await four.ask("DELETE", f"/hub/{next(iter(client.app._offer.telling._hub.subscriptions))}"))[0] == 404  # type: ignore[union-attr]


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_was_away_hears_it_later(tmp_path: Path, restarted: bool) -> None:  # noqa: FBT001
    """A listener that does not answer holds nobody else up, and is told everything once it is back, also after a restart."""
    clock = Running()
    away, there = Listener(), Listener()
    async with there.there():
        async with offered(tmp_path, clock=clock, **LOOPBACK) as client:
            await subscribe(client, away)
            await subscribe(client, there)
            await live(client)
            await there.heard_of(6)
            assert away.heard == []
            sample = client.app.metrics.registry.get_sample_value
            assert sample("tocsin_tmf621_listeners") == 2
            assert sample("tocsin_tmf621_events_behind") == 6
            assert (sample("tocsin_tmf621_events_total", {"outcome": "failed"}) or 0) >= 1
            if not restarted:
                async with away.there():
                    clock.passes(minutes=6)
                    await away.heard_of(6)
        if restarted:
            async with away.there(), offered(tmp_path, clock=clock, **LOOPBACK) as client:
                clock.passes(minutes=6)
                await away.heard_of(6)
                await live(client)
                await away.heard_of(12)
    assert away.told()[:6] == LIFE
    assert there.told()[:6] == LIFE


async def test_what_was_told_is_not_told_again_after_a_restart(tmp_path: Path) -> None:
    listener = Listener()
    async with listener.there():
        async with offered(tmp_path, **LOOPBACK) as client:
            await subscribe(client, listener)
            await live(client)
            await listener.heard_of(6)
        async with offered(tmp_path, **LOOPBACK) as client:
            await live(client)
            await listener.heard_of(12)
    assert listener.told() == [*LIFE, *LIFE]
    assert len({event["eventId"] for _, event in listener.heard}) == 12


async def test_what_was_committed_is_told_also_after_a_kill(tmp_path: Path) -> None:
    listener = Listener()
    settings = {
        "sources": {"generic": {"kind": "generic", "open": True}},
        "desk": {"tmf621": {"enabled": True, **LOOPBACK}},
    }
    ticket = {"description": "nothing works", "severity": "Major", "ticketType": "incident"}
    async with running(tmp_path, settings, RULES, FLEET) as service, session() as http:
        base = f"{service.url}/tmf-api/troubleTicket/v4"
        for path, body in (("/hub", {"callback": listener.callback}), ("/troubleTicket", ticket)):
            async with http.post(base + path, json=body) as answer:
                assert answer.status == 201
        await service.kill()
        async with listener.there():
            await service.start()
            await listener.heard_of(1)
    assert listener.told() == [(CREATED, "acknowledged")]


@pytest.mark.parametrize(("status", "again"), [(500, True), (404, True), (307, True), (400, False), (422, False)])
async def test_an_answer_says_whether_to_tell_again(tmp_path: Path, status: int, again: bool) -> None:  # noqa: FBT001
    clock = Running()
    listener = Listener()
    listener.status = status
    async with listener.there(), offered(tmp_path, clock=clock, **LOOPBACK) as client:
        await subscribe(client, listener, f"eventType={CREATED}")
        await client.new(name="first")

        async def asked() -> bool:
            return listener.asked > 0

        await until(asked, 10, "the first attempt")
        listener.status = 204
        clock.passes(minutes=6)
        await client.new(name="second")
        await listener.heard_of(1 + again)
        names = [event["event"]["troubleTicket"]["name"] for _, event in listener.heard]
        assert names == (["first", "second"] if again else ["second"])


async def test_after_a_day_an_event_is_given_up(tmp_path: Path) -> None:
    clock = Running()
    listener = Listener()
    async with offered(tmp_path, clock=clock, **LOOPBACK) as client:
        await subscribe(client, listener, f"eventType={CREATED}")
        await client.new(name="old")
        clock.passes(hours=25)
        await client.new(name="new")
        async with listener.there():
            clock.passes(minutes=6)
            await listener.heard_of(1)

            async def forgotten() -> bool:
                clock.passes(minutes=2)
                return await rows(client.app.store, "select count(*) from desk_events") == [(1,)]

            await until(forgotten, 10, "old events to be let go")
    assert [event["event"]["troubleTicket"]["name"] for _, event in listener.heard] == ["new"]


async def test_an_event_that_was_taken_back_is_not_waited_for(tmp_path: Path) -> None:
    listener = Listener()
    async with listener.there(), offered(tmp_path, **LOOPBACK) as client:
        await subscribe(client, listener)
        journal = client.app.desk.journal

        def fails(tx: Any) -> None:
            journal.write(tx, 1, iter([hub.events.Kind.CREATED]), "declared", (), datetime.now(UTC))
            raise ValueError("no")

        before = journal.latest
        with pytest.raises(ValueError, match="no"):
            await client.app.store.run(fails)
        assert journal.latest == before + 1

        async def settled() -> bool:
            return journal.latest == before

        await until(settled, 10, "the journal to know better")
        await live(client)
        await listener.heard_of(6)
        assert listener.told() == LIFE


async def test_only_tickets_that_may_be_seen_are_told(tmp_path: Path) -> None:
    listener = Listener()
    async with listener.there(), offered(tmp_path, contracts=["OCB002"], **LOOPBACK) as client:
        await subscribe(client, listener, f"eventType={CREATED}")
        await client.declared()
        seen = await alerted(client.app, client.http, resource="web2")
        await listener.heard_of(1)
        assert [event["event"]["troubleTicket"]["id"] for _, event in listener.heard] == [seen]


@pytest.mark.parametrize(
    ("callback", "status", "says"),
    [
        ("http://127.0.0.1:1", 201, ""),
        ("https://noc.example.net/tmf", 201, ""),
        ("http://127.0.0.2:1", 403, "127.0.0.2:1 is not among the hosts that may be told; see `desk.tmf621.listeners`"),
        ("http://noc.example.net:8080", 403, "noc.example.net:8080 is not among"),
        ("http://a.noc.example.net", 403, "a.noc.example.net is not among"),
        ("http://user:pw@noc.example.net", 403, "no credentials"),
        ("http://noc.example.net?token=x", 403, "no credentials"),
        ("ftp://noc.example.net", 403, "begin with http"),
        ("http:///x", 403, "name a host"),
        ("http://[::1", 403, "cannot be read"),
        ("http://noc.example.net:99999", 403, "cannot be read"),
        ("http://noc.example.net/a b", 403, "characters that none has"),
        ("", 400, "callback"),
    ],
)
async def test_only_hosts_of_the_list_are_told(tmp_path: Path, callback: str, status: int, says: str) -> None:
    async with offered(tmp_path, listeners=["127.0.0.1:*", "*.example.net"]) as client:
        got, said = await client.ask("POST", "/hub", {"callback": callback})
        assert got == status
        assert says in said.get("message", "")
        assert "pw" not in json.dumps(said)


async def test_nobody_is_told_unless_the_settings_say_so(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        status, said = await client.ask("POST", "/hub", {"callback": "http://127.0.0.1:1"})
        assert (status, said["code"]) == (403, "forbidden")


async def test_a_host_taken_off_the_list_is_told_no_more(tmp_path: Path) -> None:
    listener = Listener()
    async with listener.there():
        async with offered(tmp_path, **LOOPBACK) as client:
            await subscribe(client, listener)
        async with offered(tmp_path, listeners=["*.example.net"]) as client:
            await live(client)

            async def tried() -> bool:
                return (await rows(client.app.store, "select attempts from desk_subscriptions")) != [(0,)]

            await until(tried, 10, "an attempt")
    assert listener.asked == 0


async def test_the_same_subscription_is_there_once(tmp_path: Path) -> None:
    async with offered(tmp_path, 5, **LOOPBACK) as client:
        asked = {"@type": "Hub", "callback": "http://127.0.0.1:1/a"}
        assert (await client.ask("POST", "/hub", asked))[0] == 201
        place = client.headers["Location"]
        status, said = await client.ask("POST", "/hub", asked)
        assert (status, said["code"], client.headers["Location"]) == (409, "duplicate", place)
        assert (await client.ask("POST", "/hub", {**asked, "query": f"eventType={CREATED}"}))[0] == 201
        for query in ("eventType=Nothing", "event.status=closed", "eventType="):
            status, said = await client.ask("POST", "/hub", {**asked, "query": query})
            assert (status, said["code"]) == (400, "badValue")


async def test_so_many_listen_at_most(tmp_path: Path) -> None:
    async with offered(tmp_path, **LOOPBACK) as client:
        asks = (client.ask("POST", "/hub", {"callback": f"http://127.0.0.1:1/{number}"}) for number in range(hub.MOST))
        assert {status for status, _ in await asyncio.gather(*asks)} == {201}
        status, said = await client.ask("POST", "/hub", {"callback": "http://127.0.0.1:1/more"})
        assert (status, said["code"]) == (409, "badState")


@pytest.mark.parametrize(
    ("callback", "place"),
    [
        ("http://noc.example.net", "http://noc.example.net/listener/troubleTicketCreateEvent"),
        ("http://noc.example.net/tmf/", "http://noc.example.net/tmf/listener/troubleTicketCreateEvent"),
        ("http://noc.example.net/listener", "http://noc.example.net/listener/troubleTicketCreateEvent"),
        ("http://noc.example.net/v5/listener/all", "http://noc.example.net/v5/listener/all"),
    ],
)
def test_a_listener_is_told_where_the_standard_has_it(callback: str, place: str) -> None:
    assert listeners.address(callback, CREATED) == place


def test_waits_grow_up_to_a_limit() -> None:
    now = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    telling = hub.Telling(None, None, lambda: now)  # type: ignore[arg-type]
    one = hub.Subscription(id=1, key="k", face="v4", language="en", callback="", query="", at=now, told=0, due_at=now)
    waits = []
    for _ in range(20):
        one = telling._later(one)
        waits.append(one.due_at - now)
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert (waits == sorted(waits), waits[-1]) == (True, timedelta(minutes=5))

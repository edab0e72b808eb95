"""What operators ask over HTTP about backends and dead deliveries, and what they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service import until
from test_web import post, serving
from ticketserver import Plan, TicketServer

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from tocsin.app import App

BY = {"actor": "Night shift", "reason": "queue made"}


def settings(url: str) -> dict[str, Any]:
    options = {
        "url": f"{url}/tickets",
        "update_url": f"{url}/tickets/{{number}}",
        "find_url": f"{url}/tickets?reference={{reference}}",
    }
    return {
        "default_backend": "remote",
        "backends": {"remote": {"kind": "webhook", "options": options}, "desk": {"kind": "desk"}},
        "delivery": {"first_retry": "1h", "longest_retry": "1h"},
    }


async def scrape(app: App, http: aiohttp.ClientSession) -> list[str]:
    async with http.get(f"{app.address}/metrics") as answer:
        return (await answer.text()).splitlines()


async def test_a_dead_delivery_is_moved_over_http(tmp_path: Path) -> None:
    async with (
        TicketServer(Plan(["refused"])).serving() as server,
        serving(tmp_path, **settings(server.url)) as (app, http),
    ):
        await post(app, http, "/hooks/open")

        async def dead() -> bool:
            return 'tocsin_backend_dead_deliveries{backend="remote"} 1.0' in await scrape(app, http)

        await until(dead, 10, "the delivery to be refused")
        edit = await post(app, http, "/-/deliveries/1/edit", {**BY, "changes": {"impact": "severe", "notes": []}})
        assert (edit[0], edit[1]["status"], edit[1]["body"]["impact"]) == (200, "dead", "severe")
        assert await post(app, http, "/-/deliveries/1/resend", BY) == (
            202,
            {"id": 1, "status": "due", "as_note": False},
        )

        async def sent() -> bool:
            return bool(server.desk.tickets)

        await until(sent, 10, "the delivery to be sent")
        status, told = await post(app, http, "/-/deliveries/1/drop", BY)
        assert (status, "not dead" in told["error"]) == (409, True)


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("deliveries/1/resend", BY, 404, "there is no delivery 1"),
        ("deliveries/1/drop", BY, 404, "there is no delivery 1"),
        ("deliveries/1/edit", {**BY, "changes": {}}, 404, "there is no delivery 1"),
        ("deliveries/1/edit", BY, 422, "changes"),
        ("deliveries/1/resend", b"", 400, "send JSON with actor and reason"),
        ("deliveries/1/resend", b"\xff", 400, "send JSON with actor and reason"),
        ("deliveries/1/resend", {"actor": "me"}, 422, "reason"),
        ("deliveries/1/resend", {"actor": " ", "reason": "x"}, 422, "$.actor"),
        ("deliveries/1/resend", {**BY, "force": True}, 422, "force"),
        ("deliveries/1/drop", {**BY, "reason": "x" * 1001}, 422, "$.reason"),
        ("deliveries/1/drop", b"[]", 422, "send JSON"),
        ("deliveries/1/edit", b'{"changes": {"x": ' + b"[" * 100_000, 400, "send JSON"),
        ("deliveries/1/drop", b'"' + b"x" * 300_000 + b'"', 413, "more than"),
        ("backends/none/resume", BY, 404, "there is no backend none"),
        ("backends/desk/resume", BY, 404, "there is no backend desk"),
    ],
)
async def test_what_cannot_be_done_is_answered_with_a_reason(
    tmp_path: Path, path: str, body: Any, status: int, told: str
) -> None:
    async with serving(tmp_path) as (app, http):
        answered, said = await post(app, http, f"/-/{path}", body)
        assert (answered, told in said["error"]) == (status, True), said


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "backends"),
        ("POST", "backends/remote/resume"),
        ("POST", "deliveries/1/resend"),
        ("POST", "deliveries/1/drop"),
        ("POST", "deliveries/1/edit"),
    ],
)
async def test_strangers_and_browsers_are_refused(tmp_path: Path, method: str, path: str) -> None:
    async with serving(tmp_path) as (app, http):
        for headers in ({"X-Forwarded-For": "203.0.113.9"}, {"Origin": "https://evil.example"}):
            async with http.request(method, f"{app.address}/-/{path}", headers=headers) as answer:
                assert answer.status == 403


async def test_how_backends_fare_is_told_and_scraped(tmp_path: Path) -> None:
    async with (
        TicketServer(Plan(faults={"unauthorized": 1})).serving() as server,
        serving(tmp_path, **settings(server.url)) as (app, http),
    ):

        async def told() -> dict[str, Any]:
            async with http.get(f"{app.address}/-/backends") as answer:
                assert answer.status == 200
                (only,) = (await answer.json())["backends"]  # the desk is not told over the network
                return only  # type: ignore[no-any-return]

        assert (await told())["state"] == "closed"
        await post(app, http, "/hooks/open")

        async def stopped() -> bool:
            return (await told())["state"] == "stopped"

        await until(stopped, 10, "the backend to stop")
        fares = await told()
        assert (fares["backend"], fares["unsent"], fares["dead"], fares["under_way"]) == ("remote", 1, 0, 0)
        assert fares["reason"].startswith("unauthorized")
        series = await scrape(app, http)
        assert 'tocsin_backend_state{backend="remote",state="stopped"} 1.0' in series
        assert 'tocsin_backend_state{backend="remote",state="closed"} 0.0' in series
        assert 'tocsin_backend_unsent_deliveries{backend="remote"} 1.0' in series
        async with http.get(f"{app.address}/readyz") as answer:
            assert answer.status == 200  # it serves
        server.plan = Plan()
        assert (await post(app, http, "/-/backends/remote/resume", BY))[0] == 200

        async def sent() -> bool:
            return (await told())["unsent"] == 0

        await until(sent, 10, "what waited to be sent")

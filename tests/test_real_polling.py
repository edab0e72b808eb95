"""Real platforms that push nothing, and are asked: Alertmanager and Icinga 2, with the real service beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import icinga
from programs import ELEMENTS, RULES, alertmanager, has, require
from service import Service, free_port, running, session, until

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

NOWHERE = "http://127.0.0.1:1/"
HASTE = {"every": "1s", "settle": "1s"}


async def say(http: aiohttp.ClientSession, at: str, name: str, *, ended: bool = False) -> None:
    now = datetime.now(UTC)
    alert: dict[str, Any] = {"labels": {"alertname": name, "instance": "web1:9100", "severity": "warning"}}
    alert["startsAt"] = (now - timedelta(minutes=1)).isoformat()
    alert["endsAt"] = (now - timedelta(seconds=1) if ended else now + timedelta(hours=1)).isoformat()
    async with http.post(f"{at}/api/v2/alerts", json=[alert]) as answer:
        assert answer.status == 200, await answer.text()


async def silence(http: aiohttp.ClientSession, at: str, name: str) -> None:
    now = datetime.now(UTC)
    told = {
        "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "test",
    }
    async with http.post(f"{at}/api/v2/silences", json=told) as answer:
        assert answer.status == 200, await answer.text()


async def test_what_a_real_alertmanager_shows_is_taken_in_and_what_it_no_longer_shows_is_over(tmp_path: Path) -> None:
    require("prometheus-alertmanager", "prometheus-alertmanager")
    async with alertmanager(tmp_path, NOWHERE) as at, session() as http:
        await silence(http, at, "Muted")
        await say(http, at, "Muted")
        settings = {"sources": {"am": {"kind": "alertmanager", "poll": {"url": at, **HASTE}}}}
        async with running(tmp_path / "tocsin", settings, RULES, ELEMENTS) as service:
            await say(http, at, "DiskFull")
            await until(lambda: has(service, ("declared", "degraded")), 15, "the ticket")
            await say(http, at, "DiskFull", ended=True)
            await until(lambda: has(service, ("closed", "degraded")), 20, "the ticket to be closed")


async def test_a_real_alertmanager_is_compared_when_that_is_asked_for(tmp_path: Path) -> None:
    require("prometheus-alertmanager", "prometheus-alertmanager")
    async with alertmanager(tmp_path, NOWHERE) as at, session() as http:
        settings = {"sources": {"am": {"kind": "alertmanager", "poll": {"url": at, "every": "1h"}}}}
        async with running(tmp_path / "tocsin", settings, RULES, ELEMENTS) as service:

            async def differs(*, fix: bool) -> list[tuple[str, bool]]:
                async with http.post(f"{service.url}/-/reconcile", json={"source": "am", "fix": fix}) as answer:
                    said = json.loads(await answer.text())
                assert said["problem"] == "", said
                return [(one["kind"], one["mended"]) for one in said["differences"]]

            await say(http, at, "DiskFull")

            async def unheard() -> bool:
                return await differs(fix=False) == [("unheard", False)]

            await until(unheard, 15, "what fires there to be missed")
            assert await differs(fix=True) == [("unheard", True)]
            await until(lambda: has(service, ("declared", "degraded")), 15, "the ticket")
            assert await differs(fix=False) == []


def asked(of: icinga.Icinga, folder: Path) -> dict[str, Any]:
    (folder / "icinga.password").write_text(icinga.PASSWORD)
    poll = {
        "url": of.url,
        "ca_file": str(of.ca_file),
        "server_name": icinga.NODE,
        "auth": {"basic": {"user": icinga.USER, "password_file": str(folder / "icinga.password")}},
        **HASTE,
    }
    return {"sources": {"icinga": {"kind": "icinga", "poll": poll}}, "log": {"level": "info", "format": "json"}}


async def test_a_real_icinga_is_listened_to_and_no_gap_goes_unnoticed(tmp_path: Path) -> None:
    async with icinga.running(tmp_path / "icinga") as it, it.session() as http:
        service = Service(tmp_path / "tocsin", asked(it, tmp_path), RULES, ELEMENTS)
        try:
            await it.result(http, "disk", 2, "DISK CRITICAL - /var is full")  # before anybody listens
            await service.start()
            await until(lambda: has(service, ("declared", "interrupted")), 15, "the ticket of what was there before")
            await service.stop()
            await it.result(http, "disk", 0, "DISK OK")  # while nobody listens
            await service.start()
            await until(lambda: has(service, ("closed", "interrupted")), 15, "the ticket to be closed")
            await it.result(http, "http", 1, "HTTP WARNING - slow")
            await until(lambda: has(service, ("closed", "interrupted"), ("declared", "degraded")), 15, "another ticket")
            await it.result(http, "http", 0, "HTTP OK")
            await until(lambda: has(service, ("closed", "interrupted"), ("closed", "degraded")), 15, "its end")
        finally:
            await service.kill()


async def test_a_platform_that_does_not_answer_is_told_once_and_tried_again(tmp_path: Path) -> None:
    require("prometheus-alertmanager", "prometheus-alertmanager")
    poll = {"url": f"http://127.0.0.1:{free_port()}", **HASTE}
    settings = {"sources": {"am": {"kind": "alertmanager", "poll": poll}}}
    async with running(tmp_path / "tocsin", settings, RULES, ELEMENTS) as service, session() as http:

        async def failed_twice() -> bool:
            async with http.get(f"{service.url}/metrics") as answer:
                text = await answer.text()
            found = [line for line in text.splitlines() if line.startswith('tocsin_polls_total{result="failed"')]
            return bool(found) and float(found[0].split()[-1]) >= 2

        await until(failed_twice, 15, "two questions")
        assert service.log.read_text().count("the platform cannot be asked") == 1

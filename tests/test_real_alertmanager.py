"""Debian's own Alertmanager pushes to the real service: one ticket, updated and closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from programs import ELEMENTS, RULES, alertmanager, has, require, tickets
from service import Service, running, session, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp

SETTINGS = {"sources": {"alertmanager": {"kind": "alertmanager", "open": True}}}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    require("prometheus-alertmanager", "prometheus-alertmanager")
    async with running(tmp_path / "tocsin", SETTINGS, RULES, ELEMENTS) as service:
        yield service


async def say(http: aiohttp.ClientSession, url: str, severity: str, *, ended: bool = False) -> None:
    now = datetime.now(UTC)
    labels = {"alertname": "DiskFull", "instance": "web1:9100", "severity": severity}
    alert: dict[str, Any] = {"labels": labels, "annotations": {"summary": "disk is 97 % full"}}
    alert["startsAt"] = (now - timedelta(minutes=1)).isoformat()
    alert["endsAt"] = (now - timedelta(seconds=1) if ended else now + timedelta(hours=1)).isoformat()
    async with http.post(f"{url}/api/v2/alerts", json=[alert]) as answer:
        assert answer.status == 200, await answer.text()


async def test_a_real_alertmanager_fires_and_resolves_into_one_ticket(tmp_path: Path, service: Service) -> None:
    async with alertmanager(tmp_path, f"{service.url}/hooks/alertmanager") as at, session() as http:
        await say(http, at, "warning")
        await until(lambda: has(service, ("declared", "degraded")), 15, "the ticket")
        (ticket,) = tickets(service)
        assert (ticket.number[4:], ticket.declarant) == ("N00001", "Supervision")
        assert "DiskFull on Web one" in ticket.name
        # Another severity is another label set, so another fingerprint: both fire, and one ticket takes the worse.
        await say(http, at, "critical")
        await until(lambda: has(service, ("declared", "interrupted")), 15, "the ticket to be updated")
        await say(http, at, "warning", ended=True)
        await say(http, at, "critical", ended=True)
        await until(lambda: has(service, ("closed", "interrupted")), 20, "the ticket to be closed")

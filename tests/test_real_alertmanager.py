"""Debian's own Alertmanager pushes to the real service: one ticket, updated and closed."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from service import Service, free_port, running, session, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp

PROGRAM = shutil.which("prometheus-alertmanager")
RULES = """
rules:
  - id: disk
    match: {check: DiskFull}
    element: {lookup: '{{ resource }}'}
    impact: {by: severity, critical: interrupted, else: degraded}
    close: {after: 1s}
    ticket: {name: {en: 'Disk full on {{ element.name }}', fr: 'Disque plein sur {{ element.name }}'}}
fallback: {action: record}
"""
ELEMENTS = "reference,name,aliases\nDF1,Web one,web1\n"
SETTINGS = {"sources": {"alertmanager": {"kind": "alertmanager", "open": True}}}

AlertmanagerAt = str


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with running(tmp_path / "tocsin", SETTINGS, RULES, ELEMENTS) as service:
        yield service


@pytest.fixture
async def alertmanager(tmp_path: Path, service: Service) -> AsyncIterator[AlertmanagerAt]:
    if PROGRAM is None:
        if os.environ.get("REAL_PROGRAMS"):
            pytest.fail("prometheus-alertmanager is not installed, and CI must prove this: see .ci/run")
        pytest.skip("prometheus-alertmanager is not installed: apt install prometheus-alertmanager")
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        "route: {receiver: tocsin, group_by: [alertname], group_wait: 50ms, group_interval: 100ms, repeat_interval: 1s}\n"
        f"receivers: [{{name: tocsin, webhook_configs: [{{url: '{service.url}/hooks/alertmanager', send_resolved: true}}]}}]\n"
    )
    url = f"http://127.0.0.1:{free_port()}"
    with (tmp_path / "alertmanager.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, f"--config.file={config}", f"--storage.path={tmp_path / 'am'}", "--cluster.listen-address=",
            f"--web.listen-address={url.removeprefix('http://')}", stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with session() as http:
            await until(lambda: answers(http, f"{url}/-/ready"), 20, "Alertmanager to be ready")
        yield url
    finally:
        process.terminate()
        await process.wait()


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except OSError:
        return False


async def say(http: aiohttp.ClientSession, url: str, severity: str, *, ended: bool = False) -> None:
    now = datetime.now(UTC)
    labels = {"alertname": "DiskFull", "instance": "web1:9100", "severity": severity}
    alert: dict[str, Any] = {"labels": labels, "annotations": {"summary": "disk is 97 % full"}}
    alert["startsAt"] = (now - timedelta(minutes=1)).isoformat()
    alert["endsAt"] = (now - timedelta(seconds=1) if ended else now + timedelta(hours=1)).isoformat()
    async with http.post(f"{url}/api/v2/alerts", json=[alert]) as answer:
        assert answer.status == 200, await answer.text()


def tickets(service: Service) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{service.state / 'tocsin.db'}?mode=ro", uri=True)
    try:
        return connection.execute("select number, status, impact, declarant, name from desk_tickets").fetchall()
    finally:
        connection.close()


async def test_a_real_alertmanager_fires_and_resolves_into_one_ticket(service: Service, alertmanager: str) -> None:
    async def is_now(*wanted: str) -> bool:
        return [ticket[1:3] for ticket in tickets(service)] == [wanted]

    async with session() as http:
        await say(http, alertmanager, "warning")
        await until(lambda: is_now("declared", "degraded"), 15, "the ticket")
        number, _, _, declarant, name = tickets(service)[0]
        assert (number[4:], declarant) == ("N00001", "Supervision")
        assert "Disk full on Web one" in name
        # Another severity is another label set, so another fingerprint: both fire, and one ticket takes the worse.
        await say(http, alertmanager, "critical")
        await until(lambda: is_now("declared", "interrupted"), 15, "the ticket to be updated")
        await say(http, alertmanager, "warning", ended=True)
        await say(http, alertmanager, "critical", ended=True)
        await until(lambda: is_now("closed", "interrupted"), 20, "the ticket to be closed")
